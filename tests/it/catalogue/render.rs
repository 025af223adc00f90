//! All that one host gets from a plan, as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use sdtd::catalogue::Catalogue;
use sdtd::id::HostName;
use sdtd::inventory::{Cluster, Connection};
use sdtd::plan::{Plan, Step};
use similar::{ChangeTag, TextDiff};

use crate::setup::bare_plan;

/// A case: an inventory, and the host whose files are looked at.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    #[allow(dead_code, reason = "for who reads the case")]
    pub about: String,
    /// The inventory's text.
    pub inventory: String,
    /// The host.
    pub host: HostName,
    /// Memory in MiB, by host; 4096 where none is given.
    #[serde(default)]
    pub memory: BTreeMap<HostName, u64>,
}

/// What a host gets.
pub struct Rendered {
    steps: Vec<Step>,
}

impl Rendered {
    /// What a host of a cluster gets when it is bare.
    #[track_caller]
    pub fn new(
        cluster: &Cluster,
        catalogue: &Catalogue,
        host: &HostName,
        memory: &BTreeMap<HostName, u64>,
    ) -> Self {
        let plan = bare_plan(cluster, catalogue, memory).unwrap_or_else(|e| panic!("no plan: {e}"));
        Self {
            steps: steps_on(&plan, host),
        }
    }

    /// Its files by path, without the record.
    pub fn files(&self) -> BTreeMap<&str, &str> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::File { path, after, .. } if !path.ends_with("/record.json") => {
                    Some((path.as_str(), after.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// One file, by the end of its path.
    #[track_caller]
    pub fn file(&self, end: &str) -> &str {
        let found = self
            .files()
            .into_iter()
            .find(|(path, _)| path.ends_with(end));
        found.unwrap_or_else(|| panic!("no file {end}")).1
    }

    /// The `key=value` lines of a file.
    #[track_caller]
    pub fn keys(&self, end: &str) -> BTreeMap<&str, &str> {
        let lines = self.file(end).lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_once('=')).collect()
    }

    /// The starters written into packages, by service and path.
    pub fn tools(&self) -> BTreeMap<String, &str> {
        let mut found = BTreeMap::new();
        for step in &self.steps {
            if let Step::Package { name, tools, .. } = step {
                found.extend(
                    tools
                        .iter()
                        .map(|(p, text)| (format!("{name}/{p}"), text.as_str())),
                );
            }
        }
        found
    }

    /// All of it, as the golden files have it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            show(&mut out, step);
        }
        out
    }
}

fn steps_on(plan: &Plan, host: &HostName) -> Vec<Step> {
    let batches = plan.waves.iter().flat_map(|wave| &wave.batches);
    let here = batches.filter(|batch| &batch.host == host);
    here.flat_map(|batch| batch.steps.clone()).collect()
}

fn show(out: &mut String, step: &Step) {
    let who = |owner: &Option<String>| owner.clone().unwrap_or_else(|| "-".to_owned());
    let _ = match step {
        Step::User { .. }
        | Step::Distribution { .. }
        | Step::Link { .. }
        | Step::Unit { .. }
        | Step::Remove { .. }
        | Step::RemoveEmpty { .. } => {
            writeln!(out, "== {step}")
        }
        Step::Dir { path, owner, mode } => {
            writeln!(out, "== folder {path} ({} {mode})", who(owner))
        }
        Step::File {
            path, owner, mode, ..
        } if path.ends_with("/record.json") || path.contains("/hooks/") => {
            writeln!(out, "== file {path} ({} {mode}), not shown", who(owner))
        }
        // Two hashes of all the rest: they would make every golden differ for every change.
        Step::File { path, after, .. } if path.ends_with("/wanted") => {
            let words = after.split_whitespace().count();
            writeln!(out, "== file {path}: {words} hashes")
        }
        Step::File {
            path,
            owner,
            mode,
            after,
            ..
        } => {
            writeln!(
                out,
                "== file {path} ({} {mode})\n{}",
                who(owner),
                ended(after)
            )
        }
        Step::Sysctl { key, after, .. } => writeln!(out, "== kernel setting {key}={after}"),
        Step::Block { path, after, .. } => {
            let text = after.clone().unwrap_or_default();
            writeln!(out, "== block in {path}\n{}", ended(&text))
        }
        Step::Package {
            name,
            version,
            store,
            owner,
            tools,
            ..
        } => {
            let _ = writeln!(
                out,
                "== package {name} {version} in {store} ({})",
                who(owner)
            );
            tools
                .iter()
                .try_for_each(|(path, text)| write!(out, "-- {path}\n{text}"))
        }
        Step::Once {
            name,
            hook,
            marker,
            user,
            env,
            within,
        } => {
            let env: Vec<_> = env.iter().map(|(k, v)| format!("\n   {k}={v}")).collect();
            let (user, env) = (who(user), env.join(""));
            writeln!(
                out,
                "== once {name}: {hook} ({user}, {within} s, {marker}){env}"
            )
        }
    };
}

/// The text with an end of its last line, and a word where that was missing.
fn ended(text: &str) -> String {
    match text.strip_suffix('\n') {
        Some(text) => text.to_owned(),
        None => format!("{text}\n(no end of line)"),
    }
}

/// The cluster with every host on this machine: each below a root, on a loopback address of its own.
pub fn local(cluster: &Cluster) -> Cluster {
    let mut cluster = cluster.clone();
    for (n, host) in (2_u8..).zip(cluster.hosts.values_mut()) {
        host.address = Ipv4Addr::new(127, 0, 0, n).to_string();
        host.connection = Connection::Local {
            root: Some(root(&host.name).into()),
        };
    }
    cluster
}

fn root(host: &HostName) -> String {
    format!("/root-of-{host}")
}

/// What is different on a local host, its root left out: lines of files, and files that only it has.
pub fn local_difference(real: &Rendered, local: &Rendered, host: &HostName) -> String {
    let (real, root) = (real.files(), root(host));
    let mut out = String::new();
    for (path, text) in local.files() {
        let (path, text) = (path.replace(&root, ""), text.replace(&root, ""));
        match real.get(path.as_str()) {
            _ if path.ends_with("/wanted") => {}
            None => _ = writeln!(out, "== file {path}\n{}", ended(&text)),
            Some(real) if **real == text => {}
            Some(real) => {
                let _ = writeln!(out, "== file {path}");
                changes(&mut out, real, &text);
            }
        }
    }
    out
}

fn changes(out: &mut String, real: &str, local: &str) {
    for change in TextDiff::from_lines(real, local).iter_all_changes() {
        let _ = match change.tag() {
            ChangeTag::Equal => Ok(()),
            ChangeTag::Delete => write!(out, "- {}", change.value()),
            ChangeTag::Insert => write!(out, "+ {}", change.value()),
        };
    }
}
