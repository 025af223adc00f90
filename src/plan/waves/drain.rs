//! What moves off an instance before it is restarted, and back once it runs again.

use super::Waves;
use crate::catalogue::descriptor::Drain;
use crate::facts::HostFacts;
use crate::plan::compare::Steps;
use crate::plan::desired::{Desired, once_marker};
use crate::plan::model::Step;
use crate::plan::paths::HostPaths;

/// The step that empties an instance; its marker stays until the instance is filled.
pub const DRAIN: &str = "drain";
/// The step that fills it.
pub const FILL: &str = "fill";

impl Waves<'_> {
    fn drain(&self, one: &Desired) -> Option<&Drain> {
        let id = &one.member.id;
        let role = self.context.catalogue.role(&id.service, &id.role)?;
        role.rolling.drain.as_ref()
    }

    fn marker(&self, one: &Desired, name: &str) -> String {
        let host = &self.context.cluster.hosts[&one.member.id.host];
        let paths = HostPaths::new(&self.context.cluster.name, host);
        once_marker(&paths.unit(&one.member.unit), name)
    }

    fn moves_off(&self, one: &Desired, (name, hook): (&str, &str), within: u64) -> Step {
        Step::Once {
            name: name.to_owned(),
            hook: format!("{}/{hook}", one.member.hooks),
            marker: self.marker(one, name),
            user: one.member.user.clone(),
            env: one.member.env.clone(),
            within,
        }
    }

    /// Before an instance is stopped.
    pub(super) fn drained(&self, one: &Desired, steps: &mut Steps) {
        if let Some(drain) = self.drain(one) {
            let step = self.moves_off(one, (DRAIN, &drain.hook), drain.within);
            steps.steps.push(step);
        }
    }

    /// After it was started. That it was filled is forgotten before that it was drained: cut off in between, it is
    /// filled once more.
    pub(super) fn filled(&self, one: &Desired, steps: &mut Steps) {
        if let Some(drain) = self.drain(one) {
            let step = self.moves_off(one, (FILL, &drain.fill), drain.within);
            steps.steps.push(step);
            steps.steps.extend([FILL, DRAIN].map(|name| Step::Remove {
                path: self.marker(one, name),
                data: false,
            }));
        }
    }

    /// Where a run was cut off before it was filled.
    pub(super) fn filled_late(&self, one: &Desired, facts: &HostFacts, steps: &mut Steps) {
        if facts.markers.contains(&self.marker(one, DRAIN)) {
            self.filled(one, steps);
        }
    }
}
