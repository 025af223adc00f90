//! Reads one service by the words of its descriptor.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::catalogue::descriptor::{Count, Refusal, Setting, SettingKind, When};
use crate::catalogue::{Descriptor, Folder};
use crate::id::ServiceName;

use super::amount;
use super::config::{self, Keys};
use super::finding::Finding;
use super::folders::folders;
use super::hosts::Hosts;
use super::model::{Amount, HostOverride, Service};
use super::nearest::{did_you_mean, listed, shown};
use super::reader::{Reader, written};
use super::service_words::{
    MOST_PER_HOST, PER_HOST, ServiceTakes, ServiceWord, override_words, service_words,
    takes_many_folders, takes_several,
};
use super::tree::{Entry, Node, Span, Value};

/// A service of which the inventory says nothing.
pub(super) fn defaults(name: &ServiceName, folder: &Folder) -> Service {
    let version = folder.descriptor.default_version().unwrap_or_default();
    let settings = folder.descriptor.settings_of(version);
    let needs = folder.descriptor.needs_with(&settings);
    Service {
        name: name.clone(),
        version: version.to_owned(),
        package: None,
        roles: IndexMap::new(),
        per_host: 1,
        heap_mb: None,
        config: BTreeMap::new(),
        ports: BTreeMap::new(),
        data: Vec::new(),
        settings,
        hosts: BTreeMap::new(),
        needs,
    }
}

/// Whose words are read.
struct Owner<'a> {
    name: &'a ServiceName,
    folder: &'a Folder,
    hosts: &'a Hosts,
}

impl Owner<'_> {
    fn descriptor(&self) -> &Descriptor {
        &self.folder.descriptor
    }

    fn keys(&self) -> Keys<'_> {
        let config = self.descriptor().config.as_ref();
        Keys {
            owner: self.name.as_str(),
            known: config.and_then(|config| self.folder.file(&config.known)),
            reserved: config.map(|config| &config.reserved),
        }
    }
}

/// Reads a service: what it says, and defaults for what it does not.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    (name, folder, span): (&ServiceName, &Folder, Span),
    hosts: &Hosts,
) -> Service {
    let owner = Owner {
        name,
        folder,
        hosts,
    };
    let mut service = defaults(name, folder);
    let words = service_words(&folder.descriptor);
    let entries = match node.value {
        Value::Null => &[],
        Value::Scalar(_) | Value::Seq(_) => {
            bare(reader, &owner, node, &service);
            return service;
        }
        _ => node.entries(),
    };
    // What the settings are decides what the other words mean.
    settings(reader, &owner, entries, &mut service);
    count_several(&owner, entries, &mut service);
    refuse(reader, &owner, span, &service);
    if let Some(entry) = entries.iter().find(|entry| entry.key == PER_HOST) {
        service.per_host = per_host(reader, &owner, entry, &service.settings);
    }
    service.needs = folder.descriptor.needs_with(&service.settings);
    let mut on = None;
    for entry in entries {
        let Some(word) = words.iter().find(|word| word.name == entry.key) else {
            unknown(reader, &owner, entry, &words);
            continue;
        };
        match word.takes {
            ServiceTakes::On => on = amount::on(reader, &entry.node, hosts),
            takes => one_word(reader, &owner, entry, (takes, &mut service)),
        }
    }
    let given = |word: &str| entries.iter().any(|entry| entry.key == word);
    let with = service.settings.clone();
    for (role, spec) in folder.descriptor.roles_with(&with) {
        match &spec.count {
            Count::Everywhere if given("on") => {
                if let Some(list) = &on {
                    service
                        .roles
                        .insert(role.clone(), Amount::Hosts(list.clone()));
                }
            }
            Count::Everywhere => {
                service
                    .roles
                    .insert(role.clone(), Amount::Hosts(hosts.keys().cloned().collect()));
            }
            Count::Key { name, .. } if given(name) => {}
            // Where the other role is, which is known once that is placed.
            Count::Beside(_) => {}
            count => {
                if let Some(amount) =
                    amount::default(reader, count, span, (hosts, spec.most(service.per_host)))
                {
                    service.roles.insert(role.clone(), amount);
                }
            }
        }
    }
    // Roles in the descriptor's order, however the inventory orders its words.
    service
        .roles
        .sort_by_cached_key(|role, _| folder.descriptor.roles.get_index_of(role));
    service
}

/// A number or list where words belong: most likely the count.
fn bare(reader: &mut Reader<'_>, owner: &Owner<'_>, node: &Node, service: &Service) {
    let mut roles = owner.descriptor().roles_with(&service.settings);
    let key = roles.find_map(|(_, role)| role.count.key());
    let on = owner
        .descriptor()
        .roles
        .values()
        .any(|role| matches!(role.count, Count::Everywhere));
    let word = key.unwrap_or(if on { "on" } else { "version" });
    let help = format!("write `{}: {{ {word}: … }}`", owner.name);
    reader.wrong_type(node, &format!("service `{}`", owner.name), "a map", &help);
}

fn one_word(
    reader: &mut Reader<'_>,
    owner: &Owner<'_>,
    entry: &Entry,
    (takes, service): (ServiceTakes<'_>, &mut Service),
) {
    let node = &entry.node;
    match takes {
        ServiceTakes::Package => service.package = reader.path(node, "`package`"),
        ServiceTakes::Count => count(reader, owner, entry, service),
        ServiceTakes::Heap => service.heap_mb = reader.size(node, "heap"),
        ServiceTakes::Config => service.config = config::read(reader, node, &owner.keys()),
        ServiceTakes::Ports => service.ports = ports(reader, owner, node, &service.settings),
        ServiceTakes::Data(many) => service.data = folders(reader, node, many),
        ServiceTakes::Hosts => service.hosts = overrides(reader, owner, node),
        // Read before: what they are decides what the others mean; and where all roles of a kind go.
        ServiceTakes::Version
        | ServiceTakes::Setting(_)
        | ServiceTakes::PerHost
        | ServiceTakes::On => {}
    }
}

/// The version and the settings, and whether they go together.
fn settings(reader: &mut Reader<'_>, owner: &Owner<'_>, entries: &[Entry], service: &mut Service) {
    if let Some(entry) = entries.iter().find(|entry| entry.key == "version") {
        version(reader, owner, &entry.node, service);
        service.settings = owner.descriptor().settings_of(&service.version);
    }
    let specs = &owner.descriptor().settings;
    let given = |entry: &&Entry| {
        let spec = specs.get(entry.key.as_str());
        spec.is_some_and(|spec| spec.several.is_none())
    };
    for entry in entries.iter().filter(given) {
        let Some(value) = setting(reader, entry, &specs[entry.key.as_str()]) else {
            continue;
        };
        let version = owner.descriptor().versions.get(&service.version);
        match version.and_then(|version| version.settings.get(&entry.key)) {
            Some(only) if *only != value => {
                let cause = format!(
                    "{} {} has no `{}: {}`",
                    owner.name,
                    service.version,
                    entry.key,
                    written(&entry.node).trim_matches('`')
                );
                let only = only
                    .as_str()
                    .map_or_else(|| only.to_string(), str::to_owned);
                let help = format!("write `{}: {only}`, or take another version", entry.key);
                reader.push(Finding::error(entry.node.span, cause).help(help));
            }
            _ => {
                service.settings.insert(entry.key.clone(), value);
            }
        }
    }
    for entry in entries.iter().filter(given) {
        first_number(reader, owner, entry, service);
        let when = &specs[entry.key.as_str()].when;
        let mut before = owner.descriptor().before(&service.settings);
        if !when.holds(&service.settings) && !before.any(|settings| when.holds(&settings)) {
            out_of_place(reader, entry, [when]);
        }
    }
}

/// The settings that say whether there are several of something.
fn count_several(owner: &Owner<'_>, entries: &[Entry], service: &mut Service) {
    for (word, setting) in &owner.descriptor().settings {
        let Some(key) = &setting.several else {
            continue;
        };
        let given = entries.iter().find(|entry| &entry.key == key);
        let number = given.and_then(|entry| match &entry.node.value {
            Value::Scalar(scalar) => Some(scalar.text.parse().unwrap_or(1)),
            Value::Seq(hosts) => Some(hosts.len()),
            _ => None,
        });
        let roles = owner.descriptor().roles.values();
        let mut counts = roles.filter(|role| role.count.key() == Some(key.as_str()));
        let mut default = || amount::suggested(&counts.next()?.count, owner.hosts.len());
        let number = number.or_else(|| default().map(usize::from)).unwrap_or(1);
        service
            .settings
            .insert(word.clone(), Json::Bool(number > 1));
    }
}

/// Settings that do not go together, or not well. What depends on where instances are is for the plan.
fn refuse(reader: &mut Reader<'_>, owner: &Owner<'_>, span: Span, service: &Service) {
    let is = |refusal: &&Refusal| refusal.apart.is_empty() && refusal.when.holds(&service.settings);
    let cause = |refusal: &Refusal| format!("`{}`: {}", owner.name, refusal.because);
    for refusal in owner.descriptor().refuses.iter().filter(is) {
        reader.push(Finding::error(span, cause(refusal)).help(refusal.help.clone()));
    }
    for refusal in owner.descriptor().warns.iter().filter(is) {
        reader.push(Finding::warning(span, cause(refusal)).help(refusal.help.clone()));
    }
}

/// A number that a role begins to count from must be one that it may give.
fn first_number(reader: &mut Reader<'_>, owner: &Owner<'_>, entry: &Entry, service: &mut Service) {
    let rules = owner
        .descriptor()
        .roles
        .values()
        .filter_map(|role| role.id.as_ref());
    let mut rules = rules.filter(|rule| rule.setting.as_deref() == Some(entry.key.as_str()));
    let value = service.settings.get(&entry.key).and_then(Json::as_i64);
    let (Some(rule), Some(value)) = (rules.next(), value) else {
        return;
    };
    if !(0..=i64::from(rule.to)).contains(&value) {
        let cause = format!(
            "`{}` must be 0 to {}, and this is {value}",
            entry.key, rule.to
        );
        let help = format!("write `{}: {}`, or another number", entry.key, rule.from);
        reader.push(Finding::error(entry.node.span, cause).help(help));
    }
}

/// How many instances of a role a host may have.
fn per_host(
    reader: &mut Reader<'_>,
    owner: &Owner<'_>,
    entry: &Entry,
    settings: &BTreeMap<String, Json>,
) -> u16 {
    // Elsewhere the word itself is unknown.
    if !takes_several(owner.descriptor()) {
        return 1;
    }
    let node = &entry.node;
    let number = reader.number(node, PER_HOST, 1, i64::from(MOST_PER_HOST));
    let number = number.and_then(|n| u16::try_from(n).ok()).unwrap_or(1);
    let mut roles = owner.descriptor().roles_with(settings);
    if number > 1 && !roles.any(|(_, role)| role.most(number) > 1) {
        let all = owner.descriptor().roles.values();
        let several = all.filter(|role| role.most(number) > 1);
        out_of_place(reader, entry, several.map(|role| &role.when));
        return 1;
    }
    number
}

/// How many of a role, by a word that roles may share which exclude each other.
fn count(reader: &mut Reader<'_>, owner: &Owner<'_>, entry: &Entry, service: &mut Service) {
    let roles = owner.descriptor().roles.iter();
    let meant: Vec<_> = roles
        .filter(|(_, role)| role.count.key() == Some(entry.key.as_str()))
        .collect();
    let settings = &service.settings;
    let Some((role, spec)) = meant.iter().find(|(_, role)| role.when.holds(settings)) else {
        out_of_place(reader, entry, meant.iter().map(|(_, role)| &role.when));
        return;
    };
    if let Some(amount) = amount::counted(
        reader,
        entry,
        &spec.count,
        (owner.hosts, spec.most(service.per_host)),
    ) {
        service.roles.insert((*role).clone(), amount);
    }
}

/// A word that has no meaning with the other settings.
fn out_of_place<'a>(
    reader: &mut Reader<'_>,
    entry: &Entry,
    when: impl IntoIterator<Item = &'a When>,
) {
    let when: Vec<String> = when.into_iter().map(|when| format!("`{when}`")).collect();
    let cause = format!("`{}` has no meaning here", entry.key);
    let help = format!(
        "it goes with {}; remove the one or add the other",
        when.join(" or with ")
    );
    reader.push(Finding::error(entry.key_span, cause).help(help));
}

fn version(reader: &mut Reader<'_>, owner: &Owner<'_>, node: &Node, service: &mut Service) {
    let Some(text) = reader.text(node, "`version`") else {
        return;
    };
    let versions = || owner.descriptor().versions.keys().map(String::as_str);
    if owner.descriptor().versions.contains_key(text) {
        text.clone_into(&mut service.version);
        return;
    }
    let cause = format!("`{}` has no version {}", owner.name, written(node));
    let near = did_you_mean(text, versions());
    let known = listed(versions());
    let help = near.map_or_else(
        || format!("known: {known}"),
        |near| format!("{near} Known: {known}"),
    );
    reader.push(Finding::error(node.span, cause).help(help));
}

fn unknown(reader: &mut Reader<'_>, owner: &Owner<'_>, entry: &Entry, words: &[ServiceWord<'_>]) {
    let name = owner.name;
    if owner.keys().lists(&entry.key) {
        let finding = Finding::error(
            entry.key_span,
            format!(
                "{} is an upstream key, not a word of `{name}`",
                shown(&entry.key)
            ),
        )
        .help(format!(
            "write it under `config`: `config: {{ {}: … }}`",
            entry.key
        ));
        reader.push(finding);
        return;
    }
    let names: Vec<_> = words.iter().map(|word| word.name).collect();
    reader.unknown(entry, &format!("service `{name}`"), &names);
}

fn ports(
    reader: &mut Reader<'_>,
    owner: &Owner<'_>,
    node: &Node,
    settings: &BTreeMap<String, Json>,
) -> BTreeMap<String, u16> {
    let known: Vec<&str> = owner
        .descriptor()
        .roles_with(settings)
        .flat_map(|(_, role)| role.ports.keys().chain(role.fronts.keys()))
        .map(String::as_str)
        .collect();
    let mut ports = BTreeMap::new();
    for entry in reader.map(node, "`ports`") {
        if !known.contains(&entry.key.as_str()) {
            reader.unknown(entry, &format!("`ports` of `{}`", owner.name), &known);
        } else if let Some(port) = reader.port(&entry.node, &entry.key) {
            ports.insert(entry.key.clone(), port);
        }
    }
    ports
}

fn overrides(
    reader: &mut Reader<'_>,
    owner: &Owner<'_>,
    node: &Node,
) -> BTreeMap<crate::id::HostName, HostOverride> {
    let known = override_words(owner.descriptor());
    let many = takes_many_folders(owner.descriptor());
    let mut overrides = BTreeMap::new();
    for entry in reader.map(node, &format!("`hosts` of `{}`", owner.name)) {
        let Some(host) = amount::host(reader, &entry.key, entry.key_span, owner.hosts) else {
            continue;
        };
        let mut own = HostOverride::default();
        for word in reader.words(
            &entry.node,
            &format!("`{}` on host `{host}`", owner.name),
            &known,
        ) {
            match word.key.as_str() {
                "heap" => own.heap_mb = reader.size(&word.node, "heap"),
                "config" => own.config = config::read(reader, &word.node, &owner.keys()),
                _ => own.data = folders(reader, &word.node, many),
            }
        }
        overrides.insert(host, own);
    }
    overrides
}

fn setting(reader: &mut Reader<'_>, entry: &Entry, setting: &Setting) -> Option<Json> {
    let node = &entry.node;
    let what = shown(&entry.key);
    match setting.kind {
        SettingKind::Integer => reader
            .number(node, &entry.key, i64::MIN, i64::MAX)
            .map(Json::from),
        SettingKind::Boolean => reader.boolean(node, &what).map(Json::from),
        SettingKind::Uuid => uuid(reader, node, &what),
        SettingKind::Text => {
            let text = reader.text(node, &what)?;
            let allowed = || setting.one_of.iter().map(String::as_str);
            if !setting.one_of.is_empty() && !setting.one_of.iter().any(|one| one == text) {
                let help = did_you_mean(text, allowed())
                    .unwrap_or_else(|| format!("write one of {}", listed(allowed())));
                reader.push(
                    Finding::error(node.span, format!("{what} cannot be {}", written(node)))
                        .help(help),
                );
                return None;
            }
            Some(Json::from(text))
        }
    }
}

fn uuid(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Json> {
    let text = reader.text(node, what)?;
    if crate::digest::is_uuid(text) {
        return Some(Json::from(text));
    }
    let cause = format!(
        "{what} must be an identifier, and this is {}",
        written(node)
    );
    let help = "write 22 letters, digits, `-` or `_`, not beginning with `-`; or leave it out, and one is made";
    reader.push(Finding::error(node.span, cause).help(help));
    None
}
