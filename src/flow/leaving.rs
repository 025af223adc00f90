//! Hosts that the inventory no longer names: found by the other hosts' records, and reached as these say.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Facts, Flow};
use crate::event::Problem;
use crate::facts::Reach;
use crate::id::HostName;
use crate::inventory::{Cluster, Connection, Host};
use crate::plan::place::Placement;
use crate::transport::{Remote, RemoteError};

/// What came of connecting: the hosts that are connected, and why the others are not.
pub type Connected = (BTreeMap<HostName, Remote>, Vec<(HostName, RemoteError)>);

/// Connects to more hosts in the course of a run, by the same rules as to the first ones.
#[derive(Clone)]
pub struct Joiner(Arc<dyn Fn(Vec<Host>) -> Joining + Send + Sync>);

type Joining = Pin<Box<dyn Future<Output = Connected> + Send>>;

impl Joiner {
    /// One that connects in this way.
    pub fn new<T>(connect: impl Fn(Vec<Host>) -> T + Send + Sync + 'static) -> Self
    where
        T: Future<Output = Connected> + Send + 'static,
    {
        Self(Arc::new(move |hosts| Box::pin(connect(hosts))))
    }

    /// Connects to these hosts.
    pub async fn join(&self, hosts: Vec<Host>) -> Connected {
        (self.0)(hosts).await
    }
}

impl Flow {
    /// Connects to the hosts that records name and the inventory does not, and asks them for their facts.
    /// Those that are the cluster's join it as leaving; the others are told of by [`Flow::told_leaving`].
    pub(super) async fn join_leaving(&mut self, facts: &mut Facts) {
        let hosts = recorded(&self.cluster, facts);
        let new = |host: &Host| !self.lost.iter().any(|(name, _)| name == &host.name);
        let hosts: Vec<Host> = hosts.into_iter().filter(new).collect();
        if hosts.is_empty() {
            return;
        }
        let (connected, failed) = self.joiner.join(hosts.clone()).await;
        self.lost.extend(failed);
        let Some(fleet) = Arc::get_mut(&mut self.fleet) else {
            // Only a flow that nothing was made of yet is asked first, so this is a second time.
            return;
        };
        let names: BTreeSet<HostName> = connected.keys().cloned().collect();
        fleet.extend(connected);
        let all = hosts.into_iter().filter(|host| names.contains(&host.name));
        let joined = all.map(|host| (host.name.clone(), host));
        self.cluster.hosts.extend(joined);
        let (found, failed) = self.ask(|name| names.contains(name)).await;
        self.lost.extend(failed);
        for name in names {
            let own = found.get(&name).filter(|found| {
                let record = found.record.as_ref();
                record.is_some_and(|r| r.host == name && r.cluster == self.cluster.name.as_str())
            });
            match own {
                Some(found) => _ = facts.insert(name, found.clone()),
                // Out of reach, or by now another machine, or one that was set up anew.
                None => {
                    self.cluster.hosts.shift_remove(&name);
                    let lost = self.lost.iter().any(|(lost, _)| lost == &name);
                    if let Some(next) = self.cluster.replaced.get_mut(&name) {
                        next.gone = !lost;
                    }
                }
            }
        }
    }

    /// What is known of hosts that the inventory no longer names, as people read it.
    #[must_use]
    pub fn told_leaving(&self, placement: &Placement) -> Vec<Problem> {
        let mut told: Vec<Problem> = placement
            .told_removed()
            .into_iter()
            .map(|what| {
                Problem::new(what)
                    .help("`sdtd deploy` takes off what lives there, where that is safe")
            })
            .collect();
        let bare = |host: &&HostName| !placement.removed.contains_key(*host);
        told.extend(self.cluster.leaving().map(|(host, _)| host).filter(bare).map(|host| {
            Problem::new(format!("{host} is no longer in the inventory, and nothing of the cluster runs there any more"))
                .help("`sdtd deploy` takes off what is left there")
        }));
        told.extend(self.told_lost());
        told
    }

    /// A plan without changes shows no warnings. This one stays until the host is clean: it may be switched on any day.
    pub(super) fn tell_replaced(&self) {
        for (problem, (host, _)) in self.told_lost().into_iter().zip(&self.lost) {
            if self.cluster.replaced.contains_key(host) {
                self.events.warn(problem.cause, problem.help.as_deref());
            }
        }
    }

    /// The hosts that the inventory no longer names and that are out of reach, each with what to do.
    #[must_use]
    pub fn told_lost(&self) -> Vec<Problem> {
        let told = |(host, error): &(HostName, RemoteError)| {
            let cause = format!("{host}, which is no longer in the inventory: {error}");
            if let Some(next) = self.cluster.replaced.get(host) {
                let cause = format!("{host}, whose place {} has: {error}", next.by);
                return Problem::new(cause).help(
                    "it must not start what it had: wipe its disk before it is switched on, or let it come back without a network; once it is within reach `sdtd deploy` cleans it",
                );
            }
            let help = "what is on it stays; once it can be reached, put it back into the inventory, and run `sdtd destroy` to clean it";
            Problem::new(cause).help(help)
        };
        self.lost.iter().map(told).collect()
    }
}

/// The hosts that records name and the cluster does not, as they are reached.
fn recorded(cluster: &Cluster, facts: &Facts) -> Vec<Host> {
    let records = || facts.values().filter_map(|f| f.record.as_ref());
    // One that has only got another name is asked under that.
    let renamed = |name: &HostName| records().any(|record| &record.host == name);
    let mut hosts = BTreeMap::new();
    for (name, reach) in records().flat_map(|record| record.hosts.iter()) {
        if !cluster.hosts.contains_key(name) && !renamed(name) {
            hosts.insert(name.clone(), host(name, reach, cluster));
        }
    }
    hosts.into_values().collect()
}

fn host(name: &HostName, reach: &Reach, cluster: &Cluster) -> Host {
    let connection = match &reach.root {
        Some(root) => Connection::Local {
            root: Some(root.into()),
        },
        None => over_ssh(reach, cluster),
    };
    Host {
        name: name.clone(),
        address: reach.address.clone(),
        connection,
        rack: reach.rack.clone(),
        memory_mb: reach.memory_mb,
        leaving: true,
    }
}

/// As recorded, and for the rest (which is this machine's own: key, configuration, how connections are made) as the
/// inventory has it for its first host over SSH.
fn over_ssh(reach: &Reach, cluster: &Cluster) -> Connection {
    let is_ssh = |host: &&Host| matches!(host.connection, Connection::Ssh { .. });
    let mut connection = cluster
        .hosts
        .values()
        .find(is_ssh)
        .map_or_else(Connection::any, |host| host.connection.clone());
    if let Connection::Ssh { user, port, .. } = &mut connection {
        (*user, *port) = (reach.user.clone(), reach.port);
    }
    connection
}
