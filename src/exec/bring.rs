//! Packages of a host's distribution that the host can't get itself: fetched to this machine, and sent.

use std::time::Duration;

use crate::artifact::apt::{ASK, System};
use crate::artifact::{Artifact, Progress};
use crate::event::{EventKind, Problem};
use crate::exec::Executor;
use crate::exec::Undone;
use crate::exec::batch::undone;
use crate::plan::{Batch, Step};
use crate::transport::{Remote, Shipment};

/// The longest that a host may take to tell what it has.
const WITHIN: Duration = Duration::from_secs(60);

impl Executor {
    /// Fetches what the host could not get for its step number `n`, counted from 0.
    ///
    /// # Errors
    /// When this machine can't get it either; `refused` is what the host said.
    pub(super) async fn bring(
        &self,
        batch: &Batch,
        n: usize,
        remote: &Remote,
        refused: Problem,
    ) -> Result<Artifact, Undone> {
        let Some(Step::Distribution { package, .. }) = batch.steps.get(n) else {
            return Err(refused.into());
        };
        let mut lines = Vec::new();
        let mut take = |line: &str| lines.push(line.to_owned());
        let asked = remote.command(ASK, WITHIN, &mut take).await;
        asked.map_err(|error| undone(&batch.host.to_string(), &error))?;
        let what = format!("{package} for {}", batch.host);
        let tell = |progress: Progress| {
            let (doing, done, total) = progress.parts();
            self.events.emit(EventKind::Package {
                package: what.clone(),
                doing,
                done,
                total,
            });
        };
        let found = match System::read(&lines) {
            Ok(system) => self.shelf.from_distribution(package, &system, &tell).await,
            Err(why) => return Err(neither(refused, &why).into()),
        };
        let artifact = found.map_err(|error| neither(refused, &error.to_string()))?;
        self.events.emit(EventKind::PackageReady {
            package: what.clone(),
            origin: artifact.origin.clone(),
            size: artifact.size,
        });
        Ok(artifact)
    }

    /// Sends what was fetched, and says so in the step.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(super) async fn send_brought(
        &self,
        batch: &Batch,
        step: &mut Step,
        artifact: &Artifact,
        remote: &Remote,
    ) -> Result<(), Undone> {
        let Step::Distribution {
            package, brought, ..
        } = step
        else {
            return Ok(());
        };
        *brought = Some(artifact.sha256.clone());
        let shipment = Shipment {
            file: &artifact.path,
            sha256: &artifact.sha256,
            size: artifact.size,
        };
        self.send(batch, package, shipment, remote).await
    }
}

/// Neither the host nor this machine could get it.
fn neither(refused: Problem, why: &str) -> Problem {
    let cause = format!("{}; nor can this machine bring it: {why}", refused.cause);
    let help = "let the service come from elsewhere (its `source:`), or name a file of your own as `package:`";
    Problem { cause, ..refused }.help(help)
}
