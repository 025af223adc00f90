//! Where things are on a host. A local host's paths all lie below its root.

use crate::id::{ClusterName, ServiceName};
use crate::inventory::{Connection, Host};

/// How the path of a host's record ends.
pub(super) const RECORD: &str = "/record.json";

/// The places of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPaths {
    /// What stands before every path; empty on a real host.
    pub root: String,
    cluster: ClusterName,
}

impl HostPaths {
    /// The places of `host` for a cluster.
    #[must_use]
    pub fn new(cluster: &ClusterName, host: &Host) -> Self {
        let root = match &host.connection {
            Connection::Ssh { .. } => String::new(),
            Connection::Local { root } => root
                .as_ref()
                .map(|root| root.display().to_string())
                .unwrap_or_default(),
        };
        Self {
            root,
            cluster: cluster.clone(),
        }
    }

    /// A path of the host.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// What sdtd keeps about this cluster.
    #[must_use]
    pub fn state(&self) -> String {
        self.at(&format!("/var/lib/sdtd/{}", self.cluster))
    }

    /// The host's record.
    #[must_use]
    pub fn record(&self) -> String {
        format!("{}{RECORD}", self.state())
    }

    /// Which folders, of all hosts, are known to hold data.
    #[must_use]
    pub fn held(&self) -> String {
        format!("{}/held", self.state())
    }

    /// What is being moved between members, while it is.
    #[must_use]
    pub fn moving(&self) -> String {
        format!("{}/moving", self.state())
    }

    /// What the services' files and links were before the last change.
    #[must_use]
    pub fn previous(&self) -> String {
        format!("{}/previous", self.state())
    }

    /// What sdtd keeps about one unit.
    #[must_use]
    pub fn unit(&self, unit: &str) -> String {
        format!("{}/units/{unit}", self.state())
    }

    /// What a run that passes packages on keeps, so that what it leaves behind is found.
    #[must_use]
    pub fn fan_out(&self) -> String {
        format!("{}/fan-out", self.state())
    }

    /// A service's hooks.
    #[must_use]
    pub fn hooks(&self, service: &ServiceName) -> String {
        format!("{}/hooks/{service}", self.state())
    }

    /// Installed packages, each under its name, version and hash.
    #[must_use]
    pub fn store(&self) -> String {
        self.at("/opt/sdtd/store")
    }

    /// Packages on their way.
    #[must_use]
    pub fn incoming(&self) -> String {
        self.at("/opt/sdtd/incoming")
    }

    /// A service's configuration.
    #[must_use]
    pub fn config(&self, service: &str) -> String {
        self.at(&format!("/etc/{service}"))
    }

    /// Below which a service keeps its data.
    #[must_use]
    pub fn data(&self, service: &str) -> String {
        self.at(&format!("/var/lib/{service}"))
    }

    /// A service's logs.
    #[must_use]
    pub fn logs(&self, service: &str) -> String {
        self.at(&format!("/var/log/{service}"))
    }

    /// The file that login shells read: everybody's on a real host, one of its own on a local one.
    #[must_use]
    pub fn profile(&self) -> String {
        if self.root.is_empty() {
            "/etc/profile".to_owned()
        } else {
            self.at("/env.sh")
        }
    }

    /// The file of a systemd unit.
    #[must_use]
    pub fn systemd_unit(&self, unit: &str) -> String {
        self.at(&format!("/etc/systemd/system/{unit}.service"))
    }
}
