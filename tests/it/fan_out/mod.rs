//! Packages that hosts pass on to each other, over real SSH: servers on addresses of this machine's own, each with its
//! own view of the file system. Needs root and sshd; the lab has the same on real hosts.

pub mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use sdtd::artifact::Shelf;
use sdtd::driver::Drivers;
use sdtd::event::EventKind;
use sdtd::exec::script::Places;
use sdtd::exec::{Executor, Fan, Report, Stop, When};
use sdtd::facts::DirFact;
use sdtd::id::HostName;
use sdtd::inventory::{Cluster, Connection, Host};
use sdtd::lock::Ask;
use sdtd::plan::{Batch, Plan, Step, View, Wave};
use sdtd::report::Collected;
use sdtd::transport::{Become, Channel, Remote, Shell, Sockets, Ssh, SshOptions};
use sdtd::verify::{Fleet, Prober};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Semaphore};

use crate::golden::tell;
use crate::scenarios::bench::Bench as Scenario;
use crate::scenarios::in_no_time;
use servers::{Servers, address};

/// Enough that it pays among four.
const SIZE: usize = 12 << 20;
const KEYS: &str = "/root/.ssh/authorized_keys";
const STORE: &str = "/opt/sdtd/store/kit-1-x";

/// Some hosts, and a package for them.
struct Bench {
    servers: Servers,
    folder: tempfile::TempDir,
    hosts: Vec<HostName>,
    sha256: String,
    size: u64,
}

/// What came of it.
struct Ran {
    report: Report,
    /// Who got bytes from whom; this machine has no name.
    from: BTreeMap<HostName, BTreeSet<String>>,
    notes: Vec<String>,
}

fn name(n: usize) -> HostName {
    format!("h{n}").parse().unwrap()
}

impl Bench {
    /// So many hosts; none where it can't be done here.
    fn new(count: usize) -> Option<Self> {
        let servers = match Servers::start(count) {
            Ok(servers) => servers,
            Err(why) => {
                tell(&format!("SKIPPED: packages passed on over SSH: {why}"));
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let mut tar = tar::Builder::new(fs::File::create(folder.path().join("kit.tar")).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(SIZE as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let bytes: Vec<u8> = (0..SIZE).map(|n| (n * n / 7) as u8).collect();
        tar.append_data(&mut header, "kit/data", &bytes[..])
            .unwrap();
        tar.finish().unwrap();
        let whole = fs::read(folder.path().join("kit.tar")).unwrap();
        Some(Self {
            servers,
            folder,
            hosts: (1..=count).map(name).collect(),
            sha256: sdtd::digest::hex(&Sha256::digest(&whole)),
            size: whole.len() as u64,
        })
    }

    fn package(&self) -> PathBuf {
        self.folder.path().join("kit.tar")
    }

    fn cluster(&self) -> Cluster {
        let host = |n: usize| Host {
            name: name(n),
            address: address(n),
            connection: Connection::Ssh {
                user: None,
                port: None,
                key: None,
                config: Some(self.servers.config()),
                kex: None,
                persist: None,
            },
            rack: None,
            memory_mb: None,
            leaving: false,
        };
        Cluster {
            name: "lab".parse().unwrap(),
            hosts: (1..=self.hosts.len()).map(|n| (name(n), host(n))).collect(),
            services: IndexMap::new(),
            topics: BTreeMap::new(),
            drills: false,
            replaced: BTreeMap::new(),
        }
    }

    fn plan(&self) -> Plan {
        let batch = |host: &HostName| Batch {
            host: host.clone(),
            instance: None,
            because: Vec::new(),
            steps: vec![Step::Package {
                name: "kit".to_owned(),
                version: "1".to_owned(),
                sha256: self.sha256.clone(),
                store: STORE.to_owned(),
                size: self.size,
                strip: 1,
                gzip: false,
                owner: None,
                tools: BTreeMap::new(),
            }],
        };
        Plan {
            format: sdtd::plan::model::FORMAT,
            basis: String::new(),
            memory: Vec::new(),
            view: View {
                cluster: "lab".parse().unwrap(),
                members: Vec::new(),
                leaving: Vec::new(),
                roles: Vec::new(),
                absent: BTreeSet::new(),
                roots: BTreeMap::new(),
                verify: Vec::new(),
            },
            waves: vec![Wave {
                title: "install kit".to_owned(),
                batches: self.hosts.iter().map(batch).collect(),
                ..Wave::default()
            }],
            unchanged: 0,
            warnings: Vec::new(),
            left: Vec::new(),
        }
    }

    fn places(&self) -> BTreeMap<HostName, Places> {
        let places = Places {
            state: "/var/lib/sdtd/lab".to_owned(),
            incoming: "/opt/sdtd/incoming".to_owned(),
            pidfiles: false,
        };
        self.hosts
            .iter()
            .map(|host| (host.clone(), places.clone()))
            .collect()
    }

    async fn fleet(&self) -> Fleet {
        let mut fleet = BTreeMap::new();
        for (n, host) in self.hosts.iter().enumerate() {
            let options = SshOptions {
                destination: address(n + 1),
                config: Some(self.servers.config()),
                ..SshOptions::default()
            };
            let sockets = Sockets {
                run: self.folder.path(),
                kept: self.folder.path(),
            };
            let ssh = Ssh::connect(&options, sockets).await.unwrap();
            let (channel, rights) = (Channel::Ssh(ssh), Become::Sudo);
            fleet.insert(host.clone(), Remote::Shell(Shell { channel, rights }));
        }
        Arc::new(fleet)
    }

    async fn run(&self) -> Ran {
        let (plan, fleet) = (Arc::new(self.plan()), self.fleet().await);
        let (events, mut collected) = Collected::new();
        let executor = Arc::new(Executor {
            prober: Prober::new(Arc::new(plan.view.clone()), fleet, Drivers::default()),
            places: self.places(),
            packages: BTreeMap::from([(self.sha256.clone(), self.package())]),
            shelf: Arc::new(Shelf::new(self.folder.path())),
            events,
            // Fewer than hosts: who waits for another's bytes is in nobody's way.
            forks: Arc::new(Semaphore::new(2)),
            rolls: Arc::new(Mutex::new(())),
            fan: Fan::of(&plan, &self.cluster(), When::Always),
            stop: Stop::default(),
        });
        let report = executor.run(&plan).await;
        let mut ran = Ran {
            report,
            from: BTreeMap::new(),
            notes: Vec::new(),
        };
        for kind in collected.kinds() {
            match kind {
                EventKind::Transfer { host, from, .. } => {
                    let from = from.map(|from| from.to_string()).unwrap_or_default();
                    ran.from.entry(host).or_default().insert(from);
                }
                EventKind::Note { text } => ran.notes.push(text),
                _ => {}
            }
        }
        ran
    }

    /// All hosts have all of it, and nothing else is left of how it came.
    fn is_whole(&self, ran: &Ran) {
        assert!(ran.report.is_done(), "{:?} {:?}", ran.report, ran.notes);
        for n in 1..=self.hosts.len() {
            let size = fs::metadata(self.servers.on(n, STORE).join("data"))
                .unwrap()
                .len();
            assert_eq!(size, SIZE as u64);
            self.nothing_left(n);
        }
    }

    fn nothing_left(&self, n: usize) {
        let on = |path: &str| self.servers.on(n, path);
        if on(KEYS).exists() {
            let keys = fs::read_to_string(on(KEYS)).unwrap();
            assert!(!keys.contains("sdtd-fan-out"), "on h{n}: {keys}");
        }
        assert!(!on("/var/lib/sdtd/lab/fan-out").exists());
        assert!(!on("/run/sdtd-fan-out.lab").exists());
        let incoming = fs::read_dir(on("/opt/sdtd/incoming")).unwrap();
        assert_eq!(incoming.count(), 0, "on h{n}");
        let beside = fs::read_dir(on("/root/.ssh")).unwrap();
        assert!(beside.count() <= 1, "on h{n}");
    }
}

fn only(from: &str) -> BTreeSet<String> {
    BTreeSet::from([from.to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_leaves_this_machine_once() {
    let Some(bench) = Bench::new(5) else { return };
    let before: Vec<Vec<u8>> = (1..=5)
        .map(|n| fs::read(bench.servers.on(n, KEYS)).unwrap())
        .collect();
    let ran = bench.run().await;
    bench.is_whole(&ran);
    assert_eq!(ran.from[&name(1)], only(""));
    for n in 2..=5 {
        assert_eq!(
            ran.from[&name(n)],
            only(&format!("h{}", n - 1)),
            "{:?}",
            ran.notes
        );
        let keys = fs::read(bench.servers.on(n, KEYS)).unwrap();
        assert_eq!(keys, before[n - 1], "byte by byte");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_not_pass_it_on_is_passed_over() {
    let Some(bench) = Bench::new(5) else { return };
    // The second lets nobody in by the usual file; the third is not who it says it is; the fourth has half of
    // something else from an earlier run.
    let on = |n, path: &str| bench.servers.on(n, path);
    let other = fs::read_to_string(on(5, "/etc/ssh/ssh_host_ed25519_key.pub")).unwrap();
    fs::write(on(3, "/etc/ssh/ssh_host_ed25519_key.pub"), other).unwrap();
    fs::create_dir_all(on(4, "/opt/sdtd/incoming")).unwrap();
    let part = on(4, &format!("/opt/sdtd/incoming/{}.part", bench.sha256));
    fs::write(part, vec![0; SIZE / 2]).unwrap();
    fs::hard_link(on(2, KEYS), on(2, "/root/keys")).unwrap();
    let ran = bench.run().await;
    bench.is_whole(&ran);
    let from = |n| ran.from[&name(n)].clone();
    assert_eq!(from(2), only("h1"), "{:?}", ran.notes);
    assert_eq!(from(3), only("h1"), "and not from the second");
    assert!(
        from(4).contains(""),
        "and not from the third: {:?}",
        ran.notes
    );
    assert_eq!(from(5), only("h4"));
    assert!(
        ran.notes
            .iter()
            .any(|note| note.contains("Host key verification failed")),
        "{:?}",
        ran.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_run_left_goes_with_the_next_lock() {
    let Some(bench) = Bench::new(3) else { return };
    let before = fs::read_to_string(bench.servers.on(2, KEYS)).unwrap();
    let mark = bench.servers.on(2, "/var/lib/sdtd/lab/fan-out");
    fs::create_dir_all(&mark).unwrap();
    fs::write(mark.join("dead"), KEYS).unwrap();
    let with = format!("restrict ssh-ed25519 K sdtd-fan-out lab dead\n{before}");
    fs::write(bench.servers.on(2, KEYS), with).unwrap();
    fs::create_dir_all(bench.servers.on(2, "/run/sdtd-fan-out.lab/dead")).unwrap();
    fs::create_dir_all(bench.servers.on(2, "/opt/sdtd/incoming")).unwrap();
    let fleet = bench.fleet().await;
    let take = Ask::Take(sdtd::lock::Owner::me("next"));
    let answers = sdtd::lock::ask_all(&fleet, &bench.places(), &take).await;
    assert!(
        answers.iter().all(|(_, answer)| answer.is_ok()),
        "{answers:?}"
    );
    bench.nothing_left(2);
    assert_eq!(
        fs::read_to_string(bench.servers.on(2, KEYS)).unwrap(),
        before
    );
}

const SMALL: &str = "cluster: c\nhosts: { h1: 10.0.0.1, h2: 10.0.0.2, h3: 10.0.0.3 }\nservices: { zookeeper: { servers: 3 } }\n";

/// Who holds the lock sweeps; a plan that is otherwise empty takes the lock for it.
#[test]
fn what_a_dead_run_left_is_something_to_do() {
    in_no_time(async {
        let mut bench = Scenario::new();
        SMALL.clone_into(&mut bench.inventory);
        bench.deploy().await.unwrap();
        let dir = DirFact {
            mode: "0700".to_owned(),
            owner: "root".to_owned(),
        };
        let path = "/var/lib/sdtd/c/fan-out".to_owned();
        bench.on("h2", |host| _ = host.dirs.insert(path.clone(), dir));
        let ran = bench.deploy().await.unwrap();
        assert_eq!(ran.plan.steps(), 1);
        let step = format!("h2: remove {path} if nothing is left in it");
        assert_eq!(ran.done, [step]);
    });
}
