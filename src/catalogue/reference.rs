//! The reference of the words of `service.yaml`, as Markdown: from the descriptor's own types.

use schemars::schema_for;
use serde_json::{Map, Value as Json};

use super::Descriptor;

const HEAD: &str = "\
# The catalogue

<!-- Generated from the program's own types; a test keeps it true. -->

A service is a folder: `service.yaml`, and the files that it names. The folders of `--templates DIR` replace and extend
those that are part of the program. Words marked *template* are rendered by minijinja with the values of the place.
";

/// All words of `service.yaml`, as Markdown tables: one for each type, in the order in which they are met.
#[must_use]
pub fn catalogue_reference() -> String {
    reference_of(HEAD, "service.yaml", &schema_for!(Descriptor).to_value())
}

/// All words of a file, by the schema of its type: a head, then a table for each type.
#[must_use]
pub fn reference_of(head: &str, file: &str, schema: &Json) -> String {
    let empty = Map::new();
    let types = schema
        .get("$defs")
        .and_then(Json::as_object)
        .unwrap_or(&empty);
    let mut out = head.to_owned();
    section(&mut out, file, schema);
    let mut names: Vec<String> = Vec::new();
    met(schema, &mut names);
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        if let Some(definition) = types.get(&name) {
            section(&mut out, &name, definition);
            met(definition, &mut names);
        }
        next += 1;
    }
    tidy(&out)
}

/// Without doubled empty lines, and without the brackets of links between types.
fn tidy(text: &str) -> String {
    let mut out = text.replace("[`", "`").replace("`]", "`");
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    format!("{}\n", out.trim_end())
}

/// The types that a schema refers to, each once, in the order in which they stand there.
fn met(schema: &Json, names: &mut Vec<String>) {
    match schema {
        Json::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != "$defs") {
                match (key.as_str(), value) {
                    ("$ref", Json::String(path)) => {
                        let name = type_name(path);
                        if !names.iter().any(|known| known == name) {
                            names.push(name.to_owned());
                        }
                    }
                    _ => met(value, names),
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| met(item, names)),
        _ => {}
    }
}

fn type_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn section(out: &mut String, name: &str, schema: &Json) {
    out.push_str(&format!("\n## {}\n\n", title(name)));
    if let Some(help) = text(schema, "description") {
        out.push_str(&format!("{help}\n\n"));
    }
    if schema.get("properties").is_some() {
        properties(out, schema);
    }
    let choices = schema
        .get("oneOf")
        .or_else(|| schema.get("anyOf"))
        .and_then(Json::as_array);
    for choice in choices.into_iter().flatten() {
        variant(out, choice);
    }
    for word in schema
        .get("enum")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        out.push_str(&format!("- `{}`\n", word.as_str().unwrap_or_default()));
    }
}

fn title(name: &str) -> String {
    if name.contains('.') {
        format!("`{name}`")
    } else {
        name.to_owned()
    }
}

/// One way to write a value that has several.
fn variant(out: &mut String, choice: &Json) {
    let help = text(choice, "description")
        .map(|help| format!(": {help}"))
        .unwrap_or_default();
    if let Some(word) = choice.get("const").and_then(Json::as_str) {
        out.push_str(&format!("- `{word}`{help}\n"));
        return;
    }
    for word in choice
        .get("enum")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        out.push_str(&format!(
            "- `{}`{help}\n",
            word.as_str().unwrap_or_default()
        ));
    }
    let words = choice.get("properties").and_then(Json::as_object);
    for (word, value) in words.into_iter().flatten() {
        if value.get("properties").is_some() {
            out.push_str(&format!("\n**`{word}:`**{help}\n\n"));
            properties(out, value);
            out.push('\n');
        } else {
            out.push_str(&format!("- `{word}:` {}{help}\n", kind(value)));
        }
    }
}

fn properties(out: &mut String, schema: &Json) {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Json::as_array)
        .map(|words| words.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    out.push_str("| word | takes | meaning |\n|---|---|---|\n");
    for (word, value) in schema
        .get("properties")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        let mut help = text(value, "description").unwrap_or_default();
        if required.contains(&word.as_str()) {
            help.push_str(" Required.");
        } else if let Some(default) = value.get("default").filter(|value| tells(value)) {
            help.push_str(&format!(
                " `{}` if not given.",
                default.to_string().trim_matches('"')
            ));
        }
        out.push_str(&format!(
            "| `{word}` | {} | {} |\n",
            cell(&kind(value)),
            cell(help.trim())
        ));
    }
}

/// Whether a default is worth a word: nothing and empty ones go without saying.
fn tells(default: &Json) -> bool {
    matches!(default, Json::Bool(true) | Json::Number(_))
        || default.as_str().is_some_and(|text| !text.is_empty())
}

/// What a schema takes, in a few words.
fn kind(schema: &Json) -> String {
    if let Some(path) = schema.get("$ref").and_then(Json::as_str) {
        let name = type_name(path);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = schema
        .get("anyOf")
        .or_else(|| schema.get("allOf"))
        .and_then(Json::as_array)
    {
        let kinds: Vec<String> = choices
            .iter()
            .filter(|choice| !is_null(choice))
            .map(kind)
            .collect();
        return kinds.join(" or ");
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several
            .iter()
            .filter_map(Json::as_str)
            .filter(|name| *name != "null")
            .collect(),
        _ => Vec::new(),
    };
    let one = |name: &&str| match *name {
        "string" => "a text".to_owned(),
        "integer" | "number" => "a number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => schema.get("items").map_or_else(
            || "a list".to_owned(),
            |items| format!("a list: {}", kind(items)),
        ),
        "object" => map_kind(schema),
        other => other.to_owned(),
    };
    if types.is_empty() {
        "anything".to_owned()
    } else {
        types.iter().map(one).collect::<Vec<_>>().join(" or ")
    }
}

fn map_kind(schema: &Json) -> String {
    let values = schema
        .get("additionalProperties")
        .filter(|values| values.is_object());
    values.map_or_else(
        || "a map".to_owned(),
        |values| format!("a map: {}", kind(values)),
    )
}

fn is_null(schema: &Json) -> bool {
    schema.get("type").and_then(Json::as_str) == Some("null")
}

fn text(schema: &Json, key: &str) -> Option<String> {
    schema.get(key).and_then(Json::as_str).map(str::to_owned)
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_a_row_for_every_word_of_a_service() {
        let text = catalogue_reference();
        for word in [
            "title",
            "needs",
            "versions",
            "roles",
            "count",
            "ports",
            "command",
            "on_change",
            "width",
            "quorum",
        ] {
            assert!(text.contains(&format!("| `{word}` |")), "{word}");
        }
        for link in text.split("](#").skip(1) {
            let anchor = link.split(')').next().unwrap_or_default();
            let there = text
                .lines()
                .any(|line| line.to_lowercase() == format!("## {anchor}"));
            assert!(there, "no section `{anchor}`");
        }
        assert_eq!(text, catalogue_reference());
    }
}
