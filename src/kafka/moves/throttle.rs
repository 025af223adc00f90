//! Limits of speed while replicas move (KIP-73), put on so that they are known again and taken off.
//!
//! A limit has two parts: topics list the replicas that it is for, brokers have the rate. Both are listed in
//! the change itself, so whoever has the change (a plan, a journal) can take off what a run left behind and
//! nothing else: entries that others put into the same lists stay, and so do rates of another value.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};

use crate::kafka::admin::already_gone;
use crate::kafka::config::{Alteration, Entry, Resource, Source};
use crate::kafka::spread::Moved;
use crate::kafka::{Client, Result};

/// Which of a topic's replicas send slowly.
pub const SENDING: &str = "leader.replication.throttled.replicas";
/// Which of a topic's replicas fetch slowly.
pub const FETCHING: &str = "follower.replication.throttled.replicas";
/// How many bytes a second a broker sends, and fetches, for these.
pub const RATES: [&str; 2] = [
    "leader.replication.throttled.rate",
    "follower.replication.throttled.rate",
];
/// All replicas of a topic: somebody's own limit.
const ALL: &str = "*";

/// Replicas by topic, each written `partition:broker`, as the brokers' settings have them.
pub(super) type Replicas = BTreeMap<String, BTreeSet<String>>;

/// A replica as these lists have it.
pub(super) fn entry(partition: i32, broker: i32) -> String {
    format!("{partition}:{broker}")
}

/// What is put on for some moves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// Bytes a second.
    pub rate: u64,
    /// Other rates that earlier runs may have left on the same brokers.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub earlier: BTreeSet<u64>,
    /// The replicas that send slowly: those that there are.
    pub sending: Replicas,
    /// The replicas that fetch slowly: those that are new.
    pub fetching: Replicas,
    /// The brokers that get the rate.
    pub brokers: BTreeSet<i32>,
}

impl Throttle {
    /// For these moves.
    #[must_use]
    pub fn of(rate: u64, moves: &[Moved]) -> Self {
        let mut throttle = Self {
            rate,
            ..Self::default()
        };
        for moved in moves.iter().filter(|m| m.added().count() > 0) {
            let entry = |id: i32| entry(moved.index, id);
            let topic = || moved.topic.clone();
            let sending = throttle.sending.entry(topic()).or_default();
            sending.extend(moved.from.iter().map(|id| entry(*id)));
            let fetching = throttle.fetching.entry(topic()).or_default();
            fetching.extend(moved.added().map(entry));
            throttle.brokers.extend(moved.from.iter().copied());
            throttle.brokers.extend(moved.added());
        }
        throttle
    }

    /// Whether it limits nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.brokers.is_empty()
    }

    /// The topics that it is for.
    #[must_use]
    pub fn topics(&self) -> BTreeSet<&String> {
        self.sending.keys().chain(self.fetching.keys()).collect()
    }

    /// This and a later one. Those of one plan have one rate; a run that was cut off may have had another.
    pub fn join(&mut self, other: Self) {
        if !self.is_empty() && self.rate != other.rate {
            self.earlier.insert(self.rate);
        }
        self.rate = other.rate;
        self.earlier.extend(other.earlier);
        self.brokers.extend(other.brokers);
        for (topic, replicas) in other.sending {
            self.sending.entry(topic).or_default().extend(replicas);
        }
        for (topic, replicas) in other.fetching {
            self.fetching.entry(topic).or_default().extend(replicas);
        }
    }

    /// Puts it on. Rates come first: a replica in a list is not limited before there is one.
    ///
    /// # Errors
    /// When a broker does not answer or refuses.
    pub async fn set(&self, client: &Client) -> Result<()> {
        let rate = self.rate.to_string();
        for broker in self.registered(client).await? {
            let changes: Vec<Alteration> = rates(client, broker)
                .await?
                .into_iter()
                // A rate that somebody set is his, and obeyed.
                .filter(|(_, found)| found.is_none())
                .map(|(key, _)| Alteration::Set(key.to_owned(), rate.clone()))
                .collect();
            alter(client, &Resource::Broker(broker), &changes).await?;
        }
        let with = |_: &str, have: &BTreeSet<String>, ours: &BTreeSet<String>| {
            let all: BTreeSet<String> = have.union(ours).cloned().collect();
            (all != *have).then_some(all)
        };
        self.lists(client, with).await
    }

    /// Lets new replicas fetch as fast as they can once they are in sync, all but those that are still `behind`: what is in
    /// sync is to be waited for by writes with acks=all, and yet is limited whenever something was written that it has not
    /// yet (`RemoteLeaderEndPoint.shouldFollowerThrottle` goes by the lag alone). While others are copied at that limit it
    /// would fetch nothing for seconds.
    ///
    /// # Errors
    /// When a broker does not answer or refuses: asked again, it does what is left.
    pub async fn release(&mut self, client: &Client, behind: &Replicas) -> Result<()> {
        let (mut caught_up, mut rest) = (Self::default(), Replicas::new());
        for (topic, all) in &self.fetching {
            let behind = behind.get(topic);
            let is_behind = |replica: &String| behind.is_some_and(|b| b.contains(replica));
            let (late, here): (BTreeSet<_>, BTreeSet<_>) = all.iter().cloned().partition(is_behind);
            rest.insert(topic.clone(), late);
            if !here.is_empty() {
                caught_up.fetching.insert(topic.clone(), here);
            }
        }
        // Whoever was asked may not know yet what was set a moment ago: the others must not lose it.
        let without_these = |topic: &str, have: &BTreeSet<String>, ours: &BTreeSet<String>| {
            let left = have.difference(ours).chain(&rest[topic]);
            Some(left.cloned().collect())
        };
        caught_up.lists(client, without_these).await?;
        self.fetching = rest;
        Ok(())
    }

    /// Takes it off: our replicas from the topics' lists, our rates from the brokers.
    ///
    /// # Errors
    /// When a broker does not answer or refuses.
    pub async fn remove(&self, client: &Client) -> Result<()> {
        // Whoever was asked may not know yet what was set a moment ago: it is taken away whether it shows or not.
        let without = |_: &str, have: &BTreeSet<String>, ours: &BTreeSet<String>| {
            Some(have.difference(ours).cloned().collect())
        };
        self.lists(client, without).await?;
        let ours = self.earlier.iter().chain([&self.rate]);
        let ours: BTreeSet<String> = ours.map(u64::to_string).collect();
        for broker in self.registered(client).await? {
            let changes: Vec<Alteration> = rates(client, broker)
                .await?
                .into_iter()
                .filter(|(_, found)| found.as_ref().is_none_or(|f| f.is_one_of(&ours)))
                .map(|(key, _)| Alteration::Delete(key.to_owned()))
                .collect();
            alter(client, &Resource::Broker(broker), &changes).await?;
        }
        Ok(())
    }

    /// Changes the lists of every topic; of a topic that is gone nothing is left to change.
    async fn lists(
        &self,
        client: &Client,
        to: impl Fn(&str, &BTreeSet<String>, &BTreeSet<String>) -> Option<BTreeSet<String>>,
    ) -> Result<()> {
        for topic in self.topics() {
            let resource = Resource::Topic(topic.clone());
            let of = std::slice::from_ref(&resource);
            let found = match client.describe_configs(of, &[SENDING, FETCHING]).await {
                Err(e) if e.all_refused_with(&[ResponseError::UnknownTopicOrPartition]) => continue,
                found => found?,
            };
            let entries = found.get(&resource).map_or(&[][..], Vec::as_slice);
            let mut changes = Vec::new();
            for (key, all) in [(SENDING, &self.sending), (FETCHING, &self.fetching)] {
                let Some(ours) = all.get(topic) else { continue };
                let have = listed(entries, key);
                let Some(then) = to(topic, &have, ours).filter(|_| !have.contains(ALL)) else {
                    continue;
                };
                changes.push(if then.is_empty() {
                    Alteration::Delete(key.to_owned())
                } else {
                    let then: Vec<String> = then.into_iter().collect();
                    Alteration::Set(key.to_owned(), then.join(","))
                });
            }
            already_gone(alter(client, &resource, &changes).await)?;
        }
        Ok(())
    }

    /// Those of its brokers that can be asked: what has died has no speed, and keeps its rate until swept.
    async fn registered(&self, client: &Client) -> Result<Vec<i32>> {
        let metadata = client.metadata_of(&[]).await?;
        let brokers = self.brokers.iter().copied();
        Ok(brokers
            .filter(|id| metadata.broker(*id).is_some())
            .collect())
    }
}

/// A rate that somebody set while the broker runs.
struct Rate {
    /// Its value; none where the broker keeps it to itself (before 2.6).
    value: Option<String>,
    /// Whether it is this broker's own, rather than that of all.
    own: bool,
}

impl Rate {
    fn is_one_of(&self, rates: &BTreeSet<String>) -> bool {
        self.own && self.value.as_ref().is_some_and(|v| rates.contains(v))
    }
}

/// The rates that a broker has, by setting.
async fn rates(client: &Client, broker: i32) -> Result<Vec<(&'static str, Option<Rate>)>> {
    let resource = Resource::Broker(broker);
    let of = std::slice::from_ref(&resource);
    let found = client.describe_configs(of, &RATES).await?;
    let entries = found.get(&resource).map_or(&[][..], Vec::as_slice);
    let rate = |key: &'static str| {
        let entry = entries
            .iter()
            .find(|e| e.name == key && e.source.is_dynamic());
        let rate = entry.map(|e| Rate {
            value: e.value.clone(),
            own: e.source == Source::Broker,
        });
        (key, rate)
    };
    Ok(RATES.into_iter().map(rate).collect())
}

async fn alter(client: &Client, resource: &Resource, changes: &[Alteration]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    client.alter_configs(resource, changes, false).await
}

/// The replicas in a topic's list.
fn listed(entries: &[Entry], key: &str) -> BTreeSet<String> {
    let own = |e: &&Entry| e.name == key && e.source == Source::Topic;
    let value = entries.iter().find(own).and_then(|e| e.value.as_deref());
    let parts = value.unwrap_or_default().split(',').map(str::trim);
    parts.filter(|p| !p.is_empty()).map(str::to_owned).collect()
}
