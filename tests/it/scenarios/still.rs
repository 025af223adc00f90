//! What must be the same: what was planned and what was done, and the hosts however they came to be so.

use std::collections::{BTreeMap, BTreeSet};

use sdtd::id::HostName;
use sdtd::plan::{Plan, Step};
use sdtd::transport::fake::{FakeState, World};

/// Whether all that was done was planned, and all of the plan was done where it says so.
pub fn within_the_plan(plan: &Plan, done: &[String], all: bool) {
    let mut planned: BTreeMap<String, i64> = BTreeMap::new();
    for batch in plan.waves.iter().flat_map(|wave| &wave.batches) {
        for step in &batch.steps {
            *planned
                .entry(format!("{}: {step}", batch.host))
                .or_default() += 1;
        }
    }
    for line in done {
        *planned.entry(line.clone()).or_default() -= 1;
    }
    let outside: Vec<_> = planned.iter().filter(|(_, n)| **n < 0).collect();
    assert!(outside.is_empty(), "done and not planned: {outside:?}");
    // Some are done only where something holds when their turn comes.
    let provided = plan.waves.iter().filter(|wave| wave.provided.is_some());
    for batch in provided.flat_map(|wave| &wave.batches) {
        for step in &batch.steps {
            planned.remove(&format!("{}: {step}", batch.host));
        }
    }
    let left: Vec<_> = planned.iter().filter(|(_, n)| **n > 0).collect();
    assert!(!all || left.is_empty(), "planned and not done: {left:?}");
}

/// What of a world must be the same at the end, however it was reached.
#[derive(Debug, PartialEq)]
pub struct Still(BTreeMap<HostName, String>);

impl Still {
    /// Files, folders, links, trees, users and units, without process numbers.
    pub fn of(world: &World) -> Self {
        let one = |(host, state): (&HostName, &FakeState)| {
            let units: BTreeSet<_> = state
                .units
                .iter()
                .map(|(unit, fact)| (unit, fact.active, fact.enabled, &fact.running))
                .collect();
            let text = format!(
                "{:#?}\n{:#?}\n{:#?}\n{:?}\n{:?}\n{:?}\n{units:#?}",
                state.files, state.dirs, state.links, state.users, state.store, state.incoming
            );
            (host.clone(), text)
        };
        Self(world.hosts.iter().map(one).collect())
    }
}

/// Whether a step of a plan is one that people look for in an order.
pub fn is_unit_step(plan: &Plan, line: &str) -> bool {
    let batches = plan.waves.iter().flat_map(|wave| &wave.batches);
    let mut units = batches.flat_map(|batch| {
        let unit = |step: &&Step| matches!(step, Step::Unit { .. });
        batch
            .steps
            .iter()
            .filter(unit)
            .map(move |step| format!("{}: {step}", batch.host))
    });
    units.any(|unit| unit == line)
}
