//! `sdtd replace`: a board or a card is dead, and what was there comes back under the same numbers.

use clap::Args;

use super::edit;
use super::history::TimingsArg;
use super::scale::MovingArgs;
use super::setup::{self, Missing};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::HostName;

/// The words of `replace`.
#[derive(Debug, Args)]
pub struct ReplaceArgs {
    /// The host whose board, card or disk was replaced. What it lost starts empty, where the others hold all of it.
    host: HostName,
    #[command(flatten)]
    inventory: InventoryArg,
    #[command(flatten)]
    moving: MovingArgs,
    #[command(flatten)]
    timings: TimingsArg,
}

/// Runs `sdtd replace`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &ReplaceArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    if !opened.loaded.cluster.hosts.contains_key(&args.host) {
        let names: Vec<&str> = opened
            .loaded
            .cluster
            .hosts
            .keys()
            .map(HostName::as_str)
            .collect();
        let cause = format!("there is no host `{}` in the inventory", args.host);
        let help = format!("it has {}", names.join(", "));
        return Err(Failure::new(Kind::Usage, Problem::new(cause).help(help)));
    }
    let mut run = setup::begin(global, opened, "replace", Missing::OutOfReach).await?;
    run.flow.replace = Some(args.host.clone());
    run.flow.throttle = args.moving.limit();
    let log = run.log();
    let done = edit::bring_about(global, run, None).await;
    args.timings.after(global, &log, done)
}
