//! A cluster on fake hosts, and the one flow over it: every run is watched, and what must hold of every run
//! is asserted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use sdtd::artifact::Shelf;
use sdtd::catalogue::Catalogue;
use sdtd::cli::verify::verify;
use sdtd::driver::Drivers;
use sdtd::error::Failure;
use sdtd::event::EventKind;
use sdtd::exec::{Report, When};
use sdtd::flow::{Flow, Joiner, Maintenance, Planned};
use sdtd::id::{HostName, InstanceId, ServiceName};
use sdtd::inventory::{Cluster, Host, Successor};
use sdtd::plan::Plan;
use sdtd::plan::roll::Roll;
use sdtd::report::Collected;
use sdtd::transport::fake::{FakeState, World};
use sdtd::transport::{Fake, Remote};

use super::data;
use super::driver::FakeDriver;
use super::packages;
use super::sim::Sim;
use super::still::within_the_plan;
use super::watch::Watch;
use crate::setup;

/// A cluster on fake hosts.
pub struct Bench {
    /// The hosts.
    pub world: Arc<Mutex<World>>,
    /// What runs on them.
    pub sim: Arc<Mutex<Sim>>,
    /// What is looked for.
    pub watch: Arc<Mutex<Watch>>,
    /// The inventory's text.
    pub inventory: String,
    /// All that was told, as it would be kept.
    pub told: String,
    /// The same as events.
    pub events: Vec<EventKind>,
    /// The steps of the last run.
    pub done: Vec<String>,
    /// Instances that shall start empty.
    pub anew: BTreeSet<InstanceId>,
    /// A host whose instances start empty where they lost their data.
    pub replace: Option<HostName>,
    /// A dead host, and the one that takes its place.
    pub with: Option<(HostName, HostName)>,
    /// Services whose new version is finalized.
    pub finalize: BTreeSet<ServiceName>,
    /// Services of which a setting on its way gets to its end.
    pub ends: BTreeSet<ServiceName>,
    /// What values are made of at a first deploy.
    pub seed: String,
    /// Whether every file of a package is looked at.
    pub deep: bool,
    /// What is said of rolls.
    pub roll: Roll,
    /// Whether it was agreed to that something can't be used meanwhile.
    pub accepts_outage: bool,
    catalogue: Catalogue,
    laptop: tempfile::TempDir,
    packages: tempfile::TempDir,
}

/// What came of a run.
pub struct Ran {
    /// What was planned.
    pub plan: Plan,
    /// What came of it.
    pub report: Report,
    /// The steps that were done, in order.
    pub done: Vec<String>,
}

impl Bench {
    /// No hosts yet.
    pub fn new() -> Self {
        let catalogue = setup::catalogue();
        let packages = tempfile::tempdir().expect("a folder");
        packages::write(packages.path(), &catalogue);
        let bench = Self {
            world: Arc::default(),
            sim: Arc::default(),
            watch: Arc::default(),
            inventory: String::new(),
            told: String::new(),
            events: Vec::new(),
            done: Vec::new(),
            anew: BTreeSet::new(),
            replace: None,
            with: None,
            finalize: BTreeSet::new(),
            ends: BTreeSet::new(),
            seed: "bench".to_owned(),
            deep: false,
            roll: Roll::default(),
            accepts_outage: false,
            catalogue,
            laptop: tempfile::tempdir().expect("a folder"),
            packages,
        };
        bench.connect_parts();
        bench
    }

    /// What the fake hosts ask of the simulation and of the watch.
    fn connect_parts(&self) {
        let mut world = self.world.lock().expect("whole");
        let sim = Arc::clone(&self.sim);
        world.responder = Some(Arc::new(move |world, host, port, word| {
            sim.lock().expect("whole").answer(world, host, port, word)
        }));
        let (sim, watch) = (Arc::clone(&self.sim), Arc::clone(&self.watch));
        world.fault = Some(Arc::new(move |world, host, step| {
            let mut sim = sim.lock().expect("whole");
            watch
                .lock()
                .expect("whole")
                .step(world, &mut sim, host, step)
        }));
    }

    /// The cluster that the inventory describes.
    pub fn cluster(&self) -> Cluster {
        let mut cluster = setup::cluster(&self.inventory, &self.catalogue);
        sdtd::flow::give_roots(&mut cluster, "/local".as_ref());
        cluster
    }

    /// A run's flow: all hosts connected, nothing known of earlier runs but what is kept on this machine.
    pub fn flow(&self) -> (Flow, Collected) {
        let mut cluster = self.cluster();
        if let Some((old, by)) = self.with.clone() {
            let successor = Successor { by, gone: false };
            cluster.replaced.insert(old, successor);
        }
        let fake = |host: &HostName| (host.clone(), Remote::Fake(Fake::new(&self.world, host)));
        let fleet = Arc::new(cluster.hosts.keys().map(fake).collect());
        let mut sim = self.sim.lock().expect("whole");
        sim.learn(&cluster, &self.catalogue);
        drop(sim);
        let starter = data::starter(&cluster, &self.catalogue);
        let mut world = self.world.lock().expect("whole");
        world.starter = Some(starter);
        let hosts = cluster.hosts.iter();
        let addresses = hosts.map(|(name, host)| (host.address.clone(), name.clone()));
        world.addresses.extend(addresses);
        drop(world);
        let (world, sim) = (Arc::clone(&self.world), Arc::clone(&self.sim));
        let (events, collected) = Collected::new();
        let shelf = Shelf::new(self.laptop.path())
            .with_packages(self.packages.path())
            .offline();
        let flow = Flow {
            cancel: false,
            copies: None,
            cluster,
            catalogue: self.catalogue.clone(),
            fleet,
            missing: Vec::new(),
            joiner: self.joiner(),
            lost: Vec::new(),
            drivers: Drivers::default().with("kafka", Arc::new(FakeDriver { world, sim })),
            events,
            shelf: Arc::new(shelf),
            forks: 10,
            fan_out: When::Always,
            stop: self.watch.lock().expect("whole").stop.clone(),
            anew: self.anew.clone(),
            replace: self.replace.clone(),
            seed: self.seed.clone(),
            back: false,
            finalize: self.finalize.clone(),
            ends: self.ends.clone(),
            deep: self.deep,
            rebalance: false,
            throttle: (self.replace.is_some() || self.with.is_some()).then_some(1 << 20),
            roll: self.roll.clone(),
            accepts_outage: self.accepts_outage,
        };
        (flow, collected)
    }

    /// Connects to hosts that only the records name.
    fn joiner(&self) -> Joiner {
        let world = Arc::clone(&self.world);
        Joiner::new(move |hosts| {
            let fake = |host: Host| {
                let fake = Fake::new(&world, &host.name);
                (host.name, Remote::Fake(fake))
            };
            std::future::ready((hosts.into_iter().map(fake).collect(), Vec::new()))
        })
    }

    /// The plan; the same when it is made twice.
    ///
    /// # Errors
    /// When there is none.
    pub async fn plan(&mut self) -> Result<Planned, Failure> {
        let (mut flow, mut collected) = self.flow();
        let planned = flow.plan(true).await;
        let again = flow.plan(true).await;
        match (&planned, &again) {
            (Ok(one), Ok(two)) => assert_eq!(one.plan, two.plan, "planning twice differs"),
            (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
            _ => panic!("planning twice differs"),
        }
        self.tell(&collected.kinds());
        planned
    }

    /// Keeps what was told.
    fn tell(&mut self, kinds: &[EventKind]) {
        self.events.extend_from_slice(kinds);
        for kind in kinds {
            let _ = writeln!(
                self.told,
                "{}",
                serde_json::to_string(kind).expect("an event")
            );
        }
    }

    /// Plans and applies, as `deploy` does; the invariants of every run are asserted.
    ///
    /// # Errors
    /// When there is no plan.
    pub async fn deploy(&mut self) -> Result<Ran, Failure> {
        let planned = self.plan().await?;
        let (flow, _collected) = self.flow();
        let told = flow.outage(&planned.plan, &planned.facts, false).await?;
        let told = told.into_iter().map(|problem| EventKind::Warning {
            text: [vec![problem.cause], problem.log].concat().join("; "),
            help: problem.help,
        });
        self.tell(&told.collect::<Vec<_>>());
        Ok(self.carry_out(planned).await)
    }

    /// The same, planned once: for runs that are made by the hundred.
    ///
    /// # Errors
    /// When there is no plan.
    pub async fn deploy_at_once(&mut self) -> Result<Ran, Failure> {
        let (mut flow, _collected) = self.flow();
        let planned = flow.plan(true).await?;
        Ok(self.carry_out(planned).await)
    }

    async fn carry_out(&mut self, planned: Planned) -> Ran {
        let ran = self.apply(planned).await;
        if ran.report.is_done() {
            self.settled().await;
        }
        ran
    }

    /// Applies a plan: no step outside it is done, and nothing happens that never must.
    pub async fn apply(&mut self, planned: Planned) -> Ran {
        let (mut flow, mut collected) = self.flow();
        let batches = || planned.plan.waves.iter().flat_map(|wave| &wave.batches);
        if batches().any(|batch| !flow.cluster.hosts.contains_key(&batch.host)) {
            flow.ask_facts().await;
        }
        let before = {
            let world = self.world.lock().expect("whole");
            let mut sim = self.sim.lock().expect("whole");
            self.watch.lock().expect("whole").begin(&world, &mut sim);
            let is = |m: &&sdtd::plan::Member| planned.plan.view.role(&m.id).is_none();
            let gone = planned.plan.view.leaving.iter().filter(is);
            sim.retired = gone.map(|m| m.unit.clone()).collect();
            if sim.voters.is_empty() {
                let members = planned.plan.view.members.iter();
                let voters = members.filter(|m| m.ports.contains_key("controller"));
                sim.first_voters = voters.map(|m| m.id.clone()).collect();
            }
            world.done.len()
        };
        let Planned { plan, files, .. } = planned;
        let report = flow.apply(plan.clone(), files).await;
        self.tell(&collected.kinds());
        let done = self.world.lock().expect("whole").done[before..].to_vec();
        within_the_plan(&plan, &done, report.is_done());
        self.done.clone_from(&done);
        let watch = self.watch.lock().expect("whole");
        assert!(
            watch.wrong.is_empty(),
            "{}\n{}",
            watch.wrong.join("\n"),
            done.join("\n")
        );
        Ran { plan, report, done }
    }

    /// Maintains hosts, as `maintain` does; what must hold of every run is asserted.
    ///
    /// # Errors
    /// As the command fails.
    pub async fn maintain(&mut self, hosts: &[&str], command: &str) -> Result<(), Failure> {
        let (mut flow, mut collected) = self.flow();
        let before = {
            let world = self.world.lock().expect("whole");
            let mut sim = self.sim.lock().expect("whole");
            self.watch.lock().expect("whole").begin(&world, &mut sim);
            world.done.len()
        };
        let hosts: Vec<HostName> = hosts.iter().map(|h| h.parse().expect("a host")).collect();
        let how = Maintenance {
            command: command.to_owned(),
            within: std::time::Duration::from_secs(60),
            back_within: std::time::Duration::from_secs(60),
        };
        let ended = flow.maintain(&hosts, &how).await;
        self.tell(&collected.kinds());
        self.done = self.world.lock().expect("whole").done[before..].to_vec();
        let wrong = self.watch.lock().expect("whole").wrong.join("\n");
        assert!(wrong.is_empty(), "{wrong}");
        if ended.is_ok() {
            self.settled().await;
        }
        ended
    }

    /// After a run that was done: it verifies, and the next plan is empty.
    pub async fn settled(&mut self) {
        self.anew.clear();
        let (mut flow, mut collected) = self.flow();
        let next = flow
            .plan(false)
            .await
            .unwrap_or_else(|e| panic!("no plan after it: {e}"));
        assert!(
            next.plan.is_empty(),
            "the next plan is not empty:\n{}",
            sdtd::plan::show::show(&next.plan, sdtd::plan::show::Detail::Full)
        );
        let holders = self.sim.lock().expect("whole").holders.clone();
        let members = next.plan.view.members.iter();
        let brokers: BTreeSet<_> = members
            .filter(|m| m.id.service.as_str() == "kafka")
            .map(|m| m.id.clone())
            .collect();
        assert!(
            holders.is_empty() || holders == brokers,
            "{holders:?} hold the data of {brokers:?}"
        );
        let limited = self.sim.lock().expect("whole").limited;
        assert!(!limited, "a limit of speed is left");
        let good = verify(&flow.prober(next.plan.view), &flow.events).await;
        let kinds = collected.kinds();
        self.tell(&kinds);
        assert!(good, "it does not verify: {kinds:?}");
    }

    /// A host takes a dead one's place from the next run on: who votes and holds what goes by numbers, not by names.
    pub fn takes_place(&mut self, host: &str, by: &str) {
        let name = |text: &str| text.parse::<HostName>().expect("a host's name");
        let (old, by) = (name(host), name(by));
        let mut sim = self.sim.lock().expect("whole");
        sim.rename(&old, &by);
        drop(sim);
        self.with = Some((old, by));
    }

    /// Another machine takes over: nothing of earlier runs is known there.
    pub fn new_laptop(&mut self) {
        self.laptop = tempfile::tempdir().expect("a folder");
    }

    /// Changes a host.
    pub fn on(&self, host: &str, change: impl FnOnce(&mut FakeState)) {
        let name: HostName = host.parse().expect("a host's name");
        let fake = Fake::new(&self.world, &name);
        let mut world = self.world.lock().expect("whole");
        change(world.hosts.get_mut(&name).expect("there"));
        drop(world);
        drop(fake);
    }
}
