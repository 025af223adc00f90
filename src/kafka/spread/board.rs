//! The state while it is decided: who holds what, and how much.

use std::collections::BTreeMap;

use super::{Broker, Partition};

/// A partition and the brokers chosen for it.
pub(super) struct Part<'a> {
    /// As it is.
    pub(super) given: &'a Partition,
    /// The brokers that hold it now and stay, in their order; none at the places of those that leave.
    pub(super) old: Vec<Option<usize>>,
    /// The brokers that shall hold it.
    pub(super) chosen: Vec<usize>,
    /// In how many units its copies have to be at least.
    pub(super) units: usize,
    /// The number of its topic.
    pub(super) topic: usize,
}

impl Part<'_> {
    /// Whether a broker holds it now.
    pub(super) fn had(&self, slot: usize) -> bool {
        self.old.contains(&Some(slot))
    }

    /// The broker that leads it, as long as that stays.
    pub(super) fn leader(&self) -> Option<usize> {
        self.old.first().copied().flatten()
    }
}

/// Brokers that stay are numbered by slots, partitions by their place in name order.
pub(super) struct Board<'a> {
    /// The brokers' ids.
    pub(super) ids: Vec<i32>,
    /// The number of each broker's unit.
    pub(super) unit: Vec<usize>,
    /// How many units there are.
    pub(super) units: usize,
    /// The partitions.
    pub(super) parts: Vec<Part<'a>>,
    /// The partitions that each broker shall hold.
    pub(super) held: Vec<Vec<usize>>,
    /// Their bytes.
    pub(super) bytes: Vec<u64>,
    /// How many of each topic's replicas each broker shall hold: by topic, then by slot.
    pub(super) of_topic: Vec<Vec<u32>>,
}

impl<'a> Board<'a> {
    /// What stays where it is; with `even` copies have to be in as many units as there are.
    pub(super) fn new(brokers: &[Broker], partitions: &'a [Partition], even: bool) -> Self {
        let mut staying: Vec<&Broker> = brokers.iter().filter(|b| !b.leaving).collect();
        staying.sort_by_key(|b| b.id);
        staying.dedup_by_key(|b| b.id);
        let ids: Vec<i32> = staying.iter().map(|b| b.id).collect();
        let (names, unit) = numbered(staying.iter().map(|b| unit_of(b)));
        let mut board = Self {
            held: vec![Vec::new(); ids.len()],
            bytes: vec![0; ids.len()],
            unit,
            units: names,
            parts: Vec::new(),
            of_topic: Vec::new(),
            ids,
        };
        let mut given: Vec<&Partition> = partitions.iter().collect();
        given.sort_by(|a, b| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
        let (topics, topic) = numbered(given.iter().map(|p| p.topic.as_str()));
        board.of_topic = vec![vec![0; board.ids.len()]; topics];
        let before: BTreeMap<i32, String> = brokers.iter().map(|b| (b.id, unit_of(b))).collect();
        for (given, topic) in given.into_iter().zip(topic) {
            let distinct = distinct(given.replicas.iter().map(|id| before.get(id)));
            let kept = if even && !given.under_way {
                given.wanted
            } else {
                distinct.min(given.wanted)
            };
            let old: Vec<Option<usize>> = given.replicas.iter().map(|id| board.slot(*id)).collect();
            board.parts.push(Part {
                given,
                chosen: Vec::new(),
                units: kept.min(board.units),
                topic,
                old,
            });
            let n = board.parts.len() - 1;
            for slot in board.parts[n].old.clone().into_iter().flatten() {
                board.put(n, slot);
            }
        }
        board
    }

    fn slot(&self, id: i32) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Whether some brokers share a unit: else units are in nobody's way.
    pub(super) fn units_matter(&self) -> bool {
        self.units < self.ids.len()
    }

    /// How many replicas would be copied.
    pub(super) fn copied(&self) -> usize {
        let fresh = |p: &Part<'_>| p.chosen.iter().filter(|s| !p.had(**s)).count();
        self.parts.iter().map(fresh).sum()
    }

    /// How many replicas a broker shall hold.
    pub(super) fn load(&self, slot: usize) -> usize {
        self.held[slot].len()
    }

    /// The fewest and the most replicas that a broker may hold once loads are even.
    pub(super) fn targets(&self) -> (usize, usize) {
        let total: usize = self.held.iter().map(Vec::len).sum();
        let brokers = self.ids.len().max(1);
        (total / brokers, total.div_ceil(brokers))
    }

    /// Gives a broker a partition.
    pub(super) fn put(&mut self, n: usize, slot: usize) {
        let part = &mut self.parts[n];
        part.chosen.push(slot);
        self.held[slot].push(n);
        self.bytes[slot] += part.given.bytes;
        self.of_topic[part.topic][slot] += 1;
    }

    /// Takes a partition from a broker.
    pub(super) fn take(&mut self, n: usize, slot: usize) {
        let part = &mut self.parts[n];
        part.chosen.retain(|s| *s != slot);
        self.held[slot].retain(|p| *p != n);
        self.bytes[slot] -= part.given.bytes;
        self.of_topic[part.topic][slot] -= 1;
    }

    /// In how many units a partition's copies shall be.
    pub(super) fn spread(&self, n: usize) -> usize {
        distinct(self.parts[n].chosen.iter().map(|s| self.unit[*s]))
    }

    /// Whether one of a partition's copies, other than that on `without`, is in the unit of a broker.
    pub(super) fn shares(&self, n: usize, slot: usize, without: Option<usize>) -> bool {
        let unit = self.unit[slot];
        let mut others = self.parts[n].chosen.iter().filter(|s| Some(**s) != without);
        others.any(|s| self.unit[*s] == unit)
    }

    /// What putting a partition on `to` instead of `from` costs in replicas copied; none where it may not be.
    pub(super) fn cost(&self, n: usize, from: usize, to: usize) -> Option<i32> {
        let part = &self.parts[n];
        if part.given.under_way || part.chosen.contains(&to) {
            return None;
        }
        if self.unit[from] != self.unit[to] && part.units > 1 {
            let lost = !self.shares(n, from, Some(from));
            let won = !self.shares(n, to, Some(from));
            if lost && !won && self.spread(n) <= part.units {
                return None;
            }
        }
        Some(i32::from(!part.had(to)) - i32::from(!part.had(from)))
    }

    /// The lists of replicas: who stays keeps its place, who is new gets the places of those that go.
    pub(super) fn lists(&self) -> Vec<Vec<usize>> {
        self.parts.iter().map(list).collect()
    }
}

fn list(part: &Part<'_>) -> Vec<usize> {
    let mut fresh = part.chosen.iter().copied().filter(|s| !part.had(*s));
    let stays = |slot: &usize| part.chosen.contains(slot);
    let mut list: Vec<usize> = Vec::new();
    for old in &part.old {
        list.extend(old.filter(stays).or_else(|| fresh.next()));
    }
    list.extend(fresh);
    list
}

fn unit_of(broker: &Broker) -> String {
    match &broker.unit {
        Some(unit) => format!("unit {unit}"),
        None => format!("broker {}", broker.id),
    }
}

/// How many there are, and the number of each.
fn numbered<T: Ord>(names: impl Iterator<Item = T>) -> (usize, Vec<usize>) {
    let mut known = BTreeMap::new();
    let numbers = names
        .map(|name| {
            let next = known.len();
            *known.entry(name).or_insert(next)
        })
        .collect();
    (known.len(), numbers)
}

/// How many different ones there are: they are few.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> usize {
    let mut seen: Vec<T> = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen.len()
}
