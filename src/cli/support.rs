//! `sdtd support`: one file with all that somebody else must see to help, secrets masked.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::setup::{self, Missing};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::SCHEMA;
use crate::report::{Mark, Out, Secrets};
use crate::support::{Given, gather, stamp};

/// The words of `support`.
#[derive(Debug, Args)]
pub struct SupportArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// The file to write; else ./sdtd-support-CLUSTER-DATE.tar.gz.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// So many of the last lines of each service's log.
    #[arg(short = 'n', long, default_value_t = 500, value_name = "N")]
    lines: usize,
}

/// Runs `sdtd support`.
///
/// # Errors
/// When the inventory is wrong or the file can't be written; a host out of reach is only named.
pub async fn run(global: &Global, args: &SupportArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let env = std::env::vars().collect();
    let text = opened.loaded.text.clone();
    let cluster = opened.loaded.cluster.name.to_string();
    let state = opened.dirs.state.join(&cluster);
    let mut run = setup::begin(&global.quietly(), opened, "support", Missing::Tolerated).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |time| time.as_secs());
    let given = Given {
        inventory: &text,
        env: &env,
        state: &state,
        lines: args.lines,
        now,
    };
    let gathered = gather(&mut run.flow, given).await;
    let prober = run.flow.prober(gathered.view);
    let mut bundle = gathered.bundle;
    bundle.json("status.json", &super::status::instances(&prober).await);
    drop(prober);
    run.close().await;
    let usual = || PathBuf::from(format!("sdtd-support-{cluster}-{}.tar.gz", stamp(now)));
    let file = args.out.clone().unwrap_or_else(usual);
    let written = bundle.write(&file);
    written.map_err(|e| Failure::of(Kind::Failed, format!("{}: {e}", file.display())))?;
    tell(global, &file, &gathered.missed).map_err(|e| Failure::of(Kind::Failed, e.to_string()))
}

fn tell(global: &Global, file: &std::path::Path, missed: &[String]) -> std::io::Result<()> {
    let mut out = Out::stdout(Secrets::default());
    if global.json {
        return out.json(&serde_json::json!({ "v": SCHEMA, "file": file, "missed": missed }));
    }
    for one in missed {
        out.marked(Mark::Warning, "not in it:", 0, one)?;
    }
    let note = "secrets are masked; look through it before you give it away";
    out.marked(Mark::Done, &file.display().to_string(), 0, note)
}
