//! Reads `ssh:` and `hosts:`.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use indexmap::IndexMap;

use crate::id::HostName;

use super::address;
use super::finding::Finding;
use super::model::{Connection, Host};
use super::nearest::{did_you_mean, nearest, shown};
use super::reader::{Reader, written};
use super::seen::{Named, Seen};
use super::ssh::{self, Ssh};
use super::tree::{Entry, Node, Span, Value};
use super::words;

/// The hosts, by name, in the order written.
pub(super) type Hosts = IndexMap<HostName, Host>;

/// What one host says.
#[derive(Default)]
struct Draft<'n> {
    address: Option<(&'n str, Span)>,
    /// Whether an address was given, be it a good one or not.
    addressed: bool,
    local: bool,
    rack: Option<String>,
    memory_mb: Option<u64>,
    root: Option<(PathBuf, Span)>,
    ssh: Option<(Ssh, Span)>,
}

/// Reads the hosts. One that is written wrongly is in the answer too, so that its name is known.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Hosts {
    let common = root
        .entry("ssh")
        .map(|entry| ssh::read(reader, &entry.node, "`ssh`", words::SSH));
    let mut hosts = Hosts::new();
    let Some(all) = root.entry("hosts") else {
        let help = "add `hosts:` with a line such as `pi1: pi1.local` for each";
        reader.push(Finding::error(root.place(&[]), "the inventory has no `hosts`").help(help));
        return hosts;
    };
    let entries = match &all.node.value {
        Value::Null => &[],
        _ => reader.map(&all.node, "`hosts`"),
    };
    if entries.is_empty() && matches!(all.node.value, Value::Null | Value::Map(_)) {
        let help = "add a line such as `pi1: pi1.local` for each host";
        reader.push(Finding::error(all.key_span, "there are no hosts").help(help));
    }
    let mut seen = Seen::default();
    let mut locals = 0;
    for entry in entries {
        let Some(name) = host_name(reader, entry) else {
            continue;
        };
        let draft = draft(reader, entry);
        if draft.local {
            locals += 1;
        }
        let host = finish(
            reader,
            &mut seen,
            (&name, entry.key_span),
            draft,
            (locals, common.as_ref()),
        );
        hosts.insert(name, host);
    }
    if let Some(entry) = root
        .entry("ssh")
        .filter(|_| locals > 0 && locals as usize == entries.len())
    {
        let finding =
            Finding::warning(entry.key_span, "no host is reached over SSH").help("remove `ssh`");
        reader.push(finding);
    }
    hosts
}

fn host_name(reader: &mut Reader<'_>, entry: &Entry) -> Option<HostName> {
    let bad = |_| {
        Finding::error(entry.key_span, format!("{} is not a name for a host", shown(&entry.key)))
            .help("use 1 to 63 lower-case letters, digits and inner dashes, beginning with a letter; its address may differ")
    };
    entry
        .key
        .parse()
        .map_err(|error| reader.push(bad(error)))
        .ok()
}

fn draft<'n>(reader: &mut Reader<'_>, entry: &'n Entry) -> Draft<'n> {
    let mut draft = Draft::default();
    let what = format!("host `{}`", entry.key);
    if let Value::Scalar(_) = entry.node.value {
        draft.address = address(reader, &entry.node);
        draft.addressed = true;
        return draft;
    }
    if entry.node.value == Value::Null {
        let finding = Finding::error(entry.key_span, format!("{what} has no address")).help(
            format!("write `{0}: {0}.local`, or its IP address", entry.key),
        );
        reader.push(finding);
        draft.addressed = true;
        return draft;
    }
    // What is no map, or holds a misspelt `address`, has its finding: one more about the address would only distract.
    let misspelt = |entry: &Entry| nearest(&entry.key, [words::HOST[0].name]).is_some();
    draft.addressed =
        !matches!(entry.node.value, Value::Map(_)) || entry.node.entries().iter().any(misspelt);
    for word in reader.words(&entry.node, &what, words::HOST) {
        let node = &word.node;
        match word.key.as_str() {
            "address" => {
                draft.address = address(reader, node);
                draft.addressed = true;
            }
            "connection" => draft.local = connection(reader, node),
            "rack" => draft.rack = reader.some_text(node, "`rack`").map(str::to_owned),
            "memory" => draft.memory_mb = reader.size(node, "memory"),
            "root" => draft.root = reader.path(node, "`root`").map(|path| (path, node.span)),
            _ => {
                let ssh = ssh::read(reader, node, &format!("`ssh` of {what}"), words::HOST_SSH);
                draft.ssh = Some((ssh, word.key_span));
            }
        }
    }
    draft
}

fn connection(reader: &mut Reader<'_>, node: &Node) -> bool {
    let Some(text) = reader.text(node, "`connection`") else {
        return false;
    };
    if !words::CONNECTIONS.contains(&text) {
        let near = did_you_mean(text, words::CONNECTIONS.iter().copied());
        let help =
            near.unwrap_or_else(|| "write `ssh` (as if nothing were said) or `local`".to_owned());
        reader.push(
            Finding::error(
                node.span,
                format!("there is no connection {}", written(node)),
            )
            .help(help),
        );
    }
    text == "local"
}

fn address<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<(&'n str, Span)> {
    let text = reader.text(node, "the address")?;
    match address::check(text) {
        Ok(()) => Some((text, node.span)),
        Err(bad) => {
            let cause = format!("{} is not an address: {}", written(node), bad.cause);
            reader.push(Finding::error(node.span, cause).help(bad.help));
            None
        }
    }
}

fn finish(
    reader: &mut Reader<'_>,
    seen: &mut Seen,
    named: Named<'_>,
    draft: Draft<'_>,
    (locals, common): (u32, Option<&Ssh>),
) -> Host {
    let (name, span) = named;
    let given = draft.address;
    let address = if draft.local {
        local_address(reader, given).unwrap_or_else(|| address::nth_loopback(locals))
    } else {
        if !draft.addressed {
            let help = format!("add `address: {name}.local`, or its IP address");
            reader.push(Finding::error(span, format!("host `{name}` has no address")).help(help));
        }
        given.map(|(text, _)| text.to_owned()).unwrap_or_default()
    };
    if given.is_some() || draft.local {
        seen.address(
            reader,
            (name, given.map_or(span, |(_, span)| span)),
            &address,
        );
    }
    let connection = if draft.local {
        local(reader, seen, named, &draft)
    } else {
        over_ssh(reader, &draft, common)
    };
    Host {
        name: name.clone(),
        address,
        connection,
        rack: draft.rack,
        memory_mb: draft.memory_mb,
        leaving: false,
    }
}

fn local_address(reader: &mut Reader<'_>, given: Option<(&str, Span)>) -> Option<String> {
    let (text, span) = given?;
    let number = text.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_loopback);
    if number.is_none() {
        let finding = Finding::error(
            span,
            format!(
                "a local host has an address of this machine, not {}",
                shown(text)
            ),
        )
        .help("use one of 127.0.0.0/8, such as `127.0.0.2`, or leave it out");
        reader.push(finding);
    }
    Some(text.to_owned())
}

fn local(
    reader: &mut Reader<'_>,
    seen: &mut Seen,
    (name, _): Named<'_>,
    draft: &Draft<'_>,
) -> Connection {
    if let Some((_, span)) = &draft.ssh {
        let finding = Finding::error(
            *span,
            format!("host `{name}` is local, so `ssh` has no meaning"),
        )
        .help("remove `ssh`, or remove `connection: local`");
        reader.push(finding);
    }
    let root = draft.root.as_ref();
    if let Some((path, span)) = root {
        if path.parent().is_none() {
            let finding = Finding::error(*span, "the root of a local host cannot be `/` itself")
                .help("name a directory of its own, or leave `root` out");
            reader.push(finding);
        }
        seen.root(reader, (name, *span), path);
    }
    Connection::Local {
        root: root.map(|(path, _)| path.clone()),
    }
}

fn over_ssh(reader: &mut Reader<'_>, draft: &Draft<'_>, common: Option<&Ssh>) -> Connection {
    if let Some((_, span)) = &draft.root {
        let finding = Finding::error(*span, "`root` is for local hosts only")
            .help("remove it, or add `connection: local`");
        reader.push(finding);
    }
    let common = common.cloned().unwrap_or_default();
    let own = draft
        .ssh
        .as_ref()
        .map(|(ssh, _)| ssh.clone())
        .unwrap_or_default();
    Connection::Ssh {
        user: own.user.or(common.user),
        port: own.port.or(common.port),
        key: own.key.or(common.key),
        config: common.config,
        kex: common.kex,
        persist: common.persist,
    }
}
