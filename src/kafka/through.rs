//! Whether messages go through every broker, as the driver answers it.

#[cfg(feature = "rdkafka")]
use std::net::ToSocketAddrs;
use std::time::Duration;

use super::driver::expected;
#[cfg(feature = "rdkafka")]
use super::driver::{CLIENT, brokers};
use super::exchange::Exchange;
use super::{Client, Result, Thin, probe};
use crate::driver::{Answer, Call};

/// How long a message may take to be written and read back.
const MESSAGE: Duration = Duration::from_secs(20);
/// How long a port is tried from here before it counts as out of reach.
#[cfg(feature = "rdkafka")]
const DIRECT: Duration = Duration::from_millis(700);

/// One message written and read back in a partition led by each broker.
///
/// # Errors
/// When no broker answers.
pub async fn round_trip(client: &Client, call: Call<'_>) -> Result<Answer> {
    let report = match direct(client, call).await? {
        Some(exchange) => probe::round_trip(client, exchange.as_ref(), MESSAGE).await?,
        None => probe::round_trip(client, &Thin(client), MESSAGE).await?,
    };
    let absent: Vec<String> = expected(call)
        .into_iter()
        .filter(|id| !report.brokers.contains_key(id))
        .map(|id| format!("broker {id} is not registered"))
        .collect();
    let mut wrong: Vec<String> = report
        .failures()
        .map(|(id, e)| format!("broker {id}: {e}"))
        .collect();
    wrong.extend(absent);
    wrong.extend(
        report
            .leftover
            .iter()
            .map(|e| format!("the probe topic was not removed: {e}")),
    );
    if !wrong.is_empty() {
        return Ok(Answer::NotYet(wrong.join("; ")));
    }
    Ok(Answer::Yes(Some(format!(
        "through each of {} brokers",
        report.brokers.len()
    ))))
}

/// The C client, where every broker can be reached from here without a forward. On a cluster that had no
/// consumer yet it only writes: reading, it would leave a topic behind ([`super::rd`]).
#[cfg(feature = "rdkafka")]
async fn direct<'a>(client: &'a Client, call: Call<'_>) -> Result<Option<Box<dyn Exchange + 'a>>> {
    let endpoints: Vec<(String, u16)> = brokers(call)
        .filter_map(|m| Some((m.address.clone(), *m.ports.get(CLIENT)?)))
        .collect();
    let list: Vec<String> = endpoints
        .iter()
        .map(|(host, port)| format!("{host}:{port}"))
        .collect();
    let reach = move || {
        endpoints.iter().all(|(host, port)| {
            let mut addresses = (host.as_str(), *port)
                .to_socket_addrs()
                .into_iter()
                .flatten();
            addresses.any(|a| std::net::TcpStream::connect_timeout(&a, DIRECT).is_ok())
        })
    };
    let reached = tokio::task::spawn_blocking(reach).await.unwrap_or(false);
    if !reached {
        return Ok(None);
    }
    let write = super::rd::Rdkafka::new(&list.join(","));
    let had_consumers = client.metadata().await?.topic(super::rd::OFFSETS).is_some();
    Ok(Some(if had_consumers {
        Box::new(write)
    } else {
        let read = Thin(client);
        Box::new(super::exchange::Both { write, read })
    }))
}

#[cfg(not(feature = "rdkafka"))]
async fn direct<'a>(
    _client: &'a Client,
    _call: Call<'_>,
) -> Result<Option<Box<dyn Exchange + 'a>>> {
    Ok(None)
}
