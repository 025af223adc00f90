//! Members that come and go: what they hold is moved, those that leave are taken off their hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::memory::own_step;
use super::{Kind, Waves, record_texts};
use crate::catalogue::descriptor::{Probe, Role, Rolling};
use crate::facts::Record;
use crate::id::{HostName, InstanceId, ServiceName};
use crate::plan::compare::Steps;
use crate::plan::desired::Desired;
use crate::plan::held::Held;
use crate::plan::model::{Batch, RoleRef, Step, UnitChange, Wave};
use crate::plan::moves::Moves;
use crate::plan::packages;
use crate::plan::paths::HostPaths;

/// With fewer members a restart ends the service for a moment whatever is asked before: there is nothing that
/// a gate could keep.
const GUARDED: usize = 3;

impl Waves<'_> {
    /// Whether the members of a role have each other in their files, and what must hold of one that joins.
    pub(super) fn joined(&self, role: &RoleRef, words: &Role) -> Option<Vec<Probe>> {
        let one_by_one = words.one_by_one()?;
        Some(match self.count(role) {
            0..GUARDED => one_by_one.second.clone(),
            _ => one_by_one.joined.clone(),
        })
    }

    /// Whether a restart of a role's member has anything to lose by being let through.
    pub(super) fn is_guarded(&self, role: &RoleRef, words: &Role) -> bool {
        words.one_by_one().is_none() || self.count(role) >= GUARDED
    }

    /// Whether a role is becoming three members of two that both must vote: as soon as one of the two is
    /// restarted, it and the third have a majority and may choose the third, which the other does not know yet.
    fn is_third(&self, role: &RoleRef) -> bool {
        let joins = !self.stage.placement.joining.is_empty();
        let listed = self.stage.told.is_empty() && self.stage.only.as_ref() == Some(role);
        listed && joins && self.count(role) == GUARDED
    }

    /// What must hold before a member of a role is restarted.
    pub(super) fn before(&self, role: &RoleRef, words: &Role) -> Vec<Probe> {
        if !self.is_guarded(role, words) {
            // A restart ends the service for a moment; the other must be there to go on with.
            let words = words.one_by_one().into_iter();
            let second = words.clone().flat_map(|words| &words.second);
            let others = second.map(|probe| Probe::Others(Box::new(probe.clone())));
            let alone = words.flat_map(|words| &words.alone);
            let goes_alone = self.count(role) == 1 && !self.leaving_of(role).is_empty();
            let alone = alone.filter(|_| goes_alone).cloned();
            others.chain(alone).collect()
        } else if self.is_third(role) {
            // All of them, or the others, led by one whom it does not know.
            vec![Probe::AnyOf(vec![Probe::Quorum, Probe::QuorumOthers])]
        } else {
            let least = words.rolling.least.clone();
            let least = least.filter(|_| self.roll.least);
            least.unwrap_or_else(|| words.rolling.before.clone())
        }
    }

    /// How many members of a role may be down at once: where they come and go one at a time, one.
    pub(super) fn width(&self, role: &RoleRef, rolling: &Rolling) -> u16 {
        match self.stage.only {
            None => self.roll.width_of(role, rolling.width),
            Some(_) => rolling.width,
        }
    }

    /// What must hold after it.
    pub(super) fn ready(&self, role: &RoleRef, words: &Role) -> Vec<Probe> {
        if let Some(words) = words.one_by_one()
            && !self.leaving_of(role).is_empty()
            && self.count(role) + 1 == GUARDED
        {
            // One of two that knows the other only finds the old three agreed without it.
            return words.second.clone();
        }
        let mut ready = words.rolling.ready.clone();
        ready.retain(|probe| !self.is_third(role) || *probe != Probe::Quorum);
        ready
    }

    fn count(&self, role: &RoleRef) -> usize {
        self.context.placement.members(role).count()
    }

    fn leaving_of(&self, role: &RoleRef) -> Vec<&Desired> {
        let all = self.leaving.iter();
        all.filter(|one| role.is_of(&one.member.id)).collect()
    }

    /// Who counts as a member of a role while waves of a kind are done, where that differs from the end.
    pub(super) fn members(&self, role: &RoleRef, kind: Kind) -> Option<BTreeSet<InstanceId>> {
        let mut members = self.stage.members()?;
        let leaving = self.leaving_of(role);
        // Until all others know better, one that leaves follows as before. Beside a single one it can't.
        if kind == Kind::Restart && members.len() > 1 {
            members.extend(leaving.iter().map(|one| one.member.id.clone()));
        }
        Some(members)
    }

    /// One that starts while others must be started anew with it in their files joins them: it can't be ready as
    /// one of them before they were.
    pub(super) fn some_join(&self, role: &RoleRef, words: &Role, by_kind: &mut [(Kind, Batch)]) {
        let restarts = by_kind.iter().any(|(kind, _)| *kind == Kind::Restart);
        if !restarts || self.joined(role, words).is_none() {
            return;
        }
        for (kind, batch) in by_kind.iter_mut().filter(|(kind, _)| *kind == Kind::Start) {
            *kind = Kind::Join;
            batch.because = vec!["it joins the others".to_owned()];
        }
    }

    /// Whether there are others who can be asked to be whole before one joins them: it follows only if all of
    /// those do whom it needs for a majority of its own list.
    pub(super) fn joins_alone(&self, role: &RoleRef, wave: &Wave) -> bool {
        self.stage.only.is_some() && wave.batches.len() == 1 && self.count(role) >= GUARDED
    }

    /// Members of a list that leave and happen to lead it give that up before the others forget them.
    pub(super) fn step_down(&mut self, role: &RoleRef, words: &Role) {
        let leaving = self.leaving_of(role);
        if leaving.is_empty() || words.one_by_one().is_none() || !self.is_guarded(role, words) {
            return;
        }
        let because = "it leaves, and must not lead while it does".to_owned();
        let batches = leaving
            .iter()
            .map(|one| self.unit_batch(one, UnitChange::Restart, because.clone()));
        let batches: Vec<Batch> = batches.collect();
        let wave = self.role_wave(role, words, Kind::Restart, batches);
        let wave = Wave {
            title: format!("have {role} led by one that stays"),
            provided: Some(Probe::QuorumLeader),
            last: None,
            ..wave
        };
        self.push_role(role, wave, None);
    }

    pub(super) fn unit_batch(&self, one: &Desired, to: UnitChange, because: String) -> Batch {
        Batch {
            host: one.member.id.host.clone(),
            instance: Some(one.member.id.clone()),
            because: vec![because],
            steps: vec![Step::Unit {
                unit: one.member.unit.clone(),
                to,
                within: one.stop_within,
            }],
        }
    }

    /// Where members join, what they hold is moved before the others are changed: by then there are as many
    /// copies of it as the others' new settings want.
    pub(super) fn moves_before(&mut self, role: &RoleRef) {
        if self.leaving_of(role).is_empty() {
            self.moves(role);
        }
    }

    /// Where members leave it is moved after the others are changed: they want fewer copies then.
    pub(super) fn moves_after(&mut self, role: &RoleRef) {
        if !self.leaving_of(role).is_empty() {
            self.moves(role);
        }
    }

    fn moves(&mut self, role: &RoleRef) {
        let Some(moves) = self
            .moves_of
            .get(role)
            .filter(|_| self.stage.only.is_none())
        else {
            return;
        };
        let title = match moves.changes.is_empty() {
            true => format!("bring back what {role} held"),
            false => format!("move what {role} holds"),
        };
        let wave = Wave {
            title,
            role: Some(role.clone()),
            after: self.of_service.values().flatten().copied().collect(),
            resources: moves.refill.iter().chain(&moves.changes).cloned().collect(),
            ..Wave::default()
        };
        self.push_role(role, wave, None);
    }

    /// What has to be done before members of a role start empty.
    pub(super) fn before_anew(&mut self, role: &RoleRef, words: &Role) {
        let moves = self.moves_of.get(role);
        let Some(moves) = moves.filter(|_| self.stage.only.is_none()) else {
            return;
        };
        let wave = self.role_wave(role, words, Kind::Tidy, Vec::new());
        let wave = Wave {
            title: format!("limit how fast {role} is filled again"),
            resources: moves.first.clone(),
            ..wave
        };
        self.push_role(role, wave, None);
    }

    /// What must hold of one that started empty before it gets back what it had; none where nothing is brought back.
    pub(super) fn begun(&self, role: &RoleRef, words: &Role) -> Option<Vec<Probe>> {
        let refilled = |moves: &&Moves| !moves.refill.is_empty();
        self.moves_of.get(role).filter(refilled)?;
        let refill = words.data.as_ref()?.refill.as_ref()?;
        Some(refill.begun.clone())
    }

    /// Nothing is under way any more.
    pub fn moved(&mut self) {
        if self.stage.only.is_some() {
            return;
        }
        let mut batches = Vec::new();
        for (name, paths, facts) in self.context.asked() {
            let mut steps = Steps::default();
            if facts.files.contains_key(&paths.moving()) || !self.moving.is_empty() {
                let (path, data) = (paths.moving(), false);
                steps.steps.push(Step::Remove { path, data });
            }
            batches.extend(self.batch(name, steps));
        }
        self.push_last("all is moved", batches);
    }

    /// Stops those that leave, and takes off their hosts what was theirs.
    pub(super) fn leave(&mut self, role: &RoleRef, words: &Role) {
        let leaving: Vec<Desired> = self.leaving_of(role).into_iter().cloned().collect();
        if leaving.is_empty() {
            return;
        }
        if words.voting().is_none() {
            self.leave_together((role, words), &leaving, true);
        }
    }

    /// Voters leave once everybody who looks for them knows the others.
    pub fn voters_leave(&mut self, role: &RoleRef) {
        let words = self.context.catalogue.role(&role.service, &role.role);
        let Some(words) = words.filter(|words| words.voting().is_some()) else {
            return;
        };
        let leaving: Vec<Desired> = self.leaving_of(role).into_iter().cloned().collect();
        for (n, one) in leaving.iter().enumerate() {
            self.take_votes((role, words), std::slice::from_ref(&one.member.id));
            let last = n + 1 == leaving.len();
            self.leave_together((role, words), std::slice::from_ref(one), last);
        }
    }

    /// `last`: nobody leaves after them, so that all can be forgotten.
    fn leave_together(
        &mut self,
        (role, words): (&RoleRef, &Role),
        leaving: &[Desired],
        last: bool,
    ) {
        let mut batches = Vec::new();
        for one in leaving {
            let mut batch =
                self.unit_batch(one, UnitChange::Stop, "it is no longer wanted".to_owned());
            let left = self.draining(one).and_then(|one| one.left());
            batch.steps.splice(0..0, left);
            batch.steps.extend(self.taken_off(one));
            batches.push(batch);
        }
        let before = match words.one_by_one() {
            None => words.scale.as_ref().map(|scale| scale.leaves.clone()),
            // The others agree without it.
            Some(_) if self.count(role) == 1 => Some(vec![Probe::Quorum]),
            Some(_) => Some(vec![Probe::QuorumOthers]),
        };
        let wave = self.role_wave(role, words, Kind::Tidy, batches);
        let wave = Wave {
            title: format!("take {role} off"),
            members: self.members(role, Kind::Restart),
            resources: self
                .moves_of
                .get(role)
                .filter(|_| last)
                .map(|moves| moves.forget.clone())
                .unwrap_or_default(),
            width: Some(1),
            before: before.unwrap_or_default(),
            within: words.rolling.within,
            ..wave
        };
        self.push_role(role, wave, None);
    }

    /// What is removed of an instance, and of its service where it was the last of it on its host.
    pub(super) fn taken_off(&self, one: &Desired) -> Vec<Step> {
        let id = &one.member.id;
        let host = &self.context.cluster.hosts[&id.host];
        let paths = HostPaths::new(&self.context.cluster.name, host);
        let stay = || {
            self.desired
                .iter()
                .filter(|other| other.member.id.host == id.host)
        };
        let last = !stay().any(|other| other.member.id.service == id.service);
        let used: BTreeSet<&str> = stay()
            .flat_map(|other| other.files.iter().map(|file| file.path.as_str()))
            .collect();
        let remove = |path: String| Step::Remove { path, data: false };
        let (unit, within) = (one.member.unit.clone(), one.stop_within);
        let to = UnitChange::Disable;
        let mut steps = vec![Step::Unit { unit, to, within }];
        let data = one.data.iter().cloned();
        steps.extend(data.map(|path| Step::Remove { path, data: true }));
        let files = one.files.iter().map(|file| file.path.clone());
        let files = files.filter(|path| !used.contains(path.as_str()));
        // What lies in its data went with them.
        let elsewhere = |path: &String| !one.data.iter().any(|dir| path.starts_with(dir.as_str()));
        steps.extend(files.filter(elsewhere).map(remove));
        steps.push(remove(one.unit.path.clone()));
        steps.push(remove(paths.unit(&one.member.unit)));
        if last {
            let service = &id.service;
            let folders = self.context.catalogue.folders(service);
            let own = [
                paths.config(folders),
                paths.logs(folders),
                paths.data(folders),
                paths.hooks(service),
            ];
            steps.extend(own.map(remove));
            // Java and their like stay as long as anything there needs them.
            let needed = |name: &ServiceName| {
                stay().any(|other| {
                    let other = &other.member.id.service;
                    other == name || self.context.cluster.services[other].needs.contains(name)
                })
            };
            let needs = self.context.cluster.services[service].needs.iter();
            let unused = needs.filter(|name| !needed(name)).chain([service]);
            let link = |name| packages::link(self.context.catalogue, name, &paths);
            steps.extend(unused.filter_map(link).map(remove));
        }
        steps
    }

    /// Takes the rest off hosts that shall be forgotten.
    pub fn leave_hosts(&mut self, batches: Vec<Batch>) {
        self.push_last("remove from hosts that are not in the inventory", batches);
    }

    /// Those that left are forgotten: by the records, and by what is remembered of data; so is the value that a
    /// setting on its way had before.
    pub fn forget_the_left(
        &mut self,
        title: &str,
        records: &BTreeMap<HostName, Record>,
        held: &Held,
    ) {
        let held = self
            .leaving
            .iter()
            .fold(held.clone(), |held, one| held.without(&one.member.id));
        let mut texts = record_texts(records);
        let mut batches = Vec::new();
        for (name, paths, facts) in self.context.asked() {
            let remembered = self.remembered(name, facts);
            let mut steps = Steps::default();
            if remembered.as_deref() != Some(&held.text()) {
                steps
                    .steps
                    .push(own_step(&paths, paths.held(), remembered, held.text()));
            }
            let before = self.recorded.get(name).cloned();
            let after = texts.remove(name);
            if let Some(after) = after.filter(|after| before.as_ref() != Some(after)) {
                steps
                    .steps
                    .push(own_step(&paths, paths.record(), before, after));
            }
            batches.extend(self.batch(name, steps));
        }
        self.push_last(title, batches);
    }
}
