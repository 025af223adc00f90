//! Keys that instances take while they run: a file of the service's folder, one a line.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// A key that an instance takes while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveKey {
    /// The key, as it stands in the instance's file.
    pub key: String,
    /// The key that is changed in the running instance, where that is another one, and what the value is
    /// multiplied by for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<(String, i64)>,
}

impl LiveKey {
    /// The key that is changed in the running instance.
    #[must_use]
    pub fn taken_as(&self) -> &str {
        self.into.as_ref().map_or(&self.key, |(key, _)| key)
    }
}

/// Such keys in their order, found by name. Every instance's files hold the same ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveKeys(Arc<IndexMap<String, LiveKey>>);

impl LiveKeys {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key is among them.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &LiveKey> {
        self.0.values()
    }
}

impl From<Vec<LiveKey>> for LiveKeys {
    fn from(keys: Vec<LiveKey>) -> Self {
        let named = keys.into_iter().map(|key| (key.key.clone(), key));
        Self(Arc::new(named.collect()))
    }
}

/// Reads such a file: `key`, or `key other factor` where upstream takes it under another key only. Of several that
/// are taken as one the first that is given counts.
///
/// # Errors
/// The number of a line that is neither.
pub fn live_keys(text: &str) -> Result<Vec<LiveKey>, usize> {
    let mut keys = Vec::new();
    for (n, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let into = match line.split_whitespace().collect::<Vec<_>>()[..] {
            [] => continue,
            [key] => (key, None),
            [key, other, factor] => {
                let factor = factor.parse().map_err(|_| n)?;
                (key, Some((other.to_owned(), factor)))
            }
            _ => return Err(n),
        };
        keys.push(LiveKey {
            key: into.0.to_owned(),
            into: into.1,
        });
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_key_or_a_key_with_what_it_is_taken_as() {
        let keys = live_keys("# why\na.b\n\na.hours a.ms 3600000 # not by itself\n").unwrap();
        let taken: Vec<_> = keys.iter().map(LiveKey::taken_as).collect();
        assert_eq!(taken, ["a.b", "a.ms"]);
        assert_eq!(keys[1].into, Some(("a.ms".to_owned(), 3_600_000)));
        assert_eq!(live_keys("a\nb c\n"), Err(2));
        assert_eq!(live_keys("a b c\n"), Err(1));
    }
}
