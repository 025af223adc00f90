//! What one instance needs, and what that asks of it while it runs.

use super::{Kind, Waves, own_file, root_owner};
use crate::catalogue::Role;
use crate::catalogue::descriptor::OnChange;
use crate::facts::HostFacts;
use crate::plan::compare::Steps;
use crate::plan::desired::{Desired, DesiredFile, DesiredOnce, knows_too_few};
use crate::plan::live::{Differs, Print, differs, kept_as};
use crate::plan::model::{Batch, RoleRef, Step, UnitChange, Wave};
use crate::plan::paths::HostPaths;
use crate::plan::versions::held_keys;

/// Tells a step that is done once that there are others who hold data.
const JOINS: &str = "SDTD_JOINS";

impl Waves<'_> {
    pub(super) fn instance(&self, one: &Desired, facts: &HostFacts) -> (Kind, Steps, Vec<String>) {
        let host = &self.context.cluster.hosts[&one.member.id.host];
        let paths = HostPaths::new(&self.context.cluster.name, host);
        let root = root_owner(&paths);
        let user = one.member.user.as_ref();
        let mut steps = Steps::default();
        let mut because = Vec::new();
        let state = paths.unit(&one.member.unit);
        steps.dir(facts, &state, root.as_ref(), "0755");
        for (path, mode) in &one.dirs {
            steps.dir(facts, path, user, mode);
        }
        let (last, first): (Vec<_>, Vec<_>) = one
            .files
            .iter()
            .partition(|file| self.lets_go(one, file, facts));
        let mut written = |steps: &mut Steps, file: &DesiredFile| {
            if steps.file(facts, file, user) {
                because.push(file.path.rsplit('/').next().unwrap_or_default().to_owned());
            }
        };
        first.iter().for_each(|file| written(&mut steps, file));
        let run = steps.file(facts, &one.unit, root.as_ref());
        last.iter().for_each(|file| written(&mut steps, file));
        if run {
            because.push("how it is run".to_owned());
        }
        let (path, text) = one.wanted.clone();
        let text = kept_as(text, facts.files.get(&path));
        steps.file(facts, &own_file(path, text), root.as_ref());
        self.outdated(one, facts, &mut steps);
        self.once(one, facts, &mut steps);
        let kind = self.unit_steps(one, facts, &mut steps, &mut because);
        if self.anew.contains(&one.member.id) {
            because.push("its data are lost, and it is to start without them".to_owned());
            return (Kind::Anew, steps, because);
        }
        (kind, steps, because)
    }

    /// Whether a file no longer holds what it holds now. Such a one is written once the unit runs the version that
    /// is to read it: a newer one that starts by itself in between would do what the others can't yet.
    fn lets_go(&self, one: &Desired, file: &DesiredFile, facts: &HostFacts) -> bool {
        let service = &self.context.cluster.services[&one.member.id.service];
        let now = facts.files.get(&file.path).map(|now| now.text.as_str());
        let mut keys = held_keys(self.context.catalogue, service).into_iter();
        keys.any(|key| {
            let held = |text: &str| {
                text.lines()
                    .any(|line| line.starts_with(&format!("{key}=")))
            };
            now.is_some_and(held) && !held(&file.text)
        })
    }

    /// Files that another version had and that nothing on the host has any more.
    fn outdated(&self, one: &Desired, facts: &HostFacts, steps: &mut Steps) {
        let here = |other: &&Desired| other.member.id.host == one.member.id.host;
        let wanted = |path: &String| {
            let mut files = self
                .desired
                .iter()
                .filter(here)
                .flat_map(|other| &other.files);
            files.any(|file| &file.path == path)
        };
        let there = one
            .others
            .iter()
            .filter(|path| facts.files.contains_key(*path));
        let remove = |path: &String| Step::Remove {
            path: path.clone(),
            data: false,
        };
        steps
            .steps
            .extend(there.filter(|path| !wanted(path)).map(remove));
    }

    fn once(&self, one: &Desired, facts: &HostFacts, steps: &mut Steps) {
        let id = &one.member.id;
        let joins = self.anew.contains(id) || self.stage.placement.joining.contains(id);
        let joins = joins.then(|| (JOINS.to_owned(), "1".to_owned()));
        for once in one.once.iter().filter(|once| !once.late) {
            let again = once.again || self.anew.contains(&one.member.id);
            match (facts.markers.contains(&once.marker), again) {
                (true, false) => {
                    steps.unchanged += 1;
                    continue;
                }
                // What it made is lost with the data, or a new folder needs it too.
                (true, true) => steps.steps.push(Step::Remove {
                    path: once.marker.clone(),
                    data: false,
                }),
                (false, _) => {}
            }
            let mut step = once_step(one, once);
            if let Step::Once { env, .. } = &mut step {
                env.extend(joins.clone());
            }
            steps.steps.push(step);
        }
    }

    /// What members do once as soon as all of them are ready. A run that was cut off before leaves it to the next one.
    pub(super) fn late(&mut self, role: &RoleRef, words: &Role) {
        if self.stage.only.is_some() {
            return;
        }
        let mut batches = Vec::new();
        for one in self.desired.iter().filter(|one| role.is_of(&one.member.id)) {
            let id = &one.member.id;
            let Some(facts) = self.context.facts.get(&id.host) else {
                continue;
            };
            let lacks = |once: &&DesiredOnce| once.late && !facts.markers.contains(&once.marker);
            let steps: Vec<Step> = one
                .once
                .iter()
                .filter(lacks)
                .map(|once| once_step(one, once))
                .collect();
            batches.extend((!steps.is_empty()).then(|| Batch {
                host: id.host.clone(),
                instance: Some(id.clone()),
                because: vec!["it is new".to_owned()],
                steps,
            }));
        }
        let wave = self.role_wave(role, words, Kind::Tidy, batches);
        let title = format!("complete {role}");
        self.push_role(role, Wave { title, ..wave }, None);
    }

    fn unit_steps(
        &self,
        one: &Desired,
        facts: &HostFacts,
        steps: &mut Steps,
        because: &mut Vec<String>,
    ) -> Kind {
        let unit = facts
            .units
            .get(&one.member.unit)
            .cloned()
            .unwrap_or_default();
        let name = &one.member.unit;
        if !unit.active {
            because.clear();
            because.push("it does not run".to_owned());
            steps.unit(name, UnitChange::Start, one.stop_within);
            self.filled_late(one, facts, steps);
            return Kind::Start;
        }
        let wanted = Print::of(&one.wanted.1);
        let running = Print::of(unit.running.as_deref().unwrap_or_default());
        fn words(list: &[String]) -> Vec<&str> {
            list.iter().map(String::as_str).collect()
        }
        let (lists, known) = (words(&wanted.lists), words(&running.lists));
        // Who votes keeps in its data who else does. Restarted for a list, the only one that those who were started
        // before know would be away for a moment: they would have nobody left to ask.
        let id = &one.member.id;
        let role = self.context.catalogue.role(&id.service, &id.role);
        let votes = role.is_some_and(|role| role.votes.is_some());
        let differs = differs(one, facts, &unit);
        let not_live = self.not_live(one, differs, &unit);
        if not_live.is_some() || !votes && knows_too_few(&lists, &known) {
            because.extend(not_live.flatten());
            if because.is_empty() {
                because.push("it runs with what was there before".to_owned());
            }
            self.drained(one, steps);
            steps.unit(name, UnitChange::Restart, one.stop_within);
            self.filled(one, steps);
            // Behind the gates it would wait for itself: they want everybody to be well.
            if unit.is_failing() {
                because.push("it dies again and again".to_owned());
                return Kind::Start;
            }
            return Kind::Restart;
        }
        // One that was started again by itself and runs is left alone: it may just have come back.
        if unit.state == "activating" {
            because.push("it dies again and again".to_owned());
            steps.unit(name, UnitChange::Restart, one.stop_within);
            return Kind::Start;
        }
        let reloads = one.files.iter().any(|f| f.on_change == OnChange::Reload);
        if reloads && wanted.reload != running.reload {
            steps.unit(name, UnitChange::Reload, one.stop_within);
            return Kind::Reload;
        }
        self.filled_late(one, facts, steps);
        if !unit.enabled {
            because.push("it would not start at boot".to_owned());
            steps.unit(name, UnitChange::Enable, one.stop_within);
        }
        if differs == Differs::Live {
            because.push(self.taken_how(one));
            steps.unit(name, UnitChange::Adopt, one.stop_within);
        } else {
            steps.unchanged += 1;
        }
        match differs == Differs::Live || self.is_given(one) {
            true => Kind::Live,
            false => Kind::Tidy,
        }
    }
}

/// A step that an instance does once.
fn once_step(one: &Desired, once: &DesiredOnce) -> Step {
    Step::Once {
        name: once.name.clone(),
        hook: once.hook.clone(),
        marker: once.marker.clone(),
        user: one.member.user.clone(),
        env: one.member.env.clone(),
        within: once.within,
    }
}
