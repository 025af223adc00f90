//! Where the control sockets of SSH connections are.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::digest::sha256;
use crate::error::{Failure, Kind};

/// A short path for control sockets: a socket's name may have 108 bytes only. None: the user has no such folder.
fn runtime() -> Option<PathBuf> {
    let dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    dir.filter(|dir| dir.as_os_str().len() < 40 && dir.is_dir())
}

/// A folder for the control sockets of one run.
///
/// # Errors
/// When it can't be made.
pub fn of_run() -> Result<TempDir, Failure> {
    let base = runtime().unwrap_or_else(|| "/tmp".into());
    let made = tempfile::Builder::new().prefix("sdtd-").tempdir_in(&base);
    made.map_err(|e| Failure::of(Kind::Failed, format!("{}: {e}", base.display())))
}

/// The folder of connections that stay: in the user's own runtime folder, or in `/tmp` by the home's name, which no two
/// users share.
#[must_use]
pub fn kept() -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let name = format!("sdtd-kept-{}", &sha256(&home)[..8]);
    runtime().map_or_else(
        || PathBuf::from("/tmp").join(name),
        |dir| dir.join("sdtd-kept"),
    )
}
