//! Asks the cluster whether it is what it should be: probes, quorums, drivers.

mod probe;
mod quorum;

pub use probe::{Fleet, Prober};
