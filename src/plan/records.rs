//! What is written about each host, and what it forbids to change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalogue::Renderer;
use crate::facts::{FINALIZED_FORMAT, RECORD_FORMAT, Reach, Record};
use crate::id::HostName;
use crate::inventory::{Connection, Host};
use crate::plan::context::Context;
use crate::plan::desired::Desired;
use crate::plan::instead;
use crate::plan::made::fixed;
use crate::plan::place::Placement;
use crate::plan::planner::Input;
use crate::plan::shared::Shared;
use crate::plan::versions::unfinished;
use crate::plan::ways::from_key;

/// Changes of values that were fixed at the first deploy.
pub(super) fn refused(input: Input<'_>, placement: &Placement) -> Vec<String> {
    let mut refused = BTreeSet::new();
    let records: Vec<&Record> = input
        .facts
        .values()
        .filter_map(|f| f.record.as_ref())
        .collect();
    if records.is_empty() {
        return Vec::new();
    }
    let fixed = fixed_now(input, placement);
    let on_its_way = |word: &&String| input.passage.is_some_and(|way| &way.key == *word);
    for record in records {
        for (word, new) in fixed.iter().filter(|(word, _)| !on_its_way(word)) {
            let old = record.fixed.get(word).filter(|old| *old != new);
            refused.extend(old.map(|old| {
                format!("`{word}` is `{old}` since the first deploy and can't become `{new}`")
            }));
        }
    }
    refused.into_iter().collect()
}

/// What can't be changed after the first deploy: values of settings, and where others have to find members.
fn fixed_now(input: Input<'_>, placement: &Placement) -> BTreeMap<String, String> {
    let mut all = fixed(input.cluster, input.catalogue);
    let nowhere = BTreeMap::new();
    let context = Context {
        cluster: input.cluster,
        catalogue: input.catalogue,
        facts: &nowhere,
        placement,
        homes: BTreeMap::new(),
        unfinished: BTreeMap::new(),
        renderer: Renderer::new(),
        shared: Shared::default(),
    };
    for member in context.members() {
        let role = input.catalogue.role(&member.id.service, &member.id.role);
        for name in role.into_iter().flat_map(|role| &role.remembered) {
            let port = member.ports.get(name).copied().unwrap_or_default();
            let at = format!("{}:{port}", member.address);
            all.insert(format!("{} {name}", member.id), at);
        }
        // What was written into the first folder is looked for there.
        let settings = &input.cluster.services[&member.id.service].settings;
        let steps = role.into_iter().flat_map(|role| &role.once);
        if steps
            .filter(|once| once.when.holds(settings))
            .any(|once| once.folders)
        {
            let first = member
                .env
                .get("SDTD_DATA")
                .and_then(|all| all.split(':').next());
            let word = format!("{} first data folder", member.id);
            all.extend(first.map(|first| (word, first.to_owned())));
        }
    }
    all
}

/// What will be written about each host; `hosts` are those that shall be known, and `last` says whether all is done
/// by then.
pub(super) fn records<'a>(
    input: Input<'_>,
    placement: &Placement,
    desired: &[&Desired],
    (hosts, last): (impl Iterator<Item = (&'a HostName, &'a Host)>, bool),
) -> BTreeMap<HostName, Record> {
    let mut records = BTreeMap::new();
    let mut fixed = fixed_now(input, placement);
    if let Some(way) = input.passage {
        // Until it is reached, what goes with the value before is needed to take that off.
        let cluster = &way.was;
        for (word, value) in fixed_now(Input { cluster, ..input }, placement) {
            fixed.entry(word).or_insert(value);
        }
        fixed.insert(from_key(&way.key), way.from.clone());
    }
    let finalized: BTreeMap<String, String> = unfinished(input)
        .into_iter()
        .map(|(name, version)| (name.to_string(), version))
        .collect();
    // An older sdtd does not know what is held, and would raise it.
    let format = if finalized.is_empty() {
        FINALIZED_FORMAT
    } else {
        RECORD_FORMAT
    };
    let there = placement.instances.iter().chain(&placement.leaving);
    let reach = |(name, host): (&HostName, &Host)| (name.clone(), reach(host));
    let mut hosts: BTreeMap<HostName, Reach> = hosts.map(reach).collect();
    let replaced = instead::kept(input, &mut hosts, last);
    // The same on every host, and as large as the cluster.
    let (hosts, fixed) = (Arc::new(hosts), Arc::new(fixed));
    let placed = Arc::new(there.cloned().collect());
    let mut on: BTreeMap<&HostName, Vec<&Desired>> = BTreeMap::new();
    for one in desired {
        on.entry(&one.member.id.host).or_default().push(one);
    }
    for (host, _) in input.cluster.staying() {
        let here = || on.get(host).into_iter().flatten();
        let mut owns: BTreeSet<String> = here()
            .flat_map(|d| d.files.iter().filter(|f| !f.bootstrap))
            .map(|f| f.path.clone())
            .collect();
        owns.extend(here().map(|d| d.unit.path.clone()));
        let record = Record {
            format,
            cluster: input.cluster.name.to_string(),
            host: host.clone(),
            placement: Arc::clone(&placed),
            numbers: placement.numbers.clone(),
            versions: input
                .cluster
                .services
                .iter()
                .map(|(name, service)| (name.to_string(), service.version.clone()))
                .collect(),
            finalized: finalized.clone(),
            fixed: Arc::clone(&fixed),
            owns,
            data: here().flat_map(|d| d.data.iter().cloned()).collect(),
            units: here().map(|d| d.member.unit.clone()).collect(),
            hosts: Arc::clone(&hosts),
            replaced: replaced.clone(),
        };
        records.insert(host.clone(), record);
    }
    records
}

/// How a host is reached, as it is recorded.
fn reach(host: &Host) -> Reach {
    let (user, port, root) = match &host.connection {
        Connection::Ssh { user, port, .. } => (user.clone(), *port, None),
        Connection::Local { root } => {
            let root = root.as_ref().map(|root| root.display().to_string());
            (None, None, Some(root.unwrap_or_default()))
        }
    };
    Reach {
        address: host.address.clone(),
        user,
        port,
        root,
        rack: host.rack.clone(),
        memory_mb: host.memory_mb,
    }
}
