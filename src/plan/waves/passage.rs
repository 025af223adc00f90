//! What a step on the way of a setting adds: members of roles that there are no more stop, what they did outside of
//! files is undone, and restarts wait for what must be over before.

use std::collections::BTreeSet;

use super::Waves;
use crate::catalogue::descriptor::{Probe, Undo};
use crate::plan::desired::{Desired, once_marker};
use crate::plan::model::{Batch, RoleRef, Step, UnitChange, Wave};
use crate::plan::paths::HostPaths;

impl Waves<'_> {
    /// What must hold before any instance of a role is restarted in this step.
    pub(super) fn gate(&self, role: &RoleRef) -> &[Probe] {
        let of = self.passage.filter(|way| way.service == role.service);
        of.map_or(&[], |way| &way.gate)
    }

    /// Members of roles that there are no more stop, all at once: nobody needs what they agree on any more.
    pub fn retire(&mut self) {
        let gone = self.leaving.iter().map(|one| RoleRef::of(&one.member.id));
        let gone: BTreeSet<RoleRef> = gone.filter(|role| !self.context.has(role)).collect();
        for role in &gone {
            let own = self.leaving.iter().filter(|one| role.is_of(&one.member.id));
            let because = || "there is no such role any more".to_owned();
            let off = |one: &Desired| {
                let mut batch = self.unit_batch(one, UnitChange::Stop, because());
                batch.steps.extend(self.taken_off(one));
                batch
            };
            let wave = Wave {
                title: format!("take {role} off"),
                role: Some(role.clone()),
                after: self.prepared.clone(),
                batches: own.map(off).collect(),
                ..Wave::default()
            };
            self.push_role(role, wave, None);
            if let Some(undo) = self.passage.and_then(|way| way.undo.clone()) {
                self.undo(role, &undo);
            }
        }
    }

    /// A hook on the first member's host, however often it was run before.
    fn undo(&mut self, role: &RoleRef, undo: &Undo) {
        let of_service = |one: &&Desired| one.member.id.service == role.service;
        let Some(one) = self.desired.iter().find(of_service) else {
            return;
        };
        let member = &one.member;
        let paths = HostPaths::new(
            &self.context.cluster.name,
            &self.context.cluster.hosts[&member.id.host],
        );
        let marker = once_marker(&paths.unit(&member.unit), "undo");
        let steps = vec![
            Step::Remove {
                path: marker.clone(),
                data: false,
            },
            Step::Once {
                name: undo.text.clone(),
                hook: format!("{}/{}", member.hooks, undo.hook),
                marker,
                user: member.user.clone(),
                env: member.env.clone(),
                within: undo.within,
            },
        ];
        let wave = Wave {
            title: undo.text.clone(),
            role: Some(role.clone()),
            after: self
                .of_service
                .get(&role.service)
                .cloned()
                .unwrap_or_default(),
            batches: vec![Batch {
                host: member.id.host.clone(),
                instance: Some(member.id.clone()),
                because: vec![format!("{role} has stopped")],
                steps,
            }],
            ..Wave::default()
        };
        self.push_role(role, wave, None);
    }
}
