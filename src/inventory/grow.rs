//! Grows the tree of [`super::tree`] from the parser's events: aliases are expanded within a bound, merge keys
//! merged, duplicate keys reported.

use std::collections::{HashMap, hash_map};

use super::finding::Finding;
use super::nearest::shown;
use super::tree::{Entry, Node, Span, Value};

/// How many nodes a tree may have once its aliases are expanded.
const MAX_NODES: usize = 100_000;
/// So many bytes of text count as one node more.
const BYTES_A_NODE: usize = 32;

struct Frame {
    node: Node,
    anchor: usize,
    /// The key that waits for its value, for maps.
    key: Option<(String, Span)>,
    /// What `<<` brings in, laid under the map's own keys at its end.
    merged: Vec<Node>,
    /// The keys so far, and where each is.
    keys: HashMap<String, Span>,
    size: usize,
}

/// Takes events, gives a tree.
#[derive(Default)]
pub(super) struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    size: usize,
    findings: Vec<Finding>,
}

type Step = Result<(), Box<Finding>>;

impl Builder {
    pub(super) fn has_root(&self) -> bool {
        self.root.is_some()
    }

    pub(super) fn leaf(&mut self, value: Value, span: Span, anchor: usize, tagged: bool) -> Step {
        self.refuse_tag(span, tagged);
        if let Some(frame) = self.waiting_for_key() {
            let key = match value {
                Value::Scalar(scalar) => scalar.text,
                _ => "~".to_owned(),
            };
            let size = key.len() / BYTES_A_NODE;
            frame.key = Some((key, span));
            frame.size += size;
            self.size += size;
            return Ok(());
        }
        let size = 1 + if let Value::Scalar(scalar) = &value {
            scalar.text.len() / BYTES_A_NODE
        } else {
            0
        };
        self.put(
            Node {
                value,
                span,
                borrowed: false,
            },
            anchor,
            size,
        )
    }

    pub(super) fn open(&mut self, value: Value, span: Span, anchor: usize, tagged: bool) -> Step {
        self.refuse_tag(span, tagged);
        if self.waiting_for_key().is_some() {
            return Err(Finding::error(span, "a list or map cannot be a key")
                .help("a key is a word; quote a text that begins with `[`, `{` or `*`")
                .into());
        }
        let node = Node {
            value,
            span,
            borrowed: false,
        };
        self.stack.push(Frame {
            node,
            anchor,
            key: None,
            merged: Vec::new(),
            keys: HashMap::new(),
            size: 1,
        });
        Ok(())
    }

    pub(super) fn close(&mut self, span: Span) -> Step {
        let Some(mut frame) = self.stack.pop() else {
            return Ok(());
        };
        frame.node.span.end = frame.node.span.end.max(span.end);
        let merged = std::mem::take(&mut frame.merged);
        if let Value::Map(entries) = &mut frame.node.value {
            for entry in merged.into_iter().flat_map(into_entries) {
                if frame
                    .keys
                    .insert(entry.key.clone(), entry.key_span)
                    .is_none()
                {
                    entries.push(entry);
                }
            }
        }
        self.put(frame.node, frame.anchor, frame.size)
    }

    pub(super) fn alias(&mut self, anchor: usize, span: Span) -> Step {
        if self.waiting_for_key().is_some() {
            return Err(Finding::error(span, "an alias cannot be a key")
                .help("write the key itself; quote a text that begins with `*`")
                .into());
        }
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(
                Finding::error(span, "an alias inside the very thing it stands for")
                    .help("an alias can only repeat what ends before it")
                    .into(),
            );
        };
        if self.size.saturating_add(*size) > MAX_NODES {
            return Err(too_large(span));
        }
        let (mut node, size) = (node.clone(), *size);
        borrow(&mut node);
        self.put(node, 0, size)
    }

    /// The tree and what was found while it grew.
    pub(super) fn finish(self, text: &str) -> (Node, Vec<Finding>) {
        let end = Span {
            line: 1,
            col: 1,
            start: 0,
            end: text.len().min(1),
        };
        let empty = || Node {
            value: Value::Null,
            span: end,
            borrowed: false,
        };
        (self.root.unwrap_or_else(empty), self.findings)
    }

    fn waiting_for_key(&mut self) -> Option<&mut Frame> {
        let frame = self.stack.last_mut()?;
        (matches!(frame.node.value, Value::Map(_)) && frame.key.is_none()).then_some(frame)
    }

    fn put(&mut self, node: Node, anchor: usize, size: usize) -> Step {
        self.size += if matches!(node.value, Value::Seq(_) | Value::Map(_)) && !node.borrowed {
            1
        } else {
            size
        };
        if self.size > MAX_NODES {
            return Err(too_large(node.span));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size += size;
        let key = frame.key.take();
        match (&mut frame.node.value, key) {
            (Value::Seq(items), _) => items.push(node),
            (Value::Map(_), Some((key, span))) if key == "<<" => self.merge(node, span),
            (Value::Map(_), Some((key, key_span))) => self.entry(Entry {
                key,
                key_span,
                node,
            }),
            _ => {}
        }
        Ok(())
    }

    fn entry(&mut self, mut entry: Entry) {
        // A value that is not written at all has no place of its own.
        if entry.node.value == Value::Null && entry.node.span.start == entry.node.span.end {
            entry.node.span = entry.key_span;
        }
        let Some(frame) = self.stack.last_mut() else {
            return;
        };
        let Value::Map(entries) = &mut frame.node.value else {
            return;
        };
        match frame.keys.entry(entry.key.clone()) {
            hash_map::Entry::Vacant(free) => {
                free.insert(entry.key_span);
                entries.push(entry);
            }
            hash_map::Entry::Occupied(first) => {
                let cause = format!("{} is given twice", shown(&entry.key));
                let finding = Finding::error(entry.key_span, cause)
                    .also(*first.get(), "first given here")
                    .help("keep one of the two");
                self.findings.push(finding);
            }
        }
    }

    fn merge(&mut self, node: Node, span: Span) {
        let parts = match node.value {
            Value::Seq(items) => items,
            _ => vec![node],
        };
        for mut part in parts {
            if matches!(part.value, Value::Map(_)) {
                borrow(&mut part);
                if let Some(frame) = self.stack.last_mut() {
                    frame.merged.push(part);
                }
            } else {
                let finding = Finding::error(
                    span,
                    format!("`<<` merges maps, and this is {}", part.kind()),
                )
                .help("write `<<: *name`, where `&name` stands before a map");
                self.findings.push(finding);
            }
        }
    }

    fn refuse_tag(&mut self, span: Span, tagged: bool) {
        if tagged {
            let finding = Finding::error(span, "a YAML tag (`!…`) has no meaning here")
                .help("remove the tag; quote the value if it begins with `!`");
            self.findings.push(finding);
        }
    }
}

fn into_entries(node: Node) -> Vec<Entry> {
    if let Value::Map(entries) = node.value {
        entries
    } else {
        Vec::new()
    }
}

fn borrow(node: &mut Node) {
    node.borrowed = true;
    match &mut node.value {
        Value::Seq(items) => items.iter_mut().for_each(borrow),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| borrow(&mut entry.node)),
        Value::Null | Value::Scalar(_) => {}
    }
}

fn too_large(span: Span) -> Box<Finding> {
    Finding::error(
        span,
        format!("with its aliases expanded the file has more than {MAX_NODES} values"),
    )
    .help("write out what the aliases stand for; an inventory is a few hundred lines")
    .into()
}
