//! The words for versions: what each of them is, which may follow which while the cluster runs, and what is held
//! until there is no way back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::DriverAction;
use super::when::When;
use crate::id::ServiceName;

/// One upstream version.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Values that templates and sources read as `release.<name>`.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// The least version of services that it needs, where not any of theirs will do.
    #[serde(default)]
    pub least: BTreeMap<ServiceName, String>,
    /// The only values that this version takes of some settings.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub settings: BTreeMap<String, serde_json::Value>,
    /// The versions that it may follow while the cluster runs, one member after another being changed.
    #[serde(default)]
    pub from: Vec<String>,
    /// The versions that it can't follow so, each with the reason, where there is one to be told.
    #[serde(default)]
    pub not_from: BTreeMap<String, String>,
}

/// What a new version does not do before it is finalized: until then the version before can come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finalize {
    /// The settings with which it is so.
    #[serde(default)]
    pub when: When,
    /// Upstream keys that keep what the version before says: by key, the name of the version's value. Templates
    /// read them as the map `held`, which is empty where all is finalized.
    #[serde(default)]
    pub holds: BTreeMap<String, String>,
    /// What the service keeps by itself at the level of the version before, and a driver raises.
    #[serde(default)]
    pub raises: Option<Raises>,
}

/// What a driver raises once a version is finalized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raises {
    /// The driver's action.
    pub action: DriverAction,
    /// The name of the version's value that says to what.
    pub to: String,
    /// What is raised, for people.
    pub text: String,
}
