//! What instances take while they run: how what one runs with differs from what it should, and what its driver is
//! asked about that. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::descriptor::DriverAction;
use crate::catalogue::{LiveKey, LiveKeys};
use crate::facts::{FileFact, HostFacts, UnitFact};
use crate::id::InstanceId;
use crate::plan::context::Context;
use crate::plan::desired::{Desired, fingerprint};
use crate::plan::model::ResourceChange;
use crate::plan::planner::{Input, PlanError, desired, in_the_end};
use crate::plan::previous;

/// Stands before the hash of all but what is taken while it runs.
const REST: char = '~';

/// What drivers found out of instances that run.
pub type LiveOf = BTreeMap<InstanceId, Found>;

/// What an instance shall run with, of the keys that it takes while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The instance.
    pub member: InstanceId,
    /// The keys.
    pub keys: Vec<LiveKey>,
    /// Those that its file shall say.
    pub wanted: BTreeMap<String, String>,
    /// Those that its file says now: such a value in the running instance was given by sdtd.
    pub before: BTreeMap<String, String>,
    /// Those that the inventory names. Of the others a value that somebody else gave is left alone.
    pub said: BTreeSet<String>,
}

/// How an instance that runs differs from what it shall run with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What is changed while it runs, for people.
    pub change: Vec<String>,
    /// What it does not take while it runs, for people.
    pub not: Vec<String>,
    /// What has to be put right once it was started again with its file: it counts more than that.
    pub left: bool,
}

impl Live {
    /// What makes the running instance so.
    #[must_use]
    pub fn change(&self, action: &DriverAction, text: &str) -> ResourceChange {
        ResourceChange {
            service: self.member.service.clone(),
            action: action.clone(),
            text: format!("{}: {text}", self.member),
            change: serde_json::json!({ "live": self }),
        }
    }

    /// What such a change says.
    #[must_use]
    pub fn of(change: &ResourceChange) -> Option<Self> {
        serde_json::from_value(change.change.get("live")?.clone()).ok()
    }

    /// What an instance shall run with.
    #[must_use]
    pub(super) fn new(context: &Context<'_>, one: &Desired, facts: &HostFacts) -> Self {
        let member = one.member.id.clone();
        let (mut wanted, mut before) = (BTreeMap::new(), BTreeMap::new());
        let mut keys: Vec<LiveKey> = Vec::new();
        for file in &one.files {
            keys.extend(file.live.iter().cloned());
            wanted.extend(values(&file.live, &file.text));
            let now = facts.files.get(&file.path);
            before.extend(
                now.map(|now| values(&file.live, &now.text))
                    .unwrap_or_default(),
            );
        }
        let service = context.cluster.services.get(&member.service);
        let own = service.and_then(|service| service.hosts.get(&member.host));
        let all = service
            .into_iter()
            .flat_map(|service| service.config.keys());
        let said = all.chain(own.into_iter().flat_map(|own| own.config.keys()));
        let is_one = |key: &&String| keys.iter().any(|live| live.key == **key);
        Self {
            said: said.filter(is_one).cloned().collect(),
            member,
            keys,
            wanted,
            before,
        }
    }

    /// Whether the running instance may hold something else though it was started with its file.
    #[must_use]
    pub(super) fn may_differ(&self) -> bool {
        !self.said.is_empty() || self.wanted != self.before
    }
}

/// The values of keys in a file of lines `key=value`.
fn values(keys: &LiveKeys, text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let lines = lines.map(|(key, value)| (key.trim(), value.trim()));
    let live = lines.filter(|(key, _)| keys.has(key));
    live.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Whether a line of a file gives one of these keys a value.
pub(super) fn is_live(keys: &LiveKeys, line: &str) -> bool {
    let key = line.split_once('=').map(|(key, _)| key.trim());
    key.is_some_and(|key| keys.has(key))
}

/// What an instance was started with, or was given since: as [`fingerprint`] writes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Print {
    /// The hash of all that asks for a restart.
    pub restart: String,
    /// The hash of all that asks for a reload.
    pub reload: String,
    /// Lists of members.
    pub lists: Vec<String>,
    /// The hash of all that asks for a restart less what is taken while it runs, where something is.
    rest: Option<String>,
}

impl Print {
    /// Reads one.
    pub fn of(text: &str) -> Self {
        let mut words = text.split_whitespace().map(str::to_owned);
        let mut print = Self {
            restart: words.next().unwrap_or_default(),
            reload: words.next().unwrap_or_default(),
            ..Self::default()
        };
        for word in words {
            match word.strip_prefix(REST) {
                Some(rest) => print.rest = Some(rest.to_owned()),
                None => print.lists.push(word),
            }
        }
        print
    }

    /// The word for the hash of the rest.
    pub fn rest_word(hash: &str) -> String {
        format!(" {REST}{hash}")
    }
}

/// How what an instance runs with differs from what it should, lists of members aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Differs {
    /// Not at all.
    Nothing,
    /// In what it takes while it runs.
    Live,
    /// In more than that.
    More,
}

/// How what an instance runs with differs from what it should.
pub(super) fn differs(one: &Desired, facts: &HostFacts, unit: &UnitFact) -> Differs {
    let wanted = Print::of(&one.wanted.1);
    let running = Print::of(unit.running.as_deref().unwrap_or_default());
    if wanted.restart == running.restart {
        return Differs::Nothing;
    }
    let rest = running
        .rest
        .clone()
        .or_else(|| rest_of_files(one, facts, &running));
    let same = wanted.rest.is_some() && wanted.rest == rest && wanted.reload == running.reload;
    if same { Differs::Live } else { Differs::More }
}

/// Versions before this one did not write the hash of the rest: it is that of the files as they are now, if these
/// are what the instance was started with.
fn rest_of_files(one: &Desired, facts: &HostFacts, running: &Print) -> Option<String> {
    let (mut files, mut unit) = (one.files.clone(), one.unit.clone());
    for file in files.iter_mut().chain([&mut unit]) {
        let now = facts.files.get(&file.path)?;
        file.text.clone_from(&now.text);
    }
    let now = Print::of(&fingerprint(&files, &unit));
    now.rest.filter(|_| now.restart == running.restart)
}

/// What is wanted as it is kept on the host. One that a version before this one wrote says the same with a word
/// less, and is left as it is.
pub(super) fn kept_as(text: String, now: Option<&FileFact>) -> String {
    let less = |word: &&str| !word.starts_with(REST);
    let less: Vec<&str> = text.split_whitespace().filter(less).collect();
    let now = now.filter(|now| now.text.split_whitespace().eq(less));
    now.map_or(text, |now| now.text.clone())
}

/// What drivers are to be asked: of each instance that runs and may hold something else than it shall.
///
/// # Errors
/// When a template can't be rendered.
pub fn asked(input: Input<'_>) -> Result<Vec<(DriverAction, Live)>, PlanError> {
    in_the_end(input, |input, context| {
        let mut desired = desired(input, context)?;
        if input.back {
            previous::go_back(context, &mut desired);
        }
        let asked = desired.iter().filter_map(|one| asked_of(context, one));
        Ok(asked.collect())
    })
}

fn asked_of(context: &Context<'_>, one: &Desired) -> Option<(DriverAction, Live)> {
    let id = &one.member.id;
    let action = context
        .catalogue
        .role(&id.service, &id.role)?
        .live
        .clone()?;
    let facts = context.facts.get(&id.host)?;
    let unit = facts.units.get(&one.member.unit)?;
    let live = Live::new(context, one, facts);
    let may_differ = live.may_differ() || differs(one, facts, unit) != Differs::Nothing;
    (unit.active && !unit.is_failing() && may_differ).then_some((action, live))
}
