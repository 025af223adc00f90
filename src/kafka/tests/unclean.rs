//! Partitions that nobody leads, and what is said of an election that may lose messages.

use super::{cluster, partition};
use crate::driver::Leaderless;
use crate::kafka::metadata::Partition;
use crate::kafka::unclean::{Unclean, stranded};
use crate::plan::ResourceChange;

fn look(p: Partition, index: Option<i32>) -> Result<Vec<Leaderless>, String> {
    let mut live = cluster(3, &[("velib", &[partition(0, 1, &[1, 2], &[1]), p])]);
    // Broker 3 is dead.
    live.brokers.retain(|broker| broker.id != 3);
    stranded(&live, "velib", index).map_err(|problem| problem.cause)
}

fn without_leader(replicas: &[i32], isr: &[i32]) -> Partition {
    Partition {
        leader: None,
        ..partition(1, 3, replicas, isr)
    }
}

#[test]
fn what_nobody_leads_goes_on_from_the_first_replica_that_lives() {
    let found = look(without_leader(&[3, 2, 1], &[3]), None).unwrap();
    assert_eq!(found.len(), 1, "the other one is led");
    let one = &found[0];
    assert_eq!((one.index, one.next, &one.last[..]), (1, 2, &[3][..]));
    // Some name the dead one as the leader until they know better.
    let found = look(partition(1, 3, &[3, 1], &[3]), Some(1)).unwrap();
    assert_eq!(found[0].next, 1);
    // Without one in sync (KIP-966).
    assert_eq!(look(without_leader(&[3, 1], &[]), None).unwrap()[0].next, 1);
}

#[test]
fn what_is_led_or_will_be_or_can_never_be_is_refused() {
    for (p, index, why) in [
        (without_leader(&[3, 2], &[3]), Some(0), "velib-0 by 1"),
        (partition(1, 2, &[3, 2], &[2]), None, "velib-1 by 2"),
        (
            without_leader(&[3, 2], &[3, 2]),
            None,
            "broker 2 is in sync",
        ),
        (
            without_leader(&[3], &[3]),
            None,
            "none of its brokers [3] lives",
        ),
        (
            without_leader(&[3, 2], &[3]),
            Some(7),
            "no partition velib-7",
        ),
    ] {
        let refused = look(p, index).expect_err(why);
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn other_changes_are_no_elections() {
    let wanted: Unclean =
        serde_json::from_value(serde_json::json!({ "unclean": { "velib": [1] } })).unwrap();
    let change = ResourceChange {
        service: "kafka".parse().unwrap(),
        action: "kafka/unclean".to_owned().try_into().unwrap(),
        text: String::new(),
        change: serde_json::to_value(&wanted).unwrap(),
    };
    assert_eq!(Unclean::of(&change), Some(wanted));
    let change = serde_json::json!({ "member": "x.y@h", "votes": true });
    let other = ResourceChange {
        service: "kafka".parse().unwrap(),
        action: "kafka/unclean".to_owned().try_into().unwrap(),
        text: String::new(),
        change,
    };
    assert_eq!(Unclean::of(&other), None);
}
