//! A loss made on purpose, to see that it is told: without one nobody knows whether a good verdict means anything.
//!
//! On a topic of its own that lets it happen, the other copies stand still until the one that leads is alone in sync; it
//! acknowledges messages, is killed and held down; the others go on, and one of them leads without these.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::beside::Beside;
use super::drill::{Ground, now};
use super::host::{Order, Site};
use super::target::{Partition, eyes, number, partitions};
use super::words::{Drill, Fault};
use crate::drill::{Round, Verdict};
use crate::event::Problem;
use crate::plan::{Member, RoleRef};
use crate::verify::Prober;

/// How many messages the leader acknowledges alone.
const ALONE: u64 = 1000;
/// How long each step may take: the others are dropped after half a minute, another controller is there after a session.
const STEP: Duration = Duration::from_secs(120);
/// How many seconds the whole lasts at the most; then hosts end their part of it by themselves.
const LONGEST: u64 = 400;
const PAUSE: Duration = Duration::from_millis(500);

/// Makes the one that leads acknowledge messages which nobody else has, and another lead after it. What was seen.
///
/// Source: "Unclean leader election" in upstream's documentation of replication.
pub async fn made(
    ground: &Ground,
    drill: &Drill,
    target: &Member,
    (topic, load): (&str, &mut Beside),
) -> Result<Vec<String>, Problem> {
    let loss = Loss {
        ground,
        drill,
        target,
        topic,
        id: uuid::Uuid::new_v4().simple().to_string(),
    };
    let followers = loss.followers().await?;
    let made = loss.made(&followers, load).await;
    // Whatever happened: all run again.
    let mut all = followers;
    all.push(target);
    let lifted = loss.lift(&all).await;
    made.and_then(|seen| lifted.map(|()| seen))
}

/// How many of the acknowledged messages are lost, in each reading.
///
/// # Errors
/// When a reading found all of them, or the verdict is good all the same.
pub fn told(verdict: &Verdict) -> Result<String, String> {
    let gone = |round: &Round| round.lost.len() + round.other.len();
    let least = verdict.rounds.iter().map(gone).min().unwrap_or_default();
    let (acked, readings) = (verdict.acked, verdict.rounds.len());
    if least == 0 || verdict.good {
        let cause = "messages were lost on purpose, and the verdict does not tell of it";
        return Err(format!(
            "{cause}: {readings} readings, the fewest that one of them missed are {least}"
        ));
    }
    Ok(format!(
        "told: {least} of {acked} acknowledged messages are lost, in each of {readings} readings"
    ))
}

struct Loss<'a> {
    ground: &'a Ground,
    drill: &'a Drill,
    target: &'a Member,
    topic: &'a str,
    id: String,
}

impl<'a> Loss<'a> {
    /// The others that have a copy of the topic's one partition.
    async fn followers(&self) -> Result<Vec<&'a Member>, Problem> {
        let found = partitions(self.ground, &self.ground.prober, self.topic).await;
        let copies = found.and_then(|all| all.into_iter().next());
        let (_, copies, _) =
            copies.ok_or_else(|| Problem::new("who holds the topic is not known"))?;
        let peers = self.ground.prober.view.peers(self.target);
        let others = peers.filter(|m| m.id != self.target.id);
        let others: Vec<&Member> = others
            .filter(|m| number(m).is_some_and(|n| copies.contains(&n)))
            .collect();
        let alone = others.iter().all(|m| m.id.host != self.target.id.host);
        if others.is_empty() || !alone {
            return Err(Problem::new(
                "the topic has no copies on other hosts: there is nobody who could lead without what is lost",
            ));
        }
        Ok(others)
    }

    async fn made(&self, followers: &[&Member], load: &mut Beside) -> Result<Vec<String>, Problem> {
        for follower in followers {
            self.begin(follower, Fault::Pause).await?;
        }
        let own = number(self.target);
        let view = &self.ground.prober.view;
        let it = [self.target.id.clone()].into();
        let itself = self
            .ground
            .prober
            .seeing(view.with_members(&RoleRef::of(&self.target.id), &it));
        let alone = |p: &Partition| p.0 == own && p.2.len() == 1;
        self.until(&itself, "the leader is alone in sync", alone)
            .await?;
        let since = now();
        load.goes_on(since, ALONE, &self.ground.stop).await?;
        // From here on it has nothing to write to but what is lost.
        load.end().await?;
        self.begin(self.target, Fault::PowerOff).await?;
        self.lift(followers).await?;
        let others = eyes(self.ground, self.target);
        let another = |p: &Partition| p.0.is_some() && p.0 != own;
        self.until(&others, "another leads", another).await?;
        let names: Vec<String> = followers.iter().map(|m| m.id.to_string()).collect();
        Ok(vec![
            format!(
                "{} stood still until {} was alone in sync",
                names.join(" and "),
                self.target.id
            ),
            format!("it acknowledged {ALONE} messages and was killed; another led without them"),
        ])
    }

    async fn until(
        &self,
        by: &Prober,
        what: &str,
        holds: impl Fn(&Partition) -> bool,
    ) -> Result<(), Problem> {
        let began = Instant::now();
        loop {
            let found = partitions(self.ground, by, self.topic).await;
            if found.is_some_and(|all| !all.is_empty() && all.iter().all(&holds)) {
                self.ground.told(self.drill, "fault", what);
                return Ok(());
            }
            self.ground.lives()?;
            if began.elapsed() > STEP {
                let cause = format!(
                    "within {} s it did not come to this: {what}",
                    STEP.as_secs()
                );
                return Err(Problem::new(cause));
            }
            sleep(PAUSE).await;
        }
    }

    fn site(&self, member: &Member) -> Result<Site<'_>, Problem> {
        let none = || Problem::new(format!("{} is not connected", member.id.host));
        self.ground.site(&member.id.host).ok_or_else(none)
    }

    async fn begin(&self, member: &Member, fault: Fault) -> Result<(), Problem> {
        let order = Order {
            fault,
            target: member.id.to_string(),
            units: vec![member.unit.clone()],
            own: Vec::new(),
            others: Vec::new(),
            seconds: LONGEST,
            patience: Duration::ZERO,
        };
        self.site(member)?.begin(&self.id, &order).await
    }

    /// Ends what was done to them; all are tried.
    async fn lift(&self, members: &[&Member]) -> Result<(), Problem> {
        let mut lifted = Ok(());
        for member in members {
            let one = match self.site(member) {
                Ok(site) => site.lift().await.map(|_| ()),
                Err(problem) => Err(problem),
            };
            lifted = lifted.and(one);
        }
        lifted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::Place;

    #[test]
    fn a_loss_that_one_reading_does_not_tell_of_is_a_blind_verdict() {
        let lost = vec![
            Place {
                partition: 0,
                offset: 7
            };
            3
        ];
        let round = |lost: Vec<Place>| Round {
            lost,
            ..Round::default()
        };
        let verdict = |rounds, good| Verdict {
            acked: 10,
            good,
            rounds,
            ..Verdict::default()
        };
        let both = vec![round(lost.clone()), round(lost.clone())];
        let said = told(&verdict(both.clone(), false)).unwrap();
        assert_eq!(
            said,
            "told: 3 of 10 acknowledged messages are lost, in each of 2 readings"
        );
        for blind in [
            verdict(both, true),
            verdict(vec![round(lost), round(Vec::new())], false),
            verdict(Vec::new(), false),
        ] {
            assert!(
                told(&blind).unwrap_err().contains("does not tell of it"),
                "{blind:?}"
            );
        }
    }
}
