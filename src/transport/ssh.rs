//! A host over SSH: the user's own OpenSSH client, one multiplexed connection.

use std::fmt::Write as _;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::sync::{RwLock, Semaphore};

use super::kept::{Claim, Kept};
use super::process::Process;
use super::tunnel::Tunnel;
use super::{BoxStream, RemoteError};
use crate::digest;

/// sshd allows ten commands at once on a connection by default; two are left for those that another run may add.
const CHANNELS: usize = 8;
/// For how long a connection outlives a run that was cut off.
const IDLE: Duration = Duration::from_mins(1);

/// What is said about a host in the inventory; the rest comes from the user's ssh configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshOptions {
    /// Where to connect, as the user would write it for `ssh`.
    pub destination: String,
    /// The login name.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The private key's file.
    pub key: Option<PathBuf>,
    /// An ssh configuration file read instead of the user's own.
    pub config: Option<PathBuf>,
    /// Take and keep the key of a host that is not known yet.
    pub accept_new: bool,
    /// The key exchange methods, as `KexAlgorithms` of ssh takes them.
    pub kex: Option<String>,
    /// For how long the connection stays without use, so that the next run has it; none: it ends with this one.
    pub persist: Option<Duration>,
}

impl SshOptions {
    /// By what a connection is found again: all that it is made from, the user's own configuration included.
    #[must_use]
    pub fn name(&self) -> String {
        let own = |home| PathBuf::from(home).join(".ssh/config");
        let file = self
            .config
            .clone()
            .or_else(|| std::env::var_os("HOME").map(own));
        let text = file.and_then(|file| std::fs::read(file).ok());
        let text = text.map_or_else(String::new, |text| digest::hex(&text));
        let destination = &self.destination;
        digest::uuid_of(&format!("{destination}\n{}{text}", configuration(self)))
    }
}

/// Where sockets are. Paths must be short: a Unix socket's name has 108 bytes at the most.
#[derive(Debug, Clone, Copy)]
pub struct Sockets<'a> {
    /// Those of this run, and the generated configuration.
    pub run: &'a Path,
    /// Those of connections that stay; made where it is needed.
    pub kept: &'a Path,
}

/// A connection to a host.
pub struct Ssh {
    session: RwLock<Arc<Session>>,
    options: Box<SshOptions>,
    channels: Arc<Semaphore>,
    directory: PathBuf,
    /// Where it is kept, if it is.
    claim: Option<Claim>,
    /// Whether an earlier run made it, and nobody knows yet whether the host still answers.
    resumed: AtomicBool,
}

/// Counts generated configurations, so that two never share a name.
static CONFIGURATIONS: AtomicU32 = AtomicU32::new(0);

impl Ssh {
    /// Connects, or goes on with the connection that an earlier run left.
    ///
    /// # Errors
    /// When the host can't be reached, its key is unknown or changed, or it refuses the login.
    pub async fn connect(options: &SshOptions, sockets: Sockets<'_>) -> Result<Self, RemoteError> {
        let claim = claim(options, sockets)?;
        let left = match &claim {
            Some(claim) => claim.resume().await,
            None => None,
        };
        let resumed = AtomicBool::new(left.is_some());
        let session = match left {
            Some(session) => session,
            None => open(options, sockets.run, claim.as_ref()).await?,
        };
        Ok(Self {
            session: RwLock::new(Arc::new(session)),
            options: Box::new(options.clone()),
            channels: Arc::new(Semaphore::new(CHANNELS)),
            directory: sockets.run.to_owned(),
            claim,
            resumed,
        })
    }

    /// Whether this is the first question to a connection that an earlier run left: it may be dead on the host's side.
    pub fn may_be_dead(&self) -> bool {
        self.resumed.swap(false, Ordering::Relaxed)
    }

    /// Connects once more, for all who share this: the connection was lost, as by a reboot.
    ///
    /// # Errors
    /// As [`Ssh::connect`].
    pub async fn reconnect(&self) -> Result<(), RemoteError> {
        if let Some(claim) = &self.claim {
            claim.end().await;
        }
        let session = open(&self.options, &self.directory, self.claim.as_ref()).await?;
        let old = std::mem::replace(&mut *self.session.write().await, Arc::new(session));
        drop(old);
        Ok(())
    }

    async fn session(&self) -> Arc<Session> {
        Arc::clone(&*self.session.read().await)
    }

    /// Lets the user's own ssh show the key of a host that is not known yet, and ask about it on the
    /// terminal. True if it was taken.
    ///
    /// # Errors
    /// When ssh can't be run.
    pub async fn learn_key(options: &SshOptions, directory: &Path) -> Result<bool, RemoteError> {
        let config = write_configuration(options, directory)?;
        let status = tokio::process::Command::new("ssh")
            .arg("-F")
            .arg(&config)
            .args(["-o", "StrictHostKeyChecking=ask", "-o", "LogLevel=ERROR"])
            .args(["-o", "ConnectTimeout=10", "--"])
            .args([&options.destination, "true"])
            .status()
            .await;
        let status = status.map_err(|e| RemoteError::Unreachable(format!("ssh: {e}")))?;
        Ok(status.success())
    }

    /// Starts a command of the login shell.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn spawn(&self, command: &str) -> Result<Process, RemoteError> {
        let lost = |error: openssh::Error| RemoteError::Lost(chain(&error));
        let permit = Arc::clone(&self.channels)
            .acquire_owned()
            .await
            .map_err(|e| RemoteError::Lost(e.to_string()))?;
        let mut child = self
            .session()
            .await
            .arc_raw_command(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .await
            .map_err(lost)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        ) else {
            return Err(RemoteError::Lost("a command without streams".to_owned()));
        };
        Ok(Process {
            stdin: Box::pin(stdin),
            stdout: Box::pin(stdout),
            stderr: Box::pin(stderr),
            end: Box::pin(async move {
                let status = child.wait().await;
                drop(permit);
                match status {
                    Ok(status) => Ok(status.code()),
                    // The crate reads 127 as "no such command".
                    Err(openssh::Error::Remote(_)) => Ok(Some(127)),
                    Err(error) => Err(RemoteError::Lost(chain(&error))),
                }
            }),
        })
    }

    /// Opens a stream to a port as seen from the host.
    ///
    /// # Errors
    /// When nothing listens there or the connection is lost.
    pub async fn dial(&self, address: &str, port: u16) -> io::Result<BoxStream> {
        let session = self.session().await;
        let tunnel = Tunnel::open(session.control_socket(), address, port).await?;
        Ok(Box::pin(tunnel))
    }

    /// Ends the connection, or leaves it to the next run.
    pub async fn close(self) {
        let session = Arc::into_inner(self.session.into_inner());
        if let Some(session) = session.filter(|_| self.claim.is_none()) {
            let _ = session.close().await;
        }
    }
}

/// The place of a connection that is kept, unless another run has it.
fn claim(options: &SshOptions, sockets: Sockets<'_>) -> Result<Option<Claim>, RemoteError> {
    if options.persist.is_none() {
        return Ok(None);
    }
    let claimed = Kept::open(sockets.kept).and_then(|kept| kept.claim(&options.name()));
    claimed.map_err(unkept)
}

/// Makes a connection, and keeps it where there is a place for it.
async fn open(
    options: &SshOptions,
    directory: &Path,
    claim: Option<&Claim>,
) -> Result<Session, RemoteError> {
    let config = write_configuration(options, directory)?;
    let check = if options.accept_new {
        KnownHosts::Add
    } else {
        KnownHosts::Strict
    };
    let idle = claim.and(options.persist).unwrap_or(IDLE).max(IDLE);
    let idle = usize::try_from(idle.as_secs()).ok();
    let session = SessionBuilder::default()
        .known_hosts_check(check)
        .config_file(&config)
        .control_directory(claim.map_or(directory, Claim::folder))
        .control_persist(ControlPersist::IdleFor(
            idle.and_then(NonZeroUsize::new)
                .unwrap_or(NonZeroUsize::MIN),
        ))
        .connect_timeout(Duration::from_secs(10))
        .connect_mux(&options.destination)
        .await
        .map_err(|error| explain(options, &error))?;
    match claim {
        None => Ok(session),
        Some(claim) => claim.keep(session).map_err(unkept),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unkept(error: io::Error) -> RemoteError {
    RemoteError::Unreachable(format!("the connection can't be kept: {error}"))
}

fn write_configuration(options: &SshOptions, directory: &Path) -> Result<PathBuf, RemoteError> {
    let n = CONFIGURATIONS.fetch_add(1, Ordering::Relaxed);
    let config = directory.join(format!("config-{n}"));
    std::fs::write(&config, configuration(options))
        .map_err(|e| RemoteError::Unreachable(format!("{}: {e}", config.display())))?;
    Ok(config)
}

/// The ssh configuration of one host: ours first (ssh takes the first value it finds), then the user's.
fn configuration(options: &SshOptions) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Host *");
    if let Some(user) = &options.user {
        let _ = writeln!(text, "  User {user}");
    }
    if let Some(port) = options.port {
        let _ = writeln!(text, "  Port {port}");
    }
    if let Some(key) = &options.key {
        let _ = writeln!(text, "  IdentityFile \"{}\"", key.display());
        let _ = writeln!(text, "  IdentitiesOnly yes");
    }
    if let Some(kex) = &options.kex {
        let _ = writeln!(text, "  KexAlgorithms {kex}");
    }
    let _ = writeln!(text, "  ServerAliveInterval 5\n  ServerAliveCountMax 3");
    let _ = writeln!(text, "  ForwardAgent no\n  ForwardX11 no");
    match &options.config {
        Some(path) => _ = writeln!(text, "Include \"{}\"", path.display()),
        None => _ = writeln!(text, "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config"),
    }
    text
}

/// The whole chain of an error: openssh keeps the reason in its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            let _ = write!(text, ": {more}");
        }
        source = error.source();
    }
    text
}

fn explain(options: &SshOptions, error: &openssh::Error) -> RemoteError {
    let text = chain(error).replace("\r\n", "\n");
    let said = text
        .trim()
        .lines()
        .filter(|l| !l.starts_with('@'))
        .collect::<Vec<_>>()
        .join(" ");
    let destination = options.destination.clone();
    if text.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return RemoteError::HostKeyChanged { destination };
    }
    if text.contains("Host key verification failed") || text.contains("host key is known") {
        return RemoteError::HostKeyUnknown { destination };
    }
    if text.contains("Permission denied") {
        return RemoteError::Login { destination, said };
    }
    RemoteError::Unreachable(said)
}
