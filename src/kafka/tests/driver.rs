//! The driver's view of topics while brokers can't tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fake::{Fake, offers};
use crate::driver::{Call, Driver};
use crate::id::ServiceName;
use crate::inventory::Topic;
use crate::kafka::driver::KafkaDriver;
use crate::plan::{Member, View};
use crate::transport::Dial;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{
    ApiKey, BrokerId, DescribeConfigsResponse, IncrementalAlterConfigsResponse, MetadataResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) fn service() -> ServiceName {
    "log".parse().unwrap()
}

pub(super) fn view() -> View {
    let member: Member = serde_json::from_value(serde_json::json!({
        "id": "log.broker@pi1", "number": 1,
        "address": "b1", "local_address": "b1", "ports": {"client": 9092}, "version": "3.9.1",
        "unit": "log-broker", "user": null, "log": "/l", "hooks": "/h", "env": {},
    }))
    .unwrap();
    View {
        cluster: "c".parse().unwrap(),
        members: vec![member],
        roles: Vec::new(),
        absent: BTreeSet::new(),
        leaving: Vec::new(),
        roots: BTreeMap::new(),
        verify: Vec::new(),
    }
}

pub(super) fn call<'a>(
    view: &'a View,
    service: &'a ServiceName,
    dial: &'a Arc<dyn Dial>,
) -> Call<'a> {
    Call {
        action: "topics",
        view,
        service,
        member: None,
        dial,
        shared: None,
        beside: &[],
    }
}

async fn planned(live: bool) -> Vec<String> {
    // It takes connections and closes them, as a forward to a broker that is still starting.
    let dial: Arc<dyn Dial> = Arc::new(Fake::new(|_| None));
    let (view, service) = (view(), service());
    let call = call(&view, &service, &dial);
    let topic = Topic {
        partitions: 10,
        replication: 3,
        config: BTreeMap::new(),
    };
    let topics = BTreeMap::from([("velib".to_owned(), topic)]);
    let changes = KafkaDriver.compare(call, &topics, live).await.unwrap();
    changes.into_iter().map(|change| change.text).collect()
}

#[tokio::test]
async fn topics_of_brokers_that_still_start_are_compared_later() {
    let text = "topic velib: compare with the inventory once the brokers answer";
    assert_eq!(planned(true).await, [text]);
}

#[tokio::test]
async fn topics_of_brokers_that_do_not_run_are_made() {
    let text = "topic velib: create, partitions 10, copies 3";
    assert_eq!(planned(false).await, [text]);
}

/// What all brokers have of a setting, and the requests that changed it.
async fn settings(value: &'static str, source: i8, wanted: &str) -> (Vec<String>, usize) {
    let changed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&changed);
    let dial: Arc<dyn Dial> = Arc::new(Fake::new(move |asked| {
        Some(match asked.key {
            ApiKey::ApiVersions => asked.answer(&offers(&[
                (ApiKey::ApiVersions, 3),
                (ApiKey::Metadata, 9),
                (ApiKey::DescribeConfigs, 4),
                (ApiKey::IncrementalAlterConfigs, 1),
            ])),
            ApiKey::Metadata => {
                let broker = MetadataResponseBroker::default().with_node_id(BrokerId(1));
                let broker = broker
                    .with_host(StrBytes::from_static_str("b1"))
                    .with_port(9092);
                asked.answer(&MetadataResponse::default().with_brokers(vec![broker]))
            }
            ApiKey::DescribeConfigs => {
                let entry = DescribeConfigsResourceResult::default()
                    .with_name(StrBytes::from_static_str("min.insync.replicas"))
                    .with_value(Some(StrBytes::from_static_str(value)))
                    .with_config_source(source);
                let all = DescribeConfigsResult::default()
                    .with_resource_type(4)
                    .with_configs(vec![entry]);
                asked.answer(&DescribeConfigsResponse::default().with_results(vec![all]))
            }
            ApiKey::IncrementalAlterConfigs => {
                count.fetch_add(1, Ordering::Relaxed);
                asked.answer(&IncrementalAlterConfigsResponse::default())
            }
            _ => return None,
        })
    }));
    let (view, service) = (view(), service());
    let call = call(&view, &service, &dial);
    let wanted = BTreeMap::from([("min.insync.replicas".to_owned(), wanted.to_owned())]);
    let changes = KafkaDriver.settings(call, &wanted).await.unwrap();
    for change in &changes {
        let action = &change.action.action;
        KafkaDriver
            .change(Call { action, ..call }, change)
            .await
            .unwrap();
    }
    let texts = changes.into_iter().map(|change| change.text).collect();
    (texts, changed.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_setting_that_the_cluster_keeps_is_changed_where_it_hides_the_inventorys() {
    let text = "all brokers: min.insync.replicas 2 -> 1".to_owned();
    assert_eq!(settings("2", 3, "1").await, (vec![text], 1));
    assert_eq!(settings("2", 3, "2").await, (vec![], 0), "it is right");
    assert_eq!(
        settings("2", 4, "1").await,
        (vec![], 0),
        "the files have it"
    );
}
