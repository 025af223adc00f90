//! Other ways to the same cluster: through a jump host, from another laptop, and from two at once.

use std::process::Command;

use super::Done;
use super::cuts::begin;
use crate::lab::hosts::{Lab, ssh_config};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, run_for, text};

/// All hosts but the first are reached through the first.
pub fn jump(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    let theirs = ssh_config();
    // First, since what stands behind a `Host` line holds for that host only.
    let config = format!(
        "Include {}\n\nHost 10.77.0.2 10.77.0.3 10.77.0.4 10.77.0.5\n  ProxyJump 10.77.0.1\n",
        theirs.display()
    );
    let config = laptop.write("jump_config", &config);
    let ssh = format!("{{ config: {} }}", config.display());
    let inventory = laptop.inventory(
        &Inventory {
            ssh,
            ..Inventory::new()
        }
        .text(),
    );
    let count = "journalctl -q --no-pager -o cat | grep -c 'Accepted publickey for pi from 10.77.0.1 ' || true";
    let before: u32 = lab.on("pi4", count).trim().parse().expect("a number");
    laptop.expect_settled(&inventory);
    laptop.run(&["verify", text(&inventory)]).expect(0);
    laptop.run(&["status", text(&inventory)]).expect(0);
    let after: u32 = lab.on("pi4", count).trim().parse().expect("a number");
    assert!(
        after >= before + 3,
        "each run came through the first host: {before} to {after}"
    );
    Done::Passed
}

/// The conformance scenarios, on one of the hosts beside the fake one and this machine.
pub fn conformance(lab: &mut Lab) -> Done {
    lab.bare();
    let mut tests = Command::new(std::env::current_exe().expect("these tests"));
    tests
        .args(["conformance::", "--nocapture"])
        .env("SDTD_TEST_SSH", "pi1")
        .env("SDTD_TEST_SSH_CONFIG", ssh_config());
    let ran = run_for(&mut tests, 120).expect(0);
    assert!(!ran.all().contains("SKIPPED"), "{}", ran.all());
    Done::Passed
}

/// What a laptop needs to know lies on the hosts: another one finds nothing to do.
pub fn laptop(lab: &mut Lab) -> Done {
    lab.deployed(&Laptop::new());
    let another = Laptop::new();
    let inventory = another.inventory(&Inventory::new().text());
    another.expect_settled(&inventory);
    let ran = another.deploy(&inventory).expect(0);
    assert_eq!(ran.events().count("step-finished"), 0);
    Done::Passed
}

/// Two at once: the second is told who is at work and since when, and changes nothing.
pub fn two(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let (first, second) = (Laptop::new(), Laptop::new());
    let usual = first.inventory(&Inventory::new().text());
    let other = Inventory {
        requests: 401,
        ..Inventory::new()
    };
    let other = second.inventory(&other.text());
    lab.run(&["limit", "pi1", "40"]);
    let mut running = begin(&first, &usual);
    running.until("packages are on their way", || lab.arrived("pi1") > 0);
    let refused = second.run(&["deploy", text(&other), "--yes"]).expect(5);
    assert!(!running.is_over(), "the first was at work meanwhile");
    refused.says(&[
        "the cluster is locked on pi",
        &format!("(process {}, run ", running.pid()),
        " s, last renewed ",
        "--lock-wait",
        "nothing was changed",
    ]);
    running.wait(180).expect(0);
    lab.run(&["limit", "pi1", "0"]);
    first.expect_settled(&usual);
    lab.is_deployed();
    Done::Passed
}
