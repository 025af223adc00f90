//! The stages in which the members of roles change: those that have each other in their files come and go one
//! at a time, each change being whole before the next.

use std::collections::BTreeSet;

use crate::catalogue::Catalogue;
use crate::id::{InstanceId, RoleName, ServiceName};
use crate::inventory::Cluster;
use crate::plan::model::RoleRef;
use crate::plan::place::Placement;

/// One step on the way from the members that are to those that shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Who there is once it is done.
    pub placement: Placement,
    /// The role that alone changes in it; none in the last one, which sees to everything.
    pub only: Option<RoleRef>,
    /// Roles that are told in it who leaves, its own where nobody else is; in the last one those that have been told,
    /// and forget it.
    pub told: BTreeSet<RoleRef>,
}

impl Stage {
    /// Whether anything of a service's role is done in it.
    #[must_use]
    pub fn is_about(&self, role: &RoleRef) -> bool {
        self.only.as_ref().is_none_or(|only| only == role) || self.told.contains(role)
    }

    /// The members of its role once it is done, where they come and go one at a time.
    #[must_use]
    pub fn members(&self) -> Option<BTreeSet<InstanceId>> {
        let only = self.only.as_ref().filter(|_| self.told.is_empty())?;
        Some(self.placement.members(only).cloned().collect())
    }

    /// Who there is after it.
    fn after(&self) -> Placement {
        Placement {
            joining: BTreeSet::new(),
            leaving: Vec::new(),
            ..self.placement.clone()
        }
    }

    /// Whether others are told in it that an instance leaves, or it comes in its stead.
    fn has_told(&self, id: &InstanceId) -> bool {
        let leaves = self.placement.leaving.iter().any(|(other, _)| other == id);
        !self.told.is_empty() && (leaves || self.placement.joining.contains(id))
    }
}

/// Whether members may go from one list of each other to another while some still have the first: no majority
/// of the one is without a member in common with each majority of the other, so that nothing is decided twice
/// and nothing decided is missed. With `q` for the size of a majority: `q(old) + q(new) > |old ∪ new|`.
///
/// Source: the proof sketch of "Dynamic Reconfiguration of Primary/Backup Clusters" (Shraer et al., USENIX ATC
/// 2012) for the change of one member, enumerated by the test below.
#[must_use]
pub fn may_follow<T: Ord>(old: &BTreeSet<T>, new: &BTreeSet<T>) -> bool {
    let majority = |of: &BTreeSet<T>| of.len() / 2 + 1;
    majority(old) + majority(new) > old.union(new).count()
}

/// The stages from what is to what is wanted, the last one being for all that may change at once.
#[must_use]
pub fn stages(wanted: &Placement, cluster: &Cluster, catalogue: &Catalogue) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut now = before(wanted);
    for role in roles(wanted) {
        for stage in told(wanted, &now, (cluster, catalogue, &role)) {
            now = stage.after();
            stages.push(stage);
        }
        if !one_by_one(catalogue, &role) && !voting(catalogue, &role) {
            continue;
        }
        let joins = wanted.instances.iter();
        let joins = joins.filter(|(id, _)| role.is_of(id) && wanted.joining.contains(id));
        let leaves = wanted.leaving.iter().filter(|(id, _)| role.is_of(id));
        for one in joins {
            let mut next = now.clone();
            let place = end_of(&next, &role);
            next.instances.insert(place, one.clone());
            next.joining = BTreeSet::from([one.0.clone()]);
            let highest = next.numbers.entry(role.to_string()).or_default();
            *highest = (*highest).max(one.1.unwrap_or_default());
            now = push(&mut stages, &now, next, &role);
        }
        // Voters leave one at a time too, once all others know better.
        for one in leaves.filter(|_| one_by_one(catalogue, &role)) {
            let mut next = now.clone();
            next.instances.retain(|other| other != one);
            next.leaving = vec![one.clone()];
            now = push(&mut stages, &now, next, &role);
        }
    }
    let listed = |id: &InstanceId| one_by_one(catalogue, &RoleRef::of(id));
    let voters = |id: &InstanceId| voting(catalogue, &RoleRef::of(id));
    let mut placement = wanted.clone();
    // Those that came and went in a stage of their own.
    let went = |id: &InstanceId| stages.iter().any(|stage| stage.has_told(id));
    placement
        .joining
        .retain(|id| !listed(id) && !voters(id) && !went(id));
    placement.leaving.retain(|(id, _)| !listed(id) && !went(id));
    let told = stages.iter().flat_map(|stage| &stage.told).cloned();
    stages.push(Stage {
        placement,
        told: told.collect(),
        only: None,
    });
    stages
}

/// The stage in which members of a role leave of whom others must know; before it one each for those that leave of
/// services which need this one: what they have open there would keep its members from giving it to others.
fn told(
    wanted: &Placement,
    now: &Placement,
    (cluster, catalogue, role): (&Cluster, &Catalogue, &RoleRef),
) -> Vec<Stage> {
    let words = catalogue.role(&role.service, &role.role);
    let told = words.map_or(&[][..], |words| words.told());
    if told.is_empty() || !wanted.leaving.iter().any(|(id, _)| role.is_of(id)) {
        return Vec::new();
    }
    let of_service = |other: &RoleName| RoleRef {
        service: role.service.clone(),
        role: other.clone(),
    };
    let mut all = roles(wanted);
    all.retain(|user| needs(cluster, &user.service, &role.service));
    all.retain(|user| !one_by_one(catalogue, user) && !voting(catalogue, user));
    let users = all.iter().rev().map(|user| (user, [user.clone()].into()));
    let own = (role, told.iter().map(of_service).collect());
    let (mut stages, mut now) = (Vec::new(), now.clone());
    for leaving in users.chain([own]) {
        if let Some(stage) = together(wanted, &now, leaving) {
            now = stage.after();
            stages.push(stage);
        }
    }
    stages
}

/// Whether a service needs another one, or one that does.
fn needs(cluster: &Cluster, service: &ServiceName, other: &ServiceName) -> bool {
    let wanted = cluster.services.get(service);
    let mut needed = wanted.into_iter().flat_map(|service| &service.needs);
    needed.any(|need| need == other || needs(cluster, need, other))
}

/// The stage in which members of a role leave together, after those that join, which take what they had; none where
/// none leaves.
fn together(
    wanted: &Placement,
    now: &Placement,
    (role, told): (&RoleRef, BTreeSet<RoleRef>),
) -> Option<Stage> {
    let mut next = now.clone();
    next.leaving = wanted.leaving.clone();
    next.leaving
        .retain(|one| role.is_of(&one.0) && now.instances.contains(one));
    if next.leaving.is_empty() {
        return None;
    }
    next.instances.retain(|one| !next.leaving.contains(one));
    next.joining = wanted.joining.clone();
    next.joining.retain(|id| role.is_of(id));
    let joins = |(id, _): &&(InstanceId, _)| next.joining.contains(id);
    let joining: Vec<_> = wanted.instances.iter().filter(joins).cloned().collect();
    let place = end_of(&next, role);
    next.instances.splice(place..place, joining);
    Some(Stage {
        placement: next,
        only: Some(role.clone()),
        told,
    })
}

/// Adds a stage, and answers with who there is after it.
fn push(stages: &mut Vec<Stage>, now: &Placement, next: Placement, role: &RoleRef) -> Placement {
    debug_assert!(may_follow(
        &now.members(role).collect(),
        &next.members(role).collect()
    ));
    let stage = Stage {
        placement: next,
        only: Some(role.clone()),
        told: BTreeSet::new(),
    };
    let after = stage.after();
    stages.push(stage);
    after
}

/// Where the next member of a role belongs.
fn end_of(placement: &Placement, role: &RoleRef) -> usize {
    let last = placement
        .instances
        .iter()
        .rposition(|(id, _)| role.is_of(id));
    last.map_or(placement.instances.len(), |at| at + 1)
}

/// Who there is now: as wanted, without those that join and with those that leave.
fn before(wanted: &Placement) -> Placement {
    let mut now = wanted.clone();
    now.instances.retain(|(id, _)| !wanted.joining.contains(id));
    for one in wanted.leaving.iter().rev() {
        let place = end_of(&now, &RoleRef::of(&one.0));
        now.instances.insert(place, one.clone());
    }
    // A number is given when the stage of its instance comes: a run that is cut off before gives it then.
    now.numbers.clone_from(&wanted.numbers_before);
    now.joining.clear();
    now.leaving.clear();
    now
}

/// The roles that there are, in order.
fn roles(placement: &Placement) -> Vec<RoleRef> {
    let mut roles: Vec<RoleRef> = placement
        .instances
        .iter()
        .map(|(id, _)| RoleRef::of(id))
        .collect();
    roles.dedup();
    roles
}

/// Whether a role's members come and go one at a time.
fn one_by_one(catalogue: &Catalogue, role: &RoleRef) -> bool {
    let words = catalogue.role(&role.service, &role.role);
    words.is_some_and(|words| words.one_by_one().is_some())
}

/// Whether a role's members come and go, each with a vote in a list that the service keeps.
fn voting(catalogue: &Catalogue, role: &RoleRef) -> bool {
    let words = catalogue.role(&role.service, &role.role);
    words.is_some_and(|words| words.voting().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bits: u32) -> BTreeSet<u32> {
        (0..9).filter(|n| bits & (1 << n) != 0).collect()
    }

    /// Whether some members that are a majority of `old`, and others that are one of `new`, have nobody in common.
    fn can_part(old: u32, new: u32) -> bool {
        let majority = |of: u32| of.count_ones() / 2 + 1;
        let mut part = old;
        while part > 0 {
            if part.count_ones() == majority(old) && (new & !part).count_ones() >= majority(new) {
                return true;
            }
            part = (part - 1) & old;
        }
        false
    }

    #[test]
    fn lists_may_follow_each_other_where_no_two_majorities_can_part() {
        // By symmetry: the old one is the first few of nine, the new one anything.
        for size in 1..=9 {
            let old = (1_u32 << size) - 1;
            for new in 1..(1_u32 << 9) {
                let safe = may_follow(&set(old), &set(new));
                assert_eq!(safe, !can_part(old, new), "{old:b} to {new:b}");
            }
        }
    }

    #[test]
    fn one_more_or_one_less_is_always_safe_and_two_are_not() {
        for size in 1..9_u32 {
            let (few, more) = (set((1 << size) - 1), set((1 << (size + 1)) - 1));
            assert!(may_follow(&few, &more) && may_follow(&more, &few));
        }
        for (from, to) in [(1, 3), (3, 5), (5, 7), (5, 3), (3, 1)] {
            let (old, new) = (set((1 << from) - 1), set((1 << to) - 1));
            assert!(!may_follow(&old, &new), "{from} to {to}");
        }
    }
}
