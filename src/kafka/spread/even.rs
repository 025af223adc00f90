//! Loads evened out, one replica after another, from the fullest broker to the emptiest.

use std::cmp::Reverse;

use super::board::Board;
use super::flow::{Edges, Shift};

/// How many partitions are looked at before one is taken: with more, a sample of all serves as well.
const SAMPLE: usize = 64;

/// Evens loads out as far as single steps can. Where no units are in the way, no number of steps could do
/// with fewer: each takes from a broker that has too many or gives to one that has too few, and a broker that
/// holds more than another holds a partition that the other does not.
pub(super) fn even(board: &mut Board<'_>, edges: &mut Option<Edges>) {
    let (least, most) = board.targets();
    while let Some(shift) = step(board, edges.as_ref(), least, most) {
        match edges {
            Some(edges) => edges.shift(board, shift),
            None => {
                let (n, from, to) = shift;
                board.take(n, from);
                board.put(n, to);
            }
        }
    }
}

/// The next step: between the two brokers whose loads differ most, or those next to them.
fn step(board: &Board<'_>, edges: Option<&Edges>, least: usize, most: usize) -> Option<Shift> {
    let key = |slot: &usize| {
        let (load, bytes) = (board.load(*slot), board.bytes[*slot]);
        (Reverse(load), Reverse(bytes), *slot)
    };
    let may = |from: usize, to: usize| edges.is_none_or(|e| e.cheapest(from, to).is_some());
    // Nearly always the first and the last do: they are found without sorting.
    let mut order: Vec<usize> = (0..board.ids.len()).collect();
    let first = order.iter().copied().min_by_key(key)?;
    let last = order.iter().copied().max_by_key(key)?;
    let (full, empty) = (board.load(first), board.load(last));
    if full <= most && empty >= least {
        return None;
    }
    if full >= empty + 2
        && may(first, last)
        && let Some(n) = best(board, first, last, None)
    {
        return Some((n, first, last));
    }
    order.sort_by_key(key);
    for from in &order {
        for to in order.iter().rev() {
            let (full, empty) = (board.load(*from), board.load(*to));
            let helps = full > most && empty < most || full > least && empty < least;
            if !helps || full < empty + 2 {
                break;
            }
            if !may(*from, *to) {
                continue;
            }
            if let Some(n) = best(board, *from, *to, None) {
                return Some((n, *from, *to));
            }
        }
    }
    None
}

/// The partition that best goes from one broker to another, of those at a given cost or at any.
///
/// What costs least; then what brings copies into other units; then the topic that is spread worst; then
/// what brings the bytes of both brokers closest. Partitions of a topic are alike in size, so the spread of
/// topics goes before that of bytes.
pub(super) fn best(
    board: &Board<'_>,
    from: usize,
    to: usize,
    at: Option<(i32, &[usize])>,
) -> Option<usize> {
    let steps = board.load(from).abs_diff(board.load(to)).max(1) as u64;
    let ideal = board.bytes[from].saturating_sub(board.bytes[to]) / steps;
    let key = |n: usize| {
        let cost = board.cost(n, from, to)?;
        if at.is_some_and(|(wanted, used)| wanted != cost || used.contains(&n)) {
            return None;
        }
        let part = &board.parts[n];
        let topic = &board.of_topic[part.topic];
        let parted = board.shares(n, from, Some(from)) && !board.shares(n, to, Some(from));
        let worse = i64::from(topic[to]) - i64::from(topic[from]);
        Some((cost, !parted, worse, part.given.bytes.abs_diff(ideal), n))
    };
    let held = &board.held[from];
    if at.is_none() && held.len() > SAMPLE {
        let sample = held.iter().step_by(held.len().div_ceil(SAMPLE));
        if let Some((.., n)) = sample.filter_map(|n| key(*n)).min() {
            return Some(n);
        }
    }
    held.iter().filter_map(|n| key(*n)).min().map(|(.., n)| n)
}
