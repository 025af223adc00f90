//! Drivers: clients for protocols that a descriptor's probes can't speak. The engine knows them by name only.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use tokio::sync::Mutex;

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
