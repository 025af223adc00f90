//! Who leads the cluster itself.

use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_quorum_response::ReplicaState;
use kafka_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use serde::{Deserialize, Serialize};

use super::client::{Client, topic_name};
use super::endpoint::Endpoint;
use super::error::{Error, Refusal, Result, check};

const METADATA_LOG: &str = "__cluster_metadata";

/// The controllers of a KRaft cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The active controller.
    pub leader: Option<i32>,
    /// How often leadership has changed.
    pub epoch: i32,
    /// How far the metadata log is committed.
    pub high_watermark: i64,
    /// The controllers that vote.
    pub voters: Vec<Member>,
    /// Brokers, and controllers without a vote.
    pub observers: Vec<Member>,
}

/// A reader of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The node's id.
    pub id: i32,
    /// The id of its metadata directory, from brokers of 3.9 on; as upstream's tools take it.
    pub directory: Option<[u8; 16]>,
    /// How far it has read.
    pub log_end: i64,
    /// When the leader last heard of it, in milliseconds since 1970; -1 when not known.
    pub last_fetch: i64,
    /// When it last had everything, in milliseconds since 1970; -1 when not known.
    pub last_caught_up: i64,
}

impl Quorum {
    /// How long a voter has been without all that the leader has, in milliseconds by the leader's clock; none
    /// for one that does not vote, or has not caught up since the leader was elected.
    #[must_use]
    pub fn behind(&self, id: i32) -> Option<i64> {
        let of = |id: i32| self.voters.iter().find(|voter| voter.id == id);
        if self.leader == Some(id) {
            return Some(0);
        }
        let (leader, voter) = (of(self.leader?)?, of(id)?);
        (voter.last_caught_up >= 0).then_some(leader.last_caught_up - voter.last_caught_up)
    }

    /// The newest reader of this id that has no vote, and how long it has been without all that the leader has.
    #[must_use]
    pub fn observer(&self, id: i32) -> Option<(&Member, Option<i64>)> {
        let all = self.observers.iter().filter(|observer| observer.id == id);
        let newest = all.max_by_key(|observer| observer.last_fetch)?;
        let leader = self.voters.iter().find(|one| Some(one.id) == self.leader)?;
        let behind = leader.last_caught_up - newest.last_caught_up;
        Some((newest, (newest.last_caught_up >= 0).then_some(behind)))
    }

    /// A voter.
    #[must_use]
    pub fn voter(&self, id: i32) -> Option<&Member> {
        self.voters.iter().find(|voter| voter.id == id)
    }
}

impl Client {
    /// The controllers of a KRaft cluster.
    ///
    /// # Errors
    /// [`Error::Unsupported`] from a cluster that has ZooKeeper.
    pub async fn describe_quorum(&self) -> Result<Quorum> {
        quorum(self.send_any(&request()).await?)
    }

    /// The same, asked of one node: a broker passes the question on, a controller answers if it is the active
    /// one (KIP-919).
    ///
    /// # Errors
    /// When it does not answer, or is a controller that does not lead.
    pub async fn describe_quorum_at(&self, node: &Endpoint) -> Result<Quorum> {
        quorum(self.send_at(node, &request(), i16::MAX).await?)
    }

    /// The node that really leads the cluster: the quorum's leader in KRaft mode (it may be no broker at
    /// all), else the controller from the metadata.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn active_controller(&self) -> Result<Option<i32>> {
        match self.describe_quorum().await {
            Ok(quorum) => Ok(quorum.leader),
            Err(Error::Unsupported { .. } | Error::Refused(_)) => {
                Ok(self.metadata_of(&[]).await?.controller)
            }
            Err(e) => Err(e),
        }
    }
}

fn request() -> DescribeQuorumRequest {
    let log = TopicData::default()
        .with_topic_name(topic_name(METADATA_LOG))
        .with_partitions(vec![PartitionData::default()]);
    DescribeQuorumRequest::default().with_topics(vec![log])
}

fn quorum(answer: DescribeQuorumResponse) -> Result<Quorum> {
    let refusal = |code, message| Refusal::of("the controllers' quorum", code, message);
    check([refusal(answer.error_code, answer.error_message.as_deref())])?;
    let partition = answer.topics.iter().flat_map(|t| &t.partitions).next();
    let Some(p) = partition else {
        let empty = "the answer about the quorum is empty";
        return Err(Error::Exchange(empty.to_owned()));
    };
    check([refusal(p.error_code, p.error_message.as_deref())])?;
    let members = |all: &[ReplicaState]| {
        let mut members: Vec<Member> = all.iter().map(member).collect();
        members.sort_by_key(|m| m.id);
        members
    };
    Ok(Quorum {
        leader: (p.leader_id.0 >= 0).then_some(p.leader_id.0),
        epoch: p.leader_epoch,
        high_watermark: p.high_watermark,
        voters: members(&p.current_voters),
        observers: members(&p.observers),
    })
}

fn member(raw: &ReplicaState) -> Member {
    let directory = raw.replica_directory_id;
    Member {
        id: raw.replica_id.0,
        directory: (!directory.is_nil()).then(|| *directory.as_bytes()),
        log_end: raw.log_end_offset,
        last_fetch: raw.last_fetch_timestamp,
        last_caught_up: raw.last_caught_up_timestamp,
    }
}
