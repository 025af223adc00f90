//! Packages and settings of a running service: replaced, brought back, and the oldest taken off the hosts.

use std::path::PathBuf;
use std::process::Command;

use super::{address, is_wanted};
use crate::golden::project;
use crate::lab::laptop::{Laptop, run_for, text};

const HOSTS: [&str; 2] = ["n1", "n2"];

/// Two hosts that run a heart of a few lines of shell, from a package of the user's own.
fn inventory(laptop: &Laptop, (beat, word): (u32, &str)) -> PathBuf {
    let host = |n: u32| {
        format!(
            "  n{n}: {{ connection: local, address: {} }}\n",
            address(20 + n, 0)
        )
    };
    laptop.inventory(&format!(
        "cluster: hearts\nhosts:\n{}{}services:\n  pulse: {{ on: all, package: pulse-{beat}.tar.gz, word: {word} }}\n",
        host(1),
        host(2)
    ))
}

/// A package whose heart tells which one it is.
fn package(laptop: &Laptop, beat: u32) {
    let tree = laptop.path(&format!("pulse-{beat}"));
    std::fs::create_dir_all(tree.join("bin")).unwrap();
    let own =
        std::fs::read_to_string(project("tests/it/lab/services/pulse/tree/bin/pulse")).unwrap();
    std::fs::write(
        tree.join("bin/pulse"),
        own.replace("while", &format!("echo {beat} >\"$beat.made\"\nwhile")),
    )
    .unwrap();
    let name = format!("pulse-{beat}");
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(laptop.path(""))
        .args(["-czf", &format!("{name}.tar.gz"), &name]);
    run_for(tar.current_dir(laptop.path("")), 20).expect(0);
}

/// Which heart beats on the first host.
fn made(laptop: &Laptop) -> String {
    let found = laptop.path("local/hearts/n1/var/lib/pulse/heart/beat.made");
    std::fs::read_to_string(found).unwrap().trim().to_owned()
}

/// How many trees each host has.
fn trees(laptop: &Laptop) -> Vec<usize> {
    let store = |host: &str| laptop.path(&format!("local/hearts/{host}/opt/sdtd/store"));
    let count = |host: &&str| std::fs::read_dir(store(host)).unwrap().count();
    HOSTS.iter().map(count).collect()
}

#[test]
fn what_was_before_comes_back() {
    if !is_wanted() {
        return;
    }
    let laptop = Laptop::new();
    (1..=3).for_each(|beat| package(&laptop, beat));
    let services = project("tests/it/lab/services");
    let services = text(&services);
    let with = |words: &[&str]| {
        let more = ["--templates", services, "--yes"];
        laptop.run(&[words, &more].concat())
    };
    let path = inventory(&laptop, (1, "tick"));
    let path = text(&path);
    with(&["deploy", path]).expect(0).says(&["tick"]);
    with(&["rollback", path])
        .expect(6)
        .says(&["no host knows of an earlier state"]);

    inventory(&laptop, (2, "tock"));
    with(&["deploy", path]).expect(0).says(&["tock"]);
    assert_eq!(made(&laptop), "2");
    assert_eq!(trees(&laptop), [2, 2], "the one before stays");
    with(&["rollback", path])
        .expect(0)
        .says(&["tick", "went back"]);
    assert_eq!(made(&laptop), "1");
    with(&["rollback", path]).expect(0).says(&["tock"]);
    assert_eq!(made(&laptop), "2");
    with(&["plan", path, "--check"]).expect(0);

    inventory(&laptop, (3, "tock"));
    with(&["deploy", path]).expect(0).says(&["tock"]);
    assert_eq!(made(&laptop), "3");
    assert_eq!(trees(&laptop), [2, 2], "the oldest is gone");
    with(&["plan", path, "--check"]).expect(0);
    with(&["rollback", path]).expect(0).says(&["tock"]);
    assert_eq!(made(&laptop), "2");

    // A file of the package is changed under a running service.
    let tree = std::fs::canonicalize(laptop.path("local/hearts/n1/opt/pulse")).unwrap();
    let script = tree.join("bin/pulse");
    let own = std::fs::read_to_string(&script).unwrap();
    inventory(&laptop, (2, "tock"));
    std::fs::write(&script, own.replace("sleep 1", "sleep 2")).unwrap();
    with(&["plan", path, "--check"]).expect(0);
    let found = laptop.run(&["plan", path, "--check", "--deep", "--templates", services]);
    found
        .expect(10)
        .says(&["bin/pulse is damaged", "restart pulse.heart"]);
    with(&["deploy", path, "--deep"]).expect(0);
    with(&["deploy", path, "--deep"])
        .expect(0)
        .says(&["no change"]);
    with(&["destroy", path]).expect(0);
    assert!(!laptop.path("local/hearts/n1/opt/sdtd").exists());
}

#[test]
fn what_was_not_proved_is_proved_by_the_next_run() {
    if !is_wanted() {
        return;
    }
    let laptop = Laptop::new();
    package(&laptop, 1);
    let (services, there) = (laptop.path("services"), laptop.path("there"));
    let mut copy = Command::new("cp");
    copy.arg("-r")
        .arg(project("tests/it/lab/services"))
        .arg(&services);
    run_for(&mut copy, 20).expect(0);
    let folder = services.join("pulse");
    let descriptor = std::fs::read_to_string(folder.join("service.yaml")).unwrap();
    let (rest, _) = descriptor.split_once("    verify:").expect("its checks");
    let checks = "    verify: [{ exec: { hook: hooks/there, within: 5 } }]\n";
    std::fs::write(folder.join("service.yaml"), format!("{rest}{checks}")).unwrap();
    let hook = format!("#!/bin/sh\ntest -e '{}' || exit 2\n", there.display());
    std::fs::write(folder.join("hooks/there"), hook).unwrap();
    let path = inventory(&laptop, (1, "tick"));
    let with = |command: &str| {
        let words = [
            command,
            text(&path),
            "--templates",
            text(&services),
            "--yes",
        ];
        laptop.run(&words)
    };

    with("deploy").expect(4);
    let again = with("deploy").expect(4);
    again.says(&["was not proved", "no change, but it does not"]);
    std::fs::write(&there, "").unwrap();
    with("deploy").expect(0).says(&["no change, and verified"]);
    with("deploy").expect(0).says(&["no change: "]);
    with("destroy").expect(0);
}
