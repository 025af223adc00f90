//! The words for a role: how many, what it writes, how it runs, how it is changed and checked.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data::Data;
use super::front::Front;
use super::probe::{DriverAction, Probe};
use super::scale::{OneByOne, Scale, Votes};
use super::when::When;
use crate::id::RoleName;

/// A role of a service: how many, what it writes, how it runs, how it is changed and how it is checked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The settings with which there is this role; roles that exclude each other may share a count.
    #[serde(default)]
    pub when: When,
    /// How many instances there are.
    pub count: Count,
    /// Whether instances carry a number that never changes once given.
    #[serde(default)]
    pub id: Option<IdRule>,
    /// Ports by name; the first is the one its clients use.
    #[serde(default)]
    pub ports: IndexMap<String, u16>,
    /// What may be put in front of its instances, by name.
    #[serde(default)]
    pub fronts: IndexMap<String, Front>,
    /// Whether it stands in front of the cluster's services: each of its instances opens the port of each of their
    /// fronts. Its templates read them as the list `fronts`.
    #[serde(default)]
    pub stands_in_front: bool,
    /// Ports whose addresses others keep in their data: neither they nor the hosts' addresses can be changed
    /// after the first deploy.
    #[serde(default)]
    pub remembered: Vec<String>,
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
    /// The driver's action that changes keys of a running instance, those that the `live` of its files names.
    #[serde(default)]
    pub live: Option<DriverAction>,
    /// How its members agree, for a role whose majority must stay up.
    #[serde(default)]
    pub quorum: Option<Quorum>,
    /// The list of voters that the service keeps of its members.
    #[serde(default)]
    pub votes: Option<Votes>,
    /// How its members become more or fewer.
    #[serde(default)]
    pub scale: Option<Scale>,
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
        /// Whether the inventory's `per_host:` may put several on one host: the ports of the second are one
        /// higher, and its folders, files and unit get a number.
        #[serde(default)]
        several: bool,
    },
    /// One on each host that the inventory's `on:` names; all hosts if it says nothing.
    Everywhere,
    /// One beside each instance of another role of the service, which comes before it.
    Beside(RoleName),
}

fn one() -> u16 {
    1
}

impl Role {
    /// How its members join and leave, where they have each other in their files.
    #[must_use]
    pub fn one_by_one(&self) -> Option<&OneByOne> {
        self.scale.as_ref()?.one_by_one.as_ref()
    }

    /// The roles that must know who leaves before they do.
    #[must_use]
    pub fn told(&self) -> &[RoleName] {
        self.scale.as_ref().map_or(&[], |scale| &scale.told)
    }

    /// How its members get their votes as they come, where they come and go.
    #[must_use]
    pub fn voting(&self) -> Option<&Votes> {
        self.votes.as_ref().filter(|_| self.scale.is_some())
    }

    /// How many instances a host may have, where the inventory says `per_host`.
    #[must_use]
    pub fn most(&self, per_host: u16) -> u16 {
        match self.count {
            Count::Key { several: true, .. } => per_host.max(1),
            _ => 1,
        }
    }
}

impl Count {
    /// The inventory's word for it, where there is one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key { name, .. } => Some(name),
            Self::Everywhere | Self::Beside(_) => None,
        }
    }
}

/// Numbers for instances, given once and recorded on the hosts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdRule {
    /// The first number given.
    pub from: u32,
    /// The last number that may be given.
    pub to: u32,
    /// The setting that says which number is given first, instead of `from`.
    #[serde(default)]
    pub setting: Option<String>,
}

impl IdRule {
    /// The first number given, with these settings.
    #[must_use]
    pub fn first(&self, settings: &BTreeMap<String, serde_json::Value>) -> u32 {
        let said = self.setting.as_ref().and_then(|word| settings.get(word));
        let number = said.and_then(|value| u32::try_from(value.as_u64()?).ok());
        number.unwrap_or(self.from)
    }
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
    /// Whether the inventory's `heap:` is not for this role but for the service's others.
    #[serde(default)]
    pub own: bool,
}

/// A file that a role reads.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// The template in the service's folder.
    pub template: String,
    /// Where it goes on the host (*template*); an empty text leaves the file out, for a version that has no
    /// use for it.
    pub to: String,
    /// Its permissions, in octal.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// What a change of it asks of a running instance.
    #[serde(default)]
    pub on_change: OnChange,
    /// Whether it is written only as long as no instance of the role is known to hold data.
    #[serde(default)]
    pub bootstrap: bool,
    /// A key in it (`key=a,b,c`) that lists members at which an instance that starts looks for the others. A change
    /// of it asks for nothing as long as what the instance was started with names more than half of them, and never
    /// of one that votes (`votes`): it keeps them in its data.
    #[serde(default)]
    pub lists: Option<String>,
    /// A file in the service's folder of keys in it (`key=value`) that an instance takes while it runs, one a line:
    /// the key, or the key, the one that it is taken as, and what its value is multiplied by for that. Where nothing
    /// else is changed the role's `live` brings it about and nobody is restarted; a role without that has no use for
    /// them and gets them when it starts next.
    #[serde(default)]
    pub live: Option<String>,
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
    /// The hook: exit 0 done, anything else a failure. It gets `SDTD_RESUMED=1` if it was cut off before,
    /// and `SDTD_JOINS=1` where the instance joins others that hold data, or starts empty beside them.
    pub hook: String,
    /// The settings with which it is done.
    #[serde(default)]
    pub when: When,
    /// Whether each data folder needs it: then it is done again when one is added.
    #[serde(default)]
    pub folders: bool,
    /// On each instance, or on the one with the lowest number only.
    #[serde(default)]
    pub on: OnceOn,
    /// Whether it is done once all members are ready, those that join among them, instead of before the first start:
    /// for what the service is told of a new member.
    #[serde(default)]
    pub late: bool,
    /// Seconds it may take.
    #[serde(default = "two_minutes")]
    pub within: u64,
}

/// Where a [`Once`] step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnceOn {
    /// On each instance.
    #[default]
    Each,
    /// On the first instance only.
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
    /// What a system's service needs of root's rights though it runs as its own user, such as
    /// `CAP_NET_BIND_SERVICE` for ports below 1024; it can get no others then.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Paths that it writes besides those of its data and logs (*templates*; one that renders to nothing is left out).
    #[serde(default)]
    pub writes: Vec<String>,
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
    /// What must hold instead where the user is content with no write being refused (`--min-isr-only`).
    #[serde(default)]
    pub least: Option<Vec<Probe>>,
    /// What must hold of an instance that is to be stopped while others are, where the user lets several be down
    /// at once (`--max-unavailable`).
    #[serde(default)]
    pub together: Option<Probe>,
    /// Which instances go first: those that run and serve nobody.
    #[serde(default)]
    pub mend: Option<Mending>,
    /// What must hold after it was started.
    #[serde(default)]
    pub ready: Vec<Probe>,
    /// What moves off an instance before it is restarted, and back afterwards.
    #[serde(default)]
    pub drain: Option<Drain>,
    /// What a driver does once all were started again.
    #[serde(default)]
    pub settle: Option<Settle>,
    /// Seconds that `before` and `ready` are waited for.
    #[serde(default = "ten_minutes")]
    pub within: u64,
}

/// How an instance is changed that runs and serves nobody: the others can't be whole before it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mending {
    /// What holds of each instance that serves; one of which it does not hold for some time is changed first.
    pub serves: Vec<Probe>,
    /// What must hold before such a one is stopped, instead of the usual: that the others lose nothing by it.
    #[serde(default)]
    pub before: Vec<Probe>,
}

/// Hooks that move off an instance what it serves before it is stopped, and back. Each may run more than once:
/// what was drained when a run was cut off is filled by the next one, and so is one of which that failed midway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Done before it is stopped: exit 0 done, anything else a failure, and it is not stopped.
    pub hook: String,
    /// Done right after it was started.
    pub fill: String,
    /// Done instead of `hook` before it is stopped for good; if it stays after all it is filled.
    #[serde(default)]
    pub leaves: Option<String>,
    /// Seconds that each may take.
    #[serde(default = "ten_minutes")]
    pub within: u64,
}

/// What a driver does at the end of a roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The driver's action.
    pub action: DriverAction,
    /// What it does, for people.
    pub text: String,
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
            least: None,
            together: None,
            mend: None,
            ready: Vec::new(),
            drain: None,
            settle: None,
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
    /// What people call that, by the capture, where the service's own word says little: `"true": active`.
    #[serde(default)]
    pub called: BTreeMap<String, String>,
    /// Which version runs: the probe's capture.
    #[serde(default)]
    pub version: Option<Probe>,
    /// Whether it is well, as its protocol tells it.
    #[serde(default)]
    pub health: Vec<Probe>,
}
