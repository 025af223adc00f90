//! The folder of packages that a user keeps: which of its files is the one wanted.

use super::request::arch_in_file_name;
use super::{Arch, ArtifactError, Request, Source};
use std::fs;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 3] = [".tar", ".tgz", ".tar.gz"];

/// Published beside releases, and never what is installed.
const OTHER: [&str; 5] = ["-src", "-source", "-sources", "-site-docs", "-javadoc"];

/// Finds the file that fits best: upstream's own name, then `<name>-<version>`, then the
/// patterns. Two that fit equally well are an error, since guessing would be worse.
pub(crate) fn find(folder: &Path, wanted: &Request) -> Result<Option<PathBuf>, ArtifactError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(ArtifactError::io(folder))? {
        let entry = entry.map_err(ArtifactError::io(folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.retain(|name| usable(name, wanted.arch));
    names.sort();
    let upstream = |name: &str| wanted.sources.iter().any(|s| s.file_name() == Some(name));
    let exact = |name: &str| {
        stem(name).is_some_and(|stem| stem == format!("{}-{}", wanted.name, wanted.version))
    };
    let starts = |name: &str| begins(name, &wanted.name, &wanted.version);
    let pattern = |name: &str| wanted.file_names.iter().any(|glob| matches(glob, name));
    let own = |name: &str| pattern(name) && arch_in_file_name(name).is_some();
    let ranks: [&dyn Fn(&str) -> bool; 5] = [&upstream, &exact, &starts, &own, &pattern];
    for rank in ranks {
        let fitting: Vec<&String> = names.iter().filter(|name| rank(name)).collect();
        match fitting[..] {
            [] => {}
            [one] => return Ok(Some(folder.join(one))),
            _ => {
                let files = fitting.into_iter().cloned().collect();
                return Err(ArtifactError::Ambiguous {
                    folder: folder.into(),
                    files,
                });
            }
        }
    }
    Ok(None)
}

/// Whether the file is the archive that this source names.
pub(crate) fn is_named_by(file: &Path, source: &Source) -> bool {
    file.file_name().and_then(|name| name.to_str()) == source.file_name()
}

fn stem(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
}

fn usable(name: &str, arch: Arch) -> bool {
    let fits = arch_in_file_name(name).is_none_or(|its| its == arch);
    fits && stem(name).is_some_and(|stem| !OTHER.iter().any(|other| stem.ends_with(other)))
}

/// Whether the name is `<name>-<version>` and more, yet of no other version: 3.9.1 is not 3.9.10.
fn begins(file: &str, name: &str, version: &str) -> bool {
    let rest = file
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'));
    let rest = rest.and_then(|rest| rest.strip_prefix(version));
    rest.is_some_and(|rest| rest.starts_with(['-', '_']) || ENDINGS.contains(&rest))
}

/// A pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| matches(rest, &name[at..]))
        }
        Some(c) => {
            let mut chars = name.chars();
            chars.next().is_some_and(|first| c == '?' || c == first)
                && matches(rest.as_str(), chars.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::request;
    use super::*;

    fn choose(wanted: &Request, files: &[&str]) -> Result<Option<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let found = find(dir.path(), wanted).map_err(|e| e.to_string())?;
        Ok(found.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()))
    }

    #[test]
    fn the_file_of_this_version_is_found_by_each_of_its_names() {
        let mut mill = request("mill", "3.9.1");
        mill.file_names = vec!["mill_2.1?-3.9.1.t*".into()];
        let some = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(
            choose(&mill, &["mill-3.9.10.tgz", "mill-3.9.1.zip"]),
            Ok(None)
        );
        assert_eq!(
            choose(&mill, &["mill-3.9.10.tgz", "mill-3.9.1.tgz"]),
            some("mill-3.9.1.tgz")
        );
        assert_eq!(
            choose(&mill, &["mill_2.13-3.9.1.tgz", "mill_2.13-3.9.1-src.tgz"]),
            some("mill_2.13-3.9.1.tgz")
        );
        let both = choose(&mill, &["mill-3.9.1-a.tar", "mill-3.9.1-b.tgz"]).unwrap_err();
        assert!(
            both.ends_with("fit: mill-3.9.1-a.tar, mill-3.9.1-b.tgz"),
            "{both}"
        );
        let other = choose(&mill, &["mill-3.9.1-aarch64.tgz", "mill-3.9.1-x64.tgz"]);
        assert_eq!(other, some("mill-3.9.1-x64.tgz"));
    }

    #[test]
    fn upstreams_own_name_goes_first() {
        let mut wanted = request("loom", "3.8.4");
        wanted.sources = vec![Source::Archive {
            url: "http://127.0.0.1/x/apache-loom-3.8.4-bin.tar.gz".into(),
            sha512: None,
            sums: None,
            sha256: None,
            strip: 1,
        }];
        let files = ["loom-3.8.4.tar", "apache-loom-3.8.4-bin.tar.gz"];
        assert_eq!(choose(&wanted, &files), Ok(Some(files[1].into())));
    }
}
