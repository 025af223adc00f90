//! A broker that takes its threads between half and double only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{
    ApiKey, BrokerId, DescribeConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, MetadataResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::driver::{call, service, view};
use super::fake::{Asked, Fake, offers};
use crate::catalogue::live_keys;
use crate::driver::{Call, Driver};
use crate::kafka::driver::KafkaDriver;
use crate::plan::live::{Found, Live};
use crate::transport::Dial;

const IO: &str = "num.io.threads";

/// What it was started with, what it was given, and all that it was told to become.
#[derive(Default)]
struct Broker {
    file: i64,
    given: Option<i64>,
    told: Vec<i64>,
}

impl Broker {
    fn describe(&self) -> DescribeConfigsResponse {
        let synonym = |value: i64, source| {
            DescribeConfigsSynonym::default()
                .with_name(StrBytes::from_static_str(IO))
                .with_value(Some(StrBytes::from_string(value.to_string())))
                .with_source(source)
        };
        let given = self.given.map(|value| synonym(value, 2));
        let all = given
            .into_iter()
            .chain([synonym(self.file, 4), synonym(8, 5)]);
        let entry = DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(IO))
            .with_synonyms(all.collect());
        let result = DescribeConfigsResult::default()
            .with_resource_type(4)
            .with_configs(vec![entry]);
        DescribeConfigsResponse::default().with_results(vec![result])
    }

    fn alter(&mut self, asked: &Asked) -> IncrementalAlterConfigsResponse {
        let request =
            IncrementalAlterConfigsRequest::decode(&mut asked.body.clone(), asked.version).unwrap();
        let change = &request.resources[0].configs[0];
        let to: Option<i64> = change.value.as_ref().map(|value| value.parse().unwrap());
        let (now, then) = (self.given.unwrap_or(self.file), to.unwrap_or(self.file));
        let far = then > now * 2 || then < now / 2;
        if !far && !request.validate_only {
            self.given = to;
            self.told.push(then);
        }
        let answer =
            AlterConfigsResourceResponse::default().with_error_code(if far { 42 } else { 0 });
        IncrementalAlterConfigsResponse::default().with_responses(vec![answer])
    }
}

fn dial(broker: &Arc<Mutex<Broker>>) -> Arc<dyn Dial> {
    let broker = Arc::clone(broker);
    Arc::new(Fake::new(move |asked| {
        let mut broker = broker.lock().unwrap();
        Some(match asked.key {
            ApiKey::ApiVersions => asked.answer(&offers(&[
                (ApiKey::ApiVersions, 3),
                (ApiKey::Metadata, 9),
                (ApiKey::DescribeConfigs, 4),
                (ApiKey::IncrementalAlterConfigs, 1),
            ])),
            ApiKey::Metadata => {
                let one = MetadataResponseBroker::default()
                    .with_node_id(BrokerId(1))
                    .with_host(StrBytes::from_static_str("b1"))
                    .with_port(9092);
                asked.answer(&MetadataResponse::default().with_brokers(vec![one]))
            }
            ApiKey::DescribeConfigs => asked.answer(&broker.describe()),
            ApiKey::IncrementalAlterConfigs => {
                let answer = broker.alter(asked);
                asked.answer(&answer)
            }
            _ => return None,
        })
    }))
}

fn live(before: &str, wanted: &str) -> Live {
    let value = |text: &str| BTreeMap::from([(IO.to_owned(), text.to_owned())]);
    Live {
        member: "log.broker@pi1".parse().unwrap(),
        keys: live_keys(IO).unwrap(),
        wanted: value(wanted),
        before: value(before),
        said: BTreeSet::from([IO.to_owned()]),
    }
}

/// What is found out of a broker, and what it is told where that is done.
async fn done((file, given): (i64, Option<i64>), live: &Live) -> (Found, Vec<i64>) {
    let told = Vec::new();
    let broker = Arc::new(Mutex::new(Broker { file, given, told }));
    let dial = dial(&broker);
    let (view, service) = (view(), service());
    let call = Call {
        member: view.members.first(),
        action: "live",
        ..call(&view, &service, &dial)
    };
    let found = KafkaDriver.live(call, live).await.unwrap();
    if found.not.is_empty() {
        let change = live.change(
            &serde_json::from_value(serde_json::json!("kafka/live")).unwrap(),
            &found.change.join(", "),
        );
        KafkaDriver.change(call, &change).await.unwrap();
        let again = KafkaDriver.live(call, live).await.unwrap();
        assert!(again.change.is_empty(), "{again:?}");
    }
    let told = broker.lock().unwrap().told.clone();
    (found, told)
}

#[tokio::test]
async fn a_value_within_reach_is_given_at_once() {
    let (found, told) = done((4, None), &live("4", "6")).await;
    assert_eq!(found.change, ["num.io.threads 4 -> 6"]);
    assert_eq!(told, [6]);
}

#[tokio::test]
async fn a_value_out_of_reach_is_none_that_it_takes_while_it_runs() {
    let (found, told) = done((4, None), &live("4", "20")).await;
    assert_eq!(found.not, ["num.io.threads 4 -> 20"]);
    assert!(!found.left && told.is_empty());
}

#[tokio::test]
async fn a_broker_that_was_given_something_gets_far_in_steps() {
    // A restart would not bring it: what it was given counts more than its file.
    let (found, told) = done((4, Some(6)), &live("6", "20")).await;
    assert!(found.not.is_empty() && found.left);
    assert_eq!(told, [12, 20]);
}

#[tokio::test]
async fn what_hides_its_file_is_taken_away_step_by_step() {
    let (found, told) = done((20, Some(6)), &live("20", "20")).await;
    assert_eq!(found.change, ["num.io.threads 6 -> 20"]);
    assert_eq!(told, [12, 20]);
    let (_, told) = done((4, Some(30)), &live("4", "4")).await;
    assert_eq!(told, [15, 8, 4]);
}
