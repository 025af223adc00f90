//! Brokers that a ZooKeeper ensemble keeps the metadata of get controllers of their own while clients write and read:
//! there, back, there again with the program killed on the way, and to the end.

use super::Done;
use crate::lab::chance::Chance;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, run_for, text};
use crate::lab::load::{Load, ROLL, expect_within};
use crate::lab::say;

const OLD: &str = "services:\n  zookeeper: { servers: 3 }\n  \
                   kafka: { version: 3.9.1, brokers: [pi1, pi2, pi3] }\n";
/// Seconds that each part may take.
const LIMIT: u64 = 900;
/// Within so many seconds the program is killed: the whole takes longer.
const MOMENT: (u64, u64) = (5, 60);

/// There, back, there and to the end; nothing is lost, and writes never stand still for long.
pub fn migrate(lab: &mut Lab) -> Done {
    let mut chance = Chance::new("migrate");
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().with_services(OLD));
    let path = text(&inventory);
    laptop.deploy(&inventory).expect(0);
    let mut load = Load::start(&laptop, &inventory, "migrate");
    laptop
        .run(&["migrate", "kraft", "--finalize", path, "--yes"])
        .expect(6)
        .says(&["nothing to finalize yet"]);
    let (there, back) = (
        &["migrate", "kraft"][..],
        &["migrate", "kraft", "--undo"][..],
    );
    let mut parts = vec![(there, false), (back, false), (there, true)];
    if crate::full() {
        parts.extend([(back, true), (there, false)]);
    }
    parts.push((&["migrate", "kraft", "--finalize"][..], false));
    for (words, killed) in parts {
        let all = [words, &[path, "--yes", "--json"]].concat();
        load.mark_begin();
        if killed {
            let moment = chance.between(MOMENT.0, MOMENT.1);
            let running = Running::start(&mut laptop.sdtd(&all));
            std::thread::sleep(std::time::Duration::from_secs(moment));
            running.kill();
            say(&format!("migrate: killed after {moment} s"));
        }
        let again = [&all[..], &["--lock-wait", "120"]].concat();
        let ran = run_for(&mut laptop.sdtd(&again), LIMIT).expect(0);
        load.mark_end();
        let (pause, verdict) = (load.pause(), load.so_far());
        say(&format!(
            "{}: {:.1} s, {} acknowledged so far, {} not, writes paused {} ms at the most",
            words.join(" "),
            ran.took.as_secs_f64(),
            verdict.acked,
            verdict.unsure.present + verdict.unsure.absent,
            pause.ms,
        ));
        expect_within(pause.ms, ROLL);
        assert!(verdict.good, "{verdict:?}");
        laptop.expect_settled(&inventory);
    }
    laptop
        .run(&["migrate", "kraft", "--undo", path, "--yes"])
        .expect(6);
    load.done();
    Done::Passed
}
