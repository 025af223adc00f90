//! The names of things, valid by construction.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to 63 lower-case letters, digits and inner dashes, beginning with a letter"
)]
pub struct BadName(pub String);

fn check_name(text: &str) -> Result<(), BadName> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(inner);
    if good {
        Ok(())
    } else {
        Err(BadName(text.to_owned()))
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                check_name(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                check_name(&text).map(|()| Self(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// A cluster, as the inventory names it.
    ClusterName
}
name_type! {
    /// A host, as the inventory names it (its address may differ).
    HostName
}
name_type! {
    /// A service of the catalogue.
    ServiceName
}
name_type! {
    /// A role of a service, such as a server, a broker or a worker.
    RoleName
}

/// One running thing: a role of a service on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// The service.
    pub service: ServiceName,
    /// Its role.
    pub role: RoleName,
    /// Where it runs.
    pub host: HostName,
    /// Which of those of its role on its host it is, from 1.
    pub copy: u16,
}

impl InstanceId {
    /// The name of its unit, without a suffix: `<service>-<role>`, and a number if it is not its host's first.
    #[must_use]
    pub fn unit(&self) -> String {
        format!("{}-{}{}", self.service, self.role, self.suffix())
    }

    /// What is put behind the names of what instances of a host must not share: nothing for the first of its
    /// role, `-2` for the second.
    #[must_use]
    pub fn suffix(&self) -> String {
        suffix(self.copy)
    }
}

/// What is put behind the names of what instances of a host must not share.
#[must_use]
pub fn suffix(copy: u16) -> String {
    match copy {
        0 | 1 => String::new(),
        n => format!("-{n}"),
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            role,
            host,
            copy,
        } = self;
        match copy {
            0 | 1 => write!(f, "{service}.{role}@{host}"),
            n => write!(f, "{service}.{role}.{n}@{host}"),
        }
    }
}

impl FromStr for InstanceId {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let parts = text.split_once('@').and_then(|(what, host)| {
            let (service, role) = what.split_once('.')?;
            Some((service, role, host))
        });
        let bad = || BadName(text.to_owned());
        let (service, role, host) = parts.ok_or_else(bad)?;
        let (role, copy) = match role.split_once('.') {
            None => (role, 1),
            Some((role, copy)) => (role, copy.parse().ok().filter(|n| *n > 1).ok_or_else(bad)?),
        };
        Ok(Self {
            service: service.parse()?,
            role: role.parse()?,
            host: host.parse()?,
            copy,
        })
    }
}

impl Serialize for InstanceId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The architecture of a host's programs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 64-bit PCs and servers.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM with a hardware FPU (a Raspberry Pi 2 and later).
    Armhf,
}

impl Arch {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::Aarch64, Self::Armhf];

    /// From the name that `uname -m` gives.
    #[must_use]
    pub fn from_uname(machine: &str) -> Option<Self> {
        match machine {
            "x86_64" | "amd64" => Some(Self::X86_64),
            "aarch64" | "arm64" => Some(Self::Aarch64),
            "armv7l" | "armv8l" => Some(Self::Armhf),
            _ => None,
        }
    }

    /// From the name that Debian gives.
    #[must_use]
    pub fn from_debian(name: &str) -> Option<Self> {
        match name {
            "amd64" => Some(Self::X86_64),
            "arm64" => Some(Self::Aarch64),
            "armhf" => Some(Self::Armhf),
            _ => None,
        }
    }

    /// From any of its names.
    ///
    /// # Errors
    /// When it is none that is known.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = Self::from_uname(name).or_else(|| Self::from_debian(name));
        known.ok_or_else(|| format!("not one of {}", Self::ALL.map(|a| a.to_string()).join(", ")))
    }

    /// Its name in Debian's packages.
    #[must_use]
    pub fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
            Self::Armhf => "armhf",
        }
    }

    /// Its short name, as Java's builds use it.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::X86_64 => "x64",
            Self::Aarch64 => "aarch64",
            Self::Armhf => "arm",
        }
    }

    /// The architecture of this machine, where it is a known one.
    #[must_use]
    pub fn here() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            "arm" => Some(Self::Armhf),
            _ => None,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Armhf => "armhf",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_when_made() {
        for good in ["pi1", "a", "shelf-a-2"] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in ["", "1pi", "Pi", "pi_1", "pi-", "pi 1", &"x".repeat(64)] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_instance_reads_back_as_written() {
        let id: InstanceId = "db.node@pi1".parse().expect("a good id");
        assert_eq!(id.to_string(), "db.node@pi1");
        assert_eq!(id.unit(), "db-node");
        assert!("db@pi1".parse::<InstanceId>().is_err());
        let second: InstanceId = "db.node.2@pi1".parse().expect("a good id");
        assert_eq!(
            (second.copy, second.to_string()),
            (2, "db.node.2@pi1".to_owned())
        );
        assert_eq!(second.unit(), "db-node-2");
        for bad in ["db.node.1@pi1", "db.node.x@pi1", "db.node.2.3@pi1"] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad}");
        }
    }
}
