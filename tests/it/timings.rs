//! `--timings`: a run tells at its end where its time went, as `history` does later.

use crate::lab::laptop::{Ran, run_for};

const INVENTORY: &str = "cluster: c
hosts: { n1: { connection: local, memory: 1G } }
services: { zookeeper: { servers: 1 } }
";

fn sdtd(home: &std::path::Path, words: &[&str]) -> Ran {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sdtd"));
    command
        .args(words)
        .current_dir(home)
        .env("SDTD_HOME", home)
        .env_remove("SDTD_INVENTORY")
        .stdin(std::process::Stdio::null());
    run_for(&mut command, 60)
}

#[test]
fn a_run_tells_at_its_end_where_its_time_went() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("inventory.yaml"), INVENTORY).expect("written");
    // Nothing is there to be stopped: a run without any step has phases all the same.
    let ran = sdtd(home.path(), &["stop", "--yes", "--timings"]).expect(0);
    let (_, after) = ran.stdout.split_once("no change").expect("its sum");
    let lines: Vec<&str> = after.lines().filter(|line| line.contains('█')).collect();
    let later = sdtd(home.path(), &["history", "show", "--timings"]).expect(0);
    let later: Vec<&str> = later.stdout.lines().collect();
    assert_eq!(lines, later);
    assert!(
        lines[0].starts_with("connect") && lines[1].starts_with("facts"),
        "{lines:?}"
    );

    let plain = sdtd(home.path(), &["stop", "--yes"]).expect(0);
    assert!(!plain.stdout.contains('█'), "{}", plain.stdout);
}

#[test]
fn as_json_they_are_one_line_more() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("inventory.yaml"), INVENTORY).expect("written");
    let ran = sdtd(
        home.path(),
        &["restart", "--yes", "--json", "--timings", "--only", "n9"],
    );
    let ran = ran.expect(2);
    let last = ran.stdout.lines().last().expect("a line");
    let last: serde_json::Value = serde_json::from_str(last).expect("a document");
    assert_eq!(last["event"], "timings");
    assert_eq!(last["timings"][0]["what"], "connect");
}
