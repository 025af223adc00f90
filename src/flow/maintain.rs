//! Hosts are maintained one after another: gate, stop, a command, wait for the host, start, whole again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Facts, Flow};
use crate::catalogue::Probe;
use crate::error::{Failure, Kind};
use crate::event::{EventKind, Outcome, Problem};
use crate::exec::Report;
use crate::facts::quote;
use crate::id::HostName;
use crate::plan::goals::{self, Selection};
use crate::plan::packages::Packages;
use crate::plan::{Input, Plan, maintain, planner};
use crate::transport::{Remote, RemoteError};

/// Between two tries to reach a host that is rebooting.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// How often in a row a host has to answer, on the same boot and not on its way down, to count as not rebooted.
const STILL_UP: u32 = 5;
/// How long one look at a host may take.
const LOOK: Duration = Duration::from_secs(20);
/// What a command ends with that took too long.
const TIMED_OUT: i32 = 124;
/// Lines of a command that failed.
const LINES: usize = 20;
/// Tells the boot that a host is on, and whether it is on its way down.
const BOOT: &str = "echo \"@boot $(cat /proc/sys/kernel/random/boot_id)\"\n\
    if [ -e /run/systemd/shutdown/scheduled ] || [ \"$(systemctl is-system-running 2>/dev/null)\" = stopping ]; then \
    echo @down; fi";

/// What is done on each host.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// The command, as a shell's line.
    pub command: String,
    /// How long it may take.
    pub within: Duration,
    /// How long a host may take to come back.
    pub back_within: Duration,
}

/// How a host is: the boot it is on, and whether that is about to end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Boot {
    id: String,
    ends: bool,
}

impl Flow {
    /// Maintains hosts one after another; who leads others goes last, asked again before each. The first that is
    /// not whole again afterwards ends it.
    ///
    /// # Errors
    /// What was not done, or the host that did not come back.
    pub async fn maintain(&mut self, hosts: &[HostName], how: &Maintenance) -> Result<(), Failure> {
        let facts = self.facts().await?;
        // What a run that was cut off had stopped.
        let all = Selection::default();
        let start = goals::start(self.input(&facts, &Packages::new(), &[]), &all);
        done(&self.apply(start, Default::default()).await)?;
        // Again: what was started only now was not asked for before.
        self.maintenance_outage(hosts, false).await?;
        let mut left = hosts.to_vec();
        while !left.is_empty() {
            let facts = self.facts().await?;
            let host = left.remove(self.next(&facts, &left).await);
            self.events.phase(format!("maintain {host}"));
            self.maintain_one(&host, how, &facts).await?;
        }
        Ok(())
    }

    /// What it means that hosts are stopped one after another. `asks` says that somebody will be asked who then
    /// has read it.
    ///
    /// # Errors
    /// As `outage`, and when a host can't be asked.
    pub async fn maintenance_outage(
        &mut self,
        hosts: &[HostName],
        asks: bool,
    ) -> Result<Vec<Problem>, Failure> {
        let facts = self.facts().await?;
        let stops = maintain::stops(self.input(&facts, &Packages::new(), &[]), hosts);
        self.outage(&stops, &facts, asks).await
    }

    /// The next host: the first on which nobody has to go last.
    async fn next(&self, facts: &Facts, left: &[HostName]) -> usize {
        let prober = self.prober(self.view(facts));
        for (n, host) in left.iter().enumerate() {
            let mut leads = false;
            for member in prober.view.members.iter().filter(|m| &m.id.host == host) {
                let role = crate::plan::RoleRef::of(&member.id);
                let rolling = planner::rolling_of(&self.catalogue, &role);
                let last: Option<Probe> = rolling.and_then(|rolling| rolling.last);
                if let Some(last) = last {
                    leads |= prober.ask(&last, member).await.is_yes();
                }
            }
            if !leads {
                return n;
            }
        }
        0
    }

    async fn maintain_one(
        &self,
        host: &HostName,
        how: &Maintenance,
        facts: &Facts,
    ) -> Result<(), Failure> {
        let plan = |make: fn(Input<'_>, &HostName) -> Plan| {
            make(self.input(facts, &Packages::new(), &[]), host)
        };
        let (away, back) = (plan(maintain::away), plan(maintain::back));
        let stopped = self.apply(away, Default::default()).await;
        let untouched = stopped.changed.values().sum::<usize>() == 0;
        if !stopped.is_done() && untouched {
            return done(&stopped);
        }
        let mut ran = done(&stopped);
        if ran.is_ok() {
            ran = self.command(host, how).await;
            let (who, what) = (host.to_string(), how.command.clone());
            let outcome = match &ran {
                Ok(()) => Outcome::Changed,
                Err(failure) => Outcome::Failed {
                    error: Problem::new(failure.to_string()),
                },
            };
            self.events.emit(EventKind::Checked { who, what, outcome });
        }
        if matches!(&ran, Err(failure) if failure.kind == Kind::Unreachable) {
            return ran;
        }
        // Whatever came of it, nothing stays down for it.
        let started = self.apply(back, Default::default()).await;
        ran.and(done(&started))
    }

    /// Does the command, and waits for the host where it rebooted or its link was lost.
    async fn command(&self, host: &HostName, how: &Maintenance) -> Result<(), Failure> {
        let failed = |problem| Failure::new(Kind::Failed, problem);
        let Some(remote) = self.fleet.get(host) else {
            return Err(failed(Problem::new(format!("{host} is not connected"))));
        };
        let before = boot(remote).await.map_err(|e| away(host, &e))?;
        let script = format!(
            "(\n{}\n) </dev/null 2>&1\ncode=$?\n{BOOT}\n(exit $code)",
            how.command
        );
        let (mut lines, mut after) = (Vec::new(), None);
        let mut take = |line: &str| match line {
            "@down" => after = Some(true),
            line if line.starts_with("@boot ") => after = after.or(Some(false)),
            line => lines.push(line.to_owned()),
        };
        let ended = remote.command(&script, how.within, &mut take).await;
        lines.drain(..lines.len().saturating_sub(LINES));
        let wrong = |cause: String| {
            let mut problem = Problem::new(cause);
            problem.log.clone_from(&lines);
            failed(
                problem.help("its services were started again; the hosts after it were left alone"),
            )
        };
        let rebooted = match &ended {
            // What took too long was ended before it could tell.
            Ok(code) if after == Some(false) || *code == Some(TIMED_OUT) => false,
            Ok(_) => self.wait_back(host, remote, (&before, true), how).await?,
            Err(e) if e.is_out_of_reach() => {
                self.wait_back(host, remote, (&before, false), how).await?
            }
            Err(e) => return Err(wrong(format!("{host}: {e}"))),
        };
        match ended {
            Ok(Some(0)) => Ok(()),
            Ok(Some(TIMED_OUT)) => {
                let within = how.within.as_secs();
                Err(wrong(format!(
                    "{host}: `{}` took longer than {within} s",
                    how.command
                )))
            }
            Ok(code) => {
                let code = code.map_or_else(|| "a signal".to_owned(), |c| format!("exit {c}"));
                Err(wrong(format!(
                    "{host}: `{}` ended with {code}",
                    how.command
                )))
            }
            Err(_) if rebooted => Ok(()),
            Err(e) => Err(wrong(format!(
                "{host}: the link was lost while `{}` ran ({e}), and the host did not reboot: nobody knows how it ended",
                how.command
            ))),
        }
    }

    /// Waits until a host answers again; whether it was booted since. `must` says that it is known to go down.
    async fn wait_back(
        &self,
        host: &HostName,
        remote: &Remote,
        (before, must): (&Boot, bool),
        how: &Maintenance,
    ) -> Result<bool, Failure> {
        let began = Instant::now();
        let (mut same, mut told) = (0, Instant::now());
        let mut why = "it is still on its way down".to_owned();
        while began.elapsed() < how.back_within {
            sleep(TRY_EVERY).await;
            let now = match remote.reconnect().await {
                Ok(()) => boot(remote).await,
                Err(error) => Err(error),
            };
            match now {
                Ok(now) if now.id != before.id => return Ok(true),
                Ok(now) if now.ends => same = 0,
                Ok(_) => same += 1,
                Err(error) => (same, why) = (0, error.to_string()),
            }
            if same >= STILL_UP && !must {
                return Ok(false);
            }
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                self.events.emit(EventKind::Waiting {
                    wave: format!("maintain {host}"),
                    who: host.to_string(),
                    why: why.clone(),
                });
            }
        }
        let cause = format!(
            "{host} did not come back within {} s after `{}`: {why}",
            how.back_within.as_secs(),
            how.command
        );
        let help = "bring it up, then run the same command again: what is stopped there is started first; the hosts after it were left alone";
        Err(Failure::new(
            Kind::Unreachable,
            Problem::new(cause).help(help),
        ))
    }
}

/// The command as one line for a shell: one word is a line already, several are a program and its arguments.
#[must_use]
pub fn line(words: &[String]) -> String {
    match words {
        [line] => line.clone(),
        words => words.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" "),
    }
}

/// Asks for the boot that a host is on.
async fn boot(remote: &Remote) -> Result<Boot, RemoteError> {
    let (mut id, mut ends) = (None, false);
    let mut take = |line: &str| {
        ends |= line == "@down";
        id = id
            .take()
            .or_else(|| line.strip_prefix("@boot ").map(str::to_owned));
    };
    remote.command(BOOT, LOOK, &mut take).await?;
    let none = || RemoteError::Lost("it does not tell which boot it is on".to_owned());
    let id = id.filter(|id| !id.is_empty()).ok_or_else(none)?;
    Ok(Boot { id, ends })
}

fn away(host: &HostName, error: &RemoteError) -> Failure {
    let problem = Problem::new(format!("{host}: {error}"));
    Failure::new(
        Kind::Unreachable,
        problem.help("run the same command again"),
    )
}

/// What was not done of a plan, as a failure.
fn done(report: &Report) -> Result<(), Failure> {
    if report.interrupted {
        return Err(Failure {
            kind: Kind::Interrupted,
            problems: Vec::new(),
        });
    }
    if report.is_done() {
        return Ok(());
    }
    let kind = if report.lost.is_empty() {
        Kind::Failed
    } else {
        Kind::Unreachable
    };
    let failed = report.failed.values().flatten().cloned();
    let problems = report.general.iter().cloned().chain(failed).collect();
    Err(Failure { kind, problems })
}
