//! A file that the user brings along, and what it has to be.

use super::bundle::Entry;
use super::request::arch_in_file_name;
use super::stamp::Stamp;
use super::sum::{Expected, Sums};
use super::{Arch, ArtifactError, Source};
use std::path::{Path, PathBuf};

/// The user's own file of a package.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) file: PathBuf,
    expected: Vec<Expected>,
    /// What the bundle that it came in says of it.
    bundled: Option<(usize, String)>,
}

impl Own {
    /// A file as it is: whoever named it knows what it is.
    pub(crate) fn named(file: PathBuf) -> Self {
        Self {
            file,
            expected: Vec::new(),
            bundled: None,
        }
    }

    /// A file of the user's folder. Only one that bears upstream's own name has to have upstream's checksum.
    pub(crate) fn found(file: PathBuf, claims: Option<&Source>) -> Result<Self, ArtifactError> {
        let expected = match claims {
            Some(Source::Archive { sha512, sha256, .. }) => {
                Expected::declared(sha512.as_deref(), sha256.as_deref())?
            }
            _ => Vec::new(),
        };
        Ok(Self {
            expected,
            ..Self::named(file)
        })
    }

    /// A file of a bundle has to be the one that was packed.
    pub(crate) fn bundled(file: PathBuf, entry: &Entry) -> Self {
        Self {
            expected: vec![Expected::Sha256(entry.sha256.clone())],
            bundled: Some((entry.strip, format!("bundle ({})", entry.origin))),
            ..Self::named(file)
        }
    }

    /// Refuses a file whose name speaks of another architecture; a bundle's manifest knows better.
    pub(crate) fn suits(&self, wanted: Arch) -> Result<(), ArtifactError> {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        match arch_in_file_name(&name) {
            Some(has) if has != wanted && self.bundled.is_none() => {
                Err(ArtifactError::Architecture {
                    what: self.file.display().to_string(),
                    has: has.to_string(),
                    wanted,
                })
            }
            _ => Ok(()),
        }
    }

    /// Compares with what is expected of it.
    pub(crate) fn agrees(&self, file: &Path, sums: &Sums) -> Result<(), ArtifactError> {
        let what = file.display().to_string();
        let mut expected = self.expected.iter();
        expected.try_for_each(|expected| sums.check(&what, expected))
    }

    /// Where it came from, for people.
    pub(crate) fn origin(&self, file: &Path) -> String {
        let bundled = self.bundled.as_ref().map(|(_, origin)| origin.clone());
        bundled.unwrap_or_else(|| format!("file {}", file.display()))
    }

    /// The stamp with what the bundle says instead of what was guessed.
    pub(crate) fn told(&self, stamp: Stamp) -> Stamp {
        match &self.bundled {
            Some((strip, _)) => stamp.with_strip(*strip),
            None => stamp,
        }
    }
}
