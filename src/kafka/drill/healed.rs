//! Whether a cluster is whole again: leaders, copies, one controller, and nothing left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::config::{Configs, Resource};
use super::super::driver::expected;
use super::super::moves::{FETCHING, RATES, SENDING};
use super::super::reassign::Reassignment;
use super::super::{Client, Metadata, Result, controllers, health, probe};
use crate::driver::Call;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How many partitions are named for one broker's view.
const NAMED: usize = 3;

/// Settings that slow replication down; they are there only while replicas are being moved.
const THROTTLES: [&str; 5] = [
    RATES[0],
    RATES[1],
    "replica.alter.log.dirs.io.max.bytes.per.second",
    SENDING,
    FETCHING,
];

/// A cluster as it was found.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The brokers that there should be.
    pub expected: Vec<i32>,
    /// What each broker that answered believes of the cluster.
    pub views: BTreeMap<i32, Metadata>,
    /// Who each broker says is the controller, or who leads the cluster's own controllers.
    pub controllers: BTreeSet<Option<i32>>,
    /// What is amiss with the cluster's own controllers.
    pub quorum: Option<String>,
    /// What is being moved.
    pub moves: Vec<Reassignment>,
    /// The settings of topics and brokers.
    pub configs: Configs,
    /// When it was found, in seconds since 1970.
    pub now: u64,
}

/// All that keeps the cluster from being whole. Pure.
#[must_use]
pub fn judge(state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    for id in &state.expected {
        match state.views.get(id) {
            None => wrong.push(format!("broker {id} does not answer")),
            Some(view) => wrong.extend(seen_by(*id, view, &state.expected)),
        }
    }
    wrong.extend(controller(state));
    wrong.extend(state.quorum.clone());
    wrong.extend(state.moves.iter().map(|m| {
        let (topic, index) = (&m.topic, m.partition);
        format!("{topic}-{index} is still being moved")
    }));
    wrong.extend(throttles(&state.configs));
    wrong.extend(leftovers(state));
    wrong
}

fn seen_by(id: i32, view: &Metadata, expected: &[i32]) -> Vec<String> {
    let mut wrong: Vec<String> = expected
        .iter()
        .filter(|other| view.broker(**other).is_none())
        .map(|other| format!("broker {other} is not registered, as broker {id} sees it"))
        .collect();
    let blocked = health::isr_gate(view, id);
    if !blocked.is_empty() {
        let first: Vec<String> = blocked
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        wrong.push(format!(
            "{} partitions are not in sync, as broker {id} sees it: {}",
            blocked.len(),
            first.join("; ")
        ));
    }
    wrong
}

fn controller(state: &State) -> Option<String> {
    let all: Vec<String> = state
        .controllers
        .iter()
        .map(|id| id.map_or_else(|| "none".to_owned(), |id| id.to_string()))
        .collect();
    let one = state.controllers.len() == 1 && !state.controllers.contains(&None);
    (!one).then(|| format!("there is not one controller: {}", all.join(", ")))
}

/// Throttles that somebody has set while the cluster runs; what a file says was there before.
fn throttles(configs: &Configs) -> Vec<String> {
    let mut wrong = Vec::new();
    for (resource, entries) in configs {
        let set = entries.iter().filter(|e| {
            let value = e.value.as_deref().unwrap_or_default();
            THROTTLES.contains(&e.name.as_str()) && e.source.is_dynamic() && !value.is_empty()
        });
        wrong.extend(set.map(|e| {
            let value = e.value.as_deref().unwrap_or_default();
            format!(
                "a throttle is left: {resource}: {} = {value} ({})",
                e.name, e.source
            )
        }));
    }
    wrong
}

/// Topics of probes that were never taken away. A younger one may be under way, or is of a run that was killed: the next
/// probe takes it away once it is old enough, so it has the same time again to be made.
fn leftovers(state: &State) -> Vec<String> {
    let views = state.views.values();
    let names: BTreeSet<&str> = views
        .flat_map(|view| probe::leftovers(view, state.now, 2 * probe::LEFTOVER_AGE))
        .collect();
    let left = names.into_iter();
    left.map(|name| format!("the probe topic {name} is left"))
        .collect()
}

/// Asks every broker, the controllers, and for all settings.
///
/// # Errors
/// When no broker answers.
pub async fn look(call: Call<'_>, client: &Client) -> Result<State> {
    let metadata = client.metadata().await?;
    let mut state = State {
        expected: expected(call),
        moves: client.list_reassignments().await?,
        now: probe::now(),
        ..State::default()
    };
    for broker in &metadata.brokers {
        if let Ok(view) = client.metadata_from(broker.id, None).await {
            state.views.insert(broker.id, view);
        }
    }
    if controllers::of(call).next().is_some() {
        let leader = controllers::quorum(call).await?.leader;
        state.controllers.insert(leader);
        let whole = controllers::whole(call).await?;
        state.quorum = whole.why().map(str::to_owned);
    } else {
        state.controllers = state.views.values().map(|view| view.controller).collect();
    }
    let topics = metadata
        .topics
        .iter()
        .map(|t| Resource::Topic(t.name.clone()));
    // Only those that answer: that another does not is told of by itself.
    let answering = state.views.keys().map(|id| Resource::Broker(*id));
    let all: Vec<Resource> = topics.chain(answering).collect();
    state.configs = client.describe_configs(&all, &[]).await?;
    Ok(state)
}

/// Looks until the cluster is whole, at most for `within`: how long it took, or what is still wrong.
pub async fn wait(
    call: Call<'_>,
    client: &Client,
    within: Duration,
) -> std::result::Result<Duration, Vec<String>> {
    let start = Instant::now();
    loop {
        let wrong = match look(call, client).await {
            Ok(state) => judge(&state),
            Err(error) => vec![format!("the cluster does not answer: {error}")],
        };
        if wrong.is_empty() {
            return Ok(start.elapsed());
        }
        if start.elapsed() >= within {
            let told = |why: String| format!("not healed: {why}");
            return Err(wrong.into_iter().map(told).collect());
        }
        sleep(PAUSE).await;
    }
}
