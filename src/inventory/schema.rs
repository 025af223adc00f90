//! The JSON Schema of an inventory, for editors: from the same words that the reader goes by.

use serde_json::{Map, Value as Json, json};

use crate::catalogue::descriptor::{Count, Setting, SettingKind};
use crate::catalogue::{Catalogue, Descriptor};

use super::service_words::{
    MOST_PER_HOST, ServiceTakes, ServiceWord, override_words, service_words,
};
use super::words::{self, HOST, TOP, TOPIC, Takes, Word};

/// The JSON Schema (draft 2020-12) of an inventory for the services of a catalogue; the same for the same catalogue.
#[must_use]
pub fn schema(catalogue: &Catalogue) -> Json {
    let mut top = object(TOP, &["cluster", "hosts", "services"], catalogue);
    top["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    top["title"] = json!("An inventory of sdtd");
    top["description"] = json!("Which hosts there are, and what shall run on them.");
    top["$defs"] = json!({
        "variable": { "type": "string", "pattern": r"\$\{[A-Za-z_]" },
        "name": { "type": "string", "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$|\\$\\{" },
        "size": {
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]{1,3})? ?([MmGgTt]([Ii]?[Bb])?)$|\$\{",
            "examples": ["256M", "1G"],
        },
        "hosts": { "type": "array", "items": { "$ref": "#/$defs/name" }, "minItems": 1, "uniqueItems": true },
        "text": { "type": ["string", "number", "boolean"] },
        "config": { "type": "object", "additionalProperties": { "$ref": "#/$defs/text" } },
    });
    top
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn object(words: &[Word], required: &[&str], catalogue: &Catalogue) -> Json {
    let properties = words.iter().map(|word| {
        (
            word.name.to_owned(),
            described(takes(word.takes, catalogue), word.help),
        )
    });
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    schema["properties"] = Json::Object(properties.collect());
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn described(mut schema: Json, help: &str) -> Json {
    schema["description"] = json!(help);
    schema
}

fn or_variable(schema: Json) -> Json {
    json!({ "anyOf": [schema, reference("variable")] })
}

fn number(from: i64, to: i64) -> Json {
    or_variable(json!({ "type": "integer", "minimum": from, "maximum": to }))
}

fn takes(takes: Takes, catalogue: &Catalogue) -> Json {
    match takes {
        Takes::Name => reference("name"),
        Takes::Text => json!({ "type": ["string", "number"] }),
        Takes::Address | Takes::Path => json!({ "type": "string", "minLength": 1 }),
        Takes::Port => number(1, 65_535),
        Takes::Number(from, to) => number(from, to),
        Takes::Size => reference("size"),
        Takes::Time => json!({
            "type": "string",
            "pattern": r"^[0-9]+ ?[smhd]$|\$\{",
            "examples": ["90s", "10m", "2h"],
        }),
        Takes::OneOf(words) => or_variable(json!({ "enum": words })),
        Takes::Config => reference("config"),
        Takes::Folders => folders(true),
        Takes::Words(words) => object(words, &[], catalogue),
        Takes::Hosts => {
            let host = object(HOST, &[], catalogue);
            let host = json!({ "anyOf": [{ "type": "string", "minLength": 1 }, host] });
            json!({
                "type": "object",
                "minProperties": 1,
                "propertyNames": reference("name"),
                "additionalProperties": host,
            })
        }
        Takes::Services => services(catalogue),
        Takes::Topics => {
            let mut topic = object(TOPIC, &[], catalogue);
            topic["type"] = json!(["object", "null"]);
            let names = json!({ "pattern": "^[a-zA-Z0-9._-]{1,249}$" });
            json!({ "type": ["object", "null"], "propertyNames": names, "additionalProperties": topic })
        }
        Takes::Anything => json!({}),
    }
}

fn folders(many: bool) -> Json {
    let folder = json!({ "type": "string", "pattern": r"^/|\$\{" });
    let mut list = json!({ "type": "array", "items": folder, "minItems": 1 });
    if !many {
        list["maxItems"] = json!(1);
    }
    json!({ "anyOf": [folder, list] })
}

fn services(catalogue: &Catalogue) -> Json {
    let of = |descriptor: &Descriptor| {
        let words = service_words(descriptor);
        let one = |word: &ServiceWord<'_>| service_word(word, descriptor, catalogue);
        let properties: Map<String, Json> = words
            .iter()
            .map(|word| (word.name.to_owned(), described(one(word), &word.help)))
            .collect();
        json!({
            "type": ["object", "null"],
            "description": descriptor.title,
            "additionalProperties": false,
            "properties": properties,
        })
    };
    let all: Map<String, Json> = catalogue
        .iter()
        .map(|(name, folder)| (name.as_str().to_owned(), of(&folder.descriptor)))
        .collect();
    json!({ "type": "object", "minProperties": 1, "additionalProperties": false, "properties": all })
}

fn service_word(word: &ServiceWord<'_>, descriptor: &Descriptor, catalogue: &Catalogue) -> Json {
    match word.takes {
        ServiceTakes::Version => {
            let known: Vec<&str> = descriptor.versions.keys().map(String::as_str).collect();
            let mut values: Vec<Json> = known.iter().map(|version| json!(version)).collect();
            // A version such as 17 or 3.9 is a number to YAML.
            values.extend(
                known
                    .iter()
                    .filter_map(|version| version.parse::<i64>().ok())
                    .map(Json::from),
            );
            values.extend(
                known
                    .iter()
                    .filter(|version| version.matches('.').count() == 1)
                    .filter_map(|version| version.parse::<f64>().ok().map(Json::from)),
            );
            or_variable(json!({ "enum": values }))
        }
        ServiceTakes::Package => takes(Takes::Path, catalogue),
        ServiceTakes::On => {
            json!({ "anyOf": [{ "const": "all" }, reference("hosts"), reference("variable")] })
        }
        ServiceTakes::Count => counted(descriptor, word.name),
        ServiceTakes::PerHost => number(1, i64::from(MOST_PER_HOST)),
        ServiceTakes::Heap => reference("size"),
        ServiceTakes::Config => config(descriptor),
        ServiceTakes::Ports => {
            let ports = descriptor.roles.values().flat_map(|role| &role.ports);
            let one = |(name, port): (&String, &u16)| {
                let mut schema = number(1, 65_535);
                schema["default"] = json!(port);
                (name.clone(), schema)
            };
            let fronts = descriptor.roles.values().flat_map(|role| &role.fronts);
            let fronts = fronts.map(|(name, front)| (name, &front.at));
            let properties: Map<String, Json> = ports.chain(fronts).map(one).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": properties })
        }
        ServiceTakes::Data(many) => folders(many),
        ServiceTakes::Hosts => {
            let mut own = object(&override_words(descriptor), &[], catalogue);
            if let Some(schema) = own["properties"].get_mut(words::CONFIG) {
                *schema = described(
                    config(descriptor),
                    "Upstream keys, laid over those of the service.",
                );
            }
            json!({ "type": "object", "propertyNames": reference("name"), "additionalProperties": own })
        }
        ServiceTakes::Setting(setting) => setting_schema(setting),
    }
}

/// Roles that exclude each other may share a count: what one of them takes is allowed.
fn counted(descriptor: &Descriptor, key: &str) -> Json {
    let (mut any, mut default_of) = (Vec::new(), None);
    for role in descriptor.roles.values() {
        if let Count::Key {
            name,
            default,
            min,
            max,
            odd,
            ..
        } = &role.count
            && name == key
        {
            let mut number = json!({ "type": "integer", "minimum": min });
            if let Some(max) = max {
                number["maximum"] = json!(max);
            }
            if *odd {
                number["not"] = json!({ "multipleOf": 2 });
            }
            if !any.contains(&number) {
                any.push(number);
            }
            default_of = default_of.or(*default);
        }
    }
    any.extend([reference("hosts"), reference("variable")]);
    let mut schema = json!({ "anyOf": any });
    if let Some(default) = default_of {
        schema["default"] = json!(default);
    }
    schema
}

fn config(descriptor: &Descriptor) -> Json {
    let reserved = descriptor
        .config
        .iter()
        .flat_map(|config| config.reserved.keys());
    let plain = reserved.filter(|key| !key.ends_with('*'));
    let refused: Map<String, Json> = plain.map(|key| (key.clone(), Json::Bool(false))).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": reference("text") });
    if !refused.is_empty() {
        schema["properties"] = Json::Object(refused);
    }
    schema
}

fn setting_schema(setting: &Setting) -> Json {
    let mut schema = match setting.kind {
        SettingKind::Integer => or_variable(json!({ "type": "integer" })),
        SettingKind::Boolean => or_variable(json!({ "type": "boolean" })),
        SettingKind::Uuid => {
            or_variable(json!({ "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]{21}$" }))
        }
        SettingKind::Text if setting.one_of.is_empty() => reference("text"),
        SettingKind::Text => or_variable(json!({ "enum": setting.one_of })),
    };
    if let Some(default) = &setting.default {
        schema["default"] = default.clone();
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_every_word_and_service() {
        let catalogue = Catalogue::load(&[]).expect("a good catalogue");
        let schema = schema(&catalogue);
        for word in TOP {
            assert!(
                schema["properties"][word.name]["description"].is_string(),
                "{}",
                word.name
            );
        }
        let services = &schema["properties"]["services"]["properties"];
        for (name, folder) in catalogue.iter() {
            for word in service_words(&folder.descriptor) {
                let found = &services[name.as_str()]["properties"][word.name];
                assert!(found["description"].is_string(), "{name} {}", word.name);
            }
        }
    }

    #[test]
    fn every_reference_in_the_schema_leads_somewhere() {
        let schema = schema(&Catalogue::load(&[]).expect("a good catalogue"));
        let text = schema.to_string();
        for part in text.split("#/$defs/").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(schema["$defs"][name].is_object(), "{name}");
        }
    }
}
