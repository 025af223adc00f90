//! Connections that stay between runs: the next one makes none, a host that was off is reached again, and they end
//! when they are told to.

use super::Done;
use crate::lab::hosts::{HOSTS, Lab, ssh_config};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, text};

/// How many logins a host has seen. The lab's own connection, by which it is asked, is one of them from the start on.
fn logins(lab: &Lab, host: &str) -> usize {
    let said = lab.on(
        host,
        "journalctl -q -o cat -u ssh | grep -c '^Accepted publickey for pi ' || true",
    );
    said.trim().parse().expect("a number")
}

/// No cluster is needed for that: commands are run on the hosts.
pub fn kept(lab: &mut Lab) -> Done {
    lab.bare();
    let laptop = Laptop::new();
    let inventory = Inventory {
        ssh: format!("{{ config: {}, persist: 5m }}", ssh_config().display()),
        ..Inventory::new()
    };
    let inventory = laptop.inventory(&inventory.text());
    // Not where this user's own connections are kept; in a short path.
    let runtime = tempfile::tempdir_in("/tmp").expect("a folder");
    let sdtd = |words: &[&str]| {
        let mut sdtd = laptop.sdtd(words);
        sdtd.env("XDG_RUNTIME_DIR", runtime.path());
        sdtd
    };
    let run = |words: &[&str]| Running::start(&mut sdtd(words)).wait(60);
    let exec = |command| sdtd(&["exec", "--", "sh", "-c", command]);
    let on_all = |code| Running::start(&mut exec("true")).wait(60).expect(code);

    let before = HOSTS.map(|host| logins(lab, host));
    on_all(0);
    on_all(0);
    on_all(0);
    for (host, before) in HOSTS.into_iter().zip(before) {
        assert_eq!(logins(lab, host), before + 1, "{host}: logins");
    }

    // Two runs at once: the second makes connections of its own.
    let first = Running::start(&mut exec("sleep 3"));
    on_all(0);
    first.wait(60).expect(0);
    let before = logins(lab, "pi1");
    on_all(0);
    assert_eq!(logins(lab, "pi1"), before, "none was made");

    // What was kept is dead: it is made anew.
    lab.run(&["kill", "pi2"]);
    lab.run(&["boot", "pi2"]);
    on_all(0);
    // Whoever is out of reach is named as ever.
    lab.run(&["kill", "pi3"]);
    on_all(3).says(&["pi3"]);
    lab.run(&["boot", "pi3"]);
    on_all(0);

    run(&["disconnect", text(&inventory)])
        .expect(0)
        .says(&["5 connections ended"]);
    run(&["disconnect"])
        .expect(0)
        .says(&["no connection was kept"]);
    let before = logins(lab, "pi1");
    on_all(0);
    assert_eq!(logins(lab, "pi1"), before + 1, "made anew");
    run(&["disconnect", "--json"])
        .expect(0)
        .says(&["{\"ended\":5}"]);
    Done::Passed
}
