//! Where new members go when `--on` says so.

use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::flow::Flow;
use crate::id::{HostName, InstanceId};
use crate::inventory::Cluster;
use crate::plan::place::Placement;

/// The hosts that are named, which no host need be asked for.
///
/// # Errors
/// When there is no such host, or one is named twice.
pub fn named(cluster: &Cluster, on: &[String]) -> Result<Vec<HostName>, Failure> {
    let known = cluster.staying().map(|(host, _)| host);
    known_by(&known.collect::<Vec<_>>(), on)
}

fn known_by(known: &[&HostName], on: &[String]) -> Result<Vec<HostName>, Failure> {
    let mut hosts: Vec<HostName> = Vec::new();
    for name in on {
        let Some(host) = known.iter().find(|host| host.as_str() == name) else {
            let known: Vec<&str> = known.iter().map(|host| host.as_str()).collect();
            let help = format!("add it to `hosts:` first; there are {}", known.join(", "));
            return Err(misspelt(format!("there is no host `{name}`"), &help));
        };
        if hosts.contains(host) {
            let cause = format!("{name} is named twice");
            return Err(misspelt(cause, "name hosts that have none yet"));
        }
        hosts.push((*host).clone());
    }
    Ok(hosts)
}

/// The hosts of a role that `key` counts, once it has `n` members and the new ones are on these hosts: those that
/// it is on by the hosts' records come first.
///
/// # Errors
/// When the records can't be read, or the hosts are not what the number asks for.
pub async fn hosts(
    flow: &mut Flow,
    role: (&str, &str),
    n: u16,
    on: &[HostName],
) -> Result<Vec<HostName>, Failure> {
    let facts = flow.facts().await?;
    let placement = flow.placement(&facts);
    let words = |id: &InstanceId| {
        let words = flow.catalogue.role(&id.service, &id.role);
        id.service.as_str() == role.0 && words.is_some_and(|w| w.count.key() == Some(role.1))
    };
    listed((&placement, words), n, on)
}

/// What is no host of this cluster, or said twice.
fn misspelt(cause: String, help: &str) -> Failure {
    Failure::new(Kind::Usage, Problem::new(cause).help(help))
}

/// A cluster that must not be.
fn refused(cause: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure::new(Kind::Refused, Problem::new(cause).help(help))
}

fn listed(
    (placement, is_of): (&Placement, impl Fn(&InstanceId) -> bool),
    n: u16,
    on: &[HostName],
) -> Result<Vec<HostName>, Failure> {
    let members = placement.instances.iter().map(|(id, _)| id);
    let members: Vec<&InstanceId> = members.filter(|id| is_of(id)).collect();
    let mut hosts: Vec<HostName> = members.iter().map(|id| id.host.clone()).collect();
    if members.iter().any(|id| id.copy > 1) {
        let cause = "some hosts have several of them, and `--on` gives each host one";
        return Err(refused(cause, "leave `--on` out"));
    }
    let (there, wanted) = (hosts.len(), usize::from(n));
    for host in on {
        if let Some(member) = members.iter().find(|member| member.host == *host) {
            let cause = format!("{host} has one already: {member}");
            return Err(refused(cause, "name hosts that have none yet"));
        }
        hosts.push(host.clone());
    }
    if wanted <= there {
        let cause = format!("`--on` says where new ones go, and there are {there} already");
        return Err(refused(cause, "leave `--on` out, or give a higher number"));
    }
    if hosts.len() != wanted {
        let (new, named) = (wanted - there, on.len());
        let cause = format!("{wanted} are wanted, {there} are there, and `--on` names {named}");
        return Err(refused(
            cause,
            format!("name {new} hosts that have none yet"),
        ));
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of members on `a` and `b` if there shall be `n`.
    fn list(n: u16, on: &str) -> Result<Vec<String>, String> {
        let known = ["a", "b", "c", "d"].map(|name| name.parse::<HostName>().expect("a name"));
        let known: Vec<&HostName> = known.iter().collect();
        let member = |host: &str| {
            let id: InstanceId = format!("db.node@{host}").parse().expect("an id");
            (id, None)
        };
        let placement = Placement {
            instances: vec![member("a"), member("b")],
            ..Placement::default()
        };
        let on: Vec<String> = on.split(',').map(str::to_owned).collect();
        let listed = known_by(&known, &on)
            .and_then(|on| listed((&placement, |_: &InstanceId| true), n, &on));
        let names = |hosts: Vec<HostName>| hosts.iter().map(ToString::to_string).collect();
        listed.map(names).map_err(|failure| failure.to_string())
    }

    #[test]
    fn new_ones_go_behind_those_that_are_there() {
        assert_eq!(list(4, "d,c").unwrap(), ["a", "b", "d", "c"]);
    }

    #[test]
    fn hosts_that_are_not_what_the_number_asks_for_are_refused() {
        for (n, on, why) in [
            (3, "z", "no host `z`"),
            (3, "b", "b has one already: db.node@b"),
            (4, "c,c", "c is named twice"),
            (4, "c", "4 are wanted, 2 are there, and `--on` names 1"),
            (3, "c,d", "names 2"),
            (2, "c", "there are 2 already"),
        ] {
            let refused = list(n, on).expect_err(why);
            assert!(refused.contains(why), "{refused}");
        }
    }
}
