//! Counting along: how far each wave and each host's batch has come, from the events alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, EventKind, Outcome};
use crate::id::HostName;

/// How far a wave has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Wave {
    began_ms: u64,
    /// How many batches it has in all.
    pub batches: usize,
    /// How many of them have ended, well or not.
    pub ended: usize,
    /// Steps that changed something.
    pub changed: usize,
    hosts: BTreeSet<HostName>,
    failed: BTreeSet<HostName>,
}

impl Wave {
    /// How many hosts were worked on.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// On how many hosts something failed.
    pub fn failed(&self) -> usize {
        self.failed.len()
    }

    /// How long it has run.
    pub fn took_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.began_ms)
    }
}

/// How far a batch has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    began_ms: u64,
    /// How many steps it has.
    pub steps: usize,
    /// How many have ended.
    pub seen: usize,
    /// How many changed something.
    pub changed: usize,
    ended: bool,
}

/// A batch whose last step went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub host: HostName,
    pub steps: usize,
    pub changed: usize,
    pub took_ms: u64,
}

/// All waves and batches of a run.
#[derive(Debug, Default)]
pub(super) struct Progress {
    waves: BTreeMap<String, Wave>,
    batches: BTreeMap<(String, HostName), Batch>,
}

impl Progress {
    /// Counts one event; tells when it ended a batch well.
    pub fn count(&mut self, event: &Event) -> Option<Ended> {
        match &event.kind {
            EventKind::WaveStarted { wave, batches, .. } => {
                let began = Wave {
                    began_ms: event.at_ms,
                    batches: *batches,
                    ..Wave::default()
                };
                self.waves.insert(wave.clone(), began);
                None
            }
            EventKind::BatchStarted { wave, host, steps } => {
                let began = Batch {
                    began_ms: event.at_ms,
                    steps: *steps,
                    ..Batch::default()
                };
                self.batches.insert((wave.clone(), host.clone()), began);
                self.waves
                    .entry(wave.clone())
                    .or_default()
                    .hosts
                    .insert(host.clone());
                None
            }
            EventKind::StepFinished {
                wave,
                host,
                outcome,
                ..
            } => self.count_step(event.at_ms, wave, host, outcome),
            _ => None,
        }
    }

    fn count_step(
        &mut self,
        at_ms: u64,
        wave: &str,
        host: &HostName,
        outcome: &Outcome,
    ) -> Option<Ended> {
        let sum = self.waves.entry(wave.to_owned()).or_default();
        let batch = self
            .batches
            .entry((wave.to_owned(), host.clone()))
            .or_default();
        batch.seen += 1;
        match outcome {
            Outcome::Changed => {
                batch.changed += 1;
                sum.changed += 1;
            }
            Outcome::Failed { .. } => {
                sum.failed.insert(host.clone());
            }
            Outcome::Ok { .. } | Outcome::Skipped { .. } => {}
        }
        // What follows a failure on its host is only skipped.
        if batch.ended || !(batch.seen >= batch.steps || outcome.is_failed()) {
            return None;
        }
        batch.ended = true;
        sum.ended += 1;
        (!outcome.is_failed()).then(|| Ended {
            host: host.clone(),
            steps: batch.steps,
            changed: batch.changed,
            took_ms: at_ms.saturating_sub(batch.began_ms),
        })
    }

    /// A wave by its title.
    pub fn wave(&self, title: &str) -> Option<&Wave> {
        self.waves.get(title)
    }

    /// A host's batch in a wave.
    pub fn batch(&self, wave: &str, host: &HostName) -> Option<&Batch> {
        self.batches.get(&(wave.to_owned(), host.clone()))
    }

    /// Whether a host's batch is at its end.
    pub fn batch_ended(&self, wave: &str, host: &HostName) -> bool {
        self.batch(wave, host).is_some_and(|batch| batch.ended)
    }
}
