//! The examples that want boards: their commands are run as they stand there.

use std::path::Path;

use super::Done;
use crate::golden::project;
use crate::lab::hosts::{HOSTS, Lab, address};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, run_for, text};
use crate::this_machine::walk::{Block, blocks};

/// From the smallest there is to what a platform runs on, and off again.
pub fn examples(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let own = read(&project("inventories/minimal.yaml"));
    let services = &own[own.find("services:").expect("services")..];
    std::fs::create_dir(laptop.path("inventories")).expect("a folder");
    let named = "inventories/minimal.yaml";
    let path = laptop.write(named, &Inventory::new().with_services(services));
    for block in page("minimal") {
        if block.commands.starts_with("sdtd") {
            walk(&laptop, &block.commands);
        } else {
            on_the_board(lab, block.commands.trim());
        }
    }
    for block in page("steady") {
        if block.commands.contains("drill") {
            laptop.write(named, &format!("drills: allowed\n{}", read(&path)));
        }
        walk(&laptop, &block.commands);
    }
    let grown = read(&path);
    assert!(
        grown.contains("brokers: 5") && grown.contains("servers: 3"),
        "{grown}"
    );
    laptop.expect_settled(&path);
    laptop.run(&["destroy", text(&path), "--yes"]).expect(0);
    lab.is_bare();
    Done::Passed
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a text")
}

fn page(example: &str) -> Vec<Block> {
    let page = read(&project("examples").join(example).join("README.md"));
    let blocks = blocks(&page);
    assert!(!blocks.is_empty(), "{example} has no commands");
    blocks
}

/// The commands of a page, which all are for this machine.
pub fn walk_page(laptop: &Laptop, example: &str) {
    for block in page(example) {
        walk(laptop, &block.commands);
    }
}

/// What is to be done on the board that is named, with something to write.
fn on_the_board(lab: &Lab, line: &str) {
    let is_named = |host: &&str| line.contains(&format!("{host}.local"));
    let host = HOSTS.into_iter().find(is_named).expect("a board is named");
    let line = line.replace(&format!("{host}.local"), &address(host));
    lab.on(host, &format!("seq 1 10 | bash -lc '{line}'"));
}

/// Runs commands as they stand in a page. Who tries them says yes where sdtd asks.
fn walk(laptop: &Laptop, commands: &str) {
    let script = format!("sdtd() {{ command sdtd \"$@\" --yes; }}\n{commands}");
    run_for(&mut laptop.shell(&script), 900).expect(0);
}
