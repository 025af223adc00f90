//! What is in a package: the SHA-256 of each of its files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{Artifact, ArtifactError, Format};
use crate::digest::hex;

/// The SHA-256 of each file, by its path in the unpacked tree. Links and folders are left out.
///
/// # Errors
/// When the archive can't be read.
pub fn content(artifact: &Artifact) -> Result<BTreeMap<String, String>, ArtifactError> {
    let wrong = |e: std::io::Error| ArtifactError::Layout {
        path: artifact.path.clone(),
        why: e.to_string(),
    };
    let file = File::open(&artifact.path).map_err(ArtifactError::io(&artifact.path))?;
    let file = BufReader::with_capacity(128 * 1024, file);
    match artifact.format {
        Format::Tar => sums(file, artifact.strip),
        Format::TarGz => sums(MultiGzDecoder::new(file), artifact.strip),
    }
    .map_err(wrong)
}

fn sums(reader: impl Read, strip: usize) -> std::io::Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path()?.into_owned();
        // As `tar --strip-components` counts.
        let parts = name.components().skip(strip);
        let inside: PathBuf = parts.filter(|part| *part != Component::CurDir).collect();
        let mut sum = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match entry.read(&mut buffer)? {
                0 => break,
                n => sum.update(&buffer[..n]),
            }
        }
        sums.insert(inside.to_string_lossy().into_owned(), hex(&sum.finalize()));
    }
    sums.remove("");
    Ok(sums)
}
