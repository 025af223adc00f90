//! What hosts remember of data: taken out before an instance starts empty, put in when all runs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Waves, own_file, root_owner};
use crate::facts::HostFacts;
use crate::id::{HostName, InstanceId};
use crate::plan::compare::Steps;
use crate::plan::desired::DesiredFile;
use crate::plan::held::Held;
use crate::plan::model::{RoleRef, Step, Wave};
use crate::plan::packages;
use crate::plan::paths::HostPaths;
use crate::plan::previous::Previous;

impl Waves<'_> {
    /// Which folders hold data, once a role runs: on all hosts, since a replaced board has forgotten.
    pub fn remember(&mut self, role: &RoleRef, held: &str) {
        let mut batches = Vec::new();
        for (name, paths, facts) in self.context.asked() {
            let (now, after) = (self.remembered(name, facts), held.to_owned());
            let mut steps = Steps::default();
            if now.as_ref() != Some(&after) {
                steps.steps.push(own_step(&paths, paths.held(), now, after));
            }
            batches.extend(self.batch(name, steps));
            self.remembered.insert(name.clone(), held.to_owned());
        }
        // One after another, since they write the same file.
        let waves = self.of_service.get(&role.service).into_iter().flatten();
        let before = self.remembering.iter().map(|(_, wave)| wave);
        let wave = Wave {
            title: format!("remember that {role} holds data"),
            after: waves.chain(before).copied().collect(),
            after_on_host: self.prepared.clone(),
            batches,
            ..Wave::default()
        };
        let index = self.push(wave);
        let of = |wave| (role.service.clone(), wave);
        self.remembering.extend(index.map(of));
    }

    /// What hosts had, before any of it changes.
    pub fn keep(&mut self, previous: &BTreeMap<HostName, Previous>) {
        let mut batches = Vec::new();
        for (name, paths, facts) in self.context.asked() {
            let Some(had) = previous.get(name) else {
                continue;
            };
            let mut steps = Steps::default();
            // As secret as what is in it.
            let file = DesiredFile {
                mode: "0600".to_owned(),
                ..own_file(paths.previous(), had.text())
            };
            steps.file(facts, &file, root_owner(&paths).as_ref());
            batches.extend(self.batch(name, steps));
        }
        self.push_prepared("keep the way back", batches);
    }

    /// What hosts had is no way back any more, once other members come and go.
    pub fn end_the_way_back(&mut self) {
        let mut batches = Vec::new();
        for (name, paths, facts) in self.context.asked() {
            let kept = facts.files.contains_key(&paths.previous());
            let (path, data) = (paths.previous(), false);
            let mut steps = Steps::default();
            steps
                .steps
                .extend(kept.then_some(Step::Remove { path, data }));
            batches.extend(self.batch(name, steps));
        }
        self.push_prepared("there is no way back over this", batches);
    }

    /// Takes package trees off the hosts that nothing runs from, neither now nor before the last change, and no
    /// other cluster either.
    pub fn clean(&mut self, previous: &BTreeMap<HostName, Previous>) {
        let mut batches = Vec::new();
        for (name, paths, facts) in self.context.asked() {
            let home = |tree: &String| format!("{}/{tree}", paths.store());
            let here = self.trees.iter().filter(|((of, _), _)| of == name);
            let runs: BTreeSet<&String> = here.map(|(_, tree)| &tree.home).collect();
            let words = (self.context.cluster, self.context.catalogue);
            let old = packages::own_trees(words, facts).filter(|tree| {
                let path = home(tree);
                let before = previous.get(name).is_some_and(|p| p.needs(&path));
                !before && !runs.contains(&path)
            });
            let remove = |tree: &String| Step::Remove {
                path: home(tree),
                data: false,
            };
            let steps = Steps {
                steps: old.map(remove).collect(),
                ..Steps::default()
            };
            batches.extend(self.batch(name, steps));
        }
        self.push_last("clean the store", batches);
    }

    /// Takes an instance out of what its host remembers, right before it starts: its unit would refuse to.
    pub(super) fn forget(&mut self, id: &InstanceId, facts: &HostFacts, steps: &mut Steps) {
        let paths = HostPaths::new(
            &self.context.cluster.name,
            &self.context.cluster.hosts[&id.host],
        );
        let now = self.remembered(&id.host, facts);
        let after = Held::of(now.as_deref().unwrap_or_default())
            .without(id)
            .text();
        let at = steps.steps.len().saturating_sub(1);
        steps
            .steps
            .insert(at, own_step(&paths, paths.held(), now, after.clone()));
        self.remembered.insert(id.host.clone(), after);
    }

    /// What a host remembers at this point of the plan.
    pub(super) fn remembered(&self, host: &HostName, facts: &HostFacts) -> Option<String> {
        let path = HostPaths::new(
            &self.context.cluster.name,
            &self.context.cluster.hosts[host],
        )
        .held();
        let before = || facts.files.get(&path).map(|file| file.text.clone());
        self.remembered.get(host).cloned().or_else(before)
    }
}

/// Writes a file that sdtd keeps for itself.
pub(super) fn own_step(
    paths: &HostPaths,
    path: String,
    before: Option<String>,
    after: String,
) -> Step {
    let (owner, mode) = (root_owner(paths), "0644".to_owned());
    Step::File {
        path,
        before,
        after,
        owner,
        mode,
        own: true,
    }
}
