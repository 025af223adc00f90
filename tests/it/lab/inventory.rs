//! Inventories of the lab, with what a case varies.

use std::fmt::Write as _;

/// The inventory of three ZooKeeper servers, five brokers and a topic, and what differs from it.
#[derive(Clone)]
pub struct Inventory {
    /// What `ssh:` says.
    pub ssh: String,
    /// `queued.max.requests` of the brokers.
    pub requests: u32,
    /// More settings of the brokers, as YAML pairs.
    pub more: &'static str,
}

/// The topic that the inventory asks for.
pub const TOPIC: &str = "velib-stations";

impl Inventory {
    /// The one that most cases start from.
    pub fn new() -> Self {
        Self {
            ssh: format!("{{ config: {} }}", super::hosts::ssh_config().display()),
            requests: 400,
            more: "",
        }
    }

    fn hosts(&self, text: &mut String) {
        let _ = writeln!(text, "cluster: lab\nssh: {}\nhosts:", self.ssh);
        for n in 1..=5 {
            let _ = writeln!(text, "  pi{n}: {{ address: 10.77.0.{n}, memory: 1G }}");
        }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.hosts(&mut text);
        let (requests, more) = (self.requests, self.more);
        let _ = write!(
            text,
            "services:\n  zookeeper: {{ servers: 3 }}\n  \
             kafka: {{ brokers: 5, config: {{ queued.max.requests: {requests}{more} }} }}\n\
             topics:\n  {TOPIC}: {{ partitions: 10, replication: 3, config: {{ retention.ms: 604800000 }} }}\n"
        );
        text
    }

    /// The same hosts with other services.
    pub fn with_services(&self, services: &str) -> String {
        let mut text = String::new();
        self.hosts(&mut text);
        text.push_str(services);
        text
    }
}
