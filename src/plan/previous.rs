//! What each host had before its last change, kept there: the way back.
//!
//! Only what changed is kept: the services' files as they were, and the package trees that links pointed at. A
//! run that goes on with a change that was cut off adds to it; the next change takes its place.

use std::collections::BTreeMap;

use crate::digest::sha256;
use crate::event::Problem;
use crate::facts::HostFacts;
use crate::id::{HostName, ServiceName};
use crate::plan::context::Context;
use crate::plan::desired::{Desired, DesiredFile, fingerprint};
use crate::plan::held::Held;
use crate::plan::packages;
use crate::plan::paths::HostPaths;
use crate::plan::planner::Trees;
use crate::plan::versions::held_keys;

const HEAD: &str = "# What this host had before its last change; `sdtd rollback` brings it back.\n";

/// What one host had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Previous {
    /// The hash of what it was changed to.
    target: String,
    /// Files that were different, as they were.
    files: BTreeMap<String, String>,
    /// Links that were different, and what they pointed at.
    links: BTreeMap<String, String>,
}

impl Previous {
    /// Reads what a host keeps.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut read = Self::default();
        let mut file: Option<String> = None;
        for line in text.lines() {
            if let (Some(line), Some(path)) = (line.strip_prefix('|'), &file) {
                let text = read.files.entry(path.clone()).or_default();
                *text += &format!("{line}\n");
                continue;
            }
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["target", hash] => hash.clone_into(&mut read.target),
                ["link", path, to] => _ = read.links.insert(path.to_owned(), to.to_owned()),
                ["file", path] => {
                    read.files.insert(path.to_owned(), String::new());
                    file = Some(path.to_owned());
                }
                _ => {}
            }
        }
        read
    }

    /// As it is kept: a line a line, so that secrets can be told by their names.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}target {}\n", self.target);
        for (path, to) in &self.links {
            text += &format!("link {path} {to}\n");
        }
        for (path, old) in &self.files {
            text += &format!("file {path}\n");
            text.extend(old.lines().map(|line| format!("|{line}\n")));
        }
        text
    }

    /// Whether there is anything to go back to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.links.is_empty()
    }

    /// Whether a package tree is needed to go back.
    #[must_use]
    pub fn needs(&self, tree: &str) -> bool {
        self.links.values().any(|to| to == tree)
            || self.files.values().any(|text| text.contains(tree))
    }

    /// Adds what an earlier run of the same change found: it saw what was there before.
    fn and_before(mut self, earlier: &Self) -> Self {
        if earlier.target == self.target {
            self.files.extend(earlier.files.clone());
            self.links.extend(earlier.links.clone());
        }
        self
    }
}

/// What a host keeps now.
#[must_use]
pub fn kept(paths: &HostPaths, facts: &HostFacts) -> Option<Previous> {
    let file = facts.files.get(&paths.previous())?;
    Some(Previous::of(&file.text))
}

/// What each host shall keep once it is what it should be; none where nothing that was there changes.
#[must_use]
pub fn after(
    context: &Context<'_>,
    desired: &[Desired],
    trees: &Trees,
) -> BTreeMap<HostName, Previous> {
    let mut all = BTreeMap::new();
    for (name, paths, facts) in context.asked() {
        let files: BTreeMap<&str, &str> = files(desired, name)
            .map(|file| (file.path.as_str(), file.text.as_str()))
            .collect();
        let links = links(context, &paths, (name, trees));
        let old = |(path, text): (&&str, &&str)| {
            let old = facts.files.get(*path).filter(|old| old.text != **text)?;
            Some(((*path).to_owned(), old.text.clone()))
        };
        let moved = |(path, to): (&String, &String)| {
            let old = facts.links.get(path).filter(|old| *old != to)?;
            Some((path.clone(), old.clone()))
        };
        let mut now = Previous {
            target: String::new(),
            files: files.iter().filter_map(old).collect(),
            links: links.iter().filter_map(moved).collect(),
        };
        let earlier = kept(&paths, facts).unwrap_or_default();
        if now.is_empty() {
            all.extend((!earlier.is_empty()).then(|| (name.clone(), earlier)));
        } else {
            sha256(&format!("{files:?} {links:?}"))[..16].clone_into(&mut now.target);
            all.insert(name.clone(), now.and_before(&earlier));
        }
    }
    all
}

/// Changes what should be into what was: what a host keeps, and else what it has.
pub fn go_back(context: &Context<'_>, desired: &mut [Desired]) {
    for one in desired {
        let Some(facts) = context.facts.get(&one.member.id.host) else {
            continue;
        };
        let host = &context.cluster.hosts[&one.member.id.host];
        let paths = HostPaths::new(&context.cluster.name, host);
        let previous = kept(&paths, facts).unwrap_or_default();
        let was = |file: &mut DesiredFile| {
            let now = || facts.files.get(&file.path).map(|now| now.text.clone());
            if let Some(text) = previous.files.get(&file.path).cloned().or_else(now) {
                file.text = text;
            }
        };
        one.files.iter_mut().chain([&mut one.unit]).for_each(was);
        one.wanted.1 = fingerprint(&one.files, &one.unit);
    }
}

/// Data folders that came with the last change and would be left out by going back, with what is in them.
#[must_use]
pub fn left_out(context: &Context<'_>, desired: &[Desired], held: &Held) -> Vec<Problem> {
    let mut problems = Vec::new();
    for one in desired {
        let id = &one.member.id;
        let Some(facts) = context.facts.get(&id.host) else {
            continue;
        };
        let files = || one.files.iter().chain([&one.unit]);
        for guard in one.guards.iter().filter(|guard| held.knows(guard)) {
            let now = files().filter_map(|file| facts.files.get(&file.path));
            let named_now = now
                .map(|file| &file.text)
                .any(|text| text.contains(&guard.folder));
            if named_now && !files().any(|file| file.text.contains(&guard.folder)) {
                let cause = format!(
                    "{id}: its data are in {} too since the last change: going back would leave them out",
                    guard.folder
                );
                problems.push(
                    Problem::new(cause)
                        .help("change the inventory instead, and leave `data:` as it is"),
                );
            }
        }
    }
    problems
}

/// What going back would undo though there is no way back from it: another version, or what was finalized.
#[must_use]
pub fn no_return(context: &Context<'_>, desired: &[Desired], trees: &Trees) -> Vec<Problem> {
    let mut problems: BTreeMap<&ServiceName, Problem> = BTreeMap::new();
    for ((host, service), tree) in trees {
        let (Some(wanted), Some(facts)) = (
            context.cluster.services.get(service),
            context.facts.get(host),
        ) else {
            continue;
        };
        let own = packages::distribution(context.catalogue, wanted, facts.arch);
        let stored = tree.home.rsplit('/').next().unwrap_or_default();
        let same = stored.starts_with(&format!("{service}-{}-", wanted.version))
            || own.is_some_and(|(_, home)| home == tree.home);
        if !same {
            let cause = format!(
                "{service} ran another version than {} before the last change",
                wanted.version
            );
            let help =
                format!("`sdtd upgrade {service} VERSION` goes back to it, where that is possible");
            problems.insert(service, Problem::new(cause).help(help));
        }
    }
    for one in desired {
        let service = &one.member.id.service;
        let held = |key: &String| {
            let line = format!("{key}=");
            let mut lines = one.files.iter().flat_map(|file| file.text.lines());
            lines.any(|text| text.starts_with(&line))
        };
        let finalized = !context.unfinished.contains_key(service);
        let keys = held_keys(context.catalogue, &context.cluster.services[service]);
        if finalized && keys.into_iter().any(held) {
            let version = &context.cluster.services[service].version;
            let cause =
                format!("{service} is finalized at {version}: what was before can't come back");
            let help = "change the inventory instead, and `sdtd deploy`";
            problems.insert(service, Problem::new(cause).help(help));
        }
    }
    problems.into_values().collect()
}

/// The tree that a host's link pointed at before, or else does now.
#[must_use]
pub fn tree_before(paths: &HostPaths, facts: &HostFacts, link: &str) -> Option<String> {
    let previous = kept(paths, facts).unwrap_or_default();
    let before = previous.links.get(link).cloned();
    let there = |home: &String| {
        let name = home.rsplit('/').next().unwrap_or_default();
        facts.store.contains(name) || !home.starts_with(&paths.store())
    };
    before
        .filter(there)
        .or_else(|| facts.links.get(link).cloned())
}

/// The files of a host's instances, with those by which they are run; not what only a first start needs.
fn files<'a>(desired: &'a [Desired], host: &'a HostName) -> impl Iterator<Item = &'a DesiredFile> {
    let here = desired
        .iter()
        .filter(move |one| &one.member.id.host == host);
    here.flat_map(|one| one.files.iter().chain([&one.unit]))
        .filter(|file| !file.bootstrap)
}

fn links(
    context: &Context<'_>,
    paths: &HostPaths,
    (host, trees): (&HostName, &Trees),
) -> BTreeMap<String, String> {
    let of_host = trees.iter().filter(|((name, _), _)| name == host);
    let link = |service| packages::link(context.catalogue, service, paths);
    of_host
        .filter_map(|((_, service), tree)| Some((link(service)?, tree.home.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn previous(target: &str, file: &str) -> Previous {
        Previous {
            target: target.to_owned(),
            files: BTreeMap::from([("/etc/a".to_owned(), file.to_owned())]),
            links: BTreeMap::from([("/opt/a".to_owned(), "/store/a-1-x".to_owned())]),
        }
    }

    #[test]
    fn it_reads_back_as_written() {
        let one = previous("t", "a=1\n\nlink b c\n");
        assert_eq!(Previous::of(&one.text()), one);
        assert!(one.needs("/store/a-1-x") && !one.needs("/store/b"));
    }

    #[test]
    fn a_change_that_goes_on_remembers_what_its_first_run_saw() {
        let first = previous("t", "a=1\n");
        assert_eq!(previous("t", "a=2\n").and_before(&first), first);
        let next = previous("u", "a=2\n");
        assert_eq!(next.clone().and_before(&first), next);
    }
}
