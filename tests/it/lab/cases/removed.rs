//! A host that the inventory no longer names, though instances live there.

use super::Done;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};
use crate::lab::load::Load;

/// The other hosts' records know of it. Out of reach, nothing is changed; else what lives there goes elsewhere under
/// load, and it is bare afterwards.
pub fn removed(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let before = lab.starts();
    let usual = Inventory::new().text();
    let inventory = laptop.inventory(&usual);
    let mut load = Load::start(&laptop, &inventory, "removed");
    // Three ZooKeeper servers as before, and there are hosts enough: nothing in the inventory is wrong.
    let lines = usual.lines().filter(|line| !line.starts_with("  pi3:"));
    let fewer: String = lines.map(|line| format!("{line}\n")).collect();
    laptop.inventory(&fewer.replace("brokers: 5", "brokers: 4"));
    let deploy = ["deploy", text(&inventory), "--yes"];

    lab.run(&["cut", "pi3"]);
    let stuck = laptop.run(&deploy).expect(6);
    stuck.says(&[
        "pi3",
        "zookeeper.server@pi3",
        "kafka.broker@pi3",
        "put it back",
    ]);
    lab.run(&["join", "pi3"]);
    assert_eq!(before, lab.starts(), "nothing was started again");

    load.mark_begin();
    laptop.run(&deploy).expect(0);
    load.mark_end();
    load.done();
    lab.on(
        "pi3",
        "! test -e /opt/sdtd && ! test -e /var/lib/kafka && ! test -e /var/lib/sdtd && ! pgrep java",
    );
    laptop.expect_settled(&inventory);
    Done::Passed
}
