//! The inventory: what the user wants, read with positions so that every finding points at its line.

mod model;
pub use model::{Amount, Cluster, Connection, Host, HostOverride, Service, Topic};
