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
        for (role_name, role) in folder.descriptor.roles_with(&service.settings) {
            if let Some(amount) = service.roles.get(role_name) {
                placer.role((name, role_name, role), amount);
            }
        }
    }
    placer.refuse_the_removed_hosts();
    placer.refuse_the_removed_services();
    placer.done
}

/// A host, and which of its instances of a role.
type Slot = (HostName, u16);

/// So many on each of the hosts; all the first ones come first.
fn slots(hosts: &[HostName], most: u16) -> Vec<Slot> {
    let of = |copy| hosts.iter().map(move |host| (host.clone(), copy));
    (1..=most).flat_map(of).collect()
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
        let id = |(host, copy): &Slot| InstanceId {
            service: service.clone(),
            role: role_name.clone(),
            host: host.clone(),
            copy: *copy,
        };
        let kept: Vec<Slot> = self
            .recorded
            .keys()
            .filter(|i| &i.service == service && &i.role == role_name)
            .map(|i| (i.host.clone(), i.copy))
            .collect();
        let most = role.most(self.cluster.services[service].per_host);
        let wanted = match amount {
            Amount::Hosts(hosts) => slots(hosts, most),
            Amount::Count(n) => self.choose(&kept, (usize::from(*n), most)),
        };
        self.refuse_a_resize((service, role_name), &kept, &wanted);
        if kept.iter().any(|(_, copy)| *copy > most) {
            self.done.refused.push(format!(
                "{service}.{role_name} has more on a host than `per_host: {most}`: to take instances off a live \
                 cluster is not offered yet"
            ));
        }
        let slots = if kept.is_empty() { wanted } else { kept };
        let key = format!("{service}.{role_name}");
        let number = |id: InstanceId| {
            let number = self.recorded.get(&id).copied().flatten();
            (id, number)
        };
        let mut placed: Vec<_> = slots.iter().map(id).map(number).collect();
        if let Some(rule) = &role.id {
            let first = rule.first(&self.cluster.services[service].settings);
            for (_, number) in placed.iter_mut().filter(|(_, number)| number.is_none()) {
                let next = self
                    .done
                    .numbers
                    .get(&key)
                    .map_or(first, |highest| highest + 1);
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

    /// Keeps who is there, then takes the hosts with the fewest instances; a host gets a second one when all
    /// have a first.
    fn choose(&self, kept: &[Slot], (n, most): (usize, u16)) -> Vec<Slot> {
        let mut chosen: Vec<Slot> = kept.to_vec();
        let hosts: Vec<HostName> = self
            .cluster
            .staying()
            .map(|(name, _)| name.clone())
            .collect();
        let mut free: Vec<Slot> = slots(&hosts, most);
        free.retain(|slot| !kept.contains(slot));
        free.sort_by_key(|(host, copy)| (*copy, self.done.on(host).count()));
        chosen.extend(free.into_iter().take(n.saturating_sub(kept.len())));
        chosen.sort_by_key(|(host, copy)| (*copy, self.cluster.hosts.get_index_of(host)));
        chosen.truncate(n);
        chosen
    }

    fn refuse_a_resize(
        &mut self,
        (service, role): (&ServiceName, &RoleName),
        kept: &[Slot],
        wanted: &[Slot],
    ) {
        let name = |(host, copy): &Slot| match copy {
            0 | 1 => host.to_string(),
            n => format!("{host} ({n})"),
        };
        let names = |slots: &[Slot]| {
            let mut names: Vec<String> = slots.iter().map(name).collect();
            names.sort_unstable();
            names.join(", ")
        };
        let all_there = kept.iter().all(|(host, _)| self.cluster.stays(host));
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
            if !self.cluster.stays(&id.host) {
                let removed = self.done.removed.entry(id.host.clone());
                removed.or_default().push(id.clone());
            }
        }
        for what in self.done.told_removed() {
            self.done.refused.push(format!(
                "{what}: put it back; to take instances off a live cluster is not offered yet, `sdtd destroy` \
                 removes the whole cluster"
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
