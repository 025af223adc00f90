//! One message written to a partition's leader and read back: the thin way, over [`Dial`](crate::transport::Dial).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, ProduceRequest};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record,
    RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::client::{Client, topic_name};
use super::error::{Error, Refusal, Result, check};

/// Later versions name topics by id.
const BY_NAME: i16 = 12;
/// Every replica in sync has it before it is acknowledged.
const ACKS_ALL: i16 = -1;
const FETCH_BYTES: i32 = 1 << 20;
const FETCH_WAIT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);

/// A message for one partition, which `leader` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The topic.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// The broker that leads it.
    pub leader: i32,
    /// The message.
    pub payload: Vec<u8>,
}

/// How long a message took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Until every replica in sync had it.
    pub write: Duration,
    /// Until it was read back.
    pub read: Duration,
}

/// A way to write a message and to read it back.
#[async_trait::async_trait]
pub trait Exchange: Send + Sync {
    /// Writes the message; its offset, once every replica in sync has it.
    ///
    /// # Errors
    /// When it is not acknowledged within `limit`.
    async fn write(&self, message: &Sent, limit: Duration) -> Result<i64>;

    /// Reads what stands at an offset of the message's partition.
    ///
    /// # Errors
    /// When nothing comes back within `limit`.
    async fn read(&self, message: &Sent, offset: i64, limit: Duration) -> Result<Vec<u8>>;

    /// Writes the message and reads it back, the same bytes, each within `limit`.
    ///
    /// # Errors
    /// When either fails, or what is read is not what was written.
    async fn exchange(&self, message: &Sent, limit: Duration) -> Result<Latency> {
        let start = Instant::now();
        let offset = self.write(message, limit).await?;
        let write = start.elapsed();
        let found = self.read(message, offset, limit).await?;
        same(message, &found)?;
        Ok(Latency {
            write,
            read: start.elapsed() - write,
        })
    }
}

/// Produce and Fetch requests to the leader itself, through whatever the client dials with.
pub struct Thin<'a>(pub &'a Client);

#[async_trait::async_trait]
impl Exchange for Thin<'_> {
    async fn write(&self, message: &Sent, limit: Duration) -> Result<i64> {
        retry(Instant::now() + limit, || self.produce(message)).await
    }

    async fn read(&self, message: &Sent, offset: i64, limit: Duration) -> Result<Vec<u8>> {
        let record = self.record(message, offset, limit).await?;
        Ok(record.value.unwrap_or_default().to_vec())
    }
}

/// Written one way, read another.
pub struct Both<W, R> {
    /// Who writes.
    pub write: W,
    /// Who reads.
    pub read: R,
}

#[async_trait::async_trait]
impl<W: Exchange, R: Exchange> Exchange for Both<W, R> {
    async fn write(&self, message: &Sent, limit: Duration) -> Result<i64> {
        self.write.write(message, limit).await
    }

    async fn read(&self, message: &Sent, offset: i64, limit: Duration) -> Result<Vec<u8>> {
        self.read.read(message, offset, limit).await
    }
}

impl Thin<'_> {
    /// What stands at an offset of the message's partition, with all that its batch says of it.
    pub(super) async fn record(
        &self,
        message: &Sent,
        offset: i64,
        limit: Duration,
    ) -> Result<Record> {
        let until = Instant::now() + limit;
        loop {
            let records = retry(until, || self.fetch(message, offset)).await?;
            if let Some(found) = record_at(records, offset).map_err(|e| unreadable(message, &e))? {
                return Ok(found);
            }
            if Instant::now() >= until {
                return Err(Error::NotYet {
                    what: missing(message, offset),
                    after: limit,
                });
            }
        }
    }

    async fn produce(&self, message: &Sent) -> Result<i64> {
        let records = batch(&message.payload).map_err(|e| unreadable(message, &e))?;
        let partition = PartitionProduceData::default()
            .with_index(message.partition)
            .with_records(Some(records));
        let topic = TopicProduceData::default()
            .with_name(topic_name(&message.topic))
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(ACKS_ALL)
            .with_timeout_ms(self.0.timeout_ms())
            .with_topic_data(vec![topic]);
        let answer = self
            .0
            .send_to_capped(message.leader, &request, BY_NAME)
            .await?;
        let partition = answer
            .responses
            .iter()
            .flat_map(|t| &t.partition_responses)
            .next();
        let Some(p) = partition else {
            return Err(empty(message, "a write"));
        };
        check([Refusal::of(
            label(message),
            p.error_code,
            p.error_message.as_deref(),
        )])?;
        Ok(p.base_offset)
    }

    async fn fetch(&self, message: &Sent, offset: i64) -> Result<Bytes> {
        let partition = FetchPartition::default()
            .with_partition(message.partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(FETCH_BYTES);
        let topic = FetchTopic::default()
            .with_topic(topic_name(&message.topic))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_wait_ms(i32::try_from(FETCH_WAIT.as_millis()).unwrap_or(500))
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_topics(vec![topic]);
        let answer = self
            .0
            .send_to_capped(message.leader, &request, BY_NAME)
            .await?;
        check([Refusal::of(label(message), answer.error_code, None)])?;
        let Some(p) = answer
            .responses
            .into_iter()
            .flat_map(|t| t.partitions)
            .next()
        else {
            return Err(empty(message, "a read"));
        };
        check([Refusal::of(label(message), p.error_code, None)])?;
        Ok(p.records.unwrap_or_default())
    }
}

/// Asks again while the answer is one that passes: a leader that is just being elected, a late follower.
async fn retry<T, F: Future<Output = Result<T>>>(
    until: Instant,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let passing = [
        ResponseError::UnknownTopicOrPartition,
        ResponseError::LeaderNotAvailable,
        ResponseError::NotLeaderOrFollower,
        ResponseError::NotEnoughReplicas,
        ResponseError::ReplicaNotAvailable,
        ResponseError::OffsetNotAvailable,
    ];
    loop {
        match ask().await {
            Err(e) if e.all_refused_with(&passing) && Instant::now() < until => sleep(PAUSE).await,
            done => return done,
        }
    }
}

/// A record batch of format 2 with one message.
pub(crate) fn batch(payload: &[u8]) -> std::result::Result<Bytes, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: i64::try_from(now.as_millis()).unwrap_or(0),
        key: None,
        value: Some(Bytes::copy_from_slice(payload)),
        headers: IndexMap::new(),
    };
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode(&mut out, [&record], &options).map_err(|e| e.to_string())?;
    Ok(out.freeze())
}

/// The message at `offset`, when it is among the fetched ones. Checksums are checked; counts are believed
/// only as far as there are bytes for them.
pub(crate) fn record_at(
    mut records: Bytes,
    offset: i64,
) -> std::result::Result<Option<Record>, String> {
    // A fetch may end within a batch.
    while records.len() > 12 {
        let length = i32::from_be_bytes([records[8], records[9], records[10], records[11]]);
        let length = usize::try_from(length).map_err(|_| format!("a batch of {length} bytes"))?;
        if records.len() - 12 < length {
            break;
        }
        let mut one = records.split_to(12 + length);
        let info =
            RecordBatchDecoder::decode_batch_info(&mut one.clone()).map_err(|e| e.to_string())?;
        let fits = |i: &kafka_protocol::records::BatchDecodeInfo| {
            usize::try_from(i.record_count).is_ok_and(|n| n <= length)
        };
        if !info.iter().all(fits) {
            return Err("a batch with more messages than bytes".to_owned());
        }
        let set = RecordBatchDecoder::decode(&mut one).map_err(|e| e.to_string())?;
        let found = set
            .records
            .into_iter()
            .find(|r| r.offset == offset && !r.control);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// That what was read is what was written.
pub(crate) fn same(message: &Sent, found: &[u8]) -> Result<()> {
    if found == message.payload {
        return Ok(());
    }
    Err(Error::Exchange(format!(
        "{}: another message came back than was written",
        label(message)
    )))
}

pub(crate) fn label(message: &Sent) -> String {
    format!("{}-{}", message.topic, message.partition)
}

pub(crate) fn missing(message: &Sent, offset: i64) -> String {
    format!(
        "{}: the message at offset {offset} did not come back",
        label(message)
    )
}

fn unreadable(message: &Sent, why: &str) -> Error {
    Error::Exchange(format!(
        "{}: the messages make no sense: {why}",
        label(message)
    ))
}

fn empty(message: &Sent, what: &str) -> Error {
    Error::Exchange(format!("{}: the answer to {what} is empty", label(message)))
}
