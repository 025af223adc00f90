//! `sdtd upgrade`: another version of a service, written into the user's inventory and brought about by a roll;
//! and its end, after which there is no way back.

use std::path::PathBuf;

use clap::Args;

use super::edit;
use super::history::TimingsArg;
use super::roll::RollArgs;
use super::setup::{self, Missing};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::ServiceName;
use crate::inventory::edit::set_scalar;

/// The words of `upgrade`.
#[derive(Debug, Args)]
#[command(
    override_usage = "sdtd upgrade [OPTIONS] <SERVICE> <VERSION> [INVENTORY]\n       \
                            sdtd upgrade [OPTIONS] <SERVICE> --finalize [INVENTORY]"
)]
pub struct UpgradeArgs {
    /// The service.
    service: ServiceName,
    /// The version it shall have; the one before, as long as the new one is not finalized.
    #[arg(required_unless_present = "finalize")]
    version: Option<String>,
    /// The inventory; else $SDTD_INVENTORY, ./inventory.yaml, or the one last deployed.
    inventory: Option<PathBuf>,
    /// Have the members do what only the new version can. There is no way back from it.
    #[arg(long)]
    finalize: bool,
    #[command(flatten)]
    roll: RollArgs,
    #[command(flatten)]
    timings: TimingsArg,
}

/// What is asked for.
enum Aim {
    /// This version.
    Version(String),
    /// The end of the change to the version that there is.
    Finalized,
}

/// Runs `sdtd upgrade`.
///
/// # Errors
/// As the exit codes tell; nothing is written unless it is agreed to.
pub async fn run(global: &Global, args: &UpgradeArgs) -> Result<(), Failure> {
    let (aim, inventory) = asked(args)?;
    let (opened, edit) = edit::open(global, &InventoryArg { inventory }, |_, text| match &aim {
        Aim::Version(version) => edited(text, args.service.as_str(), version),
        Aim::Finalized => Ok(text.to_owned()),
    })?;
    if !opened.loaded.cluster.services.contains_key(&args.service) {
        let cause = format!("the cluster has no service `{}`", args.service);
        return Err(Failure::of(Kind::Usage, cause));
    }
    let mut run = setup::begin(global, opened, "upgrade", Missing::Fatal).await?;
    if let Aim::Finalized = aim {
        run.flow.finalize.insert(args.service.clone());
    }
    args.roll.give(&mut run.flow);
    let log = run.log();
    let done = edit::bring_about(global, run, edit).await;
    args.timings.after(global, &log, done)
}

/// What is asked for, and of which inventory: the end of a change takes no version.
fn asked(args: &UpgradeArgs) -> Result<(Aim, Option<PathBuf>), Failure> {
    match (&args.version, &args.inventory, args.finalize) {
        (Some(_), Some(_), true) => Err(Failure::new(
            Kind::Usage,
            Problem::new("a version can't be reached and finalized at once")
                .help("go to it first, and finalize it once all is well"),
        )),
        (first, second, true) => {
            let inventory = first.as_ref().map(PathBuf::from);
            Ok((Aim::Finalized, inventory.or_else(|| second.clone())))
        }
        (Some(version), inventory, false) => Ok((Aim::Version(version.clone()), inventory.clone())),
        (None, ..) => Err(Failure::of(Kind::Usage, "which version?".to_owned())),
    }
}

/// The inventory's text with a service's version in it.
fn edited(text: &str, service: &str, version: &str) -> Result<String, Failure> {
    set_scalar(text, &["services", service, "version"], version).map_err(|error| {
        let help = format!(
            "write `services: {{ {service}: {{ version: {version} }} }}`; then `sdtd deploy` does the same"
        );
        Failure::new(Kind::Usage, Problem::new(error.to_string()).help(help))
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::cli::{Cli, Command};

    fn words(words: &str) -> Result<(Option<String>, Option<PathBuf>), Failure> {
        let all = format!("sdtd upgrade {words}");
        let cli = Cli::try_parse_from(all.split(' ')).expect("known words");
        let Command::Upgrade(args) = cli.command else {
            panic!("another command");
        };
        asked(&args).map(|(aim, inventory)| match aim {
            Aim::Version(version) => (Some(version), inventory),
            Aim::Finalized => (None, inventory),
        })
    }

    #[test]
    fn a_version_or_the_end_of_a_change_is_asked_for_and_never_both() {
        let file = || Some(PathBuf::from("my.yaml"));
        let version = || Some("3.9".to_owned());
        assert_eq!(words("db 3.9").unwrap(), (version(), None));
        assert_eq!(words("db 3.9 my.yaml").unwrap(), (version(), file()));
        assert_eq!(words("db --finalize").unwrap(), (None, None));
        assert_eq!(words("db --finalize my.yaml").unwrap(), (None, file()));
        assert_eq!(words("db my.yaml --finalize").unwrap(), (None, file()));
        assert!(words("db 3.9 my.yaml --finalize").is_err());
        assert!(Cli::try_parse_from(["sdtd", "upgrade", "db"]).is_err());
        Cli::command().debug_assert();
    }

    #[test]
    fn the_version_is_written_where_there_is_none_yet() {
        let text = "services: { db: { nodes: 3 } }\n";
        let edited = edited(text, "db", "3.9.1").unwrap();
        assert_eq!(edited, "services: { db: { version: 3.9.1, nodes: 3 } }\n");
    }
}
