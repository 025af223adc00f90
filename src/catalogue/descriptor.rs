//! `service.yaml`: the words in which a service describes itself.
//!
//! The engine knows these words and no service. Text fields marked *template* are rendered with the values
//! listed in [`super::render`]; a service that needs a word that is missing here gets a general one, never a
//! `match` on its name.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::data::Data;
pub use super::front::{Front, FrontMode, FrontTo};
pub use super::probe::{DriverAction, Probe};
pub use super::role::{
    Count, Drain, FileSpec, HeapRule, IdRule, Memory, Mending, OnChange, Once, OnceOn, Quorum,
    Role, Rolling, Run, Settle, Status,
};
pub use super::scale::{Least, OneByOne, Scale, Votes};
pub use super::version::{Finalize, Raises, Version};
pub use super::way::{Between, Undo, Way};
pub use super::when::{Need, When};
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
    /// Whether `sdtd init` takes it where nobody says what shall run.
    #[serde(default)]
    pub usual: bool,
    /// The name of its folders in `/etc`, `/var/lib` and `/var/log`; the service's own name if not given. For a
    /// package that has folders of that name itself.
    #[serde(default)]
    pub folders: Option<String>,
    /// Services that must be there first. One without roles is a package installed on the same hosts;
    /// one with roles is started, and ready, before this one.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Upstream versions that this folder supports; the first is the default.
    pub versions: IndexMap<String, Version>,
    /// What a new version does not do before it is finalized; with a service that has no such word, a version
    /// that all members run is all there is to it. The first whose settings are given counts.
    #[serde(default)]
    pub finalize: Vec<Finalize>,
    /// What is installed on the hosts; none for a service that runs what the system has.
    #[serde(default)]
    pub package: Option<Package>,
    /// More words that the inventory may use under the service's name; templates read them as `service.<word>`.
    #[serde(default)]
    pub settings: IndexMap<String, Setting>,
    /// What inventories are refused, each with the reason.
    #[serde(default)]
    pub refuses: Vec<Refusal>,
    /// What inventories are warned of, each with the reason.
    #[serde(default)]
    pub warns: Vec<Refusal>,
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
    /// The driver action that says what it means that members are restarted, before any is.
    #[serde(default)]
    pub outage: Option<DriverAction>,
    /// The driver action that `drill` puts a load on and judges, where the inventory says `drills: allowed`.
    #[serde(default)]
    pub drills: Option<DriverAction>,
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

    /// The settings of an inventory that says nothing of them.
    #[must_use]
    pub fn default_settings(&self) -> BTreeMap<String, serde_json::Value> {
        self.settings_of(self.default_version().unwrap_or_default())
    }

    /// The settings of a version, where an inventory says nothing of them: defaults, and what the version leaves
    /// no choice of.
    #[must_use]
    pub fn settings_of(&self, version: &str) -> BTreeMap<String, serde_json::Value> {
        let default = |(word, setting): (&String, &Setting)| {
            (word.clone(), setting.default.clone().unwrap_or_default())
        };
        let mut settings: BTreeMap<_, _> = self.settings.iter().map(default).collect();
        let version = self.versions.get(version);
        settings.extend(version.into_iter().flat_map(|v| v.settings.clone()));
        settings
    }

    /// The settings that there were before, where a way led to these: what goes with those may still be said.
    pub fn before<'a>(
        &'a self,
        settings: &'a BTreeMap<String, serde_json::Value>,
    ) -> impl Iterator<Item = BTreeMap<String, serde_json::Value>> + 'a {
        let value = |word: &String| settings.get(word).and_then(serde_json::Value::as_str);
        let all = self.settings.iter();
        let ways = all.flat_map(|(word, setting)| setting.ways.iter().map(move |way| (word, way)));
        let here = ways
            .filter(move |(word, way)| value(word) == Some(&way.to) && way.when.holds(settings));
        here.map(move |(word, way)| {
            let mut before = settings.clone();
            before.insert(word.clone(), way.from.clone().into());
            before
        })
    }

    /// What a new version does not do before it is finalized, with these settings.
    #[must_use]
    pub fn finalize_with(
        &self,
        settings: &BTreeMap<String, serde_json::Value>,
    ) -> Option<&Finalize> {
        let mut all = self.finalize.iter();
        all.find(|finalize| finalize.when.holds(settings))
    }

    /// The roles that there are with these settings, in starting order.
    pub fn roles_with<'a>(
        &'a self,
        settings: &'a BTreeMap<String, serde_json::Value>,
    ) -> impl Iterator<Item = (&'a RoleName, &'a Role)> {
        self.roles
            .iter()
            .filter(|(_, role)| role.when.holds(settings))
    }

    /// Whether it has something that stands in front of the services.
    #[must_use]
    pub fn stands_in_front(&self) -> bool {
        self.roles.values().any(|role| role.stands_in_front)
    }

    /// Hooks that have no use with these settings: for steps done once of which none is done, and for ways that
    /// nothing is on.
    #[must_use]
    pub fn idle_hooks(&self, settings: &BTreeMap<String, serde_json::Value>) -> BTreeSet<&str> {
        let steps = self.roles.values().flat_map(|role| {
            let done = |once: &&Once| role.when.holds(settings) && once.when.holds(settings);
            role.once
                .iter()
                .map(move |once| (once.hook.as_str(), done(&once)))
        });
        let (used, idle): (Vec<_>, Vec<_>) = steps.partition(|(_, done)| *done);
        let used: BTreeSet<&str> = used.into_iter().map(|(hook, _)| hook).collect();
        let idle = idle.into_iter().map(|(hook, _)| hook);
        let idle = idle.chain(self.settings.iter().flat_map(|(word, setting)| {
            let value = settings.get(word).and_then(serde_json::Value::as_str);
            let ways = setting.ways.iter();
            ways.filter(move |way| value.is_none_or(|value| !way.is_between(value)))
                .flat_map(Way::hooks)
        }));
        idle.filter(|hook| !used.contains(hook)).collect()
    }

    /// The services that must be there first with these settings.
    #[must_use]
    pub fn needs_with(&self, settings: &BTreeMap<String, serde_json::Value>) -> Vec<ServiceName> {
        let wanted = |need: &&Need| need.when().is_none_or(|when| when.holds(settings));
        let needs = self.needs.iter().filter(wanted);
        needs.map(|need| need.service().clone()).collect()
    }
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
    /// A package of the hosts' own distribution, installed there by `apt-get`. What a host can't get from its
    /// mirrors is fetched by this machine's `apt-get`, for the host's release and architecture, and sent.
    Distribution {
        /// Its name.
        package: String,
        /// Where it puts its tree: a folder that is there as long as the package is.
        home: String,
        /// Units of its own, such as `thing.service`, that its installation would start: they are neither started
        /// nor enabled. A host that has the package already keeps them as they are.
        #[serde(default)]
        units: Vec<String>,
    },
    /// A folder of this service's own files, packed byte for byte; what lies in its `bin` can be run.
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
    /// How a fixed one gets another value all the same, while the cluster runs.
    #[serde(default)]
    pub ways: Vec<Way>,
    /// The inventory's word for a number of instances, of which it says whether there are several. Nobody writes such a
    /// setting: conditions (`when`) and templates read it.
    #[serde(default)]
    pub several: Option<String>,
    /// The driver action that asks a running service for the value, where it has one though none was recorded.
    #[serde(default)]
    pub learnt: Option<DriverAction>,
    /// The only values allowed, for texts.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// The other settings with which it has a meaning.
    #[serde(default)]
    pub when: When,
}

/// Settings that do not go together.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The settings.
    pub when: When,
    /// Only where the instances of these roles are not all on one host, which the plan tells.
    #[serde(default)]
    pub apart: Vec<RoleName>,
    /// What is wrong with them.
    pub because: String,
    /// What to write instead.
    pub help: String,
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
    /// An identifier that no other cluster has: 16 bytes as 22 characters of base64url (RFC 4648). One that the
    /// inventory does not give is made at the first deploy and recorded on all hosts before anything starts.
    Uuid,
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
    /// What it runs (*template*), with the user's arguments behind it; an empty text leaves the tool out, for
    /// a version that has none.
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
