//! One cluster from the smallest to the largest and back, through all that changes it, while one producer and one
//! reader go on throughout. After each stage all that was ever acknowledged is read again under every leader.

use std::path::{Path, PathBuf};

use super::Done;
use crate::lab::hosts::Lab;
use crate::lab::inventory::{Inventory, TOPIC};
use crate::lab::laptop::{Laptop, Ran, run_for, text};
use crate::lab::load::{Load, Pause, ROLL, SESSION, expect_within};
use crate::lab::say;
use crate::lab::voters::{Says, Watch, judge, timeline};

/// One of each, of the versions that a course began with. The topic gets as many copies as there is room for, three at
/// the most; it is the load's too, so it keeps all.
const SMALL: &str = "services:\n  zookeeper: { version: 3.6.2, servers: 1 }\n  \
                     kafka: { version: 2.7.0, brokers: 1, config: { queued.max.requests: 400 } }\n\
                     topics:\n  velib-stations: { partitions: 6, config: { retention.ms: -1 } }\n";
/// Seconds that a stage may take, other builds on the same machine included.
const LIMIT: u64 = 900;

/// A change, and what is expected of it.
struct Stage<'a> {
    words: &'a [&'a str],
    /// Milliseconds that writes may pause, on a machine that does nothing else.
    pause: u64,
    /// What other voters must do when one is stopped.
    voters: Says,
}

/// The cluster, and who uses it.
struct Way<'a> {
    laptop: &'a Laptop,
    inventory: PathBuf,
    load: Load<'a>,
}

impl Way<'_> {
    /// One stage, and the verdict on all that was acknowledged up to its end.
    fn go(&mut self, lab: &Lab, stage: &Stage<'_>) {
        let path = text(&self.inventory);
        let words = [stage.words, &[path, "--yes", "--json"]].concat();
        let watch = Watch::start();
        self.load.mark_begin();
        let ran = run_for(&mut self.laptop.sdtd(&words), LIMIT).expect(0);
        self.load.mark_end();
        let heard = watch.stop(lab, self.laptop);
        let wrong = judge(&heard, stage.voters);
        assert!(
            wrong.is_empty(),
            "{}: {wrong:?}\n{}",
            stage.words.join(" "),
            timeline(&heard)
        );
        let (pause, limit) = (self.load.pause(), stage.pause);
        let verdict = self.load.so_far();
        say(&format!(
            "way: {}: {:.1} s, {} acknowledged so far, {} not, writes paused {} ms at the most, of {limit}: on partition {}, {} ms after it began",
            stage.words.join(" "),
            ran.took.as_secs_f64(),
            verdict.acked,
            verdict.unsure.present + verdict.unsure.absent,
            pause.ms,
            pause.partition,
            pause.after,
        ));
        if pause.ms > limit {
            say(&format!(
                "way: OVER; meanwhile:\n{}",
                meanwhile(&ran, pause)
            ));
        }
        expect_within(pause.ms, limit);
        assert!(verdict.good, "{verdict:?}");
        self.laptop.expect_settled(&self.inventory);
    }
}

/// From one server and one broker to three and five of newer versions, and back to three brokers.
pub fn way(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().with_services(SMALL));
    laptop.deploy(&inventory).expect(0);
    let load = Load::start(&laptop, &inventory, TOPIC);
    let mut way = Way {
        laptop: &laptop,
        inventory,
        load,
    };
    let roll = |words| Stage {
        words,
        pause: ROLL,
        voters: Says::Serves,
    };

    way.go(
        lab,
        &Stage {
            words: &["scale", "--brokers", "5", "--zookeepers", "3"],
            // There is one copy, and one server: its restart is announced, and shorter than a session.
            pause: SESSION,
            // From one to two both are restarted before either can serve.
            voters: Says::Waits,
        },
    );
    let own = serde_json::json!({ "retention.ms": "-1" });
    three_copies(&laptop, &way.inventory, TOPIC, &own);
    raised(&laptop, &way.inventory);
    let written = read(&way.inventory).replace("requests: 400", "requests: 401");
    laptop.inventory(&written);
    way.go(lab, &roll(&["deploy"]));
    way.go(lab, &roll(&["upgrade", "zookeeper", "3.8.4"]));
    way.go(lab, &roll(&["upgrade", "kafka", "3.9.1"]));
    way.go(lab, &roll(&["upgrade", "kafka", "--finalize"]));
    way.go(lab, &roll(&["migrate", "kraft"]));
    way.go(lab, &roll(&["migrate", "kraft", "--finalize"]));
    way.go(lab, &roll(&["scale", "--brokers", "3"]));
    three_copies(&laptop, &way.inventory, TOPIC, &own);
    way.load.done();
    Done::Passed
}

/// Each partition of a topic has three copies, and these are its own settings.
fn three_copies(laptop: &Laptop, inventory: &Path, topic: &str, own: &serde_json::Value) {
    let words = ["topics", "describe", topic, text(inventory), "--json"];
    let told = laptop.run(&words).expect(0).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("a document");
    let each = told["partitions"].as_array().expect("partitions");
    let copies = |p: &serde_json::Value| p["replicas"].as_array().map(Vec::len);
    assert!(each.iter().all(|p| copies(p) == Some(3)), "{told}");
    assert_eq!(&told["config"], own, "{told}");
}

/// A topic of one copy gets three: with that goes the min ISR that one copy asks for.
fn raised(laptop: &Laptop, inventory: &Path) {
    let whole = read(inventory);
    for rides in [
        "{ partitions: 2, replication: 1, config: { min.insync.replicas: 1 } }",
        "{ partitions: 2 }",
    ] {
        laptop.inventory(&format!("{whole}  rides: {rides}\n"));
        laptop.deploy(inventory).expect(0);
        laptop.expect_settled(inventory);
    }
    three_copies(laptop, inventory, "rides", &serde_json::json!({}));
}

/// What the run told of while writes paused, and shortly before.
fn meanwhile(ran: &Ran, pause: Pause) -> String {
    let from = pause.after.saturating_sub(2_000);
    let at = |event: &serde_json::Value| event["at_ms"].as_u64().unwrap_or_default();
    let events = ran.events().0;
    let then = events
        .iter()
        .filter(|event| (from..=pause.after + pause.ms).contains(&at(event)));
    let lines: Vec<String> = then.map(ToString::to_string).collect();
    lines.join("\n")
}

fn read(inventory: &Path) -> String {
    std::fs::read_to_string(inventory).expect("an inventory")
}
