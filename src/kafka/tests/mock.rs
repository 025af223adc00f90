//! Against librdkafka's simulated cluster, over real sockets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::kafka::exchange::Both;
use crate::kafka::rd::Rdkafka;
use crate::kafka::{Client, Exchange, Sent, Thin, health};
use crate::transport::{BoxStream, Dial};

const LIMIT: Duration = Duration::from_secs(20);

struct Tcp;

#[async_trait::async_trait]
impl Dial for Tcp {
    async fn dial(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(
            tokio::net::TcpStream::connect((host, port)).await?,
        ))
    }
}

fn simulated() -> (MockCluster<'static, DefaultProducerContext>, Client) {
    let cluster = MockCluster::new(3).unwrap();
    cluster.create_topic("velib", 3, 3).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let brokers = bootstrap.split(',').map(|b| b.parse().unwrap()).collect();
    (cluster, Client::new(Arc::new(Tcp), brokers))
}

async fn message_to_each(client: &Client, via: &dyn Exchange) {
    let metadata = client.metadata().await.unwrap();
    for p in &metadata.topic("velib").unwrap().partitions {
        let message = Sent {
            topic: "velib".to_owned(),
            partition: p.index,
            leader: p.leader.unwrap(),
            payload: format!("to {}", p.index).into_bytes(),
        };
        via.exchange(&message, LIMIT).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_is_understood() {
    let (_cluster, client) = simulated();
    let metadata = client.metadata().await.unwrap();
    assert_eq!(metadata.brokers.len(), 3);
    assert_eq!(metadata.topic("velib").unwrap().replication(), Some((3, 3)));
    assert!(health::isr_gate(&metadata, 1).is_empty());
    assert_eq!(
        client.active_controller().await.unwrap(),
        metadata.controller
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_back_through_the_thin_client() {
    let (_cluster, client) = simulated();
    message_to_each(&client, &Thin(&client)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_back_through_librdkafka() {
    let (cluster, client) = simulated();
    message_to_each(&client, &Rdkafka::new(&cluster.bootstrap_servers())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_librdkafka_are_read_by_the_thin_client() {
    let (cluster, client) = simulated();
    let (write, read) = (Rdkafka::new(&cluster.bootstrap_servers()), Thin(&client));
    message_to_each(&client, &Both { write, read }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_broker_is_asked_when_one_dies() {
    let (cluster, client) = simulated();
    client.metadata().await.unwrap();
    cluster.broker_down(1).unwrap();
    client.metadata().await.unwrap();
}
