//! The words of an inventory: one table that the reader, the JSON Schema and the reference all go by.

use crate::catalogue::Descriptor;
use crate::catalogue::descriptor::{Count, Setting};
use crate::id::RoleName;

/// What a word takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A name as of a host or service.
    Name,
    /// Any text.
    Text,
    /// A host name or IPv4 address.
    Address,
    /// A path on the operator's machine.
    Path,
    /// A port number.
    Port,
    /// A number within bounds.
    Number(i64, i64),
    /// A size with its unit.
    Size,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Upstream keys and their values.
    Config,
    /// A folder, or several.
    Folders,
    /// A map of other words.
    Words(&'static [Word]),
    /// A map by host: an address, or words.
    Hosts,
    /// A map by service.
    Services,
    /// A map by topic.
    Topics,
    /// Anything.
    Anything,
}

/// A word of the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) help: &'static str,
}

const fn word(name: &'static str, takes: Takes, help: &'static str) -> Word {
    Word { name, takes, help }
}

/// The ways to reach a host.
pub(super) const CONNECTIONS: &[&str] = &["ssh", "local"];

/// At the top of the file.
pub(super) const TOP: &[Word] = &[
    word("cluster", Takes::Name, "The cluster's name. Required."),
    word(
        "ssh",
        Takes::Words(SSH),
        "How all hosts are reached; what is not said comes from `~/.ssh/config`.",
    ),
    word(
        "hosts",
        Takes::Hosts,
        "The hosts, by name: an address, or a map. Required.",
    ),
    word(
        "services",
        Takes::Services,
        "What runs, by service; an empty value means all defaults. Required.",
    ),
    word(
        "topics",
        Takes::Topics,
        "The topics that are kept as written here; an empty value means all defaults.",
    ),
    word(
        "x",
        Takes::Anything,
        "Not read: a place for YAML anchors that are used elsewhere.",
    ),
];

/// Under `ssh:` at the top.
pub(super) const SSH: &[Word] = &[
    word("user", Takes::Text, "The login name."),
    word("port", Takes::Port, "The port of the SSH server."),
    word(
        "key",
        Takes::Path,
        "The private key's file; `~` and paths relative to the inventory are understood.",
    ),
    word(
        "config",
        Takes::Path,
        "An ssh configuration file that is read instead of the user's own.",
    ),
];

/// Under `ssh:` of a host.
pub(super) const HOST_SSH: &[Word] = &[SSH[0], SSH[1], SSH[2]];

/// Under a host.
pub(super) const HOST: &[Word] = &[
    word(
        "address",
        Takes::Address,
        "How other hosts and clients reach it: a name or an IPv4 address. Required, but for local hosts: those get 127.0.0.2, 127.0.0.3 and so on.",
    ),
    word(
        "connection",
        Takes::OneOf(CONNECTIONS),
        "`ssh`, or `local` for a directory of this machine with a loopback address of its own. `ssh` if not given.",
    ),
    word(
        "rack",
        Takes::Text,
        "Its rack: copies of data are spread over racks. Give it for all hosts or for none.",
    ),
    word(
        "memory",
        Takes::Size,
        "The memory that may be used, if not what the host says, such as `1G` or `900M`.",
    ),
    word("root", Takes::Path, "The directory of a local host."),
    word(
        "ssh",
        Takes::Words(HOST_SSH),
        "What differs for this host from the `ssh:` at the top.",
    ),
];

/// Under `hosts:` of a service, by host.
pub(super) const OVERRIDE: &[Word] = &[
    word("heap", Takes::Size, "The heap on this host."),
    word(
        "config",
        Takes::Config,
        "Upstream keys, laid over those of the service.",
    ),
    word("data", Takes::Folders, "The data folders on this host."),
];

/// Under a topic.
pub(super) const TOPIC: &[Word] = &[
    word(
        "partitions",
        Takes::Number(1, 100_000),
        "How many partitions; 1 if not given. They can only grow.",
    ),
    word(
        "replication",
        Takes::Number(1, i16::MAX as i64),
        "How many copies of each partition; 3 if not given, or as many as there are servers.",
    ),
    word(
        "config",
        Takes::Config,
        "The topic's own settings, by their upstream keys.",
    ),
];

/// What a word under a service takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum ServiceTakes<'a> {
    /// A known version.
    Version,
    /// A package file.
    Package,
    /// `all`, or a list of hosts.
    On,
    /// A number, or a list of hosts.
    Count(&'a RoleName, &'a Count),
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

/// A word under a service.
#[derive(Debug, Clone)]
pub(super) struct ServiceWord<'a> {
    pub(super) name: &'a str,
    pub(super) takes: ServiceTakes<'a>,
    pub(super) help: String,
}

/// The words that a service understands, in the order of the reference.
pub(super) fn service_words(descriptor: &Descriptor) -> Vec<ServiceWord<'_>> {
    let mut words = Vec::new();
    let mut add = |name, takes, help: &str| {
        words.push(ServiceWord {
            name,
            takes,
            help: help.to_owned(),
        });
    };
    let versions = descriptor.default_version().unwrap_or_default();
    add(
        "version",
        ServiceTakes::Version,
        &format!("The upstream version; {versions} if not given."),
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
            add(
                name,
                ServiceTakes::Count(role, &spec.count),
                &count_help(role, &spec.count),
            );
        }
    }
    let roles = || descriptor.roles.values();
    if roles().any(|role| matches!(role.count, Count::Everywhere)) {
        add(
            "on",
            ServiceTakes::On,
            "`all`, or a list of hosts; all if not given.",
        );
    }
    let heap = takes_heap(descriptor);
    let data = roles().any(|role| role.data.is_some());
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
    if roles().any(|role| !role.ports.is_empty()) {
        add(
            "ports",
            ServiceTakes::Ports,
            &format!("Ports by name: {}.", port_help(descriptor)),
        );
    }
    if data {
        let many = takes_many_folders(descriptor);
        let help = if many {
            "The data folder on the hosts, or a list of them."
        } else {
            "The data folder on the hosts."
        };
        add("data", ServiceTakes::Data(many), help);
    }
    if heap || data || descriptor.config.is_some() {
        add(
            "hosts",
            ServiceTakes::Hosts,
            "What differs on some hosts, by host.",
        );
    }
    for (name, setting) in &descriptor.settings {
        add(name, ServiceTakes::Setting(setting), &setting_help(setting));
    }
    words
}

/// The words under `hosts:` of a service that it understands.
pub(super) fn override_words(descriptor: &Descriptor) -> Vec<Word> {
    let data = descriptor.roles.values().any(|role| role.data.is_some());
    let given = |word: &&Word| match word.takes {
        Takes::Size => takes_heap(descriptor),
        Takes::Config => descriptor.config.is_some(),
        _ => data,
    };
    OVERRIDE.iter().filter(given).copied().collect()
}

/// Whether any role's heap may be set.
pub(super) fn takes_heap(descriptor: &Descriptor) -> bool {
    descriptor
        .roles
        .values()
        .any(|role| role.memory.is_some_and(|memory| memory.heap.is_some()))
}

/// Whether all roles that keep data may spread it over several folders.
pub(super) fn takes_many_folders(descriptor: &Descriptor) -> bool {
    descriptor
        .roles
        .values()
        .filter_map(|role| role.data.as_ref())
        .all(|data| data.many)
}

fn count_help(role: &RoleName, count: &Count) -> String {
    let Count::Key {
        default,
        min,
        max,
        odd,
        ..
    } = count
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
    format!("How many of role {role}{odd}{least}{most}; or a list of hosts.{default}")
}

fn port_help(descriptor: &Descriptor) -> String {
    let ports = descriptor.roles.values().flat_map(|role| &role.ports);
    ports
        .map(|(name, port)| format!("`{name}` ({port})"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn setting_help(setting: &Setting) -> String {
    let mut help = setting.help.trim().trim_end_matches('.').to_owned();
    if let Some(first) = help.get(..1) {
        help = format!("{}{}", first.to_uppercase(), &help[1..]);
    }
    match &setting.default {
        Some(serde_json::Value::String(text)) => format!("{help}. `{text}` if not given."),
        Some(value) => format!("{help}. `{value}` if not given."),
        None => format!("{help}."),
    }
}
