//! `sdtd topics elect`: partitions that nobody leads go on from a copy that may lack the end of them.

use clap::Args;

use super::keeper::Keeper;
use super::setup::{self, Missing, Opened, Run};
use super::topics::{out, unwritten};
use super::{Global, InventoryArg};
use crate::driver::Leaderless;
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::report;

/// The words of `topics elect`.
#[derive(Debug, Args)]
pub struct ElectArgs {
    /// The topic, or one of its partitions as `TOPIC:PARTITION`.
    #[arg(value_name = "TOPIC[:PARTITION]", value_parser = part)]
    what: Part,
    #[command(flatten)]
    pub(super) inventory: InventoryArg,
    /// Agree to that messages may be lost, which a clean election would not need.
    #[arg(long)]
    unclean: bool,
}

/// A topic, or one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    topic: String,
    partition: Option<i32>,
}

fn part(text: &str) -> Result<Part, String> {
    let (topic, partition) = match text.split_once(':') {
        Some((topic, index)) => {
            let index = index.parse::<i32>().ok().filter(|index| *index >= 0);
            let index = index.ok_or("write TOPIC:PARTITION, such as `clicks:3`")?;
            (topic, Some(index))
        }
        None => (text, None),
    };
    let topic = topic.to_owned();
    Ok(Part { topic, partition })
}

/// Runs `sdtd topics elect`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, opened: Opened, args: &ElectArgs) -> Result<(), Failure> {
    if !args.unclean {
        let cause = format!(
            "nothing but an unclean election has {} led again once all that was in sync is gone, and it may lose messages",
            args.what.topic
        );
        let help = "bring back a host that has the data; if it is gone for good, add `--unclean`";
        return Err(Failure::new(Kind::Usage, Problem::new(cause).help(help)));
    }
    let quiet = global.quietly();
    let mut run = setup::begin(&quiet, opened, "topics", Missing::OutOfReach).await?;
    let result = work(global, args, &mut run).await;
    run.close().await;
    result
}

async fn work(global: &Global, args: &ElectArgs, run: &mut Run) -> Result<(), Failure> {
    let (facts, _) = run.flow.facts_within_reach().await?;
    let keeper = Keeper::find_in(run, &facts, |d| d.topics.as_ref(), "keeps topics")?;
    let Part { topic, partition } = &args.what;
    keeper.topic(topic).await?;
    let found = keeper
        .driver
        .leaderless(keeper.call(), topic, *partition)
        .await
        .map_err(|problem| Failure::new(Kind::Refused, problem))?;
    let partitions: Vec<i32> = found.iter().map(|one| one.index).collect();
    let change = keeper.driver.elect(keeper.call(), topic, &partitions);
    let Some(change) = change.filter(|_| !found.is_empty()) else {
        return Err(Failure::of(
            Kind::Refused,
            format!("all of {topic} is led: nothing was changed"),
        ));
    };
    tell(global, &found)?;
    agreed(global, run, topic).await?;
    let lock = run.lock(global).await?;
    let done = keeper.driver.change(keeper.call(), &change).await;
    lock.release().await;
    done.map_err(|problem| Failure::new(Kind::Failed, problem))?;
    led(global, &keeper, (topic, &partitions)).await
}

/// What is lost is said before anybody agrees to it.
fn tell(global: &Global, found: &[Leaderless]) -> Result<(), Failure> {
    if global.json {
        return out().json(&found).map_err(unwritten);
    }
    let ids = |ids: &[i32]| {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.join(" ")
    };
    let end = |one: &Leaderless, id: i32| {
        let end = one.ends.get(&id);
        end.map_or_else(|| "unknown".to_owned(), ToString::to_string)
    };
    let others = |one: &Leaderless| {
        let others = one.ends.iter().filter(|(id, _)| **id != one.next);
        let others: Vec<String> = others.map(|(id, end)| format!("{id}: {end}")).collect();
        others.join(", ")
    };
    let row = |one: &Leaderless| {
        vec![
            format!("{}-{}", one.topic, one.index),
            ids(&one.replicas),
            ids(&one.last),
            one.next.to_string(),
            end(one, one.next),
            others(one),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let head = [
        "Partition",
        "Replicas",
        "Last in sync",
        "Goes on from",
        "Its messages end at",
        "Others end at",
    ];
    out().table(&head, &rows).map_err(unwritten)?;
    out()
        .lines(&[
            "Nobody leads these. What was acknowledged and only those had that were last in sync is lost for good,".to_owned(),
            "also if they come back: they follow the new leader then.".to_owned(),
        ])
        .map_err(unwritten)
}

/// Whether it is agreed to, by the topic's name.
async fn agreed(global: &Global, run: &Run, topic: &str) -> Result<(), Failure> {
    if global.yes {
        return Ok(());
    }
    run.events.flush().await;
    if !report::can_ask() {
        let problem = Problem::new("nobody is there to agree to that messages are lost");
        let help = "add `--yes` to do it without being asked";
        return Err(Failure::new(Kind::Usage, problem.help(help)));
    }
    let question = format!("Type the topic's name to lose what is missing ({topic}): ");
    let ask = || report::ask_line(&question);
    let answer = run.screen.suspend(ask).unwrap_or_default();
    if answer == topic {
        return Ok(());
    }
    let problem = Problem::new("that is not the topic's name: nothing was changed");
    Err(Failure::new(Kind::Usage, problem))
}

/// Says who leads by now.
async fn led(
    global: &Global,
    keeper: &Keeper,
    (topic, partitions): (&str, &[i32]),
) -> Result<(), Failure> {
    let now = keeper.topic(topic).await?;
    if global.json {
        return out().json(&now).map_err(unwritten);
    }
    let mine = now.partitions.iter();
    let mine = mine.filter(|p| partitions.contains(&p.index));
    let line = |p: &crate::driver::PartitionInfo| {
        let leader = p
            .leader
            .map_or_else(|| "nobody".to_owned(), |id| id.to_string());
        format!("{topic}-{} is led by {leader}.", p.index)
    };
    let lines: Vec<String> = mine.map(line).collect();
    out().lines(&lines).map_err(unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_have_one_of_its_partitions_behind_a_colon() {
        let parsed = |text| part(text).map(|part| (part.topic, part.partition));
        assert_eq!(parsed("a.b_c-d"), Ok(("a.b_c-d".to_owned(), None)));
        assert_eq!(parsed("clicks:3"), Ok(("clicks".to_owned(), Some(3))));
        for wrong in ["clicks:", "clicks:x", "clicks:-1"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }
}
