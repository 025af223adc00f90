//! Drivers: clients for protocols that a descriptor's probes can't speak. The engine knows them by name only.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use crate::drill::{Check, Load, Loader, Verdict};
use crate::event::Problem;
use crate::id::ServiceName;
use crate::inventory::Topic;
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
    /// Opens streams to the cluster's ports.
    pub dial: &'a Arc<dyn Dial>,
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

    /// Makes a change that [`Driver::compare`] found. Making it twice is no failure.
    ///
    /// # Errors
    /// When the service refuses it.
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
