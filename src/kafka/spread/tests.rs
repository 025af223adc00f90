//! Ten thousand clusters by chance, each against an answer that was found another way.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broker, Obstacle, Outcome, Partition, plan};

mod exact;

/// A small generator (SplitMix64): a seed brings a failure back.
struct Chance(u64);

impl Chance {
    fn new(what: &str) -> Self {
        let given = std::env::var("SDTD_SEED").ok().and_then(|s| s.parse().ok());
        let seed = given.unwrap_or(20_240_229);
        eprintln!("{what}: SDTD_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn in_a_hundred(&mut self, n: usize) -> bool {
        self.below(100) < n
    }
}

/// What is made by chance.
#[derive(Clone, Copy)]
struct Kind {
    units: bool,
    leaving: bool,
    copies: bool,
}

fn brokers(chance: &mut Chance, kind: Kind) -> Vec<Broker> {
    let count = 2 + chance.below(6);
    let units = 1 + chance.below(count);
    let mut brokers: Vec<Broker> = (1..=count)
        .map(|id| Broker {
            id: i32::try_from(id).unwrap(),
            unit: kind.units.then(|| format!("r{}", chance.below(units))),
            leaving: kind.leaving && chance.in_a_hundred(25),
            free: None,
        })
        .collect();
    brokers[0].leaving = false;
    brokers
}

/// Topics on some of the brokers, so that others are joining.
fn partitions(chance: &mut Chance, brokers: &[Broker], kind: Kind) -> Vec<Partition> {
    let staying = brokers.iter().filter(|b| !b.leaving).count();
    let old = 1 + chance.below(brokers.len());
    let mut all = Vec::new();
    for topic in 0..1 + chance.below(4) {
        let copies = 1 + chance.below(old.min(staying).min(4));
        let wanted = match kind.copies && chance.in_a_hundred(40) {
            true => 1 + chance.below(staying.min(4)),
            false => copies,
        };
        for index in 0..1 + chance.below(8) {
            let mut ids: Vec<i32> = brokers.iter().take(old).map(|b| b.id).collect();
            let replicas = (0..copies).map(|_| ids.swap_remove(chance.below(ids.len())));
            all.push(Partition {
                topic: format!("t{topic}"),
                index: i32::try_from(index).unwrap(),
                replicas: replicas.collect(),
                bytes: chance.below(1000) as u64,
                wanted,
                ..Partition::default()
            });
        }
    }
    all
}

/// The layout after it.
fn after(partitions: &[Partition], outcome: &Outcome) -> Vec<Partition> {
    let mut all = partitions.to_vec();
    for moved in &outcome.moves {
        let it = all
            .iter_mut()
            .find(|p| p.topic == moved.topic && p.index == moved.index);
        it.unwrap().replicas.clone_from(&moved.to);
    }
    all
}

fn units(brokers: &[Broker], replicas: &[i32]) -> usize {
    let unit = |id: &i32| {
        let broker = brokers.iter().find(|b| b.id == *id).unwrap();
        broker.unit.clone().unwrap_or_else(|| id.to_string())
    };
    replicas.iter().map(unit).collect::<BTreeSet<_>>().len()
}

fn staying(brokers: &[Broker]) -> Vec<i32> {
    brokers
        .iter()
        .filter(|b| !b.leaving)
        .map(|b| b.id)
        .collect()
}

fn loads(brokers: &[Broker], partitions: &[Partition]) -> Vec<usize> {
    let held = |id: &i32| {
        partitions
            .iter()
            .filter(|p| p.replicas.contains(id))
            .count()
    };
    staying(brokers).iter().map(held).collect()
}

/// What holds whatever is asked.
fn hold_the_rules(brokers: &[Broker], before: &[Partition], after: &[Partition], even: bool) {
    let staying = staying(brokers);
    let all_units = units(brokers, &staying);
    for (old, new) in before.iter().zip(after) {
        let name = format!(
            "{}-{}: {:?} -> {:?}",
            old.topic, old.index, old.replicas, new.replicas
        );
        assert_eq!(new.replicas.len(), old.wanted, "{name}: copies");
        let distinct: BTreeSet<i32> = new.replicas.iter().copied().collect();
        assert_eq!(
            distinct.len(),
            new.replicas.len(),
            "{name}: two on a broker"
        );
        assert!(
            new.replicas.iter().all(|id| staying.contains(id)),
            "{name}: on one that leaves"
        );
        let told = brokers.iter().all(|b| b.unit.is_some());
        let kept = units(brokers, &old.replicas).min(old.wanted);
        let kept = if told { kept } else { kept.min(all_units) };
        assert!(units(brokers, &new.replicas) >= kept, "{name}: fewer units");
        if even {
            let best = old.wanted.min(all_units);
            assert_eq!(units(brokers, &new.replicas), best, "{name}: units");
        }
    }
}

fn lower_bound(brokers: &[Broker], before: &[Partition]) -> usize {
    let mut loads = loads(brokers, before);
    let total: usize = before.iter().map(|p| p.wanted).sum();
    let (least, more) = (total / loads.len(), total % loads.len());
    loads.sort_unstable_by_key(|load| std::cmp::Reverse(*load));
    let target = |n: usize| least + usize::from(n < more);
    let missing = |(n, load): (usize, &usize)| target(n).saturating_sub(*load);
    loads.iter().enumerate().map(missing).sum()
}

/// What is decided; nothing where copies could no longer be in as many racks as they are, and only there.
fn decided(brokers: &[Broker], before: &[Partition], even: bool) -> Option<Outcome> {
    let left = units(brokers, &staying(brokers));
    let lost = |p: &Partition| units(brokers, &p.replicas).min(p.wanted) > left;
    let told = brokers.iter().all(|b| b.unit.is_some());
    let lost = told && before.iter().any(lost);
    match plan(brokers, before, even) {
        Ok(outcome) => {
            assert!(!lost, "{brokers:?}\n{before:?}");
            Some(outcome)
        }
        Err(found) => {
            assert!(
                lost && matches!(found[..], [Obstacle::TooFewUnits { .. }]),
                "{found:?}: {brokers:?}\n{before:?}"
            );
            None
        }
    }
}

fn even_out(chance: &mut Chance, kind: Kind) -> (Vec<Broker>, Vec<Partition>, Outcome) {
    let (brokers, before, outcome) = loop {
        let brokers = brokers(chance, kind);
        let before = partitions(chance, &brokers, kind);
        if let Some(outcome) = decided(&brokers, &before, true) {
            break (brokers, before, outcome);
        }
    };
    let after = after(&before, &outcome);
    hold_the_rules(&brokers, &before, &after, true);
    let again = plan(&brokers, &after, true).unwrap();
    assert_eq!(again, Outcome::default(), "{brokers:?}\n{before:?}");
    (brokers, before, outcome)
}

#[test]
fn growing_moves_the_lower_bound_and_no_replica_more() {
    let mut chance = Chance::new("growing");
    let kind = Kind {
        units: false,
        leaving: false,
        copies: false,
    };
    for _ in 0..10_000 {
        let (brokers, before, outcome) = even_out(&mut chance, kind);
        let bound = lower_bound(&brokers, &before);
        assert_eq!(outcome.replicas, bound, "{brokers:?}\n{before:?}");
        let loads = loads(&brokers, &after(&before, &outcome));
        let (least, most) = (loads.iter().min(), loads.iter().max());
        assert!(most.unwrap() - least.unwrap() <= 1, "{loads:?}");
    }
}

#[test]
fn whatever_changes_moves_as_few_as_an_exact_solver_does() {
    let mut chance = Chance::new("whatever changes");
    for n in 0..10_000 {
        let kind = Kind {
            units: false,
            leaving: n % 2 == 0,
            copies: n % 3 != 0,
        };
        let (brokers, before, outcome) = even_out(&mut chance, kind);
        let best = exact::fewest(&brokers, &before).unwrap();
        assert_eq!(outcome.replicas, best.0, "{brokers:?}\n{before:?}");
    }
}

#[test]
fn with_units_as_few_move_as_an_exact_solver_moves() {
    let mut chance = Chance::new("units");
    let mut compared = 0;
    for n in 0..10_000 {
        let kind = Kind {
            units: true,
            leaving: n % 2 == 0,
            copies: n % 3 != 0,
        };
        let (brokers, before, outcome) = even_out(&mut chance, kind);
        let Some((moved, uneven)) = exact::fewest(&brokers, &before) else {
            continue;
        };
        compared += 1;
        let after = after(&before, &outcome);
        assert_eq!(
            exact::uneven(&loads(&brokers, &after)),
            uneven,
            "{brokers:?}\n{before:?}"
        );
        assert_eq!(outcome.replicas, moved, "{brokers:?}\n{before:?}");
    }
    assert!(compared > 3000, "{compared}");
}

/// More copies than units: no flow any more. Against every choice there is, on clusters of a few brokers.
#[test]
fn with_more_copies_than_units_the_gap_is_small() {
    let mut chance = Chance::new("more copies than units");
    let kind = Kind {
        units: true,
        leaving: true,
        copies: true,
    };
    let (mut compared, mut more, mut uneven) = (0, 0, 0);
    while compared < 2000 {
        let brokers = brokers(&mut chance, kind);
        let mut before = partitions(&mut chance, &brokers, kind);
        before.truncate(4);
        if brokers.len() > 5 || exact::fewest(&brokers, &before).is_some() {
            continue;
        }
        let Some(outcome) = decided(&brokers, &before, true) else {
            continue;
        };
        compared += 1;
        let loads = loads(&brokers, &after(&before, &outcome));
        let best = exact::tried(&brokers, &before);
        let got = (exact::uneven(&loads), outcome.replicas);
        assert!(got >= best, "{brokers:?}\n{before:?}");
        uneven += usize::from(got.0 > best.0);
        more += usize::from(got.0 == best.0 && got.1 > best.1);
    }
    eprintln!(
        "more copies than units: {compared} clusters, {uneven} less even than could be, {more} move more than need be"
    );
    assert!(uneven + more <= compared / 100, "{uneven} {more}");
}

#[test]
fn only_what_must_be_done_is_done() {
    let mut chance = Chance::new("only what must be");
    for n in 0..10_000 {
        let kind = Kind {
            units: n % 2 == 0,
            leaving: true,
            copies: n % 3 == 0,
        };
        let brokers = brokers(&mut chance, kind);
        let before = partitions(&mut chance, &brokers, kind);
        let Some(outcome) = decided(&brokers, &before, false) else {
            continue;
        };
        let after = after(&before, &outcome);
        hold_the_rules(&brokers, &before, &after, false);
        let staying = staying(&brokers);
        let must = |p: &Partition| {
            let stays = p.replicas.iter().filter(|id| staying.contains(id)).count();
            p.wanted.saturating_sub(stays)
        };
        let must: usize = before.iter().map(must).sum();
        // Where copies are dropped, those that stay may have to move apart.
        let apart = if kind.copies && kind.units {
            before.len()
        } else {
            0
        };
        assert!((must..=must + apart).contains(&outcome.replicas));
        for (old, new) in before.iter().zip(&after) {
            let changes = old.wanted != old.replicas.len()
                || old.replicas.iter().any(|id| !staying.contains(id));
            assert!(changes || old.replicas == new.replicas, "{old:?} {new:?}");
        }
        assert_eq!(plan(&brokers, &after, false).unwrap(), Outcome::default());
    }
}

#[test]
fn the_order_of_what_is_given_does_not_matter() {
    let mut chance = Chance::new("the order");
    let kind = Kind {
        units: true,
        leaving: true,
        copies: true,
    };
    for _ in 0..1000 {
        let (mut brokers, mut before, outcome) = even_out(&mut chance, kind);
        brokers.reverse();
        before.reverse();
        assert_eq!(plan(&brokers, &before, true).unwrap(), outcome);
    }
}

fn cluster(ids: std::ops::RangeInclusive<i32>, leaving: &[i32]) -> Vec<Broker> {
    let broker = |id| Broker {
        id,
        unit: None,
        leaving: leaving.contains(&id),
        free: None,
    };
    ids.map(broker).collect()
}

fn partition(index: i32, replicas: &[i32], wanted: usize) -> Partition {
    Partition {
        topic: "velib".to_owned(),
        index,
        replicas: replicas.to_vec(),
        bytes: 100,
        wanted,
        ..Partition::default()
    }
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let line = |m: &super::Moved| format!("{} {:?} -> {:?}", m.index, m.from, m.to);
    outcome.moves.iter().map(line).collect()
}

#[test]
fn a_leader_stays_and_a_new_replica_gets_the_place_of_the_one_that_goes() {
    let before = [
        partition(0, &[1, 3], 2),
        partition(1, &[3, 2], 2),
        partition(2, &[2, 1], 2),
    ];
    let outcome = plan(&cluster(1..=3, &[3]), &before, false).unwrap();
    assert_eq!(
        lines(&outcome),
        ["0 [1, 3] -> [1, 2]", "1 [3, 2] -> [1, 2]"]
    );
}

#[test]
fn copies_are_added_behind_and_dropped_from_behind() {
    let more = plan(&cluster(1..=3, &[]), &[partition(0, &[2], 3)], false).unwrap();
    assert_eq!(lines(&more), ["0 [2] -> [2, 1, 3]"]);
    let fewer = plan(&cluster(1..=3, &[]), &[partition(0, &[2, 1, 3], 1)], false).unwrap();
    assert_eq!(lines(&fewer), ["0 [2, 1, 3] -> [2]"]);
    assert_eq!(fewer.replicas, 0);
}

#[test]
fn leaders_are_evened_out_by_order_alone() {
    let before: Vec<Partition> = (0..6).map(|n| partition(n, &[1, 2, 3], 3)).collect();
    let outcome = plan(&cluster(1..=3, &[]), &before, true).unwrap();
    assert_eq!(outcome.replicas, 0);
    let mut led: BTreeMap<i32, usize> = BTreeMap::new();
    for p in after(&before, &outcome) {
        *led.entry(p.replicas[0]).or_default() += 1;
    }
    assert_eq!(led, BTreeMap::from([(1, 2), (2, 2), (3, 2)]));
}

#[test]
fn what_is_under_way_changes_only_where_it_must() {
    let mut before: Vec<Partition> = (0..4).map(|n| partition(n, &[1], 1)).collect();
    before.iter_mut().for_each(|p| p.under_way = true);
    assert_eq!(
        plan(&cluster(1..=2, &[]), &before, true).unwrap(),
        Outcome::default()
    );
    let outcome = plan(&cluster(1..=2, &[1]), &before, true).unwrap();
    assert_eq!(outcome.replicas, 4);
}

#[test]
fn obstacles_are_told_all_at_once() {
    let mut before = vec![partition(0, &[1, 2, 3], 3), partition(1, &[1], 1)];
    before[1].offline = true;
    let told = plan(&cluster(1..=3, &[3]), &before, false).unwrap_err();
    let told: Vec<String> = told.iter().map(Obstacle::to_string).collect();
    let expected = [
        "2 brokers remain, and more copies are wanted of velib (3)",
        "no broker leads velib-1",
    ];
    assert_eq!(told, expected);
}

#[test]
fn copies_are_not_brought_into_fewer_racks_than_they_are_in() {
    let mut brokers = cluster(1..=4, &[3, 4]);
    for (broker, rack) in brokers.iter_mut().zip(["a", "a", "b", "b"]) {
        broker.unit = Some(rack.to_owned());
    }
    let told = |before: &[Partition]| plan(&brokers, before, false).map_err(|o| o[0].to_string());
    let apart = told(&[partition(0, &[1, 3], 2)]);
    assert_eq!(
        apart.unwrap_err(),
        "copies would be in fewer racks or hosts (1) than now: velib (2)"
    );
    // Those that were in one are not worse off, nor is a single copy.
    assert!(told(&[partition(0, &[3, 4], 2), partition(1, &[4], 1)]).is_ok());
}

#[test]
fn a_disk_has_to_take_a_fifth_more_than_what_comes() {
    let before = [partition(0, &[1], 2)];
    let mut brokers = cluster(1..=2, &[]);
    brokers[1].free = Some(120);
    assert_eq!(plan(&brokers, &before, false).unwrap().bytes, 100);
    brokers[1].free = Some(119);
    let told = plan(&brokers, &before, false).unwrap_err();
    assert!(
        told[0]
            .to_string()
            .starts_with("broker 2 has 119 bytes free, and 100 would come")
    );
}
