//! Renders a service's templates: strict, and with errors that point at the template's line.
//!
//! Undefined names and null values are errors, never empty text in a configuration file. Filters of
//! our own: `overlay` lays one map over another, `properties` writes a map as `key=value` lines in the order
//! of the keys, so that the same values always give the same bytes, `xml` writes it as the `<property>` elements of
//! a Hadoop configuration; `sh` and `unit_word` quote a text for a
//! shell and for a systemd unit; `uuid` makes an identifier of a text.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use crate::xml::escaped;

/// A template that could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template}:{line}: {cause}{}", source_line.as_ref().map(|l| format!("\n    {l}")).unwrap_or_default())]
pub struct RenderError {
    /// The template, as `<service>/<file>` or the word of the descriptor.
    pub template: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub cause: String,
    /// The line itself.
    pub source_line: Option<String>,
}

/// Renders texts with values.
#[derive(Clone, Copy)]
pub struct Renderer {
    env: &'static Environment<'static>,
}

/// Each text is compiled once: a plan renders the same few for every host.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

impl Default for Renderer {
    fn default() -> Self {
        Self::new()
    }
}

impl Renderer {
    /// A renderer with our rules and filters.
    #[must_use]
    pub fn new() -> Self {
        Self { env: &ENGINE }
    }

    /// Renders `text`, named `name` in errors, with `values`.
    ///
    /// # Errors
    /// A [`RenderError`] with the line at which rendering stopped.
    pub fn render(&self, name: &str, text: &str, values: &Value) -> Result<String, RenderError> {
        if !text.contains('{') {
            return Ok(text.to_owned());
        }
        self.env
            .get_template(text)
            .and_then(|template| template.render(values))
            .map_err(|error| describe(name, text, &error))
    }
}

/// An engine with our rules and filters, in which a template's name is its text.
fn engine() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_syntax(syntax());
    env.set_formatter(|out, state, value| {
        if value.is_none() {
            return Err(Error::new(ErrorKind::InvalidOperation, "a value is null"));
        }
        minijinja::escape_formatter(out, state, value)
    });
    env.add_filter("overlay", overlay);
    env.add_filter("properties", properties);
    env.add_filter("xml", xml);
    env.add_filter("sh", |text: String| crate::facts::quote(&text));
    env.add_filter("unit_word", unit_word);
    env.add_filter("uuid", |text: String| crate::digest::uuid_of(&text));
    env.set_loader(|text| Ok(Some(text.to_owned())));
    env
}

/// Control lines leave no trace in what is rendered.
fn syntax() -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true);
    builder.build().unwrap_or_default()
}

fn describe(name: &str, text: &str, error: &Error) -> RenderError {
    let line = error.line().unwrap_or(1);
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    let name_of = |range: std::ops::Range<usize>| text.get(range).map(str::trim).map(str::to_owned);
    let expression = error.range().and_then(name_of).filter(|t| !t.is_empty());
    let cause = match (error.kind(), expression) {
        (ErrorKind::UndefinedError, Some(e)) => format!("`{e}` is not defined"),
        (_, Some(e)) if e.len() < 60 => format!("{what} (`{e}`)"),
        _ => what,
    };
    RenderError {
        template: name.to_owned(),
        line,
        cause,
        source_line: text.lines().nth(line - 1).map(str::to_owned),
    }
}

/// `a | overlay(b)`: the keys of both, those of `b` first.
fn overlay(below: Value, above: Value) -> Result<Value, Error> {
    let mut merged = std::collections::BTreeMap::new();
    for map in [&below, &above] {
        if map.kind() != ValueKind::Map {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                "overlay takes two maps",
            ));
        }
        for key in map.try_iter()? {
            let value = map.get_item(&key)?;
            merged.insert(key.to_string(), value);
        }
    }
    Ok(Value::from(merged))
}

/// `m | properties`: `key=value` lines in the order of the keys.
fn properties(map: Value) -> Result<String, Error> {
    let lines = pairs(&map)?.into_iter();
    let lines: Vec<String> = lines.map(|(key, value)| format!("{key}={value}")).collect();
    Ok(lines.join("\n"))
}

/// `m | xml`: a `<property>` a key, in the order of the keys.
fn xml(map: Value) -> Result<String, Error> {
    let element = |(key, value): (String, String)| {
        let (key, value) = (escaped(&key), escaped(&value));
        format!("  <property><name>{key}</name><value>{value}</value></property>")
    };
    let lines: Vec<String> = pairs(&map)?.into_iter().map(element).collect();
    Ok(lines.join("\n"))
}

/// The keys of a map with their values, as text and in order.
fn pairs(map: &Value) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    for key in map.try_iter()? {
        let value = map.get_item(&key)?;
        if value.is_undefined() || value.is_none() {
            let message = format!("the value of `{key}` is null");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        pairs.push((key.to_string(), value.to_string()));
    }
    pairs.sort();
    Ok(pairs)
}

/// A word of a systemd unit's command line or environment that means `text` and nothing else.
fn unit_word(text: String) -> String {
    let escaped = text
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn maps_become_sorted_lines_and_users_keys_win() {
        let text = "{{ {'b': 1, 'a.x': 'false'} | overlay(user) | properties }}\n";
        let values = context! { user => context! { b => 2, c => "d" } };
        let out = Renderer::new()
            .render("t", text, &values)
            .expect("it renders");
        assert_eq!(out, "a.x=false\nb=2\nc=d\n");
    }

    #[test]
    fn maps_become_the_properties_of_an_xml_file() {
        let out = Renderer::new().render("t", "{{ {'b': 'x<y & z', 'a': 1} | xml }}", &context! {});
        let wanted = "  <property><name>a</name><value>1</value></property>\n  \
            <property><name>b</name><value>x&lt;y &amp; z</value></property>";
        assert_eq!(out.as_deref(), Ok(wanted));
    }

    #[test]
    fn undefined_and_null_are_errors_with_their_line() {
        let renderer = Renderer::new();
        let error = renderer
            .render("t", "one\n{{ nope.x }}\n", &context! {})
            .expect_err("undefined");
        assert_eq!(
            (error.line, error.source_line.as_deref()),
            (2, Some("{{ nope.x }}"))
        );
        let null = context! { v => () };
        assert!(renderer.render("t", "{{ v }}", &null).is_err());
        assert!(
            renderer
                .render("t", "{{ {'k': v} | properties }}", &null)
                .is_err()
        );
    }
}
