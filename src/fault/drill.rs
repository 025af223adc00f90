//! One drill, from a whole cluster to a whole cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;

use super::beside::{Beside, Kind};
use super::host::Site;
pub use super::own::Own;
use super::proof::{Seen, judge};
use super::target::{self, candidates};
use super::watch::{self, Watch};
use super::words::{Drill, Fault};
use super::{lose, moving, restart, whole};
use crate::catalogue::descriptor::DriverAction;
use crate::drill::{Check, Verdict, Window};
use crate::driver::Driver;
use crate::event::{EventKind, Outcome, Problem};
use crate::exec::Stop;
use crate::exec::script::Places;
use crate::id::{HostName, ServiceName};
use crate::lock;
use crate::plan::Member;
use crate::report::EventSink;
use crate::verify::Prober;

/// How many messages each partition has acknowledged before, during and after.
pub(super) const LEAST: u64 = 20;
/// How long the cluster may take to be whole.
const WHOLE: Duration = Duration::from_secs(180);

/// Where drills are made, and with what.
pub struct Ground {
    /// The cluster.
    pub prober: Prober,
    /// The service that is loaded.
    pub service: ServiceName,
    /// What its descriptor names for it.
    pub action: DriverAction,
    /// Its driver.
    pub driver: Arc<dyn Driver>,
    /// Where things are on each host.
    pub places: BTreeMap<HostName, Places>,
    /// Where a fault is kept on each host.
    pub kept: BTreeMap<HostName, String>,
    /// The SSH ports of hosts: they are not cut.
    pub ssh: BTreeMap<HostName, u16>,
    /// This program.
    pub own: Own,
    /// Where records are kept.
    pub folder: PathBuf,
    /// The run's id, as the lock's owner.
    pub run: String,
    /// How long the lock is waited for.
    pub lock_wait: Duration,
    /// How many times as long as a drill says writes may pause.
    pub slack: u32,
    /// Whether the run shall end.
    pub stop: Stop,
    /// Whom it is told to.
    pub events: EventSink,
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Nothing is wrong.
    Good,
    /// Something is.
    Bad,
    /// The cluster has nobody whom it could be about.
    NotHere,
}

/// What came of a drill.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// What happens in it.
    pub title: String,
    /// How it ended.
    pub ended: Ended,
    /// Whom it was about.
    pub target: Option<String>,
    /// What was seen of the fault.
    pub evidence: Vec<String>,
    /// All that is wrong: with the fault, with what became of the load, with the cluster after it.
    pub wrong: Vec<String>,
    /// When the fault was.
    pub window: Option<Window>,
    /// The longest time from the fault on in which one partition had nothing acknowledged, in milliseconds.
    pub pause_ms: Option<u64>,
    /// The longest that it might be, in milliseconds, where that is known.
    pub allowed_ms: Option<u64>,
    /// How long the cluster took to be whole again after it, in milliseconds.
    pub whole_ms: Option<u64>,
    /// How long it all took, in milliseconds.
    pub took_ms: u64,
    /// The load's topic; it is deleted after a good end, or an interruption.
    pub topic: String,
    /// The load's record; it is deleted after a good end, or an interruption.
    pub record: PathBuf,
    /// What became of the load.
    pub verdict: Option<Verdict>,
}

/// Milliseconds since 1970: the clock of the load, which runs on this machine.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or_default()
}

pub(super) fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Ground {
    /// A host, as drills work on it.
    pub(super) fn site(&self, host: &HostName) -> Option<Site<'_>> {
        Some(Site {
            name: host.to_string(),
            remote: self.prober.fleet.get(host)?,
            dir: self.kept.get(host)?.clone(),
            places: self.places.get(host)?.clone(),
        })
    }

    pub(super) fn lives(&self) -> Result<(), Problem> {
        let interrupted = || Problem::new("interrupted");
        if self.stop.is_asked() {
            Err(interrupted())
        } else {
            Ok(())
        }
    }

    pub(super) fn told(&self, drill: &Drill, what: &str, detail: impl Into<String>) {
        let detail = Some(detail.into());
        self.outcome(drill, what, Outcome::Ok { detail });
    }

    fn outcome(&self, drill: &Drill, what: &str, outcome: Outcome) {
        let (who, what) = (drill.name.clone(), what.to_owned());
        self.events.emit(EventKind::Checked { who, what, outcome });
    }

    /// Takes the cluster's lock: no other run changes what a drill looks at.
    pub(super) async fn lock(&self) -> Result<lock::Guard, Problem> {
        let how = (self.lock_wait, &self.stop);
        let taken = lock::take(&self.prober.fleet, &self.places, &self.run, how).await;
        let first = |problems: Vec<Problem>| problems.into_iter().next();
        let unknown = || Problem::new("the cluster's lock can't be taken");
        taken.map_err(|failure| first(failure.problems).unwrap_or_else(unknown))
    }

    /// Ends what drills have left on the hosts, which are named.
    ///
    /// # Errors
    /// When something can't be ended.
    pub async fn sweep(&self) -> Result<Vec<HostName>, Problem> {
        let sites = self
            .kept
            .keys()
            .filter_map(|host| Some((host, self.site(host)?)));
        let swept = sites.map(|(host, site)| async move {
            let lifted = site.lift().await?;
            Ok::<_, Problem>(lifted.then(|| host.clone()))
        });
        let swept = futures_util::future::join_all(swept).await;
        let swept: Result<Vec<_>, Problem> = swept.into_iter().collect();
        Ok(swept?.into_iter().flatten().collect())
    }
}

/// Makes a drill. Whatever happens, what it did to hosts is ended, and so is its load.
pub async fn make(ground: &Ground, drill: &Drill) -> Report {
    let began = Instant::now();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let id = id.get(..8).unwrap_or(&id).to_owned();
    let topic = format!("drill-{}-{id}", drill.name);
    let record = ground.folder.join(format!("{topic}.record"));
    let mut making = Making {
        ground,
        drill,
        id,
        load: None,
        target: None,
        seen: Seen::default(),
        report: Report {
            name: drill.name.clone(),
            title: drill.title.clone(),
            ended: Ended::Bad,
            target: None,
            evidence: Vec::new(),
            wrong: Vec::new(),
            window: None,
            pause_ms: None,
            allowed_ms: None,
            whole_ms: None,
            took_ms: 0,
            topic,
            record,
            verdict: None,
        },
    };
    if let Err(reason) = target::fit(ground, drill).await {
        making.report.ended = Ended::NotHere;
        ground.outcome(drill, "target", Outcome::Skipped { reason });
        return making.report;
    }
    let done = making.all().await;
    making.clean(done).await;
    let mut report = making.report;
    report.took_ms = ms(began);
    report
}

/// How long writes may pause, in milliseconds, where the drill says it.
fn allowed(drill: &Drill, slack: u32) -> Option<u64> {
    let seconds = drill.expect.pause?;
    Some(seconds.saturating_mul(1000).saturating_mul(slack.into()))
}

/// What is wrong with a pause that is longer than it may be.
fn too_long(pause: Option<u64>, allowed: Option<u64>) -> Option<String> {
    let (pause, allowed) = pause.zip(allowed).filter(|(pause, most)| pause > most)?;
    Some(format!(
        "writes paused for {pause} ms on a partition, and {allowed} ms are allowed"
    ))
}

struct Making<'a> {
    ground: &'a Ground,
    drill: &'a Drill,
    id: String,
    load: Option<Beside>,
    target: Option<Member>,
    seen: Seen,
    report: Report,
}

impl Making<'_> {
    async fn all(&mut self) -> Result<(), Problem> {
        let lock = self.ground.lock().await?;
        let begun = self.begin().await;
        if begun.is_ok() && self.drill.fault.is_run() {
            // It is that run's turn to hold it.
            lock.release().await;
            let broken = match self.drill.fault {
                Fault::KillMove => self.kill_move().await,
                _ => self.kill_run().await,
            };
            let lock = self.ground.lock().await?;
            let done = match broken {
                Ok(()) => self.after().await,
                Err(error) => Err(error),
            };
            lock.release().await;
            return done;
        }
        let done = match begun {
            Ok(()) => self.broken().await,
            Err(error) => Err(error),
        };
        lock.release().await;
        done
    }

    async fn broken(&mut self) -> Result<(), Problem> {
        if self.drill.fault == Fault::Lose {
            self.lose().await?;
        } else {
            self.fault().await?;
        }
        self.after().await
    }

    async fn lose(&mut self) -> Result<(), Problem> {
        let (Some(target), Some(load)) = (&self.target, &mut self.load) else {
            return Err(Problem::new("there is nobody to break"));
        };
        let made = lose::made(self.ground, self.drill, target, (&self.report.topic, load)).await;
        self.seen.lost = made?;
        Ok(())
    }

    /// A whole cluster, a load that goes on, and a target.
    async fn begin(&mut self) -> Result<(), Problem> {
        for host in self.ground.sweep().await? {
            let text = format!("{host}: a fault that an earlier drill left was ended");
            self.ground.events.warn(text, None);
        }
        whole::wait(self.ground, WHOLE).await?;
        let (topic, record) = (&self.report.topic, &self.report.record);
        let kind = match self.drill.fault {
            Fault::Lose => Kind::Loses,
            Fault::KillMove => Kind::Copies(self.copies()?.0),
            _ => Kind::Usual,
        };
        let load = self
            .load
            .insert(Beside::start(&self.ground.own, topic, record, kind)?);
        load.goes_on(0, LEAST, &self.ground.stop).await?;
        self.ground.told(
            self.drill,
            "load",
            format!("acknowledged, on topic {topic}"),
        );
        if self.drill.fault.is_run() {
            return Ok(());
        }
        let target = target::choose(self.ground, self.drill, topic).await?;
        self.report.target = Some(target.id.to_string());
        self.ground
            .told(self.drill, "target", target.id.to_string());
        self.target = Some(target);
        Ok(())
    }

    /// The fault, from its begin until what it ended is there again.
    async fn fault(&mut self) -> Result<(), Problem> {
        let (Some(target), Some(load)) = (&self.target, &mut self.load) else {
            return Err(Problem::new("there is nobody to break"));
        };
        let ground = self.ground;
        let none = || Problem::new(format!("{} is not connected", target.id.host));
        let site = ground.site(&target.id.host).ok_or_else(none)?;
        let order = watch::order(ground, self.drill, target)?;
        let mut watch = Watch::new(ground, self.drill, target, &self.report.topic);
        watch.before(&site, &order.units).await?;
        let from = now();
        self.report.window = Some(Window { from, to: from });
        site.begin(&self.id, &order).await?;
        let lasted = watch.during(&site, (load, from)).await;
        let lifted = site.lift().await;
        let back = match (&lasted, &lifted) {
            (Ok(()), Ok(_)) => watch.back(&site).await,
            _ => Ok(()),
        };
        self.report.window = Some(Window { from, to: now() });
        self.seen = watch.seen;
        lasted.and(lifted.map(|_| ())).and(back)
    }

    async fn kill_run(&mut self) -> Result<(), Problem> {
        let from = now();
        let said = self.report.record.with_extension("run");
        let run = restart::killed(self.ground, self.drill, &said).await;
        self.report.window = Some(Window { from, to: now() });
        let (role, run) = run?;
        self.report.target = Some(role);
        self.seen.run = Some(run);
        Ok(())
    }

    /// How many copies the load's topic has first, and in the end.
    fn copies(&self) -> Result<(usize, usize), Problem> {
        moving::copies(candidates(&self.ground.prober.view, self.drill).len())
    }

    async fn kill_move(&mut self) -> Result<(), Problem> {
        let from = now();
        let said = self.report.record.with_extension("run");
        let topic = (self.report.topic.as_str(), self.copies()?.1);
        let moved = moving::killed(self.ground, self.drill, topic, &said).await;
        self.report.window = Some(Window { from, to: now() });
        self.report.target = Some(format!("topic {}", self.report.topic));
        self.seen.moved = Some(moved?);
        Ok(())
    }

    /// The cluster whole again, writes going on, and the verdict.
    async fn after(&mut self) -> Result<(), Problem> {
        let ground = self.ground;
        let proof = judge(self.drill, &self.seen);
        self.report.evidence = proof.seen;
        ground.told(self.drill, "fault", self.report.evidence.join("; "));
        self.report.wrong = proof.missing;
        let began = Instant::now();
        let whole = whole::wait(ground, WHOLE).await;
        ground.lives()?;
        // Also of a cluster that is not whole it is worth to know what it has lost.
        let within = match whole {
            Ok(()) => {
                self.report.whole_ms = Some(ms(began));
                WHOLE
            }
            Err(problem) => {
                self.report.wrong.push(problem.cause);
                Duration::ZERO
            }
        };
        let Some(load) = &mut self.load else {
            return Err(Problem::new("there is no load"));
        };
        // The load of a loss is over: what it would write afterwards is of no interest.
        if let Some(window) = self.report.window {
            let went_on = load.goes_on(window.to, LEAST, &ground.stop).await;
            ground.lives()?;
            let wrong = went_on.err().map(|problem| problem.cause);
            self.report.wrong.extend(wrong);
            self.report.pause_ms = load.pause(window.from);
            self.report.allowed_ms = allowed(self.drill, ground.slack);
            let long = too_long(self.report.pause_ms, self.report.allowed_ms);
            self.report.wrong.extend(long);
        }
        load.end().await?;
        let check = Check {
            record: self.report.record.clone(),
            window: self.report.window,
            least: LEAST,
            stalls: self.drill.stalls,
            within,
        };
        let call = ground
            .prober
            .call(&ground.action.action, &ground.service, None);
        let verdict = ground.driver.judge(call, &check).await?;
        if self.drill.fault == Fault::Lose {
            let told = lose::told(&verdict);
            self.report.evidence.extend(told.as_ref().ok().cloned());
            self.report.wrong.extend(told.err());
        } else {
            self.report.wrong.extend(verdict.wrong.iter().cloned());
        }
        self.report.verdict = Some(verdict);
        Ok(())
    }

    /// Ends all that may still be there, and tells how it ended.
    async fn clean(&mut self, done: Result<(), Problem>) {
        let ground = self.ground;
        let unended = match &self.target {
            Some(target) if done.is_err() => match ground.site(&target.id.host) {
                Some(site) => site.lift().await.err(),
                None => None,
            },
            _ => None,
        };
        let wrong = done.err().into_iter().chain(unended);
        self.report.wrong.extend(wrong.map(|problem| problem.cause));
        if let Some(load) = &mut self.load {
            if self.report.verdict.is_none() {
                // It ended too early, or it ends now: that something else is wrong is told already.
                let _ = load.end().await;
            }
            if self.report.wrong.is_empty() {
                self.report.ended = Ended::Good;
            }
            // Of a drill that was broken off there is nothing to look at either.
            if self.report.ended == Ended::Good || ground.stop.is_asked() {
                load.forget();
                self.forget_topic().await;
            }
        }
        let outcome = match self.report.wrong.first() {
            None => Outcome::Ok {
                detail: Some(match self.drill.fault {
                    Fault::Lose => "what was lost on purpose is told".to_owned(),
                    _ => "all that was acknowledged is there".to_owned(),
                }),
            },
            Some(_) => Outcome::Failed {
                error: Problem::new(self.report.wrong.join("; ")),
            },
        };
        ground.outcome(self.drill, "verdict", outcome);
    }

    async fn forget_topic(&self) {
        let ground = self.ground;
        let call = ground
            .prober
            .call(&ground.action.action, &ground.service, None);
        let topics = [self.report.topic.clone()];
        if let Err(error) = ground.driver.delete_topics(call, &topics).await {
            let text = format!("topic {} is left: {}", self.report.topic, error.cause);
            let help = "`sdtd topics delete` deletes it";
            ground.events.warn(text, Some(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_wrong_where_it_is_longer_than_the_drill_allows() {
        let text = "title: t\ntarget: { roles: [mill.pump] }\ndo: kill\n";
        let drill = |more: &str| Drill::read("d", "d.yaml", &format!("{text}{more}")).unwrap();
        assert_eq!(allowed(&drill(""), 1), None);
        let bound = drill("expect: { pause: 28 }");
        assert_eq!(allowed(&bound, 1), Some(28_000));
        assert_eq!(allowed(&bound, 3), Some(84_000));
        assert_eq!(too_long(Some(28_000), Some(28_000)), None);
        let told = "writes paused for 28001 ms on a partition, and 28000 ms are allowed";
        assert_eq!(too_long(Some(28_001), Some(28_000)).as_deref(), Some(told));
        // Where nothing was acknowledged after it, that is told as such.
        assert_eq!(too_long(None, Some(28_000)), None);
        assert_eq!(too_long(Some(99_000), None), None);
    }
}
