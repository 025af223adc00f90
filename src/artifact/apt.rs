//! A package of a host's distribution, with all that the host lacks of what it needs: fetched here by the
//! operator's own apt-get, for a host that can't reach its mirrors.
//!
//! What apt-get has to know of the host comes from the host: what is installed there, which sources it has and
//! which keys it trusts. It works in a folder of the cache, and touches nothing of this machine's own packages.

use super::disk::{alone, blocking};
use super::stamp::Stamp;
use super::{Artifact, ArtifactError, Listener, Progress, Shelf, pack};
use crate::digest::sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// What the operator's machine runs.
pub const FETCH: &str = include_str!("apt.sh");
/// What a host is asked: its system, and files of it as base64 of a tar file. Its logins at mirrors stay there.
pub const ASK: &str = include_str!("apt-ask.sh");
/// More than those files ever have.
const LIMIT: u64 = 256 << 20;
/// Where sources say that keys are.
const KEYS: [&str; 3] = [
    "/usr/share/keyrings/",
    "/etc/apt/keyrings/",
    "/etc/apt/trusted.gpg.d/",
];

/// A host as its package manager knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// As in `arm64`.
    arch: String,
    /// As in `debian bookworm`.
    release: String,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl System {
    /// Reads what a host answered to [`ASK`].
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn read(lines: &[String]) -> Result<Self, String> {
        let words = lines
            .first()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let Some(["@system", arch, id, name]) = words.as_deref() else {
            return Err("its package manager is not Debian's".to_owned());
        };
        let packed = STANDARD.decode(lines[1..].concat());
        let packed = packed.map_err(|e| format!("its answer can't be read: {e}"))?;
        let files = unpack(&packed).map_err(|e| format!("its answer can't be read: {e}"))?;
        Ok(Self {
            arch: (*arch).to_owned(),
            release: format!("{id} {name}"),
            files,
        })
    }

    /// What its lists of packages depend on.
    fn key(&self) -> String {
        let is_source = |path: &Path| path.starts_with("etc/apt") || path.starts_with("usr");
        let sources = self.files.iter().filter(|(path, _)| is_source(path));
        let sources: Vec<_> = sources
            .map(|(path, bytes)| (path, STANDARD.encode(bytes)))
            .collect();
        sha256(&format!("{} {} {sources:?}", self.arch, self.release))[..16].to_owned()
    }

    /// Writes its files below a folder; the sources say where the keys are then.
    fn write(&self, root: &Path) -> std::io::Result<()> {
        for (name, bytes) in &self.files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap_or(root))?;
            match std::str::from_utf8(bytes) {
                Ok(text) if name.starts_with("etc/apt") => {
                    let moved = |text: String, keys: &&str| {
                        text.replace(keys, &format!("{}{keys}", root.display()))
                    };
                    fs::write(path, KEYS.iter().fold(text.to_owned(), moved))?;
                }
                _ => fs::write(path, bytes)?,
            }
        }
        Ok(())
    }
}

/// The plain files of a tar file; what leads out of it is left out.
fn unpack(packed: &[u8]) -> std::io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut archive = tar::Archive::new(GzDecoder::new(packed).take(LIMIT));
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let mut parts = path.components();
        let inside = parts.all(|part| matches!(part, Component::Normal(_)));
        if inside && entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.insert(path, bytes);
        }
    }
    Ok(files)
}

impl Shelf {
    /// Fetches a package for a host: one tar file of all that is to be installed there. This machine's own
    /// mirrors are asked first where it has the host's release: they are known to be within reach.
    ///
    /// # Errors
    /// When this machine has no apt-get, or no mirror gives the package.
    pub async fn from_distribution(
        &self,
        package: &str,
        system: &System,
        progress: Listener<'_>,
    ) -> Result<Artifact, ArtifactError> {
        if !self.network() {
            return Err(ArtifactError::Offline);
        }
        let mut last = None;
        for (place, theirs) in [
            ("this machine's mirrors", false),
            ("the host's mirrors", true),
        ] {
            if !theirs && release_here().as_ref() != Some(&system.release) {
                continue;
            }
            let root = self.apt_root(system, theirs)?;
            let _lock = alone(&root, progress).await?;
            system.write(&root).map_err(ArtifactError::io(&root))?;
            let place = place.to_owned();
            progress(Progress::Trying { place });
            match self.run_apt(&root, package, system, theirs).await {
                Ok(names) => return pack_debs(root, package.to_owned(), names).await,
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(ArtifactError::Offline))
    }

    /// The folder that apt-get works in; hosts of the same kind share it.
    fn apt_root(&self, system: &System, theirs: bool) -> Result<PathBuf, ArtifactError> {
        let whose = if theirs { "theirs" } else { "ours" };
        let root = self.cache.join("apt");
        let root = root.join(format!("{}-{whose}", system.key()));
        let made = fs::create_dir_all(&root).and_then(|()| root.canonicalize());
        made.map_err(ArtifactError::io(&root))
    }

    /// Runs apt-get; the names of the files that the host needs.
    async fn run_apt(
        &self,
        root: &Path,
        package: &str,
        system: &System,
        theirs: bool,
    ) -> Result<Vec<String>, ArtifactError> {
        let run = Command::new("sh")
            .args(["-c", FETCH, "sh"])
            .args([self.apt.as_os_str(), root.as_os_str()])
            .args([package, &system.arch, if theirs { "yes" } else { "" }])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = run.await.map_err(ArtifactError::io(root))?;
        let names = String::from_utf8_lossy(&ended.stdout);
        let names: Vec<String> = names.lines().map(str::to_owned).collect();
        if ended.status.success() && !names.is_empty() {
            return Ok(names);
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let why = said.lines().find_map(|line| line.strip_prefix("E: "));
        let why = why.unwrap_or("apt-get named no file").to_owned();
        Err(ArtifactError::Tool { why })
    }
}

/// Packs the files that apt-get has fetched.
async fn pack_debs(
    root: PathBuf,
    package: String,
    names: Vec<String>,
) -> Result<Artifact, ArtifactError> {
    blocking(move || {
        let at = |name: &String| (PathBuf::from(name), root.join("archives").join(name));
        let tree: pack::Tree = names.iter().map(at).collect();
        let made = root.join(format!("{package}.new"));
        pack::into_file(&made, |file| pack::plain(&tree, file))?;
        let origin = format!("apt-get ({} packages)", names.len());
        let stamp = Stamp::take(&made, origin)?.with_strip(0);
        // Hosts of one kind need not lack the same: each set has a file of its own.
        let place = root.join(format!("{package}-{}.tar", &stamp.sums().sha256[..16]));
        fs::rename(&made, &place).map_err(ArtifactError::io(&place))?;
        Ok(Artifact {
            path: place,
            ..stamp.artifact()
        })
    })
    .await
}

/// This machine's release, as in `debian bookworm`.
fn release_here() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = |key: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    Some(format!("{} {}", value("ID")?, value("VERSION_CODENAME")?))
}
