//! A board dies and another one takes its place, while clients write and read.

use super::Done;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, text};
use crate::lab::load::Load;
use crate::lab::say;

/// The host whose board dies: a ZooKeeper server and a broker are there.
const DEAD: &str = "pi2";
/// Everything that sdtd and the services have on a host.
const ALL: &str = "/opt/sdtd /opt/kafka /opt/zookeeper /opt/java /var/lib/sdtd /var/lib/kafka /var/lib/zookeeper \
    /var/log/kafka /var/log/zookeeper /etc/kafka /etc/zookeeper /etc/systemd/system/kafka-broker.service \
    /etc/systemd/system/zookeeper-server.service";

/// Power off, and on again with a new card; the run that brings it back is killed once, and run again.
pub fn replace(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    let mut load = Load::start(&laptop, &inventory, "board");
    load.mark_begin();
    lab.run(&["kill", DEAD]);
    let off = laptop.run(&["replace", DEAD, path, "--yes"]).expect(3);
    off.says(&["pi2 is out of reach", "set it up anew"]);
    new_card(lab, DEAD);
    laptop.run(&["deploy", path, "--yes"]).expect(6);

    let words = ["replace", DEAD, path, "--yes", "--throttle", "4M"];
    let mut first = Running::start(&mut laptop.sdtd(&words));
    first.until("its broker runs", || {
        lab.try_on(DEAD, "systemctl is-active kafka-broker").code == Some(0)
    });
    first.kill();
    let ran = laptop.run(&words).expect(0);
    load.mark_end();
    let verdict = load.done();
    say(&format!(
        "replace: {:.1} s, {verdict:?}",
        ran.took.as_secs_f64()
    ));
    lab.on(DEAD, "grep -qx broker.id=2 /var/lib/kafka/broker/meta.properties && grep -qx 2 /var/lib/zookeeper/server/myid");
    lab.on(DEAD, "! test -e /var/lib/zookeeper/server/initialize");
    laptop.run(&words).expect(0).says(&["no change"]);
    laptop.expect_settled(&inventory);
    only_copy(lab, &laptop, path);
    lab.is_deployed();
    Done::Passed
}

/// A host that is off comes back with nothing of ours on it.
pub fn new_card(lab: &mut Lab, host: &str) {
    lab.run(&["boot", host]);
    lab.on(
        host,
        &format!(
            "systemctl disable -q --now kafka-broker zookeeper-server; rm -rf {ALL}; systemctl daemon-reload"
        ),
    );
}

/// A broker that alone held something is not started empty: what would be lost is named, and nothing changes.
fn only_copy(lab: &mut Lab, laptop: &Laptop, path: &str) {
    let topic = ["topics", "create", "single", path, "--yes"];
    let one = ["--partitions", "10", "--replication", "1"];
    laptop.run(&[&topic[..], &one].concat()).expect(0);
    let folder = "/var/lib/kafka/broker";
    lab.on(DEAD, &format!(
        "systemctl stop kafka-broker && mv {folder} {folder}.away && install -d -o kafka -g kafka -m 750 {folder}"
    ));
    let refused = laptop.run(&["replace", DEAD, path, "--yes"]).expect(6);
    refused.says(&[
        "kafka.broker@pi2",
        "single-",
        "may have had the only whole copy",
    ]);
    lab.on(DEAD, &format!("! test -e {folder}/meta.properties"));
    lab.on(
        DEAD,
        &format!("rmdir {folder} && mv {folder}.away {folder}"),
    );
    laptop.run(&["deploy", path, "--yes"]).expect(0);
    laptop
        .run(&["topics", "delete", "single", "-i", path, "--yes"])
        .expect(0);
}
