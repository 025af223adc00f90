//! Reading a drill's topic: along with the load, and afresh from its beginning.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::load::Shared;
use super::message::{self, Found};
use super::oracle::Reading;
use super::record::{Entry, Header};
use crate::drill::Place;

const POLL: Duration = Duration::from_millis(200);
/// How long a question about a partition's ends may take.
const ENDS: Duration = Duration::from_secs(10);
/// How long a partition may tell no end while its leader changes.
const LED: Duration = Duration::from_secs(30);
/// How long a fresh reader may get nothing though there is more.
const STUCK: Duration = Duration::from_secs(60);
/// How long what was acknowledged may be missing from a partition that was read to its end.
const LATE: Duration = Duration::from_secs(10);
/// How long the reader along waits before it asks again for a place that was not there.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells librdkafka's troubles to nobody.
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Silent {}

type Consumer = BaseConsumer<Silent>;

/// A consumer of all partitions from the given offsets. One that is not there is an error, never another place.
fn consumer(bootstrap: &str, header: &Header, from: &BTreeMap<i32, i64>) -> KafkaResult<Consumer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", "sdtd-drill")
        // Partitions are assigned by hand, but librdkafka has no consumer without a group.
        .set("group.id", format!("sdtd-drill-{}", header.run))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("socket.timeout.ms", "30000")
        .set("allow.auto.create.topics", "false");
    let consumer: Consumer = config.create_with_context(Silent)?;
    let mut wanted = TopicPartitionList::new();
    for index in 0..header.partitions {
        let offset = from.get(&index).copied().unwrap_or_default();
        wanted.add_partition_offset(&header.topic, index, Offset::Offset(offset))?;
    }
    consumer.assign(&wanted)?;
    Ok(consumer)
}

/// Reads from the topic's beginning on until `over`, and records what it sees of this run.
pub fn along(shared: &Shared, entries: &Sender<Entry>, over: &AtomicBool) {
    let header = &shared.header;
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    while !over.load(Ordering::SeqCst) {
        // One that broke is made anew, from where the last one was.
        let why = match consumer(&shared.bootstrap, header, &next) {
            Ok(consumer) => follow(&consumer, shared, (entries, over), &mut next),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            let at = shared.clock.now();
            let _ = entries.send(Entry::Reset { at, why });
            std::thread::sleep(AGAIN);
        }
    }
}

/// Reads until it is over, or until the reader is told that its place is not there: then why.
fn follow(
    consumer: &Consumer,
    shared: &Shared,
    (entries, over): (&Sender<Entry>, &AtomicBool),
    next: &mut BTreeMap<i32, i64>,
) -> Option<String> {
    let header = &shared.header;
    while !over.load(Ordering::SeqCst) {
        let message = match consumer.poll(POLL) {
            Some(Ok(message)) => message,
            Some(Err(error)) if is_out_of_place(&error) => return Some(error.to_string()),
            // librdkafka goes on by itself: connections that break, leaders that move.
            Some(Err(_)) | None => continue,
        };
        let (p, o, at) = (message.partition(), message.offset(), shared.clock.now());
        next.insert(p, o + 1);
        let bytes = message.payload().unwrap_or_default();
        let s = match message::read(bytes, &header.run, p, header.size) {
            Found::Ours(sequence) => Some(sequence),
            Found::Foreign => None,
            Found::OtherRun => continue,
        };
        let _ = entries.send(Entry::Read { p, o, s, at });
    }
    None
}

fn is_out_of_place(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::Fatal
        )
    )
}

/// Reads all that there is when it begins, from offset 0 of each partition, and at least up to `known`: a broker that has
/// just come to lead may learn late how much of what it holds is acknowledged.
pub fn afresh(bootstrap: &str, header: &Header, known: &BTreeMap<i32, i64>) -> Reading {
    let mut reading = Reading::default();
    let consumer = match consumer(bootstrap, header, &BTreeMap::new()) {
        Ok(consumer) => consumer,
        Err(error) => {
            reading.trouble.push(format!("no consumer: {error}"));
            reading.unread = (0..header.partitions).collect();
            return reading;
        }
    };
    let mut ends = BTreeMap::new();
    for index in 0..header.partitions {
        match end(&consumer, &header.topic, index) {
            Ok(end) => {
                ends.insert(index, end);
            }
            Err(cause) => {
                reading.trouble.push(format!("partition {index} {cause}"));
                reading.unread.insert(index);
            }
        }
    }
    take(&consumer, header, (&ends, known), &mut reading);
    reading
}

/// Where a partition ends; it must begin at 0.
fn end(consumer: &Consumer, topic: &str, index: i32) -> Result<i64, String> {
    let until = Instant::now() + LED;
    loop {
        match consumer.fetch_watermarks(topic, index, ENDS) {
            Ok((0, end)) => return Ok(end),
            Ok((first, _)) => {
                return Err(format!("begins at offset {first}: messages were deleted"));
            }
            // Who leads has just changed: the consumer learns it by and by.
            Err(_) if Instant::now() < until => std::thread::sleep(POLL),
            Err(error) => return Err(format!("does not tell its end: {error}")),
        }
    }
}

/// Takes messages until every partition was read up to its end.
fn take(
    consumer: &Consumer,
    header: &Header,
    (ends, known): (&BTreeMap<i32, i64>, &BTreeMap<i32, i64>),
    reading: &mut Reading,
) {
    // Where each partition stands, while it is not at both ends.
    let mut open: BTreeMap<i32, i64> = ends.keys().map(|index| (*index, 0)).collect();
    let at = |of: &BTreeMap<i32, i64>, index: &i32| of.get(index).copied().unwrap_or_default();
    let (mut last, mut trouble) = (Instant::now(), String::new());
    loop {
        open.retain(|index, next| *next < at(ends, index).max(at(known, index)));
        let all_there = open.iter().all(|(index, next)| *next >= at(ends, index));
        let patience = if all_there { LATE } else { STUCK };
        if open.is_empty() || last.elapsed() >= patience {
            break;
        }
        let message = match consumer.poll(POLL) {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                trouble = format!(": {error}");
                if is_out_of_place(&error) {
                    break;
                }
                continue;
            }
            None => continue,
        };
        last = Instant::now();
        let (partition, offset) = (message.partition(), message.offset());
        let bytes = message.payload().unwrap_or_default();
        let what = message::read(bytes, &header.run, partition, header.size);
        reading.found.insert(Place { partition, offset }, what);
        if let Some(next) = open.get_mut(&partition) {
            *next = offset + 1;
        }
    }
    // What was acknowledged beyond the end that the partition tells is lost, not unread.
    for (index, next) in open.iter().filter(|(index, next)| **next < at(ends, index)) {
        let end = at(ends, index);
        let cause = format!("partition {index} was read to offset {next} of {end}{trouble}");
        reading.trouble.push(cause);
        reading.unread.insert(*index);
    }
}
