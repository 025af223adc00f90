//! What is moved between members, as it is planned and as hosts keep it while it is under way: a run that is cut
//! off leaves word of it, and the next one goes on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::HostFacts;
use crate::id::HostName;
use crate::inventory::Cluster;
use crate::plan::model::{ResourceChange, RoleRef};
use crate::plan::paths::HostPaths;

/// What a driver does as members of a role come and go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Moves {
    /// What is moved, in order.
    pub changes: Vec<ResourceChange>,
    /// What is done once those that leave have stopped.
    pub forget: Vec<ResourceChange>,
}

/// The same, by role.
pub type MovesOf = BTreeMap<RoleRef, Moves>;

/// One line of what hosts keep.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    role: RoleRef,
    changes: Vec<ResourceChange>,
}

/// As hosts keep it: a line a role.
#[must_use]
pub fn text(moves: &MovesOf) -> String {
    let line = |(role, moves): (&RoleRef, &Moves)| {
        let (role, changes) = (role.clone(), moves.changes.clone());
        serde_json::to_string(&Line { role, changes }).unwrap_or_default() + "\n"
    };
    moves
        .iter()
        .filter(|(_, moves)| !moves.changes.is_empty())
        .map(line)
        .collect()
}

/// What hosts keep of moves that were begun and are not known to be over, by role.
#[must_use]
pub fn kept(
    cluster: &Cluster,
    facts: &BTreeMap<HostName, HostFacts>,
) -> BTreeMap<RoleRef, Vec<ResourceChange>> {
    let mut kept: BTreeMap<RoleRef, Vec<ResourceChange>> = BTreeMap::new();
    for (name, host) in &cluster.hosts {
        let path = HostPaths::new(&cluster.name, host).moving();
        let file = facts.get(name).and_then(|facts| facts.files.get(&path));
        let lines = file.into_iter().flat_map(|file| file.text.lines());
        for line in lines.filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            let known = kept.entry(line.role).or_default();
            for change in line.changes {
                if !known.contains(&change) {
                    known.push(change);
                }
            }
        }
    }
    kept
}
