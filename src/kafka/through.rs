//! A message written and read back on every broker, with the client that fits.

use std::time::Duration;

use super::driver::{brokers, expected};
use super::{Client, Thin, probe, reach};
use crate::driver::{Answer, Call};

/// How long a message may take to be written and read back.
const MESSAGE: Duration = Duration::from_secs(20);

/// One message written and read back in a partition led by each broker.
pub(super) async fn round_trip(client: &Client, call: Call<'_>) -> super::Result<Answer> {
    let report = match reach::direct(client, brokers(call)).await? {
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
