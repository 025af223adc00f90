//! What moves off an instance before it is stopped, and back once it runs again.

use super::Waves;
use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::Drain;
use crate::facts::HostFacts;
use crate::inventory::Cluster;
use crate::plan::compare::Steps;
use crate::plan::desired::{Desired, once_marker};
use crate::plan::model::{Member, Step};
use crate::plan::paths::HostPaths;

/// The step that empties an instance; its marker stays until the instance is filled.
const DRAIN: &str = "drain";
/// The step that fills it.
const FILL: &str = "fill";

/// The files that say of an instance, by where its state is kept, that it was emptied, that this was begun, and that
/// it was filled.
#[must_use]
pub fn signs(state: &str) -> [String; 3] {
    let drained = once_marker(state, DRAIN);
    let begun = format!("{drained}.begun");
    [drained, begun, once_marker(state, FILL)]
}

/// An instance off which something moves before it is stopped.
pub struct Draining<'a> {
    words: &'a Drain,
    member: &'a Member,
    state: String,
}

impl<'a> Draining<'a> {
    /// None where an instance is stopped as it is.
    #[must_use]
    pub fn of(cluster: &Cluster, catalogue: &'a Catalogue, member: &'a Member) -> Option<Self> {
        let id = &member.id;
        let role = catalogue.role(&id.service, &id.role)?;
        let paths = HostPaths::new(&cluster.name, cluster.hosts.get(&id.host)?);
        Some(Self {
            words: role.rolling.drain.as_ref()?,
            member,
            state: paths.unit(&member.unit),
        })
    }

    fn step(&self, name: &str, hook: &str) -> Step {
        Step::Once {
            name: name.to_owned(),
            hook: format!("{}/{hook}", self.member.hooks),
            marker: once_marker(&self.state, name),
            user: self.member.user.clone(),
            env: self.member.env.clone(),
            within: self.words.within,
        }
    }

    /// Before it is stopped, to be started again.
    #[must_use]
    pub fn drained(&self) -> Step {
        self.step(DRAIN, &self.words.hook)
    }

    /// Before it is stopped for good.
    #[must_use]
    pub fn left(&self) -> Option<Step> {
        let hook = self.words.leaves.as_ref()?;
        Some(self.step(DRAIN, hook))
    }

    /// After it was started. That it was filled is forgotten before that it was drained: cut off in between, it is
    /// filled once more.
    #[must_use]
    pub fn filled(&self) -> Vec<Step> {
        let [drained, begun, filled] = signs(&self.state);
        let forget = [filled, begun, drained].map(|path| Step::Remove { path, data: false });
        let fill = self.step(FILL, &self.words.fill);
        [fill].into_iter().chain(forget).collect()
    }

    /// Whether it was drained, or that was begun, and it was not filled since.
    #[must_use]
    pub fn is_drained(&self, facts: &HostFacts) -> bool {
        let [drained, begun, _] = signs(&self.state);
        facts.markers.contains(&drained) || facts.markers.contains(&begun)
    }
}

impl Waves<'_> {
    pub(super) fn draining<'a>(&'a self, one: &'a Desired) -> Option<Draining<'a>> {
        Draining::of(self.context.cluster, self.context.catalogue, &one.member)
    }

    /// Before an instance is stopped.
    pub(super) fn drained(&self, one: &Desired, steps: &mut Steps) {
        let draining = self.draining(one);
        steps.steps.extend(draining.map(|one| one.drained()));
    }

    /// After it was started.
    pub(super) fn filled(&self, one: &Desired, steps: &mut Steps) {
        let draining = self.draining(one).into_iter();
        steps.steps.extend(draining.flat_map(|one| one.filled()));
    }

    /// Where a run was cut off before it was filled, or could not drain it, or was to take it off and it stays.
    pub(super) fn filled_late(&self, one: &Desired, facts: &HostFacts, steps: &mut Steps) {
        if self.draining(one).is_some_and(|one| one.is_drained(facts)) {
            self.filled(one, steps);
        }
    }
}
