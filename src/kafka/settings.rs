//! Settings that the cluster keeps for all brokers: there they count more than the brokers' files, so a value that
//! was kept at the first deploy would hide every later one of the inventory.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::{Alteration, Entry, MIN_ISR, Resource, Source};
use super::topics::same;
use super::{Client, Result};

/// The driver's action that changes them.
pub const ACTION: &str = "settings";
/// The settings that a cluster keeps by itself from its first start on (4.1: with eligible leader replicas).
pub(super) const KEPT: [&str; 1] = [MIN_ISR];

/// A setting that the cluster keeps otherwise than the inventory wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The setting.
    pub key: String,
    /// What it is now.
    pub from: String,
    /// What it should be.
    pub to: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, from, to } = self;
        write!(f, "all brokers: {key} {from} -> {to}")
    }
}

/// What is to be done so that what the cluster keeps is what the inventory names.
///
/// # Errors
/// When no broker answers.
pub async fn compare(client: &Client, wanted: &BTreeMap<String, String>) -> Result<Vec<Change>> {
    let keys: Vec<&str> = KEPT
        .into_iter()
        .filter(|key| wanted.contains_key(*key))
        .collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = client
        .describe_configs(&[Resource::AllBrokers], &keys)
        .await?;
    let entries = found
        .get(&Resource::AllBrokers)
        .map_or(&[][..], Vec::as_slice);
    let change = |key: &&str| diff(key, wanted.get(*key)?, entries);
    Ok(keys.iter().filter_map(change).collect())
}

/// Only a value that is kept for all brokers is in the way: any other comes from the files.
fn diff(key: &str, to: &str, entries: &[Entry]) -> Option<Change> {
    let entry = entries.iter().find(|entry| entry.name == key)?;
    let from = entry.value.as_ref()?;
    let hides = entry.source == Source::AllBrokers && !same(to, from);
    hides.then(|| Change {
        key: key.to_owned(),
        from: from.clone(),
        to: to.to_owned(),
    })
}

/// Makes one change.
///
/// # Errors
/// When the cluster refuses it.
pub async fn apply(client: &Client, change: &Change) -> Result<()> {
    let to = Alteration::Set(change.key.clone(), change.to.clone());
    client
        .alter_configs(&Resource::AllBrokers, &[to], false)
        .await
}
