//! A cluster that keeps its metadata itself: formatted, rolled, a controller and a broker of one host lost.

use super::Done;
use super::clients::{consume_from, produce_to};
use crate::lab::hosts::Lab;
use crate::lab::inventory::{Inventory, TOPIC};
use crate::lab::laptop::{Laptop, text};

/// Three controllers beside five brokers.
fn inventory(laptop: &Laptop, requests: u32) -> std::path::PathBuf {
    laptop.inventory(&Inventory::new().with_services(&format!(
        "services:\n  kafka:\n    version: 4.1.1\n    controllers: 3\n    brokers: 5\n    \
         config: {{ queued.max.requests: {requests} }}\n\
         topics:\n  {TOPIC}: {{ partitions: 10, replication: 3 }}\n"
    )))
}

/// The host of the active controller, as `status` tells it.
fn active(laptop: &Laptop, path: &str) -> String {
    let status = laptop.run(&["status", path]).expect(0).stdout;
    let line = status.lines().find(|line| line.contains(" controller "));
    let line = line.unwrap_or_else(|| panic!("nobody leads:\n{status}"));
    let instance = line.split_whitespace().next().expect("a word");
    instance.trim_start_matches("kafka.controller@").to_owned()
}

pub fn kraft(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let path = inventory(&laptop, 400);
    let path = text(&path);
    let deploy = ["deploy", path, "--yes", "--json"];
    laptop.run(&deploy).expect(0);
    laptop.run(&["plan", "--check", path]).expect(0);
    let messages: Vec<String> = (0..10).map(|n| format!("kept {n}")).collect();
    for (n, message) in (0..).zip(&messages) {
        produce_to(TOPIC, "pi1", n, message);
    }

    // Each of the controllers, the active one last; then each of the brokers.
    let leader = active(&laptop, path);
    inventory(&laptop, 401);
    let ran = laptop.run(&deploy).expect(0).events();
    let order = ran.order("restart kafka.controller");
    assert_eq!((order.len(), order.last()), (3, Some(&leader)), "{order:?}");
    assert_eq!(ran.order("restart kafka.broker").len(), 5);

    // The active controller's board loses its data: its units refuse, and so does the plan.
    let leader = active(&laptop, path);
    for unit in ["kafka-broker", "kafka-controller"] {
        lab.on(&leader, &format!("systemctl stop {unit}"));
    }
    lab.on(
        &leader,
        "rm -rf /var/lib/kafka/broker /var/lib/kafka/controller",
    );
    lab.on(
        &leader,
        "install -d -o kafka -g kafka -m 750 /var/lib/kafka/broker /var/lib/kafka/controller",
    );
    lab.on(&leader, "! systemctl start kafka-controller");
    laptop.run(&deploy).expect(6);
    laptop.run(&["replace", &leader, path, "--yes"]).expect(0);
    laptop.run(&["plan", "--check", path]).expect(0);
    for (n, message) in (0..).zip(&messages) {
        let read = consume_from(TOPIC, &leader, n);
        assert!(read.contains(message), "{message} is not among {read:?}");
    }

    laptop.run(&["destroy", path, "--yes"]).expect(0);
    lab.is_bare();
    Done::Passed
}
