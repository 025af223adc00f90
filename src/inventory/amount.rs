//! Reads how many instances of a role there are, or on which hosts.

use crate::catalogue::descriptor::Count;
use crate::id::HostName;

use super::finding::Finding;
use super::hosts::Hosts;
use super::model::Amount;
use super::nearest::{did_you_mean, listed, shown};
use super::reader::{Reader, written};
use super::tree::{Entry, Node, Span, Value};

/// The host of a name; a finding if there is none.
pub(super) fn host(
    reader: &mut Reader<'_>,
    name: &str,
    span: Span,
    hosts: &Hosts,
) -> Option<HostName> {
    if let Some((found, _)) = hosts.get_key_value(name) {
        return Some(found.clone());
    }
    let known = || hosts.keys().map(HostName::as_str);
    let help =
        did_you_mean(name, known()).unwrap_or_else(|| format!("the hosts are {}", listed(known())));
    reader.push(Finding::error(span, format!("there is no host {}", shown(name))).help(help));
    None
}

/// `on:`, which is `all` or a list of hosts. None if anything in it is wrong.
pub(super) fn on(reader: &mut Reader<'_>, node: &Node, hosts: &Hosts) -> Option<Vec<HostName>> {
    match &node.value {
        Value::Scalar(scalar) if scalar.text == "all" => Some(hosts.keys().cloned().collect()),
        Value::Seq(items) => list(reader, node, items, hosts),
        _ => {
            let help = "write `all`, or a list of hosts: `[pi1, pi2]`";
            reader.wrong_type(node, "`on`", "`all` or a list of hosts", help);
            None
        }
    }
}

fn list(
    reader: &mut Reader<'_>,
    node: &Node,
    items: &[Node],
    hosts: &Hosts,
) -> Option<Vec<HostName>> {
    if items.is_empty() {
        reader.push(
            Finding::error(node.span, "the list of hosts is empty").help("name at least one host"),
        );
        return None;
    }
    let mut found: Vec<(HostName, Span)> = Vec::new();
    let mut good = true;
    for item in items {
        let name = reader.text(item, "a host's name");
        let Some(name) = name.and_then(|name| host(reader, name, item.span, hosts)) else {
            good = false;
            continue;
        };
        if let Some((_, first)) = found.iter().find(|(other, _)| *other == name) {
            let finding = Finding::error(item.span, format!("host `{name}` is listed twice"))
                .also(*first, "first listed here")
                .help("remove one of the two");
            reader.push(finding);
            good = false;
            continue;
        }
        found.push((name, item.span));
    }
    good.then(|| found.into_iter().map(|(name, _)| name).collect())
}

/// A role's own word: a number, or a list of hosts. None if it is wrong.
pub(super) fn counted(
    reader: &mut Reader<'_>,
    entry: &Entry,
    count: &Count,
    (hosts, per_host): (&Hosts, u16),
) -> Option<Amount> {
    let word = entry.key.as_str();
    let amount = match &entry.node.value {
        Value::Seq(items) => Amount::Hosts(list(reader, &entry.node, items, hosts)?),
        Value::Scalar(scalar) if scalar.text.parse::<u16>().is_ok() => {
            Amount::Count(scalar.text.parse().ok()?)
        }
        Value::Scalar(scalar) => {
            let help = if hosts.contains_key(scalar.text.as_str()) {
                format!("write a list: `{word}: [{}]`", scalar.text)
            } else {
                format!("write a number, such as `{word}: 3`, or a list of hosts")
            };
            let cause = format!(
                "`{word}` must be a number or a list of hosts, and this is {}",
                written(&entry.node)
            );
            reader.push(Finding::error(entry.node.span, cause).help(help));
            return None;
        }
        Value::Null | Value::Map(_) => {
            let help = format!("write a number, such as `{word}: 3`, or a list of hosts");
            reader.wrong_type(
                &entry.node,
                &format!("`{word}`"),
                "a number or a list of hosts",
                &help,
            );
            return None;
        }
    };
    match problem(word, &amount, count, (hosts.len(), per_host)) {
        None => Some(amount),
        // Without hosts every count is too high, and the missing hosts are a finding already.
        Some(_) if hosts.is_empty() => None,
        Some((cause, help)) => {
            reader.push(Finding::error(entry.place(), cause).help(help));
            None
        }
    }
}

/// What is wrong with an amount of the role that `word` counts, with at most so many on each host, and what to
/// do.
#[must_use]
pub fn problem(
    word: &str,
    amount: &Amount,
    count: &Count,
    (hosts, per_host): (usize, u16),
) -> Option<(String, String)> {
    let Count::Key {
        min,
        max,
        odd,
        several,
        ..
    } = count
    else {
        return None;
    };
    let n = amount.instances(per_host);
    let places = hosts * usize::from(per_host);
    let these = |n: usize| format!("{n} host{}", if n == 1 { "" } else { "s" });
    if n < usize::from(*min) {
        return Some((
            format!("`{word}` must be at least {min}"),
            format!("write `{word}: {min}` or more"),
        ));
    }
    if let Some(max) = max.filter(|max| n > usize::from(*max)) {
        return Some((
            format!("`{word}` must be at most {max}"),
            format!("write `{word}: {max}` or less"),
        ));
    }
    if n > places {
        let each = if per_host > 1 {
            format!(" for {per_host} each")
        } else {
            String::new()
        };
        let cause = format!(
            "`{word}` wants {n}, and there {} only {}{each}",
            if hosts == 1 { "is" } else { "are" },
            these(hosts)
        );
        let fits = if *odd && places.is_multiple_of(2) {
            places.saturating_sub(1)
        } else {
            places
        };
        let several = if *several && hosts > 0 {
            format!(
                ", or `per_host: {}` for several on a host",
                n.div_ceil(hosts)
            )
        } else {
            String::new()
        };
        return Some((
            cause,
            format!("write `{word}: {fits}`, or add hosts{several}"),
        ));
    }
    if *odd && n.is_multiple_of(2) {
        let less = n.saturating_sub(1).max(1);
        let cause = format!("`{word}` must be odd: {n} survive no more failures than {less}");
        let more = if n < places {
            format!(" or {}", n + 1)
        } else {
            String::new()
        };
        let help = match amount {
            Amount::Count(_) => format!("write {less}{more}"),
            Amount::Hosts(_) => format!("list {less}{more} hosts"),
        };
        return Some((cause, help));
    }
    None
}

/// The amount of a role of which the inventory says nothing: its default, or as many as the hosts allow.
pub(super) fn default(
    reader: &mut Reader<'_>,
    count: &Count,
    span: Span,
    (hosts, per_host): (&Hosts, u16),
) -> Option<Amount> {
    let Count::Key { name, min, .. } = count else {
        return None;
    };
    let Some(fits) = suggested(count, hosts.len() * usize::from(per_host)) else {
        let help = format!("write how many: `{name}: {min}`, or a list of hosts");
        reader.push(Finding::error(span, format!("`{name}` is missing")).help(help));
        return None;
    };
    let amount = Amount::Count(fits);
    if hosts.is_empty() {
        return None;
    }
    match problem(name, &amount, count, (hosts.len(), per_host)) {
        None => Some(amount),
        Some((cause, _)) => {
            let help = format!("add hosts, or write how many under this service: `{name}: …`");
            reader.push(Finding::error(span, cause).help(help));
            None
        }
    }
}

/// The number of a role if nobody says another: its default, or as many as the hosts allow.
#[must_use]
pub fn suggested(count: &Count, hosts: usize) -> Option<u16> {
    let Count::Key { default, odd, .. } = count else {
        return None;
    };
    let fits = (*default)?.min(u16::try_from(hosts).unwrap_or(u16::MAX));
    let is_even = *odd && fits.is_multiple_of(2);
    Some(fits.saturating_sub(u16::from(is_even)))
}
