//! Which instances start empty though they had data, and whether they may: asked before anything changes.

use super::{Facts, Flow, plan_failure};
use crate::driver::Answer;
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::InstanceId;
use crate::plan::moves::to_start_anew;
use crate::plan::packages::Packages;
use crate::plan::planner;

impl Flow {
    /// Adds those to the instances that start empty which lost their data on the host that is replaced, and those
    /// with which a run that was cut off had begun.
    ///
    /// # Errors
    /// When the host is out of reach, or it can't be said what should be there.
    pub(super) fn choose_anew(
        &mut self,
        facts: &Facts,
        packages: &Packages,
    ) -> Result<(), Failure> {
        self.anew.extend(to_start_anew(&self.cluster, facts));
        self.choose_taken(facts, packages)?;
        let Some(host) = &self.replace else {
            return Ok(());
        };
        if !facts.contains_key(host) {
            let cause =
                format!("{host} is out of reach: there is nothing yet to put its instances on");
            let help = "set it up anew under its name, so that `ssh` reaches it, and run the same command again";
            return Err(Failure::new(
                Kind::Unreachable,
                Problem::new(cause).help(help),
            ));
        }
        let lost = planner::lost(self.input(facts, packages, &[])).map_err(plan_failure)?;
        let here = lost.into_iter().filter(|id| &id.host == host);
        let here: Vec<InstanceId> = here.collect();
        self.anew.extend(here);
        Ok(())
    }

    /// Asks the others whether they hold all that those had which are to start empty. What waiting may mend is
    /// waited for when their turn comes.
    ///
    /// # Errors
    /// When something would be lost: all of it is named.
    pub(super) async fn may_start_anew(&self, facts: &Facts) -> Result<(), Failure> {
        if self.anew.is_empty() {
            return Ok(());
        }
        let prober = self.prober(self.view(facts));
        let mut problems = Vec::new();
        for id in &self.anew {
            let role = self.catalogue.role(&id.service, &id.role);
            let data = role.and_then(|role| role.data.as_ref());
            let Some(member) = prober.view.member(id) else {
                continue;
            };
            for probe in data.into_iter().flat_map(|data| &data.anew) {
                if let Answer::Broken(why) = prober.ask(probe, member).await {
                    problems.push(Problem::new(format!("{id}: {why}")).help(
                        "bring back a host that has the data, or its disk; nothing was changed",
                    ));
                }
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        let kind = Kind::Refused;
        Err(Failure { kind, problems })
    }
}
