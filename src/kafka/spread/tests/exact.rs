//! The fewest replicas that can be copied, found another way: a network with every partition and unit in it,
//! filled by cheapest paths; or by trying all there is.

use super::{Broker, Partition, staying};

const UNEVEN: i64 = 1_000_000;

#[derive(Default)]
struct Network {
    edges: Vec<(usize, usize, i64, i64)>,
    nodes: usize,
}

impl Network {
    fn node(&mut self) -> usize {
        self.nodes += 1;
        self.nodes - 1
    }

    /// An edge and the way back.
    fn edge(&mut self, from: usize, to: usize, room: i64, cost: i64) {
        self.edges.push((from, to, room, cost));
        self.edges.push((to, from, 0, -cost));
    }

    /// Sends as much as goes, always the cheapest way.
    fn fill(&mut self, source: usize, sink: usize) -> i64 {
        let mut flow = 0;
        loop {
            let mut distance = vec![i64::MAX / 2; self.nodes];
            let mut by = vec![usize::MAX; self.nodes];
            distance[source] = 0;
            let mut changed = true;
            while changed {
                changed = false;
                for (n, (from, to, room, cost)) in self.edges.iter().enumerate() {
                    let far = i64::MAX / 4;
                    if *room > 0 && distance[*from] < far && distance[*from] + cost < distance[*to]
                    {
                        distance[*to] = distance[*from] + cost;
                        by[*to] = n;
                        changed = true;
                    }
                }
            }
            if by[sink] == usize::MAX {
                return flow;
            }
            let mut at = sink;
            while at != source {
                let n = by[at];
                self.edges[n].2 -= 1;
                self.edges[n ^ 1].2 += 1;
                at = self.edges[n].0;
            }
            flow += 1;
        }
    }
}

/// How far loads are from their targets.
pub(super) fn uneven(loads: &[usize]) -> usize {
    let total: usize = loads.iter().sum();
    let (least, most) = (total / loads.len(), total.div_ceil(loads.len()));
    let far = |load: &usize| least.saturating_sub(*load) + load.saturating_sub(most);
    loads.iter().map(far).sum()
}

fn unit(broker: &Broker) -> String {
    broker.unit.clone().unwrap_or_else(|| broker.id.to_string())
}

/// The fewest replicas copied, and how uneven loads must stay; none where some partition has more copies
/// than there are units, and units are more than one.
pub(super) fn fewest(brokers: &[Broker], partitions: &[Partition]) -> Option<(usize, usize)> {
    let brokers: Vec<&Broker> = brokers.iter().filter(|b| !b.leaving).collect();
    let mut units: Vec<String> = brokers.iter().map(|b| unit(b)).collect();
    units.sort();
    units.dedup();
    let between = |p: &Partition| p.wanted > units.len() && units.len() > 1;
    if partitions.iter().any(between) {
        return None;
    }
    let mut net = Network::default();
    let (source, sink) = (net.node(), net.node());
    let slots: Vec<usize> = brokers.iter().map(|_| net.node()).collect();
    let total: usize = partitions.iter().map(|p| p.wanted).sum();
    let least = i64::try_from(total / slots.len()).unwrap();
    for slot in &slots {
        net.edge(*slot, sink, least, -UNEVEN);
        let more = i64::from(!total.is_multiple_of(slots.len()));
        net.edge(*slot, sink, more, 0);
        net.edge(*slot, sink, 1000, UNEVEN);
    }
    let mut copies = Vec::new();
    for p in partitions {
        let node = net.node();
        net.edge(source, node, i64::try_from(p.wanted).unwrap(), 0);
        for name in &units {
            let at = net.node();
            let room = if units.len() > 1 { 1 } else { 1000 };
            net.edge(node, at, room, 0);
            let here = brokers.iter().zip(&slots).filter(|(b, _)| unit(b) == *name);
            for (broker, slot) in here {
                let cost = i64::from(!p.replicas.contains(&broker.id));
                if cost > 0 {
                    copies.push(net.edges.len());
                }
                net.edge(at, *slot, 1, cost);
            }
        }
    }
    assert_eq!(net.fill(source, sink), i64::try_from(total).unwrap());
    let copied = copies.iter().filter(|n| net.edges[**n].2 == 0).count();
    let into = |slot: &usize| {
        let edges = net.edges.iter().enumerate();
        let ways = edges.filter(|(n, e)| n % 2 == 0 && e.0 == *slot && e.1 == sink);
        let sent: i64 = ways.map(|(n, _)| net.edges[n ^ 1].2).sum();
        usize::try_from(sent).unwrap()
    };
    let loads: Vec<usize> = slots.iter().map(into).collect();
    Some((copied, uneven(&loads)))
}

/// The least uneven loads, and the fewest replicas copied for these, of all choices there are.
pub(super) fn tried(brokers: &[Broker], partitions: &[Partition]) -> (usize, usize) {
    let ids = staying(brokers);
    let all = super::units(brokers, &ids);
    let choices: Vec<Vec<(usize, usize)>> = partitions
        .iter()
        .map(|p| {
            let good = |mask: &usize| {
                let chosen: Vec<i32> = chosen(&ids, *mask);
                chosen.len() == p.wanted && super::units(brokers, &chosen) >= p.wanted.min(all)
            };
            let cost = |mask: usize| {
                let fresh = chosen(&ids, mask).into_iter();
                (mask, fresh.filter(|id| !p.replicas.contains(id)).count())
            };
            (0..1_usize << ids.len()).filter(good).map(cost).collect()
        })
        .collect();
    let mut best = (usize::MAX, usize::MAX);
    choose(&choices, &mut vec![0; ids.len()], 0, &mut best);
    best
}

fn choose(
    choices: &[Vec<(usize, usize)>],
    loads: &mut Vec<usize>,
    cost: usize,
    best: &mut (usize, usize),
) {
    let Some((first, rest)) = choices.split_first() else {
        *best = (*best).min((uneven(loads), cost));
        return;
    };
    for (mask, more) in first {
        let each = |loads: &mut Vec<usize>, add: bool| {
            for (n, load) in loads
                .iter_mut()
                .enumerate()
                .filter(|(n, _)| mask >> n & 1 == 1)
            {
                *load = if add { *load + 1 } else { *load - 1 };
                let _ = n;
            }
        };
        each(loads, true);
        choose(rest, loads, cost + more, best);
        each(loads, false);
    }
}

fn chosen(ids: &[i32], mask: usize) -> Vec<i32> {
    let set = ids.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1);
    set.map(|(_, id)| *id).collect()
}
