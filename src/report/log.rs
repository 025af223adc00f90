//! A run's log: its events as JSON lines, on disk while it runs, so that `kill -9` loses at most one line.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Reporter, Secrets};
use crate::event::{Event, EventKind};

/// Byte progress of one transfer is kept at most this often.
const PROGRESS_MS: u64 = 1000;

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file could not be read.
    #[error("cannot read the run's log {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line in the middle is not an event that this version knows.
    #[error("line {line} of {path} is not an event", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// The log of one run: `<state>/runs/<run-id>.jsonl`, begun with its `RunStarted`.
#[derive(Debug)]
pub struct RunLog {
    state: PathBuf,
    secrets: Secrets,
    file: Option<(PathBuf, File)>,
    early: Vec<Event>,
    kept: BTreeMap<String, u64>,
}

impl RunLog {
    /// A log below a state directory; nothing is made before the run starts.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>, secrets: Secrets) -> Self {
        let (file, early, kept) = (None, Vec::new(), BTreeMap::new());
        Self {
            state: state.into(),
            secrets,
            file,
            early,
            kept,
        }
    }

    /// Where the log of a run is.
    #[must_use]
    pub fn path(state: &Path, run: &str) -> PathBuf {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name: String = run.chars().map(|c| if safe(c) { c } else { '_' }).collect();
        state.join("runs").join(name + ".jsonl")
    }

    fn begin(&mut self, run: &str) -> io::Result<()> {
        let path = Self::path(&self.state, run);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|error| at(dir, &error))?;
        }
        // Plans and service logs are nobody else's business on a shared machine.
        let mut options = OpenOptions::new();
        let opened = options.create(true).append(true).mode(0o600).open(&path);
        let file = opened.map_err(|error| at(&path, &error))?;
        self.file = Some((path, file));
        Ok(())
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let line = self.secrets.json(event)? + "\n";
        // One write a line, straight to the kernel: it outlives this process.
        match &mut self.file {
            Some((path, file)) => file
                .write_all(line.as_bytes())
                .map_err(|error| at(path, &error)),
            None => Ok(()),
        }
    }

    /// Whether byte progress may be left out, the last kept one being too young.
    fn is_too_soon(&mut self, event: &Event) -> bool {
        let (key, ended) = match &event.kind {
            EventKind::Transfer {
                host, done, total, ..
            } => (format!("h {host}"), done >= total),
            EventKind::Package {
                package,
                done,
                total,
                ..
            } => (
                format!("p {package}"),
                total.is_some_and(|total| *done >= total),
            ),
            _ => return false,
        };
        let kept = self.kept.get(&key);
        if !ended && kept.is_some_and(|at| event.at_ms.saturating_sub(*at) < PROGRESS_MS) {
            return true;
        }
        self.kept.insert(key, event.at_ms);
        false
    }
}

/// The error with the path it concerns.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Reporter for RunLog {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        if self.is_too_soon(event) {
            return Ok(());
        }
        match (&event.kind, self.file.is_some()) {
            (EventKind::RunStarted { run, .. }, false) => {
                self.begin(run)?;
                self.write(event)?;
                let early = std::mem::take(&mut self.early);
                early.iter().try_for_each(|event| self.write(event))
            }
            (_, true) => self.write(event),
            (_, false) => {
                self.early.push(event.clone());
                Ok(())
            }
        }
    }
}

/// The events of a log. A last line without its end, cut off with the run, is left out.
///
/// # Errors
/// When the file cannot be read, or a whole line of it is not an event.
pub fn read(path: &Path) -> Result<Vec<Event>, LogError> {
    let bytes = fs::read(path).map_err(|source| LogError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut events = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let torn = !line.ends_with(b"\n");
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            Err(_) if torn || line.trim_ascii().is_empty() => {}
            Err(source) => {
                let (path, line) = (path.to_owned(), index + 1);
                return Err(LogError::Line { path, line, source });
            }
        }
    }
    Ok(events)
}

/// The logs below a state directory, the oldest first; none when there is no such directory.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn runs(state: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(state.join("runs")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Tells a reporter an old run's events, at once.
///
/// # Errors
/// When the reporter cannot write.
pub fn replay(events: &[Event], reporter: &mut dyn Reporter) -> io::Result<()> {
    events.iter().try_for_each(|event| reporter.on_event(event))
}
