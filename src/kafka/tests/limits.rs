//! Limits of speed while replicas move: put on, taken off each replica in time, and those of others left alone.

use std::collections::BTreeMap;

use super::moves::{Bench, FETCHING, SENDING, SENDING_RATE};
use crate::driver::Driver;
use crate::kafka::driver::KafkaDriver;
use crate::plan::ResourceChange;

#[tokio::test(start_paused = true)]
async fn limits_are_put_on_before_and_taken_off_after() {
    let bench = Bench::new();
    let changes = bench.planned(Some(1 << 20)).await;
    assert!(
        changes[0].text.contains("at most 1024 KiB/s"),
        "{}",
        changes[0].text
    );
    bench.make(&changes[0]).await.unwrap();
    let did = bench.did();
    let at = |word: &str| did.iter().position(|line| line.contains(word)).unwrap();
    assert!(
        at("broker 1: leader.replication.throttled.rate=1048576") < at("move velib-1"),
        "{did:?}"
    );
    assert!(
        at(&format!("velib: {SENDING}=1:2,1:3,2:3")) < at("move velib-1"),
        "{did:?}"
    );
    assert!(
        at(&format!("velib: {FETCHING}=1:1,2:1")) < at("move velib-1"),
        "{did:?}"
    );
    assert!(
        at("move velib-1") < at(&format!("velib: no {SENDING}")),
        "{did:?}"
    );
    assert_eq!(bench.limits(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn what_has_caught_up_is_not_limited_while_others_are_copied() {
    let bench = Bench::new();
    bench.sim.lock().unwrap().hangs = Some(2);
    let changes = bench.planned(Some(1 << 20)).await;
    let error = bench.make(&changes[0]).await.unwrap_err();
    assert!(error.contains("velib-2"), "{error}");
    let did = bench.did();
    let set = did.iter().filter(|line| line.contains(FETCHING));
    let set: Vec<&str> = set.map(|line| line.rsplit('=').next().unwrap()).collect();
    // velib-1 has arrived, velib-2 never does. Once is enough.
    assert_eq!(set, ["1:1,2:1", "2:1"], "{did:?}");
}

#[tokio::test(start_paused = true)]
async fn limits_of_others_stay_and_are_obeyed() {
    let bench = Bench::new();
    bench.set("topic velib", SENDING, "0:1");
    bench.set("topic velib", FETCHING, "*");
    bench.set("broker 1", SENDING_RATE, "77");
    let before = bench.limits();
    let changes = bench.planned(Some(1 << 20)).await;
    bench.make(&changes[0]).await.unwrap();
    assert_eq!(bench.limits(), before);
    let did = bench.did();
    assert!(
        did.contains(&format!("topic velib: {SENDING}=0:1,1:2,1:3,2:3")),
        "{did:?}"
    );
    assert!(
        !did.iter().any(|line| line.starts_with("broker 1: leader")),
        "{did:?}"
    );
    assert!(!did.iter().any(|line| line.contains(FETCHING)), "{did:?}");
}

#[tokio::test(start_paused = true)]
async fn sweeping_takes_off_what_the_changes_name() {
    let bench = Bench::new();
    let without = bench.planned(None).await;
    let none = bench
        .with("spread", async |call| KafkaDriver.sweep(call, &without))
        .await;
    assert_eq!(none, None);
    let changes = bench.planned(Some(1 << 20)).await;
    let sweep = bench
        .with("spread", async |call| KafkaDriver.sweep(call, &changes))
        .await;
    bench.set("topic velib", FETCHING, "1:1,2:1");
    bench.set("broker 1", SENDING_RATE, "1048576");
    bench.make(&sweep.unwrap()).await.unwrap();
    assert_eq!(bench.limits(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn rates_of_all_runs_that_were_cut_off_are_swept() {
    let bench = Bench::new();
    let (first, second) = (
        bench.planned(Some(2000)).await,
        bench.planned(Some(8000)).await,
    );
    // The second was cut off before it could sweep what the first had left.
    let sweep = async |of: &[ResourceChange]| {
        let of = of.to_vec();
        let sweep = bench.with("spread", async |call| KafkaDriver.sweep(call, &of));
        sweep.await.expect("limits")
    };
    let left = [vec![sweep(&first).await], second].concat();
    bench.set("broker 1", SENDING_RATE, "2000");
    bench.set("broker 2", SENDING_RATE, "8000");
    bench.set("broker 3", SENDING_RATE, "77");
    bench.make(&sweep(&left).await).await.unwrap();
    let somebodys = BTreeMap::from([(format!("broker 3 {SENDING_RATE}"), "77".to_owned())]);
    assert_eq!(bench.limits(), somebodys);
}
