//! What drivers have to move as members of roles come and go, and what a run that was cut off left undone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Flow};
use crate::catalogue::descriptor::Scale;
use crate::driver::{Call, Driver, Spread, Votes};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::InstanceId;
use crate::inventory::Topic;
use crate::plan::moves::{Begun, Moves, MovesOf, kept};
use crate::plan::packages::Packages;
use crate::plan::place::Placement;
use crate::plan::{Member, ResourceChange, RoleRef, View, room};

/// Copies of what a service keeps for itself, where it has so many members; more than that is nobody's to choose.
pub(super) const COPIES: usize = 3;

static NOTHING: Packages = Packages::new();

/// Free bytes below the data folders of members.
type Free = BTreeMap<InstanceId, u64>;

impl Flow {
    /// What has to be moved: asked of the services where their members change, or did in a run that was cut off.
    ///
    /// # Errors
    /// When a service does not answer, or what it holds can't be where it should.
    pub(super) async fn moves(
        &self,
        facts: &Facts,
        placement: &Placement,
    ) -> Result<MovesOf, Failure> {
        let journal = kept(&self.cluster, facts);
        let mut moves = MovesOf::new();
        if self.cancel {
            return self.called_off(facts, placement, &journal);
        }
        let nobody = self.anew.is_empty() && Changing::nobody(placement);
        if !self.rebalance && journal.is_empty() && nobody {
            return Ok(moves);
        }
        let mut view = self.view(facts);
        let leaving = std::mem::take(&mut view.leaving);
        view.members.extend(leaving);
        for role in view.roles.iter().map(|role| &role.role) {
            let free = || room::free(self.input(facts, &NOTHING, &[]), role, placement);
            let refilled = self.refill(role, (&view, &free), journal.get(role)).await;
            let refilled = refilled.map_err(|problem| Failure::new(Kind::Refused, problem))?;
            moves.extend(refilled.map(|refilled| (role.clone(), refilled)));
            let words = self.catalogue.role(&role.service, &role.role);
            let scale = words.and_then(|words| words.scale.as_ref());
            let Some((scale, action)) = scale.and_then(|s| Some((s, s.moves.as_ref()?))) else {
                continue;
            };
            let change = Changing::of(role, placement);
            let begun = journal.get(role).map(|begun| &begun.changes);
            let begun = begun.filter(|changes| !changes.is_empty());
            if change.is_none() && begun.is_none() && !self.rebalance {
                continue;
            }
            let Some(driver) = self.drivers.get(&action.driver) else {
                continue;
            };
            self.events.phase("moves");
            let prober = self.prober(view.clone());
            let call = prober.call(&action.action, &role.service, None);
            let found = self
                .spread(
                    (role, scale),
                    (&change, begun.map_or(&[], Vec::as_slice), free()),
                    (driver.as_ref(), call),
                    facts,
                )
                .await;
            let mut changes = found.map_err(|problem| Failure::new(Kind::Refused, problem))?;
            // Limits that are still on go first: they would hold up what comes now.
            let left = begun.and_then(|begun| driver.sweep(call, begun));
            changes.splice(0..0, left);
            let gone = change.leaving.iter().filter_map(|id| view.member(id));
            let forget = gone
                .filter_map(|member| driver.forget(call, member))
                .collect();
            let of_role = moves.entry(role.clone()).or_default();
            (of_role.changes, of_role.forget) = (changes, forget);
        }
        Ok(moves)
    }

    /// What calls off all that a run which was cut off has begun to move.
    ///
    /// # Errors
    /// When members come or go: what was begun is part of that.
    fn called_off(
        &self,
        facts: &Facts,
        placement: &Placement,
        journal: &BTreeMap<RoleRef, Begun>,
    ) -> Result<MovesOf, Failure> {
        let view = self.view(facts);
        let mut moves = MovesOf::new();
        for (role, begun) in journal
            .iter()
            .filter(|(_, begun)| !begun.changes.is_empty())
        {
            let words = self.catalogue.role(&role.service, &role.role);
            let Some(scale) = words.and_then(|words| words.scale.as_ref()) else {
                continue;
            };
            if !Changing::of(role, placement).is_none() {
                let cause =
                    format!("members of {role} come or go, and what is moved is part of that");
                let help = format!(
                    "`sdtd scale --{} N` with the number as it was undoes it",
                    scale.flag
                );
                return Err(Failure::new(Kind::Refused, Problem::new(cause).help(help)));
            }
            let action = scale.moves.as_ref();
            let driver = action.and_then(|action| self.drivers.get(&action.driver));
            if let (Some(action), Some(driver)) = (action, driver) {
                let prober = self.prober(view.clone());
                let call = prober.call(&action.action, &role.service, None);
                let off = driver.call_off(call, &begun.changes);
                moves.entry(role.clone()).or_default().changes.extend(off);
            }
        }
        Ok(moves)
    }

    /// What brings back what members of a role had that start empty, or did in a run that was cut off.
    async fn refill(
        &self,
        role: &RoleRef,
        (view, free): (&View, &(dyn Fn() -> Free + Sync)),
        begun: Option<&Begun>,
    ) -> Result<Option<Moves>, Problem> {
        let before = begun.into_iter().flat_map(|begun| &begun.anew);
        let anew = self.anew.iter().chain(before).filter(|id| role.is_of(id));
        let anew: BTreeSet<InstanceId> = anew.cloned().collect();
        if anew.is_empty() {
            return Ok(None);
        }
        let mut moves = Moves {
            anew,
            ..Moves::default()
        };
        let words = self.catalogue.role(&role.service, &role.role);
        let words = words.and_then(|words| words.data.as_ref()?.refill.as_ref());
        let driver = words.and_then(|words| self.drivers.get(&words.action.driver));
        if let (Some(words), Some(driver)) = (words, driver) {
            let prober = self.prober(view.clone());
            let call = prober.call(&words.action.action, &role.service, None);
            let members: Vec<_> = moves.anew.iter().filter_map(|id| view.member(id)).collect();
            let found = driver
                .refill(call, &members, &free(), self.throttle)
                .await?;
            let left = begun.and_then(|begun| driver.sweep(call, &begun.refill));
            moves.first = left.into_iter().chain(found.first).collect();
            moves.refill = found.then;
        }
        Ok(Some(moves))
    }

    /// Who should have a vote and has none, and whose voters can't change at all.
    ///
    /// # Errors
    /// When voters are to come or go where they can't.
    pub(super) async fn votes(
        &self,
        facts: &Facts,
        placement: &Placement,
        moves: &mut MovesOf,
    ) -> Result<(), Failure> {
        let mut view = self.view(facts);
        let leaving = view.leaving.clone();
        view.members.extend(leaving);
        for role in view.roles.iter().map(|role| &role.role) {
            let words = self.catalogue.role(&role.service, &role.role);
            let Some(votes) = words.and_then(|words| words.votes.as_ref()) else {
                continue;
            };
            let change = Changing::of(role, placement);
            let runs = |m: &&Member| facts.get(&m.id.host).is_some_and(|f| f.runs(&m.unit));
            let own = view.of_role(role).filter(runs);
            let stay =
                |m: &&Member| !change.leaving.contains(&m.id) && !change.joining.contains(&m.id);
            let own: Vec<&Member> = own.filter(stay).collect();
            let Some(driver) = self.drivers.get(&votes.action.driver) else {
                continue;
            };
            if own.is_empty() {
                continue;
            }
            let prober = self.prober(view.clone());
            let call = prober.call(&votes.action.action, &role.service, None);
            let gets = |id: &InstanceId| ResourceChange::vote(votes, id, true);
            match driver.votes(call, &own).await {
                Ok(Votes::Kept(lack)) if lack.is_empty() => {}
                Ok(Votes::Kept(lack)) => {
                    moves.entry(role.clone()).or_default().votes = lack.iter().map(gets).collect();
                }
                Ok(Votes::Fixed(problem)) if !change.is_none() => {
                    return Err(Failure::new(Kind::Refused, problem));
                }
                Ok(Votes::Fixed(_)) => moves.entry(role.clone()).or_default().fixed = true,
                // Whoever is to change voters finds out then; all others need no answer.
                Err(_) => {}
            }
        }
        Ok(())
    }

    async fn spread(
        &self,
        (role, scale): (&RoleRef, &Scale),
        (change, begun, free): (&Changing, &[ResourceChange], Free),
        (driver, call): (&dyn Driver, Call<'_>),
        facts: &Facts,
    ) -> Result<Vec<ResourceChange>, Problem> {
        let runs = |m: &&Member| facts.get(&m.id.host).is_some_and(|f| f.runs(&m.unit));
        let view: &View = call.view;
        if view.of_role(role).filter(runs).count() == 0 {
            let cause = format!("none of {role} runs: nobody can say what they hold");
            return Err(Problem::new(cause).help(format!(
                "`sdtd start` first, with the inventory as it was (`--{}`)",
                scale.flag
            )));
        }
        let stay = view
            .of_role(role)
            .filter(|m| !change.leaving.contains(&m.id))
            .count();
        let rack = |m: &Member| {
            let host = self.cluster.hosts.get(&m.id.host)?;
            Some((m.id.clone(), host.rack.clone()?))
        };
        let copies = u16::try_from(stay.min(COPIES)).unwrap_or(1);
        let copies_of = |(name, topic): (&String, &Topic)| {
            Some((name.clone(), u16::try_from(topic.replication).ok()?))
        };
        let topics = self.cluster.topics.iter();
        let wanted = Spread {
            leaving: change.leaving.clone(),
            joining: change.joining.clone(),
            even: change.leaving.is_empty(),
            replication: topics.filter_map(copies_of).collect(),
            internal: Some(copies),
            racks: view.of_role(role).filter_map(rack).collect(),
            at_least: self.copies,
            free,
            throttle: self.throttle,
            begun: begun.to_vec(),
        };
        driver.spread(call, &wanted).await
    }
}

/// The members of a role that come and go.
pub(super) struct Changing {
    pub(super) joining: BTreeSet<InstanceId>,
    leaving: BTreeSet<InstanceId>,
}

impl Changing {
    pub(super) fn of(role: &RoleRef, placement: &Placement) -> Self {
        let leaving = placement.leaving.iter().map(|(id, _)| id);
        Self {
            joining: placement
                .joining
                .iter()
                .filter(|id| role.is_of(id))
                .cloned()
                .collect(),
            leaving: leaving.filter(|id| role.is_of(id)).cloned().collect(),
        }
    }

    /// Whether no role has members that come or go.
    fn nobody(placement: &Placement) -> bool {
        placement.joining.is_empty() && placement.leaving.is_empty()
    }

    fn is_none(&self) -> bool {
        self.joining.is_empty() && self.leaving.is_empty()
    }
}
