//! Hosts whose place another one takes under the same numbers: what is recorded of the one is true of the other.
//!
//! A host that died can't be asked to give anything up. So its instances are not moved: they get their new host's
//! name in all that hosts remember, and are found to have lost their data there. What starts empty, and how, is
//! then as on a board that was replaced. Hosts keep who took whose place: a run that was cut off goes on, and one
//! that comes back with what it had is kept from running it.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::descriptor::Count;
use crate::event::Problem;
use crate::facts::{HostFacts, Reach, Record};
use crate::id::{HostName, InstanceId};
use crate::inventory::{Cluster, Successor};
use crate::plan::held::Held;
use crate::plan::moves;
use crate::plan::place::Placement;
use crate::plan::planner::Input;

type Facts = BTreeMap<HostName, HostFacts>;

/// An instance under the host that has its place by now.
#[must_use]
pub fn now(cluster: &Cluster, id: &InstanceId) -> InstanceId {
    let mut host = &id.host;
    // Each one that took a place may have died since; nobody takes the place of who took his.
    for _ in 0..=cluster.replaced.len() {
        match cluster.replaced.get(host) {
            Some(next) => host = &next.by,
            None => break,
        }
    }
    InstanceId {
        host: host.clone(),
        ..id.clone()
    }
}

/// The same of a line that begins with an instance.
pub(super) fn line(cluster: &Cluster, line: &str) -> String {
    let parsed = line.split_once(' ');
    let parsed = parsed.and_then(|(id, rest)| Some((id.parse::<InstanceId>().ok()?, rest)));
    match parsed {
        Some((id, rest)) => format!("{} {rest}", now(cluster, &id)),
        None => line.to_owned(),
    }
}

/// The records that count: all but those of hosts whose place another one has.
pub fn records<'a>(cluster: &'a Cluster, facts: &'a Facts) -> impl Iterator<Item = &'a Record> {
    let counts = facts
        .iter()
        .filter(|(host, _)| !cluster.replaced.contains_key(*host));
    counts.filter_map(|(_, facts)| facts.record.as_ref())
}

/// What a record says of where instances are, each under the host that has its place by now.
pub(super) fn placement(cluster: &Cluster, record: &Record) -> BTreeMap<InstanceId, Option<u32>> {
    let all = record.placement.iter();
    all.map(|(id, number)| (now(cluster, id), *number))
        .collect()
}

/// Adds to a cluster whose places were taken, as the hosts' records say. One that the inventory names again counts
/// as another machine, unless it comes with what the other has by now.
pub fn learn(cluster: &mut Cluster, facts: &Facts) {
    for (host, by) in recorded(facts) {
        let successor = Successor {
            by: by.clone(),
            gone: false,
        };
        let known = cluster.replaced.entry(host.clone());
        known.or_insert(successor);
        let asked = cluster.stays(host).then(|| facts.get(host)).flatten();
        if asked.is_some_and(|own| !comes_back(cluster, (host, own), facts)) {
            cluster.replaced.remove(host);
        }
    }
}

/// Whose place was taken by whom, as the hosts' records say.
fn recorded(facts: &Facts) -> impl Iterator<Item = (&HostName, &HostName)> {
    let records = facts.values().filter_map(|f| f.record.as_ref());
    records.flat_map(|record| &record.replaced)
}

/// Whether a host still has an instance that another host has under the same number.
fn comes_back(cluster: &Cluster, (host, own): (&HostName, &HostFacts), facts: &Facts) -> bool {
    let mine = own.record.iter().flat_map(|record| record.placement.iter());
    let mut mine = mine.filter(|(id, number)| &id.host == host && number.is_some());
    mine.any(|(id, number)| {
        let after = now(cluster, id);
        records(cluster, facts).any(|other| other.placement.get(&after) == Some(number))
    })
}

/// The hosts whose places are being taken: somebody still knows them as those that run something, or has word of
/// what was begun.
pub fn under_way(cluster: &Cluster, facts: &Facts) -> BTreeSet<HostName> {
    let mut known: BTreeSet<HostName> = BTreeSet::new();
    for record in records(cluster, facts) {
        known.extend(record.placement.keys().map(|id| id.host.clone()));
    }
    known.extend(held(cluster, facts).into_iter().map(|id| id.host));
    let begun = moves::kept(cluster, facts).into_values();
    let begun: BTreeSet<HostName> = begun.flat_map(|b| b.anew).map(|id| id.host).collect();
    let taken = |(host, next): (&HostName, &Successor)| {
        (known.contains(host) || begun.contains(&next.by)).then(|| host.clone())
    };
    cluster.replaced.iter().filter_map(taken).collect()
}

/// The instances that hosts remember the data of, under the names that they had then.
fn held(cluster: &Cluster, facts: &Facts) -> BTreeSet<InstanceId> {
    let lines = Held::files(cluster, facts).flat_map(str::lines);
    lines
        .filter_map(|line| line.split_once(' ')?.0.parse().ok())
        .collect()
}

/// The instances that take a dead one's place and have not begun to: their hosts remember only the dead ones.
#[must_use]
pub fn to_start(cluster: &Cluster, facts: &Facts) -> BTreeSet<InstanceId> {
    if cluster.replaced.is_empty() {
        return BTreeSet::new();
    }
    let held = held(cluster, facts);
    let after = |id: &InstanceId| now(cluster, id);
    let taken = held.iter().map(|id| (id, after(id)));
    let taken = taken.filter(|(id, after)| *id != after && !held.contains(after));
    taken.map(|(_, after)| after).collect()
}

/// Why no place can be taken now.
pub(super) fn refused(input: Input<'_>, placement: &Placement) -> Vec<Problem> {
    let (cluster, facts) = (input.cluster, input.facts);
    if cluster.replaced.is_empty() {
        return Vec::new();
    }
    let mut problems = returned(cluster, facts);
    let under_way = under_way(cluster, facts);
    if under_way.is_empty() {
        return problems;
    }
    for host in &under_way {
        problems.extend(alive(cluster, host, facts));
    }
    problems.extend(doubled(input));
    let away = cluster
        .staying()
        .filter(|(name, _)| !facts.contains_key(*name));
    problems.extend(away.map(|(name, _)| {
        Problem::new(format!(
            "{name} is out of reach: it can't learn who takes whose place"
        ))
        .help("bring it back first, and run the same command again")
    }));
    if let Some(role) = placement.resized.iter().next() {
        let cause =
            format!("{role} is to have other members too while a host takes another's place");
        let help = "one after the other: put the rest of the inventory back, and change it in a second run";
        problems.push(Problem::new(cause).help(help));
    }
    let begun: BTreeSet<InstanceId> = moves::kept(cluster, facts)
        .into_values()
        .flat_map(|begun| begun.anew)
        .collect();
    let full = to_start(cluster, facts);
    let full = full
        .iter()
        .filter(|id| !input.anew.contains(*id) && !begun.contains(*id));
    problems.extend(full.map(|id| {
        let cause = format!("{id}: there are data where it keeps its own, and they are not its");
        Problem::new(cause).help(format!(
            "take them off {}, and run the same command again",
            id.host
        ))
    }));
    problems
}

/// Hosts that the inventory names again, with what others have by now.
fn returned(cluster: &Cluster, facts: &Facts) -> Vec<Problem> {
    let back = cluster
        .replaced
        .iter()
        .filter(|(host, _)| cluster.stays(host));
    let told = |(host, next): (&HostName, &Successor)| {
        let own = facts.get(host)?;
        let cause = format!("{host} still has what {} has taken over", next.by);
        let help = format!(
            "take {host} out of `hosts:` and `sdtd deploy`: it is cleaned; then it can be named again"
        );
        comes_back(cluster, (host, own), facts).then(|| Problem::new(cause).help(help))
    };
    back.filter_map(told).collect()
}

/// Two under one number must never run.
fn alive(cluster: &Cluster, host: &HostName, facts: &Facts) -> Option<Problem> {
    let own = facts.get(host)?;
    let units = own.record.iter().flat_map(|record| &record.units);
    let runs: Vec<&str> = units.filter(|u| own.runs(u)).map(String::as_str).collect();
    let by = &cluster.replaced.get(host)?.by;
    (!runs.is_empty()).then(|| {
        let cause = format!(
            "{host} is within reach and runs {}: {by} can't run the same under the same numbers",
            runs.join(", ")
        );
        Problem::new(cause).help(format!(
            "stop it first (`sdtd stop --only {host}`, with {host} in the inventory), or leave it where it is"
        ))
    })
}

/// Instances whose place is taken by a host that has one of the role already. Those that hold nothing and are
/// everywhere need no successor.
fn doubled(input: Input<'_>) -> Vec<Problem> {
    let mut problems = BTreeMap::new();
    for record in records(input.cluster, input.facts) {
        for id in record.placement.keys() {
            let after = now(input.cluster, id);
            let role = input.catalogue.role(&id.service, &id.role);
            let spare = role.is_some_and(|role| {
                matches!(role.count, Count::Everywhere) && role.data.is_none() && role.id.is_none()
            });
            if &after == id || spare || !record.placement.contains_key(&after) {
                continue;
            }
            let cause = format!("{after} is there already: it can't take the place of {id}");
            let help = format!("name a host that has no {}.{}", id.service, id.role);
            problems.insert(after, Problem::new(cause).help(help));
        }
    }
    problems.into_values().collect()
}

/// Whose places were taken, as it is recorded: as long as they may come back with what they had. These stay known
/// with how they are reached. `last`: all is done by then.
pub(super) fn kept(
    input: Input<'_>,
    hosts: &mut BTreeMap<HostName, Reach>,
    last: bool,
) -> BTreeMap<HostName, HostName> {
    let cluster = input.cluster;
    let under_way = under_way(cluster, input.facts);
    let mut kept = BTreeMap::new();
    for (host, next) in &cluster.replaced {
        let stays = match cluster.hosts.get(host) {
            Some(_) => hosts.contains_key(host),
            None => !next.gone || !last && under_way.contains(host),
        };
        if !stays {
            continue;
        }
        kept.insert(host.clone(), next.by.clone());
        let records = input.facts.values().filter_map(|f| f.record.as_ref());
        let reach = records.filter_map(|record| record.hosts.get(host)).next();
        if let (Some(reach), false) = (reach, hosts.contains_key(host)) {
            hosts.insert(host.clone(), reach.clone());
        }
    }
    kept
}

/// Why nothing is known of a host whose place is to be taken, or another one has it.
#[must_use]
pub fn unknown(cluster: &Cluster, facts: &Facts) -> Option<Problem> {
    let taken = |(host, next): (&HostName, &Successor)| {
        let other = recorded(facts).find(|(old, by)| *old == host && **by != next.by);
        if let Some((_, by)) = other {
            let cause = format!("{by} has taken the place of {host} already");
            let help = format!("if {by} died since, `sdtd replace {by} --with {}`", next.by);
            return Some(Problem::new(cause).help(help));
        }
        // One that was found to be clean, or is cleaned by this very run, is forgotten by the records in the end.
        if next.gone || cluster.hosts.get(host).is_some_and(|own| own.leaving) {
            return None;
        }
        let names = |record: &Record| {
            let mut all = record.placement.keys();
            record.replaced.contains_key(host) || all.any(|id| &id.host == host)
        };
        let held = held(cluster, facts);
        let known = records(cluster, facts).any(names) || held.iter().any(|id| &id.host == host);
        (!known).then(|| {
            let cause = format!("nothing of the cluster is recorded to live on {host}");
            Problem::new(cause).help(
                "take it out of `hosts:` yourself, and name the other there; then `sdtd deploy`",
            )
        })
    };
    cluster.replaced.iter().find_map(taken)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;

    /// A cluster in which each of these has the place of the one before it.
    fn cluster(pairs: &[(&str, &str)]) -> Cluster {
        let host = |name: &str| name.parse::<HostName>().unwrap();
        let successor = |(old, by): &(&str, &str)| {
            let (by, gone) = (host(by), false);
            (host(old), Successor { by, gone })
        };
        Cluster {
            name: "c".parse().unwrap(),
            hosts: IndexMap::new(),
            services: IndexMap::new(),
            topics: BTreeMap::new(),
            drills: false,
            replaced: pairs.iter().map(successor).collect(),
        }
    }

    #[test]
    fn an_instance_is_where_the_last_one_is_that_took_its_place() {
        let after = |pairs: &[(&str, &str)], id: &str| {
            let id: InstanceId = id.parse().unwrap();
            now(&cluster(pairs), &id).to_string()
        };
        assert_eq!(after(&[], "db.node@a"), "db.node@a");
        assert_eq!(after(&[("a", "b")], "db.node@a"), "db.node@b");
        assert_eq!(after(&[("a", "b")], "db.node@c"), "db.node@c");
        assert_eq!(after(&[("a", "b"), ("b", "c")], "db.node@a"), "db.node@c");
        // A circle ends somewhere: there is none in what sdtd writes.
        after(&[("a", "b"), ("b", "a")], "db.node@a");
    }

    #[test]
    fn a_line_of_what_held_data_keeps_its_folder() {
        let cluster = cluster(&[("a", "b")]);
        assert_eq!(line(&cluster, "db.node@a /x y"), "db.node@b /x y");
        assert_eq!(line(&cluster, "db.node@c /x"), "db.node@c /x");
        assert_eq!(line(&cluster, "no line at all"), "no line at all");
    }

    #[test]
    fn nothing_is_known_of_a_host_that_no_record_names() {
        let none = Facts::new();
        assert!(unknown(&cluster(&[]), &none).is_none());
        let why = unknown(&cluster(&[("a", "b")]), &none).expect("nothing is known");
        assert!(why.cause.contains("recorded to live on a"), "{why:?}");
        // The records forget one that is clean, and the run that took its place plans once more.
        let mut clean = cluster(&[("a", "b")]);
        clean
            .replaced
            .values_mut()
            .for_each(|next| next.gone = true);
        assert!(unknown(&clean, &none).is_none());
    }
}
