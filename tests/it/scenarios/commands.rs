//! The commands of scenarios.

use std::fmt::Write as _;

use sdtd::error::Failure;
use sdtd::event::Problem;
use sdtd::facts::{FileFact, Listener};
use sdtd::flow::{Planned, plan_failure};
use sdtd::plan::check::Verdict;
use sdtd::plan::goals::{self, Selection};
use sdtd::plan::live::LiveOf;
use sdtd::plan::mend::mend;
use sdtd::plan::packages::Packages;
use sdtd::plan::planner;
use sdtd::plan::show::{Detail, masked, show};
use sdtd::plan::{Input, Plan, Step, UnitChange};
use sdtd::transport::fake::{FakeState, FaultKind};

use super::bench::Bench;
use super::file::Command;
use super::live;
use super::shown::{numbers, received, steps, summary, told, topics};
use super::sim::Health;
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
        ["check"] => return check(bench).await,
        ["mend"] => return mended(bench).await,
        ["deploy"] => return deploy(bench).await,
        ["deploy", "--accept-unavailable"] => {
            bench.accepts_outage = true;
            let shown = deploy(bench).await;
            bench.accepts_outage = false;
            return shown;
        }
        ["deploy", "--min-isr-only"] => {
            bench.roll.least = true;
            let shown = deploy(bench).await;
            bench.roll.least = false;
            return shown;
        }
        ["deploy", "--max-unavailable", width] => return wide(bench, width).await,
        ["deploy", "--anew", id] => {
            let ids = id.split(',').map(|id| id.parse().expect("an instance"));
            bench.anew.extend(ids);
            let shown = deploy(bench).await;
            bench.anew.clear();
            return shown;
        }
        ["deploy", "--replace", host] => {
            bench.replace = Some(host.parse().expect("a host"));
            let shown = deploy(bench).await;
            bench.replace = None;
            return shown;
        }
        ["deploy", "--replace", host, "--with", by] => return takes_place(bench, host, by).await,
        ["finalize", service] => {
            bench.finalize.insert(service.parse().expect("a service"));
            let shown = deploy(bench).await;
            bench.finalize.clear();
            return shown;
        }
        ["migrate", "--finalize", service] => {
            bench.ends.insert(service.parse().expect("a service"));
            let shown = deploy(bench).await;
            bench.ends.clear();
            return shown;
        }
        ["stop" | "start" | "restart" | "rollback" | "destroy", ..] => {
            return power(bench, &words).await;
        }
        ["maintain", ref hosts @ .., "--", command] => {
            return maintain(bench, hosts, command).await;
        }
        ["text", host, path] => {
            let world = bench.world.lock().expect("whole");
            let host: sdtd::id::HostName = host.parse().expect("a host");
            let file = world.hosts[&host].files.get(path);
            let text = file.map_or("(no such file)", |file| &file.text);
            return text.lines().map(|line| format!("  | {line}\n")).collect();
        }
        ["steps", host] => return steps(bench, host),
        ["received"] => return received(bench),
        ["leaving"] => return leaving(bench).await,
        ["numbers"] => return numbers(bench),
        ["topics"] => return topics(bench),
        ["given"] => return live::given(bench),
        ["given", host, key, value] => live::give(bench, host, key, value),
        ["older"] => live::older(bench),
        ["laptop"] => bench.new_laptop(),
        ["told", text] => return told(bench, text),
        _ => return host_is(bench, &words, &given()),
    }
    String::new()
}

/// Commands that change what a host is like.
fn host_is(bench: &mut Bench, words: &[&str], given: &str) -> String {
    match *words {
        ["memory", host, mb] => {
            bench.on(host, |state| {
                state.memory_mb = mb.parse().expect("a number")
            });
        }
        ["clock", host, seconds] => bench.on(host, |state| {
            state.time += seconds.parse::<i64>().expect("a number");
        }),
        ["arch", host, name] => {
            let arch = sdtd::id::Arch::from_debian(name).expect("an architecture");
            bench.on(host, |state| state.arch = Some(arch));
        }
        ["swappiness", host, n] => {
            bench.on(host, |state| state.swappiness = n.parse().ok());
        }
        ["rename", old, new] => {
            let mut world = bench.world.lock().expect("whole");
            let state = world.hosts.remove(old);
            let new = new.parse().expect("a host");
            world.hosts.insert(new, state.expect("there"));
        }
        ["old", host] => old_record(bench, host),
        ["knows", host, name, at] => bench.on(host, |state| {
            let at = (at != "not").then(|| at.to_owned());
            state.names.insert(name.to_owned(), at);
        }),
        ["cut", host, yes] => bench.on(host, |state| state.cut_off = yes == "yes"),
        ["nameless", host] => bench.on(host, |state| state.nameless = true),
        ["quiet", host] => bench.on(host, |state| state.listening.clear()),
        _ => return on_host(bench, words, given),
    }
    String::new()
}

/// Commands that change what is on a host or what happens there.
fn on_host(bench: &mut Bench, words: &[&str], given: &str) -> String {
    match *words {
        ["kill", host] => bench.on(host, |state| {
            state.dead = true;
            state
                .units
                .values_mut()
                .for_each(|unit| unit.active = false);
        }),
        ["boot", host] => boot(bench, host),
        ["ready"] => ready(bench),
        ["crash", unit, host] => bench.on(host, |state| {
            state.units.get_mut(unit).expect("there").active = false;
        }),
        ["edit", host, path] => edit(bench, host, path, given),
        ["wipe", host, folder] => bench.on(host, |state| {
            let below = format!("{folder}/");
            state.files.retain(|path, _| !path.starts_with(&below));
        }),
        ["replace", host] => bench.on(host, |state| {
            *state = FakeState {
                memory_mb: state.memory_mb,
                time: state.time,
                ..FakeState::default()
            };
        }),
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
        ["damage", host, package] => bench.on(host, |state| {
            let is_of = |tree: &&String| tree.starts_with(package);
            let tree = state.store.iter().find(is_of).expect("a tree").clone();
            state.damaged.insert(tree);
        }),
        ["deep", yes] => bench.deep = yes == "yes",
        ["seed", text] => text.clone_into(&mut bench.seed),
        ["fault", "none"] => bench.watch.lock().expect("whole").rules.clear(),
        ["fault", kind, text] => rule(bench, Rule::Like(text.to_owned(), fault_kind(kind))),
        ["interrupt", text] => rule(bench, Rule::Interrupt(text.to_owned())),
        ["uninterrupt"] => {
            let mut watch = bench.watch.lock().expect("whole");
            watch.stop = sdtd::exec::Stop::default();
            watch.rules.clear();
        }
        _ => in_cluster(bench, words),
    }
    String::new()
}

/// Commands that change what services make of it.
fn in_cluster(bench: &Bench, words: &[&str]) {
    let mut sim = bench.sim.lock().expect("whole");
    match *words {
        ["mute", unit, host] => {
            let key = (host.parse().expect("a host"), unit.to_owned());
            sim.mute.insert(key);
        }
        ["break", unit, host] => {
            let key = (host.parse().expect("a host"), unit.to_owned());
            let pid = bench.world.lock().expect("whole").hosts[host].units[unit].pid;
            sim.broken.insert(key, pid);
        }
        ["alone", id, what] => {
            let id = id.parse().expect("an instance");
            sim.alone.insert(id, what.to_owned());
        }
        ["single", "none"] => sim.alone.clear(),
        ["forbid", why] => sim.forbidden = Some(why.to_owned()),
        ["allow"] => sim.forbidden = None,
        ["unmute"] => sim.mute.clear(),
        ["leader", unit, host] => {
            let host = host.parse().expect("a host");
            sim.leaders.insert(unit.to_owned(), host);
        }
        ["when", unit, host, "leader", next] => {
            let (host, next) = (host.parse().expect("a host"), next.parse().expect("a host"));
            sim.moves.insert((unit.to_owned(), host), next);
        }
        _ => panic!("no such command: {words:?}"),
    }
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

/// What `maintain` does, and in which order.
async fn maintain(bench: &mut Bench, words: &[&str], command: &str) -> String {
    let accepts = words.first() == Some(&"--accept-unavailable");
    bench.accepts_outage = accepts;
    let ended = bench
        .maintain(&words[usize::from(accepts)..], command)
        .await;
    bench.accepts_outage = false;
    match ended {
        Ok(()) => bench.done.iter().map(|line| format!("{line}\n")).collect(),
        Err(failure) => refused(&failure),
    }
}

/// A host is on again.
fn boot(bench: &Bench, host: &str) {
    bench.on(host, FakeState::reboot);
}

/// Time passes: all that runs answers.
fn ready(bench: &Bench) {
    let world = bench.world.lock().expect("whole");
    let mut sim = bench.sim.lock().expect("whole");
    for (host, state) in &world.hosts {
        for unit in state.units.keys() {
            while sim.health(&world, host, unit, true) == Health::Starting
                && !sim.is_broken(&world, host, unit)
            {}
        }
    }
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

/// The record of a version that did not say how hosts are reached.
fn old_record(bench: &Bench, host: &str) {
    bench.on(host, |state| {
        let record = |path: &&String| path.ends_with("/record.json");
        let path = state.files.keys().find(record).expect("a record").clone();
        let file = state.files.get_mut(&path).expect("there");
        let mut json: serde_json::Value = serde_json::from_str(&file.text).expect("readable");
        json.as_object_mut().expect("a record").remove("hosts");
        file.text = serde_json::to_string_pretty(&json).expect("it can be written") + "\n";
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

/// What is not well before anything changes, and how many things are.
async fn check(bench: &mut Bench) -> String {
    let (mut flow, _collected) = bench.flow();
    let (facts, _) = flow.ask_facts().await;
    let packages = Packages::new();
    let checks = planner::checks(flow.input(&facts, &packages, &[])).expect("it renders");
    let passed = checks.iter().filter(|c| c.verdict == Verdict::Pass).count();
    let others = checks.iter().filter(|c| c.verdict != Verdict::Pass);
    let mut out = String::new();
    for one in others {
        let help = one.help.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "{:?} {}: {}: {}\n  help: {help}",
            one.verdict, one.what, one.host, one.found
        );
    }
    format!("{out}{passed} passed")
}

/// What `check --apply` shows and does.
async fn mended(bench: &mut Bench) -> String {
    let (mut flow, _collected) = bench.flow();
    let (facts, _) = flow.ask_facts().await;
    let packages = Packages::new();
    let input = flow.input(&facts, &packages, &[]);
    let plan = mend(input, &planner::checks(input).expect("it renders"));
    let shown = show(&plan, Detail::Usual);
    let ran = bench.apply(Planned::of(plan, facts)).await;
    format!("{shown}{}", summary(&ran))
}

async fn deploy(bench: &mut Bench) -> String {
    match bench.deploy().await {
        Ok(ran) => summary(&ran),
        Err(failure) => refused(&failure),
    }
}

/// Another host takes a dead one's place; refused, it takes nobody's.
async fn takes_place(bench: &mut Bench, host: &str, by: &str) -> String {
    let before = bench.sim.lock().expect("whole").clone();
    bench.takes_place(host, by);
    let shown = deploy(bench).await;
    bench.with = None;
    if shown.starts_with("exit ") {
        *bench.sim.lock().expect("whole") = before;
    }
    shown
}

fn watch_wide(bench: &Bench, number: usize) {
    let mut watch = bench.watch.lock().expect("whole");
    (watch.most, watch.wide) = (0, number);
}

/// With as many members down at once as is said of all roles, or of one.
async fn wide(bench: &mut Bench, text: &str) -> String {
    let (role, number) = text.split_once('=').unwrap_or(("", text));
    let number: u16 = number.parse().expect("a number");
    match role {
        "" => bench.roll.width = Some(number),
        role => _ = bench.roll.widths.insert(role.to_owned(), number),
    }
    watch_wide(bench, usize::from(number));
    let shown = deploy(bench).await;
    bench.watch.lock().expect("whole").wide = 1;
    bench.roll = sdtd::plan::roll::Roll::default();
    let most = bench.watch.lock().expect("whole").most;
    assert!(most <= usize::from(number), "{most} were down at once");
    format!("{shown}down at once: {most}\n")
}

fn refused(failure: &Failure) -> String {
    format!("exit {}: {failure}", failure.kind.code())
}

async fn power(bench: &mut Bench, words: &[&str]) -> String {
    let (mut flow, _collected) = bench.flow();
    flow.back = words[0] == "rollback";
    let facts = match flow.facts().await {
        Ok(facts) => facts,
        Err(failure) => return refused(&failure),
    };
    let (packages, resources) = (Packages::new(), Vec::new());
    let live = match words[0] {
        "rollback" => flow.live(&facts).await.expect("it renders"),
        _ => LiveOf::new(),
    };
    let input = flow.input(&facts, &packages, &resources);
    let input = Input {
        live: &live,
        ..input
    };
    let what = Selection(words[1..].iter().map(|word| (*word).to_owned()).collect());
    let plan = match words[0] {
        "stop" => goals::stop(input, &what),
        "start" => goals::start(input, &what),
        "restart" => goals::restart(input, &what),
        "rollback" => match planner::plan(input) {
            Ok(plan) => plan,
            Err(error) => return refused(&plan_failure(error)),
        },
        _ => goals::destroy(input, words.contains(&"--keep-data")),
    };
    let lost: String = flow.told_lost().iter().map(problem_text).collect();
    if words[0] == "destroy" && !words.contains(&"--keep-data") {
        assert!(
            stops(&plan).all(|within| within <= 30),
            "nobody waits for what goes"
        );
    }
    if plan.is_empty() {
        return format!("nothing to do\n{lost}");
    }
    bench.watch.lock().expect("whole").power = !matches!(words[0], "restart" | "rollback");
    let ran = bench.apply(Planned::of(plan, facts)).await;
    bench.watch.lock().expect("whole").power = false;
    summary(&ran) + &lost
}

/// The seconds that each unit has to stop in.
fn stops(plan: &Plan) -> impl Iterator<Item = u64> {
    let batches = plan.waves.iter().flat_map(|wave| &wave.batches);
    let steps = batches.flat_map(|batch| &batch.steps);
    steps.filter_map(|step| match step {
        Step::Unit {
            to: UnitChange::Stop,
            within,
            ..
        } => Some(*within),
        _ => None,
    })
}

/// What is known of hosts that the inventory no longer names.
async fn leaving(bench: &mut Bench) -> String {
    let (mut flow, _collected) = bench.flow();
    let (facts, _) = flow.ask_facts().await;
    let mut out: String = flow
        .told_leaving(&flow.placement(&facts))
        .iter()
        .map(problem_text)
        .collect();
    let view = flow.view(&facts);
    for member in &view.leaving {
        let runs = facts[&member.id.host].runs(&member.unit);
        let state = if runs { "runs" } else { "does not run" };
        let _ = writeln!(out, "{}: {state}", member.id);
    }
    let others = view.members.iter().map(|member| member.id.to_string());
    let _ = writeln!(out, "expected: {}", others.collect::<Vec<_>>().join(", "));
    out
}

fn problem_text(problem: &Problem) -> String {
    let help = problem.help.iter().map(|help| format!("  help: {help}\n"));
    format!("{}\n{}", problem.cause, help.collect::<String>())
}
