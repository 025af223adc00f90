//! What is secret in an inventory: what the names of keys and variables tell, and all variables below `config`.

use crate::secret::{DOTS, hide_all, is_secret, parts};

use super::tree::{self, Entry, Node, Value};
use super::vars::{self, Env};

/// An inventory's secrets, and its text without them.
#[derive(Debug, Clone, Default)]
pub struct Confidential {
    /// The secrets, to be looked for in other texts.
    pub secrets: Vec<String>,
    /// The inventory with dots in their places; its comments too.
    pub text: String,
}

/// Finds the secrets of an inventory. One that is no YAML is hidden as any other text.
#[must_use]
pub fn confidential(text: &str, env: &Env) -> Confidential {
    let Ok((mut root, _)) = tree::parse(text) else {
        let (secrets, text) = (Vec::new(), hide_all(text));
        return Confidential { secrets, text };
    };
    vars::substitute(&mut root, env, &mut Vec::new());
    let mut search = Search {
        env,
        secrets: Vec::new(),
        places: Vec::new(),
    };
    for entry in root.entries() {
        search.top(entry);
    }
    let text = search.hide(text);
    let secrets = search.secrets;
    Confidential { secrets, text }
}

struct Search<'a> {
    env: &'a Env,
    secrets: Vec<String>,
    /// Where values stand that their names tell of, as ranges of bytes.
    places: Vec<(usize, usize)>,
}

/// What is known of the values of a part of the inventory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Names, numbers and paths.
    Plain,
    /// Upstream keys: a variable there may well hold a secret.
    Config,
    /// Below a telling name.
    Secret,
}

impl Search<'_> {
    /// Hosts and services may be named as they like: only what is inside them tells.
    fn top(&mut self, entry: &Entry) {
        let named = matches!(entry.key.as_str(), "hosts" | "services" | "topics");
        for inner in entry.node.entries() {
            if named {
                self.node(&inner.node, Place::Plain);
            } else {
                self.entry(inner, Place::Plain);
            }
        }
        if !matches!(entry.node.value, Value::Map(_)) {
            self.node(&entry.node, Place::Plain);
        }
    }

    fn entry(&mut self, entry: &Entry, place: Place) {
        let place = match place {
            _ if is_secret(&entry.key) => Place::Secret,
            Place::Plain if entry.key == "config" => Place::Config,
            place => place,
        };
        self.node(&entry.node, place);
    }

    fn node(&mut self, node: &Node, place: Place) {
        match &node.value {
            Value::Null => {}
            Value::Seq(items) => items.iter().for_each(|item| self.node(item, place)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.entry(entry, place)),
            Value::Scalar(scalar) => {
                // A value may look like a secret whatever its key is.
                if place == Place::Secret || hide_all(&scalar.text) != scalar.text {
                    self.secrets.extend(parts(&scalar.text));
                    self.places.push((node.span.start, node.span.end));
                }
                self.variables(scalar.written.as_deref().unwrap_or_default(), place);
            }
        }
    }

    /// The values of the variables in a text, and their defaults.
    fn variables(&mut self, written: &str, place: Place) {
        for part in written.split("${").skip(1) {
            let inner = part.split('}').next().unwrap_or_default();
            let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
            if place != Place::Plain || is_secret(name) {
                let value = self.env.get(name).map_or("", String::as_str);
                self.secrets.extend(parts(value));
                self.secrets.extend(parts(default));
            }
        }
    }

    /// The text with dots in the places that were found, and its comments as any text is hidden.
    fn hide(&mut self, text: &str) -> String {
        self.places.sort_unstable();
        self.places.dedup();
        let mut out = text.to_owned();
        for (start, end) in self.places.iter().rev() {
            if out.get(*start..*end).is_some() {
                out.replace_range(*start..*end, DOTS);
            }
        }
        let line = |line: &str| match line.find('#') {
            Some(at) => format!("{}{}", &line[..at], hide_all(&line[at..])),
            None => line.to_owned(),
        };
        out.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_and_the_rest_stays() {
        let text = "\
cluster: c
ssh: { user: '${WHO}' }
hosts: { secret-host: 10.0.0.1 }
services:
  a: { n: 3, config: { x.password: hunter2, y: '${DEEP}', z: 'u:${W:-given-up}' } }   # was: token=abcd
  b: { credentials: [one-of-them, \"two of them\"], heap: 1G, db: 'x-${DB_PASSWORD}', url: 'http://me:pw@x' }
";
        let pairs = [
            ("WHO", "somebody"),
            ("DEEP", "deep-one"),
            ("DB_PASSWORD", "db-one"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = confidential(text, &Env::from(pairs));
        let wanted = [
            "hunter2",
            "deep-one",
            "given-up",
            "one-of-them",
            "two of them",
            "db-one",
            "http://me:pw@x",
            "pw",
        ];
        assert_eq!(found.secrets, wanted);
        let shown = "\
cluster: c
ssh: { user: '${WHO}' }
hosts: { secret-host: 10.0.0.1 }
services:
  a: { n: 3, config: { x.password: ••••, y: '${DEEP}', z: 'u:${W:-given-up}' } }   # was: token=••••
  b: { credentials: [••••, ••••], heap: 1G, db: 'x-${DB_PASSWORD}', url: •••• }
";
        assert_eq!(found.text, shown);
    }

    #[test]
    fn short_and_long_ones_are_hidden_where_they_stand() {
        let text = "x: { pin: &p abc }\nservices:\n  a:\n    password: |\n      first line\n      second\n    token: *p\n    n: 3\n";
        let found = confidential(text, &Env::new());
        let hidden = ["abc", "first", "second"];
        let left = hidden.iter().find(|secret| found.text.contains(**secret));
        assert_eq!(left, None, "{}", found.text);
        assert!(found.text.ends_with("    n: 3\n"), "{}", found.text);
    }

    #[test]
    fn what_is_no_yaml_is_hidden_as_text() {
        let found = confidential("a: [\nmy.password: hunter2", &Env::new());
        assert!(!found.text.contains("hunter2"), "{}", found.text);
    }
}
