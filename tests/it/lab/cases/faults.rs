//! What goes wrong on a host: a port that is taken, a package that arrives damaged, a broker that dies.

use std::collections::BTreeSet;

use super::Done;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::{Inventory, TOPIC};
use crate::lab::laptop::{Laptop, text};

/// Another program on a broker's port is named, and nothing is changed.
pub fn port(lab: &mut Lab) -> Done {
    lab.bare();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    let listen = "systemd-run --quiet --unit squatter perl -MIO::Socket::INET -e \
        '@s = IO::Socket::INET->new(Listen => 1, LocalPort => 9092, ReuseAddr => 1) or die; sleep 600'";
    lab.on("pi2", listen);
    lab.on(
        "pi2",
        "for i in 1 2 3 4 5 6 7 8 9; do ss -Hltn | grep -q :9092 && exit; sleep 0.2; done; exit 1",
    );
    let ran = laptop.run(&["deploy", text(&inventory), "--yes"]).expect(1);
    ran.says(&[
        "pi2: port 9092",
        "kafka.broker@pi2",
        "`perl` (process ",
        "stop it there",
    ]);
    for host in HOSTS {
        lab.on(host, "! test -e /opt/sdtd");
    }
    lab.on("pi2", "systemctl stop squatter");
    laptop.run(&["plan", text(&inventory)]).expect(0);
    Done::Passed
}

/// What lies in the arriving file is not what was sent: it is sent again, and no half of it is installed.
pub fn damaged(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());
    let saved = laptop.path("plan.json");
    laptop
        .run(&["plan", text(&inventory), "--out", text(&saved)])
        .expect(0);
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&saved).expect("a plan")).expect("JSON");
    let sums: Vec<&str> = plan["files"]
        .as_object()
        .expect("files")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(sums.len(), 3, "{sums:?}");
    for (host, size) in [("pi1", "1M"), ("pi3", "200M")] {
        for sum in &sums {
            lab.on(host, &format!(
                "mkdir -p /opt/sdtd/incoming && head -c {size} /dev/zero >/opt/sdtd/incoming/{sum}.part"
            ));
        }
    }
    // What an unpacking left that was cut off.
    for name in &stores(&plan) {
        let half = format!("/opt/sdtd/store/.new-4711-{name}");
        lab.on(
            "pi2",
            &format!("mkdir -p {half}/libs && echo half >{half}/libs/some.jar"),
        );
    }
    laptop.deploy(&inventory).expect(0);
    for host in HOSTS {
        let left = lab.on(host, "ls -A /opt/sdtd/incoming");
        assert_eq!(left, "", "on {host}");
        let halves = lab.on(
            host,
            "find /opt/sdtd/store -name '.new-*' -o -name some.jar",
        );
        assert_eq!(halves, "", "on {host}");
    }
    laptop.expect_settled(&inventory);
    lab.is_deployed();
    Done::Passed
}

/// The names under which a plan's packages are kept.
fn stores(plan: &serde_json::Value) -> BTreeSet<String> {
    let each =
        |value: &serde_json::Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let waves = each(&plan["plan"], "waves");
    let batches = waves.iter().flat_map(|wave| each(wave, "batches"));
    let steps = batches.flat_map(|batch| each(&batch, "steps"));
    let store =
        |step: serde_json::Value| Some(step["store"].as_str()?.rsplit('/').next()?.to_owned());
    steps.filter_map(store).collect()
}

/// A setting that upstream refuses kills the first broker that gets it: its own words are shown, the others
/// are not touched, and the right setting brings everything back.
pub fn dies(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let before = lab.starts();
    let wrong = Inventory {
        more: ", num.partitions: -1",
        ..Inventory::new()
    };
    let inventory = laptop.inventory(&wrong.text());
    let ran = laptop.run(&["deploy", text(&inventory), "--yes"]).expect(1);
    ran.says(&[
        "dies at start",
        "num.partitions",
        "its log is /var/log/kafka",
    ]);
    let after = lab.starts();
    let touched: Vec<&String> = before
        .keys()
        .filter(|unit| before[*unit] != after[*unit])
        .collect();
    assert_eq!(touched.len(), 1, "only one was touched: {touched:?}");
    assert!(touched[0].starts_with("kafka-broker@"), "{touched:?}");
    laptop.run(&["status", text(&inventory)]).expect(4);

    let right = laptop.inventory(&Inventory::new().text());
    let ran = laptop.deploy(&right).expect(0);
    assert_eq!(ran.events().sum()["headline"], "deployed and verified");
    let again = lab.starts();
    for unit in before.keys().filter(|unit| *unit != touched[0]) {
        assert_eq!(before[unit], again[unit], "{unit} was left alone");
    }
    laptop.expect_settled(&right);
    let topic = laptop.run(&["topics", "describe", TOPIC, text(&right)]);
    topic.expect(0);
    lab.is_deployed();
    Done::Passed
}
