//! Each replica of a topic made the leader in turn, without moving any data.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::reassign::Move;
use super::super::{Client, Error, Metadata, Result};

/// How long an election may take.
const ELECTED: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Who holds a copy of each partition of a topic, the preferred leader first.
pub type Replicas = BTreeMap<i32, Vec<i32>>;

/// The replicas of a topic as they are, in order.
///
/// # Errors
/// When no broker answers.
pub async fn replicas(client: &Client, topic: &str) -> Result<Replicas> {
    let metadata = client.metadata_of(&[topic]).await?;
    let partitions = metadata.topic(topic).map(|t| t.partitions.as_slice());
    let partitions = partitions.unwrap_or_default().iter();
    Ok(partitions.map(|p| (p.index, p.replicas.clone())).collect())
}

/// The same replicas, every list turned by `by`.
#[must_use]
pub fn turned(replicas: &Replicas, by: usize) -> Replicas {
    let turn = |(index, ids): (&i32, &Vec<i32>)| {
        let mut ids = ids.clone();
        if !ids.is_empty() {
            let by = by % ids.len();
            ids.rotate_left(by);
        }
        (*index, ids)
    };
    replicas.iter().map(turn).collect()
}

/// Gives the replicas this order, and makes the first of each the leader.
///
/// # Errors
/// When the cluster refuses the order, or one of them does not come to lead.
pub async fn lead(client: &Client, topic: &str, wanted: &Replicas) -> Result<BTreeMap<i32, i32>> {
    let now = replicas(client, topic).await?;
    let change = |(index, ids): (&i32, &Vec<i32>)| {
        (now.get(index) != Some(ids)).then(|| Move {
            topic: topic.to_owned(),
            partition: *index,
            replicas: Some(ids.clone()),
        })
    };
    let moves: Vec<Move> = wanted.iter().filter_map(change).collect();
    client.alter_reassignments(&moves).await?;
    let until = Instant::now() + ELECTED;
    loop {
        let all = BTreeMap::from([(topic.to_owned(), wanted.keys().copied().collect())]);
        let elected = client.elect_preferred(Some(&all)).await;
        let leaders = leaders(&client.metadata_of(&[topic]).await?, topic);
        let first = |(index, ids): (&i32, &Vec<i32>)| leaders.get(index) == ids.first();
        if wanted.iter().all(first) {
            return Ok(leaders);
        }
        if Instant::now() >= until {
            elected?;
            return Err(Error::NotYet {
                what: format!("topic {topic} is not led by {wanted:?}"),
                after: ELECTED,
            });
        }
        sleep(PAUSE).await;
    }
}

/// Who leads each partition of a topic.
#[must_use]
pub fn leaders(metadata: &Metadata, topic: &str) -> BTreeMap<i32, i32> {
    let partitions = metadata.topic(topic).map(|t| t.partitions.as_slice());
    let partitions = partitions.unwrap_or_default().iter();
    partitions
        .filter_map(|p| Some((p.index, p.leader?)))
        .collect()
}
