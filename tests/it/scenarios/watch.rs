//! Sees every step of a run before it is done: makes it fail where a scenario says so, and notes what must
//! never happen.

use std::collections::BTreeMap;

use sdtd::exec::Stop;
use sdtd::id::HostName;
use sdtd::plan::{Step, UnitChange};
use sdtd::transport::fake::{FaultKind, World};

use super::ensemble;
use super::sim::{Health, Sim};

/// When a step fails, and how.
#[derive(Debug, Clone)]
pub enum Rule {
    /// The step with this number, counted from 0 over all hosts; once.
    At(usize, FaultKind),
    /// Every step from this number on: nobody is there any more.
    From(usize, FaultKind),
    /// Every step whose line, `<host>: <step>`, has this text.
    Like(String, FaultKind),
    /// The run is asked to end when a step has this text.
    Interrupt(String),
}

/// What is looked for during a run.
#[derive(Default)]
pub struct Watch {
    /// What fails.
    pub rules: Vec<Rule>,
    /// Asks the run to end.
    pub stop: Stop,
    /// Whether members go down on purpose, as in `stop` and `destroy`.
    pub power: bool,
    /// How many members of a role may be down at once.
    pub wide: usize,
    /// How many were.
    pub most: usize,
    /// What must not happen and did.
    pub wrong: Vec<String>,
    /// How many steps were begun.
    pub begun: usize,
    up_before: BTreeMap<String, usize>,
}

impl Watch {
    /// Members that list each other: one that goes down leaves the others able to decide, where any two of three
    /// can; and they never decide apart from each other.
    fn lists(&mut self, world: &World, sim: &mut Sim, (host, unit): (&HostName, &str)) {
        let Some(mut lists) = sim.ensemble(world, unit) else {
            return;
        };
        if let Some((one, other)) = ensemble::apart(&lists) {
            self.wrong
                .push(format!("{one} and {other} lead apart from each other"));
        }
        let known = lists.values().map(|known| known.list.len()).min();
        let served = ensemble::leader(&lists, None).is_some();
        lists.remove(host);
        let serves = ensemble::leader(&lists, None).is_some();
        let leads = sim.leaders.get(unit).cloned();
        // They choose anew at once, or as soon as enough are there, and then without regard to who led.
        match ensemble::leader(&lists, leads.as_ref()) {
            Some(next) => _ = sim.leaders.insert(unit.to_owned(), next),
            None => _ = sim.leaders.remove(unit),
        }
        if served && !serves && known.unwrap_or(0) > 2 {
            self.wrong
                .push(format!("{unit} of {host} goes down, and no leader is left"));
        }
    }

    /// A run begins: nobody may bring what is up now below its quorum.
    pub fn begin(&mut self, world: &World, sim: &mut Sim) {
        self.begun = 0;
        self.wrong.clear();
        self.up_before.clear();
        for role in sim.roles.clone() {
            let up = sim.hosts(world, &role.unit, Health::Up).len();
            self.up_before.insert(role.unit, up);
        }
    }

    /// Looks at a step; the answer is how it fails.
    pub fn step(
        &mut self,
        world: &World,
        sim: &mut Sim,
        host: &HostName,
        step: &Step,
    ) -> Option<FaultKind> {
        let number = self.begun;
        self.begun += 1;
        let line = format!("{host}: {step}");
        let mut kind = None;
        for rule in &self.rules {
            match rule {
                Rule::At(at, fault) if *at == number => kind = Some(*fault),
                Rule::From(at, fault) if *at <= number => kind = Some(*fault),
                Rule::Like(text, fault) if line.contains(text) => kind = Some(*fault),
                Rule::Interrupt(text) if line.contains(text) => self.stop.ask(),
                _ => {}
            }
        }
        let undone = matches!(kind, Some(FaultKind::Fails | FaultKind::LostBefore));
        if let Step::Unit { unit, to, .. } = step {
            let ends = matches!(
                to,
                UnitChange::Restart | UnitChange::Stop | UnitChange::Disable
            );
            if ends && !undone && !self.power {
                self.goes_down(world, sim, host, unit);
            }
        }
        if !undone && !self.power {
            self.votes(sim, host, step);
        }
        kind
    }

    /// One that votes keeps what it knows as long as it votes, and one that joins voters votes for nobody before
    /// they know of it.
    fn votes(&mut self, sim: &Sim, host: &HostName, step: &Step) {
        let mut here = sim.voters.iter().filter(|id| &id.host == host);
        match step {
            Step::Remove { path, data: true } if path.contains("controller") => {
                if let Some(voter) = here.next() {
                    self.wrong.push(format!("{voter} votes and loses its data"));
                }
            }
            Step::Once { env, marker, .. } if marker.contains("controller") => {
                let joins = env.contains_key("SDTD_JOINS");
                let first = sim.first_voters.iter().any(|id| &id.host == host);
                if joins == (sim.voters.is_empty() || first) {
                    self.wrong
                        .push(format!("{host}: joins = {joins}, with {:?}", sim.voters));
                }
                if let Some(voter) = here.next() {
                    self.wrong.push(format!("{voter} votes and is made anew"));
                }
            }
            _ => {}
        }
    }

    fn goes_down(&mut self, world: &World, sim: &mut Sim, host: &HostName, unit: &str) {
        if sim.retired.contains(unit) {
            sim.voters.retain(|id| &id.host != host);
            sim.first_voters.retain(|id| &id.host != host);
            return;
        }
        let Some(role) = sim.roles.iter().find(|role| role.unit == unit).cloned() else {
            self.wrong
                .push(format!("{unit} is no unit of this cluster"));
            return;
        };
        if !world.runs(host.as_str(), unit) {
            return;
        }
        if let Some(next) = sim.moves.get(&(unit.to_owned(), host.clone())).cloned() {
            sim.leaders.insert(unit.to_owned(), next);
        }
        if sim.is_broken(world, host, unit) {
            // It serves nobody: nothing goes down that was up.
            return;
        }
        let mut down = sim.hosts(world, unit, Health::Down);
        down.extend(sim.hosts(world, unit, Health::Starting));
        down.retain(|other| other != host);
        self.most = self.most.max(down.len() + 1);
        if down.len() >= self.wide.max(role.width) {
            self.wrong.push(format!(
                "{unit} of {host} goes down while it is down on {down:?}"
            ));
        }
        self.lists(world, sim, (host, unit));
        let left = sim
            .hosts(world, unit, Health::Up)
            .iter()
            .filter(|h| *h != host)
            .count();
        let was_whole = self
            .up_before
            .get(unit)
            .is_some_and(|up| *up > role.members / 2);
        let listed = sim.ensemble(world, unit).is_some();
        if role.quorum && !listed && role.members > 1 && was_whole && left <= role.members / 2 {
            self.wrong
                .push(format!("{unit}: {left} of {} are left", role.members));
        }
        let before = &self.up_before;
        let was_whole = |role: &super::sim::Role| before.get(&role.unit) == Some(&role.members);
        let others = sim
            .roles
            .clone()
            .into_iter()
            .filter(|other| other.unit != unit);
        for other in others.filter(was_whole) {
            let starting = sim.hosts(world, &other.unit, Health::Starting);
            if !starting.is_empty() {
                self.wrong.push(format!(
                    "{unit} of {host} goes down while {} starts",
                    other.unit
                ));
            }
        }
    }
}
