//! How long it takes to decide where replicas go, and how many are copied, beside Kafka's own `--generate`.
//!
//! The other side is written anew here from what upstream's documentation and the comment above
//! `assignReplicasToBrokers` say it does: for each topic a start by chance; first replicas go round the brokers
//! from there; the others follow at a distance that grows each time the brokers were gone round once. It does not
//! look at where replicas are.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use sdtd::kafka::spread::{Broker, Outcome, Partition, plan};

/// The longest that a decision for the large cluster may take.
const LIMIT: Duration = Duration::from_secs(1);
/// How many starts by chance the other side is averaged over.
const STARTS: u64 = 100;

/// A small generator (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap_or(0)
    }
}

/// Brokers 1 to `count`; those whose number is above `stay` leave; with racks, there are so many.
fn brokers(count: i32, stay: i32, racks: Option<i32>) -> Vec<Broker> {
    let broker = |id| Broker {
        id,
        unit: racks.map(|racks| format!("r{}", id % racks)),
        leaving: id > stay,
        free: None,
    };
    (1..=count).map(broker).collect()
}

/// What `assignReplicasToBrokers` gives for one topic.
fn assigned(
    chance: &mut Chance,
    partitions: usize,
    copies: usize,
    brokers: usize,
) -> Vec<Vec<i32>> {
    let (start, shift) = (chance.below(brokers), chance.below(brokers));
    assigned_from(start, shift, partitions, copies, brokers)
}

fn assigned_from(
    start: usize,
    mut shift: usize,
    partitions: usize,
    copies: usize,
    brokers: usize,
) -> Vec<Vec<i32>> {
    let id = |place: usize| i32::try_from(place % brokers + 1).unwrap_or(0);
    let mut all = Vec::new();
    for partition in 0..partitions {
        if partition > 0 && partition % brokers == 0 {
            shift += 1;
        }
        let first = (partition + start) % brokers;
        let others = (0..copies.saturating_sub(1))
            .map(|n| first + 1 + (shift + n) % brokers.saturating_sub(1).max(1));
        all.push(std::iter::once(first).chain(others).map(id).collect());
    }
    all
}

/// A cluster as the service itself lays it out on its first brokers.
///
/// With `racks`, copies are on neighbours: brokers are numbered so that these are in other racks.
fn laid_out(
    chance: &mut Chance,
    (topics, each): (usize, usize),
    copies: usize,
    old: usize,
    racks: bool,
) -> Vec<Partition> {
    let mut all = Vec::new();
    for topic in 0..topics {
        let lists = if racks {
            (0..each)
                .flat_map(|_| assigned_from(chance.below(old), 0, 1, copies, old))
                .collect()
        } else {
            assigned(chance, each, copies, old)
        };
        let size = 1 + chance.below(1 << 30) as u64;
        for (index, replicas) in (0..).zip(lists) {
            all.push(Partition {
                topic: format!("t{topic}"),
                index,
                replicas,
                bytes: size + chance.below(1 << 20) as u64,
                wanted: copies,
                ..Partition::default()
            });
        }
    }
    all
}

/// How many replicas `--generate` copies, on average.
fn generated(partitions: &[Partition], topics: usize, copies: usize, brokers: usize) -> f64 {
    let each = partitions.len() / topics;
    let mut moved = 0;
    for seed in 0..STARTS {
        let mut chance = Chance(seed);
        for topic in partitions.chunks(each) {
            let lists = assigned(&mut chance, each, copies, brokers);
            for (p, list) in topic.iter().zip(lists) {
                moved += list.iter().filter(|id| !p.replicas.contains(id)).count();
            }
        }
    }
    moved as f64 / STARTS as f64
}

/// A cluster that grows; whether no more is copied than must be, and at most this part of what `--generate` copies.
fn compare((old, new, copies): (i32, i32, usize), most: f64) -> bool {
    let (topics, each) = (20, 30);
    let (from, to) = (
        usize::try_from(old).unwrap_or(1),
        usize::try_from(new).unwrap_or(1),
    );
    let before = laid_out(&mut Chance(7), (topics, each), copies, from, false);
    let ours = planned(&brokers(new, new, None), &before, true).0.replicas;
    let theirs = generated(&before, topics, copies, to);
    let total = before.len() * copies;
    let bound = total - total * from / to;
    let ratio = ours as f64 / theirs;
    let good = ours == bound && ratio <= most;
    let verdict = if good { "ok" } else { "MISSED" };
    println!(
        "| {old} -> {new} | {copies} | {total} | {bound} | {ours} | {theirs:.0} | {ratio:.2} | {most} {verdict} |"
    );
    good
}

fn planned(brokers: &[Broker], partitions: &[Partition], even: bool) -> (Outcome, Duration) {
    let began = Instant::now();
    let outcome = plan(brokers, partitions, even).expect("nothing stands against it");
    (outcome, began.elapsed())
}

/// A change of a large cluster; whether it was decided in time.
fn timed(what: &str, brokers: &[Broker], partitions: &[Partition], even: bool) -> bool {
    let (outcome, took) = planned(brokers, partitions, even);
    let verdict = if took < LIMIT { "ok" } else { "MISSED" };
    println!(
        "| {what} | {} | {} | {:.0} | {verdict} |",
        outcome.replicas,
        outcome.bytes >> 30,
        took.as_secs_f64() * 1000.0
    );
    took < LIMIT
}

fn main() -> ExitCode {
    println!(
        "20 topics of 30 partitions; replicas copied, `--generate` averaged over {STARTS} starts\n"
    );
    println!("| brokers | copies | replicas | least possible | sdtd | --generate | ratio | goal |");
    println!("|---|---|---|---|---|---|---|---|");
    let grown = [
        ((3, 5, 1), 1.0),
        ((3, 5, 2), 1.0),
        ((3, 5, 3), 1.0),
        ((4, 5, 2), 0.5),
        ((10, 12, 3), 0.5),
    ];
    let few = grown.map(|(what, most)| compare(what, most));
    println!(
        "\n200 brokers, 20,000 partitions of 3 copies; goal: less than {} ms\n",
        LIMIT.as_millis()
    );
    println!("| change | replicas copied | GiB | ms | |");
    println!("|---|---|---|---|---|");
    let lay = |old| laid_out(&mut Chance(1), (500, 40), 3, old, false);
    let apart = |old| laid_out(&mut Chance(1), (500, 40), 3, old, true);
    let mut more = lay(200);
    more.iter_mut()
        .take(2000)
        .for_each(|p| p.replicas.truncate(1));
    let good = [
        timed(
            "nothing joins or leaves, evened out",
            &brokers(200, 200, None),
            &lay(200),
            true,
        ),
        timed("190 -> 200", &brokers(200, 200, None), &lay(190), true),
        timed(
            "190 -> 200, 10 racks",
            &brokers(200, 200, Some(10)),
            &apart(190),
            true,
        ),
        timed("100 -> 200", &brokers(200, 200, None), &lay(100), true),
        timed(
            "100 -> 200, 3 racks",
            &brokers(200, 200, Some(3)),
            &apart(100),
            true,
        ),
        timed("200 -> 190", &brokers(200, 190, None), &lay(200), true),
        timed(
            "200 -> 190, 10 racks",
            &brokers(200, 190, Some(10)),
            &apart(200),
            true,
        ),
        timed(
            "200 -> 190, only what must be",
            &brokers(200, 190, None),
            &lay(200),
            false,
        ),
        timed(
            "200 -> 100, 5 racks",
            &brokers(200, 100, Some(5)),
            &apart(200),
            true,
        ),
        timed(
            "2,000 partitions from 1 to 3 copies",
            &brokers(200, 200, None),
            &more,
            true,
        ),
    ];
    ExitCode::from(u8::from(few.contains(&false) || good.contains(&false)))
}
