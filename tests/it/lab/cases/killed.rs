//! Changes of a live cluster that are killed (-9) at moments chosen by chance, under a load: the same command goes on
//! from there, nothing acknowledged is lost, nothing of ours is left, and no second voter was stopped beside a missing one.
//!
//! One kind of change, chosen by chance, is killed once; with `SDTD_FULL=1` each is, twenty times. `SDTD_LAB_KILLS=roll,growth`
//! names the kinds, `SDTD_LAB_TIMES=5` how often each is killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Done;
use super::replace::new_card;
use crate::lab::chance::Chance;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, run_for, text};
use crate::lab::load::{Load, ROLL, SESSION, expect_within};
use crate::lab::say;
use crate::lab::voters::{Says, Watch, What, judge, timeline};

/// How many times in a row one change may be killed: each change costs a load and its verdict.
const ROW: u64 = 5;
/// Seconds that a change may take to its end.
const LIMIT: u64 = 600;

/// A kind of change, and what it begins with.
struct Kind {
    name: &'static str,
    services: &'static str,
    /// Made one after another, over and over; none: a deploy with another setting. With each, what other voters must do
    /// when one is stopped: where there are two on the way, both are restarted before either can serve, as is announced.
    commands: &'static [(&'static [&'static str], Says)],
    /// Whether nobody leads back from the last to the first.
    one_way: bool,
    /// Whether there is something that takes a while to be moved.
    ballast: bool,
    /// Milliseconds in which a moment is chosen.
    within: u64,
    /// Milliseconds that writes may pause, on a machine that does nothing else.
    pause: u64,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "roll",
        services: "services:\n  zookeeper: { servers: 3, config: { maxClientCnxns: 400 } }\n  \
                   kafka: { brokers: 3, config: { queued.max.requests: 400 } }\n",
        commands: &[],
        one_way: false,
        ballast: false,
        within: 50_000,
        pause: ROLL,
    },
    Kind {
        name: "reassignment",
        services: "services:\n  zookeeper: { servers: 3 }\n  kafka: { brokers: 3 }\n",
        commands: &[
            (
                &["scale", "--brokers", "5", "--throttle", "2M"],
                Says::Serves,
            ),
            (
                &["scale", "--brokers", "3", "--throttle", "2M"],
                Says::Serves,
            ),
        ],
        one_way: false,
        ballast: true,
        within: 60_000,
        // Where a run is killed while copies move, what is in sync stays limited until it goes on: 5.6 s were seen.
        pause: SESSION,
    },
    Kind {
        name: "growth",
        services: "services:\n  zookeeper: { servers: 1 }\n  kafka: { brokers: 3 }\n",
        commands: &[
            (&["scale", "--zookeepers", "3"], Says::Waits),
            (&["scale", "--zookeepers", "5"], Says::Serves),
            (&["scale", "--zookeepers", "3"], Says::Serves),
            (&["scale", "--zookeepers", "1"], Says::Waits),
        ],
        one_way: false,
        ballast: false,
        within: 60_000,
        pause: SESSION,
    },
    Kind {
        name: "upgrade",
        services: "services:\n  zookeeper: { version: 3.6.2, servers: 3 }\n  kafka: { version: 2.7.0, brokers: 3 }\n",
        commands: &[
            (&["upgrade", "zookeeper", "3.8.4"], Says::Serves),
            // There and back, as long as nothing is finalized.
            (&["upgrade", "kafka", "3.9.1"], Says::Serves),
            (&["upgrade", "kafka", "2.7.0"], Says::Serves),
            (&["upgrade", "kafka", "3.9.1"], Says::Serves),
            (&["upgrade", "kafka", "--finalize"], Says::Serves),
        ],
        one_way: true,
        ballast: false,
        within: 50_000,
        pause: ROLL,
    },
    Kind {
        name: "replace",
        services: "services:\n  zookeeper: { servers: 3 }\n  kafka: { brokers: 3 }\n",
        commands: &[
            (&["replace", "pi2", "--throttle", "4M"], Says::Serves),
            (&["replace", "pi3", "--throttle", "4M"], Says::Serves),
            (&["replace", "pi1", "--throttle", "4M"], Says::Serves),
        ],
        one_way: false,
        ballast: true,
        within: 35_000,
        pause: SESSION + 10_000,
    },
];

/// What is moved when brokers come and go: 60 MB of it, each three times.
const BALLAST: [&str; 10] = [
    "--topic",
    "ballast",
    "--rate",
    "100",
    "--size",
    "100000",
    "--seconds",
    "6",
    "--partitions",
    "12",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The kinds that are tried, and how often each is killed.
fn chosen(chance: &mut Chance) -> (Vec<&'static Kind>, u64) {
    let full = crate::full();
    let times = number("SDTD_LAB_TIMES").unwrap_or(if full { 20 } else { 1 });
    let named = std::env::var("SDTD_LAB_KILLS").unwrap_or_default();
    let named: Vec<&Kind> = KINDS
        .iter()
        .filter(|k| named.split(',').any(|n| n == k.name))
        .collect();
    let kinds = if !named.is_empty() {
        named
    } else if full {
        KINDS.iter().collect()
    } else {
        vec![&KINDS[chance.below(KINDS.len())]]
    };
    (kinds, times)
}

/// The cluster of each kind is changed, cut off, and changed on.
pub fn killed(lab: &mut Lab) -> Done {
    let mut chance = Chance::new("killed");
    let (kinds, times) = chosen(&mut chance);
    for kind in kinds {
        let (mut kills, mut change) = (0, 0);
        let mut tried: Option<Tried> = None;
        while kills < times {
            let round = kind.commands.len().max(1);
            let begins = tried.is_none() || kind.one_way && change % round == 0;
            if begins {
                tried = Some(Tried::new(lab, kind));
            }
            let tried = tried.as_ref().expect("a cluster");
            let most = (times - kills).min(chance.between(1, ROW + 1));
            kills += tried.change(lab, change, most, &mut chance);
            change += 1;
        }
        say(&format!(
            "killed: {}: {kills} kills in {change} changes",
            kind.name
        ));
    }
    lab.spoiled();
    Done::Passed
}

/// A cluster that is changed.
struct Tried {
    kind: &'static Kind,
    laptop: Laptop,
    inventory: PathBuf,
}

impl Tried {
    fn new(lab: &mut Lab, kind: &'static Kind) -> Self {
        lab.bare();
        lab.spoiled();
        let laptop = Laptop::new();
        let inventory = laptop.inventory(&Inventory::new().with_services(kind.services));
        laptop.deploy(&inventory).expect(0);
        if kind.ballast {
            let allowed = format!("drills: allowed\n{}", read(&inventory));
            let (allowed, record) = (
                laptop.write("ballast.yaml", &allowed),
                laptop.path("ballast"),
            );
            let words = ["drill", "load", text(&allowed), "--record", text(&record)];
            laptop.run(&[&words[..], &BALLAST].concat()).expect(0);
        }
        Self {
            kind,
            laptop,
            inventory,
        }
    }

    /// The words of a change, and what other voters must do; what a deploy shall bring about is written into the inventory.
    fn words(&self, n: usize) -> (Vec<&str>, Says) {
        let path = text(&self.inventory);
        let commands = self.kind.commands;
        if commands.is_empty() {
            let (is, shall) = if n.is_multiple_of(2) {
                ("400", "401")
            } else {
                ("401", "400")
            };
            self.laptop
                .inventory(&read(&self.inventory).replace(is, shall));
            return (vec!["deploy", path, "--yes", "--json"], Says::Serves);
        }
        let (command, bar) = commands[n % commands.len()];
        ([command, &[path, "--yes", "--json"]].concat(), bar)
    }

    /// One change under a load, killed up to so many times, then made to its end. How often it was killed.
    fn change(&self, lab: &mut Lab, n: usize, most: u64, chance: &mut Chance) -> u64 {
        let (words, bar) = self.words(n);
        let mut load = Load::start(
            &self.laptop,
            &self.inventory,
            &format!("{}-{n}", self.kind.name),
        );
        load.mark_begin();
        if let ["replace", host, ..] = words[..] {
            lab.run(&["kill", host]);
            new_card(lab, host);
        }
        let watch = Watch::start();
        let mut moments = Vec::new();
        for _ in 0..most {
            let at = chance.between(300, self.kind.within);
            match self.cut(&words, at) {
                true => moments.push(at),
                // It came to its end before: there is nothing more to kill.
                false => break,
            }
        }
        let ran = run_for(&mut self.laptop.sdtd(&words), LIMIT).expect(0);
        load.mark_end();
        self.changes_nothing(&words);
        self.has_its_copies();
        let heard = watch.stop(lab, &self.laptop);
        let stops = heard.iter().filter(|e| e.what == What::Stopped).count();
        let restarts = words[0] == "deploy" || words.iter().any(|word| word.contains("zookeeper"));
        assert!(
            stops >= 2 || !restarts,
            "{words:?}: {stops} stops of voters prove nothing"
        );
        let wrong = judge(&heard, bar);
        assert!(
            wrong.is_empty(),
            "{words:?}, killed after {moments:?} ms: {wrong:?}\n{}",
            timeline(&heard)
        );
        // Nothing lost under any leader, all copies in sync, no limit of speed left.
        let pause = load.pause();
        let verdict = load.done();
        say(&format!(
            "killed: {}: after {moments:?} ms, then done in {:.1} s; {stops} stops of voters; {} acknowledged, {} not, a partition's pause of {} ms, of {}",
            words[..words.len() - 3].join(" "),
            ran.took.as_secs_f64(),
            verdict.acked,
            verdict.unsure.present + verdict.unsure.absent,
            pause.ms,
            self.kind.pause,
        ));
        expect_within(pause.ms, self.kind.pause);
        u64::try_from(moments.len()).expect("few")
    }

    /// The same once more finds nothing to do, and so does a plan.
    fn changes_nothing(&self, words: &[&str]) {
        let again = run_for(&mut self.laptop.sdtd(words), LIMIT).expect(0);
        let events = again.events();
        let changed = |e: &&serde_json::Value| e["outcome"]["outcome"] == "changed";
        let changed: Vec<_> = events.named("step-finished").filter(changed).collect();
        assert!(
            changed.is_empty(),
            "{words:?}: a second run changed {changed:?}"
        );
        self.laptop.expect_settled(&self.inventory);
    }

    /// Each partition has the three copies that it was made with: what was under way at a kill was not taken for more.
    fn has_its_copies(&self) {
        let words = ["topics", "list", text(&self.inventory), "--json"];
        let ran = self.laptop.run(&words).expect(0);
        let topics: serde_json::Value = serde_json::from_str(&ran.stdout).expect("topics");
        let mut partitions = 0;
        for topic in topics.as_array().expect("a list") {
            for partition in topic["partitions"].as_array().expect("partitions") {
                let copies = partition["replicas"].as_array().expect("replicas").len();
                assert_eq!(copies, 3, "{}: {partition}", topic["name"]);
                partitions += 1;
            }
        }
        assert!(partitions > 0, "no partition was seen");
    }

    /// Begins a change and kills it after so many milliseconds; whether it was still under way.
    fn cut(&self, words: &[&str], after: u64) -> bool {
        let mut running = Running::start(&mut self.laptop.sdtd(words));
        while running.age() < Duration::from_millis(after) && !running.is_over() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if running.is_over() {
            running.wait(LIMIT).expect(0);
            return false;
        }
        running.kill();
        true
    }
}

fn read(inventory: &Path) -> String {
    std::fs::read_to_string(inventory).expect("an inventory")
}
