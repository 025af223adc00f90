//! What must be done: as many copies as wanted, none on a broker that leaves.

use std::cmp::Reverse;

use super::board::Board;

/// Drops copies that are too many and adds those that are missing, the largest partitions first.
pub(super) fn fill(board: &mut Board<'_>) {
    let mut order: Vec<usize> = (0..board.parts.len()).collect();
    order.sort_by_key(|n| Reverse(board.parts[*n].given.bytes));
    for n in &order {
        let wanted = board.parts[*n].given.wanted;
        while board.parts[*n].chosen.len() > wanted {
            let Some(slot) = too_many(board, *n) else {
                break;
            };
            board.take(*n, slot);
        }
    }
    for n in order {
        let wanted = board.parts[n].given.wanted;
        while board.parts[n].chosen.len() < wanted {
            let Some(slot) = missing(board, n) else { break };
            board.put(n, slot);
        }
    }
}

/// The copy to drop: one that shares its unit with another, not the leader's, from the most loaded broker.
fn too_many(board: &Board<'_>, n: usize) -> Option<usize> {
    let part = &board.parts[n];
    let key = |slot: &usize| {
        (
            board.shares(n, *slot, Some(*slot)),
            part.leader() != Some(*slot),
            board.load(*slot),
            board.of_topic[part.topic][*slot],
            board.bytes[*slot],
            *slot,
        )
    };
    part.chosen.iter().copied().max_by_key(key)
}

/// The broker for another copy: in a unit of its own, then the least loaded.
fn missing(board: &Board<'_>, n: usize) -> Option<usize> {
    let part = &board.parts[n];
    let free = (0..board.ids.len()).filter(|slot| !part.chosen.contains(slot));
    free.min_by_key(|slot| {
        (
            board.shares(n, *slot, None),
            board.load(*slot),
            board.of_topic[part.topic][*slot],
            board.bytes[*slot],
            *slot,
        )
    })
}

/// Moves copies apart that are in fewer units than they have to be.
pub(super) fn part_units(board: &mut Board<'_>) {
    for n in 0..board.parts.len() {
        if board.parts[n].given.under_way {
            continue;
        }
        while board.spread(n) < board.parts[n].units {
            let together = |slot: &usize| board.shares(n, *slot, Some(*slot));
            let chosen = board.parts[n].chosen.iter().copied();
            let from = chosen.filter(together).max_by_key(|slot| {
                let part = &board.parts[n];
                (
                    !part.had(*slot),
                    part.leader() != Some(*slot),
                    board.load(*slot),
                    *slot,
                )
            });
            let apart = (0..board.ids.len()).filter(|slot| !board.shares(n, *slot, None));
            let to = apart.min_by_key(|slot| {
                (
                    !board.parts[n].had(*slot),
                    board.load(*slot),
                    board.bytes[*slot],
                    *slot,
                )
            });
            let (Some(from), Some(to)) = (from, to) else {
                break;
            };
            board.take(n, from);
            board.put(n, to);
        }
    }
}
