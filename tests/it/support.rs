//! `sdtd support`: all that helps is in its file, and no secret, wherever one was planted.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sdtd::facts::FileFact;
use sdtd::inventory::Env;
use sdtd::support::{Given, gather};

use crate::lab::laptop::{Ran, run_for, sdtd_in};
use crate::scenarios::bench::Bench;
use crate::scenarios::in_no_time;

/// Every secret that is planted begins so.
const PLANTED: &str = "hunter-";

const INVENTORY: &str = r#"cluster: c   # the password=hunter-0
hosts:
  n1: { connection: local, memory: 1G }
  n2: { connection: local, memory: 1G }
  n3: { connection: local, memory: 1G }
services:
  zookeeper: { servers: 3 }
  kafka:
    brokers: 3
    config:
      num.partitions: 7
      ssl.keystore.password: hunter-1
      sasl.jaas.config: 'x.Login required username="me" password="hunter-2";'
      ssl.cipher.suites: '${NO_TELLING_NAME},${UNSET:-hunter-4}'
x: { db-password: hunter-5, key: &k 'hunter-5' }
"#;

/// A line of a service's log that holds all that could not be known by its own name.
const LOG: &str = "a good line
connected with hunter-1 as hunter-2 by hunter-3, hunter-4, hunter-6 and hunter-7
	ssl.key.password = hunter-8
see http://me:hunter-9@example.org/x
-----BEGIN RSA PRIVATE KEY-----
hunter-10
-----END RSA PRIVATE KEY-----
{\"token\":\"hunter-11\"}
java -Djavax.net.ssl.keyStorePassword=hunter-12 Main --password hunter-13
";

/// A machine of its own, with secrets planted in every place that is looked at.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().expect("a folder"));
        machine.write("inventory.yaml", INVENTORY);
        // An older password is still on the host.
        machine.write(
            "home/local/c/n1/etc/kafka/server.properties",
            "num.partitions=6\nssl.keystore.password=hunter-6\n",
        );
        machine.write("home/local/c/n1/var/log/kafka/kafka-broker.log", LOG);
        let run = r#"{"v":1,"at_ms":1,"event":"note","text":"an old run said hunter-1\nmy.token: hunter-14"}"#;
        machine.write(
            "home/state/c/runs/1-1.jsonl",
            &format!("{run}\n{{\"v\":1,\"cut password=hunter-15"),
        );
        machine
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn sdtd(&self, words: &[&str]) -> Ran {
        let mut command = sdtd_in(self.0.path(), &self.0.path().join("home"), words);
        command
            .env("NO_TELLING_NAME", "hunter-3")
            .env("MY_API_TOKEN", "hunter-7");
        run_for(&mut command, 60)
    }

    /// The one file that was written.
    fn file(&self) -> PathBuf {
        let all = std::fs::read_dir(self.0.path()).expect("a folder");
        let mut all = all.map(|entry| entry.expect("readable").path());
        let is_it = |path: &PathBuf| path.extension().is_some_and(|end| end == "gz");
        all.find(is_it).expect("a file")
    }
}

/// What is in such a file, by name without its first folder.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(path).expect("it is there");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found = BTreeMap::new();
    for entry in archive.entries().expect("a tar file") {
        let mut entry = entry.expect("whole");
        let name = entry.path().expect("a name").display().to_string();
        let (_, name) = name.split_once('/').unwrap_or(("", ""));
        let (name, mut text) = (name.to_owned(), String::new());
        entry.read_to_string(&mut text).expect("text");
        found.insert(name, text);
    }
    found
}

fn holds_no_secret<K: AsRef<str>>(entries: impl Iterator<Item = (K, String)>) {
    for (name, text) in entries {
        let line = text.lines().find(|line| line.contains(PLANTED));
        assert_eq!(line, None, "{}", name.as_ref());
    }
}

#[test]
fn no_secret_is_in_the_file_and_all_that_helps_is() {
    let machine = Machine::new();
    machine
        .sdtd(&["support"])
        .expect(0)
        .says(&["sdtd-support-c-", ".tar.gz"]);
    let file = machine.file();
    let mode = std::fs::metadata(&file)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let all = unpacked(&file);
    holds_no_secret(all.iter().map(|(name, text)| (name, text.clone())));
    let wanted = "instances/kafka.broker@n1/wanted/etc/kafka/server.properties";
    for (name, words) in [
        (
            "README.txt",
            vec!["What `sdtd support` saw of the cluster `c`"],
        ),
        (
            "sdtd.txt",
            vec!["sdtd 0.", "system: Linux", "service kafka: "],
        ),
        (
            "inventory.yaml",
            vec!["num.partitions: 7", "ssl.keystore.password: ••••"],
        ),
        (
            "plan.txt",
            vec!["start kafka-broker", "sasl.jaas.config=••••"],
        ),
        ("plan.json", vec!["\"waves\""]),
        ("check.txt", vec!["memory"]),
        ("check.json", vec!["\"verdict\""]),
        ("status.json", vec!["kafka.broker@n3"]),
        ("hosts/n2/facts.json", vec!["\"memory_mb\""]),
        (
            "hosts/n1/files/etc/kafka/server.properties",
            vec!["num.partitions=6"],
        ),
        (
            wanted,
            vec!["num.partitions=7", "ssl.keystore.password=••••"],
        ),
        (
            "instances/kafka.broker@n1/log.txt",
            vec!["a good line", "connected with ••••"],
        ),
        ("runs/1-1.jsonl", vec!["an old run said ••••"]),
    ] {
        let text = all
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", all.keys()));
        for word in words {
            assert!(text.contains(word), "{name}: no `{word}` in:\n{text}");
        }
    }
}

#[test]
fn it_goes_where_it_is_told() {
    let machine = Machine::new();
    let ran = machine
        .sdtd(&["support", "--json", "--out", "for-them.tar.gz"])
        .expect(0);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(told["file"], "for-them.tar.gz");
    assert_eq!(told["missed"], serde_json::json!([]));
    assert!(unpacked(&machine.file()).contains_key("README.txt"));
    machine
        .sdtd(&["support", "--out", "no/such/folder.tar.gz"])
        .expect(1)
        .says(&["no/such/folder.tar.gz: "]);
}

const SMALL: &str = "cluster: small
hosts: { h1: 10.0.0.1, h2: 10.0.0.2, h3: 10.0.0.3 }
services:
  zookeeper: { servers: 3 }
  kafka: { brokers: 3, config: { ssl.keystore.password: hunter-1 } }
";

#[test]
fn a_host_out_of_reach_is_named_and_the_others_are_asked() {
    let state = tempfile::tempdir().expect("a folder");
    in_no_time(async {
        let mut bench = Bench::new();
        SMALL.clone_into(&mut bench.inventory);
        assert!(bench.deploy().await.is_ok_and(|ran| ran.report.is_done()));
        // Not deployed yet: the hosts have the older one, and a service tells it.
        bench.inventory = SMALL.replace("hunter-1", "hunter-2");
        let log = FileFact {
            text: "no luck with hunter-1\n".to_owned(),
            mode: "0644".to_owned(),
            owner: "root".to_owned(),
        };
        let path = "/var/log/kafka/kafka-broker.log".to_owned();
        bench.on("h1", |host| _ = host.files.insert(path, log));
        bench.on("h3", |host| host.dead = true);
        let (mut flow, _collected) = bench.flow();
        let given = Given {
            inventory: &bench.inventory,
            env: &Env::new(),
            state: state.path(),
            lines: 10,
            now: 0,
        };
        let gathered = gather(&mut flow, given).await;
        assert_eq!(gathered.missed.len(), 1, "{:?}", gathered.missed);
        let all = gathered.bundle.entries();
        let named = |name: &Path| name.display().to_string();
        holds_no_secret(all.iter().map(|(name, text)| (named(name), text.clone())));
        let text = |name: &str| all[Path::new(name)].as_str();
        assert!(
            text("README.txt").contains("h3: "),
            "{}",
            text("README.txt")
        );
        assert!(
            text("plan.txt").contains("restart kafka-broker"),
            "{}",
            text("plan.txt")
        );
        assert_eq!(
            text("instances/kafka.broker@h1/log.txt"),
            "no luck with ••••\n"
        );
        assert!(!all.contains_key(Path::new("hosts/h3/facts.json")));
        assert!(text("hosts/h2/files/var/lib/sdtd/small/record.json").contains("placement"));
    });
}
