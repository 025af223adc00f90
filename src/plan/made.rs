//! Values that are made at the first deploy, recorded on all hosts, and the same ever after.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::{Setting, SettingKind};
use crate::digest::uuid_of;
use crate::facts::HostFacts;
use crate::id::{HostName, ServiceName};
use crate::inventory::{Cluster, Service};

/// The cluster with all such values in their places: as recorded, else as the inventory gives them, else made
/// of `seed`, which no other cluster has.
#[must_use]
pub fn with_made(
    cluster: &Cluster,
    catalogue: &Catalogue,
    facts: &BTreeMap<HostName, HostFacts>,
    seed: &str,
) -> Cluster {
    let mut cluster = cluster.clone();
    for (name, service) in &mut cluster.services {
        let made = settings(catalogue, service).filter(|(_, s)| s.kind == SettingKind::Uuid);
        let words: Vec<String> = made.map(|(word, _)| word.clone()).collect();
        for word in words {
            let key = key(name, &word);
            let value = service.settings.entry(word).or_default();
            match recorded(facts, name, &key) {
                Some(recorded) => *value = Json::from(recorded),
                None if value.is_null() => *value = Json::from(uuid_of(&format!("{seed} {key}"))),
                None => {}
            }
        }
    }
    cluster
}

/// The values that are fixed at the first deploy, by `<service>.<word>`.
#[must_use]
pub fn fixed(cluster: &Cluster, catalogue: &Catalogue) -> BTreeMap<String, String> {
    let mut fixed = BTreeMap::new();
    for (name, service) in &cluster.services {
        for (word, _) in settings(catalogue, service).filter(|(_, setting)| setting.fixed) {
            let value = service.settings.get(word).filter(|value| !value.is_null());
            fixed.extend(value.map(|value| (key(name, word), text(value))));
        }
    }
    fixed
}

/// The settings of a service that have a meaning with the others.
fn settings<'a>(
    catalogue: &'a Catalogue,
    service: &Service,
) -> impl Iterator<Item = (&'a String, &'a Setting)> {
    let folder = catalogue.get(&service.name);
    let all = folder.into_iter().flat_map(|f| &f.descriptor.settings);
    let values = service.settings.clone();
    all.filter(move |(_, setting)| setting.when.holds(&values))
}

/// The value that is recorded. Hosts differ where a first deploy was cut off while it was recorded, and those
/// that had it were then out of reach of the next: what counts is what a host has used, else what most have.
fn recorded(
    facts: &BTreeMap<HostName, HostFacts>,
    service: &ServiceName,
    key: &str,
) -> Option<String> {
    let mut counts: BTreeMap<&String, (bool, usize)> = BTreeMap::new();
    for facts in facts.values() {
        let value = facts
            .record
            .as_ref()
            .and_then(|record| record.fixed.get(key));
        if let Some(value) = value {
            let count = counts.entry(value).or_default();
            count.0 |= has_used(facts, service);
            count.1 += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(value, _)| value.clone())
}

/// Whether a step that is done once was done on a host for an instance of a service.
fn has_used(facts: &HostFacts, service: &ServiceName) -> bool {
    let of = format!("/units/{service}-");
    let done = |marker: &String| marker.contains(&of) && marker.contains("/once-");
    facts.markers.iter().any(done)
}

pub(super) fn key(service: &ServiceName, word: &str) -> String {
    format!("{service}.{word}")
}

fn text(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::facts::{RECORD_FORMAT, Record};
    use crate::id::Arch;

    fn host(name: &str, id: &str, used: bool) -> (HostName, HostFacts) {
        let mut facts = HostFacts::bare(name, Arch::X86_64, 1024);
        facts.record = Some(Record {
            format: RECORD_FORMAT,
            finalized: BTreeMap::new(),
            cluster: "c".to_owned(),
            host: name.parse().unwrap(),
            placement: Arc::default(),
            numbers: BTreeMap::new(),
            versions: BTreeMap::new(),
            fixed: Arc::new(BTreeMap::from([("log.id".to_owned(), id.to_owned())])),
            owns: [].into(),
            data: [].into(),
            units: [].into(),
            hosts: Arc::default(),
            replaced: BTreeMap::new(),
        });
        let marker = "/var/lib/sdtd/c/units/log-broker/once-format".to_owned();
        facts.markers.extend(used.then_some(marker));
        (name.parse().unwrap(), facts)
    }

    #[test]
    fn a_value_that_was_used_counts_more_than_one_that_many_recorded() {
        let service: ServiceName = "log".parse().unwrap();
        let all = [
            host("a", "old", false),
            host("b", "old", false),
            host("c", "new", true),
        ];
        let value = |hosts: &[(HostName, HostFacts)]| {
            let facts = hosts.iter().cloned().collect();
            recorded(&facts, &service, "log.id")
        };
        assert_eq!(value(&all).as_deref(), Some("new"));
        assert_eq!(value(&all[..2]).as_deref(), Some("old"));
        assert_eq!(value(&[]), None);
    }
}
