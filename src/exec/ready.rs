//! Waits until probes hold, tells what is waited for, and notices a service that dies instead.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::catalogue::Probe;
use crate::driver::Answer;
use crate::event::{EventKind, Problem};
use crate::exec::Executor;
use crate::facts::{FactsRequest, UnitFact};
use crate::id::InstanceId;
use crate::plan::{Member, Step, UnitChange, Wave};

/// Between two questions.
pub(super) const PAUSE: Duration = Duration::from_millis(150);
/// Between two tries of a port, which cost next to nothing.
const KNOCK: Duration = Duration::from_millis(50);
/// Between two lines that tell what is waited for.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// A start that failed is called dead only after this: a broker that was killed finds its old
/// registration in the way for one session time-out, dies of it, and comes up the next time.
const DEAD_AFTER: Duration = Duration::from_secs(25);
/// Between two looks at the unit itself. Each costs its host a shell, while what is starting needs all of a
/// small board.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What a unit is called that has not got to its command yet, or waits before it is started again.
const STARTS: &str = "activating";
/// Lines of a log that are shown with a failure.
const LOG_LINES: usize = 15;

impl Executor {
    /// Waits until all probes hold for an instance.
    ///
    /// # Errors
    /// When one is broken or does not hold in time: what it said last.
    pub(super) async fn gate(
        &self,
        wave: &Wave,
        probes: &[Probe],
        member: &Member,
    ) -> Result<(), Problem> {
        let away = |peer: &&Member| !self.prober.view.reaches(peer);
        if let Some(away) = self.prober.view.peers(member).find(away) {
            let why = format!("{} is out of reach", away.id);
            return Err(self.shut(member, &why, None).await);
        }
        let mut patience = Patience::new(wave.within);
        let mut lives = BTreeMap::new();
        // That it does not run itself is why such a gate is asked.
        let mends = wave.mend.as_ref().is_some_and(|m| m.before == probes);
        let but = mends.then_some(&member.id);
        loop {
            let why = match self.all(probes, member).await {
                Answer::Yes(_) => return Ok(()),
                Answer::Broken(why) => {
                    return Err(Problem::new(format!("{}: {why}", member.id)));
                }
                Answer::NotYet(why) => why,
            };
            self.tell_waiting(&mut patience, wave, member, &why);
            let dead = self.dead_peer(&mut lives, member, but).await;
            if dead.is_some() || patience.is_over() || self.is_stopped() {
                return Err(self.shut(member, &why, dead).await);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether all probes hold now: after any wait all are asked again, since what held before may not hold by
    /// then.
    pub(super) async fn all(&self, probes: &[Probe], member: &Member) -> Answer {
        for probe in probes {
            let answer = self.prober.ask(probe, member).await;
            if !answer.is_yes() {
                return answer;
            }
        }
        Answer::Yes(None)
    }

    /// What is said of a gate that does not open, with the log of the instance that keeps it shut.
    async fn shut(&self, member: &Member, why: &str, dead: Option<&Member>) -> Problem {
        let cause = format!(
            "{} was not touched, since this does not hold: {why}",
            member.id
        );
        match dead {
            Some(dead) => {
                let cause = format!("{cause}; {} does not run", dead.id);
                self.with_log(dead, cause).await
            }
            None => Problem::new(cause).help(
                "mend that first (`sdtd status` shows the cluster), then run the same command again",
            ),
        }
    }

    /// An instance of the same role that died and does not come back: to wait for it is to no avail.
    async fn dead_peer<'a>(
        &'a self,
        lives: &mut BTreeMap<&'a InstanceId, Life>,
        member: &'a Member,
        but: Option<&InstanceId>,
    ) -> Option<&'a Member> {
        let peers = self.prober.view.peers(member);
        for peer in peers.filter(|peer| Some(&peer.id) != but) {
            let life = lives.entry(&peer.id).or_default();
            if life.is_due() && self.died(life, peer).await {
                return Some(peer);
            }
        }
        None
    }

    /// Waits until all probes hold for an instance that was just started.
    ///
    /// # Errors
    /// When it dies, or is not ready in time: with the last lines of its log.
    pub(super) async fn ready(&self, wave: &Wave, member: &Member) -> Result<(), Problem> {
        let mut wait = (Patience::new(wave.within), Life::default());
        for probe in &wave.ready {
            let is_port = matches!(probe, Probe::Tcp(_));
            let pause = if is_port { KNOCK } else { PAUSE };
            let ask = || self.prober.ask(probe, member);
            self.until(wave, member, (&mut wait, pause), ask).await?;
        }
        Ok(())
    }

    /// Waits until the unit of an instance has got through all that it does before it runs.
    ///
    /// # Errors
    /// As [`Executor::ready`].
    pub(super) async fn runs(&self, wave: &Wave, member: &Member) -> Result<(), Problem> {
        let mut wait = (Patience::new(wave.within), Life::default());
        let look = || async {
            match self.unit_now(member).await {
                Some(unit) if unit.active && unit.state != STARTS => Answer::Yes(None),
                Some(unit) => Answer::NotYet(format!("its unit is {}", unit.state)),
                None => Answer::NotYet("its host does not answer".to_owned()),
            }
        };
        self.until(wave, member, (&mut wait, PAUSE), look).await
    }

    /// Asks again and again until the answer is yes.
    async fn until<F: Future<Output = Answer>>(
        &self,
        wave: &Wave,
        member: &Member,
        ((patience, life), pause): (&mut (Patience, Life), Duration),
        ask: impl Fn() -> F,
    ) -> Result<(), Problem> {
        loop {
            let why = match ask().await {
                Answer::Yes(_) => return Ok(()),
                Answer::NotYet(why) | Answer::Broken(why) => why,
            };
            self.tell_waiting(patience, wave, member, &why);
            if life.is_due() && self.died(life, member).await {
                let cause = format!("{} dies at start", member.id);
                return Err(self.with_log(member, cause).await);
            }
            if wave.width.is_none() && self.is_stopped() {
                // What it waits for may be what was not started any more.
                return Ok(());
            }
            if patience.is_over() {
                let cause = format!("{} is not ready after {} s: {why}", member.id, wave.within);
                return Err(self.with_log(member, cause).await);
            }
            tokio::time::sleep(pause).await;
        }
    }

    pub(super) fn tell_waiting(
        &self,
        patience: &mut Patience,
        wave: &Wave,
        member: &Member,
        why: &str,
    ) {
        if patience.should_tell() {
            self.events.emit(EventKind::Waiting {
                wave: wave.title.clone(),
                who: member.id.to_string(),
                why: why.to_owned(),
            });
        }
    }

    /// Looks at the unit: whether it has been failing for too long. Without a service manager nobody
    /// starts it again, so that is done here.
    async fn died(&self, life: &mut Life, member: &Member) -> bool {
        life.looked = Some(Instant::now());
        let Some(unit) = self.unit_now(member).await else {
            return false;
        };
        let failing = !unit.active || unit.is_failing();
        let since = *life.failing_since.get_or_insert_with(Instant::now);
        if !failing {
            life.failing_since = None;
            return false;
        }
        if since.elapsed() > DEAD_AFTER {
            return true;
        }
        if !unit.active && self.places.get(&member.id.host).is_some_and(|p| p.pidfiles) {
            self.start_again(member).await;
        }
        false
    }

    pub(super) async fn unit_now(&self, member: &Member) -> Option<UnitFact> {
        let places = self.places.get(&member.id.host)?;
        let request = FactsRequest {
            state: places.state.clone(),
            store: "/nonexistent".to_owned(),
            units: [member.unit.clone()].into(),
            pidfiles: places.pidfiles,
            ..FactsRequest::default()
        };
        let mut facts = self
            .prober
            .fleet
            .get(&member.id.host)?
            .facts(&request)
            .await
            .ok()?;
        Some(facts.units.remove(&member.unit).unwrap_or_default())
    }

    async fn start_again(&self, member: &Member) {
        let (Some(places), Some(remote)) = (
            self.places.get(&member.id.host),
            self.prober.fleet.get(&member.id.host),
        ) else {
            return;
        };
        let step = Step::Unit {
            unit: member.unit.clone(),
            to: UnitChange::Start,
            within: 30,
        };
        let _ = remote.apply(places, (1, &[step]), &mut |_, _| {}).await;
    }

    async fn with_log(&self, member: &Member, cause: String) -> Problem {
        let mut problem = Problem::new(cause);
        if let (Some(places), Some(remote)) = (
            self.places.get(&member.id.host),
            self.prober.fleet.get(&member.id.host),
        ) {
            problem.log = remote.tail(places, member, LOG_LINES).await;
        }
        problem.help(format!(
            "its log is {} on {}; run the same command again once its cause is mended",
            member.log, member.id.host
        ))
    }
}

/// How long something is waited for, and when that was last told.
pub(super) struct Patience {
    until: Instant,
    told: Instant,
}

impl Patience {
    pub(super) fn new(seconds: u64) -> Self {
        let now = Instant::now();
        Self {
            until: now + Duration::from_secs(seconds),
            told: now,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    fn should_tell(&mut self) -> bool {
        let due = self.told.elapsed() >= TELL_EVERY;
        if due {
            self.told = Instant::now();
        }
        due
    }
}

#[derive(Default)]
struct Life {
    looked: Option<Instant>,
    failing_since: Option<Instant>,
}

impl Life {
    fn is_due(&mut self) -> bool {
        self.looked.get_or_insert_with(Instant::now).elapsed() >= LOOK_EVERY
    }
}
