//! The commands of scenarios.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sdtd::error::Failure;
use sdtd::event::Problem;
use sdtd::facts::{FileFact, Listener};
use sdtd::flow::Planned;
use sdtd::plan::goals::{self, Selection};
use sdtd::plan::packages::Packages;
use sdtd::plan::show::{Detail, masked, show};
use sdtd::transport::fake::FaultKind;

use super::bench::{Bench, Ran, is_unit_step};
use super::file::Command;
use super::watch::Rule;

/// Does a command; the answer is what it shows.
pub async fn run(bench: &mut Bench, command: &Command) -> String {
    let words = command.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let given = || command.given.clone().unwrap_or_default();
    match words[..] {
        ["inventory"] => bench.inventory = given(),
        ["change", old, "to", new] => change(bench, old, new),
        ["plan"] => return plan(bench, Detail::Usual).await,
        ["plan", "full"] => return plan(bench, Detail::Full).await,
        ["plan", "unseen"] => _ = plan(bench, Detail::Full).await,
        ["deploy"] => return deploy(bench).await,
        ["stop" | "start" | "restart" | "destroy", ..] => return power(bench, &words).await,
        ["steps", host] => return steps(bench, host),
        ["received"] => return received(bench),
        ["numbers"] => return numbers(bench),
        ["topics"] => return topics(bench),
        ["laptop"] => bench.new_laptop(),
        ["told", text] => return told(bench, text),
        _ => return on_host(bench, &words, &given()),
    }
    String::new()
}

/// Commands that change a host or what happens there.
fn on_host(bench: &mut Bench, words: &[&str], given: &str) -> String {
    match *words {
        ["memory", host, mb] => {
            bench.on(host, |state| {
                state.memory_mb = mb.parse().expect("a number")
            });
        }
        ["kill", host] => bench.on(host, |state| {
            state.dead = true;
            state
                .units
                .values_mut()
                .for_each(|unit| unit.active = false);
        }),
        ["boot", host] => boot(bench, host),
        ["crash", unit, host] => bench.on(host, |state| {
            state.units.get_mut(unit).expect("there").active = false;
        }),
        ["mute", unit, host] => {
            let key = (host.parse().expect("a host"), unit.to_owned());
            bench.sim.lock().expect("whole").mute.insert(key);
        }
        ["unmute"] => bench.sim.lock().expect("whole").mute.clear(),
        ["edit", host, path] => edit(bench, host, path, given),
        ["remove", host, path] => bench.on(host, |state| _ = state.files.remove(path)),
        ["listen", host, address, port, process] => bench.on(host, |state| {
            let (pid, process) = (Some(4711), Some(process.to_owned()));
            let port = port.parse().expect("a port");
            state.listening.push(Listener {
                address: address.to_owned(),
                port,
                pid,
                process,
            });
        }),
        ["format", host, format] => record_format(bench, host, format),
        ["half", host] => bench.on(host, |state| {
            state.incoming.values_mut().for_each(|have| *have /= 2);
        }),
        ["leader", unit, host] => {
            let host = host.parse().expect("a host");
            bench
                .sim
                .lock()
                .expect("whole")
                .leaders
                .insert(unit.to_owned(), host);
        }
        ["when", unit, host, "leader", next] => {
            let (host, next) = (host.parse().expect("a host"), next.parse().expect("a host"));
            bench
                .sim
                .lock()
                .expect("whole")
                .moves
                .insert((unit.to_owned(), host), next);
        }
        ["fault", "none"] => bench.watch.lock().expect("whole").rules.clear(),
        ["fault", kind, text] => rule(bench, Rule::Like(text.to_owned(), fault_kind(kind))),
        ["interrupt", text] => rule(bench, Rule::Interrupt(text.to_owned())),
        ["uninterrupt"] => {
            let mut watch = bench.watch.lock().expect("whole");
            watch.stop = sdtd::exec::Stop::default();
            watch.rules.clear();
        }
        _ => panic!("no such command: {words:?}"),
    }
    String::new()
}

fn rule(bench: &Bench, rule: Rule) {
    bench.watch.lock().expect("whole").rules.push(rule);
}

fn fault_kind(word: &str) -> FaultKind {
    match word {
        "fails" => FaultKind::Fails,
        "lost-before" => FaultKind::LostBefore,
        "lost-after" => FaultKind::LostAfter,
        other => panic!("no such fault: {other}"),
    }
}

fn change(bench: &mut Bench, old: &str, new: &str) {
    assert!(
        bench.inventory.contains(old),
        "the inventory has no `{old}`"
    );
    bench.inventory = bench.inventory.replace(old, new);
}

/// A host is on again: what is enabled starts, with the files that are there.
fn boot(bench: &Bench, host: &str) {
    bench.on(host, |state| {
        state.dead = false;
        let files = state.files.clone();
        for (unit, fact) in state.units.iter_mut().filter(|(_, fact)| fact.enabled) {
            let end = format!("/units/{unit}/wanted");
            let wanted = files.iter().find(|(path, _)| path.ends_with(&end));
            fact.running = wanted.map(|(_, file)| file.text.trim().to_owned());
            fact.active = true;
            fact.pid = fact.pid.map(|pid| pid + 1);
        }
    });
}

fn edit(bench: &Bench, host: &str, path: &str, text: &str) {
    bench.on(host, |state| {
        let fresh = FileFact {
            text: String::new(),
            mode: "0644".to_owned(),
            owner: "root".to_owned(),
        };
        text.clone_into(&mut state.files.entry(path.to_owned()).or_insert(fresh).text);
    });
}

fn record_format(bench: &Bench, host: &str, format: &str) {
    bench.on(host, |state| {
        let record = |path: &&String| path.ends_with("/record.json");
        let path = state.files.keys().find(record).expect("a record").clone();
        let file = state.files.get_mut(&path).expect("there");
        file.text = file
            .text
            .replace("\"format\": 1", &format!("\"format\": {format}"));
    });
}

async fn plan(bench: &mut Bench, detail: Detail) -> String {
    match bench.plan().await {
        Ok(planned) => {
            let text = show(&planned.plan, detail);
            let json = serde_json::to_string(&masked(&planned.plan)).expect("it can be written");
            bench.told.extend([text.as_str(), json.as_str()]);
            text
        }
        Err(failure) => refused(&failure),
    }
}

async fn deploy(bench: &mut Bench) -> String {
    match bench.deploy().await {
        Ok(ran) => summary(&ran),
        Err(failure) => refused(&failure),
    }
}

fn refused(failure: &Failure) -> String {
    format!("exit {}: {failure}", failure.kind.code())
}

async fn power(bench: &mut Bench, words: &[&str]) -> String {
    let (flow, _collected) = bench.flow();
    let facts = match flow.facts().await {
        Ok(facts) => facts,
        Err(failure) => return refused(&failure),
    };
    let (packages, resources) = (Packages::new(), Vec::new());
    let input = flow.input(&facts, &packages, &resources);
    let what = Selection(words[1..].iter().map(|word| (*word).to_owned()).collect());
    let plan = match words[0] {
        "stop" => goals::stop(input, &what),
        "start" => goals::start(input, &what),
        "restart" => goals::restart(input, &what),
        _ => goals::destroy(input, words.contains(&"--keep-data")),
    };
    if plan.is_empty() {
        return "nothing to do".to_owned();
    }
    bench.watch.lock().expect("whole").power = words[0] != "restart";
    let ran = bench
        .apply(Planned {
            plan,
            files: BTreeMap::new(),
            facts,
        })
        .await;
    bench.watch.lock().expect("whole").power = false;
    summary(&ran)
}

/// What came of a run: the order of units, how much else, and what failed.
fn summary(ran: &Ran) -> String {
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
fn steps(bench: &Bench, host: &str) -> String {
    let start = format!("{host}: ");
    let here = bench
        .done
        .iter()
        .filter_map(|line| line.strip_prefix(&start));
    here.map(|line| format!("{line}\n")).collect()
}

fn received(bench: &Bench) -> String {
    let world = bench.world.lock().expect("whole");
    let line = |(host, state): (&sdtd::id::HostName, &sdtd::transport::fake::FakeState)| {
        format!("{host}: {} bytes\n", state.bytes_received)
    };
    world.hosts.iter().map(line).collect()
}

/// The numbers that the hosts' records give the instances; the same on all hosts.
fn numbers(bench: &Bench) -> String {
    let world = bench.world.lock().expect("whole");
    let mut texts = Vec::new();
    for state in world.hosts.values() {
        let record = state
            .files
            .iter()
            .find(|(path, _)| path.ends_with("/record.json"));
        let record: sdtd::facts::Record =
            serde_json::from_str(&record.expect("a record").1.text).expect("readable");
        let mut out = String::new();
        for (id, number) in &record.placement {
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

fn topics(bench: &Bench) -> String {
    let sim = bench.sim.lock().expect("whole");
    let topics = sim.topics.iter();
    topics
        .map(|(name, topic)| format!("{name}: {} partitions\n", topic.partitions))
        .collect()
}

/// How often a text stands in all that was told.
fn told(bench: &Bench, text: &str) -> String {
    match bench.told.matches(text).count() {
        0 => format!("`{text}` was never told"),
        _ => format!("`{text}` was told"),
    }
}
