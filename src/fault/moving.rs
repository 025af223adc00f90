//! A run of sdtd that moves data is killed in its middle, and made again. It moves the load's own topic alone, which goes
//! with the drill: what others have stays where it is.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::drill::Ground;
use super::own::last;
use super::proof::KilledMove;
use super::restart::{Awake, again};
use super::target::{Partition, partitions};
use super::words::Drill;
use crate::event::Problem;

/// How many copies the topic shall have at the most.
const MOST: usize = 3;
/// How long it may take until something moves.
const BEGINS: Duration = Duration::from_secs(120);
/// How long it may take from the end of the run after it until all copies are there.
const ENDS: Duration = Duration::from_secs(120);
/// Between two looks: a copy of little is soon made.
const PAUSE: Duration = Duration::from_millis(50);

/// How many copies the load's topic has first, and in the end.
///
/// # Errors
/// Where there is nobody to give a copy to.
pub fn copies(members: usize) -> Result<(usize, usize), Problem> {
    let to = members.min(MOST);
    if to < 2 {
        return Err(Problem::new("there is nobody to give a copy to"));
    }
    Ok((to - 1, to))
}

/// Gives the load's topic one more copy, kills that run as soon as something moves, and makes it again.
pub async fn killed(
    ground: &Ground,
    drill: &Drill,
    (topic, to): (&str, usize),
    said: &Path,
) -> Result<KilledMove, Problem> {
    let before = look(ground, topic).await?;
    let of = before.len();
    let copies = to.to_string();
    let words = ["topics", "alter", topic, "--yes", "--replication", &copies];
    let mut words: Vec<OsString> = words.map(OsString::from).into();
    words.push(ground.own.inventory.clone().into());

    let mut child = ground.own.start(&words, said)?;
    let alive = until_begun(ground, (topic, &before), &mut child).await?;
    // Of one that is over already nothing is left to kill.
    let _ = child.kill().await;
    if !alive {
        let text = format!("the run was over: {}", last(said));
        ground.events.warn(text, None);
    }
    let now = look(ground, topic).await?;
    let begun = begun(&before, &now);
    let detail = format!("killed when copies of {begun} of {of} partitions had begun to move");
    ground.told(drill, "run", detail);
    let again = again(ground, &words, said).await?;
    let done = until_done(ground, (topic, to), of).await?;
    Ok(KilledMove {
        alive,
        begun,
        done,
        of,
        again,
    })
}

/// Waits until something moves; whether the run is still under way then.
async fn until_begun(
    ground: &Ground,
    (topic, before): (&str, &[Partition]),
    child: &mut Child,
) -> Result<bool, Problem> {
    let (since, mut awake) = (Instant::now(), Awake(Instant::now()));
    while since.elapsed() < BEGINS {
        awake.keep(ground).await?;
        if !matches!(child.try_wait(), Ok(None)) {
            return Ok(false);
        }
        if begun(before, &look(ground, topic).await?) > 0 {
            return Ok(matches!(child.try_wait(), Ok(None)));
        }
        ground.lives()?;
        sleep(PAUSE).await;
    }
    Ok(false)
}

/// Waits until all have their copies, as what was begun goes on by itself; how many have them then.
async fn until_done(
    ground: &Ground,
    (topic, to): (&str, usize),
    of: usize,
) -> Result<usize, Problem> {
    let (since, mut awake) = (Instant::now(), Awake(Instant::now()));
    let whole = |(_, copies, in_sync): &&Partition| copies.len() == to && in_sync.len() == to;
    loop {
        awake.keep(ground).await?;
        let done = look(ground, topic).await?.iter().filter(whole).count();
        if done == of || since.elapsed() > ENDS {
            return Ok(done);
        }
        ground.lives()?;
        sleep(PAUSE).await;
    }
}

/// How many partitions have other copies than before.
fn begun(before: &[Partition], now: &[Partition]) -> usize {
    let other = |(before, now): &(&Partition, &Partition)| before.1 != now.1;
    before.iter().zip(now).filter(other).count()
}

async fn look(ground: &Ground, topic: &str) -> Result<Vec<Partition>, Problem> {
    let found = partitions(ground, &ground.prober, topic).await;
    found.ok_or_else(|| Problem::new(format!("where topic {topic} is, nobody tells")))
}
