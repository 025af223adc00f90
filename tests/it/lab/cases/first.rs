//! A first deploy, and all that must hold after it.

use super::Done;
use crate::lab::hosts::{HOSTS, KEEPERS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};

/// Three ZooKeeper servers, five brokers and a topic; then a second run that does nothing at all.
pub fn first(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().text());

    let first = laptop.deploy(&inventory).expect(0);
    let events = first.events();
    assert_eq!(events.sum()["headline"], "deployed and verified");
    assert!(events.count("transfer") > 0, "packages were sent");
    let round_trip = events
        .named("checked")
        .any(|e| e["what"] == "round-trip" && e["outcome"]["outcome"] == "ok");
    assert!(round_trip, "a message went through each broker");

    let (starts, files) = (lab.starts(), managed(lab));
    let started = starts.values().filter(|at| **at > 0).count();
    assert_eq!(started, HOSTS.len() + KEEPERS.len(), "{starts:?}");
    let second = laptop.deploy(&inventory).expect(0);
    let events = second.events();
    let headline = events.sum()["headline"].as_str().unwrap_or_default();
    assert!(headline.starts_with("no change"), "{headline}");
    for kind in ["transfer", "step-finished", "batch-started", "wave-started"] {
        assert_eq!(events.count(kind), 0, "a second run has no `{kind}`");
    }
    laptop.expect_settled(&inventory);
    assert_eq!(starts, lab.starts(), "nothing was started again");
    assert_eq!(files, managed(lab), "no file was touched");

    roles_and_health(&laptop);
    laptop
        .run(&["verify", text(&inventory)])
        .expect(0)
        .says(&["verified"]);
    assert_eq!(starts, lab.starts(), "looking starts nothing");
    lab.is_deployed();
    Done::Passed
}

fn managed(lab: &Lab) -> Vec<String> {
    HOSTS.iter().map(|host| lab.managed(host)).collect()
}

/// The inventory is not named: it is the one that was deployed last.
fn roles_and_health(laptop: &Laptop) {
    let status = laptop.run(&["status", "--json"]).expect(0);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("a document");
    assert_eq!(status["healthy"], true, "{status}");
    let instances = status["instances"].as_array().expect("instances");
    let count = |what: &str, role: &str| {
        let is = |i: &&serde_json::Value| {
            let (name, is) = (i["instance"].as_str(), i["role"].as_str());
            name.is_some_and(|n| n.starts_with(what)) && is.is_some_and(|r| r.starts_with(role))
        };
        instances.iter().filter(is).count()
    };
    assert_eq!(count("zookeeper.server@", "leader"), 1, "{status}");
    assert_eq!(count("zookeeper.server@", "follower"), 2, "{status}");
    assert_eq!(count("kafka.broker@", "controller"), 1, "{status}");
    assert_eq!(count("kafka.broker@", "broker"), 4, "{status}");
}
