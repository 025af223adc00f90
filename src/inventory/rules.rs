//! Rules that hold between the parts of an inventory: ports, memory, racks, data folders.

use crate::catalogue::{Catalogue, Role};
use crate::id::{HostName, RoleName, suffix};

use super::address;
use super::finding::Finding;
use super::fronts::{self, PlacedFront};
use super::model::{Cluster, Connection, Host, Service};
use super::services::placement;
use super::tree::{Node, Span};

/// A role that the inventory places, with what the rules ask of it.
struct Placed<'a> {
    service: &'a Service,
    name: &'a RoleName,
    role: &'a Role,
    /// Where an instance surely is, and where one may be.
    sure: Vec<&'a HostName>,
    may: Vec<&'a HostName>,
}

/// All findings of the rules.
pub(super) fn check(cluster: &Cluster, root: &Node, catalogue: &Catalogue) -> Vec<Finding> {
    let placed = placed(cluster, catalogue);
    let mut findings = Vec::new();
    racks(cluster, root, &mut findings);
    reach(cluster, root, &mut findings);
    ports(&placed, &cluster.fronts(catalogue), root, &mut findings);
    findings.extend(fronts::unused(cluster, root, catalogue));
    data(&placed, root, &mut findings);
    overrides(cluster, &placed, root, &mut findings);
    super::memory::check(cluster, root, catalogue, &mut findings);
    findings
}

fn placed<'a>(cluster: &'a Cluster, catalogue: &'a Catalogue) -> Vec<Placed<'a>> {
    let mut all = Vec::new();
    for service in cluster.services.values() {
        let Some(folder) = catalogue.get(&service.name) else {
            continue;
        };
        for (name, amount) in &service.roles {
            let Some(role) = folder.descriptor.roles.get(name) else {
                continue;
            };
            let (sure, may) = placement(amount, &cluster.hosts);
            all.push(Placed {
                service,
                name,
                role,
                sure,
                may,
            });
        }
    }
    all
}

fn racks(cluster: &Cluster, root: &Node, findings: &mut Vec<Finding>) {
    let says = |host: &Host| root.find(&["hosts", host.name.as_str(), "rack"]).is_some();
    let (with, without): (Vec<_>, Vec<_>) = cluster.hosts.values().partition(|host| says(host));
    let (Some(with), Some(without)) = (with.first(), without.first()) else {
        return;
    };
    let first = root.place(&["hosts", with.name.as_str(), "rack"]);
    let span = root
        .entry("hosts")
        .and_then(|hosts| hosts.node.entry(without.name.as_str()));
    let span = span.map_or(first, |entry| entry.key_span);
    let cause = format!(
        "host `{}` has no rack, and `{}` has one",
        without.name, with.name
    );
    let finding = Finding::warning(span, cause)
        .also(first, "a rack is given here")
        .help(
            "give every host a `rack`, or none: copies are spread over racks only if all have one",
        );
    findings.push(finding);
}

/// A loopback address means another machine on each host.
fn reach(cluster: &Cluster, root: &Node, findings: &mut Vec<Finding>) {
    let is_local = |host: &&Host| matches!(host.connection, Connection::Local { .. });
    let local = cluster.hosts.values().find(is_local);
    for host in cluster.hosts.values().filter(|host| !is_local(host)) {
        if let Some(local) = local {
            let span = root.place(&["hosts", local.name.as_str(), "connection"]);
            let cause = format!(
                "host `{}` is local, and `{}` is not: it could not reach it",
                local.name, host.name
            );
            let finding = Finding::error(span, cause)
                .help("make all hosts local, or none; this machine can be a host by its own name over SSH");
            findings.push(finding);
            return;
        }
        if address::is_loopback(&host.address) && cluster.hosts.len() > 1 {
            let span = root.place(&["hosts", host.name.as_str(), "address"]);
            let cause = format!(
                "the other hosts do not reach `{}` by `{}`",
                host.name, host.address
            );
            let finding = Finding::warning(span, cause)
                .help("write the name or address that they reach it by");
            findings.push(finding);
        }
    }
}

/// A port that an instance opens.
struct Open<'a> {
    at: &'a Placed<'a>,
    /// The service whose `ports:` says which, and under which name.
    of: &'a Service,
    name: &'a str,
    port: u16,
    title: String,
    span: Span,
}

impl Open<'_> {
    fn is_given(&self) -> bool {
        self.of.ports.contains_key(self.name)
    }

    /// What to write for another port.
    fn word(&self) -> String {
        let word = format!("`ports: {{ {}: … }}`", self.name);
        if self.of.name == self.at.service.name {
            word
        } else {
            format!("{word} of `{}`", self.of.name)
        }
    }
}

/// What a role opens on its hosts: its own ports, of each copy, and those of all fronts where it stands in front.
fn opened<'a>(at: &'a Placed<'a>, fronts: &[PlacedFront<'a>], root: &Node) -> Vec<Open<'a>> {
    let span =
        |of: &Service, name: &str| root.place(&["services", of.name.as_str(), "ports", name]);
    let most = at.role.most(at.service.per_host);
    let each = |copy| at.role.ports.iter().map(move |port| (copy, port));
    let own = (0..most).flat_map(each).map(|(copy, (name, default))| {
        let first = at.service.ports.get(name).copied().unwrap_or(*default);
        Open {
            at,
            of: at.service,
            name,
            port: first.saturating_add(copy),
            title: format!("`{name}` of {} {}", at.service.name, at.name),
            span: span(at.service, name),
        }
    });
    let fronts = fronts.iter().filter(|_| at.role.stands_in_front);
    let fronts = fronts.map(|front| Open {
        at,
        of: front.service,
        name: front.name,
        port: front.at(),
        title: format!(
            "{} {} for `{}` of {}",
            at.service.name, at.name, front.name, front.service.name
        ),
        span: span(front.service, front.name),
    });
    own.chain(fronts).collect()
}

fn ports(
    placed: &[Placed<'_>],
    fronts: &[PlacedFront<'_>],
    root: &Node,
    findings: &mut Vec<Finding>,
) {
    let mut open: Vec<Open<'_>> = Vec::new();
    for one in placed.iter().flat_map(|at| opened(at, fronts, root)) {
        let clash = open
            .iter()
            .find(|other| other.port == one.port && shared(one.at, other.at).is_some());
        let Some(other) = clash else {
            open.push(one);
            continue;
        };
        let host = shared(one.at, other.at).unwrap_or_default();
        let cause = format!(
            "port {} would be opened twice on {host}: by {} and by {}",
            one.port, other.title, one.title
        );
        // Point at the one that the user set, if only one is.
        let (here, there) = if one.is_given() || !other.is_given() {
            (&one, other)
        } else {
            (other, &one)
        };
        let finding = Finding::error(here.span, cause)
            .also(there.span, "the other one")
            .help(format!("give one of them another port: {}", here.word()));
        findings.push(finding);
    }
}

/// A host that both may be on, in words.
fn shared(a: &Placed<'_>, b: &Placed<'_>) -> Option<String> {
    let host = a.may.iter().find(|host| b.may.contains(host))?;
    let sure = a.sure.contains(host) && b.sure.contains(host);
    Some(if sure {
        format!("host `{host}`")
    } else {
        "a host that both may share".to_owned()
    })
}

fn data(placed: &[Placed<'_>], root: &Node, findings: &mut Vec<Finding>) {
    let mut seen: Vec<(&HostName, String, Span, &Placed<'_>)> = Vec::new();
    for at in placed.iter().filter(|at| at.role.data.is_some()) {
        let service = at.service.name.as_str();
        for host in &at.may {
            let own = at
                .service
                .hosts
                .get(*host)
                .filter(|own| !own.data.is_empty());
            let (folders, span) = match own {
                Some(own) => (
                    &own.data,
                    root.place(&["services", service, "hosts", host.as_str(), "data"]),
                ),
                None => (&at.service.data, root.place(&["services", service, "data"])),
            };
            let spec = at.role.data.as_ref();
            let most = at.role.most(at.service.per_host);
            let of = |copy| spec.map(|data| data.folders(folders, &suffix(copy)));
            for folder in (1..=most).filter_map(of).flatten() {
                let clash = seen
                    .iter()
                    .find(|(other_host, other, ..)| other_host == host && nested(&folder, other));
                if let Some((_, other, first, by)) = clash {
                    let cause = if folder == *other {
                        format!("data folder `{folder}` is given twice on host `{host}`")
                    } else {
                        format!(
                            "data folders `{other}` of {} and `{folder}` of {service} lie in each other",
                            by.service.name
                        )
                    };
                    let finding = Finding::error(span, cause)
                        .also(*first, "the other one")
                        .help("give each a folder of its own");
                    if !findings
                        .iter()
                        .any(|known| known.span == finding.span && known.cause == finding.cause)
                    {
                        findings.push(finding);
                    }
                }
                seen.push((host, folder, span, at));
            }
        }
    }
}

fn nested(a: &str, b: &str) -> bool {
    std::path::Path::new(a).starts_with(b) || std::path::Path::new(b).starts_with(a)
}

/// What is said for a host must be for one that the service is on.
fn overrides(cluster: &Cluster, placed: &[Placed<'_>], root: &Node, findings: &mut Vec<Finding>) {
    for service in cluster.services.values() {
        let roles: Vec<_> = placed
            .iter()
            .filter(|at| at.service.name == service.name)
            .collect();
        let name = service.name.as_str();
        for host in service.hosts.keys() {
            let span = || {
                let hosts = root.find(&["services", name, "hosts"]);
                let entry = hosts.and_then(|hosts| hosts.entry(host.as_str()));
                entry.map_or_else(
                    || root.place(&["services", name, "hosts"]),
                    |entry| entry.key_span,
                )
            };
            if roles.is_empty() || roles.iter().any(|at| at.sure.contains(&host)) {
                continue;
            }
            let finding = if roles.iter().any(|at| at.may.contains(&host)) {
                Finding::warning(
                    span(),
                    format!("`{host}` may not be among the hosts that sdtd chooses for `{name}`"),
                )
                .help(format!(
                    "list the hosts of `{name}`, instead of how many, if `{host}` must be one"
                ))
            } else {
                Finding::error(span(), format!("`{name}` is not placed on host `{host}`"))
                    .help("add the host to the service's list, or remove what is said for it")
            };
            findings.push(finding);
        }
    }
}
