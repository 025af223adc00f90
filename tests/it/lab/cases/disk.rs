//! Disks without room.

use std::time::{Duration, Instant};

use super::Done;
use super::clients::{consume_from, offer};
use super::cuts::begin;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::{Inventory, TOPIC};
use crate::lab::laptop::{Laptop, Ran, text};

/// The host whose packages are on a small disk.
const SMALL: &str = "pi5";

/// A disk that is too small is named before anything changes. One that fills up later, while a package arrives
/// and then while it is unpacked, stops its own host alone; nothing half is left, and room is all that is needed.
pub fn full(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    lab.run(&["loop", SMALL, "/opt/sdtd", "100"]);
    for words in [&["check"][..], &["deploy", "--yes"]] {
        let ran = laptop.run(&[words, &[path]].concat()).expect(1);
        ran.says(&[
            "pi5: ",
            "MiB are free below /opt/sdtd",
            "make room: at least",
        ]);
    }
    for host in HOSTS {
        lab.on(host, "! test -e /opt/sdtd/store && ! test -e /var/lib/sdtd");
    }

    lab.run(&["loop", SMALL, "/opt/sdtd", "0"]);
    lab.run(&["loop", SMALL, "/opt/sdtd", "700"]);
    lab.run(&["limit", SMALL, "40"]);
    // Not enough for the package, then enough for it and not for what is in it.
    for (mib, cause) in [
        (30, ": what is sent can't be kept there: "),
        (90, " failed: "),
    ] {
        fills_up(lab, &laptop, mib).expect(1).says(&[
            &format!("pi5: package kafka 3.9.1{cause}"),
            "No space left on device",
            "make room there",
            "run the same command again",
        ]);
        for host in ["pi1", "pi2", "pi3", "pi4"] {
            lab.on(host, "systemctl is-active kafka-broker");
        }
        let store = lab.on(SMALL, "ls -A /opt/sdtd/store && rm /opt/sdtd/filler");
        let whole = store.lines().all(|name| name.starts_with("java-"));
        assert!(whole, "a tree is there that is not whole: {store}");
    }
    lab.run(&["limit", SMALL, "0"]);
    laptop.deploy(&inventory).expect(0);
    laptop.expect_settled(&inventory);
    lab.on(SMALL, "! ls -A /opt/sdtd/incoming | grep .");
    lab.is_deployed();
    Done::Passed
}

/// A deploy under which the small disk fills up while the last package arrives.
fn fills_up(lab: &Lab, laptop: &Laptop, mib: u64) -> Ran {
    let had = lab.arrived(SMALL);
    let mut running = begin(laptop, &laptop.path("inventory.yaml"));
    let java = "test -e /opt/sdtd/store/java-*";
    running.until("its last package arrives", || {
        lab.try_on(SMALL, java).code == Some(0) && lab.arrived(SMALL) > had
    });
    // But for so much, with what has arrived already.
    let text = format!(
        "cd /opt/sdtd && set -- $(df -Pk . | tail -n 1) && part=$(cat incoming/*.part | wc -c) && \
         fallocate -l $(($4 - {mib} * 1024 + part / 1024))k filler"
    );
    lab.on(SMALL, &text);
    running.wait(180)
}

/// The disk of a broker's data fills up while it works: the cluster is told to be unwell and goes on without it;
/// once there is room the broker comes back by itself, with all that was written meanwhile.
pub fn data(lab: &mut Lab) -> Done {
    let folder = "/var/lib/kafka";
    lab.bare();
    lab.spoiled();
    lab.run(&["loop", SMALL, folder, "600"]);
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    laptop.deploy(&inventory).expect(0);
    lab.on(SMALL, &format!("! cat /dev/zero >{folder}/filler"));
    let status = || laptop.run(&["status", path]);
    let block = "x".repeat(500_000);
    soon("the broker is missed", || {
        let _ = (0..10).all(|n| offer(TOPIC, "pi1", n, &block).status.success());
        status().code == Some(4)
    });
    status().says(&["kafka.broker@pi5"]);
    let refused = laptop.run(&["deploy", path, "--yes"]).expect(1);
    refused.says(&["pi5: ", "MiB are free below /var/lib/kafka", "make room"]);

    // It tries again and again, and takes part until the next message: so must who writes.
    let messages: Vec<String> = (0..3).map(|n| format!("meanwhile {n}")).collect();
    for (n, message) in (0..).zip(&messages) {
        let taken = || offer(TOPIC, "pi1", n, message).status.success();
        soon("the others go on without it", taken);
    }

    lab.on(SMALL, &format!("rm {folder}/filler"));
    soon("it is back by itself", || status().code == Some(0));
    laptop.expect_settled(&inventory);
    for (n, message) in (0..).zip(&messages) {
        let read = consume_from(TOPIC, SMALL, n);
        assert!(read.contains(message), "{message} is not among {read:?}");
    }
    Done::Passed
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < Duration::from_secs(90),
            "in 90 s it never came to this: {what}"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}
