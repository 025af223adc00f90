//! What it means that a plan stops members for a moment: asked of the services before anything changes.

use std::collections::BTreeSet;

use super::{Facts, Flow};
use crate::driver::{Outage, Stops};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::{InstanceId, ServiceName};
use crate::plan::moves::kept;
use crate::plan::{Batch, Member, Plan, ResourceChange, Step, UnitChange};

/// So many of what is unavailable are named.
const NAMED: usize = 40;
/// The word by which it is agreed to.
const ACCEPT: &str = "--accept-unavailable";

impl Flow {
    /// Whether a plan's restarts may be done now. What is to be known of them is told; `asks` says that somebody
    /// will be asked who then has read it.
    ///
    /// # Errors
    /// When a service forbids it, or something would be unavailable and that was not agreed to.
    pub async fn outage(
        &self,
        plan: &Plan,
        facts: &Facts,
        asks: bool,
    ) -> Result<Vec<Problem>, Failure> {
        let mut told = Vec::new();
        let mut refused = Vec::new();
        for (service, members) in stopped(plan, facts) {
            let outage = self.outage_of(plan, facts, (&service, &members)).await;
            let outage = outage.map_err(|problem| Failure::new(Kind::Refused, problem))?;
            refused.extend(outage.forbidden);
            told.extend(outage.told);
            if outage.unavailable.is_empty() {
                continue;
            }
            let problem = unavailable(&service, &outage.unavailable);
            if self.accepts_outage || asks {
                told.push(problem.help("nothing is lost, and all of it is there again afterwards"));
            } else {
                refused.push(problem.help(format!(
                    "`{ACCEPT}` goes on (nothing is lost, and all of it is there again afterwards); more copies make it needless"
                )));
            }
        }
        match refused.is_empty() {
            true => Ok(told),
            false => Err(Failure {
                kind: Kind::Refused,
                problems: refused,
            }),
        }
    }

    async fn outage_of(
        &self,
        plan: &Plan,
        facts: &Facts,
        (service, stops): (&ServiceName, &[&Member]),
    ) -> Result<Outage, Problem> {
        let folder = self.catalogue.get(service);
        let action = folder.and_then(|folder| folder.descriptor.outage.as_ref());
        let driver = action.and_then(|action| self.drivers.get(&action.driver));
        let (Some(action), Some(driver)) = (action, driver) else {
            return Ok(Outage::default());
        };
        let planned = plan.waves.iter().flat_map(|wave| &wave.resources);
        let planned: Vec<&ResourceChange> = planned.collect();
        let journal = kept(&self.cluster, facts);
        let begun = journal.values().flat_map(|begun| &begun.changes);
        let begun: Vec<&ResourceChange> = begun.collect();
        let prober = self.prober(plan.view.clone());
        let call = prober.call(&action.action, service, None);
        let stops = Stops {
            members: stops,
            planned: &planned,
            begun: &begun,
        };
        driver.outage(call, stops).await
    }
}

/// The members that run and that a plan stops for a moment, service by service.
fn stopped<'a>(plan: &'a Plan, facts: &Facts) -> Vec<(ServiceName, Vec<&'a Member>)> {
    let stops = |batch: &&Batch| {
        batch.steps.iter().any(|step| {
            matches!(step, Step::Unit { to, .. } if matches!(to, UnitChange::Restart | UnitChange::Stop))
        })
    };
    let batches = plan.waves.iter().flat_map(|wave| &wave.batches);
    let ids: BTreeSet<&InstanceId> = batches
        .filter(stops)
        .filter_map(|batch| batch.instance.as_ref())
        .collect();
    let mut all: Vec<(ServiceName, Vec<&Member>)> = Vec::new();
    for member in plan.view.members.iter().filter(|m| ids.contains(&m.id)) {
        let host = facts.get(&member.id.host);
        if !host.is_some_and(|host| host.runs(&member.unit)) {
            continue;
        }
        match all
            .iter_mut()
            .find(|(service, _)| *service == member.id.service)
        {
            Some((_, members)) => members.push(member),
            None => all.push((member.id.service.clone(), vec![member])),
        }
    }
    all
}

fn unavailable(service: &ServiceName, what: &[String]) -> Problem {
    let cause = format!(
        "{service}: what has its only copy on a member that is restarted can't be used meanwhile: {} of that",
        what.len()
    );
    let mut log: Vec<String> = what.iter().take(NAMED).cloned().collect();
    let more = what.len().saturating_sub(NAMED);
    log.extend((more > 0).then(|| format!("and {more} more")));
    Problem {
        log,
        ..Problem::new(cause)
    }
}
