//! The architecture as a picture, made of a plan's view: hosts, what is on each, ports, and who talks to whom.

mod mermaid;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

pub use mermaid::mermaid;
pub use svg::svg;

use crate::catalogue::Catalogue;
use crate::id::ServiceName;
use crate::inventory::Cluster;
use crate::plan::{Member, View};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagram {
    /// The cluster's name.
    pub title: String,
    /// Services that run something, each after those that it needs.
    pub services: Vec<Service>,
    /// The hosts in the inventory's order.
    pub hosts: Vec<Host>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The services that it talks to.
    pub talks_to: Vec<Link>,
}

/// Who talks to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The other service, by its place in [`Diagram::services`].
    pub to: usize,
    /// At which port, where all its instances have the same one for clients. Of what stands in front, each of its own
    /// ports with the one that it leads to.
    pub label: String,
}

/// A host with what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// How others reach it.
    pub address: String,
    /// Its instances: the service's place in [`Diagram::services`], and the line that tells of it.
    pub instances: Vec<(usize, String)>,
}

impl Diagram {
    /// What there is to draw of a cluster.
    #[must_use]
    pub fn new(cluster: &Cluster, catalogue: &Catalogue, view: &View) -> Self {
        let services = services(cluster, catalogue, view);
        let place = |name: &ServiceName| services.iter().position(|s| s.name == name.as_str());
        let hosts = cluster.staying().map(|(name, host)| {
            let here = view.members.iter().filter(|m| &m.id.host == name);
            let instances = here.filter_map(|member| {
                let ports: Vec<String> = member.ports.values().map(u16::to_string).collect();
                let copy = member.id.suffix();
                let line = format!("{}{copy} {}", member.id.role, ports.join(", "));
                Some((place(&member.id.service)?, line.trim_end().to_owned()))
            });
            let address = host.address.clone();
            let (name, instances) = (name.to_string(), instances.collect());
            Host {
                name,
                address,
                instances,
            }
        });
        let hosts = hosts.collect();
        Self {
            title: cluster.name.to_string(),
            services,
            hosts,
        }
    }
}

/// In the order in which the view has them: what is needed comes first.
fn services(cluster: &Cluster, catalogue: &Catalogue, view: &View) -> Vec<Service> {
    let mut seen = BTreeSet::new();
    let names = view.members.iter().map(|m| &m.id.service);
    let names: Vec<&ServiceName> = names.filter(|name| seen.insert(*name)).collect();
    let service = |name: &&ServiceName| {
        let words = cluster.services.get(*name);
        let mut talks_to = needed(cluster, view, &names, name);
        let folder = catalogue.get(name);
        if folder.is_some_and(|folder| folder.descriptor.stands_in_front()) {
            talks_to.extend(behind(cluster, catalogue, &names));
        }
        Service {
            name: name.to_string(),
            version: words.map(|w| w.version.clone()).unwrap_or_default(),
            talks_to,
        }
    };
    names.iter().map(service).collect()
}

/// The services that one needs.
fn needed(cluster: &Cluster, view: &View, names: &[&ServiceName], name: &ServiceName) -> Vec<Link> {
    let words = cluster.services.get(name);
    let needs = words.into_iter().flat_map(|words| &words.needs);
    let link = |need| {
        let ports = view.of_service(need).map(Member::client_port);
        let ports: BTreeSet<u16> = ports.flatten().collect();
        Some(Link {
            to: names.iter().position(|name| *name == need)?,
            label: match ports.first() {
                Some(port) if ports.len() == 1 => port.to_string(),
                _ => String::new(),
            },
        })
    };
    needs.filter_map(link).collect()
}

/// The services behind what stands in front of all.
fn behind(cluster: &Cluster, catalogue: &Catalogue, names: &[&ServiceName]) -> Vec<Link> {
    let mut ports: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for front in cluster.fronts(catalogue) {
        let to = names.iter().position(|name| **name == front.service.name);
        let (Some(to), Some(port)) = (to, front.behind(catalogue)) else {
            continue;
        };
        ports
            .entry(to)
            .or_default()
            .push(format!("{} to {port}", front.at()));
    }
    let link = |(to, ports): (usize, Vec<String>)| Link {
        to,
        label: ports.join(", "),
    };
    ports.into_iter().map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram() -> Diagram {
        let service = |name: &str, talks_to: &[(usize, &str)]| Service {
            name: name.to_owned(),
            version: "1".to_owned(),
            talks_to: talks_to
                .iter()
                .map(|(to, label)| Link {
                    to: *to,
                    label: (*label).to_owned(),
                })
                .collect(),
        };
        Diagram {
            title: "two & more".to_owned(),
            services: vec![
                service("db", &[]),
                service("web", &[(0, "7000")]),
                service("front", &[(1, "80 to 8080")]),
            ],
            hosts: vec![Host {
                name: "a-1".to_owned(),
                address: "10.0.0.1".to_owned(),
                instances: vec![(0, "node 7000, 7001".to_owned()), (1, "page".to_owned())],
            }],
        }
    }

    #[test]
    fn as_mermaid_it_names_hosts_instances_ports_and_who_talks_to_whom() {
        insta::assert_snapshot!(mermaid(&diagram()));
    }

    #[test]
    fn as_svg_it_is_well_formed_and_says_the_same() {
        let text = svg(&diagram());
        for word in [
            "two &amp; more",
            "a-1",
            "10.0.0.1",
            "node 7000, 7001",
            "page",
            "web 1",
            "7000",
            "80 to 8080",
        ] {
            assert!(text.contains(word), "no {word} in\n{text}");
        }
        let (opened, closed) = (text.matches("<g").count(), text.matches("</g>").count());
        assert_eq!(opened, closed);
    }
}
