//! Users with and without sudo.

use super::Done;
use super::folder::{hearts, services};
use crate::lab::hosts::{Lab, ssh_config};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};
use crate::lab::pty::on_a_terminal;

/// The hosts with another login name.
fn ssh(user: &str) -> String {
    format!("{{ config: {}, user: {user} }}", ssh_config().display())
}

/// Sudo that is denied, sudo that asks, and its password given on a terminal, right and wrong.
pub fn sudo(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    for user in ["nosudo", "pw"] {
        let inventory = Inventory {
            ssh: ssh(user),
            ..Inventory::new()
        };
        let inventory = laptop.inventory(&inventory.text());
        let ran = laptop.run(&["deploy", text(&inventory), "--yes"]).expect(3);
        ran.says(&[
            "pi1: sudo was denied",
            "pi5: sudo was denied",
            "--ask-become-pass",
        ]);
    }

    let folder = services();
    let usual = Inventory::new().ssh;
    let inventory = laptop.inventory(&hearts("tick").replace(&usual, &ssh("pw")));
    let words = |command| {
        vec![
            command,
            text(&inventory),
            "--templates",
            text(&folder),
            "--ask-become-pass",
            "--yes",
        ]
    };
    let wrong = on_a_terminal(&laptop.path("."), &words("plan"), "not-it").expect(3);
    assert!(
        !wrong.all().contains("not-it"),
        "the password is not shown: {}",
        wrong.all()
    );
    wrong.says(&["sudo was denied"]);
    let right = on_a_terminal(&laptop.path("."), &words("deploy"), "lab").expect(0);
    right.says(&["deployed and verified"]);
    on_a_terminal(&laptop.path("."), &words("status"), "lab")
        .expect(0)
        .says(&["tick"]);
    on_a_terminal(&laptop.path("."), &words("destroy"), "lab").expect(0);
    Done::Passed
}
