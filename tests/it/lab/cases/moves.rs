//! Replicas that move: a run is asked to end meanwhile, what it began is called off or undone, topics get more copies.

use std::path::Path;

use serde_json::Value;

use super::Done;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Ran, Running, text};
use crate::lab::load::Load;

const SERVICES: &str = "services:\n  zookeeper: { servers: 1 }\n  kafka: { brokers: 3 }\n";
/// A topic of one copy that the inventory names for as long as it is made.
const TOPIC: &str = "topics: { orders: { partitions: 6, replication: 1, config: { retention.ms: -1, retention.bytes: -1 } } }\n";
/// So slowly that a run has to be ended: 60 MB take ten minutes and more.
const SLOW: [&str; 2] = ["--throttle", "30K"];
/// Seconds after its beginning when a run that was asked to end must have.
const ENDS: u64 = 180;

/// A topic gets more copies and that is called off; brokers come, and that is undone.
pub fn moves(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let plain = format!(
        "drills: allowed\n{}",
        Inventory::new().with_services(SERVICES)
    );
    let inventory = laptop.inventory(&format!("{plain}{TOPIC}"));
    laptop.deploy(&inventory).expect(0);
    let record = laptop.path("orders");
    let words = ["drill", "load", text(&inventory), "--record", text(&record)];
    let much = ["--topic", "orders", "--partitions", "6", "--rate", "100"];
    let bytes = ["--size", "100000", "--seconds", "6"];
    laptop.run(&[&words[..], &much, &bytes].concat()).expect(0);
    laptop.inventory(&plain);
    let load = Load::start(&laptop, &inventory, "moves");

    let told = ended(&laptop, &inventory, &["rebalance", "--copies", "3"]);
    told.says(&["is not waited for", "rebalance --cancel"]);
    run(&laptop, &inventory, &["rebalance", "--cancel"])
        .expect(0)
        .says(&["call off what is under way of 6 partitions"]);
    assert_eq!(copies(&laptop, &inventory), [1; 6]);
    run(&laptop, &inventory, &["rebalance"])
        .expect(0)
        .says(&["fewer than 3 copies: orders (1)", "`--copies 3`"]);
    run(
        &laptop,
        &inventory,
        &["rebalance", "--copies", "3", "--throttle", "none"],
    )
    .expect(0);
    assert_eq!(copies(&laptop, &inventory), [3; 6]);

    let told = ended(&laptop, &inventory, &["scale", "--brokers", "5"]);
    told.says(&["is not waited for"]);
    run(&laptop, &inventory, &["rebalance", "--cancel"])
        .expect(6)
        .says(&["`sdtd scale --brokers N` with the number as it was"]);
    run(&laptop, &inventory, &["scale", "--brokers", "3"]).expect(0);
    assert_eq!(copies(&laptop, &inventory), [3; 6]);
    laptop.expect_settled(&inventory);
    // No limit of speed is left, and nothing was lost.
    load.done();
    Done::Passed
}

fn run(laptop: &Laptop, inventory: &Path, words: &[&str]) -> Ran {
    laptop.run(&[words, &[text(inventory), "--yes"]].concat())
}

/// Begins what takes for ever, and asks it to end once replicas move.
fn ended(laptop: &Laptop, inventory: &Path, words: &[&str]) -> Ran {
    let words = [words, &SLOW, &[text(inventory), "--yes"]].concat();
    let before = copies(laptop, inventory);
    let mut running = Running::start(&mut laptop.sdtd(&words));
    running.until("replicas move", || copies(laptop, inventory) != before);
    running.interrupt();
    running.wait(ENDS).expect(130)
}

/// How many replicas each partition of the topic has; one that is being moved has its new ones too.
fn copies(laptop: &Laptop, inventory: &Path) -> Vec<usize> {
    let ran = laptop
        .run(&["topics", "list", text(inventory), "--json"])
        .expect(0);
    let topics: Value = serde_json::from_str(&ran.stdout).expect("topics");
    let topics = topics.as_array().expect("a list");
    let topic = topics
        .iter()
        .find(|t| t["name"] == "orders")
        .expect("orders");
    let partitions = topic["partitions"].as_array().expect("partitions");
    let count = |p: &Value| p["replicas"].as_array().map_or(0, Vec::len);
    partitions.iter().map(count).collect()
}
