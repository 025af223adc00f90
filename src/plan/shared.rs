//! What all instances have alike: what templates read of the others, which keys are taken live, which other versions
//! there are. Made once a plan, since every instance asks for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use minijinja::value::{Serde, Value};
use serde_json::json;

use super::context::{Context, Words};
use super::others::Others;
use crate::catalogue::LiveKeys;
use crate::id::{HostName, InstanceId, ServiceName};
use crate::inventory::PlacedFront;
use crate::plan::model::{Member, RoleRef};
use crate::plan::shell::Tools;

/// What is made the first time that it is asked for.
pub(super) struct Kept<K, V>(Mutex<BTreeMap<K, V>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Kept<K, V> {
    /// A copy of what is kept, made now if it is not yet. Two that ask at once may both make it.
    pub(super) fn get_or_make<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let made = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = made().get(&key) {
            return Ok(kept.clone());
        }
        let new = make()?;
        made().insert(key, new.clone());
        Ok(new)
    }
}

/// What has been made so far; a place of its own in each [`Context`], whose other fields do not change any more.
#[derive(Default)]
pub struct Shared {
    numbers: OnceLock<BTreeMap<InstanceId, Option<u32>>>,
    roles: OnceLock<BTreeMap<RoleRef, Value>>,
    leaving: OnceLock<BTreeMap<RoleRef, Value>>,
    fronts: OnceLock<Value>,
    /// By the hosts' root and service.
    pub(super) tools: Kept<(String, ServiceName), Tools>,
    /// By service and file.
    pub(super) live_keys: Kept<(ServiceName, String), LiveKeys>,
    /// By role.
    pub(super) others: Kept<RoleRef, Arc<Others>>,
}

fn value(json: serde_json::Value) -> Value {
    Value::from(Serde(json))
}

impl Context<'_> {
    /// The number of an instance, where it has one.
    pub(super) fn number(&self, id: &InstanceId) -> Option<u32> {
        let numbers = self.shared.numbers.get_or_init(|| {
            // Who stays comes last, and counts where an instance is named twice.
            let leaving = self.placement.leaving.iter();
            let all = leaving.chain(self.placement.instances.iter().rev());
            all.cloned().collect()
        });
        numbers.get(id).copied().flatten()
    }

    /// The members of a role.
    pub(super) fn role_values(&self, role: &RoleRef) -> Value {
        let make = || self.by_role(self.there());
        of(self.shared.roles.get_or_init(make), role)
    }

    /// Those that leave, by role, where others of the service are told of them.
    pub(super) fn leaving_values(&self, words: &Words<'_>) -> Value {
        let make = || self.by_role(self.leaving().into_iter());
        let leaving = self.shared.leaving.get_or_init(make);
        let roles = words.folder.descriptor.roles.iter();
        let told = roles.filter(|(_, role)| !role.told().is_empty());
        let all = told.map(|(name, _)| {
            let role = RoleRef {
                service: words.name.clone(),
                role: name.clone(),
            };
            (name.to_string(), of(leaving, &role))
        });
        all.collect::<BTreeMap<_, _>>().into()
    }

    fn by_role(&self, members: impl Iterator<Item = Member>) -> BTreeMap<RoleRef, Value> {
        let mut all: BTreeMap<RoleRef, Vec<serde_json::Value>> = BTreeMap::new();
        for member in members {
            let of_role = all.entry(RoleRef::of(&member.id)).or_default();
            of_role.push(self.member_value(&member));
        }
        let whole = |(role, members)| (role, value(serde_json::Value::Array(members)));
        all.into_iter().map(whole).collect()
    }

    /// A member, as templates read it.
    fn member_value(&self, m: &Member) -> serde_json::Value {
        let host = self.cluster.hosts.get(&m.id.host);
        let rack = host.and_then(|h| h.rack.clone());
        let client = m.client_port().map(|port| format!("{}:{port}", m.address));
        let at =
            |(name, port): (&String, &u16)| (name.clone(), json!(format!("{}:{port}", m.address)));
        let at: serde_json::Map<String, serde_json::Value> = m.ports.iter().map(at).collect();
        json!({
            "id": m.number, "name": m.id.to_string(), "host": m.id.host, "address": m.address,
            "rack": rack.unwrap_or_default(), "ports": m.ports, "at": at, "client": client,
        })
    }

    /// What is in front of all services, each with the instances behind it.
    pub(super) fn front_values(&self) -> Value {
        let make = || {
            let there: Vec<Member> = self.there().collect();
            let fronts = self.cluster.fronts(self.catalogue).into_iter();
            value(fronts.map(|front| front_value(&front, &there)).collect())
        };
        self.shared.fronts.get_or_init(make).clone()
    }

    /// All services, as they are on a host.
    pub(super) fn services_values(&self, host: &HostName) -> Value {
        let on = self.cluster.hosts.get(host);
        let one = |name: &ServiceName| {
            let folder = self.catalogue.get(name)?;
            let home = self.homes.get(&(host.clone(), name.clone()));
            let user = on.and_then(|on| self.user(on, name)).unwrap_or_default();
            let version = &self.cluster.services[name].version;
            let roles = folder.descriptor.roles.keys().map(|role| {
                let of_role = RoleRef {
                    service: name.clone(),
                    role: role.clone(),
                };
                (role.to_string(), self.role_values(&of_role))
            });
            let own = [
                ("version", value(json!(version))),
                ("home", value(json!(home))),
                ("user", value(json!(user))),
            ];
            let own = own.map(|(word, value)| (word.to_owned(), value));
            let all: BTreeMap<String, Value> = own.into_iter().chain(roles).collect();
            Some((name.to_string(), all.into()))
        };
        let all: BTreeMap<String, Value> = self.cluster.services.keys().filter_map(one).collect();
        all.into()
    }
}

/// A list; of a role that nobody has, an empty one.
fn of(roles: &BTreeMap<RoleRef, Value>, role: &RoleRef) -> Value {
    let members = roles.get(role).cloned();
    members.unwrap_or_else(|| value(json!([])))
}

fn front_value(front: &PlacedFront<'_>, there: &[Member]) -> serde_json::Value {
    let behind = |m: &&Member| m.id.service == front.service.name && &m.id.role == front.role;
    let one = |m: &Member| {
        json!({
            "name": format!("{}{}", m.id.host, m.id.suffix()), "host": m.id.host, "address": m.address,
            "port": m.ports.get(&front.words.port),
        })
    };
    let members: Vec<_> = there.iter().filter(behind).map(one).collect();
    let words = front.words;
    json!({
        "title": front.title(), "service": front.service.name, "role": front.role, "name": front.name,
        "at": front.at(), "mode": words.mode, "to": words.to, "check": words.check, "tunnel": words.tunnel,
        "members": members,
    })
}
