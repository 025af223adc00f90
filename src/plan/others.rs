//! Where an instance has files in other versions of its service: what is there of them goes when the version does.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::{Serde, Value};

use crate::catalogue::RenderError;
use crate::catalogue::descriptor::FileSpec;
use crate::id::InstanceId;
use crate::inventory::Service;
use crate::plan::context::{Context, Words};

/// What a template reads of a version: a word that the descriptor says of it.
const SAID: &str = "release.";

/// The words of a version that a path reads.
fn said_of(path: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let words = path.split(SAID).skip(1);
    words.map(move |rest| rest.split(ends).next().unwrap_or_default())
}

/// Whether a path reads more of a version than such words: it may be another one in each.
fn reads_more(path: &str) -> bool {
    let rest = path.replace(SAID, "");
    ["release", "version", "held"]
        .iter()
        .any(|word| rest.contains(word))
}

/// The same values, with what is said of another version.
fn saying(own: &Value, release: &BTreeMap<String, String>) -> Value {
    let words = own.try_iter().into_iter().flatten();
    let value = |word: Value| (word.to_string(), own.get_item(&word).unwrap_or_default());
    let mut values: BTreeMap<String, Value> = words.map(value).collect();
    values.insert("release".to_owned(), Value::from(Serde(release)));
    values.into()
}

impl Context<'_> {
    /// Where files of an instance are in other versions of its service, besides those of its own; `own` is what its
    /// templates read. Of versions of which the same is said, as far as it is read, one stands for all.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn other_paths(
        &self,
        id: &InstanceId,
        own: &Value,
    ) -> Result<BTreeSet<String>, RenderError> {
        let service = &self.cluster.services[&id.service];
        let words = self.words(&service.name);
        let role = words.and_then(|w| w.folder.descriptor.roles.get(&id.role));
        let (Some(words), Some(role)) = (words, role) else {
            return Ok(BTreeSet::new());
        };
        let files = role.files.iter().filter(|file| !file.bootstrap);
        let files: Vec<&FileSpec> = files
            .filter(|file| file.to.contains(SAID) || reads_more(&file.to))
            .collect();
        let read: Vec<&str> = files.iter().flat_map(|file| said_of(&file.to)).collect();
        let more = files.iter().any(|file| reads_more(&file.to));
        let said = |service: &Service| -> Vec<Option<String>> {
            let release = self.catalogue.release(service);
            let words = read.iter().map(|word| release.get(*word).cloned());
            words
                .chain([more.then(|| service.version.clone())])
                .collect()
        };
        let mut seen = vec![said(service)];
        let (host, mut paths) = (&self.cluster.hosts[&id.host], BTreeSet::new());
        let place = format!("{}/service.yaml (to)", words.folder.origin);
        for version in words.folder.descriptor.versions.keys() {
            let version = version.clone();
            let other = Service {
                version,
                ..service.clone()
            };
            let said = said(&other);
            if seen.contains(&said) {
                continue;
            }
            seen.push(said);
            let values = if more {
                let words = Words {
                    service: &other,
                    ..words
                };
                let member = self.member(id, &words, role, host);
                self.values(id, &words, host, &member)
            } else {
                saying(own, &self.catalogue.release(&other))
            };
            for file in &files {
                paths.insert(self.renderer.render(&place, &file.to, &values)?);
            }
        }
        paths.remove("");
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_reads_of_a_version_is_found() {
        let path = "{{ paths.config ~ '/x' if release.log == 'a' and release.moves_2 else '' }}";
        assert_eq!(said_of(path).collect::<Vec<_>>(), ["log", "moves_2"]);
        assert!(!reads_more(path));
        assert_eq!(said_of("{{ paths.config }}/x").count(), 0);
        for path in [
            "{{ service.version }}",
            "{{ release['log'] }}",
            "{{ held.x }}",
        ] {
            assert!(reads_more(path), "{path}");
        }
    }
}
