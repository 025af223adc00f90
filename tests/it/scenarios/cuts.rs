//! Cut off at every single step, a run converges when it is run again: to the same state as one that was never
//! cut off, with all that must hold of every run held on the way.
//!
//! Where `SDTD_FULL=1` is set every step is cut off in every way; else each step in some ways.

use std::collections::BTreeMap;

use sdtd::id::HostName;
use sdtd::transport::fake::{FakeState, FaultKind};

use super::bench::Bench;
use super::in_no_time;
use super::sim::Sim;
use super::still::Still;
use super::watch::Rule;

/// The services of which most clusters are made.
const USUAL: &str = "\
cluster: usual
hosts: { a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3 }
services:
  zookeeper: { servers: 3 }
  kafka: { brokers: 3 }
";

/// Services that format their disks for a cluster id that was recorded before.
const FORMATTED: &str = "\
cluster: formatted
hosts: { a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3 }
services:
  kafka: { mode: kraft, brokers: 3 }
";

/// Services with all that a service may have: steps done once, reloads, a quorum, a package of their own.
const ODD: &str = "\
cluster: odd
hosts: { a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3 }
services:
  ring: { nodes: 3 }
  vault: { shards: [b, c], doors: 1 }
  lamp: { on: [a, c] }
";

/// How a run is cut off at a step.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// The step fails, or its host's link breaks.
    One(FaultKind),
    /// The run itself is killed: nothing happens any more from there on.
    Killed,
}

/// A cluster as it was before a run.
struct Before {
    hosts: BTreeMap<HostName, FakeState>,
    sim: Sim,
}

impl Before {
    fn of(bench: &Bench) -> Self {
        let hosts = bench.world.lock().expect("whole").hosts.clone();
        let sim = bench.sim.lock().expect("whole").clone();
        Self { hosts, sim }
    }

    fn restore(&self, bench: &Bench) {
        let mut world = bench.world.lock().expect("whole");
        world.hosts.clone_from(&self.hosts);
        world.done.clear();
        bench.sim.lock().expect("whole").clone_from(&self.sim);
    }
}

fn still(bench: &Bench) -> Still {
    Still::of(&bench.world.lock().expect("whole"))
}

fn rules(bench: &Bench, rules: Vec<Rule>) {
    bench.watch.lock().expect("whole").rules = rules;
}

/// Of how many steps one is cut off, and which comes first.
#[derive(Debug, Clone, Copy)]
pub struct Sample(pub usize, pub usize);

const ALL: Sample = Sample(1, 0);

impl Sample {
    fn steps(self, of: usize) -> impl Iterator<Item = usize> {
        let full = crate::full();
        let Self(each, first) = if full { ALL } else { self };
        (first..of).step_by(each)
    }
}

/// Cuts the next run off at its steps. The answer is how many it has.
pub async fn at_steps(bench: &mut Bench, cut: Cut, some: Sample) -> usize {
    let before = Before::of(bench);
    let whole = bench.deploy_at_once().await.expect("a plan");
    assert!(whole.report.is_done(), "{:?}", whole.report);
    let (end, steps) = (still(bench), whole.done.len());
    for at in some.steps(steps) {
        before.restore(bench);
        let rule = match cut {
            Cut::One(kind) => Rule::At(at, kind),
            Cut::Killed => Rule::From(at, FaultKind::LostBefore),
        };
        rules(bench, vec![rule]);
        let ran = bench.deploy_at_once().await.expect("a plan");
        assert!(
            !ran.report.is_done(),
            "step {at} was cut off and nobody noticed"
        );
        assert!(!ran.report.failed.is_empty(), "step {at}: no host is named");
        rules(bench, Vec::new());
        let again = bench.deploy_at_once().await.expect("a plan");
        let why = format!(
            "{cut:?} at step {at} of {steps}, after {:?}",
            ran.done.last()
        );
        assert!(again.report.is_done(), "{why}: {:?}", again.report);
        assert_eq!(still(bench), end, "{why}");
    }
    steps
}

fn first_deploy(inventory: &str, cut: Cut, some: Sample) {
    let mut bench = Bench::new();
    inventory.clone_into(&mut bench.inventory);
    let steps = in_no_time(at_steps(&mut bench, cut, some));
    assert!(steps > 60, "{steps}");
}

/// A change that restarts all members of two roles.
fn change(cut: Cut) {
    let mut bench = Bench::new();
    USUAL.clone_into(&mut bench.inventory);
    in_no_time(async {
        let first = bench.deploy_at_once().await.expect("a plan");
        assert!(first.report.is_done());
        let server = ("servers: 3", "servers: 3, config: { maxClientCnxns: 90 }");
        let broker = ("brokers: 3", "brokers: 3, config: { num.partitions: 6 }");
        for (old, new) in [server, broker] {
            bench.inventory = bench.inventory.replace(old, new);
        }
        assert_eq!(at_steps(&mut bench, cut, ALL).await, 21);
    });
}

/// A setting on its way by values in between, and back.
fn on_a_way(back: bool, cut: Cut, some: Sample) {
    let mut bench = Bench::new();
    let there = ("brokers: 3", "mode: kraft, brokers: 3");
    USUAL.clone_into(&mut bench.inventory);
    in_no_time(async {
        assert!(
            bench
                .deploy_at_once()
                .await
                .expect("a plan")
                .report
                .is_done()
        );
        bench.inventory = bench.inventory.replace(there.0, there.1);
        if back {
            assert!(
                bench
                    .deploy_at_once()
                    .await
                    .expect("a plan")
                    .report
                    .is_done()
            );
            USUAL.clone_into(&mut bench.inventory);
        }
        let steps = at_steps(&mut bench, cut, some).await;
        assert!(steps > 50, "{steps}");
    });
}

#[test]
fn a_way_is_gone_to_its_end_after_the_run_is_killed_at_any_step() {
    on_a_way(false, Cut::Killed, Sample(4, 0));
}

#[test]
fn a_way_is_gone_to_its_end_after_a_failure_of_any_step() {
    on_a_way(false, Cut::One(FaultKind::Fails), Sample(6, 1));
}

#[test]
fn a_way_is_gone_back_after_the_run_is_killed_at_any_step() {
    on_a_way(true, Cut::Killed, Sample(4, 1));
}

#[test]
fn a_way_is_gone_back_after_a_link_is_lost_after_any_step() {
    on_a_way(true, Cut::One(FaultKind::LostAfter), Sample(6, 0));
}

#[test]
fn a_first_deploy_converges_after_a_failure_of_any_step() {
    first_deploy(ODD, Cut::One(FaultKind::Fails), Sample(6, 0));
}

#[test]
fn a_first_deploy_converges_after_a_link_is_lost_before_any_step() {
    first_deploy(ODD, Cut::One(FaultKind::LostBefore), Sample(6, 1));
}

#[test]
fn a_first_deploy_converges_after_a_link_is_lost_after_any_step() {
    first_deploy(ODD, Cut::One(FaultKind::LostAfter), Sample(4, 0));
}

#[test]
fn a_first_deploy_converges_after_the_run_is_killed_at_any_step() {
    first_deploy(ODD, Cut::Killed, Sample(2, 1));
}

#[test]
fn a_first_deploy_of_the_usual_services_converges_after_the_run_is_killed_at_any_step() {
    first_deploy(USUAL, Cut::Killed, Sample(6, 2));
}

#[test]
fn a_first_deploy_that_formats_disks_converges_after_the_run_is_killed_at_any_step() {
    first_deploy(FORMATTED, Cut::Killed, Sample(6, 1));
}

#[test]
fn a_change_converges_after_a_failure_of_any_step() {
    change(Cut::One(FaultKind::Fails));
}

#[test]
fn a_change_converges_after_a_link_is_lost_before_any_step() {
    change(Cut::One(FaultKind::LostBefore));
}

#[test]
fn a_change_converges_after_a_link_is_lost_after_any_step() {
    change(Cut::One(FaultKind::LostAfter));
}

#[test]
fn a_change_converges_after_the_run_is_killed_at_any_step() {
    change(Cut::Killed);
}

/// Members that list each other become more or fewer.
const LISTED: &str = "\
cluster: listed
hosts: { a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3, d: 10.0.0.4, e: 10.0.0.5 }
services:
  zookeeper: { servers: [a] }
";

fn members(from: &str, to: &str, cut: Cut, some: Sample) {
    let text = |hosts: &str| LISTED.replace("[a]", hosts);
    resized((text(from), text(to)), cut, some, 30);
}

/// Members that hold data become more or fewer.
fn holders(from: &str, to: &str, cut: Cut, some: Sample) {
    let text = |n: &str| USUAL.replace("brokers: 3", &format!("brokers: {n}"));
    resized((text(from), text(to)), cut, some, 20);
}

/// From one inventory to another, in more than so many steps.
fn resized((from, to): (String, String), cut: Cut, some: Sample, least: usize) {
    let mut bench = Bench::new();
    bench.inventory = from;
    in_no_time(async {
        let first = bench.deploy_at_once().await.expect("a plan");
        assert!(first.report.is_done());
        bench.inventory = to;
        assert!(at_steps(&mut bench, cut, some).await > least);
    });
}

#[test]
fn shares_go_where_they_should_after_the_run_is_killed_at_any_step() {
    holders("1", "3", Cut::Killed, Sample(6, 1));
    holders("3", "1", Cut::Killed, Sample(6, 2));
    holders("3", "2", Cut::One(FaultKind::LostAfter), Sample(8, 0));
}

#[test]
fn growth_converges_after_the_run_is_killed_at_any_step() {
    members("[a]", "[a, b, c]", Cut::Killed, Sample(6, 0));
    members("[a, b, c]", "[a, b, c, d, e]", Cut::Killed, Sample(16, 1));
}

#[test]
fn growth_converges_after_a_failure_of_any_step() {
    members("[a]", "[a, b, c]", Cut::One(FaultKind::Fails), Sample(6, 2));
}

#[test]
fn shrinking_converges_after_the_run_is_killed_at_any_step() {
    members("[a, b, c]", "[a]", Cut::Killed, Sample(6, 1));
    members("[a, b, c, d, e]", "[a, b, c]", Cut::Killed, Sample(16, 3));
}

#[test]
fn shrinking_converges_after_a_link_is_lost_after_any_step() {
    members(
        "[a, b, c]",
        "[a]",
        Cut::One(FaultKind::LostAfter),
        Sample(6, 0),
    );
}

/// Members that vote by a list that their service keeps become more or fewer.
const VOTING: &str = "\
cluster: voting
hosts: { a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3, d: 10.0.0.4, e: 10.0.0.5 }
services:
  kafka: { mode: kraft, controllers: [a], brokers: [a, b] }
";

fn voters(from: &str, to: &str, cut: Cut, some: Sample) {
    let text = |hosts: &str| VOTING.replace("controllers: [a]", &format!("controllers: {hosts}"));
    resized((text(from), text(to)), cut, some, 12);
}

#[test]
fn voters_join_one_by_one_after_the_run_is_killed_at_any_step() {
    voters("[a]", "[a, b, c]", Cut::Killed, Sample(4, 0));
    voters("[a, b, c]", "[a, b, c, d, e]", Cut::Killed, Sample(8, 1));
    voters(
        "[a]",
        "[a, b, c]",
        Cut::One(FaultKind::LostAfter),
        Sample(4, 1),
    );
}

#[test]
fn voters_leave_one_by_one_after_the_run_is_killed_at_any_step() {
    voters("[a, b, c, d, e]", "[a, b, c]", Cut::Killed, Sample(6, 0));
    voters("[a, b, c]", "[b]", Cut::Killed, Sample(4, 1));
    voters("[a, b, c]", "[c]", Cut::One(FaultKind::Fails), Sample(6, 0));
}

#[test]
fn voters_are_all_replaced_after_the_run_is_killed_at_any_step() {
    voters("[a, b, c]", "[c, d, e]", Cut::Killed, Sample(8, 2));
    voters("[a]", "[e]", Cut::One(FaultKind::LostBefore), Sample(6, 1));
}

/// Brokers of an older version, whose protocol is held until the new one is finalized.
const OLDER: &str = "\
cluster: older
hosts: { a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3 }
services:
  zookeeper: { version: 3.6.2, servers: 3 }
  kafka: { version: 2.7.0, brokers: 3 }
";
const HELD: &str = "inter.broker.protocol.version=2.7";

/// Nobody speaks what the old version does not, as long as anybody has that.
fn all_understand_each_other(bench: &Bench) {
    let world = bench.world.lock().expect("whole");
    let text = |state: &FakeState, path: &str| state.files[path].text.clone();
    let (old, new): (Vec<_>, Vec<_>) = world.hosts.values().partition(|state| {
        text(state, "/etc/systemd/system/kafka-broker.service").contains("kafka-2.7.0")
    });
    let holds = |state: &&FakeState| text(state, "/etc/kafka/server.properties").contains(HELD);
    assert!(old.is_empty() || new.iter().all(holds));
}

/// A cluster on its way: what was deployed, and what is wanted now.
fn upgrading(wanted: &[&str], finalize: bool) -> Bench {
    let mut bench = Bench::new();
    OLDER.clone_into(&mut bench.inventory);
    in_no_time(async {
        assert!(
            bench
                .deploy_at_once()
                .await
                .expect("a plan")
                .report
                .is_done()
        );
        for (n, version) in wanted.iter().enumerate() {
            bench.inventory = OLDER.replace("2.7.0", version);
            if n + 1 < wanted.len() || finalize {
                assert!(
                    bench
                        .deploy_at_once()
                        .await
                        .expect("a plan")
                        .report
                        .is_done()
                );
            }
        }
    });
    if finalize {
        bench.finalize.insert("kafka".parse().expect("a service"));
    }
    bench
}

fn upgrade(wanted: &[&str], finalize: bool, cut: Cut, some: Sample) {
    let mut bench = upgrading(wanted, finalize);
    assert!(in_no_time(at_steps(&mut bench, cut, some)) > 6);
}

#[test]
fn a_new_version_converges_after_the_run_is_killed_at_any_step() {
    upgrade(&["3.9.1"], false, Cut::Killed, Sample(4, 0));
    upgrade(
        &["3.9.1"],
        false,
        Cut::One(FaultKind::LostAfter),
        Sample(8, 1),
    );
}

#[test]
fn going_back_converges_after_the_run_is_killed_at_any_step() {
    upgrade(&["3.9.1", "2.7.0"], false, Cut::Killed, Sample(6, 0));
}

#[test]
fn finalizing_converges_after_the_run_is_killed_at_any_step() {
    upgrade(&["3.9.1"], true, Cut::Killed, Sample(2, 0));
    upgrade(&["3.9.1"], true, Cut::One(FaultKind::Fails), Sample(6, 1));
}

/// Whatever was done before the run was killed, the next one may go the other way.
#[test]
fn a_new_version_that_is_killed_at_any_step_can_go_back() {
    let mut bench = upgrading(&["3.9.1"], false);
    in_no_time(async {
        let before = Before::of(&bench);
        let steps = bench.plan().await.expect("a plan").plan.steps();
        for at in Sample(6, 1).steps(steps) {
            before.restore(&bench);
            bench.inventory = OLDER.replace("2.7.0", "3.9.1");
            rules(&bench, vec![Rule::From(at, FaultKind::LostBefore)]);
            let ran = bench.deploy_at_once().await.expect("a plan");
            assert!(!ran.report.is_done(), "step {at}");
            all_understand_each_other(&bench);
            rules(&bench, Vec::new());
            OLDER.clone_into(&mut bench.inventory);
            let back = bench.deploy_at_once().await.expect("a plan");
            assert!(back.report.is_done(), "step {at}: {:?}", back.report);
            all_understand_each_other(&bench);
        }
    });
}

/// A second roll that was killed is not forgotten: a plain run ends it, and nothing goes back.
#[test]
fn finalizing_that_is_killed_is_ended_by_the_next_run_and_never_undone() {
    let mut bench = upgrading(&["3.9.1"], true);
    in_no_time(async {
        let before = Before::of(&bench);
        let finalize = std::mem::take(&mut bench.finalize);
        for at in 1..8 {
            before.restore(&bench);
            bench.finalize.clone_from(&finalize);
            bench.inventory = OLDER.replace("2.7.0", "3.9.1");
            rules(&bench, vec![Rule::From(at, FaultKind::LostBefore)]);
            let ran = bench.deploy_at_once().await.expect("a plan");
            assert!(!ran.report.is_done(), "step {at}");
            rules(&bench, Vec::new());
            bench.finalize.clear();
            OLDER.clone_into(&mut bench.inventory);
            let back = bench.deploy_at_once().await;
            assert!(back.is_err(), "step {at}: it went back");
            bench.inventory = OLDER.replace("2.7.0", "3.9.1");
            let again = bench.deploy_at_once().await.expect("a plan");
            assert!(again.report.is_done(), "step {at}: {:?}", again.report);
            let world = bench.world.lock().expect("whole");
            let text = |state: &FakeState| state.files["/etc/kafka/server.properties"].text.clone();
            assert!(!world.hosts.values().any(|state| text(state).contains(HELD)));
        }
    });
}

/// A board is replaced: its instances come back empty, behind the gates.
fn replaced(inventory: &str, cut: Cut, some: Sample) {
    let mut bench = Bench::new();
    inventory.clone_into(&mut bench.inventory);
    in_no_time(async {
        let first = bench.deploy_at_once().await.expect("a plan");
        assert!(first.report.is_done());
        bench.on("b", |state| {
            *state = FakeState {
                memory_mb: state.memory_mb,
                time: state.time,
                ..FakeState::default()
            };
        });
        bench.replace = Some("b".parse().expect("a host"));
        assert!(at_steps(&mut bench, cut, some).await > 30);
    });
}

#[test]
fn a_replaced_board_converges_after_the_run_is_killed_at_any_step() {
    replaced(USUAL, Cut::Killed, Sample(3, 0));
    replaced(FORMATTED, Cut::Killed, Sample(3, 2));
}

#[test]
fn a_replaced_board_converges_after_a_failure_of_any_step() {
    replaced(USUAL, Cut::One(FaultKind::Fails), Sample(6, 0));
    replaced(FORMATTED, Cut::One(FaultKind::LostAfter), Sample(6, 1));
}

/// Hosts are rebooted one after another; the run is killed at any of its steps, and the same command goes on.
#[test]
fn maintenance_converges_after_the_run_is_killed_at_any_step() {
    let mut bench = Bench::new();
    USUAL.clone_into(&mut bench.inventory);
    in_no_time(async {
        let first = bench.deploy_at_once().await.expect("a plan");
        assert!(first.report.is_done());
        let before = Before::of(&bench);
        let hosts = ["a", "b", "c"];
        bench.maintain(&hosts, "reboot").await.expect("done");
        let steps = bench.done.len();
        assert!(steps >= 12, "{:?}", bench.done);
        for at in 0..steps {
            before.restore(&bench);
            rules(&bench, vec![Rule::From(at, FaultKind::LostBefore)]);
            assert!(bench.maintain(&hosts, "reboot").await.is_err(), "step {at}");
            rules(&bench, Vec::new());
            bench.maintain(&hosts, "reboot").await.expect("done");
        }
    });
}
