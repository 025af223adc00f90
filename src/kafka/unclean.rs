//! Elections that may lose messages: a partition whose last replica in sync is dead goes on from one that may lack
//! the end of it. Never by itself: asked for by name.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use serde::{Deserialize, Serialize};

use super::client::{Client, topic_name};
use super::driver::{client, resource};
use super::error::{Error, Refusal, Result, check};
use super::metadata::{Metadata, Partition};
use crate::driver::{Call, Leaderless};
use crate::event::Problem;
use crate::plan::ResourceChange;

/// The driver's action.
const ACTION: &str = "unclean";
/// How long the brokers may take until each knows who leads.
const LED: Duration = Duration::from_secs(60);
/// Asks a replica that does not lead too (`DEBUGGING_CONSUMER_ID`).
const DEBUGGING: i32 = -2;
/// Asks for the offset behind the last message.
const LATEST: i64 = -1;

/// An election that may lose messages: of partitions, by topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unclean {
    unclean: BTreeMap<String, Vec<i32>>,
}

impl Unclean {
    /// The election in a driver's change, if it is one.
    #[must_use]
    pub fn of(change: &ResourceChange) -> Option<Self> {
        serde_json::from_value(change.change.clone()).ok()
    }
}

/// A change that has these partitions of a topic go on.
pub fn change(call: Call<'_>, topic: &str, partitions: &[i32]) -> ResourceChange {
    let named: Vec<String> = partitions.iter().map(|p| format!("{topic}-{p}")).collect();
    let text = format!(
        "elect a leader that may lack messages: {}",
        named.join(", ")
    );
    let unclean = BTreeMap::from([(topic.to_owned(), partitions.to_vec())]);
    let value = serde_json::to_value(Unclean { unclean }).unwrap_or_default();
    resource(call.service, ACTION, (text, value))
}

/// The partitions of a topic that nobody leads, each with what an election would go on from.
///
/// # Errors
/// When no broker answers, there is no such topic or partition, or one that was named needs no election.
pub async fn leaderless(
    call: Call<'_>,
    topic: &str,
    partition: Option<i32>,
) -> std::result::Result<Vec<Leaderless>, Problem> {
    let client = client(call);
    let metadata = client.metadata().await?;
    let mut found = stranded(&metadata, topic, partition)?;
    for one in &mut found {
        for broker in one
            .replicas
            .iter()
            .filter(|b| metadata.broker(**b).is_some())
        {
            // A replica that can't be asked is none whose end is known.
            if let Ok(end) = client.log_end(*broker, topic, one.index).await {
                one.ends.insert(*broker, end);
            }
        }
    }
    Ok(found)
}

/// Those that nobody leads, by what one broker knows. Pure.
pub(super) fn stranded(
    metadata: &Metadata,
    topic: &str,
    partition: Option<i32>,
) -> std::result::Result<Vec<Leaderless>, Problem> {
    let Some(found) = metadata.topic(topic) else {
        return Err(Problem::new(format!("there is no topic `{topic}`")));
    };
    let asked = found.partitions.iter();
    let asked: Vec<&Partition> = asked
        .filter(|p| partition.is_none_or(|index| p.index == index))
        .collect();
    if asked.is_empty() {
        let index = partition.unwrap_or_default();
        return Err(Problem::new(format!(
            "there is no partition {topic}-{index}"
        )));
    }
    let lives = |id: &&i32| metadata.broker(**id).is_some();
    let led = |p: &Partition| p.leader.filter(|leader| lives(&leader));
    let without: Vec<&Partition> = asked.iter().copied().filter(|p| led(p).is_none()).collect();
    if without.is_empty() {
        let told = |p: &&Partition| format!("{topic}-{} by {}", p.index, led(p).unwrap_or(-1));
        let told: Vec<String> = asked.iter().map(told).collect();
        let cause = format!("all of it is led: {}", told.join(", "));
        let help =
            "an election that may lose messages is only for what nobody leads; nothing was changed";
        return Err(Problem::new(cause).help(help));
    }
    let mut all = Vec::new();
    for p in without {
        if let Some(id) = p.isr.iter().find(lives) {
            let cause = format!("{topic}-{}: broker {id} is in sync and lives", p.index);
            let help =
                "it leads in a moment, and nothing is lost; look again with `sdtd topics describe`";
            return Err(Problem::new(cause).help(help));
        }
        let Some(next) = p.replicas.iter().find(lives) else {
            let cause = format!(
                "{topic}-{}: none of its brokers {:?} lives: there is no copy to go on from",
                p.index, p.replicas
            );
            let help = "bring one of them back, with its disk";
            return Err(Problem::new(cause).help(help));
        };
        all.push(Leaderless {
            topic: topic.to_owned(),
            index: p.index,
            replicas: p.replicas.clone(),
            last: p.isr.clone(),
            next: *next,
            ends: BTreeMap::new(),
        });
    }
    Ok(all)
}

/// Makes the election, and waits until every partition is led.
///
/// # Errors
/// When the cluster refuses it, or it is not so in time.
pub async fn elect(client: &Client, what: &Unclean) -> Result<()> {
    // Made twice it finds a leader: that must not be lost again.
    let metadata = client.metadata().await?;
    let mut still = what.unclean.clone();
    for (topic, partitions) in &mut still {
        partitions.retain(|index| leader(&metadata, topic, *index).is_none());
    }
    still.retain(|_, partitions| !partitions.is_empty());
    if still.is_empty() {
        return Ok(());
    }
    client.elect_unclean(&still).await?;
    let missing = || "not every partition is led".to_owned();
    let look = || async {
        let now = client.metadata().await?;
        let mut all = still
            .iter()
            .flat_map(|(t, ps)| ps.iter().map(move |p| (t, *p)));
        Ok(all.all(|(t, p)| leader(&now, t, p).is_some()).then_some(()))
    };
    client.wait(LED, missing, look).await
}

fn leader(metadata: &Metadata, topic: &str, index: i32) -> Option<i32> {
    let found = metadata.topic(topic)?;
    let found = found.partitions.iter().find(|p| p.index == index)?;
    found.leader.filter(|id| metadata.broker(*id).is_some())
}

impl Client {
    /// The offset behind the last message that a broker's own replica has, be it the leader or not.
    ///
    /// # Errors
    /// When that broker does not answer, or has no such replica.
    pub async fn log_end(&self, broker: i32, topic: &str, partition: i32) -> Result<i64> {
        let one = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_timestamp(LATEST);
        let of = ListOffsetsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(vec![one]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(DEBUGGING))
            .with_topics(vec![of]);
        let answer = self.send_to(broker, &request).await?;
        let found = answer.topics.iter().flat_map(|t| &t.partitions).next();
        let what = format!("the end of {topic}-{partition} on broker {broker}");
        let Some(found) = found else {
            return Err(Error::Unsafe(format!("{what} was not told")));
        };
        check([Refusal::of(what, found.error_code, None)])?;
        Ok(found.offset)
    }
}
