//! The plan as data: everything is decided in it, and the executor makes no choices.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::budget::Budget;
use serde::{Deserialize, Serialize};

use crate::catalogue::descriptor::{DriverAction, Mending, Probe, Quorum, Settle, Status, Votes};
use crate::event::Problem;
use crate::id::{ClusterName, HostName, InstanceId, RoleName, ServiceName};

/// The version of the plan format: a saved plan of another version is refused.
pub const FORMAT: u32 = 1;

/// What is to be done, in order, and what the cluster will be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Format version ([`FORMAT`]).
    pub format: u32,
    /// The hash of all that the plan was made from: a saved plan is refused when it differs.
    pub basis: String,
    /// The cluster as it will be, for probes and drivers.
    pub view: View,
    /// What is done, each wave after those it names.
    pub waves: Vec<Wave>,
    /// How many things were looked at and need nothing.
    pub unchanged: usize,
    /// What stands in no way and should be known.
    #[serde(default)]
    pub warnings: Vec<Problem>,
    /// What is left to be done by other commands once it is done, or where there is nothing to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Problem>,
    /// What is planned of each board's memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Budget>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }

    /// How many steps there are.
    #[must_use]
    pub fn steps(&self) -> usize {
        let in_wave = |w: &Wave| w.batches.iter().map(|b| b.steps.len()).sum::<usize>();
        self.waves
            .iter()
            .map(|w| in_wave(w) + w.resources.len())
            .sum()
    }
}

/// Steps that belong together, and what must hold around them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wave {
    /// What it does, for people; unique in a plan.
    pub title: String,
    /// The role it changes, where it is about one.
    pub role: Option<RoleRef>,
    /// Waves (by index, always smaller) that must be wholly done before.
    pub after: Vec<usize>,
    /// Waves whose batches on the same host must be done before this wave's batch there.
    pub after_on_host: Vec<usize>,
    /// How many batches at once; none: as many as `--forks` allows.
    pub width: Option<u16>,
    /// What must hold before each batch, asked of its instance.
    pub before: Vec<Probe>,
    /// What must hold after: after each batch if the wave has a width, else after all of them.
    pub ready: Vec<Probe>,
    /// Which instances go last, asked again before each batch.
    pub last: Option<Probe>,
    /// What must hold of a batch's instance that is to be stopped while others are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Probe>,
    /// Which instances go first, and what must hold before these instead of `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<Mending>,
    /// The members of its role while it is done, where they are not those of the view: in between, when members
    /// come and go one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<BTreeSet<InstanceId>>,
    /// What decides whether a batch is done at all, asked of its instance when its turn comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provided: Option<Probe>,
    /// Seconds that `before` and `ready` are waited for.
    pub within: u64,
    /// The steps, host by host.
    pub batches: Vec<Batch>,
    /// Changes made by drivers, after the batches.
    pub resources: Vec<ResourceChange>,
}

/// A role of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoleRef {
    /// The service.
    pub service: ServiceName,
    /// The role.
    pub role: RoleName,
}

impl RoleRef {
    /// The role of an instance.
    #[must_use]
    pub fn of(id: &InstanceId) -> Self {
        Self {
            service: id.service.clone(),
            role: id.role.clone(),
        }
    }

    /// Whether an instance is of this role.
    #[must_use]
    pub fn is_of(&self, id: &InstanceId) -> bool {
        self.service == id.service && self.role == id.role
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.role)
    }
}

/// Steps on one host, sent as one script and done in order; the first failure ends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The host.
    pub host: HostName,
    /// The instance it is about, where it is about one.
    pub instance: Option<InstanceId>,
    /// Why, for people.
    pub because: Vec<String>,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Batch {
    /// Whether a package is sent for it.
    #[must_use]
    pub fn has_packages(&self) -> bool {
        self.steps.iter().any(|s| matches!(s, Step::Package { .. }))
    }

    /// Whether it starts its instance.
    #[must_use]
    pub fn starts(&self) -> bool {
        let started = |to| matches!(to, UnitChange::Start | UnitChange::Restart);
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, Step::Unit { to, .. } if started(*to)))
    }
}

/// A change that a driver makes, such as to a topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceChange {
    /// The service whose driver makes it.
    pub service: ServiceName,
    /// The driver's action.
    pub action: DriverAction,
    /// What it changes, for people.
    pub text: String,
    /// What it changes, for the driver.
    pub change: serde_json::Value,
}

impl ResourceChange {
    /// What a role's driver does at the end of a roll.
    #[must_use]
    pub fn settle(role: &RoleRef, settle: &Settle) -> Self {
        Self {
            service: role.service.clone(),
            action: settle.action.clone(),
            text: settle.text.clone(),
            change: serde_json::Value::Null,
        }
    }

    /// A member gets its vote, or gives it up.
    #[must_use]
    pub fn vote(votes: &Votes, id: &InstanceId, gets: bool) -> Self {
        let what = if gets { "gets its" } else { "gives up its" };
        Self {
            service: id.service.clone(),
            action: votes.action.clone(),
            text: format!("{id} {what} vote"),
            change: serde_json::json!({ "member": id, "votes": gets }),
        }
    }
}

/// One change on a host. Each is idempotent, and checks that what it starts from still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Step {
    /// A system user and group of the same name.
    User {
        /// Its name.
        name: String,
    },
    /// A folder.
    Dir {
        /// Where.
        path: String,
        /// Who owns it; none: whoever runs the step.
        owner: Option<String>,
        /// Its permissions, in octal.
        mode: String,
    },
    /// A file with a given text.
    File {
        /// Where.
        path: String,
        /// Its text before; none: there is no such file.
        before: Option<String>,
        /// Its text after.
        after: String,
        /// Who owns it; none: whoever runs the step.
        owner: Option<String>,
        /// Its permissions, in octal.
        mode: String,
        /// Whether it is sdtd's own book-keeping, of no interest to people.
        #[serde(default)]
        own: bool,
    },
    /// A marked block in a file that belongs to somebody else.
    Block {
        /// The file.
        path: String,
        /// The block's name in its marks.
        name: String,
        /// Its text before; none: there is no such block.
        before: Option<String>,
        /// Its text after; none: it is taken out.
        after: Option<String>,
    },
    /// A setting of the running kernel.
    Sysctl {
        /// Its name, with dots.
        key: String,
        /// Its value before.
        before: String,
        /// Its value after.
        after: String,
    },
    /// A package: sent if it is not there, checked, unpacked aside, renamed into the store.
    Package {
        /// Name of the service it belongs to.
        name: String,
        /// Its version.
        version: String,
        /// The SHA-256 of the archive; empty: not fetched yet, so this plan can be read but not applied.
        sha256: String,
        /// The folder in the store.
        store: String,
        /// The archive's size in bytes.
        size: u64,
        /// Leading path components dropped when unpacking.
        strip: usize,
        /// Whether it is compressed with gzip.
        gzip: bool,
        /// Who owns the unpacked tree; none: whoever runs the step.
        owner: Option<String>,
        /// Files written into the tree where it lacks them: tools in `bin/`.
        tools: BTreeMap<String, String>,
    },
    /// A package of the host's distribution.
    Distribution {
        /// Its name.
        package: String,
        /// The SHA-256 of what the operator's machine brings of it. No plan says so: a host that can get the
        /// package itself does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        brought: Option<String>,
        /// Units of its own that its installation would start, and that are not to run.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        quiet: Vec<String>,
    },
    /// A symbolic link.
    Link {
        /// Where.
        path: String,
        /// What it points at now; none: there is no such link.
        before: Option<String>,
        /// What it shall point at.
        to: String,
    },
    /// A hook that may run only once in an instance's life.
    Once {
        /// Its name.
        name: String,
        /// The hook's path on the host.
        hook: String,
        /// The file that says that it is done.
        marker: String,
        /// The user it runs as; none: whoever runs the step.
        user: Option<String>,
        /// Its environment.
        env: BTreeMap<String, String>,
        /// Seconds it may take.
        within: u64,
    },
    /// The state of a unit.
    Unit {
        /// The unit, without a suffix.
        unit: String,
        /// What is asked of it.
        to: UnitChange,
        /// Seconds that stopping may take.
        within: u64,
    },
    /// A file, link or folder is removed with all that is in it.
    Remove {
        /// Where.
        path: String,
        /// Whether it holds a user's data.
        data: bool,
    },
    /// A folder that others may use as well is removed once nothing is in it.
    RemoveEmpty {
        /// Where.
        path: String,
    },
}

/// What is asked of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitChange {
    /// Running, and started again at boot.
    Start,
    /// Stopped, and known to be gone.
    Stop,
    /// Stopped and started again.
    Restart,
    /// Told to read its files again.
    Reload,
    /// Known to run with what is wanted, having been given it while it ran.
    Adopt,
    /// Started at boot; its running is left as it is.
    Enable,
    /// Stopped, and no longer started at boot.
    Disable,
}

/// The cluster as probes and drivers need to see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// All instances, service by service in dependency order, then by number.
    pub members: Vec<Member>,
    /// Instances that are there and shall go, also those on hosts that the inventory no longer names: still
    /// asked, no longer counted on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<Member>,
    /// How each role is asked.
    pub roles: Vec<RoleView>,
    /// Hosts that are out of reach: what is on them is neither changed nor waited for.
    #[serde(default)]
    pub absent: BTreeSet<HostName>,
    /// What stands before every path of a local host.
    pub roots: BTreeMap<HostName, String>,
    /// Checks of services as wholes.
    pub verify: Vec<(ServiceName, Vec<Probe>)>,
}

impl View {
    /// The members of a role.
    pub fn of_role<'a>(&'a self, role: &'a RoleRef) -> impl Iterator<Item = &'a Member> {
        self.members
            .iter()
            .filter(move |m| m.id.service == role.service && m.id.role == role.role)
    }

    /// The members of a member's role, itself among them.
    pub fn peers<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a Member> {
        let alike = |m: &&Member| m.id.service == member.id.service && m.id.role == member.id.role;
        self.members.iter().filter(alike)
    }

    /// Whether a member's host is within reach.
    #[must_use]
    pub fn reaches(&self, member: &Member) -> bool {
        !self.absent.contains(&member.id.host)
    }

    /// The members of a service.
    pub fn of_service<'a>(&'a self, service: &'a ServiceName) -> impl Iterator<Item = &'a Member> {
        self.members
            .iter()
            .filter(move |m| &m.id.service == service)
    }

    /// One member, be it one that leaves.
    #[must_use]
    pub fn member(&self, id: &InstanceId) -> Option<&Member> {
        self.members
            .iter()
            .chain(&self.leaving)
            .find(|m| &m.id == id)
    }

    /// The cluster while a role has just these members.
    #[must_use]
    pub fn with_members(&self, role: &RoleRef, members: &BTreeSet<InstanceId>) -> Self {
        let mut view = self.clone();
        view.members.retain(|m| !role.is_of(&m.id));
        view.leaving.retain(|m| !role.is_of(&m.id));
        let all = self.members.iter().chain(&self.leaving);
        let of_role = all.filter(|m| role.is_of(&m.id)).cloned();
        let (stay, others): (Vec<_>, Vec<_>) = of_role.partition(|m| members.contains(&m.id));
        view.members.extend(stay);
        view.leaving.extend(others);
        view
    }

    /// How a role is asked.
    #[must_use]
    pub fn role(&self, id: &InstanceId) -> Option<&RoleView> {
        self.roles
            .iter()
            .find(|r| r.role.service == id.service && r.role.role == id.role)
    }
}

/// How a role is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleView {
    /// The role.
    pub role: RoleRef,
    /// How its members agree.
    pub quorum: Option<Quorum>,
    /// What `status` asks.
    pub status: Status,
    /// What `verify` asks each instance.
    pub verify: Vec<Probe>,
    /// What must hold once it runs.
    pub ready: Vec<Probe>,
    /// Seconds it may take to become ready.
    pub ready_within: u64,
    /// Seconds it may take to stop.
    pub stop_within: u64,
}

/// An instance as probes and drivers need to see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which instance.
    pub id: InstanceId,
    /// Its number, where its role has numbers.
    pub number: Option<u32>,
    /// How others reach it.
    pub address: String,
    /// How it is reached from its own host.
    pub local_address: String,
    /// Its ports by name; the first is its clients'.
    pub ports: indexmap::IndexMap<String, u16>,
    /// The version it shall run.
    pub version: String,
    /// Its unit, without a suffix.
    pub unit: String,
    /// The user it runs as; none: whoever runs sdtd.
    pub user: Option<String>,
    /// Its log file.
    pub log: String,
    /// Where its hooks are on the host.
    pub hooks: String,
    /// What hooks get in their environment.
    pub env: BTreeMap<String, String>,
}

impl Member {
    /// The port that its clients use.
    #[must_use]
    pub fn client_port(&self) -> Option<u16> {
        self.ports.first().map(|(_, port)| *port)
    }
}
