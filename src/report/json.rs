//! Events for programs: one JSON object a line, nothing else on standard output.

use std::io;

use super::{Out, Reporter};
use crate::event::Event;

/// Writes each event as a line of JSON.
#[derive(Debug)]
pub struct Json {
    out: Out,
}

impl Json {
    /// A reporter writing there.
    #[must_use]
    pub fn new(out: Out) -> Self {
        Self { out }
    }
}

impl Reporter for Json {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let line = self.out.secrets().json(event)?;
        self.out.raw(&format!("{line}\n"))
    }
}
