//! What every command needs first: the catalogue, the inventory, connections.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::{AbortHandle, JoinHandle};

use super::dirs::Dirs;
use super::found::inventory_path;
pub use super::found::remember;
use super::proof::Proof;
use super::{Global, InventoryArg, sockets};
use crate::artifact::Shelf;
use crate::catalogue::Catalogue;
use crate::driver::Drivers;
use crate::error::{Failure, Kind};
use crate::event::EventKind;
use crate::exec::Stop;
use crate::flow::{
    Access, Connected, Flow, Joiner, connect, give_roots, host_problems, learn_keys,
};
use crate::id::HostName;
use crate::inventory::{Cluster, Host, LoadError, Loaded, Style};
use crate::plan::roll::Roll;
use crate::report::{self, EventSink, Format, Options, Out, Reporters, Secrets};
use crate::transport::RemoteError;

/// The built-in catalogue with the user's own folders over it.
///
/// # Errors
/// When a folder can't be read or a descriptor is wrong.
pub fn catalogue(global: &Global) -> Result<Catalogue, Failure> {
    Catalogue::load(&global.templates).map_err(|e| Failure::of(Kind::Usage, e.to_string()))
}

/// A checked inventory with what it was checked against.
pub struct Opened {
    /// The inventory.
    pub loaded: Loaded,
    /// The services' words.
    pub catalogue: Catalogue,
    /// Where sdtd keeps things.
    pub dirs: Dirs,
}

/// Finds, reads and checks the inventory. Touches no host.
///
/// # Errors
/// When there is none, or anything in it is wrong.
pub fn open(global: &Global, arg: &InventoryArg) -> Result<Opened, Failure> {
    open_edited(global, arg, |_, text| Ok(text.to_owned()))
}

/// The same with a text that is edited first; the file stays as it is.
///
/// # Errors
/// When there is none, it can't be edited so, or anything in it is wrong; what was right before the edit is
/// refused as unsafe.
pub fn open_edited(
    global: &Global,
    arg: &InventoryArg,
    edit: impl FnOnce(&Catalogue, &str) -> Result<String, Failure>,
) -> Result<Opened, Failure> {
    let dirs = Dirs::find()?;
    let catalogue = catalogue(global)?;
    let path = inventory_path(arg, &dirs)?;
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let read = |text: Option<&str>| {
        let loaded = crate::inventory::load(&path, text, &catalogue, &env);
        loaded.map_err(|error| findings(&error))
    };
    let mut loaded = read(None)?;
    let text = edit(&catalogue, &loaded.text)?;
    if text != loaded.text {
        let kind = Kind::Refused;
        loaded = read(Some(&text)).map_err(|failure| Failure { kind, ..failure })?;
    }
    give_roots(&mut loaded.cluster, &dirs.data);
    Ok(Opened {
        loaded,
        catalogue,
        dirs,
    })
}

pub(super) fn findings(error: &LoadError) -> Failure {
    let text = match error {
        LoadError::Findings(findings) if Out::is_terminal() => findings.render(Style::Coloured),
        LoadError::Findings(findings) => findings.render(Style::Plain),
        LoadError::Read { .. } => error.to_string(),
    };
    Failure::of(Kind::Usage, text)
}

/// A run: its reporters, and its flow with all hosts connected.
pub struct Run {
    /// The flow.
    pub flow: Flow,
    /// Where events go.
    pub events: EventSink,
    /// Who reports them; ends when every sink is gone.
    pub reporters: JoinHandle<Reporters>,
    /// Who listens for Ctrl-C.
    pub interrupts: AbortHandle,
    /// Live rows, to be set aside while something is asked.
    pub screen: report::Screen,
    /// The inventory's file.
    pub path: PathBuf,
    /// Where sdtd keeps things.
    pub dirs: Dirs,
    /// The run's id.
    pub id: String,
    /// Where control sockets are; gone with the run.
    pub sockets: TempDir,
    /// When it began.
    pub began: std::time::Instant,
}

/// How a run treats hosts that can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It ends.
    Fatal,
    /// It goes on without those that are out of reach; any other refusal ends it.
    OutOfReach,
    /// It goes on without them. Such a command only looks: it leaves no log, and ends at the first Ctrl-C
    /// without a word.
    Tolerated,
}

impl Missing {
    fn is_ended_by(self, error: &RemoteError) -> bool {
        match self {
            Self::Fatal => true,
            Self::OutOfReach => !error.is_out_of_reach(),
            Self::Tolerated => false,
        }
    }
}

/// Those whom a run is told to.
pub struct Telling {
    /// Where events go.
    pub events: EventSink,
    reporters: JoinHandle<Reporters>,
    screen: report::Screen,
    id: String,
    began: std::time::Instant,
}

impl Telling {
    /// Ends a run that had no hosts with its sum, and waits until everything is written.
    pub async fn finish(self, mut summary: crate::event::RunSummary) {
        summary.took_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.events.emit(EventKind::RunFinished(summary));
        drop(self.events);
        let _ = self.reporters.await;
    }
}

/// Begins to tell of a run, the password hidden. One that only looks leaves no log.
pub fn telling(
    global: &Global,
    opened: &Opened,
    command: &str,
    missing: Missing,
    password: Option<&str>,
) -> Telling {
    let began = std::time::Instant::now();
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let time = time.map_or(0, |t| t.as_secs());
    let id = format!("{time:010}-{}", std::process::id());
    let logs = (missing != Missing::Tolerated).then(|| opened.dirs.state.clone());
    let loaded = &opened.loaded;
    let (events, reporters, screen) = reporters(global, logs, loaded, password);
    events.emit(EventKind::RunStarted {
        command: command.to_owned(),
        cluster: loaded.cluster.name.to_string(),
        run: id.clone(),
        time,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    if !loaded.warnings.is_empty() {
        events.warn(loaded.warnings.render(Style::Plain), None);
    }
    Telling {
        events,
        reporters,
        screen,
        id,
        began,
    }
}

/// Begins a run: reporters first, then all connections at once.
///
/// # Errors
/// When a host can't be reached and `missing` says that this is fatal.
pub async fn begin(
    global: &Global,
    opened: Opened,
    command: &str,
    missing: Missing,
) -> Result<Run, Failure> {
    let password = ask_password(global)?;
    let Telling {
        events,
        reporters,
        screen,
        id,
        began,
    } = telling(global, &opened, command, missing, password.as_deref());
    let Opened {
        loaded,
        catalogue,
        dirs,
    } = opened;
    let sockets = sockets::of_run()?;
    let access = Access {
        accept_new: global.accept_new,
        password,
        sockets: sockets.path().to_owned(),
        kept: sockets::kept(),
        forks: global.forks,
    };
    let asks = (report::can_ask() && !global.yes).then(|| events.clone());
    let joiner = Joiner::new(move |hosts| reach(hosts, access.clone(), asks.clone()));
    let hosts = loaded.cluster.hosts.values().cloned().collect();
    let connected = joiner.join(hosts).await;
    let knows = (loaded.cluster, catalogue, shelf(global, &dirs));
    let flow = flow(global, knows, (joiner, connected), events.clone());
    let told = (missing != Missing::Tolerated).then(|| events.clone());
    let interrupts = interrupts(&flow.stop, told);
    let path = loaded.path;
    let run = Run {
        flow,
        events,
        reporters,
        interrupts,
        screen,
        path,
        dirs,
        id,
        sockets,
        began,
    };
    if run.flow.missing.iter().any(|(_, e)| missing.is_ended_by(e)) {
        let failure = run.flow.unreachable(&run.flow.missing);
        return Err(run
            .end(
                Some(failure),
                "hosts could not be reached; nothing was changed",
            )
            .await);
    }
    Ok(run)
}

/// The flow of a command that says nothing of its own yet.
fn flow(
    global: &Global,
    (cluster, catalogue, shelf): (Cluster, Catalogue, Shelf),
    (joiner, (fleet, missing)): (Joiner, Connected),
    events: EventSink,
) -> Flow {
    Flow {
        cluster,
        catalogue,
        fleet: Arc::new(fleet),
        missing,
        joiner,
        lost: Vec::new(),
        drivers: drivers(),
        events,
        shelf: Arc::new(shelf),
        forks: global.forks,
        fan_out: global.fan_out(),
        stop: Stop::default(),
        anew: BTreeSet::new(),
        replace: None,
        seed: uuid::Uuid::new_v4().to_string(),
        back: false,
        finalize: BTreeSet::new(),
        ends: BTreeSet::new(),
        deep: false,
        rebalance: false,
        cancel: false,
        copies: None,
        throttle: None,
        roll: Roll::default(),
        accepts_outage: false,
    }
}

/// Connects to hosts; where somebody can be asked, the keys of those that are not known yet are shown.
async fn reach(hosts: Vec<Host>, access: Access, asks: Option<EventSink>) -> Connected {
    let (mut fleet, mut failed) = connect(&hosts, &access).await;
    if let Some(events) = asks {
        events.flush().await;
        learn_keys(&hosts, &access, (&mut fleet, &mut failed)).await;
    }
    (fleet, failed)
}

/// Begins a run of a command that only looks, and prints what it sees.
///
/// # Errors
/// When the inventory is wrong.
pub async fn look(global: &Global, arg: &InventoryArg, command: &str) -> Result<Run, Failure> {
    let opened = open(global, arg)?;
    begin(&global.quietly(), opened, command, Missing::Tolerated).await
}

/// The end of a command that only looks, where hosts are out of reach: a document has named them already.
///
/// # Errors
/// When there are any.
pub fn all_reached(global: &Global, failed: &[(HostName, RemoteError)]) -> Result<(), Failure> {
    if failed.is_empty() {
        return Ok(());
    }
    let problems = if global.json {
        Vec::new()
    } else {
        host_problems(failed)
    };
    Err(Failure {
        kind: Kind::Unreachable,
        problems,
    })
}

/// The packages of this machine.
pub fn shelf(global: &Global, dirs: &Dirs) -> Shelf {
    let shelf = Shelf::new(dirs.cache.join("packages"));
    match &global.packages {
        Some(place) => shelf.with_packages(place),
        None => shelf,
    }
}

/// The drivers that this program has.
#[must_use]
pub fn drivers() -> Drivers {
    Drivers::default().with("kafka", Arc::new(crate::kafka::driver::KafkaDriver))
}

fn reporters(
    global: &Global,
    logs: Option<PathBuf>,
    loaded: &Loaded,
    password: Option<&str>,
) -> (EventSink, JoinHandle<Reporters>, report::Screen) {
    let cluster = loaded.cluster.name.to_string();
    let options = Options {
        format: if global.json {
            Format::Json
        } else {
            Format::Auto
        },
        level: global.level(),
        secrets: Secrets::new(password),
        state: logs.map(|logs| logs.join(&cluster)),
    };
    let reporters = Reporters::new(&options);
    let screen = reporters.screen();
    let (events, receiver) = report::channel();
    let reporters = report::drive(receiver, reporters);
    (events, reporters, screen)
}

fn ask_password(global: &Global) -> Result<Option<String>, Failure> {
    if !global.ask_become_pass {
        return Ok(None);
    }
    let asked = report::ask_secret("sudo password on the hosts: ");
    asked
        .map(Some)
        .map_err(|e| Failure::of(Kind::Usage, format!("no password: {e}")))
}

/// The first Ctrl-C ends the run after the steps under way, the second at once.
fn interrupts(stop: &Stop, events: Option<EventSink>) -> AbortHandle {
    let stop = stop.clone();
    let task = tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if stop.is_asked() {
                std::process::exit(i32::from(Kind::Interrupted.code()));
            }
            stop.ask();
            let Some(events) = &events else { continue };
            events.warn(
                "interrupted: the steps under way are finished, then the run ends",
                Some("press Ctrl-C again to stop at once; the same command run again goes on from here"),
            );
        }
    });
    task.abort_handle()
}

impl Run {
    /// Ends a run: tells its sum, closes all connections, waits until everything is written. Gives the
    /// failure that the command ends with; its problems were told already.
    pub async fn end(self, failure: Option<Failure>, headline: &str) -> Failure {
        let failure = failure.unwrap_or(Failure {
            kind: Kind::Failed,
            problems: Vec::new(),
        });
        let summary = crate::event::RunSummary {
            exit: failure.kind.code(),
            headline: headline.to_owned(),
            problems: failure.problems,
            ..Default::default()
        };
        self.finish(summary).await;
        Failure {
            kind: failure.kind,
            problems: Vec::new(),
        }
    }

    /// Where the run's log is.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        report::RunLog::path(&self.state(), &self.id)
    }

    /// Whether what was last changed was proved to work.
    #[must_use]
    pub fn proof(&self) -> Proof {
        Proof::of(&self.state())
    }

    /// Where the cluster's runs are recorded.
    fn state(&self) -> PathBuf {
        self.dirs.state.join(self.flow.cluster.name.as_str())
    }

    /// Takes the cluster's lock, waiting for it as long as the command line says.
    ///
    /// # Errors
    /// When somebody else holds it, or a host can't be asked.
    pub async fn lock(&self, global: &Global) -> Result<crate::lock::Guard, Failure> {
        let wait = std::time::Duration::from_secs(global.lock_wait);
        let how = (wait, &self.flow.stop);
        crate::lock::take(&self.flow.fleet, &self.flow.places(), &self.id, how).await
    }

    /// Ends a run with its sum.
    pub async fn finish(self, mut summary: crate::event::RunSummary) {
        summary.took_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.events.emit(EventKind::RunFinished(summary));
        self.close().await;
    }

    /// Closes all connections and waits until everything is written.
    pub async fn close(self) {
        self.interrupts.abort();
        drop(self.events);
        self.flow.close().await;
        let _ = self.reporters.await;
        drop(self.sockets);
    }
}
