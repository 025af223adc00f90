//! The operator's own JDK: where it is and which version, found without running it.

use std::fs;
use std::path::{Path, PathBuf};

/// An installed JDK that can link runtimes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Jdk {
    pub(crate) home: PathBuf,
    /// The full version, as in `17.0.15+6-Debian-1deb12u1`.
    pub(crate) version: String,
}

/// A JDK of this major version, or else why there is none.
pub(crate) fn find(major: &str, homes: &[PathBuf]) -> Result<Jdk, String> {
    let mut others = Vec::new();
    for home in homes {
        match Jdk::at(home) {
            Some(jdk) if major_of(&jdk.version) == major_of(major) => return Ok(jdk),
            Some(jdk) => others.push(format!("{} in {}", jdk.version, home.display())),
            None => {}
        }
    }
    others.dedup();
    let wanted = format!("a JDK {} with jlink is wanted", major_of(major));
    Err(match others[..] {
        [] => format!("{wanted}, none is installed here"),
        _ => format!("{wanted}, here is only {}", others.join(", ")),
    })
}

/// Where a JDK may be: `JAVA_HOME`, what the PATH leads to, the distribution's folder.
pub(crate) fn homes() -> Vec<PathBuf> {
    let named = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| [folder.join("javac"), folder.join("jlink")])
        .filter_map(|tool| Some(tool.canonicalize().ok()?.parent()?.parent()?.to_owned()));
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/jvm")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    installed.sort();
    named.into_iter().chain(found).chain(installed).collect()
}

impl Jdk {
    fn at(home: &Path) -> Option<Self> {
        if !home.join("bin/jlink").is_file() {
            return None;
        }
        let text = fs::read_to_string(home.join("release")).ok()?;
        let value = |key: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim().trim_matches('"').to_owned())
        };
        let version = value("JAVA_RUNTIME_VERSION").or_else(|| value("JAVA_VERSION"))?;
        let maker = value("IMPLEMENTOR").unwrap_or_default();
        let maker = if maker.is_empty() {
            maker
        } else {
            format!(" ({maker})")
        };
        Some(Self {
            home: home.into(),
            version: version + &maker,
        })
    }
}

/// 17 of `17.0.15+6`, and 8 of `1.8.0_402`.
fn major_of(version: &str) -> &str {
    let version = version.strip_prefix("1.").unwrap_or(version);
    version
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jdk_of_the_wanted_version_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let home = |name: &str, release: &str| {
            let home = dir.path().join(name);
            fs::create_dir_all(home.join("bin")).unwrap();
            fs::write(home.join("bin/jlink"), "").unwrap();
            fs::write(home.join("release"), release).unwrap();
            home
        };
        let old = home("8", "JAVA_VERSION=\"1.8.0_402\"\n");
        let new = home(
            "17",
            "IMPLEMENTOR=\"X\"\nJAVA_RUNTIME_VERSION=\"17.0.15+6\"\n",
        );
        let homes = [dir.path().join("none"), old, new.clone()];
        let jdk = find("17", &homes).unwrap();
        assert_eq!(
            jdk,
            Jdk {
                home: new,
                version: "17.0.15+6 (X)".into()
            }
        );
        assert_eq!(find("17.0.3", &homes).unwrap(), jdk);
        let why = find("21", &homes).unwrap_err();
        assert!(
            why.starts_with("a JDK 21 with jlink is wanted, here is only 1.8.0_402 in"),
            "{why}"
        );
        assert!(
            find("21", &[])
                .unwrap_err()
                .ends_with("none is installed here")
        );
    }
}
