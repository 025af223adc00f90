//! The words for how the members of a role become more or fewer while the cluster runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::descriptor::DriverAction;
use super::probe::Probe;
use crate::id::RoleName;

/// How the members of a role become more or fewer while the cluster runs; a role without it stays as it was
/// first deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scale {
    /// The word of the command line for it: `brokers` makes `sdtd scale --brokers 5`.
    pub flag: String,
    /// The driver's action that moves what members hold: onto those that join, off those that leave.
    #[serde(default)]
    pub moves: Option<DriverAction>,
    /// What must hold before a member that leaves is stopped, asked of it.
    #[serde(default)]
    pub leaves: Vec<Probe>,
    /// Roles before this one whose files name those that leave (templates read them as `leaving.<role>`): they have read
    /// so before any of these is stopped, and read them without once all are gone.
    #[serde(default)]
    pub told: Vec<RoleName>,
    /// How many must stay, for a role whose members hold copies of each other's data.
    #[serde(default)]
    pub least: Option<Least>,
    /// Members have each other in their files: they join and leave one at a time, all others being started
    /// anew with the new list before the next one.
    #[serde(default)]
    pub one_by_one: Option<OneByOne>,
}

/// The members that each piece of data needs to be on: no more of them may leave than leave so many, or all that there
/// were where they were fewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Least {
    /// The key of the inventory's `config:` that says on how many.
    pub key: String,
    /// The number where it says nothing.
    pub default: u16,
}

/// The list of voters that a service keeps by itself. One that joins gets its vote once it follows the others,
/// one that leaves or starts empty gives its own up first; one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Votes {
    /// The driver's action that gives votes and takes them.
    pub action: DriverAction,
    /// What must hold of one without a vote before it gets one.
    pub joined: Vec<Probe>,
}

/// How a member joins others that have it not yet in their files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneByOne {
    /// What must hold of one that joins before the others are started anew with it.
    pub joined: Vec<Probe>,
    /// The same where it joins a single member: it can't follow before that one knows of it.
    pub second: Vec<Probe>,
    /// What must hold of the last one that stays before it is restarted to go on alone.
    #[serde(default)]
    pub alone: Vec<Probe>,
}
