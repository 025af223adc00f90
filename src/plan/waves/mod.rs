//! Orders the steps into waves: what may run at once, what waits for what, and which gates stand between.

mod drain;
mod install;
mod instance;
mod instead;
mod kinds;
mod live;
mod members;
mod memory;
mod passage;
mod voters;

pub use drain::{Draining, signs};

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::LiveKeys;
use crate::catalogue::descriptor::OnChange;
use crate::facts::{HostFacts, Record};
use crate::id::{HostName, InstanceId, ServiceName};
use crate::plan::asks::is_hook;
use crate::plan::compare::Steps;
use crate::plan::context::Context;
use crate::plan::desired::{Desired, DesiredFile};
use crate::plan::live::LiveOf;
use crate::plan::model::{Batch, ResourceChange, RoleRef, Step, UnitChange, Wave};
use crate::plan::moves::{self, MovesOf};
use crate::plan::parallel;
use crate::plan::paths::HostPaths;
use crate::plan::planner::{PlanError, Trees};
use crate::plan::roll::Roll;
use crate::plan::stages::Stage;
use crate::plan::ways::Passage;

/// Builds the waves one after another.
pub struct Waves<'a> {
    context: &'a Context<'a>,
    desired: &'a [Desired],
    trees: &'a Trees,
    waves: Vec<Wave>,
    /// The waves that prepare the hosts.
    prepared: Vec<usize>,
    /// The wave that installs each service's package.
    installed: BTreeMap<ServiceName, usize>,
    /// The waves of each service's roles.
    of_service: BTreeMap<ServiceName, Vec<usize>>,
    /// The waves that write each service's files: its roles may share some.
    writing: BTreeMap<ServiceName, Vec<usize>>,
    unchanged: usize,
    /// The waves that remember what each service's data are in.
    remembering: Vec<(ServiceName, usize)>,
    /// What hosts remember of data after the waves so far, where that changes.
    remembered: BTreeMap<HostName, String>,
    /// What was written into the hosts' records at first.
    recorded: BTreeMap<HostName, String>,
    /// Instances that start empty though they had data.
    anew: &'a BTreeSet<InstanceId>,
    /// Which roles this is about.
    stage: &'a Stage,
    /// Instances that are there and shall go.
    leaving: &'a [Desired],
    /// What is said of rolls.
    roll: &'a Roll,
    /// The wave that keeps hosts whose place another one takes from running it too.
    switched_off: Option<usize>,
    /// The step on the way of a setting that this is.
    passage: Option<&'a Passage>,
    /// What instances that run take without a restart.
    live: &'a LiveOf,
    /// What is moved as members come and go.
    moves_of: &'a MovesOf,
    /// The same as hosts keep it while it is under way.
    moving: String,
}

/// What the waves are to bring about, besides what should be.
#[derive(Clone, Copy)]
pub struct Aim<'a> {
    /// Which roles this is about.
    pub stage: &'a Stage,
    /// Instances that are there and shall go.
    pub leaving: &'a [Desired],
    /// What is moved as members come and go.
    pub moves: &'a MovesOf,
    /// Instances that start empty though they had data.
    pub anew: &'a BTreeSet<InstanceId>,
    /// What is said of rolls.
    pub roll: &'a Roll,
    /// The step on the way of a setting that this is.
    pub passage: Option<&'a Passage>,
    /// What instances that run take without a restart.
    pub live: &'a LiveOf,
}

/// What a change of an instance asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anew,
    Start,
    Join,
    Restart,
    Reload,
    Live,
    Tidy,
}

impl<'a> Waves<'a> {
    /// No waves yet.
    #[must_use]
    pub fn new(
        context: &'a Context<'a>,
        desired: &'a [Desired],
        trees: &'a Trees,
        aim: Aim<'a>,
    ) -> Self {
        Self {
            context,
            desired,
            trees,
            waves: Vec::new(),
            prepared: Vec::new(),
            installed: BTreeMap::new(),
            of_service: BTreeMap::new(),
            writing: BTreeMap::new(),
            unchanged: 0,
            remembering: Vec::new(),
            remembered: BTreeMap::new(),
            recorded: BTreeMap::new(),
            anew: aim.anew,
            stage: aim.stage,
            leaving: aim.leaving,
            roll: aim.roll,
            switched_off: None,
            passage: aim.passage,
            live: aim.live,
            moves_of: aim.moves,
            moving: moves::text(aim.moves),
        }
    }

    /// All waves, and how many things needed nothing.
    #[must_use]
    pub fn done(self) -> (Vec<Wave>, usize) {
        (self.waves, self.unchanged)
    }

    fn push(&mut self, wave: Wave) -> Option<usize> {
        let empty = wave.batches.is_empty() && wave.resources.is_empty();
        (!empty).then(|| {
            self.waves.push(wave);
            self.waves.len() - 1
        })
    }

    /// What is done once all before it is done.
    fn push_last(&mut self, title: &str, batches: Vec<Batch>) {
        self.push(Wave {
            title: title.to_owned(),
            after: (0..self.waves.len()).collect(),
            batches,
            ..Wave::default()
        });
    }

    /// What is done on a host before any service is touched there.
    fn push_prepared(&mut self, title: &str, batches: Vec<Batch>) {
        let index = self.push(Wave {
            title: title.to_owned(),
            after_on_host: self.prepared.clone(),
            batches,
            ..Wave::default()
        });
        self.prepared.extend(index);
    }

    fn batch(&mut self, host: &HostName, steps: Steps) -> Option<Batch> {
        self.unchanged += steps.unchanged;
        let batch = |steps| Batch {
            host: host.clone(),
            instance: None,
            because: Vec::new(),
            steps,
        };
        (!steps.steps.is_empty()).then(|| batch(steps.steps))
    }

    /// Users, folders, records and the login shell's profile, on all hosts at once.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn prepare(&mut self, records: &BTreeMap<HostName, Record>) -> Result<(), PlanError> {
        let mut batches = Vec::new();
        let mut texts = record_texts(records);
        for (name, host) in self.context.cluster.staying() {
            let Some(facts) = self.context.facts.get(name) else {
                continue;
            };
            let paths = HostPaths::new(&self.context.cluster.name, host);
            let root = root_owner(&paths);
            let mut steps = Steps::default();
            // Whoever takes the lock sweeps what is in it; only that somebody does is planned.
            let path = paths.fan_out();
            let left = facts.dirs.contains_key(&path);
            steps
                .steps
                .extend(left.then_some(Step::RemoveEmpty { path }));
            for service in self.services_on(name) {
                let user = self.context.user(host, &service);
                steps.user(facts, user.as_ref().filter(|user| *user != "root"));
            }
            for dir in [paths.state(), paths.store(), paths.incoming()] {
                steps.dir(facts, &dir, root.as_ref(), "0755");
            }
            if let Some(text) = texts.remove(name) {
                let file = own_file(paths.record(), text);
                steps.file(facts, &file, root.as_ref());
                self.recorded.insert(name.clone(), file.text);
            }
            if self.stage.only.is_none() && !self.moving.is_empty() {
                let file = own_file(paths.moving(), self.moving.clone());
                steps.file(facts, &file, root.as_ref());
            }
            self.hooks(&mut steps, name, facts);
            let mut block = Vec::new();
            for service in self.services_on(name) {
                block.extend(self.context.profile(host, &service)?);
            }
            let block = (!block.is_empty()).then(|| block.join("\n"));
            let mark = format!("sdtd {}", self.context.cluster.name);
            steps.block(facts, &paths.profile(), &mark, block);
            batches.extend(self.batch(name, steps));
        }
        let wave = Wave {
            title: "prepare hosts".to_owned(),
            batches,
            ..Wave::default()
        };
        self.prepared = self.push(wave).into_iter().collect();
        Ok(())
    }

    fn hooks(&self, steps: &mut Steps, name: &HostName, facts: &HostFacts) {
        let host = &self.context.cluster.hosts[name];
        let paths = HostPaths::new(&self.context.cluster.name, host);
        for service in self.services_on(name) {
            let Some(folder) = self.context.catalogue.get(&service) else {
                continue;
            };
            let settings = &self.context.cluster.services[&service].settings;
            let idle = folder.descriptor.idle_hooks(settings);
            let used = |path: &str| is_hook(path) && !idle.contains(path);
            for (path, text) in folder.files().filter(|(path, _)| used(path)) {
                let path = format!("{}/{path}", paths.hooks(&service));
                let mode = "0755".to_owned();
                let file = DesiredFile {
                    mode,
                    own: false,
                    ..own_file(path, text.to_owned())
                };
                steps.file(facts, &file, root_owner(&paths).as_ref());
            }
        }
    }

    fn services_on(&self, host: &HostName) -> BTreeSet<ServiceName> {
        let here = self
            .trees
            .keys()
            .filter(|(h, _)| h == host)
            .map(|(_, s)| s.clone());
        here.chain(self.context.placement.on(host).map(|id| id.service.clone()))
            .collect()
    }

    /// The instances of a role: those that do not run are started together, those that run and changed
    /// are restarted one after another behind the role's gates.
    ///
    /// # Errors
    /// None today; kept for steps that render.
    pub fn role(&mut self, role: &RoleRef) -> Result<(), PlanError> {
        let Some(words) = self.context.catalogue.role(&role.service, &role.role) else {
            return Ok(());
        };
        if !self.stage.is_about(role) {
            return Ok(());
        }
        let mut by_kind: Vec<(Kind, Batch)> = Vec::new();
        let mut given: Vec<(Kind, ResourceChange)> = Vec::new();
        for one in self.desired {
            let id = &one.member.id;
            if !role.is_of(id) || !self.is_touched(words, id) {
                continue;
            }
            let Some(facts) = self.context.facts.get(&id.host) else {
                continue;
            };
            let (kind, mut steps, because) = self.instance(one, facts);
            if kind == Kind::Anew {
                self.forget(&id.clone(), facts, &mut steps);
            }
            let change = self.given(one, facts, kind);
            given.extend(change.map(|change| (kind, change)));
            if let Some(mut batch) = self.batch(&id.host, steps) {
                batch.instance = Some(id.clone());
                batch.because = because;
                by_kind.push((kind, batch));
            }
        }
        self.some_join(role, words, &mut by_kind);
        self.voters_join(words, &mut by_kind);
        for kind in [
            Kind::Tidy,
            Kind::Start,
            Kind::Join,
            Kind::Anew,
            Kind::Reload,
            Kind::Live,
            Kind::Restart,
        ] {
            let mut given: Vec<ResourceChange> = taken(&mut given, kind);
            if kind == Kind::Live {
                self.give(role, words, std::mem::take(&mut given));
            }
            if kind == Kind::Restart {
                self.give_before(role, words, &given);
            }
            if kind == Kind::Anew {
                self.before_anew(role, words);
                self.lost_votes(role, words);
            }
            if kind == Kind::Restart {
                self.missing_votes(role);
                self.step_down(role, words);
                self.moves_before(role);
            }
            let wave = self.role_wave(role, words, kind, taken(&mut by_kind, kind));
            let mut wave = self.with_votes((role, words), kind, wave);
            wave.resources.splice(0..0, given);
            let mut ahead = None;
            if kind == Kind::Start && (!wave.after.is_empty() || self.share_hosts(&role.service)) {
                let files = self.configure(role, &mut wave);
                ahead = self.push(files);
                wave.after_on_host.extend(ahead);
            }
            wave.after_on_host
                .extend(self.remembered_for(&role.service));
            self.push_role(role, wave, ahead);
        }
        self.moves_after(role);
        self.late(role, words);
        self.leave(role, words);
        Ok(())
    }

    /// A wave of a role: what needs the role waits for it. `ahead` writes its files.
    fn push_role(&mut self, role: &RoleRef, wave: Wave, ahead: Option<usize>) {
        if let Some(index) = self.push(wave) {
            let of_service = self.of_service.entry(role.service.clone());
            of_service.or_default().push(index);
            let writing = self.writing.entry(role.service.clone());
            writing.or_default().push(ahead.unwrap_or(index));
        }
    }

    /// The waves that remember what the data of a service, and of those that it needs, are in: they write the
    /// same file as the host of one that starts anew, which forgets it first.
    fn remembered_for(&self, service: &ServiceName) -> Vec<usize> {
        let wanted = self.context.cluster.services.get(service);
        let needs = |other: &ServiceName| wanted.is_some_and(|of| of.needs.contains(other));
        let waves = self.remembering.iter();
        let waves = waves.filter(|(other, _)| other == service || needs(other));
        waves.map(|(_, wave)| *wave).collect()
    }

    /// Whether a host has more than one instance of a service.
    fn share_hosts(&self, service: &ServiceName) -> bool {
        let mut hosts = BTreeSet::new();
        let mut here = self.desired.iter().map(|one| &one.member.id);
        here.any(|id| &id.service == service && !hosts.insert(&id.host))
    }

    /// Whether another role of a service does the same on a host before.
    fn is_written(&self, service: &ServiceName, host: &HostName, step: &Step) -> bool {
        let waves = self.writing.get(service).into_iter().flatten();
        let batches = waves.flat_map(|wave| &self.waves[*wave].batches);
        let mut here = batches.filter(|batch| &batch.host == host);
        here.any(|batch| batch.steps.contains(step))
    }

    /// What needs not wait for other services, taken out of a wave that does: folders, files, and to enable
    /// the unit, for which systemd reads all its unit files again.
    fn configure(&self, role: &RoleRef, start: &mut Wave) -> Wave {
        let waits = |step: &Step| matches!(step, Step::Once { .. } | Step::Unit { .. });
        let mut batches: Vec<Batch> = Vec::new();
        for batch in &mut start.batches {
            let first = batch.steps.iter().position(waits).unwrap_or(0);
            let mut steps: Vec<Step> = batch.steps.drain(..first).collect();
            steps.retain(|step| !self.is_written(&role.service, &batch.host, step));
            if steps.is_empty() {
                continue;
            }
            let systemd = self
                .context
                .facts
                .get(&batch.host)
                .is_some_and(|f| f.systemd);
            if let (true, Some(Step::Unit { unit, to, within })) = (systemd, batch.steps.first())
                && *to == UnitChange::Start
            {
                let (unit, within) = (unit.clone(), *within);
                let to = UnitChange::Enable;
                steps.push(Step::Unit { unit, to, within });
            }
            // One batch a host, and each file once: instances may share some.
            match batches.iter_mut().find(|other| other.host == batch.host) {
                Some(other) => {
                    steps.retain(|step| !other.steps.contains(step));
                    other.steps.extend(steps);
                }
                None => batches.push(Batch {
                    host: batch.host.clone(),
                    instance: None,
                    because: Vec::new(),
                    steps,
                }),
            }
        }
        let mut after_on_host = start.after_on_host.clone();
        after_on_host.extend(self.writing.get(&role.service).into_iter().flatten());
        Wave {
            title: format!("configure {role}"),
            role: Some(role.clone()),
            after_on_host,
            batches,
            ..Wave::default()
        }
    }

    fn all_roles(&self) -> Vec<usize> {
        let waves = self.of_service.values().flatten().copied();
        waves.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Changes made by drivers, after everything runs.
    pub fn resources(&mut self, changes: &[ResourceChange]) {
        let wave = Wave {
            title: "topics".to_owned(),
            after: self.all_roles(),
            resources: changes.to_vec(),
            within: 60,
            ..Wave::default()
        };
        self.push(wave);
    }
}

/// Takes what is of a kind out of a list.
fn taken<T>(all: &mut Vec<(Kind, T)>, kind: Kind) -> Vec<T> {
    let of_kind = all.extract_if(.., |(k, _)| *k == kind);
    of_kind.map(|(_, one)| one).collect()
}

/// A file that sdtd keeps for itself.
fn own_file(path: String, text: String) -> DesiredFile {
    let (mode, on_change) = ("0644".to_owned(), OnChange::Nothing);
    DesiredFile {
        path,
        text,
        mode,
        on_change,
        owned: false,
        own: true,
        bootstrap: false,
        lists: None,
        live: LiveKeys::default(),
    }
}

/// What is written about each host, as text: long, since each names all others.
fn record_texts(records: &BTreeMap<HostName, Record>) -> BTreeMap<HostName, String> {
    let all: Vec<_> = records.iter().collect();
    let texts = parallel::map(&all, |(name, record)| {
        let json = serde_json::to_string_pretty(record).unwrap_or_default();
        ((*name).clone(), json + "\n")
    });
    texts.into_iter().collect()
}

/// Who owns what no service owns: root on a real host, whoever runs sdtd on a local one.
fn root_owner(paths: &HostPaths) -> Option<String> {
    paths.root.is_empty().then(|| "root".to_owned())
}
