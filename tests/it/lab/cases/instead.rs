//! A board dies for good, and another host takes its place under the same numbers, while clients write and read.

use super::Done;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, text};
use crate::lab::load::Load;
use crate::lab::say;

/// The host whose board dies, and the one that takes its place.
const DEAD: &str = "pi2";
const NEW: &str = "pi5";
/// A ZooKeeper server and a broker are on the one that dies, none of either on the other.
const SERVICES: &str = "services:
  zookeeper: { servers: [pi1, pi2, pi3] }   # three
  kafka: { brokers: [pi1, pi2, pi3, pi4] }
";
/// Controllers of Kafka's own, with votes.
const VOTING: &str = "services:
  kafka: { version: 4.1.1, mode: kraft, controllers: [pi1, pi2, pi3], brokers: [pi1, pi2, pi3, pi4] }
";

/// With ZooKeeper.
pub fn instead(lab: &mut Lab) -> Done {
    takes_its_place(lab, SERVICES);
    lab.on(
        NEW,
        "grep -qx broker.id=2 /var/lib/kafka/broker/meta.properties && grep -qx 2 /var/lib/zookeeper/server/myid",
    );
    lab.on(NEW, "! test -e /var/lib/zookeeper/server/initialize");
    Done::Passed
}

/// With controllers that vote.
pub fn instead_voting(lab: &mut Lab) -> Done {
    takes_its_place(lab, VOTING);
    lab.on(
        NEW,
        "grep -qx node.id=2 /var/lib/kafka/broker/meta.properties",
    );
    Done::Passed
}

/// Power off for good; the run that puts the other in its place is killed once, and run again. Then the dead one
/// comes back after all, with what it had.
fn takes_its_place(lab: &mut Lab, services: &str) {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let before = Inventory::new().with_services(services);
    let inventory = laptop.inventory(&before);
    let path = text(&inventory);
    laptop.run(&["deploy", path, "--yes"]).expect(0);
    let mut load = Load::start(&laptop, &inventory, "instead");
    load.mark_begin();
    let words = [
        "replace",
        DEAD,
        "--with",
        NEW,
        path,
        "--yes",
        "--throttle",
        "8M",
    ];
    let alive = laptop.run(&words).expect(6);
    alive.says(&["pi2 is within reach and runs", "sdtd stop --only pi2"]);
    assert_eq!(std::fs::read_to_string(&inventory).expect("there"), before);
    lab.run(&["kill", DEAD]);
    let mut first = Running::start(&mut laptop.sdtd(&words));
    first.until("its broker runs", || {
        lab.try_on(NEW, "systemctl is-active kafka-broker").code == Some(0)
    });
    first.kill();
    let ran = laptop.run(&words).expect(0);
    load.mark_end();
    let verdict = load.done();
    say(&format!(
        "instead: {:.1} s, {verdict:?}",
        ran.took.as_secs_f64()
    ));
    let after = std::fs::read_to_string(&inventory).expect("an inventory");
    assert!(!after.contains(DEAD), "{after}");
    laptop.run(&words).expect(0).says(&["no change"]);
    laptop.run(&["deploy", path, "--yes"]).expect(0).says(&[
        "no change",
        "pi2, whose place pi5 has",
        "wipe its disk",
    ]);

    lab.run(&["boot", DEAD]);
    laptop.run(&["deploy", path, "--yes"]).expect(0);
    lab.on(
        DEAD,
        "! test -e /opt/sdtd && ! test -e /var/lib/kafka && ! test -e /var/lib/sdtd && ! pgrep java",
    );
    laptop.expect_settled(&inventory);
    laptop.run(&["verify", path]).expect(0);
}
