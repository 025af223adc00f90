//! A host that the inventory no longer names, though instances live there.

use super::Done;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};

/// The other hosts' records know of it: what lives there is named, and nothing is changed.
pub fn removed(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    let before = lab.starts();
    let usual = Inventory::new().text();
    let without = |host: &str| {
        let named = format!("  {host}:");
        let lines = usual.lines().filter(|line| !line.starts_with(&named));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    // Three ZooKeeper servers as before, and there are hosts enough: nothing in the inventory is wrong.
    let fewer = without("pi3").replace("brokers: 5", "brokers: 4");
    let inventory = laptop.inventory(&fewer);
    for words in [&["plan"][..], &["deploy", "--yes"]] {
        let refused = laptop.run(&[words, &[text(&inventory)]].concat()).expect(6);
        refused.says(&[
            "pi3",
            "zookeeper.server@pi3",
            "kafka.broker@pi3",
            "put it back",
        ]);
    }
    assert_eq!(before, lab.starts(), "nothing was started again");
    laptop.expect_settled(&laptop.inventory(&usual));

    // The others' records say how it is reached: destroyed without it, it is cleaned too.
    lab.spoiled();
    laptop.inventory(&fewer);
    let words = ["destroy", text(&inventory), "--yes"];
    laptop
        .run(&words)
        .expect(0)
        .says(&["pi3", "it is cleaned too"]);
    for host in HOSTS {
        lab.on(
            host,
            "! test -e /opt/sdtd && ! test -e /var/lib/kafka && ! pgrep java",
        );
    }
    lab.is_bare();
    Done::Passed
}
