//! All packages of an inventory as one file, to be carried to where no network is.
//!
//! It is a plain tar file of one folder: the packages, and a manifest that names each of them with its SHA-256.
//! Nothing is taken out of it that the manifest does not vouch for.

use super::disk::{alone, beside, blocking};
use super::own::Own;
use super::{Arch, Artifact, ArtifactError, Format, Listener, Progress, Request, pack};
use crate::digest::{hex, sha256};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The manifest's name; a folder that has it is a bundle, unpacked.
pub(crate) const MANIFEST: &str = "sdtd-packages.json";
/// Grows when a reader of the one before would take something wrongly.
const FORMAT: u32 = 1;
/// More than any manifest has.
const TEXT: u64 = 1024 * 1024;

/// What is in a bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// The SHA-256 of the packages' own lines.
    sum: String,
    packages: Vec<Entry>,
}

/// One package of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    name: String,
    version: String,
    archs: Vec<Arch>,
    /// Its file, beside the manifest.
    file: String,
    pub(crate) sha256: String,
    size: u64,
    format: Format,
    pub(crate) strip: usize,
    /// Where it came from when the bundle was made.
    pub(crate) origin: String,
}

/// A bundle that lies unpacked on this machine.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// What the user named: the file, or the folder.
    pub(crate) named: PathBuf,
    folder: PathBuf,
    manifest: Manifest,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// How many packages.
    pub packages: usize,
    /// The bundle's size in bytes.
    pub size: u64,
}

/// Writes these packages to `out`: aside, read again and checked, then renamed.
///
/// # Errors
/// When the disk fails, or a package is not what it was when it was fetched.
pub async fn write(
    out: &Path,
    packages: Vec<(Request, Artifact)>,
) -> Result<Written, ArtifactError> {
    let out = out.to_owned();
    blocking(move || {
        let part = beside(&out, ".part");
        let io = || ArtifactError::io(&part);
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(false);
        let file = options.open(&part).map_err(io())?;
        // It is let go with the file.
        let locked = file.try_lock();
        locked.map_err(|_| broken(&part, "another sdtd is writing it".to_owned()))?;
        file.set_len(0).map_err(io())?;
        let aside = tempfile::tempdir().map_err(io())?;
        let manifest = Manifest::of(&packages);
        let folder = PathBuf::from(out.file_stem().unwrap_or(OsStr::new("packages")));
        let tree = manifest.tree(&folder, aside.path(), &packages)?;
        pack::plain(&tree, &file).map_err(io())?;
        file.sync_all().map_err(io())?;
        // Where it is carried to, nothing could be fetched again.
        let read = manifest.read_all(&part, |_| Ok(Box::new(io::sink())));
        read.inspect_err(|_| _ = fs::remove_file(&part))?;
        let size = fs::metadata(&part).map_err(io())?.len();
        fs::rename(&part, &out).map_err(ArtifactError::io(&out))?;
        let packages = manifest.packages.len();
        Ok(Written { packages, size })
    })
    .await
}

impl Manifest {
    /// One entry a file: a package that is the same for several architectures is there once.
    fn of(packages: &[(Request, Artifact)]) -> Self {
        let mut entries: BTreeMap<(&str, &str, &str), Entry> = BTreeMap::new();
        for (wanted, artifact) in packages {
            let key = (&*wanted.name, &*wanted.version, &*artifact.sha256);
            let entry = entries.entry(key).or_insert_with(|| Entry {
                name: wanted.name.clone(),
                version: wanted.version.clone(),
                archs: Vec::new(),
                file: String::new(),
                sha256: artifact.sha256.clone(),
                size: artifact.size,
                format: artifact.format,
                strip: artifact.strip,
                origin: artifact.origin.clone(),
            });
            entry.archs.push(wanted.arch);
        }
        let mut packages: Vec<Entry> = entries.into_values().collect();
        for entry in &mut packages {
            entry.file = entry.file_name();
        }
        Self {
            format: FORMAT,
            sum: sum(&packages),
            packages,
        }
    }

    /// What goes into the tar file, and where from.
    fn tree(
        &self,
        folder: &Path,
        aside: &Path,
        packages: &[(Request, Artifact)],
    ) -> Result<pack::Tree, ArtifactError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        let manifest = aside.join(MANIFEST);
        fs::write(&manifest, text).map_err(ArtifactError::io(&manifest))?;
        let files = packages.iter().map(|(_, artifact)| artifact);
        let file_of = |entry: &Entry| {
            let artifact = files.clone().find(|a| a.sha256 == entry.sha256)?;
            Some((folder.join(&entry.file), artifact.path.clone()))
        };
        let mut tree: pack::Tree = self.packages.iter().filter_map(file_of).collect();
        tree.insert(folder.join(MANIFEST), manifest);
        Ok(tree)
    }

    /// The manifest of a bundle's file, found without reading the packages before it.
    fn of_file(file: &Path) -> Result<String, ArtifactError> {
        let wrong = |why: String| broken(file, why);
        let opened = File::open(file).map_err(ArtifactError::io(file))?;
        let mut archive = tar::Archive::new(opened);
        let entries = archive.entries_with_seek();
        for entry in entries.map_err(|e| wrong(e.to_string()))? {
            let entry = entry.map_err(|_| wrong(NONE.to_owned()))?;
            let path = entry.path().map_err(|e| wrong(e.to_string()))?;
            if path.file_name() == Some(OsStr::new(MANIFEST)) {
                let mut text = String::new();
                let read = entry.take(TEXT).read_to_string(&mut text);
                read.map_err(|e| wrong(format!("is damaged: {e}")))?;
                return Ok(text);
            }
        }
        Err(wrong(NONE.to_owned()))
    }

    fn parse(text: &str, place: &Path) -> Result<Self, ArtifactError> {
        let wrong = |why: String| broken(place, why);
        let parsed = serde_json::from_str(text);
        let parsed: Self = parsed.map_err(|e| wrong(format!("is damaged: {MANIFEST}: {e}")))?;
        if parsed.format != FORMAT {
            let why = format!("is of another sdtd: its format is {}", parsed.format);
            return Err(wrong(why));
        }
        if parsed.sum != sum(&parsed.packages) {
            return Err(wrong(format!("is damaged: {MANIFEST} was changed")));
        }
        // A name that leads elsewhere is never written to.
        let is_plain = |e: &Entry| Path::new(&e.file).file_name() == Some(OsStr::new(&e.file));
        match parsed.packages.iter().find(|entry| !is_plain(entry)) {
            Some(entry) => Err(wrong(format!("names a file outside of it: {}", entry.file))),
            None => Ok(parsed),
        }
    }

    /// Reads all packages out of a bundle's file, each to where `to` says, and checks each of them.
    fn read_all(
        &self,
        file: &Path,
        to: impl Fn(&Entry) -> io::Result<Box<dyn Write>>,
    ) -> Result<(), ArtifactError> {
        let cut = |e: io::Error| broken(file, format!("is damaged or cut short: {e}"));
        let opened = File::open(file).map_err(ArtifactError::io(file))?;
        let mut archive = tar::Archive::new(io::BufReader::with_capacity(128 * 1024, opened));
        let mut missing: BTreeMap<&str, &Entry> =
            self.packages.iter().map(|e| (&*e.file, e)).collect();
        for inside in archive.entries().map_err(cut)? {
            let mut inside = inside.map_err(cut)?;
            let path = inside.path().map_err(cut)?.into_owned();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let Some(entry) = missing.remove(name) else {
                continue;
            };
            let got = copy(&mut inside, to(entry).map_err(cut)?).map_err(cut)?;
            if got != entry.sha256 {
                let why = format!("is damaged: {name} is not what was packed, its SHA-256 differs");
                return Err(broken(file, why));
            }
        }
        match missing.keys().next() {
            Some(name) => Err(broken(file, format!("is cut short: {name} is not in it"))),
            None => Ok(()),
        }
    }
}

impl Entry {
    fn file_name(&self) -> String {
        // The architecture is told where it matters.
        let arch = match self.archs[..] {
            [one] => format!("-{one}"),
            _ => String::new(),
        };
        let ending = match self.format {
            Format::Tar => "tar",
            Format::TarGz => "tar.gz",
        };
        format!("{}-{}{arch}.{ending}", self.name, self.version).replace(['/', '\0'], "_")
    }

    fn artifact(&self, file: PathBuf) -> Artifact {
        Artifact {
            path: file,
            sha256: self.sha256.clone(),
            format: self.format,
            strip: self.strip,
            size: self.size,
            origin: format!("bundle ({})", self.origin),
        }
    }
}

impl Bundle {
    /// The bundle that this folder is, if it is one.
    pub(crate) fn of_folder(folder: &Path) -> Result<Option<Self>, ArtifactError> {
        let path = folder.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(ArtifactError::io(&path))?,
        };
        Ok(Some(Self {
            named: folder.into(),
            folder: folder.into(),
            manifest: Manifest::parse(&text, &path)?,
        }))
    }

    /// The bundle in this file. It is checked and unpacked into the cache once.
    pub(crate) async fn of_file(
        file: &Path,
        cache: &Path,
        progress: Listener<'_>,
    ) -> Result<Self, ArtifactError> {
        let text = Manifest::of_file(file)?;
        let manifest = Manifest::parse(&text, file)?;
        let folder = cache.join("bundles").join(&sha256(&text)[..24]);
        let above = folder.parent().unwrap_or(cache);
        fs::create_dir_all(above).map_err(ArtifactError::io(above))?;
        let _lock = alone(&folder, progress).await?;
        if !folder.is_dir() {
            let place = format!("bundle {}", file.display());
            progress(Progress::Trying { place });
            let (manifest, file, folder) = (manifest.clone(), file.to_owned(), folder.clone());
            blocking(move || unpack(&manifest, &file, &folder)).await?;
        }
        Ok(Self {
            named: file.into(),
            folder,
            manifest,
        })
    }

    /// The file of a package.
    pub(crate) fn find(&self, wanted: &Request) -> Option<Own> {
        let entry = self.entry(wanted)?;
        Some(Own::bundled(self.folder.join(&entry.file), entry))
    }

    /// A package as the manifest tells of it, if its file is there; it is checked before it is sent.
    pub(crate) fn listed(&self, wanted: &Request) -> Option<Artifact> {
        let entry = self.entry(wanted)?;
        let file = self.folder.join(&entry.file);
        let there = fs::metadata(&file).is_ok_and(|data| data.len() == entry.size);
        there.then(|| entry.artifact(file))
    }

    fn entry(&self, wanted: &Request) -> Option<&Entry> {
        self.manifest.packages.iter().find(|entry| {
            (&entry.name, &entry.version) == (&wanted.name, &wanted.version)
                && entry.archs.contains(&wanted.arch)
        })
    }

    /// Why it has not what is wanted: what it has instead.
    pub(crate) fn lack(&self, wanted: &Request) -> String {
        let of_name = |entry: &&Entry| entry.name == wanted.name;
        let mut has = Vec::new();
        for entry in self.manifest.packages.iter().filter(of_name) {
            let archs: Vec<String> = entry.archs.iter().map(Arch::to_string).collect();
            has.push(format!("{} for {}", entry.version, archs.join(" and ")));
        }
        match has[..] {
            [] => format!("has no {}", wanted.name),
            _ => format!("has only {}", has.join(", ")),
        }
    }
}

/// What a file without a manifest is.
const NONE: &str = "is no bundle of packages, or cut short: it has no sdtd-packages.json";

fn broken(path: &Path, why: String) -> ArtifactError {
    ArtifactError::Bundle {
        path: path.into(),
        why,
    }
}

/// Unpacks all packages into `folder`, which comes to be whole or not at all.
fn unpack(manifest: &Manifest, file: &Path, folder: &Path) -> Result<(), ArtifactError> {
    let above = folder.parent().unwrap_or(folder);
    let aside = tempfile::tempdir_in(above).map_err(ArtifactError::io(above))?;
    manifest.read_all(file, |entry| {
        Ok(Box::new(File::create_new(aside.path().join(&entry.file))?))
    })?;
    fs::rename(aside.path(), folder).map_err(ArtifactError::io(folder))
}

/// Copies all of `from`, and tells its SHA-256.
fn copy(from: &mut impl Read, mut to: Box<dyn Write>) -> io::Result<String> {
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            to.flush()?;
            return Ok(hex(&sum.finalize()));
        }
        sum.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}

fn sum(packages: &[Entry]) -> String {
    sha256(&serde_json::to_string(packages).unwrap_or_default())
}

/// The manifest of packages whose file is said to be another.
#[cfg(test)]
pub(crate) fn manifest_of(packages: &[(Request, Artifact)], file: &str) -> String {
    let mut manifest = Manifest::of(packages);
    for entry in &mut manifest.packages {
        file.clone_into(&mut entry.file);
    }
    manifest.sum = sum(&manifest.packages);
    serde_json::to_string(&manifest).unwrap_or_default()
}
