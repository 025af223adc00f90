use std::collections::BTreeMap;

use super::super::message::Found;
use super::super::oracle::{Evidence, Reading, Writer, judge};
use super::super::record::{Entry, Header, Record};
use super::super::settings;
use crate::drill::{Place, Verdict, Window};

/// A load of 30 seconds on two partitions of two copies, ten messages a second, the fault in its middle.
struct Case {
    record: Record,
    readings: Vec<Reading>,
    replicas: BTreeMap<i32, Vec<i32>>,
    least: u64,
    stalls: bool,
}

const BEGAN: u64 = 1_000_000;
const WINDOW: Window = Window {
    from: BEGAN + 10_000,
    to: BEGAN + 20_000,
};

impl Case {
    fn good() -> Self {
        let mut header = Header::new("run".to_owned(), "t".to_owned(), 2, (10, 100));
        header.began = BEGAN;
        let mut entries = Vec::new();
        let mut found = BTreeMap::new();
        for s in 0..300_u64 {
            let (p, o) = (i32::try_from(s % 2).unwrap(), i64::try_from(s / 2).unwrap());
            let sent = BEGAN + s * 100;
            entries.push(Entry::Ack {
                p,
                o,
                s,
                sent,
                at: sent + 10,
            });
            entries.push(Entry::Read {
                p,
                o,
                s: Some(s),
                at: sent + 20,
            });
            found.insert(at(p, o), Found::Ours(s));
        }
        entries.push(Entry::End { at: BEGAN + 30_000 });
        let reading = |leaders: [(i32, i32); 2]| Reading {
            leaders: leaders.into(),
            found: found.clone(),
            ..Reading::default()
        };
        Self {
            record: Record { header, entries },
            readings: vec![reading([(0, 1), (1, 2)]), reading([(0, 2), (1, 1)])],
            replicas: [(0, vec![1, 2]), (1, vec![2, 1])].into(),
            least: 40,
            stalls: false,
        }
    }

    fn judge(&self) -> Verdict {
        judge(&Evidence {
            record: &self.record,
            readings: &self.readings,
            replicas: &self.replicas,
            window: Some(WINDOW),
            least: self.least,
            stalls: self.stalls,
        })
    }

    /// The verdict is bad, and this is the one thing that is wrong.
    fn is_only(&self, wrong: &str) {
        let verdict = self.judge();
        assert!(!verdict.good);
        assert_eq!(verdict.wrong, [wrong]);
    }

    fn without(mut self, leave_out: impl Fn(&Entry) -> bool) -> Self {
        self.record.entries.retain(|entry| !leave_out(entry));
        self
    }
}

fn at(partition: i32, offset: i64) -> Place {
    Place { partition, offset }
}

fn during(at: u64) -> bool {
    (WINDOW.from..WINDOW.to).contains(&at)
}

#[test]
fn what_is_good_is_found_good_with_its_figures() {
    let verdict = Case::good().judge();
    assert_eq!(verdict.wrong, [""; 0]);
    assert!(verdict.good);
    assert_eq!(verdict.acked, 300);
    assert_eq!(verdict.rounds.len(), 2);
    let phases: Vec<(&str, u64, u64, u64)> = verdict
        .phases
        .iter()
        .map(|p| (p.name.as_str(), p.acked, p.least, p.producer_pause_ms))
        .collect();
    assert_eq!(
        phases,
        [
            ("before", 100, 50, 100),
            ("during", 100, 50, 100),
            ("after", 100, 50, 100),
            ("whole", 300, 150, 100),
        ]
    );
}

#[test]
fn an_offset_that_is_lost_under_one_leader_only_is_reported() {
    let mut case = Case::good();
    case.readings[0].found.remove(&at(1, 7));
    case.is_only("reading 1: 1 acknowledged messages are lost: 1-7");
}

#[test]
fn an_offset_that_is_lost_under_the_last_leader_is_missed_by_the_reader_along_too() {
    let mut case = Case::good();
    case.readings[1].found.remove(&at(1, 149));
    let verdict = case.judge();
    assert_eq!(
        verdict.wrong,
        [
            "reading 2: 1 acknowledged messages are lost: 1-149",
            "the reader along saw 1 messages that are not there any more: 1-149",
        ]
    );
    assert_eq!(verdict.rounds[1].lost, [at(1, 149)]);
}

#[test]
fn another_message_at_an_acknowledged_offset_is_reported() {
    for other in [Found::Ours(9999), Found::OtherRun] {
        let mut case = Case::good();
        case.readings[0].found.insert(at(0, 3), other);
        case.is_only("reading 1: 1 places hold another message than was acknowledged there: 0-3");
    }
}

#[test]
fn a_damaged_message_is_reported_where_it_was_not_acknowledged_too() {
    let mut case = Case::good();
    case.readings[0].found.insert(at(0, 500), Found::Foreign);
    case.is_only("reading 1: 1 messages are damaged, or of no drill");
}

#[test]
fn a_message_that_is_there_twice_is_reported() {
    let mut case = Case::good();
    case.readings[0].found.insert(at(0, 500), Found::Ours(0));
    case.is_only("reading 1: 1 messages are there twice: 0-500");
}

#[test]
fn a_message_that_its_client_sent_again_as_another_writer_is_told_and_not_held_against_the_cluster()
{
    let writers = |epochs: [i16; 2]| {
        let writer = |epoch| Writer { id: 7, epoch };
        let places = [at(0, 0), at(0, 500)];
        places.into_iter().zip(epochs.map(writer)).collect()
    };
    let mut case = Case::good();
    for reading in &mut case.readings {
        reading.found.insert(at(0, 500), Found::Ours(0));
        reading.writers = writers([3, 4]);
    }
    let verdict = case.judge();
    assert!(verdict.good, "{:?}", verdict.wrong);
    assert_eq!(verdict.rounds[0].resent, [at(0, 500)]);
    assert_eq!(verdict.rounds[0].duplicates, []);

    // From one and the same writer a broker must not take it twice.
    case.readings[1].writers = writers([3, 3]);
    case.is_only("reading 2: 1 messages are there twice: 0-500");
    // Nor is anybody believed who does not tell.
    case.readings[1].writers.remove(&at(0, 0));
    case.is_only("reading 2: 1 messages are there twice: 0-500");
}

#[test]
fn a_record_that_tells_another_offset_is_reported() {
    let mut case = Case::good();
    for entry in &mut case.record.entries {
        if let Entry::Ack { o, s: 299, .. } = entry {
            *o += 1000;
        }
    }
    let verdict = case.judge();
    assert_eq!(
        verdict.wrong,
        [
            "reading 1: 1 acknowledged messages are lost: 1-1149",
            "reading 2: 1 acknowledged messages are lost: 1-1149",
        ]
    );
}

#[test]
fn two_messages_at_one_place_are_reported() {
    let mut case = Case::good();
    let (sent, at) = (BEGAN, BEGAN + 29_000);
    let again = Entry::Ack {
        p: 0,
        o: 0,
        s: 777,
        sent,
        at,
    };
    case.record.entries.push(again);
    let verdict = case.judge();
    let other = "1 places hold another message than was acknowledged there: 0-0";
    assert_eq!(
        verdict.wrong,
        [
            &format!("reading 1: {other}"),
            &format!("reading 2: {other}"),
            "the reader along was not given 1 acknowledged messages: 0-0",
            "two messages were acknowledged at one place: 0-0",
        ]
    );
}

#[test]
fn too_few_acknowledgements_in_a_phase_prove_nothing() {
    let quiet = |p: i32, at: u64| p == 1 && during(at);
    let case = Case::good().without(|e| matches!(e, Entry::Ack { p, at, .. } if quiet(*p, *at)));
    case.is_only(
        "during: a partition had 0 messages acknowledged; 40 are needed to prove anything",
    );
    let stalls = Case {
        stalls: true,
        ..case
    };
    assert!(
        stalls.judge().good,
        "where the fault stops writes, that is as it should be"
    );
}

#[test]
fn a_producer_that_does_not_go_on_is_reported_with_its_pause() {
    let mut case = Case::good().without(|e| e.at() > WINDOW.from && e.at() < BEGAN + 30_000);
    case.stalls = true;
    let verdict = case.judge();
    assert_eq!(
        verdict.wrong,
        [
            "after: a partition had 0 messages acknowledged; 40 are needed to prove anything",
            "after: the reader saw nothing",
        ]
    );
    let whole = verdict.phases.last().unwrap();
    assert_eq!(whole.producer_pause_ms, 20_091);
}

#[test]
fn a_load_that_ended_before_the_fault_did_is_reported() {
    let mut case = Case::good().without(|e| e.at() >= WINDOW.to);
    case.least = 1;
    let verdict = case.judge();
    assert_eq!(verdict.wrong.len(), 2, "{:?}", verdict.wrong);
    assert!(verdict.wrong[0].starts_with("after: "));
}

#[test]
fn a_reader_that_stands_still_is_reported() {
    let late = |at: u64| at >= WINDOW.to;
    let case = Case::good().without(|e| matches!(e, Entry::Read { at, .. } if late(*at)));
    case.is_only("after: the reader saw nothing");
}

#[test]
fn a_reader_that_was_not_given_a_message_is_reported() {
    let case = Case::good().without(|e| matches!(e, Entry::Read { s: Some(44), .. }));
    case.is_only("the reader along was not given 1 acknowledged messages: 0-22");
}

#[test]
fn a_replica_that_did_not_lead_is_reported() {
    let mut case = Case::good();
    case.readings.pop();
    assert_eq!(
        case.judge().wrong,
        [
            "partition 0 was not read with broker 2 as its leader",
            "partition 1 was not read with broker 1 as its leader",
        ]
    );
    case.readings.clear();
    assert!(!case.judge().good, "nothing read proves nothing");
}

#[test]
fn a_reading_that_did_not_come_to_its_end_is_reported() {
    let mut case = Case::good();
    case.readings[0]
        .trouble
        .push("partition 1 begins at offset 5".to_owned());
    case.is_only("reading 1: partition 1 begins at offset 5");
    // What was not read is not called lost; what was read before is still compared.
    case.readings[0].unread.insert(1);
    case.readings[0].found.remove(&at(1, 149));
    assert_eq!(
        case.judge().wrong,
        [
            "reading 1: partition 1 begins at offset 5",
            "partition 1 was not read with broker 2 as its leader",
        ]
    );
    case.readings[0].found.remove(&at(0, 149));
    assert_eq!(case.judge().rounds[0].lost, [at(0, 149)]);
}

#[test]
fn a_message_that_was_given_up_may_be_there_or_not() {
    let mut case = Case::good();
    let (sent, at) = (BEGAN, BEGAN + 15_000);
    for (s, why) in [(400, "timed out"), (401, "timed out"), (402, "refused")] {
        let why = why.to_owned();
        case.record.entries.push(Entry::Unsure {
            p: 0,
            s,
            sent,
            at,
            why,
        });
    }
    for reading in &mut case.readings {
        reading.found.insert(self::at(0, 150), Found::Ours(401));
        reading.found.insert(self::at(0, 151), Found::Ours(500));
    }
    let verdict = case.judge();
    assert!(verdict.good, "{:?}", verdict.wrong);
    let unsure = verdict.unsure;
    assert_eq!(
        (unsure.present, unsure.absent, unsure.unrecorded),
        (1, 2, 1)
    );
    assert_eq!(unsure.causes["timed out"], 2);
}

#[test]
fn a_topic_under_which_something_may_be_lost_is_reported() {
    let good = settings::wanted(3);
    assert_eq!(settings::unfit(&good, 3), [""; 0]);
    let with = |key: &str, value: &str| {
        let mut have = good.clone();
        have.insert(key.to_owned(), value.to_owned());
        settings::unfit(&have, 3)
    };
    assert_eq!(
        with("min.insync.replicas", "1"),
        ["min.insync.replicas is 1 on the topic, not 2"]
    );
    assert_eq!(with("min.insync.replicas", "3"), [""; 0]);
    assert_eq!(
        with("unclean.leader.election.enable", "true"),
        ["unclean.leader.election.enable is true on the topic, not false"]
    );
    assert_eq!(with("retention.ms", "1000").len(), 1);
    assert_eq!(with("cleanup.policy", "compact").len(), 1);
    assert_eq!(settings::unfit(&BTreeMap::new(), 3).len(), 5);
}

/// One message of the good case, acknowledged without an offset (`DUPLICATE_SEQUENCE_NUMBER` after a lost answer).
fn untold(mut case: Case, sequence: u64) -> Case {
    for entry in &mut case.record.entries {
        match entry {
            Entry::Ack { o, s, .. } if *s == sequence => *o = -1001,
            _ => {}
        }
    }
    case
}

#[test]
fn a_message_that_was_acknowledged_without_an_offset_is_looked_for_in_its_partition() {
    let case = untold(untold(Case::good(), 7), 9);
    let verdict = case.judge();
    assert_eq!(verdict.wrong, Vec::<String>::new());
    assert_eq!(verdict.acked, 300);
}

#[test]
fn a_message_that_was_acknowledged_without_an_offset_and_is_lost_is_reported() {
    let mut case = untold(Case::good(), 7);
    case.readings[0].found.remove(&at(1, 3));
    case.is_only("reading 1: 1 acknowledged messages are lost: 1-3");
    case.readings[1].found.remove(&at(1, 3));
    let case = case.without(|e| matches!(e, Entry::Read { s: Some(7), .. }));
    let verdict = case.judge();
    let lost = "1 acknowledged messages are lost: 1-?";
    let (first, second) = (&verdict.wrong[0], &verdict.wrong[1]);
    assert_eq!(first, &format!("reading 1: {lost}"));
    assert_eq!(second, &format!("reading 2: {lost}"));
}
