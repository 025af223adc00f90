//! Work of which no part depends on another, done on all processors.

use std::num::NonZero;
use std::thread;

/// As many things as are worth a thread.
const MANY: usize = 32;

/// What `make` makes of each, in their order.
pub(super) fn map<T: Sync, R: Send>(all: &[T], make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = match all.len() {
        ..MANY => 1,
        _ => thread::available_parallelism().map_or(1, NonZero::get),
    };
    let part = all.len().div_ceil(workers).max(1);
    let make = &make;
    thread::scope(|scope| {
        let parts = all.chunks(part);
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().map(make).collect::<Vec<R>>()))
            .collect();
        let ended = parts.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .flat_map(|made| made.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn all_are_made_in_their_order() {
        for count in [0, 1, 31, 32, 33, 1001] {
            let all: Vec<usize> = (0..count).collect();
            let twice = map(&all, |n| n * 2);
            assert_eq!(twice, all.iter().map(|n| n * 2).collect::<Vec<_>>());
        }
    }
}
