//! One batch on one host: its packages are sent, then its steps are done as one script.

use std::time::Instant;

use crate::event::{EventKind, Outcome, Problem};
use crate::exec::Executor;
use crate::plan::{Batch, Step, Wave};
use crate::transport::{Remote, RemoteError, Shipment, StepAnswer};

impl Executor {
    /// Does a batch. The answer is how many steps changed something.
    ///
    /// # Errors
    /// What failed, with what the host said.
    pub(super) async fn batch(&self, wave: &Wave, batch: &Batch) -> Result<usize, Problem> {
        let host = &batch.host;
        let (Some(remote), Some(places)) = (self.prober.fleet.get(host), self.places.get(host))
        else {
            return Err(Problem::new(format!("{host} is not connected")));
        };
        self.events.emit(EventKind::BatchStarted {
            wave: wave.title.clone(),
            host: host.clone(),
            steps: batch.steps.len(),
        });
        for step in &batch.steps {
            self.ship(batch, step, remote).await?;
        }
        let mut began = Instant::now();
        let mut changed = 0;
        let mut failed = None;
        let mut tell = |number: usize, answer: StepAnswer| {
            let Some(step) = number.checked_sub(1).and_then(|n| batch.steps.get(n)) else {
                return;
            };
            let outcome = match answer {
                StepAnswer::Changed => Outcome::Changed,
                StepAnswer::Ok => Outcome::ok(),
                StepAnswer::Stale(lines) => Outcome::Failed {
                    error: stale(batch, step, lines),
                },
                StepAnswer::Failed(lines) => Outcome::Failed {
                    error: refused(batch, step, lines),
                },
            };
            changed += usize::from(outcome == Outcome::Changed);
            if let Outcome::Failed { error } = &outcome {
                failed = Some(error.clone());
            }
            self.events.emit(EventKind::StepFinished {
                wave: wave.title.clone(),
                host: host.clone(),
                step: step.to_string(),
                outcome,
                took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
            began = Instant::now();
        };
        let done = remote.apply(places, (1, &batch.steps), &mut tell).await;
        done.map_err(|error| lost(batch, &error))?;
        failed.map_or(Ok(changed), Err)
    }

    /// Sends the package of a step, where it has one.
    async fn ship(&self, batch: &Batch, step: &Step, remote: &Remote) -> Result<(), Problem> {
        let Step::Package {
            name,
            version,
            sha256,
            size,
            ..
        } = step
        else {
            return Ok(());
        };
        let what = format!("{name} {version}");
        let Some(file) = self.packages.get(sha256) else {
            return Err(Problem::new(format!(
                "the package {what} was not fetched to this machine"
            )));
        };
        let places = &self.places[&batch.host];
        let tell = |done: u64| {
            self.events.emit(EventKind::Transfer {
                host: batch.host.clone(),
                what: what.clone(),
                done,
                total: *size,
            });
        };
        let shipment = Shipment {
            file,
            sha256,
            size: *size,
        };
        let sent = remote.send(places, shipment, &tell).await;
        sent.map(|_| ()).map_err(|error| lost(batch, &error))
    }
}

fn stale(batch: &Batch, step: &Step, log: Vec<String>) -> Problem {
    let cause = format!(
        "{}: {step}: the host is no longer as the plan found it",
        batch.host
    );
    Problem {
        cause,
        log,
        help: Some("run the same command again: it plans anew".to_owned()),
    }
}

fn refused(batch: &Batch, step: &Step, log: Vec<String>) -> Problem {
    let why = log
        .last()
        .map(|line| format!(": {line}"))
        .unwrap_or_default();
    Problem {
        cause: format!("{}: {step} failed{why}", batch.host),
        log,
        help: None,
    }
}

fn lost(batch: &Batch, error: &RemoteError) -> Problem {
    let problem = Problem::new(format!("{}: {error}", batch.host));
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}
