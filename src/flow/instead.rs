//! A host takes a dead one's place: whether the dead one is dead, asked before anything changes.

use std::time::Duration;

use super::{Facts, Flow, plan_failure};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::facts::Record;
use crate::id::{HostName, InstanceId};
use crate::plan::packages::Packages;
use crate::plan::{Member, instead, planner};

/// How long a host that may be dead is knocked at.
const KNOCK: Duration = Duration::from_secs(3);

impl Flow {
    /// Adds those to the instances that start empty which take a dead one's place.
    pub(super) fn choose_taken(
        &mut self,
        facts: &Facts,
        packages: &Packages,
    ) -> Result<(), Failure> {
        let taken = instead::to_start(&self.cluster, facts);
        if taken.is_empty() {
            return Ok(());
        }
        let lost = planner::lost(self.input(facts, packages, &[])).map_err(plan_failure)?;
        self.anew.extend(lost.intersection(&taken).cloned());
        Ok(())
    }

    /// Asks whether hosts whose places are being taken are known and dead: what can't be reached from this machine
    /// may be reached from the others.
    ///
    /// # Errors
    /// When one is not, or whoever takes its place is out of reach.
    pub(super) async fn may_take_places(&self, facts: &Facts) -> Result<(), Failure> {
        if let Some(problem) = instead::unknown(&self.cluster, facts) {
            return Err(Failure::new(Kind::Usage, problem));
        }
        let under_way = instead::under_way(&self.cluster, facts);
        for host in &under_way {
            let by = &self.cluster.replaced[host].by;
            if !facts.contains_key(by) {
                let cause = format!("{by} is out of reach: it can't take the place of {host}");
                let help = "set it up so that `ssh` reaches it, and run the same command again";
                let problem = Problem::new(cause).help(help);
                return Err(Failure::new(Kind::Unreachable, problem));
            }
            if self.lost.iter().any(|(lost, _)| lost == host) {
                self.is_dead((host, by), facts).await?;
            }
        }
        Ok(())
    }

    /// Knocks, from the other hosts, at the ports of what ran on a host.
    async fn is_dead(
        &self,
        (host, by): (&HostName, &HostName),
        facts: &Facts,
    ) -> Result<(), Failure> {
        let mut records = instead::records(&self.cluster, facts);
        let Some(reach) = records.find_map(|record: &Record| record.hosts.get(host)) else {
            return Ok(());
        };
        let view = self.view(facts);
        let there: Vec<&Member> = view.members.iter().filter(|m| &m.id.host == by).collect();
        let ports = there
            .iter()
            .flat_map(|member| member.ports.values().copied());
        let ports: Vec<u16> = ports.collect();
        let asked = self.fleet.iter();
        let knocks = asked.filter(|(from, _)| facts.contains_key(*from));
        let knocks = knocks.map(async |(from, remote)| {
            let reached = remote.reaches(&reach.address, &ports, KNOCK).await;
            reached.map(|port| (from, port))
        });
        let mut open = futures_util::future::join_all(knocks).await.into_iter();
        let Some((from, port)) = open.find_map(|open| open) else {
            return Ok(());
        };
        let is_there = |m: &&&Member| m.ports.values().any(|p| *p == port);
        let id = there.iter().find(is_there).map(|member| &member.id);
        id.map_or(Ok(()), |id| Err(lives((host, from, port), id)))
    }
}

fn lives((host, from, port): (&HostName, &HostName, u16), id: &InstanceId) -> Failure {
    let cause = format!(
        "{host} is out of reach from this machine, and {from} reaches its port {port}: {}.{} may run there",
        id.service, id.role
    );
    let help = format!("switch {host} off for good, or let `ssh` reach it again");
    Failure::new(Kind::Refused, Problem::new(cause).help(help))
}
