//! The check of a load that is over: the cluster whole again, the topic read under every leader, the oracle.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::driver::client;
use super::super::exchange::{Sent, Thin};
use super::super::{Client, Result as Answered};
use super::leaders::{self, Replicas};
use super::load::reached;
use super::oracle::{self, Evidence, Reading, Writer};
use super::reading::afresh;
use super::record::Record;
use super::{healed, settings};
use crate::drill::{Check, Place, Verdict};
use crate::driver::Call;
use crate::event::Problem;

/// How long one message may take to be looked at.
const LOOK: Duration = Duration::from_secs(10);
/// How long the cluster may take to be whole after its leaders were put back.
const PUT_BACK: Duration = Duration::from_secs(30);

/// Judges a load. Each replica is made the leader for a reading; the order they had is put back in any case.
///
/// # Errors
/// When there is no record, or a cluster that is whole can't be reached as its users reach it.
pub async fn check(call: Call<'_>, ask: &Check) -> Result<Verdict, Problem> {
    let place = ask.record.display();
    let record = Record::load(&ask.record).map_err(|e| Problem::new(format!("{place}: {e}")))?;
    let client = client(call);
    let healed = healed::wait(call, &client, ask.within).await;
    let topic = &record.header.topic;
    let (mut wrong, mut replicas) = (Vec::new(), Replicas::new());
    match leaders::replicas(&client, topic).await {
        Ok(found) => replicas = found,
        Err(error) => wrong.push(format!("who holds the topic is not known: {error}")),
    }
    wrong.extend(fitness(&client, topic, &replicas).await);
    let readings = if healed.is_ok() {
        reached(call).await?;
        let (readings, trouble) = under_each(&client, &record, &replicas).await;
        wrong.extend(trouble);
        readings
    } else {
        // Leaders are not moved in a cluster that is not whole; what can be read is.
        vec![read(&client, &record).await]
    };
    let verdict = oracle::judge(&Evidence {
        record: &record,
        readings: &readings,
        replicas: &replicas,
        window: ask.window,
        least: ask.least,
        stalls: ask.stalls,
    });
    let healed_ms = match healed {
        Ok(took) => {
            let after = healed::wait(call, &client, PUT_BACK).await;
            wrong.extend(after.err().unwrap_or_default());
            u64::try_from(took.as_millis()).ok()
        }
        Err(why) => {
            wrong.extend(why);
            None
        }
    };
    let verdict = Verdict {
        healed_ms,
        ..verdict
    };
    Ok(verdict.and(wrong))
}

/// What makes the topic unfit to prove anything, as the broker tells it.
async fn fitness(client: &Client, topic: &str, replicas: &Replicas) -> Vec<String> {
    let least = replicas.values().map(Vec::len).min().unwrap_or_default();
    match settings::in_force(client, topic).await {
        Ok(have) => settings::unfit(&have, least),
        Err(error) => vec![format!("the topic's settings are not known: {error}")],
    }
}

/// One reading under each replica as the leader, and what went wrong with making them lead.
async fn under_each(
    client: &Client,
    record: &Record,
    replicas: &Replicas,
) -> (Vec<Reading>, Vec<String>) {
    let turns = replicas.values().map(Vec::len).max().unwrap_or_default();
    let (mut readings, mut wrong) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        match under(client, record, &leaders::turned(replicas, turn)).await {
            Ok(reading) => readings.push(reading),
            Err(error) => wrong.push(format!("reading {}: {error}", turn + 1)),
        }
    }
    if let Err(error) = leaders::lead(client, &record.header.topic, replicas).await {
        wrong.push(format!("the leaders were not put back: {error}"));
    }
    (readings, wrong)
}

/// A reading under the first of each list. It counts only for those that led from its beginning to its end.
async fn under(client: &Client, record: &Record, order: &Replicas) -> Answered<Reading> {
    let before = leaders::lead(client, &record.header.topic, order).await?;
    let mut reading = read(client, record).await;
    reading
        .leaders
        .retain(|index, id| before.get(index) == Some(id));
    Ok(reading)
}

/// A reading under whoever leads, and who that is at its end.
async fn read(client: &Client, record: &Record) -> Reading {
    let (bootstrap, header) = (client.bootstrap(), record.header.clone());
    let known = oracle::known(record);
    let reading = tokio::task::spawn_blocking(move || afresh(&bootstrap, &header, &known)).await;
    let mut reading = reading.unwrap_or_else(|e| Reading {
        trouble: vec![format!("the reader ended: {e}")],
        ..Reading::default()
    });
    match client.metadata_of(&[&record.header.topic]).await {
        Ok(metadata) => reading.leaders = leaders::leaders(&metadata, &record.header.topic),
        Err(error) => reading
            .trouble
            .push(format!("who leads is not known: {error}")),
    }
    let twice = reading.twice().into_iter();
    let places: BTreeSet<Place> = twice.flat_map(|(first, again)| [first, again]).collect();
    for place in places {
        if let Some(writer) = writer(client, &record.header.topic, (&reading, place)).await {
            reading.writers.insert(place, writer);
        }
    }
    reading
}

/// Who wrote the message at a place. What can't be learned speaks for nobody.
async fn writer(
    client: &Client,
    topic: &str,
    (reading, place): (&Reading, Place),
) -> Option<Writer> {
    let of = Sent {
        topic: topic.to_owned(),
        partition: place.partition,
        leader: *reading.leaders.get(&place.partition)?,
        payload: Vec::new(),
    };
    let record = Thin(client).record(&of, place.offset, LOOK).await.ok()?;
    Some(Writer {
        id: record.producer_id,
        epoch: record.producer_epoch,
    })
}
