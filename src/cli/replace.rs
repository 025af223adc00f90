//! `sdtd replace`: a board or a card is dead, and what was there comes back under the same numbers: on the host that
//! has its name by now, or on another one.

use clap::Args;

use super::edit::{self, Edit};
use super::history::TimingsArg;
use super::scale::MovingArgs;
use super::setup::{self, Missing, Opened};
use super::{Global, InventoryArg};
use crate::catalogue::Catalogue;
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::HostName;
use crate::inventory::Successor;
use crate::inventory::successor::succeed;

/// The words of `replace`.
#[derive(Debug, Args)]
pub struct ReplaceArgs {
    /// The host whose board, card or disk was replaced, or is dead. What it lost starts empty, where the others hold all of it.
    host: HostName,
    /// Another host of the inventory that takes its place, with the same numbers.
    #[arg(long, value_name = "HOST")]
    with: Option<HostName>,
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
/// As the exit codes tell; nothing is written unless it is agreed to.
pub async fn run(global: &Global, args: &ReplaceArgs) -> Result<(), Failure> {
    let (opened, edit) = match &args.with {
        None => (setup::open(global, &args.inventory)?, None),
        Some(by) => succeeded(global, args, by)?,
    };
    if args.with.is_none() {
        known(&opened, &args.host, "")?;
    }
    let mut run = setup::begin(global, opened, "replace", Missing::OutOfReach).await?;
    match &args.with {
        None => run.flow.replace = Some(args.host.clone()),
        Some(by) => {
            let (by, gone) = (by.clone(), false);
            let successor = Successor { by, gone };
            let replaced = &mut run.flow.cluster.replaced;
            replaced.insert(args.host.clone(), successor);
        }
    }
    run.flow.throttle = args.moving.limit();
    let log = run.log();
    let done = edit::bring_about(global, run, edit).await;
    args.timings.after(global, &log, done)
}

/// The inventory in which another host has the place.
fn succeeded(
    global: &Global,
    args: &ReplaceArgs,
    by: &HostName,
) -> Result<(Opened, Option<Edit>), Failure> {
    if by == &args.host {
        let cause = format!("{by} can't take its own place");
        let help = format!("`sdtd replace {by}` brings it back under its own name");
        return Err(Failure::new(Kind::Usage, Problem::new(cause).help(help)));
    }
    let before = setup::open(global, &args.inventory)?;
    known(
        &before,
        by,
        &format!("; add it there, such as `{by}: ADDRESS`, and run the same command again"),
    )?;
    let change = |catalogue: &Catalogue, text: &str| {
        let lists = |service: &str, key: &str| key == "on" || counts(catalogue, service, key);
        let names = (args.host.as_str(), by.as_str());
        succeed(text, names, &lists).map_err(|error| {
            let help = format!(
                "take {} out of the inventory yourself, and run the same command again",
                args.host
            );
            Failure::new(Kind::Usage, Problem::new(error.to_string()).help(help))
        })
    };
    edit::open(global, &args.inventory, change)
}

/// Whether a word of a service says how many members a role has, or where they are.
fn counts(catalogue: &Catalogue, service: &str, key: &str) -> bool {
    let folder = catalogue.iter().find(|(name, _)| name.as_str() == service);
    let mut roles = folder
        .into_iter()
        .flat_map(|(_, folder)| folder.descriptor.roles.values());
    roles.any(|role| role.count.key() == Some(key))
}

/// Whether the inventory has a host.
fn known(opened: &Opened, host: &HostName, more: &str) -> Result<(), Failure> {
    let hosts = &opened.loaded.cluster.hosts;
    if hosts.contains_key(host) {
        return Ok(());
    }
    let names: Vec<&str> = hosts.keys().map(HostName::as_str).collect();
    let cause = format!("there is no host `{host}` in the inventory");
    let help = format!("`hosts:` has {}{more}", names.join(", "));
    Err(Failure::new(Kind::Usage, Problem::new(cause).help(help)))
}
