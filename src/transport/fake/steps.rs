//! What steps do to a fake host.

use super::{FakeState, StepAnswer};
use crate::exec::script::Places;
use crate::facts::{DirFact, FileFact};
use crate::plan::compare::with_block;
use crate::plan::{Step, UnitChange};

impl FakeState {
    pub(super) fn step(&mut self, places: &Places, step: &Step) -> StepAnswer {
        let who = |owner: &Option<String>| owner.clone().unwrap_or_else(|| "root".to_owned());
        match step {
            Step::User { name } => return changed(self.users.insert(name.clone())),
            Step::Dir { path, owner, mode } => {
                self.parents(path);
                self.dirs.insert(
                    path.clone(),
                    DirFact {
                        mode: mode.clone(),
                        owner: who(owner),
                    },
                );
            }
            Step::File {
                path,
                before,
                after,
                owner,
                mode,
                ..
            } => {
                let now = self.files.get(path).map(|f| &f.text);
                if now != before.as_ref() && now != Some(after) {
                    return StepAnswer::Stale(vec![format!("{path} was changed")]);
                }
                self.parents(path);
                let (text, mode) = (after.clone(), mode.clone());
                self.files.insert(
                    path.clone(),
                    FileFact {
                        text,
                        mode,
                        owner: who(owner),
                    },
                );
            }
            Step::Block {
                path, name, after, ..
            } => self.block(path, name, after.as_deref()),
            Step::Sysctl { before, after, .. } => return self.sysctl(before, after),
            Step::Package {
                sha256,
                store,
                size,
                ..
            } => {
                let name = store.rsplit('/').next().unwrap_or_default().to_owned();
                if self.store.contains(&name) {
                    return StepAnswer::Ok;
                }
                if self.incoming.remove(sha256) != Some(*size) {
                    return StepAnswer::Resend(vec![
                        "the package did not arrive as it was sent".to_owned(),
                    ]);
                }
                self.store.insert(name);
            }
            Step::Distribution { package, .. } => {
                return changed(self.distribution.insert(package.clone()));
            }
            Step::Link { path, to, .. } => {
                self.parents(path);
                self.links.insert(path.clone(), to.clone());
            }
            Step::Once { marker, .. } => {
                self.files.remove(&format!("{marker}.begun"));
                let file = empty(who(&None));
                return changed(self.files.insert(marker.clone(), file).is_none());
            }
            Step::Unit { unit, to, .. } => self.unit(places, unit, *to),
            Step::Remove { path, .. } => return changed(self.remove(places, path)),
            Step::RemoveEmpty { path } => {
                return changed(self.is_empty(path) && self.remove(places, path));
            }
        }
        StepAnswer::Changed
    }

    /// A step that is done once and fails leaves word that it was begun.
    pub(super) fn begun(&mut self, step: &Step) {
        if let Step::Once { marker, .. } = step
            && !self.files.contains_key(marker)
        {
            let file = empty("root".to_owned());
            self.files.insert(format!("{marker}.begun"), file);
        }
    }

    /// The one kernel setting that is known here.
    fn sysctl(&mut self, before: &str, after: &str) -> StepAnswer {
        let now = self.swappiness.map(|n| n.to_string()).unwrap_or_default();
        if now == after {
            return StepAnswer::Ok;
        }
        if now != before {
            return StepAnswer::Stale(vec![format!("it is {now}")]);
        }
        self.swappiness = after.parse().ok();
        StepAnswer::Changed
    }

    /// The folders above a path, as `mkdir -p` makes them.
    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
            let fact = || DirFact {
                mode: "0755".to_owned(),
                owner: "root".to_owned(),
            };
            self.dirs.entry(path[..at].to_owned()).or_insert_with(fact);
        }
    }

    fn block(&mut self, path: &str, name: &str, after: Option<&str>) {
        let empty = || FileFact {
            text: String::new(),
            mode: "0644".to_owned(),
            owner: "root".to_owned(),
        };
        let file = self.files.entry(path.to_owned()).or_insert_with(empty);
        file.text = with_block(&file.text, name, after);
    }

    fn unit(&mut self, places: &Places, unit: &str, to: UnitChange) {
        let wanted = format!("{}/units/{unit}/wanted", places.state);
        let wanted = self.files.get(&wanted).map(|f| f.text.trim().to_owned());
        let fact = self.units.entry(unit.to_owned()).or_default();
        match to {
            UnitChange::Start if fact.active => fact.enabled = true,
            UnitChange::Start | UnitChange::Restart => {
                fact.active = true;
                fact.enabled = true;
                fact.running = wanted;
                fact.pid = Some(fact.pid.unwrap_or(100) + 1);
            }
            UnitChange::Stop => fact.active = false,
            UnitChange::Reload | UnitChange::Adopt => fact.running = wanted,
            UnitChange::Enable => fact.enabled = true,
            UnitChange::Disable => {
                fact.active = false;
                fact.enabled = false;
            }
        }
        fact.state = if fact.active { "active" } else { "inactive" }.to_owned();
    }

    fn is_empty(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let inside = |p: &String| p.starts_with(&below);
        !self.files.keys().any(inside)
            && !self.dirs.keys().any(inside)
            && !self.links.keys().any(inside)
            && (self.store.is_empty() || !"/opt/sdtd/store/".starts_with(&below))
    }

    fn remove(&mut self, places: &Places, path: &str) -> bool {
        let below = format!("{path}/");
        let inside = |p: &str| p == path || p.starts_with(&below);
        let things = |s: &Self| s.files.len() + s.dirs.len() + s.links.len() + s.store.len();
        let before = things(self);
        let is_store = |p: &String| p.ends_with("/opt/sdtd/store") && inside(p);
        if self.dirs.keys().any(is_store) {
            self.store.clear();
        }
        self.files.retain(|p, _| !inside(p));
        self.dirs.retain(|p, _| !inside(p));
        self.links.retain(|p, _| !inside(p));
        self.store
            .retain(|name| !path.ends_with(&format!("/opt/sdtd/store/{name}")));
        self.units
            .retain(|unit, _| !inside(&format!("{}/units/{unit}", places.state)));
        before != things(self)
    }
}

fn changed(yes: bool) -> StepAnswer {
    if yes {
        StepAnswer::Changed
    } else {
        StepAnswer::Ok
    }
}

/// A file that says all by being there.
fn empty(owner: String) -> FileFact {
    FileFact {
        text: String::new(),
        mode: "0644".to_owned(),
        owner,
    }
}
