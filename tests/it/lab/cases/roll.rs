//! One setting of a live cluster is changed: one broker at a time, and nothing is ever missing.

use super::Done;
use crate::lab::hosts::{HOSTS, KEEPERS, Lab};
use crate::lab::inventory::{Inventory, TOPIC};
use crate::lab::laptop::{Laptop, text};
use crate::lab::observer::{Observer, Seen};

/// `queued.max.requests` needs a restart of each broker.
pub fn roll(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    lab.deployed(&laptop);
    lab.spoiled();
    let changed = Inventory {
        requests: 401,
        ..Inventory::new()
    };
    let inventory = laptop.inventory(&changed.text());
    let path = text(&inventory);
    let plan = laptop.run(&["plan", "--check", path]).expect(10);
    // On each broker: twins of one change may be shown once for all of them.
    let removed = plan.stdout.matches("- queued.max.requests=400").count();
    let added = plan.stdout.matches("+ queued.max.requests=401").count();
    assert!(
        removed >= 1 && added >= 1,
        "the line's diff:\n{}",
        plan.stdout
    );
    for host in HOSTS {
        assert!(
            plan.stdout.contains(host),
            "{host} is in the plan:\n{}",
            plan.stdout
        );
    }
    let controller = controller(&laptop, path);
    let before = lab.starts();

    let observer = Observer::start(TOPIC);
    let ran = laptop.deploy(&inventory);
    let (ports, replicas) = observer.stop();
    let ran = ran.expect(0);

    for seen in &ports {
        assert!(seen.down.len() <= 1, "down at once: {seen:?}");
    }
    let was_down = |host: &str| ports.iter().any(|seen| seen.down.contains(&host));
    let bitten = HOSTS.iter().filter(|host| was_down(host)).count();
    assert!(
        bitten >= 3,
        "the watch must see restarts, or it proves nothing: {bitten}"
    );
    let told: Vec<&Seen> = replicas
        .iter()
        .filter(|seen| seen.least.is_some())
        .collect();
    assert!(told.len() > 50, "the watch saw only {} answers", told.len());
    for seen in &told {
        assert!(seen.least >= Some(2), "in sync: {seen:?}");
    }

    let order = ran.events().order("restart kafka.broker");
    assert_eq!(order.len(), HOSTS.len(), "{order:?}");
    assert_eq!(
        order.last(),
        Some(&controller),
        "the controller goes last: {order:?}"
    );
    let after = lab.starts();
    for host in KEEPERS {
        let unit = format!("zookeeper-server@{host}");
        assert_eq!(before[&unit], after[&unit], "{unit} was left alone");
    }
    for host in HOSTS {
        let unit = format!("kafka-broker@{host}");
        assert!(before[&unit] < after[&unit], "{unit} was restarted");
        stopped_when_whole(lab, host, &replicas);
    }
    laptop.expect_settled(&inventory);
    back(lab, &laptop);
    Done::Passed
}

/// The last look before a broker's stop found every replica in sync.
fn stopped_when_whole(lab: &Lab, host: &str, replicas: &[Seen]) {
    let text = "systemctl show --value -p ActiveExitTimestampMonotonic kafka-broker";
    let stop: u64 = lab.on(host, text).trim().parse().expect("a time");
    let last = replicas
        .iter()
        .rfind(|seen| seen.at + seen.took < stop && seen.least.is_some());
    let last = last.expect("a look before the stop");
    let age = (stop - last.at) / 1000;
    assert!(
        last.is_whole(),
        "{host} was stopped {age} ms after this was seen: {last:?}"
    );
    assert!(
        age < 2000,
        "{host}: nothing was seen in the {age} ms before its stop"
    );
}

fn controller(laptop: &Laptop, path: &str) -> String {
    let status = laptop.run(&["status", "--json", path]).expect(0);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("a document");
    let all = status["instances"].as_array().expect("instances");
    let is = |i: &&serde_json::Value| {
        i["role"]
            .as_str()
            .is_some_and(|r| r.starts_with("controller"))
    };
    let name = all
        .iter()
        .find(is)
        .and_then(|i| i["instance"].as_str())
        .expect("a controller");
    name.rsplit('@').next().unwrap_or_default().to_owned()
}

/// The usual cluster again, for the cases that follow.
fn back(lab: &mut Lab, laptop: &Laptop) {
    let inventory = laptop.inventory(&Inventory::new().text());
    laptop.deploy(&inventory).expect(0);
    lab.is_deployed();
}
