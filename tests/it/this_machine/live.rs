//! Settings that brokers take while they run: none of them is restarted, and what they were given hides nothing.

use super::{
    CURRENT, Cleared, Line, OTHERS, first_address, inventory, is_chosen, is_wanted, processes, tool,
};
use crate::lab::laptop::{Laptop, text};

#[test]
fn settings_that_brokers_take_while_they_run() {
    if is_chosen("live") {
        changed_while_they_run(&CURRENT);
    }
}

/// The same with the other lines of versions, one after another, where `SDTD_FULL=1` is set; `SDTD_LINE=2` takes
/// one of them.
#[test]
fn settings_that_brokers_of_other_lines_take_while_they_run() {
    let line = std::env::var("SDTD_LINE").ok().and_then(|n| n.parse().ok());
    let full = crate::full();
    let others = (0..).zip(&OTHERS).filter(|(n, _)| full || line == Some(*n));
    let others = others.filter(|(n, _)| line.is_none_or(|line| line == *n));
    for (_, line) in others.filter(|_| is_wanted()) {
        changed_while_they_run(line);
    }
}

fn changed_while_they_run(line: &Line) {
    let laptop = Laptop::new();
    let path = inventory(&laptop, line, "num.io.threads: 4");
    let cleared = Cleared(&laptop, path.clone());
    laptop.run(&["deploy", text(&path), "--yes"]).expect(0);
    let brokers = Brokers {
        laptop: &laptop,
        line,
        server: format!("--bootstrap-server {}:9092", first_address(&path)),
    };
    let began = processes(&laptop);

    brokers.change("num.io.threads: 6, log.retention.hours: 24");
    assert_eq!(processes(&laptop), began, "nobody is restarted");
    brokers.have("num.io.threads=6");
    brokers.have("log.retention.ms=86400000");

    somebody_else(&brokers);
    assert_eq!(processes(&laptop), began, "nobody is restarted");

    brokers.change("num.io.threads: 6");
    let own = brokers.own(1);
    assert!(
        !own.contains("log.retention"),
        "its file counts again: {own}"
    );
    assert_eq!(processes(&laptop), began, "nobody is restarted");

    too_far(&brokers);
    let restarted = processes(&laptop);
    brokers.change("num.io.threads: 10, num.network.threads: 9");
    brokers.change("num.io.threads: 5, num.network.threads: 9");
    brokers.change("num.network.threads: 9");
    brokers.have("num.io.threads=4");
    assert_eq!(processes(&laptop), restarted, "nobody is restarted");
    laptop.run(&["verify"]).expect(0);
    laptop.run(&["destroy", "--yes"]).expect(0);
    drop(cleared);
}

/// What somebody gave a broker hides what the inventory names; what it does not name is theirs.
fn somebody_else(brokers: &Brokers<'_>) {
    let alter = format!(
        "kafka-configs.sh {} --alter --entity-type brokers",
        brokers.server
    );
    let give = |values: &str| {
        let line = format!("{alter} --entity-name 2 --add-config {values}");
        tool(brokers.laptop, &line);
    };
    give("num.io.threads=11,background.threads=5");
    let planned = brokers.laptop.run(&["plan", "--check"]).expect(10);
    planned.says(&["@n2: num.io.threads 11 -> 6"]);
    brokers.laptop.run(&["deploy", "--yes"]).expect(0);
    brokers.have("num.io.threads=6");
    let own = brokers.own(2);
    assert!(own.contains("background.threads=5"), "{own}");
    assert!(!own.contains("num.io.threads=11"), "{own}");
}

/// Too far for brokers that run: they are restarted one after another, and keep nothing that hides their file.
fn too_far(brokers: &Brokers<'_>) {
    let config = "num.io.threads: 20, num.network.threads: 9";
    inventory(brokers.laptop, brokers.line, config);
    let ran = brokers.laptop.run(&["deploy", "--yes", "--json"]).expect(0);
    let events = ran.events();
    let order = ["broker", "node"].map(|role| events.order(&format!("restart kafka.{role}")));
    assert_eq!(order.concat().len(), 3, "{order:?}");
    brokers
        .laptop
        .run(&["deploy"])
        .expect(0)
        .says(&["no change"]);
    brokers.have("num.io.threads=20");
    for broker in 1..=3 {
        let own = brokers.own(broker);
        assert!(!own.contains("num.io.threads"), "{own}");
        assert!(!own.contains("log.retention"), "{own}");
    }
}

/// Three brokers and what is asked of them.
struct Brokers<'a> {
    laptop: &'a Laptop,
    line: &'a Line,
    server: String,
}

impl Brokers<'_> {
    /// Deploys other settings while they run, and again with nothing to do.
    fn change(&self, config: &str) {
        inventory(self.laptop, self.line, config);
        let planned = self.laptop.run(&["plan", "--check"]).expect(10);
        planned.says(&["it is changed while it runs"]);
        self.laptop.run(&["deploy", "--yes"]).expect(0);
        self.laptop.run(&["deploy"]).expect(0).says(&["no change"]);
    }

    fn describe(&self, broker: u32, how: &str) -> String {
        let words = format!("--describe --entity-type brokers --entity-name {broker} {how}");
        tool(
            self.laptop,
            &format!("kafka-configs.sh {} {words}", self.server),
        )
    }

    /// What a broker was given while it ran.
    fn own(&self, broker: u32) -> String {
        self.describe(broker, "")
    }

    /// Each of them runs with that.
    fn have(&self, value: &str) {
        for broker in 1..=3 {
            let all = self.describe(broker, "--all");
            let has = |line: &str| line.trim().starts_with(&format!("{value} "));
            assert!(
                all.lines().any(has),
                "broker {broker} has no {value}:\n{all}"
            );
        }
    }
}
