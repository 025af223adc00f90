//! One batch on one host: its packages are sent, then its steps are done as one script.

use std::time::Instant;

use crate::artifact::Artifact;
use crate::event::{EventKind, Outcome, Problem};
use crate::exec::script::Places;
use crate::exec::{Executor, Undone};
use crate::plan::{Batch, Step, Wave};
use crate::transport::{DISK_FULL, Remote, RemoteError, Shipment, StepAnswer, remedy};

impl Executor {
    /// Does a batch. The answer is how many steps changed something; `sent` is told when its packages are
    /// on the host.
    ///
    /// # Errors
    /// What failed, with what the host said.
    pub(super) async fn batch(
        &self,
        wave: &Wave,
        batch: &Batch,
        sent: &(dyn Fn() + Sync),
    ) -> Result<usize, Undone> {
        let host = &batch.host;
        let (Some(remote), Some(places)) = (self.prober.fleet.get(host), self.places.get(host))
        else {
            return Err(Problem::new(format!("{host} is not connected")).into());
        };
        self.events.emit(EventKind::BatchStarted {
            wave: wave.title.clone(),
            host: host.clone(),
            steps: batch.steps.len(),
        });
        let mut teller = Teller::new(self, wave, batch);
        self.attempt(&mut teller, (remote, places), sent).await?;
        if let Some(problem) = teller.bring.take() {
            teller.brought = Some(self.bring(batch, teller.done, remote, problem).await?);
            self.attempt(&mut teller, (remote, places), sent).await?;
        }
        if teller.resend.take().is_some() {
            // What an interrupted run left half sent was no good; from the beginning, once.
            self.attempt(&mut teller, (remote, places), sent).await?;
        }
        let failed = teller.failed.or(teller.resend).or(teller.bring);
        failed.map_or(Ok(teller.changed), |problem| Err(problem.into()))
    }

    /// Sends the packages of the steps that are not done yet, and does these steps.
    async fn attempt(
        &self,
        teller: &mut Teller<'_>,
        (remote, places): (&Remote, &Places),
        sent: &(dyn Fn() + Sync),
    ) -> Result<(), Undone> {
        let batch = teller.batch;
        let first = teller.done;
        let mut steps = batch.steps[first..].to_vec();
        if let (Some(brought), Some(step)) = (&teller.brought, steps.first_mut()) {
            self.send_brought(batch, step, brought, remote).await?;
        }
        for step in &steps {
            self.ship(batch, step, remote).await?;
        }
        sent();
        let done = remote
            .apply(places, (first + 1, &steps), &mut |n, answer| {
                teller.tell(n, answer);
            })
            .await;
        done.map_err(|error| undone(&batch.host.to_string(), &error))
    }

    /// Sends the package of a step, where it has one.
    async fn ship(&self, batch: &Batch, step: &Step, remote: &Remote) -> Result<(), Undone> {
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
            let cause = format!("the package {what} was not fetched to this machine");
            return Err(Problem::new(cause).into());
        };
        let shipment = Shipment {
            file,
            sha256,
            size: *size,
        };
        self.send(batch, &what, shipment, remote).await
    }

    /// Sends a file, and tells how far it is.
    pub(super) async fn send(
        &self,
        batch: &Batch,
        what: &str,
        shipment: Shipment<'_>,
        remote: &Remote,
    ) -> Result<(), Undone> {
        let places = &self.places[&batch.host];
        let fan = self.fan.as_ref();
        let tell = |done: u64| {
            fan.inspect(|fan| fan.note(shipment.sha256, &batch.host, done));
            self.events.emit(EventKind::Transfer {
                host: batch.host.clone(),
                what: what.to_owned(),
                done,
                total: shipment.size,
                from: None,
            });
        };
        let began = fan.map(|fan| fan.now());
        let sent = remote.send(places, shipment, &tell).await;
        if let (Ok(bytes), Some(fan), Some(began)) = (&sent, fan, began) {
            fan.sent(*bytes, began);
            fan.note(shipment.sha256, &batch.host, shipment.size);
        }
        let who = || format!("{}: package {what}", batch.host);
        sent.map(|_| ()).map_err(|error| undone(&who(), &error))
    }
}

/// Tells of each step as it ends, and remembers what came of them.
struct Teller<'a> {
    executor: &'a Executor,
    wave: &'a Wave,
    batch: &'a Batch,
    began: Instant,
    /// Steps that are done.
    done: usize,
    /// Those of them that changed something.
    changed: usize,
    /// What failed.
    failed: Option<Problem>,
    /// What did not arrive as it was sent.
    resend: Option<Problem>,
    /// What the host can't get from its distribution.
    bring: Option<Problem>,
    /// What was fetched instead, for the step that asked for it.
    brought: Option<Artifact>,
}

impl<'a> Teller<'a> {
    fn new(executor: &'a Executor, wave: &'a Wave, batch: &'a Batch) -> Self {
        let began = Instant::now();
        Self {
            executor,
            wave,
            batch,
            began,
            done: 0,
            changed: 0,
            failed: None,
            resend: None,
            bring: None,
            brought: None,
        }
    }

    fn tell(&mut self, number: usize, answer: StepAnswer) {
        let batch = self.batch;
        let Some(step) = number.checked_sub(1).and_then(|n| batch.steps.get(n)) else {
            return;
        };
        let outcome = match answer {
            StepAnswer::Changed => Outcome::Changed,
            StepAnswer::Ok => Outcome::ok(),
            StepAnswer::Resend(lines) => {
                self.resend = Some(refused(batch, step, lines));
                return;
            }
            StepAnswer::Bring(lines) => {
                self.bring = Some(refused(batch, step, lines));
                return;
            }
            StepAnswer::Stale(lines) => Outcome::Failed {
                error: stale(batch, step, lines),
            },
            StepAnswer::Failed(lines) => Outcome::Failed {
                error: refused(batch, step, lines),
            },
        };
        match &outcome {
            Outcome::Failed { error } => self.failed = Some(error.clone()),
            outcome => {
                self.done = number;
                self.brought = None;
                self.changed += usize::from(*outcome == Outcome::Changed);
            }
        }
        self.executor.events.emit(EventKind::StepFinished {
            wave: self.wave.title.clone(),
            host: batch.host.clone(),
            step: step.to_string(),
            outcome,
            took_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        self.began = Instant::now();
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
    // Who runs into a full disk often says more after it.
    let full = log.iter().find(|line| line.contains(DISK_FULL));
    let why = full.or(log.last()).map(|line| format!(": {line}"));
    Problem {
        cause: format!("{}: {step} failed{}", batch.host, why.unwrap_or_default()),
        help: full.and_then(|line| remedy(line)),
        log,
    }
}

pub(super) fn undone(who: &str, error: &RemoteError) -> Undone {
    let problem = Problem::new(format!("{who}: {error}"));
    Undone {
        problem: match error.help() {
            Some(help) => problem.help(help),
            None => problem,
        },
        out_of_reach: error.is_out_of_reach(),
    }
}
