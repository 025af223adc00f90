//! The moving rows themselves: each in its place, redrawn from one thread.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::id::HostName;

/// No more host rows than fit on a small screen; the status row tells how far the others are.
const HOST_ROWS: usize = 12;
/// How often spinners and clocks move.
const TICK: Duration = Duration::from_millis(100);

/// A row's place: in this order from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// What goes on as a whole.
    Status,
    /// A package being fetched.
    Package(String),
    /// A host being worked on.
    Host(HostName),
    /// A wait: the wave, and who is waited for.
    Waiting(String, String),
}

/// What a row looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A spinner at the left edge.
    Title,
    /// A spinner, indented.
    Spinner,
    /// A bar: bytes done, bytes in all.
    Bytes(u64, u64),
}

type Bars = BTreeMap<Key, ProgressBar>;

/// All moving rows.
pub(super) struct Rows {
    multi: MultiProgress,
    bars: Arc<Mutex<Bars>>,
    colour: bool,
    ticker: Option<Ticker>,
}

impl Rows {
    /// Rows on standard output that move by themselves.
    pub fn stdout(colour: bool) -> Self {
        let mut rows = Self::on(ProgressDrawTarget::stdout(), colour);
        rows.ticker = Some(Ticker::start(&rows.bars));
        rows
    }

    /// Rows anywhere, moved by events only.
    pub fn on(target: ProgressDrawTarget, colour: bool) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        Self {
            multi,
            bars: Arc::default(),
            colour,
            ticker: None,
        }
    }

    /// A handle to set all rows aside.
    pub fn screen(&self) -> Screen {
        Screen {
            multi: Some(self.multi.clone()),
        }
    }

    /// Writes with all rows out of the way.
    pub fn aside(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.multi.suspend(write)
    }

    /// Makes or changes a row; nothing happens when the screen is full.
    pub fn set(&self, key: Key, look: Look, name: String, text: String) {
        let Some(bar) = self.bar(key) else { return };
        bar.set_prefix(name);
        match look {
            Look::Bytes(done, total) => {
                // A clock and a rate that begin with the transfer, not with the row.
                if bar.length() != Some(total) {
                    bar.set_length(total);
                    bar.set_style(self.style(look));
                    bar.set_position(done);
                    bar.reset_eta();
                }
                bar.set_position(done);
            }
            Look::Title | Look::Spinner => {
                bar.unset_length();
                bar.set_style(self.style(look));
            }
        }
        bar.set_message(text);
    }

    fn bar(&self, key: Key) -> Option<ProgressBar> {
        let mut bars = lock(&self.bars);
        if let Some(bar) = bars.get(&key) {
            return Some(bar.clone());
        }
        let is_host = |key: &Key| matches!(key, Key::Host(_));
        if is_host(&key) && bars.keys().filter(|key| is_host(key)).count() >= HOST_ROWS {
            return None;
        }
        let place = bars.keys().filter(|other| **other < key).count();
        let blank = ProgressBar::no_length().with_style(self.style(Look::Spinner));
        let bar = self.multi.insert(place, blank);
        bars.insert(key, bar.clone());
        Some(bar)
    }

    fn style(&self, look: Look) -> ProgressStyle {
        let template = match (look, self.colour) {
            (Look::Title, false) => "{spinner} {prefix}{elapsed:>4}  {wide_msg}",
            (Look::Title, true) => "{spinner:.cyan} {prefix:.bold}{elapsed:>4.dim}  {wide_msg}",
            (Look::Spinner, false) => "  {spinner} {prefix}{elapsed:>4}  {wide_msg}",
            (Look::Spinner, true) => "  {spinner:.cyan} {prefix}{elapsed:>4.dim}  {wide_msg}",
            (Look::Bytes(..), false) => {
                "  {spinner} {prefix}{elapsed:>4}  {bar:18} {percent:>3}%  \
                 {binary_bytes_per_sec:>12}  {wide_msg}"
            }
            (Look::Bytes(..), true) => {
                "  {spinner:.cyan} {prefix}{elapsed:>4.dim}  {bar:18.cyan/black.bright} \
                 {percent:>3}%  {binary_bytes_per_sec:>12.dim}  {wide_msg}"
            }
        };
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .progress_chars("━╸─")
            .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
    }

    /// Takes a row away.
    pub fn remove(&self, key: &Key) {
        let bar = lock(&self.bars).remove(key);
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    /// Takes away the rows for which this holds.
    pub fn remove_if(&self, is_over: impl Fn(&Key) -> bool) {
        let keys: Vec<_> = lock(&self.bars)
            .keys()
            .filter(|key| is_over(key))
            .cloned()
            .collect();
        keys.iter().for_each(|key| self.remove(key));
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.ticker.take();
        self.remove_if(|_| true);
    }
}

/// Lets others use the terminal for a moment, such as for a question.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    multi: Option<MultiProgress>,
}

impl Screen {
    /// Runs `ask` with all moving rows out of the way; they come back afterwards.
    pub fn suspend<R>(&self, ask: impl FnOnce() -> R) -> R {
        match &self.multi {
            Some(multi) => multi.suspend(ask),
            None => ask(),
        }
    }
}

/// Moves all spinners and clocks from one thread, however many rows there are.
struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(bars: &Arc<Mutex<Bars>>) -> Self {
        let bars = Arc::clone(bars);
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                // Not held while drawing: drawing may wait for a question to be answered.
                let now: Vec<_> = lock(&bars).values().cloned().collect();
                now.iter().for_each(ProgressBar::tick);
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

fn lock(bars: &Mutex<Bars>) -> MutexGuard<'_, Bars> {
    bars.lock().unwrap_or_else(PoisonError::into_inner)
}
