//! The levels of features that a cluster with controllers of its own keeps: what it speaks, whatever its
//! programs could by now (KIP-584, KIP-778).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use kafka_protocol::messages::api_versions_response::SupportedFeatureKey;
use kafka_protocol::messages::controller_registration_request::Feature;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, ControllerRegistrationRequest, DescribeClusterRequest,
    UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use kafka_protocol::protocol::StrBytes;
use serde::{Deserialize, Serialize};

use super::client::string;
use super::controllers::{self, CONTROLLER};
use super::driver::{CLIENT, brokers, client, expected, numbers, resource};
use super::error::{Refusal, check};
use super::quorum::Quorum;
use super::{Client, Endpoint, Error, Result, voters};
use crate::driver::Call;
use crate::event::Problem;
use crate::plan::{Member, ResourceChange};

/// What to do where the cluster refuses.
pub const BLOCKED: &str = "every broker and controller that is registered must run the new version; one that is gone for good has to be unregistered";
/// The word by which such changes are told from others.
const FEATURES: &str = "features";
/// Raised by itself, after the others: the list of voters is another thing than the metadata.
const VOTERS: &str = "kraft.version";
/// An upgrade, not a downgrade.
const UPGRADE: i8 = 1;
/// A reader that has not asked for so many milliseconds has stopped.
const STOPPED: i64 = 60_000;
/// The endpoints of brokers, not of controllers.
const BROKERS: i8 = 1;

/// Levels by feature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels(BTreeMap<String, i16>);

impl Levels {
    /// The levels in a driver's change, if it is one of these.
    #[must_use]
    pub fn of(change: &ResourceChange) -> Option<Self> {
        serde_json::from_value(change.change.get(FEATURES)?.clone()).ok()
    }

    /// Levels written `name=level`, with commas between them.
    fn parse(text: &str) -> Option<Self> {
        let level = |pair: &str| {
            let (name, level) = pair.trim().split_once('=')?;
            Some((name.to_owned(), level.parse().ok()?))
        };
        text.split(',').map(level).collect::<Option<_>>().map(Self)
    }

    /// Those that are higher here than there.
    fn above(&self, now: &Self) -> Self {
        let level = |name: &String| now.0.get(name).copied().unwrap_or_default();
        let above = self.0.iter().filter(|(name, to)| **to > level(name));
        Self(above.map(|(name, to)| (name.clone(), *to)).collect())
    }
}

/// What a cluster has, and what one of its nodes could.
#[derive(Debug, Clone, Default)]
struct Features {
    finalized: Levels,
    supported: Levels,
}

impl From<ApiVersionsResponse> for Features {
    fn from(answer: ApiVersionsResponse) -> Self {
        let finalized = answer.finalized_features.iter();
        let supported = answer.supported_features.iter();
        Self {
            finalized: Levels(
                finalized
                    .map(|f| (f.name.to_string(), f.max_version_level))
                    .collect(),
            ),
            supported: Levels(
                supported
                    .map(|f| (f.name.to_string(), f.max_version))
                    .collect(),
            ),
        }
    }
}

fn question() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("sdtd"))
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")))
}

/// The features that are to be raised, once every node can follow.
///
/// # Errors
/// When no broker answers, or a node would be cut off: all of them are named.
pub async fn raise(call: Call<'_>, to: &str) -> std::result::Result<Vec<ResourceChange>, Problem> {
    let wanted =
        Levels::parse(to).ok_or_else(|| Problem::new(format!("`{to}` names no levels")))?;
    let client = client(call);
    let now = Features::from(client.send_any(&question()).await?).finalized;
    let above = wanted.above(&now);
    if above.0.is_empty() {
        return Ok(Vec::new());
    }
    let mut behind = behind(&client, call, &above).await;
    behind.extend(strangers(&client, call).await);
    if behind.is_empty() {
        behind.extend(refusal(&client, call, &above).await);
    }
    if !behind.is_empty() {
        let cause = format!("{} can't be finalized: {}", call.service, behind.join("; "));
        return Err(Problem::new(cause).help(BLOCKED));
    }
    let (voters, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        above.0.into_iter().partition(|(name, _)| name == VOTERS);
    let parts = [others, voters].into_iter().filter(|part| !part.is_empty());
    Ok(parts.map(|part| told(call, &now, Levels(part))).collect())
}

fn told(call: Call<'_>, now: &Levels, to: Levels) -> ResourceChange {
    let level = |(name, to): (&String, &i16)| {
        let from = now.0.get(name).copied().unwrap_or_default();
        format!("{name} {from} -> {to}")
    };
    let levels: Vec<String> = to.0.iter().map(level).collect();
    let change = serde_json::json!({ FEATURES: to });
    let text = format!("raise {}", levels.join(", "));
    resource(call.service, call.action, (text, change))
}

/// Nodes whose program does not know the levels that are wanted, or that do not answer.
async fn behind(client: &Client, call: Call<'_>, wanted: &Levels) -> Vec<String> {
    let ask = |(what, port): (&'static str, &'static str)| {
        move |member: &Member| {
            let at = Endpoint::new(
                &member.address,
                member.ports.get(port).copied().unwrap_or_default(),
            );
            let who = format!("{what} {}", member.number.unwrap_or_default());
            async move {
                match client.send_at(&at, &question(), i16::MAX).await {
                    Err(error) => Some(format!("{who} does not answer: {error}")),
                    Ok(answer) => unknown(&Features::from(answer).supported, wanted, &who),
                }
            }
        }
    };
    let brokers = brokers(call).map(ask(("broker", CLIENT)));
    let mut answers = join_all(brokers).await;
    let controllers = controllers::of(call).map(ask(("controller", CONTROLLER)));
    answers.extend(join_all(controllers).await);
    answers.into_iter().flatten().collect()
}

fn unknown(supported: &Levels, wanted: &Levels, who: &str) -> Option<String> {
    let above = wanted.above(supported);
    let (name, to) = above.0.first_key_value()?;
    let most = supported.0.get(name).copied().unwrap_or_default();
    Some(format!(
        "{who} knows {name} up to {most}, and {to} is wanted"
    ))
}

/// Brokers that are registered, alive or not, and are none of the inventory's. Those that do not tell of dead
/// ones leave that to the controllers, which refuse.
async fn strangers(client: &Client, call: Call<'_>) -> Vec<String> {
    let request = DescribeClusterRequest::default()
        .with_endpoint_type(BROKERS)
        .with_include_fenced_brokers(true);
    let Ok(answer) = client.send_any(&request).await else {
        return Vec::new();
    };
    let own = expected(call);
    let others = answer
        .brokers
        .iter()
        .filter(|b| !own.contains(&b.broker_id.0));
    let tell = |b: &kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker| {
        let how = if b.is_fenced { ", dead" } else { "" };
        format!(
            "broker {} ({}:{}{how}) is registered and is not the inventory's",
            b.broker_id.0, b.host, b.port
        )
    };
    others.map(tell).collect()
}

/// Raises features. One that is at its level already, or above, is left alone.
///
/// # Errors
/// When the controllers refuse: with their words, which name who can't follow.
pub async fn change(call: Call<'_>, levels: &Levels) -> Result<()> {
    let client = client(call);
    let now = Features::from(client.send_any(&question()).await?).finalized;
    let above = levels.above(&now);
    if above.0.is_empty() {
        return Ok(());
    }
    let request = request(&client, &above);
    let mut renewed = BTreeSet::new();
    while let Err(error) = update(&client, &request).await {
        let quorum = controllers::quorum(call).await?;
        let ghost = ghost(&error.to_string()).filter(|id| is_gone(call, &quorum, *id));
        match ghost {
            Some(id) if renewed.insert(id) => renew(call, &quorum, id).await?,
            _ => return Err(error),
        }
    }
    // The brokers hear of it from the controllers' log.
    let what = || "not every broker has heard of the new levels".to_owned();
    let ids = expected(call);
    let look = || async {
        for id in &ids {
            let of = Features::from(client.send_to(*id, &question()).await?).finalized;
            if !levels.above(&of).0.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    };
    client.wait(client.timeout() * 3, what, look).await
}

fn request(client: &Client, levels: &Levels) -> UpdateFeaturesRequest {
    let key = |(name, to): (&String, &i16)| {
        FeatureUpdateKey::default()
            .with_feature(string(name))
            .with_max_version_level(*to)
            .with_upgrade_type(UPGRADE)
    };
    UpdateFeaturesRequest::default()
        .with_timeout_ms(client.timeout_ms())
        .with_feature_updates(levels.0.iter().map(key).collect())
}

/// Why the controllers would refuse, if so; one of them that is gone is no reason.
async fn refusal(client: &Client, call: Call<'_>, levels: &Levels) -> Option<String> {
    let mut others = levels.clone();
    others.0.remove(VOTERS);
    if others.0.is_empty() {
        return None;
    }
    let asked = request(client, &others).with_validate_only(true);
    let refused = update(client, &asked).await.err()?.to_string();
    let quorum = controllers::quorum(call).await.ok()?;
    let gone = ghost(&refused).is_some_and(|id| is_gone(call, &quorum, id));
    (!gone).then_some(refused)
}

async fn update(client: &Client, request: &UpdateFeaturesRequest) -> Result<()> {
    let judge = |answer: UpdateFeaturesResponse| {
        let message = answer.error_message.as_deref();
        check([Refusal::of("the features", answer.error_code, message)])?;
        check(answer.results.iter().map(|one| {
            let message = one.error_message.as_deref();
            Refusal::of(one.feature.to_string(), one.error_code, message)
        }))
    };
    client.send_controller(request, i16::MAX, judge).await
}

/// The controller that a refusal names.
fn ghost(refusal: &str) -> Option<i32> {
    let (_, rest) = refusal.split_once("Controller ")?;
    let (id, rest) = rest.split_once(' ')?;
    rest.starts_with("does not support")
        .then(|| id.parse().ok())
        .flatten()
}

/// Whether a controller is none of the cluster's: it neither votes nor reads, and the inventory does not know it.
fn is_gone(call: Call<'_>, quorum: &Quorum, id: i32) -> bool {
    let all = call.view.members.iter().chain(&call.view.leaving);
    // The leader's own time is now. One that has stopped is named among the readers for some minutes.
    let now = quorum.leader.and_then(|leader| quorum.voter(leader));
    let now = now.map_or(i64::MAX, |leader| leader.last_caught_up);
    let mut readers = quorum.observers.iter();
    let reads = readers.any(|reader| reader.id == id && now - reader.last_fetch < STOPPED);
    !numbers(all).contains(&id) && quorum.voter(id).is_none() && !reads
}

/// Tells the controllers that one of them that left long ago knows what they know. They keep what it said when it
/// was there, have no word to forget it by (KIP-1312 brings one), and would wait for it for ever.
async fn renew(call: Call<'_>, quorum: &Quorum, id: i32) -> Result<()> {
    let active = controllers::of(call)
        .find(|m| numbers(std::iter::once(*m)).first().copied() == quorum.leader);
    let active = active.ok_or(Error::NoLeader)?;
    let at = Endpoint::new(
        &active.address,
        active.ports.get(CONTROLLER).copied().unwrap_or_default(),
    );
    let own = client(call).send_at(&at, &question(), i16::MAX).await?;
    let feature = |known: &SupportedFeatureKey| {
        Feature::default()
            .with_name(known.name.clone())
            .with_min_supported_version(known.min_version)
            .with_max_supported_version(known.max_version)
    };
    let request = ControllerRegistrationRequest::default()
        .with_controller_id(id)
        .with_incarnation_id(uuid::Uuid::new_v4())
        .with_features(own.supported_features.iter().map(feature).collect());
    let answer = voters::send(call, quorum, &request).await?;
    let what = format!("the registration of controller {id}, which is gone");
    check([Refusal::of(
        what,
        answer.error_code,
        answer.error_message.as_deref(),
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str) -> Levels {
        Levels::parse(text).expect("levels")
    }

    #[test]
    fn levels_are_raised_where_they_are_lower() {
        let wanted = levels("metadata.version=27, group.version=1");
        assert_eq!(wanted.above(&Levels::default()), wanted);
        assert_eq!(
            wanted.above(&levels("metadata.version=27")),
            levels("group.version=1")
        );
        let newer = levels("metadata.version=29,group.version=1");
        assert_eq!(wanted.above(&newer), Levels::default());
        assert_eq!(Levels::parse("metadata.version"), None);
        assert_eq!(Levels::parse("a=b"), None);
    }

    #[test]
    fn a_controller_that_is_named_in_a_refusal_is_found() {
        let named = "Invalid update version 1 for feature group.version. Controller 3002 does not support this feature.";
        assert_eq!(ghost(named), Some(3002));
        let range = "Controller 3002 does not support versions above 21";
        assert_eq!(ghost(range), Some(3002));
        assert_eq!(ghost("Broker 2 does not support this feature."), None);
        assert_eq!(ghost("Controller 3002 has not registered"), None);
    }

    #[test]
    fn a_node_that_can_t_follow_is_named() {
        let wanted = levels("metadata.version=27");
        let told = unknown(&levels("metadata.version=21"), &wanted, "broker 3");
        let why = "broker 3 knows metadata.version up to 21, and 27 is wanted";
        assert_eq!(told.as_deref(), Some(why));
        assert_eq!(
            unknown(&levels("metadata.version=28"), &wanted, "broker 3"),
            None
        );
    }
}
