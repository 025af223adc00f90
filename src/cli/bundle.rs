//! `sdtd bundle`: all packages that an inventory needs as one file, for a site without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::setup::{self, Missing, Opened, Telling};
use super::{Global, InventoryArg};
use crate::artifact::bundle::{Written, write};
use crate::artifact::{ArtifactError, Request, Shelf};
use crate::error::{Failure, Kind};
use crate::event::{Problem, RunSummary};
use crate::facts::HostFacts;
use crate::flow::fetch_all;
use crate::id::Arch;
use crate::inventory::Connection;
use crate::plan::{packages, planner};
use crate::report::{bytes, count};

/// The words of `bundle`.
#[derive(Debug, Args)]
pub struct BundleArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// The file to write; else ./sdtd-packages-CLUSTER.tar.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The architectures of the hosts (x86_64, aarch64, armhf); else this machine's.
    #[arg(long, value_name = "ARCH,…", value_delimiter = ',', value_parser = Arch::named)]
    arch: Vec<Arch>,
}

/// Runs `sdtd bundle`. No host is contacted.
///
/// # Errors
/// When the inventory is wrong, a package is found nowhere, or the file can't be written.
pub async fn run(global: &Global, args: &BundleArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let archs = archs(args)?;
    let cluster = &opened.loaded.cluster.name;
    let usual = || PathBuf::from(format!("sdtd-packages-{cluster}.tar"));
    let out = args.out.clone().unwrap_or_else(usual);
    let folder = out.parent().filter(|path| !path.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|path| !path.is_dir()) {
        // Told before an hour of downloads, not after it.
        let why = format!("{}: there is no such folder", folder.display());
        return Err(Failure::of(Kind::Usage, why));
    }
    let requests = requests(&opened, &archs)?;
    let shelf = Arc::new(setup::shelf(global, &opened.dirs));
    let telling = setup::telling(global, &opened, "bundle", Missing::Tolerated, None);
    if args.arch.is_empty() && has_far_hosts(&opened) {
        let text = format!("the packages are for {}, as this machine is", named(&archs));
        let help = "`--arch` names others: `--arch aarch64`, `--arch x86_64,aarch64`";
        telling.events.warn(text, Some(help));
    }
    let made = make(&telling, &shelf, requests, &out).await;
    let summary = summary(&made, &out, &archs);
    let kind = made.err().map(|_| Kind::Failed);
    telling.finish(summary).await;
    // Its problems were told of with the sum.
    kind.map_or(Ok(()), |kind| {
        let problems = Vec::new();
        Err(Failure { kind, problems })
    })
}

fn archs(args: &BundleArgs) -> Result<BTreeSet<Arch>, Failure> {
    if !args.arch.is_empty() {
        return Ok(args.arch.iter().copied().collect());
    }
    let problem = Problem::new("this machine's architecture is none that hosts have");
    let unknown = || Failure::new(Kind::Usage, problem.help("name the hosts' with `--arch`"));
    Arch::here()
        .map(|arch| BTreeSet::from([arch]))
        .ok_or_else(unknown)
}

fn named(archs: &BTreeSet<Arch>) -> String {
    let names: Vec<String> = archs.iter().map(Arch::to_string).collect();
    names.join(" and ")
}

fn has_far_hosts(opened: &Opened) -> bool {
    let mut hosts = opened.loaded.cluster.hosts.values();
    hosts.any(|host| !matches!(host.connection, Connection::Local { .. }))
}

/// What bare hosts of these architectures would have to be given.
fn requests(opened: &Opened, archs: &BTreeSet<Arch>) -> Result<Vec<Request>, Failure> {
    let (cluster, catalogue) = (&opened.loaded.cluster, &opened.catalogue);
    let (mut requests, mut problems) = (Vec::new(), Vec::new());
    for arch in archs {
        let bare = |name: &crate::id::HostName| HostFacts::bare(name.as_str(), *arch, 0);
        let names = cluster.hosts.keys();
        let facts: BTreeMap<_, _> = names.map(|name| (name.clone(), bare(name))).collect();
        let placement = planner::placement(cluster, catalogue, &facts);
        for (service, arch) in packages::needed(cluster, catalogue, &placement, &facts) {
            let wanted = &cluster.services[&service];
            let request = packages::request(catalogue, wanted, arch)
                .map_err(|e| Failure::of(Kind::Usage, e.to_string()))?;
            if request.sources.is_empty() && request.given.is_none() {
                problems.push(on_hosts_only(&request));
            } else {
                requests.push(request);
            }
        }
    }
    if problems.is_empty() {
        Ok(requests)
    } else {
        let kind = Kind::Usage;
        Err(Failure { kind, problems })
    }
}

/// A package that only the hosts' distribution has.
fn on_hosts_only(request: &Request) -> Problem {
    let (name, version) = (&request.name, &request.version);
    let cause = format!(
        "{name} {version} for {} can't be in a bundle: the hosts' own distribution installs it",
        request.arch
    );
    let help = format!("let `{name}` in the inventory come from elsewhere, or name a `package:`");
    Problem::new(cause).help(help)
}

async fn make(
    telling: &Telling,
    shelf: &Arc<Shelf>,
    requests: Vec<Request>,
    out: &Path,
) -> Result<Written, Vec<Problem>> {
    let events = &telling.events;
    events.phase("packages");
    let found = fetch_all(shelf, requests, events).await?;
    events.phase("bundle");
    write(out, found).await.map_err(|error| {
        let problem = Problem::new(error.to_string());
        let help =
            "a package in the cache is not what was fetched: delete the cache, then run it again";
        vec![match error {
            ArtifactError::Bundle { .. } => problem.help(help),
            _ => problem,
        }]
    })
}

fn summary(made: &Result<Written, Vec<Problem>>, out: &Path, archs: &BTreeSet<Arch>) -> RunSummary {
    match made {
        Ok(Written { packages, size }) => RunSummary {
            headline: format!(
                "{}: {} for {}, {}",
                out.display(),
                count(*packages, "package"),
                named(archs),
                bytes(*size)
            ),
            next: vec![format!(
                "take it, the inventory and sdtd there, then: sdtd deploy --packages {}",
                out.display()
            )],
            ..RunSummary::default()
        },
        Err(problems) => RunSummary {
            exit: Kind::Failed.code(),
            headline: "no bundle was written".to_owned(),
            problems: problems.clone(),
            ..RunSummary::default()
        },
    }
}
