//! Replicas moved between brokers that run: what is asked first, the changes that follow, and how they are made.
//!
//! [`spread`] asks the cluster, lets [`plan`](super::spread::plan) decide, and answers with changes: batches of a
//! few partitions, then one that puts leaders back. [`apply`] makes one: it limits the speed where that is
//! wanted (KIP-73), starts the moves (KIP-455), waits until every replica is in sync, takes the limits off.
//! Each change is data that says all it does. Made twice it finds nothing to do; half made it goes on.

mod apply;
mod ask;
mod look;
mod refill;
mod throttle;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use apply::{apply, settle_all, with_copies};
pub use ask::{empty, spread};
pub use look::progress;
pub use refill::refill;
pub use throttle::{FETCHING, RATES, SENDING, Throttle};

use super::driver::resource;
use super::reassign::Move;
use super::spread::Moved;
use crate::driver::Call;
use crate::plan::ResourceChange;
use crate::words::first;

/// What to do when a change was not made.
pub const AGAIN: &str = "run the same command again: it goes on where it stopped";
/// The word by which such changes are told from others.
const SPREAD: &str = "spread";
/// How many partitions are named in one line.
const NAMED: usize = 3;
/// The most bytes that one batch copies, unless a single partition has more.
const BATCH_BYTES: u64 = 1 << 30;
/// The most partitions of a batch in a small cluster; a large one has at most some fifty batches by number.
const BATCH: usize = 20;
/// The most partitions of a batch that copies nothing.
const BATCH_ORDER: usize = 500;

/// A change of where replicas are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Replicas move.
    Move(Batch),
    /// A topic's `min.insync.replicas` is set to what its number of copies bears.
    MinInSync {
        /// The topic.
        topic: String,
        /// How many replicas must have a message before it is acknowledged.
        to: u16,
    },
    /// Each partition is led by its first replica, once all are in sync.
    Settle {
        /// The partitions, by topic.
        partitions: BTreeMap<String, Vec<i32>>,
    },
    /// Limits are put on, for what begins by itself: a broker that starts empty fetches all that it had at once.
    Limit(Throttle),
    /// Limits that a run left behind are taken off.
    Sweep(Throttle),
    /// What is under way is called off: partitions go back to the replicas that they had before.
    CallOff {
        /// The partitions, by topic.
        partitions: BTreeMap<String, Vec<i32>>,
        /// The limits that were put on for them.
        throttle: Throttle,
    },
    /// The cluster forgets a broker.
    Unregister {
        /// Its id.
        broker: i32,
    },
}

/// Partitions that move together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The partitions.
    pub moves: Vec<Moved>,
    /// The limits put on for their time; all that is in here is ours to take off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
}

impl Change {
    /// The change in a driver's change, if it is one of these.
    #[must_use]
    pub fn of(change: &ResourceChange) -> Option<Self> {
        serde_json::from_value(change.change.get(SPREAD)?.clone()).ok()
    }

    /// The same as a driver's change.
    #[must_use]
    pub fn resource(&self, call: Call<'_>) -> ResourceChange {
        let change = serde_json::json!({ SPREAD: self });
        resource(call.service, call.action, (self.to_string(), change))
    }

    /// Takes off the limits that these changes put on.
    #[must_use]
    pub fn sweep(of: &[ResourceChange]) -> Option<Self> {
        let throttle = throttle_of(of);
        (!throttle.is_empty()).then_some(Self::Sweep(throttle))
    }

    /// Calls these changes off.
    #[must_use]
    pub fn call_off(of: &[ResourceChange]) -> Option<Self> {
        let mut partitions = by_topic(batches(of).iter().flat_map(|b| &b.moves));
        // A run that was to call them off may have been cut off itself.
        for before in of.iter().filter_map(Self::of) {
            let Self::CallOff {
                partitions: also, ..
            } = before
            else {
                continue;
            };
            for (topic, indexes) in also {
                let all = partitions.entry(topic).or_default();
                all.extend(indexes);
                all.sort_unstable();
                all.dedup();
            }
        }
        (!partitions.is_empty()).then(|| Self::CallOff {
            partitions,
            throttle: throttle_of(of),
        })
    }
}

impl Batch {
    /// A batch with the limits for it.
    fn new(moves: Vec<Moved>, rate: Option<u64>) -> Self {
        let throttle = rate.map(|rate| Throttle::of(rate, &moves));
        Self {
            throttle: throttle.filter(|t| !t.is_empty()),
            moves,
        }
    }

    /// How many bytes are copied.
    fn copied(&self) -> u64 {
        self.moves.iter().map(Moved::copied).sum()
    }
}

impl From<&Moved> for Move {
    fn from(moved: &Moved) -> Self {
        Self {
            topic: moved.topic.clone(),
            partition: moved.index,
            replicas: Some(moved.to.clone()),
        }
    }
}

/// Moves in batches, in their order: those that copy nothing by themselves.
fn batched(moves: Vec<Moved>, rate: Option<u64>) -> Vec<Batch> {
    let few = BATCH.max(moves.len().div_ceil(50));
    let (copied, order): (Vec<Moved>, Vec<Moved>) =
        moves.into_iter().partition(|m| m.added().count() > 0);
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0_u64);
    for moved in copied {
        let more = bytes.saturating_add(moved.copied());
        if batch.len() >= few || !batch.is_empty() && more > BATCH_BYTES {
            batches.push(Batch::new(std::mem::take(&mut batch), rate));
            bytes = 0;
        }
        bytes = bytes.saturating_add(moved.copied());
        batch.push(moved);
    }
    if !batch.is_empty() {
        batches.push(Batch::new(batch, rate));
    }
    let chunks = order.chunks(BATCH_ORDER);
    batches.extend(chunks.map(|chunk| Batch::new(chunk.to_vec(), None)));
    batches
}

/// Partitions, by topic.
fn by_topic<'a>(moves: impl Iterator<Item = &'a Moved>) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for moved in moves {
        topics
            .entry(moved.topic.clone())
            .or_default()
            .push(moved.index);
    }
    for partitions in topics.values_mut() {
        partitions.sort_unstable();
        partitions.dedup();
    }
    topics
}

fn batches(of: &[ResourceChange]) -> Vec<Batch> {
    let batch = |change: &ResourceChange| match Change::of(change) {
        Some(Change::Move(batch)) => Some(batch),
        _ => None,
    };
    of.iter().filter_map(batch).collect()
}

/// Where a partition is to be by the end of these changes, where they move it.
pub fn targets(of: &[&ResourceChange], (topic, index): (&str, i32)) -> Option<Vec<i32>> {
    let batches = of.iter().filter_map(|change| match Change::of(change) {
        Some(Change::Move(batch)) => Some(batch.moves),
        _ => None,
    });
    let mut moves = batches.flatten();
    let last = moves.rfind(|m| m.topic == topic && m.index == index);
    last.map(|moved| moved.to)
}

fn throttle_of(of: &[ResourceChange]) -> Throttle {
    let throttle = |change: &ResourceChange| match Change::of(change)? {
        Change::Move(batch) => batch.throttle,
        // One that was to be swept, and may not have been.
        Change::Limit(throttle) | Change::Sweep(throttle) | Change::CallOff { throttle, .. } => {
            Some(throttle)
        }
        _ => None,
    };
    let mut all = Throttle::default();
    of.iter().filter_map(throttle).for_each(|one| all.join(one));
    all
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Move(batch) => batch.fmt(f),
            Self::MinInSync { topic, to } => write!(f, "topic {topic}: min.insync.replicas = {to}"),
            Self::Settle { partitions } => {
                write!(f, "put the leaders of {} back", counted(partitions))
            }
            Self::Limit(throttle) => write!(
                f,
                "limit what is sent to brokers that start empty to {}/s",
                size(throttle.rate)
            ),
            Self::Sweep(throttle) => write!(
                f,
                "take off the limits of speed that moves left on {} topics and {} brokers",
                throttle.topics().len(),
                throttle.brokers.len()
            ),
            Self::CallOff { partitions, .. } => {
                write!(f, "call off what is under way of {}", counted(partitions))
            }
            Self::Unregister { broker } => write!(f, "forget broker {broker}"),
        }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = partitions(self.moves.len());
        let added = |m: &Moved| m.added().count();
        if self.moves.iter().any(|m| added(m) > 0) {
            write!(f, "move {count}, {}", size(self.copied()))?;
        } else if self.moves.iter().any(|m| m.to.len() < m.from.len()) {
            write!(f, "drop copies of {count}")?;
        } else {
            write!(f, "change the order of the copies of {count}")?;
        }
        if let Some(throttle) = &self.throttle {
            write!(f, ", at most {}/s", size(throttle.rate))?;
        }
        let one = |m: &Moved| {
            let (from, to) = (list(&m.from), list(&m.to));
            format!("{}-{} {from} -> {to}", m.topic, m.index)
        };
        write!(f, ": {}", first(self.moves.iter().map(one), NAMED, ", "))
    }
}

fn counted(topics: &BTreeMap<String, Vec<i32>>) -> String {
    partitions(topics.values().map(Vec::len).sum())
}

fn partitions(count: usize) -> String {
    match count {
        1 => "1 partition".to_owned(),
        n => format!("{n} partitions"),
    }
}

fn list(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
    format!("[{}]", ids.join(","))
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if bytes >= 10 << shift {
            return format!("{} {unit}", (bytes + (1 << (shift - 1))) >> shift);
        }
    }
    format!("{bytes} B")
}
