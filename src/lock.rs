//! The cluster's lock: two runs never change a cluster at the same time.
//!
//! It is a folder on every host, taken with one `mkdir`; a run holds the lock when it holds it on more than
//! half of the hosts. The owner renews it while it works, so a lock whose owner died ends by itself; one whose
//! owner ran on this machine and is gone is recognised at once. A run that finds its lock in other hands (it was
//! taken away by `unlock`, or this machine slept for longer than a lease) ends like one that was interrupted. Runs
//! that change nothing take no lock.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::task::{AbortHandle, JoinSet};

use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::exec::Stop;
use crate::exec::script::Places;
use crate::id::HostName;
use crate::transport::RemoteError;
use crate::verify::Fleet;

/// Seconds after which a lock that was not renewed is nobody's.
pub const LEASE: u64 = 90;
/// Between two renewals, and where the last one did not reach most hosts.
const RENEW_EVERY: Duration = Duration::from_secs(20);
const RENEW_AGAIN: Duration = Duration::from_secs(2);
/// How often it is looked whether the time for it has come: a machine that slept is late by a moment only.
const TICK: Duration = Duration::from_secs(1);
/// Between two tries of a run that waits.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The run's id.
    pub run: String,
    /// The user.
    pub user: String,
    /// The machine that sdtd runs on.
    pub machine: String,
    /// sdtd's process there.
    pub pid: u32,
    /// When it was taken, in seconds since 1970.
    pub since: u64,
}

impl Owner {
    /// This process.
    #[must_use]
    pub fn me(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            user: std::env::var("USER")
                .or_else(|_| std::env::var("LOGNAME"))
                .unwrap_or_default(),
            machine: machine(),
            pid: std::process::id(),
            since: now(),
        }
    }

    /// Whether it is known to be gone: a process of this machine that no longer is.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.machine == machine() && !std::path::Path::new(&format!("/proc/{}", self.pid)).exists()
    }

    /// As people read it.
    #[must_use]
    pub fn told(&self, age_s: u64) -> String {
        let Self {
            user,
            machine,
            pid,
            run,
            ..
        } = self;
        let user = if user.is_empty() { "somebody" } else { user };
        let held_s = now().saturating_sub(self.since);
        format!(
            "{user} on {machine} (process {pid}, run {run}) for {held_s} s, last renewed {age_s} s ago"
        )
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |t| t.as_secs())
}

/// This machine, told apart from others of the same name.
fn machine() -> String {
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let id = read("/etc/machine-id");
    let name = read("/proc/sys/kernel/hostname");
    match id.get(..8) {
        Some(id) => format!("{name}-{id}"),
        None => name,
    }
}

/// What is asked about the lock of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Take it.
    Take(Owner),
    /// Take it from an owner that is known to be gone.
    TakeOver(Owner),
    /// Keep it.
    Renew(Owner),
    /// Give it back.
    Release(Owner),
    /// Take it away, whoever holds it.
    Break,
}

/// What a host answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Yes,
    /// Somebody else holds it, and renewed it so many seconds ago.
    Held(Option<Owner>, u64),
}

/// The script of a request; it answers `@lock yes` or `@lock held <age> <owner>`.
#[must_use]
pub fn script(places: &Places, ask: &Ask) -> String {
    let (word, owner) = match ask {
        Ask::Take(owner) => ("take", Some(owner)),
        Ask::TakeOver(owner) => ("over", Some(owner)),
        Ask::Renew(owner) => ("renew", Some(owner)),
        Ask::Release(owner) => ("release", Some(owner)),
        Ask::Break => ("break_it", None),
    };
    let owner = owner
        .and_then(|o| serde_json::to_string(o).ok())
        .unwrap_or_default();
    let quote = crate::facts::quote;
    format!(
        "lock={}\nowner={}\nlease={LEASE}\n{}\n{}\n{word}\n",
        quote(&format!("{}/lock", places.state)),
        quote(&owner),
        include_str!("exec/fan/keys.sh"),
        include_str!("lock.sh")
    )
}

/// Reads the answer of [`script`].
#[must_use]
pub fn parse(line: &str) -> Option<Answer> {
    let rest = line.strip_prefix("@lock ")?;
    if rest == "yes" {
        return Some(Answer::Yes);
    }
    let (age, owner) = rest
        .strip_prefix("held ")?
        .split_once(' ')
        .unwrap_or((rest, ""));
    Some(Answer::Held(
        serde_json::from_str(owner).ok(),
        age.parse().unwrap_or(0),
    ))
}

/// A lock that is held. It is renewed until it is given back.
pub struct Guard {
    held: Arc<Held>,
    renewing: AbortHandle,
}

/// What renewing a lock needs, and what it found.
struct Held {
    fleet: Fleet,
    places: BTreeMap<HostName, Places>,
    owner: Owner,
    /// How it was lost.
    lost: OnceLock<Problem>,
}

/// Takes the lock of a cluster, waiting for it up to `wait`. Should it get lost later, `stop` asks the run to end.
///
/// # Errors
/// When somebody else holds it, or a host can't be asked.
pub async fn take(
    fleet: &Fleet,
    places: &BTreeMap<HostName, Places>,
    run: &str,
    (wait, stop): (Duration, &Stop),
) -> Result<Guard, Failure> {
    let owner = Owner::me(run);
    let until = Instant::now() + wait;
    loop {
        match attempt(fleet, places, &owner).await? {
            None => break,
            Some(problem) if Instant::now() >= until => {
                return Err(Failure::new(Kind::Locked, problem));
            }
            Some(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
    let held = Arc::new(Held {
        fleet: fleet.clone(),
        places: places.clone(),
        owner,
        lost: OnceLock::new(),
    });
    let (renewed, stop) = (Arc::clone(&held), stop.clone());
    let renewing = tokio::spawn(async move {
        renewed.renew().await;
        stop.ask();
    });
    Ok(Guard {
        held,
        renewing: renewing.abort_handle(),
    })
}

impl Held {
    /// Renews the lock until it is lost.
    async fn renew(&self) {
        let (mut last, mut pause) = (SystemTime::now(), RENEW_EVERY);
        while self.lost.get().is_none() {
            tokio::time::sleep(TICK).await;
            // By the clock on the wall: it goes on while this machine sleeps. One that was set back counts as due.
            if last.elapsed().is_ok_and(|since| since < pause) {
                continue;
            }
            let ask = Ask::Renew(self.owner.clone());
            let asked = ask_all(&self.fleet, &self.places, &ask);
            let asked = tokio::time::timeout(RENEW_EVERY, asked).await;
            let answers = asked.unwrap_or_default();
            let count = |is: fn(&Answer) -> bool| {
                let answers = answers
                    .iter()
                    .filter_map(|(_, answer)| answer.as_ref().ok());
                answers.filter(|answer| is(answer)).count()
            };
            let all = self.places.len();
            let most = count(|answer| *answer == Answer::Yes) * 2 > all;
            pause = if most { RENEW_EVERY } else { RENEW_AGAIN };
            last = SystemTime::now();
            // Hosts that do not answer may still hold it for this run.
            if count(|answer| matches!(answer, Answer::Held(..))) * 2 >= all {
                let _ = self.lost.set(lost(&answers));
            }
        }
    }
}

/// What is said of a lock that is in other hands, or in nobody's.
fn lost(answers: &[(HostName, Result<Answer, RemoteError>)]) -> Problem {
    let other = answers.iter().find_map(|(_, answer)| match answer {
        Ok(Answer::Held(Some(other), age)) => Some(other.told(*age)),
        _ => None,
    });
    let who = other.map_or_else(
        || "somebody took it away (`sdtd unlock`)".to_owned(),
        |other| format!("it is held by {other}"),
    );
    Problem::new(format!(
        "this run lost the cluster's lock: {who}; the steps under way were finished, no other was begun"
    ))
    .help("look at what the other run does (`sdtd status`), then run the same command again")
}

/// One try on all hosts; who holds it instead, if a majority could not be had.
async fn attempt(
    fleet: &Fleet,
    places: &BTreeMap<HostName, Places>,
    owner: &Owner,
) -> Result<Option<Problem>, Failure> {
    let mut answers = ask_all(fleet, places, &Ask::Take(owner.clone())).await;
    for (host, answer) in &mut answers {
        let gone = matches!(answer, Ok(Answer::Held(Some(other), _)) if other.is_gone());
        if let (true, Some(remote), Some(at)) = (gone, fleet.get(host), places.get(host)) {
            *answer = remote.lock(at, &Ask::TakeOver(owner.clone())).await;
        }
    }
    let taken = answers
        .iter()
        .filter(|(_, a)| matches!(a, Ok(Answer::Yes)))
        .count();
    if taken * 2 > answers.len() {
        return Ok(None);
    }
    ask_all(fleet, places, &Ask::Release(owner.clone())).await;
    let mut unreachable = Vec::new();
    for (host, answer) in answers {
        match answer {
            Ok(Answer::Held(other, age)) => {
                let who = other.map_or_else(|| "somebody".to_owned(), |o| o.told(age));
                let problem = Problem::new(format!("the cluster is locked on {host} by {who}"));
                let help =
                    "wait for it (`--lock-wait SECONDS`); if that run is dead, `sdtd unlock`";
                return Ok(Some(problem.help(help)));
            }
            Ok(Answer::Yes) => {}
            Err(error) => unreachable.push(crate::flow::host_problem(&host, &error)),
        }
    }
    Err(Failure {
        kind: Kind::Unreachable,
        problems: unreachable,
    })
}

/// Asks all hosts at once.
pub async fn ask_all(
    fleet: &Fleet,
    places: &BTreeMap<HostName, Places>,
    ask: &Ask,
) -> Vec<(HostName, Result<Answer, RemoteError>)> {
    let mut tasks = JoinSet::new();
    for (host, at) in places {
        let (fleet, host, at, ask) = (fleet.clone(), host.clone(), at.clone(), ask.clone());
        tasks.spawn(async move {
            let answer = match fleet.get(&host) {
                Some(remote) => remote.lock(&at, &ask).await,
                None => Err(RemoteError::Unreachable("it is not connected".to_owned())),
            };
            (host, answer)
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    answers
}

impl Guard {
    /// How it was lost, if it was.
    #[must_use]
    pub fn lost(&self) -> Option<Problem> {
        self.held.lost.get().cloned()
    }

    /// Gives the lock back.
    pub async fn release(self) {
        self.renewing.abort();
        let Held {
            fleet,
            places,
            owner,
            ..
        } = &*self.held;
        ask_all(fleet, places, &Ask::Release(owner.clone())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_gone_when_its_process_here_is() {
        let mut me = Owner::me("r1");
        assert!(!me.is_gone());
        me.pid = u32::MAX;
        assert!(me.is_gone());
        me.machine = "elsewhere".to_owned();
        assert!(!me.is_gone(), "nobody knows of processes elsewhere");
    }

    #[test]
    fn answers_are_read() {
        let me = Owner::me("r1");
        let line = format!(
            "@lock held 12 {}",
            serde_json::to_string(&me).expect("it is JSON")
        );
        assert_eq!(parse(&line), Some(Answer::Held(Some(me), 12)));
        assert_eq!(parse("@lock yes"), Some(Answer::Yes));
        assert_eq!(parse("@lock held 3 garbage"), Some(Answer::Held(None, 3)));
        assert_eq!(parse("something else"), None);
    }
}
