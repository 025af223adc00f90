//! Which broker is asked, and what happens when it is the wrong one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::describe_quorum_response::{PartitionData, TopicData};
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreateTopicsRequest, CreateTopicsResponse, DescribeQuorumResponse,
    MetadataResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::fake::{Asked, Fake, SOON, offers};
use crate::kafka::{Client, Endpoint, Error, NewTopic};

const NOT_CONTROLLER: i16 = 41;

fn versions(asked: &Asked, quorum: bool) -> Vec<u8> {
    let mut keys = vec![
        (ApiKey::ApiVersions, 3),
        (ApiKey::Metadata, 9),
        (ApiKey::CreateTopics, 5),
        (ApiKey::DeleteTopics, 4),
    ];
    if quorum {
        keys.push((ApiKey::DescribeQuorum, 0));
    }
    asked.answer(&offers(&keys))
}

/// Brokers 1 to 3 at the ports of the same number.
fn brokers(controller: i32) -> MetadataResponse {
    let broker = |id: i32| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(StrBytes::from_static_str("b"))
            .with_port(id)
    };
    MetadataResponse::default()
        .with_brokers((1..=3).map(broker).collect())
        .with_controller_id(BrokerId(controller))
}

fn created(asked: &Asked, code: i16) -> Vec<u8> {
    let request = CreateTopicsRequest::decode(&mut asked.body.clone(), asked.version).unwrap();
    let result = |t: kafka_protocol::messages::create_topics_request::CreatableTopic| {
        CreatableTopicResult::default()
            .with_name(t.name)
            .with_error_code(code)
    };
    let results = request.topics.into_iter().map(result).collect();
    asked.answer(&CreateTopicsResponse::default().with_topics(results))
}

fn client(fake: Fake, ports: &[u16]) -> (Client, Arc<Fake>) {
    let fake = Arc::new(fake);
    let bootstrap = ports.iter().map(|p| Endpoint::new("b", *p)).collect();
    (
        Client::new(fake.clone(), bootstrap).with_timeout(SOON),
        fake,
    )
}

fn topic() -> NewTopic {
    NewTopic {
        name: "t".to_owned(),
        partitions: 1,
        replication: 1,
        ..NewTopic::default()
    }
}

#[tokio::test]
async fn every_bootstrap_broker_is_tried() {
    let mut fake = Fake::new(|asked| {
        Some(match asked.key {
            ApiKey::ApiVersions => versions(asked, false),
            _ => asked.answer(&brokers(2)),
        })
    });
    fake.down = vec![7, 8];
    let (client, fake) = client(fake, &[7, 8, 3]);
    let metadata = client.metadata().await.unwrap();
    assert_eq!((metadata.controller, metadata.brokers.len()), (Some(2), 3));
    client.metadata().await.unwrap();
    // The second question goes over the connection that is there.
    assert_eq!(*fake.dialled.lock().unwrap(), [7, 8, 3]);
}

#[tokio::test]
async fn when_nobody_answers_each_is_named() {
    let mut fake = Fake::new(|_| None);
    fake.down = vec![7];
    let (client, _) = client(fake, &[7, 8]);
    let error = client.metadata().await.unwrap_err().to_string();
    assert!(
        error.contains("b:7: no connection") && error.contains("b:8: connection lost"),
        "{error}"
    );
}

#[tokio::test]
async fn the_next_controller_is_asked_when_it_has_moved() {
    let asked_for = AtomicUsize::new(0);
    let fake = Fake::new(move |asked| {
        Some(match (asked.key, asked.port) {
            (ApiKey::ApiVersions, _) => versions(asked, false),
            (ApiKey::Metadata, _) => {
                let n = asked_for.fetch_add(1, Ordering::SeqCst);
                asked.answer(&brokers([2, -1, 3][n.min(2)]))
            }
            (_, 3) => created(asked, 0),
            _ => created(asked, NOT_CONTROLLER),
        })
    });
    let (client, _) = client(fake, &[1]);
    client.create_topics(&[topic()], false).await.unwrap();
}

#[tokio::test]
async fn a_controller_on_a_host_that_is_off_is_asked_for_anew() {
    let asked_for = AtomicUsize::new(0);
    let fake = Fake::new(move |asked| {
        Some(match (asked.key, asked.port) {
            // What a forward to a host that is off does: it takes the connection, and is silent.
            (_, 2) => Vec::new(),
            (ApiKey::ApiVersions, _) => versions(asked, false),
            (ApiKey::Metadata, _) => {
                let n = asked_for.fetch_add(1, Ordering::SeqCst);
                asked.answer(&brokers([2, 3][n.min(1)]))
            }
            _ => created(asked, 0),
        })
    });
    let (client, _) = client(fake, &[1]);
    client.create_topics(&[topic()], false).await.unwrap();
}

#[tokio::test]
async fn another_refusal_is_told_and_not_repeated() {
    let fake = Fake::new(|asked| {
        Some(match asked.key {
            ApiKey::ApiVersions => versions(asked, false),
            ApiKey::Metadata => asked.answer(&brokers(1)),
            _ => created(asked, 38),
        })
    });
    let (client, _) = client(fake, &[1]);
    let error = client.create_topics(&[topic()], false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "topic t: INVALID_REPLICATION_FACTOR (there are fewer live brokers than replicas asked for)"
    );
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let asked_for = AtomicUsize::new(0);
    let fake = Fake::new(move |asked| match asked.key {
        ApiKey::ApiVersions => Some(versions(asked, false)),
        _ if asked_for.fetch_add(1, Ordering::SeqCst) == 1 => None,
        _ => Some(asked.answer(&brokers(1))),
    });
    let (client, fake) = client(fake, &[1]);
    client.metadata().await.unwrap();
    client.metadata().await.unwrap();
    assert_eq!(*fake.dialled.lock().unwrap(), [1, 1]);
}

#[tokio::test]
async fn an_unknown_broker_is_said_to_be_one() {
    let fake = Fake::new(|asked| {
        Some(match asked.key {
            ApiKey::ApiVersions => versions(asked, false),
            _ => asked.answer(&brokers(1)),
        })
    });
    let (client, _) = client(fake, &[1]);
    let error = client.metadata_from(9, None).await.unwrap_err();
    assert!(matches!(error, Error::UnknownBroker(9)));
}

#[tokio::test]
async fn the_quorum_knows_the_controller_better_than_the_metadata() {
    for (code, expected) in [(0, Some(101)), (35, Some(2))] {
        let fake = Fake::new(move |asked| {
            Some(match asked.key {
                ApiKey::ApiVersions => versions(asked, true),
                ApiKey::Metadata => asked.answer(&brokers(2)),
                _ => {
                    let partition = PartitionData::default()
                        .with_leader_id(BrokerId(101))
                        .with_error_code(code);
                    let topic = TopicData::default().with_partitions(vec![partition]);
                    asked.answer(&DescribeQuorumResponse::default().with_topics(vec![topic]))
                }
            })
        });
        let (client, _) = client(fake, &[1]);
        assert_eq!(client.active_controller().await.unwrap(), expected);
    }
}
