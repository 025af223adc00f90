use std::collections::BTreeMap;

use super::super::super::config::{Entry, Resource, Source};
use super::super::super::reassign::Reassignment;
use super::super::super::{Broker, Metadata, Partition, Topic};
use super::super::healed::{State, judge};

const NOW: u64 = 0x0123_5000;

fn view() -> Metadata {
    let broker = |id: i32| Broker {
        id,
        host: format!("b{id}"),
        port: 9092,
        rack: None,
    };
    let partition = Partition {
        index: 0,
        leader: Some(1),
        replicas: vec![1, 2],
        isr: vec![1, 2],
        offline: Vec::new(),
    };
    Metadata {
        cluster_id: None,
        controller: Some(2),
        brokers: vec![broker(1), broker(2)],
        topics: vec![Topic {
            name: "t".to_owned(),
            partitions: vec![partition],
            ..Topic::default()
        }],
    }
}

fn whole() -> State {
    State {
        expected: vec![1, 2],
        views: [(1, view()), (2, view())].into(),
        controllers: [Some(2)].into(),
        now: NOW,
        ..State::default()
    }
}

fn setting(name: &str, value: &str, source: Source) -> Vec<Entry> {
    vec![Entry {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        source,
        read_only: false,
        sensitive: false,
    }]
}

#[test]
fn a_whole_cluster_has_nothing_wrong() {
    let mut state = whole();
    let rate = "leader.replication.throttled.rate";
    // What is there by default, or from a file, nobody has left behind.
    let usual = setting(rate, "9223372036854775807", Source::Default);
    state.configs = [(Resource::Broker(1), usual)].into();
    assert_eq!(judge(&state), [""; 0]);
}

#[test]
fn a_throttle_that_is_left_on_a_topic_or_a_broker_is_reported() {
    let mut state = whole();
    let rate = "follower.replication.throttled.rate";
    let list = "leader.replication.throttled.replicas";
    let (topic, all) = (Resource::Topic("t".to_owned()), Resource::AllBrokers);
    state.configs = BTreeMap::from([
        (topic, setting(list, "0:1", Source::Topic)),
        (Resource::Broker(1), setting(rate, "1000", Source::Broker)),
        (all, setting(rate, "2000", Source::AllBrokers)),
    ]);
    assert_eq!(
        judge(&state),
        [
            "a throttle is left: topic t: leader.replication.throttled.replicas = 0:1 (set on the topic)",
            "a throttle is left: broker 1: follower.replication.throttled.rate = 1000 (set on the broker)",
            "a throttle is left: all brokers: follower.replication.throttled.rate = 2000 (set for all brokers)",
        ]
    );
}

#[test]
fn partitions_without_a_leader_or_a_copy_are_reported_by_whoever_sees_them() {
    let mut state = whole();
    let seen = state.views.get_mut(&2).unwrap();
    seen.topics[0].partitions[0].isr = vec![1];
    let wrong = judge(&state);
    assert_eq!(
        wrong,
        ["1 partitions are not in sync, as broker 2 sees it: t-0: in sync [1] of [1, 2], leader 1"]
    );
    let seen = state.views.get_mut(&2).unwrap();
    seen.topics[0].partitions[0].leader = None;
    assert!(judge(&state)[0].ends_with("no leader"));
}

#[test]
fn a_broker_that_is_away_is_reported() {
    let mut state = whole();
    state.views.remove(&2);
    state.views.get_mut(&1).unwrap().brokers.pop();
    assert_eq!(
        judge(&state),
        [
            "broker 2 is not registered, as broker 1 sees it",
            "broker 2 does not answer",
        ]
    );
}

#[test]
fn two_controllers_or_none_are_reported() {
    let mut state = whole();
    state.controllers = [Some(1), Some(2)].into();
    assert_eq!(judge(&state), ["there is not one controller: 1, 2"]);
    state.controllers = [None].into();
    assert_eq!(judge(&state), ["there is not one controller: none"]);
    state.controllers.clear();
    assert_eq!(judge(&state).len(), 1);
}

#[test]
fn what_is_still_moved_lags_or_was_left_behind_is_reported() {
    let mut state = whole();
    state.moves.push(Reassignment {
        topic: "t".to_owned(),
        partition: 0,
        replicas: vec![1, 2, 3],
        adding: vec![3],
        removing: Vec::new(),
    });
    state.quorum = Some("controller 3 lags by 5 s".to_owned());
    // The second may still be in use, the third is left to the next probe.
    for name in [
        "__sdtd_probe_0123456789abcdef",
        "__sdtd_probe_01234fff89abcdef",
        "__sdtd_probe_01234d0089abcdef",
    ] {
        let probe = Topic {
            name: name.to_owned(),
            ..Topic::default()
        };
        state.views.get_mut(&1).unwrap().topics.push(probe);
    }
    assert_eq!(
        judge(&state),
        [
            "controller 3 lags by 5 s",
            "t-0 is still being moved",
            "the probe topic __sdtd_probe_0123456789abcdef is left",
        ]
    );
}
