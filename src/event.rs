//! What happens during a run: the only words shared by those who work and those who report.
//!
//! Events are data: the same stream feeds the terminal, plain lines, JSON lines and the run's log on disk,
//! and an old run's screen is made again from its log. Nothing secret is ever put into an event.

use serde::{Deserialize, Serialize};

use crate::id::{HostName, InstanceId};

/// The version of the event format; it grows when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// One event: when, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Format version ([`SCHEMA`]).
    pub v: u32,
    /// Milliseconds since the run began.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// A run begins.
    RunStarted {
        /// The command, such as `deploy`.
        command: String,
        /// The cluster's name.
        cluster: String,
        /// The run's id, sortable by time.
        run: String,
        /// Unix time in seconds.
        time: u64,
        /// The program's version.
        version: String,
    },
    /// A phase of the run begins: `facts`, `packages`, `plan`, `apply`, `verify`, `bundle`.
    Phase {
        /// The phase's name.
        name: String,
    },
    /// A host answered with its facts.
    HostFacts {
        /// The host.
        host: HostName,
        /// One line for people: system, architecture, memory.
        summary: String,
    },
    /// A host could not be reached or refused.
    HostFailed {
        /// The host.
        host: HostName,
        /// Why.
        error: Problem,
    },
    /// A package is being fetched or assembled on this machine.
    Package {
        /// Name and version.
        package: String,
        /// What is happening, such as `assembling with mvn`.
        doing: String,
        /// Bytes done.
        done: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// A package is ready on this machine.
    PackageReady {
        /// Name and version.
        package: String,
        /// Where it came from.
        origin: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The plan is made.
    Planned {
        /// The plan as people read it, line by line, secrets masked.
        text: String,
        /// How many steps change something.
        steps: usize,
        /// How many things were looked at and need nothing.
        unchanged: usize,
    },
    /// A wave of the plan begins.
    WaveStarted {
        /// The wave's title.
        wave: String,
        /// How many batches it has.
        batches: usize,
        /// The titles of the waves that it waited for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        needs: Vec<String>,
    },
    /// A wave ended.
    WaveFinished {
        /// The wave's title.
        wave: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// A batch of steps begins on a host.
    BatchStarted {
        /// The wave's title.
        wave: String,
        /// The host.
        host: HostName,
        /// How many steps.
        steps: usize,
    },
    /// A step ended (steps of a batch run in order).
    StepFinished {
        /// The wave's title.
        wave: String,
        /// The host.
        host: HostName,
        /// The step as one line.
        step: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took in milliseconds.
        took_ms: u64,
    },
    /// Bytes on their way to a host; may be dropped when the reader is slow.
    Transfer {
        /// The host.
        host: HostName,
        /// What is sent.
        what: String,
        /// Bytes sent.
        done: u64,
        /// Bytes in all.
        total: u64,
        /// The host that passes it on; none: this machine sends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<HostName>,
    },
    /// A gate or a readiness check is waited for; repeated while it lasts.
    Waiting {
        /// The wave's title.
        wave: String,
        /// Whom it concerns.
        who: String,
        /// What is waited for and why it does not hold yet.
        why: String,
    },
    /// A check of `verify`.
    Checked {
        /// Whom it concerns: an instance, a host or a service.
        who: String,
        /// What was checked.
        what: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// A warning that stops nothing.
    Warning {
        /// What.
        text: String,
        /// What to do.
        help: Option<String>,
    },
    /// A line of information.
    Note {
        /// What.
        text: String,
    },
    /// The run ended.
    RunFinished(RunSummary),
}

/// How a thing ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Something was changed.
    Changed,
    /// It holds, nothing had to be done.
    Ok {
        /// More to say, such as a measured value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// It failed.
    Failed {
        /// Why.
        error: Problem,
    },
    /// It was not tried.
    Skipped {
        /// Why not.
        reason: String,
    },
}

impl Outcome {
    /// Whether it failed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// `Ok` with nothing more to say.
    #[must_use]
    pub fn ok() -> Self {
        Self::Ok { detail: None }
    }
}

/// A failure as people read it: the cause, the service's own words, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The cause in one line.
    pub cause: String,
    /// Last lines of a log, a command's complaint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// A problem with a cause only.
    #[must_use]
    pub fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            log: Vec::new(),
            help: None,
        }
    }

    /// The same problem with a next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The sum of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunSummary {
    /// The exit code that follows.
    pub exit: u8,
    /// One line: what came of it.
    pub headline: String,
    /// Per host: how many steps changed something, and what failed.
    pub hosts: Vec<HostSummary>,
    /// What failed on no host in particular.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Rows for the closing table: who, where, what it is now.
    pub instances: Vec<InstanceSummary>,
    /// The next useful command, or what to do about the failure.
    pub next: Vec<String>,
    /// How long the run took in milliseconds.
    pub took_ms: u64,
}

/// What a run did on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostSummary {
    /// The host.
    pub host: HostName,
    /// Steps that changed something.
    pub changed: usize,
    /// What failed there.
    pub failed: Vec<Problem>,
}

/// What an instance is at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceSummary {
    /// Which instance.
    pub instance: InstanceId,
    /// Where its clients reach it: `address:port`.
    pub address: String,
    /// Its role as the protocol tells it, such as `leader`, and its state.
    pub state: String,
    /// The version that runs.
    pub version: String,
}
