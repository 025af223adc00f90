//! The driver that descriptors name: probes, gates and topics, answered through the thin client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kafka_protocol::ResponseError;

use super::listed::{compare, spec};
use super::topics::{self, TopicChange, TopicSpec};
use super::{
    Client, Endpoint, Error, Metadata, controllers, features, gates, listed, live, moves, outage,
    settings, through, unclean, voters,
};
#[cfg(feature = "rdkafka")]
use crate::drill::{Check, Load, Loader, Verdict};
use crate::driver::{
    Answer, Call, Driver, Leaderless, Outage, Progress, Refilling, Spread, Stops, TopicInfo, Votes,
};
use crate::event::Problem;
use crate::id::{InstanceId, ServiceName};
use crate::inventory::Topic;
use crate::plan::live::{Found, Live};
use crate::plan::{Member, ResourceChange};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// How long brokers that run may take to register before a topic is changed.
pub(super) const REGISTERED: Duration = Duration::from_secs(60);
/// The action that puts leaders back at the end of a roll.
const LEADERS: &str = "leaders";
/// The name of the port that brokers have for their clients.
pub(super) const CLIENT: &str = "client";
/// How many partitions are named in one line.
pub(super) const NAMED: usize = 3;
/// How many partitions are named where each of them may be lost.
pub(super) const LISTED: usize = 50;

/// The driver.
#[derive(Debug, Clone, Copy, Default)]
pub struct KafkaDriver;

#[async_trait]
impl Driver for KafkaDriver {
    async fn ask(&self, call: Call<'_>) -> Answer {
        let client = client(call);
        let answer = match call.action {
            "controller" => controller(&client, call).await,
            "controller-elected" => controller_elected(&client, call).await,
            "quorum" => controllers::whole(call).await,
            "whole" => gates::whole(&client, call).await,
            "serves" => gates::serves(call).await,
            "others" => gates::others(&client, call).await,
            "min-isr" | "together" => gates::min_isr(&client, call).await,
            "quorum-others" => controllers::others(call).await,
            "in-sync" => gates::in_sync(call).await,
            "replaceable" => gates::replaceable(&client, call).await,
            "follows" => voters::follows(call).await,
            "registered" => registered(&client, call).await,
            "role" => role(&client, call).await,
            "healthy" => healthy(call).await,
            "round-trip" => through::round_trip(&client, call).await,
            "empty" => moves::empty(&client, call).await,
            other => Ok(Answer::Broken(format!(
                "the driver has no action `{other}`"
            ))),
        };
        answer.unwrap_or_else(|error| Answer::NotYet(error.to_string()))
    }

    async fn compare(
        &self,
        call: Call<'_>,
        wanted: &BTreeMap<String, Topic>,
        live: bool,
    ) -> Result<Vec<ResourceChange>, Problem> {
        let specs: Vec<TopicSpec> = wanted.iter().map(spec).collect();
        let changes = if live {
            match compare(&client(call), &specs).await {
                // They run and do not serve yet, as after a run that was cut off: told then, not now.
                Err(e) if e.is_passing() => specs.into_iter().map(TopicChange::Ensure).collect(),
                other => other.map_err(|e| Problem::new(format!("topics: {e}")))?,
            }
        } else {
            specs.into_iter().map(TopicChange::Create).collect()
        };
        let refused: Vec<String> = changes
            .iter()
            .filter(|c| matches!(c, TopicChange::Refused { .. }))
            .map(TopicChange::to_string)
            .collect();
        if !refused.is_empty() {
            return Err(
                Problem::new(refused.join("; ")).help("put the inventory's `topics:` right")
            );
        }
        let resource = |change: TopicChange| {
            let value = serde_json::to_value(&change).unwrap_or_default();
            resource(call.service, call.action, (change.to_string(), value))
        };
        Ok(changes
            .into_iter()
            .filter(TopicChange::is_change)
            .map(resource)
            .collect())
    }

    async fn settings(
        &self,
        call: Call<'_>,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Vec<ResourceChange>, Problem> {
        let changes = match settings::compare(&client(call), wanted).await {
            // They run and do not serve yet: the next run compares them.
            Err(e) if e.is_passing() => Vec::new(),
            other => other.map_err(|e| Problem::new(format!("settings: {e}")))?,
        };
        let resource = |change: settings::Change| {
            let value = serde_json::to_value(&change).unwrap_or_default();
            resource(call.service, settings::ACTION, (change.to_string(), value))
        };
        Ok(changes.into_iter().map(resource).collect())
    }

    async fn live(&self, call: Call<'_>, wanted: &Live) -> Option<Found> {
        live::compare(call, wanted).await
    }

    async fn topics(&self, call: Call<'_>) -> Result<Vec<TopicInfo>, Problem> {
        Ok(listed::topics(&client(call)).await?)
    }

    async fn delete_topics(&self, call: Call<'_>, names: &[String]) -> Result<(), Problem> {
        let client = client(call);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        client.delete_topics(&names).await?;
        client.wait_for_absence(&names).await?;
        Ok(())
    }

    async fn spread(
        &self,
        call: Call<'_>,
        wanted: &Spread,
    ) -> Result<Vec<ResourceChange>, Problem> {
        moves::spread(call, wanted).await
    }

    async fn refill(
        &self,
        call: Call<'_>,
        members: &[&Member],
        free: &BTreeMap<InstanceId, u64>,
        throttle: Option<u64>,
    ) -> Result<Refilling, Problem> {
        moves::refill(call, members, free, throttle).await
    }

    fn sweep(&self, call: Call<'_>, of: &[ResourceChange]) -> Option<ResourceChange> {
        moves::Change::sweep(of).map(|change| change.resource(call))
    }

    fn call_off(&self, call: Call<'_>, of: &[ResourceChange]) -> Option<ResourceChange> {
        moves::Change::call_off(of).map(|change| change.resource(call))
    }

    async fn learn(&self, call: Call<'_>) -> Result<String, Problem> {
        let metadata = client(call).metadata_of(&[]).await?;
        let cause = || Problem::new("the brokers tell no cluster id");
        metadata.cluster_id.ok_or_else(cause)
    }

    async fn raise(&self, call: Call<'_>, to: &str) -> Result<Vec<ResourceChange>, Problem> {
        features::raise(call, to).await
    }

    async fn votes(&self, call: Call<'_>, of: &[&Member]) -> Result<Votes, Problem> {
        Ok(voters::votes(call, of).await?)
    }

    async fn leaderless(
        &self,
        call: Call<'_>,
        topic: &str,
        partition: Option<i32>,
    ) -> Result<Vec<Leaderless>, Problem> {
        unclean::leaderless(call, topic, partition).await
    }

    fn elect(&self, call: Call<'_>, topic: &str, partitions: &[i32]) -> Option<ResourceChange> {
        Some(unclean::change(call, topic, partitions))
    }

    fn forget(&self, call: Call<'_>, member: &Member) -> Option<ResourceChange> {
        let broker = i32::try_from(member.number?).ok()?;
        let change = moves::Change::Unregister { broker };
        is_broker(member).then(|| change.resource(call))
    }

    async fn outage(&self, call: Call<'_>, stops: Stops<'_>) -> Result<Outage, Problem> {
        let outage = outage::of(&client(call), stops).await;
        outage.map_err(|e| {
            let cause = format!("what restarts would mean is not known: {e}");
            Problem::new(cause).help(outage::UNKNOWN)
        })
    }

    async fn progress(&self, call: Call<'_>, change: &ResourceChange) -> Option<Progress> {
        let moving = moves::Change::of(change)?;
        moves::progress(&client(call), &moving).await
    }

    async fn change(&self, call: Call<'_>, change: &ResourceChange) -> Result<(), Problem> {
        let wrong = |e: &dyn std::fmt::Display| Problem::new(format!("{}: {e}", change.text));
        if let Some(moving) = moves::Change::of(change) {
            let done = moves::apply(&client(call), &moving).await;
            return done.map_err(|e| wrong(&e).help(moves::AGAIN));
        }
        if let Some(vote) = voters::Vote::of(change) {
            let done = voters::change(call, &vote).await;
            return done.map_err(|e| wrong(&e).help(moves::AGAIN));
        }
        if let Some(levels) = features::Levels::of(change) {
            let done = features::change(call, &levels).await;
            return done.map_err(|e| wrong(&e).help(features::BLOCKED));
        }
        if let Some(wanted) = Live::of(change) {
            let done = live::apply(call, &wanted).await;
            return done.map_err(|e| wrong(&e).help(moves::AGAIN));
        }
        let client = client(call);
        if let Some(unclean) = unclean::Unclean::of(change) {
            return unclean::elect(&client, &unclean)
                .await
                .map_err(|e| wrong(&e));
        }
        if call.action == LEADERS {
            return moves::settle_all(&client).await.map_err(|e| wrong(&e));
        }
        if call.action == settings::ACTION {
            let what = serde_json::from_value(change.change.clone()).map_err(|e| wrong(&e))?;
            wait_for_all(&client, call).await.map_err(|e| wrong(&e))?;
            let made = settings::apply(&client, &what).await;
            return made.map_err(|e| wrong(&e));
        }
        let what: TopicChange =
            serde_json::from_value(change.change.clone()).map_err(|e| wrong(&e))?;
        wait_for_all(&client, call).await.map_err(|e| wrong(&e))?;
        if let TopicChange::Copies { topic, to, .. } = &what {
            return moves::with_copies(call, topic, *to).await;
        }
        let made = match topics::apply(&client, &what).await {
            // It was there all along, behind brokers that did not run when the plan was made.
            Err(e) if e.all_refused_with(&[ResponseError::TopicAlreadyExists]) => {
                let TopicChange::Create(spec) = what else {
                    return Ok(());
                };
                topics::apply(&client, &TopicChange::Ensure(spec)).await
            }
            other => other,
        };
        made.map_err(|e| wrong(&e))
    }

    #[cfg(feature = "rdkafka")]
    async fn load(&self, call: Call<'_>, load: &Load) -> Result<Box<dyn Loader>, Problem> {
        super::drill::prepare(call, load).await
    }

    #[cfg(feature = "rdkafka")]
    async fn judge(&self, call: Call<'_>, check: &Check) -> Result<Verdict, Problem> {
        super::drill::check(call, check).await
    }
}

/// A change that this driver makes.
pub(super) fn resource(
    service: &ServiceName,
    action: &str,
    (text, change): (String, serde_json::Value),
) -> ResourceChange {
    ResourceChange {
        service: service.clone(),
        action: crate::catalogue::descriptor::DriverAction {
            driver: "kafka".to_owned(),
            action: action.to_owned(),
        },
        text,
        change,
    }
}

/// A client that knows all brokers of the service.
#[must_use]
pub fn client(call: Call<'_>) -> Client {
    client_of(call, brokers(call))
}

/// The members that are brokers: those that clients may ask.
pub(super) fn brokers(call: Call<'_>) -> impl Iterator<Item = &Member> {
    let all = call.view.of_service(call.service);
    all.filter(|member| is_broker(member))
}

pub(super) fn is_broker(member: &Member) -> bool {
    member.ports.contains_key(CLIENT)
}

/// A client that asks the broker in question and no other.
pub(super) fn own_client(call: Call<'_>) -> Client {
    client_of(call, call.member.into_iter())
}

pub(super) fn client_of<'a>(call: Call<'_>, brokers: impl Iterator<Item = &'a Member>) -> Client {
    let endpoint = |m: &Member| Some(Endpoint::new(&m.address, *m.ports.get(CLIENT)?));
    let bootstrap = brokers.filter_map(endpoint).collect();
    Client::new(Arc::clone(call.dial), bootstrap).with_timeout(REQUEST)
}

/// The ids that should be registered.
pub(super) fn expected(call: Call<'_>) -> Vec<i32> {
    numbers(brokers(call))
}

pub(super) fn numbers<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<i32> {
    let numbers = members.filter_map(|m| m.number);
    numbers.filter_map(|n| i32::try_from(n).ok()).collect()
}

pub(super) fn own_id(call: Call<'_>) -> Option<i32> {
    call.member
        .and_then(|m| m.number)
        .and_then(|n| i32::try_from(n).ok())
}

async fn controller(client: &Client, call: Call<'_>) -> super::Result<Answer> {
    let active = active(client, call).await?;
    Ok(if active.is_some() && active == own_id(call) {
        Answer::Yes(Some("controller".to_owned()))
    } else {
        Answer::NotYet("it is not the controller".to_owned())
    })
}

async fn controller_elected(client: &Client, call: Call<'_>) -> super::Result<Answer> {
    Ok(match active(client, call).await? {
        Some(id) if expected(call).contains(&id) => Answer::Yes(Some(format!("broker {id}"))),
        Some(id) => Answer::Yes(Some(format!("controller {id}"))),
        None => Answer::NotYet("no broker is the controller".to_owned()),
    })
}

/// The active controller: a broker that ZooKeeper chose, or the leader of the cluster's own controllers.
async fn active(client: &Client, call: Call<'_>) -> super::Result<Option<i32>> {
    if controllers::of(call).next().is_some() {
        Ok(controllers::quorum(call).await?.leader)
    } else {
        client.active_controller().await
    }
}

/// Copies are placed on brokers that are registered: with too few of them a topic can't be made.
async fn wait_for_all(client: &Client, call: Call<'_>) -> super::Result<()> {
    let what = || "not all brokers are registered".to_owned();
    let ids = numbers(brokers(call).filter(|m| call.view.reaches(m)));
    let all = |found: &Metadata| ids.iter().all(|id| found.broker(*id).is_some());
    let look = || async { Ok(all(&client.metadata().await?).then_some(())) };
    client.wait(REGISTERED, what, look).await
}

async fn registered(client: &Client, call: Call<'_>) -> super::Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let metadata = client.metadata().await?;
    Ok(match metadata.broker(id) {
        Some(broker) => Answer::Yes(Some(format!(
            "broker {id} at {}:{}",
            broker.host, broker.port
        ))),
        None => Answer::NotYet(format!("broker {id} is not registered")),
    })
}

async fn role(client: &Client, call: Call<'_>) -> super::Result<Answer> {
    let Some(id) = own_id(call) else {
        return Ok(no_number());
    };
    let serves = call.member.is_some_and(is_broker);
    if serves && client.metadata().await?.broker(id).is_none() {
        return Ok(Answer::NotYet("it is not registered".to_owned()));
    }
    let word = match (active(client, call).await? == Some(id), serves) {
        (true, _) => "controller",
        (false, true) => "broker",
        (false, false) => "voter",
    };
    Ok(Answer::Yes(Some(format!("{word} {id}"))))
}

async fn healthy(call: Call<'_>) -> super::Result<Answer> {
    let answer = gates::in_sync(call).await?;
    Ok(if answer.is_yes() {
        Answer::Yes(Some("in sync".to_owned()))
    } else {
        answer
    })
}

pub(super) fn no_number() -> Answer {
    Answer::Broken("it has no number".to_owned())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}
