//! Reads `services:`: the words of each service by its descriptor, and what they need.

use indexmap::IndexMap;

use crate::catalogue::Folder;
use crate::id::{HostName, ServiceName};

use super::finding::Finding;
use super::hosts::Hosts;
use super::model::{Amount, Service};
use super::nearest::{did_you_mean, listed, nearest, shown};
use super::reader::Reader;
use super::service;
use super::tree::{Entry, Node, Value};

/// The services, by name.
pub type Services = IndexMap<ServiceName, Service>;

/// Reads the services, each after those that it needs. One that is written wrongly is in the answer too, with
/// what could be read of it.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node, hosts: &Hosts) -> Services {
    let catalogue = reader.context.catalogue;
    let known: Vec<_> = catalogue.iter().map(|(name, _)| name.as_str()).collect();
    let Some(all) = root.entry("services") else {
        let help = format!("add `services:` with what shall run: {}", listed(known));
        reader.push(Finding::error(root.place(&[]), "the inventory has no `services`").help(help));
        return Services::new();
    };
    let entries = match &all.node.value {
        Value::Null => &[],
        _ => reader.map(&all.node, "`services`"),
    };
    if entries.is_empty() && matches!(all.node.value, Value::Null | Value::Map(_)) {
        let help = format!(
            "add a line such as `name: {{}}`; there are {}",
            listed(known.iter().copied())
        );
        reader.push(Finding::error(all.key_span, "there are no services").help(help));
    }
    let mut services = Services::new();
    for entry in entries {
        let found = entry.key.parse::<ServiceName>().ok();
        let Some((name, folder)) =
            found.and_then(|name| Some((catalogue.get(&name)?, name)).map(|(f, n)| (n, f)))
        else {
            let cause = format!("there is no service {}", shown(&entry.key));
            let help = did_you_mean(&entry.key, known.iter().copied()).unwrap_or_else(|| {
                format!(
                    "there are {}; `--templates DIR` adds your own",
                    listed(known.iter().copied())
                )
            });
            reader.push(Finding::error(entry.key_span, cause).help(help));
            continue;
        };
        let service = service::read(reader, &entry.node, (&name, folder, entry.key_span), hosts);
        services.insert(name, service);
    }
    add_needs(reader, entries, &mut services);
    too_old(reader, root, &services);
    in_order(services)
}

/// Adds packages that others need, and finds what is missing.
fn add_needs(reader: &mut Reader<'_>, entries: &[Entry], services: &mut Services) {
    let catalogue = reader.context.catalogue;
    let needs = |service: &Service| {
        let pair = |need: &ServiceName| (service.name.clone(), need.clone());
        service.needs.iter().map(pair).collect::<Vec<_>>()
    };
    let mut queue: Vec<(ServiceName, ServiceName)> = services.values().flat_map(needs).collect();
    while let Some((of, need)) = queue.pop() {
        if services.contains_key(&need) || entries.iter().any(|entry| meant(entry, &need, services))
        {
            continue;
        }
        let span = entries
            .iter()
            .find(|entry| entry.key == of.as_str())
            .map(|entry| entry.key_span)
            .unwrap_or_default();
        match catalogue.get(&need) {
            None => {
                let finding = Finding::error(
                    span,
                    format!("`{of}` needs `{need}`, and the catalogue has no such service"),
                )
                .help("add its folder with `--templates DIR`");
                reader.push(finding);
            }
            Some(folder) if folder.descriptor.roles.is_empty() => {
                let service = service::defaults(&need, folder);
                queue.extend(needs(&service));
                services.insert(need, service);
            }
            Some(folder) => {
                let line = folder
                    .descriptor
                    .roles
                    .values()
                    .find_map(|role| match &role.count {
                        crate::catalogue::descriptor::Count::Key { name, default, .. } => {
                            Some(format!("{need}: {{ {name}: {} }}", default.unwrap_or(1)))
                        }
                        _ => None,
                    });
                let line = line.unwrap_or_else(|| format!("{need}: {{ on: all }}"));
                let cause = format!("`{of}` needs `{need}`, which is not in the inventory");
                let folder = catalogue.get(&of).zip(services.get(&of));
                let other = folder.and_then(|(folder, of)| without(folder, of, &need));
                let help = format!("add `{line}` under `services`{}", other.unwrap_or_default());
                let finding = Finding::error(span, cause).help(help);
                reader.push(finding);
            }
        }
    }
}

/// The other choice of a setting with which another service is needed.
fn without(folder: &Folder, of: &Service, need: &ServiceName) -> Option<String> {
    let descriptor = &folder.descriptor;
    let mut needs = descriptor.needs.iter();
    let when = needs.find(|other| other.service() == need)?.when()?;
    let word = when.words().next()?;
    if descriptor
        .versions
        .get(&of.version)?
        .settings
        .contains_key(word)
    {
        return None;
    }
    let others = &descriptor.settings.get(word)?.one_of;
    let other = others
        .iter()
        .find(|value| !when.to_string().contains(*value))?;
    Some(format!(", or `{word}: {other}` to `{}`", of.name))
}

/// Whether an entry names the service, or most likely meant to.
fn meant(entry: &Entry, name: &ServiceName, services: &Services) -> bool {
    let unread = || !services.contains_key(entry.key.as_str());
    entry.key == name.as_str() || (unread() && nearest(&entry.key, [name.as_str()]).is_some())
}

/// Services that are needed, of versions below the least that will do.
fn too_old(reader: &mut Reader<'_>, root: &Node, services: &Services) {
    let catalogue = reader.context.catalogue;
    for (name, service) in services {
        let versions = catalogue.get(name).map(|f| &f.descriptor.versions);
        let version = versions.and_then(|all| all.get(&service.version));
        for (need, least) in version.into_iter().flat_map(|version| &version.least) {
            let Some(given) = services.get(need).filter(|g| older(&g.version, least)) else {
                continue;
            };
            let span = root.place(&["services", need.as_str(), "version"]);
            let cause = format!(
                "`{name}` {} needs `{need}` {least} or later, and this is {}",
                service.version, given.version
            );
            let help = format!("write `{need}: {{ version: {least} }}`, or take an older `{name}`");
            reader.push(Finding::error(span, cause).help(help));
        }
    }
}

/// Whether a version comes before another, number by number.
fn older(a: &str, b: &str) -> bool {
    let numbers =
        |text: &str| -> Vec<u64> { text.split('.').filter_map(|n| n.parse().ok()).collect() };
    numbers(a) < numbers(b)
}

/// The services, each after those that it needs; otherwise in the order written.
#[must_use]
pub fn in_order(mut services: Services) -> Services {
    let mut sorted = Services::new();
    while !services.is_empty() {
        let ready = |service: &Service| {
            let mut needs = service.needs.iter();
            !needs.any(|need| *need != service.name && services.contains_key(need))
        };
        // Where services need each other in a circle, the first of them goes first.
        let at = services.values().position(ready).unwrap_or(0);
        if let Some((name, service)) = services.shift_remove_index(at) {
            sorted.insert(name, service);
        }
    }
    sorted
}

/// The hosts that surely run an instance, and those that may.
pub(super) fn placement<'a>(
    amount: &'a Amount,
    hosts: &'a Hosts,
) -> (Vec<&'a HostName>, Vec<&'a HostName>) {
    match amount {
        Amount::Hosts(list) => (list.iter().collect(), list.iter().collect()),
        Amount::Count(n) if usize::from(*n) >= hosts.len() => {
            (hosts.keys().collect(), hosts.keys().collect())
        }
        Amount::Count(0) => (Vec::new(), Vec::new()),
        Amount::Count(_) => (Vec::new(), hosts.keys().collect()),
    }
}
