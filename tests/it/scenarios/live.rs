//! Fake brokers that are given settings while they run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sdtd::catalogue::LiveKey;
use sdtd::id::HostName;
use sdtd::kafka::config::Source;
use sdtd::kafka::live::{Alter, Judged, Kept, judge};
use sdtd::plan::Member;
use sdtd::plan::live::{Found, Live};
use sdtd::transport::fake::World;

use super::bench::Bench;
use super::sim::Sim;

/// What upstream's defaults are.
const DEFAULTS: [(&str, &str); 3] = [
    ("num.io.threads", "8"),
    ("log.retention.hours", "168"),
    ("message.max.bytes", "1048588"),
];

/// The file that a unit reads, where it is one that takes settings while it runs.
pub fn file(world: &World, host: &HostName, unit: &str) -> String {
    let suffix = ["kafka-broker", "kafka-node"].map(|name| unit.strip_prefix(name));
    let Some(suffix) = suffix.into_iter().flatten().next() else {
        return String::new();
    };
    let end = format!("/etc/kafka/server{suffix}.properties");
    let files = &world.hosts[host].files;
    let file = files.iter().find(|(path, _)| path.ends_with(&end));
    file.map(|(_, file)| file.text.clone()).unwrap_or_default()
}

/// What is found out of a member; the number of threads goes between half and double at once.
pub fn compare(sim: &Sim, member: &Member, live: &Live) -> Found {
    let Judged { alter, not, left } = judge(&kept(sim, member, live), live);
    let far = |one: &&Alter| {
        let number = |text: &str| text.parse::<u32>().unwrap_or(0);
        let (from, end) = (number(&one.from), number(&one.end));
        one.key.ends_with(".threads") && !one.in_the_way && (end > 2 * from || 2 * end < from)
    };
    let far = alter.iter().filter(far).map(Alter::to_string);
    Found {
        not: not.into_iter().chain(far).collect(),
        change: alter.iter().map(Alter::to_string).collect(),
        left,
    }
}

/// Gives a member what it shall have.
pub fn apply(sim: &mut Sim, member: &Member, live: &Live) {
    let judged = judge(&kept(sim, member, live), live);
    let given = sim.given.entry(member.id.clone()).or_default();
    for one in judged.alter {
        match one.to {
            Some(to) => given.insert(one.key, to),
            None => given.remove(&one.key),
        };
    }
}

fn kept(sim: &Sim, member: &Member, live: &Live) -> BTreeMap<String, Kept> {
    let key = (member.id.host.clone(), member.unit.clone());
    let file = sim.started_with.get(&key).cloned().unwrap_or_default();
    let lines: BTreeMap<&str, &str> = file.lines().filter_map(|l| l.split_once('=')).collect();
    let given = sim.given.get(&member.id);
    let one = |key: &LiveKey| {
        let name = key.key.as_str();
        let default = DEFAULTS.iter().find(|(key, _)| *key == name);
        let values = [
            (
                Source::Broker,
                given.and_then(|given| given.get(name)).cloned(),
            ),
            (
                Source::File,
                lines.get(name).map(|value| (*value).to_owned()),
            ),
            (
                Source::Default,
                default.map(|(_, value)| (*value).to_owned()),
            ),
        ];
        let takes = key.into.is_none();
        let values = values
            .into_iter()
            .filter_map(|(source, v)| Some((source, v?)));
        let values = values.collect();
        (key.key.clone(), Kept { takes, values })
    };
    live.keys.iter().map(one).collect()
}

/// All that members were given.
pub fn given(bench: &Bench) -> String {
    let sim = bench.sim.lock().expect("whole");
    let mut out = String::new();
    for (id, given) in sim.given.iter().filter(|(_, given)| !given.is_empty()) {
        let pairs: Vec<String> = given.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let _ = writeln!(out, "{id}: {}", pairs.join(", "));
    }
    if out.is_empty() {
        out.push_str("nothing\n");
    }
    out
}

/// Somebody gives a broker something.
pub fn give(bench: &Bench, host: &str, key: &str, value: &str) {
    let id = format!("kafka.broker@{host}").parse().expect("an instance");
    let mut sim = bench.sim.lock().expect("whole");
    let given = sim.given.entry(id).or_default();
    given.insert(key.to_owned(), value.to_owned());
}

/// Hosts as a version left them that did not know of settings that are taken while an instance runs.
pub fn older(bench: &Bench) {
    let less = |text: &str| {
        let words = text
            .split_whitespace()
            .filter(|word| !word.starts_with('~'));
        words.collect::<Vec<_>>().join(" ")
    };
    let mut world = bench.world.lock().expect("whole");
    for state in world.hosts.values_mut() {
        for (path, file) in &mut state.files {
            if path.ends_with("/wanted") {
                file.text = less(&file.text) + "\n";
            }
        }
        for unit in state.units.values_mut() {
            unit.running = unit.running.as_deref().map(less);
        }
    }
}
