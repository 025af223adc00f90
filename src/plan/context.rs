//! What templates may read: everything that is known of an instance, its host and its neighbours.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde_json::json;

use crate::catalogue::descriptor::Role;
use crate::catalogue::{Catalogue, Folder, Renderer};
use crate::facts::HostFacts;
use crate::id::{Arch, HostName, InstanceId, ServiceName};
use crate::inventory::{Cluster, Connection, Host, Service};
use crate::plan::model::{Member, RoleRef};
use crate::plan::packages;
use crate::plan::paths::HostPaths;
use crate::plan::place::Placement;
use crate::plan::shared::Shared;
use crate::plan::versions::held;

/// The largest heap, in MiB, that is chosen where programs have 32 bits: indexes are mapped into the same 3 GiB.
const NARROW: u64 = 1024;

/// Everything that rendering needs to know.
pub struct Context<'a> {
    /// What should be.
    pub cluster: &'a Cluster,
    /// The services' words.
    pub catalogue: &'a Catalogue,
    /// What is.
    pub facts: &'a BTreeMap<HostName, HostFacts>,
    /// Where everything is.
    pub placement: &'a Placement,
    /// The tree each host runs each service from, as a path.
    pub homes: BTreeMap<(HostName, ServiceName), String>,
    /// The versions at which services are held that are not finalized.
    pub unfinished: BTreeMap<ServiceName, String>,
    /// The template engine.
    pub renderer: Renderer,
    /// What is made once for all instances.
    pub shared: Shared,
}

/// A service's folder with what the inventory says of it.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) name: &'a ServiceName,
    pub(super) folder: &'a Folder,
    pub(super) service: &'a Service,
}

impl<'a> Words<'a> {
    /// The name of its folders on the hosts.
    pub(super) fn folders(&self) -> &'a str {
        let given = self.folder.descriptor.folders.as_deref();
        given.unwrap_or(self.name.as_str())
    }
}

impl<'a> Context<'a> {
    pub(super) fn words(&self, name: &'a ServiceName) -> Option<Words<'_>> {
        let folder = self.catalogue.get(name)?;
        let service = self.cluster.services.get(name)?;
        Some(Words {
            name,
            folder,
            service,
        })
    }

    /// Whether there is a role with the settings that the services have.
    pub(super) fn has(&self, role: &RoleRef) -> bool {
        let words = self.catalogue.role(&role.service, &role.role);
        let service = self.cluster.services.get(&role.service);
        words
            .zip(service)
            .is_some_and(|(w, s)| w.when.holds(&s.settings))
    }

    /// The user that runs a service on a host; none where sdtd has no rights to change users.
    #[must_use]
    pub fn user(&self, host: &Host, service: &ServiceName) -> Option<String> {
        let own = |f: &Folder| {
            f.descriptor
                .user
                .clone()
                .unwrap_or_else(|| service.to_string())
        };
        match host.connection {
            Connection::Local { .. } => None,
            Connection::Ssh { .. } => self.catalogue.get(service).map(own),
        }
    }

    /// An instance as probes see it.
    pub(super) fn member(
        &self,
        id: &InstanceId,
        words: &Words<'_>,
        role: &Role,
        host: &Host,
    ) -> Member {
        let paths = HostPaths::new(&self.cluster.name, host);
        let number = self.number(id);
        let mut ports = role.ports.clone();
        for (name, port) in &mut ports {
            let first = words.service.ports.get(name).copied().unwrap_or(*port);
            *port = first.saturating_add(id.copy - 1);
        }
        if role.stands_in_front {
            let fronts = self.cluster.fronts(self.catalogue);
            ports.extend(fronts.iter().map(|front| (front.title(), front.at())));
        }
        let unit = id.unit();
        let mut env = BTreeMap::new();
        env.insert("SDTD_INSTANCE".to_owned(), id.to_string());
        env.insert(
            "SDTD_NUMBER".to_owned(),
            number.map(|n| n.to_string()).unwrap_or_default(),
        );
        env.insert("SDTD_UNIT".to_owned(), unit.clone());
        env.insert("SDTD_CONFIG".to_owned(), paths.config(words.folders()));
        env.insert(
            "SDTD_DATA".to_owned(),
            self.data(words, id, &paths).join(":"),
        );
        for (name, port) in &ports {
            let name = name.to_uppercase().replace('-', "_");
            env.insert(format!("SDTD_PORT_{name}"), port.to_string());
        }
        if let Some(home) = self.homes.get(&(id.host.clone(), words.name.clone())) {
            env.insert("SDTD_HOME".to_owned(), home.clone());
        }
        Member {
            number,
            address: host.address.clone(),
            local_address: bind(host, true),
            ports,
            version: words.service.version.clone(),
            user: self.user(host, words.name),
            log: format!("{}/{unit}.log", paths.logs(words.folders())),
            hooks: paths.hooks(words.name),
            id: id.clone(),
            unit,
            env,
        }
    }

    pub(super) fn data(
        &self,
        words: &Words<'_>,
        id: &InstanceId,
        paths: &HostPaths,
    ) -> Vec<String> {
        let role = words.folder.descriptor.roles.get(&id.role);
        let Some(data) = role.and_then(|role| role.data.as_ref()) else {
            return Vec::new();
        };
        let own = words
            .service
            .hosts
            .get(&id.host)
            .map(|o| &o.data)
            .filter(|d| !d.is_empty());
        let given = own.unwrap_or(&words.service.data);
        if given.is_empty() {
            let (folder, suffix) = (paths.data(words.folders()), id.suffix());
            vec![format!("{folder}/{}{suffix}", id.role)]
        } else {
            data.folders(given, &id.suffix())
                .iter()
                .map(|path| paths.at(path))
                .collect()
        }
    }

    /// The hosts of the inventory that were asked, in its order, with their places and what they told.
    pub fn asked(&self) -> impl Iterator<Item = (&'a HostName, HostPaths, &'a HostFacts)> {
        let (cluster, facts) = (self.cluster, self.facts);
        cluster.staying().filter_map(move |(name, host)| {
            let paths = HostPaths::new(&cluster.name, host);
            Some((name, paths, facts.get(name)?))
        })
    }

    /// All members of the cluster, as it is expected.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let stays = |(id, _): &&(InstanceId, Option<u32>)| self.cluster.stays(&id.host);
        let there = self.placement.instances.iter().filter(stays);
        there.filter_map(|one| self.member_of(one)).collect()
    }

    /// All that are there, those on hosts that the inventory no longer names among them: whoever lists the members
    /// has to list these as long as they are some.
    pub(super) fn there(&self) -> impl Iterator<Item = Member> {
        let there = self.placement.instances.iter();
        there.filter_map(|one| self.member_of(one))
    }

    /// Instances that are there and shall go.
    #[must_use]
    pub fn leaving(&self) -> Vec<Member> {
        let goes = |(id, _): &&(InstanceId, Option<u32>)| !self.cluster.stays(&id.host);
        let there = self.placement.instances.iter().filter(goes);
        let leaving = there.chain(&self.placement.leaving);
        leaving.filter_map(|one| self.member_of(one)).collect()
    }

    fn member_of(&self, (id, _): &(InstanceId, Option<u32>)) -> Option<Member> {
        let (name, _) = self.cluster.services.get_key_value(&id.service)?;
        let words = self.words(name)?;
        let role = words.folder.descriptor.roles.get(&id.role)?;
        Some(self.member(id, &words, role, self.cluster.hosts.get(&id.host)?))
    }

    /// The heap of an instance in MiB, where its role has one.
    #[must_use]
    pub fn heap_mb(&self, id: &InstanceId) -> Option<u64> {
        let service = self.cluster.services.get(&id.service)?;
        let role = self.catalogue.role(&id.service, &id.role)?;
        let rule = role.memory?.heap?;
        let given = service
            .hosts
            .get(&id.host)
            .and_then(|o| o.heap_mb)
            .or(service.heap_mb);
        let given = given.filter(|_| !rule.own);
        let narrow = self
            .facts
            .get(&id.host)
            .is_some_and(|f| f.arch == Arch::Armhf);
        let most = if narrow {
            rule.max.min(NARROW)
        } else {
            rule.max
        };
        let by_board = || (self.memory_mb(&id.host) * rule.percent / 100).clamp(rule.min, most);
        Some(given.unwrap_or_else(by_board))
    }

    /// The memory of a host in MiB that may be used.
    #[must_use]
    pub fn memory_mb(&self, host: &HostName) -> u64 {
        let said = self.cluster.hosts.get(host).and_then(|h| h.memory_mb);
        said.or_else(|| self.facts.get(host).map(|f| f.memory_mb))
            .unwrap_or(1024)
    }

    /// The values that every template of an instance may read.
    pub(super) fn values(
        &self,
        id: &InstanceId,
        words: &Words<'_>,
        host: &Host,
        member: &Member,
    ) -> Value {
        let paths = HostPaths::new(&self.cluster.name, host);
        let facts = self.facts.get(&id.host);
        let own = words.service.hosts.get(&id.host);
        let mut config = words.service.config.clone();
        config.extend(own.map(|o| o.config.clone()).unwrap_or_default());
        let mut service = serde_json::Map::new();
        for (word, value) in &words.service.settings {
            service.insert(word.clone(), value.clone());
        }
        service.insert("name".to_owned(), json!(words.name));
        service.insert("version".to_owned(), json!(words.service.version));
        service.insert("config".to_owned(), json!(config));
        service.insert(
            "user".to_owned(),
            json!(member.user.clone().unwrap_or_default()),
        );
        let home = self.homes.get(&(id.host.clone(), words.name.clone()));
        let link = packages::link(self.catalogue, words.name, &paths);
        let mut instance = json!({
            "name": id.to_string(), "unit": member.unit, "role": id.role, "suffix": id.suffix(), "ports": member.ports,
            "data": self.data(words, id, &paths),
        });
        if let Some(number) = member.number {
            instance["id"] = json!(number);
        }
        if let Some(heap) = self.heap_mb(id) {
            instance["heap_mb"] = json!(heap);
        }
        let own = json!({
            "cluster": { "name": self.cluster.name },
            "host": {
                "name": host.name, "address": host.address, "bind": bind(host, false), "own": bind(host, true),
                "rack": host.rack.clone().unwrap_or_default(),
                "arch": facts.map(|f| f.arch.to_string()).unwrap_or_default(),
                "memory_mb": self.memory_mb(&id.host), "cpus": facts.map_or(1, |f| f.cpus),
            },
            "service": service,
            "release": self.catalogue.release(words.service),
            "held": held(self.catalogue, words.service, self.unfinished.get(words.name)),
            "instance": instance,
            "paths": {
                "root": paths.root, "home": home.cloned().unwrap_or_default(),
                "link": link.unwrap_or_default(), "config": paths.config(words.folders()),
                "data": paths.data(words.folders()), "logs": paths.logs(words.folders()),
                "tmp": format!("{}/tmp", paths.data(words.folders())), "hooks": paths.hooks(words.name),
                "state": paths.unit(&member.unit),
            },
        });
        let others = [
            ("members", self.role_values(&RoleRef::of(id))),
            ("leaving", self.leaving_values(words)),
            ("fronts", self.front_values()),
            ("services", self.services_values(&id.host)),
        ];
        let own = own.as_object().into_iter().flatten();
        let own = own.map(|(word, value)| (word.as_str(), Value::from(Serde(value))));
        own.chain(others).collect::<BTreeMap<_, _>>().into()
    }
}

/// The address a service listens on: its own on a local host, all of them on a real one; `to_reach`
/// gives the address under which the host reaches itself.
fn bind(host: &Host, to_reach: bool) -> String {
    match (&host.connection, to_reach) {
        (Connection::Local { .. }, _) => host.address.clone(),
        (Connection::Ssh { .. }, false) => "0.0.0.0".to_owned(),
        (Connection::Ssh { .. }, true) => "127.0.0.1".to_owned(),
    }
}
