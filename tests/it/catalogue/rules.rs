//! What must hold of the renders whatever else changes in them: each rule has cost somebody a cluster.

use std::collections::BTreeMap;

use sdtd::id::HostName;

use super::render::{Rendered, local};
use crate::setup::{catalogue, cluster};

/// A cluster of `n` hosts with a server and a broker on each, as its first host has it.
struct Made {
    rendered: Rendered,
}

/// Renders for `n` brokers on boards with so much memory; `local` for hosts on this machine.
fn made(n: usize, memory_mb: u64, here: bool, more: &str) -> Made {
    let catalogue = catalogue();
    let hosts: Vec<String> = (1..=n).map(|i| format!("h{i}: 10.0.0.{i}")).collect();
    let servers = if n.is_multiple_of(2) { n - 1 } else { n };
    let text = format!(
        "cluster: c\nhosts: {{ {} }}\nservices:\n  zookeeper: {{ servers: {servers} }}\n  kafka: {{ brokers: {n}{more} }}\n",
        hosts.join(", ")
    );
    let mut cluster = cluster(&text, &catalogue);
    if here {
        cluster = local(&cluster);
    }
    let memory: BTreeMap<HostName, u64> = cluster
        .hosts
        .keys()
        .map(|host| (host.clone(), memory_mb))
        .collect();
    let host = "h1".parse().expect("a name");
    Made {
        rendered: Rendered::new(&cluster, &catalogue, &host, &memory),
    }
}

impl Made {
    fn broker(&self) -> BTreeMap<&str, &str> {
        self.rendered.keys("server.properties")
    }

    fn server(&self) -> BTreeMap<&str, &str> {
        self.rendered.keys("zoo.cfg")
    }

    #[track_caller]
    fn unit(&self, unit: &str, here: bool) -> &str {
        let end = if here {
            format!("{unit}/ctl")
        } else {
            format!("{unit}.service")
        };
        self.rendered.file(&end)
    }
}

#[track_caller]
fn has(keys: &BTreeMap<&str, &str>, wanted: &[(&str, &str)]) {
    for (key, value) in wanted {
        assert_eq!(keys.get(key), Some(value), "{key}");
    }
}

#[test]
fn copies_follow_the_number_of_brokers() {
    for (n, copies, least) in [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (5, "3", "2")] {
        let made = made(n, 4096, false, "");
        let wanted = [
            ("default.replication.factor", copies),
            ("offsets.topic.replication.factor", copies),
            ("transaction.state.log.replication.factor", copies),
            ("min.insync.replicas", least),
            ("transaction.state.log.min.isr", least),
            ("unclean.leader.election.enable", "false"),
            ("auto.create.topics.enable", "false"),
        ];
        has(&made.broker(), &wanted);
    }
}

#[test]
fn a_small_heap_has_small_buffers_and_a_large_one_has_not() {
    let small = made(3, 1024, false, "");
    let wanted = [
        ("log.cleaner.dedupe.buffer.size", "16777216"),
        ("socket.request.max.bytes", "16777216"),
        ("num.network.threads", "2"),
        ("num.io.threads", "4"),
        ("background.threads", "4"),
        ("offsets.topic.num.partitions", "10"),
    ];
    has(&small.broker(), &wanted);
    assert!(small.unit("kafka-broker", false).contains("\"-Xmx256m\""));
    let large = made(3, 8000, false, "");
    assert!(large.unit("kafka-broker", false).contains("\"-Xmx2000m\""));
    has(
        &large.broker(),
        &[("log.cleaner.dedupe.buffer.size", "67108864")],
    );
    // A heap that the user makes small is small on a large board, too.
    let own = made(3, 8000, false, ", heap: 256M");
    has(
        &own.broker(),
        &[("log.cleaner.dedupe.buffer.size", "16777216")],
    );
}

#[test]
fn the_heaps_leave_room_on_the_smallest_board() {
    let made = made(3, 905, false, "");
    assert!(made.unit("zookeeper-server", false).contains("\"-Xmx72m\""));
    assert!(made.unit("kafka-broker", false).contains("\"-Xmx256m\""));
}

#[test]
fn a_jvm_dies_when_it_is_out_of_memory_and_stays_within_its_bounds() {
    for here in [false, true] {
        let made = made(3, 2048, here, "");
        for (unit, files) in [("kafka-broker", "100000"), ("zookeeper-server", "65536")] {
            let text = made.unit(unit, here);
            let tmp = format!(
                "/var/lib/{}/tmp",
                unit.split('-').next().unwrap_or_default()
            );
            let wanted = [
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:MaxDirectMemorySize=",
                "-XX:ReservedCodeCacheSize=64m",
                "-Djdk.nio.maxCachedBufferSize=262144",
                "MALLOC_ARENA_MAX=",
                "-Djava.io.tmpdir=",
                &tmp,
                files,
            ];
            for word in wanted {
                assert!(text.contains(word), "{unit} lacks {word}:\n{text}");
            }
        }
        let broker = made.unit("kafka-broker", here);
        assert!(
            broker.contains("-Dorg.xerial.snappy.tempdir=") && broker.contains("-DZstdTempFolder=")
        );
        assert!(
            made.unit("zookeeper-server", here)
                .contains("-Dzookeeper.admin.enableServer=false")
        );
    }
}

#[test]
fn a_unit_is_started_again_after_a_crash_without_end_and_waits_for_its_disks() {
    let made = made(3, 2048, false, ", data: [/mnt/a, /mnt/b]");
    let text = made.unit("kafka-broker", false);
    let (unit, service) = text.split_once("[Service]").expect("two parts");
    assert!(unit.contains("\nStartLimitIntervalSec=0\n"), "{unit}");
    assert!(
        unit.contains("\nRequiresMountsFor=/mnt/a /mnt/b\n"),
        "{unit}"
    );
    assert!(unit.contains("time-sync.target"), "{unit}");
    for line in [
        "Restart=on-failure",
        "RestartSec=5",
        "LimitNOFILE=100000",
        "TimeoutStopSec=360",
    ] {
        assert!(service.lines().any(|l| l == line), "{line}: {service}");
    }
}

#[test]
fn a_real_host_listens_everywhere_and_a_local_one_on_its_own_address() {
    let real = made(3, 2048, false, "");
    let wanted = [
        ("listeners", "INTERNAL://0.0.0.0:9092"),
        ("advertised.listeners", "INTERNAL://10.0.0.1:9092"),
        ("inter.broker.listener.name", "INTERNAL"),
        ("listener.security.protocol.map", "INTERNAL:PLAINTEXT"),
        ("broker.rack", "h1"),
        (
            "zookeeper.connect",
            "10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/kafka",
        ),
    ];
    has(&real.broker(), &wanted);
    has(&real.server(), &[("clientPortAddress", "0.0.0.0")]);
    let here = made(3, 2048, true, "");
    has(
        &here.broker(),
        &[("listeners", "INTERNAL://127.0.0.2:9092")],
    );
    has(
        &here.broker(),
        &[("advertised.listeners", "INTERNAL://127.0.0.2:9092")],
    );
    has(&here.server(), &[("clientPortAddress", "127.0.0.2")]);
    for (path, text) in here.rendered.files() {
        assert!(!text.contains("0.0.0.0"), "{path} listens everywhere");
    }
}

#[test]
fn a_server_keeps_what_it_must_and_purges_what_it_may() {
    for (n, alone) in [(1, "true"), (3, "false")] {
        let made = made(n, 2048, false, "");
        let wanted = [
            ("standaloneEnabled", alone),
            ("reconfigEnabled", "false"),
            ("admin.enableServer", "false"),
            ("autopurge.purgeInterval", "24"),
            ("preAllocSize", "16384"),
            ("maxSessionTimeout", "90000"),
        ];
        has(&made.server(), &wanted);
        assert!(!made.server().contains_key("forceSync"));
        assert!(!made.server().contains_key("snapshot.trust.empty"));
        let words = made.server()["4lw.commands.whitelist"].to_owned();
        for word in ["srvr", "mntr", "ruok", "isro"] {
            assert!(words.split(',').any(|w| w == word), "{word} of {words}");
        }
        let listed = made
            .server()
            .keys()
            .filter(|key| key.starts_with("server."))
            .count();
        assert_eq!(listed, if n == 1 { 0 } else { n });
    }
}

#[test]
fn nothing_is_kept_below_tmp_and_no_log_grows_without_end() {
    let made = made(3, 2048, false, "");
    for (path, text) in made.rendered.files() {
        let below_tmp = |word: &str| word.starts_with("/tmp") || word.starts_with("/var/tmp");
        let words = text.split(|c: char| c.is_whitespace() || "=\"':,".contains(c));
        assert!(!words.into_iter().any(below_tmp), "{path} speaks of /tmp");
    }
    assert!(
        made.rendered
            .file("kafka/log4j.properties")
            .contains("MaxFileSize=10MB")
    );
    assert!(
        made.rendered
            .file("logback.xml")
            .contains("<maxFileSize>10MB")
    );
}

#[test]
fn the_users_keys_win_and_those_of_a_host_win_over_them() {
    let more = ", config: { num.partitions: 6, log.retention.hours: 24 }, hosts: { h1: { config: { log.retention.hours: 12 } } }";
    let made = made(3, 2048, false, more);
    has(
        &made.broker(),
        &[("num.partitions", "6"), ("log.retention.hours", "12")],
    );
}
