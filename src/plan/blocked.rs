//! What on the hosts stands in the way of a plan, all of it at once.

use std::collections::BTreeMap;

use crate::event::Problem;
use crate::facts::{HostFacts, Listener};
use crate::id::HostName;
use crate::inventory::Connection;
use crate::plan::context::Context;
use crate::plan::desired::Desired;

/// Ports taken by other programs, and boards that can't hold what is placed on them.
#[must_use]
pub fn blocked(context: &Context<'_>, desired: &[Desired]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for one in desired {
        let Some(facts) = context.facts.get(&one.member.id.host) else {
            continue;
        };
        let runs = facts
            .units
            .get(&one.member.unit)
            .is_some_and(|unit| unit.active);
        if !runs {
            problems.extend(ports_taken(context, one, facts));
        }
    }
    problems.extend(boards_too_small(context, desired));
    problems
}

fn ports_taken(context: &Context<'_>, one: &Desired, facts: &HostFacts) -> Vec<Problem> {
    let host = &context.cluster.hosts[&one.member.id.host];
    let local = matches!(host.connection, Connection::Local { .. });
    let clashes = |listener: &&Listener, port: u16| {
        let address = listener.address.trim_start_matches("::ffff:");
        let all = matches!(address, "0.0.0.0" | "::" | "*");
        listener.port == port && (all || !local || address == host.address)
    };
    let problem = |(name, port): (&String, &u16)| {
        let listener = facts.listening.iter().find(|l| clashes(l, *port))?;
        let who = match (&listener.process, listener.pid) {
            (Some(name), Some(pid)) => format!("`{name}` (process {pid})"),
            _ => "another program".to_owned(),
        };
        let cause = format!(
            "{}: port {port} ({name} of {}) is taken by {who} on {}",
            host.name, one.member.id, listener.address
        );
        let service = &one.member.id.service;
        Some(Problem::new(cause).help(format!(
            "stop it there, or give {service} another port: `services: {{ {service}: {{ ports: {{ {name}: … }} }} }}`"
        )))
    };
    one.member.ports.iter().filter_map(problem).collect()
}

/// A board's memory less this share is what services may use: the system needs the rest.
const SYSTEM_PERCENT: u64 = 15;

fn boards_too_small(context: &Context<'_>, desired: &[Desired]) -> Vec<Problem> {
    let mut needs: BTreeMap<&HostName, Vec<(String, u64)>> = BTreeMap::new();
    for one in desired {
        let id = &one.member.id;
        let memory = context.catalogue.get(&id.service).and_then(|f| {
            f.descriptor
                .roles
                .get(&id.role)
                .and_then(|role| role.memory)
        });
        if let Some(memory) = memory {
            let heap = context.heap_mb(id).unwrap_or(0);
            let what = format!(
                "{}.{}: heap {heap}M + {}M",
                id.service, id.role, memory.overhead
            );
            needs
                .entry(&id.host)
                .or_default()
                .push((what, heap + memory.overhead));
        }
    }
    let problem = |(host, parts): (&HostName, Vec<(String, u64)>)| {
        let board = context.memory_mb(host);
        let room = board - board * SYSTEM_PERCENT / 100;
        let sum: u64 = parts.iter().map(|(_, mb)| mb).sum();
        (sum > room).then(|| {
            let list = parts.into_iter().map(|(what, _)| what).collect::<Vec<_>>().join(", ");
            Problem::new(format!(
                "{host}: what is placed on it needs {sum}M and {room}M of its {board}M may be used ({list})"
            ))
            .help("give a smaller `heap:`, put a service on fewer hosts, or take a larger board")
        })
    };
    needs.into_iter().filter_map(problem).collect()
}
