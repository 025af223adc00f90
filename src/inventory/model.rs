//! The checked inventory: what should be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::id::{ClusterName, HostName, RoleName, ServiceName};

/// A cluster as its inventory wants it; every reference in it has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// Its hosts, in the inventory's order.
    pub hosts: IndexMap<HostName, Host>,
    /// Its services, each after those that it needs; packages needed by others are listed too.
    pub services: IndexMap<ServiceName, Service>,
    /// Its topics.
    pub topics: BTreeMap<String, Topic>,
    /// Whether drills may be made on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drills: bool,
    /// Hosts whose place another one has taken under the same numbers: not the inventory's, the records' and the
    /// command's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: BTreeMap<HostName, Successor>,
}

/// Who has taken a host's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// The host that has.
    pub by: HostName,
    /// Whether the one before answers and has nothing of the cluster any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name in the inventory.
    pub name: HostName,
    /// How other hosts and clients reach it: a name or an address.
    pub address: String,
    /// How sdtd reaches it.
    pub connection: Connection,
    /// Its rack, where the inventory names one.
    pub rack: Option<String>,
    /// The memory that may be used, in MiB, if not what the host says.
    pub memory_mb: Option<u64>,
    /// Whether only the hosts' records still know of it: the inventory no longer names it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

impl Cluster {
    /// The hosts that the inventory names, in its order: all but those that only records know of.
    pub fn staying(&self) -> impl Iterator<Item = (&HostName, &Host)> {
        self.hosts.iter().filter(|(_, host)| !host.leaving)
    }

    /// The hosts that only records know of, and that are within reach.
    pub fn leaving(&self) -> impl Iterator<Item = (&HostName, &Host)> {
        self.hosts.iter().filter(|(_, host)| host.leaving)
    }

    /// Whether the inventory names a host.
    #[must_use]
    pub fn stays(&self, host: &HostName) -> bool {
        self.hosts.get(host).is_some_and(|host| !host.leaving)
    }
}

impl Host {
    /// Whether others reach it by a name, which they have to look up.
    #[must_use]
    pub fn is_named(&self) -> bool {
        let number = self.address.parse::<std::net::IpAddr>().is_ok();
        matches!(self.connection, Connection::Ssh { .. }) && !number
    }
}

/// How sdtd reaches a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// Over SSH; what is not said here comes from the user's `~/.ssh/config`.
    Ssh {
        /// The login name.
        user: Option<String>,
        /// The port.
        port: Option<u16>,
        /// The private key's file.
        key: Option<PathBuf>,
        /// An ssh configuration file read instead of the user's own.
        config: Option<PathBuf>,
        /// The key exchange methods, as `KexAlgorithms` of ssh takes them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kex: Option<String>,
        /// For how many seconds without use the connection stays after a run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        persist: Option<u64>,
    },
    /// A directory of this machine and a loopback address of its own.
    Local {
        /// The directory that stands for the host's root; none: a directory of sdtd's own, by cluster and host.
        root: Option<PathBuf>,
    },
}

impl Connection {
    /// Over SSH, all as the user's own configuration says.
    #[must_use]
    pub fn any() -> Self {
        Self::Ssh {
            user: None,
            port: None,
            key: None,
            config: None,
            kex: None,
            persist: None,
        }
    }
}

/// A service as the inventory wants it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name in the catalogue.
    pub name: ServiceName,
    /// The upstream version.
    pub version: String,
    /// A package file of the user's own.
    pub package: Option<PathBuf>,
    /// The services that must be there first, with these settings.
    pub needs: Vec<ServiceName>,
    /// How many of each role that there is with these settings, or where.
    pub roles: IndexMap<RoleName, Amount>,
    /// How many instances of a role a host may have, for roles that allow several.
    pub per_host: u16,
    /// The heap in MiB, if not from the board's memory.
    pub heap_mb: Option<u64>,
    /// Upstream keys.
    pub config: BTreeMap<String, String>,
    /// Ports by name, where they differ from the descriptor's.
    pub ports: BTreeMap<String, u16>,
    /// Data folders, if not the usual one.
    pub data: Vec<String>,
    /// The descriptor's own words, with defaults filled in.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// What differs on some hosts.
    pub hosts: BTreeMap<HostName, HostOverride>,
}

impl Amount {
    /// How many instances there are, with so many on each host that is named.
    #[must_use]
    pub fn instances(&self, per_host: u16) -> usize {
        match self {
            Self::Count(n) => usize::from(*n),
            Self::Hosts(list) => list.len() * usize::from(per_host),
        }
    }
}

/// How many instances of a role there are, or where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// So many; where is chosen by sdtd and then kept.
    Count(u16),
    /// One on each of these hosts, or as many as `per_host` says.
    Hosts(Vec<HostName>),
}

/// What differs for a service on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostOverride {
    /// The heap in MiB.
    pub heap_mb: Option<u64>,
    /// Upstream keys, laid over those of the service.
    pub config: BTreeMap<String, String>,
    /// Data folders.
    pub data: Vec<String>,
}

/// A topic as the inventory wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas of each.
    pub replication: i16,
    /// Its own settings.
    pub config: BTreeMap<String, String>,
}
