//! Tests: against hand-made brokers at the other end of a pipe, librdkafka's simulated cluster, and tables.

mod driver;
mod fake;
mod frames;
mod health;
mod limits;
mod live;
#[cfg(feature = "rdkafka")]
mod mock;
mod moves;
mod moving;
mod outage;
mod probe;
mod routing;
mod topics;
mod unclean;

use super::metadata::{Broker, Metadata, Partition, Topic};

/// Brokers 1 to `brokers`, and one topic for each name with these partitions.
fn cluster(brokers: i32, topics: &[(&str, &[Partition])]) -> Metadata {
    let broker = |id| Broker {
        id,
        host: format!("b{id}"),
        port: 9092,
        rack: None,
    };
    let topic = |(name, partitions): &(&str, &[Partition])| Topic {
        name: (*name).to_owned(),
        partitions: partitions.to_vec(),
        ..Topic::default()
    };
    Metadata {
        cluster_id: Some("c".to_owned()),
        controller: Some(1),
        brokers: (1..=brokers).map(broker).collect(),
        topics: topics.iter().map(topic).collect(),
    }
}

/// A partition; leader 0 stands for none.
fn partition(index: i32, leader: i32, replicas: &[i32], isr: &[i32]) -> Partition {
    Partition {
        index,
        leader: (leader > 0).then_some(leader),
        replicas: replicas.to_vec(),
        isr: isr.to_vec(),
        offline: Vec::new(),
    }
}
