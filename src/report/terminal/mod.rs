//! The live view: finished things scroll up as lines, what goes on is a few moving rows below them.
//!
//! The only folder that knows `indicatif` (in `rows`). Lines are written while the rows are set aside, so
//! that the two never mix.

mod rows;

use std::collections::BTreeMap;
use std::io;

pub use rows::Screen;
use rows::{Key, Look, Rows};

use super::story::{Shape, Story};
use super::{Level, Out, Reporter, style};
use crate::event::{Event, EventKind};
use crate::id::HostName;

/// A reason to wait that is not repeated for so long is over.
const WAIT_OVER_MS: u64 = 15_000;

/// Shows a run on a terminal.
pub struct Terminal {
    story: Story,
    out: Out,
    rows: Rows,
    waits: BTreeMap<Key, u64>,
    counted: usize,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}

impl Terminal {
    /// A view on standard output, whose lines go through `out`.
    #[must_use]
    pub fn new(out: Out, level: Level) -> Self {
        Self::on(Rows::stdout(out.colour()), out, level)
    }

    /// A view on a screen in memory, whose spinners stand still.
    #[cfg(test)]
    pub(super) fn in_memory(term: indicatif::InMemoryTerm, out: Out, level: Level) -> Self {
        let target = indicatif::ProgressDrawTarget::term_like(Box::new(term));
        Self::on(Rows::on(target, out.colour()), out, level)
    }

    fn on(rows: Rows, out: Out, level: Level) -> Self {
        let story = Story::new(level, Shape::Live);
        Self {
            story,
            out,
            rows,
            waits: BTreeMap::new(),
            counted: 0,
        }
    }

    /// A handle that sets the rows aside.
    #[must_use]
    pub fn screen(&self) -> Screen {
        self.rows.screen()
    }

    fn show(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Phase { .. } => self.phase(),
            EventKind::HostFacts { .. } => self.count("host", "answered"),
            EventKind::Checked { .. } => self.count("check", "done"),
            EventKind::Package {
                package,
                doing,
                done,
                total,
            } => {
                self.package(package, doing, *done, *total);
            }
            EventKind::PackageReady { package, .. } => {
                self.rows.remove(&Key::Package(package.clone()));
            }
            EventKind::HostFailed { host, .. } => self.rows.remove(&Key::Host(host.clone())),
            EventKind::WaveStarted { wave, .. } => {
                // A row of its own, so that its clock begins with the wave.
                self.rows.remove(&Key::Status);
                self.wave(wave);
            }
            EventKind::WaveFinished { wave, .. } => self.wave_over(wave),
            EventKind::BatchStarted { wave, host, .. } => self.step(wave, host, "starting"),
            EventKind::StepFinished {
                wave, host, step, ..
            } => self.step(wave, host, step),
            EventKind::Transfer {
                host,
                what,
                done,
                total,
                ..
            } => {
                self.transfer(host, what, *done, *total);
            }
            EventKind::Waiting { wave, who, why } => {
                let key = Key::Waiting(wave.clone(), who.clone());
                self.waits.insert(key.clone(), event.at_ms);
                self.set(key, Look::Spinner, who, &format!("waiting: {why}"));
            }
            EventKind::RunFinished(_) => self.clear(),
            EventKind::RunStarted { .. }
            | EventKind::Planned { .. }
            | EventKind::Warning { .. }
            | EventKind::Note { .. } => {}
        }
    }

    fn phase(&mut self) {
        self.clear();
        self.counted = 0;
        self.set(Key::Status, Look::Spinner, "", "working");
    }

    fn count(&mut self, noun: &str, verb: &str) {
        self.counted += 1;
        let text = format!("{} {verb}", style::count(self.counted, noun));
        self.set(Key::Status, Look::Spinner, "", &text);
    }

    fn package(&self, package: &str, doing: &str, done: u64, total: Option<u64>) {
        self.rows.remove(&Key::Status);
        let key = Key::Package(package.to_owned());
        let (look, size) = match total {
            Some(total) => (Look::Bytes(done, total), style::bytes(total)),
            None if done > 0 => (Look::Spinner, style::bytes(done)),
            None => (Look::Spinner, String::new()),
        };
        self.set(key, look, package, &format!("{doing}  {size}"));
    }

    fn transfer(&self, host: &HostName, what: &str, done: u64, total: u64) {
        let key = Key::Host(host.clone());
        let text = format!("{what}  {}", style::bytes(total));
        let look = if done < total {
            Look::Bytes(done, total)
        } else {
            Look::Spinner
        };
        self.set(key, look, host.as_str(), &text);
    }

    fn wave(&self, wave: &str) {
        let Some(sum) = self.story.progress().wave(wave) else {
            return;
        };
        let failed = match sum.failed() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let text = format!(
            "{}/{}{failed}",
            sum.ended,
            style::count(sum.batches, "batch")
        );
        self.set(Key::Status, Look::Title, wave, &text);
    }

    fn step(&mut self, wave: &str, host: &HostName, step: &str) {
        let key = Key::Host(host.clone());
        let at = format!("@{host}");
        self.forget(|of, who| of == wave && (who == host.as_str() || who.ends_with(&at)));
        if self.story.progress().batch_ended(wave, host) {
            self.rows.remove(&key);
        } else if let Some(batch) = self.story.progress().batch(wave, host) {
            let text = format!("{}/{}  {step}", batch.seen, batch.steps);
            self.set(key, Look::Spinner, host.as_str(), &text);
        }
        self.wave(wave);
    }

    fn wave_over(&mut self, wave: &str) {
        self.forget(|of, _| of == wave);
        let progress = self.story.progress();
        self.rows.remove_if(|key| match key {
            Key::Status => true,
            Key::Host(host) => progress.batch(wave, host).is_some(),
            Key::Package(_) | Key::Waiting(..) => false,
        });
    }

    /// Takes away rows of waits, by wave and who.
    fn forget(&mut self, is_over: impl Fn(&str, &str) -> bool) {
        let over = |key: &Key| matches!(key, Key::Waiting(wave, who) if is_over(wave, who));
        self.waits.retain(|key, _| !over(key));
        self.rows.remove_if(over);
    }

    fn forget_old_waits(&mut self, now_ms: u64) {
        self.waits
            .retain(|_, at| now_ms.saturating_sub(*at) <= WAIT_OVER_MS);
        let waits = &self.waits;
        self.rows
            .remove_if(|key| matches!(key, Key::Waiting(..)) && !waits.contains_key(key));
    }

    fn clear(&mut self) {
        self.waits.clear();
        self.rows.remove_if(|_| true);
    }

    fn set(&self, key: Key, look: Look, name: &str, text: &str) {
        let width = if key == Key::Status {
            0
        } else {
            self.story.width()
        };
        let name = match style::clean(name) {
            name if name.is_empty() => name,
            name => style::pad(&name, width) + "  ",
        };
        self.rows.set(
            key,
            look,
            self.out.dress(&name),
            self.out.dress(&style::clean(text)),
        );
    }
}

impl Reporter for Terminal {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let told = self.story.tell(event);
        self.forget_old_waits(event.at_ms);
        // Rows that are over go first, so that they never stand beside their own last line.
        self.show(event);
        if told.is_empty() {
            return Ok(());
        }
        let out = &mut self.out;
        self.rows.aside(|| out.lines(&told))
    }
}
