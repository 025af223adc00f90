//! Whether the data is safe, judged from one Metadata answer. Pure.
//!
//! After a broker was killed its replicas stay listed as in sync for up to `replica.lag.time.max.ms` (30 s),
//! so after an unclean stop a look that finds nothing amiss proves nothing before that time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::metadata::{Metadata, Partition};

/// How many partitions are named where each of them may be lost.
const LISTED: usize = 50;

/// Partitions by what is amiss with them. One partition may be in several lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Without a leader, or with a replica whose broker or disk is down.
    pub offline: Vec<PartitionState>,
    /// With fewer replicas in sync than there should be.
    pub under_replicated: Vec<PartitionState>,
    /// With fewer in sync than `min.insync.replicas`: writes with acks=all fail now.
    pub below_min_isr: Vec<PartitionState>,
    /// With just as many in sync as `min.insync.replicas` though there should be more: the next loss stops writes.
    pub at_min_isr: Vec<PartitionState>,
    /// Topics that the cluster reports an error for, with the error's number.
    pub broken_topics: BTreeMap<String, i16>,
}

/// A partition as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// The topic.
    pub topic: String,
    /// The partition, as found.
    pub partition: Partition,
}

/// A partition that forbids to stop a broker now.
pub type Blocked = PartitionState;

impl PartitionState {
    fn of((topic, partition): (&str, &Partition)) -> Self {
        Self {
            topic: topic.to_owned(),
            partition: partition.clone(),
        }
    }

    /// The brokers that this concerns: those whose replicas are missing.
    pub fn missing(&self) -> Vec<i32> {
        self.partition.missing()
    }

    /// Whether a replica of it is on this broker.
    pub fn is_on(&self, broker: i32) -> bool {
        self.partition.replicas.contains(&broker)
    }
}

impl fmt::Display for PartitionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = &self.partition;
        write!(
            f,
            "{}-{}: in sync {:?} of {:?}",
            self.topic, p.index, p.isr, p.replicas
        )?;
        match p.leader {
            Some(leader) => write!(f, ", leader {leader}")?,
            None => f.write_str(", no leader")?,
        }
        if p.offline.is_empty() {
            Ok(())
        } else {
            write!(f, ", offline {:?}", p.offline)
        }
    }
}

impl Health {
    /// Whether every partition has a leader and all its replicas in sync, so that a broker may be stopped.
    pub fn is_whole(&self) -> bool {
        self.offline.is_empty() && self.under_replicated.is_empty() && self.broken_topics.is_empty()
    }

    /// The brokers whose replicas are missing anywhere.
    pub fn missing_brokers(&self) -> BTreeSet<i32> {
        self.offline
            .iter()
            .chain(&self.under_replicated)
            .flat_map(PartitionState::missing)
            .collect()
    }
}

/// The partitions of a broker that no other broker which lives is in sync with. Its own copy may be the only
/// one that has everything.
pub fn only_copy(metadata: &Metadata, broker: i32) -> Vec<PartitionState> {
    let lives = |id: &&i32| **id != broker && metadata.broker(**id).is_some();
    let alone = |p: &Partition| p.replicas.contains(&broker) && !p.isr.iter().any(|id| lives(&id));
    let found = metadata.partitions().filter(|(_, p)| alone(p));
    found.map(PartitionState::of).collect()
}

/// Partitions as people read them: all of them, up to a number that fits a screen.
pub(super) fn named(partitions: &[PartitionState]) -> String {
    let name = |p: &PartitionState| format!("{}-{}", p.topic, p.partition.index);
    let names: Vec<String> = partitions.iter().take(LISTED).map(name).collect();
    match partitions.len().saturating_sub(LISTED) {
        0 => names.join(", "),
        more => format!("{} and {more} more partitions", names.join(", ")),
    }
}

/// Judges the whole cluster. Topics that are not in `min_isr` are not compared with theirs.
pub fn assess(metadata: &Metadata, min_isr: &BTreeMap<String, usize>) -> Health {
    let mut health = Health::default();
    for topic in metadata.topics.iter().filter(|t| t.error != 0) {
        health.broken_topics.insert(topic.name.clone(), topic.error);
    }
    for found in metadata.partitions() {
        let (topic, p) = found;
        if p.leader.is_none() || !p.offline.is_empty() {
            health.offline.push(PartitionState::of(found));
        }
        if p.isr.len() < p.replicas.len() {
            health.under_replicated.push(PartitionState::of(found));
        }
        let Some(&min) = min_isr.get(topic) else {
            continue;
        };
        let alive = in_sync_without(p, &p.offline);
        if alive < min {
            health.below_min_isr.push(PartitionState::of(found));
        } else if alive == min && alive < p.replicas.len() {
            health.at_min_isr.push(PartitionState::of(found));
        }
    }
    health
}

/// What stands against stopping a broker now: every partition of the cluster that is not whole. Those with
/// a replica on the broker come first.
///
/// Nothing in it means that each partition has a leader, no offline replica, and every replica in sync.
/// A topic that the cluster reports an error for counts as a partition that is not whole.
pub fn isr_gate(metadata: &Metadata, broker: i32) -> Vec<Blocked> {
    let mut blocked: Vec<Blocked> = metadata
        .partitions()
        .filter(|(_, p)| !p.is_whole())
        .map(PartitionState::of)
        .collect();
    let unreadable = metadata
        .topics
        .iter()
        .filter(|t| t.error != 0 && t.partitions.is_empty());
    blocked.extend(unreadable.map(|t| PartitionState::of((&t.name, &Partition::default()))));
    blocked.sort_by_key(|b| !b.is_on(broker));
    blocked
}

/// The partitions that would lose their leader, or the right number of replicas in sync for acks=all, if
/// these brokers stopped together (all those of one host, say).
pub fn endangered(
    metadata: &Metadata,
    min_isr: &BTreeMap<String, usize>,
    brokers: &[i32],
) -> Vec<PartitionState> {
    let endangered = |&(topic, p): &(&str, &Partition)| {
        let gone: Vec<i32> = p.offline.iter().chain(brokers).copied().collect();
        let min = min_isr.get(topic).copied().unwrap_or(1).max(1);
        brokers.iter().any(|b| p.replicas.contains(b)) && in_sync_without(p, &gone) < min
    };
    metadata
        .partitions()
        .filter(endangered)
        .map(PartitionState::of)
        .collect()
}

/// The partitions whose only copy is on this broker: they are away while it is, and lost with its disk.
pub fn single_copies(metadata: &Metadata, broker: i32) -> Vec<PartitionState> {
    let single = |(_, p): &(&str, &Partition)| p.replicas == [broker];
    metadata
        .partitions()
        .filter(single)
        .map(PartitionState::of)
        .collect()
}

/// Whether a broker that was started is fully back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// Registered, and in sync everywhere.
    Ready,
    /// The cluster does not list it.
    Unregistered,
    /// Listed, and not yet in sync with these of its partitions.
    CatchingUp(Vec<PartitionState>),
}

/// Whether a broker is registered and in the ISR of every partition that it hosts.
pub fn ready(metadata: &Metadata, broker: i32) -> Readiness {
    if metadata.broker(broker).is_none() {
        return Readiness::Unregistered;
    }
    let behind: Vec<PartitionState> = metadata
        .partitions()
        .filter(|(_, p)| p.replicas.contains(&broker) && p.missing().contains(&broker))
        .map(PartitionState::of)
        .collect();
    if behind.is_empty() {
        Readiness::Ready
    } else {
        Readiness::CatchingUp(behind)
    }
}

/// Without a leader nobody is in sync, whatever the list says.
fn in_sync_without(p: &Partition, gone: &[i32]) -> usize {
    if p.leader.is_none() {
        return 0;
    }
    p.isr.iter().filter(|id| !gone.contains(id)).count()
}
