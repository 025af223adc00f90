//! What is moved between members, as it is planned and as hosts keep it while it is under way: a run that is cut
//! off leaves word of it, and the next one goes on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::facts::HostFacts;
use crate::id::{HostName, InstanceId};
use crate::inventory::Cluster;
use crate::plan::instead;
use crate::plan::model::{ResourceChange, RoleRef};
use crate::plan::paths::HostPaths;

/// What a driver does as members of a role come and go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Moves {
    /// What is done before any member starts empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<ResourceChange>,
    /// What brings back what these had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refill: Vec<ResourceChange>,
    /// What is moved, in order.
    pub changes: Vec<ResourceChange>,
    /// Members that start empty though they had data.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub anew: BTreeSet<InstanceId>,
    /// What is done once those that leave have stopped.
    pub forget: Vec<ResourceChange>,
    /// Votes that members should have and lack.
    pub votes: Vec<ResourceChange>,
    /// Whether the voters are named in members' files and nowhere else: none can come or go.
    pub fixed: bool,
}

/// The same, by role.
pub type MovesOf = BTreeMap<RoleRef, Moves>;

/// One line of what hosts keep.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    role: RoleRef,
    changes: Vec<ResourceChange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refill: Vec<ResourceChange>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    anew: BTreeSet<InstanceId>,
}

/// What a run that was cut off left word of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Begun {
    /// What it was to move.
    pub changes: Vec<ResourceChange>,
    /// What it was to bring back.
    pub refill: Vec<ResourceChange>,
    /// The members that it was to start empty.
    pub anew: BTreeSet<InstanceId>,
}

/// As hosts keep it: a line a role.
#[must_use]
pub fn text(moves: &MovesOf) -> String {
    let line = |(role, moves): (&RoleRef, &Moves)| {
        let refill = moves.first.iter().chain(&moves.refill);
        let line = Line {
            role: role.clone(),
            changes: moves.changes.clone(),
            refill: refill.cloned().collect(),
            anew: moves.anew.clone(),
        };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    };
    moves
        .iter()
        .filter(|(_, moves)| !moves.changes.is_empty() || !moves.anew.is_empty())
        .map(line)
        .collect()
}

/// What hosts keep of moves that were begun and are not known to be over, by role.
#[must_use]
pub fn kept(cluster: &Cluster, facts: &BTreeMap<HostName, HostFacts>) -> BTreeMap<RoleRef, Begun> {
    let mut kept: BTreeMap<RoleRef, Begun> = BTreeMap::new();
    let hosts = cluster.hosts.iter();
    for (name, host) in hosts.filter(|(name, _)| !cluster.replaced.contains_key(*name)) {
        let path = HostPaths::new(&cluster.name, host).moving();
        let file = facts.get(name).and_then(|facts| facts.files.get(&path));
        let lines = file.into_iter().flat_map(|file| file.text.lines());
        for line in lines.filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            let known = kept.entry(line.role).or_default();
            let now = line.anew.iter().map(|id| instead::now(cluster, id));
            known.anew.extend(now);
            add(&mut known.changes, line.changes);
            add(&mut known.refill, line.refill);
        }
    }
    kept
}

fn add(known: &mut Vec<ResourceChange>, more: Vec<ResourceChange>) {
    for change in more {
        if !known.contains(&change) {
            known.push(change);
        }
    }
}

/// The members that a run which was cut off was to start empty and that do not run: what it left in their folders
/// is no data of theirs yet.
#[must_use]
pub fn to_start_anew(
    cluster: &Cluster,
    facts: &BTreeMap<HostName, HostFacts>,
) -> BTreeSet<InstanceId> {
    let begun = kept(cluster, facts).into_values();
    let stopped = |id: &InstanceId| facts.get(&id.host).is_some_and(|f| !f.runs(&id.unit()));
    begun.flat_map(|begun| begun.anew).filter(stopped).collect()
}
