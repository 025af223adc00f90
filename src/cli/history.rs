//! `sdtd history`: earlier runs of this machine, and each one's screen again from its log.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Global;
use super::dirs::Dirs;
use crate::error::{Failure, Kind};
use crate::event::{Event, EventKind, Problem, SCHEMA};
use crate::report::{self, Out, Plain, Secrets, timings, took};

/// The words of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// Only runs of this cluster.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// So many runs at the most, the latest.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    last: usize,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show a run's screen again, also of one that was killed.
    Show {
        /// The run, or the beginning of its id; the latest if none is named.
        id: Option<String>,
        /// Show where its time went instead.
        #[arg(long)]
        timings: bool,
    },
}

/// A run as it is listed.
#[derive(Debug, Serialize)]
struct Past {
    run: String,
    cluster: String,
    command: String,
    /// Unix time in seconds.
    time: u64,
    /// Milliseconds; of a run that was cut off, until its last event.
    took_ms: u64,
    /// None of a run that was cut off.
    exit: Option<u8>,
    result: String,
    #[serde(skip)]
    log: PathBuf,
}

/// Runs `sdtd history`.
///
/// # Errors
/// When there is no such run, or a log can't be read.
pub fn run(global: &Global, args: &HistoryArgs) -> Result<(), Failure> {
    let past = past(&Dirs::find()?.state, args.cluster.as_deref())?;
    match &args.what {
        None => list(global, &past[past.len().saturating_sub(args.last)..]),
        Some(What::Show { id, timings }) => {
            let one = find(&past, id.as_deref())?;
            if *timings {
                show_timings(global, &one.log)
            } else {
                show(global, &one.log)
            }
        }
    }
}

/// All runs, the oldest first. A log that can't be read is left out: it may be of another version.
fn past(state: &Path, cluster: Option<&str>) -> Result<Vec<Past>, Failure> {
    let wrong = |e: std::io::Error| Failure::of(Kind::Failed, format!("{}: {e}", state.display()));
    let mut all = Vec::new();
    let clusters = match std::fs::read_dir(state) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(all),
        other => other.map_err(wrong)?,
    };
    for entry in clusters {
        let dir = entry.map_err(wrong)?.path();
        let logs = report::runs(&dir).unwrap_or_default();
        all.extend(logs.into_iter().filter_map(|log| {
            let events = report::read(&log).ok()?;
            summed(&events, log)
        }));
    }
    // To plan is to look: it has no end of its own.
    all.retain(|run| run.command != "plan" && cluster.is_none_or(|name| run.cluster == name));
    all.sort_by(|a, b| (a.time, &a.run).cmp(&(b.time, &b.run)));
    Ok(all)
}

fn summed(events: &[Event], log: PathBuf) -> Option<Past> {
    let EventKind::RunStarted {
        command,
        cluster,
        run,
        time,
        ..
    } = &events.first()?.kind
    else {
        return None;
    };
    let last = events.last()?;
    let end = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RunFinished(sum) => Some(sum),
        _ => None,
    });
    Some(Past {
        run: run.clone(),
        cluster: cluster.clone(),
        command: command.clone(),
        time: *time,
        took_ms: end.map_or(last.at_ms, |sum| sum.took_ms),
        exit: end.map(|sum| sum.exit),
        result: end
            .map_or("cut off, or still running", |sum| &sum.headline)
            .to_owned(),
        log,
    })
}

fn find<'a>(past: &'a [Past], id: Option<&str>) -> Result<&'a Past, Failure> {
    let fits = |run: &&Past| id.is_none_or(|id| run.run.starts_with(id));
    past.iter().rev().find(fits).ok_or_else(|| {
        let problem = match id {
            Some(id) => Problem::new(format!("there is no run `{id}`")),
            None => Problem::new("there is no run yet"),
        };
        Failure::new(
            Kind::Usage,
            problem.help("`sdtd history` lists the runs of this machine"),
        )
    })
}

fn list(global: &Global, past: &[Past]) -> Result<(), Failure> {
    let mut out = Out::stdout(Secrets::default());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |t| t.as_secs());
    let row = |run: &Past| {
        vec![
            run.run.clone(),
            format!("{} ago", took(now.saturating_sub(run.time) * 1000)),
            run.cluster.clone(),
            run.command.clone(),
            took(run.took_ms),
            run.exit
                .map_or_else(|| "-".to_owned(), |exit| exit.to_string()),
            run.result.clone(),
        ]
    };
    let told = if global.json {
        out.json(&serde_json::json!({ "v": SCHEMA, "runs": past }))
    } else {
        let rows: Vec<Vec<String>> = past.iter().map(row).collect();
        let headers = [
            "Run", "When", "Cluster", "Command", "Took", "Exit", "Result",
        ];
        out.table(&headers, &rows)
    };
    told.map_err(|e| Failure::of(Kind::Failed, e.to_string()))
}

fn events(log: &Path) -> Result<Vec<Event>, Failure> {
    report::read(log).map_err(|e| Failure::of(Kind::Failed, e.to_string()))
}

fn show(global: &Global, log: &Path) -> Result<(), Failure> {
    let events = events(log)?;
    let out = Out::stdout(Secrets::default());
    let told = if global.json {
        report::replay(&events, &mut report::Json::new(out))
    } else {
        report::replay(&events, &mut Plain::new(out, global.level()))
    };
    told.map_err(|e| Failure::of(Kind::Failed, e.to_string()))
}

/// The word of runs that tell, at their end, where their time went.
#[derive(Debug, Clone, Copy, Args)]
pub struct TimingsArg {
    /// Show at the end where the time went, as `history show --timings` does.
    #[arg(long)]
    timings: bool,
}

impl TimingsArg {
    /// Ends a run that is over: its timings, where they were asked for, and what came of it.
    ///
    /// # Errors
    /// The run's own failure; else when its log can't be read.
    pub fn after(
        self,
        global: &Global,
        log: &Path,
        done: Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.timings {
            return done;
        }
        let shown = events(log).and_then(|events| {
            let mut out = Out::stdout(Secrets::default());
            let rows = timings(&events);
            let told = if global.json {
                // A line, as the events before it.
                out.json_line(
                    &serde_json::json!({ "v": SCHEMA, "event": "timings", "timings": rows }),
                )
            } else {
                out.line("")
                    .and_then(|()| out.lines(&report::timing_lines(&rows)))
            };
            told.map_err(|e| Failure::of(Kind::Failed, e.to_string()))
        });
        done.and(shown)
    }
}

fn show_timings(global: &Global, log: &Path) -> Result<(), Failure> {
    let rows = timings(&events(log)?);
    let mut out = Out::stdout(Secrets::default());
    let told = if global.json {
        out.json(&serde_json::json!({ "v": SCHEMA, "timings": rows }))
    } else {
        out.lines(&report::timing_lines(&rows))
    };
    told.map_err(|e| Failure::of(Kind::Failed, e.to_string()))
}
