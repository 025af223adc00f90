//! `sdtd status`: every instance as its protocol tells it, inside a fixed deadline.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;

use super::setup::{self, Run};
use super::{Global, InventoryArg};
use crate::driver::Answer;
use crate::error::{Failure, Kind};
use crate::event::InstanceSummary;
use crate::facts::UnitFact;
use crate::flow::Facts;
use crate::plan::packages::Packages;
use crate::plan::{Member, versions, ways};
use crate::report::{Mark, Out, Secrets, took};
use crate::verify::Prober;

/// The words of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// Show it again every two seconds, until interrupted.
    #[arg(long, conflicts_with = "json")]
    watch: bool,
}

/// The longest that all questions to one instance may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks of `--watch`.
const AGAIN: Duration = Duration::from_secs(2);

/// One instance.
#[derive(Debug, Clone, Serialize)]
struct Row {
    instance: String,
    state: String,
    role: String,
    version: String,
    uptime_s: Option<u64>,
    memory_mb: Option<u64>,
    restarts: u32,
    address: String,
    ports: indexmap::IndexMap<String, u16>,
    healthy: bool,
    health: String,
    /// Whether its host is no longer in the inventory.
    leaving: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    cluster: String,
    healthy: bool,
    instances: &'a [Row],
    unreachable: Vec<String>,
    /// What is known of hosts that the inventory no longer names.
    leaving: Vec<String>,
    /// Services whose version is not finalized.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unfinished: Vec<String>,
}

/// Runs `sdtd status`.
///
/// # Errors
/// As the exit codes tell: 3 when a host can't be reached, 4 when an instance is not well.
pub async fn run(global: &Global, args: &StatusArgs) -> Result<(), Failure> {
    let mut run = setup::look(global, &args.inventory, "status").await?;
    let result = loop {
        let result = once(global, args, &mut run).await;
        if !args.watch || run.flow.stop.is_asked() {
            break result;
        }
        tokio::time::sleep(AGAIN).await;
    };
    run.close().await;
    result
}

async fn once(global: &Global, args: &StatusArgs, run: &mut Run) -> Result<(), Failure> {
    let (facts, failed) = run.flow.ask_facts().await;
    let prober = run.flow.prober(run.flow.view(&facts)).sharing();
    let rows = rows(&prober, &facts).await;
    let leaving = run.flow.told_leaving(&run.flow.placement(&facts));
    let packages = Packages::new();
    let input = run.flow.input(&facts, &packages, &[]);
    let mut unfinished = versions::under_way(input);
    unfinished.extend(ways::under_way(input));
    let healthy = rows.iter().all(|row| row.healthy || row.leaving);
    let mut out = Out::stdout(Secrets::default());
    let wrong = |e: std::io::Error| Failure::of(Kind::Failed, e.to_string());
    if global.json {
        let document = Document {
            v: crate::event::SCHEMA,
            cluster: run.flow.cluster.name.to_string(),
            healthy: healthy && failed.is_empty(),
            instances: &rows,
            unreachable: failed.iter().map(|(host, _)| host.to_string()).collect(),
            leaving: leaving.into_iter().map(|told| told.cause).collect(),
            unfinished: unfinished.into_iter().map(|told| told.cause).collect(),
        };
        out.json(&document).map_err(wrong)?;
    } else {
        if args.watch {
            out.line("\u{1b}[2J\u{1b}[H").map_err(wrong)?;
        }
        let table: Vec<Vec<String>> = rows.iter().map(cells).collect();
        let headers = [
            "Instance", "State", "Role", "Version", "Up", "Memory", "Address", "Health",
        ];
        out.table(&headers, &table).map_err(wrong)?;
        for told in leaving.into_iter().chain(unfinished) {
            out.marked(Mark::Warning, &told.cause, 0, "")
                .map_err(wrong)?;
            if let Some(help) = told.help {
                out.line(&format!("    help: {help}")).map_err(wrong)?;
            }
        }
    }
    setup::all_reached(global, &failed)?;
    let unwell = Failure {
        kind: Kind::Unverified,
        problems: Vec::new(),
    };
    if healthy { Ok(()) } else { Err(unwell) }
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.instance.clone(),
        match row.leaving {
            true => format!("{}, leaving", row.state),
            false => row.state.clone(),
        },
        row.role.clone(),
        row.version.clone(),
        row.uptime_s.map(|s| took(s * 1000)).unwrap_or_default(),
        row.memory_mb
            .map(|mb| format!("{mb} MiB"))
            .unwrap_or_default(),
        row.address.clone(),
        row.health.clone(),
    ]
}

/// All instances, asked at once; those on hosts that the inventory no longer names come last.
async fn rows(prober: &Prober, facts: &Facts) -> Vec<Row> {
    let one = |(member, leaving): (Member, bool)| async move {
        let facts = facts.get(&member.id.host);
        let unit = facts.map(|f| f.units.get(&member.unit).cloned());
        let row = row(prober, &member, unit).await;
        Row { leaving, ..row }
    };
    let all = |members: &[Member], leaving| {
        members
            .iter()
            .cloned()
            .map(move |m| (m, leaving))
            .collect::<Vec<_>>()
    };
    let (staying, leaving) = (
        all(&prober.view.members, false),
        all(&prober.view.leaving, true),
    );
    join_all(staying.into_iter().chain(leaving).map(one)).await
}

async fn row(prober: &Prober, member: &Member, known: Option<Option<UnitFact>>) -> Row {
    let unit = known.clone().flatten().unwrap_or_default();
    let state = match &known {
        None => "unreachable".to_owned(),
        Some(None) => "absent".to_owned(),
        Some(Some(unit)) => unit.state.clone(),
    };
    let asked = async {
        if unit.active {
            asked(prober, member).await
        } else {
            Asked::not(&state)
        }
    };
    let late = Asked::not("no answer in time");
    let asked = tokio::time::timeout(DEADLINE, asked).await.unwrap_or(late);
    Row {
        instance: member.id.to_string(),
        state,
        role: asked.role,
        version: asked.version.unwrap_or_else(|| member.version.clone()),
        uptime_s: unit.uptime_s,
        memory_mb: unit.memory_mb,
        restarts: unit.restarts,
        address: address(member),
        ports: member.ports.clone(),
        healthy: asked.healthy,
        health: asked.health,
        leaving: false,
    }
}

struct Asked {
    role: String,
    version: Option<String>,
    healthy: bool,
    health: String,
}

impl Asked {
    fn not(why: &str) -> Self {
        Self {
            role: String::new(),
            version: None,
            healthy: false,
            health: why.to_owned(),
        }
    }
}

async fn asked(prober: &Prober, member: &Member) -> Asked {
    let Some(role) = prober.view.role(&member.id) else {
        return Asked::not("unknown role");
    };
    let mut asked = Asked {
        role: String::new(),
        version: None,
        healthy: true,
        health: String::new(),
    };
    if let Some(probe) = &role.status.role {
        let answer = prober.ask(probe, member).await;
        let said = answer.value().unwrap_or("-");
        let called = role.status.called.get(said).map_or(said, String::as_str);
        called.clone_into(&mut asked.role);
    }
    if let Some(probe) = &role.status.version {
        asked.version = prober.ask(probe, member).await.value().map(str::to_owned);
    }
    for probe in &role.status.health {
        match prober.ask(probe, member).await {
            Answer::Yes(value) => asked.health = value.unwrap_or_else(|| "ok".to_owned()),
            Answer::NotYet(why) | Answer::Broken(why) => {
                asked.healthy = false;
                asked.health = why;
                break;
            }
        }
    }
    asked
}

fn address(member: &Member) -> String {
    member.client_port().map_or_else(
        || member.address.clone(),
        |port| format!("{}:{port}", member.address),
    )
}

/// All instances as the sum of a run shows them.
pub async fn instances(prober: &Prober) -> Vec<InstanceSummary> {
    let prober = &prober.sharing();
    join_all(
        prober
            .view
            .members
            .iter()
            .map(|member| summary(prober, member)),
    )
    .await
}

async fn summary(prober: &Prober, member: &Member) -> InstanceSummary {
    let asked = tokio::time::timeout(DEADLINE, asked(prober, member)).await;
    let asked = asked.unwrap_or_else(|_| Asked::not("no answer in time"));
    let state = if asked.healthy {
        asked.role
    } else {
        asked.health
    };
    InstanceSummary {
        instance: member.id.clone(),
        address: address(member),
        state,
        version: asked.version.unwrap_or_else(|| member.version.clone()),
    }
}
