//! The file itself: texts and documents, each masked before it is kept, packed for nobody else's eyes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::artifact::pack;
use crate::report::Secrets;

/// What is gathered, by its place in the file.
#[derive(Debug)]
pub struct Bundle {
    /// The folder that it unpacks to.
    folder: String,
    secrets: Secrets,
    entries: BTreeMap<PathBuf, String>,
}

impl Bundle {
    /// Nothing yet; these secrets will be hidden in all of it.
    #[must_use]
    pub fn new(folder: String, secrets: Secrets) -> Self {
        let entries = BTreeMap::new();
        Self {
            folder,
            secrets,
            entries,
        }
    }

    /// Adds a text.
    pub fn text(&mut self, path: &str, text: &str) {
        // Paths of hosts are absolute, and those of templates are the user's own: none leads outside.
        let inside = Path::new(path).components();
        let inside = inside.filter(|part| matches!(part, Component::Normal(_)));
        let ended = if text.ends_with('\n') { "" } else { "\n" };
        let text = format!("{}{ended}", self.secrets.scrub(text));
        self.entries.insert(inside.collect(), text);
    }

    /// Adds a text whose own secrets are hidden already, and which would not survive to be hidden by the line.
    pub fn hidden(&mut self, path: &str, text: &str) {
        let text = self.secrets.mask(text);
        self.entries.insert(PathBuf::from(path), text);
    }

    /// Adds a document.
    pub fn json(&mut self, path: &str, document: &impl Serialize) {
        let mut value = serde_json::to_value(document).unwrap_or_default();
        self.secrets.scrub_value(&mut value);
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        self.entries.insert(PathBuf::from(path), text + "\n");
    }

    /// Adds a document a line; a line that is none is hidden as text.
    pub fn json_lines(&mut self, path: &str, text: &str) {
        let line = |line: &str| match serde_json::from_str(line) {
            Ok(mut value) => {
                self.secrets.scrub_value(&mut value);
                format!("{value}\n")
            }
            Err(_) => format!("{}\n", self.secrets.scrub(line)),
        };
        let text = text.lines().map(line).collect();
        self.entries.insert(PathBuf::from(path), text);
    }

    /// What is in it, by place.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<PathBuf, String> {
        &self.entries
    }

    /// Writes it, whole or not at all, to be read by nobody but its owner.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let aside = tempfile::tempdir()?;
        for (name, text) in &self.entries {
            let file = aside.path().join(&self.folder).join(name);
            std::fs::create_dir_all(file.parent().unwrap_or(&file))?;
            std::fs::write(file, text)?;
        }
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        let file = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
        pack::gzipped(&pack::below(aside.path())?, file.as_file())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}
