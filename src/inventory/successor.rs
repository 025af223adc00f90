//! Takes a host out of the user's own file, and puts another in its place in the lists of hosts; comments, order
//! and layout stay.

use std::ops::Range;

use super::edit::EditError;
use super::tree::{self, Entry, Node, Value};

/// The text without a host: it leaves `hosts:` and what the services say of it alone, and `by` takes its place in
/// their lists, unless it is there already. `lists` are the words under a service that list hosts.
///
/// # Errors
/// When it is written elsewhere, or can't be taken out without touching other things.
pub fn succeed(
    text: &str,
    (host, by): (&str, &str),
    lists: &dyn Fn(&str, &str) -> bool,
) -> Result<String, EditError> {
    let mut text = text.to_owned();
    // One place after another, each found again in the text as it is by then.
    for _ in 0..=text.len() {
        let (root, _) = tree::parse(&text).map_err(|finding| EditError::NotYaml(finding.cause))?;
        let Some((path, change)) = next(&text, &root, (host, by), lists)? else {
            return Ok(text);
        };
        let (range, new) = change;
        let (before, after) = (text.get(..range.start), text.get(range.end..));
        let (before, after) = before.zip(after).ok_or(EditError::Unsafe(path.clone()))?;
        let changed = format!("{before}{new}{after}");
        let (seen, _) = tree::parse(&changed).map_err(|_| EditError::Unsafe(path.clone()))?;
        if count(&seen) >= count(&root) && new.is_empty() {
            return Err(EditError::Unsafe(path));
        }
        text = changed;
    }
    Err(EditError::Unsafe(host.to_owned()))
}

type Change = (String, (Range<usize>, String));

/// The next place where the host is named.
fn next(
    text: &str,
    root: &Node,
    (host, by): (&str, &str),
    lists: &dyn Fn(&str, &str) -> bool,
) -> Result<Option<Change>, EditError> {
    if let Some(hosts) = root.entry("hosts")
        && hosts.node.entry(host).is_some()
    {
        return entry(text, (&hosts.node, host), &format!("hosts.{host}")).map(Some);
    }
    let services = root.entry("services").map(|entry| &entry.node);
    for service in services.into_iter().flat_map(Node::entries) {
        for word in service.node.entries() {
            let path = format!("services.{}.{}", service.key, word.key);
            if word.key == "hosts" && word.node.entry(host).is_some() {
                let alone = word.node.entries().len() == 1;
                let taken = match alone {
                    true => entry(text, (&service.node, "hosts"), &path),
                    false => entry(text, (&word.node, host), &format!("{path}.{host}")),
                };
                return taken.map(Some);
            }
            if lists(&service.key, &word.key)
                && let Some(change) = listed(text, word, (host, by), &path)?
            {
                return Ok(Some((path, change)));
            }
        }
    }
    Ok(None)
}

/// A host in a list of hosts, or alone in its place.
fn listed(
    text: &str,
    word: &Entry,
    (host, by): (&str, &str),
    path: &str,
) -> Result<Option<(Range<usize>, String)>, EditError> {
    let named = |node: &Node, name: &str| matches!(&node.value, Value::Scalar(s) if s.text == name);
    let items: Vec<&Node> = match &word.node.value {
        Value::Seq(items) => items.iter().collect(),
        Value::Scalar(_) => vec![&word.node],
        _ => Vec::new(),
    };
    let Some(at) = items.iter().position(|item| named(item, host)) else {
        return Ok(None);
    };
    let item = items[at];
    if item.borrowed || word.node.borrowed {
        let line = item.span.line;
        let path = path.to_owned();
        return Err(EditError::Elsewhere { path, line });
    }
    if !items.iter().any(|item| named(item, by)) {
        return Ok(Some((item.span.start..item.span.end, by.to_owned())));
    }
    let range = match text[word.node.span.start..].starts_with('[') {
        true => in_flow(text, item.span.start..item.span.end),
        false => Some(lines(text, item.span.start..item.span.end)),
    };
    let unsafe_here = || EditError::Unsafe(path.to_owned());
    Ok(Some((range.ok_or_else(unsafe_here)?, String::new())))
}

/// An entry of a map, to be taken out whole.
fn entry(text: &str, (map, key): (&Node, &str), path: &str) -> Result<Change, EditError> {
    let unsafe_here = || EditError::Unsafe(path.to_owned());
    let entry = map.entry(key).ok_or_else(unsafe_here)?;
    if entry.node.borrowed || map.borrowed {
        let (path, line) = (path.to_owned(), entry.key_span.line);
        return Err(EditError::Elsewhere { path, line });
    }
    let end = entry.node.span.end.max(entry.key_span.end);
    let whole = entry.key_span.start..end;
    let range = match text[map.span.start..].starts_with('{') {
        true => in_flow(text, whole).ok_or_else(unsafe_here)?,
        false => lines(text, whole),
    };
    Ok((path.to_owned(), (range, String::new())))
}

/// What stands between braces or brackets, with one of the commas beside it.
fn in_flow(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let after = text.get(range.end..)?;
    let blanks = |text: &str| text.len() - text.trim_start().len();
    let gap = blanks(after);
    if after[gap..].starts_with(',') {
        let rest = &after[gap + 1..];
        // What is on the next line keeps its place.
        let line = rest.find('\n').unwrap_or(rest.len());
        let more = blanks(&rest[..line]);
        return Some(range.start..range.end + gap + 1 + more);
    }
    let before = text.get(..range.start)?.trim_end();
    match before.strip_suffix(',') {
        Some(before) => Some(before.len()..range.end),
        None => Some(range),
    }
}

/// The lines that something is on, with what is said behind it.
fn lines(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let body = text[range.start..range.end].trim_end();
    let end = range.start + body.len();
    let rest = text[end..].find('\n');
    start..rest.map_or(text.len(), |at| end + at + 1)
}

/// How many values there are.
fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Seq(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|entry| count(&entry.node)).sum(),
        Value::Null | Value::Scalar(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Result<String, String> {
        let lists = |_: &str, key: &str| ["servers", "on"].contains(&key);
        succeed(text, ("b", "d"), &lists).map_err(|error| error.to_string())
    }

    #[test]
    fn a_host_leaves_and_another_takes_its_place_in_lists() {
        for (before, wanted) in [
            (
                "hosts: { a: 1, b: 2, d: 4 }\nservices: { x: { servers: [a, b] } }\n",
                "hosts: { a: 1, d: 4 }\nservices: { x: { servers: [a, d] } }\n",
            ),
            (
                "hosts:\n  a: 1 # first\n  b: 2 # dies\n  # the last\n  d: { address: 4 }\nservices:\n  x:\n    servers:\n      - a\n      - b # here\n",
                "hosts:\n  a: 1 # first\n  # the last\n  d: { address: 4 }\nservices:\n  x:\n    servers:\n      - a\n      - d # here\n",
            ),
            (
                "hosts:\n  a: 1\n  d: 4\n  b:\n    address: 2\n    rack: r\n\nservices: { x: { on: [a, b, d] } }\n",
                "hosts:\n  a: 1\n  d: 4\n\nservices: { x: { on: [a, d] } }\n",
            ),
            (
                "hosts: { a: 1, d: 4, b: 2 }\nservices: { x: { n: 3, hosts: { b: { heap: 1G } } }, y: { hosts: { a: {}, b: {} } } }\n",
                "hosts: { a: 1, d: 4 }\nservices: { x: { n: 3 }, y: { hosts: { a: {} } } }\n",
            ),
            (
                "hosts:\n  a: 1\n  b: 2\n  d: 4\nservices:\n  x:\n    on:\n      - d\n      - b\n    hosts:\n      b:\n        heap: 1G\n  y: 1\n",
                "hosts:\n  a: 1\n  d: 4\nservices:\n  x:\n    on:\n      - d\n  y: 1\n",
            ),
            (
                "hosts: {\n  a: 1,\n  b: 2,\n  d: 4\n}\nservices: { x: { list: [b] } }",
                "hosts: {\n  a: 1,\n  d: 4\n}\nservices: { x: { list: [b] } }",
            ),
        ] {
            let got = after(before);
            // A line that is empty by then stays; nothing else does.
            let tidy = |text: &str| text.replace("  \n", "");
            assert_eq!(got.as_deref().map(tidy), Ok(wanted.to_owned()), "{before}");
        }
    }

    #[test]
    fn one_that_is_not_there_changes_nothing() {
        let text = "hosts: { a: 1, d: 4 }\nservices: { x: 3 }\n";
        assert_eq!(after(text).as_deref(), Ok(text));
    }

    #[test]
    fn what_is_written_elsewhere_is_changed_by_hand() {
        let text = "x: &l [a, b]\nhosts: { a: 1, d: 4 }\nservices: { x: { servers: *l } }\n";
        assert!(after(text).expect_err("an alias").contains("by hand"));
    }
}
