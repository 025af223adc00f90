//! Leaders evened out by changing the order of replicas, which copies nothing.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::board::Board;

/// Evens leaders out: of all partitions, or only of those that change anyway.
pub(super) fn even(board: &Board<'_>, lists: &mut [Vec<usize>], all: bool) {
    let mut led: Vec<Vec<usize>> = vec![Vec::new(); board.ids.len()];
    let mut count = vec![0; board.ids.len()];
    for (n, list) in lists.iter().enumerate() {
        let Some(first) = list.first() else { continue };
        count[*first] += 1;
        let part = &board.parts[n];
        let same =
            part.old.len() == list.len() && part.old.iter().zip(list).all(|(a, b)| *a == Some(*b));
        if !part.given.under_way && (all || !same) {
            led[*first].push(n);
        }
    }
    // Whom nothing can be taken from may be reached by another way once others have changed.
    while pass(lists, &mut led, &mut count) {}
}

/// Takes from each broker what can be taken, those that lead most first. Whether anything changed.
fn pass(lists: &mut [Vec<usize>], led: &mut [Vec<usize>], count: &mut [usize]) -> bool {
    let mut open: Vec<usize> = (0..count.len()).collect();
    let mut changed = false;
    while let Some(place) = (0..open.len()).max_by_key(|i| (count[open[*i]], Reverse(open[*i]))) {
        let Some(path) = path(lists, led, count, open[place]) else {
            open.swap_remove(place);
            continue;
        };
        for (n, old, new) in &path {
            let list = &mut lists[*n];
            if let Some(place) = list.iter().position(|slot| slot == new) {
                list.swap(0, place);
            }
            led[*old].retain(|p| p != n);
            led[*new].push(*n);
        }
        if let (Some(first), Some(last)) = (path.last(), path.first()) {
            count[first.1] -= 1;
            count[last.2] += 1;
        }
        changed = true;
    }
    changed
}

/// The shortest chain of partitions by which a broker that leads two less, or fewer, comes to lead one more:
/// the last step first.
fn path(
    lists: &[Vec<usize>],
    led: &[Vec<usize>],
    count: &[usize],
    from: usize,
) -> Option<Vec<(usize, usize, usize)>> {
    let mut came: Vec<Option<(usize, usize)>> = vec![None; count.len()];
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for n in &led[at] {
            for next in &lists[*n][1..] {
                if *next == from || came[*next].is_some() {
                    continue;
                }
                came[*next] = Some((*n, at));
                if count[*next] + 2 <= count[from] {
                    return Some(chain(&came, from, *next));
                }
                queue.push_back(*next);
            }
        }
    }
    None
}

fn chain(came: &[Option<(usize, usize)>], from: usize, to: usize) -> Vec<(usize, usize, usize)> {
    let (mut steps, mut at) = (Vec::new(), to);
    while at != from {
        let Some((n, before)) = came[at] else { break };
        steps.push((n, before, at));
        at = before;
    }
    steps
}
