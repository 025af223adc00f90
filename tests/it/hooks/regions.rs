//! What moves the regions off a server and back, and what becomes of the balancer meanwhile.

use std::fs;

use super::Bench;
use crate::golden::project;

const DRAIN: &str = "hbase/hooks/drain.sh";
const FILL: &str = "hbase/hooks/fill.sh";
const LEAVE: &str = "hbase/hooks/leave.sh";

/// A server beside two others, with a balancer that is on; `mover` is what moves its regions.
fn bench(mover: &str) -> Bench {
    let bench = Bench::new().with("SDTD_PORT_REGION", "16020");
    let template = project("templates/hbase/balancer.sh.j2");
    let text = fs::read_to_string(template).expect("the template");
    let line = text.lines().find(|line| line.starts_with("OTHERS="));
    let text = text.replace(line.expect("a number"), "OTHERS=2");
    bench.file("config/tools/balancer.sh", &text);
    bench.file("config/tools/run.sh", include_str!("regions.sh"));
    bench.file("config/data/tools/Balancer.class", "");
    bench.file("config/data/balancer", "on\n");
    bench.file("config/data/mover", mover);
    bench
}

fn text(bench: &Bench, name: &str) -> String {
    let text = fs::read_to_string(bench.path("config/data").join(name));
    text.unwrap_or_default().trim().to_owned()
}

#[test]
fn the_balancer_is_off_until_the_regions_are_back() {
    let bench = bench("exit 0");
    assert_eq!(bench.run(DRAIN).0, Some(0));
    assert_eq!(text(&bench, "balancer"), "off");
    assert_eq!(bench.run(FILL).0, Some(0));
    assert_eq!(text(&bench, "balancer"), "on");
    assert_eq!(text(&bench, "balancer-was"), "");
}

#[test]
fn one_that_was_off_stays_off() {
    let bench = bench("exit 0");
    bench.file("config/data/balancer", "off\n");
    assert_eq!(bench.run(DRAIN).0, Some(0));
    assert_eq!(bench.run(FILL).0, Some(0));
    assert_eq!(text(&bench, "balancer"), "off");
}

#[test]
fn the_balancer_is_as_it_was_where_the_regions_could_not_be_moved() {
    for mover in ["exit 1", "kill -TERM $PPID; exit 0"] {
        let bench = bench(mover);
        assert_eq!(bench.run(DRAIN).0, Some(1), "{mover}");
        assert_eq!(text(&bench, "balancer"), "on", "{mover}");
        assert_eq!(text(&bench, "balancer-was"), "", "{mover}");
    }
}

#[test]
fn what_was_killed_is_put_right_by_what_fills() {
    let bench = bench("kill -KILL $PPID");
    assert_eq!(bench.run(DRAIN).0, None);
    assert_eq!(text(&bench, "balancer"), "off");
    assert_eq!(bench.run(FILL).0, Some(0));
    assert_eq!(text(&bench, "balancer"), "on");
}

#[test]
fn nothing_is_moved_to_one_that_the_master_gives_no_regions_yet() {
    let bench = bench("exit 0");
    assert_eq!(bench.run(DRAIN).0, Some(0));
    bench.file("config/data/regions", "some\n");
    bench.file("config/data/silent", "");
    bench.file("config/data/mover", "echo moved");
    let (code, said) = bench.run(FILL);
    assert_eq!(code, Some(1), "{said}");
    assert!(!said.contains("moved"), "{said}");
    assert_eq!(text(&bench, "balancer"), "on");
    assert_eq!(text(&bench, "regions"), "some");

    fs::remove_file(bench.path("config/data/silent")).expect("removed");
    assert_eq!(bench.run(FILL).0, Some(0));
    assert_eq!(text(&bench, "regions"), "");
}

#[test]
fn one_that_was_to_leave_and_stays_is_given_regions_again() {
    let bench = bench("exit 0");
    assert_eq!(bench.run(LEAVE).0, Some(0));
    assert_eq!(text(&bench, "marked"), "leaves here:16020");
    assert_eq!(bench.run(FILL).0, Some(0));
    assert_eq!(text(&bench, "marked"), "stays here:16020");
    // It was never off.
    assert_eq!(text(&bench, "balancer"), "on");
    fs::remove_file(bench.path("config/data/marked")).expect("removed");
    assert_eq!(bench.run(FILL).0, Some(0));
    assert_eq!(text(&bench, "marked"), "");
}
