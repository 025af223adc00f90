//! A first inventory, written from a few answers: commented, and good enough to deploy.

use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::catalogue::descriptor::Count;
use crate::catalogue::{Catalogue, Folder};
use crate::id::{ClusterName, HostName, ServiceName};

/// What a first inventory says.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// Its hosts.
    pub hosts: DraftHosts,
    /// Its services in starting order, each with its counts by the inventory's words.
    pub services: IndexMap<ServiceName, IndexMap<String, u16>>,
}

/// The hosts of a first inventory.
#[derive(Debug, Clone)]
pub enum DraftHosts {
    /// Reached over SSH.
    Ssh {
        /// The login name, if not what the user's ssh says.
        user: Option<String>,
        /// Names and addresses.
        hosts: Vec<(HostName, String)>,
    },
    /// So many of this machine.
    Local(u16),
}

impl DraftHosts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ssh { hosts, .. } => hosts.len(),
            Self::Local(n) => usize::from(*n),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn text(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Local(n) => {
                out.push_str(
                    "\n# Hosts of this machine: a folder and a loopback address each.\n\
                     # memory: what each may use of it.\nhosts:\n",
                );
                for n in 1..=*n {
                    let _ = writeln!(out, "  n{n}: {{ connection: local, memory: 1G }}");
                }
            }
            Self::Ssh { user, hosts } => {
                out.push_str("\n# All that is not said here is taken from ~/.ssh/config: keys, ports, jump hosts.\n");
                let _ = match user {
                    Some(user) => writeln!(out, "ssh: {{ user: {} }}", scalar(user)),
                    None => writeln!(out, "# ssh: {{ user: pi, key: ~/.ssh/id_ed25519 }}"),
                };
                out.push_str(
                    "\n# Each host's name, and the address by which the other hosts and clients reach it.\n\
                     # With more to say: pi1: { address: pi1.local, memory: 1G, rack: shelf-a }\nhosts:\n",
                );
                for (name, address) in hosts {
                    let _ = writeln!(out, "  {name}: {}", scalar(address));
                }
            }
        }
        out
    }
}

impl Draft {
    /// The inventory's text.
    #[must_use]
    pub fn text(&self, catalogue: &Catalogue) -> String {
        let mut out = format!(
            "# Written by `sdtd init`; yours to change. All words are in sdtd's docs/inventory.md, and\n\
             # `sdtd schema` prints them for an editor. `sdtd plan --offline` checks this file.\n\
             cluster: {}\n",
            self.cluster
        );
        out.push_str(&self.hosts.text());
        out.push_str(
            "\n# How many, placed by sdtd and kept; or a list of hosts, such as [a, b, c]. Packages that they need\n\
             # come along by themselves. A service's own settings go below `config: { key: value }`.\nservices:\n",
        );
        let mut topics = false;
        for (name, counts) in &self.services {
            let folder = catalogue.get(name);
            topics |= folder.is_some_and(|folder| folder.descriptor.topics.is_some());
            out.push_str(&service(name, folder, counts));
        }
        if topics {
            out.push_str(
                "\n# Topics are made, and kept so, by each deploy.\n# topics:\n#   events: { partitions: 6 }\n",
            );
        }
        out
    }
}

/// A service's line. Its version is written down: a newer sdtd may know newer ones.
fn service(name: &ServiceName, folder: Option<&Folder>, counts: &IndexMap<String, u16>) -> String {
    let version = folder.and_then(|folder| folder.descriptor.default_version());
    let version = version.map(|version| format!("version: {}", scalar(version)));
    let counts = counts.iter().map(|(word, n)| format!("{word}: {n}"));
    let mut roles = folder
        .into_iter()
        .flat_map(|folder| folder.descriptor.roles.values());
    let everywhere = roles.any(|role| matches!(role.count, Count::Everywhere));
    let on = everywhere.then(|| "on: all".to_owned());
    let words: Vec<String> = version.into_iter().chain(counts).chain(on).collect();
    format!("  {name}: {{ {} }}\n", words.join(", "))
}

/// A text as YAML: plain where that is safe, else in quotes as JSON has them.
fn scalar(text: &str) -> String {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(inner)
        && !text.eq_ignore_ascii_case("null");
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_would_misread_is_quoted() {
        for (text, wanted) in [
            ("pi", "pi"),
            ("10.0.0.1", "10.0.0.1"),
            ("null", "\"null\""),
            ("corp\\me", "\"corp\\\\me\""),
            ("a: b", "\"a: b\""),
            ("-x", "\"-x\""),
        ] {
            assert_eq!(scalar(text), wanted);
        }
    }
}
