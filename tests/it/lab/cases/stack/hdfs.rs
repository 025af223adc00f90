//! Clients of HDFS.

use std::time::{Duration, Instant};

use crate::lab::hosts::Lab;

/// How many files are kept.
const FILES: usize = 4;

/// A host was found to be dead, all files can be read, no block is missing, and all have their copies again.
pub fn whole(lab: &Lab, host: &str) {
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
pub fn all_copies(lab: &Lab, host: &str) {
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

pub fn as_user(user: &str, script: &str) -> String {
    format!(
        "setpriv --reuid={user} --regid={user} --init-groups sh -c {}",
        sdtd::facts::quote(script)
    )
}

/// Writes the files.
pub fn write_files(lab: &Lab, host: &str) {
    for n in 0..FILES {
        let words = format!("-put - /checked-{n}");
        file(lab, host, &words, Some("seq 1 200000"));
    }
}

/// All files can be read, and are what was written.
pub fn files(lab: &Lab, host: &str) {
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
