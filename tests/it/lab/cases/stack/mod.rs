//! The whole of `inventories/sdtd.yaml`: made through kills, rolled while a client writes, larger and smaller, on a new
//! board, and without hosts. Each case goes on with what is there.

mod hbase;
mod hdfs;
pub(super) mod pages;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Done;
use crate::golden::project;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, run_for, text};
use crate::lab::say;
use hbase::{as_hbase, rows, served_again, session, writes, wrote};
use hdfs::{all_copies, files, whole, write_files};
use pages::{all_answer, pages_answer, waits_in_safe_mode};

/// What the lab has, once it is made.
const NAME: &str = "the stack";
/// Seconds that a change of all of HBase may take.
const LIMIT: u64 = 1200;
/// Handlers of a region server at first.
const HANDLERS: u32 = 10;

/// The services of `inventories/sdtd.yaml`, on the lab's hosts; a host is found to be dead within a minute.
fn inventory(laptop: &Laptop, handlers: u32) -> PathBuf {
    let whole = std::fs::read_to_string(project("inventories/sdtd.yaml")).expect("the inventory");
    let services = &whole[whole.find("services:").expect("services")..];
    let recheck = "datanodes: 5, config: { dfs.namenode.heartbeat.recheck-interval: 10000 }";
    let services = services.replace("datanodes: 5", recheck);
    let handlers = format!("hbase: {{ config: {{ hbase.regionserver.handler.count: {handlers} }},");
    let services = services.replace("hbase: {", &handlers);
    let text = Inventory::new().with_services(&services);
    std::fs::create_dir_all(laptop.path("inventories")).expect("a folder");
    laptop.write(
        "inventories/sdtd.yaml",
        &text.replace("memory: 1G", "memory: 4G"),
    )
}

/// Made through kills, by the commands of its page; then stopped, and started through another kill.
pub fn made(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let path = inventory(&laptop, HANDLERS);
    made_through_kills(lab, &laptop, &path);
    laptop.expect_settled(&path);
    super::examples::walk_page(&laptop, "sdtd");
    filled(lab);
    let formatted = formatted(lab);
    assert!(all_answer(&HOSTS), "a page is missing");
    started_through_a_kill(lab, &laptop, &path);
    assert_eq!(self::formatted(lab), formatted, "it was formatted again");
    lab.is_made(NAME);
    Done::Passed
}

/// HBase's settings change while a client writes and reads.
pub fn roll(lab: &mut Lab) -> Done {
    goes_on(lab, rolled)
}

/// Region servers and DataNodes go and come; nothing takes more memory than planned; a board is replaced.
pub fn scale(lab: &mut Lab) -> Done {
    goes_on(lab, |lab, laptop, path| {
        scaled(lab, laptop, path);
        memory_is_kept(lab, laptop, path);
        replaced(lab, laptop, path);
    })
}

/// Hosts are off, one after another.
pub fn lost(lab: &mut Lab) -> Done {
    goes_on(lab, |lab, laptop, path| {
        for host in hosts_to_lose(lab) {
            without(lab, laptop, path, host);
        }
    })
}

/// Goes on with the stack that is there, or with a new one. HDFS is the same one afterwards.
fn goes_on(lab: &mut Lab, part: impl FnOnce(&mut Lab, &Laptop, &Path)) -> Done {
    let laptop = Laptop::new();
    if !lab.has(NAME) {
        lab.bare();
        lab.spoiled();
        let path = inventory(&laptop, HANDLERS);
        laptop.run(&["deploy", text(&path), "--yes"]).expect(0);
        filled(lab);
    }
    let path = inventory(&laptop, handlers(lab));
    let formatted = formatted(lab);
    lab.spoiled();
    part(lab, &laptop, &path);
    assert_eq!(self::formatted(lab), formatted, "it was formatted again");
    lab.is_made(NAME);
    Done::Passed
}

/// Something to be kept.
fn filled(lab: &Lab) {
    rows(lab, "pi1", "put 0 2000");
    write_files(lab, "pi1");
}

/// What says which file system it is.
fn formatted(lab: &Lab) -> String {
    let names = with(lab, "hdfs-namenode");
    lab.on(names, "grep -v '^#' /var/lib/hdfs/namenode/current/VERSION")
}

/// How many handlers region servers have now.
fn handlers(lab: &Lab) -> u32 {
    let find = r"sed -n 's|.*<name>hbase.regionserver.handler.count</name><value>\([0-9]*\)<.*|\1|p' /etc/hbase/regionserver/hbase-site.xml";
    let found = lab.on(with(lab, "hbase-regionserver"), find);
    found.trim().parse().expect("a number")
}

/// The first host that has a unit.
fn with(lab: &Lab, unit: &str) -> &'static str {
    let sign = format!("test -e /etc/systemd/system/{unit}.service");
    let has = |host: &&str| lab.try_on(host, &sign).code == Some(0);
    HOSTS
        .into_iter()
        .find(has)
        .unwrap_or_else(|| panic!("nobody has {unit}"))
}

/// One with a NameNode, and the one whose page is shown; in full all of them.
fn hosts_to_lose(lab: &Lab) -> Vec<&'static str> {
    if crate::full() {
        return HOSTS.to_vec();
    }
    vec![with(lab, "hdfs-namenode"), with(lab, "zeppelin-server")]
}

/// The first deploy, killed while a NameNode is formatted, and while HBase starts for the first time.
fn made_through_kills(lab: &Lab, laptop: &Laptop, path: &Path) {
    let words = ["deploy", text(path), "--yes"];
    for (what, sign) in [
        (
            "formats",
            "test -e /var/lib/sdtd/lab/units/hdfs-namenode/once-format.begun",
        ),
        ("starts HBase", "systemctl is-active hbase-master"),
    ] {
        let mut first = Running::start(&mut laptop.sdtd(&words));
        let some = || {
            HOSTS
                .iter()
                .any(|host| lab.try_on(host, sign).code == Some(0))
        };
        first.until(what, some);
        first.kill();
        say(&format!("stack: killed as it {what}"));
    }
    let ran = laptop.run(&words).expect(0);
    say(&format!(
        "stack: made in {:.1} s after two kills",
        ran.took.as_secs_f64()
    ));
}

/// All is stopped, and the start that follows is killed while the NameNodes wait for their data: in their safe mode.
fn started_through_a_kill(lab: &Lab, laptop: &Laptop, path: &Path) {
    laptop.run(&["stop", text(path), "--yes"]).expect(0);
    let mut first = Running::start(&mut laptop.sdtd(&["start", text(path), "--yes"]));
    first.until("waits in safe mode", waits_in_safe_mode);
    first.kill();
    say("stack: killed in the safe mode");
    laptop.run(&["deploy", text(path), "--yes"]).expect(0);
    laptop.expect_settled(path);
    rows(lab, "pi1", "check 0 2000");
    files(lab, "pi1");
}

/// HBase's settings change while a client writes and reads.
fn rolled(lab: &mut Lab, laptop: &Laptop, _: &Path) {
    let balancer = "balancer() { sh -c '. /etc/hbase/tools/run.sh; . /etc/hbase/tools/balancer.sh; balancer'; }; \
                    SDTD_INSTANCE=x balancer";
    let before = lab.on("pi2", &as_hbase(balancer));
    writes(lab, "pi5", 1_000_000);
    std::thread::sleep(Duration::from_secs(10));
    let path = inventory(laptop, handlers(lab) + 1);
    let words = ["deploy", text(&path), "--yes"];
    let ran = run_for(&mut laptop.sdtd(&words), LIMIT).expect(0);
    say(&format!("stack: rolled in {:.1} s", ran.took.as_secs_f64()));
    laptop.expect_settled(&path);
    let writer = wrote(lab, "pi5");
    say(&format!("stack: {writer}"));
    assert!(writer.contains(" failed 0 lost 0 "), "{writer}");
    assert_eq!(
        lab.on("pi2", &as_hbase(balancer)),
        before,
        "the balancer is not as it was"
    );
    assert_eq!(before.trim(), "on");
}

/// Region servers and DataNodes go and come, one of each, while a client writes: nothing is lost, regions and blocks are
/// elsewhere first.
fn scaled(lab: &Lab, laptop: &Laptop, path: &Path) {
    writes(lab, "pi1", 8_000_000);
    for (n, was) in [("4", "5"), ("5", "4")] {
        let words = ["scale", text(path), "--yes"];
        let numbers = ["--datanodes", n, "--regionservers", n];
        let words = [&words[..], &numbers].concat();
        let ran = run_for(&mut laptop.sdtd(&words), LIMIT).expect(0);
        let took = ran.took.as_secs_f64();
        say(&format!("stack: from {was} of each to {n} in {took:.1} s"));
        laptop.expect_settled(path);
        let there = HOSTS.iter().filter(|host| {
            let sign = "systemctl is-active -q hbase-regionserver hdfs-datanode";
            lab.try_on(host, sign).code == Some(0)
        });
        assert_eq!(there.count().to_string(), n);
    }
    let writer = wrote(lab, "pi1");
    assert!(writer.contains(" failed 0 lost 0 "), "{writer}");
    rows(lab, "pi1", "check 0 2000");
    all_copies(lab, "pi1");
}

/// What runs on a host takes no more memory than its budget, which the plan prints.
fn memory_is_kept(lab: &Lab, laptop: &Laptop, path: &Path) {
    let words = ["plan", text(path), "--json"];
    let plan = laptop.run(&words).expect(0).stdout;
    // It comes after the run's events.
    let documents = serde_json::Deserializer::from_str(&plan).into_iter();
    let plan: serde_json::Value = documents.last().and_then(Result::ok).expect("a plan");
    let hosts = plan["memory"].as_array().expect("a budget");
    assert_eq!(hosts.len(), HOSTS.len());
    for host in hosts {
        let name = host["host"].as_str().expect("a name");
        let (mut planned, mut taken, mut told) = (0, 0, String::new());
        for part in host["parts"].as_array().expect("parts") {
            let mb = |word: &str| part[word].as_u64().expect("MiB");
            let budget = mb("heap_mb") + mb("overhead_mb");
            let (instance, _) = part["instance"]
                .as_str()
                .and_then(|id| id.split_once('@'))
                .expect("an instance");
            let resident = resident(lab, name, &instance.replace('.', "-"));
            planned += budget;
            taken += resident;
            told += &format!(", {instance} {resident} of {budget}");
        }
        say(&format!("stack: MiB on {name}: {taken} of {planned}{told}"));
        assert!(
            taken > 0 && taken <= planned,
            "{name}: {taken} of {planned} MiB"
        );
    }
}

/// MiB that the processes of a unit have in memory.
fn resident(lab: &Lab, host: &str, unit: &str) -> u64 {
    let script = format!(
        "for of in $(grep -sl '/{unit}[.]service$' /proc/[0-9]*/cgroup); do cat \"${{of%cgroup}}status\"; done | \
         awk '/^VmRSS:/ {{ kib += $2 }} END {{ print int(kib / 1024) }}'"
    );
    lab.on(host, &script).trim().parse().expect("MiB")
}

/// A board with a JournalNode and without a NameNode gets a new card.
fn replaced(lab: &mut Lab, laptop: &Laptop, path: &Path) {
    let unit = |name: &str| format!("test -e /etc/systemd/system/{name}.service");
    let sign = format!(
        "{} && ! {}",
        unit("hdfs-journalnode"),
        unit("hdfs-namenode")
    );
    let host = HOSTS
        .into_iter()
        .find(|host| lab.try_on(host, &sign).code == Some(0));
    let Some(host) = host else {
        say("stack: each JournalNode is beside a NameNode: none is replaced");
        return;
    };
    lab.run(&["kill", host]);
    super::replace::new_card(lab, host);
    let ran = laptop
        .run(&["replace", host, text(path), "--yes"])
        .expect(0);
    say(&format!(
        "stack: {host} replaced in {:.1} s",
        ran.took.as_secs_f64()
    ));
    laptop.expect_settled(path);
    lab.on(host, "test -e /var/lib/hdfs/journalnode/*/current/VERSION");
    rows(lab, host, "check 0 2000");
    all_copies(lab, host);
}

/// A host is off, and back. What it had others have.
fn without(lab: &mut Lab, laptop: &Laptop, path: &Path, host: &str) {
    let others: Vec<&str> = HOSTS.into_iter().filter(|other| *other != host).collect();
    let other = others[0];
    let session = session(lab);
    let first = 2_000_000 + 1_000_000 * HOSTS.iter().position(|h| *h == host).unwrap_or(0) as u64;
    writes(lab, other, first);
    std::thread::sleep(Duration::from_secs(5));
    lab.run(&["kill", host]);
    let began = Instant::now();
    let page = pages_answer(&others, host);
    let rows = served_again(lab, other, began);
    let most = session + Duration::from_secs(60);
    assert!(
        rows < most,
        "HBase served its table after {rows:?} of {most:?}"
    );
    whole(lab, other);
    say(&format!(
        "stack: {host} lost: the longest wait for a page {:.1} s, all rows of HBase after {:.1} s, all copies after {:.1} s",
        page.as_secs_f64(),
        rows.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    let writer = wrote(lab, other);
    say(&format!(
        "stack: {}",
        writer.lines().last().unwrap_or_default()
    ));
    assert!(writer.contains(" lost 0 "), "{writer}");
    lab.run(&["boot", host]);
    let until = Instant::now() + Duration::from_secs(300);
    while laptop.run(&["status", text(path)]).code != Some(0) {
        assert!(Instant::now() < until, "{host} is not well again");
        std::thread::sleep(Duration::from_secs(5));
    }
    laptop.expect_settled(path);
}
