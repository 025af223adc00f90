//! What the cluster is asked before replicas move, and the changes that follow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::look::{Place, moving, places};
use super::{Change, batched, by_topic, targets};
use crate::driver::{Answer, Call, Spread};
use crate::event::Problem;
use crate::id::InstanceId;
use crate::kafka::config::{FEW, MIN_ISR, Resource, Source};
use crate::kafka::driver::{brokers, client, no_number, numbers, own_client, own_id};
use crate::kafka::log_dirs::LogDir;
use crate::kafka::metadata::{Metadata, Topic};
use crate::kafka::outage::moved_by_others;
use crate::kafka::reassign::Reassignment;
use crate::kafka::spread::{self as planner, Broker, Moved, Obstacle, Partition};
use crate::kafka::{Client, Error, Result};
use crate::plan::{Member, ResourceChange};

/// Transactions are kept here. The topic keeps the min ISR that it was made with, as its own setting.
const TRANSACTIONS: &str = "__transaction_state";
/// How brokers of 3.x keep the metadata log of a node that is a controller as well; no partition of theirs.
const METADATA_LOG: &str = "__cluster_metadata";

/// How often the cluster is asked for a picture that agrees with itself, and the time from one to the next.
const LOOKS: u32 = 30;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What the cluster says of itself.
pub(super) struct Known {
    pub(super) metadata: Metadata,
    pub(super) under_way: Vec<Reassignment>,
    dirs: BTreeMap<i32, Vec<LogDir>>,
}

/// The changes that bring a spread about.
///
/// # Errors
/// When the cluster does not answer, a member is unknown, or something stands against it.
pub async fn spread(
    call: Call<'_>,
    wanted: &Spread,
) -> std::result::Result<Vec<ResourceChange>, Problem> {
    let unknown = |id: &&InstanceId| !brokers(call).any(|m| m.id == **id && m.number.is_some());
    if let Some(id) = wanted.leaving.iter().chain(&wanted.joining).find(unknown) {
        return Err(Problem::new(format!("{id} is no broker with a number")));
    }
    let client = client(call);
    let known = known(&client).await?;
    if let Some(topic) = known.metadata.topics.iter().find(|t| t.error != 0) {
        let cause = format!(
            "topic {}: the cluster reports error {}",
            topic.name, topic.error
        );
        return Err(Problem::new(cause).help(
            Obstacle::Offline {
                partitions: Vec::new(),
            }
            .help(),
        ));
    }
    // What somebody else moves would be limited, waited for and called off as if it were ours.
    let foreign = foreign(&known, wanted);
    if let Some(problem) = moved_by_others(&foreign, "more moves would meet these")
        && (wanted.even || !wanted.leaving.is_empty())
    {
        return Err(problem);
    }
    let partitions = partitions(&known, wanted);
    let outcome = planner::plan(&all_brokers(call, wanted, &known), &partitions, wanted.even)
        .map_err(|obstacles| problem(&obstacles))?;
    let (mut before, after) = min_in_sync(&client, (&known.metadata, wanted), &partitions).await?;
    if wanted
        .internal
        .is_some_and(|copies| usize::from(copies) > FEW)
    {
        before.extend(pinned(&client, &known.metadata, &partitions).await?);
    }
    let ours = known.under_way.iter().filter(|r| !foreign.contains(r));
    let moves = with_those_under_way(outcome.moves, ours);
    let settle = by_topic(moves.iter());
    let batches = batched(moves, wanted.throttle)
        .into_iter()
        .map(Change::Move);
    let mut changes: Vec<Change> = before.into_iter().chain(batches).chain(after).collect();
    if !settle.is_empty() {
        changes.push(Change::Settle { partitions: settle });
    }
    Ok(changes.iter().map(|change| change.resource(call)).collect())
}

impl Known {
    /// The bytes of a partition that a broker has on its disks.
    pub(super) fn held(&self, broker: i32, place: Place<'_>) -> u64 {
        let replicas = self.dirs.get(&broker).into_iter().flatten();
        let replicas = replicas.flat_map(|dir| &dir.replicas);
        let of = replicas.filter(|r| (r.topic.as_str(), r.partition) == place);
        of.map(|r| r.size).sum()
    }
}

pub(super) async fn known(client: &Client) -> Result<Known> {
    let (metadata, under_way) = settled(client).await?;
    // One that does not answer now is no reason to stop: the others have the same partitions.
    let ask = |id: i32| async move { (id, client.describe_log_dirs(id).await.unwrap_or_default()) };
    let dirs = join_all(metadata.brokers.iter().map(|b| ask(b.id))).await;
    Ok(Known {
        metadata,
        under_way,
        dirs: dirs.into_iter().collect(),
    })
}

/// Where replicas are, and what is being moved. The controller tells the latter, any broker the former, and brokers
/// learn a little later that a move is over: till then they name old and new replicas, as if so many copies were
/// wanted. So both are asked until that is not so.
async fn settled(client: &Client) -> Result<(Metadata, Vec<Reassignment>)> {
    let mut was = (client.list_reassignments().await?, client.metadata().await?);
    for _ in 0..LOOKS {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let metadata = client.metadata().await?;
        let under_way = client.list_reassignments().await?;
        if is_settled(&metadata, &under_way, &was) {
            return Ok((metadata, under_way));
        }
        was = (under_way, metadata);
    }
    Err(Error::Unsettled)
}

/// Whether each partition is being moved, is where a move that ended was to bring it or had found it, or is where it
/// was before.
fn is_settled(
    now: &Metadata,
    under_way: &[Reassignment],
    (were_moving, before): &(Vec<Reassignment>, Metadata),
) -> bool {
    let (under_way, were_moving, had) = (moving(under_way), moving(were_moving), places(before));
    now.partitions().all(|(topic, p)| {
        let place = (topic, p.index);
        under_way.contains_key(&place)
            || match were_moving.get(&place) {
                Some(r) => p.replicas == r.target() || p.replicas == r.origin(),
                None => had.get(&place).is_none_or(|had| had.replicas == p.replicas),
            }
    })
}

/// The members, the brokers that are none, and ids that hold replicas and are neither: those are gone.
fn all_brokers(call: Call<'_>, wanted: &Spread, known: &Known) -> Vec<Broker> {
    let of_member = |member: &Member| {
        let id = numbers(std::iter::once(member)).into_iter().next()?;
        let told = || known.metadata.broker(id)?.rack.clone();
        let rack = wanted.racks.get(&member.id).cloned().or_else(told);
        Some(Broker {
            id,
            unit: Some(rack.unwrap_or_else(|| member.id.host.to_string())),
            leaving: wanted.leaving.contains(&member.id),
            free: wanted
                .free
                .get(&member.id)
                .copied()
                .or_else(|| free(known, id)),
        })
    };
    let mut all: Vec<Broker> = brokers(call).filter_map(of_member).collect();
    for broker in &known.metadata.brokers {
        if !all.iter().any(|b| b.id == broker.id) {
            all.push(Broker {
                id: broker.id,
                unit: Some(broker.rack.clone().unwrap_or_else(|| broker.host.clone())),
                leaving: false,
                free: free(known, broker.id),
            });
        }
    }
    let held = known.metadata.partitions().flat_map(|(_, p)| &p.replicas);
    let held: BTreeSet<i32> = held.copied().collect();
    for id in held {
        if !all.iter().any(|b| b.id == id) {
            all.push(Broker {
                id,
                unit: None,
                leaving: true,
                free: None,
            });
        }
    }
    all
}

/// The free bytes of a broker's disks; brokers before 3.3 don't tell.
fn free(known: &Known, id: i32) -> Option<u64> {
    let dirs = known.dirs.get(&id)?;
    let usable: Option<Vec<u64>> = dirs.iter().map(|dir| dir.usable).collect();
    usable
        .filter(|all| !all.is_empty())
        .map(|all| all.iter().sum())
}

/// The bytes of a copy of each partition.
pub(super) fn bytes_of(known: &Known) -> BTreeMap<Place<'_>, u64> {
    let mut bytes: BTreeMap<Place<'_>, u64> = BTreeMap::new();
    for replica in known.dirs.values().flatten().flat_map(|dir| &dir.replicas) {
        let most = bytes
            .entry((&replica.topic, replica.partition))
            .or_default();
        *most = replica.size.max(*most);
    }
    bytes
}

fn partitions(known: &Known, wanted: &Spread) -> Vec<Partition> {
    let (bytes, under_way) = (bytes_of(known), moving(&known.under_way));
    let mut all = Vec::new();
    for topic in &known.metadata.topics {
        for p in &topic.partitions {
            let place = (topic.name.as_str(), p.index);
            let move_of = under_way.get(&place);
            let replicas = move_of.map_or_else(|| p.replicas.clone(), |r| r.target());
            all.push(Partition {
                topic: topic.name.clone(),
                index: p.index,
                bytes: bytes.get(&place).copied().unwrap_or(0),
                wanted: copies(topic, wanted).unwrap_or(replicas.len()),
                replicas,
                offline: p.leader.is_none(),
                under_way: move_of.is_some(),
            });
        }
    }
    all
}

/// What is being moved and neither a run that was cut off nor a number of copies that is kept here accounts for.
fn foreign<'a>(known: &'a Known, wanted: &Spread) -> Vec<&'a Reassignment> {
    let begun: Vec<&ResourceChange> = wanted.begun.iter().collect();
    let ours = |r: &&Reassignment| {
        wanted.replication.contains_key(&r.topic) || targets(&begun, r.place()).is_some()
    };
    known.under_way.iter().filter(|r| !ours(r)).collect()
}

/// How many copies are wanted, where that is said.
fn copies(topic: &Topic, wanted: &Spread) -> Option<usize> {
    let named = wanted.replication.get(&topic.name).copied();
    let named = named.or(wanted.internal.filter(|_| topic.internal));
    let had = topic.partitions.iter().map(|p| p.replicas.len()).max();
    let raised = had.max(wanted.at_least.map(usize::from));
    let raised = raised.filter(|_| raises(topic, wanted));
    Some(named.map(usize::from).or(raised)?.max(1))
}

/// Whether nobody said how many copies a topic shall have, so that it gets as many as all have at least.
fn raises(topic: &Topic, wanted: &Spread) -> bool {
    wanted.at_least.is_some() && !topic.internal && !wanted.replication.contains_key(&topic.name)
}

/// The moves, from where replicas really are now; with what is under way and stays as it is: that is waited for.
fn with_those_under_way<'a>(
    mut moves: Vec<Moved>,
    ours: impl Iterator<Item = &'a Reassignment>,
) -> Vec<Moved> {
    for r in ours {
        let same = |m: &&mut Moved| m.topic == r.topic && m.index == r.partition;
        match moves.iter_mut().find(same) {
            Some(moved) => moved.from = r.origin(),
            None => moves.push(Moved {
                topic: r.topic.clone(),
                index: r.partition,
                from: r.origin(),
                to: r.target(),
                bytes: 0,
            }),
        }
    }
    moves
}

pub(super) fn problem(obstacles: &[Obstacle]) -> Problem {
    let causes: Vec<String> = obstacles.iter().map(Obstacle::to_string).collect();
    let mut help: Vec<&str> = obstacles.iter().map(Obstacle::help).collect();
    help.dedup();
    Problem::new(causes.join("; ")).help(help.join("; "))
}

/// Settings of min ISR to change before replicas are dropped, and after others have been added: in between
/// there are never fewer copies than must have a message.
async fn min_in_sync(
    client: &Client,
    (metadata, wanted): (&Metadata, &Spread),
    partitions: &[Partition],
) -> std::result::Result<(Vec<Change>, Vec<Change>), Problem> {
    let changes = |t: &&Topic| {
        let mut own = partitions.iter().filter(|p| p.topic == t.name);
        own.any(|p| p.wanted != p.replicas.len())
    };
    let topics = metadata.topics.iter().filter(changes).cloned().collect();
    let changing = Metadata {
        topics,
        ..Metadata::default()
    };
    let raised = |name: &str| {
        let mut topics = changing.topics.iter();
        topics.any(|t| t.name == name && raises(t, wanted))
    };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    if changing.topics.is_empty() {
        return Ok((before, after));
    }
    for (topic, now) in client.min_isr(&changing).await? {
        let own = partitions.iter().filter(|p| p.topic == topic);
        let copies = own.map(|p| p.wanted).min().unwrap_or(1);
        let to = copies.saturating_sub(1).clamp(1, 2);
        let change = |to: usize| Change::MinInSync {
            topic: topic.clone(),
            to: u16::try_from(to).unwrap_or(1),
        };
        if topic == TRANSACTIONS && to < now {
            before.push(change(to));
        } else if to > now && (topic == TRANSACTIONS || raised(&topic)) {
            // What is kept at few copies' min ISR would gain nothing by more of them.
            after.push(change(to));
        } else if now > copies {
            let shrinks = partitions
                .iter()
                .any(|p| p.topic == topic && p.replicas.len() > p.wanted);
            if shrinks {
                let cause = format!(
                    "topic {topic} would have {copies} copies, and its min.insync.replicas is {now}: writes with acks=all would fail"
                );
                return Err(Problem::new(cause)
                    .help("lower the topic's min.insync.replicas first, or keep more copies"));
            }
        }
    }
    Ok((before, after))
}

/// Topics of few copies keep the min ISR that these bear as their own setting, since the brokers' default rises as
/// they become many: else every write with acks=all to them would fail, or fail with one broker down.
async fn pinned(
    client: &Client,
    metadata: &Metadata,
    partitions: &[Partition],
) -> Result<Vec<Change>> {
    let copies = |topic: &str| {
        let own = partitions.iter().filter(|p| p.topic == topic);
        own.map(|p| p.wanted).min()
    };
    let few = |t: &&Topic| copies(&t.name).is_some_and(|copies| copies <= FEW);
    let few: Vec<Resource> = metadata
        .topics
        .iter()
        .filter(few)
        .map(|t| Resource::Topic(t.name.clone()))
        .collect();
    if few.is_empty() {
        return Ok(Vec::new());
    }
    let configs = client.describe_configs(&few, &[MIN_ISR]).await?;
    let mut changes = Vec::new();
    for (resource, entries) in configs {
        let own = entries
            .iter()
            .any(|e| e.name == MIN_ISR && e.source == Source::Topic);
        if let (false, Resource::Topic(topic)) = (own, resource) {
            changes.push(Change::MinInSync { topic, to: 1 });
        }
    }
    Ok(changes)
}

/// Whether the broker in question holds no replica: the metadata names it nowhere, nothing is being moved to it,
/// and its own disks have none. One that does not run is not asked for its disks.
///
/// # Errors
/// When no broker answers.
pub async fn empty(client: &Client, call: Call<'_>) -> Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let metadata = client.metadata().await?;
    let mut held = metadata
        .partitions()
        .filter(|(_, p)| p.replicas.contains(&id));
    if let Some((topic, p)) = held.next() {
        let more = match held.count() {
            0 => String::new(),
            n => format!(" and {n} more partitions"),
        };
        let index = p.index;
        return Ok(Answer::NotYet(format!(
            "broker {id} holds {topic}-{index}{more}"
        )));
    }
    let under_way = client.list_reassignments().await?;
    if let Some(r) = under_way.iter().find(|r| r.adding.contains(&id)) {
        let (topic, index) = (&r.topic, r.partition);
        return Ok(Answer::NotYet(format!(
            "{topic}-{index} is being moved to broker {id}"
        )));
    }
    if metadata.broker(id).is_none() {
        return Ok(Answer::Yes(Some(format!(
            "broker {id} holds nothing, and is not registered"
        ))));
    }
    let dirs = own_client(call).describe_log_dirs(id).await?;
    let mut left = dirs
        .iter()
        .flat_map(|dir| &dir.replicas)
        .filter(|r| r.topic != METADATA_LOG);
    Ok(match left.next() {
        Some(r) => Answer::NotYet(format!(
            "broker {id} has not deleted {}-{} from its disk yet",
            r.topic, r.partition
        )),
        None => Answer::Yes(Some(format!("broker {id} holds nothing"))),
    })
}
