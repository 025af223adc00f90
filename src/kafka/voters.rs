//! Controllers with a vote (KIP-853): who has one, how one gets it, how one gives it up.
//!
//! A change is one voter more or one less, made by the active controller once all others have what it has: the
//! majorities before and after have a member in common. Made twice it finds nothing to do.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_raft_voter_request::Listener;
use kafka_protocol::messages::{AddRaftVoterRequest, RemoveRaftVoterRequest};
use kafka_protocol::protocol::Request;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::client::string;
use super::controllers::{CONTROLLER, LAGS, is_one, lagging, quorum};
use super::driver::{client_of, no_number, numbers, own_id};
use super::error::{Refusal, check};
use super::quorum::{Member as Voter, Quorum};
use super::{Endpoint, Error, Result};
use crate::driver::{Answer, Call, Votes};
use crate::event::Problem;
use crate::id::InstanceId;
use crate::plan::{Member, ResourceChange};

/// The name of the controllers' listener, as the templates have it.
const LISTENER: &str = "CONTROLLER";
/// How long a change may take: another may be under way, one that joins may still catch up.
const CHANGED: Duration = Duration::from_secs(120);
/// How long the active controller may take for one request: it answers once the new list is committed.
const COMMITTED: Duration = Duration::from_secs(30);
/// What is refused because it is done, or because something else has happened since the look.
const BY_NOW: [ResponseError; 3] = [
    ResponseError::DuplicateVoter,
    ResponseError::VoterNotFound,
    ResponseError::InvalidVoterKey,
];
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// A controller gets its vote, or gives it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Which controller.
    member: InstanceId,
    /// Whether it shall vote.
    votes: bool,
}

impl Vote {
    /// The vote in a driver's change, if it is one of these.
    #[must_use]
    pub fn of(change: &ResourceChange) -> Option<Self> {
        serde_json::from_value(change.change.clone()).ok()
    }
}

/// What there is to do on the way to a vote given or taken.
#[derive(Debug, PartialEq)]
enum Next {
    /// Nothing any more.
    Done,
    /// Wait, and why.
    Wait(String),
    /// A voter is added: its id and that of its directory.
    Add(i32, [u8; 16]),
    /// A voter is removed.
    Remove(i32, [u8; 16]),
    /// It would never come to be so.
    Never(String),
}

/// Which of these lack a vote.
///
/// # Errors
/// When no controller answers that it leads.
pub async fn votes(call: Call<'_>, of: &[&Member]) -> Result<Votes> {
    let quorum = quorum(call).await?;
    if is_static(&quorum) {
        let cause = format!(
            "the voters of {} are fixed: they are named in its files and not in its metadata (kraft.version is 0)",
            call.service
        );
        let help = "put the number of controllers back; Kafka 4.1 and newer can have kraft.version=1, by which voters come and go";
        return Ok(Votes::Fixed(Problem::new(cause).help(help)));
    }
    let lacks = |member: &&&Member| {
        let id = numbers(std::iter::once(**member)).into_iter().next();
        id.is_some_and(|id| !has_vote(&quorum, id))
    };
    let lack = of.iter().filter(lacks).map(|member| member.id.clone());
    Ok(Votes::Kept(lack.collect()))
}

/// Whether the voters are those of `controller.quorum.voters`: these have no directories.
fn is_static(quorum: &Quorum) -> bool {
    quorum.voters.iter().all(|voter| voter.directory.is_none())
}

/// Whether a controller votes with the directory that it has: one that was emptied has another since.
fn has_vote(quorum: &Quorum, id: i32) -> bool {
    let voter = quorum.voter(id);
    voter.is_some_and(|voter| replaced(quorum, voter).is_none())
}

/// Who reads in a voter's place under its id.
fn replaced<'a>(quorum: &'a Quorum, voter: &Voter) -> Option<&'a Voter> {
    let (other, _) = quorum.observer(voter.id)?;
    let newer = other.last_fetch > voter.last_fetch && Some(voter.id) != quorum.leader;
    (newer && other.directory != voter.directory).then_some(other)
}

/// The member follows the active controller, with a vote or without, and has all that it has.
pub async fn follows(call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let quorum = quorum(call).await?;
    if lagging(&quorum, vec![id]).is_empty() {
        return Ok(Answer::Yes(Some("it votes".to_owned())));
    }
    Ok(match quorum.observer(id) {
        Some((_, Some(behind))) if behind <= LAGS => Answer::Yes(Some("it follows".to_owned())),
        Some(_) => Answer::NotYet(format!("controller {id} has not caught up yet")),
        None => Answer::NotYet(format!(
            "controller {id} does not follow controller {}",
            quorum.leader.unwrap_or(-1)
        )),
    })
}

/// Gives a vote or takes it, and waits until it is so.
///
/// # Errors
/// When the controllers refuse it, or it is not so in time.
pub async fn change(call: Call<'_>, vote: &Vote) -> Result<()> {
    let member = call.view.member(&vote.member);
    let Some((member, id)) = member.and_then(|m| Some((m, i32::try_from(m.number?).ok()?))) else {
        return Err(Error::Unsafe(format!("{} has no number", vote.member)));
    };
    let (start, mut why) = (Instant::now(), String::new());
    while start.elapsed() < CHANGED {
        let done = match quorum(call).await {
            Ok(quorum) => match next(&quorum, id, vote.votes) {
                Next::Done => return Ok(()),
                Next::Never(why) => return Err(Error::Unsafe(why)),
                Next::Wait(what) => {
                    why = what;
                    Ok(())
                }
                Next::Add(id, directory) => add(call, &quorum, (member, id, directory)).await,
                Next::Remove(id, directory) => remove(call, &quorum, (id, directory)).await,
            },
            Err(error) => Err(error),
        };
        // Who leads may be another by now, and what was asked for may be done: the next look tells.
        match done {
            Ok(()) => {}
            Err(error) if error.is_passing() || error.all_refused_with(&BY_NOW) => {
                why = error.to_string();
            }
            Err(error) => return Err(error),
        }
        sleep(PAUSE).await;
    }
    Err(Error::NotYet {
        what: why,
        after: CHANGED,
    })
}

fn next(quorum: &Quorum, id: i32, votes: bool) -> Next {
    let own = quorum.voter(id);
    if is_static(quorum) {
        return Next::Never("the voters are fixed (kraft.version is 0)".to_owned());
    }
    let done = if votes {
        has_vote(quorum, id)
    } else {
        own.is_none()
    };
    if done {
        return Next::Done;
    }
    let others: Vec<i32> = quorum.voters.iter().map(|voter| voter.id).collect();
    let others: Vec<i32> = others.into_iter().filter(|other| *other != id).collect();
    if others.is_empty() {
        return Next::Never(format!("controller {id} is the only one that votes"));
    }
    if let Some(first) = lagging(quorum, others).into_iter().next() {
        return Next::Wait(first);
    }
    // The vote of one that was emptied goes first.
    if let Some(old) = own {
        let gone = Next::Wait(format!("the directory of controller {id} is not known"));
        return old
            .directory
            .map_or(gone, |directory| Next::Remove(id, directory));
    }
    match quorum.observer(id) {
        Some((new, Some(behind))) if behind <= LAGS => match new.directory {
            Some(directory) => Next::Add(id, directory),
            None => Next::Wait(format!("the directory of controller {id} is not known")),
        },
        Some(_) => Next::Wait(format!("controller {id} has not caught up yet")),
        None => Next::Wait(format!("controller {id} does not follow the others")),
    }
}

async fn add(
    call: Call<'_>,
    quorum: &Quorum,
    (member, id, directory): (&Member, i32, [u8; 16]),
) -> Result<()> {
    let listener = Listener::default()
        .with_name(string(LISTENER))
        .with_host(string(&member.address))
        .with_port(port(member));
    let request = AddRaftVoterRequest::default()
        .with_cluster_id(None)
        .with_timeout_ms(milliseconds(COMMITTED))
        .with_voter_id(id)
        .with_voter_directory_id(uuid::Uuid::from_bytes(directory))
        .with_listeners(vec![listener]);
    let answer = send(call, quorum, &request).await?;
    let what = format!("the vote of controller {id}");
    check([Refusal::of(
        what,
        answer.error_code,
        answer.error_message.as_deref(),
    )])
}

async fn remove(call: Call<'_>, quorum: &Quorum, (id, directory): (i32, [u8; 16])) -> Result<()> {
    let request = RemoveRaftVoterRequest::default()
        .with_cluster_id(None)
        .with_voter_id(id)
        .with_voter_directory_id(uuid::Uuid::from_bytes(directory));
    let answer = send(call, quorum, &request).await?;
    let what = format!("the end of the vote of controller {id}");
    check([Refusal::of(
        what,
        answer.error_code,
        answer.error_message.as_deref(),
    )])
}

/// Sends to the active controller, be it one that leaves.
pub(super) async fn send<R: Request>(
    call: Call<'_>,
    quorum: &Quorum,
    request: &R,
) -> Result<R::Response> {
    let all = call.view.members.iter().chain(&call.view.leaving);
    let mut all = all.filter(|m| &m.id.service == call.service && is_one(m));
    let number = quorum.leader.and_then(|id| u32::try_from(id).ok());
    let leader = all.find(|m| m.number == number).ok_or(Error::NoLeader)?;
    let client = client_of(call, std::iter::empty()).with_timeout(COMMITTED * 2);
    let at = Endpoint::new(&leader.address, port(leader));
    client.send_at(&at, request, i16::MAX).await
}

fn port(member: &Member) -> u16 {
    member.ports.get(CONTROLLER).copied().unwrap_or_default()
}

fn milliseconds(limit: Duration) -> i32 {
    i32::try_from(limit.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader: its id, its directory, and when it last had all; the leader had it at 10,000.
    fn reader((id, directory, caught_up): (i32, u8, i64)) -> Voter {
        Voter {
            id,
            directory: (directory > 0).then_some([directory; 16]),
            log_end: 0,
            last_fetch: caught_up,
            last_caught_up: caught_up,
        }
    }

    fn quorum(voters: &[(i32, u8, i64)], observers: &[(i32, u8, i64)]) -> Quorum {
        Quorum {
            leader: Some(1),
            epoch: 7,
            high_watermark: 0,
            voters: voters.iter().copied().map(reader).collect(),
            observers: observers.iter().copied().map(reader).collect(),
        }
    }

    #[test]
    fn a_vote_is_given_once_all_have_what_the_leader_has() {
        let one = [(1, 1, 10_000)];
        let joins = |observers: &[_]| next(&quorum(&one, observers), 2, true);
        assert_eq!(joins(&[(2, 2, 9_900)]), Next::Add(2, [2; 16]));
        assert!(matches!(joins(&[(2, 2, 1_000)]), Next::Wait(_)), "it lags");
        assert!(
            matches!(joins(&[(2, 2, -1)]), Next::Wait(_)),
            "it never had all"
        );
        assert!(
            matches!(joins(&[(3, 3, 10_000)]), Next::Wait(_)),
            "it is not there"
        );
        let lags = quorum(&[(1, 1, 10_000), (3, 3, 1_000)], &[(2, 2, 10_000)]);
        assert!(matches!(next(&lags, 2, true), Next::Wait(why) if why.contains("controller 3")));
        let there = quorum(&[(1, 1, 10_000), (2, 2, 9_000)], &[]);
        assert_eq!(next(&there, 2, true), Next::Done);
    }

    #[test]
    fn a_vote_is_taken_while_the_others_are_whole_and_never_the_last() {
        let three = quorum(&[(1, 1, 10_000), (2, 2, 9_900), (3, 3, 9_900)], &[]);
        assert_eq!(next(&three, 3, false), Next::Remove(3, [3; 16]));
        assert_eq!(
            next(&three, 1, false),
            Next::Remove(1, [1; 16]),
            "the leader"
        );
        assert_eq!(next(&three, 4, false), Next::Done);
        let dead = quorum(&[(1, 1, 10_000), (2, 2, 1_000), (3, 3, 9_900)], &[]);
        assert_eq!(
            next(&dead, 2, false),
            Next::Remove(2, [2; 16]),
            "the dead one"
        );
        assert!(matches!(next(&dead, 3, false), Next::Wait(why) if why.contains("controller 2")));
        let one = quorum(&[(1, 1, 10_000)], &[]);
        assert!(matches!(next(&one, 1, false), Next::Never(_)));
    }

    #[test]
    fn one_that_was_emptied_gives_its_old_vote_up_before_it_gets_a_new_one() {
        let voters = [(1, 1, 10_000), (2, 2, 2_000), (3, 3, 9_900)];
        let emptied = quorum(&voters, &[(2, 9, 9_900)]);
        assert!(!has_vote(&emptied, 2));
        assert_eq!(next(&emptied, 2, true), Next::Remove(2, [2; 16]));
        let after = quorum(&[voters[0], voters[2]], &[(2, 9, 9_900)]);
        assert_eq!(next(&after, 2, true), Next::Add(2, [9; 16]));
        // A reader that is long gone is nobody.
        let old = quorum(&[(1, 1, 10_000), (2, 2, 9_900)], &[(2, 9, 5_000)]);
        assert_eq!(next(&old, 2, true), Next::Done);
    }

    #[test]
    fn voters_of_a_static_quorum_stay() {
        let quorum = quorum(&[(1, 0, 10_000), (2, 0, 9_900)], &[(3, 3, 10_000)]);
        assert!(is_static(&quorum));
        assert!(matches!(next(&quorum, 3, true), Next::Never(_)));
    }

    #[test]
    fn other_changes_are_no_votes() {
        let id: InstanceId = "x.y@h".parse().unwrap();
        let votes = crate::catalogue::descriptor::Votes {
            action: "kafka/voters".to_owned().try_into().unwrap(),
            joined: Vec::new(),
        };
        let change = ResourceChange::vote(&votes, &id, true);
        let member = id;
        assert_eq!(
            Vote::of(&change),
            Some(Vote {
                member,
                votes: true
            })
        );
        let other = ResourceChange {
            change: serde_json::Value::Null,
            ..change
        };
        assert_eq!(Vote::of(&other), None);
    }
}
