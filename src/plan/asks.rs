//! What each host must be asked before a plan can be made.

use std::collections::BTreeMap;

use crate::catalogue::{Catalogue, Renderer};
use crate::facts::FactsRequest;
use crate::id::{Arch, HostName, InstanceId};
use crate::inventory::{Cluster, Connection};
use crate::plan::context::Context;
use crate::plan::desired::once_marker;
use crate::plan::made::with_made;
use crate::plan::packages;
use crate::plan::paths::HostPaths;
use crate::plan::place::Placement;
use crate::plan::shared::Shared;
use crate::plan::waves::signs;

/// What each host must be asked, for all that may come to run there.
#[must_use]
pub fn requests(cluster: &Cluster, catalogue: &Catalogue) -> BTreeMap<HostName, FactsRequest> {
    let facts = BTreeMap::new();
    let cluster = &with_made(cluster, catalogue, &facts, "");
    // Every role on every host: where the roles are is known only after the records are read.
    let mut everywhere = Placement::default();
    for (service, wanted) in &cluster.services {
        let Some(folder) = catalogue.get(service) else {
            continue;
        };
        for (role, words) in folder.descriptor.roles_with(&wanted.settings) {
            let number = words.id.as_ref().map(|rule| rule.from);
            for host in cluster.hosts.keys() {
                let id = |copy| InstanceId {
                    service: service.clone(),
                    role: role.clone(),
                    host: host.clone(),
                    copy,
                };
                let copies = 1..=words.most(wanted.per_host);
                let all = copies.map(|copy| (id(copy), number));
                everywhere.instances.extend(all);
            }
        }
    }
    let context = Context {
        cluster,
        catalogue,
        facts: &facts,
        placement: &everywhere,
        homes: cluster
            .hosts
            .keys()
            .flat_map(|h| {
                cluster
                    .services
                    .keys()
                    .map(|s| ((h.clone(), s.clone()), "-".to_owned()))
            })
            .collect(),
        unfinished: BTreeMap::new(),
        renderer: Renderer::new(),
        shared: Shared::default(),
    };
    cluster
        .hosts
        .keys()
        .map(|host| (host.clone(), request(&context, host)))
        .collect()
}

fn request(context: &Context<'_>, name: &HostName) -> FactsRequest {
    let host = &context.cluster.hosts[name];
    let paths = HostPaths::new(&context.cluster.name, host);
    let mut request = FactsRequest {
        state: paths.state(),
        store: paths.store(),
        pidfiles: matches!(host.connection, Connection::Local { .. }),
        ..FactsRequest::default()
    };
    request.paths.extend([
        paths.profile(),
        paths.state(),
        paths.store(),
        paths.incoming(),
        paths.held(),
        paths.moving(),
        paths.previous(),
        paths.fan_out(),
    ]);
    request.disks.insert(paths.store());
    if matches!(host.connection, Connection::Ssh { .. }) {
        let staying = context.cluster.staying().map(|(_, host)| host);
        let named = staying.filter(|other| other.is_named());
        request
            .names
            .extend(named.map(|other| other.address.clone()));
    }
    for service in context.cluster.services.keys() {
        let folder = context.catalogue.get(service);
        request.users.extend(context.user(host, service));
        let link = packages::link(context.catalogue, service, &paths);
        request.paths.extend(link);
        let wanted = &context.cluster.services[service];
        let own = |arch| packages::distribution(context.catalogue, wanted, arch);
        request
            .paths
            .extend(Arch::ALL.into_iter().filter_map(own).map(|(_, home)| home));
        let hooks = folder
            .into_iter()
            .flat_map(|f| f.files())
            .filter(|(p, _)| is_hook(p));
        request
            .paths
            .extend(hooks.map(|(p, _)| format!("{}/{p}", paths.hooks(service))));
    }
    for id in context.placement.on(name) {
        // A template that can't be rendered is reported when the plan is made.
        if let Ok(Some(desired)) = context.desired(id) {
            request.units.insert(desired.member.unit.clone());
            request.paths.insert(paths.unit(&desired.member.unit));
            request
                .paths
                .extend(desired.files.iter().map(|f| f.path.clone()));
            request.paths.extend(desired.others);
            request
                .paths
                .extend(desired.dirs.iter().map(|(path, _)| path.clone()));
            request
                .paths
                .extend([desired.unit.path.clone(), desired.wanted.0.clone()]);
            request.disks.extend(desired.data.iter().cloned());
            let guards = desired.guards.iter().map(|guard| guard.sign.clone());
            request.markers.extend(guards);
            // Those of the first instance too: which one that is is known only after the records are read.
            let role = context.catalogue.role(&id.service, &id.role);
            let state = paths.unit(&desired.member.unit);
            let once = role.into_iter().flat_map(|role| &role.once);
            request
                .markers
                .extend(once.map(|once| once_marker(&state, &once.name)));
            if role.is_some_and(|role| role.rolling.drain.is_some()) {
                request.markers.extend(signs(&state));
            }
        }
    }
    request
}

/// Whether a file of a service's folder is a hook, to be kept on the hosts.
#[must_use]
pub fn is_hook(path: &str) -> bool {
    path.starts_with("hooks/")
}
