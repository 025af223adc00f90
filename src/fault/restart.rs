//! A run of sdtd that restarts a role is killed in its middle, and made again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::drill::Ground;
use super::host::Process;
use super::own::last;
use super::proof::KilledRun;
use super::target::candidates;
use super::words::Drill;
use crate::event::Problem;
use crate::id::InstanceId;
use crate::plan::{Member, RoleRef};

/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(1200);
const PAUSE: Duration = Duration::from_millis(300);
/// How often all hosts are looked at while nothing is asked of them: a connection that is idle ends.
const AWAKE: Duration = Duration::from_secs(10);

type Processes = BTreeMap<InstanceId, Option<Process>>;

/// Restarts a role, kills that run after the first member, and makes it again. Which role, and what came of it.
pub async fn killed(
    ground: &Ground,
    drill: &Drill,
    said: &Path,
) -> Result<(String, KilledRun), Problem> {
    let all = candidates(&ground.prober.view, drill);
    let first = all.first().map(|m| RoleRef::of(&m.id));
    let role = first.ok_or_else(|| Problem::new("there is nobody to restart"))?;
    let members: Vec<&Member> = ground.prober.view.of_role(&role).collect();
    // What has its only copy on one of them is away for a moment: drills are for that.
    let words = ["restart", "--yes", "--accept-unavailable", "--only"];
    let mut words: Vec<OsString> = words.map(OsString::from).into();
    words.extend([role.to_string().into(), ground.own.inventory.clone().into()]);

    let before = look(ground, &members).await?;
    let mut child = ground.own.start(&words, said)?;
    let (began, mut awake) = (Instant::now(), Awake(Instant::now()));
    let alive = loop {
        awake.keep(ground).await?;
        if !matches!(child.try_wait(), Ok(None)) {
            break false;
        }
        if others(&before, &look(ground, &members).await?) > 0 {
            break matches!(child.try_wait(), Ok(None));
        }
        ground.lives()?;
        if began.elapsed() > LONGEST {
            break false;
        }
        sleep(PAUSE).await;
    };
    // Of one that is over already nothing is left to kill.
    let _ = child.kill().await;
    if !alive {
        ground
            .events
            .warn(format!("the run was over: {}", last(said)), None);
    }
    let restarted = others(&before, &look(ground, &members).await?);
    let detail = format!(
        "killed when {restarted} of {} had been restarted",
        members.len()
    );
    ground.told(drill, "run", detail);
    let again = again(ground, &words, said).await?;
    let (of, role) = (members.len(), role.to_string());
    let run = KilledRun {
        alive,
        restarted,
        of,
        again,
    };
    Ok((role, run))
}

/// The same run, to its end.
pub(super) async fn again(
    ground: &Ground,
    words: &[OsString],
    said: &Path,
) -> Result<Option<i32>, Problem> {
    let mut child = ground.own.start(words, said)?;
    let (began, mut awake) = (Instant::now(), Awake(Instant::now()));
    loop {
        awake.keep(ground).await?;
        match child.try_wait() {
            Ok(Some(status)) => {
                if !status.success() {
                    let text = format!("the run after it ended with {status}: {}", last(said));
                    ground.events.warn(text, None);
                }
                return Ok(status.code());
            }
            Ok(None) if began.elapsed() < LONGEST => ground.lives()?,
            _ => return Ok(None),
        }
        sleep(PAUSE).await;
    }
}

/// How many have another process than before, or none.
fn others(before: &Processes, now: &Processes) -> usize {
    let other = |(id, had): &(&InstanceId, &Option<Process>)| {
        let now = now.get(id).copied().flatten();
        // One that is down for the moment is being restarted; it counts when it is back.
        matches!((had, now), (Some(had), Some(now)) if !had.is(&now))
    };
    before.iter().filter(other).count()
}

/// When every host was last asked for nothing: as no lock is held, nobody else does.
pub(super) struct Awake(pub(super) Instant);

impl Awake {
    pub(super) async fn keep(&mut self, ground: &Ground) -> Result<(), Problem> {
        if self.0.elapsed() < AWAKE {
            return Ok(());
        }
        let sites = ground.places.keys().filter_map(|host| ground.site(host));
        let each = sites.map(|site| async move { site.look(&[]).await.map(|_| ()) });
        self.0 = Instant::now();
        join_all(each).await.into_iter().collect()
    }
}

async fn look(ground: &Ground, members: &[&Member]) -> Result<Processes, Problem> {
    let each = members.iter().map(|member| async {
        let none = || Problem::new(format!("{} is not connected", member.id.host));
        let site = ground.site(&member.id.host).ok_or_else(none)?;
        let units = [member.unit.clone()];
        let found = site.look(&units).await?;
        let process = found.get(&member.unit).copied().flatten();
        Ok::<_, Problem>((member.id.clone(), process))
    });
    join_all(each).await.into_iter().collect()
}
