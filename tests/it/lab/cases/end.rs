//! A cluster is taken off its hosts, with its data and without.

use super::Done;
use super::clients::{consume_from, produce_to};
use super::folder::nothing_left;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::{Inventory, TOPIC};
use crate::lab::laptop::{Laptop, text};

/// `destroy --keep-data`, then a deploy: messages, ids and the cluster itself are the same.
pub fn keep_data(lab: &mut Lab) -> Done {
    if std::process::Command::new("kcat")
        .arg("-V")
        .output()
        .is_err()
    {
        return Done::Skipped("kcat is not installed: `apt-get install kcat`".to_owned());
    }
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    for partition in 0..10 {
        produce_to(TOPIC, "pi1", partition, &format!("kept {partition}"));
    }
    laptop
        .run(&["destroy", path, "--keep-data", "--yes"])
        .expect(0);
    for host in HOSTS {
        lab.on(
            host,
            "! systemctl cat kafka-broker 2>/dev/null && ! test -e /opt/kafka && ! pgrep java",
        );
        lab.on(host, "test -e /var/lib/kafka/broker/meta.properties");
    }
    laptop.deploy(&inventory).expect(0);
    for partition in 0..10 {
        let read = consume_from(TOPIC, "pi5", partition);
        assert!(
            read.contains(&format!("kept {partition}")),
            "{partition}: {read:?}"
        );
    }
    lab.is_deployed();
    Done::Passed
}

/// `destroy`: no file, unit, link, folder or line of a profile is left.
pub fn destroy(lab: &mut Lab) -> Done {
    lab.bare();
    let before: Vec<Vec<String>> = HOSTS.iter().map(|host| lab.everything(host)).collect();
    let profile = lab.on("pi1", "cat /etc/profile");
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let inventory = laptop.inventory(&Inventory::new().text());
    let path = text(&inventory);
    laptop.run(&["destroy", path]).expect(2).says(&["--yes"]);
    laptop.run(&["verify", path]).expect(0);
    laptop
        .run(&["destroy", path, "--yes"])
        .expect(0)
        .says(&["/var/lib/kafka/broker"]);
    for (host, before) in HOSTS.iter().zip(before) {
        nothing_left(host, &before, &lab.everything(host));
        lab.on(
            host,
            "! pgrep java && ! systemctl list-units --all --no-legend | grep -E 'kafka|zookeeper'",
        );
    }
    assert_eq!(profile, lab.on("pi1", "cat /etc/profile"));
    laptop
        .run(&["destroy", path, "--yes"])
        .expect(0)
        .says(&["no change"]);
    lab.is_bare();
    Done::Passed
}
