//! A client that is not ours, from outside the hosts.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use super::Done;
use crate::lab::hosts::{HOSTS, Lab, address};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, run_for, text};

const TOPIC: &str = "kcat-probe";

/// Through each broker alone as bootstrap: a message to a partition led by every broker, and back.
pub fn kcat(lab: &mut Lab) -> Done {
    if Command::new("kcat").arg("-V").output().is_err() {
        return Done::Skipped("kcat is not installed: `apt-get install kcat`".to_owned());
    }
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    let make = [
        "topics",
        "create",
        TOPIC,
        path,
        "--partitions",
        "10",
        "--yes",
    ];
    laptop.run(&make).expect(0);
    let described = laptop
        .run(&["topics", "describe", TOPIC, path, "--json"])
        .expect(0);
    let topic: serde_json::Value = serde_json::from_str(&described.stdout).expect("a document");
    let partitions = topic["partitions"].as_array().expect("partitions");
    let led: Vec<(i64, i64)> = partitions
        .iter()
        .map(|p| {
            (
                p["leader"].as_i64().expect("a leader"),
                p["index"].as_i64().expect("an index"),
            )
        })
        .collect();
    let leaders: BTreeSet<i64> = led.iter().map(|(leader, _)| *leader).collect();
    assert_eq!(
        leaders.len(),
        HOSTS.len(),
        "each broker leads something: {led:?}"
    );

    for host in HOSTS {
        for leader in &leaders {
            let (_, partition) = led.iter().find(|(l, _)| l == leader).expect("led by it");
            let message = format!("by {host} to leader {leader}");
            produce(host, *partition, &message);
            let read = consume(host, *partition);
            assert!(read.contains(&message), "{message} is not among {read:?}");
        }
    }
    laptop
        .run(&["topics", "delete", TOPIC, "--inventory", path, "--yes"])
        .expect(0);
    laptop.expect_settled(&inventory);
    Done::Passed
}

/// Writes one message by one broker as bootstrap; acknowledged by all replicas.
pub fn produce(host: &str, partition: i64, message: &str) {
    produce_to(TOPIC, host, partition, message);
}

/// Writes one message to a topic.
pub fn produce_to(topic: &str, host: &str, partition: i64, message: &str) {
    let ended = offer(topic, host, partition, message);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "kcat by {host}: {said}");
}

/// The same, whether it is taken or not.
pub fn offer(topic: &str, host: &str, partition: i64, message: &str) -> Output {
    let mut child = Command::new("kcat")
        .args(["-P", "-b", &format!("{}:9092", address(host)), "-t", topic])
        .args([
            "-p",
            &partition.to_string(),
            "-X",
            "acks=all",
            "-X",
            "message.timeout.ms=15000",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kcat");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(message.as_bytes()).expect("a message");
    drop(stdin);
    child.wait_with_output().expect("its end")
}

fn consume(host: &str, partition: i64) -> Vec<String> {
    consume_from(TOPIC, host, partition)
}

/// All messages of a partition, in their order.
pub fn consume_from(topic: &str, host: &str, partition: i64) -> Vec<String> {
    let mut command = Command::new("kcat");
    command
        .args([
            "-C",
            "-q",
            "-e",
            "-b",
            &format!("{}:9092", address(host)),
            "-t",
            topic,
        ])
        .args(["-p", &partition.to_string(), "-o", "beginning"])
        .stdin(Stdio::null());
    let ran = run_for(&mut command, 30).expect(0);
    ran.stdout.lines().map(str::to_owned).collect()
}
