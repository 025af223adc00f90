//! Which tree of a package each host runs from: what it has stands, else what this machine can send.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::artifact::{self, Request};
use crate::catalogue::{Catalogue, RenderError, Renderer, descriptor};
use crate::facts::HostFacts;
use crate::id::{Arch, HostName, ServiceName};
use crate::inventory::{Cluster, Service};
use crate::plan::paths::HostPaths;
use crate::plan::place::Placement;

/// A package of this machine, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFile {
    /// The SHA-256 of the archive.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Leading path components dropped when unpacking.
    pub strip: usize,
    /// Whether it is compressed with gzip.
    pub gzip: bool,
}

/// One package for one architecture.
pub type PackageKey = (ServiceName, Arch);

/// How a package is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer {
    /// As a file of this machine.
    File(PackageFile),
    /// From the hosts' own distribution.
    Distribution {
        /// The distribution's package.
        package: String,
        /// Where it puts its tree.
        home: String,
    },
}

/// How packages are to be had, by service and architecture.
pub type Packages = BTreeMap<PackageKey, Offer>;

/// What stands for the hash of a package that was not fetched: such a plan is for reading only.
pub const UNFETCHED: &str = "unfetched";

/// The tree of a package on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Where it is.
    pub home: String,
    /// What must be done for it; none: the host has it.
    pub missing: Option<Missing>,
}

/// What a host must be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// This file is to be sent.
    File(PackageFile),
    /// This package of its distribution is to be installed.
    Distribution(String),
    /// A file that is still to be fetched.
    Unfetched,
}

/// The services whose packages a host needs: those that run there, and what they need.
#[must_use]
pub fn services_on(
    host: &HostName,
    cluster: &Cluster,
    catalogue: &Catalogue,
    placement: &Placement,
) -> BTreeSet<ServiceName> {
    let mut found: BTreeSet<ServiceName> =
        placement.on(host).map(|id| id.service.clone()).collect();
    let running: Vec<ServiceName> = found.iter().cloned().collect();
    for service in running {
        let needs = cluster.services.get(&service).map(|s| s.needs.clone());
        let needs = needs.unwrap_or_default();
        let packages = needs.into_iter().filter(|need| {
            cluster.services.contains_key(need)
                && catalogue
                    .get(need)
                    .is_some_and(|f| f.descriptor.roles.is_empty())
        });
        found.extend(packages);
    }
    found
}

/// The link on a host that points at a service's tree, where the service has a package.
#[must_use]
pub fn link(catalogue: &Catalogue, service: &ServiceName, paths: &HostPaths) -> Option<String> {
    let package = catalogue.get(service)?.descriptor.package.as_ref()?;
    Some(paths.at(&package.into))
}

/// The trees in a host's store that are of services of this cluster, and that no other cluster runs from.
pub fn own_trees<'a>(
    (cluster, catalogue): (&'a Cluster, &'a Catalogue),
    facts: &'a HostFacts,
) -> impl Iterator<Item = &'a String> {
    let ours = move |tree: &&String| {
        let begins = |service: &&ServiceName| {
            let rest = tree.strip_prefix(service.as_str());
            rest.is_some_and(|rest| rest.starts_with('-'))
        };
        // One name may begin with another.
        let known = catalogue.iter().map(|(name, _)| name).filter(begins);
        let of = known.max_by_key(|name| name.as_str().len());
        of.is_some_and(|name| cluster.services.contains_key(name))
    };
    facts.store.difference(&facts.used).filter(ours)
}

/// The trees that hosts have, with the packages that they came from.
#[must_use]
pub fn there(
    cluster: &Cluster,
    catalogue: &Catalogue,
    placement: &Placement,
    facts: &BTreeMap<HostName, HostFacts>,
) -> Vec<(HostName, PackageKey, String)> {
    let mut trees = Vec::new();
    for (name, facts) in facts {
        let paths = HostPaths::new(&cluster.name, &cluster.hosts[name]);
        for service in services_on(name, cluster, catalogue, placement) {
            let link = link(catalogue, &service, &paths);
            let home = link.and_then(|link| facts.links.get(&link));
            // A tree outside the store is the distribution's.
            let home = home.filter(|home| home.starts_with(&paths.store()));
            let key = (service, facts.arch);
            trees.extend(home.map(|home| (name.clone(), key, home.clone())));
        }
    }
    trees
}

/// The tree that a host runs a service from.
///
/// A tree of the wanted version that is there stands, wherever it came from, unless the user gave a
/// package file of their own: then only that file's tree will do.
#[must_use]
pub fn installed(
    (cluster, catalogue): (&Cluster, &Catalogue),
    service: &ServiceName,
    (paths, facts): (&HostPaths, &HostFacts),
    packages: &Packages,
) -> Option<Installed> {
    let wanted = cluster.services.get(service)?;
    let package = catalogue.get(service)?.descriptor.package.as_ref()?;
    let link = facts.links.get(&paths.at(&package.into));
    let offer = packages.get(&(service.clone(), facts.arch));
    let own = distribution(catalogue, wanted, facts.arch);
    let linked = |home: &String| link == Some(home) && facts.dirs.contains_key(home);
    if let Some((_, home)) = own.as_ref().filter(|(_, home)| linked(home)) {
        return Some(Installed {
            home: home.clone(),
            missing: None,
        });
    }
    let nothing_else = chosen(package, wanted).all(|source| source.kind() == "distribution");
    let offered = match offer {
        Some(Offer::Distribution { package, home }) => Some((package.clone(), home.clone())),
        _ => own.filter(|_| nothing_else && wanted.package.is_none()),
    };
    if let Some((package, home)) = offered {
        let missing = (!facts.dirs.contains_key(&home)).then_some(package);
        return Some(Installed {
            home,
            missing: missing.map(Missing::Distribution),
        });
    }
    let file = match offer {
        Some(Offer::File(file)) => Some(file),
        _ => None,
    };
    let prefix = format!("{service}-{}-", wanted.version);
    let name = file.map_or(UNFETCHED, |file| &file.sha256);
    let name = format!("{prefix}{}", name.get(..12).unwrap_or(name));
    // A user's own package must be the very one; else any of the version will do, the linked one first.
    let wanted = if wanted.package.is_some() {
        &name
    } else {
        &prefix
    };
    let whole = |tree: &&str| facts.store.contains(*tree) && !facts.damaged.contains_key(*tree);
    let linked = link.and_then(|to| to.rsplit('/').next());
    let all = facts.store.iter().map(String::as_str);
    let mut trees = linked.into_iter().chain([name.as_str()]).chain(all);
    let home = |tree: &str| format!("{}/{tree}", paths.store());
    if let Some(tree) = trees.find(|tree| tree.starts_with(wanted.as_str()) && whole(tree)) {
        let (home, missing) = (home(tree), None);
        return Some(Installed { home, missing });
    }
    let missing = file.cloned().map_or(Missing::Unfetched, Missing::File);
    Some(Installed {
        home: home(&undamaged(&name, facts)),
        missing: Some(missing),
    })
}

/// The name of a tree, with a number where one of that name is damaged: it stays until nothing runs from it.
fn undamaged(name: &str, facts: &HostFacts) -> String {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    let whole = names.find(|name| !facts.damaged.contains_key(name));
    whole.unwrap_or_default()
}

/// The distribution's package of a service, and where it puts its tree.
#[must_use]
pub fn distribution(
    catalogue: &Catalogue,
    service: &Service,
    arch: Arch,
) -> Option<(String, String)> {
    let package = catalogue.get(&service.name)?.descriptor.package.as_ref()?;
    let values = values(catalogue, service, arch);
    let render = |text: &str| Renderer::new().render("package", text, &values).ok();
    chosen(package, service).find_map(|source| match source {
        descriptor::Source::Distribution { package, home, .. } => {
            Some((render(package)?, render(home)?))
        }
        _ => None,
    })
}

/// The units of the distribution's package of a service that are not to be started.
#[must_use]
pub fn quiet(catalogue: &Catalogue, service: &Service) -> Vec<String> {
    let folder = catalogue.get(&service.name);
    let package = folder.and_then(|folder| folder.descriptor.package.as_ref());
    let mut sources = package
        .into_iter()
        .flat_map(|package| chosen(package, service));
    let units = sources.find_map(|source| match source {
        descriptor::Source::Distribution { units, .. } => Some(units.clone()),
        _ => None,
    });
    units.unwrap_or_default()
}

/// The sources that the inventory leaves to be tried.
fn chosen<'a>(
    package: &'a descriptor::Package,
    service: &'a Service,
) -> impl Iterator<Item = &'a descriptor::Source> {
    let word = package
        .choice
        .as_ref()
        .and_then(|setting| service.settings.get(setting));
    let word = word.and_then(serde_json::Value::as_str);
    package
        .sources
        .iter()
        .filter(move |source| word.is_none_or(|word| word == source.kind()))
}

/// The values that the texts of a package may read.
fn values(catalogue: &Catalogue, service: &Service, arch: Arch) -> minijinja::Value {
    minijinja::context! {
        version => service.version.clone(),
        release => catalogue.release(service),
        arch => minijinja::context! {
            name => arch.to_string(), debian => arch.debian(), short => arch.short(),
        },
    }
}

/// The packages that must be fetched to this machine before these hosts can be deployed.
#[must_use]
pub fn needed(
    cluster: &Cluster,
    catalogue: &Catalogue,
    placement: &Placement,
    facts: &BTreeMap<HostName, HostFacts>,
) -> BTreeSet<PackageKey> {
    let mut keys = BTreeSet::new();
    // What still runs where nothing is to run needs nothing new.
    for (name, host) in cluster.staying() {
        let Some(facts) = facts.get(name) else {
            continue;
        };
        let paths = HostPaths::new(&cluster.name, host);
        for service in services_on(name, cluster, catalogue, placement) {
            let tree = installed(
                (cluster, catalogue),
                &service,
                (&paths, facts),
                &Packages::new(),
            );
            let own = cluster
                .services
                .get(&service)
                .is_some_and(|s| s.package.is_some());
            if tree.is_some_and(|tree| tree.missing.is_some()) || own {
                keys.insert((service, facts.arch));
            }
        }
    }
    keys
}

/// What this machine asks itself for: a package's sources, rendered for a version and an architecture.
///
/// # Errors
/// When a template of the descriptor can't be rendered, or its lock file is not there.
pub fn request(
    catalogue: &Catalogue,
    service: &Service,
    arch: Arch,
) -> Result<Request, RenderError> {
    let place = format!("{}/service.yaml (package)", service.name);
    let wrong = |cause: String| RenderError {
        template: place.clone(),
        line: 1,
        cause,
        source_line: None,
    };
    let folder = catalogue
        .get(&service.name)
        .ok_or_else(|| wrong("there is no such service".into()))?;
    let package = folder.descriptor.package.as_ref();
    let package = package.ok_or_else(|| wrong("it has no package".into()))?;
    let values = values(catalogue, service, arch);
    let renderer = Renderer::new();
    let text = |t: &str| renderer.render(&place, t, &values);
    let maybe = |t: &Option<String>| t.as_deref().map(text).transpose();
    let mut sources = Vec::new();
    for source in chosen(package, service) {
        sources.push(match source {
            descriptor::Source::Archive {
                url,
                sha512,
                sha256,
                sums,
            } => artifact::Source::Archive {
                url: text(url)?,
                sha512: maybe(sha512)?,
                sums: maybe(sums)?,
                sha256: maybe(sha256)?,
                strip: 1,
            },
            descriptor::Source::Maven { lock, into } => {
                let path = text(lock)?;
                let missing = || wrong(format!("there is no file `{path}`"));
                artifact::Source::Maven {
                    lock: folder.file(&path).ok_or_else(missing)?.to_owned(),
                    into: text(into)?,
                }
            }
            descriptor::Source::Jlink { modules } => artifact::Source::Jlink {
                modules: modules.clone(),
            },
            descriptor::Source::Distribution { .. } => continue,
            descriptor::Source::Folder { path } => {
                let prefix = format!("{}/", text(path)?);
                let inside = |p: &str| p.strip_prefix(&prefix).map(str::to_owned);
                let texts = folder.files();
                let others = folder.others();
                artifact::Source::Files {
                    texts: texts
                        .filter_map(|(p, text)| Some((inside(p)?, text.to_owned())))
                        .collect(),
                    others: others
                        .filter_map(|(p, file)| Some((inside(p)?, file.to_owned())))
                        .collect(),
                }
            }
        });
    }
    Ok(Request {
        name: service.name.to_string(),
        version: service.version.clone(),
        arch,
        sources,
        given: service.package.clone(),
        file_names: package
            .file_names
            .iter()
            .map(|n| text(n))
            .collect::<Result<_, _>>()?,
    })
}
