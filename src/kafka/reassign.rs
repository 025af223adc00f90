//! Replicas moved, and leaders put back where they belong.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, ElectLeadersRequest,
    ListPartitionReassignmentsRequest,
};
use serde::{Deserialize, Serialize};

use super::client::{Client, topic_name};
use super::error::{Refusal, Result, check};

const PREFERRED: i8 = 0;
/// The election of any replica that lives, though it may lack messages.
const UNCLEAN: i8 = 1;

/// Replicas of a partition that are being moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassignment {
    /// The topic.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// All its replicas for now: old and new.
    pub replicas: Vec<i32>,
    /// Those that are being filled.
    pub adding: Vec<i32>,
    /// Those that will be dropped.
    pub removing: Vec<i32>,
}

/// Where the replicas of a partition shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The topic.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// The brokers, the preferred leader first. `None` calls off a move that is under way.
    pub replicas: Option<Vec<i32>>,
}

impl Client {
    /// What is being moved now.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub async fn list_reassignments(&self) -> Result<Vec<Reassignment>> {
        let request = ListPartitionReassignmentsRequest::default()
            .with_timeout_ms(self.timeout_ms())
            .with_topics(None);
        let answer = self
            .send_controller(&request, i16::MAX, |answer| {
                let message = answer.error_message.as_deref();
                check([Refusal::of(
                    "the list of reassignments",
                    answer.error_code,
                    message,
                )])?;
                Ok(answer)
            })
            .await?;
        let ids = |all: &[BrokerId]| all.iter().map(|b| b.0).collect();
        let mut found: Vec<Reassignment> = answer
            .topics
            .iter()
            .flat_map(|t| {
                t.partitions.iter().map(move |p| Reassignment {
                    topic: t.name.to_string(),
                    partition: p.partition_index,
                    replicas: ids(&p.replicas),
                    adding: ids(&p.adding_replicas),
                    removing: ids(&p.removing_replicas),
                })
            })
            .collect();
        found.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(found)
    }

    /// Starts moves, or calls them off. Calling off what is not being moved is no failure.
    ///
    /// # Errors
    /// Names every partition that was refused; the moves of the others have started.
    pub async fn alter_reassignments(&self, moves: &[Move]) -> Result<()> {
        if moves.is_empty() {
            return Ok(());
        }
        let mut topics: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
        for m in moves {
            let ids = |all: &Vec<i32>| all.iter().map(|id| BrokerId(*id)).collect();
            topics.entry(&m.topic).or_default().push(
                ReassignablePartition::default()
                    .with_partition_index(m.partition)
                    .with_replicas(m.replicas.as_ref().map(ids)),
            );
        }
        let topic = |(name, partitions): (&str, Vec<ReassignablePartition>)| {
            ReassignableTopic::default()
                .with_name(topic_name(name))
                .with_partitions(partitions)
        };
        let request = AlterPartitionReassignmentsRequest::default()
            .with_timeout_ms(self.timeout_ms())
            .with_topics(topics.into_iter().map(topic).collect());
        self.send_controller(&request, i16::MAX, |answer| {
            let message = answer.error_message.as_deref();
            check([Refusal::of("the reassignment", answer.error_code, message)])?;
            let partitions = answer.responses.iter().flat_map(|t| {
                t.partitions.iter().map(|p| {
                    let message = p.error_message.as_deref();
                    Refusal::of(label(&t.name, p.partition_index), p.error_code, message)
                })
            });
            check(
                partitions.map(|r| r.filter(|r| r.code != ResponseError::NoReassignmentInProgress)),
            )
        })
        .await
    }

    /// Makes each partition's first replica its leader: of `topics` (name and partitions), or of all.
    ///
    /// # Errors
    /// Names every partition whose preferred leader cannot lead now.
    pub async fn elect_preferred(&self, topics: Option<&BTreeMap<String, Vec<i32>>>) -> Result<()> {
        self.elect(PREFERRED, topics).await
    }

    /// Has partitions that nobody leads led by a replica that lives, be it in sync or not: what only others had is
    /// lost.
    ///
    /// # Errors
    /// Names every partition of which none can lead now.
    pub async fn elect_unclean(&self, topics: &BTreeMap<String, Vec<i32>>) -> Result<()> {
        self.elect(UNCLEAN, Some(topics)).await
    }

    async fn elect(&self, kind: i8, topics: Option<&BTreeMap<String, Vec<i32>>>) -> Result<()> {
        let partitions = topics.map(|topics| {
            let topic = |(name, partitions): (&String, &Vec<i32>)| {
                TopicPartitions::default()
                    .with_topic(topic_name(name))
                    .with_partitions(partitions.clone())
            };
            topics.iter().map(topic).collect()
        });
        let request = ElectLeadersRequest::default()
            .with_election_type(kind)
            .with_topic_partitions(partitions)
            .with_timeout_ms(self.timeout_ms());
        self.send_controller(&request, i16::MAX, |answer| {
            check([Refusal::of("the election", answer.error_code, None)])?;
            let partitions = answer.replica_election_results.iter().flat_map(|t| {
                t.partition_result.iter().map(|p| {
                    let message = p.error_message.as_deref();
                    Refusal::of(label(&t.topic, p.partition_id), p.error_code, message)
                })
            });
            check(partitions.map(|r| r.filter(|r| r.code != ResponseError::ElectionNotNeeded)))
        })
        .await
    }
}

fn label(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}
