//! What must hold before a broker is stopped, and after it was started.

use futures_util::future::join_all;

use super::controllers;
use super::driver::{LISTED, NAMED, expected, is_broker, no_number, numbers, own_client, own_id};
use super::health::{self, Readiness};
use super::{Client, Metadata, Result};
use crate::driver::{Answer, Call};
use crate::words::first;

/// Every expected broker is registered and answers, and every partition has a leader and all its replicas
/// in sync. A last ISR member that died stays listed, so the brokers themselves are asked as well.
pub async fn whole(client: &Client, call: Call<'_>) -> Result<Answer> {
    let metadata = client.metadata().await?;
    if let Some(missing) = missing(&metadata, call) {
        return Ok(Answer::NotYet(missing));
    }
    let blocked = health::isr_gate(&metadata, own_id(call).unwrap_or(-1));
    if let Some(why) = not_in_sync(&blocked) {
        return Ok(Answer::NotYet(why));
    }
    if let Some(why) = silent(client, expected(call)).await {
        return Ok(Answer::NotYet(why));
    }
    Ok(Answer::Yes(Some(format!(
        "{} partitions in sync",
        metadata.partitions().count()
    ))))
}

/// What of a gate that is shut is told.
fn not_in_sync(blocked: &[health::Blocked]) -> Option<String> {
    let named = first(blocked.iter().map(ToString::to_string), NAMED, "; ");
    (!blocked.is_empty()).then(|| format!("not in sync: {named}"))
}

/// The first of these brokers that does not answer itself.
async fn silent(client: &Client, ids: impl IntoIterator<Item = i32>) -> Option<String> {
    let asked = ids.into_iter().map(async |id| {
        let error = client.metadata_from(id, Some(&[])).await.err()?;
        Some(format!("broker {id} does not answer: {error}"))
    });
    join_all(asked).await.into_iter().flatten().next()
}

/// The broker answers itself, and knows of itself that it is registered.
pub async fn serves(call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let own = own_client(call).metadata_of(&[]).await?;
    Ok(match own.broker(id) {
        Some(_) => Answer::Yes(None),
        None => Answer::NotYet("it is not registered".to_owned()),
    })
}

/// Enough stays in sync for acks=all when this broker stops, together with those beside it.
pub async fn min_isr(client: &Client, call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let beside = numbers(call.beside.iter().copied());
    let metadata = client.metadata().await?;
    let stays = |broker: &i32| *broker != id && !beside.contains(broker);
    let others = metadata.brokers.iter().map(|b| b.id).filter(stays);
    // A replica of one that died a moment ago is still listed.
    let asked = others.map(async |broker| {
        let answer = client.metadata_from(broker, Some(&[])).await;
        answer.is_ok().then_some(broker)
    });
    let live = join_all(asked).await.into_iter().flatten().collect();
    let least = client.min_isr(&metadata).await?;
    let short = health::short_without(&metadata, &least, (id, &beside), &live);
    Ok(not_in_sync(&short).map_or(Answer::Yes(None), |why| {
        Answer::NotYet(format!("too few in sync without it: {why}"))
    }))
}

/// The others lose nothing when this broker stops, which serves nobody.
pub async fn others(client: &Client, call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let metadata = client.metadata().await?;
    let (blocked, counted_on) = health::leaned_on(&metadata, id);
    let why = match not_in_sync(&blocked) {
        Some(why) => Some(why),
        None => silent(client, counted_on).await,
    };
    Ok(why.map_or(Answer::Yes(None), Answer::NotYet))
}

fn missing(metadata: &Metadata, call: Call<'_>) -> Option<String> {
    let gone: Vec<String> = expected(call)
        .into_iter()
        .filter(|id| metadata.broker(*id).is_none())
        .map(|id| id.to_string())
        .collect();
    (!gone.is_empty()).then(|| format!("not registered: broker {}", gone.join(", ")))
}

pub async fn in_sync(call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    if call.member.is_some_and(controllers::is_one) {
        let voter = controllers::in_sync(call).await?;
        if !voter.is_yes() || !call.member.is_some_and(is_broker) {
            return Ok(voter);
        }
    }
    // Asked of the broker itself: that it answers is part of the question.
    let own = own_client(call).metadata().await?;
    Ok(match health::ready(&own, id) {
        Readiness::Ready => Answer::Yes(None),
        Readiness::Unregistered => Answer::NotYet("it is not registered".to_owned()),
        Readiness::CatchingUp(behind) => {
            let first = behind.first().map(ToString::to_string).unwrap_or_default();
            Answer::NotYet(format!(
                "catching up with {} partitions: {first}",
                behind.len()
            ))
        }
    })
}

/// Every partition that the broker holds has a copy in sync on another broker that lives: without it, the
/// empty one would lead and the others would follow it into nothing.
pub async fn replaceable(client: &Client, call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    if call.member.is_some_and(controllers::is_one) {
        let voter = controllers::replaceable(call).await?;
        if !voter.is_yes() || !call.member.is_some_and(is_broker) {
            return Ok(voter);
        }
    }
    let metadata = client.metadata().await?;
    let alone = health::only_copy(&metadata, id);
    if !alone.is_empty() {
        return Ok(Answer::Broken(format!(
            "no other broker that lives is in sync with {}: broker {id} may have had the only whole copy, and starting it empty would lose what is in no other",
            named(&alone)
        )));
    }
    // One that died a moment ago is still listed: it must not be elected by that once it is back and empty.
    let mut listed = metadata.partitions().filter(|(_, p)| p.isr.contains(&id));
    Ok(match listed.next() {
        None => Answer::Yes(None),
        Some((topic, p)) => Answer::NotYet(format!(
            "broker {id} is still listed as in sync with {topic}-{}",
            p.index
        )),
    })
}

/// Partitions as people read them: all of them, up to a number that fits a screen.
fn named(partitions: &[health::PartitionState]) -> String {
    let name = |p: &health::PartitionState| format!("{}-{}", p.topic, p.partition.index);
    first(partitions.iter().map(name), LISTED, ", ")
}
