//! Values that are made at the first deploy, recorded on all hosts, and the same ever after.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::{Setting, SettingKind};
use crate::digest::uuid_of;
use crate::facts::{HostFacts, Record};
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
    let records: Vec<&Record> = facts.values().filter_map(|f| f.record.as_ref()).collect();
    for (name, service) in &mut cluster.services {
        let made = settings(catalogue, service).filter(|(_, s)| s.kind == SettingKind::Uuid);
        let words: Vec<String> = made.map(|(word, _)| word.clone()).collect();
        for word in words {
            let key = key(name, &word);
            let value = service.settings.entry(word).or_default();
            match most_recorded(&records, &key) {
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

/// The value that most hosts have. They differ only where a first deploy was cut off while it was recorded,
/// before anything used it, and those that had it were then out of reach.
fn most_recorded<'a>(records: &[&'a Record], key: &str) -> Option<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in records.iter().filter_map(|record| record.fixed.get(key)) {
        *counts.entry(value).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(value, _)| value)
}

fn key(service: &ServiceName, word: &str) -> String {
    format!("{service}.{word}")
}

fn text(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
