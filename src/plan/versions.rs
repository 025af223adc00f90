//! Versions of services that change while the cluster runs: which may follow which, and what is held until it is
//! finalized. Up to then the version before can come back, and nothing else can.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::{Descriptor, Finalize, Raises, Version};
use crate::event::Problem;
use crate::facts::Record;
use crate::id::ServiceName;
use crate::inventory::Service;
use crate::plan::model::ResourceChange;
use crate::plan::place::Placement;
use crate::plan::planner::{self, Input, PlanError};

/// The versions of a service that a host's record knows of: what it runs, and what is finalized.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Recorded<'a> {
    runs: &'a str,
    finalized: &'a str,
}

impl<'a> Recorded<'a> {
    fn of(record: &'a Record, service: &ServiceName) -> Option<Self> {
        let runs = record.versions.get(service.as_str())?;
        let finalized = record.finalized.get(service.as_str()).unwrap_or(runs);
        Some(Self { runs, finalized })
    }
}

/// What the hosts' records say of a service. They differ while a change is under way, and where a host was out
/// of reach of one.
fn recorded<'a>(input: Input<'a>, service: &ServiceName) -> BTreeSet<Recorded<'a>> {
    let records = input.facts.values().filter_map(|f| f.record.as_ref());
    let known = records.filter_map(|record| Recorded::of(record, service));
    known.collect()
}

fn finalize<'a>(catalogue: &'a Catalogue, service: &Service) -> Option<&'a Finalize> {
    let folder = catalogue.get(&service.name)?;
    folder.descriptor.finalize_with(&service.settings)
}

/// The version at which each service is held that is at a newer one and not finalized.
///
/// Whatever any host has recorded as finalized is: that is written only once all members run the new version,
/// and some may by then do what the version before can't.
#[must_use]
pub fn unfinished(input: Input<'_>) -> BTreeMap<ServiceName, String> {
    let mut held = BTreeMap::new();
    for (name, service) in &input.cluster.services {
        if finalize(input.catalogue, service).is_none() || input.finalize.contains(name) {
            continue;
        }
        let known = recorded(input, name);
        if known.iter().any(|one| one.finalized == service.version) {
            continue;
        }
        let first = known.first().map(|one| one.finalized.to_owned());
        held.extend(first.map(|version| (name.clone(), version)));
    }
    held
}

/// What templates read as `held`: the keys that keep what the version before says.
#[must_use]
pub fn held(
    catalogue: &Catalogue,
    service: &Service,
    at: Option<&String>,
) -> BTreeMap<String, String> {
    let folder = catalogue.get(&service.name);
    let old = folder.and_then(|f| f.descriptor.versions.get(at?));
    let words = finalize(catalogue, service);
    let (Some(old), Some(words)) = (old, words) else {
        return BTreeMap::new();
    };
    let value =
        |(key, name): (&String, &String)| Some((key.clone(), old.values.get(name)?.clone()));
    words.holds.iter().filter_map(value).collect()
}

/// What a driver raises of a service that is finalized, and to what; none while it is held.
#[must_use]
pub fn raised<'a>(
    input: Input<'a>,
    service: &ServiceName,
    held: &BTreeMap<ServiceName, String>,
) -> Option<(&'a Raises, &'a str)> {
    let wanted = input.cluster.services.get(service)?;
    let raises = finalize(input.catalogue, wanted)?.raises.as_ref()?;
    let folder = input.catalogue.get(service)?;
    let version = folder.descriptor.versions.get(&wanted.version)?;
    let to = version.values.get(&raises.to)?;
    (!held.contains_key(service)).then_some((raises, to.as_str()))
}

/// The keys that a service holds until it is finalized.
#[must_use]
pub fn held_keys<'a>(catalogue: &'a Catalogue, service: &Service) -> Vec<&'a String> {
    let words = finalize(catalogue, service);
    words
        .into_iter()
        .flat_map(|words| words.holds.keys())
        .collect()
}

/// Changes of versions that are not safe, each with its reason and the way out.
#[must_use]
pub fn refused(input: Input<'_>, placement: &Placement) -> Vec<Problem> {
    let mut refused: Vec<Problem> = Vec::new();
    for (name, service) in &input.cluster.services {
        let Some(folder) = input.catalogue.get(name) else {
            continue;
        };
        let known = recorded(input, name);
        let changed = known.iter().filter(|one| one.runs != service.version);
        let mut problems: Vec<Problem> = changed
            .filter_map(|one| way(&folder.descriptor, service, one))
            .collect();
        if let Some(one) = known.iter().find(|one| one.runs != service.version)
            && let (true, Some(role)) = (problems.is_empty(), placement.resized.first())
        {
            let cause = format!(
                "{name} goes from {} to {} and other hosts are to run {role}: one change after the other",
                one.runs, service.version
            );
            problems
                .push(Problem::new(cause).help("put one of the two back in the inventory first"));
        }
        problems.dedup();
        refused.extend(problems);
    }
    refused.extend(out_of_reach(input));
    refused
}

/// Why a service can't go from what is recorded to what is wanted, if so.
fn way(descriptor: &Descriptor, service: &Service, now: &Recorded<'_>) -> Option<Problem> {
    let (name, new) = (&service.name, service.version.as_str());
    let Recorded { runs, finalized } = now;
    if runs != finalized {
        return (new != *finalized).then(|| {
            Problem::new(format!(
                "{name} is on its way from {finalized} to {runs} and can't go to {new} before that is finalized"
            ))
            .help(format!(
                "`sdtd upgrade {name} --finalize` ends it, `sdtd upgrade {name} {finalized}` goes back; then {new}"
            ))
        });
    }
    let wanted = descriptor.versions.get(new)?;
    let unnamed = |at: &str| {
        let words = descriptor.finalize_with(&service.settings)?;
        let values = descriptor.versions.get(at).map(|version| &version.values);
        let mut names = words.holds.values();
        names.find(|name| values.is_none_or(|values| !values.contains_key(*name)))
    };
    let listed = wanted.from.iter().any(|from| from == runs);
    let reason = match (listed, unnamed(runs)) {
        (true, None) => return None,
        (true, Some(value)) => format!("{runs} has no value `{value}` that could be held"),
        (false, _) => {
            let told = wanted.not_from.get(*runs).cloned();
            told.unwrap_or_else(|| "no safe way from the one to the other is known".to_owned())
        }
    };
    let others = descriptor.versions.iter();
    let fits = |version: &Version| {
        let mut settings = version.settings.iter();
        settings.all(|(word, value)| service.settings.get(word) == Some(value))
    };
    let others =
        others.filter(|(_, version)| fits(version) && version.from.iter().any(|from| from == runs));
    let others: Vec<&str> = others.map(|(version, _)| version.as_str()).collect();
    let ways = match others[..] {
        [] => String::new(),
        _ => format!("; from {runs} it can go to {}", others.join(" or ")),
    };
    Some(
        Problem::new(format!(
            "{name} runs {runs} and can't go to {new}: {reason}"
        ))
        .help(format!("write `version: {runs}` again{ways}")),
    )
}

/// Services that are to be finalized, or to go back, while some host is out of reach: what it knows would be missed.
fn out_of_reach(input: Input<'_>) -> Vec<Problem> {
    let hosts = input.cluster.staying().map(|(name, _)| name);
    let away = hosts.filter(|host| !input.facts.contains_key(*host));
    let away: Vec<&str> = away.map(|host| host.as_str()).collect();
    let going_back = |name: &ServiceName| {
        let wanted = &input.cluster.services[name].version;
        let mut known = recorded(input, name).into_iter();
        known.any(|one| one.runs != wanted && one.runs != one.finalized)
    };
    let last = |name: &&ServiceName| input.finalize.contains(*name) || going_back(name);
    let services = input.cluster.services.keys().filter(|_| !away.is_empty());
    let problem = |name: &ServiceName| {
        Problem::new(format!(
            "{name} can neither be finalized nor go back: {} out of reach",
            away.join(", ")
        ))
        .help("bring all hosts back first: members that differ would be cut off from each other")
    };
    services.filter(last).map(problem).collect()
}

/// Services that are to be finalized before all that comes first is done: a member of the version before would be
/// cut off from those that no longer speak its protocol.
///
/// # Errors
/// When there is no plan for what comes first.
pub fn not_rolled(input: Input<'_>) -> Result<Vec<Problem>, PlanError> {
    let first = Input {
        finalize: &BTreeSet::new(),
        ..input
    };
    let held = unfinished(first);
    let held: Vec<&ServiceName> = held
        .keys()
        .filter(|name| input.finalize.contains(*name))
        .collect();
    // What is raised last is no reason to wait.
    let raises = |change: &ResourceChange| {
        let service = &input.cluster.services[&change.service];
        let words = finalize(input.catalogue, service).and_then(|words| words.raises.as_ref());
        words.is_some_and(|raises| raises.action == change.action)
    };
    let resources: Vec<ResourceChange> = input.resources.to_vec();
    let resources: Vec<_> = resources.into_iter().filter(|one| !raises(one)).collect();
    let first = Input {
        resources: &resources,
        ..first
    };
    if held.is_empty() || planner::plan(first)?.is_empty() {
        return Ok(Vec::new());
    }
    let problem = |name: &&ServiceName| {
        Problem::new(format!(
            "{name} can't be finalized yet: not everything is as the inventory says"
        ))
        .help("`sdtd deploy` first: all members must run the new version, and be well")
    };
    Ok(held.iter().map(problem).collect())
}

/// What is to be known of services that are not finalized, once a plan is done.
#[must_use]
pub fn told(input: Input<'_>) -> Vec<Problem> {
    let tell = |(name, old): (&ServiceName, &String)| {
        let service = &input.cluster.services[name];
        tell(input.catalogue, service, (&service.version, old))
    };
    unfinished(input).iter().map(tell).collect()
}

/// The same of what the hosts' records say, whatever the inventory wants by now.
#[must_use]
pub fn under_way(input: Input<'_>) -> Vec<Problem> {
    let mut all = Vec::new();
    for (name, service) in &input.cluster.services {
        let known = recorded(input, name);
        let one = known.iter().find(|one| one.runs != one.finalized);
        all.extend(one.map(|one| tell(input.catalogue, service, (one.runs, one.finalized))));
    }
    all
}

fn tell(catalogue: &Catalogue, service: &Service, (new, old): (&str, &str)) -> Problem {
    let name = &service.name;
    let held = held(catalogue, service, Some(&old.to_owned()));
    let held: Vec<String> = (held.iter())
        .map(|(key, value)| format!("{key} stays at {value}"))
        .collect();
    let raises = finalize(catalogue, service).and_then(|words| words.raises.as_ref());
    let stays = raises.map(|raises| format!("{} stay at those of {old}", raises.text));
    let held: Vec<String> = held.into_iter().chain(stays).collect();
    Problem::new(format!(
        "{name} {new} is not finalized: {}",
        held.join(", ")
    ))
    .help(format!(
        "`sdtd upgrade {name} --finalize` once all is well, with no way back then; `sdtd upgrade {name} {old}` goes back"
    ))
}

/// What is to be known of versions before a plan is done.
#[must_use]
pub fn warnings(input: Input<'_>) -> Vec<Problem> {
    let mut all = told_changes(input);
    all.extend(told_finalized(input));
    all
}

/// Which versions a plan changes: an inventory that names none follows the newest that this sdtd knows.
fn told_changes(input: Input<'_>) -> Vec<Problem> {
    let mut all = Vec::new();
    for (name, service) in &input.cluster.services {
        let known = recorded(input, name);
        let one = known.iter().find(|one| one.runs != service.version);
        all.extend(one.map(|one| {
            let (from, to) = (one.runs, &service.version);
            Problem::new(format!("{name} goes from {from} to {to}")).help(format!(
                "write `{name}: {{ version: {from} }}` if it is not to"
            ))
        }));
    }
    all
}

/// What ends the way back, as a plan brings it about.
fn told_finalized(input: Input<'_>) -> Vec<Problem> {
    let waits = unfinished(Input {
        finalize: &BTreeSet::new(),
        ..input
    });
    let ends = waits
        .into_iter()
        .filter(|(name, _)| input.finalize.contains(name));
    let tell = |(name, old): (ServiceName, String)| {
        let version = &input.cluster.services[&name].version;
        Problem::new(format!(
            "{name} is finalized at {version}: it can't go back to {old} afterwards"
        ))
        .help("look at the cluster under its usual load first")
    };
    ends.map(tell).collect()
}
