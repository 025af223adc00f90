//! What is asked for: a package, its version, its architecture and where it may come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::id::Arch;

/// One package of one version for one architecture.
#[derive(Clone, Debug)]
pub struct Request {
    /// The package's name, as in `mill`.
    pub name: String,
    /// Its version; for a Java runtime the major version is enough.
    pub version: String,
    /// The architecture of the hosts it is for.
    pub arch: Arch,
    /// Where it may come from, in order.
    pub sources: Vec<Source>,
    /// The file named by the user for this package; nothing else is tried then.
    pub given: Option<PathBuf>,
    /// Patterns (`*`, `?`) of further file names to look for in the folder of packages, for
    /// names that do not start with `<name>-<version>`.
    pub file_names: Vec<String>,
}

/// The architecture that a file's name speaks of, if it does.
pub(crate) fn arch_in_file_name(name: &str) -> Option<Arch> {
    const WORDS: [(&str, Arch); 8] = [
        ("x86_64", Arch::X86_64),
        ("amd64", Arch::X86_64),
        ("x64", Arch::X86_64),
        ("aarch64", Arch::Aarch64),
        ("arm64", Arch::Aarch64),
        ("armhf", Arch::Armhf),
        ("armv7", Arch::Armhf),
        ("arm", Arch::Armhf),
    ];
    let name = name.to_lowercase();
    let bound = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric());
    WORDS.iter().find_map(|(word, arch)| {
        name.match_indices(word)
            .any(|(at, _)| {
                bound(name[..at].chars().next_back())
                    && bound(name[at + word.len()..].chars().next())
            })
            .then_some(*arch)
    })
}

/// A way to get a package that the user did not bring along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A release archive, as its makers publish it.
    Archive {
        /// Where it is downloaded from.
        url: String,
        /// Its SHA-512, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha512: Option<String>,
        /// Where its makers publish its SHA-512 or SHA-256; asked only where no checksum is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sums: Option<String>,
        /// Its SHA-256, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// Leading path components to drop when it is unpacked.
        #[serde(default = "one")]
        strip: usize,
    },
    /// Jars from a Maven repository, each locked by its SHA-256.
    Maven {
        /// The text of the lock file.
        lock: String,
        /// The folder of the tree that the jars go to, as in `lib`.
        into: String,
    },
    /// Files of the catalogue itself, packed as they are.
    Files {
        /// Texts, by path.
        texts: BTreeMap<String, String>,
        /// Files of this machine, by path: what is no text.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        others: BTreeMap<String, PathBuf>,
    },
    /// A Java runtime linked from the operator's own JDK, for the operator's own architecture.
    Jlink {
        /// The modules it has; those they need are added.
        modules: Vec<String>,
    },
}

fn one() -> usize {
    1
}

impl Source {
    /// The place, for people.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Archive { url, .. } => format!("archive {url}"),
            Self::Maven { .. } => "Maven repository".into(),
            Self::Files { .. } => "the catalogue".into(),
            Self::Jlink { .. } => "jlink of the local JDK".into(),
        }
    }

    /// The last part of an archive's address: the file's name as upstream has it.
    pub(crate) fn file_name(&self) -> Option<&str> {
        match self {
            Self::Archive { url, .. } => {
                let path = url.split(['?', '#']).next().unwrap_or(url);
                path.rsplit('/').next().filter(|name| !name.is_empty())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_known_by_all_their_names() {
        let json = serde_json::to_string(&Arch::X86_64).unwrap();
        assert_eq!(json, "\"x86_64\"");
    }

    #[test]
    fn a_file_name_may_tell_its_architecture() {
        let of = arch_in_file_name;
        assert_eq!(
            of("OpenJDK17U-jre_x64_linux_hotspot_17.0.15_6.tar.gz"),
            Some(Arch::X86_64)
        );
        assert_eq!(
            of("OpenJDK17U-jre_aarch64_linux.tar.gz"),
            Some(Arch::Aarch64)
        );
        assert_eq!(of("OpenJDK17U-jre_arm_linux.tar.gz"), Some(Arch::Armhf));
        assert_eq!(of("charm-1.0.tar.gz"), None);
        assert_eq!(of("mill_2.13-3.9.1.tgz"), None);
    }

    #[test]
    fn a_source_reads_as_people_write_it() {
        let archive: Source =
            serde_yaml::from_str("archive: { url: 'http://127.0.0.1/a/mill-1.tgz' }").unwrap();
        assert_eq!(archive.file_name(), Some("mill-1.tgz"));
        assert!(matches!(archive, Source::Archive { strip: 1, .. }));
        assert!(serde_yaml::from_str::<Source>("jlink: { modules: [], extra: 1 }").is_err());
    }
}
