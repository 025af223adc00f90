//! Whether a host does better with the one before it than with the operator's machine. No clock, no I/O: moments
//! are told to it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::HostName;
use crate::plan::fan::Row;

/// The longest that a login may take while there is something to get: small hosts take their time.
const LOGIN: Duration = Duration::from_secs(12);
/// Nothing is judged earlier, once there is something to get.
const GRACE: Duration = Duration::from_secs(5);
/// How far back a rate looks.
const WINDOW: Duration = Duration::from_secs(4);
/// A link on which nothing comes for so long is not waited for.
const SILENT: Duration = Duration::from_secs(8);
/// The host before must have so much more: else it waits too, and the fault lies further up.
const AHEAD: u64 = 1 << 20;
/// And more than it gets in so many seconds: what comes as fast as it comes there is not late.
const LAG: u64 = 2;
/// What is over in so short a time is not worth a change.
const SOON: u64 = 3;
/// Not only slower than the star would be, but clearly so: rates waver.
const CLEARLY: u64 = 2;

/// What this machine alone sends in so many seconds it sends: to begin with the other takes a login on every host.
const ALONE: u64 = 15;

/// Whether this machine, which sends so many bytes a second, would have more than a little to do alone. 0 is not
/// known: then it would.
#[must_use]
pub fn is_much(rows: &[Row], uplink: u64) -> bool {
    let all = rows.iter().map(|row| row.size * row.hosts.len() as u64);
    uplink == 0 || all.sum::<u64>() / uplink >= ALONE
}

/// Why a host gives up on the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing comes.
    Silent,
    /// What comes is slower than what this machine alone could send to each.
    Slow,
    /// So it is for too many others.
    Others,
}

impl Why {
    /// As people read it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Silent => "nothing comes",
            Self::Slow => "it is slower than this machine would be",
            Self::Others => "hosts do not pass packages on fast enough",
        }
    }
}

/// How fast packages leave the operator's machine, as hosts said that they had arrived.
#[derive(Debug, Default)]
pub struct Uplink {
    best: u64,
    burst: Option<(Duration, Duration, u64)>,
}

impl Uplink {
    /// So many bytes had arrived on one host at `to`, the first of them sent at `from`. What is sent to several hosts
    /// at once counts together.
    pub fn sent(&mut self, bytes: u64, from: Duration, to: Duration) {
        self.best = self.best.max(rate(bytes, to.saturating_sub(from)));
        let together = |began: Duration| from.abs_diff(began) < Duration::from_secs(1);
        let burst = match self.burst {
            Some((began, ended, sum)) if together(began) => {
                (began.min(from), ended.max(to), sum + bytes)
            }
            Some(other) => other,
            None => (from, to, bytes),
        };
        self.best = self.best.max(rate(burst.2, burst.1 - burst.0));
        self.burst = Some(burst);
    }

    /// Bytes a second; 0: not known yet.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.best
    }
}

fn rate(bytes: u64, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1000) / millis
}

/// How far one host is.
#[derive(Debug, Default)]
struct Runner {
    /// When it was let in by the one before it.
    let_in: Option<Duration>,
    /// Since when the one before it is ahead of it.
    behind: Option<Duration>,
    /// When something came last.
    heard: Duration,
    /// Moments, and what had arrived by then; the first is not younger than the window.
    seen: VecDeque<(Duration, u64)>,
    /// It failed: it passes nothing on any more.
    out: bool,
}

impl Runner {
    fn arrived(&self) -> u64 {
        self.seen.back().map_or(0, |(_, bytes)| *bytes)
    }

    /// Bytes a second of late.
    fn rate(&self, now: Duration) -> u64 {
        let first = self.seen.front().copied().unwrap_or_default();
        rate(self.arrived() - first.1, now.saturating_sub(first.0))
    }
}

/// One package on its way along a row.
#[derive(Debug)]
pub struct Race {
    size: u64,
    hosts: BTreeMap<HostName, Runner>,
    /// How many gave up on the host before them.
    gave_up: usize,
    all: usize,
}

impl Race {
    /// Before the start.
    #[must_use]
    pub fn new(size: u64, all: usize) -> Self {
        Self {
            size,
            hosts: BTreeMap::new(),
            gave_up: 0,
            all,
        }
    }

    /// So many bytes have arrived on a host.
    pub fn note(&mut self, host: &HostName, now: Duration, arrived: u64) {
        let runner = self.hosts.entry(host.clone()).or_default();
        let arrived = arrived.min(self.size).max(runner.arrived());
        if arrived > runner.arrived() {
            runner.heard = now;
        }
        runner.seen.push_back((now, arrived));
        while runner.seen.len() > 2 && runner.seen[1].0 + WINDOW <= now {
            runner.seen.pop_front();
        }
    }

    /// A host was let in by the one before it.
    pub fn let_in(&mut self, host: &HostName, now: Duration) {
        self.hosts.entry(host.clone()).or_default().let_in = Some(now);
    }

    /// A host has failed; whoever waits for it need not.
    pub fn out(&mut self, host: &HostName) {
        self.hosts.entry(host.clone()).or_default().out = true;
    }

    /// A host gave up on the one before it.
    pub fn gives_up(&mut self) {
        self.gave_up += 1;
    }

    /// Whether a host should give up on `before`, where this machine sends `uplink` bytes a second. Asked again and
    /// again: only who is behind all the time is judged, since one that waits with the one before it is not to blame.
    pub fn verdict(
        &mut self,
        (host, before): (&HostName, &HostName),
        now: Duration,
        uplink: u64,
    ) -> Option<Why> {
        let (size, all) = (self.size, self.all);
        let waiting = self.hosts.values().filter(|r| r.arrived() < size).count();
        let source = self.hosts.get(before);
        let (there, lag, out) = source.map_or((0, 0, false), |source| {
            (source.arrived(), source.rate(now) * LAG, source.out)
        });
        let runner = self.hosts.get_mut(host)?;
        let arrived = runner.arrived();
        if arrived >= size {
            return None;
        }
        if self.gave_up > 2.max(all / 4) {
            return Some(Why::Others);
        }
        if out && there < size {
            return Some(Why::Silent);
        }
        let ahead = there >= size || there >= arrived + AHEAD.max(lag);
        runner.behind = ahead.then(|| runner.behind.unwrap_or(now));
        runner.judged(now, uplink / (waiting as u64).max(1), size - arrived)
    }
}

impl Runner {
    /// Where this machine alone would send `star` bytes a second, and so many are still to come.
    fn judged(&self, now: Duration, star: u64, left: u64) -> Option<Why> {
        let behind = self.behind?;
        let Some(let_in) = self.let_in else {
            return (now >= behind + LOGIN).then_some(Why::Silent);
        };
        let since = behind.max(let_in);
        if now < since + GRACE {
            return None;
        }
        if now >= since.max(self.heard) + SILENT {
            return Some(Why::Silent);
        }
        let rate = self.rate(now);
        let soon = left < rate.saturating_mul(SOON);
        (rate * CLEARLY < star && !soon).then_some(Why::Slow)
    }
}
