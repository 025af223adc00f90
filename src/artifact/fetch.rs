//! Getting a package from one source into the cache: aside first, checked, then renamed.

use super::disk::{alone, beside, blocking};
use super::lock::Lock;
use super::maven::Maven;
use super::reply::forget;
use super::shelf::Shelf;
use super::stamp::Stamp;
use super::sum::{self, Expected, Sums};
use super::{Artifact, ArtifactError, Listener, Request, Source, jlink, pack};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;

const WORK: &str = ".work-";
/// No run works on one package for so long.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

impl Shelf {
    /// Gets the package from one source. Only one process at a time works on a file.
    pub(super) async fn fetch(
        &self,
        wanted: &Request,
        source: &Source,
        progress: Listener<'_>,
    ) -> Result<Artifact, ArtifactError> {
        let place = self.place_of(wanted, source)?;
        fs::create_dir_all(&self.cache).map_err(ArtifactError::io(&self.cache))?;
        let _lock = alone(&place, progress).await?;
        if let Some(artifact) = self.shelved(wanted, source) {
            return Ok(artifact); // another process was faster
        }
        match source {
            Source::Archive { .. } => self.archive(source, &place, progress).await,
            Source::Maven { lock, into } => {
                let lock = Lock::parse(lock)?;
                self.assemble(&lock, into, &place, progress).await
            }
            Source::Files { texts, others } => self.pack_files((texts, others), &place).await,
            Source::Jlink { modules } => self.link(wanted, modules, &place).await,
        }
    }

    async fn archive(
        &self,
        source: &Source,
        place: &Path,
        progress: Listener<'_>,
    ) -> Result<Artifact, ArtifactError> {
        let Source::Archive {
            url,
            sha512,
            sums,
            sha256,
            strip,
        } = source
        else {
            return Err(ArtifactError::Refused {
                why: "is no archive".into(),
            });
        };
        if !self.network() {
            return Err(ArtifactError::Offline);
        }
        let mut expected = Expected::declared(sha512.as_deref(), sha256.as_deref())?;
        let mut checked = "checked";
        if expected.is_empty() {
            checked = "no checksum known";
            if let Some(address) = sums {
                expected.push(self.published(address, source).await?);
                checked = "checked by upstream's own sum file";
            }
        }
        let part = beside(place, ".part");
        let sums = loop {
            let resumed = self.net.file(url, &part, progress).await?;
            let file = part.clone();
            let sums = blocking(move || Sums::of(&file)).await?;
            let Err(error) = expected.iter().try_for_each(|one| sums.check(url, one)) else {
                break sums;
            };
            forget(&part)?;
            // The beginning may have been of another time; from the start once, then no more.
            if !resumed {
                return Err(error);
            }
        };
        let (strip, origin) = (*strip, format!("archive {url} ({checked})"));
        let place = place.to_owned();
        blocking(move || {
            // A file that can't be unpacked is not kept, or it would be continued next time.
            let looked = super::layout::of(&part);
            if looked.is_err() {
                forget(&part)?;
            }
            looked.map_err(|error| named(error, &origin))?;
            fs::rename(&part, &place).map_err(ArtifactError::io(&place))?;
            forget(&part)?;
            keep(Stamp::of(&place, sums, origin)?.with_strip(strip), &place)
        })
        .await
    }

    /// The checksum that upstream publishes beside its archive.
    async fn published(&self, address: &str, source: &Source) -> Result<Expected, ArtifactError> {
        let text = self.net.text(address).await?;
        let file = source.file_name().unwrap_or_default();
        match sum::published(&text, file) {
            Some(sum) => Ok(Expected::by_length(sum)),
            None => {
                let why = format!("{address} has no checksum of {file}");
                Err(ArtifactError::Refused { why })
            }
        }
    }

    async fn assemble(
        &self,
        lock: &Lock,
        into: &str,
        place: &Path,
        progress: Listener<'_>,
    ) -> Result<Artifact, ArtifactError> {
        let offline = !self.network() || self.maven_down.load(Ordering::Relaxed);
        let maven = Maven {
            program: self.maven.clone(),
            offline,
        };
        let work = aside(&self.cache)?;
        let made = maven.assemble(lock, into, work.path(), progress).await;
        if let Err(failure) = made {
            self.maven_down.fetch_or(failure.network, Ordering::Relaxed);
            return Err(failure.error);
        }
        shelve(
            work,
            place,
            format!("maven ({} jars, locked)", lock.jars.len()),
        )
        .await
    }

    /// Packs files of the catalogue; what lies in `bin/` can be run.
    async fn pack_files(
        &self,
        (texts, others): (&BTreeMap<String, String>, &BTreeMap<String, PathBuf>),
        place: &Path,
    ) -> Result<Artifact, ArtifactError> {
        let work = aside(&self.cache)?;
        let root = work.path().join("tree");
        let put = |path: &str, write: &dyn Fn(&Path) -> io::Result<()>| {
            let file = root.join(path);
            let written = fs::create_dir_all(file.parent().unwrap_or(&root))
                .and_then(|()| write(&file))
                .and_then(|()| fs::set_permissions(&file, mode(path)));
            written.map_err(ArtifactError::io(&file))
        };
        for (path, text) in texts {
            put(path, &|file| fs::write(file, text))?;
        }
        for (path, from) in others {
            put(path, &|file| fs::copy(from, file).map(|_| ()))?;
        }
        let count = texts.len() + others.len();
        blocking(move || {
            let tree = pack::below(&root).map_err(ArtifactError::io(&root))?;
            let into = root.with_file_name("package");
            pack::into_file(&into, |file| pack::plain(&tree, file))
        })
        .await?;
        shelve(work, place, format!("catalogue ({count} files)")).await
    }

    async fn link(
        &self,
        wanted: &Request,
        modules: &[String],
        place: &Path,
    ) -> Result<Artifact, ArtifactError> {
        let jdk = self.jdk(wanted)?;
        let work = aside(&self.cache)?;
        jlink::link(&jdk, modules, work.path()).await?;
        let origin = format!("jlink of {} ({} modules)", jdk.version, modules.len());
        shelve(work, place, origin).await
    }
}

/// Who may do what with a file of the catalogue, by its path in the package.
fn mode(path: &str) -> fs::Permissions {
    let run = path.starts_with("bin/");
    fs::Permissions::from_mode(if run { 0o755 } else { 0o644 })
}

/// A folder to work in. It lies in the cache, so that a rename is enough to put what is made
/// there into its place, and it goes away with the value.
fn aside(cache: &Path) -> Result<TempDir, ArtifactError> {
    for old in fs::read_dir(cache).into_iter().flatten().flatten() {
        let is_work = old.file_name().to_string_lossy().starts_with(WORK);
        let changed = old.metadata().and_then(|data| data.modified());
        let age = changed.ok().and_then(|changed| changed.elapsed().ok());
        if is_work && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_dir_all(old.path()); // left by a run that was killed; only space
        }
    }
    let made = tempfile::Builder::new().prefix(WORK).tempdir_in(cache);
    made.map_err(ArtifactError::io(cache))
}

/// Puts a package that was made here into its place.
async fn shelve(work: TempDir, place: &Path, origin: String) -> Result<Artifact, ArtifactError> {
    let place = place.to_owned();
    blocking(move || {
        let made = work.path().join("package");
        fs::rename(&made, &place).map_err(ArtifactError::io(&place))?;
        keep(Stamp::take(&place, origin)?.with_strip(0), &place)
    })
    .await
}

fn keep(stamp: Stamp, place: &Path) -> Result<Artifact, ArtifactError> {
    stamp.write(&beside(place, ".json"))?;
    Ok(stamp.artifact())
}

/// Says which download a broken file was, since the file itself is gone.
fn named(error: ArtifactError, origin: &str) -> ArtifactError {
    match error {
        ArtifactError::Layout { why, .. } => ArtifactError::Layout {
            path: origin.into(),
            why,
        },
        other => other,
    }
}
