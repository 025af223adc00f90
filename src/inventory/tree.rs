//! A YAML document as a tree whose every node knows where it was written.
//!
//! Scalars keep the text that the user wrote (`3.10` stays `3.10`, `no` stays `no`): what a text means is
//! decided where it is read. What is read here is bounded in size, depth and aliases.

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError};

use super::finding::Finding;
use super::grow::Builder;

/// The longest inventory that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// Where something was written: a range of bytes, and the line and column where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct Span {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub col: usize,
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

impl Span {
    fn new(span: granit_parser::Span) -> Self {
        let (start, end) = span.byte_range().map_or_else(
            || (span.start.index(), span.end.index()),
            |range| (range.start, range.end),
        );
        Self {
            line: span.start.line().max(1),
            col: span.start.col() + 1,
            start,
            end: end.max(start),
        }
    }
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it holds.
    pub value: Value,
    /// Where it was written; for what came through an alias, where its anchor is.
    pub span: Span,
    /// Whether it came through an alias or a merge key, so that it is written elsewhere.
    pub borrowed: bool,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// A text, number or word.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order written; keys differ from each other.
    Map(Vec<Entry>),
}

/// A text, number or word, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, with variables replaced.
    pub text: String,
    /// Whether it was quoted or a block.
    pub quoted: bool,
    /// The text before variables were replaced, where it had any. Messages show this one.
    pub written: Option<String>,
}

/// A key of a map, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub key_span: Span,
    /// What it holds.
    pub node: Node,
}

impl Node {
    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value {
            entries
        } else {
            &[]
        }
    }

    /// The entry of a map with this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The node at the end of a path of keys.
    #[must_use]
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter()
            .try_fold(self, |node, key| node.entry(key).map(|entry| &entry.node))
    }

    /// Where to point at for a path of keys: its value if that is a scalar or a short list, else its key; what
    /// is not there is looked for one level up.
    #[must_use]
    pub fn place(&self, path: &[&str]) -> Span {
        let mut node = self;
        let mut span = Span {
            end: self.span.start,
            ..self.span
        };
        for key in path {
            let Some(entry) = node.entry(key) else { break };
            node = &entry.node;
            span = entry.place();
        }
        span
    }

    /// What it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a text",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

impl Entry {
    /// Where to point at: its value if that is written on the key's own line, else its key.
    #[must_use]
    pub fn place(&self) -> Span {
        let whole = matches!(self.node.value, Value::Scalar(_) | Value::Seq(_));
        let beside =
            self.node.span.line == self.key_span.line && self.node.span.end > self.node.span.start;
        if whole && beside {
            self.node.span
        } else {
            self.key_span
        }
    }
}

/// Reads a YAML document.
///
/// # Errors
/// When it is no YAML, holds more than one document, or is larger than any inventory: one finding. Duplicate
/// keys and the like do not stop the reading: their findings come beside the tree.
pub fn parse(text: &str) -> Result<(Node, Vec<Finding>), Box<Finding>> {
    if text.len() > MAX_BYTES {
        let cause = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        return Err(Finding::error(Span::default(), cause)
            .help("is this the right file?")
            .into());
    }
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| not_yaml(text, &error))?;
        let span = Span::new(span);
        match event {
            Event::DocumentStart(..) if builder.has_root() => {
                let finding = Finding::error(span, "a second document begins here")
                    .help("an inventory is one document: remove the `---` and what follows, or use two files");
                return Err(finding.into());
            }
            Event::Scalar(value, style, anchor, tag) => {
                let scalar = scalar(value.into_owned(), style);
                builder.leaf(scalar, span, anchor, tag.is_some())?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                builder.open(Value::Seq(Vec::new()), span, anchor, tag.is_some())?;
            }
            Event::MappingStart(_, anchor, tag) => {
                builder.open(Value::Map(Vec::new()), span, anchor, tag.is_some())?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.close(span)?,
            Event::Alias(anchor) => builder.alias(anchor, span)?,
            _ => {}
        }
    }
    Ok(builder.finish(text))
}

fn scalar(text: String, style: ScalarStyle) -> Value {
    let quoted = style != ScalarStyle::Plain;
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" if !quoted => Value::Null,
        _ => Value::Scalar(Scalar {
            text,
            quoted,
            written: None,
        }),
    }
}

fn not_yaml(text: &str, error: &ScanError) -> Box<Finding> {
    let mark = error.marker();
    let start = mark
        .byte_offset()
        .unwrap_or_else(|| mark.index())
        .min(text.len());
    let span = Span {
        line: mark.line().max(1),
        col: mark.col() + 1,
        start,
        end: start,
    };
    let line = text.lines().nth(span.line - 1).unwrap_or_default();
    let (cause, help) = match error.kind() {
        ErrorKind::UnknownAnchor => (
            "this alias has no anchor".to_owned(),
            "write `&name` before the value it repeats, further up; quote a text that begins with `*`",
        ),
        ErrorKind::RecursionLimitExceeded => (
            format!("this is nested more than {MAX_DEPTH} levels deep"),
            "is this the right file?",
        ),
        _ if line.trim_start_matches(' ').starts_with('\t') => {
            (not(error), "YAML is indented with spaces: replace the tab")
        }
        _ if line.contains("${") => (
            not(error),
            "within `{ … }` and `[ … ]`, quote what holds a variable: `\"${NAME}\"`",
        ),
        _ => (
            not(error),
            "look at the indentation, quotes and brackets of this line and of the one above",
        ),
    };
    Finding::error(span, cause).help(help).into()
}

fn not(error: &ScanError) -> String {
    format!("this is not YAML: {}", error.info())
}
