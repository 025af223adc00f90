//! The real program and the real services on this machine: three hosts, each a folder and a loopback address.
//!
//! `SDTD_LOCAL_TESTS=1` runs it; it takes some minutes and needs Java packages (a cache, a JDK, or a network). With
//! `SDTD_LOCAL_TESTS=some` a few of the long ones are left out, by chance; `SDTD_SEED=7` repeats what was chosen.

mod back;
mod drill;
mod fronts;
mod live;
mod roll;
mod spread;
pub mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use crate::lab::chance::Chance;
use crate::lab::laptop::{Laptop, run_for, text};

/// An address that another run, another test, another clone and a user's own cluster do not have.
fn address(host: u32, network: u32) -> String {
    let pid = std::process::id();
    let (a, b) = (100 + pid % 75 + 75 * network, pid / 75 % 250);
    format!("127.{a}.{b}.{host}")
}

/// Which of this run's clusters a laptop has: two tests of one line may run at once.
fn cluster(laptop: &Laptop) -> u32 {
    static KNOWN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().expect("whole");
    let home = laptop.path("");
    let place = known.iter().position(|other| *other == home);
    let place = place.unwrap_or_else(|| {
        known.push(home);
        known.len() - 1
    });
    u32::try_from(place).expect("a few")
}

/// Three hosts.
fn inventory(laptop: &Laptop, line: &Line, config: &str) -> PathBuf {
    let first = 20 + 3 * cluster(laptop);
    let host = |n: u32| {
        let address = address(first + n, line.network);
        format!("  n{n}: {{ connection: local, address: {address}, memory: 1G }}\n")
    };
    let hosts: String = (1..=3).map(host).collect();
    let services = line.services.replace("CONFIG", config);
    laptop.inventory(&format!(
        "cluster: tried\nhosts:\n{hosts}services:\n{services}topics:\n  kept: {{ partitions: 3 }}\n"
    ))
}

/// A line of versions: what is deployed, which of the test networks is used, what `status` says.
struct Line {
    services: &'static str,
    network: u32,
    said: &'static [&'static str],
}

const CURRENT: Line = Line {
    services: "  zookeeper: { version: 3.8.4, servers: 3 }\n  kafka: { version: 3.9.1, brokers: 3, config: { CONFIG } }\n",
    network: 0,
    said: &["leader", "controller"],
};

/// The versions of a course, the last line that has both modes with controllers of its own, and the line that
/// has these alone.
const OTHERS: [Line; 3] = [
    Line {
        services: "  zookeeper: { version: 3.6.2, servers: 3 }\n  kafka: { version: 2.7.0, brokers: 3, config: { CONFIG } }\n",
        network: 1,
        said: &["leader", "controller", "3.6.2", "2.7.0"],
    },
    Line {
        services: "  kafka: { version: 3.9.1, mode: kraft, controllers: 3, brokers: 3, config: { CONFIG } }\n",
        network: 1,
        said: &["voter 300", "controller 300", "broker 1", "3.9.1"],
    },
    Line {
        services: "  kafka: { version: 4.1.1, combined: true, brokers: 3, config: { CONFIG } }\n",
        network: 1,
        said: &["kafka.node@n1", "controller", "broker", "4.1.1"],
    },
];

/// The processes that the pid files name, by unit and host.
fn processes(laptop: &Laptop) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for host in ["n1", "n2", "n3"] {
        let units = format!("local/tried/{host}/var/lib/sdtd/tried/units");
        let units = std::fs::read_dir(laptop.path(&units));
        for unit in units.into_iter().flatten().flatten() {
            if let Ok(process) = std::fs::read_to_string(unit.path().join("pid")) {
                let name = unit.file_name().to_string_lossy().into_owned();
                found.insert(format!("{name}@{host}"), process);
            }
        }
    }
    found
}

/// Takes the cluster off, however the test ends.
struct Cleared<'a>(&'a Laptop, PathBuf);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        let words = ["destroy", text(&self.1), "--yes", "--quiet"];
        let _ = self.0.sdtd(&words).output();
    }
}

/// A tool of the service, in a shell that has read a host's `env.sh`.
fn tool(laptop: &Laptop, line: &str) -> String {
    let env = laptop.path("local/tried/n1/env.sh");
    let script = format!(". '{}' && {line}", env.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    run_for(&mut command, 60).expect(0).stdout
}

fn first_address(inventory: &Path) -> String {
    let text = std::fs::read_to_string(inventory).unwrap();
    let rest = text.split("address: ").nth(1).unwrap();
    rest.split(',').next().unwrap().to_owned()
}

fn is_wanted() -> bool {
    let wanted = matches!(asked().as_deref(), Ok("1" | "some"));
    if !wanted {
        eprintln!("this machine: skipped: SDTD_LOCAL_TESTS=1 is not set");
    }
    wanted
}

fn asked() -> Result<String, std::env::VarError> {
    std::env::var("SDTD_LOCAL_TESTS")
}

/// Those that take a minute or more.
const LONG: [&str; 6] = ["drill", "fronts", "lines", "live", "roll", "spread"];
/// How many of them stand for all where time is short.
const SAMPLE: usize = 2;

/// The same for a long one: by chance, unless all are asked for.
fn is_chosen(name: &'static str) -> bool {
    static CHOSEN: OnceLock<Vec<&str>> = OnceLock::new();
    if asked().as_deref() != Ok("some") {
        return is_wanted();
    }
    let chosen = CHOSEN.get_or_init(|| {
        let mut chosen = LONG.to_vec();
        let mut chance = Chance::new("this machine");
        while chosen.len() > SAMPLE {
            chosen.swap_remove(chance.below(chosen.len()));
        }
        eprintln!("this machine: of the long tests: {}", chosen.join(", "));
        chosen
    });
    assert!(LONG.contains(&name), "{name}");
    chosen.contains(&name)
}

/// All of them, or one by chance where time is short.
#[test]
fn every_line_of_versions() {
    if !is_chosen("lines") {
        return;
    }
    let lines = if asked().as_deref() == Ok("some") {
        let at = Chance::new("line of versions").below(OTHERS.len());
        &OTHERS[at..=at]
    } else {
        &OTHERS
    };
    lines.iter().for_each(deployed_used_and_rolled);
}

fn deployed_used_and_rolled(line: &Line) {
    let laptop = Laptop::new();
    let path = inventory(&laptop, line, "");
    let cleared = Cleared(&laptop, path.clone());
    laptop
        .run(&["deploy", text(&path), "--yes"])
        .expect(0)
        .says(&["deployed and verified"]);
    laptop.expect_settled(&path);
    laptop.run(&["status"]).expect(0).says(line.said);
    use_the_tools(&laptop, &first_address(&path));
    inventory(&laptop, line, "queued.max.requests: 400");
    laptop.run(&["deploy", "--yes"]).expect(0);
    laptop.run(&["verify"]).expect(0);
    laptop.run(&["destroy", "--yes"]).expect(0);
    drop(cleared);
}

#[test]
fn a_cluster_from_nothing_to_nothing() {
    if !is_wanted() {
        return;
    }
    let laptop = Laptop::new();
    let path = inventory(&laptop, &CURRENT, "");
    let cleared = Cleared(&laptop, path.clone());

    laptop
        .run(&["deploy", text(&path), "--yes"])
        .expect(0)
        .says(&["quorum: ", "round-trip: through each of 3 brokers"])
        .says(&["deployed and verified"]);
    let began = processes(&laptop);
    assert_eq!(began.len(), 6, "{began:?}");

    // The same again changes nothing and restarts nothing; the inventory is remembered.
    laptop.run(&["deploy"]).expect(0).says(&["no change"]);
    laptop.expect_settled(&path);
    assert_eq!(processes(&laptop), began);

    laptop.run(&["status"]).expect(0).says(CURRENT.said);
    laptop.run(&["verify"]).expect(0);
    laptop.run(&["topics", "describe", "kept"]).expect(0);
    use_the_tools(&laptop, &first_address(&path));

    look_around(&laptop);

    // One setting of the brokers: they restart, the rest stays.
    inventory(&laptop, &CURRENT, "queued.max.requests: 400");
    laptop.run(&["plan", "--check"]).expect(10);
    laptop.run(&["deploy", "--yes"]).expect(0);
    let after = processes(&laptop);
    for (unit, process) in &began {
        let restarted = after.get(unit) != Some(process);
        assert_eq!(restarted, unit.starts_with("kafka"), "{unit}");
    }

    laptop
        .run(&["stop", "--yes", "--timings"])
        .expect(0)
        .says(&["apply", "█"]);
    laptop.run(&["status"]).expect(4);
    laptop.run(&["start", "--yes"]).expect(0);
    laptop.run(&["verify"]).expect(0);

    laptop.run(&["destroy", "--yes"]).expect(0);
    assert!(processes(&laptop).is_empty());
    assert!(!laptop.path("local/tried/n1/var").exists());
    drop(cleared);
}

/// What operators look at: logs, hosts, earlier runs.
fn look_around(laptop: &Laptop) {
    let logs = laptop
        .run(&["logs", "-n", "2", "--only", "kafka"])
        .expect(0);
    assert!(!logs.stdout.contains("zookeeper.server"), "{}", logs.stdout);
    logs.says(&["kafka.broker@n1 | ", "kafka.broker@n3 | "]);
    laptop.run(&["logs", "--only", "n9"]).expect(2);

    let words = [
        "exec",
        "--only",
        "n1",
        "--only",
        "n3",
        "--",
        "echo",
        "it's $HOME",
    ];
    let said = laptop.run(&words).expect(0).stdout;
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said, ["n1 | it's $HOME", "n3 | it's $HOME"]);
    laptop
        .run(&["exec", "echo to stderr >&2; exit 7"])
        .expect(1)
        .says(&["n2 | to stderr", "n2: exit 7"]);

    laptop
        .run(&["history"])
        .expect(0)
        .says(&["deployed and verified", "no change"]);
    let listed = laptop.run(&["history", "--json"]).expect(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("a document");
    let first = listed["runs"][0]["run"].as_str().expect("a run");
    laptop
        .run(&["history", "show", first])
        .expect(0)
        .says(&["start kafka.broker", "deployed and verified"]);
    laptop
        .run(&["history", "show", first, "--timings"])
        .expect(0)
        .says(&["start kafka.broker", "verify", "█"]);
    laptop.run(&["history", "show", "nothing"]).expect(2);
}

/// What the README and the quick start tell people to try.
fn use_the_tools(laptop: &Laptop, address: &str) {
    let create = ["topics", "create", "hello", "--partitions", "3", "--yes"];
    laptop.run(&create).expect(0);
    let server = format!("--bootstrap-server {address}:9092");
    let listed = tool(laptop, &format!("kafka-topics.sh {server} --list"));
    assert!(listed.lines().any(|line| line == "hello"), "{listed}");
    tool(
        laptop,
        &format!("echo hi | kafka-console-producer.sh {server} --topic hello"),
    );
    let consume = format!(
        "kafka-console-consumer.sh {server} --topic hello --from-beginning --max-messages 1"
    );
    assert_eq!(tool(laptop, &consume).trim(), "hi");
    if Command::new("kcat").arg("-V").output().is_ok() {
        let kcat = format!("kcat -b {address}:9092 -t hello -q");
        let both = format!("echo ho | {kcat} -P && {kcat} -C -o beginning -e | sort");
        assert_eq!(tool(laptop, &both), "hi\nho\n");
    } else {
        eprintln!("this machine: kcat is not installed: its part is left out");
    }
    laptop
        .run(&["topics", "delete", "hello", "--yes"])
        .expect(0);
}
