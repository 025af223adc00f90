//! Proofs that are owed: a run that was cut off before its proof, or whose proof failed, leaves it to the next one.

use std::path::{Path, PathBuf};

/// Whether what was last changed of a cluster was proved to work.
pub struct Proof(PathBuf);

impl Proof {
    /// That of the cluster whose runs are recorded in this folder.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self(state.join("unproved"))
    }

    /// Whether a change was begun and not proved since.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        self.0.exists()
    }

    /// A change begins.
    pub fn owe(&self) {
        // Where this can't be written, the run's own log beside it can't be either, and that is told.
        let _ = std::fs::write(&self.0, "");
    }

    /// It was proved.
    pub fn given(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
