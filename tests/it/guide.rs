//! The guide to a service of one's own: its files, word for word, plan; the lab deploys them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::golden::project;

/// Writes the files of the guide below a folder; the inventory's path.
pub fn written(folder: &Path) -> PathBuf {
    let guide = std::fs::read_to_string(project("docs/your-own-service.md")).expect("the guide");
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some((_, name)) = line.strip_prefix("```").and_then(|l| l.split_once(' ')) else {
            continue;
        };
        let body = lines.by_ref().take_while(|line| *line != "```");
        let text: String = body.map(|line| format!("{line}\n")).collect();
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        std::fs::write(path, text).expect("it is written");
    }
    folder.join("inventory.yaml")
}

#[test]
fn the_service_of_the_guide_plans() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path());
    let mut sdtd = Command::new(env!("CARGO_BIN_EXE_sdtd"));
    let words = ["plan", "--offline", "--templates", "my", "inventory.yaml"];
    sdtd.args(words).current_dir(folder.path());
    let out = sdtd
        .env("SDTD_HOME", folder.path())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{errors}");
    for word in ["redis.conf", "start redis-store", "pi1, pi2"] {
        assert!(said.contains(word), "no `{word}` in:\n{said}");
    }
}
