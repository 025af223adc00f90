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
    file(lab, "pi1", "-put - /checked", Some("seq 1 200000"));
    assert!(all_answer(&HOSTS), "a page is missing");

    rolled(lab, &laptop);
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

/// Whether the page behind the front answers on all of these hosts.
fn all_answer(hosts: &[&str]) -> bool {
    hosts
        .iter()
        .all(|host| answers(host).is_some_and(|said| said.contains(" 200 ")))
}

/// What a host's front answers on a new connection.
fn answers(host: &str) -> Option<String> {
    let address = format!("{}:80", address(host)).parse().ok()?;
    let within = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, within).ok()?;
    stream.set_read_timeout(Some(within)).ok()?;
    stream
        .write_all(b"GET /api/version HTTP/1.0\r\n\r\n")
        .ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// HBase's settings change while a client writes and reads.
fn rolled(lab: &Lab, laptop: &Laptop) {
    let balancer = "balancer() { sh -c '. /etc/hbase/tools/run.sh; . /etc/hbase/tools/balancer.sh; balancer'; }; \
                    SDTD_INSTANCE=x balancer";
    let before = lab.on("pi2", &as_hbase(balancer));
    let client = client("until /tmp/rows-stop");
    lab.on(
        "pi5",
        &format!(
            "setsid sh -c {} >/tmp/rows.said 2>&1 </dev/null &",
            sdtd::facts::quote(&client)
        ),
    );
    std::thread::sleep(Duration::from_secs(10));
    let path = inventory(laptop, 11);
    let ran = laptop.run(&["deploy", text(&path), "--yes"]).expect(0);
    say(&format!("stack: rolled in {:.1} s", ran.took.as_secs_f64()));
    laptop.expect_settled(&path);
    let ends = "touch /tmp/rows-stop; until grep -h '^rows ' /tmp/rows.said; do sleep 0.2; done; cat /tmp/rows.said";
    let writer = lab.on(
        "pi5",
        &format!("timeout 30 sh -c {}", sdtd::facts::quote(ends)),
    );
    say(&format!("stack: {writer}"));
    assert!(writer.contains(" failed 0 "), "{writer}");
    assert_eq!(
        lab.on("pi2", &as_hbase(balancer)),
        before,
        "the balancer is not as it was"
    );
    assert_eq!(before.trim(), "on");
}

/// A host is off, and back. What it had others have.
fn lost(lab: &mut Lab, laptop: &Laptop, path: &Path, host: &str) {
    let other = HOSTS
        .into_iter()
        .find(|other| *other != host)
        .expect("another");
    lab.run(&["kill", host]);
    let began = Instant::now();
    let others: Vec<&str> = HOSTS.into_iter().filter(|other| *other != host).collect();
    while !all_answer(&others) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "a page is missing without {host}"
        );
    }
    let page = began.elapsed();
    file(lab, other, "-cat /checked", None);
    let hdfs = began.elapsed();
    rows(lab, other, "check 0 2000");
    say(&format!(
        "stack: {host} lost: the page on all others after {:.1} s, HDFS read after {:.1} s, all rows of HBase after {:.1} s",
        page.as_secs_f64(),
        hdfs.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    let whole =
        "sh /etc/hdfs/client/run.sh hdfs fsck / | grep -q 'Under-replicated blocks:.*0 (0.0 %)'";
    let until = Instant::now() + Duration::from_secs(400);
    while lab.try_on(other, &as_user("hdfs", whole)).code != Some(0) {
        assert!(Instant::now() < until, "copies are still missing");
        std::thread::sleep(Duration::from_secs(5));
    }
    lab.run(&["boot", host]);
    laptop.run(&["deploy", text(path), "--yes"]).expect(0);
    laptop.expect_settled(path);
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
