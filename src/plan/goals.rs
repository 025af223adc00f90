//! Plans that want something else than the inventory: everything stopped, started, restarted, or gone.

use std::collections::BTreeSet;

use crate::facts::HostFacts;
use crate::inventory::{Connection, Host};
use crate::plan::compare::block_in;
use crate::plan::model::{
    Batch, FORMAT, Member, Plan, ResourceChange, RoleView, Step, UnitChange, View, Wave,
};
use crate::plan::packages;
use crate::plan::paths::HostPaths;
use crate::plan::planner::{Input, rolling_of};
use crate::plan::view::view_of;
use crate::plan::waves::Draining;

/// Seconds in which what is deleted with its data has to stop.
const END_WITHIN: u64 = 30;

/// Which instances a command is about: all, those of a service, of a role, or one.
#[derive(Debug, Clone, Default)]
pub struct Selection(pub Vec<String>);

impl Selection {
    /// Whether an instance is meant.
    #[must_use]
    pub fn takes(&self, member: &Member) -> bool {
        let id = &member.id;
        let names = [
            id.service.to_string(),
            format!("{}.{}", id.service, id.role),
            id.to_string(),
            id.host.to_string(),
        ];
        self.0.is_empty() || self.0.iter().any(|word| names.contains(word))
    }
}

/// Stops what runs: roles in reverse order, the members of each at once.
#[must_use]
pub fn stop(input: Input<'_>, selection: &Selection) -> Plan {
    let view = view_of(input);
    let waves = stops(input, &view, selection);
    chained(input, view, waves)
}

fn stops(input: Input<'_>, view: &View, selection: &Selection) -> Vec<Wave> {
    let mut waves = Vec::new();
    for role in view.roles.iter().rev() {
        let change = |member: &Member| {
            runs(input, member).then_some((UnitChange::Stop, "it runs".to_owned()))
        };
        push(
            &mut waves,
            "stop",
            role,
            batches((input, view), role, selection, change),
        );
    }
    waves
}

/// Starts what does not run: roles in order, each ready before the next.
#[must_use]
pub fn start(input: Input<'_>, selection: &Selection) -> Plan {
    let view = view_of(input);
    let mut waves = Vec::new();
    for role in &view.roles {
        let change = |member: &Member| {
            (!runs(input, member)).then_some((UnitChange::Start, "it does not run".to_owned()))
        };
        push(
            &mut waves,
            "start",
            role,
            batches((input, &view), role, selection, change),
        );
        if let Some(wave) = waves
            .last_mut()
            .filter(|w: &&mut Wave| w.role.as_ref() == Some(&role.role))
        {
            wave.ready.clone_from(&role.ready);
            wave.within = role.ready_within;
        }
    }
    chained(input, view, waves)
}

/// Restarts one after another, behind the role's gates; what does not run is started first.
#[must_use]
pub fn restart(input: Input<'_>, selection: &Selection) -> Plan {
    let mut plan = start(input, selection);
    let view = plan.view.clone();
    let mut waves = std::mem::take(&mut plan.waves);
    for role in &view.roles {
        let change = |member: &Member| {
            runs(input, member)
                .then_some((UnitChange::Restart, "a restart was asked for".to_owned()))
        };
        let before = waves.len();
        push(
            &mut waves,
            "restart",
            role,
            batches((input, &view), role, selection, change),
        );
        if let (Some(wave), Some(rolling)) = (
            waves.get_mut(before),
            rolling_of(input.catalogue, &role.role),
        ) {
            wave.width = Some(input.roll.width_of(&role.role, rolling.width));
            let least = rolling.least.filter(|_| input.roll.least);
            wave.before = least.unwrap_or(rolling.before);
            wave.together = rolling.together;
            wave.mend = rolling.mend;
            wave.ready = rolling.ready;
            wave.last = rolling.last;
            let settle = rolling.settle.as_ref();
            wave.resources
                .extend(settle.map(|settle| ResourceChange::settle(&role.role, settle)));
            wave.within = rolling.within;
        }
    }
    chained(input, view, waves)
}

/// Takes everything off the hosts that sdtd put there, also off those that the inventory no longer names; data
/// only if it is not to be kept.
#[must_use]
pub fn destroy(input: Input<'_>, keep_data: bool) -> Plan {
    let view = view_of(input);
    let mut all = view.clone();
    all.members.extend(view.leaving.iter().cloned());
    if !keep_data {
        // What is written in a longer stop is deleted right after: who waits for others that are gone is ended.
        for role in &mut all.roles {
            role.stop_within = role.stop_within.min(END_WITHIN);
        }
    }
    let waves = stops(input, &all, &Selection::default());
    let mut plan = chained(input, view, waves);
    // Only the records of the inventory's hosts tell of the others: those are cleaned first, so that a run that
    // was cut off can be done again.
    let (leaving, staying): (Vec<_>, Vec<_>) =
        input.cluster.hosts.values().partition(|h| h.leaving);
    for (title, hosts) in [
        ("remove from hosts that are not in the inventory", leaving),
        ("remove", staying),
    ] {
        let of = |host: &Host| off(input, host, keep_data);
        let mut wave = empty(title);
        wave.batches = hosts.into_iter().filter_map(of).collect();
        if !wave.batches.is_empty() {
            wave.after = (0..plan.waves.len()).collect();
            plan.waves.push(wave);
        }
    }
    plan
}

/// What takes everything off one host.
pub(super) fn off(input: Input<'_>, host: &Host, keep_data: bool) -> Option<Batch> {
    let because = match host.leaving {
        true => "the inventory no longer names it",
        false => "the cluster is to be gone",
    };
    let steps = removals(input, host, keep_data);
    (!steps.is_empty()).then(|| Batch {
        host: host.name.clone(),
        instance: None,
        because: vec![because.to_owned()],
        steps,
    })
}

/// What takes everything off one host.
fn removals(input: Input<'_>, host: &Host, keep_data: bool) -> Vec<Step> {
    let Some(facts) = input.facts.get(&host.name) else {
        return Vec::new();
    };
    let paths = &HostPaths::new(&input.cluster.name, host);
    let local = matches!(host.connection, Connection::Local { .. });
    let record = facts.record.as_ref();
    let data: BTreeSet<String> = record.map(|r| r.data.clone()).unwrap_or_default();
    let disable = |unit: &String| Step::Unit {
        unit: unit.clone(),
        to: UnitChange::Disable,
        within: 30,
    };
    let mut steps: Vec<Step> = record.iter().flat_map(|r| &r.units).map(disable).collect();
    // What the record names may not have been asked for: by now the inventory may have other roles or folders.
    let recorded = |path: &String| record.is_some_and(|record| record.owns.contains(path));
    let there = |path: &String| {
        recorded(path)
            || facts.files.contains_key(path)
            || facts.dirs.contains_key(path)
            || facts.links.contains_key(path)
            || facts
                .store
                .iter()
                .any(|tree| path.ends_with(&format!("/{tree}")))
    };
    let kept = |path: &String| keep_data && data.iter().any(|d| path.starts_with(d.as_str()));
    let gone = made_here(input, facts, paths, keep_data);
    let gone = gone.into_iter().filter(|path| !kept(path) && there(path));
    steps.extend(gone.map(|path| Step::Remove { path, data: false }));
    if !keep_data {
        steps.extend(
            data.into_iter()
                .map(|path| Step::Remove { path, data: true }),
        );
    }
    let mark = format!("sdtd {}", input.cluster.name);
    let profile = facts
        .files
        .get(&paths.profile())
        .and_then(|file| block_in(&file.text, &mark));
    if profile.is_some() {
        steps.push(Step::Block {
            path: paths.profile(),
            name: mark,
            before: profile,
            after: None,
        });
    }
    steps.extend(bookkeeping(paths, facts, keep_data));
    if !local && !steps.is_empty() {
        steps.extend(shared(paths, facts));
    }
    if local && !keep_data {
        steps.push(Step::Remove {
            path: paths.root.clone(),
            data: true,
        });
    }
    steps
}

/// What clusters on one host share: a package on its way is sent again if somebody misses it, the rest
/// goes with the last cluster.
fn shared(paths: &HostPaths, facts: &HostFacts) -> Vec<Step> {
    let mut steps = Vec::new();
    if facts.dirs.contains_key(&paths.incoming()) {
        steps.push(Step::Remove {
            path: paths.incoming(),
            data: false,
        });
    }
    for path in [paths.store(), paths.state()] {
        if facts.dirs.contains_key(&path) {
            let above = path.rsplit_once('/').map(|(above, _)| above.to_owned());
            let both = [Some(path), above].into_iter().flatten();
            steps.extend(both.map(|path| Step::RemoveEmpty { path }));
        }
    }
    steps
}

/// What sdtd keeps about the cluster on a host.
fn bookkeeping(paths: &HostPaths, facts: &HostFacts, keep_data: bool) -> Vec<Step> {
    if !facts.dirs.contains_key(&paths.state()) {
        return Vec::new();
    }
    let units = facts
        .record
        .iter()
        .flat_map(|r| &r.units)
        .map(|unit| paths.unit(unit));
    let units = units.filter(|dir| facts.dirs.contains_key(dir));
    let gone = if keep_data {
        units.collect()
    } else {
        vec![paths.state()]
    };
    let mut steps = Vec::new();
    if keep_data && facts.files.contains_key(&paths.previous()) {
        steps.push(Step::Remove {
            path: paths.previous(),
            data: false,
        });
    }
    for dir in gone {
        // With kept data the record stays: it says which numbers and versions the data belong to; so
        // does what was done only once, which would spoil them if it were done again.
        let once = keep_data
            && facts
                .markers
                .iter()
                .any(|m| m.starts_with(&format!("{dir}/")));
        let inside = ["ctl", "wanted", "running", "pid"].map(|name| format!("{dir}/{name}"));
        let paths = if once { inside.to_vec() } else { vec![dir] };
        steps.extend(
            paths
                .into_iter()
                .map(|path| Step::Remove { path, data: false }),
        );
    }
    steps
}

/// What sdtd made on a host: files, links, packages, and the services' folders.
fn made_here(
    input: Input<'_>,
    facts: &HostFacts,
    paths: &HostPaths,
    keep_data: bool,
) -> BTreeSet<String> {
    let mut made = facts
        .record
        .as_ref()
        .map(|r| r.owns.clone())
        .unwrap_or_default();
    let trees = packages::own_trees((input.cluster, input.catalogue), facts);
    made.extend(trees.map(|tree| format!("{}/{tree}", paths.store())));
    for service in input.cluster.services.keys() {
        let Some(folder) = input.catalogue.get(service) else {
            continue;
        };
        let link = packages::link(input.catalogue, service, paths);
        made.extend(link.filter(|link| facts.links.contains_key(link)));
        if !folder.descriptor.roles.is_empty() {
            let folders = input.catalogue.folders(service);
            made.extend([paths.config(folders), paths.logs(folders)]);
            made.extend((!keep_data).then(|| paths.data(folders)));
        }
    }
    made
}

fn runs(input: Input<'_>, member: &Member) -> bool {
    let facts = input.facts.get(&member.id.host);
    facts.is_some_and(|facts| facts.runs(&member.unit))
}

fn batches(
    (input, view): (Input<'_>, &View),
    role: &RoleView,
    selection: &Selection,
    change: impl Fn(&Member) -> Option<(UnitChange, String)>,
) -> Vec<Batch> {
    let batch = |member: &Member| {
        let (to, because) = change(member)?;
        Some(Batch {
            host: member.id.host.clone(),
            instance: Some(member.id.clone()),
            because: vec![because],
            steps: unit_steps(input, member, (to, role.stop_within)),
        })
    };
    view.of_role(&role.role)
        .filter(|m| selection.takes(m))
        .filter_map(batch)
        .collect()
}

/// What is done with an instance's unit, and what moves off it before and back afterwards where it does not stay down.
pub(super) fn unit_steps(
    input: Input<'_>,
    member: &Member,
    (to, within): (UnitChange, u64),
) -> Vec<Step> {
    let unit = member.unit.clone();
    let mut steps = vec![Step::Unit { unit, to, within }];
    let facts = input.facts.get(&member.id.host);
    let Some((one, facts)) = Draining::of(input.cluster, input.catalogue, member).zip(facts) else {
        return steps;
    };
    match to {
        UnitChange::Restart => {
            steps.insert(0, one.drained());
            steps.extend(one.filled());
        }
        UnitChange::Start if one.is_drained(facts) => steps.extend(one.filled()),
        _ => {}
    }
    steps
}

fn empty(title: &str) -> Wave {
    Wave {
        title: title.to_owned(),
        ..Wave::default()
    }
}

fn push(waves: &mut Vec<Wave>, what: &str, role: &RoleView, batches: Vec<Batch>) {
    if !batches.is_empty() {
        let title = format!("{what} {}", role.role);
        waves.push(Wave {
            title,
            role: Some(role.role.clone()),
            batches,
            ..Wave::default()
        });
    }
}

/// Each wave after the one before.
pub(super) fn chained(input: Input<'_>, view: View, mut waves: Vec<Wave>) -> Plan {
    for (n, wave) in waves.iter_mut().enumerate() {
        wave.after = n.checked_sub(1).into_iter().collect();
    }
    Plan {
        format: FORMAT,
        basis: super::planner::basis(input),
        view,
        waves,
        unchanged: 0,
        warnings: Vec::new(),
        memory: Vec::new(),
        left: Vec::new(),
    }
}
