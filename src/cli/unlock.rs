//! `sdtd unlock`: takes the cluster's lock away from a run that is dead.

use clap::Args;

use super::setup::{self, Missing};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::RunSummary;
use crate::lock::{Answer, Ask, Owner, ask_all};

/// The words of `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    #[command(flatten)]
    inventory: InventoryArg,
}

/// Runs `sdtd unlock`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &UnlockArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let run = setup::begin(global, opened, "unlock", Missing::Fatal).await?;
    let places = run.flow.places();
    // Asked as somebody who never was: whoever holds it is named, and nothing is taken.
    let nobody = Owner {
        pid: 0,
        since: 0,
        ..Owner::me("nobody")
    };
    let answers = ask_all(&run.flow.fleet, &places, &Ask::Renew(nobody)).await;
    let mut held = 0;
    for (host, answer) in &answers {
        if let Ok(Answer::Held(Some(owner), age)) = answer {
            held += 1;
            run.events
                .warn(format!("{host} is locked by {}", owner.told(*age)), None);
        }
    }
    let headline = if held == 0 {
        "nobody holds the lock".to_owned()
    } else if super::deploy::confirmed(global, &run).await? {
        ask_all(&run.flow.fleet, &places, &Ask::Break).await;
        "unlocked".to_owned()
    } else {
        let failure = Failure {
            kind: Kind::Usage,
            problems: Vec::new(),
        };
        return Err(run.end(Some(failure), "nothing was changed").await);
    };
    run.finish(RunSummary {
        headline,
        ..RunSummary::default()
    })
    .await;
    Ok(())
}
