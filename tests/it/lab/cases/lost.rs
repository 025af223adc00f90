//! Data that are gone: nothing starts on the empty folder, unless that is said and the others have all of it.

use super::Done;
use super::clients::{consume_from, produce_to};
use crate::lab::hosts::Lab;
use crate::lab::inventory::{Inventory, TOPIC};
use crate::lab::laptop::{Laptop, text};

/// The folders of pi2, their owners and units.
const FOLDERS: [(&str, &str, &str); 2] = [
    ("kafka-broker", "kafka", "/var/lib/kafka/broker"),
    ("zookeeper-server", "zookeeper", "/var/lib/zookeeper/server"),
];

/// As if a disk had not been mounted at boot, then as if it were broken.
pub fn lost(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    let messages: Vec<String> = (0..10).map(|n| format!("kept {n}")).collect();
    for (n, message) in (0..).zip(&messages) {
        produce_to(TOPIC, "pi1", n, message);
    }
    for (unit, user, folder) in FOLDERS {
        lab.on("pi2", &format!(
            "systemctl stop {unit} && mv {folder} {folder}.away && install -d -o {user} -g {user} -m 750 {folder}"
        ));
    }
    for (unit, _, folder) in FOLDERS {
        lab.on("pi2", &format!("! systemctl start {unit}"));
        let said = lab.on(
            "pi2",
            &format!("journalctl -q -o cat -u {unit} | tail -n 20"),
        );
        let why = format!("{folder} held data and is empty now");
        assert!(said.contains(&why), "{said}");
    }
    let refused = laptop.run(&["deploy", path, "--yes"]).expect(6);
    refused.says(&["kafka.broker@pi2", "zookeeper.server@pi2", "--anew"]);
    for (_, _, folder) in FOLDERS {
        lab.on(
            "pi2",
            &format!("! test -e {folder}/version-2 && ! test -e {folder}/meta.properties"),
        );
    }

    let anew = [
        "--anew",
        "kafka.broker@pi2",
        "--anew",
        "zookeeper.server@pi2",
    ];
    let words = [&["deploy", path, "--yes"][..], &anew[..]].concat();
    laptop.run(&words).expect(0);
    laptop.expect_settled(&inventory);
    lab.on(
        "pi2",
        "grep -qx broker.id=2 /var/lib/kafka/broker/meta.properties",
    );
    for (n, message) in (0..).zip(&messages) {
        let read = consume_from(TOPIC, "pi2", n);
        assert!(read.contains(message), "{message} is not among {read:?}");
    }
    lab.is_deployed();
    Done::Passed
}
