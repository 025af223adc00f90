//! Rules about memory: heaps must fit into the hosts whose memory the inventory gives.

use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::Memory;
use crate::id::HostName;

use super::finding::Finding;
use super::model::{Amount, Cluster, Host, Service};
use super::services::placement;
use super::tree::{Node, Span};

/// What a role takes on a host, in MiB.
struct Share<'a> {
    service: &'a Service,
    heap: u64,
    overhead: u64,
    /// Whether the inventory says the heap itself, and where.
    given: Option<Span>,
}

/// Finds heaps that do not fit.
pub(super) fn check(
    cluster: &Cluster,
    root: &Node,
    catalogue: &Catalogue,
    findings: &mut Vec<Finding>,
) {
    let mut told = Vec::new();
    for host in cluster.hosts.values() {
        let Some(memory) = host.memory_mb else {
            continue;
        };
        let shares = shares(cluster, host, memory, (root, catalogue));
        let board = root.place(&["hosts", host.name.as_str(), "memory"]);
        let mut alone = false;
        for share in &shares {
            let Some(span) = share.given.filter(|_| share.heap + share.overhead > memory) else {
                continue;
            };
            alone = true;
            if !told.contains(&span) {
                told.push(span);
                findings.push(too_large(share, host, (span, board)));
            }
        }
        let sum: u64 = shares.iter().map(|share| share.heap + share.overhead).sum();
        if sum > memory && !alone {
            findings.push(too_many(&shares, host, (sum, board)));
        }
    }
    chosen(cluster, root, catalogue, findings);
}

/// What surely runs on a host.
fn shares<'a>(
    cluster: &'a Cluster,
    host: &Host,
    memory: u64,
    (root, catalogue): (&Node, &Catalogue),
) -> Vec<Share<'a>> {
    let mut shares = Vec::new();
    for (service, amount, needs, most) in roles(cluster, catalogue) {
        if placement(amount, &cluster.hosts).0.contains(&&host.name) {
            let there = match amount {
                Amount::Hosts(_) => usize::from(most),
                Amount::Count(n) => usize::from(*n) / cluster.hosts.len().max(1),
            };
            let share = || share(service, &host.name, (needs, memory), root);
            shares.extend(std::iter::repeat_with(share).take(there.max(1)));
        }
    }
    shares
}

fn roles<'a>(
    cluster: &'a Cluster,
    catalogue: &Catalogue,
) -> Vec<(&'a Service, &'a Amount, Memory, u16)> {
    let services = cluster.services.values();
    let roles = services.flat_map(|service| {
        service
            .roles
            .iter()
            .map(move |(role, amount)| (service, role, amount))
    });
    let with = roles.filter_map(|(service, role, amount)| {
        let spec = catalogue.get(&service.name)?.descriptor.roles.get(role)?;
        Some((service, amount, spec.memory?, spec.most(service.per_host)))
    });
    with.collect()
}

fn share<'a>(
    service: &'a Service,
    host: &HostName,
    (needs, memory): (Memory, u64),
    root: &Node,
) -> Share<'a> {
    let name = service.name.as_str();
    let own = service.hosts.get(host).and_then(|own| own.heap_mb);
    let place = |heap: u64, path: &[&str]| (heap, Some(root.place(path)));
    let given = own.map(|heap| place(heap, &["services", name, "hosts", host.as_str(), "heap"]));
    let given = given.or_else(|| {
        service
            .heap_mb
            .map(|heap| place(heap, &["services", name, "heap"]))
    });
    let (heap, given) = match (needs.heap, given) {
        (Some(rule), Some(given)) if !rule.own => given,
        (Some(rule), _) => (
            (memory * rule.percent / 100).clamp(rule.min, rule.max.max(rule.min)),
            None,
        ),
        (None, _) => (0, None),
    };
    Share {
        service,
        heap,
        overhead: needs.overhead,
        given,
    }
}

fn too_large(share: &Share<'_>, host: &Host, (span, board): (Span, Span)) -> Finding {
    let memory = host.memory_mb.unwrap_or_default();
    let name = &share.service.name;
    let cause = format!(
        "a heap of {}M, and {}M that `{name}` takes besides, do not fit into the {memory}M of host `{}`",
        share.heap, share.overhead, host.name
    );
    let most = memory.saturating_sub(share.overhead);
    let help = if most >= 16 {
        format!("at most {most}M fit there; half of that leaves room for others")
    } else {
        "take a host with more memory".to_owned()
    };
    Finding::error(span, cause)
        .also(board, "its memory")
        .help(help)
}

fn too_many(shares: &[Share<'_>], host: &Host, (sum, board): (u64, Span)) -> Finding {
    let memory = host.memory_mb.unwrap_or_default();
    let parts = shares
        .iter()
        .filter(|share| share.heap + share.overhead > 0);
    let parts: Vec<_> = parts
        .map(|share| format!("{} {}M", share.service.name, share.heap + share.overhead))
        .collect();
    let cause = format!(
        "what runs on host `{}` takes {sum}M ({}), and it has {memory}M",
        host.name,
        parts.join(", ")
    );
    let largest = shares
        .iter()
        .filter(|share| share.given.is_some())
        .max_by_key(|share| share.heap);
    match largest.and_then(|share| share.given) {
        Some(span) => Finding::error(span, cause)
            .also(board, "its memory")
            .help("give it a smaller heap, or place less there"),
        None => Finding::error(board, cause)
            .help("give the services smaller heaps, or place less there"),
    }
}

/// Where a number of hosts is chosen by sdtd, enough of them must have the memory.
fn chosen(cluster: &Cluster, root: &Node, catalogue: &Catalogue, findings: &mut Vec<Finding>) {
    for (service, amount, needs, _) in roles(cluster, catalogue) {
        let Amount::Count(n) = amount else { continue };
        if usize::from(*n) >= cluster.hosts.len() || service.heap_mb.is_none() {
            continue;
        }
        let fits = |host: &&Host| {
            let Some(memory) = host.memory_mb else {
                return true;
            };
            let share = share(service, &host.name, (needs, memory), root);
            share.heap + share.overhead <= memory
        };
        let room = cluster.hosts.values().filter(fits).count();
        if room < usize::from(*n) {
            let span = root.place(&["services", service.name.as_str(), "heap"]);
            let cause = format!(
                "`{}` wants {n} hosts, and its heap fits into {room} of them",
                service.name
            );
            findings.push(
                Finding::error(span, cause)
                    .help("give it a smaller heap, or add hosts with more memory"),
            );
        }
    }
}
