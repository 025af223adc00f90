//! Replicas of brokers that start empty: they come back by themselves, at a limited speed where that is wanted.

use std::collections::BTreeMap;

use super::ask::{Known, bytes_of, known, problem};
use super::look::moving;
use super::{Batch, Change, by_topic, partitions, size};
use crate::driver::{Call, Refilling};
use crate::event::Problem;
use crate::id::InstanceId;
use crate::kafka::driver::{client, numbers, resource};
use crate::kafka::spread::{Broker, Moved, room};
use crate::plan::{Member, ResourceChange};

/// What brings back the replicas of these members: the limits that have to be on before they start, then the wait
/// until all is whole, as long as anything goes on, which also takes the limits off.
///
/// # Errors
/// When the cluster does not answer.
pub async fn refill(
    call: Call<'_>,
    members: &[&Member],
    free: &BTreeMap<InstanceId, u64>,
    throttle: Option<u64>,
) -> Result<Refilling, Problem> {
    let known = known(&client(call)).await?;
    let ids = numbers(members.iter().copied());
    let moves = missing(&known, &ids);
    if moves.is_empty() {
        return Ok(Refilling::default());
    }
    let of_member = |member: &&Member| {
        Some(Broker {
            id: numbers(std::iter::once(*member)).pop()?,
            unit: None,
            leaving: false,
            free: free.get(&member.id).copied(),
        })
    };
    let brokers: Vec<Broker> = members.iter().filter_map(of_member).collect();
    let obstacles = room(&brokers, &lacking(&known, &moves));
    if !obstacles.is_empty() {
        return Err(problem(&obstacles));
    }
    let settle = Change::Settle {
        partitions: by_topic(moves.iter()),
    };
    let batch = Batch::new(moves, throttle);
    let limit = batch.throttle.clone().map(|mut limit| {
        // They can't be told before they run.
        limit.brokers.retain(|id| !ids.contains(id));
        Change::Limit(limit)
    });
    let told = told(call, batch);
    Ok(Refilling {
        first: limit.iter().map(|limit| limit.resource(call)).collect(),
        then: vec![told, settle.resource(call)],
    })
}

/// The bytes that each broker lacks of what is moved to it: in a run that goes on, some have come already.
fn lacking(known: &Known, moves: &[Moved]) -> BTreeMap<i32, u64> {
    let mut lacking: BTreeMap<i32, u64> = BTreeMap::new();
    for moved in moves {
        for id in moved.added() {
            let has = known.held(id, (&moved.topic, moved.index));
            *lacking.entry(id).or_default() += moved.bytes.saturating_sub(has);
        }
    }
    lacking
}

/// The replicas of these brokers, as moves to where they are: from the others alone.
fn missing(known: &Known, ids: &[i32]) -> Vec<Moved> {
    let (bytes, under_way) = (bytes_of(known), moving(&known.under_way));
    let mut moves = Vec::new();
    for (topic, p) in known.metadata.partitions() {
        let move_of = under_way.get(&(topic, p.index));
        let to = move_of.map_or_else(|| p.replicas.clone(), |r| r.target());
        if to.iter().any(|id| ids.contains(id)) {
            moves.push(Moved {
                topic: topic.to_owned(),
                index: p.index,
                from: to.iter().copied().filter(|id| !ids.contains(id)).collect(),
                to,
                bytes: bytes.get(&(topic, p.index)).copied().unwrap_or(0),
            });
        }
    }
    moves
}

fn told(call: Call<'_>, batch: Batch) -> ResourceChange {
    let limit = batch.throttle.as_ref();
    let limit = limit.map_or_else(String::new, |t| format!(", at most {}/s", size(t.rate)));
    let text = format!(
        "wait for all copies of {} to be back, {}{limit}",
        partitions(batch.moves.len()),
        size(batch.copied())
    );
    let change = serde_json::json!({ super::SPREAD: Change::Move(batch) });
    resource(call.service, call.action, (text, change))
}
