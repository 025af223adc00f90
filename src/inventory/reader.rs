//! Reads values out of the tree: each answer is a value or a finding.

use std::path::{Path, PathBuf};

use crate::catalogue::Catalogue;

use super::finding::Finding;
use super::nearest::{did_you_mean, listed, shown};
use super::tree::{Entry, Node, Value};
use super::vars::Env;
use super::words::Word;

/// What an inventory is read with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The services there are.
    pub catalogue: &'a Catalogue,
    /// The environment: its variables may be used in the inventory; `HOME` is what `~` stands for.
    pub env: &'a Env,
    /// The folder that relative paths in the inventory begin at.
    pub folder: &'a Path,
}

/// Reads values and collects findings.
pub(super) struct Reader<'a> {
    pub(super) context: Context<'a>,
    pub(super) findings: Vec<Finding>,
}

impl Reader<'_> {
    pub(super) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The entries of a map whose words are known; the others become findings.
    pub(super) fn words<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[Word],
    ) -> Vec<&'n Entry> {
        let names: Vec<_> = known.iter().map(|word| word.name).collect();
        let mut good = Vec::new();
        for entry in self.map(node, what) {
            if names.contains(&entry.key.as_str()) {
                good.push(entry);
            } else {
                self.unknown(entry, what, &names);
            }
        }
        good
    }

    /// A finding about a word that `what` does not have.
    pub(super) fn unknown(&mut self, entry: &Entry, what: &str, known: &[&str]) {
        let known_words = || listed(known.iter().copied());
        let help = did_you_mean(&entry.key, known.iter().copied())
            .unwrap_or_else(|| format!("the words here are {}", known_words()));
        let cause = format!("{what} has no word {}", shown(&entry.key));
        self.push(Finding::error(entry.key_span, cause).help(help));
    }

    /// The entries of a map; anything else is a finding.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(
                node,
                what,
                "a map",
                "write `word: value` lines below it, or `{ word: value }`",
            );
        }
        node.entries()
    }

    /// A text: any scalar.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let Value::Scalar(scalar) = &node.value else {
            self.wrong_type(
                node,
                what,
                "a single value",
                "write the value behind the colon, or remove the word",
            );
            return None;
        };
        if scalar.text.chars().any(|c| c.is_control() && c != '\t') {
            let cause = format!("{what} holds a line break or another control character");
            self.push(Finding::error(node.span, cause).help("write it on one line"));
            return None;
        }
        Some(&scalar.text)
    }

    /// A text that is not empty.
    pub(super) fn some_text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.text(node, what)?;
        if text.trim().is_empty() {
            let help = "give it a value, or remove the word";
            self.push(Finding::error(node.span, format!("{what} is empty")).help(help));
            return None;
        }
        Some(text)
    }

    /// A whole number within bounds, behind a word.
    pub(super) fn number(&mut self, node: &Node, word: &str, from: i64, to: i64) -> Option<i64> {
        let word = shown(word);
        let text = self.text(node, &word)?;
        let number = text.parse::<i64>().ok().filter(|_| !text.starts_with('+'));
        if number.is_some_and(|number| (from..=to).contains(&number)) {
            return number;
        }
        let (cause, help) = match number {
            Some(_) => (
                format!("{word} cannot be {}", written(node)),
                format!("write {from} to {to}"),
            ),
            None => (
                format!(
                    "{word} must be a whole number, and this is {}",
                    written(node)
                ),
                "write a number, such as `3`".to_owned(),
            ),
        };
        self.push(Finding::error(node.span, cause).help(help));
        None
    }

    /// A port, behind a word.
    pub(super) fn port(&mut self, node: &Node, word: &str) -> Option<u16> {
        let word = shown(word);
        let text = self.text(node, &word)?;
        let port = text
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0 && !text.starts_with('+'));
        if port.is_none() {
            let cause = format!("{word} must be a port, and this is {}", written(node));
            let help = "ports are whole numbers from 1 to 65535";
            self.push(Finding::error(node.span, cause).help(help));
        }
        port
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match self.text(node, what)? {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                let cause = format!(
                    "{what} must be `true` or `false`, and this is {}",
                    written(node)
                );
                self.push(Finding::error(node.span, cause).help("write `true` or `false`"));
                None
            }
        }
    }

    /// A size in MiB, behind a word.
    pub(super) fn size(&mut self, node: &Node, word: &str) -> Option<u64> {
        const LEAST: u64 = 16;
        let word = shown(word);
        let text = self.text(node, &word)?;
        let (cause, help) = match mebibytes(text) {
            Some(size) if (LEAST..=1 << 30).contains(&size) => return Some(size),
            Some(_) => ("cannot be", "it must be at least 16M, and at most 1024T"),
            None if text.parse::<f64>().is_ok() => (
                "has no unit:",
                "write `256M` for megabytes or `1G` for gigabytes",
            ),
            None => (
                "must be a size, and this is",
                "write a number and its unit: `256M`, `1G` or `1.5G` (M is 1024 × 1024 bytes)",
            ),
        };
        let cause = format!("{word} {cause} {}", written(node));
        self.push(Finding::error(node.span, cause).help(help));
        None
    }

    /// A time in seconds, behind a word.
    pub(super) fn time(
        &mut self,
        node: &Node,
        word: &str,
        (least, most): (u64, u64),
    ) -> Option<u64> {
        let word = shown(word);
        let text = self.text(node, &word)?;
        let cause = match seconds(text) {
            Some(time) if (least..=most).contains(&time) => return Some(time),
            Some(_) => format!(
                "{word} must be at least {least}s and at most {most}s, and this is {}",
                written(node)
            ),
            None => format!("{word} must be a time, and this is {}", written(node)),
        };
        let help = "write a number and its unit: `90s`, `10m` or `2h`";
        self.push(Finding::error(node.span, cause).help(help));
        None
    }

    /// A path on this machine: `~` is the home folder, relative ones begin at the inventory's folder.
    pub(super) fn path(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let text = self.some_text(node, what)?;
        if let Some(rest) = text.strip_prefix('~') {
            if !rest.is_empty() && !rest.starts_with('/') {
                let cause = format!("{what} begins with another user's home, {}", written(node));
                self.push(Finding::error(node.span, cause).help("write the whole path"));
                return None;
            }
            let Some(home) = self.context.env.get("HOME").filter(|home| !home.is_empty()) else {
                let cause = format!("{what} begins with `~`, and there is no variable `HOME`");
                self.push(
                    Finding::error(node.span, cause).help("write the whole path, or set `HOME`"),
                );
                return None;
            };
            return Some(Path::new(home).join(rest.trim_start_matches('/')));
        }
        Some(self.context.folder.join(text))
    }

    /// A finding about a node of the wrong type.
    pub(super) fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str, help: &str) {
        let cause = match &node.value {
            Value::Null => format!("{what} has no value"),
            Value::Scalar(_) => format!("{what} must be {wanted}, and this is {}", written(node)),
            Value::Seq(_) | Value::Map(_) => {
                format!("{what} must be {wanted}, and this is {}", node.kind())
            }
        };
        self.push(Finding::error(node.span, cause).help(help));
    }
}

/// A scalar as its author wrote it, for messages: variables stay unreplaced, since they may hold secrets.
pub(super) fn written(node: &Node) -> String {
    match &node.value {
        Value::Scalar(scalar) => shown(scalar.written.as_ref().unwrap_or(&scalar.text)),
        _ => node.kind().to_owned(),
    }
}

/// A time such as `90s`, `10m` or `2h`, in seconds.
fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let factor = match unit.trim_start() {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size such as `256M`, `1G` or `1.5GiB`, in MiB.
fn mebibytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .filter(|at| *at > 0)?;
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "m" | "mb" | "mib" => 1,
        "g" | "gb" | "gib" => 1 << 10,
        "t" | "tb" | "tib" => 1 << 20,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if part.is_empty() || part.len() > 3 {
        return None;
    }
    let thousandths = part.parse::<u64>().ok()? * 10_u64.pow(3 - u32::try_from(part.len()).ok()?);
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(factor)?
        .checked_add(thousandths * factor / 1000)
}

#[cfg(test)]
mod tests {
    use super::{mebibytes, seconds};

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, time) in [("90s", 90), ("10m", 600), ("2 h", 7200), ("1d", 86_400)] {
            assert_eq!(seconds(text), Some(time), "{text}");
        }
        for text in ["90", "m", "", "1w", "1.5h", "-1m", "99999999999999999999d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [
            ("256M", 256),
            ("1G", 1024),
            ("1GiB", 1024),
            ("1.5g", 1536),
            ("2 GB", 2048),
        ] {
            assert_eq!(mebibytes(text), Some(size), "{text}");
        }
        for text in [
            "256",
            "G",
            "",
            "1X",
            "1.G",
            ".5G",
            "-1G",
            "1.2.3G",
            "99999999999999999999G",
        ] {
            assert_eq!(mebibytes(text), None, "{text}");
        }
    }
}
