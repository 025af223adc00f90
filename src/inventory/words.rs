//! The words of an inventory: one table that the reader, the JSON Schema and the reference all go by.

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
    /// A time with its unit.
    Time,
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

/// The word for upstream keys.
pub(super) const CONFIG: &str = "config";
/// The ways to reach a host.
pub(super) const CONNECTIONS: &[&str] = &["ssh", "local"];

/// Whether drills may be made.
pub(super) const DRILLS: &[&str] = &["allowed", "refused"];

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
        "drills",
        Takes::OneOf(DRILLS),
        "`allowed` where `drill` may put a load on the cluster and break it on purpose; `refused` if not given.",
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
    word(
        "persist",
        Takes::Time,
        "Connections stay for so long without use, such as `10m`, so that the next run need not make them; `sdtd disconnect` ends them. They end with the run if not given.",
    ),
    word(
        "kex",
        Takes::Text,
        "The key exchange, as `KexAlgorithms` of ssh takes it: most of what a new connection costs. `^mlkem768x25519-sha256` prefers one that is quick and holds against quantum computers, where both ends have it (OpenSSH 9.9).",
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
