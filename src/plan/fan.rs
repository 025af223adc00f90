//! Who passes packages on to whom: hosts that get the same package at the same time, in a row.

use std::collections::BTreeMap;

use crate::id::HostName;
use crate::inventory::{Cluster, Connection};
use crate::plan::{Step, Wave};

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
        let others = self.hosts.len().saturating_sub(1) as u64;
        let saved = self.size.saturating_mul(others);
        self.hosts.len() >= FEWEST && self.size >= LEAST && saved >= WORTH
    }
}

/// The rows of a plan, for packages and hosts where it pays. One package is for one architecture.
#[must_use]
pub fn rows(waves: &[Wave], cluster: &Cluster) -> Vec<Row> {
    let mut rows = Vec::new();
    for wave in waves {
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

#[cfg(test)]
mod tests {

    use super::*;
    use crate::inventory::Host;
    use crate::plan::{Batch, Wave};

    const MB: u64 = 1 << 20;

    /// Hosts and their racks; one without SSH.
    fn cluster() -> Cluster {
        let host = |(n, rack): (usize, Option<&str>)| {
            let name: HostName = format!("h{n}").parse().unwrap();
            let ssh = Connection::any();
            let here = Connection::Local { root: None };
            let host = Host {
                name: name.clone(),
                address: name.to_string(),
                connection: if n == 9 { here } else { ssh },
                rack: rack.map(str::to_owned),
                memory_mb: None,
                leaving: false,
            };
            (name, host)
        };
        let racks = [
            (4, Some("b")),
            (2, Some("a")),
            (1, Some("b")),
            (3, Some("a")),
        ];
        let more = (5..=9).map(|n| (n, Some("c")));
        Cluster {
            name: "c".parse().unwrap(),
            hosts: racks.into_iter().chain(more).map(host).collect(),
            services: indexmap::IndexMap::new(),
            topics: BTreeMap::new(),
            drills: false,
            replaced: BTreeMap::new(),
        }
    }

    fn wave(packages: &[(&str, u64, &[usize])]) -> Wave {
        let batch = |sum: &str, size: u64, n: &usize| Batch {
            host: format!("h{n}").parse().unwrap(),
            instance: None,
            because: Vec::new(),
            steps: vec![Step::Package {
                name: "kit".to_owned(),
                version: "1".to_owned(),
                sha256: sum.to_owned(),
                store: String::new(),
                size,
                strip: 0,
                gzip: false,
                owner: None,
                tools: BTreeMap::new(),
            }],
        };
        let of = |(sum, size, hosts): &(&str, u64, &[usize])| {
            hosts
                .iter()
                .map(|n| batch(sum, *size, n))
                .collect::<Vec<_>>()
        };
        Wave {
            batches: packages.iter().flat_map(of).collect(),
            ..Wave::default()
        }
    }

    fn rows_of(waves: &[Wave]) -> Vec<(String, Vec<String>)> {
        let names = |row: Row| row.hosts.iter().map(HostName::to_string).collect();
        let rows = rows(waves, &cluster());
        rows.into_iter()
            .map(|row| (row.sha256.clone(), names(row)))
            .collect()
    }

    #[test]
    fn hosts_of_a_rack_are_neighbours_and_each_architecture_has_its_own_row() {
        let arm: &[usize] = &[5, 6, 7];
        let rows = rows_of(&[wave(&[
            ("x", 64 * MB, &[1, 2, 3, 4, 9]),
            ("y", 64 * MB, arm),
        ])]);
        let names = |all: &[&str]| all.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let x = ("x".to_owned(), names(&["h2", "h3", "h4", "h1"]));
        assert_eq!(rows, [x, ("y".to_owned(), names(&["h5", "h6", "h7"]))]);
    }

    #[test]
    fn where_little_is_saved_there_is_no_row() {
        let none = |size, hosts: &[usize]| rows_of(&[wave(&[("x", size, hosts)])]).is_empty();
        assert!(none(500 * MB, &[1, 2]), "two hosts");
        assert!(none(500 * MB, &[1, 2, 9]), "and one that is this machine");
        assert!(none(500 * MB, &[9]), "this machine alone");
        assert!(
            none(3 * MB, &[1, 2, 3, 4, 5, 6, 7, 8]),
            "it is there in a moment"
        );
        assert!(none(10 * MB, &[1, 2, 3, 4]));
        assert!(!none(11 * MB, &[1, 2, 3, 4]));
        let apart = |n| wave(&[("x", 500 * MB, &[n])]);
        assert!(
            rows_of(&(1..=8).map(apart).collect::<Vec<_>>()).is_empty(),
            "one after another"
        );
    }
}
