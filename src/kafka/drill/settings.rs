//! The settings of a drill's topic: without them a lost message would prove nothing, or nothing could be lost.

use std::collections::BTreeMap;

use super::super::config::Resource;
use super::super::{Client, NewTopic, Result};

/// What the topic is made with, and must have as the broker tells it.
#[must_use]
pub fn wanted(replication: usize) -> BTreeMap<String, String> {
    // With one copy there is nobody else to wait for.
    let min_isr = if replication > 1 { "2" } else { "1" };
    [
        ("min.insync.replicas", min_isr),
        ("unclean.leader.election.enable", "false"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("cleanup.policy", "delete"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// What lets a topic lose messages that it acknowledged: one copy in sync is enough, and one that is not may lead.
#[must_use]
pub fn losing() -> BTreeMap<String, String> {
    [
        ("min.insync.replicas", "1"),
        ("unclean.leader.election.enable", "true"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// A drill's topic, to be made.
#[must_use]
pub fn topic(name: &str, partitions: i32, replication: i16) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        partitions,
        replication,
        config: wanted(usize::try_from(replication).unwrap_or(1)),
        ..NewTopic::default()
    }
}

/// What the topic has, as a broker tells it: its own settings and what shows through from below.
///
/// # Errors
/// When no broker answers.
pub async fn in_force(client: &Client, topic: &str) -> Result<BTreeMap<String, String>> {
    let of = [Resource::Topic(topic.to_owned())];
    let configs = client.describe_configs(&of, &[]).await?;
    let entries = configs.into_values().flatten();
    Ok(entries
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect())
}

/// Settings that differ from what a drill needs, in words. More copies in sync than asked for are welcome.
#[must_use]
pub fn unfit(have: &BTreeMap<String, String>, replication: usize) -> Vec<String> {
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    let fits = |key: &str, value: &str, wanted: &str| match key {
        "min.insync.replicas" => number(value) >= number(wanted),
        _ => value == wanted,
    };
    let mut wrong = Vec::new();
    for (key, wanted) in wanted(replication) {
        match have.get(&key) {
            Some(value) if fits(&key, value, &wanted) => {}
            Some(value) => wrong.push(format!("{key} is {value} on the topic, not {wanted}")),
            None => wrong.push(format!("the broker does not tell the topic's {key}")),
        }
    }
    wrong
}
