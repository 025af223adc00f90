//! Hosts in memory, for fast scenarios and for faults that are hard to make on real ones.
//!
//! A fake does what `exec/steps.sh` does, as far as a plan can see it; the conformance scenarios run the
//! same on fake, local and real hosts.

mod steps;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BoxStream, HookAnswer, RemoteError, Shipment, StepAnswer};
use crate::exec::script::Places;
use crate::facts::{DirFact, FactsRequest, FileFact, HostFacts, UnitFact, read_record};
use crate::id::{Arch, HostName};
use crate::lock::{Answer as Held, Ask, LEASE, Owner};
use crate::plan::{Member, Step, UnitChange};

/// What a port answers to a word: none where nothing listens. Called with the world, the host, the port
/// and what was written to it (nothing, for a mere connection).
pub type Responder = Arc<dyn Fn(&World, &HostName, u16, &str) -> Option<String> + Send + Sync>;

/// What a hook answers: called with the world, the host and the hook's path.
pub type HookResponder = Arc<dyn Fn(&World, &HostName, &str) -> HookAnswer + Send + Sync>;

/// Decides whether a step fails: called with the world as it is before the step, the host and the step.
pub type Fault = Arc<dyn Fn(&World, &HostName, &Step) -> Option<FaultKind> + Send + Sync>;

/// What a unit writes when it is started: called with its host's state, the host and the unit.
pub type Starter = Arc<dyn Fn(&mut FakeState, &HostName, &str) + Send + Sync>;

/// How a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It says so; nothing was changed.
    Fails,
    /// The connection breaks before it is done.
    LostBefore,
    /// The connection breaks after it was done, before its answer came.
    LostAfter,
}

/// All fake hosts of a test.
#[derive(Default)]
pub struct World {
    /// The hosts.
    pub hosts: BTreeMap<HostName, FakeState>,
    /// Which host has which address; one that is not here is the host's own that dials it.
    pub addresses: BTreeMap<String, HostName>,
    /// Every step that was done, as `<host>: <step>`, in order.
    pub done: Vec<String>,
    /// What ports answer.
    pub responder: Option<Responder>,
    /// What hooks answer.
    pub hooks: Option<HookResponder>,
    /// Which steps fail.
    pub fault: Option<Fault>,
    /// What units write.
    pub starter: Option<Starter>,
}

/// The state of one fake host.
#[derive(Debug, Clone, Default)]
pub struct FakeState {
    /// Whether it is off.
    pub dead: bool,
    /// What stands still: memory, architecture and their like.
    pub memory_mb: u64,
    /// Its clock.
    pub time: i64,
    /// Its setting of `vm.swappiness`, where it has one.
    pub swappiness: Option<u32>,
    /// Whether it does not know its own name, unless its /etc/hosts says it.
    pub nameless: bool,
    /// What it takes the names of hosts for, where that is not what everybody does; none: it does not know them.
    pub names: BTreeMap<String, Option<String>>,
    /// Its architecture; this machine's if not set.
    pub arch: Option<Arch>,
    /// Files.
    pub files: BTreeMap<String, FileFact>,
    /// Folders.
    pub dirs: BTreeMap<String, DirFact>,
    /// Links.
    pub links: BTreeMap<String, String>,
    /// Users.
    pub users: std::collections::BTreeSet<String>,
    /// Names of packages in the store.
    pub store: std::collections::BTreeSet<String>,
    /// Packages in the store that have a damaged file.
    pub damaged: std::collections::BTreeSet<String>,
    /// Whether commands that take long are cut off.
    pub cut_off: bool,
    /// Packages of the distribution.
    pub distribution: std::collections::BTreeSet<String>,
    /// Packages that arrived, by hash, with their sizes.
    pub incoming: BTreeMap<String, u64>,
    /// Units.
    pub units: BTreeMap<String, UnitFact>,
    /// How often it was booted.
    pub boots: u32,
    /// Who holds the cluster's lock on it, and how many seconds ago that was renewed.
    pub lock: Option<(Owner, u64)>,
    /// Ports on which something else listens.
    pub listening: Vec<crate::facts::Listener>,
    /// How many bytes of packages were sent to it.
    pub bytes_received: u64,
}

impl FakeState {
    /// It is off for a moment: what is enabled starts, with the files that are there.
    pub fn reboot(&mut self) {
        self.boots += 1;
        self.dead = false;
        let files = &self.files;
        for (unit, fact) in &mut self.units {
            let end = format!("/units/{unit}/wanted");
            let wanted = files.iter().find(|(path, _)| path.ends_with(&end));
            fact.running = wanted.map(|(_, file)| file.text.trim().to_owned());
            fact.active = fact.enabled;
            fact.pid = fact.pid.map(|pid| pid + 1);
        }
    }
}

impl World {
    /// Whether a unit of a host runs.
    #[must_use]
    pub fn runs(&self, host: &str, unit: &str) -> bool {
        self.hosts
            .get(host)
            .is_some_and(|h| !h.dead && h.units.get(unit).is_some_and(|u| u.active))
    }
}

/// One fake host.
#[derive(Clone)]
pub struct Fake {
    world: Arc<Mutex<World>>,
    host: HostName,
}

impl Fake {
    /// A host of a world; it is made if it is not there.
    #[must_use]
    pub fn new(world: &Arc<Mutex<World>>, host: &HostName) -> Self {
        let fake = Self {
            world: Arc::clone(world),
            host: host.clone(),
        };
        let fresh = || FakeState {
            memory_mb: 4096,
            time: 1_700_000_000,
            ..FakeState::default()
        };
        fake.world().hosts.entry(host.clone()).or_insert_with(fresh);
        fake
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`super::Remote::facts`].
    ///
    /// # Errors
    /// When the host is off, or its record can't be read.
    pub fn facts(&self, request: &FactsRequest) -> Result<HostFacts, RemoteError> {
        let world = self.world();
        let state = alive(&world, &self.host)?;
        let asked = |path: &String| request.paths.contains(path);
        let record_path = format!("{}/record.json", request.state);
        let mut files: BTreeMap<String, FileFact> = state
            .files
            .iter()
            .filter(|(p, _)| asked(p))
            .map(own)
            .collect();
        let record = state.files.get(&record_path);
        files.extend(record.map(|file| (record_path, file.clone())));
        let record = record.map(|file| read_record(&file.text)).transpose()?;
        Ok(HostFacts {
            hostname: self.host.to_string(),
            machine_id: format!("{:0>32}", self.host),
            arch: state.arch.or(Arch::here()).unwrap_or(Arch::X86_64),
            os: "Fake Linux".to_owned(),
            memory_mb: state.memory_mb,
            cpus: 4,
            time: state.time,
            user: "root".to_owned(),
            systemd: !request.pidfiles,
            disks: BTreeMap::new(),
            users: state.users.intersection(&request.users).cloned().collect(),
            files,
            dirs: state
                .dirs
                .iter()
                .filter(|(p, _)| asked(p))
                .map(own)
                .collect(),
            links: state
                .links
                .iter()
                .filter(|(p, _)| asked(p))
                .map(own)
                .collect(),
            store: state.store.clone(),
            used: std::collections::BTreeSet::new(),
            damaged: BTreeMap::new(),
            markers: request
                .markers
                .iter()
                .filter(|m| state.files.contains_key(*m))
                .cloned()
                .collect(),
            units: state
                .units
                .iter()
                .filter(|(u, _)| request.units.contains(*u))
                .map(own)
                .collect(),
            listening: state.listening.clone(),
            resolves: known(state, &self.host, &request.names),
            looks_up: true,
            swappiness: state.swappiness,
            record,
        })
    }

    /// See [`super::Remote::apply`].
    ///
    /// # Errors
    /// When the host is off or a fault breaks the connection.
    pub fn apply(
        &self,
        places: &Places,
        (first, steps): (usize, &[Step]),
        tell: &mut (dyn FnMut(usize, StepAnswer) + Send),
    ) -> Result<(), RemoteError> {
        for (offset, step) in steps.iter().enumerate() {
            let mut world = self.world();
            alive(&world, &self.host)?;
            let fault = world
                .fault
                .clone()
                .and_then(|f| f(&world, &self.host, step));
            match fault {
                Some(FaultKind::LostBefore) => return Err(broken()),
                Some(FaultKind::Fails) => {
                    if let Some(state) = world.hosts.get_mut(&self.host) {
                        state.begun(step);
                    }
                    tell(
                        first + offset,
                        StepAnswer::Failed(vec!["a fault was asked for".to_owned()]),
                    );
                    return Ok(());
                }
                _ => {}
            }
            let refused = hook_refuses(&world, &self.host, step);
            world.done.push(format!("{}: {step}", self.host));
            let starter = world.starter.clone();
            let Some(state) = world.hosts.get_mut(&self.host) else {
                return Err(broken());
            };
            let answer = match refused {
                Some(answer) => {
                    state.begun(step);
                    answer
                }
                None => state.step(places, step),
            };
            if let (Step::Unit { unit, to, .. }, Some(starter)) = (step, starter)
                && matches!(to, UnitChange::Start | UnitChange::Restart)
            {
                starter(state, &self.host, unit);
            }
            drop(world);
            if fault == Some(FaultKind::LostAfter) {
                return Err(broken());
            }
            let bad = !matches!(answer, StepAnswer::Changed | StepAnswer::Ok);
            tell(first + offset, answer);
            if bad {
                return Ok(());
            }
        }
        Ok(())
    }

    /// See [`super::Remote::send`].
    ///
    /// # Errors
    /// When the host is off.
    pub fn send(
        &self,
        _places: &Places,
        shipment: Shipment<'_>,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, RemoteError> {
        let mut world = self.world();
        alive(&world, &self.host)?;
        let Some(state) = world.hosts.get_mut(&self.host) else {
            return Err(broken());
        };
        // What is there is gone on from, right or wrong: only unpacking looks at the sum.
        let have = state
            .incoming
            .entry(shipment.sha256.to_owned())
            .or_insert(0);
        let sent = shipment.size.saturating_sub(*have);
        *have += sent;
        state.bytes_received += sent;
        tell(shipment.size);
        Ok(sent)
    }

    /// See [`super::Remote::dial`].
    ///
    /// # Errors
    /// When nothing listens there or the host is off.
    pub fn dial(&self, address: &str, port: u16) -> io::Result<BoxStream> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let (responder, host) = {
            let world = self.world();
            alive(&world, &self.host).map_err(io::Error::other)?;
            let host = world.addresses.get(address).unwrap_or(&self.host).clone();
            alive(&world, &host).map_err(io::Error::other)?;
            let responder = world.responder.clone().ok_or_else(refused)?;
            responder(&world, &host, port, "").ok_or_else(refused)?;
            (responder, host)
        };
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            let mut word = vec![0; 1024];
            let n = far.read(&mut word).await.unwrap_or(0);
            let word = String::from_utf8_lossy(&word[..n]).into_owned();
            let answer = {
                let world = world.lock().unwrap_or_else(PoisonError::into_inner);
                responder(&world, &host, port, word.trim())
            };
            let _ = far.write_all(answer.unwrap_or_default().as_bytes()).await;
        });
        Ok(Box::pin(near))
    }

    /// See [`super::Remote::hook`].
    #[must_use]
    pub fn hook(&self, member: &Member, hook: &str) -> HookAnswer {
        let world = self.world();
        let path = format!("{}/{hook}", member.hooks);
        let yes = HookAnswer {
            code: Some(0),
            lines: Vec::new(),
        };
        world
            .hooks
            .clone()
            .map_or(yes, |hooks| hooks(&world, &self.host, &path))
    }

    /// See [`super::Remote::lock`].
    ///
    /// # Errors
    /// When the host is off.
    pub fn lock(&self, ask: &Ask) -> Result<Held, RemoteError> {
        let mut world = self.world();
        alive(&world, &self.host)?;
        let Some(state) = world.hosts.get_mut(&self.host) else {
            return Err(broken());
        };
        let (owner, over) = match ask {
            Ask::Break => {
                state.lock = None;
                return Ok(Held::Yes);
            }
            Ask::Release(owner) => {
                state.lock.take_if(|(held, _)| held == owner);
                return Ok(Held::Yes);
            }
            Ask::Take(owner) => (owner, false),
            Ask::TakeOver(owner) => (owner, true),
            Ask::Renew(_) if state.lock.is_none() => return Ok(Held::Held(None, 0)),
            Ask::Renew(owner) => (owner, false),
        };
        match &state.lock {
            Some((held, age)) if held != owner && !over && *age <= LEASE => {
                Ok(Held::Held(Some(held.clone()), *age))
            }
            _ => {
                state.lock = Some((owner.clone(), 0));
                Ok(Held::Yes)
            }
        }
    }

    /// See [`super::Remote::reconnect`].
    ///
    /// # Errors
    /// When the host is off.
    pub fn reconnect(&self) -> Result<(), RemoteError> {
        alive(&self.world(), &self.host).map(|_| ())
    }

    /// See [`super::Remote::command`]: it tells of damaged packages that the script is about, of the host's boot,
    /// and reboots.
    ///
    /// # Errors
    /// When the host is off, or its commands are cut off.
    pub fn command(
        &self,
        script: &str,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Option<i32>, RemoteError> {
        let mut world = self.world();
        if alive(&world, &self.host)?.cut_off {
            return Err(broken());
        }
        if let Some(state) = world.hosts.get_mut(&self.host) {
            if script.contains("\nreboot\n") {
                state.reboot();
                return Err(broken());
            }
            if script.contains("boot_id") {
                line(&format!("@boot {}", state.boots));
            }
            if script.contains("\nfalse\n") {
                line("it did not work");
                return Ok(Some(1));
            }
        }
        let damaged = world
            .hosts
            .get(&self.host)
            .into_iter()
            .flat_map(|s| &s.damaged);
        if damaged
            .into_iter()
            .any(|tree| script.contains(&format!("/{tree}'")))
        {
            line("lib/damaged");
        }
        Ok(Some(0))
    }

    /// See [`super::Remote::tail`].
    #[must_use]
    pub fn tail(&self, member: &Member) -> Vec<String> {
        let world = self.world();
        let state = world.hosts.get(&self.host);
        let log = state.and_then(|state| state.files.get(&member.log));
        match log {
            Some(log) => log.text.lines().map(str::to_owned).collect(),
            None => vec![format!("(the log of {})", member.id)],
        }
    }
}

/// The host's own name, where it knows it.
fn own_name(state: &FakeState, host: &HostName) -> BTreeMap<String, String> {
    let hosts = state.files.get("/etc/hosts");
    let line = format!("127.0.1.1 {host}");
    let is_told = hosts.is_some_and(|file| file.text.lines().any(|l| l == line));
    let known = !state.nameless || is_told;
    let pair = (host.to_string(), "127.0.1.1".to_owned());
    known.then_some(pair).into_iter().collect()
}

/// The names that it knows, with addresses.
fn known(
    state: &FakeState,
    host: &HostName,
    names: &std::collections::BTreeSet<String>,
) -> BTreeMap<String, String> {
    let mut all = own_name(state, host);
    for name in names.iter().filter(|name| *name != host.as_str()) {
        let usual = || Some("192.0.2.1".to_owned());
        let at = state.names.get(name).cloned().unwrap_or_else(usual);
        all.extend(at.map(|at| (name.clone(), at)));
    }
    all
}

fn own<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}

/// What a hook says that does not do its step.
fn hook_refuses(world: &World, host: &HostName, step: &Step) -> Option<StepAnswer> {
    let Step::Once { hook, marker, .. } = step else {
        return None;
    };
    if world.hosts.get(host)?.files.contains_key(marker) {
        return None;
    }
    let answer = (world.hooks.as_ref()?)(world, host, hook);
    (answer.code != Some(0)).then_some(StepAnswer::Failed(answer.lines))
}

fn broken() -> RemoteError {
    RemoteError::Lost("the link was cut".to_owned())
}

fn alive<'a>(world: &'a World, host: &HostName) -> Result<&'a FakeState, RemoteError> {
    let state = world.hosts.get(host).filter(|state| !state.dead);
    state.ok_or_else(|| RemoteError::Unreachable("no route to host".to_owned()))
}
