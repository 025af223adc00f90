//! Conditions: parts of a descriptor that go with some settings and not with others.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::id::ServiceName;

/// The values that some settings must have, by their words: one, or one of a list; empty: always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "BTreeMap<String, serde_json::Value>")]
pub struct When(BTreeMap<String, Json>);

impl When {
    /// Whether it holds with these settings.
    #[must_use]
    pub fn holds(&self, settings: &BTreeMap<String, Json>) -> bool {
        let is = |value: &Json, wanted: &Json| match wanted {
            Json::Array(several) => several.contains(value),
            one => value == one,
        };
        let given = |word| settings.get(word).unwrap_or(&Json::Null);
        (self.0.iter()).all(|(word, wanted)| is(given(word), wanted))
    }

    /// The settings that it asks for.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether it holds always.
    #[must_use]
    pub fn is_always(&self) -> bool {
        self.0.is_empty()
    }
}

/// As an inventory would write it: `mode: other, sharded: true`.
impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Of several, those behind the first are values that others lead through.
        let first = |value: &Json| match value {
            Json::Array(several) => several.first().cloned().unwrap_or_default(),
            one => one.clone(),
        };
        let value = |value: &Json| match first(value) {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let parts = self.0.iter().map(|(w, v)| format!("{w}: {}", value(v)));
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// A service that must be there first: its name, or its name with a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Need {
    /// Always.
    Always(ServiceName),
    /// With some settings only.
    Sometimes(Sometimes),
}

/// A service that is needed with some settings only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sometimes {
    /// The service.
    pub service: ServiceName,
    /// With which settings.
    pub when: When,
}

impl Need {
    /// The service that is needed.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        match self {
            Self::Always(service) => service,
            Self::Sometimes(sometimes) => &sometimes.service,
        }
    }

    /// With which settings.
    #[must_use]
    pub fn when(&self) -> Option<&When> {
        match self {
            Self::Always(_) => None,
            Self::Sometimes(sometimes) => Some(&sometimes.when),
        }
    }
}
