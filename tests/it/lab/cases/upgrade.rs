//! A live cluster of older versions becomes one of newer ones while clients write and read: the servers, then the
//! brokers in two rolls, with a way back between them.

use std::path::Path;

use super::Done;
use crate::lab::hosts::{KEEPERS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};
use crate::lab::load::{Load, ROLL, expect_within};
use crate::lab::say;

const OLD: &str = "services:\n  zookeeper: { version: 3.6.2, servers: 3 }\n  \
                   kafka: { version: 2.7.0, brokers: [pi1, pi2, pi3] } # the old ones\n";

/// What the log of each broker last said behind some words: what really runs, whatever the files say.
fn last_said(lab: &Lab, words: &str) -> Vec<String> {
    let find = format!("grep -ho '{words}[0-9.]*' /var/log/kafka/kafka-broker.log* | tail -1");
    let said = |host: &&str| lab.on(host, &find).trim().replace(words, "");
    KEEPERS.iter().map(said).collect()
}

fn run(lab: &Lab, version: &str, protocol: &str) {
    let all = |word: &str| vec![word.to_owned(); 3];
    assert_eq!(last_said(lab, "Kafka version: "), all(version));
    let spoken = last_said(lab, "inter.broker.protocol.version = ");
    assert_eq!(spoken, all(protocol), "{version} speaks another protocol");
}

/// One step under a load; all that was acknowledged is there afterwards, and writes never stood still for long.
fn step(laptop: &Laptop, inventory: &Path, name: &str, words: &[&str]) {
    let mut load = Load::start(laptop, inventory, name);
    load.mark_begin();
    let all = [&["upgrade"], words, &[text(inventory), "--yes", "--json"]].concat();
    let ran = laptop.run(&all).expect(0);
    load.mark_end();
    let verdict = load.done();
    let during = verdict.phases.iter().find(|phase| phase.name == "during");
    let during = during.expect("what was during it");
    say(&format!(
        "upgrade {}: {:.1} s, {} acknowledged, {} not, writes paused {} ms at the most, reads {} ms",
        words.join(" "),
        ran.took.as_secs_f64(),
        verdict.acked,
        verdict.unsure.present + verdict.unsure.absent,
        during.producer_pause_ms,
        during.reader_pause_ms,
    ));
    expect_within(during.producer_pause_ms, ROLL);
    assert!(verdict.good, "{verdict:?}");
    laptop.expect_settled(inventory);
}

/// ZooKeeper 3.6.2 becomes 3.8.4, Kafka 2.7.0 becomes 3.9.1.
pub fn upgrade(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().with_services(OLD));
    let path = text(&inventory);
    laptop.deploy(&inventory).expect(0);
    run(lab, "2.7.0", "2.7");

    let refused = laptop.run(&["upgrade", "kafka", "4.1.1", path, "--yes"]);
    assert_eq!(refused.code, Some(6), "{}", refused.all());

    step(&laptop, &inventory, "servers", &["zookeeper", "3.8.4"]);
    let status = laptop.run(&["status", path]).expect(0);
    let servers = status
        .stdout
        .lines()
        .filter(|l| l.contains("zookeeper.server"));
    assert!(servers.clone().count() == 3 && servers.clone().all(|l| l.contains("3.8.4")));
    for host in KEEPERS {
        lab.on(host, "! test -e /etc/zookeeper/log4j.properties");
        lab.on(host, "test -s /var/log/zookeeper/zookeeper-server.log");
    }

    step(&laptop, &inventory, "binaries", &["kafka", "3.9.1"]);
    run(lab, "3.9.1", "2.7");
    let written = std::fs::read_to_string(&inventory).expect("the inventory");
    assert!(written.contains("version: 3.9.1, brokers: [pi1, pi2, pi3] } # the old ones"));
    laptop
        .run(&["status", path])
        .expect(0)
        .says(&["kafka 3.9.1 is not finalized", "stays at 2.7"]);

    if crate::full() {
        step(&laptop, &inventory, "back", &["kafka", "2.7.0"]);
        run(lab, "2.7.0", "2.7");
        step(&laptop, &inventory, "forth", &["kafka", "3.9.1"]);
        run(lab, "3.9.1", "2.7");
    }

    step(&laptop, &inventory, "protocol", &["kafka", "--finalize"]);
    run(lab, "3.9.1", "3.9");
    let back = laptop.run(&["upgrade", "kafka", "2.7.0", path, "--yes"]);
    assert_eq!(back.code, Some(6), "{}", back.all());
    laptop.run(&["rollback", path, "--yes"]).expect(6);
    laptop.expect_settled(&inventory);
    Done::Passed
}
