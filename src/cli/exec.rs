//! `sdtd exec` and `sdtd logs`: lines from many hosts, as they come.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::setup::{self, Run};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::{Problem, SCHEMA};
use crate::facts::quote;
use crate::flow::{command_line, host_problems};
use crate::id::HostName;
use crate::plan::Member;
use crate::plan::goals::Selection;
use crate::report::{Out, Secrets};
use crate::transport::RemoteError;

/// The words of `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// The inventory; else as for every command.
    #[arg(short, long, value_name = "FILE")]
    inventory: Option<std::path::PathBuf>,
    /// Only on these hosts (may be repeated).
    #[arg(long, value_name = "HOST")]
    only: Vec<HostName>,
    /// Seconds it may take on each host.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    within: u64,
    /// The command: one word is a shell's line, several are a program and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The words of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// Only these: a service, `service.role`, `service.role@host`, or a host (may be repeated).
    #[arg(long, value_name = "WHAT")]
    only: Vec<String>,
    /// Go on with what is written from now on, until interrupted.
    #[arg(short, long)]
    follow: bool,
    /// So many of the last lines of each.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    lines: usize,
}

/// A line of a host or an instance.
#[derive(Debug, Serialize)]
struct Line {
    v: u32,
    who: String,
    line: String,
}

/// What came of a script on a host.
type Ended = (String, HostName, Result<Option<i32>, RemoteError>);

/// A script, who it is told of as, where it runs, and how long it may take.
struct Job {
    who: String,
    host: HostName,
    script: String,
    within: Duration,
}

/// What keeps a followed log from outliving its reader: the loop ends when nobody takes its lines, and
/// `tail` and `journalctl` with it.
const ALIVE: &str = "@sdtd-alive";
/// The longest that a log is followed.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

/// Runs `sdtd exec`.
///
/// # Errors
/// 3 when a host can't be reached, 1 when the command failed on one.
pub async fn run(global: &Global, args: &ExecArgs) -> Result<(), Failure> {
    let inventory = InventoryArg {
        inventory: args.inventory.clone(),
    };
    let run = setup::look(global, &inventory, "exec").await?;
    let hosts = run.flow.cluster.hosts.keys();
    let known: Vec<HostName> = hosts.cloned().collect();
    if let Some(host) = args.only.iter().find(|host| !known.contains(host)) {
        run.close().await;
        return Err(Failure::of(
            Kind::Usage,
            format!("there is no host `{host}`"),
        ));
    }
    let command = command_line(&args.command);
    let within = Duration::from_secs(args.within.max(1));
    let job = |host: HostName| Job {
        who: host.to_string(),
        host,
        script: format!("(\n{command}\n) </dev/null 2>&1"),
        within,
    };
    let wanted = known
        .into_iter()
        .filter(|h| args.only.is_empty() || args.only.contains(h));
    let ended = spread(global, &run, wanted.map(job).collect()).await?;
    let missing = run.flow.missing.clone();
    finish(run, missing, ended).await
}

/// Runs `sdtd logs`.
///
/// # Errors
/// 3 when a host can't be reached.
pub async fn logs(global: &Global, args: &LogsArgs) -> Result<(), Failure> {
    let mut run = setup::look(global, &args.inventory, "logs").await?;
    let (facts, failed) = run.flow.ask_facts().await;
    let view = run.flow.view(&facts);
    let selection = Selection(args.only.clone());
    let wanted = view.members.iter().filter(|m| selection.takes(m));
    let jobs: Vec<Job> = wanted.map(|member| log_job(member, args)).collect();
    if jobs.is_empty() {
        run.close().await;
        return Err(Failure::of(Kind::Usage, "that is nothing of this cluster"));
    }
    let ended = spread(global, &run, jobs).await?;
    finish(run, failed, ended).await
}

fn log_job(member: &Member, args: &LogsArgs) -> Job {
    let (log, unit, n) = (quote(&member.log), quote(&member.unit), args.lines);
    let script = if args.follow {
        format!(
            "(while echo {ALIVE}; do sleep 10; done) & alive=$!\n\
             if [ -e {log} ]; then tail -n {n} -F --pid=$alive {log} </dev/null 2>/dev/null\n\
             else journalctl --no-pager -q -o cat -n {n} -f -u {unit} </dev/null 2>&1 & of=$!\n\
             while kill -0 $alive 2>/dev/null; do sleep 1; done; kill $of; fi"
        )
    } else {
        format!(
            "if [ -e {log} ]; then tail -n {n} {log}; else journalctl --no-pager -q -o cat -n {n} -u {unit}; fi </dev/null 2>&1"
        )
    };
    Job {
        who: member.id.to_string(),
        host: member.id.host.clone(),
        script,
        within: if args.follow { A_DAY } else { HALF_A_MINUTE },
    }
}

/// Does all jobs at the same time, and prints their lines as they come.
async fn spread(global: &Global, run: &Run, jobs: Vec<Job>) -> Result<Vec<Ended>, Failure> {
    let (sender, lines) = unbounded_channel();
    let mut tasks = JoinSet::new();
    let width = jobs.iter().map(|job| job.who.len()).max().unwrap_or(0);
    for job in jobs {
        let (fleet, sender) = (Arc::clone(&run.flow.fleet), sender.clone());
        tasks.spawn(async move {
            let remote = fleet.get(&job.host)?;
            let who = job.who.clone();
            let mut tell = |line: &str| send(&sender, &who, line);
            let ended = remote.command(&job.script, job.within, &mut tell).await;
            Some((job.who, job.host, ended))
        });
    }
    drop(sender);
    let stop = async {
        while !run.flow.stop.is_asked() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let told = tokio::select! {
        told = print(global, lines, width) => told,
        () = stop => Ok(()),
    };
    told.map_err(|e| Failure::of(Kind::Failed, e.to_string()))?;
    if run.flow.stop.is_asked() {
        tasks.shutdown().await;
        return Ok(Vec::new());
    }
    Ok(tasks.join_all().await.into_iter().flatten().collect())
}

fn send(sender: &UnboundedSender<Line>, who: &str, line: &str) {
    if line != ALIVE {
        // Nobody listens any more only when the run ends.
        let _ = sender.send(Line {
            v: SCHEMA,
            who: who.to_owned(),
            line: line.to_owned(),
        });
    }
}

async fn print(
    global: &Global,
    mut lines: UnboundedReceiver<Line>,
    width: usize,
) -> std::io::Result<()> {
    let mut out = Out::stdout(Secrets::default());
    while let Some(line) = lines.recv().await {
        if global.json {
            out.json_line(&line)?;
        } else {
            out.said(&line.who, width, &line.line)?;
        }
    }
    Ok(())
}

/// Ends the run; every host that could not be asked, or where the command failed, is named.
async fn finish(
    run: Run,
    mut unreachable: Vec<(HostName, RemoteError)>,
    ended: Vec<Ended>,
) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for (who, host, result) in ended {
        match result {
            Ok(Some(0)) => {}
            Ok(code) => failed.push(Problem::new(match code {
                Some(124) => format!("{who}: it took too long"),
                Some(code) => format!("{who}: exit {code}"),
                None => format!("{who}: it was killed"),
            })),
            Err(error) => unreachable.push((host, error)),
        }
    }
    run.close().await;
    unreachable.sort_by(|a, b| a.0.cmp(&b.0));
    unreachable.dedup_by(|a, b| a.0 == b.0);
    let kind = if !unreachable.is_empty() {
        Kind::Unreachable
    } else if failed.is_empty() {
        return Ok(());
    } else {
        Kind::Failed
    };
    let mut problems = host_problems(&unreachable);
    problems.extend(failed);
    Err(Failure { kind, problems })
}
