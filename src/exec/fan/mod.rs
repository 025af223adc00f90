//! Packages that hosts pass on to each other, so that each leaves the operator's machine once.
//!
//! The hosts of a row get a package from the one before them while that one still receives it, over SSH, with a key
//! that lives as long as this. Whatever goes wrong on the way, a host gets the rest from the operator's machine: what
//! is here only ever saves that. The file that arrives and its check are the same in both cases.

mod answer;
mod feed;
mod hold;
mod race;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::id::HostName;
use crate::inventory::{Cluster, Connection};
use crate::plan::Plan;
use crate::plan::fan::{Row, rows};
use hold::Held;
use race::{Race, Uplink};

/// Where a host is for the others: its address, and the port if the inventory says one.
type Place = (String, Option<u16>);

/// When hosts pass packages on to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Where this machine alone would not be done soon.
    #[default]
    Pays,
    /// Wherever there is enough to be passed on: what leaves this machine counts more than time.
    Always,
    /// Not at all.
    Never,
}

/// The rows of one run.
pub struct Fan {
    rows: Vec<Row>,
    places: BTreeMap<HostName, Place>,
    cluster: String,
    /// What no other run is called.
    run: String,
    began: Instant,
    when: When,
    /// Whether it is done, once that is known.
    pays: OnceCell<bool>,
    held: OnceCell<Held>,
    races: Vec<Mutex<Race>>,
    uplink: Mutex<Uplink>,
    /// How many have yet to get what a row brings them.
    left: AtomicUsize,
}

impl Fan {
    /// What a plan's packages are passed on by; none where it does not pay.
    #[must_use]
    pub fn of(plan: &Plan, cluster: &Cluster, when: When) -> Option<Arc<Self>> {
        let rows = match when {
            When::Never => Vec::new(),
            When::Pays | When::Always => rows(&plan.waves, cluster),
        };
        let place = |host: &HostName| {
            let words = cluster.hosts.get(host)?;
            let port = match words.connection {
                Connection::Ssh { port, .. } => port,
                Connection::Local { .. } => None,
            };
            Some((host.clone(), (words.address.clone(), port)))
        };
        let race = |row: &Row| Mutex::new(Race::new(row.size, row.hosts.len()));
        (!rows.is_empty()).then(|| {
            Arc::new(Self {
                places: rows
                    .iter()
                    .flat_map(|r| &r.hosts)
                    .filter_map(place)
                    .collect(),
                cluster: cluster.name.to_string(),
                run: uuid::Uuid::new_v4().simple().to_string(),
                began: Instant::now(),
                when,
                pays: OnceCell::new(),
                held: OnceCell::new(),
                races: rows.iter().map(race).collect(),
                uplink: Mutex::default(),
                left: AtomicUsize::new(rows.iter().map(|row| row.hosts.len()).sum()),
                rows,
            })
        })
    }

    /// The row in which a host gets a package.
    fn row(&self, sha256: &str, host: &HostName) -> Option<usize> {
        let here = |row: &Row| row.sha256 == sha256 && row.hosts.contains(host);
        self.rows.iter().position(here)
    }

    fn race(&self, row: usize) -> MutexGuard<'_, Race> {
        locked(&self.races[row])
    }

    /// The time since the beginning.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// So much of a package has arrived on a host.
    pub(super) fn note(&self, sha256: &str, host: &HostName, arrived: u64) {
        if let Some(row) = self.row(sha256, host) {
            self.race(row).note(host, self.now(), arrived);
        }
    }

    /// This machine sent so many bytes, from a moment on, and they have arrived.
    pub(super) fn sent(&self, bytes: u64, from: Duration) {
        locked(&self.uplink).sent(bytes, from, self.now());
    }

    /// A host does not get what it should, and has nothing to pass on.
    pub(super) fn out(&self, host: &HostName) {
        for (at, row) in self.rows.iter().enumerate() {
            if row.hosts.contains(host) {
                self.race(at).out(host);
            }
        }
    }

    /// One more has what it should have, or gets it from this machine. After the last the key is taken away.
    fn leave(self: &Arc<Self>) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let this = Arc::clone(self);
            tokio::spawn(async move { this.close().await });
        }
    }

    /// Takes the run's key from all hosts, and waits until it is gone.
    pub(super) async fn close(&self) {
        if let Some(held) = self.held.get() {
            held.close().await;
        }
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
