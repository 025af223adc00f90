//! How far moves are.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::throttle::{Replicas, entry};
use super::{Batch, Change, NAMED, partitions, size};
use crate::driver::Progress;
use crate::event::Problem;
use crate::kafka::health::PartitionState;
use crate::kafka::metadata::{Metadata, Partition};
use crate::kafka::reassign::Reassignment;
use crate::kafka::spread::Moved;
use crate::kafka::{Client, Result};
use crate::words::first;

/// A partition's place in the cluster: topic and index.
pub(super) type Place<'a> = (&'a str, i32);

/// What was seen of some partitions at once.
pub(super) struct Seen<'a> {
    /// Those that are not done.
    pub(super) pending: Vec<Pending<'a>>,
}

/// A partition that is not done, and how it is.
pub(super) struct Pending<'a> {
    /// What it is to become.
    pub(super) moved: &'a Moved,
    /// How it is.
    pub(super) state: PartitionState,
    /// What is being done with it.
    pub(super) under_way: Option<Reassignment>,
}

impl Pending<'_> {
    /// Whether what is being done with it is what shall be done.
    pub(super) fn is_started(&self) -> bool {
        match &self.under_way {
            Some(r) => r.target() == self.moved.to,
            None => self.state.partition.replicas == self.moved.to,
        }
    }

    /// Whether it has as many copies as when its move was planned, or as it shall have: else a plan that is no longer true
    /// would take copies away. One that is being moved counts as it was before.
    pub(super) fn is_as_planned(&self) -> bool {
        let now = &self.state.partition.replicas;
        let now = self
            .under_way
            .as_ref()
            .map_or(now.len(), |r| r.origin().len());
        now == self.moved.from.len() || now == self.moved.to.len()
    }

    pub(super) fn why(&self) -> String {
        let Some(r) = &self.under_way else {
            return self.state.to_string();
        };
        let late: Vec<String> = r
            .adding
            .iter()
            .filter(|id| !self.state.partition.isr.contains(id))
            .map(i32::to_string)
            .collect();
        format!("{}; still copied to broker {}", self.state, late.join(", "))
    }
}

impl Reassignment {
    /// The partition.
    pub(super) fn place(&self) -> Place<'_> {
        (&self.topic, self.partition)
    }

    /// The replicas once it is over.
    #[must_use]
    pub fn target(&self) -> Vec<i32> {
        self.without(&self.removing)
    }

    /// The replicas before it, in an order of the cluster's.
    pub(super) fn origin(&self) -> Vec<i32> {
        self.without(&self.adding)
    }

    fn without(&self, ids: &[i32]) -> Vec<i32> {
        let stays = |id: &i32| !ids.contains(id);
        self.replicas.iter().copied().filter(stays).collect()
    }
}

impl Seen<'_> {
    /// What has to change for there to be progress: who is pending, who is in sync.
    pub(super) fn mark(&self) -> (usize, usize) {
        let in_sync = |p: &Pending<'_>| p.state.partition.isr.len();
        (self.pending.len(), self.pending.iter().map(in_sync).sum())
    }

    /// The new replicas that are not in sync yet.
    pub(super) fn behind(&self) -> Replicas {
        let mut all = Replicas::new();
        for one in &self.pending {
            let added = one.moved.added();
            let late = added.filter(|id| !one.state.partition.isr.contains(id));
            let late = late.map(|id| entry(one.moved.index, id));
            all.entry(one.moved.topic.clone()).or_default().extend(late);
        }
        all
    }

    /// What is not done, for people.
    pub(super) fn why(&self) -> String {
        first(self.pending.iter().map(Pending::why), NAMED, "; ")
    }
}

/// Every partition by its place.
pub(super) fn places(metadata: &Metadata) -> BTreeMap<Place<'_>, &Partition> {
    let all = metadata.partitions();
    all.map(|(topic, p)| ((topic, p.index), p)).collect()
}

/// What is being moved, by its place.
pub(super) fn moving(under_way: &[Reassignment]) -> BTreeMap<Place<'_>, &Reassignment> {
    under_way.iter().map(|r| (r.place(), r)).collect()
}

/// Looks at the partitions of some moves. Those of a topic that was deleted count as done.
pub(super) async fn look<'a>(client: &Client, moves: &'a [Moved]) -> Result<Seen<'a>> {
    let topics: BTreeSet<&str> = moves.iter().map(|m| m.topic.as_str()).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let metadata = client.metadata_of(&topics).await?;
    let under_way = client.list_reassignments().await?;
    let (now, under_way) = (places(&metadata), moving(&under_way));
    let pending = |moved: &'a Moved| {
        let place = (moved.topic.as_str(), moved.index);
        let (partition, under_way) = (*now.get(&place)?, under_way.get(&place).copied());
        let done = under_way.is_none() && partition.replicas == moved.to && partition.is_whole();
        (!done).then(|| Pending {
            moved,
            state: PartitionState {
                topic: moved.topic.clone(),
                partition: partition.clone(),
            },
            under_way: under_way.cloned(),
        })
    };
    Ok(Seen {
        pending: moves.iter().filter_map(pending).collect(),
    })
}

/// How many bytes the new replicas of these partitions have. Brokers that do not answer count as none.
pub(super) async fn arrived(client: &Client, pending: &[Pending<'_>]) -> u64 {
    let mut wanted: BTreeMap<i32, BTreeSet<Place<'_>>> = BTreeMap::new();
    for p in pending {
        for id in p.moved.added() {
            let places = wanted.entry(id).or_default();
            places.insert((p.moved.topic.as_str(), p.moved.index));
        }
    }
    let brokers: Vec<i32> = wanted.keys().copied().collect();
    let dirs = brokers.iter().map(|id| client.describe_log_dirs(*id));
    let mut sum = 0;
    for (broker, dirs) in brokers.iter().zip(join_all(dirs).await) {
        let dirs = dirs.unwrap_or_default();
        let replicas = dirs.iter().flat_map(|dir| &dir.replicas);
        let ours = replicas.filter(|r| wanted[broker].contains(&(r.topic.as_str(), r.partition)));
        sum += ours.map(|r| r.size).sum::<u64>();
    }
    sum
}

/// How far a change is, for people.
pub async fn progress(client: &Client, change: &Change) -> Option<Progress> {
    let Change::Move(batch) = change else {
        return None;
    };
    let seen = look(client, &batch.moves).await.ok()?;
    let done = batch.moves.len().saturating_sub(seen.pending.len());
    let pending: u64 = seen.pending.iter().map(|p| p.moved.copied()).sum();
    let total = batch.copied();
    let here = arrived(client, &seen.pending).await.min(pending);
    let text = format!(
        "{done} of {} moved, {} of {} copied",
        partitions(batch.moves.len()),
        size(total - pending + here),
        size(total)
    );
    let left = missing(client, &seen.pending).await;
    let slow = left.map(|left| slow(batch, left));
    Some(Progress { text, left, slow })
}

/// How many bytes the new replicas of these partitions lack of what their leaders have by now: what is written
/// meanwhile counts, so this need not ever become nothing. None where a broker does not answer.
async fn missing(client: &Client, pending: &[Pending<'_>]) -> Option<u64> {
    let mut asked: BTreeSet<i32> = pending.iter().flat_map(|p| p.moved.added()).collect();
    asked.extend(pending.iter().filter_map(|p| p.state.partition.leader));
    let mut have: BTreeMap<(i32, &str, i32), u64> = BTreeMap::new();
    let dirs = asked.iter().map(|id| client.describe_log_dirs(*id));
    let answers: Vec<_> = join_all(dirs).await;
    for (broker, dirs) in asked.iter().zip(&answers) {
        let dirs = dirs.as_ref().ok()?;
        for replica in dirs.iter().flat_map(|dir| &dir.replicas) {
            let place = (*broker, replica.topic.as_str(), replica.partition);
            *have.entry(place).or_default() += replica.size;
        }
    }
    let size_on = |broker: i32, p: &Pending<'_>| {
        let place = (broker, p.moved.topic.as_str(), p.moved.index);
        have.get(&place).copied().unwrap_or(0)
    };
    let lacks = |p: &Pending<'_>| {
        let isr = &p.state.partition.isr;
        let all = p.state.partition.leader.map_or(0, |id| size_on(id, p));
        let late = p.moved.added().filter(|id| !isr.contains(id));
        late.map(|id| all.saturating_sub(size_on(id, p)))
            .sum::<u64>()
    };
    Some(pending.iter().map(lacks).sum())
}

/// What is said where nothing is gained on those who write.
fn slow(batch: &Batch, left: u64) -> Problem {
    let left = size(left);
    match &batch.throttle {
        Some(throttle) => Problem::new(format!(
            "what is left to be copied ({left}) does not become less: more is written than the limit of {}/s lets through, so this never ends",
            size(throttle.rate)
        ))
        .help("end this run (Ctrl-C; what has begun goes on), then the same command with a higher `--throttle`, or `--throttle none`"),
        None => Problem::new(format!(
            "what is left to be copied ({left}) does not become less: more is written than brokers can copy"
        ))
        .help("have less written until it is done; it goes on by itself"),
    }
}
