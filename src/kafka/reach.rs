//! Which brokers can be reached straight from this machine, as a user's client would, without a forward.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::driver::CLIENT;
use super::exchange::Exchange;
use super::{Client, Endpoint, Result};
use crate::plan::Member;

/// How long a port is tried before it counts as out of reach.
const DIRECT: Duration = Duration::from_millis(700);

/// The brokers' ports for clients that do not take a connection from here.
pub async fn missing<'a>(brokers: impl Iterator<Item = &'a Member>) -> Vec<Endpoint> {
    let endpoint = |m: &Member| Some(Endpoint::new(&m.address, *m.ports.get(CLIENT)?));
    let all: Vec<Endpoint> = brokers.filter_map(endpoint).collect();
    let tried = all.clone();
    let closed = move || {
        tried
            .into_iter()
            .filter(|at| !is_open(at))
            .collect::<Vec<_>>()
    };
    tokio::task::spawn_blocking(closed).await.unwrap_or(all)
}

fn is_open(at: &Endpoint) -> bool {
    let addresses = (at.host.as_str(), at.port).to_socket_addrs();
    let mut addresses = addresses.into_iter().flatten();
    addresses.any(|a| TcpStream::connect_timeout(&a, DIRECT).is_ok())
}

/// The C client, where every broker can be reached from here without a forward. On a cluster that had no
/// consumer yet it only writes: reading, it would leave a topic behind ([`super::rd`]).
#[cfg(feature = "rdkafka")]
pub async fn direct<'a>(
    client: &'a Client,
    brokers: impl Iterator<Item = &Member>,
) -> Result<Option<Box<dyn Exchange + 'a>>> {
    if !missing(brokers).await.is_empty() {
        return Ok(None);
    }
    let write = super::rd::Rdkafka::new(&client.bootstrap());
    let had_consumers = client.metadata().await?.topic(super::rd::OFFSETS).is_some();
    Ok(Some(if had_consumers {
        Box::new(write)
    } else {
        let read = super::Thin(client);
        Box::new(super::exchange::Both { write, read })
    }))
}

/// Without the C client there is only the thin one.
#[cfg(not(feature = "rdkafka"))]
pub async fn direct<'a>(
    _client: &'a Client,
    _brokers: impl Iterator<Item = &Member>,
) -> Result<Option<Box<dyn Exchange + 'a>>> {
    Ok(None)
}
