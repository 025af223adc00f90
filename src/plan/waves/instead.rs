//! A host whose place another one takes must not run what the other does.

use super::Waves;
use crate::plan::compare::Steps;
use crate::plan::model::{Batch, Step, UnitChange};

/// Seconds in which what is no longer wanted has to stop.
const WITHIN: u64 = 30;

impl Waves<'_> {
    /// Keeps what is there from running, before anything is started in its place: it may be started at boot.
    pub fn switch_off(&mut self) {
        let replaced = &self.context.cluster.replaced;
        let within_reach = self.context.cluster.leaving();
        let mut batches = Vec::new();
        for (name, _) in within_reach.filter(|(name, _)| replaced.contains_key(*name)) {
            let facts = self.context.facts.get(name);
            let units = facts
                .into_iter()
                .flat_map(|f| f.record.iter().map(move |r| (f, r)));
            let units = units.flat_map(|(f, record)| {
                let on = |unit: &&String| f.units.get(*unit).is_some_and(|u| u.active || u.enabled);
                record.units.iter().filter(on)
            });
            let off = |unit: &String| Step::Unit {
                unit: unit.clone(),
                to: UnitChange::Disable,
                within: WITHIN,
            };
            let steps = units.map(off).collect();
            let steps = Steps {
                steps,
                ..Steps::default()
            };
            batches.push((name.clone(), steps));
        }
        let batches: Vec<Batch> = batches
            .into_iter()
            .filter_map(|(name, steps)| self.batch(&name, steps))
            .map(|batch| Batch {
                because: vec!["another host has its place".to_owned()],
                ..batch
            })
            .collect();
        let before = self.prepared.len();
        self.push_prepared("keep what was replaced from running", batches);
        self.switched_off = self.prepared.get(before).copied();
    }
}
