//! The whole of `inventories/sdtd.yaml`: made through kills, HBase rolled while a client writes, and hosts lost.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Done;
use crate::golden::project;
use crate::lab::hosts::{HOSTS, Lab, address};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, Running, text};
use crate::lab::say;

/// A client of HBase: upstream's shell is in no Maven repository.
const ROWS: &str = include_str!("Rows.java");
/// How many files are kept in HDFS.
const FILES: usize = 4;
/// The longest that anybody may wait for a page.
const WITHIN: Duration = Duration::from_secs(5);

/// The services of `inventories/sdtd.yaml`, on the lab's hosts; a host is found to be dead within a minute.
fn inventory(laptop: &Laptop, handlers: u32) -> PathBuf {
    let whole = std::fs::read_to_string(project("inventories/sdtd.yaml")).expect("the inventory");
    let services = &whole[whole.find("services:").expect("services")..];
    let recheck = "datanodes: 5, config: { dfs.namenode.heartbeat.recheck-interval: 10000 }";
    let services = services.replace("datanodes: 5", recheck);
    let handlers = format!("hbase: {{ config: {{ hbase.regionserver.handler.count: {handlers} }},");
    let services = services.replace("hbase: {", &handlers);
    let text = Inventory::new().with_services(&services);
    laptop.inventory(&text.replace("memory: 1G", "memory: 4G"))
}

/// Made through kills, then everything else.
pub fn stack(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let path = inventory(&laptop, 10);
    made_through_kills(lab, &laptop, &path);
    laptop.expect_settled(&path);
    let names = with(lab, "hdfs-namenode");
    let formatted = lab.on(names, "cat /var/lib/hdfs/namenode/current/VERSION");
    rows(lab, "pi1", "put 0 2000");
    for n in 0..FILES {
        file(
            lab,
            "pi1",
            &format!("-put - /checked-{n}"),
            Some("seq 1 200000"),
        );
    }
    assert!(all_answer(&HOSTS), "a page is missing");
    started_through_a_kill(lab, &laptop, &path);

    rolled(lab, &laptop);
    let path = inventory(&laptop, 11);
    scaled(lab, &laptop, &path);
    replaced(lab, &laptop, &path);
    for host in hosts_to_lose(names) {
        lost(lab, &laptop, &path, host);
    }
    let after = lab.on(names, "cat /var/lib/hdfs/namenode/current/VERSION");
    assert_eq!(after, formatted, "it was formatted again");
    Done::Passed
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

/// One with a NameNode, and one without; in full all of them.
fn hosts_to_lose(names: &'static str) -> Vec<&'static str> {
    if std::env::var("SDTD_FULL").as_deref() == Ok("1") {
        return HOSTS.to_vec();
    }
    let other = HOSTS.into_iter().rfind(|host| *host != names);
    [Some(names), other].into_iter().flatten().collect()
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

/// Whether a NameNode is up and not open yet.
fn waits_in_safe_mode() -> bool {
    HOSTS.iter().any(|host| {
        let page = format!("{}:9870", address(host));
        get(
            &page,
            "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState",
            "",
        )
        .is_some_and(|said| said.contains("\"safeMode\""))
    })
}

/// Whether the page behind the front answers on all of these hosts.
fn all_answer(hosts: &[&str]) -> bool {
    all_answer_to(hosts, "")
}

fn all_answer_to(hosts: &[&str], cookie: &str) -> bool {
    let right = |said: String| said.lines().next().is_some_and(|l| l.contains(" 200"));
    hosts
        .iter()
        .all(|host| answers(host, cookie).is_some_and(right))
}

/// What a host's front answers on a new connection, to a browser that was with one of the servers or with none.
fn answers(host: &str, cookie: &str) -> Option<String> {
    get(&format!("{}:80", address(host)), "/api/version", cookie)
}

/// What is answered on a new connection, within what anybody may have to wait.
fn get(at: &str, path: &str, cookie: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&at.parse().ok()?, WITHIN).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\n{cookie}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// HBase's settings change while a client writes and reads.
fn rolled(lab: &Lab, laptop: &Laptop) {
    let balancer = "balancer() { sh -c '. /etc/hbase/tools/run.sh; . /etc/hbase/tools/balancer.sh; balancer'; }; \
                    SDTD_INSTANCE=x balancer";
    let before = lab.on("pi2", &as_hbase(balancer));
    writes(lab, "pi5", 1_000_000);
    std::thread::sleep(Duration::from_secs(10));
    let path = inventory(laptop, 11);
    let ran = laptop.run(&["deploy", text(&path), "--yes"]).expect(0);
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
        let ran = laptop.run(&[&words[..], &numbers].concat()).expect(0);
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

/// A client that writes rows, from this number on, until it is told to end.
fn writes(lab: &Lab, host: &str, first: u64) {
    let client = client(&format!("until /tmp/rows-stop {first}"));
    let client = sdtd::facts::quote(&client);
    let script =
        format!("rm -f /tmp/rows-stop; setsid sh -c {client} >/tmp/rows.said 2>&1 </dev/null &");
    lab.on(host, &script);
}

/// What it says in the end, once it has read again all that was acknowledged.
fn wrote(lab: &Lab, host: &str) -> String {
    lab.on(host, "touch /tmp/rows-stop");
    let until = Instant::now() + Duration::from_secs(180);
    while lab.try_on(host, "grep '^rows ' /tmp/rows.said").code != Some(0) {
        assert!(Instant::now() < until, "the client does not end");
        std::thread::sleep(Duration::from_secs(1));
    }
    lab.on(host, "tail -n 40 /tmp/rows.said")
}

/// A host is off, and back. What it had others have.
fn lost(lab: &mut Lab, laptop: &Laptop, path: &Path, host: &str) {
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

/// From the moment that a host is off, each new connection to each other one is answered in time: of a browser that
/// was with the dead one, and of one that was with none. The longest wait.
fn pages_answer(others: &[&str], dead: &str) -> Duration {
    let cookie = format!("Cookie: sdtd-zeppelin-web={dead}\r\n");
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < 4 * WITHIN {
        for (host, cookie) in others
            .iter()
            .flat_map(|host| [(host, ""), (host, &*cookie)])
        {
            let asked = Instant::now();
            let right = all_answer_to(&[host], cookie);
            let took = asked.elapsed();
            longest = longest.max(took);
            assert!(
                right && took < WITHIN,
                "{host} {cookie:?} without {dead}: {right} after {took:?}"
            );
        }
    }
    longest
}

/// How long ZooKeeper keeps the session of a region server that is gone: what that asks for, and no more than is given.
fn session(lab: &Lab) -> Duration {
    let number = |host: &str, script: &str| -> u64 {
        lab.on(host, script).trim().parse().expect("milliseconds")
    };
    let most = "sed -n 's/^maxSessionTimeout=//p' /etc/zookeeper/zoo.cfg";
    let most = number(with(lab, "zookeeper-server"), most);
    let asked = r"sed -n 's|.*<name>zookeeper.session.timeout</name><value>\([0-9]*\)<.*|\1|p' /etc/hbase/regionserver/hbase-site.xml";
    let asked = number(with(lab, "hbase-regionserver"), asked);
    Duration::from_millis(most.min(asked))
}

/// How long after this HBase serves all of its table.
fn served_again(lab: &Lab, host: &str, since: Instant) -> Duration {
    while lab.try_on(host, &client("check 0 2000")).code != Some(0) {
        assert!(
            since.elapsed() < Duration::from_secs(300),
            "HBase does not serve its table"
        );
    }
    since.elapsed()
}

/// A host was found to be dead, all files can be read, no block is missing, and all have their copies again.
fn whole(lab: &Lab, host: &str) {
    let dead = "dfsadmin -report -dead | grep -q '^Dead datanodes (1)'";
    hdfs_says(
        lab,
        host,
        "the NameNode does not list the host as dead",
        dead,
    );
    all_copies(lab, host);
}

/// All files can be read, no block is missing, and all get their copies.
fn all_copies(lab: &Lab, host: &str) {
    files(lab, host);
    let missing = "fsck / | grep -q '^ *Missing blocks:[^0-9]*0$'";
    assert_eq!(hdfs(lab, host, missing), Some(0), "blocks are missing");
    let under = "fsck / | grep -q 'Under-replicated blocks:.*0 (0.0 %)'";
    hdfs_says(lab, host, "copies are still missing", under);
}

/// Waits until HDFS says something.
fn hdfs_says(lab: &Lab, host: &str, otherwise: &str, words: &str) {
    let until = Instant::now() + Duration::from_secs(400);
    while hdfs(lab, host, words) != Some(0) {
        assert!(Instant::now() < until, "{otherwise}");
        std::thread::sleep(Duration::from_secs(5));
    }
}

fn hdfs(lab: &Lab, host: &str, words: &str) -> Option<i32> {
    let script = format!("sh /etc/hdfs/client/run.sh hdfs {words}");
    lab.try_on(host, &as_user("hdfs", &script)).code
}

fn as_user(user: &str, script: &str) -> String {
    format!(
        "setpriv --reuid={user} --regid={user} --init-groups sh -c {}",
        sdtd::facts::quote(script)
    )
}

fn as_hbase(script: &str) -> String {
    as_user("hbase", script)
}

/// Runs the client.
fn rows(lab: &Lab, host: &str, words: &str) -> String {
    lab.on(host, &client(words))
}

/// What runs the client, which is compiled there at first.
fn client(words: &str) -> String {
    let source = sdtd::facts::quote(ROWS);
    format!(
        "export SDTD_INSTANCE=x; mkdir -p /tmp/rows && cd /tmp/rows && . /etc/hbase/tools/run.sh && JAVA=/opt/java/bin/java && \
         if [ ! -e Rows.class ]; then printf '%s' {source} >Rows.java && \
         $JAVA -cp \"$JARS\" org.eclipse.jdt.internal.compiler.batch.Main -11 -nowarn Rows.java; fi && \
         $JAVA -Xmx128m -cp \"/tmp/rows:$CONF:$JARS\" Rows {words}"
    )
}

/// All files can be read, and are what was written.
fn files(lab: &Lab, host: &str) {
    for n in 0..FILES {
        file(lab, host, &format!("-cat /checked-{n}"), None);
    }
}

/// A file of HDFS, written from what a command prints or read with its sum.
fn file(lab: &Lab, host: &str, words: &str, from: Option<&str>) {
    let run = format!("sh /etc/hdfs/client/run.sh hdfs dfs {words}");
    let sum = "seq 1 200000 | cksum";
    let script = match from {
        Some(command) => format!("{command} | {run}"),
        None => format!("test \"$({run} | cksum)\" = \"$({sum})\""),
    };
    lab.on(host, &as_user("hdfs", &script));
}
