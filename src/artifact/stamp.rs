//! What is known of a file, kept so that a big file is read and hashed once.
//!
//! A stamp counts only while the file's length and time of change are those it was made for.

use super::sum::Sums;
use super::{Artifact, ArtifactError, Format, layout};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file's checksums and layout, and the file they are of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Not kept: a cache that was moved, or is reached by another way, holds what it held.
    #[serde(skip)]
    file: PathBuf,
    size: u64,
    changed: u64,
    sha256: String,
    sha512: String,
    format: Format,
    strip: usize,
    origin: String,
}

impl Stamp {
    /// Reads the whole file, hashes it and looks at its layout. It blocks.
    pub(crate) fn take(file: &Path, origin: String) -> Result<Self, ArtifactError> {
        let sums = Sums::of(file)?;
        Self::of(file, sums, origin)
    }

    /// As [`Stamp::take`], with checksums that are known already.
    pub(crate) fn of(file: &Path, sums: Sums, origin: String) -> Result<Self, ArtifactError> {
        let (size, changed) = state(file).map_err(ArtifactError::io(file))?;
        let (format, strip) = layout::of(file)?;
        Ok(Self {
            file: file.into(),
            size,
            changed,
            sha256: sums.sha256,
            sha512: sums.sha512,
            format,
            strip,
            origin,
        })
    }

    /// The stamp at `at`, if it is about `file` as that is now.
    pub(crate) fn read(at: &Path, file: &Path) -> Option<Self> {
        let mut stamp: Self = serde_json::from_slice(&fs::read(at).ok()?).ok()?;
        file.clone_into(&mut stamp.file);
        let now = state(file).ok()?;
        (now == (stamp.size, stamp.changed)).then_some(stamp)
    }

    /// Keeps the stamp at `at`, whole or not at all.
    pub(crate) fn write(&self, at: &Path) -> Result<(), ArtifactError> {
        let folder = at.parent().unwrap_or(Path::new("."));
        let keep = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut aside = tempfile::NamedTempFile::new_in(folder)?;
            aside.write_all(&serde_json::to_vec(self)?)?;
            aside.persist(at)?;
            Ok(())
        };
        keep().map_err(ArtifactError::io(at))
    }

    /// Replaces what was found by what the source declares.
    pub(crate) fn with_strip(mut self, strip: usize) -> Self {
        self.strip = strip;
        self
    }

    /// The checksums the file had.
    pub(crate) fn sums(&self) -> Sums {
        Sums {
            sha256: self.sha256.clone(),
            sha512: self.sha512.clone(),
            size: self.size,
        }
    }

    /// The file as a package.
    pub(crate) fn artifact(self) -> Artifact {
        Artifact {
            path: self.file,
            sha256: self.sha256,
            format: self.format,
            strip: self.strip,
            size: self.size,
            origin: self.origin,
        }
    }
}

/// A file's length and time of change, in nanoseconds since 1970.
pub(super) fn state(file: &Path) -> std::io::Result<(u64, u64)> {
    let data = fs::metadata(file)?;
    let since = data
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok((
        data.len(),
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
    ))
}
