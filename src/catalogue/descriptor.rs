//! `service.yaml`: the words in which a service describes itself.
//!
//! The engine knows these words and no service. Text fields marked *template* are rendered with the values
//! listed in [`super::render`]; a service that needs a word that is missing here gets a general one, never a
//! `match` on its name.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{RoleName, ServiceName};

/// A service of the catalogue: `templates/<name>/service.yaml`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// The service's full name, for people.
    pub title: String,
    /// The system user that runs it and owns its files; the service's own name if not given.
    #[serde(default)]
    pub user: Option<String>,
    /// Services that must be there first. One without roles is a package installed on the same hosts;
    /// one with roles is started, and ready, before this one.
    #[serde(default)]
    pub needs: Vec<ServiceName>,
    /// Upstream versions that this folder supports; the first is the default.
    pub versions: IndexMap<String, Version>,
    /// What is installed on the hosts; none for a service that runs what the system has.
    #[serde(default)]
    pub package: Option<Package>,
    /// More words that the inventory may use under the service's name; templates read them as `service.<word>`.
    #[serde(default)]
    pub settings: IndexMap<String, Setting>,
    /// The upstream keys that a user may set under `config:`; without it `config:` is refused.
    #[serde(default)]
    pub config: Option<ConfigKeys>,
    /// What runs, by role, in starting order; none for a package that others need.
    #[serde(default)]
    pub roles: IndexMap<RoleName, Role>,
    /// Command-line tools; where the package has no such file in `bin/`, a small starter is written there.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// What the login shell of the hosts' users gets.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// The driver action that brings about the inventory's `topics:`.
    #[serde(default)]
    pub topics: Option<DriverAction>,
    /// Checks of the service as a whole, made by `verify` after those of its roles.
    #[serde(default)]
    pub verify: Vec<Probe>,
}

impl Descriptor {
    /// The version taken when the inventory names none.
    #[must_use]
    pub fn default_version(&self) -> Option<&str> {
        self.versions.keys().next().map(String::as_str)
    }

    /// The role that the inventory's word `key` counts.
    #[must_use]
    pub fn role_by_count_key(&self, key: &str) -> Option<(&RoleName, &Role)> {
        self.roles
            .iter()
            .find(|(_, role)| role.count.key() == Some(key))
    }
}

/// One upstream version: values for its templates.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Values that templates and sources read as `release.<name>`.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

/// What is installed, and where it may come from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The link on the hosts that points at the installed version, such as `/opt/thing`.
    pub into: String,
    /// File names under which a user may have the package (*templates*; `*` stands for anything).
    #[serde(default)]
    pub file_names: Vec<String>,
    /// Where it comes from, tried in order.
    pub sources: Vec<Source>,
    /// The setting by which the inventory picks one kind of source; without it all are tried.
    #[serde(default)]
    pub choice: Option<String>,
}

/// One place a package may come from. All texts are *templates* with `version`, `release` and `arch`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// An archive that upstream publishes.
    Archive {
        /// Where it is.
        url: String,
        /// Its SHA-512, where known from upstream.
        #[serde(default)]
        sha512: Option<String>,
        /// Its SHA-256, where known from upstream.
        #[serde(default)]
        sha256: Option<String>,
        /// Upstream's own sum file, taken when no sum is known here (SHA-512 or SHA-256 by its length).
        #[serde(default)]
        sums: Option<String>,
    },
    /// Jars fetched by the `mvn` client from coordinates locked by SHA-256.
    Maven {
        /// The lock file in the service's folder.
        lock: String,
        /// The folder of the tree that the jars go to.
        into: String,
    },
    /// A runtime image made by `jlink` from the operator's own JDK, for hosts of the operator's architecture.
    Jlink {
        /// The Java modules it holds.
        modules: Vec<String>,
    },
    /// A package of the hosts' own distribution, installed there by `apt-get`.
    Distribution {
        /// Its name.
        package: String,
        /// Where it puts its tree.
        home: String,
    },
    /// A folder of this service's own files, packed as they are: for services that are a few scripts.
    Folder {
        /// The folder, beside `service.yaml`.
        path: String,
    },
}

impl Source {
    /// The word by which an inventory picks it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Archive { .. } => "archive",
            Self::Maven { .. } => "maven",
            Self::Jlink { .. } => "jlink",
            Self::Distribution { .. } => "distribution",
            Self::Folder { .. } => "folder",
        }
    }
}

/// A word that the inventory may use under the service's name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// What it is for, for the reference.
    pub help: String,
    /// The value if the inventory gives none.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub default: Option<serde_json::Value>,
    /// Whether it can't be changed after the first deploy.
    #[serde(default)]
    pub fixed: bool,
    /// The only values allowed, for texts.
    #[serde(default)]
    pub one_of: Vec<String>,
}

/// The type of a [`Setting`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

/// The upstream keys that `config:` may set.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigKeys {
    /// A file of known keys in the service's folder, one a line; an unknown key is a warning.
    pub known: String,
    /// Keys that the templates own; setting one is an error, with the reason.
    #[serde(default)]
    pub reserved: BTreeMap<String, String>,
}

/// A command-line tool of a service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The file's name in `bin/`.
    pub name: String,
    /// What it runs (*template*), with the user's arguments behind it.
    pub command: String,
}

/// What the login shell of a host's users gets, as one marked block that can be taken out again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Variables (*templates*).
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// Folders put at the end of `PATH` (*templates*).
    #[serde(default)]
    pub path: Vec<String>,
}

/// A role of a service: how many, what it writes, how it runs, how it is changed and how it is checked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// How many instances there are.
    pub count: Count,
    /// The command-line word that scales this role, without dashes.
    #[serde(default)]
    pub scale: Option<Scale>,
    /// Whether instances carry a number that never changes once given.
    #[serde(default)]
    pub id: Option<IdRule>,
    /// Ports by name; the first is the one its clients use.
    #[serde(default)]
    pub ports: IndexMap<String, u16>,
    /// What it needs of the board's memory.
    #[serde(default)]
    pub memory: Option<Memory>,
    /// Where it keeps what must not be lost.
    #[serde(default)]
    pub data: Option<Data>,
    /// The files it reads.
    #[serde(default)]
    pub files: Vec<FileSpec>,
    /// Steps that may run only once in an instance's life.
    #[serde(default)]
    pub once: Vec<Once>,
    /// How it is run.
    pub run: Run,
    /// How running instances are changed.
    #[serde(default)]
    pub rolling: Rolling,
    /// How its members agree, for a role whose majority must stay up.
    #[serde(default)]
    pub quorum: Option<Quorum>,
    /// What `status` asks an instance.
    #[serde(default)]
    pub status: Status,
    /// Checks that each instance must pass in `verify`.
    #[serde(default)]
    pub verify: Vec<Probe>,
}

/// How many instances of a role there are.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Count {
    /// As many as the inventory says.
    Key {
        /// The inventory's word, such as `brokers`.
        name: String,
        /// The number if the inventory says nothing; no more than there are hosts.
        #[serde(default)]
        default: Option<u16>,
        /// The least number allowed.
        #[serde(default = "one")]
        min: u16,
        /// The greatest number allowed.
        #[serde(default)]
        max: Option<u16>,
        /// Whether an even number is refused, since it adds no safety to a majority.
        #[serde(default)]
        odd: bool,
    },
    /// One on each host that the inventory's `on:` names; all hosts if it says nothing.
    Everywhere,
}

fn one() -> u16 {
    1
}

impl Count {
    /// The inventory's word for it, where there is one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key { name, .. } => Some(name),
            Self::Everywhere => None,
        }
    }
}

/// The command-line word that scales a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Without the dashes.
    pub flag: String,
}

/// Numbers for instances, given once and recorded on the hosts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdRule {
    /// The first number given.
    pub from: u32,
    /// The last number that may be given.
    pub to: u32,
}

/// What an instance needs of a board's memory, in MiB.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The heap: a share of the board within bounds; the inventory's `heap:` overrides it.
    #[serde(default)]
    pub heap: Option<HeapRule>,
    /// What the process needs besides its heap, in MiB.
    pub overhead: u64,
}

/// A heap by the size of the board.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeapRule {
    /// Percent of the board's memory.
    pub percent: u64,
    /// At least so many MiB.
    pub min: u64,
    /// At most so many MiB.
    pub max: u64,
}

/// Where an instance keeps what must not be lost.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Files (relative to a data folder) that show that it holds data.
    #[serde(default)]
    pub holds: Vec<String>,
    /// Whether it may be spread over several folders.
    #[serde(default)]
    pub many: bool,
}

/// A file that a role reads.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// The template in the service's folder.
    pub template: String,
    /// Where it goes on the host (*template*).
    pub to: String,
    /// Its permissions, in octal.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// What a change of it asks of a running instance.
    #[serde(default)]
    pub on_change: OnChange,
}

fn default_mode() -> String {
    "0644".to_owned()
}

/// What a change of a file asks of a running instance.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnChange {
    /// Nothing: it is read when needed.
    Nothing,
    /// The role's `reload` command.
    Reload,
    /// A restart.
    #[default]
    Restart,
}

/// A step that may run only once in an instance's life, such as formatting a disk.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Once {
    /// The step's name; it is recorded under it.
    pub name: String,
    /// The hook: exit 0 done, anything else a failure. It gets `SDTD_RESUMED=1` if it was cut off before.
    pub hook: String,
    /// On each instance, or on the one with the lowest number only.
    #[serde(default)]
    pub on: OnceOn,
    /// Seconds it may take.
    #[serde(default = "two_minutes")]
    pub within: u64,
}

/// Where a [`Once`] step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnceOn {
    /// On each instance, before its first start.
    #[default]
    Each,
    /// On the first instance only, before its first start.
    First,
}

fn two_minutes() -> u64 {
    120
}

/// How an instance is run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The command and its arguments (*templates*; an argument that renders to nothing is left out).
    pub command: Vec<String>,
    /// Its environment (*templates*).
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// The command that makes it read its files again (*templates*), for `on_change: reload`.
    #[serde(default)]
    pub reload: Vec<String>,
    /// Open files allowed.
    #[serde(default = "default_nofile")]
    pub nofile: u64,
    /// Seconds it may take to stop before it is killed.
    #[serde(default = "default_stop")]
    pub stop_within: u64,
    /// Seconds it may take to become ready after a start.
    #[serde(default = "two_minutes")]
    pub ready_within: u64,
    /// Units of the system it starts after, such as `time-sync.target`.
    #[serde(default)]
    pub after: Vec<String>,
}

fn default_nofile() -> u64 {
    65_536
}

fn default_stop() -> u64 {
    30
}

/// How running instances are changed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rolling {
    /// How many may be down at once.
    #[serde(default = "one")]
    pub width: u16,
    /// Who goes last, asked again before each step: the instances for which this answers yes.
    #[serde(default)]
    pub last: Option<Probe>,
    /// What must hold before an instance is stopped.
    #[serde(default)]
    pub before: Vec<Probe>,
    /// What must hold after it was started.
    #[serde(default)]
    pub ready: Vec<Probe>,
    /// Seconds that `before` and `ready` are waited for.
    #[serde(default = "ten_minutes")]
    pub within: u64,
}

fn ten_minutes() -> u64 {
    600
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            width: 1,
            last: None,
            before: Vec::new(),
            ready: Vec::new(),
            within: ten_minutes(),
        }
    }
}

/// How the members of a role agree on a leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// Asks a member what it is; its capture is one of the words below.
    pub mode: Probe,
    /// The word of a leader.
    pub leader: String,
    /// The word of a follower.
    pub follower: String,
    /// The word of a single member that needs no others.
    #[serde(default)]
    pub alone: Option<String>,
    /// Asks the leader how many followers are in sync; its capture is a number.
    #[serde(default)]
    pub synced: Option<Probe>,
}

/// What `status` asks an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// What it is in its cluster: the probe's capture, such as `leader`.
    #[serde(default)]
    pub role: Option<Probe>,
    /// Which version runs: the probe's capture.
    #[serde(default)]
    pub version: Option<Probe>,
    /// Whether it is well, as its protocol tells it.
    #[serde(default)]
    pub health: Vec<Probe>,
}

/// A question to an instance or its service. It answers yes, not yet or broken, maybe with a value (a capture).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Probe {
    /// A port, by name, accepts connections.
    Tcp(String),
    /// An HTTP GET answers as it should.
    Http {
        /// The port's name.
        port: String,
        /// The path asked for.
        path: String,
        /// The status code that is right.
        #[serde(default = "http_ok")]
        status: u16,
        /// A pattern that the body must match; its first group is the value.
        #[serde(default)]
        pattern: Option<String>,
    },
    /// A word sent to a port answers as it should (four-letter words and their like).
    FourLetter {
        /// The port's name.
        port: String,
        /// The word sent.
        send: String,
        /// A pattern that the answer must match; its first group is the value.
        pattern: String,
    },
    /// A hook run on the host as the service's user: exit 0 yes, 1 not yet, 2 broken; its last line is the value.
    Exec {
        /// The hook in the service's folder.
        hook: String,
        /// Seconds it may take.
        #[serde(default = "half_minute")]
        within: u64,
    },
    /// The role's quorum is whole: one leader, all others following and in sync.
    Quorum,
    /// The instance leads its quorum.
    QuorumLeader,
    /// An action of a driver, `<driver>/<action>`.
    Driver(DriverAction),
}

fn http_ok() -> u16 {
    200
}

fn half_minute() -> u64 {
    30
}

/// An action of a driver, written `<driver>/<action>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct DriverAction {
    /// The driver's name.
    pub driver: String,
    /// What it is asked.
    pub action: String,
}

impl TryFrom<String> for DriverAction {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((driver, action)) if !driver.is_empty() && !action.is_empty() => Ok(Self {
                driver: driver.to_owned(),
                action: action.to_owned(),
            }),
            _ => Err(format!(
                "`{text}` is not a driver's action: write `<driver>/<action>`"
            )),
        }
    }
}

impl From<DriverAction> for String {
    fn from(action: DriverAction) -> Self {
        action.to_string()
    }
}

impl std::fmt::Display for DriverAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.driver, self.action)
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "port {port}"),
            Self::Http { port, path, .. } => write!(f, "GET {path} on {port}"),
            Self::FourLetter { send, .. } => write!(f, "{send}"),
            Self::Exec { hook, .. } => write!(f, "{}", hook.trim_start_matches("hooks/")),
            Self::Quorum => f.write_str("quorum"),
            Self::QuorumLeader => f.write_str("leads"),
            Self::Driver(action) => write!(f, "{}", action.action),
        }
    }
}
