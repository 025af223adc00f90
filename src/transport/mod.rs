//! How hosts are reached: over SSH, on this machine, or not at all (a fake, for tests).
//!
//! The rest of the program asks a [`Remote`] for facts, hands it steps and packages, and opens streams to
//! its ports; it never sees which of the three it talks to.

pub mod fake;
mod kept;
mod local;
mod process;
mod shell;
mod ssh;
pub mod stream;
mod talk;
mod tunnel;

use std::io;
use std::path::Path;
use std::time::Duration;

pub use fake::Fake;
pub use kept::Kept;
pub use local::Local;
pub use shell::{Become, Channel, Shell};
pub use ssh::{Sockets, Ssh, SshOptions};
pub use stream::{BoxStream, Dial};
pub use talk::Talk;

use crate::exec::script::Places;
use crate::facts::{FactsError, FactsRequest, HostFacts};
use crate::plan::{Member, Step};

/// Why a host did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Its key is not known.
    #[error("the key of {destination} is not known")]
    HostKeyUnknown {
        /// Where the connection went.
        destination: String,
    },
    /// Its key is not the one that is known.
    #[error(
        "the key of {destination} has CHANGED: another machine answers, or the host was set up anew"
    )]
    HostKeyChanged {
        /// Where the connection went.
        destination: String,
    },
    /// It refused the login.
    #[error("{destination} refused the login: {said}")]
    Login {
        /// Where the connection went.
        destination: String,
        /// What ssh said.
        said: String,
    },
    /// No rights.
    #[error("sudo was denied: {0}")]
    Sudo(String),
    /// The connection broke, or the command did.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// It can't keep what it is sent.
    #[error("what is sent can't be kept there: {0}")]
    Unkept(String),
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Its facts can't be used.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl RemoteError {
    /// Whether the host is off or the way to it is cut, so that others can be worked on without it. All else
    /// (an unknown key, a refused login or sudo) is a matter of settings, and ends a run before it begins.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Lost(_) | Self::TimedOut(_)
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable(_) => "is it on, and does `ssh` reach it by that name?".to_owned(),
            Self::HostKeyUnknown { destination } => format!(
                "check its fingerprint and log in once with `ssh {destination}`, or take it with `--accept-new`"
            ),
            Self::HostKeyChanged { destination } => format!(
                "if you set it up anew, forget the old key: `ssh-keygen -R {destination}`; otherwise do not go on"
            ),
            Self::Login { .. } => "set `ssh: { user: …, key: … }` in the inventory, or copy your key there: `ssh-copy-id`".to_owned(),
            Self::Sudo(_) => "allow password-less sudo for the login user, or give the password with `--ask-become-pass`".to_owned(),
            Self::Lost(_) | Self::TimedOut(_) => "run the same command again: it goes on where it stopped".to_owned(),
            Self::Unkept(said) => return remedy(said),
            Self::Facts(_) => return None,
        })
    }
}

/// What to do about a complaint of a host, where that is known.
#[must_use]
pub fn remedy(said: &str) -> Option<String> {
    said.contains(DISK_FULL).then(|| {
        "make room there (`df -h` shows which disk is full), then run the same command again: it goes on from here"
            .to_owned()
    })
}

/// How every tool of a host says it.
pub const DISK_FULL: &str = "No space left on device";

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAnswer {
    /// It changed something.
    Changed,
    /// It found everything as it should be.
    Ok,
    /// What the plan was made for is no longer there.
    Stale(Vec<String>),
    /// Its package did not arrive as it was sent; it must be sent again.
    Resend(Vec<String>),
    /// The host can't get a package of its distribution; it must be brought from this machine.
    Bring(Vec<String>),
    /// It failed, with what it complained of.
    Failed(Vec<String>),
}

/// What a hook answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookAnswer {
    /// Its exit code; none if it was killed.
    pub code: Option<i32>,
    /// The lines it printed.
    pub lines: Vec<String>,
}

/// A package on its way to a host.
#[derive(Debug, Clone, Copy)]
pub struct Shipment<'a> {
    /// The file on this machine.
    pub file: &'a Path,
    /// Its SHA-256.
    pub sha256: &'a str,
    /// Its size in bytes; a smaller number sends no more than that of it.
    pub size: u64,
}

/// A host as the rest of the program sees it.
pub enum Remote {
    /// One with a shell: over SSH, or this machine.
    Shell(Shell),
    /// One that is only in memory.
    Fake(Fake),
}

impl Remote {
    /// Its facts, in one round trip.
    ///
    /// # Errors
    /// When it can't be asked, or its answer can't be used.
    pub async fn facts(&self, request: &FactsRequest) -> Result<HostFacts, RemoteError> {
        match self {
            Self::Shell(shell) => shell.facts(request).await,
            Self::Fake(fake) => fake.facts(request),
        }
    }

    /// Does steps in order, numbered from `first`, and tells of each as it ends; the first failure ends it.
    ///
    /// # Errors
    /// When the connection is lost before the last step answered.
    pub async fn apply(
        &self,
        places: &Places,
        (first, steps): (usize, &[Step]),
        tell: &mut (dyn FnMut(usize, StepAnswer) + Send),
    ) -> Result<(), RemoteError> {
        match self {
            Self::Shell(shell) => shell.apply(places, (first, steps), tell).await,
            Self::Fake(fake) => fake.apply(places, (first, steps), tell),
        }
    }

    /// Sends a package, going on where an earlier try stopped. Returns how many bytes were sent.
    ///
    /// # Errors
    /// When the file can't be read or the connection is lost.
    pub async fn send(
        &self,
        places: &Places,
        shipment: Shipment<'_>,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, RemoteError> {
        match self {
            Self::Shell(shell) => shell.send(places, shipment, tell).await,
            Self::Fake(fake) => fake.send(places, shipment, tell),
        }
    }

    /// Opens a stream to one of its ports, as seen from the host itself.
    ///
    /// # Errors
    /// When nothing listens there or the connection is lost.
    pub async fn dial(&self, address: &str, port: u16) -> io::Result<BoxStream> {
        match self {
            Self::Shell(shell) => shell.dial(address, port).await,
            Self::Fake(fake) => fake.dial(address, port),
        }
    }

    /// The first of some ports of another machine that can be connected to within `within`, as seen from the host.
    pub async fn reaches(&self, address: &str, ports: &[u16], within: Duration) -> Option<u16> {
        let tries = ports.iter().map(async |port| {
            let dialled = tokio::time::timeout(within, self.dial(address, *port)).await;
            matches!(dialled, Ok(Ok(_))).then_some(*port)
        });
        let mut open = futures_util::future::join_all(tries).await.into_iter();
        open.find_map(|port| port)
    }

    /// Runs a hook of an instance as its user.
    ///
    /// # Errors
    /// When the connection is lost or the hook takes too long.
    pub async fn hook(
        &self,
        member: &Member,
        hook: &str,
        within: Duration,
    ) -> Result<HookAnswer, RemoteError> {
        match self {
            Self::Shell(shell) => shell.hook(member, hook, within).await,
            Self::Fake(fake) => Ok(fake.hook(member, hook)),
        }
    }

    /// Asks about the cluster's lock on it.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn lock(
        &self,
        places: &Places,
        ask: &crate::lock::Ask,
    ) -> Result<crate::lock::Answer, RemoteError> {
        match self {
            Self::Shell(shell) => shell.lock(places, ask).await,
            Self::Fake(fake) => fake.lock(ask),
        }
    }

    /// Runs a script as it stands and tells each line of its standard output; its exit code.
    ///
    /// # Errors
    /// When the connection is lost or it takes longer than `within`.
    pub async fn command(
        &self,
        script: &str,
        within: Duration,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Option<i32>, RemoteError> {
        match self {
            Self::Shell(shell) => shell.command(script, within, line).await,
            Self::Fake(fake) => fake.command(script, line),
        }
    }

    /// Starts a script that is talked with, for so long at the most; none where nobody can be talked with.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn talk(&self, script: &str, within: Duration) -> Result<Option<Talk>, RemoteError> {
        match self {
            Self::Shell(shell) => shell.talk(script, within).await.map(Some),
            Self::Fake(_) => Ok(None),
        }
    }

    /// The last lines that an instance logged.
    pub async fn tail(&self, places: &Places, member: &Member, lines: usize) -> Vec<String> {
        match self {
            Self::Shell(shell) => shell.tail(places, member, lines).await.unwrap_or_default(),
            Self::Fake(fake) => fake.tail(member),
        }
    }

    /// Connects once more, for all who share this.
    ///
    /// # Errors
    /// When the host can't be reached.
    pub async fn reconnect(&self) -> Result<(), RemoteError> {
        match self {
            Self::Shell(shell) => shell.reconnect().await,
            Self::Fake(fake) => fake.reconnect(),
        }
    }

    /// Ends the connection.
    pub async fn close(self) {
        if let Self::Shell(shell) = self {
            shell.close().await;
        }
    }
}
