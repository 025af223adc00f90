//! Numbers of members that can't be are refused as unsafe, with the reason and the way out, before any host is asked.

use std::path::Path;

use crate::lab::laptop::{Ran, run_for, sdtd_in};

/// Addresses that nobody has: whoever asked a host would not come back in time.
const AWAY: &str = "cluster: away\nhosts: { n1: 203.0.113.1, n2: 203.0.113.2, n3: 203.0.113.3 }\n\
    services: { zookeeper: { servers: 1 }, kafka: { brokers: 2 } }\n";
/// Seconds that are too few for a host that does not answer.
const AT_ONCE: u64 = 5;

fn sdtd(home: &Path, words: &[&str], within: u64) -> Ran {
    run_for(&mut sdtd_in(home, home, words), within)
}

/// A folder with an inventory.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("inventory.yaml"), text).expect("written");
    folder
}

fn is_untouched(home: &Path, text: &str) {
    let now = std::fs::read_to_string(home.join("inventory.yaml"));
    assert_eq!(now.expect("read"), text);
}

#[test]
fn a_number_that_can_not_be_is_refused_before_any_host_is_asked() {
    let folder = folder(AWAY);
    for (words, why, help) in [
        (
            "--brokers 0",
            "`brokers` must be at least 1",
            "`brokers: 1` or more",
        ),
        (
            "--zookeepers 0",
            "`servers` must be at least 1",
            "`servers: 1` or more",
        ),
        (
            "--brokers 9",
            "`brokers` wants 9, and there are only 3 hosts",
            "add hosts",
        ),
        (
            "--zookeepers 5",
            "`servers` wants 5, and there are only 3 hosts",
            "add hosts",
        ),
        (
            "--role kafka.broker=4",
            "wants 4, and there are only 3 hosts",
            "`brokers: 3`",
        ),
        ("--zookeepers 2", "`servers` must be odd", "write 1 or 3"),
    ] {
        let words: Vec<&str> = ["scale", "--yes"]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        sdtd(folder.path(), &words, AT_ONCE)
            .expect(6)
            .says(&[why, help]);
        is_untouched(folder.path(), AWAY);
    }
}

#[test]
fn a_name_that_is_no_host_s_is_refused_before_any_host_is_asked() {
    let folder = folder(AWAY);
    for (on, why) in [
        ("n9", "there is no host `n9`"),
        ("n3,n3", "n3 is named twice"),
    ] {
        let words = ["scale", "--yes", "--brokers", "3", "--on", on];
        sdtd(folder.path(), &words, AT_ONCE).expect(2).says(&[why]);
        is_untouched(folder.path(), AWAY);
    }
}

#[test]
fn hosts_that_new_members_can_not_go_to_are_refused() {
    let pid = std::process::id();
    let host = |n: u32| {
        let address = format!("127.{}.{}.{}", 100 + pid % 75, pid / 75 % 250, 80 + n);
        format!("  n{n}: {{ connection: local, address: {address}, memory: 2G }}\n")
    };
    let hosts: String = (1..=4).map(host).collect();
    let text = format!(
        "cluster: on\nhosts:\n{hosts}services: {{ zookeeper: {{ servers: 1 }}, kafka: {{ brokers: 2 }} }}\n"
    );
    let folder = folder(&text);
    for (brokers, on, why) in [
        ("3", "n2", "n2 has one already: kafka.broker@n2"),
        ("9", "n4", "9 are wanted, 2 are there, and `--on` names 1"),
        (
            "0",
            "n4",
            "`--on` says where new ones go, and there are 2 already",
        ),
    ] {
        let words = ["scale", "--yes", "--brokers", brokers, "--on", on];
        let ran = sdtd(folder.path(), &words, 60).expect(6);
        ran.says(&[why, "nothing was changed"]);
        is_untouched(folder.path(), &text);
    }
}
