//! A broker is killed under a load and comes back; nothing acknowledged is lost. What would be lost is reported.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Cleared, address, is_chosen, processes};
use crate::lab::laptop::{Laptop, text};
use crate::lab::load::{Load, now, verdict};

/// The newest line, whose nodes are brokers and controllers in one; with `SDTD_FULL=1` the oldest too.
const LINES: [&str; 2] = [
    "  kafka: { version: 4.1.1, combined: true, brokers: 3 }\n",
    "  zookeeper: { version: 3.6.2, servers: 3 }\n  kafka: { version: 2.7.0, brokers: 3 }\n",
];

fn inventory(laptop: &Laptop, services: &str) -> PathBuf {
    let host = |n: u32| {
        let address = address(40 + n, 0);
        format!("  n{n}: {{ connection: local, address: {address}, memory: 1G }}\n")
    };
    let hosts: String = (1..=3).map(host).collect();
    laptop.inventory(&format!(
        "cluster: tried\nhosts:\n{hosts}services:\n{services}"
    ))
}

#[test]
fn nothing_acknowledged_is_lost_when_a_broker_is_killed() {
    if is_chosen("drill") {
        let full = crate::full();
        let lines = if full { LINES.len() } else { 1 };
        LINES[..lines].iter().for_each(|services| killed(services));
    }
}

fn killed(services: &str) {
    let laptop = Laptop::new();
    let path = inventory(&laptop, services);
    let cleared = Cleared(&laptop, path.clone());
    laptop.run(&["deploy", text(&path), "--yes"]).expect(0);
    let record = laptop.path("none");
    let words = ["drill", "load", text(&path), "--topic", "t", "--record"];
    laptop
        .run(&[&words[..], &[text(&record)]].concat())
        .expect(6)
        .says(&["drills are not allowed", "drills: allowed"]);
    assert!(!record.exists());

    let mut load = Load::start(&laptop, &path, "t");
    load.mark_begin();
    kill(&laptop);
    // Longer than the session of a broker: the others lead, and go on.
    std::thread::sleep(Duration::from_secs(10));
    load.goes_on(now());
    laptop.run(&["start", "--yes"]).expect(0);
    load.mark_end();
    let record = load.stop();
    let ran = load.check(&record, &[]).expect(0);
    let found = verdict(&ran);
    eprintln!("this machine: {found:#?}");
    assert!(found.good);
    assert_eq!(found.rounds.len(), 3, "one reading under each replica");
    assert!(found.acked > 1000, "{}", found.acked);
    assert!(found.healed_ms.is_some());

    // The same by itself: nobody else brings a process back that only a pid file knows.
    let inventory = laptop.path("drill-inventory.yaml");
    laptop
        .run(&["drill", "run", "kill-leader", text(&inventory)])
        .expect(0)
        .says(&["came back as another process", "1 good, 0 bad"]);

    unsafe_records(&laptop, &load, &record);
    let throttle = "leader.replication.throttled.replicas=*";
    laptop
        .run(&["topics", "alter", "t", "--config", throttle, "--yes"])
        .expect(0);
    load.check(&record, &["--within", "1"])
        .expect(4)
        .says(&["a throttle is left: topic t"]);
    stood_still(&laptop, &record);
    laptop.run(&["stop", "--yes", "--only", "n3"]).expect(0);
    load.check(&record, &["--within", "1"])
        .expect(4)
        .says(&["not healed: broker 3 does not answer"]);
    laptop.run(&["destroy", "--yes"]).expect(0);
    drop(cleared);
}

/// The same load, as if the fault had been at its end: nothing was acknowledged after it.
fn stood_still(laptop: &Laptop, record: &Path) {
    let (from, to) = (now().to_string(), (now() + 1).to_string());
    let inventory = laptop.path("drill-inventory.yaml");
    let words = ["drill", "check", text(&inventory), "--record", text(record)];
    let window = ["--from", &from, "--to", &to, "--stalls"];
    laptop
        .run(&[&words[..], &window].concat())
        .expect(4)
        .says(&[
            "after: a partition had 0 messages acknowledged",
            "after: the reader saw nothing",
        ]);
}

/// kill -9 of the second host's broker, by the number in its pid file.
fn kill(laptop: &Laptop) {
    let all = processes(laptop);
    let is_broker = |unit: &&String| unit.starts_with("kafka") && unit.ends_with("@n2");
    let unit = all.keys().find(is_broker).expect("a broker");
    let pid = all[unit].split(' ').next().expect("a number");
    let status = Command::new("kill").args(["-9", pid]).status();
    assert!(status.is_ok_and(|s| s.success()), "{unit} was not killed");
}

/// The same record, telling of an acknowledgement that was never given: what a lost message looks like.
fn unsafe_records(laptop: &Laptop, load: &Load<'_>, record: &Path) {
    let own = std::fs::read_to_string(record).expect("a record");
    let ack = own.lines().filter(|l| l.contains("\"k\":\"ack\"")).nth(99);
    let ack = ack.expect("a hundred acknowledgements");
    let mut changed: serde_json::Value = serde_json::from_str(ack).expect("an entry");
    let offset = changed["o"].as_i64().expect("an offset");
    for (other, told) in [
        (offset + 1_000_000, "acknowledged messages are lost"),
        (
            offset - 1,
            "hold another message than was acknowledged there",
        ),
    ] {
        changed["o"] = other.into();
        let text = own.replace(ack, &changed.to_string());
        let record = laptop.write("changed.record", &text);
        load.check(&record, &[]).expect(4).says(&[told]);
    }
}
