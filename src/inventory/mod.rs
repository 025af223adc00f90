//! The inventory: what the user wants, read with positions so that every finding points at its line.
//!
//! A file goes through [`tree`] (YAML with positions), variables, the readers of its parts and the rules between
//! them, and comes out as a [`Cluster`] or as *all* findings at once. Nothing here touches a host.

mod address;
mod amount;
mod config;
mod draft;
pub mod edit;
pub mod finding;
mod folders;
mod fronts;
mod grow;
mod host_list;
mod hosts;
mod load;
mod memory;
pub mod model;
pub mod nearest;
mod reader;
mod reference;
mod rules;
mod schema;
mod secrets;
mod seen;
mod service;
mod service_words;
mod services;
mod ssh;
pub mod successor;
mod topics;
pub mod tree;
mod vars;
mod words;

#[cfg(test)]
mod tests;

pub use amount::{problem as count_problem, suggested as suggested_count};
pub use draft::{Draft, DraftHosts};
pub use finding::{Finding, Findings, Severity, Style};
pub use fronts::PlacedFront;
pub use host_list::host_list;
pub use load::{LoadError, Loaded, check, load};
pub use model::{Amount, Cluster, Connection, Host, HostOverride, Service, Successor, Topic};
pub use reader::Context;
pub use reference::reference;
pub use schema::schema;
pub use secrets::{Confidential, confidential};
pub use services::in_order;
pub use ssh::is_login;
pub use vars::Env;
