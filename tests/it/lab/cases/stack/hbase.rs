//! Clients of HBase.

use std::time::{Duration, Instant};

use super::hdfs::as_user;
use super::with;
use crate::lab::hosts::Lab;

/// A client: upstream's shell is in no Maven repository.
const ROWS: &str = include_str!("Rows.java");

/// A client that writes rows, from this number on, until it is told to end.
pub fn writes(lab: &Lab, host: &str, first: u64) {
    let client = client(&format!("until /tmp/rows-stop {first}"));
    let client = sdtd::facts::quote(&client);
    let script =
        format!("rm -f /tmp/rows-stop; setsid sh -c {client} >/tmp/rows.said 2>&1 </dev/null &");
    lab.on(host, &script);
}

/// What it says in the end, once it has read again all that was acknowledged.
pub fn wrote(lab: &Lab, host: &str) -> String {
    lab.on(host, "touch /tmp/rows-stop");
    let until = Instant::now() + Duration::from_secs(180);
    while lab.try_on(host, "grep '^rows ' /tmp/rows.said").code != Some(0) {
        assert!(Instant::now() < until, "the client does not end");
        std::thread::sleep(Duration::from_secs(1));
    }
    lab.on(host, "tail -n 40 /tmp/rows.said")
}

/// How long ZooKeeper keeps the session of a region server that is gone: what that asks for, and no more than is given.
pub fn session(lab: &Lab) -> Duration {
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
pub fn served_again(lab: &Lab, host: &str, since: Instant) -> Duration {
    while lab.try_on(host, &client("check 0 2000")).code != Some(0) {
        assert!(
            since.elapsed() < Duration::from_secs(300),
            "HBase does not serve its table"
        );
    }
    since.elapsed()
}

pub fn as_hbase(script: &str) -> String {
    as_user("hbase", script)
}

/// Runs the client.
pub fn rows(lab: &Lab, host: &str, words: &str) -> String {
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
