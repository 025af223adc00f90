//! What a cluster's own controllers (KRaft) are asked: who leads, and who has all that the leader has.

use std::sync::Arc;

use futures_util::future::join_all;

use super::driver::{client_of, no_number, numbers, own_id};
use super::quorum::Quorum;
use super::{Endpoint, Error, Result};
use crate::driver::{Answer, Call};
use crate::plan::Member;

/// The name of the port that controllers have.
pub const CONTROLLER: &str = "controller";
/// A voter fetches at least each half second; one that was not up to date for so many milliseconds lags.
/// Twice `controller.quorum.fetch.timeout.ms`, after which a voter gives its leader up: boards are slow.
pub const LAGS: i64 = 4000;

/// The members that are controllers.
pub fn of(call: Call<'_>) -> impl Iterator<Item = &Member> {
    let all = call.view.of_service(call.service);
    all.filter(|member| is_one(member))
}

/// Whether a member is a controller.
pub fn is_one(member: &Member) -> bool {
    member.ports.contains_key(CONTROLLER)
}

/// The quorum, as the active controller tells it; asked once where a look at the cluster shares its answers.
///
/// # Errors
/// When no controller answers that it leads.
pub async fn quorum(call: Call<'_>) -> Result<Quorum> {
    let Some(shared) = call.shared else {
        return ask(call).await;
    };
    let name = format!("{} quorum", call.service);
    let answer = shared.once(&name, async { ask(call).await.map_err(Arc::new) });
    answer.await.map_err(Error::Shared)
}

async fn ask(call: Call<'_>) -> Result<Quorum> {
    let client = client_of(call, std::iter::empty());
    let one = |member: &Member| {
        let port = member.ports.get(CONTROLLER).copied().unwrap_or_default();
        let (client, node) = (&client, Endpoint::new(&member.address, port));
        async move { client.describe_quorum_at(&node).await }
    };
    // One that leaves may lead as long as it has its vote.
    let leaving = call.view.leaving.iter();
    let leaving = leaving.filter(|m| &m.id.service == call.service && is_one(m));
    let all = of(call).chain(leaving);
    let within_reach = all.filter(|member| call.view.reaches(member));
    let (mut led, mut failures) = (Vec::new(), Vec::new());
    for answer in join_all(within_reach.map(one)).await {
        match answer {
            Ok(quorum) if quorum.leader.is_some() => led.push(quorum),
            Ok(_) => {}
            Err(error) => failures.push(error),
        }
    }
    // One that was cut off from the others goes on to lead for a moment.
    if let Some(newest) = led.into_iter().max_by_key(|quorum| quorum.epoch) {
        return Ok(newest);
    }
    // Those that do not lead refuse to answer: of interest is what keeps the others from it.
    match failures
        .into_iter()
        .find(|e| !matches!(e, Error::Refused(_)))
    {
        Some(error) => Err(error),
        None => Err(Error::NoLeader),
    }
}

/// Every controller votes and has all that the leader has.
pub async fn whole(call: Call<'_>) -> Result<Answer> {
    let quorum = quorum(call).await?;
    let lagging = lagging(&quorum, numbers(of(call)));
    Ok(if lagging.is_empty() {
        Answer::Yes(Some(format!("{} voters", quorum.voters.len())))
    } else {
        Answer::NotYet(lagging.join("; "))
    })
}

/// The member votes and has all that the leader has.
pub async fn in_sync(call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let lagging = lagging(&quorum(call).await?, vec![id]);
    Ok(match lagging.into_iter().next() {
        None => Answer::Yes(Some("in sync".to_owned())),
        Some(why) => Answer::NotYet(why),
    })
}

/// The others are a majority and have all that the leader has: an empty one can help to elect no leader that
/// lacks what was committed.
pub async fn replaceable(call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let others: Vec<i32> = numbers(of(call)).into_iter().filter(|n| *n != id).collect();
    if others.len() < 2 {
        let why = "no other controllers are a majority without it: starting it empty would lose the cluster's metadata";
        return Ok(Answer::Broken(why.to_owned()));
    }
    let lagging = lagging(&quorum(call).await?, others);
    Ok(if lagging.is_empty() {
        Answer::Yes(None)
    } else {
        Answer::NotYet(lagging.join("; "))
    })
}

/// The others are a majority and have all that the leader has: they go on without it.
///
/// # Errors
/// When no controller answers that it leads.
pub async fn others(call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let all = numbers(of(call));
    let others: Vec<i32> = all.iter().copied().filter(|n| *n != id).collect();
    if others.len() <= all.len() / 2 {
        return Ok(Answer::NotYet(
            "the other controllers are no majority".to_owned(),
        ));
    }
    let lagging = lagging(&quorum(call).await?, others);
    Ok(if lagging.is_empty() {
        Answer::Yes(None)
    } else {
        Answer::NotYet(lagging.join("; "))
    })
}

/// Why these controllers do not vote, or do not have all that the leader has.
pub fn lagging(quorum: &Quorum, ids: Vec<i32>) -> Vec<String> {
    let why = |id: i32| match quorum.behind(id) {
        Some(ms) if ms <= LAGS => None,
        Some(ms) => Some(format!("controller {id} lags by {} s", ms / 1000)),
        None => Some(format!(
            "controller {id} does not follow controller {}",
            quorum.leader.unwrap_or(-1)
        )),
    };
    ids.into_iter().filter_map(why).collect()
}

#[cfg(test)]
mod tests {
    use super::super::quorum::Member as Voter;
    use super::*;

    fn voter((id, last_caught_up): (i32, i64)) -> Voter {
        Voter {
            id,
            directory: None,
            log_end: 0,
            last_fetch: last_caught_up,
            last_caught_up,
        }
    }

    #[test]
    fn a_voter_lags_that_has_not_had_all_for_some_time_or_does_not_vote() {
        let voters = [(1, 10_000), (2, 9_500), (3, 5_000), (4, -1)];
        let quorum = Quorum {
            leader: Some(1),
            epoch: 7,
            high_watermark: 0,
            voters: voters.into_iter().map(voter).collect(),
            observers: vec![voter((5, 10_000))],
        };
        assert_eq!(
            lagging(&quorum, vec![1, 2, 3, 4, 5]),
            [
                "controller 3 lags by 5 s",
                "controller 4 does not follow controller 1",
                "controller 5 does not follow controller 1",
            ]
        );
    }
}
