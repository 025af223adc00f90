//! Topics made, deleted and widened.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    UnregisterBrokerRequest,
};

use super::client::{Client, string, topic_name};
use super::error::{Error, Refusal, Result, check};
use super::metadata::{Metadata, Topic};

/// From version 6 on topics are deleted by id as well; names do.
const DELETE_BY_NAME: i16 = 5;

/// A topic to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; not used with `assignment`.
    pub partitions: i32,
    /// How many copies; not used with `assignment`.
    pub replication: i16,
    /// The brokers of each partition, the preferred leader first. Empty: the cluster chooses.
    pub assignment: Vec<Vec<i32>>,
    /// Its settings.
    pub config: BTreeMap<String, String>,
}

impl Client {
    /// Makes topics. With `validate_only` the cluster says whether it would, and makes nothing.
    ///
    /// # Errors
    /// Names every topic that was refused; the others are made.
    pub async fn create_topics(&self, topics: &[NewTopic], validate_only: bool) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(creatable).collect())
            .with_timeout_ms(self.timeout_ms())
            .with_validate_only(validate_only);
        self.send_controller(&request, i16::MAX, |answer| {
            check(answer.topics.iter().map(|t| {
                Refusal::of(
                    topic_label(&t.name),
                    t.error_code,
                    t.error_message.as_deref(),
                )
            }))
        })
        .await
    }

    /// Deletes topics by name.
    ///
    /// # Errors
    /// Names every topic that was refused; the others are deleted.
    pub async fn delete_topics(&self, names: &[&str]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let request = DeleteTopicsRequest::default()
            .with_topic_names(names.iter().map(|n| topic_name(n)).collect())
            .with_timeout_ms(self.timeout_ms());
        self.send_controller(&request, DELETE_BY_NAME, |answer| {
            check(answer.responses.iter().map(|t| {
                let name = t.name.as_ref().map(|n| topic_label(n)).unwrap_or_default();
                Refusal::of(name, t.error_code, t.error_message.as_deref())
            }))
        })
        .await
    }

    /// Gives a topic `count` partitions in all; the new ones are placed by the cluster.
    ///
    /// # Errors
    /// When the cluster refuses, for one since `count` is not more than there are.
    pub async fn create_partitions(&self, topic: &str, count: i32) -> Result<()> {
        let wanted = CreatePartitionsTopic::default()
            .with_name(topic_name(topic))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![wanted])
            .with_timeout_ms(self.timeout_ms());
        self.send_controller(&request, i16::MAX, |answer| {
            check(answer.results.iter().map(|t| {
                Refusal::of(
                    topic_label(&t.name),
                    t.error_code,
                    t.error_message.as_deref(),
                )
            }))
        })
        .await
    }

    /// Makes the cluster forget a broker that has stopped for good (KIP-631). A dead registration would stand
    /// against a later upgrade. Where the cluster keeps none (ZooKeeper) or has none of it, nothing happens.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn unregister_broker(&self, id: i32) -> Result<()> {
        let request = UnregisterBrokerRequest::default().with_broker_id(BrokerId(id));
        let sent = self.send_controller(&request, i16::MAX, |answer| {
            let message = answer.error_message.as_deref();
            let what = format!("the registration of broker {id}");
            check([Refusal::of(what, answer.error_code, message)])
        });
        let nothing = [
            ResponseError::BrokerIdNotRegistered,
            ResponseError::UnsupportedVersion,
        ];
        match sent.await {
            Err(Error::Unsupported { .. }) => Ok(()),
            Err(e) if e.all_refused_with(&nothing) => Ok(()),
            other => other,
        }
    }

    /// Waits until every live broker lists the topic with `partitions` partitions that all have a leader.
    ///
    /// # Errors
    /// When that is still not so after three times the time of a request.
    pub async fn wait_for_topic(&self, topic: &str, partitions: usize) -> Result<()> {
        let what = || format!("not every broker knows the leaders of topic {topic}");
        self.wait(self.timeout() * 3, what, || async {
            let seen = self.metadata_of(&[topic]).await?;
            let all = self.all_see(&seen, &[topic]).await?;
            let mut views = all.iter().chain([&seen]);
            let led = views.all(|theirs| is_led(theirs, topic, partitions));
            Ok(led.then_some(()))
        })
        .await
    }

    /// What each of the brokers believes of some topics.
    async fn all_see(&self, known: &Metadata, topics: &[&str]) -> Result<Vec<Metadata>> {
        let brokers = known.brokers.iter();
        try_join_all(brokers.map(|broker| self.metadata_from(broker.id, Some(topics)))).await
    }

    /// Waits until some broker lists the topic with `partitions` partitions that all have a leader.
    pub(crate) async fn wait_for_leaders(&self, topic: &str, partitions: usize) -> Result<()> {
        let what = || format!("topic {topic} has not got all its leaders");
        self.wait(self.timeout() * 3, what, || async {
            let seen = self.metadata_of(&[topic]).await?;
            Ok(is_led(&seen, topic, partitions).then_some(()))
        })
        .await
    }

    /// Waits until no live broker lists any of the topics.
    ///
    /// # Errors
    /// When one is still listed after three times the time of a request.
    pub async fn wait_for_absence(&self, topics: &[&str]) -> Result<()> {
        let what = || format!("topic {} is still listed", topics.join(", "));
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        self.wait(self.timeout() * 3, what, || async {
            let known = self.metadata_of(&[]).await?;
            let all = self.all_see(&known, topics).await?;
            let mut seen = all.iter().flat_map(|theirs| &theirs.topics);
            Ok(seen.all(|t| t.error == unknown).then_some(()))
        })
        .await
    }

    /// The time that the cluster may take for a change: somewhat less than is waited for its answer.
    pub(crate) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.timeout().as_millis() * 4 / 5).unwrap_or(i32::MAX)
    }
}

/// Deleting what is already gone is no failure.
pub(crate) fn already_gone(result: Result<()>) -> Result<()> {
    match result {
        Err(e) if e.all_refused_with(&[ResponseError::UnknownTopicOrPartition]) => Ok(()),
        Err(Error::Refused(mut all)) => {
            all.retain(|r| r.code != ResponseError::UnknownTopicOrPartition);
            Err(Error::Refused(all))
        }
        other => other,
    }
}

fn is_led(seen: &Metadata, topic: &str, partitions: usize) -> bool {
    let led = |t: &Topic| {
        t.partitions.len() == partitions && t.partitions.iter().all(|p| p.leader.is_some())
    };
    seen.topic(topic).is_some_and(led)
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let manual = !topic.assignment.is_empty();
    let assignments = (0..).zip(&topic.assignment).map(|(index, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
    });
    let config = |(key, value): (&String, &String)| {
        CreatableTopicConfig::default()
            .with_name(string(key))
            .with_value(Some(string(value)))
    };
    CreatableTopic::default()
        .with_name(topic_name(&topic.name))
        .with_num_partitions(if manual { -1 } else { topic.partitions })
        .with_replication_factor(if manual { -1 } else { topic.replication })
        .with_assignments(assignments.collect())
        .with_configs(topic.config.iter().map(config).collect())
}

fn topic_label(name: &str) -> String {
    format!("topic {name}")
}
