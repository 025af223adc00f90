//! What is: the facts of one host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::Arch;
use crate::id::{HostName, InstanceId};

/// Everything that one round trip tells of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The name it calls itself.
    pub hostname: String,
    /// Its systemd machine id, where it has one.
    pub machine_id: String,
    /// The architecture of its programs (not of its kernel).
    pub arch: Arch,
    /// Its system, for people, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Its memory in MiB.
    pub memory_mb: u64,
    /// Its processors.
    pub cpus: u32,
    /// Its clock, in seconds since 1970.
    pub time: i64,
    /// The user that the script ran as.
    pub user: String,
    /// Whether systemd runs the host.
    pub systemd: bool,
    /// Free and total MiB of the file system under each path asked for.
    pub disks: BTreeMap<String, Disk>,
    /// Users asked for that exist.
    pub users: BTreeSet<String>,
    /// Files asked for that exist.
    pub files: BTreeMap<String, FileFact>,
    /// Folders asked for that exist.
    pub dirs: BTreeMap<String, DirFact>,
    /// Links asked for that exist, and what they point at.
    pub links: BTreeMap<String, String>,
    /// Packages in the store.
    pub store: BTreeSet<String>,
    /// Those among them that units of other clusters run from.
    #[serde(default)]
    pub used: BTreeSet<String>,
    /// Files of packages in the store that are not as they were sent, where that was looked for.
    #[serde(default)]
    pub damaged: BTreeMap<String, BTreeSet<String>>,
    /// Markers of steps done once that exist.
    pub markers: BTreeSet<String>,
    /// Units asked for, by name without a suffix.
    pub units: BTreeMap<String, UnitFact>,
    /// Ports on which something listens.
    pub listening: Vec<Listener>,
    /// The IPv4 addresses of the names that were looked up there, its own among them.
    pub resolves: BTreeMap<String, String>,
    /// Whether names can be looked up there: one that is not among [`Self::resolves`] is not known to it.
    #[serde(default)]
    pub looks_up: bool,
    /// `vm.swappiness`, where it can be read.
    pub swappiness: Option<u32>,
    /// What sdtd wrote about this host.
    pub record: Option<Record>,
}

impl HostFacts {
    /// A host with nothing on it, for plans made without asking and for tests.
    #[must_use]
    pub fn bare(hostname: &str, arch: Arch, memory_mb: u64) -> Self {
        Self {
            hostname: hostname.to_owned(),
            machine_id: String::new(),
            arch,
            os: "bare".to_owned(),
            memory_mb,
            cpus: 4,
            time: 0,
            user: "root".to_owned(),
            systemd: true,
            disks: BTreeMap::new(),
            users: BTreeSet::new(),
            files: BTreeMap::new(),
            dirs: BTreeMap::new(),
            links: BTreeMap::new(),
            store: BTreeSet::new(),
            used: BTreeSet::new(),
            damaged: BTreeMap::new(),
            markers: BTreeSet::new(),
            units: BTreeMap::new(),
            listening: Vec::new(),
            looks_up: false,
            resolves: BTreeMap::from([(hostname.to_owned(), "127.0.1.1".to_owned())]),
            swappiness: None,
            record: None,
        }
    }
}

impl HostFacts {
    /// Whether a unit runs, as far as its supervisor knows.
    #[must_use]
    pub fn runs(&self, unit: &str) -> bool {
        self.units.get(unit).is_some_and(|unit| unit.active)
    }
}

/// A file system's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// MiB in all.
    pub total_mb: u64,
    /// MiB free.
    pub free_mb: u64,
}

/// A file that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFact {
    /// Its text.
    pub text: String,
    /// Its permissions, in octal, four digits.
    pub mode: String,
    /// Its owner.
    pub owner: String,
}

/// A folder that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirFact {
    /// Its permissions, in octal, four digits.
    pub mode: String,
    /// Its owner.
    pub owner: String,
}

/// A unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFact {
    /// Whether its process runs.
    pub active: bool,
    /// The supervisor's word for its state.
    pub state: String,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Seconds it has been running.
    pub uptime_s: Option<u64>,
    /// How often the supervisor started it again by itself.
    pub restarts: u32,
    /// Anonymous memory in MiB (`RssAnon`).
    pub memory_mb: Option<u64>,
    /// The fingerprint of what it was started with.
    pub running: Option<String>,
}

impl UnitFact {
    /// Whether it dies again and again: its supervisor is about to start it once more, or just did. Nothing
    /// is lost by stopping it.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let young = self.uptime_s.is_none_or(|s| s < YOUNG);
        self.state == "activating" || (self.restarts > 0 && young)
    }
}

/// An instance that was started again by itself and runs for fewer seconds has not shown that it lives.
const YOUNG: u64 = 60;

/// A port on which something listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// The address it is bound to.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The process, where it may be seen.
    pub pid: Option<u32>,
    /// The process's name, where it may be seen.
    pub process: Option<String>,
}

/// The version of the record's format: a newer one is refused.
pub const RECORD_FORMAT: u32 = 2;
/// The format of a record in which every service is finalized: what wrote nothing else can read it.
pub const FINALIZED_FORMAT: u32 = 1;

/// What sdtd wrote about a host: with those of the other hosts, the truth about the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Format version ([`RECORD_FORMAT`]).
    pub format: u32,
    /// The cluster's name.
    pub cluster: String,
    /// This host's name in the inventory.
    pub host: HostName,
    /// All instances of the cluster, with their numbers: the same on every host.
    pub placement: Arc<BTreeMap<InstanceId, Option<u32>>>,
    /// The highest number ever given, by `<service>.<role>`: numbers are never given twice.
    pub numbers: BTreeMap<String, u32>,
    /// The version of each service.
    pub versions: BTreeMap<String, String>,
    /// The version of services that are held at an older one until the new one is finalized.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub finalized: BTreeMap<String, String>,
    /// Values fixed at the first deploy, by `<service>.<word>`.
    #[serde(default)]
    pub fixed: Arc<BTreeMap<String, String>>,
    /// Files, links and folders that sdtd made on this host.
    pub owns: BTreeSet<String>,
    /// Folders on this host that hold users' data.
    #[serde(default)]
    pub data: BTreeSet<String>,
    /// Units on this host.
    pub units: BTreeSet<String>,
    /// How each host of the cluster is reached: one that the inventory no longer names can still be cleaned.
    /// Records of earlier versions do not say.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub hosts: Arc<BTreeMap<HostName, Reach>>,
    /// Hosts whose place another one has taken under the same numbers, until they are known to have nothing of it
    /// any more: if they come back, they must not run what the other does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: BTreeMap<HostName, HostName>,
}

fn is_empty(hosts: &Arc<BTreeMap<HostName, Reach>>) -> bool {
    hosts.is_empty()
}

/// How a host is reached, and what else the inventory says of it: what is true on whichever machine reads it.
/// So no key files, and no configuration files of SSH: these are one machine's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// How other hosts and clients reach it.
    pub address: String,
    /// The login name, where the inventory says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// SSH's port, where the inventory says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The directory that stands for the root of a local host; none: it is reached over SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Its rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The memory that may be used, in MiB, if not what the host says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
}
