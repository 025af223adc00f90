//! What an instance should be: its files, its unit and its fingerprint, rendered from the catalogue.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::catalogue::descriptor::{FileSpec, OnChange, OnceOn, Role};
use crate::catalogue::{Catalogue, Descriptor, Folder, RenderError, Renderer};
use crate::facts::HostFacts;
use crate::id::{HostName, InstanceId, ServiceName};
use crate::inventory::{Cluster, Connection, Host, Service};
use crate::plan::model::Member;
use crate::plan::paths::HostPaths;
use crate::plan::place::Placement;

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFile {
    /// Where.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its permissions, in octal.
    pub mode: String,
    /// What a change of it asks for.
    pub on_change: OnChange,
    /// Whether the service's user owns it (else root does).
    pub owned: bool,
    /// Whether it is sdtd's own book-keeping, of no interest to people.
    pub own: bool,
}

/// A step that an instance does once, as it should be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredOnce {
    /// Its name.
    pub name: String,
    /// The hook's path on the host.
    pub hook: String,
    /// The file that says that it is done.
    pub marker: String,
    /// Seconds it may take.
    pub within: u64,
}

/// An instance as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// How probes see it.
    pub member: Member,
    /// Folders it needs, with their permissions.
    pub dirs: Vec<(String, String)>,
    /// Folders among them that hold a user's data.
    pub data: Vec<String>,
    /// Its files.
    pub files: Vec<DesiredFile>,
    /// The file by which its supervisor runs it.
    pub unit: DesiredFile,
    /// Steps done once.
    pub once: Vec<DesiredOnce>,
    /// The file that names what it should run with, and its text: two hashes, one of all that asks
    /// for a restart, one of all that asks for a reload.
    pub wanted: (String, String),
    /// Seconds it may take to stop.
    pub stop_within: u64,
}

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
    /// The template engine.
    pub renderer: Renderer,
}

/// A service's folder with what the inventory says of it.
struct Words<'a> {
    name: &'a ServiceName,
    folder: &'a Folder,
    service: &'a Service,
}

impl<'a> Context<'a> {
    fn words(&self, name: &'a ServiceName) -> Option<Words<'_>> {
        let folder = self.catalogue.get(name)?;
        let service = self.cluster.services.get(name)?;
        Some(Words {
            name,
            folder,
            service,
        })
    }

    fn number(&self, id: &InstanceId) -> Option<u32> {
        self.placement
            .instances
            .iter()
            .find(|(i, _)| i == id)
            .and_then(|(_, n)| *n)
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
    ///
    /// # Errors
    /// None today; kept for callers that render.
    fn member(&self, id: &InstanceId, words: &Words<'_>, role: &Role, host: &Host) -> Member {
        let paths = HostPaths::new(&self.cluster.name, host);
        let number = self.number(id);
        let mut ports = role.ports.clone();
        for (name, port) in &words.service.ports {
            if let Some(own) = ports.get_mut(name) {
                *own = *port;
            }
        }
        let unit = id.unit();
        let mut env = BTreeMap::new();
        env.insert("SDTD_INSTANCE".to_owned(), id.to_string());
        env.insert(
            "SDTD_NUMBER".to_owned(),
            number.map(|n| n.to_string()).unwrap_or_default(),
        );
        env.insert("SDTD_CONFIG".to_owned(), paths.config(words.name));
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
            log: format!("{}/{unit}.log", paths.logs(words.name)),
            hooks: paths.hooks(words.name),
            id: id.clone(),
            unit,
            env,
        }
    }

    fn data(&self, words: &Words<'_>, id: &InstanceId, paths: &HostPaths) -> Vec<String> {
        let own = words
            .service
            .hosts
            .get(&id.host)
            .map(|o| &o.data)
            .filter(|d| !d.is_empty());
        let given = own.unwrap_or(&words.service.data);
        if given.is_empty() {
            vec![format!("{}/{}", paths.data(words.name), id.role)]
        } else {
            given.iter().map(|path| paths.at(path)).collect()
        }
    }

    /// All members of the cluster.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let one = |(id, _): &(InstanceId, Option<u32>)| {
            let (name, _) = self.cluster.services.get_key_value(&id.service)?;
            let words = self.words(name)?;
            let role = words.folder.descriptor.roles.get(&id.role)?;
            Some(self.member(id, &words, role, self.cluster.hosts.get(&id.host)?))
        };
        self.placement.instances.iter().filter_map(one).collect()
    }

    /// The heap of an instance in MiB, where its role has one.
    #[must_use]
    pub fn heap_mb(&self, id: &InstanceId) -> Option<u64> {
        let service = self.cluster.services.get(&id.service)?;
        let role = self
            .catalogue
            .get(&id.service)?
            .descriptor
            .roles
            .get(&id.role)?;
        let rule = role.memory?.heap?;
        let own = service
            .hosts
            .get(&id.host)
            .and_then(|o| o.heap_mb)
            .or(service.heap_mb);
        let by_board = || (self.memory_mb(&id.host) * rule.percent / 100).clamp(rule.min, rule.max);
        Some(own.unwrap_or_else(by_board))
    }

    /// The memory of a host in MiB that may be used.
    #[must_use]
    pub fn memory_mb(&self, host: &HostName) -> u64 {
        let said = self.cluster.hosts.get(host).and_then(|h| h.memory_mb);
        said.or_else(|| self.facts.get(host).map(|f| f.memory_mb))
            .unwrap_or(1024)
    }

    /// The values that every template of an instance may read.
    fn values(&self, id: &InstanceId, words: &Words<'_>, host: &Host, member: &Member) -> Value {
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
        let link = words
            .folder
            .descriptor
            .package
            .as_ref()
            .map(|p| paths.at(&p.into));
        let mut instance = json!({
            "name": id.to_string(), "unit": member.unit, "role": id.role, "ports": member.ports,
            "data": self.data(words, id, &paths),
        });
        if let Some(number) = member.number {
            instance["id"] = json!(number);
        }
        if let Some(heap) = self.heap_mb(id) {
            instance["heap_mb"] = json!(heap);
        }
        Value::from(Serde(json!({
            "cluster": { "name": self.cluster.name },
            "host": {
                "name": host.name, "address": host.address, "bind": bind(host, false),
                "rack": host.rack.clone().unwrap_or_default(),
                "arch": facts.map(|f| f.arch.to_string()).unwrap_or_default(),
                "memory_mb": self.memory_mb(&id.host), "cpus": facts.map_or(1, |f| f.cpus),
            },
            "service": service,
            "instance": instance,
            "paths": {
                "root": paths.root, "home": home.cloned().unwrap_or_default(),
                "link": link.unwrap_or_default(), "config": paths.config(words.name),
                "data": paths.data(words.name), "logs": paths.logs(words.name),
                "tmp": format!("{}/tmp", paths.data(words.name)), "hooks": paths.hooks(words.name),
                "state": paths.unit(&member.unit),
            },
            "members": self.role_values(&id.service, id.role.as_str()),
            "services": self.services_values(&id.host),
        })))
    }

    fn role_values(&self, service: &ServiceName, role: &str) -> serde_json::Value {
        let of_role = |m: &Member| &m.id.service == service && m.id.role.as_str() == role;
        let value = |m: Member| {
            let rack = self
                .cluster
                .hosts
                .get(&m.id.host)
                .and_then(|h| h.rack.clone());
            let client = m.client_port().map(|port| format!("{}:{port}", m.address));
            json!({
                "id": m.number, "name": m.id.to_string(), "host": m.id.host, "address": m.address,
                "rack": rack.unwrap_or_default(), "ports": m.ports, "client": client,
            })
        };
        self.members()
            .into_iter()
            .filter(of_role)
            .map(value)
            .collect()
    }

    fn services_values(&self, host: &HostName) -> serde_json::Value {
        let mut all = serde_json::Map::new();
        for (name, service) in &self.cluster.services {
            let Some(folder) = self.catalogue.get(name) else {
                continue;
            };
            let home = self.homes.get(&(host.clone(), name.clone()));
            let mut one = json!({ "version": service.version, "home": home });
            for role in folder.descriptor.roles.keys() {
                one[role.as_str()] = self.role_values(name, role.as_str());
            }
            all.insert(name.to_string(), one);
        }
        all.into()
    }

    /// An instance as it should be.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn desired(&self, id: &InstanceId) -> Result<Option<Desired>, RenderError> {
        let Some((name, _)) = self.cluster.services.get_key_value(&id.service) else {
            return Ok(None);
        };
        let Some(words) = self.words(name) else {
            return Ok(None);
        };
        let Some(role) = words.folder.descriptor.roles.get(&id.role) else {
            return Ok(None);
        };
        let Some(host) = self.cluster.hosts.get(&id.host) else {
            return Ok(None);
        };
        let member = self.member(id, &words, role, host);
        let values = self.values(id, &words, host, &member);
        let paths = HostPaths::new(&self.cluster.name, host);
        let data = self.data(&words, id, &paths);
        let mut files = Vec::new();
        for spec in &role.files {
            files.push(self.file(&words, spec, &values)?);
        }
        let unit = self.unit(&words, role, &member, &values)?;
        let state = paths.unit(&member.unit);
        let wanted = (format!("{state}/wanted"), fingerprint(&files, &unit));
        Ok(Some(Desired {
            dirs: dirs(&paths, words.name, &data),
            once: self.once(role, id, &member, &state),
            data,
            files,
            unit,
            wanted,
            stop_within: role.run.stop_within,
            member,
        }))
    }

    fn file(
        &self,
        words: &Words<'_>,
        spec: &FileSpec,
        values: &Value,
    ) -> Result<DesiredFile, RenderError> {
        let name = format!("{}/{}", words.folder.origin, spec.template);
        let Some(text) = words.folder.file(&spec.template) else {
            return Err(RenderError {
                template: format!("{}/service.yaml", words.folder.origin),
                line: 1,
                cause: format!(
                    "it names the template `{}`, and there is no such file",
                    spec.template
                ),
                source_line: None,
            });
        };
        Ok(DesiredFile {
            path: self
                .renderer
                .render(&format!("{name} (to)"), &spec.to, values)?,
            text: self.renderer.render(&name, text, values)?,
            mode: spec.mode.clone(),
            on_change: spec.on_change,
            owned: true,
            own: false,
        })
    }

    fn unit(
        &self,
        words: &Words<'_>,
        role: &Role,
        member: &Member,
        values: &Value,
    ) -> Result<DesiredFile, RenderError> {
        let host = &self.cluster.hosts[&member.id.host];
        let paths = HostPaths::new(&self.cluster.name, host);
        let place = format!("{}/service.yaml (run)", words.folder.origin);
        let words_of = |list: &[String]| -> Result<Vec<String>, RenderError> {
            let rendered = list
                .iter()
                .map(|text| self.renderer.render(&place, text, values));
            Ok(rendered
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .filter(|w| !w.is_empty())
                .collect())
        };
        let mut env = indexmap::IndexMap::new();
        for (key, text) in &role.run.env {
            env.insert(key.clone(), self.renderer.render(&place, text, values)?);
        }
        let data = self.data(words, &member.id, &paths);
        let mut writable = data.clone();
        writable.push(paths.logs(words.name));
        writable.push(paths.data(words.name));
        let unit = json!({ "unit": {
            "title": words.folder.descriptor.title, "member": member.id.to_string(),
            "user": member.user.clone().unwrap_or_default(), "env": env,
            "command": words_of(&role.run.command)?, "reload": words_of(&role.run.reload)?,
            "nofile": role.run.nofile, "stop_within": role.run.stop_within,
            "after": role.run.after, "data": data, "writable": writable,
            "state": paths.unit(&member.unit),
            "out": format!("{}/{}.out", paths.logs(words.name), member.unit),
        }});
        let local = matches!(host.connection, Connection::Local { .. });
        let (template, path, mode) = if local {
            (
                "pidfile.sh.j2",
                format!("{}/ctl", paths.unit(&member.unit)),
                "0755",
            )
        } else {
            (
                "systemd.service.j2",
                paths.systemd_unit(&member.unit),
                "0644",
            )
        };
        let text = self.catalogue.shared(template).unwrap_or_default();
        Ok(DesiredFile {
            path,
            text: self.renderer.render(
                &format!("_lib/{template}"),
                text,
                &Value::from(Serde(unit)),
            )?,
            mode: mode.to_owned(),
            on_change: OnChange::Restart,
            owned: false,
            own: false,
        })
    }

    fn once(&self, role: &Role, id: &InstanceId, member: &Member, state: &str) -> Vec<DesiredOnce> {
        let first = self.placement.instances.iter().map(|(i, _)| i);
        let mut first = first.filter(|i| i.service == id.service && i.role == id.role);
        let is_first = first.next() == Some(id);
        role.once
            .iter()
            .filter(|once| once.on == OnceOn::Each || is_first)
            .map(|once| DesiredOnce {
                name: once.name.clone(),
                hook: format!("{}/{}", member.hooks, once.hook),
                marker: format!("{state}/once-{}", once.name),
                within: once.within,
            })
            .collect()
    }

    /// The block that a service puts into the login shell's profile of a host.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn profile(&self, host: &Host, name: &ServiceName) -> Result<Option<String>, RenderError> {
        let Some(Descriptor {
            profile: Some(profile),
            package,
            ..
        }) = self.catalogue.get(name).map(|f| &f.descriptor)
        else {
            return Ok(None);
        };
        let paths = HostPaths::new(&self.cluster.name, host);
        let link = package
            .as_ref()
            .map(|p| paths.at(&p.into))
            .unwrap_or_default();
        let values = Value::from(Serde(json!({
            "paths": { "link": link, "config": paths.config(name), "logs": paths.logs(name) },
        })));
        let place = format!("{name}/service.yaml (profile)");
        let mut lines = Vec::new();
        for (key, text) in &profile.env {
            let value = self.renderer.render(&place, text, &values)?;
            lines.push(format!("export {key}={}", crate::facts::quote(&value)));
        }
        for text in &profile.path {
            let value = self.renderer.render(&place, text, &values)?;
            lines.push(format!("PATH=\"$PATH:{value}\""));
        }
        Ok(Some(lines.join("\n")))
    }

    /// The starters that a package's tree gets where it lacks them, by path inside the tree.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn tools(
        &self,
        host: &Host,
        name: &ServiceName,
    ) -> Result<BTreeMap<String, String>, RenderError> {
        let mut tools = BTreeMap::new();
        let Some(folder) = self.catalogue.get(name) else {
            return Ok(tools);
        };
        let paths = HostPaths::new(&self.cluster.name, host);
        let link = |service: &ServiceName| {
            let package = self
                .catalogue
                .get(service)
                .and_then(|f| f.descriptor.package.as_ref());
            package.map(|p| paths.at(&p.into)).unwrap_or_default()
        };
        // Links, not trees: a tool must go on working when its Java is replaced.
        let others: serde_json::Map<String, serde_json::Value> = self
            .cluster
            .services
            .keys()
            .map(|other| (other.to_string(), json!({ "home": link(other) })))
            .collect();
        let values = Value::from(Serde(json!({
            "paths": { "home": link(name), "config": paths.config(name) }, "services": others,
        })));
        for tool in &folder.descriptor.tools {
            let place = format!("{name}/service.yaml (tools)");
            let command = self.renderer.render(&place, &tool.command, &values)?;
            let text = self.catalogue.shared("tool.sh.j2").unwrap_or_default();
            let script =
                self.renderer
                    .render("_lib/tool.sh.j2", text, &minijinja::context! { command })?;
            tools.insert(format!("bin/{}", tool.name), script);
        }
        Ok(tools)
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

fn dirs(paths: &HostPaths, service: &ServiceName, data: &[String]) -> Vec<(String, String)> {
    let mut dirs = vec![
        (paths.config(service), "0755".to_owned()),
        (paths.logs(service), "0755".to_owned()),
        (paths.data(service), "0755".to_owned()),
        (format!("{}/tmp", paths.data(service)), "0750".to_owned()),
    ];
    dirs.extend(data.iter().map(|path| (path.clone(), "0750".to_owned())));
    dirs
}

/// Two hashes in one line: of all that asks for a restart, and of all that asks for a reload.
fn fingerprint(files: &[DesiredFile], unit: &DesiredFile) -> String {
    let hash = |asks: OnChange| {
        let mut sum = Sha256::new();
        for file in files.iter().chain([unit]).filter(|f| f.on_change == asks) {
            for part in [&file.path, &file.text] {
                sum.update(part.len().to_le_bytes());
                sum.update(part);
            }
        }
        hex(&sum.finalize())[..16].to_owned()
    };
    format!("{} {}\n", hash(OnChange::Restart), hash(OnChange::Reload))
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
