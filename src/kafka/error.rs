//! What can go wrong between `sdtd` and a broker, in words.

use std::fmt;
use std::io;
use std::time::Duration;

use kafka_protocol::ResponseError;

/// The result of everything in this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No stream to the broker could be opened.
    #[error("{addr}: no connection: {source}")]
    Dial {
        /// The broker, as `host:port`.
        addr: String,
        /// Why not.
        source: io::Error,
    },
    /// The stream broke while a request was under way.
    #[error("{addr}: connection lost during {api}: {source}")]
    Io {
        /// The broker, as `host:port`.
        addr: String,
        /// The request's name.
        api: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The broker did not answer in time.
    #[error("{addr}: no answer to {api} within {} s", after.as_secs_f32())]
    Timeout {
        /// The broker, as `host:port`.
        addr: String,
        /// The request's name.
        api: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// What came back is not an answer in this protocol.
    #[error("{addr}: {api} was answered with something else: {detail}")]
    Malformed {
        /// The broker, as `host:port`.
        addr: String,
        /// The request's name.
        api: &'static str,
        /// What was wrong with it.
        detail: String,
    },
    /// The request could not be put into bytes.
    #[error("{addr}: {api} cannot be expressed in version {version}: {detail}")]
    Encode {
        /// The broker, as `host:port`.
        addr: String,
        /// The request's name.
        api: &'static str,
        /// The version chosen.
        version: i16,
        /// What does not fit.
        detail: String,
    },
    /// The broker and this client have no version of the request in common.
    #[error("{addr}: the broker does not offer {api} in a version known here")]
    Unsupported {
        /// The broker, as `host:port`.
        addr: String,
        /// The request's name.
        api: &'static str,
    },
    /// The broker answered, and said no; every refused item is listed.
    #[error("{}", join(.0))]
    Refused(Vec<Refusal>),
    /// None of the brokers could be reached; what each said is listed.
    #[error("no broker answers: {}", join(.0))]
    NoBroker(Vec<Error>),
    /// What brokers say of replicas and what the controller says of moves do not agree, however often asked.
    #[error("the brokers name replicas that come and go, and the controller moves none of them")]
    Unsettled,
    /// The cluster does not list this broker.
    #[error("broker {0} is not registered in the cluster")]
    UnknownBroker(i32),
    /// No broker was the controller for as long as was waited.
    #[error("the cluster has had no controller for {} s", .0.as_secs())]
    NoController(Duration),
    /// No controller answers that it leads.
    #[error("no controller leads the others")]
    NoLeader,
    /// Something that was waited for did not come.
    #[error("{what} after {} s", after.as_secs_f32())]
    NotYet {
        /// What is still not so.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// A message came back changed, or not at all.
    #[error("{0}")]
    Exchange(String),
    /// A change that must not be made this way.
    #[error("not done: {0}")]
    Unsafe(String),
    /// What several questions were answered with.
    #[error("{0}")]
    Shared(std::sync::Arc<Error>),
}

impl Error {
    /// Whether the stream (not the broker's answer) is the trouble, so that another connection may help.
    pub fn is_transport(&self) -> bool {
        matches!(
            self,
            Self::Dial { .. }
                | Self::Io { .. }
                | Self::Timeout { .. }
                | Self::Malformed { .. }
                | Self::NoBroker(_)
        )
    }

    /// Whether the same question may be answered a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::UnknownBroker(_) | Self::NoController(_) | Self::NoLeader => true,
            Self::Refused(all) => all.iter().all(|r| r.code.is_retriable()),
            other => other.is_transport(),
        }
    }

    /// Whether every refusal in this error has one of these codes.
    pub fn all_refused_with(&self, codes: &[ResponseError]) -> bool {
        matches!(self, Self::Refused(all) if all.iter().all(|r| codes.contains(&r.code)))
    }
}

/// One thing that a broker refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked for: a topic, a partition, a configuration.
    pub what: String,
    /// The protocol's error.
    pub code: ResponseError,
    /// The broker's own words, where it sent any.
    pub message: Option<String>,
}

impl Refusal {
    /// The refusal that `code` stands for, or `None` when it stands for success.
    pub fn of(what: impl Into<String>, code: i16, message: Option<&str>) -> Option<Self> {
        let code = ResponseError::try_from_code(code)?;
        let message = message
            .map(str::trim)
            .filter(|m| !m.is_empty())
            .map(str::to_owned);
        Some(Self {
            what: what.into(),
            code,
            message,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, name(self.code))?;
        match (&self.message, text(self.code)) {
            (Some(message), _) => write!(f, " ({message})"),
            (None, Some(text)) => write!(f, " ({text})"),
            (None, None) => Ok(()),
        }
    }
}

/// `Ok` when nothing was refused.
pub(crate) fn check(refusals: impl IntoIterator<Item = Option<Refusal>>) -> Result<()> {
    let all: Vec<Refusal> = refusals.into_iter().flatten().collect();
    if all.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(all))
    }
}

/// The error's name as the upstream documentation writes it: `NOT_CONTROLLER`.
pub fn name(code: ResponseError) -> String {
    if let ResponseError::Unknown(number) = code {
        return format!("error {number}");
    }
    let camel = code.to_string();
    let mut out = String::with_capacity(camel.len() + 6);
    for (i, c) in camel.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

/// What the error means, for those an operator of topics and brokers meets.
pub fn text(code: ResponseError) -> Option<&'static str> {
    use ResponseError as E;
    Some(match code {
        E::UnknownServerError => "the broker's own log has the cause",
        E::UnknownTopicOrPartition => "no such topic or partition on this broker",
        E::LeaderNotAvailable => "the partition has no leader yet",
        E::NotLeaderOrFollower => "another broker leads the partition now",
        E::RequestTimedOut => "the cluster did not finish it in time; it may still happen",
        E::BrokerNotAvailable => "a broker that it needs is down",
        E::NotEnoughReplicas | E::NotEnoughReplicasAfterAppend => {
            "fewer replicas are in sync than min.insync.replicas asks for"
        }
        E::TopicAuthorizationFailed | E::ClusterAuthorizationFailed => "this user may not do that",
        E::UnsupportedVersion => "the broker is too old or too new for this request",
        E::TopicAlreadyExists => "a topic of this name is already there",
        E::InvalidPartitions => "the number of partitions can only grow",
        E::InvalidReplicationFactor => "there are fewer live brokers than replicas asked for",
        E::InvalidReplicaAssignment => "the list of replicas is not possible with the live brokers",
        E::InvalidConfig => "the broker does not know this setting, or not this value",
        E::NotController => "another broker is the controller now",
        E::PolicyViolation => "the cluster's own policy forbids it",
        E::KafkaStorageError => "the broker cannot use the log directory",
        E::ReassignmentInProgress => "replicas of it are being moved",
        E::TopicDeletionDisabled => "delete.topic.enable is false on the brokers",
        E::PreferredLeaderNotAvailable => "the preferred leader is down or not in sync",
        E::EligibleLeadersNotAvailable => "no replica that could lead is alive",
        _ => return None,
    })
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    items
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
