//! Which lines of a run are shown, and when: the same for a terminal, a pipe and an old run's log.

use std::collections::{BTreeMap, BTreeSet};

use super::lines;
use super::progress::{Progress, Wave};
use super::summary::summary;
use crate::event::{Event, EventKind};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Failures, warnings and the summary.
    Quiet,
    /// What people want to see.
    #[default]
    Normal,
    /// Each step, each host's facts, and notes.
    Verbose,
}

impl Level {
    /// The level for `-q` and a number of `-v`.
    #[must_use]
    pub fn of(quiet: bool, verbose: u8) -> Self {
        match (quiet, verbose) {
            (true, _) => Self::Quiet,
            (false, 0) => Self::Normal,
            (false, _) => Self::Verbose,
        }
    }
}

/// Whether something shows beside the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing but lines: they also say what begins and what is waited for.
    Lines,
    /// Live rows below show what goes on; lines say what ended.
    Live,
}

/// A reason that stays the same is said again after so long.
const SAY_AGAIN_MS: u64 = 30_000;
/// A reason that changed is said after so long at the earliest.
const SAY_NEW_MS: u64 = 10_000;

/// Turns events into lines, one after the other.
#[derive(Debug)]
pub(super) struct Story {
    level: Level,
    shape: Shape,
    progress: Progress,
    facts: Facts,
    widths: Widths,
    doing: BTreeSet<(String, String)>,
    waits: BTreeMap<(String, String), (String, u64)>,
}

#[derive(Debug, Default)]
struct Facts {
    began_ms: u64,
    last_ms: u64,
    answered: usize,
}

/// The widest name so far of each kind, so that rows line up.
#[derive(Debug, Default)]
struct Widths {
    host: usize,
    who: usize,
}

impl Story {
    pub fn new(level: Level, shape: Shape) -> Self {
        Self {
            level,
            shape,
            progress: Progress::default(),
            facts: Facts::default(),
            widths: Widths::default(),
            doing: BTreeSet::new(),
            waits: BTreeMap::new(),
        }
    }

    /// How far everything has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The column in which hosts' names stand.
    pub fn width(&self) -> usize {
        self.widths.host
    }

    /// The lines to show for an event.
    pub fn tell(&mut self, event: &Event) -> Vec<String> {
        let ended = self.progress.count(event);
        let mut told: Vec<_> = self.facts_told(event).into_iter().collect();
        match &event.kind {
            EventKind::StepFinished { .. } | EventKind::BatchStarted { .. } => {
                told.extend(self.step(event));
                if let Some(ended) = ended.filter(|_| self.shape == Shape::Lines) {
                    let line = lines::batch_ended(&ended, self.widths.host);
                    told.extend(self.at(Level::Normal, line));
                }
            }
            EventKind::WaveStarted { .. }
            | EventKind::WaveFinished { .. }
            | EventKind::Waiting { .. } => told.extend(self.wave(event)),
            EventKind::Package { .. }
            | EventKind::PackageReady { .. }
            | EventKind::Transfer { .. } => told.extend(self.bytes(event)),
            EventKind::RunStarted {
                command,
                cluster,
                run,
                version,
                ..
            } => {
                let line = lines::run_started(command, cluster, version, run);
                told.extend(self.at(Level::Normal, line));
            }
            EventKind::Phase { name } => told.extend(self.at(Level::Normal, lines::phase(name))),
            EventKind::HostFacts { host, summary } => {
                let width = widen(&mut self.widths.host, host.as_str());
                let line = lines::host_facts(host.as_str(), width, summary);
                told.extend(self.at(Level::Verbose, line));
            }
            EventKind::HostFailed { host, error } => {
                let width = widen(&mut self.widths.host, host.as_str());
                told.push(lines::host_failed(host.as_str(), width, error));
            }
            EventKind::Planned {
                text,
                steps,
                unchanged,
            } => {
                if self.level >= Level::Normal {
                    told.extend(lines::planned(text, *steps, *unchanged));
                }
            }
            EventKind::Checked { who, what, outcome } => {
                let width = widen(&mut self.widths.who, who);
                let level = if outcome.is_failed() {
                    Level::Quiet
                } else {
                    Level::Normal
                };
                told.extend(self.at(level, lines::checked(who, width, what, outcome)));
            }
            EventKind::Warning { text, help } => told.extend(lines::warning(text, help.as_deref())),
            EventKind::Note { text } => told.extend(self.at(Level::Verbose, lines::note(text))),
            EventKind::RunFinished(sum) => told.extend(summary(sum)),
        }
        told
    }

    fn at(&self, level: Level, line: String) -> Option<String> {
        (self.level >= level).then_some(line)
    }

    /// Counts hosts that answer, and says how many once something else goes on.
    fn facts_told(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::HostFacts { .. } => {
                self.facts.answered += 1;
                self.facts.last_ms = event.at_ms;
                None
            }
            EventKind::HostFailed { .. } | EventKind::Warning { .. } | EventKind::Note { .. } => {
                None
            }
            _ => {
                let began_ms = event.at_ms;
                let seen = std::mem::replace(
                    &mut self.facts,
                    Facts {
                        began_ms,
                        ..Facts::default()
                    },
                );
                let ms = seen.last_ms.saturating_sub(seen.began_ms);
                let line = (seen.answered > 0).then(|| lines::hosts_answered(seen.answered, ms))?;
                self.at(Level::Normal, line)
            }
        }
    }

    fn step(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::BatchStarted { host, .. } => {
                widen(&mut self.widths.host, host.as_str());
                None
            }
            EventKind::StepFinished {
                host,
                step,
                outcome,
                took_ms,
                ..
            } => {
                let width = widen(&mut self.widths.host, host.as_str());
                let level = if outcome.is_failed() {
                    Level::Quiet
                } else {
                    Level::Verbose
                };
                self.at(
                    level,
                    lines::step(host.as_str(), width, step, outcome, *took_ms),
                )
            }
            _ => None,
        }
    }

    fn wave(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::WaveStarted { wave, batches, .. } => {
                let line = lines::wave_started(wave, *batches);
                self.at(Level::Normal, line)
                    .filter(|_| self.shape == Shape::Lines)
            }
            EventKind::WaveFinished { wave, outcome } => {
                self.waits.retain(|(of, _), _| of != wave);
                let nothing = Wave::default();
                let counted = self.progress.wave(wave).unwrap_or(&nothing);
                let level = if outcome.is_failed() {
                    Level::Quiet
                } else {
                    Level::Normal
                };
                self.at(
                    level,
                    lines::wave_finished(wave, counted, outcome, event.at_ms),
                )
            }
            EventKind::Waiting { wave, who, why } => {
                if self.shape == Shape::Live || !self.is_news(wave, who, why, event.at_ms) {
                    return None;
                }
                let width = self.widths.host;
                self.at(Level::Normal, lines::waiting(who, width, why))
            }
            _ => None,
        }
    }

    fn bytes(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::Package { package, doing, .. } => {
                let news = self.doing.insert((package.clone(), doing.clone()));
                let shown = news && self.shape == Shape::Lines;
                self.at(Level::Normal, lines::package(package, doing))
                    .filter(|_| shown)
            }
            EventKind::PackageReady {
                package,
                origin,
                size,
            } => self.at(Level::Normal, lines::package_ready(package, origin, *size)),
            EventKind::Transfer {
                host,
                what,
                done,
                total,
                ..
            } if done >= total => {
                let width = widen(&mut self.widths.host, host.as_str());
                self.at(
                    Level::Verbose,
                    lines::transferred(host.as_str(), width, what, *total),
                )
            }
            _ => None,
        }
    }

    fn is_news(&mut self, wave: &str, who: &str, why: &str, at_ms: u64) -> bool {
        let key = (wave.to_owned(), who.to_owned());
        let news = self.waits.get(&key).is_none_or(|(said, when)| {
            let pause = if said == why {
                SAY_AGAIN_MS
            } else {
                SAY_NEW_MS
            };
            at_ms.saturating_sub(*when) >= pause
        });
        if news {
            self.waits.insert(key, (why.to_owned(), at_ms));
        }
        news
    }
}

fn widen(width: &mut usize, name: &str) -> usize {
    *width = (*width).max(name.chars().count()).max(4);
    *width
}
