//! `sdtd rollback`: each host has again what it had before its last change.

use clap::Args;

use super::deploy::{Goal, carry_out};
use super::history::TimingsArg;
use super::roll::RollArgs;
use super::setup::{self, Missing, Run};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::flow::{Planned, plan_failure};
use crate::plan::packages::Packages;
use crate::plan::{Input, planner};

/// The words of `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    #[command(flatten)]
    roll: RollArgs,
    #[command(flatten)]
    timings: TimingsArg,
}

/// Runs `sdtd rollback`.
///
/// # Errors
/// As the exit codes tell; when nothing is known of an earlier state.
pub async fn run(global: &Global, args: &RollbackArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let mut run = setup::begin(global, opened, "rollback", Missing::Fatal).await?;
    args.roll.give(&mut run.flow);
    let log = run.log();
    let done = planned(global, run).await;
    args.timings.after(global, &log, done)
}

const NO_PLAN: &str = "there is no plan; nothing was changed";

/// Plans from what the hosts keep, not from the inventory: that has often been changed by now.
async fn planned(global: &Global, mut run: Run) -> Result<(), Failure> {
    run.flow.back = true;
    let facts = match run.flow.facts().await {
        Ok(facts) => facts,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    let plan = match run.flow.live(&facts).await {
        Ok(live) => {
            let (packages, resources) = (Packages::new(), Vec::new());
            let input = run.flow.input(&facts, &packages, &resources);
            planner::plan(Input {
                live: &live,
                ..input
            })
        }
        Err(failure) => return Err(run.end(Some(failure), NO_PLAN).await),
    };
    let plan = match plan {
        Ok(plan) if plan.is_empty() => {
            let problem = Problem::new(
                "no host knows of an earlier state: nothing was changed since the first deploy",
            );
            let failure = Failure::new(
                Kind::Refused,
                problem.help("`sdtd history` lists what was done from this machine"),
            );
            return Err(run.end(Some(failure), "nothing was changed").await);
        }
        Ok(plan) => plan,
        Err(error) => {
            let failure = plan_failure(error);
            return Err(run.end(Some(failure), NO_PLAN).await);
        }
    };
    let planned = Planned::of(plan, facts);
    carry_out(global, run, planned, (Goal::Back, None)).await
}
