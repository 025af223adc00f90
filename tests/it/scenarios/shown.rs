//! What commands of scenarios show.

use std::fmt::Write as _;

use sdtd::event::Problem;

use super::bench::{Bench, Ran};
use super::still::is_unit_step;

/// What came of a run: the order of units, how much else, and what failed.
pub fn summary(ran: &Ran) -> String {
    let mut out = String::new();
    let mut other = 0;
    let mut order: Vec<(String, Vec<String>)> = Vec::new();
    for line in &ran.done {
        if !is_unit_step(&ran.plan, line) {
            other += 1;
            continue;
        }
        let (host, step) = line.split_once(": ").unwrap_or_default();
        match order.last_mut() {
            Some((last, hosts)) if last == step => hosts.push(host.to_owned()),
            _ => order.push((step.to_owned(), vec![host.to_owned()])),
        }
    }
    for (step, mut hosts) in order {
        // A roll has an order; what is done at once has none.
        if !step.starts_with("restart") {
            hosts.sort();
        }
        let _ = writeln!(out, "{step}: {}", hosts.join(", "));
    }
    for (host, problems) in &ran.report.failed {
        problems
            .iter()
            .for_each(|one| problem(&mut out, &format!("failed on {host}"), one));
    }
    ran.report
        .general
        .iter()
        .for_each(|one| problem(&mut out, "failed", one));
    let what = match (
        ran.plan.is_empty(),
        ran.report.interrupted,
        ran.report.is_done(),
    ) {
        (true, ..) => "no change".to_owned(),
        (_, true, _) => format!("interrupted: {} steps done", ran.done.len()),
        (_, _, true) => format!("done: {} other steps", other),
        _ => format!("not done: {other} other steps"),
    };
    let _ = writeln!(out, "{what}");
    out
}

fn problem(out: &mut String, who: &str, problem: &Problem) {
    let _ = writeln!(out, "{who}: {}", problem.cause);
    problem
        .log
        .iter()
        .for_each(|line| _ = writeln!(out, "  | {line}"));
    problem
        .help
        .iter()
        .for_each(|help| _ = writeln!(out, "  help: {help}"));
}

/// The steps that the last run did on a host.
pub fn steps(bench: &Bench, host: &str) -> String {
    let start = format!("{host}: ");
    let here = bench
        .done
        .iter()
        .filter_map(|line| line.strip_prefix(&start));
    here.map(|line| format!("{line}\n")).collect()
}

/// How much of packages was sent to each host.
pub fn received(bench: &Bench) -> String {
    let world = bench.world.lock().expect("whole");
    let line = |(host, state): (&sdtd::id::HostName, &sdtd::transport::fake::FakeState)| {
        format!("{host}: {} bytes\n", state.bytes_received)
    };
    world.hosts.iter().map(line).collect()
}

/// The numbers that the hosts' records give the instances; the same on all hosts that are on.
pub fn numbers(bench: &Bench) -> String {
    let world = bench.world.lock().expect("whole");
    let mut texts = Vec::new();
    for state in world.hosts.values().filter(|state| !state.dead) {
        let record = state
            .files
            .iter()
            .find(|(path, _)| path.ends_with("/record.json"));
        let record: sdtd::facts::Record =
            serde_json::from_str(&record.expect("a record").1.text).expect("readable");
        let mut out = String::new();
        for (id, number) in record.placement.iter() {
            let number = number.map_or("-".to_owned(), |n| n.to_string());
            let _ = writeln!(out, "{id}: {number}");
        }
        texts.push(out);
    }
    assert!(
        texts.windows(2).all(|two| two[0] == two[1]),
        "the records differ"
    );
    texts.pop().unwrap_or_default()
}

/// The topics that were made.
pub fn topics(bench: &Bench) -> String {
    let sim = bench.sim.lock().expect("whole");
    let topics = sim.topics.iter();
    topics
        .map(|(name, topic)| format!("{name}: {} partitions\n", topic.partitions))
        .collect()
}

/// How often a text stands in all that was told.
pub fn told(bench: &Bench, text: &str) -> String {
    match bench.told.matches(text).count() {
        0 => format!("`{text}` was never told"),
        _ => format!("`{text}` was told"),
    }
}
