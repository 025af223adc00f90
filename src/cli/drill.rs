//! `sdtd drill`: a load whose every acknowledgement is kept, the verdict on it, and faults between the two.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::drills::{self, AllArgs, RunArgs};
use super::keeper::Keeper;
use super::setup::{self, Missing, Opened, Run};
use super::{Global, InventoryArg};
use crate::drill::{Check, Load, LoadBegun, LoadSum, Loader, Phase, Round, Verdict, Window};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::exec::Stop;
use crate::report::{Mark, Out, Secrets, count, took};

/// The words of `drill`.
#[derive(Debug, Args)]
pub struct DrillArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write and read at a fixed rate until told to stop: Ctrl-C, SIGTERM, the end of a piped input.
    Load(LoadArgs),
    /// Judge a load that is over: nothing acknowledged is lost, under any leader; the cluster is whole.
    Check(CheckArgs),
    /// List the drills there are.
    List,
    /// Make one drill: break something under a load, see that it broke, and judge what became of it.
    Run(RunArgs),
    /// Make all drills, one after another, each on a whole cluster.
    All(AllArgs),
}

/// The words of `drill load`.
#[derive(Debug, Args)]
struct LoadArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// The topic; it is made if it is not there, with settings under which nothing may be lost.
    #[arg(long)]
    topic: String,
    /// Messages a second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// The file that every acknowledgement is kept in; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    record: PathBuf,
    /// How long; else until told to stop.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// How many partitions the topic gets when it is made.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// How many copies it gets when it is made; else as many as there are brokers, three at the most.
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..))]
    replication: Option<i16>,
    /// Bytes of a message.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(..=500_000))]
    size: u32,
    /// Seconds after which a message is given up: it may be there or not.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Make the topic one that can lose what it acknowledged, to see that `drill check` tells of it: one copy in sync is enough, and
    /// one that is not may lead.
    #[arg(long)]
    may_lose: bool,
}

/// The words of `drill check`.
#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// The record of a load that is over.
    #[arg(long, value_name = "FILE")]
    record: PathBuf,
    /// When the fault began: milliseconds since 1970 (`date +%s%3N`).
    #[arg(long, value_name = "MS", requires = "to")]
    from: Option<u64>,
    /// When it ended.
    #[arg(long, value_name = "MS", requires = "from")]
    to: Option<u64>,
    /// How many messages each partition must have acknowledged before, during and after the fault.
    #[arg(long, default_value_t = 10, value_name = "N")]
    least: u64,
    /// The fault stops writes: while it lasts, none need be acknowledged.
    #[arg(long)]
    stalls: bool,
    /// How many seconds the cluster may take to be whole.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    within: u64,
}

/// Runs `sdtd drill …`.
///
/// # Errors
/// As the exit codes tell: 4 when the verdict is not good, 6 on a cluster that drills are not allowed on.
pub async fn run(global: &Global, args: &DrillArgs) -> Result<(), Failure> {
    match &args.what {
        What::Load(args) => load(global, args).await,
        What::Check(args) => check(global, args).await,
        What::List => drills::list(global),
        What::Run(args) => drills::run(global, args).await,
        What::All(args) => drills::all(global, args).await,
    }
}

/// The inventory, where it allows drills.
pub(super) fn open(global: &Global, arg: &InventoryArg) -> Result<Opened, Failure> {
    let opened = setup::open(global, arg)?;
    if opened.loaded.cluster.drills {
        return Ok(opened);
    }
    let (name, path) = (&opened.loaded.cluster.name, opened.loaded.path.display());
    let cause = format!("drills are not allowed on cluster {name}");
    let help = format!(
        "a drill loads a cluster and breaks it on purpose; where that may be, write `drills: allowed` at the top of {path}"
    );
    Err(Failure::new(Kind::Refused, Problem::new(cause).help(help)))
}

pub(super) async fn keeper(run: &mut Run) -> Result<Keeper, Failure> {
    Keeper::find(run, |d| d.drills.as_ref(), "has drills").await
}

fn failed(problem: Problem) -> Failure {
    Failure::new(Kind::Failed, problem)
}

pub(super) fn unwritten(error: std::io::Error) -> Failure {
    Failure::of(Kind::Failed, error.to_string())
}

pub(super) fn out() -> Out {
    Out::stdout(Secrets::default())
}

/// A line for programs.
#[derive(Serialize)]
struct Told<'a, T> {
    v: u32,
    event: &'a str,
    #[serde(flatten)]
    what: &'a T,
}

pub(super) fn tell<T: Serialize>(event: &str, what: &T) -> Result<(), Failure> {
    let v = crate::event::SCHEMA;
    out().json_line(&Told { v, event, what }).map_err(unwritten)
}

async fn load(global: &Global, args: &LoadArgs) -> Result<(), Failure> {
    let stop = Stop::default();
    let opened = open(global, &args.inventory)?;
    let mut run = setup::begin(&global.quietly(), opened, "drill load", Missing::Fatal).await?;
    let ready = ready(&mut run, args).await;
    // From here on only the service is needed: no fault of a host shall reach the load by another way.
    run.close().await;
    let loader = ready?;
    let begun = loader.begun();
    stop_when_told(&stop).map_err(unwritten)?;
    begin(global, args, &begun)?;
    let sum = loader.run(stop).await.map_err(failed)?;
    end(global, &sum)
}

async fn ready(run: &mut Run, args: &LoadArgs) -> Result<Box<dyn Loader>, Failure> {
    let keeper = keeper(run).await?;
    let load = Load {
        topic: args.topic.clone(),
        partitions: args.partitions,
        replication: args.replication,
        rate: args.rate,
        size: usize::try_from(args.size).unwrap_or_default(),
        record: args.record.clone(),
        seconds: args.seconds,
        timeout: Duration::from_secs(args.timeout),
        may_lose: args.may_lose,
    };
    let ready = keeper.driver.load(keeper.call(), &load).await;
    ready.map_err(failed)
}

fn begin(global: &Global, args: &LoadArgs, begun: &LoadBegun) -> Result<(), Failure> {
    if global.json {
        return tell("load-begun", begun);
    }
    let (topic, rate) = (&begun.topic, begun.rate);
    let partitions = usize::try_from(begun.partitions).unwrap_or_default();
    let line = format!(
        "{rate} messages a second to {} of {topic}, kept in {}; Ctrl-C ends it",
        count(partitions, "partition"),
        args.record.display()
    );
    out().line(&line).map_err(unwritten)
}

fn end(global: &Global, sum: &LoadSum) -> Result<(), Failure> {
    if global.json {
        return tell("load-ended", sum);
    }
    let line = format!(
        "{} acknowledged, {} given up, {} read along, in {}",
        sum.acked,
        sum.unsure,
        sum.read,
        took(sum.took_ms)
    );
    out().line(&line).map_err(unwritten)
}

/// Asks a load to stop when Ctrl-C or SIGTERM comes, or when who holds the other end of its input lets go.
fn stop_when_told(stop: &Stop) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut told, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            told.recv().await;
            stop.ask();
        });
    }
    // Only a pipe has somebody at its other end; /dev/null is at its end from the first.
    use std::os::unix::fs::FileTypeExt as _;
    let input = std::fs::metadata("/dev/stdin");
    if input.is_ok_and(|m| m.file_type().is_fifo() || m.file_type().is_socket()) {
        let stop = stop.clone();
        // A thread that nobody waits for: it may read for ever.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            stop.ask();
        });
    }
    Ok(())
}

async fn check(global: &Global, args: &CheckArgs) -> Result<(), Failure> {
    let opened = open(global, &args.inventory)?;
    let mut run = setup::begin(&global.quietly(), opened, "drill check", Missing::Fatal).await?;
    let verdict = judge(global, args, &mut run).await;
    run.close().await;
    let verdict = verdict?;
    if global.json {
        out().json(&verdict).map_err(unwritten)?;
    } else {
        show(&verdict).map_err(unwritten)?;
    }
    let bad = Failure {
        kind: Kind::Unverified,
        problems: Vec::new(),
    };
    if verdict.good { Ok(()) } else { Err(bad) }
}

/// The verdict, under the cluster's lock: leaders are moved and put back.
async fn judge(global: &Global, args: &CheckArgs, run: &mut Run) -> Result<Verdict, Failure> {
    let keeper = keeper(run).await?;
    let window = args.from.zip(args.to);
    let ask = Check {
        record: args.record.clone(),
        window: window.map(|(from, to)| Window { from, to }),
        least: args.least,
        stalls: args.stalls,
        within: Duration::from_secs(args.within),
    };
    let lock = run.lock(global).await?;
    let verdict = keeper.driver.judge(keeper.call(), &ask).await;
    lock.release().await;
    verdict.map_err(failed)
}

fn show(verdict: &Verdict) -> std::io::Result<()> {
    let mut out = out();
    let phases: Vec<Vec<String>> = verdict.phases.iter().map(phase).collect();
    let headers = [
        "Phase",
        "Took",
        "Acknowledged",
        "Least of a partition",
        "Longest pause",
        "Read",
        "Reader's pause",
    ];
    out.table(&headers, &phases)?;
    let rounds: Vec<Vec<String>> = (1..).zip(&verdict.rounds).map(round).collect();
    let headers = [
        "Reading",
        "Leaders",
        "Messages",
        "Lost",
        "Other",
        "Twice",
        "Sent again",
        "Foreign",
    ];
    out.table(&headers, &rounds)?;
    let unsure = &verdict.unsure;
    out.line(&format!(
        "given up: {} are there, {} are not; not recorded: {}; reader along: {} seen, {} asked again",
        unsure.present, unsure.absent, unsure.unrecorded, verdict.reader.seen, verdict.reader.resets
    ))?;
    for (cause, times) in &unsure.causes {
        out.line(&format!("  given up {times} times: {cause}"))?;
    }
    for wrong in &verdict.wrong {
        out.line(&format!("{} {wrong}", Mark::Failed.show()))?;
    }
    if verdict.good {
        let (acked, readings) = (verdict.acked, verdict.rounds.len());
        let healed = took(verdict.healed_ms.unwrap_or_default());
        out.line(&format!(
            "{} all {acked} acknowledged messages are there, in {}; the cluster was whole after {healed}",
            Mark::Done.show(),
            count(readings, "reading")
        ))?;
    }
    Ok(())
}

fn phase(phase: &Phase) -> Vec<String> {
    vec![
        phase.name.clone(),
        took(phase.took_ms),
        phase.acked.to_string(),
        phase.least.to_string(),
        took(phase.producer_pause_ms),
        phase.read.to_string(),
        took(phase.reader_pause_ms),
    ]
}

fn round((number, round): (u64, &Round)) -> Vec<String> {
    let leaders: Vec<String> = round
        .leaders
        .iter()
        .map(|(index, id)| format!("{index}:{id}"))
        .collect();
    vec![
        number.to_string(),
        leaders.join(" "),
        round.read.to_string(),
        round.lost.len().to_string(),
        round.other.len().to_string(),
        round.duplicates.len().to_string(),
        round.resent.len().to_string(),
        round.foreign.to_string(),
    ]
}
