//! `sdtd deploy`: makes the cluster what the inventory says, and proves that it works.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::edit::Edit;
use super::history::TimingsArg;
use super::plan::Saved;
use super::roll::RollArgs;
use super::setup::{self, Missing, Run};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::{EventKind, HostSummary, InstanceSummary, Problem, RunSummary};
use crate::exec::Report;
use crate::flow::{Facts, Planned, host_problems};
use crate::id::InstanceId;
use crate::lock::Guard;
use crate::plan::show::{Detail, show};
use crate::plan::{Plan, View};
use crate::report;

/// How a run ends whose plan is not to be done now.
const REFUSED: &str = "the plan was refused; nothing was changed";

/// The words of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// Apply a plan that was saved with `plan --out`, exactly as it is.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// An instance that lost its data for good and shall start empty (may be repeated). It is done only where
    /// the others hold all that it had.
    #[arg(long, value_name = "INSTANCE")]
    anew: Vec<InstanceId>,
    /// Compare every file of the packages on the hosts with what was sent; what is damaged is sent again.
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    roll: RollArgs,
    #[command(flatten)]
    timings: TimingsArg,
}

/// Runs `sdtd deploy`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &DeployArgs) -> Result<(), Failure> {
    let saved = args.plan.as_deref().map(super::plan::load).transpose()?;
    let opened = setup::open(global, &args.inventory)?;
    let run = setup::begin(global, opened, "deploy", Missing::OutOfReach).await?;
    let log = run.log();
    let done = planned(global, args, run, saved).await;
    args.timings.after(global, &log, done)
}

/// Plans, or takes the saved plan where it still fits, and carries it out.
async fn planned(
    global: &Global,
    args: &DeployArgs,
    mut run: Run,
    saved: Option<Saved>,
) -> Result<(), Failure> {
    run.flow.anew.extend(args.anew.iter().cloned());
    run.flow.deep = args.deep;
    args.roll.give(&mut run.flow);
    let planned = match run.flow.plan(saved.is_none()).await {
        Ok(planned) => planned,
        Err(failure) => {
            return Err(run
                .end(Some(failure), "there is no plan; nothing was changed")
                .await);
        }
    };
    let planned = match saved {
        None => planned,
        Some(saved) if saved.plan.basis == planned.plan.basis => Planned {
            plan: saved.plan,
            files: saved.files,
            facts: planned.facts,
            missing: planned.missing,
            lost: planned.lost,
        },
        Some(_) => {
            let problem = Problem::new(
                "the cluster or the inventory is no longer what the plan was made for",
            );
            let failure = Failure::new(
                Kind::Refused,
                problem.help("make it again with `sdtd plan --out`"),
            );
            return Err(run
                .end(
                    Some(failure),
                    "the saved plan was refused; nothing was changed",
                )
                .await);
        }
    };
    setup::remember(&run.dirs, &run.path);
    carry_out(global, run, planned, (Goal::Deploy, None)).await
}

/// What a run is for: what is done after its plan was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Verify, then plan again: the new plan must be empty.
    Deploy,
    /// Verify: the inventory may say something else by now.
    Back,
    /// Nothing more: what was asked for runs.
    Run,
    /// Nothing more: what was asked for is gone or stopped.
    Rest,
}

impl Goal {
    /// Whether what was done is proved to work.
    fn is_proved(self) -> bool {
        matches!(self, Self::Deploy | Self::Back)
    }
}

/// Shows a plan, asks, applies it, and ends the run.
///
/// # Errors
/// As the exit codes tell.
pub async fn carry_out(
    global: &Global,
    run: Run,
    planned: Planned,
    (goal, edit): (Goal, Option<Edit>),
) -> Result<(), Failure> {
    let Planned {
        mut plan,
        files,
        missing,
        lost,
        facts,
    } = planned;
    match outage(global, &run, (&plan, &facts), goal).await {
        Ok(told) => plan.warnings.extend(told),
        Err(failure) => return Err(run.end(Some(failure), REFUSED).await),
    }
    let away = Away {
        hosts: host_problems(&missing),
        lost,
    };
    let detail = if global.verbose {
        Detail::Full
    } else {
        Detail::Usual
    };
    run.events.emit(EventKind::Planned {
        text: told(edit.as_ref(), &show(&plan, detail)),
        steps: plan.steps(),
        unchanged: plan.unchanged,
    });
    if plan.is_empty() && edit.is_none() {
        return unchanged(run, plan, (goal, away)).await;
    }
    let lock = match admitted(global, &run, edit.as_ref()).await {
        Ok(lock) => lock,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    let (view, left) = (plan.view.clone(), plan.left.clone());
    if goal.is_proved() {
        run.proof().owe();
    }
    let mut applied = run.flow.apply(plan, files).await;
    applied.general.extend(lock.lost());
    lock.release().await;
    if !applied.is_done() {
        return Err(end_badly(run, applied, away).await);
    }
    let mut summary = RunSummary {
        hosts: hosts(&applied),
        ..RunSummary::default()
    };
    if goal.is_proved() {
        match proved(&run, (&view, goal), &away).await {
            Ok(instances) => summary.instances = instances,
            Err((failure, headline)) => return Err(run.end(Some(failure), headline).await),
        }
        let (headline, next) = match goal {
            Goal::Back => ("went back and verified", "sdtd plan"),
            _ => ("deployed and verified", "sdtd status"),
        };
        headline.clone_into(&mut summary.headline);
        summary.next = before_next(goal, left);
        summary.next.push(format!("{next} {}", run.path.display()));
    } else {
        "done".clone_into(&mut summary.headline);
    }
    if goal == Goal::Run {
        summary.instances = super::status::instances(&run.flow.prober(view)).await;
    }
    away.finish(run, summary).await
}

/// Asks whether to go on, takes the cluster's lock, and writes the inventory.
async fn admitted(global: &Global, run: &Run, edit: Option<&Edit>) -> Result<Guard, Failure> {
    if !confirmed(global, run).await? {
        return Err(Failure {
            kind: Kind::Usage,
            problems: Vec::new(),
        });
    }
    let lock = run.lock(global).await?;
    if let Some(Err(failure)) = edit.map(Edit::write) {
        lock.release().await;
        return Err(failure);
    }
    Ok(lock)
}

/// Ends a run that has nothing to do, but for a proof that an earlier one owes.
async fn unchanged(run: Run, plan: Plan, (goal, away): (Goal, Away)) -> Result<(), Failure> {
    let things = format!("{} things are as they should be", plan.unchanged);
    let mut summary = RunSummary {
        headline: format!("no change: {things}"),
        ..RunSummary::default()
    };
    if goal == Goal::Deploy && run.proof().is_owed() {
        let why = "what was changed last was not proved to work: that is done now";
        run.events.warn(why, None);
        match proved(&run, (&plan.view, goal), &away).await {
            Ok(instances) => summary.instances = instances,
            Err((failure, _)) => {
                let headline = "no change, but it does not do all that it should";
                return Err(run.end(Some(failure), headline).await);
            }
        }
        if !run.proof().is_owed() {
            summary.headline = format!("no change, and verified: {things}");
        }
    }
    away.finish(run, summary).await
}

/// What the services say of a plan's restarts. Who wants all stopped knows that nothing is served by then.
async fn outage(
    global: &Global,
    run: &Run,
    (plan, facts): (&Plan, &Facts),
    goal: Goal,
) -> Result<Vec<Problem>, Failure> {
    if goal == Goal::Rest {
        return Ok(Vec::new());
    }
    let asks = !global.yes && report::can_ask();
    run.flow.outage(plan, facts, asks).await
}

/// A plan as people read it, with the lines of the inventory that go with it.
fn told(edit: Option<&Edit>, plan: &str) -> String {
    let before = |edit: &Edit| format!("{}\n{}\n", edit.path.display(), edit.shown);
    format!("{}{plan}", edit.map(before).unwrap_or_default())
}

/// What is left to be done, and how.
fn before_next(goal: Goal, left: Vec<Problem>) -> Vec<String> {
    if goal == Goal::Back {
        let again = "put the inventory right first: `sdtd deploy` does again what it says";
        return vec![again.to_owned()];
    }
    let line = |left: Problem| match left.help {
        Some(help) => format!("{}; {help}", left.cause),
        None => left.cause,
    };
    left.into_iter().map(line).collect()
}

/// Why some hosts were left as they are.
struct Away {
    /// Of the inventory's.
    hosts: Vec<Problem>,
    /// Of those that it no longer names.
    lost: Vec<Problem>,
}

impl Away {
    fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.lost.is_empty()
    }

    fn all(self) -> Vec<Problem> {
        self.hosts.into_iter().chain(self.lost).collect()
    }

    /// Ends a run that did all it could: whoever was out of reach is named, and decides how it ends.
    async fn finish(self, run: Run, mut summary: RunSummary) -> Result<(), Failure> {
        if self.is_empty() {
            run.finish(summary).await;
            return Ok(());
        }
        let count = report::count(self.hosts.len() + self.lost.len(), "host");
        let headline = format!(
            "{count} out of reach, left as is; the others: {}",
            summary.headline
        );
        summary.exit = Kind::Unreachable.code();
        summary.headline = headline;
        let again = (!self.hosts.is_empty())
            .then_some("run the same command again once all can be reached");
        summary.next = again.into_iter().map(str::to_owned).collect();
        summary.problems = self.all();
        run.finish(summary).await;
        Err(Failure {
            kind: Kind::Unreachable,
            problems: Vec::new(),
        })
    }
}

/// Proves what was deployed. Where hosts are out of reach it need not do all that it should, and the proof is owed.
async fn proved(
    run: &Run,
    what: (&View, Goal),
    away: &Away,
) -> Result<Vec<InstanceSummary>, (Failure, &'static str)> {
    match prove(run, what).await {
        Ok(instances) => {
            run.proof().given();
            Ok(instances)
        }
        Err((failure, _)) if failure.kind == Kind::Unverified && !away.is_empty() => Ok(Vec::new()),
        Err(failed) => Err(failed),
    }
}

/// Verifies what was deployed, and plans again meanwhile: the new plan must be empty. Answers with the
/// instances, which are looked at meanwhile too.
async fn prove(
    run: &Run,
    (view, goal): (&View, Goal),
) -> Result<Vec<InstanceSummary>, (Failure, &'static str)> {
    run.events.phase("verify");
    let prober = run.flow.prober(view.clone());
    let verified = super::verify::verify(&prober, &run.events);
    let instances = super::status::instances(&prober);
    let (good, left, instances) = tokio::join!(verified, not_settled(run, goal), instances);
    if !good {
        let failure = Failure {
            kind: Kind::Unverified,
            problems: Vec::new(),
        };
        return Err((failure, "deployed, but it does not do all that it should"));
    }
    let unstable = "deployed and verified, but it does not stay so";
    match left {
        Ok(None) => Ok(instances),
        Ok(Some(left)) => {
            let text = show(&left, Detail::Usual);
            let problem = Problem::new(format!("a second plan is not empty:\n{text}"))
                .help("something changes what sdtd writes; `sdtd plan` shows it again");
            Err((Failure::new(Kind::Failed, problem), unstable))
        }
        Err(failure) => Err((failure, unstable)),
    }
}

/// Plans again; whether anything is left to do.
async fn not_settled(run: &Run, goal: Goal) -> Result<Option<Plan>, Failure> {
    if goal == Goal::Back {
        return Ok(None);
    }
    let mut flow = run.flow.quietly();
    flow.anew.clear();
    flow.replace = None;
    flow.deep = false;
    (flow.rebalance, flow.cancel) = (false, false);
    let again = flow.plan(false).await?;
    Ok((!again.plan.is_empty()).then_some(again.plan))
}

/// Whether to go on: asked on a terminal, needed as `--yes` elsewhere.
///
/// # Errors
/// When nobody is there to answer.
pub async fn confirmed(global: &Global, run: &Run) -> Result<bool, Failure> {
    if global.yes {
        return Ok(true);
    }
    run.events.flush().await;
    if !report::can_ask() {
        let problem = Problem::new("nobody is there to say yes to this plan");
        return Err(Failure::new(
            Kind::Usage,
            problem.help("add `--yes` to go on without being asked"),
        ));
    }
    let ask = || report::ask_yes("Go on?");
    run.screen
        .suspend(ask)
        .map_err(|e| Failure::of(Kind::Usage, e.to_string()))
}

async fn end_badly(run: Run, applied: Report, away: Away) -> Failure {
    let (kind, headline) = if applied.interrupted {
        (
            Kind::Interrupted,
            "interrupted; what was begun was finished",
        )
    } else if away.is_empty() && applied.lost.is_empty() {
        (Kind::Failed, "not everything was done")
    } else {
        (
            Kind::Unreachable,
            "not everything was done: hosts are out of reach",
        )
    };
    let summary = RunSummary {
        exit: kind.code(),
        headline: headline.to_owned(),
        hosts: hosts(&applied),
        next: vec!["run the same command again: it goes on from here".to_owned()],
        problems: applied.general.into_iter().chain(away.all()).collect(),
        ..RunSummary::default()
    };
    run.finish(summary).await;
    Failure {
        kind,
        problems: Vec::new(),
    }
}

fn hosts(applied: &Report) -> Vec<HostSummary> {
    let mut hosts: BTreeMap<_, HostSummary> = BTreeMap::new();
    let empty = |host: &crate::id::HostName| HostSummary {
        host: host.clone(),
        changed: 0,
        failed: Vec::new(),
    };
    for (host, changed) in &applied.changed {
        hosts
            .entry(host.clone())
            .or_insert_with(|| empty(host))
            .changed += changed;
    }
    for (host, failed) in &applied.failed {
        hosts
            .entry(host.clone())
            .or_insert_with(|| empty(host))
            .failed
            .extend(failed.clone());
    }
    hosts.into_values().collect()
}
