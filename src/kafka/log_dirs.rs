//! What lies on a broker's disks.

use kafka_protocol::messages::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::error::{Refusal, Result, check};

/// A log directory of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDir {
    /// Its path on the host.
    pub path: String,
    /// Why the broker cannot use it, if so.
    pub error: Option<String>,
    /// The volume's size in bytes, from brokers of 3.3 on.
    pub total: Option<u64>,
    /// The volume's free bytes, from brokers of 3.3 on.
    pub usable: Option<u64>,
    /// The replicas in it.
    pub replicas: Vec<Replica>,
}

/// A copy of a partition on a disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Replica {
    /// The topic.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// Its segments' bytes.
    pub size: u64,
    /// How many messages it is behind.
    pub lag: i64,
    /// Whether it is a copy under way from another directory of the broker.
    pub future: bool,
}

impl Client {
    /// The log directories of a broker, with everything in them.
    ///
    /// # Errors
    /// When that broker does not answer or refuses.
    pub async fn describe_log_dirs(&self, broker: i32) -> Result<Vec<LogDir>> {
        let request = DescribeLogDirsRequest::default().with_topics(None);
        let answer = self.send_to(broker, &request).await?;
        check([Refusal::of(
            format!("log directories of broker {broker}"),
            answer.error_code,
            None,
        )])?;
        Ok(answer.results.iter().map(log_dir).collect())
    }
}

fn log_dir(raw: &DescribeLogDirsResult) -> LogDir {
    let mut replicas: Vec<Replica> = raw
        .topics
        .iter()
        .flat_map(|t| {
            t.partitions.iter().map(|p| Replica {
                topic: t.name.to_string(),
                partition: p.partition_index,
                size: u64::try_from(p.partition_size).unwrap_or(0),
                lag: p.offset_lag,
                future: p.is_future_key,
            })
        })
        .collect();
    replicas.sort();
    LogDir {
        path: raw.log_dir.to_string(),
        error: Refusal::of(raw.log_dir.to_string(), raw.error_code, None).map(|r| r.to_string()),
        total: u64::try_from(raw.total_bytes).ok(),
        usable: u64::try_from(raw.usable_bytes).ok(),
        replicas,
    }
}
