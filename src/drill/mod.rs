//! What a drill measures, as plain data between commands and drivers: a load's terms, and the verdict on it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::event::Problem;
use crate::exec::Stop;

pub mod record;

/// A steady load: one producer that wants every copy in sync, and one reader behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The topic, made if it is not there.
    pub topic: String,
    /// How many partitions the topic gets when it is made.
    pub partitions: i32,
    /// How many copies it gets when it is made; none: as many as there are servers, three at the most.
    pub replication: Option<i16>,
    /// Messages a second, over all partitions.
    pub rate: u32,
    /// Bytes of a message; never less than what makes it unique.
    pub size: usize,
    /// The file that every acknowledgement is kept in; it must not be there yet.
    pub record: PathBuf,
    /// How long the load lasts; none: until it is told to stop.
    pub seconds: Option<u64>,
    /// How long a message may take before it is given up as one that may or may not be there.
    pub timeout: Duration,
    /// Whether messages may be lost on the topic: to see that it is told.
    pub may_lose: bool,
}

/// A load that is ready to begin. It needs none of the connections that it was made ready with.
#[async_trait]
pub trait Loader: Send {
    /// What it will do, for those who wait for it.
    fn begun(&self) -> LoadBegun;

    /// Keeps the load up until it is asked to stop or its time is over.
    ///
    /// # Errors
    /// When the record can't be written. Trouble with the service is no error: it goes into the record.
    async fn run(self: Box<Self>, stop: Stop) -> Result<LoadSum, Problem>;
}

/// A load that begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadBegun {
    /// What tells its messages from those of other loads.
    pub run: String,
    /// The topic.
    pub topic: String,
    /// The topic's partitions.
    pub partitions: i32,
    /// Messages a second.
    pub rate: u32,
}

/// What came of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LoadSum {
    /// Messages whose acknowledgement is in the record, on the disk.
    pub acked: u64,
    /// Messages that were given up: they may be there or not.
    pub unsure: u64,
    /// Messages that the reader behind the producer has seen.
    pub read: u64,
    /// How long it lasted, in milliseconds.
    pub took_ms: u64,
}

/// What a record is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The record of a load that is over.
    pub record: PathBuf,
    /// When the fault was.
    pub window: Option<Window>,
    /// How many messages must be acknowledged on each partition in each phase, or nothing is proven.
    pub least: u64,
    /// Whether the fault stops writes, so that none need be acknowledged while it lasts.
    pub stalls: bool,
    /// How long the cluster may take to be whole again, from now.
    pub within: Duration,
}

/// A stretch of time, in milliseconds since 1970 by the clock of the machine that the load ran on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its first moment.
    pub from: u64,
    /// Its last moment.
    pub to: u64,
}

/// The verdict on a load and on the cluster it ran against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether nothing is wrong.
    pub good: bool,
    /// All that is wrong, in words; nothing when the verdict is good.
    pub wrong: Vec<String>,
    /// The load's run.
    pub run: String,
    /// Its topic.
    pub topic: String,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// What became of those that were not.
    pub unsure: Unsure,
    /// What was found under each leader.
    pub rounds: Vec<Round>,
    /// Before, during and after the fault, and the whole.
    pub phases: Vec<Phase>,
    /// What the reader saw that read along.
    pub reader: Along,
    /// How long the cluster took to be whole, from the check's beginning, in milliseconds; none if it is not.
    pub healed_ms: Option<u64>,
}

/// Messages without an acknowledgement: both is allowed, that they are there and that they are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsure {
    /// Given up, and found all the same.
    pub present: u64,
    /// Given up, and not there.
    pub absent: u64,
    /// Found, and not in the record: the load was ended before it knew.
    pub unrecorded: u64,
    /// Why they were given up, by cause.
    pub causes: BTreeMap<String, u64>,
}

/// A place in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

/// What a fresh reader found from the topic's beginning, under one leader of each partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Who led each partition.
    pub leaders: BTreeMap<i32, i32>,
    /// How many messages there were.
    pub read: u64,
    /// Acknowledged places that hold nothing.
    pub lost: Vec<Place>,
    /// Acknowledged places that hold another message.
    pub other: Vec<Place>,
    /// Places that hold a message that stands before them already, from the same writer.
    pub duplicates: Vec<Place>,
    /// The same from another writer: its client sent it again under a new epoch, so that no broker could know it.
    #[serde(default)]
    pub resent: Vec<Place>,
    /// Messages of no load, or damaged ones.
    pub foreign: u64,
    /// Why not everything was read.
    pub trouble: Vec<String>,
}

/// A stretch of the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// `before`, `during`, `after` or `whole`.
    pub name: String,
    /// How long it was, in milliseconds.
    pub took_ms: u64,
    /// Messages acknowledged in it.
    pub acked: u64,
    /// The same on the partition with the fewest.
    pub least: u64,
    /// The longest time without an acknowledgement, in milliseconds.
    pub producer_pause_ms: u64,
    /// Messages that the reader saw in it.
    pub read: u64,
    /// The longest time in which the reader saw nothing, in milliseconds.
    pub reader_pause_ms: u64,
}

/// What the reader saw that read along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Along {
    /// How many messages.
    pub seen: u64,
    /// Acknowledged places that it went past without seeing their message.
    pub skipped: Vec<Place>,
    /// Places where it saw a message that is not there any more.
    pub changed: Vec<Place>,
    /// How often it was told that its place in a partition is not there, and had to ask again.
    pub resets: u64,
}

impl Verdict {
    /// The same verdict with more that is wrong, where there is any.
    #[must_use]
    pub fn and(mut self, wrong: Vec<String>) -> Self {
        self.wrong.extend(wrong);
        self.good = self.wrong.is_empty();
        self
    }
}
