//! The driver's view of topics while brokers can't tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fake::Fake;
use crate::driver::{Call, Driver};
use crate::id::ServiceName;
use crate::inventory::Topic;
use crate::kafka::driver::KafkaDriver;
use crate::plan::{Member, View};
use crate::transport::Dial;

fn service() -> ServiceName {
    "log".parse().unwrap()
}

fn view() -> View {
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

async fn planned(live: bool) -> Vec<String> {
    // It takes connections and closes them, as a forward to a broker that is still starting.
    let dial: Arc<dyn Dial> = Arc::new(Fake::new(|_| None));
    let (view, service) = (view(), service());
    let call = Call {
        action: "topics",
        view: &view,
        service: &service,
        member: None,
        dial: &dial,
        shared: None,
    };
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
