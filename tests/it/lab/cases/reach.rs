//! Hosts that can't be reached, and keys that are not what they should be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Done;
use crate::lab::hosts::{HOSTS, Lab, address, known_hosts, ssh_config};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};

/// Without a majority of the hosts nothing is changed: those that are off, or whose link is cut, are named soon.
pub fn unreachable(lab: &mut Lab) -> Done {
    lab.bare();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    lab.run(&["cut", "pi3"]);
    lab.run(&["cut", "pi4"]);
    lab.run(&["kill", "pi5"]);
    let ran = laptop.run(&["deploy", text(&inventory), "--yes"]).expect(3);
    assert!(ran.took < Duration::from_secs(25), "it took {:?}", ran.took);
    ran.says(&[
        "pi3: unreachable",
        "pi4: unreachable",
        "pi5: unreachable",
        "nothing was changed",
    ]);
    for host in ["pi1", "pi2"] {
        lab.on(host, "! test -e /opt/sdtd && ! test -e /var/lib/sdtd");
    }
    let status = laptop
        .run(&["status", text(&inventory), "--json"])
        .expect(3);
    assert!(
        status.took < Duration::from_secs(30),
        "it took {:?}",
        status.took
    );
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("a document");
    assert_eq!(
        status["unreachable"],
        serde_json::json!(["pi3", "pi4", "pi5"])
    );
    lab.run(&["join", "pi3"]);
    lab.run(&["join", "pi4"]);
    lab.run(&["boot", "pi5"]);
    laptop.run(&["plan", text(&inventory)]).expect(0);
    lab.is_bare();
    Done::Passed
}

/// One host is off, with a ZooKeeper server and a broker to be: the others are made all the same, and it alone
/// when it is back.
pub fn away(lab: &mut Lab) -> Done {
    lab.bare();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    lab.run(&["kill", "pi3"]);
    let words = ["deploy", path, "--yes"];
    laptop.run(&words).expect(3).says(&[
        "pi3: unreachable",
        "1 host out of reach",
        "kafka.broker@pi5",
    ]);
    for host in ["pi1", "pi2", "pi4", "pi5"] {
        lab.on(host, "systemctl is-active kafka-broker");
    }
    let again = laptop.run(&words).expect(3);
    again.says(&["pi3: unreachable", "no change"]);
    lab.run(&["boot", "pi3"]);
    let before = lab.starts();
    laptop.deploy(&inventory).expect(0);
    laptop.expect_settled(&inventory);
    let after = lab.starts();
    for (unit, began) in &before {
        let stays = unit.ends_with("pi3") || after.get(unit) == Some(began);
        assert!(stays, "{unit} was restarted");
    }
    lab.is_deployed();
    Done::Passed
}

/// A key that is not known is refused with the next step, and taken only when that is asked for; one that
/// changed is refused always.
pub fn keys(lab: &mut Lab) -> Done {
    lab.bare();
    let laptop = Laptop::new();
    let known = laptop.write("known_hosts", "");
    let config = config(&laptop, &known);
    let ssh = format!("{{ config: {} }}", config.display());
    let inventory = laptop.inventory(
        &Inventory {
            ssh,
            ..Inventory::new()
        }
        .text(),
    );
    let path = text(&inventory);

    let unknown = laptop.run(&["plan", path]).expect(3);
    for host in HOSTS {
        let named = format!("the key of {} is not known", address(host));
        assert!(unknown.all().contains(&named), "{}", unknown.all());
    }
    unknown.says(&["--accept-new", "ssh 10.77.0.1"]);
    assert_eq!(read(&known), "", "no key was taken");

    laptop.run(&["plan", path, "--accept-new"]).expect(0);
    let taken = read(&known);
    assert_eq!(taken.lines().count(), HOSTS.len(), "{taken}");
    laptop.run(&["plan", path]).expect(0);

    let wrong = with_anothers_key("pi2");
    std::fs::write(&known, &wrong).expect("the keys");
    for words in [vec!["plan", path], vec!["plan", path, "--accept-new"]] {
        let refused = laptop.run(&words).expect(3);
        refused.says(&["pi2: ", "CHANGED", "ssh-keygen -R 10.77.0.2"]);
        assert_eq!(read(&known), wrong, "the known keys are as they were");
    }
    for host in HOSTS {
        lab.on(host, "! test -e /opt/sdtd");
    }
    Done::Passed
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

/// The lab's ssh configuration with known hosts of our own.
fn config(laptop: &Laptop, known: &Path) -> PathBuf {
    let lab = read(&ssh_config());
    let theirs = format!("{}", known_hosts().display());
    let ours = lab
        .replace(&theirs, text(known))
        .replace("StrictHostKeyChecking yes", "");
    assert_ne!(lab, ours, "the lab's configuration names its known hosts");
    laptop.write("ssh_config", &ours)
}

/// All hosts' keys, but for one host the key of another.
fn with_anothers_key(host: &str) -> String {
    let all = read(&known_hosts());
    let key = |line: &str| line.split_once(' ').map(|(_, key)| key.to_owned());
    let of = |host: &str| {
        let address = address(host);
        let names = |line: &&str| {
            line.split(' ')
                .next()
                .is_some_and(|n| n.split(',').any(|n| n == address || n == host))
        };
        all.lines().find(names).and_then(key).expect("a key")
    };
    let mut text = String::new();
    for one in HOSTS {
        let whose = if one == host { "pi1" } else { one };
        text.push_str(&format!("{} {}\n", address(one), of(whose)));
    }
    text
}
