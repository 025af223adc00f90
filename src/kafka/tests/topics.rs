//! Wanted topics against those that are there.

use std::collections::BTreeMap;

use super::{cluster, partition};
use crate::kafka::config::{Configs, Entry, Resource, Source};
use crate::kafka::metadata::Metadata;
use crate::kafka::topics::{Leftovers, TopicSpec, diff, same};

fn spec(partitions: i32, replication: i16, config: &[(&str, &str)]) -> TopicSpec {
    let config = config
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    TopicSpec {
        name: "velib".to_owned(),
        partitions,
        replication,
        config: config.collect(),
    }
}

/// `velib` with two partitions of two copies.
fn there() -> Metadata {
    let p = [
        partition(0, 1, &[1, 2], &[1, 2]),
        partition(1, 2, &[2, 1], &[2, 1]),
    ];
    cluster(
        3,
        &[("other", &[partition(0, 1, &[1], &[1])]), ("velib", &p)],
    )
}

fn configs(entries: &[(&str, &str, Source)]) -> Configs {
    let entry = |(name, value, source): &(&str, &str, Source)| Entry {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
        source: *source,
        read_only: false,
        sensitive: false,
    };
    BTreeMap::from([(
        Resource::Topic("velib".to_owned()),
        entries.iter().map(entry).collect(),
    )])
}

fn lines(spec: TopicSpec, configs: &Configs, leftovers: Leftovers) -> Vec<String> {
    let changes = diff(&[spec], &there(), configs, leftovers);
    changes
        .iter()
        .map(|c| format!("{}{c}", if c.is_change() { "* " } else { "" }))
        .collect()
}

#[test]
fn a_missing_topic_is_made() {
    let mut wanted = spec(10, 3, &[("retention.ms", "604800000")]);
    wanted.name = "velib-stations".to_owned();
    assert_eq!(
        lines(wanted, &Configs::new(), Leftovers::Report),
        ["* topic velib-stations: create, partitions 10, copies 3, retention.ms=604800000"]
    );
}

#[test]
fn what_is_right_is_left_alone() {
    let have = configs(&[
        ("retention.ms", "1000", Source::Topic),
        ("cleanup.policy", "delete", Source::Default),
        ("min.insync.replicas", "2", Source::File),
        ("leader.replication.throttled.replicas", "*", Source::Topic),
    ]);
    let wanted = spec(2, 2, &[("retention.ms", " 01000")]);
    assert_eq!(
        lines(wanted, &have, Leftovers::Remove),
        Vec::<String>::new()
    );
}

#[test]
fn partitions_grow_and_nothing_else_is_touched() {
    let none = Configs::new();
    assert_eq!(
        lines(spec(5, 2, &[]), &none, Leftovers::Report),
        ["* topic velib: partitions 2 -> 5"]
    );
    assert_eq!(
        lines(spec(1, 3, &[]), &none, Leftovers::Report),
        [
            "topic velib: partitions 2 -> 1 is refused: partitions can only grow",
            "* topic velib: copies 2 -> 3",
        ]
    );
}

#[test]
fn unequal_numbers_of_copies_are_told() {
    let p = [
        partition(0, 1, &[1, 2], &[1, 2]),
        partition(1, 2, &[2, 1, 3], &[2, 1, 3]),
    ];
    for (replication, from) in [(2, 3), (3, 2)] {
        let changes = diff(
            &[spec(2, replication, &[])],
            &cluster(3, &[("velib", &p)]),
            &Configs::new(),
            Leftovers::Report,
        );
        assert!(
            changes[0]
                .to_string()
                .contains(&format!("copies {from} -> {replication}"))
        );
        assert_eq!(changes.len(), 1);
    }
}

#[test]
fn settings_are_compared_with_value_and_source() {
    let have = configs(&[
        ("cleanup.policy", "delete", Source::Default),
        ("min.insync.replicas", "1", Source::AllBrokers),
        ("retention.ms", "1000", Source::Topic),
    ]);
    let wanted = spec(
        2,
        2,
        &[
            ("cleanup.policy", "delete"),
            ("min.insync.replicas", "2"),
            ("nonsense", "1"),
            ("retention.ms", "2000"),
        ],
    );
    assert_eq!(
        lines(wanted, &have, Leftovers::Report),
        [
            "* topic velib: cleanup.policy delete (the default) -> delete",
            "* topic velib: min.insync.replicas 1 (set for all brokers) -> 2",
            "* topic velib: nonsense = 1",
            "* topic velib: retention.ms 1000 -> 2000",
        ]
    );
}

#[test]
fn what_the_inventory_does_not_name_is_told_and_only_on_demand_removed() {
    let have = configs(&[("retention.ms", "1000", Source::Topic)]);
    assert_eq!(
        lines(spec(2, 2, &[]), &have, Leftovers::Report),
        ["topic velib: retention.ms=1000 is set on the topic but not in the inventory; left alone"]
    );
    assert_eq!(
        lines(spec(2, 2, &[]), &have, Leftovers::Remove),
        ["* topic velib: retention.ms 1000 -> removed"]
    );
}

#[test]
fn a_min_isr_for_few_copies_goes_where_there_are_more_unless_the_inventory_names_it() {
    let key = "min.insync.replicas";
    let one = configs(&[(key, "1", Source::Topic)]);
    assert_eq!(
        lines(spec(2, 3, &[]), &one, Leftovers::Report),
        [
            "* topic velib: copies 2 -> 3",
            "* topic velib: min.insync.replicas 1 -> removed",
        ]
    );
    // As many copies as before, fewer, another value, a default that shows through, or the user's own wish.
    for (copies, value, source, named) in [
        (2, "1", Source::Topic, false),
        (1, "1", Source::Topic, false),
        (3, "2", Source::Topic, false),
        (3, "1", Source::File, false),
        (3, "1", Source::Topic, true),
    ] {
        let own = [(key, "1")];
        let wanted = spec(2, copies, if named { &own } else { &[] });
        let told = lines(wanted, &configs(&[(key, value, source)]), Leftovers::Report);
        let removed = told.iter().any(|line| line.ends_with("removed"));
        assert!(!removed, "{copies} {value}: {told:?}");
    }
}

#[test]
fn spellings_that_mean_the_same() {
    let equal = [
        ("604800000", "604800000"),
        ("0604800000", "604800000"),
        (" 1 ", "1"),
        ("True", "true"),
        ("0.50", "0.5"),
        ("compact, delete", "compact,delete"),
        ("", ""),
    ];
    let unequal = [
        ("1", "2"),
        ("lz4", "LZ4"),
        ("true", "false"),
        ("0.5", "0.51"),
        ("delete,compact", "compact,delete"),
        ("9223372036854775807", "9223372036854775806"),
        ("nan", "NaN"),
        ("", "0"),
    ];
    for (wanted, have) in equal {
        assert!(same(wanted, have), "{wanted} {have}");
    }
    for (wanted, have) in unequal {
        assert!(!same(wanted, have), "{wanted} {have}");
    }
}
