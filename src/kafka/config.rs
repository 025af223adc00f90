//! Settings of topics and brokers: read with their source, changed one by one.

use std::collections::BTreeMap;
use std::fmt;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest,
};
use serde::{Deserialize, Serialize};

use super::client::{Client, string};
use super::error::{Refusal, Result, check};
use super::metadata::Metadata;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
/// The setting that says how many replicas must have a message before it is acknowledged.
pub(super) const MIN_ISR: &str = "min.insync.replicas";
/// With so many copies one alone must have a message before it is acknowledged: any of them may be down.
pub(super) const FEW: usize = 2;

/// What has settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// A topic.
    Topic(String),
    /// One broker.
    Broker(i32),
    /// The defaults of all brokers, kept by the cluster.
    AllBrokers,
}

impl Resource {
    fn wire(&self) -> (i8, String) {
        match self {
            Self::Topic(name) => (TOPIC, name.clone()),
            Self::Broker(id) => (BROKER, id.to_string()),
            Self::AllBrokers => (BROKER, String::new()),
        }
    }

    fn from_wire(kind: i8, name: &str) -> Option<Self> {
        match (kind, name) {
            (TOPIC, name) => Some(Self::Topic(name.to_owned())),
            (BROKER, "") => Some(Self::AllBrokers),
            (BROKER, id) => Some(Self::Broker(id.parse().ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::AllBrokers => f.write_str("all brokers"),
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Set on this very topic.
    Topic,
    /// Set on this very broker while it runs.
    Broker,
    /// Set for all brokers while they run.
    AllBrokers,
    /// From the broker's own file.
    File,
    /// Upstream's default.
    Default,
    /// Something else, by its number.
    Other(i8),
}

impl Source {
    pub(super) fn from_wire(raw: i8) -> Self {
        match raw {
            1 => Self::Topic,
            2 => Self::Broker,
            3 => Self::AllBrokers,
            4 => Self::File,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }

    /// Whether the cluster keeps the value (rather than a file or the program).
    pub fn is_dynamic(self) -> bool {
        matches!(self, Self::Topic | Self::Broker | Self::AllBrokers)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic => f.write_str("set on the topic"),
            Self::Broker => f.write_str("set on the broker"),
            Self::AllBrokers => f.write_str("set for all brokers"),
            Self::File => f.write_str("from the brokers' file"),
            Self::Default => f.write_str("the default"),
            Self::Other(n) => write!(f, "source {n}"),
        }
    }
}

/// A setting as the broker has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its key.
    pub name: String,
    /// Its value in the broker's own spelling; never there for sensitive ones.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
    /// Whether only a restart changes it.
    pub read_only: bool,
    /// Whether the broker keeps the value to itself.
    pub sensitive: bool,
}

impl Entry {
    /// Whether nobody set it.
    pub fn is_default(&self) -> bool {
        self.source == Source::Default
    }
}

/// Settings by what they belong to.
pub type Configs = BTreeMap<Resource, Vec<Entry>>;

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// Gives it a value.
    Set(String, String),
    /// Takes the value away, so that the next lower source shows through.
    Delete(String),
}

impl Client {
    /// Reads settings: all of them, or only `keys` when that is not empty.
    ///
    /// # Errors
    /// When a broker does not answer, or refuses one of the resources.
    pub async fn describe_configs(&self, of: &[Resource], keys: &[&str]) -> Result<Configs> {
        let mut found = Configs::new();
        let (own, any): (Vec<_>, Vec<_>) =
            of.iter().partition(|r| matches!(r, Resource::Broker(_)));
        if !any.is_empty() {
            collect(
                self.send_any(&describe(&any, keys)).await?,
                keys,
                &mut found,
            )?;
        }
        for resource in own {
            // Only a broker itself knows its file.
            if let Resource::Broker(id) = resource {
                let answer = self.send_to(*id, &describe(&[resource], keys)).await?;
                collect(answer, keys, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Changes settings one by one; what is not named stays.
    ///
    /// # Errors
    /// When the cluster refuses: an unknown key, a value out of range, a setting that needs a restart.
    pub async fn alter_configs(
        &self,
        resource: &Resource,
        changes: &[Alteration],
        validate_only: bool,
    ) -> Result<()> {
        let (kind, name) = resource.wire();
        let changed = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(string(&name))
            .with_configs(changes.iter().map(alterable).collect());
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(vec![changed])
            .with_validate_only(validate_only);
        let answer = match resource {
            Resource::Broker(id) => self.send_to(*id, &request).await?,
            _ => self.send_any(&request).await?,
        };
        check(answer.responses.iter().map(|r| {
            Refusal::of(
                resource.to_string(),
                r.error_code,
                r.error_message.as_deref(),
            )
        }))
    }

    /// The min ISR in force for each topic of `metadata`, in one request.
    ///
    /// # Errors
    /// When no broker answers, or a topic was deleted in between.
    pub async fn min_isr(&self, metadata: &Metadata) -> Result<BTreeMap<String, usize>> {
        let topics: Vec<Resource> = metadata
            .topics
            .iter()
            .map(|t| Resource::Topic(t.name.clone()))
            .collect();
        let configs = self.describe_configs(&topics, &[MIN_ISR]).await?;
        Ok(configs
            .into_iter()
            .filter_map(|(resource, entries)| {
                let Resource::Topic(name) = resource else {
                    return None;
                };
                let value = entries
                    .iter()
                    .find(|e| e.name == MIN_ISR)?
                    .value
                    .as_deref()?;
                Some((name, value.parse().ok()?))
            })
            .collect())
    }
}

fn describe(resources: &[&Resource], keys: &[&str]) -> DescribeConfigsRequest {
    // 2.7.0 answers more than one key with nothing, and one with more than that: `collect` picks.
    let keys = (keys.len() == 1).then(|| keys.iter().map(|k| string(k)).collect::<Vec<_>>());
    let resource = |r: &&Resource| {
        let (kind, name) = r.wire();
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(string(&name))
            .with_configuration_keys(keys.clone())
    };
    DescribeConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

fn collect(answer: DescribeConfigsResponse, keys: &[&str], into: &mut Configs) -> Result<()> {
    check(answer.results.iter().map(|r| {
        let what = Resource::from_wire(r.resource_type, &r.resource_name)
            .map_or_else(|| r.resource_name.to_string(), |known| known.to_string());
        Refusal::of(what, r.error_code, r.error_message.as_deref())
    }))?;
    for result in &answer.results {
        if let Some(resource) = Resource::from_wire(result.resource_type, &result.resource_name) {
            let mut entries: Vec<Entry> = result.configs.iter().map(entry).collect();
            entries.retain(|e| keys.is_empty() || keys.contains(&e.name.as_str()));
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            into.insert(resource, entries);
        }
    }
    Ok(())
}

fn entry(raw: &DescribeConfigsResourceResult) -> Entry {
    Entry {
        name: raw.name.to_string(),
        value: raw
            .value
            .as_ref()
            .map(ToString::to_string)
            .filter(|_| !raw.is_sensitive),
        source: Source::from_wire(raw.config_source),
        read_only: raw.read_only,
        sensitive: raw.is_sensitive,
    }
}

fn alterable(change: &Alteration) -> AlterableConfig {
    let (name, operation, value) = match change {
        Alteration::Set(name, value) => (name, SET, Some(string(value))),
        Alteration::Delete(name) => (name, DELETE, None),
    };
    AlterableConfig::default()
        .with_name(string(name))
        .with_config_operation(operation)
        .with_value(value)
}
