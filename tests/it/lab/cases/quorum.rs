//! A live cluster with controllers of its own: more of them and fewer, and a newer version with the features that
//! come with it, while clients write and read.

use std::path::Path;

use super::Done;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};
use crate::lab::load::{Load, ROLL, expect_within};
use crate::lab::say;

const OLD: &str =
    "services:\n  kafka: { version: 3.9.1, mode: kraft, controllers: 1, brokers: 3 } # ours\n";

/// One step under a load; all that was acknowledged is there afterwards.
fn step(laptop: &Laptop, inventory: &Path, name: &str, words: &[&str]) {
    let mut load = Load::start(laptop, inventory, name);
    load.mark_begin();
    let all = [words, &[text(inventory), "--yes"]].concat();
    let ran = laptop.run(&all).expect(0);
    load.mark_end();
    let verdict = load.done();
    let during = verdict.phases.iter().find(|phase| phase.name == "during");
    let during = during.expect("what was during it");
    say(&format!(
        "{}: {:.1} s, {} acknowledged, {} not, writes paused {} ms at the most, reads {} ms",
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

/// How many controllers vote, as they say it themselves, and whether one leads.
fn voters(laptop: &Laptop, inventory: &Path, many: usize) {
    let status = laptop.run(&["status", text(inventory)]).expect(0).stdout;
    let controllers = status
        .lines()
        .filter(|line| line.contains("kafka.controller@"));
    let controllers: Vec<&str> = controllers.collect();
    let in_sync = controllers.iter().filter(|line| line.contains("in sync"));
    assert_eq!(
        (controllers.len(), in_sync.count()),
        (many, many),
        "{status}"
    );
    let leads = controllers
        .iter()
        .filter(|line| line.contains(" controller "));
    assert_eq!(leads.count(), 1, "{status}");
}

/// One controller becomes three, five, and three again.
pub fn controllers(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().with_services(OLD));
    laptop.deploy(&inventory).expect(0);
    for (n, many) in [3, 5, 3].into_iter().enumerate() {
        let name = format!("step-{n}");
        step(
            &laptop,
            &inventory,
            &name,
            &["scale", "--controllers", &many.to_string()],
        );
        voters(&laptop, &inventory, many);
    }
    let written = std::fs::read_to_string(&inventory).expect("the inventory");
    assert!(
        written.contains("controllers: 3, brokers: 3 } # ours"),
        "{written}"
    );
    let even = laptop.run(&["scale", "--controllers", "2", text(&inventory), "--yes"]);
    assert_eq!(even.code, Some(6), "{}", even.all());
    laptop
        .run(&["destroy", text(&inventory), "--yes"])
        .expect(0);
    lab.is_bare();
    Done::Passed
}

/// 3.9.1 becomes 4.1.1: the programs first, with a way back, then the features.
pub fn upgrade_kraft(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let services = OLD.replace("controllers: 1", "controllers: 3");
    let inventory = laptop.inventory(&Inventory::new().with_services(&services));
    let path = text(&inventory);
    laptop.deploy(&inventory).expect(0);
    step(&laptop, &inventory, "forth", &["upgrade", "kafka", "4.1.1"]);
    laptop
        .run(&["status", path])
        .expect(0)
        .says(&["kafka 4.1.1 is not finalized"]);
    if crate::full() {
        step(&laptop, &inventory, "back", &["upgrade", "kafka", "3.9.1"]);
        step(&laptop, &inventory, "again", &["upgrade", "kafka", "4.1.1"]);
    }
    step(
        &laptop,
        &inventory,
        "features",
        &["upgrade", "kafka", "--finalize"],
    );
    let back = laptop.run(&["upgrade", "kafka", "3.9.1", path, "--yes"]);
    assert_eq!(back.code, Some(6), "{}", back.all());
    voters(&laptop, &inventory, 3);
    laptop.run(&["destroy", path, "--yes"]).expect(0);
    lab.is_bare();
    Done::Passed
}
