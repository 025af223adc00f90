//! One stage of a plan: what should be at its end, what forbids it, and the waves that lead there.

use std::collections::BTreeMap;

use crate::catalogue::Renderer;
use crate::event::Problem;
use crate::id::HostName;
use crate::inventory::{Cluster, Successor};
use crate::plan::check::{self, Verdict};
use crate::plan::context::Context;
use crate::plan::desired::Desired;
use crate::plan::goals::off;
use crate::plan::held::{self, Held};
use crate::plan::instead;
use crate::plan::model::{Batch, RoleRef, Step, UnitChange, Wave};
use crate::plan::place::Placement;
use crate::plan::planner::{Input, PlanError, Trees, again_for_new_folders, desired, roles};
use crate::plan::previous;
use crate::plan::records::records;
use crate::plan::shared::Shared;
use crate::plan::stages::Stage;
use crate::plan::waves::{Aim, Waves};

/// What is to be known of a change between few members: two can't do without each other, and three of which one
/// is not known to the others yet are two.
pub(super) fn pause(stage: &Stage, waves: &[Wave]) -> Option<Problem> {
    let restart = |step: &Step| {
        matches!(
            step,
            Step::Unit {
                to: UnitChange::Restart,
                ..
            }
        )
    };
    let mut steps = waves
        .iter()
        .flat_map(|wave| &wave.batches)
        .flat_map(|batch| &batch.steps);
    if !steps.any(restart) {
        return None;
    }
    let (role, now) = (stage.only.as_ref()?, stage.members()?.len());
    let leaves = !stage.placement.leaving.is_empty();
    let (few, before) = if leaves {
        (now, now + 1)
    } else {
        (now - 1, now - 1)
    };
    (few <= 2).then(|| {
        Problem::new(format!(
            "{role} serves nobody for some seconds while it goes from {before} to {now}: its clients wait"
        ))
        .help("clients go on within their session time-outs; choose a quiet moment if that matters")
    })
}

/// Members can't come or go while a host is out of reach: all others must know of it.
pub(super) fn away(input: Input<'_>, placement: &Placement) -> Vec<Problem> {
    // One without data is started on its own, and stopped once it can be.
    let holds = |role: &&RoleRef| {
        let words = input.catalogue.role(&role.service, &role.role);
        words.is_some_and(|role| role.data.is_some())
    };
    let Some(role) = placement.resized.iter().find(holds) else {
        return Vec::new();
    };
    let hosts = input.cluster.hosts.keys();
    let away = hosts.filter(|host| !input.facts.contains_key(*host));
    let problem = |host: &HostName| {
        Problem::new(format!(
            "{host} is out of reach: who runs {role} can't be changed without it"
        ))
        .help("bring it back first, or put the inventory back")
    };
    away.map(problem).collect()
}

/// Puts the waves of a stage behind all those before.
pub(super) fn append(all: &mut Vec<Wave>, waves: Vec<Wave>) {
    let before = all.len();
    for mut wave in waves {
        let shift = |index: &mut usize| *index += before;
        wave.after.iter_mut().for_each(shift);
        wave.after_on_host.iter_mut().for_each(shift);
        // Titles tell waves apart.
        let same = |title: &String, other: &Wave| &other.title == title;
        let title = wave.title.clone();
        for n in 2.. {
            if !all.iter().any(|other| same(&wave.title, other)) {
                break;
            }
            wave.title = format!("{title} ({n})");
        }
        wave.after.splice(0..0, 0..before);
        all.push(wave);
    }
}

/// One stage of a plan, and what should be at its end.
pub(super) struct Done {
    pub(super) waves: Vec<Wave>,
    pub(super) unchanged: usize,
    pub(super) warnings: Vec<Problem>,
    pub(super) desired: Vec<Desired>,
}

/// A stage, unless something is refused or stands in the way.
pub(super) fn staged(
    input: Input<'_>,
    (context, trees): (&Context<'_>, &Trees),
    stage: &Stage,
    mut refused: Vec<Problem>,
) -> Result<Done, PlanError> {
    let mut desired = desired(input, context)?;
    let before = before(input, context);
    let leaving = match refused.is_empty() {
        true => leaving(context, before.as_ref())?,
        false => Vec::new(),
    };
    if input.back {
        previous::go_back(context, &mut desired);
        refused.extend(previous::no_return(context, &desired, trees));
    }
    let held = Held::read(input.cluster, input.facts);
    if input.back {
        refused.extend(previous::left_out(context, &desired, &held));
    }
    refused.extend(held::refused(context, &desired, &held, input.anew));
    for one in &mut desired {
        // Not for one that starts anew: it must learn from the others what there is.
        let begun = held.knows_role(&one.member.id) && !is_second(context, one, &held);
        one.files.retain(|file| !(begun && file.bootstrap));
        again_for_new_folders(one, &held, input.facts);
    }
    if !refused.is_empty() {
        return Err(PlanError::Refused(refused));
    }
    let checks = check::checks(context, &desired);
    let blocked = check::problems(&checks, Verdict::Fail);
    if !blocked.is_empty() {
        return Err(PlanError::Blocked(blocked));
    }
    let warnings = check::problems(&checks, Verdict::Warn);
    let (waves, unchanged) = waves(input, (context, trees), stage, (&desired, &leaving, held))?;
    Ok(Done {
        waves,
        unchanged,
        warnings,
        desired,
    })
}

/// All that a stage does, in order.
fn waves(
    input: Input<'_>,
    (context, trees): (&Context<'_>, &Trees),
    stage: &Stage,
    (desired, leaving, mut held): (&[Desired], &[Desired], Held),
) -> Result<(Vec<Wave>, usize), PlanError> {
    let everybody: Vec<&Desired> = desired.iter().chain(leaving).collect();
    let stays = stays(input, context.placement, stage);
    let previous = if stays {
        previous::after(context, desired, trees)
    } else {
        BTreeMap::new()
    };
    let aim = Aim {
        stage,
        leaving,
        moves: input.moves,
        anew: input.anew,
        roll: input.roll,
        passage: input.passage,
        live: input.live,
    };
    let mut waves = Waves::new(context, desired, trees, aim);
    // One that was cleaned has no record any more: nobody needs to know how it was reached.
    let recorded = |name: &HostName| input.facts.get(name).is_some_and(|f| f.record.is_some());
    let hosts = input.cluster.hosts.iter();
    let known = hosts.filter(|(name, host)| !host.leaving || recorded(name));
    waves.prepare(&records(
        input,
        context.placement,
        &everybody,
        (known.clone(), false),
    ))?;
    waves.switch_off();
    if stays {
        waves.keep(&previous);
    } else {
        waves.end_the_way_back();
    }
    waves.install()?;
    waves.retire();
    for role in roles(input) {
        waves.role(&role)?;
        let begins = desired
            .iter()
            .filter(|one| has_data_since(context, one) == role);
        held = held.after(begins.filter(|_| stage.is_about(&role)));
        waves.remember(&role, &held.text());
    }
    if stage.only.is_none() {
        roles(input)
            .iter()
            .for_each(|role| waves.voters_leave(role));
        waves.resources(input.resources);
    }
    waves.moved();
    waves.leave_hosts(off_leaving(input, stage));
    let left = !leaving.is_empty() || stage.only.is_none() && hosts_leave(input.cluster);
    if let Some(title) = last_records(input, stage, left) {
        let placement = context.placement.without_leaving();
        let stay: Vec<&Desired> = desired.iter().collect();
        let known: Vec<_> = match stage.only {
            None => input.cluster.staying().collect(),
            Some(_) => known.collect(),
        };
        let known = (known.into_iter(), true);
        let records = records(input.arrived(), &placement, &stay, known);
        waves.forget_the_left(title, &records, &held);
    }
    if stage.only.is_none() {
        waves.clean(&previous);
    }
    Ok(waves.done())
}

/// Whether members are the same afterwards: files that name others must not come back.
fn stays(input: Input<'_>, placement: &Placement, stage: &Stage) -> bool {
    stage.only.is_none()
        && stage.told.is_empty()
        && input.passage.is_none()
        && placement.joining.is_empty()
        && instead::under_way(input.cluster, input.facts).is_empty()
        && placement.leaving.is_empty()
}

/// Why records are written once more at the end, if they are.
fn last_records(input: Input<'_>, stage: &Stage, left: bool) -> Option<&'static str> {
    let arrived = stage.only.is_none() && input.passage.is_some();
    match (left, arrived) {
        (true, _) => Some("forget those that left"),
        (false, true) => Some("remember what was reached"),
        (false, false) => None,
    }
}

/// The role with whose start an instance comes to have its data: its own, if none other makes them.
fn has_data_since(context: &Context<'_>, one: &Desired) -> RoleRef {
    let own = RoleRef::of(&one.member.id);
    let words = context.catalogue.role(&own.service, &own.role);
    let since = words.and_then(|words| words.data.as_ref()?.since.clone());
    match since {
        Some(role) => RoleRef { role, ..own },
        None => own,
    }
}

/// Whether hosts are to be forgotten: they leave, or another one has their place and they are clean.
fn hosts_leave(cluster: &Cluster) -> bool {
    let gone = |host: &Successor| host.gone;
    cluster.leaving().next().is_some() || cluster.replaced.values().any(gone)
}

/// What takes the rest off hosts that the inventory no longer names, once nothing runs there.
fn off_leaving(input: Input<'_>, stage: &Stage) -> Vec<Batch> {
    let hosts = input.cluster.leaving().filter(|_| stage.only.is_none());
    hosts
        .filter_map(|(_, host)| off(input, host, false))
        .collect()
}

/// Whether an instance joins a single one: neither of the two can do without the other's vote.
fn is_second(context: &Context<'_>, one: &Desired, held: &Held) -> bool {
    let role = RoleRef::of(&one.member.id);
    let members = context.placement.members(&role).count();
    members == 2 && !one.guards.iter().any(|guard| held.knows(guard))
}

/// What was rendered from where a setting is on its way: its value before.
fn before<'a>(input: Input<'a>, context: &Context<'a>) -> Option<Context<'a>> {
    let was = &input.passage?.was;
    Some(Context {
        cluster: was,
        catalogue: context.catalogue,
        facts: context.facts,
        placement: context.placement,
        homes: context.homes.clone(),
        unfinished: context.unfinished.clone(),
        renderer: Renderer::new(),
        shared: Shared::default(),
    })
}

/// What those are that shall go; of roles that there are no more, as they were.
fn leaving(context: &Context<'_>, before: Option<&Context<'_>>) -> Result<Vec<Desired>, PlanError> {
    let mut leaving = Vec::new();
    for (id, _) in &context.placement.leaving {
        let gone = before.filter(|_| !context.has(&RoleRef::of(id)));
        leaving.extend(gone.unwrap_or(context).desired(id)?);
    }
    Ok(leaving)
}
