//! The local cache, and the order in which a package's places are asked.

use super::bundle::Bundle;
use super::disk::{beside, blocking};
use super::download::Network;
use super::error::Tried;
use super::jdk::{self, Jdk};
use super::lock::Lock;
use super::own::Own;
use super::stamp::{self, Stamp};
use super::sum::Sums;
use super::{Arch, Artifact, ArtifactError, Listener, Progress, Request, Source, folder};
use crate::digest::sha256;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use tokio::sync::OnceCell;

/// Where packages are kept on the operator's machine, and where else they may come from.
#[derive(Debug)]
pub struct Shelf {
    pub(super) cache: PathBuf,
    packages: Option<PathBuf>,
    /// What `packages` is, once that was looked at: a bundle, or a plain folder.
    bundle: OnceCell<Option<Bundle>>,
    network: bool,
    pub(super) net: Network,
    pub(super) maven: PathBuf,
    pub(super) apt: PathBuf,
    pub(super) maven_down: AtomicBool,
    pub(super) jdks: Vec<PathBuf>,
}

impl Shelf {
    /// A shelf whose cache is this folder; it is made when something is put there.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            packages: None,
            bundle: OnceCell::new(),
            network: true,
            net: Network::default(),
            maven: "mvn".into(),
            apt: "apt-get".into(),
            maven_down: AtomicBool::new(false),
            jdks: jdk::homes(),
        }
    }

    /// Looks into the user's own folder of packages first, or into a bundle: then nothing is fetched.
    #[must_use]
    pub fn with_packages(mut self, place: impl Into<PathBuf>) -> Self {
        self.packages = Some(place.into());
        self
    }

    /// Uses nothing beyond this machine.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.network = false;
        self
    }

    /// Opens the bundle of packages, if the user named one.
    ///
    /// # Errors
    /// When it is damaged or none, or the disk fails.
    pub async fn open(&self, progress: Listener<'_>) -> Result<(), ArtifactError> {
        let bundle = async || match &self.packages {
            Some(file) if file.is_file() => {
                Ok(Some(Bundle::of_file(file, &self.cache, progress).await?))
            }
            Some(folder) => Bundle::of_folder(folder),
            None => Ok(None),
        };
        self.bundle.get_or_try_init(bundle).await.map(|_| ())
    }

    /// The bundle that all packages must come from.
    fn bundle(&self) -> Option<&Bundle> {
        self.bundle.get()?.as_ref()
    }

    /// Whether a bundle was given, so that all there is must be at hand.
    pub fn is_bundle(&self) -> bool {
        self.bundle().is_some()
    }

    /// Whether anything may be asked beyond this machine.
    pub(super) fn network(&self) -> bool {
        self.network && !self.is_bundle()
    }

    /// The package, if it is at hand and known already: no network, no reading of big files.
    /// `None` says only that [`Shelf::resolve`] has something to do.
    pub fn cached(&self, wanted: &Request) -> Option<Artifact> {
        if let Some(own) = self.own(wanted).ok()? {
            let known = self.known(&own, wanted).ok()?;
            return known.or_else(|| self.bundle()?.listed(wanted));
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
        self.open(progress).await?;
        if let Some(own) = self.own(wanted)? {
            return self.users(own, wanted).await;
        }
        let shelved = wanted
            .sources
            .iter()
            .find_map(|source| self.shelved(wanted, source));
        if let Some(artifact) = shelved {
            return Ok(artifact);
        }
        let mut tried = self.looked(wanted);
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
    fn looked(&self, wanted: &Request) -> Vec<Tried> {
        let line = |place: String, why: &str| Tried {
            place,
            why: why.into(),
        };
        let own = match (self.bundle(), &self.packages) {
            (Some(bundle), _) => line(
                format!("bundle {}", bundle.named.display()),
                &bundle.lack(wanted),
            ),
            (_, Some(folder)) => line(
                format!("folder {}", folder.display()),
                "no .tar, .tgz or .tar.gz file of it fits",
            ),
            (_, None) => line("folder of packages".into(), "none is given (--packages)"),
        };
        let cache = format!("cache {}", self.cache.display());
        vec![own, line(cache, "is not there")]
    }

    /// The user's own file of a package: the one they name, the bundle's, or one of their folder.
    fn own(&self, wanted: &Request) -> Result<Option<Own>, ArtifactError> {
        let bundled = self.bundle().and_then(|bundle| bundle.find(wanted));
        match &wanted.given {
            // What the inventory names may lie only where the bundle was made.
            Some(given) if bundled.is_none() || given.exists() => {
                return Ok(Some(Own::named(given.clone())));
            }
            _ if self.is_bundle() => return Ok(bundled),
            _ => {}
        }
        let Some(folder) = &self.packages else {
            return Ok(None);
        };
        let Some(file) = folder::find(folder, wanted)? else {
            return Ok(None);
        };
        let mut sources = wanted.sources.iter();
        let claims = sources.find(|source| folder::is_named_by(&file, source));
        Own::found(file.clone(), claims).map(Some)
    }

    /// A user's file that was looked at before and has not changed since.
    fn known(&self, own: &Own, wanted: &Request) -> Result<Option<Artifact>, ArtifactError> {
        own.suits(wanted.arch)?;
        let file = fs::canonicalize(&own.file).map_err(ArtifactError::io(&own.file))?;
        let Some(stamp) = Stamp::read(&self.stamp_of(&file), &file) else {
            return Ok(None);
        };
        own.agrees(&file, &stamp.sums())?;
        Ok(Some(own.told(stamp).artifact()))
    }

    /// A user's file, looked at once.
    async fn users(&self, own: Own, wanted: &Request) -> Result<Artifact, ArtifactError> {
        if let Some(artifact) = self.known(&own, wanted)? {
            return Ok(artifact);
        }
        let file = fs::canonicalize(&own.file).map_err(ArtifactError::io(&own.file))?;
        let at = self.stamp_of(&file);
        blocking(move || {
            let sums = Sums::of(&file)?;
            own.agrees(&file, &sums)?;
            let stamp = Stamp::of(&file, sums, own.origin(&file))?;
            stamp.write(&at)?;
            Ok(own.told(stamp).artifact())
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
            Source::Files { texts, others } => {
                let mut states = Vec::new();
                for (name, file) in others {
                    let state = stamp::state(file).map_err(ArtifactError::io(file))?;
                    states.push((name, state));
                }
                (format!("{texts:?} {states:?}"), "tar")
            }
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
