//! The producer of a load: a fixed rate, every copy in sync, each message at most once.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};

use super::load::{Clock, Shared};
use super::message::{key, payload};
use super::record::Entry;
use crate::drill::Load;
use crate::exec::Stop;

/// Between two looks at the time.
const TICK: Duration = Duration::from_millis(5);
/// A producer that was held up does not make up for more than so much of its time: the load stays steady.
const LATE: u64 = 1000;
/// How long one request may take, as in the Java client; librdkafka would wait a minute for a frozen broker.
const REQUEST_MS: &str = "30000";

/// A message on its way.
pub struct Pending {
    partition: i32,
    sequence: u64,
    sent: u64,
}

/// Who is told what became of each message.
struct Deliveries {
    entries: Sender<Entry>,
    clock: Clock,
}

impl ClientContext for Deliveries {
    // librdkafka would tell its troubles on standard error: what matters of them is in the record.
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        let (p, s, sent) = (pending.partition, pending.sequence, pending.sent);
        let at = self.clock.now();
        let entry = match result {
            Ok(m) if m.partition() == p => Entry::Ack {
                p,
                o: m.offset(),
                s,
                sent,
                at,
            },
            Ok(m) => {
                let why = format!("acknowledged on partition {}", m.partition());
                Entry::Unsure {
                    p,
                    s,
                    sent,
                    at,
                    why,
                }
            }
            Err((e, _)) => {
                let why = cause(e);
                Entry::Unsure {
                    p,
                    s,
                    sent,
                    at,
                    why,
                }
            }
        };
        // The writer ends last; if it has, the record is broken and the load ends.
        let _ = self.entries.send(entry);
    }
}

fn cause(error: &KafkaError) -> String {
    let code = error.rdkafka_error_code();
    code.map_or_else(|| error.to_string(), |code| code.to_string())
}

type Producer = ThreadedProducer<Deliveries>;

fn producer(shared: &Shared, load: &Load, entries: &Sender<Entry>) -> KafkaResult<Producer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &shared.bootstrap)
        .set("client.id", "sdtd-drill")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // With more, librdkafka may write a message twice where leaders change: requests that are sent again overtake each
        // other, and it begins anew under another epoch (https://github.com/confluentinc/librdkafka/issues/4953).
        .set("max.in.flight.requests.per.connection", "1")
        .set("socket.timeout.ms", REQUEST_MS)
        .set("message.timeout.ms", load.timeout.as_millis().to_string())
        .set("linger.ms", "5")
        .set("allow.auto.create.topics", "false");
    config.create_with_context(Deliveries {
        entries: entries.clone(),
        clock: shared.clock,
    })
}

/// Sends messages, to one partition after the other, until it is asked to stop or the load's time is over; then waits for
/// those on their way. Gives when it sent nothing more, in milliseconds since 1970.
///
/// # Errors
/// When librdkafka makes no producer. What becomes of messages goes into the record.
pub fn produce(
    shared: &Shared,
    load: &Load,
    entries: &Sender<Entry>,
    stop: &Stop,
) -> KafkaResult<u64> {
    let mut producer = producer(shared, load, entries)?;
    let (clock, rate) = (shared.clock, u64::from(load.rate));
    let began = clock.ms();
    let (mut sent, mut skipped) = (0_u64, 0_u64);
    loop {
        let since = clock.ms() - began;
        let over = load
            .seconds
            .is_some_and(|s| since >= s.saturating_mul(1000));
        if over || stop.is_asked() || shared.kept.broken.load(Ordering::SeqCst) {
            break;
        }
        let due = since.saturating_mul(rate) / 1000;
        let late = due.saturating_sub(skipped + sent);
        skipped += late.saturating_sub(rate.saturating_mul(LATE) / 1000);
        while sent + skipped < due {
            match send(&producer, shared, sent) {
                Ok(()) => sent += 1,
                // Nothing more fits: the cluster has taken nothing for long. What is not sent is not missed.
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => break,
                // It can't go on as the same producer: as an application would, the load makes another.
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal)) => {
                    producer = self::producer(shared, load, entries)?;
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        std::thread::sleep(TICK);
    }
    let ended = clock.now();
    // Each message is given up by itself when its time is over.
    let _ = producer.flush(load.timeout + Duration::from_secs(5));
    Ok(ended)
}

fn send(producer: &Producer, shared: &Shared, sequence: u64) -> KafkaResult<()> {
    let header = &shared.header;
    let count = u64::try_from(header.partitions.max(1)).unwrap_or(1);
    let partition = i32::try_from(sequence % count).unwrap_or_default();
    let payload = payload(&header.run, partition, sequence, header.size);
    let key = key(&header.run, sequence);
    let pending = Pending {
        partition,
        sequence,
        sent: shared.clock.now(),
    };
    let record = BaseRecord::with_opaque_to(&header.topic, Box::new(pending))
        .partition(partition)
        .key(&key)
        .payload(&payload);
    producer.send(record).map_err(|(error, _)| error)
}
