//! The local cache, and the order in which a package's places are asked.

use super::disk::{beside, blocking};
use super::download::Network;
use super::error::Tried;
use super::jdk::{self, Jdk};
use super::lock::Lock;
use super::request::arch_in_file_name;
use super::stamp::Stamp;
use super::sum::{Expected, Sums};
use super::{Arch, Artifact, ArtifactError, Listener, Progress, Request, Source, folder};
use crate::digest::sha256;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Where packages are kept on the operator's machine, and where else they may come from.
#[derive(Debug)]
pub struct Shelf {
    pub(super) cache: PathBuf,
    packages: Option<PathBuf>,
    pub(super) network: bool,
    pub(super) net: Network,
    pub(super) maven: PathBuf,
    pub(super) maven_down: AtomicBool,
    pub(super) jdks: Vec<PathBuf>,
}

impl Shelf {
    /// A shelf whose cache is this folder; it is made when something is put there.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            packages: None,
            network: true,
            net: Network::default(),
            maven: "mvn".into(),
            maven_down: AtomicBool::new(false),
            jdks: jdk::homes(),
        }
    }

    /// Looks into the user's own folder of packages first.
    #[must_use]
    pub fn with_packages(mut self, folder: impl Into<PathBuf>) -> Self {
        self.packages = Some(folder.into());
        self
    }

    /// Uses nothing beyond this machine.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.network = false;
        self
    }

    /// The package, if it is at hand and known already: no network, no reading of big files.
    /// `None` says only that [`Shelf::resolve`] has something to do.
    pub fn cached(&self, wanted: &Request) -> Option<Artifact> {
        if let Some(given) = &wanted.given {
            return self.known(given, wanted, None).ok()?;
        }
        if let Some(file) = self.in_folder(wanted).ok()? {
            return self.known(&file, wanted, self.named(&file, wanted)).ok()?;
        }
        wanted
            .sources
            .iter()
            .find_map(|source| self.shelved(wanted, source))
    }

    /// Finds, fetches or makes the package.
    ///
    /// # Errors
    ///
    /// A file that is wrong ends the search with its error. Where every place was asked in
    /// vain the error lists them all, each with its reason.
    pub async fn resolve(
        &self,
        wanted: &Request,
        progress: Listener<'_>,
    ) -> Result<Artifact, ArtifactError> {
        if let Some(given) = &wanted.given {
            return self.users(given, wanted, None).await;
        }
        if let Some(file) = self.in_folder(wanted)? {
            return self.users(&file, wanted, self.named(&file, wanted)).await;
        }
        let shelved = wanted
            .sources
            .iter()
            .find_map(|source| self.shelved(wanted, source));
        if let Some(artifact) = shelved {
            return Ok(artifact);
        }
        let mut tried = self.looked();
        let (mut errors, mut foreign) = (0, None);
        for source in &wanted.sources {
            let place = source.place();
            progress(Progress::Trying {
                place: place.clone(),
            });
            let error = match self.fetch(wanted, source, progress).await {
                Ok(artifact) => return Ok(artifact),
                Err(error) if error.passes() => error,
                Err(error) => return Err(error),
            };
            let why = error.to_string();
            progress(Progress::Passed {
                place: place.clone(),
                why: why.clone(),
            });
            tried.push(Tried { place, why });
            match error {
                ArtifactError::Architecture { .. } => foreign = Some(error),
                _ => errors += 1,
            }
        }
        match foreign {
            Some(error) if errors == 0 => Err(error),
            _ => Err(ArtifactError::NotFound {
                name: wanted.name.clone(),
                version: wanted.version.clone(),
                arch: wanted.arch,
                tried,
            }),
        }
    }

    /// The places that were looked into without a word, for the list of those tried.
    fn looked(&self) -> Vec<Tried> {
        let line = |place: String, why: &str| Tried {
            place,
            why: why.into(),
        };
        let folder = match &self.packages {
            Some(folder) => line(format!("folder {}", folder.display()), "no file of it fits"),
            None => line("folder of packages".into(), "none is given (--packages)"),
        };
        let cache = format!("cache {}", self.cache.display());
        vec![folder, line(cache, "is not there")]
    }

    fn in_folder(&self, wanted: &Request) -> Result<Option<PathBuf>, ArtifactError> {
        self.packages
            .as_ref()
            .map_or(Ok(None), |packages| folder::find(packages, wanted))
    }

    /// The source whose archive this file claims to be.
    fn named<'r>(&self, file: &Path, wanted: &'r Request) -> Option<&'r Source> {
        wanted
            .sources
            .iter()
            .find(|source| folder::is_named_by(file, source))
    }

    /// A user's file that was looked at before and has not changed since.
    fn known(
        &self,
        file: &Path,
        wanted: &Request,
        claims: Option<&Source>,
    ) -> Result<Option<Artifact>, ArtifactError> {
        suits(file, wanted.arch)?;
        let file = fs::canonicalize(file).map_err(ArtifactError::io(file))?;
        let Some(stamp) = Stamp::read(&self.stamp_of(&file), &file) else {
            return Ok(None);
        };
        agrees(&file, &stamp.sums(), claims)?;
        Ok(Some(stamp.artifact()))
    }

    /// A user's file. Only one that bears upstream's own name has to have upstream's checksum.
    async fn users(
        &self,
        file: &Path,
        wanted: &Request,
        claims: Option<&Source>,
    ) -> Result<Artifact, ArtifactError> {
        if let Some(artifact) = self.known(file, wanted, claims)? {
            return Ok(artifact);
        }
        let file = fs::canonicalize(file).map_err(ArtifactError::io(file))?;
        let (at, claims) = (self.stamp_of(&file), claims.cloned());
        blocking(move || {
            let sums = Sums::of(&file)?;
            agrees(&file, &sums, claims.as_ref())?;
            let stamp = Stamp::of(&file, sums, format!("file {}", file.display()))?;
            stamp.write(&at)?;
            Ok(stamp.artifact())
        })
        .await
    }

    fn stamp_of(&self, file: &Path) -> PathBuf {
        let key = &sha256(&file.to_string_lossy())[..24];
        self.cache.join("stamps").join(format!("{key}.json"))
    }

    /// What the cache has of a source.
    pub(super) fn shelved(&self, wanted: &Request, source: &Source) -> Option<Artifact> {
        let file = self.place_of(wanted, source).ok()?;
        Some(Stamp::read(&beside(&file, ".json"), &file)?.artifact())
    }

    /// The file of the cache that a source's package is or will be.
    pub(super) fn place_of(
        &self,
        wanted: &Request,
        source: &Source,
    ) -> Result<PathBuf, ArtifactError> {
        let (what, ending) = match source {
            Source::Archive {
                url,
                sha512,
                sums,
                sha256,
                ..
            } => {
                let ending = if url.ends_with(".tar") {
                    "tar"
                } else {
                    "tar.gz"
                };
                (format!("{url} {sha512:?} {sums:?} {sha256:?}"), ending)
            }
            Source::Maven { lock, into } => {
                (format!("{into} {}", Lock::parse(lock)?.canonical()), "tar")
            }
            Source::Files { files } => (format!("{files:?}"), "tar"),
            Source::Jlink { modules } => {
                let version = self.jdk(wanted)?.version;
                (
                    format!("{version} {} {}", wanted.arch, modules.join(",")),
                    "tar.gz",
                )
            }
        };
        let key = &sha256(&what)[..16];
        let name = format!("{}-{}-{key}.{ending}", wanted.name, wanted.version);
        Ok(self.cache.join(name.replace(['/', '\0'], "_")))
    }

    /// The local JDK, where it can make a runtime for the wanted architecture.
    pub(super) fn jdk(&self, wanted: &Request) -> Result<Jdk, ArtifactError> {
        if Arch::here() != Some(wanted.arch) {
            return Err(ArtifactError::Architecture {
                what: "a runtime of the local JDK".into(),
                has: Arch::here().map_or(std::env::consts::ARCH.into(), |arch| arch.to_string()),
                wanted: wanted.arch,
            });
        }
        jdk::find(&wanted.version, &self.jdks).map_err(|why| ArtifactError::Tool { why })
    }
}

/// Refuses a user's file whose name speaks of another architecture.
fn suits(file: &Path, wanted: Arch) -> Result<(), ArtifactError> {
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    match arch_in_file_name(&name) {
        Some(has) if has != wanted => Err(ArtifactError::Architecture {
            what: file.display().to_string(),
            has: has.to_string(),
            wanted,
        }),
        _ => Ok(()),
    }
}

/// Compares a user's file with what the source it claims to be declares.
fn agrees(file: &Path, sums: &Sums, claims: Option<&Source>) -> Result<(), ArtifactError> {
    let Some(Source::Archive { sha512, sha256, .. }) = claims else {
        return Ok(());
    };
    let expected = Expected::declared(sha512.as_deref(), sha256.as_deref())?;
    expected
        .iter()
        .try_for_each(|expected| sums.check(&file.display().to_string(), expected))
}
