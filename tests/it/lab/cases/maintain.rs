//! All hosts are rebooted one after another, while clients write and read.

use super::Done;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, text};
use crate::lab::load::Load;
use crate::lab::say;

/// How long five reboots may take, in seconds.
const ALL: u64 = 900;

/// Each host is on another boot afterwards, nothing is lost, and everything is whole.
pub fn maintain(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    let boots = |lab: &Lab| HOSTS.map(|host| lab.on(host, "cat /proc/sys/kernel/random/boot_id"));
    let before = boots(lab);
    let mut load = Load::start(&laptop, &inventory, "reboots");
    load.mark_begin();
    let words = ["maintain", "--all", "-i", path, "--yes", "--", "reboot"];
    let ran = Running::start(&mut laptop.sdtd(&words)).wait(ALL).expect(0);
    load.mark_end();
    let verdict = load.done();
    say(&format!(
        "maintain: {:.1} s, {verdict:?}",
        ran.took.as_secs_f64()
    ));
    for (host, (old, new)) in HOSTS.iter().zip(before.iter().zip(boots(lab))) {
        assert_ne!(old, &new, "{host} is on the same boot");
    }
    laptop.expect_settled(&inventory);

    // A command that does not reboot, and one that fails: nothing stays down for it.
    let on = ["maintain", "pi1", "-i", path, "--yes", "--"];
    let starts = lab.starts();
    laptop
        .run(&[&on[..], &["touch", "/root/maintained"]].concat())
        .expect(0);
    lab.on("pi1", "rm /root/maintained");
    let after = lab.starts();
    assert!(starts["kafka-broker@pi1"] < after["kafka-broker@pi1"]);
    assert_eq!(starts["kafka-broker@pi2"], after["kafka-broker@pi2"]);
    let failed = laptop
        .run(&[&on[..], &["echo too bad; exit 3"]].concat())
        .expect(1);
    failed.says(&["pi1", "ended with exit 3", "too bad"]);
    laptop.run(&["status", path]).expect(0);
    laptop.expect_settled(&inventory);
    lab.is_deployed();
    Done::Passed
}
