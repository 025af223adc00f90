//! Packages on the operator's machine: one request, one whole and checked file to send.
//!
//! A package is looked for in this order: a file the user names, the folder of packages the
//! user keeps (or a bundle of them, made where there was a network), the local cache, then the sources of the catalogue (an upstream archive, jars
//! assembled by Maven, a Java runtime linked from the local JDK). Whatever the way, the result
//! is one tar file with one SHA-256. Nothing here talks to the cluster's hosts, and nothing
//! prints: callers hear of [`Progress`].

pub mod apt;
pub mod bundle;
mod content;
mod disk;
mod download;
mod error;
mod fetch;
mod folder;
mod jdk;
mod jlink;
mod layout;
mod lock;
mod maven;
mod own;
pub(crate) mod pack;
mod reply;
mod request;
mod shelf;
mod stamp;
mod sum;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use crate::id::Arch;
pub use content::content;
pub use error::{ArtifactError, Tried};
pub use lock::{Coordinate, Jar, Lock, LockError};
pub use request::{Request, Source};
pub use shelf::Shelf;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A package as it lies on the operator's disk, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where the file is.
    pub path: PathBuf,
    /// SHA-256 of the file as it is sent, in lower-case hex.
    pub sha256: String,
    /// How the file is to be unpacked.
    pub format: Format,
    /// How many leading path components are dropped when it is unpacked.
    pub strip: usize,
    /// The file's length in bytes.
    pub size: u64,
    /// Where it came from, for people: `maven (105 jars, locked)`.
    pub origin: String,
}

/// The two kinds of files that hosts can unpack with `tar` and `gzip` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A plain tar file.
    Tar,
    /// A tar file compressed with gzip.
    TarGz,
}

/// What [`Shelf::resolve`] tells while it works. All of it may be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A place is asked for the package.
    Trying {
        /// The place, for people.
        place: String,
    },
    /// A place did not have it; the next one is asked.
    Passed {
        /// The place, for people.
        place: String,
        /// Why it was passed over.
        why: String,
    },
    /// Another sdtd is fetching the same package; its result will be used.
    Waiting,
    /// Bytes of a download that are on disk.
    Bytes {
        /// How many there are, those of an earlier attempt included.
        done: u64,
        /// How many there will be, where the server says so.
        total: Option<u64>,
    },
    /// Jars that Maven has found.
    Jars {
        /// How many there are.
        done: usize,
        /// How many there will be.
        total: usize,
    },
}

impl Progress {
    /// What is happening, for people, with how much of it is done and how much there is in all.
    #[must_use]
    pub fn parts(&self) -> (String, u64, Option<u64>) {
        match self {
            Self::Trying { place } => (format!("trying {place}"), 0, None),
            Self::Passed { place, why } => (format!("{place}: {why}"), 0, None),
            Self::Waiting => ("waiting for another sdtd".to_owned(), 0, None),
            Self::Bytes { done, total } => ("downloading".to_owned(), *done, *total),
            Self::Jars { done, total } => (
                "fetching jars".to_owned(),
                *done as u64,
                Some(*total as u64),
            ),
        }
    }
}

/// Where progress goes.
pub(crate) type Listener<'a> = &'a (dyn Fn(Progress) + Send + Sync);
