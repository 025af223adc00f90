//! Plain lines for pipes, files and continuous integration: nothing moves, nothing is taken back.

use std::io;

use super::story::{Shape, Story};
use super::{Level, Out, Reporter};
use crate::event::Event;

/// Writes one line for each thing that ended.
#[derive(Debug)]
pub struct Plain {
    story: Story,
    out: Out,
}

impl Plain {
    /// A reporter writing there.
    #[must_use]
    pub fn new(out: Out, level: Level) -> Self {
        Self {
            story: Story::new(level, Shape::Lines),
            out,
        }
    }
}

impl Reporter for Plain {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let lines = self.story.tell(event);
        self.out.lines(&lines)
    }
}
