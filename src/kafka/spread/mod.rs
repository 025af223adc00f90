//! Which replicas go where when brokers join or leave, or a topic's number of copies changes. Pure.
//!
//! What is chosen is, for each partition, the set of brokers that hold it. Among all choices that keep the
//! rules (below) one is taken that copies the fewest replicas; it is found as a flow of least cost ([`flow`]),
//! not by rules of thumb. Which partitions these are is decided by the spread of topics, then of bytes.
//!
//! Rules, the first ones first:
//! 1. A partition has as many copies as wanted, each on another broker that stays.
//! 2. Copies are in as many failure units (racks, or hosts where no rack is named) as there are, when loads
//!    are evened out; otherwise in no fewer than before: else nothing is moved.
//! 3. When loads are evened out, every broker holds the floor or the ceiling of copies / brokers.
//! 4. As few replicas as possible are copied. Where nothing leaves and no number of copies changes, and units
//!    do not matter, that is the sum over all brokers of max(0, target - current).
//! 5. A replica that stays keeps its place in the list, so that leaders stay. Then leaders are evened out by
//!    changing the order alone, which copies nothing.
//!
//! Rule 4 is exact wherever a partition's copies have to be in units of their own, or units do not matter. For
//! partitions with more copies than there are units it may miss the least number: then the network is no plain
//! flow any more; the tests measure how often, against every choice there is. In clusters of hundreds of brokers
//! the search for better choices ends after a while.

mod board;
mod even;
mod fill;
mod flow;
mod leaders;
mod obstacle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use obstacle::{Obstacle, room};

use board::Board;
use flow::Edges;

/// A broker, as the planner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// What it fails together with: its rack, or its host where it has none. Brokers without any count as
    /// units of their own.
    pub unit: Option<String>,
    /// Whether it shall hold nothing in the end.
    pub leaving: bool,
    /// Its free bytes, where known.
    pub free: Option<u64>,
}

/// A partition, as the planner sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// The topic.
    pub topic: String,
    /// The partition's index.
    pub index: i32,
    /// The brokers that hold it, or will once what is under way has ended; the preferred leader first.
    pub replicas: Vec<i32>,
    /// The bytes of one copy.
    pub bytes: u64,
    /// How many copies it shall have.
    pub wanted: usize,
    /// Whether it has no leader: nothing can be copied from it.
    pub offline: bool,
    /// Whether it is being moved already: then it changes only where it must.
    pub under_way: bool,
}

/// A partition that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The topic.
    pub topic: String,
    /// The partition's index.
    pub index: i32,
    /// The brokers that hold it now, the preferred leader first.
    pub from: Vec<i32>,
    /// The brokers that shall hold it, the preferred leader first.
    pub to: Vec<i32>,
    /// The bytes of one copy.
    pub bytes: u64,
}

impl Moved {
    /// The brokers that get a copy.
    pub fn added(&self) -> impl Iterator<Item = i32> {
        self.to.iter().copied().filter(|id| !self.from.contains(id))
    }

    /// The bytes that are copied.
    #[must_use]
    pub fn copied(&self) -> u64 {
        self.bytes.saturating_mul(self.added().count() as u64)
    }
}

/// What changes, in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The partitions that change: those of the most bytes to copy first, then by name.
    pub moves: Vec<Moved>,
    /// How many replicas are copied.
    pub replicas: usize,
    /// How many bytes are copied.
    pub bytes: u64,
}

/// Decides where replicas go. With `even` loads are evened out over all brokers that stay; without, only what
/// must be done is: leaving brokers are emptied, numbers of copies are made right.
///
/// The same input gives the same answer. Partitions may come in any order.
///
/// # Errors
/// Everything that stands against it, all at once.
pub fn plan(
    brokers: &[Broker],
    partitions: &[Partition],
    even: bool,
) -> Result<Outcome, Vec<Obstacle>> {
    let obstacles = obstacle::before(brokers, partitions);
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    let mut board = Board::new(brokers, partitions, even);
    fill::fill(&mut board);
    fill::part_units(&mut board);
    if even {
        // Single steps need no network where units are in nobody's way.
        let mut edges = board.units_matter().then(|| Edges::new(&board));
        even::even(&mut board, &mut edges);
        flow::improve(&mut board, edges);
    }
    let mut lists = board.lists();
    leaders::even(&board, &mut lists, even);
    let outcome = outcome(&board, lists);
    let obstacles = room(brokers, &obstacle::incoming(&outcome.moves));
    if obstacles.is_empty() {
        Ok(outcome)
    } else {
        Err(obstacles)
    }
}

fn outcome(board: &Board<'_>, lists: Vec<Vec<usize>>) -> Outcome {
    let moved = |(n, list): (usize, Vec<usize>)| {
        let partition = board.parts[n].given;
        let to: Vec<i32> = list.into_iter().map(|slot| board.ids[slot]).collect();
        (to != partition.replicas).then(|| Moved {
            topic: partition.topic.clone(),
            index: partition.index,
            from: partition.replicas.clone(),
            to,
            bytes: partition.bytes,
        })
    };
    let mut moves: Vec<Moved> = lists.into_iter().enumerate().filter_map(moved).collect();
    moves.sort_by(|a, b| {
        let name = |m: &Moved| (m.topic.clone(), m.index);
        let by_bytes = b.copied().cmp(&a.copied());
        by_bytes.then_with(|| name(a).cmp(&name(b)))
    });
    Outcome {
        replicas: moves.iter().map(|m| m.added().count()).sum(),
        bytes: moves.iter().map(Moved::copied).sum(),
        moves,
    }
}
