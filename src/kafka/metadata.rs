//! What the cluster says of itself: brokers, topics, partitions.

use std::collections::BTreeSet;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use serde::{Deserialize, Serialize};

/// One answer to a Metadata request, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// Where requests for the controller go. In KRaft mode this is *any* live broker, so who really leads
    /// is asked with [`Client::active_controller`](super::Client::active_controller).
    pub controller: Option<i32>,
    /// The live brokers, by id.
    pub brokers: Vec<Broker>,
    /// The topics asked for, by name.
    pub topics: Vec<Topic>,
}

/// A broker that is registered in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// The host name that it advertises.
    pub host: String,
    /// The port that it advertises.
    pub port: u16,
    /// Its rack.
    pub rack: Option<String>,
}

/// A topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Whether the cluster made it for itself.
    pub internal: bool,
    /// The protocol's error code for it; 0 is none.
    pub error: i16,
    /// Its partitions, by index.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its index.
    pub index: i32,
    /// The broker that leads it.
    pub leader: Option<i32>,
    /// The brokers that hold a copy; the first is the preferred leader.
    pub replicas: Vec<i32>,
    /// Those that are in sync. Without a leader, the last one stays listed here though it is dead.
    pub isr: Vec<i32>,
    /// Those whose broker or disk is down.
    pub offline: Vec<i32>,
}

impl Metadata {
    /// The broker of this id, if it is registered.
    pub fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.iter().find(|b| b.id == id)
    }

    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|t| t.name == name)
    }

    /// All partitions with their topics' names.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, &Partition)> {
        self.topics
            .iter()
            .flat_map(|t| t.partitions.iter().map(|p| (t.name.as_str(), p)))
    }
}

impl Topic {
    /// How many copies its partitions have: the range, since a reassignment may leave them unequal.
    pub fn replication(&self) -> Option<(usize, usize)> {
        let counts: BTreeSet<usize> = self.partitions.iter().map(|p| p.replicas.len()).collect();
        Some((*counts.first()?, *counts.last()?))
    }
}

impl Partition {
    /// The replicas that are not in sync or not there.
    pub fn missing(&self) -> Vec<i32> {
        let gone = |r: &&i32| !self.isr.contains(r) || self.offline.contains(r);
        self.replicas.iter().filter(gone).copied().collect()
    }

    /// Whether nothing is amiss: a leader, no offline replica, every replica in sync.
    pub fn is_whole(&self) -> bool {
        self.leader.is_some()
            && self.offline.is_empty()
            && self.isr.len() == self.replicas.len()
            && self.missing().is_empty()
    }
}

impl From<MetadataResponse> for Metadata {
    fn from(answer: MetadataResponse) -> Self {
        let mut brokers: Vec<Broker> = answer.brokers.iter().filter_map(broker).collect();
        brokers.sort_by_key(|b| b.id);
        let mut topics: Vec<Topic> = answer.topics.iter().filter_map(topic).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            cluster_id: answer.cluster_id.map(|id| id.to_string()),
            controller: id(answer.controller_id.0),
            brokers,
            topics,
        }
    }
}

fn id(raw: i32) -> Option<i32> {
    (raw >= 0).then_some(raw)
}

fn broker(raw: &MetadataResponseBroker) -> Option<Broker> {
    Some(Broker {
        id: raw.node_id.0,
        host: raw.host.to_string(),
        port: u16::try_from(raw.port).ok()?,
        rack: raw.rack.as_ref().map(ToString::to_string),
    })
}

fn topic(raw: &MetadataResponseTopic) -> Option<Topic> {
    let mut partitions: Vec<Partition> = raw.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|p| p.index);
    Some(Topic {
        name: raw.name.as_ref()?.to_string(),
        internal: raw.is_internal,
        error: raw.error_code,
        partitions,
    })
}

fn partition(raw: &MetadataResponsePartition) -> Partition {
    let ids = |all: &[kafka_protocol::messages::BrokerId]| all.iter().map(|b| b.0).collect();
    Partition {
        index: raw.partition_index,
        leader: id(raw.leader_id.0),
        replicas: ids(&raw.replica_nodes),
        isr: ids(&raw.isr_nodes),
        offline: ids(&raw.offline_replicas),
    }
}
