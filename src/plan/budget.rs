//! What is planned of the boards' memory, across all services on each.

use serde::{Deserialize, Serialize};

use crate::id::{HostName, InstanceId};
use crate::plan::context::Context;

/// A board's memory less this share is what services may use: the system needs the rest.
const SYSTEM_PERCENT: u64 = 15;

/// What is planned of a board's memory, in MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The host.
    pub host: HostName,
    /// All that it has.
    pub board_mb: u64,
    /// What services may use of it.
    pub usable_mb: u64,
    /// What they need together.
    pub planned_mb: u64,
    /// What each of them needs.
    pub parts: Vec<Part>,
}

/// What an instance needs of its board's memory, in MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The instance.
    pub instance: InstanceId,
    /// Its heap.
    pub heap_mb: u64,
    /// What it needs besides.
    pub overhead_mb: u64,
}

/// What is planned of a board's memory by all that these instances need.
pub fn budget<'a>(
    context: &Context<'_>,
    host: &HostName,
    ids: impl Iterator<Item = &'a InstanceId>,
) -> Budget {
    let part = |id: &InstanceId| {
        let memory = context.catalogue.role(&id.service, &id.role)?.memory?;
        Some(Part {
            instance: id.clone(),
            heap_mb: context.heap_mb(id).unwrap_or(0),
            overhead_mb: memory.overhead,
        })
    };
    let parts: Vec<Part> = ids.filter_map(part).collect();
    let board_mb = context.memory_mb(host);
    Budget {
        host: host.clone(),
        board_mb,
        usable_mb: board_mb - board_mb * SYSTEM_PERCENT / 100,
        planned_mb: parts.iter().map(|p| p.heap_mb + p.overhead_mb).sum(),
        parts,
    }
}

/// The same of each host, by all that is to run there in the end.
#[must_use]
pub fn budgets(context: &Context<'_>) -> Vec<Budget> {
    let hosts = context.cluster.staying().map(|(host, _)| host);
    let budget = |host| budget(context, host, context.placement.on(host));
    hosts.map(budget).collect()
}
