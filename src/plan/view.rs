//! The cluster as probes see it: members with their addresses and ports, roles with what is asked of them.

use crate::catalogue::Role;
use crate::id::{RoleName, ServiceName};
use crate::inventory::Host;
use crate::plan::model::{RoleRef, RoleView, View};
use crate::plan::paths::HostPaths;
use crate::plan::place::Placement;
use crate::plan::planner::{Input, context, placement, trees};

/// The cluster as probes see it, for commands that change nothing.
#[must_use]
pub fn view_of(input: Input<'_>) -> View {
    let placement = placement(input.cluster, input.catalogue, input.facts);
    view(input, &placement)
}

pub(super) fn view(input: Input<'_>, placement: &Placement) -> View {
    let trees = trees(input, &placement.with_leaving());
    let context = context(input, placement, &trees);
    let mut roles = Vec::new();
    let mut verify = Vec::new();
    for (service, wanted) in &input.cluster.services {
        let Some(folder) = input.catalogue.get(service) else {
            continue;
        };
        for (role, words) in folder.descriptor.roles_with(&wanted.settings) {
            roles.push(role_view(service, role, words));
        }
        verify.push((service.clone(), folder.descriptor.verify.clone()));
    }
    let root = |host: &Host| HostPaths::new(&input.cluster.name, host).root;
    let roots = input
        .cluster
        .hosts
        .values()
        .map(|host| (host.name.clone(), root(host)));
    let roots = roots.filter(|(_, root)| !root.is_empty()).collect();
    View {
        cluster: input.cluster.name.clone(),
        members: context.members(),
        leaving: context.leaving(),
        absent: input
            .cluster
            .hosts
            .keys()
            .filter(|h| !input.facts.contains_key(*h))
            .cloned()
            .collect(),
        roles,
        roots,
        verify,
    }
}

fn role_view(service: &ServiceName, role: &RoleName, words: &Role) -> RoleView {
    RoleView {
        role: RoleRef {
            service: service.clone(),
            role: role.clone(),
        },
        quorum: words.quorum.clone(),
        status: words.status.clone(),
        verify: words.verify.clone(),
        ready: words.rolling.ready.clone(),
        ready_within: words.run.ready_within,
        stop_within: words.run.stop_within,
    }
}
