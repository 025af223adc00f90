//! Packages that hosts pass on to each other: sent once, also through a kill -9, a power cut and a link that is none.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Done;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Ran, Running, text};
use crate::lab::say;

/// Bytes of the package, which nothing makes smaller.
const SIZE: u64 = 48 << 20;
const KEYS: &str = "cat /home/pi/.ssh/authorized_keys";
const MARK: &str = "sdtd-fan-out";

const SERVICE: &str = r#"title: Something heavy
versions: { "1": {} }
package:
  into: /opt/ballast
  sources: [{ folder: { path: tree } }]
roles:
  stone:
    count: everywhere
    run: { command: [/bin/sleep, infinity], stop_within: 5 }
"#;

/// A folder of services with the heavy one.
fn services(laptop: &Laptop) -> PathBuf {
    let folder = laptop.path("services");
    let tree = folder.join("ballast/tree");
    std::fs::create_dir_all(&tree).expect("a folder");
    std::fs::write(folder.join("ballast/service.yaml"), SERVICE).expect("a service");
    let mut random = std::fs::File::open("/dev/urandom").expect("chance");
    let mut bytes = std::io::Read::by_ref(&mut random);
    let mut bytes = std::io::Read::take(&mut bytes, SIZE);
    let mut file = std::fs::File::create(tree.join("stone")).expect("a file");
    std::io::copy(&mut bytes, &mut file).expect("written");
    file.flush().expect("written");
    folder
}

/// How many bytes have left this machine for the hosts.
fn left() -> u64 {
    let path = "/sys/class/net/sdtdlab0/statistics/tx_bytes";
    let text = std::fs::read_to_string(path).expect("the count of the bridge");
    text.trim().parse().expect("a number")
}

/// Who got bytes from whom, by the run's events; this machine has no name.
fn from(ran: &Ran, host: &str) -> BTreeSet<String> {
    let of = |e: &&serde_json::Value| e["host"] == host;
    let name = |e: &serde_json::Value| e["from"].as_str().unwrap_or_default().to_owned();
    ran.events()
        .named("transfer")
        .filter(of)
        .map(name)
        .collect()
}

/// How far hosts were when, and what was said of it.
fn course(ran: &Ran) -> String {
    let line = |e: &serde_json::Value| match e["event"].as_str()? {
        "transfer" => Some(format!(
            "{} {} {} from {}",
            e["at_ms"], e["host"], e["done"], e["from"]
        )),
        "note" => Some(format!("{} {}", e["at_ms"], e["text"])),
        _ => None,
    };
    let events = ran.events();
    let lines = events.0.iter().filter_map(line);
    lines.collect::<Vec<_>>().join("\n")
}

struct Bench<'a> {
    lab: &'a mut Lab,
    laptop: Laptop,
    services: PathBuf,
    inventory: PathBuf,
    keys: Vec<String>,
}

impl Bench<'_> {
    /// Bare hosts on slow links.
    fn again(&mut self) {
        self.lab.bare();
        self.lab.spoiled();
        for host in HOSTS {
            self.lab.run(&["limit", host, "80"]);
        }
        self.keys = HOSTS.map(|host| self.lab.on(host, KEYS)).to_vec();
    }

    fn words<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let folder: &Path = &self.services;
        // Five hosts by themselves are soon served from here.
        let words = [
            command,
            text(&self.inventory),
            "--fan-out",
            "--templates",
            text(folder),
        ];
        [&words, more].concat()
    }

    fn deploy(&self) -> Ran {
        self.laptop.run(&self.words("deploy", &["--yes", "--json"]))
    }

    /// All hosts have it, and nothing is left of how it came.
    fn is_whole(&self) {
        self.laptop.run(&self.words("plan", &["--check"])).expect(0);
        for (host, keys) in HOSTS.iter().zip(&self.keys) {
            let size = self.lab.on(host, "stat -L -c %s /opt/ballast/stone");
            assert_eq!(size.trim(), SIZE.to_string(), "on {host}");
            assert_eq!(&self.lab.on(host, KEYS), keys, "the keys on {host}");
            self.lab.on(
                host,
                "! ls -d /var/lib/sdtd/lab/fan-out /run/sdtd-fan-out* 2>/dev/null",
            );
        }
    }

    fn has_key(&self, host: &str) -> bool {
        self.lab.on(host, KEYS).contains(MARK)
    }
}

/// Sent once; swept after a kill -9 and a power cut; and sent by this machine where a host can't reach another.
pub fn fan_out(lab: &mut Lab) -> Done {
    let laptop = Laptop::new();
    let services = services(&laptop);
    let text = Inventory::new().with_services("services: { ballast: { on: all } }\n");
    let inventory = laptop.inventory(&text);
    let keys = Vec::new();
    let mut bench = Bench {
        lab,
        laptop,
        services,
        inventory,
        keys,
    };
    once(&mut bench);
    killed(&mut bench);
    apart(&mut bench);
    Done::Passed
}

fn once(bench: &mut Bench<'_>) {
    bench.again();
    let before = left();
    let ran = bench.deploy().expect(0);
    let sent = left() - before;
    for pair in HOSTS.windows(2) {
        assert_eq!(
            from(&ran, pair[1]),
            BTreeSet::from([pair[0].to_owned()]),
            "to {}",
            pair[1]
        );
    }
    say(&format!(
        "fan-out: {sent} bytes left for 5 hosts, the package has {SIZE}"
    ));
    assert!(sent < SIZE * 3 / 2, "{sent}");
    bench.is_whole();
}

/// The run's key goes with the run, also where the run is killed; of a host that loses its power with it, the next
/// run takes it.
fn killed(bench: &mut Bench<'_>) {
    bench.again();
    let words = bench.words("deploy", &["--yes", "--json"]);
    let mut running = Running::start(&mut bench.laptop.sdtd(&words));
    running.until("the third host gets some", || {
        bench.lab.arrived("pi3") > 8 << 20
    });
    assert!(
        HOSTS[..4].iter().all(|host| bench.has_key(host)),
        "four pass it on"
    );
    bench.lab.run(&["kill", "pi2"]);
    running.kill();
    let until = Instant::now() + Duration::from_secs(20);
    for host in ["pi1", "pi3", "pi4"] {
        while bench.has_key(host) {
            assert!(Instant::now() < until, "the key outlives its run on {host}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    bench.lab.run(&["boot", "pi2"]);
    assert!(bench.has_key("pi2"), "nobody could take it");
    let had = bench.lab.arrived("pi3");
    bench.deploy().expect(0);
    say(&format!(
        "fan-out: {had} bytes had arrived on pi3 before the second run"
    ));
    bench.is_whole();
}

/// What goes from the fourth host to the third comes nowhere.
fn apart(bench: &mut Bench<'_>) {
    bench.again();
    let nowhere = "ip neigh replace 10.77.0.3 lladdr 02:00:00:00:00:99 dev host0 nud permanent";
    bench.lab.on("pi4", nowhere);
    let before = left();
    let ran = bench.deploy().expect(0);
    let sent = left() - before;
    assert!(from(&ran, "pi4").contains(""), "{:?}", from(&ran, "pi4"));
    let only = BTreeSet::from(["pi4".to_owned()]);
    assert_eq!(from(&ran, "pi5"), only, "{}", course(&ran));
    let ran = ran.says(&["pi4: the rest of ballast 1 comes from this machine, not from pi3"]);
    say(&format!(
        "fan-out: {sent} bytes left where a host was apart, in {:?}",
        ran.took
    ));
    assert!(sent < SIZE * 5 / 2, "{sent}");
    bench.lab.on("pi4", "ip neigh del 10.77.0.3 dev host0");
    bench.is_whole();
}
