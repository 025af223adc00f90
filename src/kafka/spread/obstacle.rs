//! What stands against a spread.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broker, Moved, Partition};
use crate::words::first;

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
    /// Copies of topics would be in fewer racks or hosts than they are.
    #[error(
        "copies would be in fewer racks or hosts ({}) than now: {}",
        units,
        named(topics)
    )]
    TooFewUnits {
        /// How many racks, or hosts without one, remain.
        units: usize,
        /// The topics, each with the racks or hosts that its copies are in.
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
            Self::TooFewUnits { .. } => {
                "keep a broker in each of them, give these topics fewer copies first, or name racks (`rack:` of a host) as they are now"
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
    first(all.iter().cloned(), NAMED, ", ")
}

/// What can be told before anything is decided.
pub(super) fn before(brokers: &[Broker], partitions: &[Partition]) -> Vec<Obstacle> {
    let staying: BTreeSet<i32> = brokers
        .iter()
        .filter(|b| !b.leaving)
        .map(|b| b.id)
        .collect();
    let wanted = partitions.iter().map(|p| (p, p.wanted));
    let topics = above(wanted, staying.len());
    let mut found = Vec::new();
    if !topics.is_empty() {
        found.push(Obstacle::TooFewBrokers {
            brokers: staying.len(),
            topics,
        });
    } else {
        found.extend(too_few_units(brokers, partitions));
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

/// Topics of which a partition has more of something than there will be, each with the most that one has.
fn above<'a>(of: impl Iterator<Item = (&'a Partition, usize)>, remain: usize) -> Vec<String> {
    let mut topics: BTreeMap<&str, usize> = BTreeMap::new();
    for (p, count) in of.filter(|(_, count)| *count > remain) {
        let most = topics.entry(&p.topic).or_default();
        *most = count.max(*most);
    }
    let line = |(topic, most)| format!("{topic} ({most})");
    topics.into_iter().map(line).collect()
}

/// Whether copies that are in racks or hosts of their own could not be so any more. A broker that nobody knows any more
/// is in none.
fn too_few_units(brokers: &[Broker], partitions: &[Partition]) -> Option<Obstacle> {
    let of = |b: &'_ Broker| Some((b.id, b.unit.clone()?));
    let unit_of: BTreeMap<i32, String> = brokers.iter().filter_map(of).collect();
    let remain = brokers.iter().filter(|b| !b.leaving);
    let units = remain.filter_map(|b| b.unit.as_ref());
    let units = units.collect::<BTreeSet<_>>().len();
    let kept = |p: &'_ Partition| {
        let units = p.replicas.iter().filter_map(|id| unit_of.get(id));
        p.wanted.min(units.collect::<BTreeSet<_>>().len())
    };
    let topics = above(partitions.iter().map(|p| (p, kept(p))), units);
    (!topics.is_empty()).then_some(Obstacle::TooFewUnits { units, topics })
}

/// The bytes that come to each broker by moves.
pub(super) fn incoming(moves: &[Moved]) -> BTreeMap<i32, u64> {
    let mut incoming: BTreeMap<i32, u64> = BTreeMap::new();
    for moved in moves {
        for id in moved.added() {
            let sum = incoming.entry(id).or_default();
            *sum = sum.saturating_add(moved.bytes);
        }
    }
    incoming
}

/// Which disks can't take what would come: a fifth more than the bytes is asked for, since producers go on.
pub fn room(brokers: &[Broker], incoming: &BTreeMap<i32, u64>) -> Vec<Obstacle> {
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
