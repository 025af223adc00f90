//! What `check` finds and sdtd can put right by itself: small settings of a host that are easy to undo.

use serde::Serialize;

use crate::inventory::{Cluster, Host};
use crate::plan::check::Check;
use crate::plan::goals::chained;
use crate::plan::model::{Batch, Plan, Step, Wave};
use crate::plan::planner::Input;
use crate::plan::view::view_of;

/// The kernel's wish to swap, as a setting and as it should be: almost none.
const SWAPPINESS: (&str, &str) = ("vm.swappiness", "1");
/// Where that stands for the next boot. A user's own /etc/sysctl.conf comes later, and wins.
const SYSCTL_DIR: &str = "/etc/sysctl.d";
/// What a host calls itself is looked up there first.
const HOSTS: &str = "/etc/hosts";

/// Something that can be put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mend {
    /// The kernel swaps too readily.
    Swappiness {
        /// How it is now.
        now: u32,
    },
    /// The host does not know its own name.
    OwnName {
        /// The name.
        name: String,
    },
}

impl Mend {
    /// A host's own name may be made known to it, unless somebody is reached by it: they would be looked for on
    /// the host's loopback then. Whatever is no plain name is left alone, for it comes from the host.
    #[must_use]
    pub fn own_name(cluster: &Cluster, name: &str) -> Option<Self> {
        let is_reached = |host: &Host| host.address.eq_ignore_ascii_case(name);
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let plain =
            name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(inner);
        let safe = plain && !cluster.hosts.values().any(is_reached);
        let name = name.to_owned();
        safe.then_some(Self::OwnName { name })
    }

    /// Why, with the way back.
    fn because(&self) -> String {
        match self {
            Self::Swappiness { now } => {
                let (key, _) = SWAPPINESS;
                let undo = format!("rm {}; sysctl -w {key}={now}", drop_in());
                format!("{key} is {now} (to undo: `{undo}`)")
            }
            Self::OwnName { name } => {
                format!("`{name}` is not known there (to undo: take the block out of {HOSTS})")
            }
        }
    }

    /// Where such a block is there already, it is written again.
    fn steps(&self) -> Vec<Step> {
        let block = |path: String, name: &str, text: String| Step::Block {
            path,
            name: name.to_owned(),
            before: None,
            after: Some(text),
        };
        match self {
            Self::Swappiness { now } => {
                let (key, to) = SWAPPINESS;
                vec![
                    Step::Dir {
                        path: SYSCTL_DIR.to_owned(),
                        owner: None,
                        mode: "0755".to_owned(),
                    },
                    block(drop_in(), "swappiness", format!("{key}={to}")),
                    Step::Sysctl {
                        key: key.to_owned(),
                        before: now.to_string(),
                        after: to.to_owned(),
                    },
                ]
            }
            Self::OwnName { name } => {
                vec![block(
                    HOSTS.to_owned(),
                    "own name",
                    format!("127.0.1.1 {name}"),
                )]
            }
        }
    }
}

fn drop_in() -> String {
    format!("{SYSCTL_DIR}/99-sdtd.conf")
}

/// Puts right what can be, all hosts at once; nothing restarts for it.
#[must_use]
pub fn mend(input: Input<'_>, checks: &[Check]) -> Plan {
    let mut batches = Vec::new();
    for host in input.cluster.hosts.keys() {
        let here = checks.iter().filter(|check| &check.host == host);
        let mends: Vec<&Mend> = here.filter_map(|check| check.mend.as_ref()).collect();
        if !mends.is_empty() {
            batches.push(Batch {
                host: host.clone(),
                instance: None,
                because: mends.iter().map(|mend| mend.because()).collect(),
                steps: mends.iter().flat_map(|mend| mend.steps()).collect(),
            });
        }
    }
    let wave = Wave {
        title: "mend hosts".to_owned(),
        batches,
        ..Wave::default()
    };
    let waves = Some(wave).filter(|wave| !wave.batches.is_empty());
    chained(input, view_of(input), waves.into_iter().collect())
}
