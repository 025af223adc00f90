//! What was found in an inventory, and how it is shown.

use std::fmt;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::tree::Span;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is done until it is mended.
    Error,
    /// Most likely not what was meant.
    Warning,
}

/// So many findings are drawn; the others are counted.
const MAX_DRAWN: usize = 200;

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub span: Span,
    /// What is wrong.
    pub cause: String,
    /// A word under the place, where the cause alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Other places that have to do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
}

/// Another place that has to do with a [`Finding`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Also {
    /// Where it is.
    pub span: Span,
    /// What it has to do with it.
    pub label: String,
}

impl Finding {
    /// An error at a place.
    #[must_use]
    pub fn error(span: Span, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self {
            severity: Severity::Error,
            span,
            cause,
            label: None,
            help: None,
            also: Vec::new(),
        }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(span: Span, cause: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, cause)
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a word under the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With another place that has to do with it.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        if span != self.span {
            self.also.push(Also {
                span,
                label: label.into(),
            });
        }
        self
    }
}

/// How findings are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Without colour, for pipes and logs.
    #[default]
    Plain,
    /// With colour, for terminals.
    Coloured,
}

/// All that was found in one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// What was found.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    text: String,
}

impl Findings {
    /// What was found in a text: sorted by place, each finding once.
    #[must_use]
    pub fn new(path: &Path, text: &str, mut findings: Vec<Finding>) -> Self {
        findings
            .sort_by(|a, b| (a.span, a.severity, &a.cause).cmp(&(b.span, b.severity, &b.cause)));
        findings.dedup_by(|a, b| (a.span, &a.cause) == (b.span, &b.cause));
        Self {
            path: path.to_owned(),
            findings,
            text: text.to_owned(),
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether anything found is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// All findings drawn under their lines, and how many there are.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        let drawn = self.findings.iter().take(MAX_DRAWN);
        let mut blocks: Vec<String> = drawn.map(|finding| self.draw(&renderer, finding)).collect();
        if self.findings.len() > MAX_DRAWN {
            blocks.push(format!("… and {} more", self.findings.len() - MAX_DRAWN));
        }
        if let Some(count) = self.count() {
            blocks.push(count);
        }
        blocks.join("\n\n")
    }

    fn count(&self) -> Option<String> {
        let errors = self
            .findings
            .iter()
            .filter(|it| it.severity == Severity::Error)
            .count();
        let warnings = self.findings.len() - errors;
        let say = |n: usize, word: &str| {
            (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }))
        };
        let parts: Vec<_> = [say(errors, "error"), say(warnings, "warning")]
            .into_iter()
            .flatten()
            .collect();
        let path = self.path.display();
        (self.findings.len() > 1).then(|| format!("{path}: {}", parts.join(", ")))
    }

    fn draw(&self, renderer: &Renderer, finding: &Finding) -> String {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        // The renderer counts lines from the beginning of what it gets: give it the lines that it will show.
        let places =
            || std::iter::once(finding.span).chain(finding.also.iter().map(|also| also.span));
        let from = places()
            .map(|span| floor(&self.text, span.start))
            .min()
            .unwrap_or_default();
        let from = self.text[..from].rfind('\n').map_or(0, |at| at + 1);
        let to = places()
            .map(|span| self.clip(span).end)
            .max()
            .unwrap_or_default();
        let to = self.text[to..]
            .find('\n')
            .map_or(self.text.len(), |at| to + at);
        let line = places().map(|span| span.line).min().unwrap_or(1);
        let range = |span| {
            let range = self.clip(span);
            range.start - from..range.end - from
        };
        let first = AnnotationKind::Primary.span(range(finding.span));
        let first = match &finding.label {
            Some(label) => first.label(label.as_str()),
            None => first,
        };
        let others = finding.also.iter().map(|also| {
            AnnotationKind::Context
                .span(range(also.span))
                .label(also.label.as_str())
        });
        let snippet = Snippet::source(&self.text[from..to])
            .line_start(line)
            .path(self.path.to_string_lossy().into_owned())
            .annotation(first)
            .annotations(others);
        let group = level.primary_title(finding.cause.as_str()).element(snippet);
        let group: Group<'_> = match &finding.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }

    /// The part of a span on its first line, inside the text and between characters.
    fn clip(&self, span: Span) -> std::ops::Range<usize> {
        let start = floor(&self.text, span.start);
        let line = self.text[start..]
            .find(['\n', '\r'])
            .map_or(self.text.len(), |at| start + at);
        let end = floor(&self.text, span.end).min(line).max(start);
        let shown = self.text[start..end].trim_end().len();
        start..start + shown
    }
}

fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}
