//! The words for what is put in front of a service: one port on every host that has something to stand there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port of a role's instances that clients may reach through whatever stands in front of the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Front {
    /// The name of the role's port that the instances answer at.
    pub port: String,
    /// The port at which the front listens; the inventory's `ports:` of the service may say another, by the front's
    /// name.
    pub at: u16,
    /// What goes through it.
    #[serde(default)]
    pub mode: FrontMode,
    /// Who of the instances gets a client.
    #[serde(default)]
    pub to: FrontTo,
    /// The path of which a GET is answered with 200 by an instance that is well; without it, one that takes
    /// connections is.
    #[serde(default)]
    pub check: Option<String>,
    /// Seconds that a connection may be silent which both ends keep open, such as a web socket.
    #[serde(default)]
    pub tunnel: Option<u64>,
}

/// What goes through a [`Front`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrontMode {
    /// HTTP.
    #[default]
    Http,
    /// Anything over TCP.
    Tcp,
}

/// Who of the instances gets a client that comes through a [`Front`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrontTo {
    /// Whoever has the fewest connections.
    #[default]
    Any,
    /// The same one each time, as long as it is well: for instances that keep what they know of a client.
    Same,
    /// One for all, the others stand by: for instances that would write over each other's work.
    One,
}
