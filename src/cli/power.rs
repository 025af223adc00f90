//! `sdtd start`, `stop` and `restart`.

use clap::Args;

use super::deploy::{Goal, carry_out};
use super::history::TimingsArg;
use super::roll::RollArgs;
use super::setup::{self, Missing, Run};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::flow::{Planned, plan_failure};
use crate::plan::goals::{self, Selection};
use crate::plan::packages::Packages;
use crate::plan::{Input, Plan, PlanError, roll};

/// The words of `start`, `stop` and `restart`.
#[derive(Debug, Args)]
pub struct PowerArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// Only these: a service, `service.role`, `service.role@host`, or a host (may be repeated).
    #[arg(long, value_name = "WHAT")]
    only: Vec<String>,
    #[command(flatten)]
    timings: TimingsArg,
}

/// The words of `restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    #[command(flatten)]
    power: PowerArgs,
    #[command(flatten)]
    roll: RollArgs,
}

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Start.
    Start,
    /// Stop.
    Stop,
    /// Restart.
    Restart,
}

impl Power {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }

    fn goal(self) -> Goal {
        if self == Self::Stop {
            Goal::Rest
        } else {
            Goal::Run
        }
    }

    fn plan(self, input: Input<'_>, selection: &Selection) -> Plan {
        match self {
            Self::Start => goals::start(input, selection),
            Self::Stop => goals::stop(input, selection),
            Self::Restart => goals::restart(input, selection),
        }
    }
}

/// Runs one of the three.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &PowerArgs, power: Power) -> Result<(), Failure> {
    done(global, args, power, &RollArgs::default()).await
}

/// Runs `sdtd restart`.
///
/// # Errors
/// As the exit codes tell.
pub async fn restart(global: &Global, args: &RestartArgs) -> Result<(), Failure> {
    done(global, &args.power, Power::Restart, &args.roll).await
}

async fn done(
    global: &Global,
    args: &PowerArgs,
    power: Power,
    roll: &RollArgs,
) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let mut run = setup::begin(global, opened, power.word(), Missing::Fatal).await?;
    roll.give(&mut run.flow);
    let log = run.log();
    let done = planned(global, args, power, run).await;
    args.timings.after(global, &log, done)
}

async fn planned(
    global: &Global,
    args: &PowerArgs,
    power: Power,
    mut run: Run,
) -> Result<(), Failure> {
    let facts = match run.flow.facts().await {
        Ok(facts) => facts,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    let selection = Selection(args.only.clone());
    let plan = {
        let (packages, resources) = (Packages::new(), Vec::new());
        power.plan(run.flow.input(&facts, &packages, &resources), &selection)
    };
    let taken = |word: &&String| {
        let one = Selection(vec![(*word).clone()]);
        !plan.view.members.iter().any(|m| one.takes(m))
    };
    if let Some(word) = args.only.iter().find(taken) {
        let failure = Failure::of(Kind::Usage, format!("`{word}` is nothing of this cluster"));
        return Err(run.end(Some(failure), "nothing was changed").await);
    }
    let refused = roll::refused(&plan, &run.flow.catalogue, &run.flow.roll);
    if !refused.is_empty() {
        let failure = plan_failure(PlanError::Refused(refused));
        return Err(run.end(Some(failure), "nothing was changed").await);
    }
    let planned = Planned::of(plan, facts);
    carry_out(global, run, planned, (power.goal(), None)).await
}
