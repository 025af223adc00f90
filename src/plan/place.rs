//! Which instance goes where, and which number it gets. Both stay once given.

use std::collections::BTreeMap;

use crate::catalogue::{Catalogue, Role};
use crate::facts::Record;
use crate::id::{HostName, InstanceId, RoleName, ServiceName};
use crate::inventory::{Amount, Cluster};

/// Where everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// All instances with their numbers, service by service, then by number, then by host.
    pub instances: Vec<(InstanceId, Option<u32>)>,
    /// The highest number ever given, by `<service>.<role>`.
    pub numbers: BTreeMap<String, u32>,
    /// Hosts that the inventory no longer names, with what is recorded to live there.
    pub removed: BTreeMap<HostName, Vec<InstanceId>>,
    /// Changes that are not safe yet, each with its reason.
    pub refused: Vec<String>,
}

impl Placement {
    /// The instances on a host.
    pub fn on<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = &'a InstanceId> {
        self.instances
            .iter()
            .map(|(id, _)| id)
            .filter(move |id| &id.host == host)
    }

    /// The removed hosts as people read of them.
    #[must_use]
    pub fn told_removed(&self) -> Vec<String> {
        let told = |(host, ids): (&HostName, &Vec<InstanceId>)| {
            let ids: Vec<String> = ids.iter().map(InstanceId::to_string).collect();
            format!(
                "{host} is no longer in the inventory and has {}",
                ids.join(", ")
            )
        };
        self.removed.iter().map(told).collect()
    }
}

/// Places every role of the cluster: recorded instances stay where they are, new ones go to the hosts
/// with the fewest instances, in the inventory's order.
#[must_use]
pub fn place(cluster: &Cluster, catalogue: &Catalogue, records: &[&Record]) -> Placement {
    let mut recorded = BTreeMap::new();
    let mut numbers = BTreeMap::new();
    for record in records {
        recorded.extend(record.placement.clone());
        for (role, highest) in &record.numbers {
            let known = numbers.entry(role.clone()).or_insert(*highest);
            *known = (*known).max(*highest);
        }
    }
    let mut placer = Placer {
        cluster,
        recorded,
        done: Placement {
            numbers,
            ..Placement::default()
        },
    };
    for (name, service) in &cluster.services {
        let Some(folder) = catalogue.get(name) else {
            continue;
        };
        for (role_name, role) in &folder.descriptor.roles {
            if let Some(amount) = service.roles.get(role_name) {
                placer.role((name, role_name, role), amount);
            }
        }
    }
    placer.refuse_the_removed_hosts();
    placer.refuse_the_removed_services();
    placer.done
}

struct Placer<'a> {
    cluster: &'a Cluster,
    recorded: BTreeMap<InstanceId, Option<u32>>,
    done: Placement,
}

impl Placer<'_> {
    fn role(
        &mut self,
        (service, role_name, role): (&ServiceName, &RoleName, &Role),
        amount: &Amount,
    ) {
        let id = |host: &HostName| InstanceId {
            service: service.clone(),
            role: role_name.clone(),
            host: host.clone(),
        };
        let kept: Vec<HostName> = self
            .recorded
            .keys()
            .filter(|i| &i.service == service && &i.role == role_name)
            .map(|i| i.host.clone())
            .collect();
        let wanted = match amount {
            Amount::Hosts(hosts) => hosts.clone(),
            Amount::Count(n) => self.choose(&kept, usize::from(*n)),
        };
        self.refuse_a_resize((service, role_name), &kept, &wanted);
        let hosts = if kept.is_empty() { wanted } else { kept };
        let key = format!("{service}.{role_name}");
        let mut placed: Vec<_> = hosts
            .iter()
            .map(|host| (id(host), self.recorded.get(&id(host)).copied().flatten()))
            .collect();
        if let Some(rule) = role.id {
            for (_, number) in placed.iter_mut().filter(|(_, number)| number.is_none()) {
                let next = self
                    .done
                    .numbers
                    .get(&key)
                    .map_or(rule.from, |highest| highest + 1);
                if next > rule.to {
                    self.done.refused.push(format!(
                        "{key} has used up its numbers, which end at {}",
                        rule.to
                    ));
                }
                self.done.numbers.insert(key.clone(), next);
                *number = Some(next);
            }
            placed.sort_by_key(|(_, number)| *number);
        }
        self.done.instances.extend(placed);
    }

    /// Keeps who is there, then takes the hosts with the fewest instances.
    fn choose(&self, kept: &[HostName], n: usize) -> Vec<HostName> {
        let mut chosen: Vec<HostName> = kept.to_vec();
        let load = |host: &HostName| self.done.on(host).count();
        let mut free: Vec<&HostName> = self
            .cluster
            .hosts
            .keys()
            .filter(|h| !kept.contains(h))
            .collect();
        free.sort_by_key(|host| load(host));
        chosen.extend(free.into_iter().take(n.saturating_sub(kept.len())).cloned());
        let order = |h: &HostName| self.cluster.hosts.get_index_of(h);
        chosen.sort_by_key(order);
        chosen.truncate(n);
        chosen
    }

    fn refuse_a_resize(
        &mut self,
        (service, role): (&ServiceName, &RoleName),
        kept: &[HostName],
        wanted: &[HostName],
    ) {
        let names = |hosts: &[HostName]| {
            let mut names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
            names.sort_unstable();
            names.join(", ")
        };
        let all_there = kept.iter().all(|h| self.cluster.hosts.contains_key(h));
        if !kept.is_empty() && all_there && names(kept) != names(wanted) {
            self.done.refused.push(format!(
                "{service}.{role} is on {} and the inventory wants {}: changing who runs it on a live \
                 cluster is not offered yet",
                names(kept),
                names(wanted)
            ));
        }
    }

    /// What lives on a host that the inventory no longer names: left out of the others' files, it would be cut
    /// off from them and go on by itself.
    fn refuse_the_removed_hosts(&mut self) {
        for id in self.recorded.keys() {
            if !self.cluster.hosts.contains_key(&id.host) {
                let removed = self.done.removed.entry(id.host.clone());
                removed.or_default().push(id.clone());
            }
        }
        for what in self.done.told_removed() {
            self.done.refused.push(format!(
                "{what}: put it back; to take instances off a live cluster is not offered yet, `sdtd destroy` \
                 removes all of it from all hosts that are named"
            ));
        }
    }

    fn refuse_the_removed_services(&mut self) {
        for id in self.recorded.keys() {
            if !self.done.instances.iter().any(|(placed, _)| placed == id)
                && !self.cluster.services.contains_key(&id.service)
            {
                self.done.refused.push(format!(
                    "{id} runs and the inventory no longer names {}: put it back, or remove the whole \
                     cluster with `sdtd destroy`",
                    id.service
                ));
            }
        }
    }
}
