//! Does what a plan says, and makes no choices.
//!
//! Every wave is a task that waits for the waves it names. Inside a wave the hosts go on alone, as many at
//! once as `--forks` allows; a wave with a width goes through its batches in turns, behind its gates. The
//! things decided while running are declared: who goes last, since leaders move; who gets a package of a
//! host's distribution, the host itself or, where it has no way out, this machine for it; and which hosts that are to pass
//! packages on can, and are fast enough.

mod batch;
mod bring;
mod fan;
mod pace;
mod ready;
mod run;
pub mod script;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, Semaphore};

pub use fan::{Fan, When};

use crate::artifact::Shelf;
use crate::event::Problem;
use crate::exec::script::Places;
use crate::id::HostName;
use crate::plan::Wave;
use crate::report::EventSink;
use crate::verify::Prober;

/// A flag that asks a run to end after the steps that are under way.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the run to end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked to end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Everything that doing a plan needs.
#[derive(Clone)]
pub struct Executor {
    /// Asks the cluster, and holds the connections.
    pub prober: Prober,
    /// Where things are on each host.
    pub places: BTreeMap<HostName, Places>,
    /// The packages of this machine, by SHA-256.
    pub packages: BTreeMap<String, PathBuf>,
    /// Where packages come from that a host's own distribution does not give it.
    pub shelf: Arc<Shelf>,
    /// Where events go.
    pub events: EventSink,
    /// How many hosts are worked on at once.
    pub forks: Arc<Semaphore>,
    /// Only one roll at a time: two roles never lose a member at once.
    pub rolls: Arc<Mutex<()>>,
    /// How hosts pass packages on; none: all of them come from this machine.
    pub fan: Option<Arc<Fan>>,
    /// Asks the run to end early.
    pub stop: Stop,
}

impl Executor {
    fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }

    /// The same for a wave during which its role has other members than in the end.
    fn during(self: &Arc<Self>, wave: &Wave) -> Arc<Self> {
        let (Some(role), Some(members)) = (&wave.role, &wave.members) else {
            return Arc::clone(self);
        };
        let view = self.prober.view.with_members(role, members);
        Arc::new(Self {
            prober: self.prober.seeing(view),
            ..Self::clone(self)
        })
    }
}

/// Why a batch was not done.
struct Undone {
    problem: Problem,
    /// Whether its host is out of reach.
    out_of_reach: bool,
}

impl From<Problem> for Undone {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            out_of_reach: false,
        }
    }
}

/// What came of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Per host: how many steps changed something.
    pub changed: BTreeMap<HostName, usize>,
    /// Per host: what failed.
    pub failed: BTreeMap<HostName, Vec<Problem>>,
    /// Hosts that were lost on the way.
    pub lost: BTreeSet<HostName>,
    /// What failed on no host in particular.
    pub general: Vec<Problem>,
    /// Whether it was ended early on request.
    pub interrupted: bool,
}

impl Report {
    /// Whether everything was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.failed.is_empty() && self.general.is_empty() && !self.interrupted
    }
}
