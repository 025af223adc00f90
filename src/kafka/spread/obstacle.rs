//! What stands against a spread.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broker, Outcome, Partition};

/// How many topics or partitions are named in one line.
const NAMED: usize = 5;

/// Why replicas are not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Topics want more copies than there will be brokers.
    #[error(
        "{} brokers remain, and more copies are wanted of {}",
        brokers,
        named(topics)
    )]
    TooFewBrokers {
        /// How many brokers remain.
        brokers: usize,
        /// The topics, each with the copies wanted.
        topics: Vec<String>,
    },
    /// A broker's disk can't take what would come.
    #[error(
        "broker {broker} has {free} bytes free, and {incoming} would come: a fifth more than that is asked for"
    )]
    NoRoom {
        /// The broker.
        broker: i32,
        /// Its free bytes.
        free: u64,
        /// The bytes that would come.
        incoming: u64,
    },
    /// Partitions have no leader: nothing can be copied from them.
    #[error("no broker leads {}", named(partitions))]
    Offline {
        /// The partitions.
        partitions: Vec<String>,
    },
}

impl Obstacle {
    /// The way out.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::TooFewBrokers { .. } => {
                "keep more brokers, or give these topics fewer copies first"
            }
            Self::NoRoom { .. } => {
                "make room on its disk (shorter retention, a larger disk), or add another broker"
            }
            Self::Offline { .. } => {
                "start the brokers that hold them, or delete the topics if they are no longer wanted"
            }
        }
    }
}

fn named(all: &[String]) -> String {
    let shown = all.iter().take(NAMED).cloned().collect::<Vec<_>>();
    match all.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What can be told before anything is decided.
pub(super) fn before(brokers: &[Broker], partitions: &[Partition]) -> Vec<Obstacle> {
    let staying: BTreeSet<i32> = brokers
        .iter()
        .filter(|b| !b.leaving)
        .map(|b| b.id)
        .collect();
    let mut topics: BTreeMap<&str, usize> = BTreeMap::new();
    for p in partitions.iter().filter(|p| p.wanted > staying.len()) {
        let most = topics.entry(&p.topic).or_default();
        *most = p.wanted.max(*most);
    }
    let mut found = Vec::new();
    if !topics.is_empty() {
        let line = |(topic, wanted): (&str, usize)| format!("{topic} ({wanted})");
        found.push(Obstacle::TooFewBrokers {
            brokers: staying.len(),
            topics: topics.into_iter().map(line).collect(),
        });
    }
    let mut offline: Vec<(&str, i32)> = partitions
        .iter()
        .filter(|p| p.offline)
        .map(|p| (p.topic.as_str(), p.index))
        .collect();
    offline.sort_unstable();
    if !offline.is_empty() {
        let line = |(topic, index)| format!("{topic}-{index}");
        found.push(Obstacle::Offline {
            partitions: offline.into_iter().map(line).collect(),
        });
    }
    found
}

/// Which disks can't take what would come: a fifth more than the bytes is asked for, since producers go on.
pub(super) fn room(brokers: &[Broker], outcome: &Outcome) -> Vec<Obstacle> {
    let mut incoming: BTreeMap<i32, u64> = BTreeMap::new();
    for moved in &outcome.moves {
        for id in moved.added() {
            let sum = incoming.entry(id).or_default();
            *sum = sum.saturating_add(moved.bytes);
        }
    }
    let full = |b: &Broker| {
        let (free, incoming) = (b.free?, *incoming.get(&b.id)?);
        let asked = incoming.saturating_add(incoming / 5);
        (free < asked).then_some(Obstacle::NoRoom {
            broker: b.id,
            free,
            incoming,
        })
    };
    brokers.iter().filter_map(full).collect()
}
