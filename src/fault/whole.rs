//! Whether a cluster is whole: every quorum, every instance, every service, by what their descriptors ask.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::drill::Ground;
use crate::catalogue::Probe;
use crate::event::Problem;
use crate::verify::Prober;

/// How long one question may take: one that takes longer is one more that does not hold yet.
const LOOK: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);
/// How many things are named that do not hold.
const NAMED: usize = 3;

/// Waits until the cluster is whole.
///
/// # Errors
/// Names what does not hold.
pub async fn wait(ground: &Ground, within: Duration) -> Result<(), Problem> {
    let began = Instant::now();
    loop {
        let wrong = amiss(&ground.prober).await;
        if wrong.is_empty() {
            return Ok(());
        }
        ground.lives()?;
        if began.elapsed() > within {
            let named: Vec<String> = wrong.into_iter().take(NAMED).collect();
            let cause = format!(
                "the cluster is not whole within {} s: {}",
                within.as_secs(),
                named.join("; ")
            );
            return Err(
                Problem::new(cause).help("`sdtd status` and `sdtd verify` show what is amiss")
            );
        }
        sleep(PAUSE).await;
    }
}

/// What does not hold.
async fn amiss(prober: &Prober) -> Vec<String> {
    // The dear questions, of services as wholes, only once all instances are well.
    let wrong = instances(prober).await;
    if wrong.is_empty() {
        services(prober).await
    } else {
        wrong
    }
}

async fn instances(prober: &Prober) -> Vec<String> {
    let prober = prober.sharing();
    let mut asks = Vec::new();
    for role in &prober.view.roles {
        for (n, member) in prober.view.of_role(&role.role).enumerate() {
            let quorum = (n == 0 && role.quorum.is_some()).then_some(&Probe::Quorum);
            asks.extend(role.ready.iter().chain(quorum).map(|probe| (probe, member)));
        }
    }
    let asked = asks.into_iter().map(|(probe, member)| {
        let prober = &prober;
        async move {
            let answer = timeout(LOOK, prober.ask(probe, member)).await;
            let why = match &answer {
                Ok(answer) => answer.why()?.to_owned(),
                Err(_) => "it does not answer".to_owned(),
            };
            Some(format!("{}: {probe}: {why}", member.id))
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn services(prober: &Prober) -> Vec<String> {
    let mut wrong = Vec::new();
    for (service, probes) in &prober.view.verify {
        if prober.view.of_service(service).next().is_none() {
            continue;
        }
        for probe in probes {
            let answer = timeout(LOOK, prober.ask_service(probe, service)).await;
            let why = answer.map(|answer| answer.why().map(str::to_owned));
            let why = why.unwrap_or_else(|_| Some("it does not answer".to_owned()));
            wrong.extend(why.map(|why| format!("{service}: {probe}: {why}")));
        }
    }
    wrong
}
