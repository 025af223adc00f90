//! What stands in front of a small HTTP service: its members die, its own file changes, and who asks sees none of it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{address, cluster, is_chosen, processes};
use crate::golden::project;
use crate::lab::laptop::{Laptop, Ran, text};

/// The longest that anybody may wait for an answer, and after which a dead member is out.
const OUT: Duration = Duration::from_secs(5);
/// The ports of the fronts: a browser stays with its member, one member for all, anything over TCP.
const PAGE: u16 = 8091;
const CHIEF: u16 = 8092;
const WIRE: u16 = 8093;

struct Fronts {
    services: &'static str,
    laptop: Laptop,
    inventory: PathBuf,
    hosts: [String; 3],
}

impl Fronts {
    fn new(services: &'static str) -> Self {
        let laptop = Laptop::new();
        let first = 20 + 3 * cluster(&laptop);
        let hosts = [1, 2, 3].map(|n| address(first + n, 1));
        let inventory = laptop.path("inventory.yaml");
        let fronts = Self {
            services,
            laptop,
            inventory,
            hosts,
        };
        fronts.write("");
        fronts
    }

    fn write(&self, words: &str) {
        let hosts = (1..).zip(&self.hosts);
        let host = |(n, address)| {
            format!("  n{n}: {{ connection: local, address: {address}, memory: 1G }}\n")
        };
        let hosts: String = hosts.map(host).collect();
        let services = format!("  {}\n  haproxy: {{ {words} }}\n", self.services);
        let text = format!("cluster: tried\nhosts:\n{hosts}services:\n{services}");
        self.laptop.inventory(&text);
    }

    fn run(&self, words: &[&str]) -> Ran {
        let templates = project("tests/catalogue");
        let more = [text(&self.inventory), "--templates", text(&templates)];
        self.laptop.run(&[words, &more].concat())
    }

    /// Changes the inventory and deploys it.
    fn deploy(&self, words: &str) -> Ran {
        self.write(words);
        self.run(&["deploy", "--yes"])
    }

    /// Kills what runs a unit on a host, as a crash would.
    fn kill(&self, unit: &str) {
        let process = processes(&self.laptop)[unit].clone();
        let pid = process.split(' ').next().expect("a number").to_owned();
        let killed = std::process::Command::new("kill")
            .args(["-KILL", &pid])
            .status();
        assert!(killed.is_ok_and(|status| status.success()), "{unit}");
    }

    /// Who answers at a front, asked by a new connection through a host.
    fn asked(&self, host: usize, port: u16, cookie: &str) -> Result<String, String> {
        let began = Instant::now();
        let address = format!("{}:{port}", self.hosts[host]);
        let answer = get(&address, "/", cookie);
        let answer = answer.map_err(|error| error.to_string())?;
        if began.elapsed() > OUT || !answer.starts_with("HTTP/1.0 200") {
            return Err(format!("after {:?}: {answer}", began.elapsed()));
        }
        let who = answer.split("hello from ").nth(1).unwrap_or_default();
        Ok(who.chars().take(2).collect())
    }

    #[track_caller]
    fn who(&self, host: usize, port: u16, cookie: &str) -> String {
        let who = self.asked(host, port, cookie);
        who.unwrap_or_else(|error| panic!("{}:{port} {cookie}: {error}", self.hosts[host]))
    }
}

impl Drop for Fronts {
    fn drop(&mut self) {
        self.write("");
        let _ = self.run(&["destroy", "--yes", "--quiet"]);
    }
}

fn get(address: &str, path: &str, cookie: &str) -> std::io::Result<String> {
    let address: SocketAddr = address.parse().expect("an address");
    let mut stream = TcpStream::connect_timeout(&address, OUT)?;
    stream.set_read_timeout(Some(2 * OUT))?;
    let request = format!("GET {path} HTTP/1.0\r\nCookie: sdtd-lamp-page={cookie}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks all fronts again and again while something is done; what went wrong, and how many answers there were.
fn meanwhile(fronts: &Fronts, done: impl FnOnce()) -> (Vec<String>, usize) {
    let over = AtomicBool::new(false);
    let ask = || {
        let (mut wrong, mut right) = (Vec::new(), 0);
        while !over.load(Ordering::Relaxed) {
            for (host, port) in [(0, PAGE), (1, CHIEF), (2, WIRE)] {
                match fronts.asked(host, port, "n2") {
                    Ok(_) => right += 1,
                    Err(error) => wrong.push(format!("{port}: {error}")),
                }
            }
        }
        (wrong, right)
    };
    std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        done();
        over.store(true, Ordering::Relaxed);
        asking.join().expect("it asks to the end")
    })
}

fn is_possible() -> bool {
    let there = Path::new("/usr/sbin/haproxy").exists();
    let wanted = is_chosen("fronts");
    if wanted && !there {
        eprintln!("this machine: haproxy is not installed: its part is left out");
    }
    wanted && there
}

/// Two servers, one at work: the other takes over, and gives it back.
#[test]
fn notebooks_have_one_server_at_work_behind_the_front() {
    if !is_possible() {
        return;
    }
    let fronts = Fronts::new("zeppelin: { servers: [n1, n2], heap: 256M, ports: { web: 8090 } }");
    fronts.deploy("").expect(0).says(&["deployed and verified"]);
    fronts.run(&["plan", "--check"]).expect(0);
    fronts.run(&["status"]).expect(0).says(&["0.9.0"]);
    let version = |host: usize| {
        let address = format!("{}:8090", fronts.hosts[host]);
        let began = Instant::now();
        let answer = get(&address, "/api/version", "").expect("an answer");
        assert!(began.elapsed() < OUT, "{:?}", began.elapsed());
        assert!(
            answer.contains(" 200 OK") && answer.contains("0.9.0"),
            "{answer}"
        );
    };
    (0..3).for_each(version);
    fronts.kill("zeppelin-server@n1");
    (0..9).for_each(|n| version(n % 3));
    fronts.deploy("").expect(0);
    (0..3).for_each(version);
}

#[test]
fn who_asks_at_a_front_sees_neither_a_dead_member_nor_a_reload() {
    if !is_possible() {
        return;
    }
    let fronts = Fronts::new("lamp: {}");
    fronts.deploy("").expect(0).says(&["deployed and verified"]);
    fronts.run(&["plan", "--check"]).expect(0);
    for (host, port) in (0..3).flat_map(|host| [PAGE, CHIEF, WIRE].map(|port| (host, port))) {
        fronts.who(host, port, "");
    }
    let stays = |name: &str| (0..6).all(|n| fronts.who(n % 3, PAGE, name) == name);
    assert!(
        stays("n1") && stays("n3"),
        "a browser stays with its member"
    );
    assert!((0..3).all(|host| fronts.who(host, CHIEF, "") == "n1"));

    a_member_dies(&fronts);
    it_comes_back(&fronts);
    a_reload(&fronts);
    a_broken_file(&fronts);
}

/// With its cookie, without one, and at the front where it was the one for all.
fn a_member_dies(fronts: &Fronts) {
    fronts.kill("lamp-light@n1");
    let began = Instant::now();
    let mut last = Duration::ZERO;
    while began.elapsed() < 2 * OUT {
        for (port, cookie) in [(PAGE, "n1"), (PAGE, ""), (CHIEF, ""), (WIRE, "")] {
            let asked = Instant::now();
            assert_ne!(fronts.who(1, port, cookie), "n1", "{port}");
            last = last.max(asked.elapsed());
        }
    }
    eprintln!("this machine: the longest wait after a member's death: {last:?}");
    assert!((0..3).all(|host| fronts.who(host, CHIEF, "") == "n2"));
}

fn it_comes_back(fronts: &Fronts) {
    fronts.deploy("").expect(0);
    let began = Instant::now();
    while !(0..3).all(|host| fronts.who(host, CHIEF, "") == "n1") {
        assert!(began.elapsed() < 4 * OUT, "it is the one for all again");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(fronts.who(2, PAGE, "n1"), "n1");
}

/// Nobody is restarted, and of the requests under way none is lost.
fn a_reload(fronts: &Fronts) {
    let began = processes(&fronts.laptop);
    let (wrong, right) = meanwhile(fronts, || {
        for words in ["check_ms: 1500", "check_ms: 1600", "check_ms: 1500"] {
            fronts
                .deploy(words)
                .expect(0)
                .says(&["reload haproxy.proxy"]);
        }
    });
    eprintln!("this machine: {right} answers while three files were taken");
    assert_eq!(wrong, Vec::<String>::new(), "besides {right} right answers");
    assert!(right > 100, "{right}");
    assert_eq!(processes(&fronts.laptop), began);
}

/// It is refused with the reason, also when all is started anew, and no port is lost over it.
fn a_broken_file(fronts: &Fronts) {
    let broken = "check_ms: 1500, config: { nonsense: 1 }";
    let (wrong, right) = meanwhile(fronts, || {
        let refused = fronts.deploy(broken);
        assert_ne!(refused.code, Some(0));
        refused.says(&["unknown keyword 'nonsense'"]);
    });
    assert_eq!(wrong, Vec::<String>::new(), "besides {right} right answers");
    let status = fronts.run(&["status"]);
    assert_ne!(status.code, Some(0), "{}", status.all());
    fronts.kill("haproxy-proxy@n2");
    assert_ne!(fronts.run(&["start", "--yes"]).code, Some(0));
    fronts.who(1, PAGE, "");

    fronts.deploy("check_ms: 1500").expect(0);
    fronts.run(&["status"]).expect(0);
    fronts.run(&["plan", "--check"]).expect(0);
}
