//! Changes of where replicas are, made on a cluster that is hand-made as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::fake::Fake;
use super::moving::{Sim, behaviour};
use crate::driver::{Answer, Call, Driver, Spread};
use crate::kafka::config::MIN_ISR;
use crate::kafka::driver::KafkaDriver;
use crate::kafka::moves::{Change, Throttle};
use crate::plan::{Member, ResourceChange, View};
use crate::transport::Dial;

pub(super) const SENDING: &str = "leader.replication.throttled.replicas";
pub(super) const FETCHING: &str = "follower.replication.throttled.replicas";
pub(super) const SENDING_RATE: &str = "leader.replication.throttled.rate";

/// Three brokers of the driver's own cluster, on the ports of their numbers.
pub(super) struct Bench {
    pub(super) view: View,
    dial: Arc<dyn Dial>,
    pub(super) sim: Arc<Mutex<Sim>>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::without(&[])
    }

    /// These ports take no connection.
    pub(super) fn without(down: &[u16]) -> Self {
        let member = |n: i32| {
            let member = serde_json::json!({
                "id": format!("log.broker@pi{n}"), "number": n, "address": "b", "local_address": "b",
                "ports": {"client": n}, "version": "3.9.1", "unit": "log-broker", "user": null,
                "log": "/l", "hooks": "/h", "env": {},
            });
            serde_json::from_value::<Member>(member).unwrap()
        };
        let view = View {
            cluster: "c".parse().unwrap(),
            members: (1..=3).map(member).collect(),
            leaving: Vec::new(),
            roles: Vec::new(),
            absent: BTreeSet::new(),
            roots: BTreeMap::new(),
            verify: Vec::new(),
        };
        let sim = Arc::new(Mutex::new(Sim::new()));
        let mut fake = Fake::new(behaviour(Arc::clone(&sim)));
        fake.down = down.to_vec();
        let dial = Arc::new(fake);
        Self { view, dial, sim }
    }

    pub(super) async fn with<T>(&self, action: &str, f: impl AsyncFnOnce(Call<'_>) -> T) -> T {
        let service = "log".parse().unwrap();
        f(Call {
            action,
            view: &self.view,
            service: &service,
            member: Some(&self.view.members[2]),
            dial: &self.dial,
            shared: None,
            beside: &[],
        })
        .await
    }

    /// Broker 3 leaves, at so many bytes a second.
    pub(super) async fn planned(&self, throttle: Option<u64>) -> Vec<ResourceChange> {
        let wanted = Spread {
            throttle,
            ..self.leaves()
        };
        self.spread(&wanted).await.unwrap()
    }

    pub(super) fn leaves(&self) -> Spread {
        Spread {
            leaving: BTreeSet::from([self.view.members[2].id.clone()]),
            ..Spread::default()
        }
    }

    pub(super) async fn spread(&self, wanted: &Spread) -> Result<Vec<ResourceChange>, String> {
        let asked = self.with("spread", async |call| {
            KafkaDriver.spread(call, wanted).await
        });
        asked.await.map_err(|problem| problem.cause)
    }

    pub(super) async fn make(&self, change: &ResourceChange) -> Result<(), String> {
        let made = self.with("spread", async |call| {
            KafkaDriver.change(call, change).await
        });
        made.await.map_err(|problem| problem.cause)
    }

    pub(super) async fn empty(&self) -> Answer {
        self.with("empty", async |call| KafkaDriver.ask(call).await)
            .await
    }

    pub(super) fn did(&self) -> Vec<String> {
        std::mem::take(&mut self.sim.lock().unwrap().did)
    }

    pub(super) fn limits(&self) -> BTreeMap<String, String> {
        self.sim.lock().unwrap().limits()
    }

    /// A move that was begun by somebody and never ends.
    pub(super) fn stuck(&self, place: (String, i32), to: Vec<i32>) {
        let mut sim = self.sim.lock().unwrap();
        sim.stuck = true;
        sim.start(place, to);
    }

    pub(super) fn set(&self, resource: &str, key: &str, value: &str) {
        let mut sim = self.sim.lock().unwrap();
        let of = sim.configs.entry(resource.to_owned()).or_default();
        of.insert(key.to_owned(), value.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn a_leaving_broker_is_emptied() {
    let bench = Bench::new();
    let changes = bench.planned(None).await;
    let told: Vec<&str> = changes.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "move 2 partitions, 1500 B: velib-2 [3] -> [1], velib-1 [2,3] -> [2,1]",
            "put the leaders of 2 partitions back",
        ]
    );
    assert_eq!(
        bench.empty().await,
        Answer::NotYet("broker 3 holds velib-1 and 1 more partitions".to_owned())
    );
    for change in &changes {
        bench.make(change).await.unwrap();
    }
    assert_eq!(
        bench.did(),
        ["move velib-2 [1]", "move velib-1 [2, 1]", "elect"]
    );
    assert!(bench.empty().await.is_yes());
    assert!(bench.planned(None).await.is_empty());
    // Made again: there is nothing to do but the election, which changes nothing.
    for change in &changes {
        bench.make(change).await.unwrap();
    }
    assert_eq!(bench.did(), ["elect"]);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_does_not_answer_in_time_is_asked_only_for_what_has_not_begun() {
    let bench = Bench::new();
    let changes = bench.planned(None).await;
    bench.sim.lock().unwrap().silent = 1;
    for change in &changes {
        bench.make(change).await.unwrap();
    }
    assert_eq!(
        bench.did(),
        ["move velib-2 [1]", "move velib-1 [2, 1]", "elect"]
    );
    assert!(bench.empty().await.is_yes());
}

#[tokio::test(start_paused = true)]
async fn what_is_half_done_goes_on() {
    let bench = Bench::new();
    let changes = bench.planned(Some(1 << 20)).await;
    {
        let mut sim = bench.sim.lock().unwrap();
        sim.replicas.insert(("velib".to_owned(), 1), vec![2, 1]);
        sim.start(("velib".to_owned(), 2), vec![1]);
    }
    // Limits of the run that was cut off.
    bench.set("topic velib", SENDING, "1:2,1:3,2:3");
    bench.set("broker 2", SENDING_RATE, "1048576");
    // What is under way counts as decided, and is waited for.
    let begun = Spread {
        begun: changes.clone(),
        ..bench.leaves()
    };
    let again = bench.spread(&begun).await.unwrap();
    assert!(
        again[0].text.contains("velib-2 [3] -> [1]"),
        "{}",
        again[0].text
    );
    bench.make(&changes[0]).await.unwrap();
    assert!(!bench.did().iter().any(|line| line.starts_with("move")));
    assert_eq!(bench.limits(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_moves_is_not_taken_for_ours() {
    let bench = Bench::new();
    bench.stuck(("velib".to_owned(), 2), vec![1]);
    let refused = bench.spread(&bench.leaves()).await.unwrap_err();
    assert!(
        refused.starts_with("somebody else moves replicas now") && refused.contains("velib-2"),
        "{refused}"
    );
    let evened = Spread {
        even: true,
        ..Spread::default()
    };
    assert!(bench.spread(&evened).await.is_err());
    // Another number of copies of one topic neither waits for it nor limits it.
    let kept = Spread {
        replication: [("other".to_owned(), 2)].into(),
        ..Spread::default()
    };
    assert_eq!(bench.spread(&kept).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_no_longer_true_takes_no_copies_away() {
    let bench = Bench::new();
    let changes = bench.planned(None).await;
    let place = ("velib".to_owned(), 2);
    let mut sim = Sim::new();
    sim.replicas.insert(place.clone(), vec![3, 1, 2]);
    *bench.sim.lock().unwrap() = sim;
    let refused = bench.make(&changes[0]).await.unwrap_err();
    assert!(
        refused.contains("somebody else changed what was to be moved: velib-2"),
        "{refused}"
    );
    assert_eq!(bench.sim.lock().unwrap().replicas[&place], [3, 1, 2]);
    assert!(!bench.did().iter().any(|line| line.starts_with("move")));
}

#[tokio::test(start_paused = true)]
async fn topics_that_nobody_names_get_as_many_copies_as_all_have_at_least() {
    let bench = Bench::new();
    bench.set("topic velib", MIN_ISR, "1");
    let more = Spread {
        at_least: Some(3),
        ..Spread::default()
    };
    for change in bench.spread(&more).await.unwrap() {
        bench.make(&change).await.unwrap();
    }
    let copies = |n: i32| {
        let sim = bench.sim.lock().unwrap();
        sim.replicas[&("velib".to_owned(), n)].len()
    };
    assert_eq!((copies(1), copies(2)), (3, 3));
    let min_isr = format!("topic velib: {MIN_ISR}=2");
    assert!(bench.did().contains(&min_isr));
    // What the inventory names has what it says there.
    let named = Spread {
        replication: [("velib".to_owned(), 2)].into(),
        ..more
    };
    for change in bench.spread(&named).await.unwrap() {
        bench.make(&change).await.unwrap();
    }
    assert_eq!((copies(1), copies(2)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn replicas_of_a_move_that_has_just_ended_are_no_copies_wanted() {
    // The controller says that all is over; brokers still name the replicas that have just been dropped.
    let bench = Bench::new();
    let told = |n: i32, all: &[i32]| (("velib".to_owned(), n), (all.to_vec(), 2));
    let plain = bench.planned(None).await;
    bench.sim.lock().unwrap().late = BTreeMap::from([told(1, &[2, 3, 1]), told(2, &[3, 1, 2])]);
    assert_eq!(bench.planned(None).await, plain);
    // A move that ends between two looks, and is known to brokers later still.
    let mut sim = Sim::new();
    sim.start(("velib".to_owned(), 2), vec![1]);
    sim.ends_soon(&("velib".to_owned(), 2));
    sim.late = BTreeMap::from([told(2, &[1, 3])]);
    *bench.sim.lock().unwrap() = sim;
    let after = bench.planned(None).await;
    let told: Vec<&str> = after.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "move 1 partition, 500 B: velib-1 [2,3] -> [2,1]",
            "put the leaders of 1 partition back"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn where_nothing_goes_on_partitions_are_named() {
    let bench = Bench::new();
    bench.sim.lock().unwrap().stuck = true;
    let changes = bench.planned(None).await;
    let error = bench.make(&changes[0]).await.unwrap_err();
    assert!(
        error.contains("nothing goes on any more: velib-2"),
        "{error}"
    );
    assert!(error.contains("still copied to broker 1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_called_off_and_swept() {
    let bench = Bench::new();
    let changes = bench.planned(Some(1 << 20)).await;
    bench.set("topic velib", SENDING, "0:1,1:2,1:3,2:3");
    bench.set("broker 2", SENDING_RATE, "1048576");
    bench.set("broker 1", SENDING_RATE, "77");
    let mut left = bench.limits();
    left.insert(format!("topic velib {SENDING}"), "0:1".to_owned());
    left.remove(&format!("broker 2 {SENDING_RATE}"));
    bench
        .sim
        .lock()
        .unwrap()
        .start(("velib".to_owned(), 2), vec![1]);
    let off = bench
        .with("spread", async |call| KafkaDriver.call_off(call, &changes))
        .await;
    // One that was cut off itself is called off again.
    let off = [off.unwrap()];
    let off = bench
        .with("spread", async |call| KafkaDriver.call_off(call, &off))
        .await;
    bench.make(&off.unwrap()).await.unwrap();
    assert_eq!(bench.limits(), left);
    assert!(bench.did().contains(&"call off velib-2".to_owned()));
    let sim = bench.sim.lock().unwrap();
    assert!(sim.moving.is_empty());
    assert_eq!(sim.replicas[&("velib".to_owned(), 2)], [3]);
}

#[tokio::test(start_paused = true)]
async fn what_two_runs_were_to_move_is_called_off_together() {
    let bench = Bench::new();
    let mut changes = bench.planned(None).await;
    let earlier = Change::CallOff {
        partitions: BTreeMap::from([("velib".to_owned(), vec![0, 1])]),
        throttle: Throttle::default(),
    };
    let off = bench.with("spread", async |call| {
        changes.insert(0, earlier.resource(call));
        KafkaDriver.call_off(call, &changes)
    });
    let off = Change::of(&off.await.unwrap());
    let Some(Change::CallOff { partitions, .. }) = off else {
        panic!("{off:?}");
    };
    assert_eq!(partitions["velib"], [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_keeps_no_list_of_brokers_forgets_one_without_a_word() {
    let bench = Bench::new();
    let forget = bench.with("spread", async |call| {
        KafkaDriver.forget(call, &bench.view.members[2])
    });
    let forget = forget.await.unwrap();
    assert_eq!(forget.text, "forget broker 3");
    bench.make(&forget).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_new_copies_lack_of_their_leaders_is_known() {
    let bench = Bench::new();
    let changes = bench.planned(Some(1000)).await;
    bench.stuck(("velib".to_owned(), 2), vec![1]);
    let how = bench.with("spread", async |call| {
        KafkaDriver.progress(call, &changes[0]).await
    });
    let how = how.await.expect("it is known");
    // velib-2 has 1000 bytes and velib-1 500, of which the new ones have nothing yet.
    assert_eq!(how.left, Some(1500));
    let slow = how.slow.expect("it is throttled");
    assert!(
        slow.cause.contains("the limit of 1000 B/s"),
        "{}",
        slow.cause
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_starts_empty_is_filled_again_at_a_limited_speed() {
    let bench = Bench::new();
    let refilled = async |throttle| {
        let members = [&bench.view.members[1]];
        let of = bench.with("spread", async |call| {
            KafkaDriver
                .refill(call, &members, &BTreeMap::new(), throttle)
                .await
        });
        of.await.unwrap()
    };
    assert_eq!(refilled(None).await.first, [], "nothing limits it");
    let refilling = refilled(Some(1000)).await;
    let all = [&refilling.first[..], &refilling.then[..]].concat();
    let told: Vec<&str> = all.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(
        told[0],
        "limit what is sent to brokers that start empty to 1000 B/s"
    );
    assert!(
        told[1].starts_with("wait for all copies of 1 partition to be back, "),
        "{told:?}"
    );
    assert_eq!(told[2], "put the leaders of 1 partition back");

    // Before it starts: whoever has a copy sends it slowly, and it fetches slowly.
    bench.make(&refilling.first[0]).await.unwrap();
    let limits = bench.limits();
    let of_topic = |key: &str| limits.get(&format!("topic velib {key}")).cloned();
    assert_eq!(of_topic(SENDING).as_deref(), Some("1:3"));
    assert_eq!(of_topic(FETCHING).as_deref(), Some("1:2"));
    assert_eq!(limits[&format!("broker 3 {SENDING_RATE}")], "1000");
    // Whoever finds only this takes it off.
    let sweep = bench.with("spread", async |call| {
        KafkaDriver.sweep(call, &refilling.first)
    });
    let sweep = sweep.await.expect("limits");
    bench.make(&sweep).await.unwrap();
    assert_eq!(bench.limits(), BTreeMap::new());
    // With it the wait ends, and no replica was told to go anywhere.
    bench.make(&refilling.first[0]).await.unwrap();
    bench.did();
    bench.make(&refilling.then[0]).await.unwrap();
    assert_eq!(bench.limits(), BTreeMap::new());
    assert!(
        !bench.did().iter().any(|did| did.contains("move")),
        "it stays where it is"
    );
}
