//! How a setting that is fixed gets another value while the cluster runs: by values in between, each brought about as
//! a whole before the next, and each but the last with a way back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::Probe;
use super::when::When;

/// A way from one value of a setting to another.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// The word of the command line for it: `other` makes `sdtd migrate other`.
    pub name: String,
    /// The value that there is.
    pub from: String,
    /// The value that there is in the end.
    pub to: String,
    /// The values in between, in order. Users never write them; conditions (`when`) and templates read them.
    pub through: Vec<Between>,
    /// The versions of the service that know the way.
    pub versions: Vec<String>,
    /// The other settings that it takes.
    #[serde(default)]
    pub when: When,
    /// What is done, on one host, on the way back once what had come with the values in between has stopped.
    #[serde(default)]
    pub undo: Option<Undo>,
}

/// A value in between.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The value.
    pub value: String,
    /// What must hold before an instance is changed for the next value, asked of it.
    #[serde(default)]
    pub done: Vec<Probe>,
    /// The value that comes next on the way back; the one before if not given.
    #[serde(default)]
    pub back: Option<String>,
}

/// A hook that undoes what a way did outside of files.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// What it does, for people.
    pub text: String,
    /// The hook: exit 0 done, anything else a failure. It may run more than once.
    pub hook: String,
    /// Seconds it may take.
    pub within: u64,
}

impl Way {
    /// All values, in order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let between = self.through.iter().map(|between| between.value.as_str());
        std::iter::once(self.from.as_str())
            .chain(between)
            .chain([self.to.as_str()])
    }

    /// How far along a value is; none for one that is not on the way.
    #[must_use]
    pub fn place(&self, value: &str) -> Option<usize> {
        self.values().position(|other| other == value)
    }

    /// The last value from which there is a way back: where it is held until it is ended.
    #[must_use]
    pub fn held(&self) -> &str {
        self.through
            .last()
            .map_or(&self.to, |between| &between.value)
    }

    /// The value that follows one.
    #[must_use]
    pub fn after(&self, value: &str) -> Option<&str> {
        self.values().skip_while(|other| *other != value).nth(1)
    }

    /// The value that follows one on the way back.
    #[must_use]
    pub fn before(&self, value: &str) -> Option<&str> {
        let at = self.through.iter().position(|b| b.value == value)?;
        let before = at.checked_sub(1).map(|before| &self.through[before].value);
        let back = self.through[at].back.as_ref().or(before);
        Some(back.unwrap_or(&self.from))
    }

    /// Whether a value is neither the first nor the last.
    #[must_use]
    pub fn is_between(&self, value: &str) -> bool {
        self.through.iter().any(|between| between.value == value)
    }

    /// The hooks that it needs.
    pub fn hooks(&self) -> impl Iterator<Item = &str> {
        let done = self.through.iter().flat_map(|between| &between.done);
        let hooks = done.filter_map(|probe| match probe {
            Probe::Exec { hook, .. } => Some(hook.as_str()),
            _ => None,
        });
        hooks.chain(self.undo.iter().map(|undo| undo.hook.as_str()))
    }

    /// What must hold before an instance is changed for a value.
    #[must_use]
    pub fn gate(&self, value: &str) -> &[Probe] {
        let at = |between: &&Between| self.after(&between.value) == Some(value);
        let left = self.through.iter().find(at);
        left.map_or(&[], |between| &between.done)
    }
}
