//! One message written and read back by librdkafka, as most users' own clients do.
//!
//! It dials for itself, so it is of use only where the brokers are reached directly. Like every consumer
//! with a group it asks for the group's coordinator, on which a new cluster creates its offsets topic
//! ([`OFFSETS`]); librdkafka has no consumer without a group.

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::OnceCell;

use super::error::{Error, Result};
use super::exchange::{Exchange, Sent, label, missing};

/// The topic that brokers keep consumers' places in, made when the first consumer comes.
pub const OFFSETS: &str = "__consumer_offsets";
const POLL: Duration = Duration::from_millis(200);

/// librdkafka, with these settings of its own.
pub struct Rdkafka {
    config: ClientConfig,
    producer: OnceCell<FutureProducer>,
}

impl Rdkafka {
    /// Starts from these brokers (`host:port,host:port`).
    pub fn new(bootstrap: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap);
        config.set("client.id", "sdtd");
        config.set("acks", "all");
        // Partitions are assigned by hand, but librdkafka has no consumer without a group.
        config.set("group.id", "sdtd-probe");
        config.set("enable.auto.commit", "false");
        config.set("allow.auto.create.topics", "false");
        Self {
            config,
            producer: OnceCell::new(),
        }
    }

    /// Sets one of librdkafka's own settings, security for one.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.config.set(key, value);
        self
    }

    /// One for all messages: it keeps a connection to each broker.
    async fn producer(&self, message: &Sent, limit: Duration) -> Result<&FutureProducer> {
        let make = || async {
            let mut config = self.config.clone();
            config.set("message.timeout.ms", limit.as_millis().to_string());
            config
                .create()
                .map_err(|e| failed(message, "no producer", &e))
        };
        self.producer.get_or_try_init(make).await
    }
}

#[async_trait::async_trait]
impl Exchange for Rdkafka {
    async fn write(&self, message: &Sent, limit: Duration) -> Result<i64> {
        let record = FutureRecord::<(), [u8]>::to(&message.topic)
            .partition(message.partition)
            .payload(&message.payload);
        let producer = self.producer(message, limit).await?;
        let sent = producer.send(record, limit).await;
        sent.map(|d| d.offset)
            .map_err(|(e, _)| failed(message, "not written", &e))
    }

    async fn read(&self, message: &Sent, offset: i64, limit: Duration) -> Result<Vec<u8>> {
        let (config, sent) = (self.config.clone(), message.clone());
        // librdkafka blocks in its calls, also while it closes.
        let reading = tokio::task::spawn_blocking(move || read(&config, &sent, offset, limit));
        reading.await.map_err(|e| Error::Exchange(e.to_string()))?
    }
}

fn read(config: &ClientConfig, message: &Sent, offset: i64, limit: Duration) -> Result<Vec<u8>> {
    let start = Instant::now();
    let consumer: BaseConsumer = config
        .create()
        .map_err(|e| failed(message, "no consumer", &e))?;
    let mut wanted = TopicPartitionList::new();
    wanted
        .add_partition_offset(&message.topic, message.partition, Offset::Offset(offset))
        .and_then(|()| consumer.assign(&wanted))
        .map_err(|e| failed(message, "not assigned", &e))?;
    let mut last = None;
    while start.elapsed() < limit {
        match consumer.poll(POLL) {
            Some(Ok(m)) if m.offset() == offset => {
                return Ok(m.payload().unwrap_or_default().to_vec());
            }
            // librdkafka goes on by itself; only when the time is over does its trouble matter.
            Some(Err(e)) => last = Some(e),
            Some(Ok(_)) | None => {}
        }
    }
    Err(match last {
        Some(e) => failed(message, "not read", &e),
        None => Error::NotYet {
            what: missing(message, offset),
            after: limit,
        },
    })
}

fn failed(message: &Sent, what: &str, cause: &KafkaError) -> Error {
    Error::Exchange(format!("{}: {what}: {cause}", label(message)))
}
