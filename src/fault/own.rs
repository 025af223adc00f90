//! This program as a process of its own, beside the drill.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::event::Problem;

/// How this program is started once more.
#[derive(Debug, Clone)]
pub struct Own {
    /// The program's file.
    pub program: PathBuf,
    /// The inventory.
    pub inventory: PathBuf,
    /// What every command of it gets.
    pub words: Vec<OsString>,
}

impl Own {
    /// Starts it, what it says being kept in a file. It ends with this process: by itself where it listens to
    /// its input, else by force.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&self, words: &[OsString], said: &Path) -> Result<Child, Problem> {
        let wrong = |e: std::io::Error| Problem::new(format!("{}: {e}", said.display()));
        let file = File::create(said).map_err(wrong)?;
        let other = file.try_clone().map_err(wrong)?;
        Command::new(&self.program)
            .args(&self.words)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(file))
            .stderr(Stdio::from(other))
            // Ctrl-C is for the drill: it ends the others itself, in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| Problem::new(format!("{}: {e}", self.program.display())))
    }
}

/// The end of what a child said, for messages.
pub fn last(said: &Path) -> String {
    let text = std::fs::read_to_string(said).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
