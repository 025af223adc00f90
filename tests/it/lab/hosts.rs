//! The lab itself: made, looked at from outside, broken on purpose, and always taken down again.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::inventory::Inventory;
use super::laptop::{Laptop, Ran, run_for};
use super::say;

/// The hosts' names.
pub const HOSTS: [&str; 5] = ["pi1", "pi2", "pi3", "pi4", "pi5"];
/// Those with a ZooKeeper server.
pub const KEEPERS: [&str; 3] = ["pi1", "pi2", "pi3"];

/// The address of a host.
pub fn address(host: &str) -> String {
    format!("10.77.0.{}", host.trim_start_matches("pi"))
}

fn directory() -> PathBuf {
    let own = std::env::var_os("SDTD_LAB").map(PathBuf::from);
    own.unwrap_or_else(|| "/var/tmp/sdtd-lab".into())
}

/// The ssh configuration that reaches the hosts.
pub fn ssh_config() -> PathBuf {
    directory().join("ssh_config")
}

/// The keys of the hosts.
pub fn known_hosts() -> PathBuf {
    directory().join("known_hosts")
}

/// What is on the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing.
    Bare,
    /// The cluster of [`Inventory::new`], verified.
    Deployed,
    /// What a case has made for others that go on with it, and seen whole.
    Made(&'static str),
    /// Something else.
    Unknown,
}

/// Five hosts.
pub struct Lab {
    stage: Stage,
    sockets: tempfile::TempDir,
    /// Held as long as this lives; the last to go.
    _alone: File,
}

/// Whether there is a lab.
pub enum Up {
    /// Yes.
    Ready(Lab),
    /// Not on this machine.
    CannotRun(String),
}

fn script(words: &[&str]) -> Ran {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/lab");
    let mut command = Command::new(lab);
    command.args(words).stdin(Stdio::null());
    run_for(&mut command, 600)
}

/// One user of the lab at a time, waited for: each takes it down and makes it anew. The lock goes with the
/// process that holds it.
fn alone() -> File {
    // Not the test run's own folder for temporary files: other runs look here too.
    let path = Path::new("/tmp/sdtd-lab-user.lock");
    let file = File::create(path).expect("a lock");
    if file.try_lock().is_err() {
        say("another run uses the lab: waiting for it");
        file.lock().expect("the lock");
    }
    file
}

impl Lab {
    /// Makes the lab anew.
    pub fn up() -> Up {
        let alone = alone();
        let before = script(&["down"]);
        if before.code == Some(77) {
            return Up::CannotRun(before.all());
        }
        let up = script(&["up"]);
        match up.code {
            Some(0) => Up::Ready(Self {
                stage: Stage::Bare,
                sockets: tempfile::tempdir().expect("a directory for sockets"),
                _alone: alone,
            }),
            Some(77) => Up::CannotRun(up.all()),
            _ => panic!("the lab does not come up: {}", up.all()),
        }
    }

    /// One of the lab's own commands; it must succeed.
    pub fn run(&mut self, words: &[&str]) {
        let ran = script(words);
        assert_eq!(ran.code, Some(0), "lab {words:?}: {}", ran.all());
        self.stage = Stage::Unknown;
    }

    /// Hosts on which nothing was ever done.
    pub fn bare(&mut self) {
        if self.stage != Stage::Bare {
            for word in ["down", "up"] {
                let ran = script(&[word]);
                assert_eq!(ran.code, Some(0), "lab {word}: {}", ran.all());
            }
            self.stage = Stage::Bare;
        }
    }

    /// Hosts with the usual cluster, deployed from this laptop if it is not there.
    pub fn deployed(&mut self, laptop: &Laptop) {
        let inventory = laptop.inventory(&Inventory::new().text());
        if self.stage != Stage::Deployed {
            self.bare();
            self.stage = Stage::Unknown;
            laptop.deploy(&inventory).expect(0);
            self.stage = Stage::Deployed;
        }
    }

    /// What is there is no longer known: the next case starts from what it needs.
    pub fn spoiled(&mut self) {
        self.stage = Stage::Unknown;
    }

    /// Nothing is there, as a case has seen.
    pub fn is_bare(&mut self) {
        self.stage = Stage::Bare;
    }

    /// The usual cluster is there, as a case has seen.
    pub fn is_deployed(&mut self) {
        self.stage = Stage::Deployed;
    }

    /// What has this name is there and whole, as a case has seen.
    pub fn is_made(&mut self, what: &'static str) {
        self.stage = Stage::Made(what);
    }

    /// Whether what has this name is there and whole.
    pub fn has(&self, what: &'static str) -> bool {
        self.stage == Stage::Made(what)
    }

    /// Runs a script as root on a host and gives what it printed.
    pub fn on(&self, host: &str, text: &str) -> String {
        let ran = self.try_on(host, text);
        assert_eq!(ran.code, Some(0), "on {host}: {text}\n{}", ran.all());
        ran.stdout
    }

    /// Runs a script as root on a host.
    pub fn try_on(&self, host: &str, text: &str) -> Ran {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(ssh_config());
        let path = format!("ControlPath={}/%h", self.sockets.path().display());
        command.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=20", "-o"]);
        command.args([&path, host, "sudo", "-n", "sh", "-c"]);
        command.arg(format!("'{}'", text.replace('\'', r"'\''")));
        command.stdin(Stdio::null());
        run_for(&mut command, 180)
    }

    /// How many bytes have come to a host over its link.
    pub fn received(&self, host: &str) -> u64 {
        let path = format!("/sys/class/net/vb-{host}/statistics/tx_bytes");
        let text = std::fs::read_to_string(path).expect("the count of its link");
        text.trim().parse().expect("a number")
    }

    /// How many bytes of the package that is on its way have arrived on a host.
    pub fn arrived(&self, host: &str) -> u64 {
        let text = "cat /opt/sdtd/incoming/*.part 2>/dev/null | wc -c";
        self.on(host, text).trim().parse().expect("a number")
    }

    /// When each unit of each host was last started, in microseconds since boot.
    pub fn starts(&self) -> BTreeMap<String, u64> {
        let mut starts = BTreeMap::new();
        for host in HOSTS {
            let text = "for u in zookeeper-server kafka-broker; do \
                echo $u $(systemctl show --value -p ExecMainStartTimestampMonotonic $u); done";
            for line in self.on(host, text).lines() {
                let (unit, at) = line.split_once(' ').unwrap_or((line, "0"));
                let at = at.parse().unwrap_or(0);
                starts.insert(format!("{unit}@{host}"), at);
            }
        }
        starts
    }

    /// All that sdtd manages on a host: names, kinds, times, inodes and sizes of files, links and folders.
    pub fn managed(&self, host: &str) -> String {
        self.on(
            host,
            "find /opt /etc /var/lib/sdtd -xdev -printf '%p %y %m %u %T@ %C@ %i %s %l\\n' | sort",
        )
    }

    /// All paths of a host but those of the system's own doing.
    pub fn everything(&self, host: &str) -> Vec<String> {
        let text = "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp \
            -o -path /var/tmp -o -path /var/log/journal -o -path /var/lib/systemd -o -path /var/cache \
            -o -path /home \\) -prune -o -printf '%p\\n' | sort";
        self.on(host, text).lines().map(str::to_owned).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let ran = script(&["down"]);
        if ran.code != Some(0) {
            say(&format!("the lab does not go down: {}", ran.all()));
        }
    }
}
