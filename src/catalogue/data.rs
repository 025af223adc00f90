//! The words for what an instance keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::{DriverAction, Probe};
use crate::id::RoleName;

/// Where an instance keeps what must not be lost.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Whether it may be spread over several folders.
    #[serde(default)]
    pub many: bool,
    /// A path in each folder (*template*) that is there as soon as the instance is ready, and as long as the folder
    /// holds its data: an instance that had it is never started without it.
    #[serde(default)]
    pub holds: Option<String>,
    /// A later role of the service without which there are no data yet: it makes them, once, as it starts first.
    #[serde(default)]
    pub since: Option<RoleName>,
    /// What is put behind the name of the first folder that the inventory gives, for a role that shares its
    /// hosts with another of the service.
    #[serde(default)]
    pub beside: String,
    /// What must hold before an instance that lost its data may start empty, when that is asked for.
    #[serde(default)]
    pub anew: Vec<Probe>,
    /// How one that started empty gets back what it had.
    #[serde(default)]
    pub refill: Option<Refill>,
}

/// How an instance that started empty gets back what it had, where that takes long.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refill {
    /// The driver's action: it knows what is missing, limits the speed, and waits as long as it goes on.
    pub action: DriverAction,
    /// What must hold of it before that, instead of the `ready` of its `rolling`.
    #[serde(default)]
    pub begun: Vec<Probe>,
}

impl Data {
    /// The folders of an instance, where the inventory gives some; `suffix` tells it from its host's first.
    #[must_use]
    pub fn folders(&self, given: &[String], suffix: &str) -> Vec<String> {
        let own = if self.beside.is_empty() {
            given.len()
        } else {
            1
        };
        let name = |path: &String| format!("{}{}{suffix}", path.trim_end_matches('/'), self.beside);
        given.iter().take(own).map(name).collect()
    }
}
