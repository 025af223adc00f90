//! Reads `topics:`, and checks them against the service that keeps them.

use std::collections::BTreeMap;

use crate::catalogue::{Catalogue, Folder};
use crate::id::ServiceName;

use super::config::{self, Keys};
use super::finding::Finding;
use super::model::Topic;
use super::nearest::shown;
use super::reader::Reader;
use super::services::Services;
use super::tree::{Entry, Node, Value};
use super::words;

/// The file of a service's folder that lists the settings a topic may have, one a line.
const KNOWN: &str = "topic-config.txt";
/// The copies of a topic that says nothing, if there are enough servers.
const COPIES: u16 = 3;
/// The topic setting that says how many copies must be in sync for a write to be taken.
const MIN_IN_SYNC: &str = "min.insync.replicas";

/// The service that keeps topics: what is needed of it.
struct Keeper<'a> {
    name: &'a ServiceName,
    folder: &'a Folder,
    /// The word that counts its servers, and how many there are, where that is known.
    servers: Option<(String, u16)>,
}

/// Reads the topics.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Node,
    services: &Services,
) -> BTreeMap<String, Topic> {
    let mut topics = BTreeMap::new();
    let Some(all) = root.entry("topics") else {
        return topics;
    };
    let entries = match &all.node.value {
        Value::Null => &[],
        _ => reader.map(&all.node, "`topics`"),
    };
    let catalogue = reader.context.catalogue;
    let keeper = keeper(catalogue, services);
    if keeper.is_none() {
        no_keeper(reader, catalogue, root, all);
    }
    let mut seen: BTreeMap<String, &Entry> = BTreeMap::new();
    for entry in entries {
        if !good_name(reader, entry) {
            continue;
        }
        let alike = entry.key.replace('.', "_");
        if let Some(other) = seen.get(&alike) {
            let cause = format!(
                "topics `{}` and `{}` differ only in `.` and `_`, which their metrics do not tell apart",
                other.key, entry.key
            );
            let finding = Finding::error(entry.key_span, cause)
                .also(other.key_span, "the other one")
                .help("name one of them differently");
            reader.push(finding);
        }
        seen.insert(alike, entry);
        if let Some(topic) = topic(reader, entry, keeper.as_ref(), root) {
            topics.insert(entry.key.clone(), topic);
        }
    }
    topics
}

fn keeper<'a>(catalogue: &'a Catalogue, services: &'a Services) -> Option<Keeper<'a>> {
    let keeps = |name: &'a ServiceName| {
        catalogue
            .get(name)
            .filter(|folder| folder.descriptor.topics.is_some())
            .map(|folder| (name, folder))
    };
    let (name, folder) = services.keys().find_map(keeps)?;
    // Roles are in starting order: those that serve clients come last.
    let service = services.get(name)?;
    let (role, spec) = folder.descriptor.roles_with(&service.settings).last()?;
    let servers = service
        .roles
        .get(role)
        .map(|amount| amount.instances(spec.most(service.per_host)))
        .map(|n| u16::try_from(n).unwrap_or(u16::MAX));
    let word = spec.count.key().unwrap_or("on").to_owned();
    Some(Keeper {
        name,
        folder,
        servers: servers.map(|n| (word, n)),
    })
}

fn no_keeper(reader: &mut Reader<'_>, catalogue: &Catalogue, root: &Node, all: &Entry) {
    let able = catalogue
        .iter()
        .filter(|(_, folder)| folder.descriptor.topics.is_some());
    let able: Vec<_> = able.map(|(name, _)| name).collect();
    let written = |name: &ServiceName| root.find(&["services", name.as_str()]).is_some();
    if able.iter().any(|name| written(name)) {
        return;
    }
    let help = able.first().map_or_else(
        || "remove `topics`".to_owned(),
        |name| format!("add `{name}: {{}}` under `services`, or remove `topics`"),
    );
    let cause = "no service of this inventory keeps topics";
    reader.push(Finding::error(all.key_span, cause).help(help));
}

fn good_name(reader: &mut Reader<'_>, entry: &Entry) -> bool {
    let name = &entry.key;
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let (cause, help) = if name.starts_with("__") {
        (
            format!("topic {} belongs to the service itself", shown(name)),
            "name your topics without `__` at the beginning",
        )
    } else if name.is_empty()
        || name.len() > 249
        || name == "."
        || name == ".."
        || !name.chars().all(inner)
    {
        (
            format!("{} is not a name for a topic", shown(name)),
            "use 1 to 249 letters, digits, dots, dashes and underscores",
        )
    } else {
        return true;
    };
    reader.push(Finding::error(entry.key_span, cause).help(help));
    false
}

fn topic(
    reader: &mut Reader<'_>,
    entry: &Entry,
    keeper: Option<&Keeper<'_>>,
    root: &Node,
) -> Option<Topic> {
    let what = format!("topic `{}`", entry.key);
    let servers = keeper.and_then(|keeper| keeper.servers.as_ref());
    let default = servers.map_or(COPIES, |(_, n)| COPIES.min(*n)).max(1);
    let mut topic = Topic {
        partitions: 1,
        replication: i16::try_from(default).ok()?,
        config: BTreeMap::new(),
    };
    if entry.node.value == Value::Null {
        return Some(topic);
    }
    let mut good = true;
    for word in reader.words(&entry.node, &what, words::TOPIC) {
        let node = &word.node;
        match (word.key.as_str(), bounds(&word.key)) {
            ("partitions", Some((from, to))) => match reader.number(node, "partitions", from, to) {
                Some(n) => topic.partitions = i32::try_from(n).ok()?,
                None => good = false,
            },
            ("replication", Some((from, to))) => match reader.number(node, "replication", from, to)
            {
                Some(n) => topic.replication = i16::try_from(n).ok()?,
                None => good = false,
            },
            _ => {
                let owner = format!(
                    "a topic of `{}`",
                    keeper.map_or("…", |keeper| keeper.name.as_str())
                );
                let known = keeper.and_then(|keeper| keeper.folder.file(KNOWN));
                topic.config = config::read(
                    reader,
                    node,
                    &Keys {
                        owner: &owner,
                        known,
                        reserved: None,
                    },
                );
            }
        }
    }
    if good {
        check_copies(reader, entry, (&topic, keeper), root);
    }
    Some(topic)
}

fn bounds(word: &str) -> Option<(i64, i64)> {
    words::TOPIC
        .iter()
        .find(|known| known.name == word)
        .and_then(|known| match known.takes {
            words::Takes::Number(from, to) => Some((from, to)),
            _ => None,
        })
}

fn check_copies(
    reader: &mut Reader<'_>,
    entry: &Entry,
    (topic, keeper): (&Topic, Option<&Keeper<'_>>),
    root: &Node,
) {
    let copies = topic.replication.unsigned_abs();
    if let Some((word, n)) = keeper.and_then(|keeper| keeper.servers.as_ref())
        && let Some(keeper) = keeper
        && copies > *n
    {
        let span = entry
            .node
            .entry("replication")
            .map_or(entry.key_span, Entry::place);
        let service = root.place(&["services", keeper.name.as_str(), word]);
        let cause = format!(
            "topic `{}` wants {copies} copies, and `{}` has {n} of `{word}`",
            entry.key, keeper.name
        );
        let finding = Finding::error(span, cause)
            .also(service, format!("{n} here"))
            .help(format!("write `replication: {n}`, or raise `{word}`"));
        reader.push(finding);
    }
    let given = entry
        .node
        .entry("config")
        .and_then(|config| config.node.entry(MIN_IN_SYNC));
    let wanted = topic
        .config
        .get(MIN_IN_SYNC)
        .and_then(|text| text.parse::<u16>().ok());
    let (Some(given), Some(wanted)) = (given, wanted) else {
        return;
    };
    if wanted > copies {
        let cause = format!(
            "writes need {wanted} copies in sync, and topic `{}` has {copies}: none would be taken",
            entry.key
        );
        let finding = Finding::error(given.place(), cause).help(format!(
            "write a number below {copies}, or raise `replication`"
        ));
        reader.push(finding);
    } else if wanted == copies && copies > 1 {
        let cause = format!(
            "writes to topic `{}` stop when any one of its {copies} copies is down",
            entry.key
        );
        let finding = Finding::warning(given.place(), cause)
            .help(format!("write {}, or raise `replication`", copies - 1));
        reader.push(finding);
    }
}
