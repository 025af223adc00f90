//! Whether a host knows the names by which its services reach those of other hosts.

use super::Check;
use crate::facts::HostFacts;
use crate::inventory::{Connection, Host};
use crate::plan::context::Context;
use crate::plan::desired::Desired;

/// What a host is to do about a name.
const HELP: &str = "put it into your DNS or into /etc/hosts there, or give numbers (IP addresses) as addresses in the inventory";

pub(super) fn checks(
    context: &Context<'_>,
    (host, facts): (&Host, &HostFacts),
    desired: &[Desired],
) -> Vec<Check> {
    // A local host's address is always a number of this machine.
    if !facts.looks_up || !matches!(host.connection, Connection::Ssh { .. }) {
        return Vec::new();
    }
    let others = context.cluster.staying().map(|(_, other)| other);
    let named: Vec<&Host> = others.filter(|other| other.is_named()).collect();
    let mut all: Vec<Check> = named
        .iter()
        .filter_map(|other| {
            let found = wrong(host, facts, other)?;
            let check = Check::pass("names", &host.name, found);
            Some(if needs(context, host, other, desired) {
                check.fail(HELP)
            } else {
                check.warn(HELP)
            })
        })
        .collect();
    if all.is_empty() && !named.is_empty() {
        all.push(Check::pass(
            "names",
            &host.name,
            "it knows those of all hosts",
        ));
    }
    all
}

/// What is wrong with the name of a host, as another knows it. That a host takes its own name for its loopback
/// is told elsewhere.
fn wrong(host: &Host, facts: &HostFacts, other: &Host) -> Option<String> {
    let (name, of) = (&other.address, &other.name);
    match facts.resolves.get(name) {
        None => Some(format!("the name `{name}` of {of} is not known there")),
        Some(at) if at.starts_with("127.") && of != &host.name => Some(format!(
            "the name `{name}` of {of} is {at} there, which is that host itself"
        )),
        Some(_) => None,
    }
}

/// Whether anything on a host has to know another's name: it stands in its files, or instances of its service, or
/// of one that it needs, tell it to whoever asks them, as it stands in their own.
fn needs(context: &Context<'_>, host: &Host, other: &Host, desired: &[Desired]) -> bool {
    let on = |at| {
        desired
            .iter()
            .filter(move |one: &&Desired| &one.member.id.host == at)
    };
    let told = on(&other.name).filter(|one| tells(one, &other.address));
    let told: Vec<_> = told.map(|one| &one.member.id.service).collect();
    on(&host.name).any(|one| {
        let service = &one.member.id.service;
        let wanted = context.cluster.services.get(service);
        let meets = |of: &_| of == service || wanted.is_some_and(|w| w.needs.contains(of));
        tells(one, &other.address) || told.iter().any(|of| meets(*of))
    })
}

/// Whether a name stands in an instance's files.
fn tells(one: &Desired, name: &str) -> bool {
    let files = one.files.iter().chain([&one.unit]);
    files.into_iter().any(|file| stands(&file.text, name))
}

/// Whether a name stands in a text by itself, not as a part of another.
fn stands(text: &str, name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut found = text.match_indices(name);
    found.any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let mut after = after.chars();
        let longer = match after.next() {
            Some('.') => after.next().is_some_and(inside),
            next => next.is_some_and(inside),
        };
        !longer && !before.ends_with(|c| inside(c) || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_by_itself() {
        for (text, wanted) in [
            ("at=PLAINTEXT://pi1:9092", true),
            ("pi1", true),
            ("ask pi1.", true),
            ("pi1.local:9092", false),
            ("pi11:9092", false),
            ("api1:9092", false),
            ("my.pi1:9092", false),
            ("pi11,pi1", true),
        ] {
            assert_eq!(stands(text, "pi1"), wanted, "{text}");
        }
    }
}
