//! What is concluded from metadata, case by case.

use std::collections::BTreeMap;

use super::{cluster, partition};
use crate::kafka::health::{
    Readiness, assess, endangered, isr_gate, leaned_on, only_copy, ready, short_without,
    single_copies,
};
use crate::kafka::metadata::Partition;

fn labels(found: &[crate::kafka::health::PartitionState]) -> Vec<String> {
    found
        .iter()
        .map(|s| format!("{}-{}", s.topic, s.partition.index))
        .collect()
}

fn min(n: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([("t".to_owned(), n)])
}

fn offline(mut p: Partition, ids: &[i32]) -> Partition {
    p.offline = ids.to_vec();
    p
}

#[test]
fn each_trouble_is_in_its_list() {
    // partition, min ISR, [offline, under-replicated, below, at], missing brokers
    let cases: &[(Partition, usize, [bool; 4], &[i32])] = &[
        (
            partition(0, 1, &[1, 2, 3], &[3, 1, 2]),
            2,
            [false, false, false, false],
            &[],
        ),
        (
            partition(0, 1, &[1, 2, 3], &[1, 2]),
            2,
            [false, true, false, true],
            &[3],
        ),
        (
            partition(0, 1, &[1, 2, 3], &[1]),
            2,
            [false, true, true, false],
            &[2, 3],
        ),
        // Without a leader the last one stays listed.
        (
            partition(0, 0, &[1, 2, 3], &[1]),
            1,
            [true, true, true, false],
            &[2, 3],
        ),
        (
            offline(partition(0, 1, &[1, 2, 3], &[1, 2]), &[3]),
            2,
            [true, true, false, true],
            &[3],
        ),
        // Killed a moment ago: still in the ISR, already known to be away.
        (
            offline(partition(0, 1, &[1, 2, 3], &[1, 2, 3]), &[3]),
            3,
            [true, false, true, false],
            &[3],
        ),
        // One copy, or as many as are asked for, is no alarm while all are there.
        (
            partition(0, 1, &[1], &[1]),
            1,
            [false, false, false, false],
            &[],
        ),
        (
            partition(0, 1, &[1, 2], &[1, 2]),
            2,
            [false, false, false, false],
            &[],
        ),
        (
            partition(0, 1, &[1], &[1]),
            2,
            [false, false, true, false],
            &[],
        ),
    ];
    for (p, min_isr, expected, missing) in cases {
        let health = assess(
            &cluster(3, &[("t", std::slice::from_ref(p))]),
            &min(*min_isr),
        );
        let found = [
            &health.offline,
            &health.under_replicated,
            &health.below_min_isr,
            &health.at_min_isr,
        ]
        .map(|list| !list.is_empty());
        assert_eq!(found, *expected, "{p:?}");
        assert_eq!(
            health.missing_brokers().into_iter().collect::<Vec<_>>(),
            *missing,
            "{p:?}"
        );
        assert_eq!(health.is_whole(), !expected[0] && !expected[1], "{p:?}");
    }
}

#[test]
fn topics_of_unknown_min_isr_are_not_judged_by_it() {
    let found = cluster(3, &[("t", &[partition(0, 1, &[1, 2, 3], &[1])])]);
    let health = assess(&found, &BTreeMap::new());
    assert!(health.below_min_isr.is_empty() && health.at_min_isr.is_empty());
}

#[test]
fn a_topic_with_an_error_is_not_whole() {
    let mut found = cluster(3, &[("t", &[])]);
    found.topics[0].error = 5;
    assert!(!assess(&found, &BTreeMap::new()).is_whole());
    assert_eq!(isr_gate(&found, 1).len(), 1);
}

#[test]
fn the_gate_opens_only_when_everything_is_whole() {
    let whole = partition(0, 1, &[1, 2, 3], &[3, 2, 1]);
    let closed = [
        partition(1, 2, &[2, 3], &[2]),
        partition(1, 0, &[2, 3], &[2]),
        partition(1, 0, &[2], &[2]),
        offline(partition(1, 2, &[2, 3], &[2, 3]), &[3]),
        partition(1, 2, &[2, 3], &[2, 4]),
    ];
    assert!(isr_gate(&cluster(3, &[("t", std::slice::from_ref(&whole))]), 1).is_empty());
    for p in closed {
        let blocked = isr_gate(&cluster(3, &[("t", &[whole.clone(), p.clone()])]), 1);
        assert_eq!(labels(&blocked), ["t-1"], "{p:?}");
    }
}

#[test]
fn a_copy_counts_only_in_sync_on_another_broker_that_lives() {
    let found = cluster(
        3,
        &[(
            "t",
            &[
                partition(0, 1, &[1, 2, 3], &[1, 2]),
                partition(1, 0, &[2, 3], &[2]),
                partition(2, 2, &[2], &[2]),
                // Broker 4 is not there any more.
                partition(3, 0, &[2, 4], &[4]),
                partition(4, 3, &[3, 1], &[3]),
            ],
        )],
    );
    assert_eq!(labels(&only_copy(&found, 2)), ["t-1", "t-2", "t-3"]);
    assert_eq!(labels(&only_copy(&found, 1)), Vec::<String>::new());
}

#[test]
fn the_gate_names_the_brokers_own_partitions_first() {
    let found = cluster(
        4,
        &[
            ("a", &[partition(0, 2, &[2, 3], &[2])]),
            ("b", &[partition(0, 1, &[1, 4], &[1])]),
        ],
    );
    let blocked = isr_gate(&found, 4);
    assert_eq!(labels(&blocked), ["b-0", "a-0"]);
    assert_eq!(
        blocked[0].to_string(),
        "b-0: in sync [1] of [1, 4], leader 1"
    );
    assert_eq!(blocked[0].missing(), [4]);
    assert!(blocked[0].is_on(4) && !blocked[1].is_on(4));
}

#[test]
fn what_a_stop_would_endanger() {
    let t = [
        partition(0, 1, &[1, 2, 3], &[1, 2, 3]),
        partition(1, 2, &[2, 3], &[2, 3]),
        partition(2, 3, &[3], &[3]),
        partition(3, 1, &[1, 2, 3], &[1, 2]),
    ];
    let found = cluster(3, &[("t", &t)]);
    let cases: &[(usize, &[i32], &[&str])] = &[
        (2, &[1], &["t-3"]),
        (2, &[2], &["t-1", "t-3"]),
        (1, &[3], &["t-2"]),
        // Both brokers of one host.
        (2, &[1, 2], &["t-0", "t-1", "t-3"]),
        (1, &[1, 2], &["t-3"]),
        (2, &[9], &[]),
    ];
    for (min_isr, brokers, expected) in cases {
        assert_eq!(
            labels(&endangered(&found, &min(*min_isr), brokers)),
            *expected,
            "{brokers:?}"
        );
    }
    assert_eq!(labels(&single_copies(&found, 3)), ["t-2"]);
    assert_eq!(labels(&single_copies(&found, 1)), Vec::<String>::new());
}

#[test]
fn a_broker_is_ready_once_it_is_in_sync_everywhere() {
    let found = cluster(
        2,
        &[(
            "t",
            &[
                partition(0, 1, &[1, 2], &[1, 2]),
                partition(1, 1, &[1, 2], &[1]),
            ],
        )],
    );
    assert_eq!(ready(&found, 1), Readiness::Ready);
    assert_eq!(ready(&found, 3), Readiness::Unregistered);
    let Readiness::CatchingUp(behind) = ready(&found, 2) else {
        panic!("it is behind")
    };
    assert_eq!(labels(&behind), ["t-1"]);
}

#[test]
fn one_that_serves_nobody_is_stopped_where_nobody_leans_on_it() {
    // partition, whether broker 1 may be stopped
    let cases = [
        (
            partition(0, 2, &[1, 2, 3], &[2, 3]),
            true,
            "it is out of it already",
        ),
        (
            partition(0, 2, &[1, 2, 3], &[2]),
            true,
            "nor does it matter how the others are",
        ),
        (
            partition(0, 1, &[1, 2, 3], &[1]),
            true,
            "what it leads is served to nobody",
        ),
        (
            partition(0, 0, &[1, 2, 3], &[1]),
            true,
            "what nobody leads neither",
        ),
        (
            partition(0, 2, &[1, 2, 3], &[1, 2, 3]),
            true,
            "all others have it too",
        ),
        (
            partition(0, 2, &[1, 2, 3], &[1, 2]),
            false,
            "broker 3 is missing",
        ),
        (partition(0, 2, &[2, 3], &[2]), true, "it is not about it"),
    ];
    for (p, may, why) in cases {
        let (blocked, _) = leaned_on(&cluster(3, &[("t", std::slice::from_ref(&p))]), 1);
        assert_eq!(blocked.is_empty(), may, "{why}: {p:?}");
    }
    let all = partition(0, 2, &[1, 2, 3], &[1, 2, 3]);
    let (_, others) = leaned_on(&cluster(3, &[("t", &[all])]), 1);
    assert_eq!(
        others.into_iter().collect::<Vec<_>>(),
        [2, 3],
        "they have to live"
    );
}

#[test]
fn enough_stays_in_sync_for_writes() {
    let live = |ids: &[i32]| ids.iter().copied().collect();
    // partition, min ISR, those beside broker 1, whether it may be stopped
    let cases: &[(Partition, usize, &[i32], bool)] = &[
        (partition(0, 1, &[1, 2, 3], &[1, 2, 3]), 2, &[], true),
        (partition(0, 1, &[1, 2, 3], &[1, 2]), 2, &[], false),
        (partition(0, 2, &[1, 2, 3], &[2, 3]), 2, &[], true),
        (partition(0, 2, &[1, 2, 3], &[2]), 2, &[], false),
        (partition(0, 1, &[1, 2, 3], &[1, 2]), 1, &[], true),
        // Never more copies than writes need: to wait is to no avail.
        (partition(0, 1, &[1, 2], &[1, 2]), 2, &[], true),
        (partition(0, 1, &[1], &[1]), 1, &[], true),
        // Together with others.
        (partition(0, 1, &[1, 2, 3], &[1, 2, 3]), 2, &[2], false),
        (partition(0, 1, &[1, 2, 3], &[1, 2, 3]), 1, &[2], true),
        (partition(0, 1, &[1, 2, 3], &[1, 2, 3]), 1, &[2, 3], false),
        (partition(0, 1, &[1, 2], &[1, 2]), 2, &[2], false),
        (partition(0, 1, &[1, 2, 4], &[1, 2, 4]), 2, &[3], true),
    ];
    for (p, least, beside, may) in cases {
        let metadata = cluster(4, &[("t", std::slice::from_ref(p))]);
        let short = short_without(&metadata, &min(*least), (1, beside), &live(&[2, 3, 4]));
        assert_eq!(short.is_empty(), *may, "{p:?}, {least}, {beside:?}");
    }
    // One that is listed and does not answer does not count.
    let p = partition(0, 1, &[1, 2, 3], &[1, 2, 3]);
    let metadata = cluster(3, &[("t", &[p])]);
    assert!(!short_without(&metadata, &min(2), (1, &[]), &live(&[2])).is_empty());
}
