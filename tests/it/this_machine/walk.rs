//! The walk-throughs of `examples/`: their commands are run as they stand there, and say what they should.

use super::{Cleared, address, is_wanted};
use crate::golden::project;
use crate::lab::laptop::{Laptop, run_for, text};

/// A block of commands, and what is shown below it.
pub struct Block {
    pub commands: String,
    pub shown: Vec<String>,
}

/// The blocks of a page: each ```` ```sh ````, and the ```` ```text ```` right behind it.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = "";
    for line in page.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(""), _) => inside = "",
            (Some(kind), _) => {
                inside = kind;
                if kind == "sh" {
                    let (commands, shown) = (String::new(), Vec::new());
                    blocks.push(Block { commands, shown });
                }
            }
            (None, "sh") => {
                let block = blocks.last_mut().expect("it was opened");
                block.commands += &format!("{line}\n");
            }
            (None, "text") => {
                let block = blocks.last_mut().expect("commands before what they say");
                block.shown.push(line.to_owned());
            }
            (None, _) => {}
        }
    }
    blocks
}

/// Whether a line is like what is shown: `…` stands for anything.
fn is_like(line: &str, shown: &str) -> bool {
    let mut rest = line.trim();
    let parts: Vec<&str> = shown.split('…').map(str::trim).collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if !rest.starts_with(first) || !rest.ends_with(last) {
        return false;
    }
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Lines that are shown and were not said, in their order.
fn missing<'a>(said: &str, shown: &'a [String]) -> Option<&'a str> {
    let mut lines = said.lines();
    let unsaid = |shown: &&'a String| !lines.any(|line| is_like(line, shown));
    shown.iter().find(unsaid).map(String::as_str)
}

#[test]
fn what_is_shown_is_found_in_its_order() {
    let shown = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
    let said = "a 12 b\n  mygroup   topic 0  3 3 0  -\nend";
    assert_eq!(
        missing(said, &shown(&["a … b", "mygroup …topic …3 …3 …", "end"])),
        None
    );
    assert_eq!(missing(said, &shown(&["end", "a … b"])), Some("a … b"));
    assert_eq!(missing(said, &shown(&["a … c"])), Some("a … c"));
    assert_eq!(missing(said, &shown(&["12"])), Some("12"));
}

#[test]
fn the_course_is_walked_through() {
    if !is_wanted() {
        return;
    }
    let laptop = Laptop::new();
    let own = |name: &str| {
        let text = std::fs::read_to_string(project("examples/tp3").join(name)).unwrap();
        text.replace("127.0.0.1", &address(9, 0))
            .replace("localhost", &address(9, 0))
    };
    let inventory = laptop.inventory(&own("inventory.yaml"));
    let page = own("README.md").replace("examples/tp3/inventory.yaml", text(&inventory));
    let _cleared = Cleared(&laptop, inventory);
    let blocks = blocks(&page);
    assert!(blocks.len() > 8, "{} blocks", blocks.len());

    const MARK: &str = "=== next block ===";
    let commands: Vec<&str> = blocks.iter().map(|b| b.commands.as_str()).collect();
    let script = commands.join(&format!("echo '{MARK}'\n"));
    let said = run_for(&mut laptop.shell(&script), 400).expect(0).stdout;
    for (block, said) in blocks.iter().zip(said.split(MARK)) {
        let missing = missing(said, &block.shown);
        assert_eq!(missing, None, "after\n{}it said\n{said}", block.commands);
    }
}
