//! Rolls of real brokers: one that serves nobody is mended first, what has one copy only needs a word, and moves
//! of somebody else are in the way.

use std::time::Duration;

use super::{CURRENT, Cleared, first_address, inventory, is_chosen, processes, tool};
use crate::lab::laptop::{Laptop, run_for, text};

/// Its requests are larger than that: whoever asks it is turned away.
const MUTE: &str = "socket.request.max.bytes=10";

#[test]
fn a_roll_of_brokers_that_are_not_as_they_should() {
    if !is_chosen("roll") {
        return;
    }
    let laptop = Laptop::new();
    let path = inventory(&laptop, &CURRENT, "");
    let cleared = Cleared(&laptop, path.clone());
    laptop.run(&["deploy", text(&path), "--yes"]).expect(0);
    mended_first(&laptop);
    single_copies(&laptop, &first_address(&path));
    laptop.run(&["destroy", "--yes"]).expect(0);
    drop(cleared);
}

/// A broker has a file by which it runs and serves nobody; the next change goes through by itself.
fn mended_first(laptop: &Laptop) {
    let root = laptop.path("local/tried/n2");
    let file = root.join("etc/kafka/server.properties");
    let good = std::fs::read_to_string(&file).expect("a file");
    let bad: String = good
        .lines()
        .map(|line| match line.starts_with("socket.request.max.bytes=") {
            true => format!("{MUTE}\n"),
            false => format!("{line}\n"),
        })
        .collect();
    assert!(bad.contains(MUTE));
    std::fs::write(&file, bad).expect("written");
    let ctl = root.join("var/lib/sdtd/tried/units/kafka-broker/ctl");
    for word in ["stop", "start"] {
        let mut command = std::process::Command::new("sh");
        run_for(command.arg(&ctl).arg(word), 120).expect(0);
    }
    // It is left alone while it may still be starting.
    std::thread::sleep(Duration::from_secs(20));
    laptop.run(&["status"]).expect(4);
    let before = processes(laptop);
    inventory(laptop, &CURRENT, "queued.max.requests: 401");
    let ran = laptop.run(&["deploy", "--yes", "--json"]).expect(0);
    let order = ran.events().order("restart kafka.broker");
    assert_eq!(order.len(), 3, "{order:?}");
    assert_eq!(order[0], "n2", "{order:?}");
    let after = processes(laptop);
    assert!(
        before
            .iter()
            .filter(|(unit, _)| unit.starts_with("kafka"))
            .all(|(unit, process)| after[unit] != *process)
    );
    laptop.run(&["verify"]).expect(0);
}

/// Topics with one copy on several brokers.
fn single_copies(laptop: &Laptop, address: &str) {
    let server = format!("--bootstrap-server {address}:9092");
    let create = "--create --topic alone --partitions 3 --replication-factor 1";
    tool(laptop, &format!("kafka-topics.sh {server} {create}"));
    let before = processes(laptop);
    laptop
        .run(&["restart", "--yes", "--only", "kafka"])
        .expect(6)
        .says(&[
            "topic alone, partition ",
            "only on broker 1",
            "--accept-unavailable",
        ]);
    laptop
        .run(&[
            "restart",
            "--yes",
            "--only",
            "kafka",
            "--max-unavailable",
            "0",
        ])
        .expect(2);
    assert_eq!(processes(laptop), before, "nothing was touched");
    somebody_moves(laptop, &server);
    laptop
        .run(&[
            "restart",
            "--yes",
            "--only",
            "kafka",
            "--accept-unavailable",
            "--min-isr-only",
        ])
        .expect(0);
    laptop.run(&["verify"]).expect(0);
}

/// Nothing is stopped while somebody else moves replicas.
fn somebody_moves(laptop: &Laptop, server: &str) {
    let before = processes(laptop);
    // Somebody else moves it, slowly enough to be seen: more than one fetch has to bring, which no limit holds up.
    tool(
        laptop,
        &format!(
            "yes $(printf %0200d 0) | head -60000 | kafka-console-producer.sh {server} --topic alone >/dev/null"
        ),
    );
    let described = tool(
        laptop,
        &format!("kafka-topics.sh {server} --describe --topic alone"),
    );
    let on = |n: u32| {
        described
            .lines()
            .find(|l| l.contains(&format!("Leader: {n}")))
            .expect("one each")
            .to_owned()
    };
    let index = on(1)
        .split("Partition: ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next().map(str::to_owned))
        .expect("a number");
    let plan = format!(
        r#"{{"version":1,"partitions":[{{"topic":"alone","partition":{index},"replicas":[2]}}]}}"#
    );
    let file = laptop.path("moves.json");
    std::fs::write(&file, plan).expect("written");
    let reassign = format!(
        "kafka-reassign-partitions.sh {server} --reassignment-json-file {}",
        file.display()
    );
    tool(laptop, &format!("{reassign} --execute --throttle 1000"));
    laptop
        .run(&[
            "restart",
            "--yes",
            "--only",
            "kafka",
            "--accept-unavailable",
        ])
        .expect(6)
        .says(&[
            "somebody else moves replicas now",
            &format!("alone-{index} (to broker 2)"),
        ]);
    assert_eq!(processes(laptop), before, "nothing was touched");
    tool(laptop, &format!("{reassign} --cancel"));
}
