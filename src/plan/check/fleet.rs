//! The hosts beside each other: clocks, and cards that were copied.

use std::collections::BTreeMap;

use super::Check;
use crate::facts::HostFacts;
use crate::id::HostName;
use crate::inventory::Connection;
use crate::plan::context::Context;

/// Seconds off the others' median that are too many, and that are worth a word. Hosts answer at different
/// moments, so a few mean nothing.
const SKEW_S: (u64, u64) = (60, 10);

pub(super) fn checks(context: &Context<'_>) -> Vec<Check> {
    let ssh = |host: &HostName| {
        let host = context.cluster.hosts.get(host);
        host.is_some_and(|h| !h.leaving && matches!(h.connection, Connection::Ssh { .. }))
    };
    let hosts: Vec<(&HostName, &HostFacts)> =
        context.facts.iter().filter(|(name, _)| ssh(name)).collect();
    let mut all = clocks(&hosts);
    all.extend(copies(&hosts));
    all
}

fn clocks(hosts: &[(&HostName, &HostFacts)]) -> Vec<Check> {
    let mut times: Vec<i64> = hosts.iter().map(|(_, facts)| facts.time).collect();
    times.sort_unstable();
    let Some(median) = times.get(times.len() / 2).copied() else {
        return Vec::new();
    };
    let check = |(name, facts): &(&HostName, &HostFacts)| {
        let skew = facts.time - median;
        let (most, much) = SKEW_S;
        let help = "let it take its time from the network (`timedatectl set-ntp true`)";
        let found = format!("its clock is {skew:+} s off the others'");
        match skew.unsigned_abs() {
            s if s > most => Check::pass("clock", name, found).fail(help),
            s if s > much => Check::pass("clock", name, found).warn(help),
            _ => Check::pass("clock", name, "as the others'"),
        }
    };
    hosts.iter().map(check).collect()
}

/// Copied cards have one name and one machine id, and take each other's addresses.
fn copies(hosts: &[(&HostName, &HostFacts)]) -> Vec<Check> {
    let mut names: BTreeMap<&str, &HostName> = BTreeMap::new();
    let mut ids: BTreeMap<&str, &HostName> = BTreeMap::new();
    let mut all = Vec::new();
    for (name, facts) in hosts {
        if let Some(other) = names.insert(&facts.hostname, name) {
            let found = format!("it calls itself `{}`, as {other} does", facts.hostname);
            let check = Check::pass("identity", name, found);
            all.push(check.warn("give it a name of its own: `hostnamectl set-hostname …`"));
        }
        let id = facts.machine_id.as_str();
        if let Some(other) = ids.insert(id, name).filter(|_| !id.is_empty()) {
            let found = format!("its machine id is that of {other}: a copied card");
            let help = "empty /etc/machine-id there and reboot: the next boot makes one";
            all.push(Check::pass("identity", name, found).warn(help));
        }
    }
    all
}
