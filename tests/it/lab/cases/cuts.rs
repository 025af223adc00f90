//! Runs that are cut off in the middle; the next run goes on from there.

use std::path::Path;
use std::time::Duration;

use super::Done;
use crate::lab::chance::Chance;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, text};
use crate::lab::say;

/// Milliseconds in which a moment is chosen: from the first connections to the last checks.
const FIRST: (u64, u64) = (300, 26_000);
const CHANGE: (u64, u64) = (300, 45_000);

/// So many runs are cut off, of those that are always made and of the long test.
fn times(some: u64, all: u64) -> u64 {
    let full = crate::full();
    if full { all } else { some }
}

/// kill -9 of first deploys, at moments chosen by chance.
pub fn kills(lab: &mut Lab) -> Done {
    let times = times(3, 30);
    let mut chance = Chance::new("kills");
    // What the first of all runs makes on this machine is not what is cut here.
    for n in 0..times {
        // Each third of a first deploy is met, whatever chance says.
        let third = (FIRST.1 - FIRST.0) / 3;
        let from = FIRST.0 + (n % 3) * third;
        lab.bare();
        lab.spoiled();
        let laptop = Laptop::new();
        let inventory = laptop.inventory(&Inventory::new().text());
        killed(&laptop, &inventory, chance.between(from, from + third));
        converges(&laptop, &inventory);
    }
    lab.is_deployed();
    Done::Passed
}

/// kill -9 while the brokers of a live cluster are restarted one after another.
pub fn changes(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let mut chance = Chance::new("changes");
    for n in 0..times(1, 20) {
        let requests = 401 - u32::from(n % 2 == 1);
        let changed = Inventory {
            requests,
            ..Inventory::new()
        };
        let inventory = laptop.inventory(&changed.text());
        killed(&laptop, &inventory, chance.between(CHANGE.0, CHANGE.1));
        converges(&laptop, &inventory);
        for host in HOSTS {
            let line =
                format!("grep -qx queued.max.requests={requests} /etc/kafka/server.properties");
            lab.on(host, &line);
        }
    }
    Done::Passed
}

/// A deploy that is killed after so many milliseconds.
fn killed(laptop: &Laptop, inventory: &Path, after: u64) {
    let mut running = begin(laptop, inventory);
    while running.age() < Duration::from_millis(after) && !running.is_over() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let over = if running.is_over() {
        ", it was over"
    } else {
        ""
    };
    running.kill();
    say(&format!("killed after {after} ms{over}"));
}

/// Ctrl-C once: what is under way is finished, the run says so and ends with 130.
pub fn interrupt(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    let mut running = begin(&laptop, &inventory);
    running.until("it works", || {
        lab.try_on("pi3", "test -e /opt/sdtd/store").code == Some(0)
    });
    running.interrupt();
    let sent = running.age();
    let ran = running.wait(180).expect(130);
    let lasted = ran.took.saturating_sub(sent);
    assert!(
        lasted < Duration::from_secs(60),
        "it went on for {lasted:?}"
    );
    let events = ran.events();
    assert!(
        events.sum()["headline"]
            .as_str()
            .is_some_and(|h| h.contains("interrupted")),
        "{}",
        events.sum()
    );
    let halves = events
        .named("step-finished")
        .filter(|e| e["outcome"]["outcome"] == "failed")
        .count();
    assert_eq!(halves, 0, "no step was cut in two");
    converges(&laptop, &inventory);
    lab.is_deployed();
    Done::Passed
}

/// A link that is back soon holds nobody up. One that stays cut ends the run soon, for its host alone, and the
/// next run sends only what had not arrived.
pub fn link(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    for host in ["pi4", "pi5"] {
        lab.run(&["limit", host, "40"]);
    }
    let mut running = begin(&laptop, &inventory);
    let java = "test -e /opt/sdtd/store/java-*";
    running.until("the last package is half way", || {
        lab.try_on("pi5", java).code == Some(0) && lab.arrived("pi5") > 20 << 20
    });
    for host in ["pi4", "pi5"] {
        lab.run(&["cut", host]);
    }
    let cut = running.age();
    std::thread::sleep(Duration::from_secs(4));
    lab.run(&["join", "pi4"]);
    let ran = running.wait(180).expect(3);
    let lasted = ran.took.saturating_sub(cut);
    assert!(lasted < Duration::from_secs(90), "it took {lasted:?}");
    let ran = ran.says(&[
        "pi5: package kafka 3.9.1: the connection was lost",
        "out of reach",
    ]);
    for host in ["pi1", "pi2", "pi3", "pi4"] {
        lab.on(host, "systemctl is-active kafka-broker");
    }

    lab.run(&["join", "pi5"]);
    lab.run(&["limit", "pi5", "0"]);
    let events = ran.events();
    let kafka = |e: &&serde_json::Value| e["what"] == "kafka 3.9.1" && e["host"] == "pi5";
    let total = events
        .named("transfer")
        .find(kafka)
        .map(|e| e["total"].as_u64());
    let total = total.flatten().expect("what is sent is told");
    let (had, before) = (lab.arrived("pi5"), lab.received("pi5"));
    converges(&laptop, &inventory);
    let sent = lab.received("pi5") - before;
    let most = total - had + (had >> 1);
    say(&format!(
        "cut-link: {lasted:?} after the cut; of {total} bytes {had} had arrived, {sent} came then"
    ));
    assert!(
        sent < most,
        "of {total} bytes {had} had arrived, and {sent} more came"
    );
    lab.is_deployed();
    Done::Passed
}

/// `deploy --yes --json`, under way.
pub fn begin(laptop: &Laptop, inventory: &Path) -> Running {
    Running::start(&mut laptop.sdtd(&["deploy", text(inventory), "--yes", "--json"]))
}

fn converges(laptop: &Laptop, inventory: &Path) {
    let next = laptop.deploy(inventory).expect(0);
    let headline = next.events().sum()["headline"].clone();
    let headline = headline.as_str().unwrap_or_default();
    assert!(
        headline == "deployed and verified" || headline.starts_with("no change"),
        "{headline}"
    );
    laptop.run(&["verify", text(inventory)]).expect(0);
    laptop.expect_settled(inventory);
}
