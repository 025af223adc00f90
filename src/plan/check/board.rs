//! What is placed on a board: its ports and its memory.

use super::Check;
use crate::facts::{HostFacts, Listener};
use crate::id::HostName;
use crate::inventory::{Connection, Host};
use crate::plan::budget::{Part, budget};
use crate::plan::context::Context;
use crate::plan::desired::Desired;

/// Ports of instances that do not run yet, and who has them.
pub(super) fn ports(
    context: &Context<'_>,
    (host, facts): (&Host, &HostFacts),
    desired: &[Desired],
) -> Vec<Check> {
    let here = desired.iter().filter(|d| d.member.id.host == host.name);
    let taken = here
        .filter(|one| !facts.runs(&one.member.unit))
        .flat_map(|one| taken(context, (host, facts), one));
    let taken: Vec<Check> = taken.collect();
    if taken.is_empty() && !context.placement.on(&host.name).any(|_| true) {
        return Vec::new();
    }
    if taken.is_empty() {
        return vec![Check::pass("ports", &host.name, "free")];
    }
    taken
}

fn taken(context: &Context<'_>, (host, facts): (&Host, &HostFacts), one: &Desired) -> Vec<Check> {
    let fronts = context.cluster.fronts(context.catalogue);
    let local = matches!(host.connection, Connection::Local { .. });
    let clashes = |listener: &&Listener, port: u16| {
        let address = listener.address.trim_start_matches("::ffff:");
        let all = matches!(address, "0.0.0.0" | "::" | "*");
        listener.port == port && (all || !local || address == host.address)
    };
    let check = |(name, port): (&String, &u16)| {
        let listener = facts.listening.iter().find(|l| clashes(l, *port))?;
        let who = match (&listener.process, listener.pid) {
            (Some(name), Some(pid)) => format!("`{name}` (process {pid})"),
            _ => "another program".to_owned(),
        };
        let found = format!(
            "port {port} ({name} of {}) is taken by {who} on {}",
            one.member.id, listener.address
        );
        // A front's port is said under its own service.
        let front = fronts.iter().find(|front| front.title() == *name);
        let (service, name) = match front {
            Some(front) => (&front.service.name, front.name),
            None => (&one.member.id.service, name.as_str()),
        };
        Some(Check::pass("ports", &host.name, found).fail(format!(
            "stop it there, or give {service} another port: `services: {{ {service}: {{ ports: {{ {name}: … }} }} }}`"
        )))
    };
    one.member.ports.iter().filter_map(check).collect()
}

/// Whether the board holds the heaps, and what else the processes need, of all that is placed on it.
pub(super) fn memory(context: &Context<'_>, host: &HostName, desired: &[Desired]) -> Check {
    let here = desired.iter().map(|one| &one.member.id);
    let budget = budget(context, host, here.filter(|id| &id.host == host));
    let part = |part: &Part| {
        let (id, heap, more) = (&part.instance, part.heap_mb, part.overhead_mb);
        format!("{}.{}: heap {heap}M + {more}M", id.service, id.role)
    };
    let parts: Vec<String> = budget.parts.iter().map(part).collect();
    let list = match parts.is_empty() {
        true => String::new(),
        false => format!(" ({})", parts.join(", ")),
    };
    let (sum, room, board) = (budget.planned_mb, budget.usable_mb, budget.board_mb);
    let found =
        format!("what is placed on it needs {sum}M and {room}M of its {board}M may be used{list}");
    let check = Check::pass("memory", host, found);
    if sum > room {
        return check
            .fail("give a smaller `heap:`, put a service on fewer hosts, or take a larger board");
    }
    check
}
