//! Whom a fault is about.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::drill::Ground;
use super::moving;
use super::words::{Drill, Fault, Which};
use crate::event::Problem;
use crate::plan::{Member, RoleRef, View};
use crate::verify::Prober;

/// How long nobody may be the one that is asked for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one look at the topic may take: the one that does not answer is not asked, others may be slow.
const LOOK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

/// The members that a drill may be about; none where the cluster has none of its roles.
pub fn candidates<'a>(view: &'a View, drill: &Drill) -> Vec<&'a Member> {
    let is_one = |m: &&Member| drill.target.roles.iter().any(|role| role.0.is_of(&m.id));
    view.members.iter().filter(is_one).collect()
}

/// Those of them with whom it can be done.
///
/// # Errors
/// Why there are none.
pub async fn fit<'a>(ground: &'a Ground, drill: &Drill) -> Result<Vec<&'a Member>, String> {
    let all = candidates(&ground.prober.view, drill);
    let is_local = |m: &&Member| ground.places.get(&m.id.host).is_none_or(|p| p.pidfiles);
    if all.is_empty() {
        return Err("this cluster has nobody whom it could be about".to_owned());
    }
    if drill.fault == Fault::CutNetwork && all.iter().all(is_local) {
        let why = "hosts that are folders of this machine have no network of their own";
        return Err(why.to_owned());
    }
    if drill.fault == Fault::KillMove {
        moving::copies(all.len()).map_err(|problem| problem.cause)?;
    }
    if drill.fault != Fault::DiskFull {
        return Ok(all);
    }
    let asked = all.into_iter().map(|member| async move {
        let has = ground
            .site(&member.id.host)?
            .has_disk(&member.id.to_string())
            .await;
        has.is_ok_and(|has| has).then_some(member)
    });
    let fit: Vec<&Member> = join_all(asked).await.into_iter().flatten().collect();
    if fit.is_empty() {
        return Err(
            "none of them has its data on a disk of its own: only such a one is filled".to_owned(),
        );
    }
    Ok(fit)
}

/// The target.
///
/// # Errors
/// When nobody is the one that is asked for.
pub async fn choose(ground: &Ground, drill: &Drill, topic: &str) -> Result<Member, Problem> {
    let began = Instant::now();
    let all = fit(ground, drill).await.map_err(Problem::new)?;
    loop {
        let found = match &drill.target.which {
            Which::Any => all.first().copied(),
            Which::Leads => leads(ground, &all, topic).await,
            Which::Is(_) | Which::IsNot(_) => {
                asked(&ground.prober, &all, &drill.target.which).await
            }
        };
        if let Some(found) = found {
            return Ok(found.clone());
        }
        if began.elapsed() > PATIENCE || ground.stop.is_asked() {
            let roles: Vec<String> = drill.target.roles.iter().map(|r| r.0.to_string()).collect();
            let cause = format!("no member of {} is the one that is meant", roles.join(", "));
            return Err(Problem::new(cause).help("`sdtd status` shows who is what"));
        }
        sleep(PAUSE).await;
    }
}

/// The one that leads most partitions of the topic.
async fn leads<'a>(ground: &Ground, all: &[&'a Member], topic: &str) -> Option<&'a Member> {
    let leaders = partitions(ground, &ground.prober, topic).await?;
    let mut counts = BTreeMap::<i32, usize>::new();
    for leader in leaders.iter().filter_map(|(leader, _, _)| *leader) {
        *counts.entry(leader).or_default() += 1;
    }
    let count = |m: &Member| number(m).and_then(|n| counts.get(&n)).copied();
    // Of equals the last: the first is asked by everybody first.
    let best = all.iter().filter(|m| count(m).is_some());
    best.max_by_key(|m| count(m)).copied()
}

/// The first of which a probe holds, or does not.
pub async fn asked<'a>(prober: &Prober, all: &[&'a Member], which: &Which) -> Option<&'a Member> {
    let (probe, wanted) = match which {
        Which::Is(probe) => (probe, true),
        Which::IsNot(probe) => (probe, false),
        Which::Any | Which::Leads => return None,
    };
    for member in all {
        let answer = timeout(LOOK, prober.ask(probe, member)).await;
        if answer.is_ok_and(|answer| answer.is_yes() == wanted) {
            return Some(member);
        }
    }
    None
}

/// The number of a member as topics name it.
pub fn number(member: &Member) -> Option<i32> {
    member.number.and_then(|n| i32::try_from(n).ok())
}

/// A cluster as all others but this member see it: whoever does not answer is not asked.
pub fn eyes(ground: &Ground, target: &Member) -> Prober {
    let view = &ground.prober.view;
    let others = view.peers(target).filter(|m| m.id != target.id);
    let others = others.map(|m| m.id.clone()).collect();
    ground
        .prober
        .seeing(view.with_members(&RoleRef::of(&target.id), &others))
}

/// A partition: its leader, its copies, those in sync.
pub type Partition = (Option<i32>, Vec<i32>, Vec<i32>);

/// The topic's partitions.
pub async fn partitions(ground: &Ground, by: &Prober, topic: &str) -> Option<Vec<Partition>> {
    let call = by.call(&ground.action.action, &ground.service, None);
    let topics = timeout(LOOK, ground.driver.topics(call)).await;
    let found = topics.ok()?.ok()?.into_iter().find(|t| t.name == topic)?;
    let each = found.partitions.into_iter();
    Some(each.map(|p| (p.leader, p.replicas, p.in_sync)).collect())
}
