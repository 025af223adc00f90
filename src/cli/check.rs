//! `sdtd check`: whether the hosts can take the cluster, looked at before anything changes.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::deploy::{Goal, carry_out};
use super::setup::{self, Missing};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::SCHEMA;
use crate::flow::{Planned, plan_failure};
use crate::id::HostName;
use crate::plan::check::{Check, Verdict, alike};
use crate::plan::mend::mend;
use crate::plan::packages::Packages;
use crate::plan::planner;
use crate::report::{Mark, Out, Secrets};
use crate::transport::RemoteError;

/// The words of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// Put right what is safe to: shown as a plan, with the way back, and asked for.
    #[arg(long)]
    apply: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    cluster: String,
    verdict: Verdict,
    checks: &'a [Check],
    unreachable: Vec<String>,
}

/// Runs `sdtd check`.
///
/// # Errors
/// 1 when a check failed, 3 when a host can't be reached.
pub async fn run(global: &Global, args: &CheckArgs) -> Result<(), Failure> {
    let found = look(global, args).await?;
    if !args.apply || !found.can_mend {
        return found.result;
    }
    apply(global, args).await?;
    // What was put right is looked at again, and what could not be decides how it ends.
    look(global, args).await?.result
}

/// What came of looking at the hosts.
struct Found {
    /// Whether sdtd can put any of it right.
    can_mend: bool,
    /// How it ends.
    result: Result<(), Failure>,
}

async fn look(global: &Global, args: &CheckArgs) -> Result<Found, Failure> {
    let mut run = setup::look(global, &args.inventory, "check").await?;
    let (facts, failed) = run.flow.ask_facts().await;
    let packages = Packages::new();
    let checks = planner::checks(run.flow.input(&facts, &packages, &[])).map_err(plan_failure);
    let cluster = run.flow.cluster.name.to_string();
    run.close().await;
    let checks = checks?;
    let verdict = checks.iter().map(|check| check.verdict).max();
    let document = Document {
        v: SCHEMA,
        cluster,
        verdict: verdict.unwrap_or(Verdict::Pass),
        checks: &checks,
        unreachable: failed.iter().map(|(host, _)| host.to_string()).collect(),
    };
    tell(global, args.apply, &document).map_err(|e| Failure::of(Kind::Failed, e.to_string()))?;
    Ok(Found {
        can_mend: checks.iter().any(|check| check.mend.is_some()),
        result: result(global, document.verdict, &failed),
    })
}

fn result(
    global: &Global,
    verdict: Verdict,
    failed: &[(HostName, RemoteError)],
) -> Result<(), Failure> {
    setup::all_reached(global, failed)?;
    let bad = Failure {
        kind: Kind::Failed,
        problems: Vec::new(),
    };
    if verdict == Verdict::Fail {
        Err(bad)
    } else {
        Ok(())
    }
}

/// Plans what can be put right, and does it the way of every other change.
async fn apply(global: &Global, args: &CheckArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let mut run = setup::begin(global, opened, "check --apply", Missing::OutOfReach).await?;
    let (facts, missing) = match run.flow.facts_within_reach().await {
        Ok(found) => found,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    let plan = {
        let packages = Packages::new();
        let input = run.flow.input(&facts, &packages, &[]);
        planner::checks(input).map(|checks| mend(input, &checks))
    };
    let plan = match plan.map_err(plan_failure) {
        Ok(plan) => plan,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    let planned = Planned {
        plan,
        files: BTreeMap::new(),
        facts,
        missing,
        lost: Vec::new(),
    };
    carry_out(global, run, planned, (Goal::Rest, None)).await
}

/// A line for each check, all hosts that pass together; what warns or fails by itself, with what to do.
fn tell(global: &Global, apply: bool, document: &Document<'_>) -> std::io::Result<()> {
    let mut out = Out::stdout(Secrets::default());
    if global.json {
        return out.json(document);
    }
    let mut kinds: Vec<&str> = Vec::new();
    for check in document.checks {
        if !kinds.contains(&check.what) {
            kinds.push(check.what);
        }
    }
    let width = kinds.iter().map(|what| what.len()).max().unwrap_or(0);
    for what in kinds {
        let of_kind = || document.checks.iter().filter(|check| check.what == what);
        let passed: Vec<&Check> = of_kind().filter(|c| c.verdict == Verdict::Pass).collect();
        if !passed.is_empty() {
            let mut hosts: Vec<&str> = passed.iter().map(|c| c.host.as_str()).collect();
            hosts.dedup();
            out.marked(Mark::Done, what, width, &hosts.join(", "))?;
            for check in passed.iter().filter(|_| global.verbose) {
                out.line(&format!("    {}: {}", check.host, check.found))?;
            }
        }
        for (hosts, check) in alike(of_kind().filter(|c| c.verdict != Verdict::Pass)) {
            let found = format!("{hosts}: {}", check.found);
            let mark = match check.verdict {
                Verdict::Fail => Mark::Failed,
                _ => Mark::Warning,
            };
            out.marked(mark, what, width, &found)?;
            if let Some(help) = &check.help {
                out.line(&format!("    help: {help}"))?;
            }
            if apply && check.mend.is_none() {
                out.line("    sdtd leaves it to you")?;
            }
        }
    }
    Ok(())
}
