//! The last barrier before a screen or a file: known secrets become dots.
//!
//! Nothing secret should reach an event at all. This is for the day that a service prints its own password
//! into a log line.

use serde_json::Value;

use crate::event::Event;
use crate::secret::{DOTS, hide_all, is_secret};

/// Shorter secrets are not looked for: they would eat parts of ordinary words.
const SHORTEST: usize = 4;

/// Fields that are names by construction or tags of the format; a log must read back.
const KEPT: [&str; 5] = ["event", "outcome", "host", "instance", "v"];

/// Strings that must not be shown. `Debug` does not show them either.
#[derive(Clone, Default)]
pub struct Secrets {
    needles: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("count", &self.needles.len())
            .finish()
    }
}

impl Secrets {
    /// Secrets to hide. Each line of one with several lines is hidden by itself, and so is its JSON-escaped
    /// form. Those shorter than four characters are not looked for.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets {
            let secret = secret.as_ref();
            for part in std::iter::once(secret).chain(secret.lines()).map(str::trim) {
                needles.push(part.to_owned());
                needles.push(escaped(part));
                needles.push(super::style::clean(part));
            }
        }
        needles.retain(|needle| needle.chars().count() >= SHORTEST);
        // The longest first, so that a secret inside another one leaves no rest of it.
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles }
    }

    /// The text with every secret as dots.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for needle in &self.needles {
            if masked.contains(needle) {
                masked = masked.replace(needle, DOTS);
            }
        }
        masked
    }

    /// The event as one JSON line without its end, every secret as dots.
    ///
    /// # Errors
    /// When the event cannot be written as JSON.
    pub fn json(&self, event: &Event) -> serde_json::Result<String> {
        let line = serde_json::to_string(event)?;
        if !self.found_in(&line) {
            return Ok(line);
        }
        let mut value = serde_json::to_value(event)?;
        self.mask_value(&mut value);
        serde_json::to_string(&value)
    }

    /// Hides secrets in the strings of a JSON value; keys and names stay.
    pub fn mask_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.mask(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(fields) => {
                for (key, field) in fields {
                    if !(field.is_string() && KEPT.contains(&key.as_str())) {
                        self.mask_value(field);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text as it may be given away: what is known to be secret, and all that looks like it, as dots.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        hide_all(&self.mask(text))
    }

    /// The same for a document: every string, and whatever stands under a telling name.
    pub fn scrub_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.scrub(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub_value(item)),
            Value::Object(fields) => {
                for (key, field) in fields {
                    if is_secret(key) && !field.is_null() {
                        *field = Value::from(DOTS);
                    } else {
                        self.scrub_value(field);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn found_in(&self, text: &str) -> bool {
        self.needles.iter().any(|needle| text.contains(needle))
    }
}

fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted
        .get(1..quoted.len() - 1)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventKind, SCHEMA};

    #[test]
    fn secrets_become_dots_the_longest_first() {
        let secrets = Secrets::new(["hunter2", "hunter2-and-more", "abc", ""]);
        assert_eq!(
            secrets.mask("a=hunter2-and-more b=hunter2 abc"),
            "a=•••• b=•••• abc"
        );
        assert_eq!(format!("{secrets:?}"), "Secrets { count: 2 }");
    }

    #[test]
    fn every_line_of_a_key_is_hidden() {
        let secrets = Secrets::new(["-----BEGIN-----\nMIIEabcd\n-----END-----\n"]);
        assert_eq!(secrets.mask("found MIIEabcd here"), "found •••• here");
    }

    #[test]
    fn what_is_given_away_hides_what_looks_secret_too() {
        let secrets = Secrets::new(["hunter2"]);
        let mut value = serde_json::json!({
            "text": "said hunter2\nmy.password=x", "fixed": { "a.token": 7, "b": [1, "hunter2"] },
        });
        secrets.scrub_value(&mut value);
        let wanted = serde_json::json!({
            "text": "said ••••\nmy.password=••••", "fixed": { "a.token": "••••", "b": [1, "••••"] },
        });
        assert_eq!(value, wanted);
    }

    #[test]
    fn an_event_with_a_secret_stays_json() {
        let secrets = Secrets::new(["pa\"ss\\word", "note"]);
        let text = "said pa\"ss\\word, note".to_owned();
        let event = Event {
            v: SCHEMA,
            at_ms: 1,
            kind: EventKind::Note { text },
        };
        let line = secrets.json(&event).expect("an event is JSON");
        let back: Event = serde_json::from_str(&line).expect("it reads back");
        assert_eq!(
            back.kind,
            EventKind::Note {
                text: "said ••••, ••••".to_owned()
            }
        );
    }
}
