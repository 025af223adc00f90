//! `sdtd drill list`, `run` and `all`: faults under a load, and the verdict on each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::drill::{keeper, open, out, tell, unwritten};
use super::setup::{self, Missing, Opened, Run};
use super::{Global, InventoryArg};
use crate::catalogue::Catalogue;
use crate::error::{Failure, Kind};
use crate::event::{Problem, RunSummary, SCHEMA};
use crate::fault::drill::{Ended, Ground, Own, Report, make};
use crate::fault::words::{Drill, Fault};
use crate::inventory::Connection;
use crate::plan::paths::HostPaths;
use crate::report::{Mark, count, took};

/// Where a host keeps a fault while it lasts: gone with a restart of the host, as the fault is.
const KEPT: &str = "/run/sdtd-drill";

/// How much is allowed for.
#[derive(Debug, Args)]
struct SlackArg {
    /// How many times as long as a drill says writes may pause: for machines that are slow, or do other things beside it.
    #[arg(long, value_name = "N", default_value_t = 1, env = "SDTD_DRILL_SLACK", value_parser = clap::value_parser!(u32).range(1..=100))]
    slack: u32,
}

/// The words of `drill run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The drill: one of `drill list`, or a file of its words.
    #[arg(value_name = "NAME|FILE.yaml")]
    drill: String,
    #[command(flatten)]
    inventory: InventoryArg,
    #[command(flatten)]
    slack: SlackArg,
}

/// The words of `drill all`.
#[derive(Debug, Args)]
pub struct AllArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// Only these, in this order (may be repeated).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    #[command(flatten)]
    slack: SlackArg,
}

/// A line of `drill list`, for programs.
#[derive(Serialize)]
struct Listed<'a> {
    v: u32,
    drills: &'a [Drill],
}

/// What came of all drills, for programs.
#[derive(Serialize)]
struct Told<'a> {
    cluster: &'a str,
    good: bool,
    drills: &'a [Report],
}

/// Runs `sdtd drill list`.
///
/// # Errors
/// When a drill is wrong.
pub fn list(global: &Global) -> Result<(), Failure> {
    let drills = all_of(&setup::catalogue(global)?)?;
    if global.json {
        let listed = Listed {
            v: SCHEMA,
            drills: &drills,
        };
        return out().json(&listed).map_err(unwritten);
    }
    let row = |drill: &Drill| {
        let roles: Vec<String> = drill.target.roles.iter().map(|r| r.0.to_string()).collect();
        vec![drill.name.clone(), drill.title.clone(), roles.join(", ")]
    };
    let rows: Vec<Vec<String>> = drills.iter().map(row).collect();
    out()
        .table(&["Drill", "What happens", "To one of"], &rows)
        .map_err(unwritten)
}

/// Runs `sdtd drill run`.
///
/// # Errors
/// As the exit codes tell: 4 when the verdict is bad.
pub async fn run(global: &Global, args: &RunArgs) -> Result<(), Failure> {
    let opened = open(global, &args.inventory)?;
    let drill = find(&opened.catalogue, &args.drill)?;
    drills(global, opened, (vec![drill], args.slack.slack)).await
}

/// Runs `sdtd drill all`.
///
/// # Errors
/// As the exit codes tell: 4 when a verdict is bad.
pub async fn all(global: &Global, args: &AllArgs) -> Result<(), Failure> {
    let opened = open(global, &args.inventory)?;
    let found = if args.only.is_empty() {
        safe(all_of(&opened.catalogue)?)
    } else {
        let each = args.only.iter().map(|name| find(&opened.catalogue, name));
        each.collect::<Result<_, _>>()?
    };
    drills(global, opened, (found, args.slack.slack)).await
}

fn usage(problem: Problem) -> Failure {
    Failure::new(Kind::Usage, problem)
}

fn all_of(catalogue: &Catalogue) -> Result<Vec<Drill>, Failure> {
    Drill::all(catalogue).map_err(usage)
}

/// Those that nothing shall be lost in.
fn safe(mut drills: Vec<Drill>) -> Vec<Drill> {
    drills.retain(|drill| drill.fault != Fault::Lose);
    drills
}

/// A drill by its name, or a file of one.
fn find(catalogue: &Catalogue, what: &str) -> Result<Drill, Failure> {
    let path = Path::new(what);
    let is_file = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let read = if is_file {
        let text = std::fs::read_to_string(path)
            .map_err(|e| usage(Problem::new(format!("{what}: {e}"))))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Drill::read(&name, what, &text)
    } else {
        let file = catalogue.drills().get(what).ok_or_else(|| {
            let names: Vec<&str> = catalogue.drills().keys().map(String::as_str).collect();
            let help = format!(
                "there are {}; or name a file that ends in .yaml",
                names.join(", ")
            );
            usage(Problem::new(format!("there is no drill `{what}`")).help(help))
        })?;
        Drill::read(what, &file.origin, &file.text)
    };
    let drill = read.map_err(usage)?;
    drill.known_to(catalogue).map_err(usage)?;
    named(&drill).map(|()| drill).map_err(usage)
}

/// A drill's name becomes part of a topic's.
fn named(drill: &Drill) -> Result<(), Problem> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if drill.name.len() <= 60 && drill.name.chars().all(is_letter) {
        return Ok(());
    }
    let cause = format!("`{}` is no name for a drill", drill.name);
    Err(Problem::new(cause).help("rename its file: letters, digits and `-`, 60 at the most"))
}

async fn drills(
    global: &Global,
    opened: Opened,
    (drills, slack): (Vec<Drill>, u32),
) -> Result<(), Failure> {
    if global.ask_become_pass {
        let cause = "a drill starts other runs, and these can't ask for a password";
        let help = "allow the login user's sudo without a password while drills are made";
        return Err(usage(Problem::new(cause).help(help)));
    }
    let cluster = opened.loaded.cluster.name.to_string();
    let mut run = setup::begin(global, opened, "drill", Missing::Fatal).await?;
    let ground = match ground(global, &mut run).await {
        Ok(ground) => Ground { slack, ..ground },
        Err(failure) => return Err(run.end(Some(failure), "no drill was begun").await),
    };
    let mut reports = Vec::new();
    for drill in &drills {
        run.events
            .phase(format!("drill {}: {}", drill.name, drill.title));
        reports.push(make(&ground, drill).await);
        // A cluster that is not whole after one is no place for the next.
        let broken = reports
            .last()
            .is_some_and(|r| r.ended == Ended::Bad && r.whole_ms.is_none());
        if ground.stop.is_asked() || broken {
            break;
        }
    }
    let interrupted = ground.stop.is_asked();
    drop(ground);
    let kind = kind(&reports, interrupted);
    let headline = headline(&reports, drills.len());
    let exit = kind.map_or(0, Kind::code);
    run.finish(RunSummary {
        exit,
        headline,
        ..RunSummary::default()
    })
    .await;
    if global.json {
        let (cluster, good) = (cluster.as_str(), kind.is_none());
        let drills = &reports[..];
        tell(
            "drills",
            &Told {
                cluster,
                good,
                drills,
            },
        )?;
    } else {
        show(&reports).map_err(unwritten)?;
    }
    let failed = |kind| Failure {
        kind,
        problems: Vec::new(),
    };
    kind.map_or(Ok(()), |kind| Err(failed(kind)))
}

fn kind(reports: &[Report], interrupted: bool) -> Option<Kind> {
    let bad = reports.iter().any(|r| r.ended == Ended::Bad);
    let made = reports.iter().any(|r| r.ended != Ended::NotHere);
    match (interrupted, bad, made) {
        (true, ..) => Some(Kind::Interrupted),
        (_, true, _) => Some(Kind::Unverified),
        // Nothing was proven.
        (_, _, false) => Some(Kind::Usage),
        _ => None,
    }
}

fn headline(reports: &[Report], all: usize) -> String {
    let of = |ended: Ended| reports.iter().filter(|r| r.ended == ended).count();
    let (good, bad, not_here) = (of(Ended::Good), of(Ended::Bad), of(Ended::NotHere));
    let mut text = format!("{}: {good} good, {bad} bad", count(all, "drill"));
    if not_here > 0 {
        text = format!("{text}, {not_here} not for this cluster");
    }
    let rest = all - reports.len();
    if rest > 0 {
        text = format!("{text}, {rest} not begun");
    }
    text
}

/// Where drills are made.
async fn ground(global: &Global, run: &mut Run) -> Result<Ground, Failure> {
    let keeper = keeper(run).await?;
    let program = std::env::current_exe().map_err(|e| Failure::of(Kind::Failed, e.to_string()))?;
    let cluster = &run.flow.cluster;
    let folder = run.dirs.state.join(cluster.name.as_str()).join("drills");
    std::fs::create_dir_all(&folder)
        .map_err(|e| Failure::of(Kind::Failed, format!("{}: {e}", folder.display())))?;
    let kept = cluster.hosts.iter().map(|(name, host)| {
        let paths = HostPaths::new(&cluster.name, host);
        (name.clone(), paths.at(KEPT))
    });
    let ssh = cluster
        .hosts
        .iter()
        .filter_map(|(name, host)| match &host.connection {
            Connection::Ssh { port, .. } => Some((name.clone(), (*port)?)),
            Connection::Local { .. } => None,
        });
    let (kept, ssh) = (kept.collect(), ssh.collect());
    Ok(Ground {
        prober: keeper.prober,
        service: keeper.service,
        action: keeper.action,
        driver: keeper.driver,
        places: run.flow.places(),
        kept,
        ssh,
        own: own(global, program, &run.path),
        folder,
        run: run.id.clone(),
        lock_wait: Duration::from_secs(global.lock_wait.max(10)),
        slack: 1,
        stop: run.flow.stop.clone(),
        events: run.events.clone(),
    })
}

fn own(global: &Global, program: PathBuf, inventory: &Path) -> Own {
    let word = |word: &str, value: &Path| [OsString::from(word), value.into()];
    let templates = global
        .templates
        .iter()
        .flat_map(|dir| word("--templates", dir));
    let packages = global
        .packages
        .iter()
        .flat_map(|place| word("--packages", place));
    Own {
        program,
        inventory: inventory.to_owned(),
        words: templates.chain(packages).collect(),
    }
}

fn show(reports: &[Report]) -> std::io::Result<()> {
    let mut out = out();
    let headers = [
        "Drill",
        "Target",
        "Acknowledged",
        "Fault",
        "Writes paused",
        "Reads paused",
        "Whole after",
        "Verdict",
    ];
    let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
    out.table(&headers, &rows)?;
    for report in reports {
        for seen in &report.evidence {
            out.line(&format!("  {}: seen: {seen}", report.name))?;
        }
        for wrong in &report.wrong {
            out.line(&format!("{} {}: {wrong}", Mark::Failed.show(), report.name))?;
        }
        if report.ended == Ended::Bad && report.record.exists() {
            let (topic, record) = (&report.topic, report.record.display());
            out.line(&format!(
                "  {}: topic {topic} and {record} are kept to be looked at",
                report.name
            ))?;
        }
    }
    Ok(())
}

fn row(report: &Report) -> Vec<String> {
    let none = || "-".to_owned();
    let phases = report.verdict.iter().flat_map(|v| &v.phases);
    let whole = phases
        .filter(|p| p.name == "whole")
        .map(|p| p.reader_pause_ms);
    let pause = |ms: Option<u64>| ms.map_or_else(none, took);
    vec![
        report.name.clone(),
        report.target.clone().unwrap_or_else(none),
        report
            .verdict
            .as_ref()
            .map_or_else(none, |v| v.acked.to_string()),
        pause(
            report
                .window
                .map(|window| window.to.saturating_sub(window.from)),
        ),
        match report.allowed_ms {
            Some(most) => format!("{} of {}", pause(report.pause_ms), took(most)),
            None => pause(report.pause_ms),
        },
        pause(whole.max()),
        pause(report.whole_ms),
        match report.ended {
            Ended::Good => format!("{} good", Mark::Done.show()),
            Ended::Bad => format!("{} bad", Mark::Failed.show()),
            Ended::NotHere => "not for this cluster".to_owned(),
        },
    ]
}
