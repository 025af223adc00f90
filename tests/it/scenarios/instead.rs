//! A host takes a dead one's place: cut off at its steps, the run converges when it is run again.

use sdtd::transport::fake::FaultKind;

use super::bench::Bench;
use super::cuts::{Cut, Sample, at_steps};
use super::in_no_time;

/// A host is dead for good, and another one takes its place.
fn taken(services: &str, cut: Cut, some: Sample) {
    let text = |hosts: &str, listed: &str| {
        let services = services.replace("LIST", listed);
        format!(
            "cluster: taken\nhosts: {{ a: 10.0.0.1, c: 10.0.0.3, d: 10.0.0.4{hosts} }}\nservices:\n{services}"
        )
    };
    let mut bench = Bench::new();
    bench.inventory = text(", b: 10.0.0.2", "[a, b, c]");
    in_no_time(async {
        let first = bench.deploy_at_once().await.expect("a plan");
        assert!(first.report.is_done());
        bench.on("b", |state| {
            state.dead = true;
            let units = state.units.values_mut();
            units.for_each(|unit| unit.active = false);
        });
        bench.inventory = text("", "[a, d, c]");
        bench.takes_place("b", "d");
        assert!(at_steps(&mut bench, cut, some).await > 40);
    });
}

const LISTED_USUAL: &str = "  zookeeper: { servers: LIST }\n  kafka: { brokers: LIST }\n";
const LISTED_VOTING: &str = "  kafka: { mode: kraft, controllers: LIST, brokers: LIST }\n";

#[test]
fn a_place_is_taken_after_the_run_is_killed_at_any_step() {
    taken(LISTED_USUAL, Cut::Killed, Sample(6, 0));
    taken(LISTED_VOTING, Cut::Killed, Sample(6, 1));
}

#[test]
fn a_place_is_taken_after_a_failure_of_any_step() {
    taken(LISTED_USUAL, Cut::One(FaultKind::Fails), Sample(10, 2));
    taken(LISTED_VOTING, Cut::One(FaultKind::LostAfter), Sample(10, 3));
}
