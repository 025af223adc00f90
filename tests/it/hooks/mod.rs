//! Hooks of the catalogue, run as a host runs them, with something in the place of the tools that they ask.

mod copied;
mod copies;
mod journals;
mod regions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::golden::project;

/// A host's folders, with a hook's surroundings in them.
pub struct Bench {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Bench {
    /// Nothing but the folder of the configuration.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let config = dir.path().join("config").display().to_string();
        let env = vec![("SDTD_CONFIG".to_owned(), config)];
        Self { dir, env }
    }

    /// One more variable of its environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path below its folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A file below its folder.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// What a hook of a service answers: its exit code and its last line.
    pub fn run(&self, hook: &str) -> (Option<i32>, String) {
        let ended = self.output(&project("templates").join(hook));
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let last = said.lines().last().unwrap_or_default().to_owned();
        (ended.status.code(), last)
    }

    fn output(&self, hook: &Path) -> Output {
        let mut command = Command::new("sh");
        command.arg(hook).envs(self.env.iter().cloned());
        command.output().expect("sh runs")
    }
}
