//! `sdtd destroy`: takes the cluster off the hosts.

use clap::Args;

use super::deploy::{Goal, carry_out};
use super::setup::{self, Missing, Run};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::{EventKind, Problem};
use crate::flow::{Facts, Planned};
use crate::id::HostName;
use crate::plan::goals;
use crate::plan::packages::Packages;
use crate::plan::show::{Detail, show};
use crate::report;

/// The words of `destroy`.
#[derive(Debug, Args)]
pub struct DestroyArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// Leave the data where they are, and the record of what they belong to.
    #[arg(long)]
    keep_data: bool,
}

/// Runs `sdtd destroy`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &DestroyArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let mut run = setup::begin(global, opened, "destroy", Missing::Fatal).await?;
    let facts = match run.flow.facts().await {
        Ok(facts) => facts,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    tell_leaving(&run, &facts);
    let plan = {
        let (packages, resources) = (Packages::new(), Vec::new());
        goals::destroy(
            run.flow.input(&facts, &packages, &resources),
            args.keep_data,
        )
    };
    let mut planned = Planned::of(plan, facts);
    planned.lost = run.flow.told_lost();
    if planned.plan.is_empty() || global.yes {
        return carry_out(global, run, planned, (Goal::Rest, None)).await;
    }
    run.events.emit(EventKind::Planned {
        text: show(&planned.plan, Detail::Usual),
        steps: planned.plan.steps(),
        unchanged: 0,
    });
    let asked = (
        "nobody is there to confirm that this cluster is to be gone",
        "All of the above will be deleted.",
    );
    if let Err(failure) = by_name(&run, asked) {
        return Err(run.end(Some(failure), "nothing was changed").await);
    }
    carry_out(
        &Global {
            yes: true,
            ..global.clone()
        },
        run,
        planned,
        (Goal::Rest, None),
    )
    .await
}

/// Asks for the cluster's name to be typed, for what can't be undone. `nobody`: what is wrong where nobody can be
/// asked; `what`: what is about to happen.
///
/// # Errors
/// When another is typed, or nobody is there to be asked.
pub(super) fn by_name(run: &Run, (nobody, what): (&str, &str)) -> Result<(), Failure> {
    let name = run.flow.cluster.name.to_string();
    if !report::can_ask() {
        let problem = Problem::new(nobody).help("add `--yes` to do it without being asked");
        return Err(Failure::new(Kind::Usage, problem));
    }
    let question = format!("{what} Type the cluster's name to go on ({name}): ");
    let answer = run
        .screen
        .suspend(|| report::ask_line(&question))
        .unwrap_or_default();
    match answer == name {
        true => Ok(()),
        false => Err(Failure {
            kind: Kind::Usage,
            problems: Vec::new(),
        }),
    }
}

/// Says which hosts are cleaned that the inventory no longer names, and what stays on those that nothing but a
/// name is known of, or that are not the cluster's by now.
fn tell_leaving(run: &Run, facts: &Facts) {
    let flow = &run.flow;
    for (host, words) in flow.cluster.leaving() {
        let address = &words.address;
        let text = format!("{host} ({address}) is no longer in the inventory: it is cleaned too");
        run.events.warn(text, None);
    }
    let mut placement = flow.placement(facts);
    let lost = |host: &HostName| flow.lost.iter().any(|(name, _)| name == host);
    placement
        .removed
        .retain(|host, _| !flow.cluster.hosts.contains_key(host) && !lost(host));
    for what in placement.told_removed() {
        let help =
            "put it back into the inventory and run the same command again to clean it up too";
        run.events.warn(format!("{what}, which stay"), Some(help));
    }
}
