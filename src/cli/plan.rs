//! `sdtd plan`: what deploy would do, and why.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::setup::{self, Missing, Opened};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::facts::HostFacts;
use crate::flow::{Planned, host_problems, plan_failure};
use crate::id::{Arch, InstanceId};
use crate::plan::show::{Detail, masked, show, show_memory};
use crate::plan::{Plan, plan_of_facts};
use crate::report::{Out, Secrets};

/// The words of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// End with 10 if anything would change.
    #[arg(long)]
    check: bool,
    /// Write the plan to a file, for `deploy --plan FILE`.
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    out: Option<PathBuf>,
    /// An instance that lost its data for good and shall start empty (may be repeated).
    #[arg(long, value_name = "INSTANCE", conflicts_with = "offline")]
    anew: Vec<InstanceId>,
    /// Compare every file of the packages on the hosts with what was sent.
    #[arg(long)]
    deep: bool,
    /// Contact no host: validate, place and render with assumed facts.
    #[arg(long)]
    offline: bool,
}

/// A plan kept in a file: with the packages it was made for.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    /// The plan.
    pub plan: Plan,
    /// The packages it sends, by SHA-256.
    pub files: BTreeMap<String, PathBuf>,
}

/// Runs `sdtd plan`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &PlanArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    if args.offline {
        let plan = offline(&opened)?;
        return tell(global, args, &plan);
    }
    let mut run = setup::begin(global, opened, "plan", Missing::OutOfReach).await?;
    run.flow.anew.extend(args.anew.iter().cloned());
    run.flow.deep = args.deep;
    let planned = match run.flow.plan(args.out.is_some()).await {
        Ok(planned) => planned,
        Err(failure) => return Err(run.end(Some(failure), "there is no plan").await),
    };
    // What the services say of it belongs to this moment: it is shown, not saved.
    let told = run.flow.outage(&planned.plan, &planned.facts, true).await;
    let told = told.unwrap_or_else(|failure| failure.problems);
    run.close().await;
    let Planned {
        mut plan,
        files,
        missing,
        ..
    } = planned;
    if let Some(path) = &args.out {
        save(
            path,
            &Saved {
                plan: plan.clone(),
                files,
            },
        )?;
    }
    plan.warnings.extend(told);
    if missing.is_empty() {
        return tell(global, args, &plan);
    }
    // Pending changes are no news beside a host that is out of reach.
    let told = tell(global, args, &plan);
    told.or_else(|failure| match failure.kind {
        Kind::Pending => Ok(()),
        _ => Err(failure),
    })?;
    Err(Failure {
        kind: Kind::Unreachable,
        problems: host_problems(&missing),
    })
}

fn tell(global: &Global, args: &PlanArgs, plan: &Plan) -> Result<(), Failure> {
    let mut out = Out::stdout(Secrets::default());
    let detail = if global.verbose {
        Detail::Full
    } else {
        Detail::Usual
    };
    let told = if global.json {
        out.json(&masked(plan))
    } else {
        let budget = show_memory(plan);
        out.diff(format!("{}\n\n{budget}", show(plan, detail).trim_end()).trim_end())
    };
    told.map_err(|e| Failure::of(Kind::Failed, e.to_string()))?;
    if args.check && !plan.is_empty() {
        return Err(Failure {
            kind: Kind::Pending,
            problems: Vec::new(),
        });
    }
    Ok(())
}

fn save(path: &std::path::Path, saved: &Saved) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(saved).unwrap_or_default();
    // Not for everybody's eyes: it holds the files as they will be, secrets too.
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{text}"));
    written.map_err(|e| Failure::of(Kind::Failed, format!("{}: {e}", path.display())))
}

/// The plan of a cluster whose hosts are bare: nothing is contacted and nothing is fetched.
///
/// # Errors
/// When there is no plan.
pub fn offline(opened: &Opened) -> Result<Plan, Failure> {
    let cluster = &opened.loaded.cluster;
    let facts = cluster
        .hosts
        .values()
        .map(|host| (host.name.clone(), assumed(host)))
        .collect();
    plan_of_facts(cluster, &opened.catalogue, &facts).map_err(plan_failure)
}

/// What is assumed of a host that is not asked: bare, with the memory that the inventory gives it or 4 GiB, and
/// with its name known to it as the inventory's address, not as a loopback of its own.
fn assumed(host: &crate::inventory::Host) -> HostFacts {
    let arch = Arch::here().unwrap_or(Arch::Aarch64);
    let name = host.name.as_str();
    let mut facts = HostFacts::bare(name, arch, host.memory_mb.unwrap_or(4096));
    facts.resolves.insert(name.to_owned(), host.address.clone());
    facts
}

/// Reads a plan that was saved.
///
/// # Errors
/// When it can't be read or is of another format.
pub fn load(path: &std::path::Path) -> Result<Saved, Failure> {
    let wrong = |why: String| Failure::of(Kind::Usage, format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    let saved: Saved = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    if saved.plan.format != crate::plan::model::FORMAT {
        let problem = Problem::new(format!("{}: a plan of another format", path.display()));
        return Err(Failure::new(
            Kind::Refused,
            problem.help("make it again with `sdtd plan --out`"),
        ));
    }
    Ok(saved)
}
