//! `sdtd verify`: proves that the cluster works.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::setup::{self, Missing};
use super::{Global, InventoryArg};
use crate::catalogue::Probe;
use crate::driver::Answer;
use crate::error::{Failure, Kind};
use crate::event::{EventKind, Outcome, Problem, RunSummary};
use crate::report::EventSink;
use crate::verify::Prober;

/// The words of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    inventory: InventoryArg,
}

/// How long a check may not hold before it counts: a leader may just be moving.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs `sdtd verify`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &VerifyArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let run = setup::begin(global, opened, "verify", Missing::Fatal).await?;
    let facts = match run.flow.facts().await {
        Ok(facts) => facts,
        Err(failure) => return Err(run.end(Some(failure), "hosts could not be asked").await),
    };
    run.events.phase("verify");
    let prober = run.flow.prober(run.flow.view(&facts));
    let good = verify(&prober, &run.events).await;
    if !good {
        drop(prober);
        let failure = Failure {
            kind: Kind::Unverified,
            problems: Vec::new(),
        };
        return Err(run
            .end(Some(failure), "it does not do all that it should")
            .await);
    }
    let instances = super::status::instances(&prober).await;
    drop(prober);
    let headline = "verified".to_owned();
    run.finish(RunSummary {
        headline,
        instances,
        ..RunSummary::default()
    })
    .await;
    Ok(())
}

/// Makes all checks: each instance's, each quorum's, each service's. Tells each, and whether all held.
pub async fn verify(prober: &Prober, events: &EventSink) -> bool {
    let mut good = true;
    for role in &prober.view.roles {
        for member in prober.view.of_role(&role.role) {
            for probe in &role.verify {
                let answer = patiently(|| prober.ask(probe, member)).await;
                good &= told(events, &member.id.to_string(), probe, answer);
            }
        }
        if let (Some(_), Some(first)) = (&role.quorum, prober.view.of_role(&role.role).next()) {
            let answer = patiently(|| prober.ask(&Probe::Quorum, first)).await;
            good &= told(events, &role.role.to_string(), &Probe::Quorum, answer);
        }
    }
    for (service, probes) in &prober.view.verify {
        if prober.view.of_service(service).next().is_none() {
            continue;
        }
        for probe in probes {
            let answer = patiently(|| prober.ask_service(probe, service)).await;
            good &= told(events, service.as_str(), probe, answer);
        }
    }
    good
}

async fn patiently<F, T>(ask: F) -> Answer
where
    F: Fn() -> T,
    T: Future<Output = Answer>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if !matches!(answer, Answer::NotYet(_)) || Instant::now() >= until {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn told(events: &EventSink, who: &str, probe: &Probe, answer: Answer) -> bool {
    let good = answer.is_yes();
    let outcome = match answer {
        Answer::Yes(detail) => Outcome::Ok { detail },
        Answer::NotYet(why) | Answer::Broken(why) => Outcome::Failed {
            error: Problem::new(why),
        },
    };
    events.emit(EventKind::Checked {
        who: who.to_owned(),
        what: probe.to_string(),
        outcome,
    });
    good
}
