//! `sdtd disconnect`: ends the connections that runs have kept.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Global, InventoryArg, setup, sockets};
use crate::error::{Failure, Kind};
use crate::flow::ssh_options;
use crate::transport::Kept;

/// The words of `disconnect`.
#[derive(Debug, Args)]
pub struct DisconnectArgs {
    /// End those to this inventory's hosts only; all if not given.
    inventory: Option<PathBuf>,
}

/// Runs `sdtd disconnect`.
///
/// # Errors
/// When the inventory is wrong, or the folder of connections can't be read.
pub async fn run(global: &Global, args: &DisconnectArgs) -> Result<(), Failure> {
    let names = match &args.inventory {
        Some(_) => Some(names(global, args.inventory.clone())?),
        None => None,
    };
    let folder = sockets::kept();
    let ended = if folder.exists() {
        let ended = async { Kept::open(&folder)?.end(names.as_deref()).await };
        ended
            .await
            .map_err(|e| Failure::of(Kind::Failed, format!("{}: {e}", folder.display())))?
    } else {
        0
    };
    super::print(&match ended {
        _ if global.json => json!({ "ended": ended }).to_string(),
        0 => "no connection was kept".to_owned(),
        1 => "1 connection ended".to_owned(),
        n => format!("{n} connections ended"),
    })
}

/// The names of the connections to an inventory's hosts.
fn names(global: &Global, inventory: Option<PathBuf>) -> Result<Vec<String>, Failure> {
    let opened = setup::open(global, &InventoryArg { inventory })?;
    let hosts = opened.loaded.cluster.hosts.values();
    let options = hosts.filter_map(|host| ssh_options(host, global.accept_new));
    Ok(options.map(|options| options.name()).collect())
}
