//! What a scenario did to a host and what it saw there, as text that is the same on every kind of host.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sdtd::facts::{FactsRequest, HostFacts};
use sdtd::plan::{Step, UnitChange};
use sdtd::transport::{Shipment, StepAnswer};

use super::host::Host;

/// A scenario under way.
pub struct Seen {
    /// The host.
    pub host: Host,
    out: String,
    paths: Vec<String>,
    units: Vec<String>,
    markers: Vec<String>,
    pids: BTreeMap<String, Option<u32>>,
    meddled: usize,
}

impl Seen {
    /// Nothing done yet.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            out: String::new(),
            paths: Vec::new(),
            units: Vec::new(),
            markers: Vec::new(),
            pids: BTreeMap::new(),
            meddled: 0,
        }
    }

    /// A path below the root.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.host.root)
    }

    /// A heading.
    pub fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "\n# {text}");
    }

    /// Looks at these paths from now on.
    pub fn look_at(&mut self, paths: &[&str]) {
        let paths: Vec<String> = paths.iter().map(|path| self.at(path)).collect();
        self.paths.extend(paths);
    }

    /// Does steps, writes their answers, and what is to be seen after them.
    pub async fn steps(&mut self, steps: &[Step]) {
        self.blind(steps).await;
        self.look().await;
    }

    /// Does steps and writes their answers.
    pub async fn blind(&mut self, steps: &[Step]) {
        let places = self.host.places();
        let mut answers = Vec::new();
        let mut tell = |n: usize, answer: StepAnswer| answers.push((n, answer));
        let done = self.host.remote.apply(&places, (1, steps), &mut tell).await;
        done.unwrap_or_else(|e| panic!("{}: {e}", self.host.kind));
        for (n, answer) in answers {
            let word = match answer {
                StepAnswer::Changed => "changed",
                StepAnswer::Ok => "ok",
                StepAnswer::Stale(_) => "stale",
                StepAnswer::Resend(_) => "resend",
                StepAnswer::Bring(_) => "bring",
                StepAnswer::Failed(_) => "failed",
            };
            let line = steps[n - 1].to_string().replace(&self.host.root, "");
            let _ = writeln!(self.out, "> {line}: {word}");
            if let Step::Unit { unit, .. } = &steps[n - 1] {
                self.units.push(unit.clone());
            }
            if let Step::Once { marker, .. } = &steps[n - 1] {
                self.markers.push(marker.clone());
            }
        }
    }

    /// The facts of the host.
    pub async fn facts(&self) -> HostFacts {
        let request = FactsRequest {
            state: self.host.places().state,
            store: self.at("/opt/sdtd/store"),
            paths: self.paths.iter().cloned().collect(),
            units: self.units.iter().cloned().collect(),
            markers: self.markers.iter().cloned().collect(),
            pidfiles: true,
            ..FactsRequest::default()
        };
        let facts = self.host.remote.facts(&request).await;
        facts.unwrap_or_else(|e| panic!("{}: {e}", self.host.kind))
    }

    async fn look(&mut self) {
        let facts = self.facts().await;
        let mut lines = Vec::new();
        let whose = |owner: &String| {
            if *owner == facts.user {
                "mine"
            } else {
                "another's"
            }
        };
        for (path, file) in &facts.files {
            let whose = whose(&file.owner);
            lines.push(format!("file {path} {} {whose} {:?}", file.mode, file.text));
        }
        for (path, dir) in &facts.dirs {
            lines.push(format!("folder {path} {} {}", dir.mode, whose(&dir.owner)));
        }
        lines.extend(
            facts
                .links
                .iter()
                .map(|(path, to)| format!("link {path} to {to}")),
        );
        lines.extend(facts.store.iter().map(|name| format!("tree {name}")));
        lines.extend(
            facts
                .markers
                .iter()
                .map(|marker| format!("done once {marker}")),
        );
        self.units.sort();
        self.units.dedup();
        for unit in self.units.clone() {
            let fact = facts.units.get(&unit).cloned().unwrap_or_default();
            let before = self.pids.insert(unit.clone(), fact.pid).flatten();
            let process = match (fact.active, before == fact.pid) {
                (false, _) => "no process".to_owned(),
                (true, true) => "the same process".to_owned(),
                (true, false) => "a new process".to_owned(),
            };
            let with = fact.running.unwrap_or_default();
            lines.push(format!("unit {unit}: {process}, started with {with:?}"));
        }
        for line in lines {
            let _ = writeln!(self.out, "  {}", line.replace(&self.host.root, ""));
        }
    }

    /// Sends a package and writes how many bytes went.
    pub async fn send(&mut self, shipment: Shipment<'_>) {
        let sent = self
            .host
            .remote
            .send(&self.host.places(), shipment, &|_| {})
            .await;
        let sent = sent.unwrap_or_else(|e| panic!("{}: {e}", self.host.kind));
        let _ = writeln!(self.out, "> {sent} bytes sent");
    }

    /// Does something to the host behind the back of all steps: a script, on those that have a shell.
    pub async fn meddle(&mut self, script: &str) {
        self.meddled += 1;
        let path = self.at(&format!("/meddle/{}", self.meddled));
        let steps = [
            file(&path, None, &format!("#!/bin/sh\n{script}\n"), "0755"),
            Step::Once {
                name: "meddle".to_owned(),
                hook: path.clone(),
                marker: format!("{path}.done"),
                user: None,
                env: BTreeMap::new(),
                within: 10,
            },
        ];
        let mut bad = Vec::new();
        let mut tell = |_, answer| {
            if answer != StepAnswer::Changed {
                bad.push(answer);
            }
        };
        let done = self
            .host
            .remote
            .apply(&self.host.places(), (1, &steps), &mut tell)
            .await;
        done.unwrap_or_else(|e| panic!("{}: {e}", self.host.kind));
        assert!(bad.is_empty(), "{script}: {bad:?}");
    }

    /// All that was seen; everything is taken away again.
    pub async fn end(self) -> String {
        let mut steps: Vec<Step> = self
            .units
            .iter()
            .map(|unit| unit_step(unit, UnitChange::Stop))
            .collect();
        steps.push(Step::Remove {
            path: self.host.root.clone(),
            data: true,
        });
        let done = self
            .host
            .remote
            .apply(&self.host.places(), (1, &steps), &mut |_, _| {})
            .await;
        done.unwrap_or_else(|e| panic!("{}: {e}", self.host.kind));
        self.host.remote.close().await;
        self.out.trim_start().to_owned()
    }
}

/// A step that writes a file.
pub fn file(path: &str, before: Option<&str>, after: &str, mode: &str) -> Step {
    Step::File {
        path: path.to_owned(),
        before: before.map(str::to_owned),
        after: after.to_owned(),
        owner: None,
        mode: mode.to_owned(),
        own: false,
    }
}

/// A step that changes a unit.
pub fn unit_step(unit: &str, to: UnitChange) -> Step {
    Step::Unit {
        unit: unit.to_owned(),
        to,
        within: 5,
    }
}
