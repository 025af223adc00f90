//! A driver whose answers follow from the fake world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sdtd::catalogue::descriptor::DriverAction;
use sdtd::driver::{Answer, Call, Driver, Outage, Refilling, Spread, Stops, TopicInfo, Votes};
use sdtd::event::Problem;
use sdtd::id::InstanceId;
use sdtd::inventory::Topic;
use sdtd::plan::live::{Found, Live};
use sdtd::plan::{Member, ResourceChange};
use sdtd::transport::fake::World;

use super::live;
use super::sim::{Health, Sim};

/// The driver.
pub struct FakeDriver {
    /// The hosts.
    pub world: Arc<Mutex<World>>,
    /// What runs on them.
    pub sim: Arc<Mutex<Sim>>,
}

impl FakeDriver {
    fn health(&self, member: &Member) -> Health {
        let world = self.world.lock().expect("whole");
        let mut sim = self.sim.lock().expect("whole");
        sim.health(&world, &member.id.host, &member.unit, true)
    }

    fn up(&self, member: &Member) -> Answer {
        match self.health(member) {
            Health::Up => Answer::Yes(None),
            other => Answer::NotYet(format!("{} is {other:?}", member.id)),
        }
    }

    /// All members with a port of this name are up.
    fn whole(&self, call: Call<'_>, port: &str) -> Answer {
        let missing: Vec<String> = call
            .view
            .of_service(call.service)
            .filter(|member| member.ports.contains_key(port))
            .filter(|member| self.health(member) != Health::Up)
            .map(|member| member.id.to_string())
            .collect();
        if missing.is_empty() {
            Answer::Yes(None)
        } else {
            Answer::NotYet(format!("{} not in sync", missing.join(", ")))
        }
    }

    fn empty(&self, member: &Member) -> Answer {
        let holders = &self.sim.lock().expect("whole").holders;
        match holders.contains(&member.id) {
            true => Answer::NotYet(format!("{} still holds something", member.id)),
            false => Answer::Yes(None),
        }
    }

    /// A voter is up, and one that never got its vote is none.
    fn votes(&self, member: &Member) -> Answer {
        let sim = self.sim.lock().expect("whole");
        let is_one = sim.voters.is_empty()
            || sim.voters.contains(&member.id)
            || sim.first_voters.contains(&member.id)
            || !member.ports.contains_key("controller");
        drop(sim);
        if is_one {
            self.up(member)
        } else {
            Answer::NotYet(format!("{} has no vote", member.id))
        }
    }

    /// One voter more or less, as long as all others are up; the last one stays.
    fn vote(&self, call: Call<'_>, id: InstanceId, gets: bool) -> Result<(), Problem> {
        let voters = self.sim.lock().expect("whole").voters.clone();
        let others = voters.iter().filter(|other| **other != id);
        let members: Vec<&Member> = others
            .clone()
            .filter_map(|id| call.view.member(id))
            .collect();
        assert_eq!(members.len(), others.count(), "a voter is gone that votes");
        if let Some(down) = members.iter().find(|m| self.health(m) != Health::Up) {
            return Err(Problem::new(format!("{} is down", down.id)));
        }
        let member = call.view.member(&id).expect("a member");
        // It is waited for.
        let follows = || self.health(member) == Health::Up;
        if gets && !(0..8).any(|_| follows()) {
            return Err(Problem::new(format!("{id} does not follow")));
        }
        assert!(gets || !members.is_empty(), "the last vote is taken");
        let mut sim = self.sim.lock().expect("whole");
        if gets {
            sim.voters.insert(id);
        } else {
            sim.voters.remove(&id);
            sim.first_voters.remove(&id);
        }
        Ok(())
    }

    fn resource(call: Call<'_>, text: String, change: serde_json::Value) -> ResourceChange {
        let action = DriverAction {
            driver: "kafka".to_owned(),
            action: call.action.to_owned(),
        };
        let service = call.service.clone();
        ResourceChange {
            service,
            action,
            text,
            change,
        }
    }

    /// At least two stay up without a member and those beside it.
    fn enough(&self, call: Call<'_>, one: &Member) -> Answer {
        let goes = |m: &&Member| m.id == one.id || call.beside.iter().any(|b| b.id == m.id);
        let stay = call.view.peers(one).filter(|m| !goes(m));
        match stay.filter(|m| self.health(m) == Health::Up).count() {
            0 | 1 => Answer::NotYet("too few are left".to_owned()),
            _ => Answer::Yes(None),
        }
    }

    fn whole_without(&self, call: Call<'_>, one: &Member) -> Answer {
        let mut others = call.view.peers(one).filter(|m| m.id != one.id);
        match others.find(|member| self.health(member) != Health::Up) {
            None => Answer::Yes(None),
            Some(other) => Answer::Broken(format!("{} may have the only copy", other.id)),
        }
    }

    fn controller(&self, call: Call<'_>) -> Option<sdtd::id::HostName> {
        let world = self.world.lock().expect("whole");
        let mut sim = self.sim.lock().expect("whole");
        let role = sim
            .roles
            .iter()
            .find(|role| role.service == call.service.as_str())?
            .clone();
        sim.leader(&world, &role)
    }
}

#[async_trait]
impl Driver for FakeDriver {
    async fn ask(&self, call: Call<'_>) -> Answer {
        let yes = |held: bool, why: &str| match held {
            true => Answer::Yes(Some(why.to_owned())),
            false => Answer::NotYet(format!("no {why}")),
        };
        match (call.action, call.member) {
            ("empty", Some(member)) => self.empty(member),
            ("whole" | "round-trip", _) => self.whole(call, "client"),
            ("quorum", _) => self.whole(call, "controller"),
            ("others" | "quorum-others", Some(member)) => match self.whole_without(call, member) {
                Answer::Broken(_) => Answer::NotYet("others are not whole".to_owned()),
                whole => whole,
            },
            ("replaceable", Some(member)) => self.whole_without(call, member),
            ("min-isr" | "together", Some(member)) => self.enough(call, member),
            ("in-sync" | "healthy", Some(member)) => self.votes(member),
            ("registered" | "serves" | "follows", Some(member)) => self.up(member),
            ("controller-elected", _) => yes(self.controller(call).is_some(), "controller"),
            ("controller", Some(member)) => yes(
                self.controller(call).as_ref() == Some(&member.id.host),
                "controller",
            ),
            ("role", Some(member)) => {
                let leads = self.controller(call).as_ref() == Some(&member.id.host);
                Answer::Yes(Some(if leads { "controller" } else { "broker" }.to_owned()))
            }
            (other, _) => Answer::Broken(format!("the driver has no action `{other}`")),
        }
    }

    async fn compare(
        &self,
        call: Call<'_>,
        topics: &BTreeMap<String, Topic>,
        live: bool,
    ) -> Result<Vec<ResourceChange>, Problem> {
        let mut changes = Vec::new();
        for (name, wanted) in topics {
            let now = self.sim.lock().expect("whole").topics.get(name).cloned();
            let text = match now.filter(|_| live) {
                Some(now) if &now == wanted => continue,
                Some(now) if now.partitions > wanted.partitions => {
                    let cause = format!("topic {name}: partitions only grow");
                    return Err(Problem::new(cause));
                }
                Some(now) => format!(
                    "~ topic {name}: {} -> {}",
                    now.partitions, wanted.partitions
                ),
                None => format!("+ topic {name}: {} partitions", wanted.partitions),
            };
            changes.push(ResourceChange {
                service: call.service.clone(),
                action: DriverAction {
                    driver: "kafka".to_owned(),
                    action: "topics".to_owned(),
                },
                text,
                change: serde_json::to_value((name, wanted)).unwrap_or_default(),
            });
        }
        Ok(changes)
    }

    /// All members hold something in the end, but those that leave; one after another gets it or gives it away.
    async fn spread(
        &self,
        call: Call<'_>,
        wanted: &Spread,
    ) -> Result<Vec<ResourceChange>, Problem> {
        let all = call.view.of_service(call.service).map(|m| m.id.clone());
        let stay: BTreeSet<InstanceId> = all.filter(|id| !wanted.leaving.contains(id)).collect();
        let mut sim = self.sim.lock().expect("whole");
        if sim.holders.is_empty() {
            sim.holders = stay.difference(&wanted.joining).cloned().collect();
            sim.holders.extend(wanted.leaving.iter().cloned());
        }
        let gets = stay.difference(&sim.holders).map(|id| (id, true));
        let gives = sim.holders.difference(&stay).map(|id| (id, false));
        let change = |(id, gets): (&InstanceId, bool)| {
            let text = format!(
                "{id} {}",
                if gets {
                    "gets its share"
                } else {
                    "gives all away"
                }
            );
            Self::resource(call, text, serde_json::json!({ "share": (id, gets) }))
        };
        Ok(gets.chain(gives).map(change).collect())
    }

    async fn learn(&self, _: Call<'_>) -> Result<String, Problem> {
        Ok("NvWME7sUTGu-CDzp5P6iNQ".to_owned())
    }

    async fn refill(
        &self,
        call: Call<'_>,
        members: &[&Member],
        _: &BTreeMap<InstanceId, u64>,
        throttle: Option<u64>,
    ) -> Result<Refilling, Problem> {
        let ids: Vec<String> = members.iter().map(|m| m.id.to_string()).collect();
        let limit = |rate| {
            let text = format!("limit to {rate}/s");
            Self::resource(call, text, serde_json::json!({ "limit": true }))
        };
        let text = format!("refill {}", ids.join(", "));
        Ok(Refilling {
            first: throttle.map(limit).into_iter().collect(),
            then: vec![Self::resource(
                call,
                text,
                serde_json::json!({ "refill": ids }),
            )],
        })
    }

    fn sweep(&self, call: Call<'_>, of: &[ResourceChange]) -> Option<ResourceChange> {
        let limits = |change: &ResourceChange| change.change.get("limit").is_some();
        let text = "sweep the limits".to_owned();
        let change = serde_json::json!({ "limit": false });
        (of.iter().any(limits)).then(|| Self::resource(call, text, change))
    }

    async fn outage(&self, _: Call<'_>, stops: Stops<'_>) -> Result<Outage, Problem> {
        let sim = self.sim.lock().expect("whole");
        let there = |id: &InstanceId| stops.members.iter().any(|m| m.id == *id);
        let alone = sim.alone.iter().filter(|(id, _)| there(id));
        let forbidden = sim
            .forbidden
            .iter()
            .map(|why| Problem::new(why).help("wait until it is over"));
        Ok(Outage {
            forbidden: forbidden.collect(),
            unavailable: alone
                .map(|(id, what)| format!("{what}: only on {id}"))
                .collect(),
            told: Vec::new(),
        })
    }

    /// Those that run when it is asked first are the voters, and all that were made with them.
    async fn votes(&self, _: Call<'_>, of: &[&Member]) -> Result<Votes, Problem> {
        let mut sim = self.sim.lock().expect("whole");
        let ids = of.iter().map(|member| member.id.clone());
        let (none, first) = (sim.voters.is_empty(), sim.first_voters.clone());
        let voters = ids.filter(|id| none || first.contains(id));
        sim.voters.extend(voters);
        let lack = of.iter().filter(|member| !sim.voters.contains(&member.id));
        Ok(Votes::Kept(lack.map(|member| member.id.clone()).collect()))
    }

    async fn live(&self, call: Call<'_>, wanted: &Live) -> Option<Found> {
        let member = call.member?;
        let up = self.up(member).is_yes();
        up.then(|| live::compare(&self.sim.lock().expect("whole"), member, wanted))
    }

    async fn topics(&self, _: Call<'_>) -> Result<Vec<TopicInfo>, Problem> {
        Ok(Vec::new())
    }

    async fn delete_topics(&self, _: Call<'_>, _: &[String]) -> Result<(), Problem> {
        Ok(())
    }

    async fn change(&self, call: Call<'_>, change: &ResourceChange) -> Result<(), Problem> {
        if let Some(limit) = change.change.get("limit") {
            self.sim.lock().expect("whole").limited = limit == true;
            return Ok(());
        }
        if change.change.get("refill").is_some() {
            while !self.whole(call, "client").is_yes() {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            self.sim.lock().expect("whole").limited = false;
            return Ok(());
        }
        if let Some(gets) = change
            .change
            .get("votes")
            .and_then(serde_json::Value::as_bool)
        {
            let id = serde_json::from_value(change.change["member"].clone());
            return self.vote(call, id.expect("an instance"), gets);
        }
        if let Some(wanted) = Live::of(change) {
            let member = call.view.member(&wanted.member).expect("a member");
            if let Answer::NotYet(why) = self.up(member) {
                return Err(Problem::new(why));
            }
            live::apply(&mut self.sim.lock().expect("whole"), member, &wanted);
            return Ok(());
        }
        if let Answer::NotYet(why) = self.whole(call, "client") {
            return Err(Problem::new(why));
        }
        if call.action == "leaders" {
            return Ok(());
        }
        if let Some(share) = change.change.get("share") {
            let share = serde_json::from_value::<(InstanceId, bool)>(share.clone());
            let (id, gets) = share.map_err(|e| Problem::new(e.to_string()))?;
            let holders = &mut self.sim.lock().expect("whole").holders;
            _ = if gets {
                holders.insert(id)
            } else {
                holders.remove(&id)
            };
            return Ok(());
        }
        let parsed = serde_json::from_value::<(String, Topic)>(change.change.clone());
        let (name, topic) = parsed.map_err(|e| Problem::new(e.to_string()))?;
        self.sim.lock().expect("whole").topics.insert(name, topic);
        Ok(())
    }
}
