//! Connects to all hosts at once, each as its inventory says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::leaving::Connected;
use crate::event::Problem;
use crate::id::HostName;
use crate::inventory::{Connection, Host};
use crate::transport::{
    Become, Channel, Local, Remote, RemoteError, Shell, Sockets, Ssh, SshOptions,
};

/// How hosts are reached, beyond what the inventory says.
#[derive(Clone)]
pub struct Access {
    /// Take and keep the keys of hosts that are not known yet.
    pub accept_new: bool,
    /// The password for sudo, where it wants one.
    pub password: Option<String>,
    /// A short path for the control sockets of this run.
    pub sockets: PathBuf,
    /// A short path for those of connections that stay.
    pub kept: PathBuf,
    /// How many hosts are worked on at once.
    pub forks: usize,
}

impl Access {
    fn sockets(&self) -> Sockets<'_> {
        Sockets {
            run: &self.sockets,
            kept: &self.kept,
        }
    }
}

/// Connects to every host at once. Those that can't be reached are told of, each with its reason.
pub async fn connect(hosts: &[Host], access: &Access) -> Connected {
    let forks = Arc::new(Semaphore::new(access.forks.max(1)));
    let mut tasks = JoinSet::new();
    for host in hosts {
        let (name, host, access) = (host.name.clone(), host.clone(), access.clone());
        let forks = Arc::clone(&forks);
        tasks.spawn(async move {
            let _permit = forks.acquire().await;
            (name, connect_one(&host, &access).await)
        });
    }
    let mut connected = BTreeMap::new();
    let mut failed = Vec::new();
    for (name, result) in tasks.join_all().await {
        match result {
            Ok(remote) => _ = connected.insert(name, remote),
            Err(error) => failed.push((name, error)),
        }
    }
    failed.sort_by(|a, b| a.0.cmp(&b.0));
    (connected, failed)
}

async fn connect_one(host: &Host, access: &Access) -> Result<Remote, RemoteError> {
    let (channel, rights) = match ssh_options(host, access.accept_new) {
        None => (Channel::Local(Local), Become::No),
        Some(options) => {
            let ssh = Ssh::connect(&options, access.sockets()).await?;
            let password = access.password.clone();
            (
                Channel::Ssh(ssh),
                password.map_or(Become::Sudo, Become::Password),
            )
        }
    };
    Ok(Remote::Shell(Shell { channel, rights }))
}

/// How a host is reached over SSH; none if it is not.
#[must_use]
pub fn ssh_options(host: &Host, accept_new: bool) -> Option<SshOptions> {
    let Connection::Ssh {
        user,
        port,
        key,
        config,
        kex,
        persist,
    } = &host.connection
    else {
        return None;
    };
    Some(SshOptions {
        destination: host.address.clone(),
        user: user.clone(),
        port: *port,
        key: key.clone(),
        config: config.clone(),
        accept_new,
        kex: kex.clone(),
        persist: persist.map(Duration::from_secs),
    })
}

/// Connects again to the hosts whose keys were not known, after the user was shown each key and asked.
pub async fn learn_keys(
    hosts: &[Host],
    access: &Access,
    (fleet, failed): (
        &mut BTreeMap<HostName, Remote>,
        &mut Vec<(HostName, RemoteError)>,
    ),
) {
    let unknown = |e: &RemoteError| matches!(e, RemoteError::HostKeyUnknown { .. });
    let (asked, kept): (Vec<_>, Vec<_>) = failed.drain(..).partition(|(_, e)| unknown(e));
    failed.extend(kept);
    for (name, error) in asked {
        let Some(host) = hosts.iter().find(|host| host.name == name) else {
            continue;
        };
        let options = ssh_options(host, access.accept_new).unwrap_or_default();
        let learned = Ssh::learn_key(&options, &access.sockets).await;
        if !learned.unwrap_or(false) {
            failed.push((name, error));
            continue;
        }
        match connect_one(host, access).await {
            Ok(remote) => _ = fleet.insert(name, remote),
            Err(error) => failed.push((name, error)),
        }
    }
}

/// A problem of a host, as people read it.
#[must_use]
pub fn host_problem(host: &HostName, error: &RemoteError) -> Problem {
    let problem = Problem::new(format!("{host}: {error}"));
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// The problems of hosts that could not be reached or asked.
#[must_use]
pub fn host_problems(failed: &[(HostName, RemoteError)]) -> Vec<Problem> {
    failed.iter().map(|(h, e)| host_problem(h, e)).collect()
}
