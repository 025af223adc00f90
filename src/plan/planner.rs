//! The planner: cluster, facts, catalogue and packages in; plan out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::catalogue::descriptor::Rolling;
use crate::catalogue::{Catalogue, RenderError, Renderer};
use crate::digest::hex;
use crate::event::Problem;
use crate::facts::{HostFacts, Record};
use crate::id::{HostName, InstanceId, ServiceName};
use crate::inventory::Cluster;
use crate::plan::after::after;
use crate::plan::apart::apart;
use crate::plan::budget::budgets;
use crate::plan::check::{self, Check};
use crate::plan::context::Context;
use crate::plan::desired::{Desired, DesiredFile};
use crate::plan::held::{self, Guard, Held};
use crate::plan::instead;
use crate::plan::live::LiveOf;
use crate::plan::made::with_made;
use crate::plan::model::{FORMAT, Plan, ResourceChange, RoleRef};
use crate::plan::moves::MovesOf;
use crate::plan::packages::{self, Installed, Packages};
use crate::plan::parallel;
use crate::plan::paths::HostPaths;
use crate::plan::place::{Placement, place};
use crate::plan::previous;
use crate::plan::records::refused as refused_changes;
use crate::plan::roll::{self, Roll};
use crate::plan::shared::Shared;
use crate::plan::staged::{append, away, pause, staged};
use crate::plan::stages::stages;
use crate::plan::versions;
use crate::plan::view::view;
use crate::plan::ways::{self, Leg, Passage};

type Facts = BTreeMap<HostName, HostFacts>;

/// Everything a plan is made from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// What should be.
    pub cluster: &'a Cluster,
    /// The services' words.
    pub catalogue: &'a Catalogue,
    /// What is, host by host.
    pub facts: &'a BTreeMap<HostName, HostFacts>,
    /// The packages of this machine.
    pub packages: &'a Packages,
    /// Changes that drivers found to be needed, such as topics to be made.
    pub resources: &'a [ResourceChange],
    /// What drivers have to move as members of roles come and go.
    pub moves: &'a MovesOf,
    /// Instances that lost their data and shall start empty.
    pub anew: &'a BTreeSet<InstanceId>,
    /// What no other cluster has: values that are made at the first deploy are made of it.
    pub seed: &'a str,
    /// Whether hosts go back to what they had before their last change, whatever the inventory says by now.
    pub back: bool,
    /// Services whose new version is finalized by this.
    pub finalize: &'a BTreeSet<ServiceName>,
    /// Services of which a setting that is on its way gets to its end by this.
    pub ends: &'a BTreeSet<ServiceName>,
    /// The step on such a way that this part of the plan is.
    pub passage: Option<&'a Passage>,
    /// What is said of rolls.
    pub roll: &'a Roll,
    /// What instances that run take without a restart.
    pub live: &'a LiveOf,
}

impl Input<'_> {
    /// The same once the step on the way is done: nobody has the value before any more.
    pub(super) fn arrived(self) -> Self {
        Self {
            passage: None,
            ..self
        }
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A template of a service can't be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Changes that would not be safe.
    #[error("{}", causes(.0))]
    Refused(Vec<Problem>),
    /// Things on the hosts that stand in the way.
    #[error("{}", causes(.0))]
    Blocked(Vec<Problem>),
}

fn causes(problems: &[Problem]) -> String {
    let causes: Vec<&str> = problems.iter().map(|p| p.cause.as_str()).collect();
    causes.join("\n")
}

/// Where everything is, by what the hosts' records say and the inventory wants.
#[must_use]
pub fn placement(
    cluster: &Cluster,
    catalogue: &Catalogue,
    facts: &BTreeMap<HostName, HostFacts>,
) -> Placement {
    let records: Vec<&Record> = instead::records(cluster, facts).collect();
    let mut placement = place(cluster, catalogue, (&records, &Held::read(cluster, facts)));
    // One that can't be reached joins when it can.
    placement.joining.retain(|id| facts.contains_key(&id.host));
    placement
}

/// Makes the plan.
///
/// # Errors
/// When a template can't be rendered, a change is not safe, or something on a host stands in the way.
pub fn plan(input: Input<'_>) -> Result<Plan, PlanError> {
    let refused = ways::refused(input);
    if !refused.is_empty() {
        return Err(PlanError::Refused(refused));
    }
    let legs = ways::legs(input);
    let mut plan = empty(&legs, input);
    let mut facts = Cow::Borrowed(input.facts);
    let mut warnings = Vec::new();
    let (none, nobody) = (MovesOf::new(), LiveOf::new());
    for (n, leg) in legs.iter().enumerate() {
        let last = n + 1 == legs.len();
        let input = Input {
            cluster: &leg.cluster,
            passage: leg.passage.as_ref(),
            facts: &facts,
            resources: if last { input.resources } else { &[] },
            moves: if last { input.moves } else { &none },
            // A step on a way restarts whom it is about.
            live: match leg.passage {
                None => input.live,
                Some(_) => &nobody,
            },
            ..input
        };
        let (found, then) = planned(input, last, &mut plan)?;
        warnings = found;
        if let Some(then) = then {
            facts = Cow::Owned(then);
        }
    }
    plan.warnings.extend(warnings);
    let refused = roll::refused(&plan, input.catalogue, input.roll);
    if !refused.is_empty() {
        return Err(PlanError::Refused(refused));
    }
    Ok(plan)
}

/// The plan of hosts by their facts alone: no package is at hand, and no driver was asked.
///
/// # Errors
/// As [`plan`].
pub fn plan_of_facts(
    cluster: &Cluster,
    catalogue: &Catalogue,
    facts: &Facts,
) -> Result<Plan, PlanError> {
    plan(Input {
        cluster,
        catalogue,
        facts,
        packages: &Packages::new(),
        resources: &[],
        moves: &MovesOf::new(),
        anew: &BTreeSet::new(),
        seed: "",
        back: false,
        finalize: &BTreeSet::new(),
        ends: &BTreeSet::new(),
        passage: None,
        roll: &Roll::default(),
        live: &LiveOf::new(),
    })
}

/// A plan in which nothing is done yet.
fn empty(legs: &[Leg<'_>], input: Input<'_>) -> Plan {
    let last = legs
        .last()
        .map_or(input.cluster, |leg| leg.cluster.as_ref());
    let then = Input {
        cluster: last,
        ..input
    };
    let placement = placement(last, input.catalogue, input.facts);
    let mut warnings = versions::warnings(then);
    warnings.extend(apart(then, &placement, |words| &words.warns));
    warnings.extend(ways::warnings(input));
    let mut left = versions::told(then);
    left.extend(ways::told(input));
    Plan {
        format: FORMAT,
        basis: basis(input),
        view: view(then, &placement),
        waves: Vec::new(),
        unchanged: 0,
        warnings,
        left,
        memory: budgets(&context(then, &placement, &Trees::new())),
    }
}

/// Adds what brings about one part of a plan; answers what is to be warned of in the end, and what the hosts are by
/// then, where another part follows.
fn planned(
    input: Input<'_>,
    last: bool,
    plan: &mut Plan,
) -> Result<(Vec<Problem>, Option<Facts>), PlanError> {
    let placement = placement(input.cluster, input.catalogue, input.facts);
    let mut refused: Vec<Problem> = placement.refused.iter().map(Problem::new).collect();
    refused.extend(away(input, &placement));
    refused.extend(instead::refused(input, &placement));
    refused.extend(apart(input, &placement, |words| &words.refuses));
    let passage = input.passage;
    refused.extend(passage.and_then(|passage| ways::resized(passage, &placement)));
    if !refused.is_empty() {
        return Err(PlanError::Refused(refused));
    }
    let mut refused = versions::refused(input, &placement);
    refused.extend(
        refused_changes(input, &placement)
            .into_iter()
            .map(Problem::new),
    );
    if refused.is_empty() {
        refused.extend(versions::not_rolled(input)?);
    }
    let stages = stages(&placement, input.cluster, input.catalogue);
    let mut facts = Cow::Borrowed(input.facts);
    let mut warnings = Vec::new();
    for (n, stage) in stages.iter().enumerate() {
        let input = Input {
            facts: &facts,
            ..input
        };
        let done = in_context(input, &stage.placement, |input, context, trees| {
            staged(input, (context, trees), stage, refused.clone())
        })?;
        // What needs nothing was looked at in each stage; the last one sees to all.
        plan.unchanged = done.unchanged;
        warnings = done.warnings;
        plan.warnings.extend(pause(stage, &done.waves));
        if n + 1 < stages.len() || !last {
            facts = Cow::Owned(after(&facts, &done.waves, &done.desired));
        }
        append(&mut plan.waves, done.waves);
    }
    Ok((warnings, (!last).then(|| facts.into_owned())))
}

/// What the hosts are looked at for before anything changes.
///
/// # Errors
/// When a template can't be rendered.
pub fn checks(input: Input<'_>) -> Result<Vec<Check>, PlanError> {
    in_the_end(input, |input, context| {
        Ok(check::checks(context, &desired(input, context)?))
    })
}

/// The files that each instance on the hosts that were asked should have, its unit's among them.
///
/// # Errors
/// When a template can't be rendered.
pub fn rendered(input: Input<'_>) -> Result<Vec<(InstanceId, Vec<DesiredFile>)>, PlanError> {
    let all = in_the_end(input, desired)?;
    let files = all.into_iter().map(|one| {
        let files = one.files.into_iter().chain([one.unit]);
        (one.member.id, files.collect())
    });
    Ok(files.collect())
}

/// The instances that lost the data they are known to have had.
///
/// # Errors
/// When a template can't be rendered.
pub fn lost(input: Input<'_>) -> Result<BTreeSet<InstanceId>, PlanError> {
    let placement = placement(input.cluster, input.catalogue, input.facts);
    in_context(input, &placement, |input, context, _| {
        let held = Held::read(input.cluster, input.facts);
        let desired = desired(input, context)?;
        let lost = held::lost(context, &desired, &held);
        Ok(lost.into_keys().cloned().collect())
    })
}

/// Does `work` with the cluster as it is once all that can be gone of a way is gone.
pub(super) fn in_the_end<T>(
    input: Input<'_>,
    work: impl FnOnce(Input<'_>, &Context<'_>) -> T,
) -> T {
    let last = ways::legs(input).into_iter().last();
    let cluster = last.map_or(Cow::Borrowed(input.cluster), |leg| leg.cluster);
    let input = Input {
        cluster: &cluster,
        ..input
    };
    let placement = placement(input.cluster, input.catalogue, input.facts);
    in_context(input, &placement, |input, context, _| work(input, context))
}

/// Does `work` with all that rendering needs, values that are made at the first deploy in their places.
pub(super) fn in_context<T>(
    input: Input<'_>,
    placement: &Placement,
    work: impl FnOnce(Input<'_>, &Context<'_>, &Trees) -> T,
) -> T {
    let cluster = with_made(input.cluster, input.catalogue, input.facts, input.seed);
    let input = Input {
        cluster: &cluster,
        ..input
    };
    let own = trees(input, placement);
    if placement.leaving.is_empty() {
        return work(input, &context(input, placement, &own), &own);
    }
    let all = trees(input, &placement.with_leaving());
    work(input, &context(input, placement, &all), &own)
}

/// What should be on the hosts that were asked; what is on one out of reach is left as it is.
pub(super) fn desired(input: Input<'_>, context: &Context<'_>) -> Result<Vec<Desired>, PlanError> {
    let all = context.placement.instances.iter().map(|(id, _)| id);
    let all: Vec<&InstanceId> = all
        .filter(|id| input.facts.contains_key(&id.host))
        .collect();
    let mut desired = Vec::new();
    for made in parallel::map(&all, |id| context.desired(id)) {
        desired.extend(made?);
    }
    Ok(desired)
}

pub(super) fn context<'a>(
    input: Input<'a>,
    placement: &'a Placement,
    trees: &Trees,
) -> Context<'a> {
    Context {
        cluster: input.cluster,
        catalogue: input.catalogue,
        facts: input.facts,
        placement,
        homes: homes(trees),
        unfinished: versions::unfinished(input),
        renderer: Renderer::new(),
        shared: Shared::default(),
    }
}

/// The tree that each host runs each service from.
pub type Trees = BTreeMap<(HostName, ServiceName), Installed>;

pub(super) fn trees(input: Input<'_>, placement: &Placement) -> Trees {
    let mut trees = Trees::new();
    for (name, host) in &input.cluster.hosts {
        let Some(facts) = input.facts.get(name) else {
            continue;
        };
        let paths = HostPaths::new(&input.cluster.name, host);
        for service in packages::services_on(name, input.cluster, input.catalogue, placement) {
            let words = (input.cluster, input.catalogue);
            let tree = if input.back {
                before(input, &service, (&paths, facts))
            } else {
                packages::installed(words, &service, (&paths, facts), input.packages)
            };
            trees.extend(tree.map(|tree| ((name.clone(), service), tree)));
        }
    }
    trees
}

/// The tree that a host ran a service from before its last change.
fn before(
    input: Input<'_>,
    service: &ServiceName,
    (paths, facts): (&HostPaths, &HostFacts),
) -> Option<Installed> {
    let link = packages::link(input.catalogue, service, paths)?;
    let home = previous::tree_before(paths, facts, &link)?;
    Some(Installed {
        home,
        missing: None,
    })
}

fn homes(trees: &Trees) -> BTreeMap<(HostName, ServiceName), String> {
    let home =
        |(key, tree): (&(HostName, ServiceName), &Installed)| (key.clone(), tree.home.clone());
    trees.iter().map(home).collect()
}

/// The roles of the cluster, service by service in dependency order.
pub(super) fn roles(input: Input<'_>) -> Vec<RoleRef> {
    let mut roles = Vec::new();
    for (service, wanted) in &input.cluster.services {
        let folder = input.catalogue.get(service);
        let words = folder
            .into_iter()
            .flat_map(|f| f.descriptor.roles_with(&wanted.settings));
        roles.extend(words.map(|(role, _)| RoleRef {
            service: service.clone(),
            role: role.clone(),
        }));
    }
    roles
}

/// A step that each data folder needs is done again where one was added since.
pub(super) fn again_for_new_folders(
    one: &mut Desired,
    held: &Held,
    facts: &BTreeMap<HostName, HostFacts>,
) {
    let Some(facts) = facts.get(&one.member.id.host) else {
        return;
    };
    let is_new = |guard: &Guard| !facts.markers.contains(&guard.sign) && !held.knows(guard);
    let added = one.guards.iter().any(is_new);
    for once in one.once.iter_mut().filter(|once| once.folders) {
        once.again = added;
    }
}

/// How a role rolls.
#[must_use]
pub fn rolling_of(catalogue: &Catalogue, role: &RoleRef) -> Option<Rolling> {
    let words = catalogue.role(&role.service, &role.role)?;
    Some(words.rolling.clone())
}

/// The hash of all that a plan is made from, less what changes by itself (clock, free memory, uptime).
pub(super) fn basis(input: Input<'_>) -> String {
    let mut sum = Sha256::new();
    let mut add = |value: serde_json::Result<Vec<u8>>| sum.update(value.unwrap_or_default());
    add(serde_json::to_vec(input.cluster));
    for (name, facts) in input.facts {
        let mut still = facts.clone();
        still.time = 0;
        still.disks.clear();
        still.listening.clear();
        for unit in still.units.values_mut() {
            unit.uptime_s = None;
            unit.memory_mb = None;
        }
        add(serde_json::to_vec(&(name, still)));
    }
    add(serde_json::to_vec(input.resources));
    let moves: Vec<_> = input.moves.iter().collect();
    add(serde_json::to_vec(&moves));
    add(serde_json::to_vec(input.anew));
    add(serde_json::to_vec(input.finalize));
    add(serde_json::to_vec(input.ends));
    add(serde_json::to_vec(input.roll));
    // Where there is nothing of it the basis is that of versions that did not ask.
    let live: Vec<_> = input.live.iter().collect();
    if !live.is_empty() {
        add(serde_json::to_vec(&live));
    }
    hex(&sum.finalize())
}
