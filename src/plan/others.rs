//! Where an instance has files in other versions of its service: what is there of them goes when the version does.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::context;
use minijinja::value::{Serde, Value};

use crate::catalogue::RenderError;
use crate::catalogue::descriptor::Role;
use crate::id::InstanceId;
use crate::inventory::Service;
use crate::plan::context::{Context, Words};
use crate::plan::model::RoleRef;

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

/// What is to be known of a role's other versions to tell where they have files.
pub(super) struct Others {
    /// The paths that may differ, as templates.
    paths: Vec<String>,
    /// The versions in which they may, one for all of which the same is said; with what is said of it.
    versions: Vec<(Service, Value)>,
    /// Whether a path reads more of a version than what is said of it.
    more: bool,
}

impl Context<'_> {
    /// Where files of an instance are in other versions of its service, besides those of its own; `own` is what its
    /// templates read.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn other_paths(
        &self,
        id: &InstanceId,
        own: &Value,
    ) -> Result<BTreeSet<String>, RenderError> {
        let words = self.words(&self.cluster.services[&id.service].name);
        let role = words.and_then(|w| w.folder.descriptor.roles.get(&id.role));
        let (Some(words), Some(role)) = (words, role) else {
            return Ok(BTreeSet::new());
        };
        let make = || Ok(Arc::new(self.others(&words, role)));
        let others = self.shared.others.get_or_make(RoleRef::of(id), make)?;
        let (host, mut paths) = (&self.cluster.hosts[&id.host], BTreeSet::new());
        let place = format!("{}/service.yaml (to)", words.folder.origin);
        for (service, release) in &others.versions {
            let values = if others.more {
                let words = Words { service, ..words };
                let member = self.member(id, &words, role, host);
                self.values(id, &words, host, &member)
            } else {
                context! { release, ..own.clone() }
            };
            for path in &others.paths {
                paths.insert(self.renderer.render(&place, path, &values)?);
            }
        }
        paths.remove("");
        Ok(paths)
    }

    /// Of versions of which the same is said, as far as paths read it, one stands for all.
    fn others(&self, words: &Words<'_>, role: &Role) -> Others {
        let kept = role.files.iter().filter(|file| !file.bootstrap);
        let paths = kept.map(|file| &file.to);
        let paths: Vec<&String> = paths
            .filter(|to| to.contains(SAID) || reads_more(to))
            .collect();
        let read: Vec<&str> = paths.iter().flat_map(|to| said_of(to)).collect();
        let more = paths.iter().any(|to| reads_more(to));
        let said = |service: &Service| -> Vec<Option<String>> {
            let release = self.catalogue.release(service);
            let words = read.iter().map(|word| release.get(*word).cloned());
            words
                .chain([more.then(|| service.version.clone())])
                .collect()
        };
        let mut seen = BTreeSet::from([said(words.service)]);
        let versions = words.folder.descriptor.versions.keys();
        let other = |version: &String| Service {
            version: version.clone(),
            ..words.service.clone()
        };
        let others = versions.map(other).filter(|other| seen.insert(said(other)));
        let told = |other: Service| {
            let release = Value::from(Serde(self.catalogue.release(&other)));
            (other, release)
        };
        Others {
            versions: others.map(told).collect(),
            paths: paths.into_iter().cloned().collect(),
            more,
        }
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
