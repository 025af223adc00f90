//! How long it takes to plan 50 and 200 hosts: an inventory's text in, a first plan of every step out, nothing asked.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sdtd::catalogue::Catalogue;
use sdtd::facts::HostFacts;
use sdtd::id::Arch;
use sdtd::inventory::{Loaded, load};
use sdtd::plan::plan_of_facts;

/// The longest that the plan of 200 hosts may take.
const LIMIT: Duration = Duration::from_millis(50);
/// How often each is made.
const RUNS: usize = 15;

type Failed = Box<dyn std::error::Error>;

/// A broker on every host and five ZooKeeper servers.
fn inventory(hosts: usize) -> String {
    let mut text = "cluster: large\nhosts:\n".to_owned();
    for n in 1..=hosts {
        let _ = writeln!(text, "  h{n}: {{ address: h{n}.local, memory: 2G }}");
    }
    let _ = writeln!(
        text,
        "services:\n  zookeeper: {{ servers: 5 }}\n  kafka: {{ brokers: {hosts} }}"
    );
    text
}

fn bare(loaded: &Loaded) -> BTreeMap<sdtd::id::HostName, HostFacts> {
    let hosts = loaded.cluster.hosts.values();
    let facts = hosts.map(|host| {
        let mut facts = HostFacts::bare(host.name.as_str(), Arch::Aarch64, 2048);
        facts
            .resolves
            .insert(host.name.to_string(), host.address.clone());
        (host.name.clone(), facts)
    });
    facts.collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What reading the inventory takes, and planning.
fn measure(hosts: usize, catalogue: &Catalogue) -> Result<(Duration, Duration, usize), Failed> {
    let (text, env) = (inventory(hosts), BTreeMap::new());
    let (mut reads, mut plans, mut steps) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let began = Instant::now();
        let loaded = load(Path::new("large.yaml"), Some(&text), catalogue, &env)?;
        reads.push(began.elapsed());
        let facts = bare(&loaded);
        let began = Instant::now();
        let plan = plan_of_facts(&loaded.cluster, catalogue, &facts)?;
        plans.push(began.elapsed());
        let batches = plan.waves.iter().flat_map(|wave| &wave.batches);
        steps = batches.map(|batch| batch.steps.len()).sum();
    }
    Ok((median(reads), median(plans), steps))
}

fn main() -> Result<ExitCode, Failed> {
    let catalogue = Catalogue::load(&[])?;
    println!("| hosts | steps | inventory read | planned | goal | |\n|---|---|---|---|---|---|");
    let mut good = true;
    for (hosts, limit) in [(50, None), (200, Some(LIMIT))] {
        let (read, plan, steps) = measure(hosts, &catalogue)?;
        let kept = limit.is_none_or(|limit| plan < limit);
        good &= kept;
        let goal = limit.map_or_else(String::new, |l| format!("below {} ms", l.as_millis()));
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let verdict = if kept { "ok" } else { "MISSED" };
        println!(
            "| {hosts} | {steps} | {:.1} ms | {:.1} ms | {goal} | {verdict} |",
            ms(read),
            ms(plan)
        );
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
