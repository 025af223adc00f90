//! The fewest replicas copied: what single steps left to be done better.
//!
//! Brokers are the nodes of a network. A partition that may go from one to another is an edge between them; it
//! costs a replica copied, nothing, or saves one (when it goes back where it is now). A hub stands for the
//! loads: taking from a broker that has too many, or giving to one that has too few, is worth more than
//! all replicas. A choice is best when no cycle in this network is worth anything (Klein 1967); so such cycles
//! are looked for (Bellman and Ford) and gone, one after another, until there is none.

use super::board::Board;
use super::even::best;

/// What a broker outside the targets costs: more than any chain of brokers.
const UNEVEN: i32 = 1_000_000;
/// The costs that an edge may have: from -1 to 1.
const COSTS: usize = 3;

/// How much work is put into it, in pairs of brokers looked at. Clusters of 30 brokers have far more than they
/// need; one of 200 may end with a few replicas more than the fewest, where units are in the way.
const WORK: usize = 10_000_000;

/// For each pair of brokers and each cost: how many partitions may go.
pub(super) struct Edges {
    brokers: usize,
    counts: Vec<u32>,
    /// For the partition at hand, by slot: whether it is there now, and whether it shall be.
    marks: Vec<u8>,
    /// For the partition at hand, by unit: whether a copy is there that stays.
    others: Vec<bool>,
}

/// The partition is there now.
const HAD: u8 = 1;
/// The partition shall be there.
const CHOSEN: u8 = 2;

impl Edges {
    /// Of all partitions.
    pub(super) fn new(board: &Board<'_>) -> Self {
        let brokers = board.ids.len();
        let mut edges = Self {
            brokers,
            counts: vec![0; brokers * brokers * COSTS],
            marks: vec![0; brokers],
            others: vec![false; board.units],
        };
        for n in 0..board.parts.len() {
            edges.count(board, n, true);
        }
        edges
    }

    /// Counts a partition's edges, or takes them out of the count. The same as [`Board::cost`] for all brokers
    /// at once: this is what large clusters spend their time on.
    fn count(&mut self, board: &Board<'_>, n: usize, more: bool) {
        let part = &board.parts[n];
        if part.given.under_way {
            return;
        }
        let tight = part.units > 1 && board.spread(n) <= part.units;
        part.old
            .iter()
            .flatten()
            .for_each(|slot| self.marks[*slot] |= HAD);
        part.chosen
            .iter()
            .for_each(|slot| self.marks[*slot] |= CHOSEN);
        for from in &part.chosen {
            self.mark_others(board, n, *from, true);
            let own = board.unit[*from];
            let bound = tight && !self.others[own];
            let saved = usize::from(!part.had(*from));
            let base = self.at(*from, 0);
            let slots = board.unit.iter().zip(&self.marks).enumerate();
            for (to, (unit, mark)) in slots {
                if mark & CHOSEN != 0 || bound && *unit != own && self.others[*unit] {
                    continue;
                }
                let at = base + to * COSTS + usize::from(mark & HAD == 0) + 1 - saved;
                if more {
                    self.counts[at] += 1;
                } else {
                    self.counts[at] -= 1;
                }
            }
            self.mark_others(board, n, *from, false);
        }
        let marked = part.old.iter().flatten().chain(&part.chosen);
        marked.for_each(|slot| self.marks[*slot] = 0);
    }

    fn mark_others(&mut self, board: &Board<'_>, n: usize, from: usize, on: bool) {
        let others = board.parts[n].chosen.iter().filter(|s| **s != from);
        others.for_each(|slot| self.others[board.unit[*slot]] = on);
    }

    fn at(&self, from: usize, to: usize) -> usize {
        (from * self.brokers + to) * COSTS
    }

    /// What it costs to let a partition go from one broker to another; none where no partition may.
    pub(super) fn cheapest(&self, from: usize, to: usize) -> Option<i32> {
        let at = self.at(from, to);
        let counts = &self.counts[at..at + COSTS];
        let costs = [-1, 0, 1];
        costs
            .into_iter()
            .zip(counts)
            .find(|(_, n)| **n > 0)
            .map(|(cost, _)| cost)
    }

    /// Lets a partition go from one broker to another.
    pub(super) fn shift(&mut self, board: &mut Board<'_>, (n, from, to): Shift) {
        self.count(board, n, false);
        board.take(n, from);
        board.put(n, to);
        self.count(board, n, true);
    }
}

/// A partition, the broker that it is taken from, the broker that gets it.
pub(super) type Shift = (usize, usize, usize);

/// Makes the choice better until no cycle is worth anything.
pub(super) fn improve(board: &mut Board<'_>, edges: Option<Edges>) {
    let (least, most) = board.targets();
    let even = (0..board.ids.len()).all(|slot| (least..=most).contains(&board.load(slot)));
    if even && board.copied() <= bound(board, least) {
        return;
    }
    let mut edges = edges.unwrap_or_else(|| Edges::new(board));
    let rounds = (WORK / (edges.brokers * edges.brokers).max(1)).max(1);
    for _ in 0..rounds {
        let Some(cycle) = worthy(board, &edges, (least, most)) else {
            return;
        };
        if !follow(board, &mut edges, &cycle) {
            return;
        }
    }
}

/// No choice with even loads copies fewer: each broker has to get what it lacks, each partition too.
fn bound(board: &Board<'_>, least: usize) -> usize {
    let mut have = vec![0_usize; board.ids.len()];
    let mut lacking = 0;
    for part in &board.parts {
        let stay = part.old.iter().flatten();
        stay.clone().for_each(|slot| have[*slot] += 1);
        lacking += part.given.wanted.saturating_sub(stay.count());
    }
    have.sort_unstable_by(|a, b| b.cmp(a));
    let total: usize = board.held.iter().map(Vec::len).sum();
    let more = total - least * board.ids.len();
    let target = |n: usize| least + usize::from(n < more);
    let missing = have.iter().enumerate();
    let missing: usize = missing
        .map(|(n, have)| target(n).saturating_sub(*have))
        .sum();
    missing.max(lacking)
}

/// What an edge costs; the hub has the number behind the last broker's.
fn cost(
    board: &Board<'_>,
    edges: &Edges,
    (least, most): (usize, usize),
    (from, to): (usize, usize),
) -> Option<i32> {
    let hub = edges.brokers;
    if from == hub {
        let load = board.load(to);
        let giving = if load > most {
            -UNEVEN
        } else if load > least {
            0
        } else {
            UNEVEN
        };
        return Some(giving);
    }
    if to == hub {
        let load = board.load(from);
        let taking = if load < least {
            -UNEVEN
        } else if load < most {
            0
        } else {
            UNEVEN
        };
        return Some(taking);
    }
    edges.cheapest(from, to)
}

/// A cycle whose costs are below zero, as its nodes in order.
fn worthy(board: &Board<'_>, edges: &Edges, targets: (usize, usize)) -> Option<Vec<usize>> {
    let nodes = edges.brokers + 1;
    let mut matrix = vec![None; nodes * nodes];
    for from in 0..nodes {
        for to in (0..nodes).filter(|to| *to != from) {
            matrix[from * nodes + to] = cost(board, edges, targets, (from, to));
        }
    }
    let mut distance = vec![0; nodes];
    let mut before = vec![usize::MAX; nodes];
    for _ in 0..=nodes {
        let mut changed = false;
        for from in 0..nodes {
            for to in 0..nodes {
                let Some(cost) = matrix[from * nodes + to] else {
                    continue;
                };
                if distance[from] + cost < distance[to] {
                    distance[to] = distance[from] + cost;
                    before[to] = from;
                    changed = true;
                }
            }
        }
        if let Some(cycle) = cycle(&before) {
            return Some(cycle);
        }
        if !changed {
            return None;
        }
    }
    None
}

/// A cycle among the nodes' predecessors: with these, every cycle is worth something.
fn cycle(before: &[usize]) -> Option<Vec<usize>> {
    let mut seen = vec![usize::MAX; before.len()];
    for start in 0..before.len() {
        let mut at = start;
        while at != usize::MAX && seen[at] == usize::MAX {
            seen[at] = start;
            at = before[at];
        }
        if at != usize::MAX && seen[at] == start {
            let (mut found, first) = (vec![at], at);
            at = before[at];
            while at != first {
                found.push(at);
                at = before[at];
            }
            found.reverse();
            return Some(found);
        }
    }
    None
}

/// Goes a cycle, a partition for each edge between brokers. Two edges may want the same partition and not
/// both get it; then nothing is changed, and false is said.
fn follow(board: &mut Board<'_>, edges: &mut Edges, cycle: &[usize]) -> bool {
    let hub = edges.brokers;
    let pairs = (0..cycle.len()).map(|i| (cycle[i], cycle[(i + 1) % cycle.len()]));
    let pairs: Vec<(usize, usize)> = pairs.filter(|(a, b)| *a != hub && *b != hub).collect();
    let costs: Vec<Option<i32>> = pairs.iter().map(|(a, b)| edges.cheapest(*a, *b)).collect();
    let mut done: Vec<Shift> = Vec::new();
    for ((from, to), cost) in pairs.into_iter().zip(costs) {
        let used: Vec<usize> = done.iter().map(|(n, ..)| *n).collect();
        let found = cost.and_then(|cost| {
            let fresh = best(board, from, to, Some((cost, &used)));
            fresh.or_else(|| best(board, from, to, Some((cost, &[]))))
        });
        let Some(n) = found else {
            for (n, from, to) in done.into_iter().rev() {
                edges.shift(board, (n, to, from));
            }
            return false;
        };
        edges.shift(board, (n, from, to));
        done.push((n, from, to));
    }
    true
}
