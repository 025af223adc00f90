//! `sdtd drill all` breaks the usual cluster under a load and nothing is lost; a fault without effect is no drill.
//!
//! `SDTD_LAB_DRILLS=cut-network,power-off` makes these instead of the usual ones.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Done;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, run_for, text};
use crate::lab::load::slack;
use crate::lab::say;

/// Those that are always made; with `SDTD_FULL=1` all are.
const SHORT: &str = "kill-leader,pause-short,kill-quorum-leader";
/// Seconds that these may take, and all.
const LIMITS: (u64, u64) = (400, 2400);

/// The host that may get a small disk for the data of its broker.
const SMALL: &str = "pi5";

/// What an earlier drill left behind that was ended by nobody.
const LEFT: &str = "mkdir -p /run/sdtd-drill && echo old >/run/sdtd-drill/id && \
    echo 'touch /run/drill-was-ended' >/run/sdtd-drill/end";

/// Standing still so shortly changes nothing: what is expected does not come.
const WITHOUT_EFFECT: &str = "title: A fault without effect\n\
    target: { roles: [kafka.broker], which: leads }\n\
    do: pause\nseconds: 3\nstalls: true\nexpect: { in-sync: shrinks }\n";

/// A disk is filled for a moment.
const FILLS: &str = "title: A full disk\ntarget: { roles: [kafka.broker], which: leads }\n\
    do: disk-full\nseconds: 10\n";

fn inventory(laptop: &Laptop) -> PathBuf {
    let own = Inventory::new().text();
    laptop.write("drills.yaml", &format!("drills: allowed\n{own}"))
}

/// The cluster is left as it was, and nothing of drills on any host.
pub fn drills(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    let chosen = std::env::var("SDTD_LAB_DRILLS").ok();
    let full = crate::full();
    let only = chosen.as_deref().or((!full).then_some(SHORT));
    let fills = only.is_none_or(|only| only.split(',').any(|name| name == "disk-full"));
    if fills {
        with_a_small_disk(lab, &laptop);
    } else {
        lab.deployed(&laptop);
    }
    let refused = laptop.inventory(&Inventory::new().text());
    laptop
        .run(&["drill", "run", "kill-leader", text(&refused)])
        .expect(6)
        .says(&["drills: allowed"]);
    lab.spoiled();
    let path = inventory(&laptop);
    lab.on("pi4", LEFT);

    let slack = slack().to_string();
    let mut words = vec!["drill", "all", text(&path), "--json", "--slack", &slack];
    words.extend(only.into_iter().flat_map(|only| ["--only", only]));
    let limit = if only == Some(SHORT) {
        LIMITS.0
    } else {
        LIMITS.1
    };
    let ran = run_for(&mut laptop.sdtd(&words), limit);
    let last = ran.stdout.lines().last().unwrap_or_default();
    let told: serde_json::Value = serde_json::from_str(last).unwrap_or_default();
    let drills = told["drills"].as_array().cloned().unwrap_or_default();
    drills.iter().for_each(tell);
    let ran = ran.expect(0);
    assert!(!drills.is_empty(), "{}", ran.all());
    let good = drills.iter().filter(|drill| drill["ended"] == "good");
    for drill in good {
        assert_ne!(drill["evidence"], serde_json::json!([]), "{drill}");
        let readings = drill["verdict"]["rounds"].as_array().map(Vec::len);
        assert_eq!(readings, Some(3), "one under each copy: {drill}");
    }
    lab.on("pi4", "rm /run/drill-was-ended");

    // The verdict that finds nothing lost would find it.
    let words = ["drill", "run", "lose", text(&path)];
    run_for(&mut laptop.sdtd(&words), LIMITS.0)
        .expect(0)
        .says(&[
            "alone in sync",
            "acknowledged messages are lost, in each of 3 readings",
            "1 good, 0 bad",
        ]);

    let file = laptop.write("nothing.yaml", WITHOUT_EFFECT);
    let ran = laptop.run(&["drill", "run", text(&file), text(&path)]);
    ran.expect(4).says(&[
        "no evidence that the fault bit",
        "fell out of sync",
        "1 bad",
    ]);
    for host in HOSTS {
        lab.on(host, "! test -e /run/sdtd-drill");
    }
    laptop.run(&["verify", text(&refused)]).expect(0);
    laptop.expect_settled(&refused);
    if fills {
        makes_room_again(lab, &laptop, &path);
    } else {
        lab.is_deployed();
    }
    Done::Passed
}

/// A disk that was filled by a run that was killed has its room again, with nobody's help.
fn makes_room_again(lab: &Lab, laptop: &Laptop, path: &Path) {
    let room = || {
        let free = lab.on(SMALL, "df -Pk /var/lib/kafka | tail -n 1");
        let kib = free.split_whitespace().nth(3).map(str::to_owned);
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number")
    };
    let before = room();
    assert!(before > 100_000, "{before}");
    let file = laptop.write("full.yaml", FILLS);
    let mut running = Running::start(&mut laptop.sdtd(&["drill", "run", text(&file), text(path)]));
    running.until("its disk is full", || room() == 0);
    running.kill();
    soon("there is room again", || room() > before / 2);
    lab.on(SMALL, "! ls -A /var/lib/kafka | grep sdtd-drill");
    let kept = "test -e /run/sdtd-drill";
    soon("nothing of it is left", || {
        lab.try_on(SMALL, kept).code == Some(1)
    });
    let verify = ["verify", text(path)];
    soon("the cluster is whole", || {
        laptop.run(&verify).code == Some(0)
    });
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        let late = began.elapsed() > Duration::from_secs(150);
        assert!(!late, "it never came to this: {what}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The usual cluster, where one broker's data have a disk of their own.
fn with_a_small_disk(lab: &mut Lab, laptop: &Laptop) {
    lab.bare();
    lab.run(&["loop", SMALL, "/var/lib/kafka", "600"]);
    let inventory = laptop.inventory(&Inventory::new().text());
    laptop.deploy(&inventory).expect(0);
}

/// A line of what came of a drill.
fn tell(drill: &serde_json::Value) {
    let verdict = &drill["verdict"];
    let phases = verdict["phases"].as_array().cloned().unwrap_or_default();
    let whole = phases
        .iter()
        .find(|phase| phase["name"] == "whole")
        .cloned();
    let whole = whole.unwrap_or_default();
    say(&format!(
        "drill {}: {} at {}; {} acknowledged, pauses {} (of {}) and {} ms, whole after {} ms, took {} ms; seen {}; wrong {}",
        drill["name"],
        drill["ended"],
        drill["target"],
        verdict["acked"],
        drill["pause_ms"],
        drill["allowed_ms"],
        whole["reader_pause_ms"],
        drill["whole_ms"],
        drill["took_ms"],
        drill["evidence"],
        drill["wrong"],
    ));
}
