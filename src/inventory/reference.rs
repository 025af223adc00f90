//! The reference of an inventory's words, as Markdown: from the same words that the reader goes by.

use crate::catalogue::Catalogue;

use super::service_words::{ServiceTakes, ServiceWord, service_words};
use super::words::{HOST, HOST_SSH, OVERRIDE, SSH, TOP, TOPIC, Takes, Word};

const HEAD: &str = "\
# The inventory

<!-- Generated from the program's own words; a test keeps it true. -->

One YAML file says which hosts there are and what shall run on them. `sdtd plan --offline` reads it and shows everything
that is wrong with it at once; no host is asked.

- A value may hold `${NAME}` or `${NAME:-default}`, taken from the environment; `$$` is a dollar sign. Within
  `{ … }` and `[ … ]`, quote it: `\"${NAME}\"`. Messages show the name, never the value.
- Sizes need a unit: `256M`, `1G`, `1.5G` (M is 1024 × 1024 bytes).
- Paths on your machine (`key`, `config` under `ssh`, `package`, `root`) may begin with `~`; relative ones begin at
  the inventory's folder. Paths on the hosts (`data`) are whole.
- YAML anchors, aliases and merge keys (`<<`) work. Texts stay as written: `3.10` is not 3.1, `no` is not false.
- Upstream keys under `config` are checked against a list: an unknown one is a warning, and is written as it is.
";

/// All words of an inventory, with those of each service of a catalogue, as Markdown.
#[must_use]
pub fn reference(catalogue: &Catalogue) -> String {
    let mut out = HEAD.to_owned();
    table(&mut out, "At the top", TOP);
    table(&mut out, "`ssh`", SSH);
    table(&mut out, "A host, under `hosts`", HOST);
    table(&mut out, "`ssh` of a host", HOST_SSH);
    table(&mut out, "A topic, under `topics`", TOPIC);
    out.push_str("\n## Services\n\nA service that others need and that runs nothing itself is added on its own.\n");
    for (name, folder) in catalogue.iter() {
        let descriptor = &folder.descriptor;
        out.push_str(&format!("\n### `{name}`: {}\n\n", descriptor.title));
        let versions: Vec<_> = descriptor
            .versions
            .keys()
            .map(|version| format!("`{version}`"))
            .collect();
        out.push_str(&format!("Versions: {}.", versions.join(", ")));
        if !descriptor.needs.is_empty() {
            let needs: Vec<_> = descriptor
                .needs
                .iter()
                .map(|need| match need.when() {
                    None => format!("`{}`", need.service()),
                    Some(when) => format!("`{}` (with `{when}`)", need.service()),
                })
                .collect();
            out.push_str(&format!(" Needs {}.", needs.join(" and ")));
        }
        out.push_str("\n\n| word | takes | meaning |\n|---|---|---|\n");
        for word in service_words(descriptor) {
            out.push_str(&row(word.name, service_takes(&word), &word.help));
        }
        let reserved = descriptor.config.iter().flat_map(|config| &config.reserved);
        let reserved: Vec<_> = reserved
            .map(|(key, reason)| format!("- `{key}`: {reason}\n"))
            .collect();
        if !reserved.is_empty() {
            out.push_str(&format!(
                "\nKeys that `config` does not take:\n\n{}",
                reserved.concat()
            ));
        }
    }
    table(&mut out, "`hosts` of a service, by host", OVERRIDE);
    out
}

fn table(out: &mut String, title: &str, words: &[Word]) {
    out.push_str(&format!(
        "\n## {title}\n\n| word | takes | meaning |\n|---|---|---|\n"
    ));
    for word in words {
        out.push_str(&row(word.name, takes(word.takes), word.help));
    }
}

fn row(name: &str, takes: String, help: &str) -> String {
    format!("| `{name}` | {} | {} |\n", cell(&takes), cell(help))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn takes(takes: Takes) -> String {
    match takes {
        Takes::Name => "a name".to_owned(),
        Takes::Text => "a text".to_owned(),
        Takes::Address => "an address".to_owned(),
        Takes::Path => "a path here".to_owned(),
        Takes::Port => "a port".to_owned(),
        Takes::Number(from, to) => format!("{from} to {to}"),
        Takes::Size => "a size".to_owned(),
        Takes::Time => "a time".to_owned(),
        Takes::OneOf(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(" or "),
        Takes::Config => "keys and values".to_owned(),
        Takes::Folders => "a folder, or a list".to_owned(),
        Takes::Words(words) => {
            let names: Vec<_> = words
                .iter()
                .map(|word| format!("`{}`", word.name))
                .collect();
            format!("{{ {} }}", names.join(", "))
        }
        Takes::Hosts => "hosts by name".to_owned(),
        Takes::Services => "services by name".to_owned(),
        Takes::Topics => "topics by name".to_owned(),
        Takes::Anything => "anything".to_owned(),
    }
}

fn service_takes(word: &ServiceWord<'_>) -> String {
    use crate::catalogue::descriptor::SettingKind;
    let text = match word.takes {
        ServiceTakes::Version => "a version",
        ServiceTakes::Package => "a path here",
        ServiceTakes::On => "`all` or a list of hosts",
        ServiceTakes::Count => "a number, or a list of hosts",
        ServiceTakes::PerHost => "a number",
        ServiceTakes::Heap => "a size",
        ServiceTakes::Config => "keys and values",
        ServiceTakes::Ports => "ports by name",
        ServiceTakes::Data(false) => "a folder",
        ServiceTakes::Data(true) => "a folder, or a list",
        ServiceTakes::Hosts => "words by host",
        ServiceTakes::Setting(setting) => match setting.kind {
            SettingKind::Text if !setting.one_of.is_empty() => {
                let words = setting.one_of.iter().map(|word| format!("`{word}`"));
                return words.collect::<Vec<_>>().join(" or ");
            }
            SettingKind::Text => "a text",
            SettingKind::Integer => "a whole number",
            SettingKind::Boolean => "`true` or `false`",
            SettingKind::Uuid => "22 letters and digits",
        },
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_a_row_for_every_word() {
        let catalogue = Catalogue::load(&[]).expect("a good catalogue");
        let text = reference(&catalogue);
        let words = [TOP, SSH, HOST, TOPIC, OVERRIDE].concat();
        for word in words {
            assert!(
                text.contains(&format!("| `{}` |", word.name)),
                "{}",
                word.name
            );
        }
        assert_eq!(text, reference(&catalogue));
    }
}
