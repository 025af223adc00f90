//! A host is taken out of its cluster for a moment, and put back: what `maintain` does around its command.

use crate::id::HostName;
use crate::plan::goals::chained;
use crate::plan::model::{
    Batch, Member, Plan, ResourceChange, RoleRef, RoleView, Step, UnitChange, View, Wave,
};
use crate::plan::planner::{Input, rolling_of};
use crate::plan::view::view_of;
use crate::plan::waves::Draining;

/// Stops what is on a host: first the gates of all its roles, with nothing touched yet; then one instance after
/// another, those that need others first, each behind its gates again.
#[must_use]
pub fn away(input: Input<'_>, host: &HostName) -> Plan {
    let view = view_of(input);
    let look = view
        .roles
        .iter()
        .filter_map(|role| gated(input, &view, role, host, None));
    let look: Vec<Wave> = look.collect();
    let stop = view.roles.iter().rev();
    let stop = stop.filter_map(|role| gated(input, &view, role, host, Some(UnitChange::Stop)));
    let waves = look.into_iter().chain(stop).collect();
    chained(input, view, waves)
}

/// All that is stopped on these hosts, one after another: for what is to be known of it before the first.
#[must_use]
pub fn stops(input: Input<'_>, hosts: &[HostName]) -> Plan {
    let waves = hosts.iter().flat_map(|host| away(input, host).waves);
    chained(input, view_of(input), waves.collect())
}

/// Starts what is on a host where it does not run, waits until each is ready, and until all is as it was before.
#[must_use]
pub fn back(input: Input<'_>, host: &HostName) -> Plan {
    let view = view_of(input);
    let started = view
        .roles
        .iter()
        .filter_map(|role| started(input, &view, role, host));
    let mut waves: Vec<Wave> = started.collect();
    for role in &view.roles {
        let Some(mut wave) = gated(input, &view, role, host, None) else {
            continue;
        };
        wave.title = format!("see {} whole with {host}", role.role);
        let settle = rolling_of(input.catalogue, &role.role).and_then(|rolling| rolling.settle);
        let settle = settle.map(|settle| ResourceChange::settle(&role.role, &settle));
        wave.resources.extend(settle);
        waves.push(wave);
    }
    chained(input, view, waves)
}

/// The gates of a role before what is on a host is touched, and what is done then: what moves off it does so before.
fn gated(
    input: Input<'_>,
    view: &View,
    role: &RoleView,
    host: &HostName,
    to: Option<UnitChange>,
) -> Option<Wave> {
    let rolling = rolling_of(input.catalogue, &role.role)?;
    let title = match to {
        None => format!("see {} whole before {host}", role.role),
        Some(_) => format!("stop {} on {host}", role.role),
    };
    let stopped = |member: &Member| {
        let to = to?;
        let drained = Draining::of(input.cluster, input.catalogue, member).map(|one| one.drained());
        Some(drained.into_iter().chain([unit(role, member, to)]))
    };
    let steps = |member: &Member| stopped(member).into_iter().flatten().collect();
    let why = "its host is maintained";
    wave((view, role), host, (title, why), steps).map(|wave| Wave {
        width: Some(1),
        before: rolling.before,
        within: rolling.within,
        ..wave
    })
}

fn started(input: Input<'_>, view: &View, role: &RoleView, host: &HostName) -> Option<Wave> {
    let rolling = rolling_of(input.catalogue, &role.role)?;
    let title = format!("start {} on {host}", role.role);
    let steps = |member: &Member| {
        let draining = Draining::of(input.cluster, input.catalogue, member).into_iter();
        let filled = draining.flat_map(|one| one.filled());
        let start = unit(role, member, UnitChange::Start);
        [start].into_iter().chain(filled).collect()
    };
    wave((view, role), host, (title, "its host is back"), steps).map(|wave| Wave {
        ready: rolling.ready,
        within: rolling.within,
        ..wave
    })
}

fn unit(role: &RoleView, member: &Member, to: UnitChange) -> Step {
    Step::Unit {
        unit: member.unit.clone(),
        to,
        within: role.stop_within,
    }
}

/// A wave over the instances of a role on a host; none where there are none.
fn wave(
    (view, role): (&View, &RoleView),
    host: &HostName,
    (title, why): (String, &str),
    steps: impl Fn(&Member) -> Vec<Step>,
) -> Option<Wave> {
    let here = view.of_role(&role.role).filter(|m| &m.id.host == host);
    let batches = here.map(|member| Batch {
        host: host.clone(),
        instance: Some(member.id.clone()),
        because: vec![why.to_owned()],
        steps: steps(member),
    });
    let batches: Vec<Batch> = batches.collect();
    (!batches.is_empty()).then(|| Wave {
        title,
        role: Some(RoleRef::clone(&role.role)),
        batches,
        ..Wave::default()
    })
}
