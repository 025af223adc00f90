//! The words that a service understands in an inventory, by its descriptor.

use std::collections::BTreeSet;

use indexmap::IndexSet;

use crate::catalogue::descriptor::{Count, Setting, When};
use crate::catalogue::{Descriptor, Role};
use crate::id::RoleName;

use super::words::{OVERRIDE, Takes, Word};

/// What a word under a service takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum ServiceTakes<'a> {
    /// A known version.
    Version,
    /// A package file.
    Package,
    /// `all`, or a list of hosts.
    On,
    /// A number, or a list of hosts; of the role that there is with the other settings.
    Count,
    /// How many instances a host may have.
    PerHost,
    /// A size.
    Heap,
    /// Upstream keys.
    Config,
    /// Ports by name.
    Ports,
    /// A folder; a list of them, if the role takes several.
    Data(bool),
    /// What differs, by host.
    Hosts,
    /// A setting of the service's own.
    Setting(&'a Setting),
}

/// The word for how many instances of a role a host may have, and the most it takes.
pub(super) const PER_HOST: &str = "per_host";
pub(super) const MOST_PER_HOST: u16 = 16;

/// A word under a service.
#[derive(Debug, Clone)]
pub(super) struct ServiceWord<'a> {
    pub(super) name: &'a str,
    pub(super) takes: ServiceTakes<'a>,
    pub(super) help: String,
}

/// The words that a service understands, in the order of the reference.
pub(super) fn service_words(descriptor: &Descriptor) -> Vec<ServiceWord<'_>> {
    let mut words = placing_words(descriptor);
    let mut add = |name, takes, help: &str| {
        words.push(ServiceWord {
            name,
            takes,
            help: help.to_owned(),
        })
    };
    let mut roles = descriptor.roles.values();
    let heap = takes_heap(descriptor);
    let data = takes_data(descriptor);
    if takes_several(descriptor) {
        add(
            PER_HOST,
            ServiceTakes::PerHost,
            "How many of them a host may have, each with ports and folders of its own; 1 if not given.",
        );
    }
    if heap {
        add(
            "heap",
            ServiceTakes::Heap,
            "The heap, such as `256M`; from the host's memory if not given.",
        );
    }
    if descriptor.config.is_some() {
        add(
            "config",
            ServiceTakes::Config,
            "Upstream keys and their values, over sdtd's own.",
        );
    }
    if roles.any(|role| !role.ports.is_empty() || !role.fronts.is_empty()) {
        add(
            "ports",
            ServiceTakes::Ports,
            &format!("Ports by name: {}.", port_help(descriptor)),
        );
    }
    if data {
        let many = takes_many_folders(descriptor);
        let more = if many { ", or a list of them" } else { "" };
        add(
            "data",
            ServiceTakes::Data(many),
            &format!("The data folder on the hosts{more}."),
        );
    }
    if heap || data || descriptor.config.is_some() {
        add(
            "hosts",
            ServiceTakes::Hosts,
            "What differs on some hosts, by host.",
        );
    }
    let settings = descriptor.settings.iter();
    for (name, setting) in settings.filter(|(_, setting)| setting.several.is_none()) {
        add(name, ServiceTakes::Setting(setting), &setting_help(setting));
    }
    words
}

/// The words that say what goes where.
fn placing_words(descriptor: &Descriptor) -> Vec<ServiceWord<'_>> {
    let mut words = Vec::new();
    let mut add = |name, takes, help: &str| {
        words.push(ServiceWord {
            name,
            takes,
            help: help.to_owned(),
        })
    };
    let version = descriptor.default_version().unwrap_or_default();
    add(
        "version",
        ServiceTakes::Version,
        &format!("The upstream version; {version} if not given."),
    );
    if descriptor.package.is_some() {
        add(
            "package",
            ServiceTakes::Package,
            "A package file of your own, instead of upstream's.",
        );
    }
    for (role, spec) in &descriptor.roles {
        if let Count::Key { name, .. } = &spec.count {
            let help = count_help(role, spec);
            add(name, ServiceTakes::Count, &help);
        }
    }
    if descriptor
        .roles
        .values()
        .any(|role| matches!(role.count, Count::Everywhere))
    {
        add(
            "on",
            ServiceTakes::On,
            "`all`, or a list of hosts; all if not given.",
        );
    }
    // Roles that exclude each other may share a word: its help is that of the first.
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(word.name));
    words
}

/// The words under `hosts:` of a service that it understands.
pub(super) fn override_words(descriptor: &Descriptor) -> Vec<Word> {
    let data = takes_data(descriptor);
    let given = |word: &&Word| match word.takes {
        Takes::Size => takes_heap(descriptor),
        Takes::Config => descriptor.config.is_some(),
        _ => data,
    };
    OVERRIDE.iter().filter(given).copied().collect()
}

/// Whether any role's heap may be set.
pub(super) fn takes_heap(descriptor: &Descriptor) -> bool {
    descriptor.roles.values().any(|role| {
        role.memory
            .is_some_and(|m| m.heap.is_some_and(|heap| !heap.own))
    })
}

/// Whether a host may have several instances of any role.
pub(super) fn takes_several(descriptor: &Descriptor) -> bool {
    descriptor.roles.values().any(|role| role.most(2) > 1)
}

/// Whether any role keeps data.
fn takes_data(descriptor: &Descriptor) -> bool {
    descriptor.roles.values().any(|role| role.data.is_some())
}

/// Whether all roles that keep data may spread it over several folders.
pub(super) fn takes_many_folders(descriptor: &Descriptor) -> bool {
    descriptor
        .roles
        .values()
        .filter_map(|role| role.data.as_ref())
        .all(|data| data.many || !data.beside.is_empty())
}

fn count_help(role: &RoleName, spec: &Role) -> String {
    let Count::Key {
        default,
        min,
        max,
        odd,
        ..
    } = &spec.count
    else {
        return String::new();
    };
    let odd = if *odd { ", an odd number" } else { "" };
    let least = if *min > 1 {
        format!(", at least {min}")
    } else {
        String::new()
    };
    let most = max.map_or_else(String::new, |max| format!(", at most {max}"));
    let default = default.map_or_else(
        || " Required.".to_owned(),
        |default| format!(" {default} if not given, or as many as the hosts allow."),
    );
    let with = with(&spec.when);
    format!("How many of role {role}{odd}{least}{most}; or a list of hosts.{default}{with}")
}

/// With which settings a word has a meaning.
fn with(when: &When) -> String {
    if when.is_always() {
        return String::new();
    }
    format!(" Goes with `{when}`.")
}

fn port_help(descriptor: &Descriptor) -> String {
    let ports = descriptor.roles.values().flat_map(|role| &role.ports);
    let ports: IndexSet<String> = ports
        .map(|(name, port)| format!("`{name}` ({port})"))
        .collect();
    let fronts = descriptor.roles.values().flat_map(|role| &role.fronts);
    let fronts =
        fronts.map(|(name, front)| format!("`{name}` ({}) of what stands in front", front.at));
    let ports: IndexSet<String> = ports.into_iter().chain(fronts).collect();
    ports.into_iter().collect::<Vec<_>>().join(", ")
}

fn setting_help(setting: &Setting) -> String {
    let mut help = setting.help.trim().trim_end_matches('.').to_owned();
    if let Some(first) = help.get(..1) {
        help = format!("{}{}", first.to_uppercase(), &help[1..]);
    }
    let default = match &setting.default {
        Some(serde_json::Value::String(text)) => format!(" `{text}` if not given."),
        Some(value) => format!(" `{value}` if not given."),
        None => String::new(),
    };
    format!("{help}.{default}{}", with(&setting.when))
}
