//! The live view: finished things scroll up as lines, what goes on is a few moving rows below them.
//!
//! The only place that knows `indicatif`. Lines are written while the rows are set aside, so that the two
//! never mix; rows hold no state of their own, it is all in `story` and its counting.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::story::{Shape, Story};
use super::{Level, Out, Reporter, lines, style};
use crate::event::{Event, EventKind};
use crate::id::HostName;

/// No more host rows than fit on a small screen; the status row tells how far the others are.
const HOST_ROWS: usize = 12;
/// How often spinners and clocks move.
const TICK: Duration = Duration::from_millis(100);
/// A reason to wait that is not repeated for so long is over.
const WAIT_OVER_MS: u64 = 15_000;

const MOVING: &str = "  {spinner} {prefix}  {elapsed:>4}  {wide_msg}";
const MOVING_COLOUR: &str = "  {spinner:.cyan} {prefix}  {elapsed:>4.dim}  {wide_msg}";
const BYTES: &str = "  {spinner} {prefix}  {elapsed:>4}  {bar:18} {percent:>3}%  {binary_bytes_per_sec:>12}  {wide_msg}";
const BYTES_COLOUR: &str = "  {spinner:.cyan} {prefix}  {elapsed:>4.dim}  {bar:18.cyan/black.bright} {percent:>3}%  {binary_bytes_per_sec:>12.dim}  {wide_msg}";

/// A row's place: in this order from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Host(HostName),
    Package(String),
    Waiting(String, String),
    Status,
}

type Rows = Arc<Mutex<BTreeMap<Key, ProgressBar>>>;

/// Shows a run on a terminal.
pub struct Terminal {
    story: Story,
    out: Out,
    bars: MultiProgress,
    rows: Rows,
    waits: BTreeMap<Key, u64>,
    done: usize,
    moving: ProgressStyle,
    bytes: ProgressStyle,
    ticker: Option<Ticker>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}

/// Lets others use the terminal for a moment, such as for a question.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    bars: Option<MultiProgress>,
}

impl Screen {
    /// Runs `ask` with all moving rows out of the way; they come back afterwards.
    pub fn suspend<R>(&self, ask: impl FnOnce() -> R) -> R {
        match &self.bars {
            Some(bars) => bars.suspend(ask),
            None => ask(),
        }
    }
}

impl Terminal {
    /// A view on standard output, whose lines go through `out`.
    #[must_use]
    pub fn new(out: Out, level: Level) -> Self {
        let mut terminal = Self::on(ProgressDrawTarget::stdout(), out, level);
        terminal.ticker = Some(Ticker::start(&terminal.rows));
        terminal
    }

    fn on(target: ProgressDrawTarget, out: Out, level: Level) -> Self {
        let (moving, bytes) = if out.colour() {
            (MOVING_COLOUR, BYTES_COLOUR)
        } else {
            (MOVING, BYTES)
        };
        Self {
            story: Story::new(level, Shape::Live),
            out,
            bars: MultiProgress::with_draw_target(target),
            rows: Rows::default(),
            waits: BTreeMap::new(),
            done: 0,
            moving: look(moving),
            bytes: look(bytes),
            ticker: None,
        }
    }

    /// A view on a screen in memory, whose spinners stand still.
    #[cfg(test)]
    pub(super) fn in_memory(term: indicatif::InMemoryTerm, out: Out, level: Level) -> Self {
        Self::on(ProgressDrawTarget::term_like(Box::new(term)), out, level)
    }

    /// A handle that sets the rows aside.
    #[must_use]
    pub fn screen(&self) -> Screen {
        Screen {
            bars: Some(self.bars.clone()),
        }
    }

    fn show(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Phase { name } => self.phase(name),
            EventKind::HostFacts { .. } => self.count("host", "answered"),
            EventKind::Checked { .. } => self.count("check", "done"),
            EventKind::Package {
                package,
                doing,
                done,
                total,
            } => {
                let key = Key::Package(package.clone());
                match total {
                    Some(total) => self.bar(key, package, doing, (*done, *total)),
                    None => {
                        let size = if *done > 0 {
                            style::bytes(*done)
                        } else {
                            String::new()
                        };
                        self.spin(key, package, &format!("{doing}  {size}"));
                    }
                }
            }
            EventKind::PackageReady { package, .. } => self.remove(&Key::Package(package.clone())),
            EventKind::HostFailed { host, .. } => self.remove(&Key::Host(host.clone())),
            EventKind::WaveStarted { wave, .. } => {
                self.remove(&Key::Status);
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
            } => {
                let key = Key::Host(host.clone());
                let what = format!("sending {what}");
                if done < total {
                    self.bar(key, host.as_str(), &what, (*done, *total));
                } else {
                    self.spin(key, host.as_str(), &format!("{what}: unpacking"));
                }
            }
            EventKind::Waiting { wave, who, why } => {
                let key = Key::Waiting(wave.clone(), who.clone());
                self.waits.insert(key.clone(), event.at_ms);
                self.spin(key, who, &format!("waiting: {why}"));
            }
            EventKind::RunFinished(_) => self.clear(),
            EventKind::RunStarted { .. }
            | EventKind::Planned { .. }
            | EventKind::Warning { .. }
            | EventKind::Note { .. } => {}
        }
    }

    fn phase(&mut self, name: &str) {
        self.clear();
        self.done = 0;
        self.spin(Key::Status, lines::phase_title(name), "");
    }

    fn count(&mut self, noun: &str, verb: &str) {
        self.done += 1;
        self.say(
            &Key::Status,
            &format!("{} {verb}", style::count(self.done, noun)),
        );
    }

    fn wave(&mut self, wave: &str) {
        let Some(sum) = self.story.progress().wave(wave) else {
            return;
        };
        let text = match sum.failed() {
            0 => format!("{}/{}", sum.ended, style::count(sum.batches, "batch")),
            failed => format!("{}/{}, {failed} failed", sum.ended, sum.batches),
        };
        self.spin(Key::Status, wave, &text);
    }

    fn step(&mut self, wave: &str, host: &HostName, step: &str) {
        let key = Key::Host(host.clone());
        let at = format!("@{host}");
        self.forget(|of, who| of == wave && (who == host.as_str() || who.ends_with(&at)));
        if self.story.progress().batch_ended(wave, host) {
            self.remove(&key);
        } else if let Some(batch) = self.story.progress().batch(wave, host) {
            let text = format!("{}/{}  {step}", batch.seen, batch.steps);
            self.spin(key, host.as_str(), &text);
        }
        self.wave(wave);
    }

    fn wave_over(&mut self, wave: &str) {
        self.forget(|of, _| of == wave);
        let mut over = vec![Key::Status];
        for key in self.keys() {
            if matches!(&key, Key::Host(host) if self.story.progress().batch(wave, host).is_some())
            {
                over.push(key);
            }
        }
        over.iter().for_each(|key| self.remove(key));
    }

    /// Takes away rows of waits, by wave and who.
    fn forget(&mut self, is_over: impl Fn(&str, &str) -> bool) {
        let over = |key: &Key| matches!(key, Key::Waiting(wave, who) if is_over(wave, who));
        for key in self.keys().into_iter().filter(over) {
            self.waits.remove(&key);
            self.remove(&key);
        }
    }

    fn forget_old_waits(&mut self, now_ms: u64) {
        let old = |at: &u64| now_ms.saturating_sub(*at) > WAIT_OVER_MS;
        let over: Vec<_> = self
            .waits
            .iter()
            .filter(|(_, at)| old(at))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.waits.remove(&key);
            self.remove(&key);
        }
    }

    fn spin(&mut self, key: Key, name: &str, text: &str) {
        let style = self.moving.clone();
        let Some(bar) = self.row(key, name) else {
            return;
        };
        if bar.length().is_some() {
            bar.unset_length();
        }
        bar.set_style(style);
        bar.set_message(self.dress(text));
    }

    fn bar(&mut self, key: Key, name: &str, text: &str, (done, total): (u64, u64)) {
        let style = self.bytes.clone();
        let Some(bar) = self.row(key, name) else {
            return;
        };
        if bar.length() != Some(total) {
            bar.set_length(total);
            bar.set_position(done);
            bar.reset_eta();
            bar.set_style(style);
        }
        bar.set_position(done);
        bar.set_message(format!("{}  {}", self.dress(text), style::bytes(total)));
    }

    fn say(&self, key: &Key, text: &str) {
        let rows = lock(&self.rows);
        if let Some(bar) = rows.get(key) {
            bar.set_message(self.dress(text));
        }
    }

    /// The row of a key, made in its place if need be; none when the screen is full.
    fn row(&self, key: Key, name: &str) -> Option<ProgressBar> {
        let width = if key == Key::Status {
            0
        } else {
            self.story.width()
        };
        let name = style::pad(&self.dress(name), width);
        let mut rows = lock(&self.rows);
        if let Some(bar) = rows.get(&key) {
            bar.set_prefix(name);
            return Some(bar.clone());
        }
        let is_host = |key: &Key| matches!(key, Key::Host(_));
        if is_host(&key) && rows.keys().filter(|key| is_host(key)).count() >= HOST_ROWS {
            return None;
        }
        let place = rows.keys().filter(|other| **other < key).count();
        let bar = ProgressBar::no_length()
            .with_style(self.moving.clone())
            .with_prefix(name);
        let bar = self.bars.insert(place, bar);
        rows.insert(key, bar.clone());
        Some(bar)
    }

    fn remove(&mut self, key: &Key) {
        let row = lock(&self.rows).remove(key);
        if let Some(bar) = row {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn clear(&mut self) {
        self.waits.clear();
        self.keys().iter().for_each(|key| self.remove(key));
    }

    fn keys(&self) -> Vec<Key> {
        lock(&self.rows).keys().cloned().collect()
    }

    fn dress(&self, text: &str) -> String {
        self.out.dress(&style::clean(text))
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
        self.bars.suspend(|| out.lines(&told))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.ticker.take();
        self.clear();
    }
}

fn lock(rows: &Rows) -> std::sync::MutexGuard<'_, BTreeMap<Key, ProgressBar>> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("━╸─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

/// Moves all spinners from one thread, however many rows there are.
#[derive(Debug)]
struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(rows: &Rows) -> Self {
        let rows = Arc::clone(rows);
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let bars: Vec<_> = lock(&rows).values().cloned().collect();
                bars.iter().for_each(ProgressBar::tick);
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A ticker that broke down takes nothing with it.
            let _ = thread.join();
        }
    }
}
