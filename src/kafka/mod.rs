//! A thin client for the cluster's own wire protocol, and what is concluded from its answers.
//!
//! Everything that `sdtd` asks of a broker or tells it goes through here: metadata, topics, configuration,
//! elections, reassignments, and a message written and read back on every broker. Connections are opened
//! through [`Dial`](crate::transport::Dial), so they work through SSH forwards, and brokers of 2.7, 3.9
//! (both modes) and 4.x are spoken to, each at the highest version both sides know.
//!
//! [`health`], [`spread`], [`topics::diff`] and the types of [`metadata`] are pure; the rest is requests, one function each.
//! Nothing decides to restart anything; what is moved is planned by [`spread`] and done by [`moves`], when asked.

mod admin;
pub mod client;
pub mod config;
pub mod connection;
mod controller;
mod controllers;
pub mod drill;
pub mod driver;
mod endpoint;
pub mod error;
mod exchange;
mod features;
mod gates;
pub mod health;
mod listed;
pub mod live;
pub mod log_dirs;
pub mod metadata;
pub mod moves;
mod outage;
pub mod probe;
pub mod quorum;
#[cfg(feature = "rdkafka")]
pub mod rd;
pub mod reach;
pub mod reassign;
mod settings;
pub mod spread;
mod through;
pub mod topics;
mod unclean;
mod voters;

pub use admin::NewTopic;
pub use client::Client;
pub use endpoint::Endpoint;
pub use error::{Error, Refusal, Result};
pub use exchange::{Exchange, Latency, Sent, Thin};
pub use metadata::{Broker, Metadata, Partition, Topic};
#[cfg(test)]
mod tests;
