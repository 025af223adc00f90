//! Checksums: of files, and as upstream publishes them.

use super::ArtifactError;
use sha2::{Digest, Sha256, Sha512};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Hex digits of a SHA-256.
pub(crate) const SHA256: usize = 64;
/// Hex digits of a SHA-512.
pub(crate) const SHA512: usize = 128;

/// The checksums and length of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) sha256: String,
    pub(crate) sha512: String,
    pub(crate) size: u64,
}

/// What a file's checksum has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Sha256(String),
    Sha512(String),
}

impl Sums {
    /// Reads the file once. It blocks, so call it off the runtime's threads.
    pub(crate) fn of(path: &Path) -> Result<Self, ArtifactError> {
        let mut file = File::open(path).map_err(ArtifactError::io(path))?;
        let (mut short, mut long, mut size) = (Sha256::new(), Sha512::new(), 0);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let count = file.read(&mut buffer).map_err(ArtifactError::io(path))?;
            if count == 0 {
                break;
            }
            short.update(&buffer[..count]);
            long.update(&buffer[..count]);
            size += count as u64;
        }
        Ok(Self {
            sha256: crate::digest::hex(&short.finalize()),
            sha512: crate::digest::hex(&long.finalize()),
            size,
        })
    }

    /// Compares with what is expected of the file called `what`.
    pub(crate) fn check(&self, what: &str, expected: &Expected) -> Result<(), ArtifactError> {
        let (kind, expected, got) = match expected {
            Expected::Sha256(sum) => ("SHA-256", sum, &self.sha256),
            Expected::Sha512(sum) => ("SHA-512", sum, &self.sha512),
        };
        if expected == got {
            return Ok(());
        }
        Err(ArtifactError::Checksum {
            what: what.into(),
            kind,
            expected: expected.clone(),
            got: got.clone(),
        })
    }
}

impl Expected {
    /// A checksum as it is, its kind told by its length.
    pub(crate) fn by_length(sum: String) -> Self {
        if sum.len() == SHA256 {
            Self::Sha256(sum)
        } else {
            Self::Sha512(sum)
        }
    }

    /// The checksums of a source, where it has any.
    pub(crate) fn declared(
        sha512: Option<&str>,
        sha256: Option<&str>,
    ) -> Result<Vec<Self>, ArtifactError> {
        let bad = |kind, text: &str| ArtifactError::Sum {
            kind,
            text: text.into(),
        };
        let mut all = Vec::new();
        if let Some(text) = sha512 {
            let sum = hex(text, SHA512).ok_or_else(|| bad("SHA-512", text))?;
            all.push(Self::Sha512(sum));
        }
        if let Some(text) = sha256 {
            let sum = hex(text, SHA256).ok_or_else(|| bad("SHA-256", text))?;
            all.push(Self::Sha256(sum));
        }
        Ok(all)
    }
}

/// The text in lower case, if it is `digits` hex digits.
pub(crate) fn hex(text: &str, digits: usize) -> Option<String> {
    let text = text.trim();
    let fits = text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}

/// A SHA-512 or a SHA-256, told apart by their lengths.
fn digest(text: &str) -> Option<String> {
    hex(text, SHA512).or_else(|| hex(text, SHA256))
}

/// Finds the SHA-512 (or SHA-256) of `file` in the text of upstream's sum file. Three forms are in use:
/// `HASH  file`, `SHA512 (file) = HASH` and `file: AAAAAAAA BBBBBBBB …` over several lines.
pub(crate) fn published(text: &str, file: &str) -> Option<String> {
    let named = |name: &str| name.trim().trim_start_matches('*').trim_start_matches("./") == file;
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let plain = lines().find_map(|line| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        named(name).then(|| digest(sum)).flatten()
    });
    let tagged = || {
        lines().find_map(|line| {
            let (name, sum) = line.split_once('=')?;
            let (_, name) = name.split_once('(')?;
            named(name.trim().strip_suffix(')')?)
                .then(|| digest(sum))
                .flatten()
        })
    };
    let grouped = || {
        let (name, groups) = text.split_once(':')?;
        let joined: String = groups.split_whitespace().collect();
        named(name).then(|| digest(&joined)).flatten()
    };
    plain
        .or_else(tagged)
        .or_else(grouped)
        .or_else(|| digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum() -> String {
        "0123456789abcdef".repeat(8)
    }

    #[test]
    fn upstreams_sum_files_are_read_in_each_form() {
        let file = "mill_2.13-3.9.1.tgz";
        let groups: Vec<String> = sum()
            .to_uppercase()
            .as_bytes()
            .chunks(8)
            .map(|group| String::from_utf8(group.to_vec()).unwrap())
            .collect();
        let (first, rest) = groups.split_at(6);
        for text in [
            format!("{}  {file}\n", sum()),
            format!("{} *{file}\n", sum()),
            format!("{}\n", sum()),
            format!("SHA512 ({file}) = {}\n", sum()),
            format!("{}  other.tgz\n{}  {file}\n", "f".repeat(128), sum()),
            format!("{file}: {}\n       {}\n", first.join(" "), rest.join(" ")),
            format!("{file}:\n{}\n{}\n", first.join(" "), rest.join("  ")),
        ] {
            assert_eq!(published(&text, file), Some(sum()), "{text}");
        }
    }

    #[test]
    fn another_files_sum_is_not_taken() {
        assert_eq!(
            published(&format!("{}  other.tgz", sum()), "mill.tgz"),
            None
        );
        assert_eq!(
            published(&format!("other.tgz: {}", sum()), "mill.tgz"),
            None
        );
        assert_eq!(published("<html>404</html>", "mill.tgz"), None);
        assert_eq!(published("abcdef  mill.tgz", "mill.tgz"), None);
    }
}
