//! Who passes packages on to whom: hosts that get the same package at the same time, in a row.

use std::collections::BTreeMap;

use crate::id::HostName;
use crate::inventory::{Cluster, Connection};
use crate::plan::{Plan, Step};

/// A smaller package is sent before hosts could agree on anything.
const LEAST: u64 = 4 << 20;
/// So much must be saved: it takes about a second to begin.
const WORTH: u64 = 32 << 20;
/// Two hosts gain next to nothing.
const FEWEST: usize = 3;

/// Hosts that get the same package in the same wave: the first from the operator's machine, each other one from
/// the host before it that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The SHA-256 of the package.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// The hosts: those of a rack are neighbours.
    pub hosts: Vec<HostName>,
}

impl Row {
    fn pays(&self) -> bool {
        let saved = self.size.saturating_mul(self.hosts.len() as u64 - 1);
        self.hosts.len() >= FEWEST && self.size >= LEAST && saved >= WORTH
    }
}

/// The rows of a plan, for packages and hosts where it pays. One package is for one architecture.
#[must_use]
pub fn rows(plan: &Plan, cluster: &Cluster) -> Vec<Row> {
    let mut rows = Vec::new();
    for wave in &plan.waves {
        let mut found: BTreeMap<&str, Row> = BTreeMap::new();
        for batch in &wave.batches {
            for step in &batch.steps {
                let Step::Package { sha256, size, .. } = step else {
                    continue;
                };
                let row = found.entry(sha256).or_insert_with(|| Row {
                    sha256: sha256.clone(),
                    size: *size,
                    hosts: Vec::new(),
                });
                row.hosts.push(batch.host.clone());
            }
        }
        rows.extend(found.into_values().map(|row| in_order(row, cluster)));
    }
    rows.retain(Row::pays);
    rows
}

/// Only hosts behind SSH; by rack, then as in the inventory.
fn in_order(mut row: Row, cluster: &Cluster) -> Row {
    let place = |name: &HostName| {
        let (at, _, host) = cluster.hosts.get_full(name)?;
        let ssh = matches!(host.connection, Connection::Ssh { .. });
        ssh.then_some((host.rack.as_deref(), at))
    };
    row.hosts.retain(|name| place(name).is_some());
    row.hosts.sort_by_key(place);
    row.hosts.dedup();
    row
}
