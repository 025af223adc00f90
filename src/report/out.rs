//! Where text leaves the program: stdout with colour or without, or a test's memory.
//!
//! Every line passes here, so here secrets are hidden, colour is taken out where it does not belong, and a
//! reader that went away (`sdtd status | head`) counts as success.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::ColorChoice;
use owo_colors::OwoColorize;
use serde::Serialize;

use super::mask::Secrets;
use super::style;
use super::table::table;

/// A place for text and documents.
pub struct Out {
    writer: Box<dyn Write + Send>,
    colour: bool,
    secrets: Secrets,
    closed: bool,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out")
            .field("colour", &self.colour)
            .finish_non_exhaustive()
    }
}

impl Out {
    /// Standard output; coloured when a terminal shows it and `NO_COLOR` does not object.
    #[must_use]
    pub fn stdout(secrets: Secrets) -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        Self::to(io::stdout(), choice != ColorChoice::Never).hiding(secrets)
    }

    /// Any other place.
    #[must_use]
    pub fn to(writer: impl Write + Send + 'static, colour: bool) -> Self {
        Self {
            writer: Box::new(writer),
            colour,
            secrets: Secrets::default(),
            closed: false,
        }
    }

    /// Memory that a test can look into, without colour.
    #[must_use]
    pub fn captured() -> (Self, Captured) {
        let captured = Captured::default();
        (Self::to(captured.clone(), false), captured)
    }

    /// The same place, hiding these secrets.
    #[must_use]
    pub fn hiding(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// Whether a person looks at standard output.
    #[must_use]
    pub fn is_terminal() -> bool {
        io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// Whether colour is shown.
    #[must_use]
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// What is hidden here.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The text as it would be shown here: secrets hidden, colour only where it belongs.
    #[must_use]
    pub fn dress(&self, text: &str) -> String {
        let masked = self.secrets.mask(text);
        if self.colour {
            masked
        } else {
            anstream::adapter::strip_str(&masked).to_string()
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When it cannot be written; a reader that went away is no error.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        let dressed = self.dress(text);
        self.raw(&format!("{dressed}\n"))
    }

    /// Writes several lines in one go.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn lines(&mut self, lines: &[String]) -> io::Result<()> {
        if lines.is_empty() {
            Ok(())
        } else {
            self.line(&lines.join("\n"))
        }
    }

    /// Writes a document as indented JSON.
    ///
    /// # Errors
    /// As [`Out::line`], or when the document cannot be written as JSON.
    pub fn json(&mut self, document: &impl Serialize) -> io::Result<()> {
        let mut value = serde_json::to_value(document)?;
        self.secrets.mask_value(&mut value);
        let text = serde_json::to_string_pretty(&value)?;
        self.raw(&format!("{text}\n"))
    }

    /// Writes a document as one line of JSON.
    ///
    /// # Errors
    /// As [`Out::json`].
    pub fn json_line(&mut self, document: &impl Serialize) -> io::Result<()> {
        let mut value = serde_json::to_value(document)?;
        self.secrets.mask_value(&mut value);
        self.raw(&format!("{value}\n"))
    }

    /// Writes a line that a host or an instance said, behind its name.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn said(&mut self, who: &str, width: usize, line: &str) -> io::Result<()> {
        let who = style::faint(&format!("{} |", style::pad(who, width)));
        self.line(&format!("{who} {}", style::clean(line)))
    }

    /// Writes what came of a check: a mark, what was looked at, and what was found.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn marked(
        &mut self,
        mark: style::Mark,
        what: &str,
        width: usize,
        found: &str,
    ) -> io::Result<()> {
        let what = style::pad(what, width);
        self.line(&format!("{} {what}  {}", mark.show(), style::clean(found)))
    }

    /// Writes a table.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn table(&mut self, headers: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        self.line(&table(headers, rows))
    }

    /// Writes a unified diff, coloured on a terminal.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn diff(&mut self, diff: &str) -> io::Result<()> {
        let lines: Vec<_> = diff.lines().map(diff_line).collect();
        self.lines(&lines)
    }

    /// Writes a line of JSON or other text that is ready as it is.
    pub(super) fn raw(&mut self, text: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let written = self
            .writer
            .write_all(text.as_bytes())
            .and_then(|()| self.writer.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

/// A line of a diff in its colour.
#[must_use]
pub(super) fn diff_line(line: &str) -> String {
    let line = style::clean(line);
    let shown = line.trim_start();
    if shown.starts_with("+++") || shown.starts_with("---") {
        line.bold().to_string()
    } else if shown.starts_with('+') {
        line.green().to_string()
    } else if shown.starts_with('-') {
        line.red().to_string()
    } else if shown.starts_with('~') {
        line.yellow().to_string()
    } else if shown.starts_with("@@") {
        line.cyan().to_string()
    } else {
        line
    }
}

/// What was written to an [`Out::captured`].
#[derive(Debug, Clone, Default)]
pub struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Captured {
    /// Everything so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let mut out = Out::to(Gone, false);
        assert!(out.line("one").is_ok());
        assert!(out.json(&["two"]).is_ok());
    }

    #[test]
    fn colour_stays_out_of_pipes() {
        let diff = "--- a\n+++ b\n@@ -1 +1 @@\n-heap=1\n+heap=2\n same";
        let (mut out, seen) = Out::captured();
        out.diff(diff).expect("memory takes all");
        assert_eq!(seen.text(), format!("{diff}\n"));

        let seen = Captured::default();
        Out::to(seen.clone(), true)
            .diff(diff)
            .expect("memory takes all");
        assert!(
            seen.text().contains("\x1b[31m-heap=1\x1b[39m"),
            "{:?}",
            seen.text()
        );
    }

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let (out, seen) = Out::captured();
        let mut out = out.hiding(Secrets::new(["hunter2"]));
        out.line("pw hunter2").expect("memory takes all");
        out.json(&serde_json::json!({"pw": "hunter2"}))
            .expect("memory takes all");
        out.table(&["pw"], &[vec!["hunter2".to_owned()]])
            .expect("memory takes all");
        out.diff("+hunter2").expect("memory takes all");
        assert!(!seen.text().contains("hunter2"), "{}", seen.text());
    }
}
