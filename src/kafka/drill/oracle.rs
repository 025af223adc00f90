//! The verdict on a load, from its record and from what stands in the topic afterwards. Pure.
//!
//! What the live reader saw is not compared with what was acknowledged: that would hide what is cut off
//! later. Fresh readings from offset 0 are, one under each replica as the leader.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Found;
use super::record::{Entry, Record};
use crate::drill::{Along, Phase, Place, Round, Unsure, Verdict, Window};

/// How many places are named in one line.
const NAMED: usize = 5;

/// What a fresh reader found from the topic's beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Who led each partition while it was read.
    pub leaders: BTreeMap<i32, i32>,
    /// What stands where.
    pub found: BTreeMap<Place, Found>,
    /// Who wrote those messages that stand in two places, as far as a broker told it.
    pub writers: BTreeMap<Place, Writer>,
    /// Partitions that were not read to their end.
    pub unread: BTreeSet<i32>,
    /// Why not everything was read.
    pub trouble: Vec<String>,
}

impl Reading {
    /// The places that hold a message which stands in another one before, each with that one.
    #[must_use]
    pub fn twice(&self) -> Vec<(Place, Place)> {
        let mut seen = BTreeMap::new();
        let mut twice = Vec::new();
        for (place, found) in &self.found {
            if let Found::Ours(sequence) = found {
                match seen.get(sequence) {
                    Some(first) => twice.push((*first, *place)),
                    None => _ = seen.insert(*sequence, *place),
                }
            }
        }
        twice
    }

    /// Whether its client wrote a message again as another writer. Whoever leads tells messages apart by writer and number
    /// (KIP-98, KIP-360), so that it can't know this one; librdkafka does it where it could not learn what became of the
    /// first (<https://github.com/confluentinc/librdkafka/issues/4953>).
    fn is_sent_again(&self, (first, again): &(Place, Place)) -> bool {
        let writer = |place| self.writers.get(place);
        writer(first)
            .zip(writer(again))
            .is_some_and(|(a, b)| a != b)
    }
}

/// Who wrote a message: what makes it another one for a broker than the same bytes from somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// All that the verdict follows from.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// What the load did.
    pub record: &'a Record,
    /// What stands in the topic, under one leader after the other.
    pub readings: &'a [Reading],
    /// Who holds a copy of each partition.
    pub replicas: &'a BTreeMap<i32, Vec<i32>>,
    /// When the fault was.
    pub window: Option<Window>,
    /// How many messages each partition must have acknowledged in each phase.
    pub least: u64,
    /// Whether none need be while the fault lasts.
    pub stalls: bool,
}

/// The verdict, but for what only the cluster itself can tell.
#[must_use]
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let record = evidence.record;
    let acks = found(acks(record), evidence.readings);
    let rounds: Vec<Round> = evidence.readings.iter().map(|r| round(r, &acks)).collect();
    let last = evidence.readings.last();
    let mut verdict = Verdict {
        run: record.header.run.clone(),
        topic: record.header.topic.clone(),
        acked: number(acks.len()),
        unsure: unsure(record, last, &acks),
        phases: phases(evidence),
        reader: along(record, last, &acks),
        rounds,
        ..Verdict::default()
    };
    let mut wrong = Vec::new();
    for (number, round) in (1..).zip(&verdict.rounds) {
        wrong.extend(amiss(number, round));
    }
    wrong.extend(unread(evidence));
    wrong.extend(vacuous(evidence, &verdict.phases));
    wrong.extend(misled(&verdict.reader));
    wrong.extend(taken_twice(&acks));
    verdict.good = wrong.is_empty();
    verdict.wrong = wrong;
    verdict
}

/// The first offset of each partition behind all that was acknowledged in it.
#[must_use]
pub fn known(record: &Record) -> BTreeMap<i32, i64> {
    let mut ends = BTreeMap::new();
    for (place, _) in acks(record).into_iter().filter(told) {
        // Sorted: the last of a partition stays.
        ends.insert(place.partition, place.offset.saturating_add(1));
    }
    ends
}

/// What was acknowledged, and where.
type Acks = BTreeSet<(Place, u64)>;

/// The place and the number of each message that was acknowledged.
fn acks(record: &Record) -> Acks {
    let ack = |entry: &Entry| match *entry {
        Entry::Ack { p, o, s, .. } => Some((place(p, o), s)),
        _ => None,
    };
    record.entries.iter().filter_map(ack).collect()
}

/// Whether the broker said where the message stands. To one that was sent again after its answer was lost it may say only that
/// it has it (`DUPLICATE_SEQUENCE_NUMBER`); librdkafka then gives a negative offset.
fn told((at, _): &(Place, u64)) -> bool {
    at.offset >= 0
}

/// The same, those without an offset at the first place where a reading found them. What none found keeps no place,
/// and is lost.
fn found(acks: Acks, readings: &[Reading]) -> Acks {
    if acks.iter().all(told) {
        return acks;
    }
    let mut places: BTreeMap<(i32, u64), Place> = BTreeMap::new();
    for (at, what) in readings.iter().flat_map(|reading| &reading.found) {
        if let Found::Ours(sequence) = what {
            places.entry((at.partition, *sequence)).or_insert(*at);
        }
    }
    let placed = |(at, s): (Place, u64)| match places.get(&(at.partition, s)) {
        Some(place) if !told(&(at, s)) => (*place, s),
        _ => (at, s),
    };
    acks.into_iter().map(placed).collect()
}

fn place(partition: i32, offset: i64) -> Place {
    Place { partition, offset }
}

fn round(reading: &Reading, acks: &Acks) -> Round {
    let mut round = Round {
        leaders: reading.leaders.clone(),
        read: number(reading.found.len()),
        trouble: reading.trouble.clone(),
        ..Round::default()
    };
    for (place, sequence) in acks {
        match reading.found.get(place) {
            Some(Found::Ours(found)) if found == sequence => {}
            Some(_) => round.other.push(*place),
            // That it was not read is told as trouble; what is missing there is not known.
            None if reading.unread.contains(&place.partition) => {}
            None => round.lost.push(*place),
        }
    }
    let twice = reading.twice().into_iter();
    let (resent, duplicates): (Vec<_>, Vec<_>) =
        twice.partition(|pair| reading.is_sent_again(pair));
    let places = |pairs: Vec<(Place, Place)>| pairs.into_iter().map(|(_, again)| again).collect();
    (round.resent, round.duplicates) = (places(resent), places(duplicates));
    let foreign = reading.found.values().filter(|f| **f == Found::Foreign);
    round.foreign = number(foreign.count());
    round
}

/// What is wrong with one reading.
fn amiss(number: u64, round: &Round) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut places = |what: &str, places: &[Place]| {
        if !places.is_empty() {
            let count = places.len();
            wrong.push(format!(
                "reading {number}: {count} {what}: {}",
                named(places)
            ));
        }
    };
    places("acknowledged messages are lost", &round.lost);
    places(
        "places hold another message than was acknowledged there",
        &round.other,
    );
    places("messages are there twice", &round.duplicates);
    if round.foreign > 0 {
        let foreign = round.foreign;
        wrong.push(format!(
            "reading {number}: {foreign} messages are damaged, or of no drill"
        ));
    }
    let trouble = round.trouble.iter();
    wrong.extend(trouble.map(|why| format!("reading {number}: {why}")));
    wrong
}

/// Replicas that no reading was made under.
fn unread(evidence: &Evidence<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for index in 0..evidence.record.header.partitions {
        let replicas = evidence.replicas.get(&index);
        let led: BTreeSet<i32> = evidence
            .readings
            .iter()
            .filter(|r| !r.unread.contains(&index))
            .filter_map(|r| r.leaders.get(&index).copied())
            .collect();
        let holders = replicas.map_or(&[][..], Vec::as_slice);
        if holders.is_empty() {
            wrong.push(format!("partition {index} is not there"));
        }
        let missed: Vec<String> = holders
            .iter()
            .filter(|id| !led.contains(id))
            .map(ToString::to_string)
            .collect();
        if !missed.is_empty() {
            let missed = missed.join(", ");
            wrong.push(format!(
                "partition {index} was not read with broker {missed} as its leader"
            ));
        }
    }
    wrong
}

/// Phases in which too little was acknowledged to prove anything, or in which the reader stood still.
fn vacuous(evidence: &Evidence<'_>, phases: &[Phase]) -> Vec<String> {
    let mut wrong = Vec::new();
    for phase in phases {
        if evidence.stalls && phase.name == DURING {
            continue;
        }
        let (name, least, wanted) = (&phase.name, phase.least, evidence.least);
        if least < wanted {
            wrong.push(format!(
                "{name}: a partition had {least} messages acknowledged; {wanted} are needed to prove anything"
            ));
        }
        if phase.read == 0 && wanted > 0 {
            wrong.push(format!("{name}: the reader saw nothing"));
        }
    }
    wrong
}

const BEFORE: &str = "before";
const DURING: &str = "during";
const AFTER: &str = "after";
const WHOLE: &str = "whole";

fn phases(evidence: &Evidence<'_>) -> Vec<Phase> {
    let record = evidence.record;
    let (began, ended) = (record.header.began, record.ended());
    let mut spans = Vec::new();
    if let Some(Window { from, to }) = evidence.window {
        spans.push((BEFORE, began, from));
        spans.push((DURING, from, to));
        spans.push((AFTER, to, ended));
    }
    spans.push((WHOLE, began, ended.saturating_add(1)));
    spans.into_iter().map(|span| phase(record, span)).collect()
}

/// A phase from its first moment up to, but not with, its end.
fn phase(record: &Record, (name, from, to): (&str, u64, u64)) -> Phase {
    let mut acked: BTreeMap<i32, u64> = BTreeMap::new();
    let (mut written, mut read) = (Vec::new(), Vec::new());
    for entry in record
        .entries
        .iter()
        .filter(|e| (from..to).contains(&e.at()))
    {
        match entry {
            Entry::Ack { p, at, .. } => {
                *acked.entry(*p).or_default() += 1;
                written.push(*at);
            }
            Entry::Read { s: Some(_), at, .. } => read.push(*at),
            _ => {}
        }
    }
    let on = |index: i32| acked.get(&index).copied().unwrap_or_default();
    let least = (0..record.header.partitions).map(on).min();
    Phase {
        name: name.to_owned(),
        took_ms: to.saturating_sub(from),
        acked: number(written.len()),
        least: least.unwrap_or_default(),
        producer_pause_ms: pause(written, from, to),
        read: number(read.len()),
        reader_pause_ms: pause(read, from, to),
    }
}

/// The longest time without any of these moments, the phase's own ends among them.
fn pause(mut moments: Vec<u64>, from: u64, to: u64) -> u64 {
    moments.extend([from, to.max(from)]);
    moments.sort_unstable();
    let gaps = moments.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or_default()
}

fn unsure(record: &Record, last: Option<&Reading>, acks: &Acks) -> Unsure {
    let there: BTreeSet<u64> = last
        .into_iter()
        .flat_map(|reading| reading.found.values())
        .filter_map(|found| match found {
            Found::Ours(sequence) => Some(*sequence),
            _ => None,
        })
        .collect();
    let mut sum = Unsure::default();
    let mut known: BTreeSet<u64> = acks.iter().map(|(_, s)| *s).collect();
    for entry in &record.entries {
        let Entry::Unsure { s, why, .. } = entry else {
            continue;
        };
        known.insert(*s);
        *sum.causes.entry(why.clone()).or_default() += 1;
        if there.contains(s) {
            sum.present += 1;
        } else {
            sum.absent += 1;
        }
    }
    sum.unrecorded = number(there.difference(&known).count());
    sum
}

/// What the reader along saw, against the record and what is there now.
fn along(record: &Record, last: Option<&Reading>, acks: &Acks) -> Along {
    let mut sum = Along::default();
    let mut seen: BTreeMap<Place, u64> = BTreeMap::new();
    let mut furthest: BTreeMap<i32, i64> = BTreeMap::new();
    for entry in &record.entries {
        match *entry {
            Entry::Read { p, o, s, .. } => {
                let reach = furthest.entry(p).or_insert(o);
                *reach = o.max(*reach);
                if let Some(s) = s {
                    seen.insert(place(p, o), s);
                }
            }
            Entry::Reset { .. } => sum.resets += 1,
            _ => {}
        }
    }
    sum.seen = number(seen.len());
    let passed = |at: &Place| furthest.get(&at.partition).is_some_and(|o| at.offset <= *o);
    let missed = acks
        .iter()
        .filter(|(at, s)| passed(at) && seen.get(at) != Some(s));
    sum.skipped = missed.map(|(at, _)| *at).collect();
    if let Some(last) = last.filter(|reading| reading.trouble.is_empty()) {
        let gone = |(at, s): &(&Place, &u64)| last.found.get(at) != Some(&Found::Ours(**s));
        sum.changed = seen.iter().filter(gone).map(|(at, _)| *at).collect();
    }
    sum
}

fn misled(reader: &Along) -> Vec<String> {
    let mut wrong = Vec::new();
    let (skipped, changed) = (&reader.skipped, &reader.changed);
    if !skipped.is_empty() {
        let count = skipped.len();
        wrong.push(format!(
            "the reader along was not given {count} acknowledged messages: {}",
            named(skipped)
        ));
    }
    if !changed.is_empty() {
        let count = changed.len();
        wrong.push(format!(
            "the reader along saw {count} messages that are not there any more: {}",
            named(changed)
        ));
    }
    wrong
}

/// Places that two messages were acknowledged at.
fn taken_twice(acks: &Acks) -> Vec<String> {
    let places: Vec<Place> = acks.iter().map(|(at, _)| *at).collect();
    let twice = places
        .windows(2)
        .filter(|pair| pair[0] == pair[1] && pair[0].offset >= 0);
    let twice: Vec<Place> = twice.map(|pair| pair[0]).collect();
    let none = twice.is_empty();
    let line = format!(
        "two messages were acknowledged at one place: {}",
        named(&twice)
    );
    (!none).then_some(line).into_iter().collect()
}

/// The first of some places: `2-117` is offset 117 of partition 2, `2-?` one that the broker did not tell.
fn named(places: &[Place]) -> String {
    let first = places.iter().take(NAMED);
    let mut text = first
        .map(|p| match p.offset {
            0.. => format!("{}-{}", p.partition, p.offset),
            _ => format!("{}-?", p.partition),
        })
        .collect::<Vec<_>>()
        .join(", ");
    if places.len() > NAMED {
        text.push_str(" …");
    }
    text
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
