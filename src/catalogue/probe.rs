//! The words for a question to an instance or its service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::RoleName;

/// A question to an instance or its service. It answers yes, not yet or broken, maybe with a value (a capture).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Probe {
    /// A port, by name, accepts connections.
    Tcp(String),
    /// An HTTP GET answers as it should.
    Http {
        /// The port's name.
        port: String,
        /// The path asked for.
        path: String,
        /// The status code that is right.
        #[serde(default = "http_ok")]
        status: u16,
        /// A pattern that the body must match; its first group is the value.
        #[serde(default)]
        pattern: Option<String>,
    },
    /// A word sent to a port answers as it should (four-letter words and their like).
    FourLetter {
        /// The port's name.
        port: String,
        /// The word sent.
        send: String,
        /// A pattern that the answer must match; its first group is the value.
        pattern: String,
    },
    /// A hook run on the host as the service's user: exit 0 yes, 1 not yet, 2 broken; its last line is the value.
    Exec {
        /// The hook in the service's folder.
        hook: String,
        /// Seconds it may take.
        #[serde(default = "half_minute")]
        within: u64,
    },
    /// The role's quorum is whole: one leader, all others following and in sync.
    Quorum,
    /// The other members of the instance's role are a majority of it and whole without it.
    QuorumOthers,
    /// The instance leads its quorum.
    QuorumLeader,
    /// The same holds of all other members of the instance's role.
    Others(Box<Probe>),
    /// One of these holds.
    AnyOf(Vec<Probe>),
    /// It holds of one of the members of another role of the service.
    Some {
        /// The role.
        role: RoleName,
        /// What is asked of them.
        asks: Box<Probe>,
    },
    /// An action of a driver, `<driver>/<action>`.
    Driver(DriverAction),
}

fn http_ok() -> u16 {
    200
}

fn half_minute() -> u64 {
    30
}

/// An action of a driver, written `<driver>/<action>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct DriverAction {
    /// The driver's name.
    pub driver: String,
    /// What it is asked.
    pub action: String,
}

impl TryFrom<String> for DriverAction {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((driver, action)) if !driver.is_empty() && !action.is_empty() => Ok(Self {
                driver: driver.to_owned(),
                action: action.to_owned(),
            }),
            _ => Err(format!(
                "`{text}` is not a driver's action: write `<driver>/<action>`"
            )),
        }
    }
}

impl From<DriverAction> for String {
    fn from(action: DriverAction) -> Self {
        action.to_string()
    }
}

impl std::fmt::Display for DriverAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.driver, self.action)
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "port {port}"),
            Self::Http { port, path, .. } => write!(f, "GET {path} on {port}"),
            Self::FourLetter { send, .. } => write!(f, "{send}"),
            Self::Exec { hook, .. } => write!(f, "{}", hook.trim_start_matches("hooks/")),
            Self::Quorum => f.write_str("quorum"),
            Self::QuorumOthers => f.write_str("quorum of the others"),
            Self::QuorumLeader => f.write_str("leads"),
            Self::Others(probe) => write!(f, "{probe} of the others"),
            Self::AnyOf(probes) => {
                let all: Vec<String> = probes.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(" or "))
            }
            Self::Some { role, asks } => write!(f, "{asks} of some {role}"),
            Self::Driver(action) => write!(f, "{}", action.action),
        }
    }
}
