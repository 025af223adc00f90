//! Drivers: clients for protocols that a descriptor's probes can't speak. The engine knows them by name only.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::drill::{Check, Load, Loader, Verdict};
use crate::event::Problem;
use crate::id::{InstanceId, ServiceName};
use crate::inventory::Topic;
use crate::plan::live::{Found, Live};
use crate::plan::{Member, ResourceChange, View};
use crate::transport::Dial;

/// What a probe answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It holds, maybe with a value.
    Yes(Option<String>),
    /// It does not hold yet, and why.
    NotYet(String),
    /// It will not come to hold by waiting, and why.
    Broken(String),
}

impl Answer {
    /// Whether it holds.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Yes(_))
    }

    /// The value, where it holds and has one.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Yes(value) => value.as_deref(),
            _ => None,
        }
    }

    /// Why it does not hold.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Yes(_) => None,
            Self::NotYet(why) | Self::Broken(why) => Some(why),
        }
    }
}

/// What a driver is asked, and whom it may ask in turn.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The action, without the driver's name.
    pub action: &'a str,
    /// The cluster.
    pub view: &'a View,
    /// The service that the question is about.
    pub service: &'a ServiceName,
    /// The instance that the question is about, where it is about one.
    pub member: Option<&'a Member>,
    /// Others that are stopped together with it.
    pub beside: &'a [&'a Member],
    /// Opens streams to the cluster's ports.
    pub dial: &'a Arc<dyn Dial>,
    /// What one look at the cluster found out already; none where each answer has to be new, as in gates.
    pub shared: Option<&'a Shared>,
}

/// Answers that many questions of one look at a cluster have in common, each asked for once.
#[derive(Default)]
pub struct Shared(Mutex<BTreeMap<String, Box<dyn Any + Send + Sync>>>);

impl Shared {
    /// The answer of this name: `ask` is only done by the first who wants it, and the others wait for it.
    pub async fn once<T: Clone + Send + Sync + 'static>(
        &self,
        name: &str,
        ask: impl Future<Output = T>,
    ) -> T {
        let mut all = self.0.lock().await;
        if let Some(found) = all.get(name).and_then(|found| found.downcast_ref::<T>()) {
            return found.clone();
        }
        let answer = ask.await;
        all.insert(name.to_owned(), Box::new(answer.clone()));
        answer
    }
}

/// A client for a service's own protocol.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Answers a probe.
    async fn ask(&self, call: Call<'_>) -> Answer;

    /// Compares the topics that are wanted with those that are; where the service does not run yet
    /// (`live` is false) all are to be made.
    ///
    /// # Errors
    /// When the service does not answer.
    async fn compare(
        &self,
        call: Call<'_>,
        topics: &BTreeMap<String, Topic>,
        live: bool,
    ) -> Result<Vec<ResourceChange>, Problem>;

    /// Compares settings that the inventory gives a service with what the service keeps of them by itself, which
    /// counts more than its files.
    ///
    /// # Errors
    /// When the service does not answer.
    async fn settings(
        &self,
        _call: Call<'_>,
        _wanted: &BTreeMap<String, String>,
    ) -> Result<Vec<ResourceChange>, Problem> {
        Ok(Vec::new())
    }

    /// The value of a setting that the service has though no record names it, as the descriptor's `learnt` says.
    ///
    /// # Errors
    /// When the service does not answer, or has none.
    async fn learn(&self, call: Call<'_>) -> Result<String, Problem> {
        let cause = format!("{} can't be asked for its {}", call.service, call.action);
        Err(Problem::new(cause))
    }

    /// What has to be raised so that the service does all that its version can, and what to: as the descriptor's
    /// `raises` names it.
    ///
    /// # Errors
    /// When the service does not answer, or a member can't follow: which, with the way out.
    async fn raise(&self, _call: Call<'_>, _to: &str) -> Result<Vec<ResourceChange>, Problem> {
        Ok(Vec::new())
    }

    /// Compares what a member that runs works with to what it shall, of the keys that it takes while it runs: its
    /// file, or a start with that, may be hidden by what it was given. None if it does not answer.
    async fn live(&self, _call: Call<'_>, _wanted: &Live) -> Option<Found> {
        None
    }

    /// The topics that are there.
    ///
    /// # Errors
    /// When the service does not answer.
    async fn topics(&self, call: Call<'_>) -> Result<Vec<TopicInfo>, Problem>;

    /// Deletes topics.
    ///
    /// # Errors
    /// When one is not there or the service refuses.
    async fn delete_topics(&self, call: Call<'_>, names: &[String]) -> Result<(), Problem>;

    /// What has to be done so that copies of data are where they should be: in order, each change small enough
    /// to be waited for. Nothing, where all is so already. Those that join need not run yet; all members named
    /// have to be in the call's view, those that leave too.
    ///
    /// # Errors
    /// When the service does not answer, or something stands against it: all that does, with the way out.
    async fn spread(
        &self,
        _call: Call<'_>,
        _wanted: &Spread,
    ) -> Result<Vec<ResourceChange>, Problem> {
        Ok(Vec::new())
    }

    /// What brings back what these members had, which start empty: found out before they start.
    ///
    /// # Errors
    /// When the service does not answer.
    async fn refill(
        &self,
        _call: Call<'_>,
        _members: &[&Member],
        _free: &BTreeMap<InstanceId, u64>,
        _throttle: Option<u64>,
    ) -> Result<Refilling, Problem> {
        Ok(Refilling::default())
    }

    /// A change that takes off what changes of [`Driver::spread`] put on for their own time (limits of speed)
    /// and a run that was cut off left behind. It takes off what these changes say that they put on, and
    /// nothing else. None if they put nothing on.
    fn sweep(&self, _call: Call<'_>, _of: &[ResourceChange]) -> Option<ResourceChange> {
        None
    }

    /// A change that calls off what is under way of these changes of [`Driver::spread`], and sweeps. What is
    /// done already stays done.
    fn call_off(&self, _call: Call<'_>, _of: &[ResourceChange]) -> Option<ResourceChange> {
        None
    }

    /// Which of these members, that run, lack their vote in the list that the service keeps.
    ///
    /// # Errors
    /// When the service does not answer.
    async fn votes(&self, _call: Call<'_>, _of: &[&Member]) -> Result<Votes, Problem> {
        Ok(Votes::Kept(Vec::new()))
    }

    /// The partitions of a topic (or one of them) that nobody leads, since all that were in sync are gone.
    ///
    /// # Errors
    /// When the service does not answer, or there are none: what is led needs no election that may lose messages.
    async fn leaderless(
        &self,
        _call: Call<'_>,
        _topic: &str,
        _partition: Option<i32>,
    ) -> Result<Vec<Leaderless>, Problem> {
        Ok(Vec::new())
    }

    /// A change that has these go on from a copy that may lack messages; none if the service knows no such thing.
    fn elect(&self, _call: Call<'_>, _topic: &str, _partitions: &[i32]) -> Option<ResourceChange> {
        None
    }

    /// A change that makes the service forget a member that is gone for good; to be made once it has stopped.
    /// None if the service keeps no list.
    fn forget(&self, _call: Call<'_>, _member: &Member) -> Option<ResourceChange> {
        None
    }

    /// How far a change is that is being made; none where that is not known.
    async fn progress(&self, _call: Call<'_>, _change: &ResourceChange) -> Option<Progress> {
        None
    }

    /// What it means that members are stopped for a moment, one after another.
    ///
    /// # Errors
    /// When the service does not say it however often it is asked, or answers what can't be understood. One that takes no
    /// connection is no failure: nobody is served by it.
    async fn outage(&self, _call: Call<'_>, _stops: Stops<'_>) -> Result<Outage, Problem> {
        Ok(Outage::default())
    }

    /// Makes a change that [`Driver::compare`] or one of the others found. Making it twice is no failure, nor is
    /// making one that was half made.
    ///
    /// # Errors
    /// When the service refuses it, or does not come to an end with it.
    async fn change(&self, call: Call<'_>, change: &ResourceChange) -> Result<(), Problem>;

    /// Makes a drill's load ready: its topic, its record. It begins when it is told to run.
    ///
    /// # Errors
    /// When the service can't be reached the way its users reach it, or the topic is of no use for a drill.
    async fn load(&self, _call: Call<'_>, _load: &Load) -> Result<Box<dyn Loader>, Problem> {
        Err(no_drills())
    }

    /// Judges a load by its record and by what the service holds now.
    ///
    /// # Errors
    /// When there is nothing to judge: no record, or a service that does not answer. What is found to be wrong is in the verdict.
    async fn judge(&self, _call: Call<'_>, _check: &Check) -> Result<Verdict, Problem> {
        Err(no_drills())
    }
}

fn no_drills() -> Problem {
    Problem::new("this program was built without drills for this service")
        .help("build it with all features, as `cargo build` does")
}

/// How far a change is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// For people.
    pub text: String,
    /// How much is left, in bytes, where that is known.
    pub left: Option<u64>,
    /// What is said where that does not become less.
    pub slow: Option<Problem>,
}

/// Members that are stopped for a moment.
#[derive(Debug, Clone, Copy)]
pub struct Stops<'a> {
    /// Those that run now.
    pub members: &'a [&'a Member],
    /// All that drivers do in the same plan.
    pub planned: &'a [&'a ResourceChange],
    /// What an earlier run began and may not have ended.
    pub begun: &'a [&'a ResourceChange],
}

/// What it means that members are stopped for a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outage {
    /// What forbids it now, with the way out.
    pub forbidden: Vec<Problem>,
    /// What nobody can use while one of them is stopped: to be agreed to. A line each.
    pub unavailable: Vec<String>,
    /// What stands in no way and should be known.
    pub told: Vec<Problem>,
}

/// The voters of a service.
#[derive(Debug, Clone, PartialEq)]
pub enum Votes {
    /// They are named in the members' files: none can come or go. Why, and the way out.
    Fixed(Problem),
    /// The service keeps a list: the members that lack a vote in it.
    Kept(Vec<InstanceId>),
}

/// Where copies of data should be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Members that shall hold nothing in the end.
    pub leaving: BTreeSet<InstanceId>,
    /// Members that are new; they need not run yet.
    pub joining: BTreeSet<InstanceId>,
    /// Whether loads are evened out; else only what must be is done.
    pub even: bool,
    /// How many copies these topics shall have; all others keep theirs.
    pub replication: BTreeMap<String, u16>,
    /// How many copies the topics shall have that the service made for itself; none: they keep theirs.
    pub internal: Option<u16>,
    /// How many copies every other topic shall have at least; none: they keep theirs.
    pub at_least: Option<u16>,
    /// What members fail together with; those that are not named: with their host.
    pub racks: BTreeMap<InstanceId, String>,
    /// Free bytes of members' disks, where the caller knows them better than the service.
    pub free: BTreeMap<InstanceId, u64>,
    /// How many bytes a second a member may send, and receive, for it; none: as many as it can.
    pub throttle: Option<u64>,
    /// What a run that was cut off was to move. All else that is being moved is somebody else's.
    pub begun: Vec<ResourceChange>,
}

/// How members get back what they had.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refilling {
    /// What is done before they start, such as limits of speed.
    pub first: Vec<ResourceChange>,
    /// What is done once they run, and is over when they have all.
    pub then: Vec<ResourceChange>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Whether the service made it for itself.
    pub internal: bool,
    /// How many copies its partitions have.
    pub replication: usize,
    /// Its own settings, defaults left out.
    pub config: BTreeMap<String, String>,
    /// Its partitions.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionInfo {
    /// Its number.
    pub index: i32,
    /// Who leads it; none when nobody does.
    pub leader: Option<i32>,
    /// Who holds a copy.
    pub replicas: Vec<i32>,
    /// Whose copies are in sync.
    pub in_sync: Vec<i32>,
}

/// A partition that nobody leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leaderless {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub index: i32,
    /// Who holds a copy.
    pub replicas: Vec<i32>,
    /// Whose copies were in sync at the last: none of them lives.
    pub last: Vec<i32>,
    /// Whose copy it would go on from.
    pub next: i32,
    /// How far the copies of those reach that can be asked.
    pub ends: BTreeMap<i32, i64>,
}

/// The drivers there are, by name.
#[derive(Clone, Default)]
pub struct Drivers(BTreeMap<String, Arc<dyn Driver>>);

impl Drivers {
    /// The same drivers and one more.
    #[must_use]
    pub fn with(mut self, name: &str, driver: Arc<dyn Driver>) -> Self {
        self.0.insert(name.to_owned(), driver);
        self
    }

    /// A driver.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Driver>> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn what_is_shared_is_asked_once_and_by_its_name() {
        let (shared, asked) = (Shared::default(), AtomicUsize::new(0));
        let ask = |name: &'static str| {
            shared.once(name, async {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(join_all(["a", "a", "a"].map(ask)).await, [0, 0, 0]);
        assert_eq!(ask("b").await, 1);
        assert_eq!(ask("a").await, 0);
    }
}
