//! Whether a DataNode that leaves may be stopped and its folders deleted, by what the NameNode reports.

use super::Bench;

/// What a NameNode reports: counts of blocks (missed, missed though of one copy, on few others), and DataNodes.
fn report((missing, of_one, few): (u32, u32, u32), nodes: &str) -> String {
    format!(
        "Configured Capacity: 1 (1 B)\nReplicated Blocks:\n\tUnder replicated blocks: 7\n\
         \tBlocks with corrupt replicas: 0\n\tMissing blocks: {missing}\n\
         \tMissing blocks (with replication factor 1): {of_one}\n\
         \tLow redundancy blocks with highest priority to recover: {few}\n\tPending deletion blocks: 0\n\
         Erasure Coded Block Groups: \n\tMissing block groups: 0\n\n{nodes}"
    )
}

/// A DataNode as it is reported.
fn node(host: &str, state: &str) -> String {
    format!(
        "Name: 10.0.0.1:9866 (x)\nHostname: {host}\nDecommission Status : {state}\nConfigured Capacity: 1\n\n"
    )
}

fn live(state: &str) -> String {
    let (other, me) = (node("other", "Normal"), node("me", state));
    format!("Live datanodes (2):\n\n{other}{me}")
}

fn dead(state: &str) -> String {
    let (other, me) = (node("other", "Normal"), node("me", state));
    format!("Live datanodes (1):\n\n{other}Dead datanodes (1):\n\n{me}")
}

fn unknown() -> String {
    format!("Live datanodes (1):\n\n{}", node("other", "Normal"))
}

fn answer(report: &str) -> (Option<i32>, String) {
    let bench = Bench::new().with("SDTD_PORT_BLOCKS", "9866");
    let name = "<property><name>dfs.datanode.hostname</name><value>me</value></property>";
    bench.file("config/datanode/hdfs-site.xml", name);
    bench.file("config/report", report);
    let run = "[ \"$*\" = 'hdfs dfsadmin -report' ] && cat \"$SDTD_CONFIG/report\"";
    bench.file("config/client/run.sh", run);
    bench.run("hdfs/hooks/copied.sh")
}

#[test]
fn a_datanode_leaves_once_nothing_needs_it() {
    let whole = (0, 0, 0);
    let safe = |nodes: String| format!("Safe mode is ON\n{}", report(whole, &nodes));
    let gone = "Decommissioned";
    let cases = [
        ("live", report(whole, &live(gone)), 0, "on the others"),
        // One that it does not have either.
        (
            "live, one missed",
            report((1, 0, 0), &live(gone)),
            0,
            "on the others",
        ),
        (
            "back, never copied",
            report((0, 0, 3), &live(gone)),
            1,
            "leave: 3",
        ),
        (
            "copying",
            report(whole, &live("Decommission in progress")),
            1,
            "copied: 7",
        ),
        (
            "not told",
            report(whole, &live("Normal")),
            1,
            "have it leave yet",
        ),
        ("dead", report(whole, &dead(gone)), 0, "it is dead"),
        (
            "dead, missed",
            report((2, 0, 0), &dead(gone)),
            1,
            "(blocks: 2)",
        ),
        (
            "dead, missed, one copy",
            report((0, 1, 0), &dead(gone)),
            1,
            "start it",
        ),
        (
            "dead, on few",
            report((0, 0, 1), &dead(gone)),
            1,
            "leave: 1",
        ),
        ("safe mode", safe(live(gone)), 1, "safe mode"),
        ("unknown, safe mode", safe(unknown()), 1, "safe mode"),
        (
            "unknown, missed",
            report((1, 0, 0), &unknown()),
            1,
            "start it",
        ),
        ("unknown", report(whole, &unknown()), 0, "does not know it"),
        ("no counts", unknown(), 1, "start it"),
    ];
    for (name, report, code, said) in cases {
        let (is, last) = answer(&report);
        assert_eq!(is, Some(code), "{name}: {last}");
        assert!(last.contains(said), "{name}: {last}");
    }
}
