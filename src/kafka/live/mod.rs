//! Settings that a broker takes while it runs (KIP-226): compared with what its file says, and changed.
//!
//! What the cluster keeps for a broker counts more than the broker's file, for ever: so a value goes into the file
//! too, and what is kept is taken away as soon as the broker was started with that.

mod judge;

pub use judge::{Alter, Judged, Kept, judge};

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;

use super::client::string;
use super::config::{Alteration, Resource, Source};
use super::driver::client_of;
use super::error::{Refusal, check};
use super::topics::same;
use super::{Client, Error, Result};
use crate::driver::Call;
use crate::plan::Member;
use crate::plan::live::{Found, Live};

/// How long it may take until a broker runs with what it was given: it learns of it from the cluster.
const SHOWS: Duration = Duration::from_secs(30);
/// A number goes to another in so many steps at the most, each to half or double of the one before.
const STEPS: u32 = 40;

/// The settings of a broker.
type KeptOf = BTreeMap<String, Kept>;

/// One broker that is asked, and no other.
struct Broker {
    client: Client,
    id: i32,
}

impl Broker {
    fn of(call: Call<'_>, member: &Member) -> Option<Self> {
        let id = i32::try_from(member.number?).ok()?;
        let client = client_of(call, std::iter::once(member));
        Some(Self { client, id })
    }

    /// All its settings, in one request: 2.7.0 answers nothing where several are named.
    async fn look(&self) -> Result<KeptOf> {
        let broker = DescribeConfigsResource::default()
            .with_resource_type(4)
            .with_resource_name(string(&self.id.to_string()))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default()
            .with_resources(vec![broker])
            .with_include_synonyms(true);
        let answer = self.client.send_any(&request).await?;
        check(answer.results.iter().map(|r| {
            Refusal::of(
                format!("broker {}", self.id),
                r.error_code,
                r.error_message.as_deref(),
            )
        }))?;
        let all = answer.results.iter().flat_map(|result| &result.configs);
        Ok(all.map(|raw| (raw.name.to_string(), kept(raw))).collect())
    }

    async fn alter(&self, changes: &[Alteration], only_asked: bool) -> Result<()> {
        let broker = Resource::Broker(self.id);
        self.client
            .alter_configs(&broker, changes, only_asked)
            .await
    }

    /// Whether it would take a change.
    async fn takes(&self, changes: &[&Alter]) -> Result<bool> {
        let changes: Vec<Alteration> = changes.iter().map(|one| one.alteration()).collect();
        match self.alter(&changes, true).await {
            Err(Error::Refused(_)) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Makes one change, step by step where it is too far for one.
    async fn bring(&self, alter: &Alter) -> Result<()> {
        let mut now = alter.from.clone();
        for _ in 0..STEPS {
            let refused = match self.alter(&[alter.alteration()], false).await {
                Ok(()) => return self.shows(&alter.key, alter.to.as_deref()).await,
                Err(error @ Error::Refused(_)) => error,
                Err(error) => return Err(error),
            };
            // What a restart does not bring has to be reached, however far away.
            let next = alter.halfway(&now).filter(|_| alter.in_the_way);
            let Some(next) = next else {
                return Err(refused);
            };
            let step = Alteration::Set(alter.key.clone(), next.clone());
            self.alter(&[step], false).await?;
            self.shows(&alter.key, Some(&next)).await?;
            now = next;
        }
        Ok(())
    }

    /// Waits until the broker has it: it is told by the cluster.
    async fn shows(&self, key: &str, value: Option<&str>) -> Result<()> {
        let what = || format!("broker {} does not run with its {key} yet", self.id);
        let look = || async {
            let kept = self.look().await?;
            let own = kept.get(key).and_then(|kept| kept.at(Source::Broker));
            let shows = match (own, value) {
                (Some(own), Some(value)) => same(value, own),
                (own, value) => own.is_none() && value.is_none(),
            };
            Ok(shows.then_some(()))
        };
        self.client.wait(SHOWS, what, look).await
    }
}

/// Compares a broker that runs with what it shall run with; none if it does not answer.
pub async fn compare(call: Call<'_>, wanted: &Live) -> Option<Found> {
    let broker = Broker::of(call, call.member?)?;
    let judged = judge(&broker.look().await.ok()?, wanted);
    let mut not = judged.not;
    // What is only in the way of the file is taken away step by step; the rest has to be possible at once.
    let own: Vec<&Alter> = judged.alter.iter().filter(|one| !one.in_the_way).collect();
    if !own.is_empty() && !broker.takes(&own).await.ok()? {
        for one in own {
            if !broker.takes(&[one]).await.ok()? {
                not.push(one.to_string());
            }
        }
    }
    Some(Found {
        change: judged.alter.iter().map(Alter::to_string).collect(),
        not,
        left: judged.left,
    })
}

/// Makes a broker run with what it shall run with. Made twice it finds nothing to do.
///
/// # Errors
/// When the broker does not answer or refuses.
pub async fn apply(call: Call<'_>, wanted: &Live) -> Result<()> {
    let member = call.view.member(&wanted.member);
    let Some(broker) = member.and_then(|member| Broker::of(call, member)) else {
        return Err(Error::Unsafe(format!("{} is no broker", wanted.member)));
    };
    for one in judge(&broker.look().await?, wanted).alter {
        match broker.bring(&one).await {
            // It is what the broker is restarted for.
            Err(Error::Refused(_)) if !one.in_the_way => {}
            done => done?,
        }
    }
    Ok(())
}

fn kept(raw: &DescribeConfigsResourceResult) -> Kept {
    let own = raw.synonyms.iter().filter(|one| one.name == raw.name);
    let value =
        |one: &kafka_protocol::messages::describe_configs_response::DescribeConfigsSynonym| {
            let value = one.value.as_ref()?.to_string();
            Some((Source::from_wire(one.source), value))
        };
    Kept {
        takes: !raw.read_only,
        values: own.filter_map(value).collect(),
    }
}
