//! The changes, made.

use super::{Leftovers, TopicChange, TopicSpec, diff};
use crate::kafka::admin::NewTopic;
use crate::kafka::client::Client;
use crate::kafka::config::{Alteration, Configs, Resource};
use crate::kafka::error::{Error, Result};
use crate::kafka::metadata::Metadata;

/// The settings of those of the wanted topics that are there: what [`diff`](super::diff) compares with.
///
/// # Errors
/// When no broker answers.
pub async fn existing(
    client: &Client,
    wanted: &[TopicSpec],
    metadata: &Metadata,
) -> Result<Configs> {
    let there: Vec<Resource> = wanted
        .iter()
        .filter(|spec| metadata.topic(&spec.name).is_some())
        .map(|spec| Resource::Topic(spec.name.clone()))
        .collect();
    if there.is_empty() {
        return Ok(Configs::default());
    }
    client.describe_configs(&there, &[]).await
}

/// Makes one change, and waits until the brokers know of it, so that the next look finds it done.
///
/// # Errors
/// When the cluster refuses it, or it is nothing to do.
pub async fn apply(client: &Client, change: &TopicChange) -> Result<()> {
    match change {
        TopicChange::Create(spec) => {
            client.create_topics(&[new_topic(spec)], false).await?;
            wait(client, &spec.name, spec.partitions).await
        }
        TopicChange::Ensure(spec) => ensure(client, spec).await,
        TopicChange::AddPartitions { topic, to, .. } => {
            client.create_partitions(topic, *to).await?;
            wait(client, topic, *to).await
        }
        TopicChange::SetConfig { topic, key, to, .. } => {
            alter(client, topic, Alteration::Set(key.clone(), to.clone())).await
        }
        TopicChange::RemoveConfig { topic, key, .. } => {
            alter(client, topic, Alteration::Delete(key.clone())).await
        }
        // It takes the members' places to say where they go: the driver does it.
        told @ (TopicChange::Copies { .. }
        | TopicChange::Leftover { .. }
        | TopicChange::Refused { .. }) => Err(Error::Unsafe(told.to_string())),
    }
}

/// Brings a topic about from whatever state it is in.
async fn ensure(client: &Client, spec: &TopicSpec) -> Result<()> {
    let metadata = client.metadata().await?;
    let wanted = std::slice::from_ref(spec);
    let configs = existing(client, wanted, &metadata).await?;
    for change in diff(wanted, &metadata, &configs, Leftovers::Report) {
        if !matches!(change, TopicChange::Leftover { .. }) {
            Box::pin(apply(client, &change)).await?;
        }
    }
    Ok(())
}

async fn wait(client: &Client, topic: &str, partitions: i32) -> Result<()> {
    client
        .wait_for_topic(topic, usize::try_from(partitions).unwrap_or(0))
        .await?;
    Ok(())
}

async fn alter(client: &Client, topic: &str, change: Alteration) -> Result<()> {
    client
        .alter_configs(&Resource::Topic(topic.to_owned()), &[change], false)
        .await
}

fn new_topic(spec: &TopicSpec) -> NewTopic {
    NewTopic {
        name: spec.name.clone(),
        partitions: spec.partitions,
        replication: spec.replication,
        assignment: Vec::new(),
        config: spec.config.clone(),
    }
}
