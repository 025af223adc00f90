//! Why a package is not there.

use super::{Arch, LockError};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a package could not be had, or must not be used.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// A file is not the one it should be. It is never used.
    #[error("{what} has the wrong {kind}: expected {expected}, got {got}")]
    Checksum {
        /// The file or jar.
        what: String,
        /// `SHA-512` or `SHA-256`.
        kind: &'static str,
        /// What was published or locked.
        expected: String,
        /// What the file has.
        got: String,
    },
    /// No place has the package.
    #[error("no package of {name} {version} for {arch}{}", list(tried))]
    NotFound {
        /// The package's name.
        name: String,
        /// Its version.
        version: String,
        /// The architecture it is wanted for.
        arch: Arch,
        /// Every place that was asked, and why it did not help.
        tried: Vec<Tried>,
    },
    /// The package would be of another architecture than the hosts.
    #[error("{what} is for {has}, the hosts are {wanted}")]
    Architecture {
        /// The file, or the way it would be made.
        what: String,
        /// The architecture it has.
        has: String,
        /// The architecture that is wanted.
        wanted: Arch,
    },
    /// A file is no archive of a kind that is understood, or it is cut short.
    #[error("{}: {why}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder is no bundle of packages, or a damaged one. Nothing of it is used.
    #[error("{} {why}", path.display())]
    Bundle {
        /// The file, or the manifest.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// More than one file of the folder of packages fits.
    #[error("several files in {} fit: {}", folder.display(), files.join(", "))]
    Ambiguous {
        /// The folder.
        folder: PathBuf,
        /// The files' names.
        files: Vec<String>,
    },
    /// A checksum of the catalogue is none.
    #[error("not a {kind} in hex: {text}")]
    Sum {
        /// `SHA-512` or `SHA-256`.
        kind: &'static str,
        /// What is there instead.
        text: String,
    },
    /// A lock file of the catalogue is wrong.
    #[error("lock file {0}")]
    Lock(#[from] LockError),
    /// A server can't be reached.
    #[error("{host} can't be reached: {why}")]
    Unreachable {
        /// Its name and port.
        host: String,
        /// What the network said.
        why: String,
    },
    /// A server was reached and did not give the file.
    #[error("{why}")]
    Refused {
        /// What it said instead.
        why: String,
    },
    /// A program on the operator's machine is missing or failed.
    #[error("{why}")]
    Tool {
        /// What it said.
        why: String,
    },
    /// The network may not be used, as the user asked.
    #[error("the network is not to be used")]
    Offline,
    /// The local disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ArtifactError {
    /// Makes the error of a file operation on `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// What to do about it, where there is more to say than the error itself.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NotFound { .. } => {
                "put the file into a folder and name that with `--packages DIR`, or name it in the inventory as `package:`"
            }
            Self::Bundle { .. } => {
                "copy it anew, or make it anew with `sdtd bundle`; `--packages` takes such a file, or a folder of package files"
            }
            Self::Checksum { .. } => "it was not used; get the file again, from where it came from",
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// Whether the next source may help. A file that is wrong is not passed over in silence.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Tool { .. }
            | Self::Offline
            | Self::Architecture { .. } => true,
            Self::Checksum { .. }
            | Self::NotFound { .. }
            | Self::Layout { .. }
            | Self::Bundle { .. }
            | Self::Ambiguous { .. }
            | Self::Sum { .. }
            | Self::Lock(_)
            | Self::Io { .. } => false,
        }
    }
}

/// A place that was asked for a package in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The place, for people.
    pub place: String,
    /// Why it did not help.
    pub why: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

fn list(tried: &[Tried]) -> String {
    tried.iter().map(|place| format!("\n  {place}")).collect()
}
