//! What somebody else must see of a cluster to help: gathered from this machine and from every host within reach,
//! all secrets masked. It changes nothing, and whatever can't be had is named instead.

mod bundle;
mod machine;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};

pub use bundle::Bundle;
pub use machine::stamp;

use crate::digest::hex;
use crate::facts::HostFacts;
use crate::flow::{Facts, Flow, host_problem};
use crate::id::{HostName, InstanceId};
use crate::inventory::{Env, confidential};
use crate::plan::View;
use crate::plan::check::{Check, Verdict};
use crate::plan::desired::DesiredFile;
use crate::plan::packages::Packages;
use crate::plan::planner;
use crate::plan::show::{Detail, masked, show};
use crate::report::{self, Secrets};
use crate::secret;

/// The longest that a plan is waited for: its drivers may ask a cluster that does not answer.
const PLAN_WITHIN: Duration = Duration::from_secs(60);
/// So many of the last runs are taken.
const RUNS: usize = 5;

/// What is known on this machine.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The inventory's text.
    pub inventory: &'a str,
    /// The environment that it was read with.
    pub env: &'a Env,
    /// Where the logs of the cluster's runs are.
    pub state: &'a Path,
    /// So many of the last lines of each service's log.
    pub lines: usize,
    /// Seconds since 1970.
    pub now: u64,
}

/// The files that each instance should have.
type Rendered = Vec<(InstanceId, Vec<DesiredFile>)>;

/// What was gathered.
pub struct Gathered {
    /// All of it.
    pub bundle: Bundle,
    /// What could not be had; it is named in the bundle too.
    pub missed: Vec<String>,
    /// The cluster, to be asked for more.
    pub view: View,
}

/// Gathers all of it.
pub async fn gather(flow: &mut Flow, given: Given<'_>) -> Gathered {
    let (facts, failed) = flow.ask_facts().await;
    let mut missed: Vec<String> = failed
        .iter()
        .map(|(host, error)| host_problem(host, error).cause)
        .collect();
    let packages = Packages::new();
    let input = flow.input(&facts, &packages, &[]);
    let rendered = planner::rendered(input).unwrap_or_else(|error| {
        missed.push(format!("the services' files: {error}"));
        Rendered::new()
    });
    let inventory = confidential(given.inventory, given.env);
    let secrets = secrets(inventory.secrets, given.env, (&facts, &rendered));
    let folder = format!("sdtd-support-{}-{}", flow.cluster.name, stamp(given.now));
    let mut bundle = Bundle::new(folder, secrets);
    bundle.hidden("inventory.yaml", &inventory.text);
    bundle.text("sdtd.txt", &machine::about(&flow.catalogue));
    match planner::checks(input) {
        Ok(checks) => add_checks(&mut bundle, &checks),
        Err(error) => missed.push(format!("the checks: {error}")),
    }
    let view = flow.view(&facts);
    add_hosts(&mut bundle, &view, &facts);
    add_rendered(&mut bundle, &view, &rendered);
    add_logs(&mut bundle, flow, (&view, given.lines)).await;
    add_plan(&mut bundle, flow, &mut missed).await;
    add_runs(&mut bundle, given.state, &mut missed);
    bundle.text("README.txt", &readme(flow, given.now, &missed));
    Gathered {
        bundle,
        missed,
        view,
    }
}

/// All that is known to be secret: in the inventory, in variables that tell, and in the services' files as they
/// should be and as they are (an older password may still be there).
fn secrets(known: Vec<String>, env: &Env, (facts, rendered): (&Facts, &Rendered)) -> Secrets {
    let telling = env.iter().filter(|(name, _)| secret::is_secret(name));
    let telling = telling.flat_map(|(_, value)| secret::parts(value));
    let files = facts.values().flat_map(|facts| facts.files.values());
    let wanted = rendered.iter().flat_map(|(_, files)| files);
    let texts = files.map(|f| &f.text).chain(wanted.map(|f| &f.text));
    let values = texts.flat_map(|text| secret::values(text));
    Secrets::new(known.into_iter().chain(telling).chain(values))
}

fn add_checks(bundle: &mut Bundle, checks: &[Check]) {
    let mut text = String::new();
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Pass => "ok",
            Verdict::Warn => "warning",
            Verdict::Fail => "FAILED",
        };
        let _ = writeln!(
            text,
            "{verdict:8} {:12} {}: {}",
            check.what, check.host, check.found
        );
        if let Some(help) = &check.help {
            let _ = writeln!(text, "         help: {help}");
        }
    }
    bundle.text("check.txt", &text);
    bundle.json("check.json", &checks);
}

/// Each host's facts, and beside them the files that it has.
fn add_hosts(bundle: &mut Bundle, view: &View, facts: &Facts) {
    for (host, facts) in facts {
        bundle.json(&format!("hosts/{host}/facts.json"), &without_texts(facts));
        for (path, file) in &facts.files {
            let path = inside(view, host, path);
            bundle.text(&format!("hosts/{host}/files/{path}"), &file.text);
        }
    }
}

/// The facts without what stands beside them, and with a machine's id told apart but not told.
fn without_texts(facts: &HostFacts) -> HostFacts {
    let mut facts = facts.clone();
    for file in facts.files.values_mut() {
        file.text = format!("({} bytes, see files/)", file.text.len());
    }
    if !facts.machine_id.is_empty() {
        facts.machine_id = hex(&Sha256::digest(&facts.machine_id))[..12].to_owned();
    }
    facts
}

fn add_rendered(bundle: &mut Bundle, view: &View, rendered: &Rendered) {
    for (id, files) in rendered {
        for file in files {
            let path = inside(view, &id.host, &file.path);
            bundle.text(&format!("instances/{id}/wanted/{path}"), &file.text);
        }
    }
}

/// A path on a host, without the folder that stands for a local host's root.
fn inside<'a>(view: &View, host: &HostName, path: &'a str) -> &'a str {
    let root = view.roots.get(host).map_or("", String::as_str);
    path.strip_prefix(root).unwrap_or(path)
}

async fn add_logs(bundle: &mut Bundle, flow: &Flow, (view, lines): (&View, usize)) {
    let places = flow.places();
    let members = view.members.iter().filter(|member| view.reaches(member));
    let ask = members.filter_map(|member| {
        let (remote, places) = (flow.fleet.get(&member.id.host)?, &places[&member.id.host]);
        Some(async move { (member, remote.tail(places, member, lines).await) })
    });
    for (member, lines) in join_all(ask).await {
        bundle.text(
            &format!("instances/{}/log.txt", member.id),
            &lines.join("\n"),
        );
    }
}

async fn add_plan(bundle: &mut Bundle, flow: &Flow, missed: &mut Vec<String>) {
    let mut quiet = flow.quietly();
    match tokio::time::timeout(PLAN_WITHIN, quiet.plan(false)).await {
        Ok(Ok(planned)) => {
            bundle.text("plan.txt", &show(&planned.plan, Detail::Full));
            bundle.json("plan.json", &masked(&planned.plan));
        }
        Ok(Err(failure)) => {
            bundle.text("plan.txt", &format!("There is no plan.\n{failure}"));
            missed.push("the plan: plan.txt says why".to_owned());
        }
        Err(_) => missed.push(format!("the plan: none in {} s", PLAN_WITHIN.as_secs())),
    }
}

fn add_runs(bundle: &mut Bundle, state: &Path, missed: &mut Vec<String>) {
    let logs = report::runs(state).unwrap_or_default();
    for log in &logs[logs.len().saturating_sub(RUNS)..] {
        let name = log.file_name().unwrap_or_default().to_string_lossy();
        match std::fs::read(log) {
            Ok(bytes) => {
                bundle.json_lines(&format!("runs/{name}"), &String::from_utf8_lossy(&bytes));
            }
            Err(error) => missed.push(format!("the run {name}: {error}")),
        }
    }
}

fn readme(flow: &Flow, now: u64, missed: &[String]) -> String {
    let mut text = format!(
        "What `sdtd support` saw of the cluster `{}` at {} UTC.\n\n\
         What the names of settings and variables tell to be secret stands as {} in it. A service may log\n\
         what no name tells of: look through all of it before you give it away.\n\n",
        flow.cluster.name,
        stamp(now),
        secret::DOTS
    );
    let parts = BTreeMap::from([
        ("inventory.yaml", "the inventory"),
        ("sdtd.txt", "the program and the machine it ran on"),
        ("check.*", "what `sdtd check` found"),
        ("plan.*", "what `sdtd deploy` would do"),
        ("status.json", "how each instance is"),
        (
            "hosts/",
            "what each host told of itself, and its files as they are",
        ),
        (
            "instances/",
            "each instance's files as they should be, and the end of its log",
        ),
        ("runs/", "the last runs, as their logs have them"),
    ]);
    for (name, what) in parts {
        let _ = writeln!(text, "{name:16}{what}");
    }
    if !missed.is_empty() {
        text.push_str("\nWhat could not be had:\n");
        missed.iter().for_each(|one| _ = writeln!(text, "  {one}"));
    }
    text
}
