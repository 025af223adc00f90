//! Which data folders are known to have held data, and which of them are empty now.
//!
//! An instance whose disk was not mounted, or whose board was replaced, must not start as if it were new: a
//! broker that alone was in sync would come back empty and lead, a voter would help to elect a leader that
//! lacks what was committed. So all hosts remember, line by line, whose folders hold data; the plan refuses
//! to start an instance on an empty one, and so does its unit by what its own host remembers.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Problem;
use crate::facts::HostFacts;
use crate::id::{HostName, InstanceId};
use crate::inventory::Cluster;
use crate::plan::context::Context;
use crate::plan::desired::Desired;
use crate::plan::instead;
use crate::plan::moves;
use crate::plan::paths::HostPaths;

/// The lines that any host remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held(BTreeSet<String>);

impl Held {
    /// What one host remembers.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.lines().map(str::to_owned).collect())
    }

    /// What all hosts remember, put together: a replaced board has forgotten its own.
    #[must_use]
    pub fn read(cluster: &Cluster, facts: &BTreeMap<HostName, HostFacts>) -> Self {
        let mut lines = BTreeSet::new();
        for file in Self::files(cluster, facts) {
            let now = |line: &str| instead::line(cluster, line);
            lines.extend(file.lines().map(now));
        }
        Self(lines)
    }

    /// What each host remembers, but for those whose place another one has taken.
    pub(super) fn files<'a>(
        cluster: &'a Cluster,
        facts: &'a BTreeMap<HostName, HostFacts>,
    ) -> impl Iterator<Item = &'a str> {
        let hosts = cluster.hosts.iter();
        let hosts = hosts.filter(|(name, _)| !cluster.replaced.contains_key(*name));
        hosts.filter_map(|(name, host)| {
            let held = HostPaths::new(&cluster.name, host).held();
            let file = facts.get(name)?.files.get(&held)?;
            Some(file.text.as_str())
        })
    }

    /// Whether an instance is known to have held data, and so to have been ready once.
    #[must_use]
    pub fn knows_of(&self, id: &InstanceId) -> bool {
        let own = format!("{id} ");
        self.0.iter().any(|line| line.starts_with(&own))
    }

    /// Whether any instance of this one's role is known to have held data.
    #[must_use]
    pub fn knows_role(&self, id: &InstanceId) -> bool {
        let alike = |other: InstanceId| other.service == id.service && other.role == id.role;
        let mut owners = self.0.iter().filter_map(|line| line.split(' ').next());
        owners.any(|owner| owner.parse().is_ok_and(alike))
    }

    /// The folders of an instance that held its data and are empty now, and those that it is no longer given
    /// though nothing else has what they hold. What runs has its folders open: they are not looked into.
    #[must_use]
    pub fn lost(&self, one: &Desired, facts: &HostFacts, runs: bool) -> Vec<String> {
        let own = format!("{} ", one.member.id);
        let known: BTreeSet<&str> = self.0.iter().filter_map(|l| l.strip_prefix(&own)).collect();
        let full = |guard: &&Guard| facts.markers.contains(&guard.sign);
        let (old, new): (Vec<&Guard>, Vec<&Guard>) = one
            .guards
            .iter()
            .partition(|g| known.contains(g.folder.as_str()));
        let empty = old.iter().filter(|guard| !runs && !full(guard));
        let mut lost: Vec<String> = empty.map(|guard| guard.folder.clone()).collect();
        let given = |folder: &&str| old.iter().any(|guard| guard.folder == **folder);
        let dropped: Vec<&str> = known.iter().copied().filter(|f| !given(f)).collect();
        // Moved by hand, each has its data in a new one.
        if dropped.len() > new.iter().copied().filter(full).count() {
            lost.extend(dropped.into_iter().map(str::to_owned));
        }
        lost
    }

    /// Whether a folder is known to have held data.
    #[must_use]
    pub fn knows(&self, guard: &Guard) -> bool {
        self.0.contains(&guard.line)
    }

    /// What will be remembered once all of `desired` has run.
    #[must_use]
    pub fn after<'a>(&self, desired: impl Iterator<Item = &'a Desired>) -> Self {
        let desired: Vec<&Desired> = desired.collect();
        let named: BTreeSet<String> = desired.iter().map(|d| d.member.id.to_string()).collect();
        let is_named = |line: &String| {
            line.split_once(' ')
                .is_some_and(|(id, _)| named.contains(id))
        };
        let guards = desired.into_iter().flat_map(|d| &d.guards);
        let others = self.0.iter().filter(|line| !is_named(line)).cloned();
        Self(others.chain(guards.map(|g| g.line.clone())).collect())
    }

    /// The same without an instance.
    #[must_use]
    pub fn without(&self, id: &InstanceId) -> Self {
        let own = format!("{id} ");
        let lines = self.0.iter().filter(|line| !line.starts_with(&own));
        Self(lines.cloned().collect())
    }

    /// As it is kept on the hosts.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// A data folder that is guarded against an empty start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The folder.
    pub folder: String,
    /// What is there once it holds data.
    pub sign: String,
    /// The line by which it is remembered.
    pub line: String,
}

impl Guard {
    /// A guard of an instance's folder.
    #[must_use]
    pub fn new(id: &InstanceId, folder: &str, holds: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            sign: format!("{folder}/{holds}"),
            line: format!("{id} {folder}"),
        }
    }

    /// The shell command that fails where the folder held data, as the host remembers it, and is empty.
    #[must_use]
    pub fn script(&self, held: &str) -> String {
        let quote = crate::facts::quote;
        let why = format!(
            "{} held data and is empty now: is its disk mounted? It is not started on it.",
            self.folder
        );
        format!(
            "! grep -qxF -e {} {} 2>/dev/null || [ -e {} ] || {{ echo {} >&2; false; }}",
            quote(&self.line),
            quote(held),
            quote(&self.sign),
            quote(&why)
        )
    }
}

/// Instances that would start without the data they had, unless that was asked for, and those of which it
/// was asked for no reason.
#[must_use]
pub fn refused(
    context: &Context<'_>,
    desired: &[Desired],
    held: &Held,
    anew: &BTreeSet<InstanceId>,
) -> Vec<Problem> {
    let lost = lost(context, desired, held);
    let mut problems: Vec<Problem> = lost
        .iter()
        .filter(|(id, _)| !anew.contains(id))
        .map(|(id, folders)| {
            let folders = folders.join(", ");
            Problem::new(format!(
                "{id}: its data were in {folders}: they are not there now, or the inventory names other folders; it is never started without them"
            ))
            .help(format!(
                "mount the disk, or put the data or the inventory's `data:` right; if they are lost for good, `sdtd deploy --anew {id}` starts it empty, provided that the others hold all of it"
            ))
        })
        .collect();
    let begun = moves::to_start_anew(context.cluster, context.facts);
    let vain = anew.iter();
    let vain = vain.filter(|id| !lost.contains_key(id) && !begun.contains(id));
    problems.extend(vain.map(|id| {
        Problem::new(format!("--anew {id}: it has lost nothing that is known of"))
            .help("leave `--anew` out; `sdtd status` names the instances")
    }));
    problems
}

/// The instances that have lost their data, and the folders that it is missing from.
pub(super) fn lost<'a>(
    context: &Context<'_>,
    desired: &'a [Desired],
    held: &Held,
) -> BTreeMap<&'a InstanceId, Vec<String>> {
    let mut lost = BTreeMap::new();
    for one in desired {
        let Some(facts) = context.facts.get(&one.member.id.host) else {
            continue;
        };
        let unit = facts.units.get(&one.member.unit);
        let runs = unit.is_some_and(|unit| unit.active && !unit.is_failing());
        let folders = held.lost(one, facts, runs);
        if !folders.is_empty() {
            lost.insert(&one.member.id, folders);
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_script_lets_pass_what_is_new_or_has_its_data() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let id: InstanceId = "vault.shard@h1".parse().unwrap();
        let guard = Guard::new(&id, &at("it's here"), "sign");
        let passes = || {
            let script = guard.script(&at("held"));
            let out = Command::new("sh").args(["-c", &script]).output().unwrap();
            (out.status.success(), String::from_utf8(out.stderr).unwrap())
        };
        assert!(passes().0, "nothing is remembered");
        fs::write(at("held"), "vault.shard@h11 /x\n").unwrap();
        assert!(passes().0, "another is remembered");
        fs::write(at("held"), format!("a /b\n{}\n", guard.line)).unwrap();
        let (passed, said) = passes();
        assert!(!passed && said.contains("is its disk mounted?"), "{said}");
        fs::create_dir(at("it's here")).unwrap();
        fs::write(&guard.sign, "").unwrap();
        assert!(passes().0, "its data are there");
    }
}
