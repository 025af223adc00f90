//! The wave that each kind of change asks for.

use std::collections::BTreeSet;

use super::{Kind, Waves};
use crate::catalogue::Role;
use crate::catalogue::descriptor::Probe;
use crate::plan::model::{Batch, ResourceChange, RoleRef, Step, Wave};

impl Waves<'_> {
    /// The waves that one of a role comes after: those that must be over everywhere, and those that must be on the
    /// same host.
    fn waits_for(&self, role: &RoleRef, batches: &[Batch]) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let mut after: BTreeSet<usize> = BTreeSet::new();
        let mut on_host: BTreeSet<usize> = self.prepared.iter().copied().collect();
        on_host.extend(self.installed.get(&role.service));
        after.extend(self.of_service.get(&role.service).into_iter().flatten());
        after.extend(self.switched_off);
        let needs = self.context.cluster.services.get(&role.service);
        for need in needs.into_iter().flat_map(|service| &service.needs) {
            on_host.extend(self.installed.get(need));
            after.extend(self.of_service.get(need).into_iter().flatten());
        }
        // What is done only once uses values that must be recorded everywhere before.
        let mut steps = batches.iter().flat_map(|batch| &batch.steps);
        if steps.any(|step| matches!(step, Step::Once { .. })) {
            after.extend(&self.prepared);
        }
        (after, on_host)
    }

    pub(super) fn role_wave(
        &self,
        role: &RoleRef,
        words: &Role,
        kind: Kind,
        batches: Vec<Batch>,
    ) -> Wave {
        let (after, on_host) = self.waits_for(role, &batches);
        let what = match kind {
            Kind::Start => "start",
            Kind::Join => "add to",
            Kind::Anew => "start empty",
            Kind::Restart => "restart",
            Kind::Reload => "reload",
            Kind::Live => "write down",
            Kind::Tidy => "tidy",
        };
        let wave = Wave {
            title: format!("{what} {role}"),
            role: Some(role.clone()),
            after: after.into_iter().collect(),
            after_on_host: on_host.into_iter().collect(),
            batches,
            members: self.members(role, kind),
            ..Wave::default()
        };
        let rolling = words.rolling.clone();
        let settle = rolling.settle.as_ref();
        let settle = settle.map(|settle| ResourceChange::settle(role, settle));
        match kind {
            Kind::Tidy | Kind::Live => wave,
            Kind::Join => Wave {
                width: self.joins_alone(role, &wave).then_some(1),
                before: if self.joins_alone(role, &wave) {
                    vec![Probe::QuorumOthers]
                } else {
                    Vec::new()
                },
                ready: self.joined(role, words).unwrap_or_default(),
                within: words.run.ready_within,
                ..wave
            },
            Kind::Start | Kind::Reload => Wave {
                ready: rolling.ready,
                within: words.run.ready_within,
                ..wave
            },
            Kind::Anew => Wave {
                width: Some(rolling.width),
                before: words.data.clone().map(|data| data.anew).unwrap_or_default(),
                ready: self.begun(role, words).unwrap_or(rolling.ready),
                within: rolling.within,
                ..wave
            },
            Kind::Restart => Wave {
                width: Some(self.width(role, &rolling)),
                together: rolling.together,
                resources: settle
                    .filter(|_| !wave.batches.is_empty())
                    .into_iter()
                    .collect(),
                before: [self.gate(role), &self.before(role, words)].concat(),
                // While members come and go one at a time, some of them serve nobody for a moment by design.
                mend: rolling
                    .mend
                    .filter(|_| self.stage.only.is_none() && self.gate(role).is_empty()),
                ready: self.ready(role, words),
                last: rolling.last,
                within: rolling.within,
                ..wave
            },
        }
    }
}
