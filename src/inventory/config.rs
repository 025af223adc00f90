//! Reads maps of upstream keys, and checks the keys against those known.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::nearest::{did_you_mean, shown};
use super::reader::Reader;
use super::tree::{Node, Value};

/// The upstream keys that may be set somewhere.
pub(super) struct Keys<'a> {
    /// Whose keys they are, for messages.
    pub(super) owner: &'a str,
    /// Those known, one a line; `prefix.*` stands for a family, `#` begins a comment. None: nothing is known.
    pub(super) known: Option<&'a str>,
    /// Those that may not be set, with the reason.
    pub(super) reserved: Option<&'a BTreeMap<String, String>>,
}

impl Keys<'_> {
    fn patterns(&self) -> impl Iterator<Item = &str> {
        let lines = self.known.unwrap_or_default().lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
    }

    fn knows(&self, key: &str) -> bool {
        self.patterns().next().is_none() || self.patterns().any(|pattern| matches(pattern, key))
    }

    fn reason(&self, key: &str) -> Option<&str> {
        let reserved = self.reserved?.iter();
        let mut found = reserved.filter(|(pattern, _)| matches(pattern, key));
        found.next().map(|(_, reason)| reason.as_str())
    }

    /// Whether this is one of the keys by its full name.
    pub(super) fn lists(&self, key: &str) -> bool {
        self.patterns().any(|pattern| pattern == key)
    }
}

fn matches(pattern: &str, key: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => key.len() > prefix.len() && key.starts_with(prefix),
        None => pattern == key,
    }
}

/// Reads a map of upstream keys.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    keys: &Keys<'_>,
) -> BTreeMap<String, String> {
    let mut config = BTreeMap::new();
    for entry in reader.map(node, "`config`") {
        let key = &entry.key;
        if let Some(reason) = keys.reason(key) {
            let finding = Finding::error(
                entry.key_span,
                format!("{} cannot be set here: {reason}", shown(key)),
            )
            .help("remove this key");
            reader.push(finding);
            continue;
        }
        let good = |c: char| c.is_ascii_graphic() && !"=:#!\\'\"".contains(c);
        if key.is_empty() || !key.chars().all(good) {
            let finding = Finding::error(
                entry.key_span,
                format!("{} is not an upstream key", shown(key)),
            )
            .help("keys are words such as `a.b.c`, without spaces");
            reader.push(finding);
            continue;
        }
        if !keys.knows(key) {
            let cause = format!(
                "{} has no key {} that is known here",
                keys.owner,
                shown(key)
            );
            let help = did_you_mean(key, keys.patterns()).unwrap_or_else(|| {
                "it is written as it is; check its spelling in the upstream manual".to_owned()
            });
            reader.push(Finding::warning(entry.key_span, cause).help(help));
        }
        if let Some(value) = value(reader, &entry.node, key) {
            config.insert(key.clone(), value);
        }
    }
    config
}

fn value(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<String> {
    let help = match node.value {
        Value::Seq(_) => "write a list as one text with commas: `a,b,c`",
        Value::Null => "write `\"\"` for an empty value, or remove the key",
        Value::Map(_) => "write the keys with dots: `a.b.c: value`",
        Value::Scalar(_) => return reader.text(node, &shown(key)).map(str::to_owned),
    };
    reader.wrong_type(
        node,
        &shown(key),
        "a text, a number or `true` or `false`",
        help,
    );
    None
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_family_of_keys_matches_by_its_beginning() {
        assert!(matches("listener.name.*", "listener.name.internal.x"));
        assert!(!matches("listener.name.*", "listener.name."));
        assert!(!matches("a.b", "a.b.c"));
    }
}
