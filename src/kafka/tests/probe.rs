//! The probe's topic, and the messages in it.

use bytes::{Bytes, BytesMut};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use kafka_protocol::records::Record;

use super::cluster;
use super::fake::{Asked, Fake, SOON, offers};
use crate::kafka::exchange::{batch, record_at};
use crate::kafka::probe::{LEFTOVER_AGE, PREFIX, leftovers, round_trip};
use crate::kafka::{Client, Endpoint, Error, Exchange, Sent};

const NOW: u64 = 0x6b01_5000;

#[test]
fn only_old_topics_of_exactly_the_probes_names_are_swept() {
    let names = [
        ("6b01500000000000", false),  // made now
        ("6b014e0000000001", false),  // eight minutes ago
        ("6b014d0000000001", true),   // thirteen minutes ago
        ("6b015fffffffffff", false),  // by a clock that is ahead
        ("6b014d000000000", false),   // too short
        ("6b014d00000000010", false), // too long
        ("6B014D0000000001", false),  // not as it writes them
        ("6b014d000000000g", false),
        ("+b014d0000000001", false),
        ("", false),
    ];
    for (digits, expected) in names {
        for (prefix, ours) in [
            (PREFIX, true),
            ("sdtd_probe_", false),
            ("x__sdtd_probe_", false),
        ] {
            let name = format!("{prefix}{digits}");
            let metadata = cluster(1, &[(&name, &[])]);
            assert_eq!(
                leftovers(&metadata, NOW, LEFTOVER_AGE) == [name.as_str()],
                expected && ours,
                "{name}"
            );
        }
    }
}

/// Batches as a broker keeps them: each with the offset it was given.
fn stored(payloads: &[&str]) -> BytesMut {
    let mut log = BytesMut::new();
    for (offset, payload) in (0_i64..).zip(payloads) {
        let mut one = BytesMut::from(&batch(payload.as_bytes()).unwrap()[..]);
        // The checksum does not cover it.
        one[..8].copy_from_slice(&offset.to_be_bytes());
        log.extend_from_slice(&one);
    }
    log
}

#[test]
fn a_message_is_found_by_its_offset() {
    let log = stored(&["first", "second", ""]).freeze();
    let value = |record: Record| record.value.expect("a value");
    let at = |offset| record_at(log.clone(), offset).unwrap().map(value);
    assert_eq!(at(0).as_deref(), Some(&b"first"[..]));
    assert_eq!(at(1).as_deref(), Some(&b"second"[..]));
    assert_eq!(at(2).as_deref(), Some(&b""[..]));
    assert_eq!(at(3), None);
    assert_eq!(record_at(Bytes::new(), 0).unwrap(), None);
}

#[test]
fn what_is_cut_off_or_changed_is_never_taken_for_the_message() {
    let log = stored(&["message"]);
    for cut in 0..log.len() {
        assert!(
            !matches!(record_at(log.clone().freeze().slice(..cut), 0), Ok(Some(_))),
            "{cut}"
        );
    }
    for place in 8..log.len() {
        for bit in 0..8 {
            let mut changed = log.clone();
            changed[place] ^= 1 << bit;
            let found = record_at(changed.freeze(), 0);
            // The leader's epoch is the broker's to write.
            let free = (12..16).contains(&place);
            assert_eq!(
                matches!(found, Ok(Some(_))),
                free,
                "{place} {bit}: {found:?}"
            );
        }
    }
}

/// Two brokers; every topic asked for by name is there, with a partition led by each.
fn two_brokers(asked: &Asked) -> Vec<u8> {
    let request = MetadataRequest::decode(&mut asked.body.clone(), asked.version).unwrap();
    let broker = |id: i32| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(StrBytes::from_static_str("b"))
            .with_port(id)
    };
    let led = |i: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(i)
            .with_leader_id(BrokerId(i + 1))
    };
    let topics = request.topics.unwrap_or_default().into_iter().map(|t| {
        MetadataResponseTopic::default()
            .with_name(t.name)
            .with_partitions(vec![led(0), led(1)])
    });
    asked.answer(
        &MetadataResponse::default()
            .with_brokers(vec![broker(1), broker(2)])
            .with_controller_id(BrokerId(1))
            .with_topics(topics.collect()),
    )
}

/// A cluster that answers the making of a topic with `code`, and counts what is deleted.
fn with_topics(code: i16) -> (Client, Arc<AtomicUsize>) {
    let deleted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&deleted);
    let fake = Fake::new(move |asked| {
        Some(match asked.key {
            ApiKey::ApiVersions => asked.answer(&offers(&[
                (ApiKey::ApiVersions, 3),
                (ApiKey::Metadata, 9),
                (ApiKey::CreateTopics, 5),
                (ApiKey::DeleteTopics, 4),
            ])),
            ApiKey::CreateTopics => {
                let result = CreatableTopicResult::default().with_error_code(code);
                asked.answer(&CreateTopicsResponse::default().with_topics(vec![result]))
            }
            ApiKey::DeleteTopics => {
                let names = DeleteTopicsRequest::decode(&mut asked.body.clone(), asked.version);
                assert!(
                    names
                        .unwrap()
                        .topic_names
                        .iter()
                        .all(|n| n.starts_with(PREFIX))
                );
                counter.fetch_add(1, Ordering::SeqCst);
                asked.answer(&DeleteTopicsResponse::default())
            }
            _ => two_brokers(asked),
        })
    });
    let bootstrap = vec![Endpoint::new("b", 1)];
    (
        Client::new(Arc::new(fake), bootstrap).with_timeout(SOON),
        deleted,
    )
}

/// Broker 1 answers at once, broker 2 never.
struct HalfDeaf;

#[async_trait::async_trait]
impl Exchange for HalfDeaf {
    async fn write(&self, message: &Sent, _: Duration) -> Result<i64, Error> {
        if message.leader == 2 {
            std::future::pending::<()>().await;
        }
        Ok(0)
    }

    async fn read(&self, message: &Sent, _: i64, _: Duration) -> Result<Vec<u8>, Error> {
        Ok(message.payload.clone())
    }
}

#[tokio::test]
async fn a_broker_that_hangs_is_named_and_the_topic_deleted() {
    let (client, deleted) = with_topics(0);
    let report = round_trip(&client, &HalfDeaf, Duration::from_millis(20))
        .await
        .unwrap();
    assert!(report.brokers[&1].is_ok() && !report.is_good());
    let failed: Vec<_> = report
        .failures()
        .map(|(id, e)| (id, e.to_string()))
        .collect();
    assert_eq!(
        failed,
        [(2, "no message came back after 0.04 s".to_owned())]
    );
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_topic_is_deleted_though_making_it_seemed_to_fail() {
    let (client, deleted) = with_topics(7);
    let error = round_trip(&client, &HalfDeaf, SOON).await.unwrap_err();
    assert!(error.to_string().contains("REQUEST_TIMED_OUT"), "{error}");
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
}
