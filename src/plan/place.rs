//! Which instance goes where, and which number it gets. Both stay once given.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::descriptor::Count;
use crate::catalogue::{Catalogue, Role};
use crate::facts::Record;
use crate::id::{HostName, InstanceId, RoleName, ServiceName};
use crate::inventory::{Amount, Cluster};
use crate::plan::held::Held;
use crate::plan::instead;
use crate::plan::model::RoleRef;

/// Where everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// All instances with their numbers, service by service, then by number, then by host.
    pub instances: Vec<(InstanceId, Option<u32>)>,
    /// Those among them that join others which were there before.
    pub joining: BTreeSet<InstanceId>,
    /// Instances that are there and shall go, in the order in which they go.
    pub leaving: Vec<(InstanceId, Option<u32>)>,
    /// Roles that shall have other members than are recorded.
    pub resized: BTreeSet<RoleRef>,
    /// The highest number ever given, by `<service>.<role>`.
    pub numbers: BTreeMap<String, u32>,
    /// The same as it was before this.
    pub numbers_before: BTreeMap<String, u32>,
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

    /// The members of a role.
    pub fn members<'a>(&'a self, role: &'a RoleRef) -> impl Iterator<Item = &'a InstanceId> {
        let all = self.instances.iter().map(|(id, _)| id);
        all.filter(move |id| role.is_of(id))
    }

    /// Everybody who is there, those that leave among them.
    #[must_use]
    pub fn with_leaving(&self) -> Self {
        let mut all = self.clone();
        all.instances.append(&mut all.leaving);
        all
    }

    /// Who there is once those that leave have left.
    #[must_use]
    pub fn without_leaving(&self) -> Self {
        Self {
            leaving: Vec::new(),
            ..self.clone()
        }
    }

    /// The removed hosts as people read of them.
    #[must_use]
    pub fn told_removed(&self) -> Vec<String> {
        told(&self.removed)
    }
}

fn told(removed: &BTreeMap<HostName, Vec<InstanceId>>) -> Vec<String> {
    let told = |(host, ids): (&HostName, &Vec<InstanceId>)| {
        let ids: Vec<String> = ids.iter().map(InstanceId::to_string).collect();
        format!(
            "{host} is no longer in the inventory and has {}",
            ids.join(", ")
        )
    };
    removed.iter().map(told).collect()
}

/// Places every role of the cluster: recorded instances stay where they are, new ones go to the hosts
/// with the fewest instances, in the inventory's order.
#[must_use]
pub fn place(
    cluster: &Cluster,
    catalogue: &Catalogue,
    (records, held): (&[&Record], &Held),
) -> Placement {
    let mut recorded = BTreeMap::new();
    let mut numbers = BTreeMap::new();
    for record in records {
        recorded.extend(instead::placement(cluster, record));
        for (role, highest) in &record.numbers {
            let known = numbers.entry(role.clone()).or_insert(*highest);
            *known = (*known).max(*highest);
        }
    }
    let mut placer = Placer {
        cluster,
        recorded,
        held,
        done: Placement {
            numbers_before: numbers.clone(),
            numbers,
            ..Placement::default()
        },
    };
    for (name, service) in &cluster.services {
        let Some(folder) = catalogue.get(name) else {
            continue;
        };
        for (role_name, role) in folder.descriptor.roles_with(&service.settings) {
            let beside = placer.beside(name, role);
            if let Some(amount) = beside.as_ref().or(service.roles.get(role_name)) {
                placer.role((name, role_name, role), amount);
            }
        }
    }
    placer.retire(catalogue);
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

fn names(slots: &[Slot]) -> String {
    let name = |(host, copy): &Slot| match copy {
        0 | 1 => host.to_string(),
        n => format!("{host} ({n})"),
    };
    let mut names: Vec<String> = slots.iter().map(name).collect();
    names.sort_unstable();
    names.join(", ")
}

struct Placer<'a> {
    cluster: &'a Cluster,
    recorded: BTreeMap<InstanceId, Option<u32>>,
    held: &'a Held,
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
        let recorded = self.recorded.iter();
        let mut kept: Vec<(Option<u32>, Slot)> = recorded
            .filter(|(i, _)| &i.service == service && &i.role == role_name)
            .map(|(i, number)| (*number, (i.host.clone(), i.copy)))
            .collect();
        kept.sort();
        let kept: Vec<Slot> = kept.into_iter().map(|(_, slot)| slot).collect();
        let most = role.most(self.cluster.services[service].per_host);
        let wanted = match amount {
            Amount::Hosts(hosts) => slots(hosts, most),
            Amount::Count(n) => self.choose(&kept, (usize::from(*n), most)),
        };
        let resized = self.resized((service, role_name, role), &kept, &wanted);
        let slots = if resized || kept.is_empty() {
            &wanted
        } else {
            &kept
        };
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
        // One that is recorded and was never ready has yet to join those that were.
        let before = kept.iter().map(id);
        let mut all = placed.iter().map(|(id, _)| id.clone()).chain(before);
        let others = all.any(|id| self.held.knows_of(&id));
        let is_in =
            |id: &InstanceId| self.recorded.contains_key(id) && (!others || self.held.knows_of(id));
        if others || resized {
            let joins = placed.iter().map(|(id, _)| id);
            self.done
                .joining
                .extend(joins.filter(|id| !is_in(id)).cloned());
        }
        if resized {
            let (service, role) = (service.clone(), role_name.clone());
            self.done.resized.insert(RoleRef { service, role });
            let leaves = kept.iter().rev().filter(|slot| !wanted.contains(slot));
            self.done.leaving.extend(leaves.map(id).map(number));
        }
        self.done.instances.extend(placed);
    }

    /// The hosts of the role beside whose instances those of a role are.
    fn beside(&self, service: &ServiceName, role: &Role) -> Option<Amount> {
        let Count::Beside(other) = &role.count else {
            return None;
        };
        let of_role = |id: &&InstanceId| &id.service == service && &id.role == other;
        let all = self.done.instances.iter().map(|(id, _)| id);
        let hosts = all.filter(of_role).map(|id| id.host.clone()).collect();
        Some(Amount::Hosts(hosts))
    }

    /// Members of roles that there are no more with the settings go.
    fn retire(&mut self, catalogue: &Catalogue) {
        let is = |id: &InstanceId| {
            let words = catalogue.role(&id.service, &id.role);
            let service = self.cluster.services.get(&id.service);
            words
                .zip(service)
                .is_none_or(|(w, s)| w.when.holds(&s.settings))
        };
        let gone = self.recorded.iter().filter(|(id, _)| !is(id));
        let gone = gone.map(|(id, number)| (id.clone(), *number));
        self.done.leaving.extend(gone);
    }

    /// Keeps who is there, then takes the hosts with the fewest instances; a host gets a second one when all
    /// have a first. Where there are too many, those with the highest numbers go.
    fn choose(&self, kept: &[Slot], (n, most): (usize, u16)) -> Vec<Slot> {
        let fits = |(host, copy): &&Slot| *copy <= most && self.cluster.stays(host);
        let stay = kept.iter().filter(fits);
        let mut chosen: Vec<Slot> = stay.take(n).cloned().collect();
        let hosts = self.cluster.staying().map(|(name, _)| name.clone());
        let hosts: Vec<HostName> = hosts.collect();
        let mut free: Vec<Slot> = slots(&hosts, most);
        free.retain(|slot| !kept.contains(slot));
        free.sort_by_key(|(host, copy)| (*copy, self.done.on(host).count()));
        chosen.extend(free.into_iter().take(n.saturating_sub(chosen.len())));
        chosen.sort_by_key(|(host, copy)| (*copy, self.cluster.hosts.get_index_of(host)));
        chosen
    }

    /// Whether the members of a live role change, and may.
    fn resized(
        &mut self,
        (service, name, role): (&ServiceName, &RoleName, &Role),
        kept: &[Slot],
        wanted: &[Slot],
    ) -> bool {
        let there = |(host, _): &Slot| self.cluster.hosts.contains_key(host);
        let (was, shall): (BTreeSet<_>, BTreeSet<_>) =
            (kept.iter().collect(), wanted.iter().collect());
        if kept.is_empty() || was == shall || !kept.iter().all(there) {
            return false;
        }
        if role.scale.is_some() || role.data.is_none() {
            let few = self.too_few((service, name, role), (kept.len(), wanted.len()));
            self.done.refused.extend(few);
            return true;
        }
        self.done.refused.push(format!(
            "{service}.{name} is on {} and the inventory wants {}: changing who runs it on a live cluster is not \
             offered for this role",
            names(kept),
            names(wanted)
        ));
        false
    }

    /// Whether so few would stay that what those have who leave could go nowhere: then all of them would wait for ever.
    fn too_few(
        &self,
        (service, name, role): (&ServiceName, &RoleName, &Role),
        (were, stay): (usize, usize),
    ) -> Option<String> {
        let least = role.scale.as_ref()?.least.as_ref()?;
        let config = &self.cluster.services[service].config;
        let said = config.get(&least.key).and_then(|text| text.parse().ok());
        let copies = usize::from(said.unwrap_or(least.default));
        let few = stay < were && stay < copies.min(were);
        few.then(|| {
            format!(
                "{service}.{name}: {stay} of {were} would stay, and each piece of data is to be on {} of them (`{}`): what those \
                 have that leave could go nowhere; add another host first, or want fewer copies",
                copies.min(were),
                least.key
            )
        })
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
        let leaves = |id: &InstanceId| self.done.leaving.iter().any(|(other, _)| other == id);
        let stuck: BTreeMap<HostName, Vec<InstanceId>> = (self.done.removed.iter())
            .map(|(host, ids)| {
                (
                    host.clone(),
                    ids.iter().filter(|id| !leaves(id)).cloned().collect(),
                )
            })
            .filter(|(_, ids): &(_, Vec<_>)| !ids.is_empty())
            .collect();
        for what in told(&stuck) {
            self.done.refused.push(format!(
                "{what}: put it back; instances leave a live cluster only from hosts that can be reached, and \
                 only where their role allows it; `sdtd replace OLD --with NEW` gives the place of a dead one to another; \
                 `sdtd destroy` removes the whole cluster"
            ));
        }
    }

    fn refuse_the_removed_services(&mut self) {
        for id in self.recorded.keys() {
            if !self.cluster.services.contains_key(&id.service) {
                self.done.refused.push(format!(
                    "{id} runs and the inventory no longer names {}: put it back, or remove the whole \
                     cluster with `sdtd destroy`",
                    id.service
                ));
            }
        }
    }
}
