//! Whether what a driver moves ever comes to an end.

use std::time::Duration;

use tokio::time::Instant;

use crate::driver::Progress;
use crate::event::Problem;

/// What has not become less for so long is told of.
const SLOW: Duration = Duration::from_secs(60);

/// What was left when it was least.
pub(super) struct Pace {
    least: Option<u64>,
    since: Instant,
    told: bool,
}

impl Pace {
    /// Nothing was seen yet.
    pub(super) fn new() -> Self {
        Self {
            least: None,
            since: Instant::now(),
            told: false,
        }
    }

    /// What is to be told of, once, where nothing was gained for some time.
    pub(super) fn slow(&mut self, now: &Progress) -> Option<Problem> {
        let left = now.left.filter(|left| *left > 0)?;
        if self.least.is_none_or(|least| left < least) {
            self.least = Some(left);
            self.since = Instant::now();
        }
        if self.told || self.since.elapsed() < SLOW {
            return None;
        }
        let slow = now.slow.clone()?;
        self.told = true;
        Some(slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it is told of, in steps of 5 s.
    async fn told_at(left: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
        let mut pace = Pace::new();
        let mut told = Vec::new();
        for n in 0..60 {
            let now = Progress {
                left: left(n),
                slow: Some(Problem::new("slow")),
                ..Progress::default()
            };
            told.extend(pace.slow(&now).map(|_| n * 5));
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_become_less_is_told_of_once() {
        let never: Vec<u64> = Vec::new();
        let faster = told_at(|n| Some(1000 + n)).await;
        assert_eq!(faster, [60], "writers are faster");
        assert_eq!(told_at(|_| Some(1000)).await, [60], "nothing goes on");
        assert_eq!(told_at(|n| Some(1000 - n)).await, never, "however slowly");
        let both = told_at(|n| Some(1000 + n % 7 - n / 7 * 20)).await;
        assert_eq!(both, never, "up and down, and less in the end");
        assert_eq!(told_at(|_| None).await, never, "nobody knows");
        let later = told_at(|n| Some(if n < 20 { 1000 - n } else { 2000 })).await;
        assert_eq!(later, [155], "a minute after the least, which was at 95 s");
    }
}
