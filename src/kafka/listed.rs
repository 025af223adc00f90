//! The inventory's topics and those that there are, between the driver's contract and the client.

use super::config::{Configs, Entry, Resource, Source};
use super::topics::{self, Leftovers, TopicChange, TopicSpec};
use super::{Client, Result};
use crate::driver::{PartitionInfo, TopicInfo};
use crate::inventory::Topic;

/// What differs of these topics.
///
/// # Errors
/// When no broker answers.
pub async fn compare(client: &Client, specs: &[TopicSpec]) -> Result<Vec<TopicChange>> {
    let metadata = client.metadata().await?;
    let configs = topics::existing(client, specs, &metadata).await?;
    Ok(topics::diff(specs, &metadata, &configs, Leftovers::Report))
}

/// All topics that there are.
///
/// # Errors
/// When no broker answers.
pub async fn topics(client: &Client) -> Result<Vec<TopicInfo>> {
    let metadata = client.metadata().await?;
    let resources: Vec<Resource> = metadata
        .topics
        .iter()
        .map(|t| Resource::Topic(t.name.clone()))
        .collect();
    let configs = if resources.is_empty() {
        Configs::default()
    } else {
        client.describe_configs(&resources, &[]).await?
    };
    Ok(metadata
        .topics
        .iter()
        .map(|topic| info(topic, &configs))
        .collect())
}

fn info(topic: &super::Topic, configs: &Configs) -> TopicInfo {
    let own = configs
        .get(&Resource::Topic(topic.name.clone()))
        .into_iter()
        .flatten();
    let own = own.filter(|entry| entry.source == Source::Topic);
    let value = |entry: &Entry| (entry.name.clone(), entry.value.clone().unwrap_or_default());
    let partition = |p: &super::Partition| PartitionInfo {
        index: p.index,
        leader: p.leader,
        replicas: p.replicas.clone(),
        in_sync: p.isr.clone(),
    };
    TopicInfo {
        name: topic.name.clone(),
        internal: topic.internal,
        replication: topic.replication().map_or(0, |(_, most)| most),
        config: own.map(value).collect(),
        partitions: topic.partitions.iter().map(partition).collect(),
    }
}

/// A topic as the inventory wants it.
pub fn spec((name, topic): (&String, &Topic)) -> TopicSpec {
    TopicSpec {
        name: name.clone(),
        partitions: topic.partitions,
        replication: topic.replication,
        config: topic.config.clone(),
    }
}
