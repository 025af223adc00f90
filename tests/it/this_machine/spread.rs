//! Replicas moved between real brokers: drained, brought back, raised; cut off, swept and called off.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sdtd::driver::{Answer, Call, Driver, Spread};
use sdtd::kafka::config::Resource;
use sdtd::kafka::driver::KafkaDriver;
use sdtd::kafka::{Client, Endpoint, NewTopic};
use sdtd::plan::{Member, ResourceChange, View};
use sdtd::transport::{BoxStream, Dial};

use super::{CURRENT, Cleared, Line, OTHERS, first_address, inventory, is_chosen, is_wanted, tool};
use crate::lab::laptop::{Laptop, text};

/// How many messages the topic holds that moves.
const MESSAGES: usize = 200_000;
/// A rate at which nothing is ever done, in bytes a second.
const CRAWL: u64 = 1000;

struct Tcp;

#[async_trait::async_trait]
impl Dial for Tcp {
    async fn dial(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let stream = tokio::net::TcpStream::connect((host, port)).await?;
        Ok(Box::pin(stream))
    }
}

/// The three brokers, and a client that asks them.
struct Brokers {
    view: View,
    dial: Arc<dyn Dial>,
    client: Client,
}

impl Brokers {
    async fn new(first: &str) -> Self {
        let dial: Arc<dyn Dial> = Arc::new(Tcp);
        let bootstrap = vec![Endpoint::new(first, 9092)];
        let client = Client::new(Arc::clone(&dial), bootstrap);
        let brokers = client.metadata().await.expect("it answers").brokers;
        let member = |b: &sdtd::kafka::Broker| {
            let member = serde_json::json!({
                "id": format!("kafka.broker@n{}", b.id), "number": b.id,
                "address": b.host, "local_address": b.host, "ports": {"client": b.port},
                "version": "3.9.1", "unit": "kafka-broker", "user": null, "log": "/l",
                "hooks": "/h", "env": {},
            });
            serde_json::from_value::<Member>(member).expect("a member")
        };
        let view = View {
            leaving: Vec::new(),
            cluster: "tried".parse().expect("a name"),
            members: brokers.iter().map(member).collect(),
            roles: Vec::new(),
            absent: BTreeSet::new(),
            roots: BTreeMap::new(),
            verify: Vec::new(),
        };
        Self { view, dial, client }
    }

    async fn with<T>(
        &self,
        action: &str,
        of: Option<usize>,
        f: impl AsyncFnOnce(Call<'_>) -> T,
    ) -> T {
        let service = "kafka".parse().expect("a name");
        let call = Call {
            shared: None,
            beside: &[],
            action,
            view: &self.view,
            service: &service,
            member: of.map(|n| &self.view.members[n]),
            dial: &self.dial,
        };
        f(call).await
    }

    async fn spread(&self, wanted: &Spread) -> Result<Vec<ResourceChange>, String> {
        let found = self.with("spread", None, async |call| {
            KafkaDriver.spread(call, wanted).await
        });
        found.await.map_err(|problem| format!("{problem:?}"))
    }

    async fn make(&self, changes: &[ResourceChange]) {
        for change in changes {
            eprintln!("{}", change.text);
            let made = self.with("spread", None, async |call| {
                KafkaDriver.change(call, change).await
            });
            made.await.expect(&change.text);
        }
    }

    async fn empty(&self, broker: usize) -> Answer {
        self.with("empty", Some(broker), async |call| {
            KafkaDriver.ask(call).await
        })
        .await
    }

    /// The replicas of a topic, partition by partition.
    async fn replicas(&self, topic: &str) -> Vec<Vec<i32>> {
        let metadata = self.client.metadata_of(&[topic]).await.expect("it answers");
        let partitions = &metadata.topic(topic).expect("it is there").partitions;
        assert!(partitions.iter().all(|p| p.is_whole()), "{partitions:?}");
        partitions.iter().map(|p| p.replicas.clone()).collect()
    }

    /// Everything that limits the speed of moves, in topics and brokers. Brokers learn a moment later what was taken off.
    async fn limits(&self) -> Vec<String> {
        let mut limits = self.limits_now().await;
        for _ in 0..20 {
            if limits.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            limits = self.limits_now().await;
        }
        limits
    }

    async fn limits_now(&self) -> Vec<String> {
        let metadata = self.client.metadata().await.expect("it answers");
        let topics = metadata
            .topics
            .iter()
            .map(|t| Resource::Topic(t.name.clone()));
        let brokers = metadata.brokers.iter().map(|b| Resource::Broker(b.id));
        let of: Vec<Resource> = topics.chain(brokers).collect();
        let found = self
            .client
            .describe_configs(&of, &[])
            .await
            .expect("it answers");
        let mut limits = Vec::new();
        for (resource, entries) in found {
            let ours = entries
                .into_iter()
                .filter(|e| e.name.contains("throttled") && e.source.is_dynamic());
            limits.extend(ours.map(|e| format!("{resource}: {}={:?}", e.name, e.value)));
        }
        limits
    }
}

/// All but these topics keep what they have.
fn wanted(view: &View, leaving: &[usize], replication: &[(&str, u16)], internal: u16) -> Spread {
    let copies = replication
        .iter()
        .map(|(topic, n)| ((*topic).to_owned(), *n));
    Spread {
        leaving: leaving
            .iter()
            .map(|n| view.members[*n].id.clone())
            .collect(),
        replication: copies.collect(),
        internal: Some(internal),
        even: true,
        ..Spread::default()
    }
}

#[test]
fn replicas_move_between_brokers() {
    if is_chosen("spread") {
        moved(&CURRENT);
    }
}

#[test]
fn replicas_move_between_brokers_of_other_lines() {
    if is_wanted() && crate::full() {
        OTHERS[..2].iter().for_each(moved);
    }
}

fn moved(line: &Line) {
    let laptop = Laptop::new();
    let path = inventory(&laptop, line, "");
    let cleared = Cleared(&laptop, path.clone());
    laptop.run(&["deploy", text(&path), "--yes"]).expect(0);
    let first = first_address(&path);
    let server = format!("--bootstrap-server {first}:9092");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let brokers = runtime.block_on(Brokers::new(&first));
    let topic = NewTopic {
        name: "single".to_owned(),
        assignment: (0..6).map(|n| vec![n % 3 + 1]).collect(),
        config: BTreeMap::from([("min.insync.replicas".to_owned(), "1".to_owned())]),
        ..NewTopic::default()
    };
    let topics = [topic];
    let made = brokers.client.create_topics(&topics, false);
    runtime.block_on(made).expect("made");
    tool(
        &laptop,
        &format!("seq 1 {MESSAGES} | kafka-console-producer.sh {server} --topic single >/dev/null"),
    );
    runtime.block_on(drained_and_back(&brokers));
    runtime.block_on(cut_off(&brokers));
    let read = format!(
        "kafka-console-consumer.sh {server} --topic single --from-beginning --max-messages {MESSAGES} | sort -n | uniq | wc -l"
    );
    assert_eq!(tool(&laptop, &read).trim(), MESSAGES.to_string());
    let forget = runtime.block_on(brokers.with("spread", None, async |call| {
        KafkaDriver.forget(call, &brokers.view.members[2])
    }));
    let forget = forget.expect("a change");
    laptop.run(&["stop", "--only", "n3", "--yes"]).expect(0);
    runtime.block_on(brokers.make(&[forget.clone(), forget]));
    laptop.run(&["destroy", "--yes"]).expect(0);
    drop(cleared);
}

/// Broker 3 is emptied, which needs fewer copies; then all is evened out again with three copies of everything.
async fn drained_and_back(brokers: &Brokers) {
    let view = &brokers.view;
    let refused = brokers
        .spread(&wanted(view, &[2], &[], 3))
        .await
        .expect_err("too few brokers");
    assert!(
        refused.contains("2 brokers remain") && refused.contains("kept (3)"),
        "{refused}"
    );
    assert!(!brokers.empty(2).await.is_yes());
    let mut drain = wanted(view, &[2], &[("kept", 2)], 2);
    drain.throttle = Some(50 << 20);
    let changes = brokers.spread(&drain).await.expect("planned");
    brokers.make(&changes).await;
    for topic in ["single", "kept"] {
        let replicas = brokers.replicas(topic).await;
        assert!(
            replicas.iter().flatten().all(|id| *id != 3),
            "{topic}: {replicas:?}"
        );
    }
    // Folders of replicas that are gone are removed a moment later.
    let mut answer = brokers.empty(2).await;
    for _ in 0..60 {
        if answer.is_yes() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        answer = brokers.empty(2).await;
    }
    assert!(answer.is_yes(), "{answer:?}");
    assert_eq!(brokers.limits().await, Vec::<String>::new());
    assert_eq!(brokers.spread(&drain).await, Ok(Vec::new()));
    // Made again they find nothing to do.
    brokers.make(&changes).await;

    let back = wanted(view, &[], &[("kept", 3), ("single", 3)], 3);
    let changes = brokers.spread(&back).await.expect("planned");
    brokers.make(&changes).await;
    for topic in ["single", "kept", "__consumer_offsets"] {
        let metadata = brokers.client.metadata().await.expect("it answers");
        if metadata.topic(topic).is_some() {
            let replicas = brokers.replicas(topic).await;
            assert!(
                replicas.iter().all(|ids| ids.len() == 3),
                "{topic}: {replicas:?}"
            );
        }
    }
    assert_eq!(brokers.spread(&back).await, Ok(Vec::new()));
}

/// Runs that end in the middle: the next one goes on, or sweeps, or calls off.
async fn cut_off(brokers: &Brokers) {
    let fewer = brokers
        .spread(&wanted(&brokers.view, &[], &[("single", 1)], 3))
        .await;
    brokers.make(&fewer.expect("planned")).await;
    let too_few = brokers
        .spread(&wanted(&brokers.view, &[], &[("kept", 1)], 3))
        .await;
    let refused = too_few.expect_err("its min ISR is 2");
    assert!(
        refused.contains("its min.insync.replicas is 2"),
        "{refused}"
    );
    let before = brokers.replicas("single").await;
    let mut slow = wanted(&brokers.view, &[], &[("single", 3)], 3);
    slow.throttle = Some(CRAWL);
    let changes = brokers.spread(&slow).await.expect("planned");
    cut(brokers, &changes[0]).await;
    assert!(!brokers.limits().await.is_empty());
    let again = brokers.spread(&slow).await.expect("planned");
    assert!(!again.is_empty(), "what is under way is waited for");
    let undo = brokers
        .with("spread", None, async |call| {
            KafkaDriver.call_off(call, &changes)
        })
        .await;
    let undo = undo.expect("a change");
    brokers.make(&[undo.clone(), undo]).await;
    // On a slow machine one may have been done before it was called off.
    let after = brokers.replicas("single").await;
    let done = |(was, is): &(&Vec<i32>, &Vec<i32>)| was != is && is.len() == 3;
    let done = before.iter().zip(&after).filter(done).count();
    let back = before.iter().zip(&after).filter(|(was, is)| was == is);
    assert_eq!(done + back.count(), before.len(), "{after:?}");
    assert!(done < before.len(), "nothing was under way: {after:?}");
    assert_eq!(brokers.limits().await, Vec::<String>::new());

    cut(brokers, &changes[0]).await;
    let sweep = brokers
        .with("spread", None, async |call| {
            KafkaDriver.sweep(call, &changes)
        })
        .await;
    let sweep = sweep.expect("a change");
    brokers.make(&[sweep.clone(), sweep]).await;
    assert_eq!(brokers.limits().await, Vec::<String>::new());
    // Now it goes on at full speed; the slow change only waits for it.
    for _ in 0..120 {
        if brokers
            .client
            .list_reassignments()
            .await
            .expect("it answers")
            .is_empty()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    brokers.make(&changes).await;
    assert_eq!(brokers.limits().await, Vec::<String>::new());
    assert!(
        brokers
            .replicas("single")
            .await
            .iter()
            .all(|ids| ids.len() == 3)
    );
}

/// A run that ends while a change is being made.
async fn cut(brokers: &Brokers, change: &ResourceChange) {
    eprintln!("cut off: {}", change.text);
    let work = brokers.with("spread", None, async |call| {
        KafkaDriver.change(call, change).await
    });
    let over = tokio::time::timeout(Duration::from_secs(6), work).await;
    assert!(over.is_err(), "it ended: {over:?}");
    let how = brokers.with("spread", None, async |call| {
        KafkaDriver.progress(call, change).await
    });
    let how = how.await.expect("it is known");
    eprintln!("{}, {:?} bytes left", how.text, how.left);
    assert!(how.left.is_some_and(|left| left > 0), "{how:?}");
    assert!(
        !brokers
            .client
            .list_reassignments()
            .await
            .expect("it answers")
            .is_empty()
    );
}
