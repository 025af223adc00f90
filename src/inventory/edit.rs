//! Changes one value in the user's own file, and nothing else: comments, order and layout stay.

use serde_json::Value as Json;

use super::nearest::shown;
use super::tree::{self, Node, Value};

/// Why a value could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file could not be read as YAML.
    #[error("the inventory could not be read: {0}")]
    NotYaml(String),
    /// There is no such place.
    #[error("the inventory has no `{0}`")]
    Missing(String),
    /// There is something else than a single value.
    #[error("`{path}` (line {line}) is {kind}, not a single value: change it by hand")]
    NotScalar {
        /// The place.
        path: String,
        /// Its line.
        line: usize,
        /// What is there.
        kind: &'static str,
    },
    /// The value is written elsewhere.
    #[error("`{path}` comes from an alias or a merged map (line {line}): change it by hand")]
    Elsewhere {
        /// The place.
        path: String,
        /// The line where it is written.
        line: usize,
    },
    /// The value comes from a variable.
    #[error("`{path}` (line {line}) comes from a variable, {value}: change the variable")]
    Variable {
        /// The place.
        path: String,
        /// Its line.
        line: usize,
        /// What is written there.
        value: String,
    },
    /// The changed text would not say what was asked for.
    #[error("`{0}` could not be changed without touching other things: change it by hand")]
    Unsafe(String),
}

/// The text with the value at a path of keys set to `new`. A last key that is not there is added.
///
/// # Errors
/// When there is no such place, or it holds something else than a value written there.
pub fn set_scalar(text: &str, path: &[&str], new: &str) -> Result<String, EditError> {
    set(text, path, (&scalar(new), Json::from(new)))
}

/// The text with a list at a path of keys: one that is there gets longer, a single value becomes one. A last key
/// that is not there is added.
///
/// # Errors
/// When there is no such place, what is there is written elsewhere, or the list that is there does not begin `new`.
pub fn set_list(text: &str, path: &[&str], new: &[&str]) -> Result<String, EditError> {
    let items: Vec<String> = new.iter().map(|item| scalar(item)).collect();
    let flow = format!("[{}]", items.join(", "));
    set(text, path, (&flow, Json::from(new)))
}

/// The text with a value, as it is written and as it is meant, at a path of keys.
fn set(text: &str, path: &[&str], (new, meant): (&str, Json)) -> Result<String, EditError> {
    let name = || path.join(".");
    let (root, _) = tree::parse(text).map_err(|finding| EditError::NotYaml(finding.cause))?;
    let Some((last, above)) = path.split_last() else {
        return Err(EditError::Missing(name()));
    };
    let parent = root
        .find(above)
        .ok_or_else(|| EditError::Missing(above.join(".")))?;
    let changed = match parent.entry(last) {
        Some(entry) => match (&entry.node.value, &meant) {
            (Value::Seq(items), Json::Array(all)) if !entry.node.borrowed => {
                lengthen(text, (&entry.node, items), all, (&name(), new))?
            }
            _ => replace(text, &entry.node, &name(), new)?,
        },
        None => add(text, parent, (last, &name()), new)?,
    };
    let (after, _) = tree::parse(&changed).map_err(|_| EditError::Unsafe(name()))?;
    let mut wanted = plain(&root);
    put(&mut wanted, path, meant);
    if plain(&after) == wanted {
        Ok(changed)
    } else {
        Err(EditError::Unsafe(name()))
    }
}

fn replace(text: &str, node: &Node, path: &str, new: &str) -> Result<String, EditError> {
    let (path, line) = (path.to_owned(), node.span.line);
    if node.borrowed {
        return Err(EditError::Elsewhere { path, line });
    }
    let kind = node.kind();
    match &node.value {
        Value::Seq(_) | Value::Map(_) => return Err(EditError::NotScalar { path, line, kind }),
        Value::Scalar(scalar) if scalar.text.contains("${") => {
            return Err(EditError::Variable {
                path,
                line,
                value: shown(&scalar.text),
            });
        }
        Value::Scalar(_) | Value::Null => {}
    }
    let space = if node.span.start == node.span.end {
        " "
    } else {
        ""
    };
    splice(text, node, &path, &format!("{space}{new}"))
}

/// A list with more items at its end: those that are there stay as they are written.
fn lengthen(
    text: &str,
    (node, items): (&Node, &[Node]),
    all: &[Json],
    (path, new): (&str, &str),
) -> Result<String, EditError> {
    let fail = || EditError::Unsafe(path.to_owned());
    let more = all.get(items.len()..).ok_or_else(fail)?;
    let more = more.iter().filter_map(Json::as_str).map(scalar);
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return splice(text, node, path, new);
    };
    let (before, after) = text.split_at_checked(last.span.end).ok_or_else(fail)?;
    if text[node.span.start..].starts_with('[') {
        let more: String = more.map(|item| format!(", {item}")).collect();
        return Ok(format!("{before}{more}{after}"));
    }
    // A line each, below the last one and what is said behind it.
    let begin = before[..first.span.start]
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let dash = &text[begin..first.span.start];
    let dash = (dash.trim() == "-").then_some(dash).ok_or_else(fail)?;
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let line = after.find('\n').map_or(after.len(), |at| at + 1);
    let (rest, below) = after.split_at(line);
    let gap = if rest.ends_with('\n') { "" } else { end };
    let more: String = more.map(|item| format!("{dash}{item}{end}")).collect();
    Ok(format!("{before}{rest}{gap}{more}{below}"))
}

fn add(
    text: &str,
    parent: &Node,
    (key, path): (&str, &str),
    new: &str,
) -> Result<String, EditError> {
    let line = parent.span.line;
    if parent.borrowed {
        return Err(EditError::Elsewhere {
            path: path.to_owned(),
            line,
        });
    }
    let pair = format!("{}: {new}", scalar(key));
    let unsafe_here = || EditError::Unsafe(path.to_owned());
    match &parent.value {
        Value::Null => splice(text, parent, path, &format!("{{ {pair} }}")),
        Value::Map(entries) if text[parent.span.start..].starts_with('{') => {
            let at = parent.span.start + 1;
            let more = if entries.is_empty() { " " } else { "," };
            Ok(format!("{} {pair}{more}{}", &text[..at], &text[at..]))
        }
        Value::Map(entries) => {
            let first = entries.first().ok_or_else(unsafe_here)?.key_span.start;
            let begin = text[..first].rfind('\n').map_or(0, |at| at + 1);
            let indent = &text[begin..first];
            let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            Ok(format!(
                "{}{pair}{end}{indent}{}",
                &text[..first],
                &text[first..]
            ))
        }
        Value::Scalar(_) | Value::Seq(_) => Err(EditError::NotScalar {
            path: path.to_owned(),
            line,
            kind: parent.kind(),
        }),
    }
}

/// Puts `new` in the place of a node. One that is not written has its key's place: `new` goes behind the colon.
fn splice(text: &str, node: &Node, path: &str, new: &str) -> Result<String, EditError> {
    let fail = || EditError::Unsafe(path.to_owned());
    let (before, after) = (text.get(..node.span.start), text.get(node.span.end..));
    let (before, after) = before.zip(after).ok_or_else(fail)?;
    let written = &text[node.span.start..node.span.end];
    if node.value == Value::Null && !matches!(written, "~" | "null" | "Null" | "NULL") {
        let colon = node.span.end + after.find(':').ok_or_else(fail)? + 1;
        return Ok(format!("{} {new}{}", &text[..colon], &text[colon..]));
    }
    Ok(format!("{before}{new}{after}"))
}

/// A text as a YAML scalar: quoted only if it must be.
fn scalar(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(safe);
    if plain && !text.eq_ignore_ascii_case("null") {
        text.to_owned()
    } else {
        Json::from(text).to_string()
    }
}

/// The tree without positions, to compare.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar(scalar) => Json::from(scalar.text.as_str()),
        Value::Seq(items) => items.iter().map(plain).collect(),
        Value::Map(entries) => {
            let pairs = entries
                .iter()
                .map(|entry| (entry.key.clone(), plain(&entry.node)));
            Json::Object(pairs.collect())
        }
    }
}

fn put(tree: &mut Json, path: &[&str], new: Json) {
    let Some((first, rest)) = path.split_first() else {
        *tree = new;
        return;
    };
    if tree.is_null() {
        *tree = Json::Object(serde_json::Map::new());
    }
    if let Json::Object(map) = tree {
        put(map.entry(*first).or_insert(Json::Null), rest, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: [&str; 3] = ["services", "db", "nodes"];

    #[test]
    fn one_value_changes_and_all_else_stays() {
        for (before, after) in [
            (
                "services:\n  db: # ours\n    nodes: 3   # three\n",
                "services:\n  db: # ours\n    nodes: 5   # three\n",
            ),
            (
                "services: { db: { nodes: \"3\", x: 1 } }",
                "services: { db: { nodes: 5, x: 1 } }",
            ),
            (
                "services: { db: { x: 1 } }",
                "services: { db: { nodes: 5, x: 1 } }",
            ),
            ("services: { db: {} }", "services: { db: { nodes: 5 } }"),
            ("services: { db: ~ }", "services: { db: { nodes: 5 } }"),
            (
                "services:\n  db: # none\n  b: 1\n",
                "services:\n  db: { nodes: 5 } # none\n  b: 1\n",
            ),
            (
                "services:\r\n  db:\r\n    x: ü\r\n",
                "services:\r\n  db:\r\n    nodes: 5\r\n    x: ü\r\n",
            ),
            (
                "\u{feff}services: { db: { nodes: 3 } }",
                "\u{feff}services: { db: { nodes: 5 } }",
            ),
            (
                "services:\n  db:\n    nodes:\n    x: 1\n",
                "services:\n  db:\n    nodes: 5\n    x: 1\n",
            ),
        ] {
            assert_eq!(set_scalar(before, &PATH, "5").as_deref(), Ok(after));
        }
    }

    #[test]
    fn a_number_becomes_a_list_and_a_list_gets_longer() {
        for (before, after) in [
            (
                "services: { db: { nodes: 2 } } # two",
                "services: { db: { nodes: [a, b, c] } } # two",
            ),
            (
                "services: { db: {} }",
                "services: { db: { nodes: [a, b, c] } }",
            ),
            (
                "services: { db: { nodes: [ a, b ], x: 1 } }",
                "services: { db: { nodes: [ a, b, c ], x: 1 } }",
            ),
            (
                "services:\n  db:\n    nodes:\n      - a # first\n      - b # second\n    x: 1\n",
                "services:\n  db:\n    nodes:\n      - a # first\n      - b # second\n      - c\n    x: 1\n",
            ),
            (
                "services:\n  db:\n    nodes:\n    - a\n    - b",
                "services:\n  db:\n    nodes:\n    - a\n    - b\n    - c\n",
            ),
        ] {
            let list = set_list(before, &PATH, &["a", "b", "c"]);
            assert_eq!(list.as_deref(), Ok(after));
        }
        for other in [
            "services: { db: { nodes: [b, a] } }",
            "services: { db: { nodes: [a, b, c, d] } }",
            "x: &l [a]\nservices: { db: { nodes: *l } }",
            "services: { db: { nodes: \"${N}\" } }",
        ] {
            assert!(set_list(other, &PATH, &["a", "b", "c"]).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_written_elsewhere_is_not_touched() {
        for (text, message) in [
            (
                "services: { db: { nodes: [a, b] } }",
                "`services.db.nodes` (line 1) is a list",
            ),
            (
                "x: &n 3\nservices: { db: { nodes: *n } }",
                "comes from an alias or a merged map (line 1)",
            ),
            (
                "x: &n { nodes: 3 }\nservices: { db: { <<: *n } }",
                "comes from an alias or a merged map (line 1)",
            ),
            (
                "services:\n  db: { nodes: \"${N}\" }",
                "comes from a variable, `${N}`",
            ),
            ("services: {}", "the inventory has no `services.db`"),
            ("services: {", "could not be read"),
            (
                "x: &n { nodes: 3 }\nservices: { db: &d { nodes: 3 }, other: *d }",
                "by hand",
            ),
        ] {
            let error = set_scalar(text, &PATH, "5").expect_err(text);
            assert!(error.to_string().contains(message), "{text}: {error}");
        }
    }
}
