//! A service of the user's own: a folder of a few lines of shell, and nothing in the program knows it.

use std::path::PathBuf;

use super::Done;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Ran, text};

/// The folder of services that comes with these tests.
pub fn services() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/lab/services")
}

/// The inventory of hearts that say a word.
pub fn hearts(word: &str) -> String {
    let services = format!("services:\n  pulse: {{ on: [pi1, pi2, pi3], word: {word} }}\n");
    Inventory::new().with_services(&services)
}

/// Deployed, verified, left alone, changed, stopped and started, and gone without a trace.
pub fn folder(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let folder = services();
    let with =
        |words: &[&str]| -> Ran { laptop.run(&[words, &["--templates", text(&folder)]].concat()) };
    let inventory = laptop.inventory(&hearts("tick"));
    let path = text(&inventory);
    let before: Vec<Vec<String>> = HOSTS.iter().map(|host| lab.everything(host)).collect();
    let profile = lab.on("pi1", "cat /etc/profile");

    with(&["deploy", path, "--yes", "--json"]).expect(0);
    with(&["verify", path]).expect(0).says(&["tick"]);
    with(&["plan", path, "--check"]).expect(0);
    with(&["status", path])
        .expect(0)
        .says(&["pulse.heart@pi1", "tick"]);
    lab.on(
        "pi2",
        "su - pi -c 'test -x $PULSE_HOME/bin/pulse && command -v pulse'",
    );

    laptop.inventory(&hearts("tock"));
    with(&["plan", path, "--check"])
        .expect(10)
        .says(&["- word='tick'", "+ word='tock'"]);
    let changed = with(&["deploy", path, "--yes", "--json"])
        .expect(0)
        .events();
    assert_eq!(changed.count("transfer"), 0, "the package is there already");
    assert_eq!(changed.order("restart pulse.heart").len(), 3);
    with(&["verify", path]).expect(0).says(&["tock"]);

    with(&["stop", path, "--yes"]).expect(0);
    with(&["status", path]).expect(4);
    with(&["start", path, "--yes"]).expect(0);
    with(&["status", path]).expect(0).says(&["tock"]);

    with(&["destroy", path, "--yes"]).expect(0);
    let after: Vec<Vec<String>> = HOSTS.iter().map(|host| lab.everything(host)).collect();
    for ((host, before), after) in HOSTS.iter().zip(before).zip(after) {
        nothing_left(host, &before, &after);
    }
    assert_eq!(profile, lab.on("pi1", "cat /etc/profile"));
    with(&["destroy", path, "--yes"]).expect(0);
    Done::Passed
}

/// Users and their groups may stay: files that a user made elsewhere may belong to them.
pub fn nothing_left(host: &str, before: &[String], after: &[String]) {
    let of_users = [
        "/etc/passwd",
        "/etc/group",
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/subuid",
        "/etc/subgid",
        "/etc/.pwd.lock",
    ];
    let allowed = |path: &str| {
        of_users.iter().any(|file| path.starts_with(file))
            || path.starts_with("/var/log/")
                && !path.contains("pulse")
                && !path.contains("kafka")
                && !path.contains("zookeeper")
    };
    let left: Vec<&String> = after
        .iter()
        .filter(|path| !before.contains(path) && !allowed(path))
        .collect();
    assert!(left.is_empty(), "left on {host}: {left:#?}");
}
