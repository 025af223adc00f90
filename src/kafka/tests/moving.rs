//! A cluster of three brokers whose replicas move, behind the pipe.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ApiKey, BrokerId,
    DescribeConfigsRequest, DescribeConfigsResponse, DescribeLogDirsResponse, ElectLeadersResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    ListPartitionReassignmentsResponse, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::fake::{Asked, Behaviour, offers};

type Place = (String, i32);

/// After so many looks at what is under way, it is done.
const LOOKS: usize = 4;

/// What the cluster is.
pub(super) struct Sim {
    pub(super) replicas: BTreeMap<Place, Vec<i32>>,
    /// Where replicas go, and how often that was looked at.
    pub(super) moving: BTreeMap<Place, (Vec<i32>, usize)>,
    /// Settings by `topic NAME` or `broker ID`.
    pub(super) configs: BTreeMap<String, BTreeMap<String, String>>,
    /// What it was told to do.
    pub(super) did: Vec<String>,
    /// Whether moves never end.
    pub(super) stuck: bool,
    /// The partition of which a move never ends.
    pub(super) hangs: Option<i32>,
    /// How often moves are begun without an answer.
    pub(super) silent: usize,
    /// How often it is asked what moves without an answer.
    pub(super) mute: usize,
    /// What brokers still say of where replicas are, and how often.
    pub(super) late: BTreeMap<Place, (Vec<i32>, usize)>,
}

impl Sim {
    pub(super) fn new() -> Self {
        let place = |n: i32| ("velib".to_owned(), n);
        Self {
            replicas: BTreeMap::from([
                (place(0), vec![1]),
                (place(1), vec![2, 3]),
                (place(2), vec![3]),
            ]),
            moving: BTreeMap::new(),
            configs: BTreeMap::new(),
            did: Vec::new(),
            stuck: false,
            hangs: None,
            silent: 0,
            mute: 0,
            late: BTreeMap::new(),
        }
    }

    /// A move begins.
    pub(super) fn start(&mut self, place: Place, to: Vec<i32>) {
        self.moving.insert(place, (to, 0));
    }

    /// A move is over with the second look from now.
    pub(super) fn ends_soon(&mut self, place: &Place) {
        self.moving.get_mut(place).expect("a move").1 = LOOKS - 1;
    }

    /// All settings that are there.
    pub(super) fn limits(&self) -> BTreeMap<String, String> {
        let of = |(resource, all): (&String, &BTreeMap<String, String>)| {
            let line =
                |(key, value): (&String, &String)| (format!("{resource} {key}"), value.clone());
            all.iter().map(line).collect::<Vec<_>>()
        };
        self.configs.iter().flat_map(of).collect()
    }

    /// The replicas of a partition, those that are being filled among them.
    fn all(&self, place: &Place) -> Vec<i32> {
        let mut all = self
            .moving
            .get(place)
            .map(|m| m.0.clone())
            .unwrap_or_default();
        let old = self.replicas[place].iter().copied();
        all.extend(old.filter(|id| !all.contains(id)).collect::<Vec<_>>());
        all
    }

    fn metadata(&mut self) -> MetadataResponse {
        for (_, times) in self.late.values_mut() {
            *times = times.saturating_sub(1);
        }
        self.late.retain(|_, (_, times)| *times > 0);
        let broker = |id: i32| {
            let broker = MetadataResponseBroker::default().with_node_id(BrokerId(id));
            broker
                .with_host(StrBytes::from_static_str("b"))
                .with_port(id)
        };
        let partition = |(place, now): (&Place, &Vec<i32>)| {
            MetadataResponsePartition::default()
                .with_partition_index(place.1)
                .with_leader_id(BrokerId(now[0]))
                .with_replica_nodes(match self.late.get(place) {
                    Some((told, _)) => ids(told),
                    None => ids(&self.all(place)),
                })
                .with_isr_nodes(ids(now))
        };
        let topic = MetadataResponseTopic::default()
            .with_name(Some(name("velib")))
            .with_partitions(self.replicas.iter().map(partition).collect());
        MetadataResponse::default()
            .with_brokers((1..=3).map(broker).collect())
            .with_controller_id(BrokerId(1))
            .with_topics(vec![topic])
    }

    fn list(&mut self) -> ListPartitionReassignmentsResponse {
        for ((_, partition), (_, looks)) in &mut self.moving {
            *looks += usize::from(!self.stuck && self.hangs != Some(*partition));
        }
        let done = |_: &Place, (_, looks): &mut (Vec<i32>, usize)| *looks > LOOKS;
        for (place, (to, _)) in self.moving.extract_if(.., done) {
            self.replicas.insert(place, to);
        }
        let partition = |(place, (to, _)): (&Place, &(Vec<i32>, usize))| {
            let old = &self.replicas[place];
            let without = |a: &[i32], b: &[i32]| {
                let left: Vec<i32> = a.iter().copied().filter(|id| !b.contains(id)).collect();
                ids(&left)
            };
            OngoingPartitionReassignment::default()
                .with_partition_index(place.1)
                .with_replicas(ids(&self.all(place)))
                .with_adding_replicas(without(to, old))
                .with_removing_replicas(without(old, to))
        };
        let topic = OngoingTopicReassignment::default()
            .with_name(name("velib"))
            .with_partitions(self.moving.iter().map(partition).collect());
        ListPartitionReassignmentsResponse::default().with_topics(vec![topic])
    }

    fn alter(
        &mut self,
        request: AlterPartitionReassignmentsRequest,
    ) -> AlterPartitionReassignmentsResponse {
        let mut topics = Vec::new();
        for topic in request.topics {
            let mut partitions = Vec::new();
            for p in topic.partitions {
                let place = (topic.name.to_string(), p.partition_index);
                let label = format!("{}-{}", place.0, place.1);
                match p.replicas {
                    Some(to) => {
                        let to: Vec<i32> = to.iter().map(|id| id.0).collect();
                        self.did.push(format!("move {label} {to:?}"));
                        self.start(place, to);
                    }
                    None => {
                        self.did.push(format!("call off {label}"));
                        self.moving.remove(&place);
                    }
                }
                let answer = ReassignablePartitionResponse::default();
                partitions.push(answer.with_partition_index(p.partition_index));
            }
            let answer = ReassignableTopicResponse::default().with_name(topic.name);
            topics.push(answer.with_partitions(partitions));
        }
        AlterPartitionReassignmentsResponse::default().with_responses(topics)
    }

    fn describe(&self, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
        let result =
            |r: kafka_protocol::messages::describe_configs_request::DescribeConfigsResource| {
                let source = if r.resource_type == 2 { 1 } else { 2 };
                let of = self
                    .configs
                    .get(&resource(r.resource_type, &r.resource_name));
                let entry = |(key, value): (&String, &String)| {
                    DescribeConfigsResourceResult::default()
                        .with_name(StrBytes::from_string(key.clone()))
                        .with_value(Some(StrBytes::from_string(value.clone())))
                        .with_config_source(source)
                };
                DescribeConfigsResult::default()
                    .with_resource_type(r.resource_type)
                    .with_resource_name(r.resource_name.clone())
                    .with_configs(of.into_iter().flatten().map(entry).collect())
            };
        let results = request.resources.into_iter().map(result).collect();
        DescribeConfigsResponse::default().with_results(results)
    }

    fn configure(
        &mut self,
        request: IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let mut answers = Vec::new();
        for r in request.resources {
            let what = resource(r.resource_type, &r.resource_name);
            for change in r.configs {
                let (of, key) = (
                    self.configs.entry(what.clone()).or_default(),
                    change.name.to_string(),
                );
                self.did.push(
                    match change.value.filter(|_| change.config_operation == 0) {
                        Some(value) => {
                            of.insert(key.clone(), value.to_string());
                            format!("{what}: {key}={value}")
                        }
                        None => {
                            of.remove(&key);
                            format!("{what}: no {key}")
                        }
                    },
                );
            }
            let answer =
                AlterConfigsResourceResponse::default().with_resource_type(r.resource_type);
            answers.push(answer.with_resource_name(r.resource_name));
        }
        IncrementalAlterConfigsResponse::default().with_responses(answers)
    }

    /// Partition n has n times 500 bytes.
    fn dirs(&self, broker: i32) -> DescribeLogDirsResponse {
        let here = self
            .replicas
            .iter()
            .filter(|(_, now)| now.contains(&broker));
        let partition = |(place, _): (&Place, &Vec<i32>)| {
            let partition = DescribeLogDirsPartition::default().with_partition_index(place.1);
            partition.with_partition_size(500 * i64::from(place.1))
        };
        let topic = DescribeLogDirsTopic::default()
            .with_name(name("velib"))
            .with_partitions(here.map(partition).collect());
        let dir = DescribeLogDirsResult::default().with_topics(vec![topic]);
        DescribeLogDirsResponse::default().with_results(vec![dir])
    }
}

fn resource(kind: i8, name: &str) -> String {
    format!("{} {name}", if kind == 2 { "topic" } else { "broker" })
}

fn ids(all: &[i32]) -> Vec<BrokerId> {
    all.iter().map(|id| BrokerId(*id)).collect()
}

fn name(text: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(text))
}

/// What all its brokers do.
pub(super) fn behaviour(sim: Arc<Mutex<Sim>>) -> Box<Behaviour> {
    let keys = [
        (ApiKey::ApiVersions, 3),
        (ApiKey::Metadata, 9),
        (ApiKey::DescribeConfigs, 3),
        (ApiKey::IncrementalAlterConfigs, 1),
        (ApiKey::DescribeLogDirs, 2),
        (ApiKey::ElectLeaders, 2),
        (ApiKey::AlterPartitionReassignments, 0),
        (ApiKey::ListPartitionReassignments, 0),
    ];
    Box::new(move |asked: &Asked| {
        let mut sim = sim.lock().unwrap();
        let (mut body, version) = (asked.body.clone(), asked.version);
        Some(match asked.key {
            ApiKey::ApiVersions => asked.answer(&offers(&keys)),
            ApiKey::Metadata => asked.answer(&sim.metadata()),
            ApiKey::ListPartitionReassignments if sim.mute > 0 => {
                sim.mute -= 1;
                Vec::new()
            }
            ApiKey::ListPartitionReassignments => asked.answer(&sim.list()),
            ApiKey::AlterPartitionReassignments => {
                let request = AlterPartitionReassignmentsRequest::decode(&mut body, version);
                let answer = sim.alter(request.unwrap());
                if sim.silent > 0 {
                    sim.silent -= 1;
                    // The stream stays open, and nothing comes.
                    return Some(Vec::new());
                }
                asked.answer(&answer)
            }
            ApiKey::DescribeConfigs => {
                let request = DescribeConfigsRequest::decode(&mut body, version);
                asked.answer(&sim.describe(request.unwrap()))
            }
            ApiKey::IncrementalAlterConfigs => {
                let request = IncrementalAlterConfigsRequest::decode(&mut body, version);
                asked.answer(&sim.configure(request.unwrap()))
            }
            ApiKey::DescribeLogDirs => asked.answer(&sim.dirs(i32::from(asked.port))),
            ApiKey::ElectLeaders => {
                sim.did.push("elect".to_owned());
                asked.answer(&ElectLeadersResponse::default())
            }
            _ => return None,
        })
    })
}
