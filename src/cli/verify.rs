//! `sdtd verify`: proves that the cluster works.

use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::setup::{self, Missing};
use super::{Global, InventoryArg};
use crate::catalogue::Probe;
use crate::driver::Answer;
use crate::error::{Failure, Kind};
use crate::event::{EventKind, Outcome, Problem, RunSummary};
use crate::id::{InstanceId, ServiceName};
use crate::plan::{Member, View};
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
/// The same where a host is out of reach, since then some are known not to hold.
const NO_PATIENCE: Duration = Duration::from_secs(3);
/// How many checks are under way at the same time.
const AT_ONCE: usize = 64;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs `sdtd verify`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &VerifyArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let mut run = setup::begin(global, opened, "verify", Missing::Fatal).await?;
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
    run.proof().given();
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

/// Makes all checks at once: each instance's, each quorum's, each service's. Tells them in order, and whether
/// all held.
pub async fn verify(prober: &Prober, events: &EventSink) -> bool {
    let within = if prober.view.absent.is_empty() {
        PATIENCE
    } else {
        NO_PATIENCE
    };
    let asked = checks(&prober.view).into_iter().map(|check| async move {
        let answer = patiently(within, || ask(prober, &check)).await;
        (check, answer)
    });
    let mut answers = stream::iter(asked).buffered(AT_ONCE);
    let mut good = true;
    while let Some((check, answer)) = answers.next().await {
        good &= told(events, &check, answer);
    }
    good
}

/// One question of `verify`.
#[derive(Debug, Clone)]
struct Check {
    /// As it is told of.
    who: String,
    probe: Probe,
    about: About,
}

#[derive(Debug, Clone)]
enum About {
    Instance(InstanceId),
    Service(ServiceName),
}

fn checks(view: &View) -> Vec<Check> {
    let mut checks = Vec::new();
    for role in &view.roles {
        let of_instance = |who: String, probe: &Probe, member: &Member| Check {
            who,
            probe: probe.clone(),
            about: About::Instance(member.id.clone()),
        };
        for member in view.of_role(&role.role).filter(|m| view.reaches(m)) {
            let each = role.verify.iter();
            checks.extend(each.map(|probe| of_instance(member.id.to_string(), probe, member)));
        }
        if let (Some(_), Some(first)) = (&role.quorum, view.of_role(&role.role).next()) {
            checks.push(of_instance(role.role.to_string(), &Probe::Quorum, first));
        }
    }
    for (service, probes) in &view.verify {
        if view.of_service(service).next().is_some() {
            checks.extend(probes.iter().map(|probe| Check {
                who: service.to_string(),
                probe: probe.clone(),
                about: About::Service(service.clone()),
            }));
        }
    }
    checks
}

async fn ask(prober: &Prober, check: &Check) -> Answer {
    match &check.about {
        About::Service(service) => prober.ask_service(&check.probe, service).await,
        About::Instance(id) => match prober.view.member(id) {
            Some(member) => prober.ask(&check.probe, member).await,
            None => Answer::Broken(format!("{id} is not part of the cluster")),
        },
    }
}

async fn patiently<F, T>(within: Duration, ask: F) -> Answer
where
    F: Fn() -> T,
    T: Future<Output = Answer>,
{
    let until = Instant::now() + within;
    loop {
        let answer = ask().await;
        if !matches!(answer, Answer::NotYet(_)) || Instant::now() >= until {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn told(events: &EventSink, check: &Check, answer: Answer) -> bool {
    let good = answer.is_yes();
    let outcome = match answer {
        Answer::Yes(detail) => Outcome::Ok { detail },
        Answer::NotYet(why) | Answer::Broken(why) => Outcome::Failed {
            error: Problem::new(why),
        },
    };
    events.emit(EventKind::Checked {
        who: check.who.clone(),
        what: check.probe.to_string(),
        outcome,
    });
    good
}
