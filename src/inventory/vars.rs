//! `${VAR}` and `${VAR:-default}` in an inventory's values, from an environment that is passed in.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::nearest::did_you_mean;
use super::tree::{Node, Span, Value};

/// The variables an inventory may use, and `HOME` for `~`.
pub type Env = BTreeMap<String, String>;

/// Replaces variables in all values below `node` (not in keys); `$$` is a dollar sign.
pub(super) fn substitute(node: &mut Node, env: &Env, findings: &mut Vec<Finding>) {
    match &mut node.value {
        Value::Null => {}
        Value::Seq(items) => items
            .iter_mut()
            .for_each(|item| substitute(item, env, findings)),
        Value::Map(entries) => {
            entries
                .iter_mut()
                .for_each(|entry| substitute(&mut entry.node, env, findings));
        }
        Value::Scalar(scalar) if scalar.text.contains('$') => {
            let new = expand(&scalar.text, node.span, env, findings);
            scalar.written = Some(std::mem::replace(&mut scalar.text, new));
        }
        Value::Scalar(_) => {}
    }
}

fn expand(text: &str, span: Span, env: &Env, findings: &mut Vec<Finding>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((inner, after)) = after.split_once('}') else {
                findings.push(unclosed(span));
                return out;
            };
            out.push_str(variable(inner, span, env, findings));
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

fn unclosed(span: Span) -> Finding {
    Finding::error(span, "`${` without its `}`")
        .help("write `${NAME}` or `${NAME:-default}`; for a plain `${` write `$${`")
}

fn variable<'a>(inner: &'a str, span: Span, env: &'a Env, findings: &mut Vec<Finding>) -> &'a str {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let inner_char = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(inner_char)
    {
        let finding = Finding::error(span, format!("`{name}` is not a variable's name"))
            .help("write `${NAME}` or `${NAME:-default}`; for a plain `${` write `$${`");
        findings.push(finding);
        return "";
    }
    match (
        env.get(name)
            .filter(|value| !value.is_empty() || default.is_none()),
        default,
    ) {
        (Some(value), _) => value,
        (None, Some(default)) => default,
        (None, None) => {
            let near = did_you_mean(name, env.keys().map(String::as_str));
            let near = near.map(|near| format!("{near} Else ")).unwrap_or_default();
            let cause = format!("the environment has no variable `{name}`");
            let help = format!("{near}set it, or write a default: `${{{name}:-…}}`");
            findings.push(Finding::error(span, cause).help(help));
            ""
        }
    }
}
