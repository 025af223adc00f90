//! From events to people, programs and files: the only place that prints.
//!
//! ```text
//! EventSink ─ channel ─▶ drive ─▶ Reporters ┬▶ Terminal | Plain | Json   (standard output)
//!                                           └▶ RunLog                    (<state>/runs/<run>.jsonl)
//! ```
//! An old run is shown again by `replay(&read(path)?, …)`. Commands that print a document and no events
//! write it through [`Out`]. Nothing here asks, decides or talks to a host.

mod ask;
mod channel;
mod fan;
mod json;
mod lines;
mod log;
mod mask;
mod out;
mod plain;
mod progress;
mod story;
mod style;
mod summary;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod timing;

use std::io;

pub use ask::{ask_line, ask_secret, ask_until, ask_yes, can_ask, tell_failure};
pub use channel::{Collected, EventSink, Receiver, channel, drive};
pub use fan::{Format, Options, Reporters};
pub use json::Json;
pub use log::{LogError, RunLog, read, replay, runs};
pub use mask::Secrets;
pub use out::{Captured, Out};
pub use plain::Plain;
pub use story::Level;
pub use style::{Mark, bytes, clean, count, took};
pub use table::table;
pub use terminal::{Screen, Terminal};
pub use timing::{Timing, timing_lines, timings};

use crate::event::Event;

/// Someone to whom a run is told.
pub trait Reporter {
    /// Tells one event.
    ///
    /// # Errors
    /// When it cannot be written.
    fn on_event(&mut self, event: &Event) -> io::Result<()>;
}
