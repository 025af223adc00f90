//! The architecture as a picture, made of a plan's view: hosts, what is on each, ports, and who talks to whom.

mod mermaid;
mod svg;

use std::collections::BTreeSet;

pub use mermaid::mermaid;
pub use svg::svg;

use crate::id::ServiceName;
use crate::inventory::Cluster;
use crate::plan::View;

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagram {
    /// The cluster's name.
    pub title: String,
    /// Services that run something, each after those that it talks to.
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
    /// The port at which clients reach it, of its first role.
    pub port: Option<u16>,
    /// The services that it talks to.
    pub talks_to: Vec<String>,
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
    pub fn new(cluster: &Cluster, view: &View) -> Self {
        let services = services(cluster, view);
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
fn services(cluster: &Cluster, view: &View) -> Vec<Service> {
    let mut seen = BTreeSet::new();
    let names: Vec<&ServiceName> = view.members.iter().map(|m| &m.id.service).collect();
    let names = names.into_iter().filter(|name| seen.insert(*name));
    let names: Vec<&ServiceName> = names.collect();
    let runs = |name: &ServiceName| names.contains(&name);
    let service = |name: &&ServiceName| {
        let words = cluster.services.get(*name);
        let mut members = view.of_service(name);
        let needs = words.into_iter().flat_map(|words| &words.needs);
        Service {
            name: name.to_string(),
            version: words.map(|w| w.version.clone()).unwrap_or_default(),
            port: members.find_map(crate::plan::Member::client_port),
            talks_to: needs
                .filter(|need| runs(need))
                .map(ToString::to_string)
                .collect(),
        }
    };
    names.iter().map(service).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram() -> Diagram {
        let service = |name: &str, port, needs: &[&str]| Service {
            name: name.to_owned(),
            version: "1".to_owned(),
            port,
            talks_to: needs.iter().map(|need| (*need).to_owned()).collect(),
        };
        Diagram {
            title: "two & more".to_owned(),
            services: vec![
                service("db", Some(7000), &[]),
                service("web", None, &["db"]),
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
        ] {
            assert!(text.contains(word), "no {word} in\n{text}");
        }
        let (opened, closed) = (text.matches("<g").count(), text.matches("</g>").count());
        assert_eq!(opened, closed);
    }
}
