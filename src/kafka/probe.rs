//! A message written to every broker and read back, through a topic made for it and deleted after.

use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;

use super::admin::{NewTopic, already_gone};
use super::client::Client;
use super::error::{Error, Result};
use super::exchange::{Exchange, Latency, Sent};
use super::metadata::Metadata;

/// What the names of probe topics start with; sixteen hex digits follow: when it was made, and chance.
pub const PREFIX: &str = "__sdtd_probe_";
/// A probe is over long before; an older topic is what an interrupted one has left.
pub(crate) const LEFTOVER_AGE: Duration = Duration::from_secs(600);
const COPIES: usize = 3;

/// What a probe has found.
#[derive(Debug)]
pub struct Report {
    /// The topic used, gone by now unless `leftover` says otherwise.
    pub topic: String,
    /// What became of the message to each broker, by id.
    pub brokers: BTreeMap<i32, Result<Latency>>,
    /// Topics of interrupted probes that were deleted on the way.
    pub swept: Vec<String>,
    /// Why the topic could not be deleted, or an older one could not.
    pub leftover: Option<Error>,
}

impl Report {
    /// Whether every broker took the message and gave it back.
    pub fn is_good(&self) -> bool {
        !self.brokers.is_empty() && self.brokers.values().all(Result::is_ok)
    }

    /// The brokers that did not, with the cause.
    pub fn failures(&self) -> impl Iterator<Item = (i32, &Error)> {
        self.brokers
            .iter()
            .filter_map(|(id, r)| Some((*id, r.as_ref().err()?)))
    }
}

/// Writes one message to each registered broker and reads it back, each within `limit`.
///
/// Every broker leads one partition of a topic of its own for that time, with as many copies as a
/// well-kept topic has, so a broker that takes part in nothing is found out. The topic is deleted in any
/// case; what a run that was cut off has left is deleted by the next one.
///
/// # Errors
/// When there is no broker, or the topic cannot be made. What one broker did is in the report.
pub async fn round_trip(client: &Client, via: &dyn Exchange, limit: Duration) -> Result<Report> {
    let metadata = client.metadata().await?;
    let (swept, unswept) = sweep(client, &metadata).await;
    let topic = new_name();
    let tried = write_and_read(client, via, (&topic, &metadata, limit)).await;
    let mut deleted = already_gone(client.delete_topics(&[&topic]).await);
    if deleted.is_ok() && matches!(&tried, Ok(brokers) if brokers.values().all(Result::is_ok)) {
        deleted = client.wait_for_absence(&[&topic]).await;
    }
    Ok(Report {
        topic,
        brokers: tried?,
        swept,
        leftover: deleted.err().or(unswept),
    })
}

async fn write_and_read(
    client: &Client,
    via: &dyn Exchange,
    (topic, metadata, limit): (&str, &Metadata, Duration),
) -> Result<BTreeMap<i32, Result<Latency>>> {
    let brokers: Vec<i32> = metadata.brokers.iter().map(|b| b.id).collect();
    if brokers.is_empty() {
        return Err(Error::NoBroker(Vec::new()));
    }
    client
        .create_topics(&[probe_topic(topic, &brokers)], false)
        .await?;
    // One view is enough: a broker that lags or hangs is then named by its own message.
    client.wait_for_leaders(topic, brokers.len()).await?;
    let messages: Vec<Sent> = (0..)
        .zip(&brokers)
        .map(|(i, id)| message(topic, i, *id))
        .collect();
    let tries = messages
        .iter()
        .map(|m| within(limit * 2, via.exchange(m, limit)));
    Ok(brokers.into_iter().zip(join_all(tries).await).collect())
}

fn message(topic: &str, partition: i32, leader: i32) -> Sent {
    let payload = format!("{topic} {leader} {:016x}", chance(topic)).into_bytes();
    Sent {
        topic: topic.to_owned(),
        partition,
        leader,
        payload,
    }
}

async fn within(limit: Duration, work: impl Future<Output = Result<Latency>>) -> Result<Latency> {
    let late = Error::NotYet {
        what: "no message came back".to_owned(),
        after: limit,
    };
    tokio::time::timeout(limit, work).await.unwrap_or(Err(late))
}

/// Deletes what interrupted probes have left; what was deleted, and why not all.
async fn sweep(client: &Client, metadata: &Metadata) -> (Vec<String>, Option<Error>) {
    let old: Vec<&str> = leftovers(metadata, now(), LEFTOVER_AGE);
    match already_gone(client.delete_topics(&old).await) {
        Ok(()) => (old.into_iter().map(str::to_owned).collect(), None),
        Err(e) => (Vec::new(), Some(e)),
    }
}

/// The topics of probes that are older than this at `now` (seconds since 1970).
pub(crate) fn leftovers(metadata: &Metadata, now: u64, age: Duration) -> Vec<&str> {
    let made = |name: &str| {
        let digits = name.strip_prefix(PREFIX)?;
        let hex = digits.len() == 16 && digits.bytes().all(|b| b"0123456789abcdef".contains(&b));
        if hex {
            u64::from_str_radix(&digits[..8], 16).ok()
        } else {
            None
        }
    };
    let is_old = |name: &&str| made(name).is_some_and(|t| t + age.as_secs() < now);
    metadata
        .topics
        .iter()
        .map(|t| t.name.as_str())
        .filter(is_old)
        .collect()
}

/// Partition i is led by the i-th broker, its copies are on those that follow.
fn probe_topic(name: &str, brokers: &[i32]) -> NewTopic {
    let n = brokers.len();
    let copies = n.min(COPIES);
    let replicas = |i: usize| (0..copies).map(|c| brokers[(i + c) % n]).collect();
    let config = [
        // As for the users' topics, whatever the brokers' own default is.
        (
            "min.insync.replicas",
            if copies == COPIES { "2" } else { "1" },
        ),
        // The thin client has no decompressors.
        ("compression.type", "uncompressed"),
        ("cleanup.policy", "delete"),
    ];
    NewTopic {
        name: name.to_owned(),
        assignment: (0..n).map(replicas).collect(),
        config: config.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..NewTopic::default()
    }
}

fn new_name() -> String {
    let made = now() & 0xffff_ffff;
    format!("{PREFIX}{made:08x}{:08x}", chance(PREFIX) & 0xffff_ffff)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn chance(salt: &str) -> u64 {
    RandomState::new().hash_one(salt)
}
