//! The one flow that every command goes: connect, facts, packages, plan, apply, verify, plan again.

mod connect;
mod copies;
mod deep;
mod instead;
mod leaving;
mod live;
mod maintain;
mod moves;
mod offers;
mod outage;
mod raise;
mod replace;
mod resources;
mod ways;

pub use connect::{Access, connect, host_problem, host_problems, learn_keys, ssh_options};
pub use leaving::{Connected, Joiner};
pub use maintain::{Maintenance, line as command_line};
use offers::Found;
pub use offers::fetch_all;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::artifact::Shelf;
use crate::catalogue::Catalogue;
use crate::driver::Drivers;
use crate::error::{Failure, Kind};
use crate::event::{EventKind, Problem};
use crate::exec::script::Places;
use crate::exec::{Executor, Fan, Report, Stop, When};
use crate::facts::{FactsError, HostFacts};
use crate::id::{HostName, InstanceId, ServiceName};
use crate::inventory::{Cluster, Connection, Host};
use crate::plan::asks;
use crate::plan::live::LiveOf;
use crate::plan::moves::MovesOf;
use crate::plan::packages::{self, Packages};
use crate::plan::paths::HostPaths;
use crate::plan::place::Placement;
use crate::plan::roll::Roll;
use crate::plan::view::view_of;
use crate::plan::{Input, Plan, PlanError, ResourceChange, View, planner};
use crate::report::EventSink;
use crate::transport::RemoteError;
use crate::verify::{Fleet, Prober};

/// Facts, host by host.
pub type Facts = BTreeMap<HostName, HostFacts>;

static NO_MOVES: MovesOf = MovesOf::new();
static NOT_ASKED: LiveOf = LiveOf::new();

/// A plan, and what doing it needs of this machine.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The packages it sends, by SHA-256.
    pub files: BTreeMap<String, PathBuf>,
    /// The facts it was made from.
    pub facts: Facts,
    /// Hosts that it leaves as they are, being out of reach.
    pub missing: Vec<(HostName, RemoteError)>,
    /// The same of hosts that the inventory no longer names, where the command was to reach these too.
    pub lost: Vec<Problem>,
}

impl Planned {
    /// A plan for which nothing is sent, made from the facts of all hosts.
    #[must_use]
    pub fn of(plan: Plan, facts: Facts) -> Self {
        Self {
            plan,
            files: BTreeMap::new(),
            facts,
            missing: Vec::new(),
            lost: Vec::new(),
        }
    }
}

/// One cluster and everything that is needed to work on it.
#[derive(Clone)]
pub struct Flow {
    /// What should be.
    pub cluster: Cluster,
    /// The services' words.
    pub catalogue: Catalogue,
    /// The connected hosts.
    pub fleet: Fleet,
    /// Hosts that could not be connected to, where the command goes on without them.
    pub missing: Vec<(HostName, RemoteError)>,
    /// Connects to hosts that only the records name.
    pub joiner: Joiner,
    /// Hosts that only the records name and that are out of reach.
    pub lost: Vec<(HostName, RemoteError)>,
    /// Clients for protocols that probes can't speak.
    pub drivers: Drivers,
    /// Where events go.
    pub events: EventSink,
    /// The packages of this machine.
    pub shelf: Arc<Shelf>,
    /// How many hosts are worked on at once.
    pub forks: usize,
    /// When hosts pass packages on to each other.
    pub fan_out: When,
    /// Asks the run to end early.
    pub stop: Stop,
    /// Instances that lost their data and shall start empty.
    pub anew: BTreeSet<InstanceId>,
    /// A host whose instances start empty where they lost their data.
    pub replace: Option<HostName>,
    /// What no other cluster has, for values that are made at the first deploy.
    pub seed: String,
    /// Whether hosts go back to what they had before their last change.
    pub back: bool,
    /// Services whose new version is finalized.
    pub finalize: BTreeSet<ServiceName>,
    /// Services of which a setting that is on its way gets to its end.
    pub ends: BTreeSet<ServiceName>,
    /// Whether every file of the packages on the hosts is looked at.
    pub deep: bool,
    /// Whether what members hold is evened out though none comes or goes.
    pub rebalance: bool,
    /// Whether what a run that was cut off has begun to move is called off.
    pub cancel: bool,
    /// How many copies each topic shall have at least that the inventory does not name; none: they keep theirs.
    pub copies: Option<u16>,
    /// How many bytes a second a member may send, and receive, while things move; none: as many as it can.
    pub throttle: Option<u64>,
    /// What is said of rolls.
    pub roll: Roll,
    /// Whether it was agreed to that something can't be used while members are restarted.
    pub accepts_outage: bool,
}

impl Flow {
    /// The same flow over the same connections, telling nobody: for what goes on behind another phase.
    #[must_use]
    pub fn quietly(&self) -> Self {
        Self {
            events: EventSink::discard(),
            ..self.clone()
        }
    }

    /// Asks every connected host for its facts, in one round trip each; then those that only the records name,
    /// which join the cluster as leaving. Answers in part: who of the inventory failed is told of beside it.
    pub async fn ask_facts(&mut self) -> (Facts, Vec<(HostName, RemoteError)>) {
        let (mut facts, mut failed) = self.ask(|_| true).await;
        failed.retain(|(host, error)| {
            let stays = self.cluster.stays(host);
            if !stays {
                self.lost.push((host.clone(), error.clone()));
            }
            stays
        });
        for (host, _) in &self.lost {
            self.cluster.hosts.shift_remove(host);
        }
        crate::plan::instead::learn(&mut self.cluster, &facts);
        self.join_leaving(&mut facts).await;
        self.ask_on_the_way(&mut facts, &mut failed).await;
        failed.extend(self.missing.iter().cloned());
        failed.sort_by(|a, b| a.0.cmp(&b.0));
        (facts, failed)
    }

    /// Asks these of the connected hosts.
    async fn ask(
        &self,
        takes: impl Fn(&HostName) -> bool,
    ) -> (Facts, Vec<(HostName, RemoteError)>) {
        let mut requests = asks::requests(&self.cluster, &self.catalogue);
        requests.retain(|name, _| takes(name));
        self.ask_with(requests).await
    }

    /// Asks hosts these, in one round trip each.
    async fn ask_with(&self, requests: ways::Requests) -> (Facts, Vec<(HostName, RemoteError)>) {
        let forks = Arc::new(Semaphore::new(self.forks.max(1)));
        let mut tasks = JoinSet::new();
        for (name, request) in requests {
            let (fleet, forks) = (Arc::clone(&self.fleet), Arc::clone(&forks));
            tasks.spawn(async move {
                let _permit = forks.acquire().await;
                let facts = fleet.get(&name)?.facts(&request).await;
                Some((name, facts))
            });
        }
        let (mut facts, mut failed) = (Facts::new(), Vec::new());
        for (name, answer) in tasks.join_all().await.into_iter().flatten() {
            match answer {
                Ok(found) => {
                    self.events.emit(EventKind::HostFacts {
                        host: name.clone(),
                        summary: format!("{}, {}, {} MiB", found.os, found.arch, found.memory_mb),
                    });
                    facts.insert(name, found);
                }
                Err(error) => failed.push((name, error)),
            }
        }
        (facts, failed)
    }

    /// The facts of all hosts.
    ///
    /// # Errors
    /// When any host can't be asked: all of them are named.
    pub async fn facts(&mut self) -> Result<Facts, Failure> {
        self.events.phase("facts");
        let (facts, failed) = self.ask_facts().await;
        if failed.is_empty() {
            Ok(facts)
        } else {
            Err(self.unreachable(&failed))
        }
    }

    /// The facts of the hosts that are within reach, and why the others are not.
    ///
    /// # Errors
    /// When a host refuses for another reason, or no majority of the hosts is within reach.
    pub async fn facts_within_reach(
        &mut self,
    ) -> Result<(Facts, Vec<(HostName, RemoteError)>), Failure> {
        self.events.phase("facts");
        let (facts, failed) = self.ask_facts().await;
        let failure = self.unreachable(&failed);
        let away = failed.iter().all(|(_, error)| error.is_out_of_reach());
        let (all, there) = (self.cluster.staying().count(), facts.keys());
        let there = there.filter(|host| self.cluster.stays(host)).count();
        if away && there * 2 > all {
            Ok((facts, failed))
        } else {
            Err(failure)
        }
    }

    /// The failure of hosts that could not be reached or asked.
    #[must_use]
    pub fn unreachable(&self, failed: &[(HostName, RemoteError)]) -> Failure {
        let problems = host_problems(failed);
        for ((host, _), error) in failed.iter().zip(&problems) {
            self.events.emit(EventKind::HostFailed {
                host: host.clone(),
                error: error.clone(),
            });
        }
        let newer = |(_, error): &(HostName, RemoteError)| {
            matches!(error, RemoteError::Facts(FactsError::Newer(_)))
        };
        let kind = if failed.iter().all(newer) {
            Kind::Refused
        } else {
            Kind::Unreachable
        };
        Failure { kind, problems }
    }

    /// What a plan is made from.
    pub fn input<'a>(
        &'a self,
        facts: &'a Facts,
        packages: &'a Packages,
        resources: &'a [ResourceChange],
    ) -> Input<'a> {
        Input {
            cluster: &self.cluster,
            catalogue: &self.catalogue,
            facts,
            packages,
            resources,
            moves: &NO_MOVES,
            anew: &self.anew,
            seed: &self.seed,
            back: self.back,
            finalize: &self.finalize,
            ends: &self.ends,
            passage: None,
            roll: &self.roll,
            live: &NOT_ASKED,
        }
    }

    /// Where everything is, by the inventory and the hosts' records.
    #[must_use]
    pub fn placement(&self, facts: &Facts) -> Placement {
        planner::placement(&self.cluster, &self.catalogue, facts)
    }

    /// The cluster as probes see it.
    #[must_use]
    pub fn view(&self, facts: &Facts) -> View {
        view_of(self.input(facts, &Packages::new(), &[]))
    }

    /// Asks the cluster through the connected hosts.
    #[must_use]
    pub fn prober(&self, view: View) -> Prober {
        Prober::new(
            Arc::new(view),
            Arc::clone(&self.fleet),
            self.drivers.clone(),
        )
    }

    /// Facts, packages and topics, and the plan that follows; it leaves hosts out that are out of reach. With `fetch`, packages that are missing on
    /// this machine are fetched; without it the plan names them as not fetched.
    ///
    /// # Errors
    /// When a host can't be asked, a package is found nowhere, or there is no safe plan.
    pub async fn plan(&mut self, fetch: bool) -> Result<Planned, Failure> {
        let (mut facts, missing) = self.facts_within_reach().await?;
        self.learn(&facts).await?;
        if self.deep {
            self.look_deep(&mut facts, fetch).await?;
        }
        self.may_take_places(&facts).await?;
        let placement = self.placement(&facts);
        let needed = packages::needed(&self.cluster, &self.catalogue, &placement, &facts);
        let mut packages = Packages::new();
        let mut files = BTreeMap::new();
        if !needed.is_empty() {
            self.events.phase("packages");
            for (key, found) in self.offers(needed, fetch).await? {
                if let Found::File(artifact) = &found {
                    files.insert(artifact.sha256.clone(), artifact.path.clone());
                }
                packages.insert(key, found.offer());
            }
        }
        self.events.phase("plan");
        self.choose_anew(&facts, &packages)?;
        self.may_start_anew(&facts).await?;
        // All that the cluster itself is asked, at once: on a slow network each question takes its time.
        let moves = async {
            let mut moves = self.moves(&facts, &placement).await?;
            self.votes(&facts, &placement, &mut moves).await?;
            Ok(moves)
        };
        let few = async { Ok(self.told_few_copies(&facts, &placement).await) };
        let (moves, resources, live, few) =
            tokio::try_join!(moves, self.resources(&facts), self.live(&facts), few)?;
        let input = Input {
            moves: &moves,
            live: &live,
            ..self.input(&facts, &packages, &resources)
        };
        let mut plan = planner::plan(input).map_err(plan_failure)?;
        plan.warnings.extend(self.told_leaving(&placement));
        plan.warnings.extend(few);
        if plan.is_empty() {
            self.tell_replaced();
        }
        Ok(Planned {
            plan,
            files,
            facts,
            missing,
            lost: Vec::new(),
        })
    }

    /// Does a plan.
    pub async fn apply(&self, plan: Plan, files: BTreeMap<String, PathBuf>) -> Report {
        self.events.phase("apply");
        let fan = Fan::of(&plan, &self.cluster, self.fan_out);
        let executor = Arc::new(Executor {
            prober: self.prober(plan.view.clone()),
            places: self.places(),
            packages: files,
            shelf: Arc::clone(&self.shelf),
            events: self.events.clone(),
            forks: Arc::new(Semaphore::new(self.forks.max(1))),
            rolls: Arc::new(Mutex::new(())),
            fan,
            stop: self.stop.clone(),
        });
        executor.run(&Arc::new(plan)).await
    }

    /// Where things are on each host.
    #[must_use]
    pub fn places(&self) -> BTreeMap<HostName, Places> {
        let places = |(name, host): (&HostName, &Host)| {
            let paths = HostPaths::new(&self.cluster.name, host);
            let places = Places {
                state: paths.state(),
                incoming: paths.incoming(),
                pidfiles: matches!(host.connection, Connection::Local { .. }),
            };
            (name.clone(), places)
        };
        self.cluster.hosts.iter().map(places).collect()
    }

    /// Ends all connections.
    pub async fn close(self) {
        let Some(fleet) = Arc::into_inner(self.fleet) else {
            return;
        };
        let mut tasks = JoinSet::new();
        for (_, remote) in fleet {
            tasks.spawn(remote.close());
        }
        tasks.join_all().await;
    }
}

/// A plan's error as a command's failure.
#[must_use]
pub fn plan_failure(error: PlanError) -> Failure {
    match error {
        PlanError::Render(error) => Failure::of(Kind::Usage, error.to_string()),
        PlanError::Refused(problems) => Failure {
            kind: Kind::Refused,
            problems,
        },
        PlanError::Blocked(problems) => Failure {
            kind: Kind::Failed,
            problems,
        },
    }
}

/// Gives every local host that names no root a directory of its own below `base`.
pub fn give_roots(cluster: &mut Cluster, base: &Path) {
    let name = cluster.name.to_string();
    for (host, words) in &mut cluster.hosts {
        if let Connection::Local { root: root @ None } = &mut words.connection {
            *root = Some(base.join(&name).join(host.as_str()));
        }
    }
}
