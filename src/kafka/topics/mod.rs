//! Topics as the inventory wants them, compared with those that are there.

mod apply;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use apply::{apply, existing};
pub use value::same;

use super::config::{Configs, Entry, FEW, MIN_ISR, Resource, Source};
use super::metadata::{Metadata, Topic};

/// These are set by tools while replicas move, and are theirs to remove.
const THROTTLES: &str = ".replication.throttled.replicas";

/// A topic as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many copies of each.
    pub replication: i16,
    /// The settings that the inventory names.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// What happens to settings that someone once gave a topic and the inventory does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Leftovers {
    /// They stay, and are told of.
    #[default]
    Report,
    /// They are removed.
    Remove,
}

/// One step towards the wanted topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TopicChange {
    /// The topic is not there.
    Create(TopicSpec),
    /// No broker could tell yet: it is compared when one can, and then brought about.
    Ensure(TopicSpec),
    /// It has too few partitions.
    AddPartitions {
        /// The topic.
        topic: String,
        /// How many it has.
        from: i32,
        /// How many it should have.
        to: i32,
    },
    /// It has another number of copies: they are made or dropped (KIP-455).
    Copies {
        /// The topic.
        topic: String,
        /// How many it has.
        from: usize,
        /// How many it should have.
        to: u16,
    },
    /// A setting is not as it should be.
    SetConfig {
        /// The topic.
        topic: String,
        /// The setting.
        key: String,
        /// What it is now, and where that comes from.
        from: Option<(String, Source)>,
        /// What it should be.
        to: String,
    },
    /// A setting that the inventory does not name is taken away, so that the brokers' own shows through.
    RemoveConfig {
        /// The topic.
        topic: String,
        /// The setting.
        key: String,
        /// What it is now.
        from: String,
    },
    /// A setting that the inventory does not name, left alone. Not a change.
    Leftover {
        /// The topic.
        topic: String,
        /// The setting.
        key: String,
        /// What it is.
        value: String,
    },
    /// A wish that cannot be met this way. Not a change.
    Refused {
        /// The topic.
        topic: String,
        /// Why not.
        why: Why,
    },
}

/// Why a topic is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Partitions can only grow.
    FewerPartitions {
        /// How many there are.
        from: i32,
        /// How many are wanted.
        to: i32,
    },
}

impl TopicChange {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        match self {
            Self::Create(spec) | Self::Ensure(spec) => &spec.name,
            Self::AddPartitions { topic, .. }
            | Self::Copies { topic, .. }
            | Self::SetConfig { topic, .. }
            | Self::RemoveConfig { topic, .. }
            | Self::Leftover { topic, .. }
            | Self::Refused { topic, .. } => topic,
        }
    }

    /// Whether it is something to do (rather than to tell).
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Leftover { .. } | Self::Refused { .. })
    }
}

impl fmt::Display for TopicChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {}: ", self.topic())?;
        match self {
            Self::Create(spec) => {
                write!(
                    f,
                    "create, partitions {}, copies {}",
                    spec.partitions, spec.replication
                )?;
                spec.config
                    .iter()
                    .try_for_each(|(key, value)| write!(f, ", {key}={value}"))
            }
            Self::Ensure(_) => {
                write!(f, "compare with the inventory once the brokers answer")
            }
            Self::AddPartitions { from, to, .. } => write!(f, "partitions {from} -> {to}"),
            Self::Copies { from, to, .. } => write!(f, "copies {from} -> {to}"),
            Self::SetConfig {
                key,
                from: Some((from, Source::Topic)),
                to,
                ..
            } => {
                write!(f, "{key} {from} -> {to}")
            }
            Self::SetConfig {
                key,
                from: Some((from, source)),
                to,
                ..
            } => {
                write!(f, "{key} {from} ({source}) -> {to}")
            }
            Self::SetConfig {
                key,
                from: None,
                to,
                ..
            } => write!(f, "{key} = {to}"),
            Self::RemoveConfig { key, from, .. } => write!(f, "{key} {from} -> removed"),
            Self::Leftover { key, value, .. } => {
                write!(
                    f,
                    "{key}={value} is set on the topic but not in the inventory; left alone"
                )
            }
            Self::Refused { why, .. } => why.fmt(f),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewerPartitions { from, to } => {
                write!(
                    f,
                    "partitions {from} -> {to} is refused: partitions can only grow"
                )
            }
        }
    }
}

/// What is to be done so that the wanted topics are there as wanted. Topics that are not named are not touched.
///
/// A named setting counts as right only when the topic itself has it: a default that happens to be equal
/// changes with the brokers.
pub fn diff(
    wanted: &[TopicSpec],
    metadata: &Metadata,
    configs: &Configs,
    leftovers: Leftovers,
) -> Vec<TopicChange> {
    let mut changes = Vec::new();
    for spec in wanted {
        let Some(topic) = metadata.topic(&spec.name) else {
            changes.push(TopicChange::Create(spec.clone()));
            continue;
        };
        changes.extend(partitions(spec, topic));
        let copies = replication(spec, topic);
        let entries = configs.get(&Resource::Topic(spec.name.clone()));
        let entries = entries.map_or(&[][..], Vec::as_slice);
        let freed = copies.as_ref().and_then(|c| unpinned(spec, c, entries));
        changes.extend(copies);
        changes.extend(freed.clone());
        changes.extend(
            spec.config
                .iter()
                .filter_map(|want| setting(spec, entries, want)),
        );
        let freed = |e: &Entry| matches!(&freed, Some(TopicChange::RemoveConfig { key, .. }) if *key == e.name);
        let extra = entries.iter().filter(|e| is_leftover(spec, e) && !freed(e));
        changes.extend(extra.map(|entry| leftover(spec, entry, leftovers)));
    }
    changes
}

fn partitions(spec: &TopicSpec, topic: &Topic) -> Option<TopicChange> {
    let from = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let (name, to) = (spec.name.clone(), spec.partitions);
    match from.cmp(&to) {
        std::cmp::Ordering::Less => Some(TopicChange::AddPartitions {
            topic: name,
            from,
            to,
        }),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(TopicChange::Refused {
            topic: name,
            why: Why::FewerPartitions { from, to },
        }),
    }
}

fn replication(spec: &TopicSpec, topic: &Topic) -> Option<TopicChange> {
    let to = u16::try_from(spec.replication).unwrap_or(0);
    let (least, most) = topic.replication()?;
    let from = if least == usize::from(to) {
        most
    } else {
        least
    };
    (from != usize::from(to)).then(|| TopicChange::Copies {
        topic: spec.name.clone(),
        from,
        to,
    })
}

/// With few copies a topic has a min ISR of 1 of its own, or nobody could write to it. Where it gets more, that would be
/// less than what others have: it goes with the copies that made it needful, once the new ones are there.
fn unpinned(spec: &TopicSpec, copies: &TopicChange, have: &[Entry]) -> Option<TopicChange> {
    let TopicChange::Copies { from, to, .. } = copies else {
        return None;
    };
    let grows = *from <= FEW && usize::from(*to) > FEW;
    let mut own = have.iter().filter(|e| is_leftover(spec, e));
    let one = own.find(|e| e.name == MIN_ISR && e.value.as_deref() == Some("1"))?;
    grows.then(|| TopicChange::RemoveConfig {
        topic: spec.name.clone(),
        key: one.name.clone(),
        from: "1".to_owned(),
    })
}

fn setting(spec: &TopicSpec, have: &[Entry], (key, to): (&String, &String)) -> Option<TopicChange> {
    let entry = have.iter().find(|e| e.name == *key);
    let from = entry.and_then(|e| Some((e.value.clone()?, e.source)));
    let right = from
        .as_ref()
        .is_some_and(|(v, source)| *source == Source::Topic && same(to, v));
    (!right).then(|| TopicChange::SetConfig {
        topic: spec.name.clone(),
        key: key.clone(),
        from,
        to: to.clone(),
    })
}

fn is_leftover(spec: &TopicSpec, entry: &Entry) -> bool {
    entry.source == Source::Topic
        && !spec.config.contains_key(&entry.name)
        && !entry.name.ends_with(THROTTLES)
}

fn leftover(spec: &TopicSpec, entry: &Entry, how: Leftovers) -> TopicChange {
    let (topic, key) = (spec.name.clone(), entry.name.clone());
    let value = entry.value.clone().unwrap_or_default();
    match how {
        Leftovers::Report => TopicChange::Leftover { topic, key, value },
        Leftovers::Remove => TopicChange::RemoveConfig {
            topic,
            key,
            from: value,
        },
    }
}
