//! Changes of where replicas are, made.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::time::{Instant, sleep};

use super::look::{Pending, arrived, look};
use super::{Batch, Change, Throttle};
use crate::driver::{Call, Spread};
use crate::event::Problem;
use crate::kafka::config::{Alteration, MIN_ISR, Resource};
use crate::kafka::driver::{REGISTERED, client};
use crate::kafka::metadata::Partition;
use crate::kafka::reassign::Move;
use crate::kafka::{Client, Error, Result};

/// How long moves may go on without anything happening: no partition done, no replica in sync, no byte copied.
/// Four times `replica.lag.time.max.ms`.
const STUCK: Duration = Duration::from_secs(120);
/// How long a controller may take to begin moves, asked again and again.
const BEGUN: Duration = Duration::from_secs(60);
/// How long leaders may take to be where they should, and what was called off to be gone.
const SETTLED: Duration = Duration::from_secs(60);
/// The pause between two looks, at first and at the most: a replica that is in sync is limited for so long.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How often brokers are asked for the bytes they have: the answer lists all that lies on their disks.
const BYTES: Duration = Duration::from_secs(5);

/// Makes a change and waits until it is so. Made twice it finds nothing to do; half made it goes on.
///
/// # Errors
/// When the cluster refuses, or nothing goes on any more: the partitions are named. Limits stay on then, since
/// what has begun goes on; making the change again, sweeping or calling off takes them away.
pub async fn apply(client: &Client, change: &Change) -> Result<()> {
    match change {
        Change::Move(batch) => moved(client, batch).await,
        Change::MinInSync { topic, to } => {
            let set = Alteration::Set(MIN_ISR.to_owned(), to.to_string());
            let topic = Resource::Topic(topic.clone());
            client.alter_configs(&topic, &[set], false).await
        }
        Change::Settle { partitions } => settled(client, partitions).await,
        Change::Limit(throttle) => put_on(client, throttle).await,
        Change::Sweep(throttle) => take_off(client, throttle).await,
        Change::CallOff {
            partitions,
            throttle,
        } => called_off(client, partitions, throttle).await,
        Change::Unregister { broker } => client.unregister_broker(*broker).await,
    }
}

/// Waits until all partitions are whole, and has each led by its first replica.
///
/// # Errors
/// When the cluster refuses, or is not whole in time.
pub async fn settle_all(client: &Client) -> Result<()> {
    let metadata = client.metadata().await?;
    let mut all: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in metadata.partitions() {
        let of_topic = all.entry(topic.to_owned()).or_default();
        of_topic.push(partition.index);
    }
    if all.is_empty() {
        return Ok(());
    }
    settled(client, &all).await
}

/// Gives a topic another number of copies.
///
/// # Errors
/// When the cluster refuses, or something stands against it.
pub async fn with_copies(call: Call<'_>, topic: &str, to: u16) -> std::result::Result<(), Problem> {
    let replication = [(topic.to_owned(), to)].into();
    let wanted = Spread {
        replication,
        ..Spread::default()
    };
    let client = client(call);
    for change in super::spread(call, &wanted).await? {
        if let Some(change) = Change::of(&change) {
            apply(&client, &change).await?;
        }
    }
    Ok(())
}

async fn moved(client: &Client, batch: &Batch) -> Result<()> {
    if !look(client, &batch.moves).await?.pending.is_empty() {
        wait_for_targets(client, batch).await?;
        if let Some(throttle) = &batch.throttle {
            put_on(client, throttle).await?;
        }
        begin(client, batch).await?;
        wait_for_all(client, batch).await?;
    }
    match &batch.throttle {
        Some(throttle) => take_off(client, throttle).await,
        None => Ok(()),
    }
}

/// Begins what has not begun, where as many copies are there as when that was planned: a plan may wait for an answer, or
/// for the batches before this one, and somebody else gives a topic more copies meanwhile. A controller that has much to
/// do may answer too late: what it has begun all the same is seen in the next look, and the rest is asked for again.
async fn begin(client: &Client, batch: &Batch) -> Result<()> {
    // What the last look found to be otherwise than when this was planned.
    let changed = Mutex::new(None);
    let what = || match &*lock(&changed) {
        Some(why) => format!("somebody else changed what was to be moved: {why}"),
        None => "not all moves have begun".to_owned(),
    };
    let ask = || async {
        let seen = look(client, &batch.moves).await?;
        let missing = || seen.pending.iter().filter(|p| !p.is_started());
        let strange = missing().find(|p| !p.is_as_planned());
        *lock(&changed) = strange.map(Pending::why);
        if strange.is_some() {
            return Ok(None);
        }
        let moves: Vec<Move> = missing().map(|p| Move::from(p.moved)).collect();
        client.alter_reassignments(&moves).await.map(Some)
    };
    client.wait(BEGUN, what, ask).await
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that was started a moment ago may be listed since its last life, and not answer yet.
async fn put_on(client: &Client, throttle: &Throttle) -> Result<()> {
    let what = || "not all brokers take limits of speed".to_owned();
    let set = || async { throttle.set(client).await.map(Some) };
    client.wait(REGISTERED, what, set).await
}

/// What was cut off may have started one a moment ago: it is listed, and not all of it answers yet.
async fn take_off(client: &Client, throttle: &Throttle) -> Result<()> {
    let what = || "not all brokers let go of limits of speed".to_owned();
    let remove = || async { throttle.remove(client).await.map(Some) };
    client.wait(REGISTERED, what, remove).await
}

/// Brokers that joined a moment ago may not be registered yet.
async fn wait_for_targets(client: &Client, batch: &Batch) -> Result<()> {
    let what = || "not all brokers that get replicas are registered".to_owned();
    let look = || async {
        let metadata = client.metadata_of(&[]).await?;
        let mut targets = batch.moves.iter().flat_map(|m| &m.to);
        Ok(targets
            .all(|id| metadata.broker(*id).is_some())
            .then_some(()))
    };
    client.wait(REGISTERED, what, look).await
}

/// Waits as long as something goes on.
async fn wait_for_all(client: &Client, batch: &Batch) -> Result<()> {
    let (mut pause, longest) = PAUSES;
    let (mut mark, mut bytes, mut why) = ((0, 0), 0, String::new());
    let (mut last, mut asked) = (Instant::now(), Instant::now());
    let mut slow = batch.throttle.clone().unwrap_or_default();
    while last.elapsed() < STUCK {
        match look(client, &batch.moves).await {
            Ok(seen) if seen.pending.is_empty() => return Ok(()),
            Ok(seen) => {
                // What passes is tried again with the next look, and all that is left goes at the end.
                let released = slow.release(client, &seen.behind()).await;
                if let Err(error) = released
                    && !error.is_passing()
                {
                    return Err(error);
                }
                why = seen.why();
                let mut goes_on = seen.mark() != mark;
                mark = seen.mark();
                if asked.elapsed() >= BYTES {
                    let have = arrived(client, &seen.pending).await;
                    goes_on |= have != bytes;
                    (bytes, asked) = (have, Instant::now());
                }
                if goes_on {
                    last = Instant::now();
                }
            }
            Err(e) if e.is_passing() => why = e.to_string(),
            Err(e) => return Err(e),
        }
        sleep(pause).await;
        pause = longest.min(pause * 3 / 2);
    }
    Err(Error::NotYet {
        what: format!("nothing goes on any more: {why}"),
        after: STUCK,
    })
}

/// Each partition whole, and led by its first replica.
async fn settled(client: &Client, partitions: &BTreeMap<String, Vec<i32>>) -> Result<()> {
    let topics: Vec<&str> = partitions.keys().map(String::as_str).collect();
    let all = |good: fn(&Partition) -> bool| {
        let topics = &topics;
        move || async move {
            let metadata = client.metadata_of(topics).await?;
            let ours = |(topic, p): &(&str, &Partition)| {
                partitions
                    .get(*topic)
                    .is_some_and(|all| all.contains(&p.index))
            };
            let mut ours = metadata.partitions().filter(ours);
            let all_good = ours.all(|(_, p)| good(p));
            drop(ours);
            Ok(all_good.then_some(metadata.topics))
        }
    };
    let what = || "not every partition that moved is in sync".to_owned();
    let there = client.wait(STUCK, what, all(Partition::is_whole)).await?;
    let leads = |p: &Partition| p.leader == p.replicas.first().copied();
    // A topic that was deleted meanwhile has no leaders.
    let mut partitions = partitions.clone();
    partitions.retain(|name, _| there.iter().any(|t| t.name == *name && t.error == 0));
    let what = || "not every partition that moved is led by its first replica".to_owned();
    let elect = || async {
        match client.elect_preferred(Some(&partitions)).await {
            Err(e) if e.all_refused_with(&[ResponseError::PreferredLeaderNotAvailable]) => Ok(None),
            other => other.map(Some),
        }
    };
    client.wait(SETTLED, what, elect).await?;
    client.wait(SETTLED, what, all(leads)).await.map(|_| ())
}

async fn called_off(
    client: &Client,
    partitions: &BTreeMap<String, Vec<i32>>,
    throttle: &Throttle,
) -> Result<()> {
    let ours = |topic: &str, index: i32| partitions.get(topic).is_some_and(|p| p.contains(&index));
    let under_way = || async {
        let mut all = client.list_reassignments().await?;
        all.retain(|r| ours(&r.topic, r.partition));
        Ok::<_, Error>(all)
    };
    let none = |r: crate::kafka::reassign::Reassignment| Move {
        topic: r.topic,
        partition: r.partition,
        replicas: None,
    };
    let moves: Vec<Move> = under_way().await?.into_iter().map(none).collect();
    client.alter_reassignments(&moves).await?;
    let what = || "what was called off is still under way".to_owned();
    let look = || async { Ok(under_way().await?.is_empty().then_some(())) };
    client.wait(SETTLED, what, look).await?;
    take_off(client, throttle).await
}
