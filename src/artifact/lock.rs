//! Lock files: which jars make a package, each with its SHA-256.

use super::sum;
use std::collections::BTreeMap;
use thiserror::Error;

/// A parsed lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The jars, in the order of their coordinates.
    pub jars: Vec<Jar>,
}

/// One jar of a lock file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Jar {
    /// What Maven knows it by.
    pub coordinate: Coordinate,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
}

/// `group:artifact:version[:classifier]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coordinate {
    /// The group, as in `org.slf4j`.
    pub group: String,
    /// The artifact, as in `slf4j-api`.
    pub artifact: String,
    /// The version.
    pub version: String,
    /// The classifier, as in `linux-x86_64`.
    pub classifier: Option<String>,
}

/// A line of a lock file that can't be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {why}")]
pub struct LockError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Coordinate {
    /// The jar's file name, in the tree as in a repository.
    pub fn file_name(&self) -> String {
        let Self {
            artifact,
            version,
            classifier,
            ..
        } = self;
        match classifier {
            None => format!("{artifact}-{version}.jar"),
            Some(classifier) => format!("{artifact}-{version}-{classifier}.jar"),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let fits = |part: &&str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
        };
        if let Some(bad) = parts.iter().find(|part| !fits(part)) {
            return Err(format!("`{bad}` in `{text}` is no part of a coordinate"));
        }
        let (group, artifact, version, classifier) = match parts[..] {
            [group, artifact, version] => (group, artifact, version, None),
            [group, artifact, version, classifier] => (group, artifact, version, Some(classifier)),
            _ => {
                return Err(format!(
                    "`{text}` is not group:artifact:version[:classifier]"
                ));
            }
        };
        Ok(Self {
            group: group.into(),
            artifact: artifact.into(),
            version: version.into(),
            classifier: classifier.map(Into::into),
        })
    }
}

impl std::fmt::Display for Coordinate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.group, self.artifact, self.version)?;
        match &self.classifier {
            None => Ok(()),
            Some(classifier) => write!(f, ":{classifier}"),
        }
    }
}

impl Lock {
    /// Reads a lock file's text.
    ///
    /// # Errors
    ///
    /// The first line that is neither empty, a comment, nor `coordinate sha256`; a jar whose
    /// file name an earlier one has already; a file without any jar.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut jars = Vec::new();
        let mut names = BTreeMap::new();
        for (index, content) in text.lines().enumerate() {
            let line = index + 1;
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let jar = Jar::parse(content).map_err(|why| LockError { line, why })?;
            if let Some(first) = names.insert(jar.coordinate.file_name(), line) {
                let why = format!("{} is on line {first} already", jar.coordinate.file_name());
                return Err(LockError { line, why });
            }
            jars.push(jar);
        }
        if jars.is_empty() {
            return Err(LockError {
                line: text.lines().count(),
                why: "no jar is named".into(),
            });
        }
        jars.sort();
        Ok(Self { jars })
    }

    /// The lock without comments, which is the same for the same package.
    pub(crate) fn canonical(&self) -> String {
        self.jars
            .iter()
            .map(|jar| format!("{} {}\n", jar.coordinate, jar.sha256))
            .collect()
    }
}

impl Jar {
    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let (Some(coordinate), Some(sha256), None) = (words.next(), words.next(), words.next())
        else {
            return Err("is not `group:artifact:version[:classifier] sha256`".into());
        };
        Ok(Self {
            coordinate: Coordinate::parse(coordinate)?,
            sha256: sum::hex(sha256, sum::SHA256)
                .ok_or_else(|| format!("`{sha256}` is not a SHA-256 in hex"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

    #[test]
    fn a_lock_is_read_and_sorted() {
        let lock = Lock::parse(&format!("# a\n\nb:b:1:linux {SUM}\na:a:2 {SUM}\n")).unwrap();
        let names: Vec<_> = lock
            .jars
            .iter()
            .map(|jar| jar.coordinate.file_name())
            .collect();
        assert_eq!(names, ["a-2.jar", "b-1-linux.jar"]);
        assert!(lock.canonical().starts_with("a:a:2 0123456789abcdef"));
        assert!(!lock.canonical().contains("ABC"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let why = |text: String| Lock::parse(&text).unwrap_err().to_string();
        assert_eq!(
            why(format!("#\na:b {SUM}")),
            "line 2: `a:b` is not group:artifact:version[:classifier]"
        );
        assert_eq!(
            why("a:b:1 12ab".into()),
            "line 1: `12ab` is not a SHA-256 in hex"
        );
        assert_eq!(
            why("\na:b:1".into()),
            "line 2: is not `group:artifact:version[:classifier] sha256`"
        );
        assert_eq!(
            why(format!("a:b:../x {SUM}")),
            "line 1: `../x` in `a:b:../x` is no part of a coordinate"
        );
        assert_eq!(
            why(format!("a:x:1 {SUM}\n#\nb:x:1 {SUM}")),
            "line 3: x-1.jar is on line 1 already"
        );
        assert_eq!(why("# nothing\n".into()), "line 1: no jar is named");
    }
}
