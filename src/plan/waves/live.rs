//! Instances that are changed while they run: nobody is restarted for what they take so.

use super::{Kind, Waves};
use crate::catalogue::Role;
use crate::facts::{HostFacts, UnitFact};
use crate::plan::desired::Desired;
use crate::plan::live::{Differs, Found, Live};
use crate::plan::model::{ResourceChange, RoleRef, Wave};

/// Seconds that such changes may take to come to hold.
const WITHIN: u64 = 60;

impl Waves<'_> {
    /// What was found out of an instance. While members come and go all of them are restarted anyhow.
    fn found(&self, one: &Desired) -> Option<&Found> {
        self.live
            .get(&one.member.id)
            .filter(|_| self.stage.only.is_none())
    }

    /// Whether an instance of this role can be changed while it runs; else it takes it when it starts next.
    fn takes(&self, one: &Desired) -> bool {
        let id = &one.member.id;
        let role = self.context.catalogue.role(&id.service, &id.role);
        role.is_some_and(|role| role.live.is_some())
    }

    /// Whether what differs asks for a restart, and why it does though it is only what could be changed without.
    pub(super) fn not_live(
        &self,
        one: &Desired,
        differs: Differs,
        unit: &UnitFact,
    ) -> Option<Option<String>> {
        match differs {
            Differs::Nothing => None,
            Differs::More => Some(None),
            Differs::Live if unit.is_failing() || self.stage.only.is_some() => Some(None),
            Differs::Live if !self.takes(one) => None,
            Differs::Live => match self.found(one) {
                None => Some(Some("it does not answer what it runs with".to_owned())),
                Some(found) if found.not.is_empty() => None,
                Some(found) => Some(Some(format!("not while it runs: {}", found.not.join(", ")))),
            },
        }
    }

    /// Whether something is changed in an instance that runs.
    pub(super) fn is_given(&self, one: &Desired) -> bool {
        self.found(one)
            .is_some_and(|found| !found.change.is_empty())
    }

    /// How an instance comes by what is changed without a restart.
    pub(super) fn taken_how(&self, one: &Desired) -> String {
        match self.takes(one) {
            true => "it is changed while it runs".to_owned(),
            false => "it has no use for that before it starts next".to_owned(),
        }
    }

    /// What a driver changes in an instance: what it takes while it runs, or, where it is started again, what
    /// would count more than its file.
    pub(super) fn given(
        &self,
        one: &Desired,
        facts: &HostFacts,
        kind: Kind,
    ) -> Option<ResourceChange> {
        let id = &one.member.id;
        let action = self
            .context
            .catalogue
            .role(&id.service, &id.role)?
            .live
            .clone()?;
        let ran = facts.units.get(&one.member.unit)?.running.is_some();
        let live = Live::new(self.context, one, facts);
        let text = match (kind, self.found(one)) {
            (Kind::Live, Some(found)) if !found.change.is_empty() => found.change.join(", "),
            (Kind::Restart, Some(found)) if found.left => return Some(left(&live, &action)),
            // It can't be asked now.
            (Kind::Restart | Kind::Start, None) if ran && live.may_differ() => {
                return Some(left(&live, &action));
            }
            _ => return None,
        };
        Some(live.change(&action, &text))
    }

    /// Brings what instances were given to what their files shall say before they are started with these: one that
    /// is started with values too far from each other may not come up.
    pub(super) fn give_before(&mut self, role: &RoleRef, words: &Role, left: &[ResourceChange]) {
        let answers = |change: &&ResourceChange| {
            Live::of(change).is_some_and(|live| self.live.contains_key(&live.member))
        };
        let changes = left.iter().filter(answers).cloned().collect();
        let wave = self.role_wave(role, words, Kind::Live, Vec::new());
        let wave = Wave {
            title: format!("make {role} ready for its files"),
            resources: changes,
            within: WITHIN,
            ..wave
        };
        self.push_role(role, wave, None);
    }

    /// Changes instances that run, before their files say so: a run that ends in between finds the files as they
    /// were, and goes on.
    pub(super) fn give(&mut self, role: &RoleRef, words: &Role, changes: Vec<ResourceChange>) {
        let wave = self.role_wave(role, words, Kind::Live, Vec::new());
        let wave = Wave {
            title: format!("change {role} while it runs"),
            resources: changes,
            within: WITHIN,
            ..wave
        };
        self.push_role(role, wave, None);
    }
}

fn left(live: &Live, action: &crate::catalogue::descriptor::DriverAction) -> ResourceChange {
    live.change(
        action,
        "what it was given while it ran makes way for its file",
    )
}
