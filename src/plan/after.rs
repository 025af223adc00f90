//! What hosts will be once steps are done: later stages of a plan are made from it. Pure.
//!
//! Held to what steps do by the scenarios: each file of a later stage says what was there before it, and is refused
//! where something else is.

use std::collections::BTreeMap;

use crate::facts::{DirFact, FileFact, HostFacts, UnitFact, read_record};
use crate::id::HostName;
use crate::plan::compare::with_block;
use crate::plan::desired::Desired;
use crate::plan::model::{Step, UnitChange, Wave};
use crate::plan::paths::RECORD;

/// What the hosts will be after these waves, by which everything of `desired` that was to start is ready.
#[must_use]
pub fn after(
    facts: &BTreeMap<HostName, HostFacts>,
    waves: &[Wave],
    desired: &[Desired],
) -> BTreeMap<HostName, HostFacts> {
    let mut facts = facts.clone();
    for batch in waves.iter().flat_map(|wave| &wave.batches) {
        if let Some(host) = facts.get_mut(&batch.host) {
            let of = |unit: &str| {
                let here =
                    |one: &&Desired| one.member.id.host == batch.host && one.member.unit == unit;
                desired.iter().find(here)
            };
            for step in &batch.steps {
                done(host, step);
                if let Step::Unit { unit, to, .. } = step {
                    self::unit(host, (unit, *to), of(unit));
                }
            }
        }
    }
    facts
}

fn done(host: &mut HostFacts, step: &Step) {
    let who = |owner: &Option<String>| owner.clone().unwrap_or_else(|| host.user.clone());
    match step {
        Step::User { name } => _ = host.users.insert(name.clone()),
        Step::Dir { path, owner, mode } => {
            let (mode, owner) = (mode.clone(), who(owner));
            host.dirs.insert(path.clone(), DirFact { mode, owner });
        }
        Step::File {
            path,
            after,
            owner,
            mode,
            ..
        } => {
            let (text, mode, owner) = (after.clone(), mode.clone(), who(owner));
            // What is read of it again is the record.
            if path.ends_with(RECORD) {
                host.record = read_record(&text).ok();
            }
            host.files
                .insert(path.clone(), FileFact { text, mode, owner });
        }
        Step::Block {
            path, name, after, ..
        } => {
            let (text, mode, owner) = (String::new(), "0644".to_owned(), who(&None));
            let file = host.files.entry(path.clone());
            let file = file.or_insert(FileFact { text, mode, owner });
            file.text = with_block(&file.text, name, after.as_deref());
        }
        Step::Package { store, .. } => {
            let tree = store.rsplit('/').next().unwrap_or_default();
            host.store.insert(tree.to_owned());
        }
        Step::Link { path, to, .. } => {
            host.links.insert(path.clone(), to.clone());
            // The distribution's trees are looked for as folders.
            let (mode, owner) = ("0755".to_owned(), "root".to_owned());
            let dir = host.dirs.entry(to.clone());
            dir.or_insert(DirFact { mode, owner });
        }
        Step::Once { marker, .. } => _ = host.markers.insert(marker.clone()),
        Step::Remove { path, .. } => remove(host, path),
        // Nothing else may be in it by then.
        Step::RemoveEmpty { path } => _ = host.dirs.remove(path),
        Step::Unit { .. } | Step::Sysctl { .. } | Step::Distribution { .. } => {}
    }
}

fn unit(host: &mut HostFacts, (name, to): (&str, UnitChange), of: Option<&Desired>) {
    let text = |one: &Desired| Some(host.files.get(&one.wanted.0)?.text.trim().to_owned());
    let wanted = of.and_then(text);
    let unit = host.units.entry(name.to_owned()).or_default();
    match to {
        UnitChange::Start if unit.active => unit.enabled = true,
        UnitChange::Start | UnitChange::Restart => {
            let (active, enabled) = (true, true);
            *unit = UnitFact {
                active,
                enabled,
                state: "active".to_owned(),
                running: wanted,
                ..UnitFact::default()
            };
            // Once it is ready its data are there.
            let signs = of.into_iter().flat_map(|one| &one.guards);
            host.markers.extend(signs.map(|guard| guard.sign.clone()));
        }
        UnitChange::Reload | UnitChange::Adopt => unit.running = wanted,
        UnitChange::Enable => unit.enabled = true,
        UnitChange::Stop | UnitChange::Disable => {
            unit.active = false;
            unit.enabled &= to == UnitChange::Stop;
        }
    }
}

fn remove(host: &mut HostFacts, path: &str) {
    let below = format!("{path}/");
    let stays = |other: &str| other != path && !other.starts_with(&below);
    host.files.retain(|other, _| stays(other));
    host.dirs.retain(|other, _| stays(other));
    host.links.retain(|other, _| stays(other));
    host.markers.retain(|other| stays(other));
    if let Some((_, tree)) = path.rsplit_once("/store/") {
        host.store.remove(tree);
    }
}
