//! What it means that brokers are stopped for a moment: who else moves replicas now, and what nobody else has.

use std::collections::BTreeMap;
use std::time::Duration;

use super::driver::{NAMED, numbers};
use super::health::single_copies;
use super::moves::targets;
use super::reassign::Reassignment;
use super::topics::TopicChange;
use super::{Client, Error, Metadata, Result};
use crate::driver::{Outage, Stops};
use crate::event::Problem;
use crate::plan::ResourceChange;
use crate::words::first;

/// How long those that run may take to say what has no other copy, and what moves now.
const PATIENCE: Duration = Duration::from_secs(25);

/// The way out where it can't be known.
pub const UNKNOWN: &str = "run the same command again; if it stays so, `sdtd status` shows who does not answer, and \
    `sdtd stop` stops it without a question";

/// What stopping brokers one after another means.
///
/// # Errors
/// When those that run do not answer however often they are asked, or one refuses.
pub async fn of(client: &Client, stops: Stops<'_>) -> Result<Outage> {
    let Some(metadata) = served(client).await? else {
        return Ok(Outage::default());
    };
    let stopped = numbers(stops.members.iter().copied());
    let mut outage = Outage::default();
    let under_way = moving(client).await?;
    let foreign = under_way.iter().filter(|moving| !is_ours(moving, stops));
    let foreign: Vec<&Reassignment> = foreign.collect();
    let why = "a restart would hold that up or be held up by it";
    outage.forbidden.extend(moved_by_others(&foreign, why));
    let others = metadata.brokers.iter().any(|b| !stopped.contains(&b.id));
    if !others && stopped.len() == 1 {
        let text = format!(
            "broker {} is the only one: nobody is served while it is restarted",
            stopped[0]
        );
        outage
            .told
            .push(Problem::new(text).help("clients go on by themselves; nothing is lost"));
        return Ok(outage);
    }
    for id in stopped {
        let mut topics: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for found in single_copies(&metadata, id) {
            let index = found.partition.index;
            // By the time of the restart it has more copies, or is elsewhere.
            let to = targets(stops.planned, (&found.topic, index));
            if to.is_none_or(|to| to == [id]) {
                topics
                    .entry(found.topic)
                    .or_default()
                    .push(index.to_string());
            }
        }
        let line = |(topic, indexes): (String, Vec<String>)| {
            let word = if indexes.len() == 1 {
                "partition"
            } else {
                "partitions"
            };
            format!(
                "topic {topic}, {word} {}: only on broker {id}",
                indexes.join(", ")
            )
        };
        outage.unavailable.extend(topics.into_iter().map(line));
    }
    Ok(outage)
}

/// The cluster as its brokers tell it; none where nobody takes a connection, as then nobody is served. An answer that is
/// late does not mean that.
async fn served(client: &Client) -> Result<Option<Metadata>> {
    let ask = || async {
        match client.metadata().await {
            Err(e) if none_listens(&e) => Ok(Some(None)),
            other => other.map(|metadata| Some(Some(metadata))),
        }
    };
    client.wait(PATIENCE, String::new, ask).await
}

fn none_listens(error: &Error) -> bool {
    let closed = |e: &Error| matches!(e, Error::Dial { .. } | Error::Io { .. });
    matches!(error, Error::NoBroker(all) if all.iter().all(closed))
}

/// What moves now.
async fn moving(client: &Client) -> Result<Vec<Reassignment>> {
    let ask = || async { client.list_reassignments().await.map(Some) };
    client.wait(PATIENCE, String::new, ask).await
}

/// Whether this program moves a partition: now by this plan, or in a run that was cut off.
fn is_ours(moving: &Reassignment, stops: Stops<'_>) -> bool {
    let place = (moving.topic.as_str(), moving.partition);
    let copies = |change: &&&ResourceChange| {
        let change = serde_json::from_value::<TopicChange>(change.change.clone());
        matches!(change, Ok(TopicChange::Copies { topic, .. }) if topic == moving.topic)
    };
    targets(stops.planned, place).is_some()
        || targets(stops.begun, place).is_some()
        || stops.planned.iter().any(|change| copies(&change))
}

/// What is said of moves that this program did not begin.
pub(super) fn moved_by_others(foreign: &[&Reassignment], why: &str) -> Option<Problem> {
    let one = |r: &&Reassignment| {
        let ids = |ids: &[i32]| {
            ids.iter()
                .map(i32::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        format!("{}-{} (to broker {})", r.topic, r.partition, ids(&r.adding))
    };
    let named = first(foreign.iter().map(one), NAMED, "; ");
    (!foreign.is_empty()).then(|| {
        Problem::new(format!(
            "somebody else moves replicas now, and {why}: {named}"
        ))
        .help("wait until it is over, or have whoever began it call it off (`kafka-reassign-partitions.sh --list` and `--cancel`); then run the same command again")
    })
}
