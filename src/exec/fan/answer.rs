//! What hosts say of themselves, and what follows from it: who is fed by whom, and the texts for both. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::HostName;
use crate::plan::fan::Row;

/// What one host says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Who logs in there.
    pub user: String,
    /// The port of its own on which it was reached.
    pub port: Option<u16>,
    /// Its addresses.
    pub addresses: BTreeSet<String>,
    /// Whether it has an SSH client.
    pub client: bool,
    /// Whether a key can be let in there.
    pub serves: bool,
    /// Its host keys: kind and key.
    pub keys: BTreeSet<String>,
    /// What it has of packages from earlier: bytes, and their SHA-256.
    pub parts: BTreeMap<String, (u64, String)>,
}

impl Answer {
    /// Takes one line of it; what has no meaning, or not the form it should have, is left out. True with the last.
    pub fn take(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["@fan", "user", name] => self.user = name.to_owned(),
            ["@fan", "port", port] => self.port = port.parse().ok(),
            ["@fan", "address", a] if is_address(a) => _ = self.addresses.insert(a.to_owned()),
            ["@fan", "client"] => self.client = true,
            ["@fan", "serves"] => self.serves = true,
            ["@fan", "key", kind, key] if is_key(kind) && is_key(key) => {
                self.keys.insert(format!("{kind} {key}"));
            }
            ["@fan", "part", sum, size, part] => {
                let part = (size.parse().unwrap_or(0), part.to_owned());
                self.parts.insert(sum.to_owned(), part);
            }
            ["@fan", "told"] => return true,
            _ => {}
        }
        false
    }

    /// The addresses that it can come from to a host with this one.
    fn comes_from(&self, to: &str) -> impl Iterator<Item = &str> {
        let local = to.starts_with("127.") || to == "localhost";
        let all = self.addresses.iter().map(String::as_str);
        all.filter(move |a| local || !(a.starts_with("127.") || *a == "::1"))
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

fn is_key(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "-.@+/=".contains(c);
    !text.is_empty() && text.chars().all(good)
}

/// Which host feeds which, row by row: the nearest before it that can, where it can take it.
#[must_use]
pub fn feeds(
    rows: &[Row],
    answers: &BTreeMap<HostName, Answer>,
) -> Vec<BTreeMap<HostName, HostName>> {
    let row = |row: &Row| {
        let mut feeds = BTreeMap::new();
        let mut before: Option<&HostName> = None;
        for host in &row.hosts {
            let Some(answer) = answers.get(host) else {
                continue;
            };
            if let (true, Some(before)) = (answer.client, before) {
                feeds.insert(host.clone(), before.clone());
            }
            if answer.serves && !answer.keys.is_empty() && !answer.user.is_empty() {
                before = Some(host);
            }
        }
        feeds
    };
    rows.iter().map(row).collect()
}

/// What a host does for those that come with the run's key.
fn service(incoming: &str, run: &str) -> String {
    let text = include_str!("serve.sh").replace("INCOMING", incoming);
    let text = text.replace("RUN", run);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join(" ")
}

/// The line that lets the run's key in at a host with `address`, from its children and for one thing. It lacks the
/// moment at which it ends, which the host puts before it.
#[must_use]
pub fn line(
    (address, incoming): (&str, &str),
    children: &[&Answer],
    public: &str,
    (cluster, run): (&str, &str),
) -> Option<String> {
    let from: BTreeSet<&str> = children
        .iter()
        .flat_map(|child| child.comes_from(address))
        .collect();
    if from.is_empty() {
        return None;
    }
    let from = from.into_iter().collect::<Vec<_>>().join(",");
    let command = service(incoming, run);
    Some(format!(
        "restrict,from=\"{from}\",command=\"exec sh -c '{command}'\" {public} sdtd-fan-out {cluster} {run}"
    ))
}
