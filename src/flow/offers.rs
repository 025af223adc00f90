//! How each package is to be had: as a file of this machine, fetched or made, or from the distribution.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Flow;
use crate::artifact::{Artifact, ArtifactError, Progress, Request, Shelf};
use crate::error::{Failure, Kind};
use crate::event::{EventKind, Problem};
use crate::plan::packages::{self, Offer, PackageFile, PackageKey};
use crate::report::EventSink;

/// How one package is to be had.
pub(super) enum Found {
    File(Artifact),
    Distribution { package: String, home: String },
}

impl Found {
    pub(super) fn offer(self) -> Offer {
        match self {
            Self::File(artifact) => Offer::File(package_file(&artifact)),
            Self::Distribution { package, home } => Offer::Distribution { package, home },
        }
    }
}

/// Looks for a package: on this machine, where `fetch` is given also upstream, then the distribution's.
async fn find(
    shelf: &Shelf,
    request: &Request,
    own: Option<(String, String)>,
    fetch: Option<&EventSink>,
) -> Result<Option<Found>, Problem> {
    let own = own.map(|(package, home)| Found::Distribution { package, home });
    if request.sources.is_empty() && request.given.is_none() && own.is_some() {
        return Ok(own);
    }
    let Some(events) = fetch else {
        return Ok(shelf.cached(request).map(Found::File).or(own));
    };
    // Whoever brings a bundle along has no distribution within reach either.
    let own = own.filter(|_| request.given.is_none() && !shelf.is_bundle());
    let package = format!("{} {}", request.name, request.version);
    match (fetch_one(shelf, request, package, events).await, own) {
        (Ok(artifact), _) => Ok(Some(Found::File(artifact))),
        (Err(_), Some(own)) => Ok(Some(own)),
        (Err(problem), None) => Err(problem),
    }
}

/// Gets all these packages as files of this machine, for architectures that may differ.
///
/// # Errors
/// With a problem for each that is found nowhere.
pub async fn fetch_all(
    shelf: &Arc<Shelf>,
    requests: Vec<Request>,
    events: &EventSink,
) -> Result<Vec<(Request, Artifact)>, Vec<Problem>> {
    open(shelf, events).await.map_err(|problem| vec![problem])?;
    let mut tasks = JoinSet::new();
    for request in requests {
        let (shelf, events) = (Arc::clone(shelf), events.clone());
        tasks.spawn(async move {
            let package = format!("{} {} for {}", request.name, request.version, request.arch);
            let artifact = fetch_one(&shelf, &request, package, &events).await?;
            Ok((request, artifact))
        });
    }
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for result in tasks.join_all().await {
        match result {
            Ok(one) => found.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    problems.sort_by(|a: &Problem, b| a.cause.cmp(&b.cause));
    found.sort_by_key(|(wanted, _): &(Request, _)| (wanted.name.clone(), wanted.arch));
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

/// Looks at once what `--packages` names, so that a bundle which is wrong is told of once.
async fn open(shelf: &Shelf, events: &EventSink) -> Result<(), Problem> {
    let tell = |progress| events.emit(package_event("packages", progress));
    shelf.open(&tell).await.map_err(|error| told(&error))
}

fn told(error: &ArtifactError) -> Problem {
    Problem {
        cause: error.to_string(),
        log: Vec::new(),
        help: error.help(),
    }
}

async fn fetch_one(
    shelf: &Shelf,
    request: &Request,
    package: String,
    events: &EventSink,
) -> Result<Artifact, Problem> {
    let tell = |progress: Progress| {
        events.emit(package_event(&package, progress));
    };
    let found = shelf.resolve(request, &tell).await;
    let artifact = found.map_err(|error| told(&error))?;
    events.emit(EventKind::PackageReady {
        package,
        origin: artifact.origin.clone(),
        size: artifact.size,
    });
    Ok(artifact)
}

fn package_event(package: &str, progress: Progress) -> EventKind {
    let (doing, done, total) = progress.parts();
    EventKind::Package {
        package: package.to_owned(),
        doing,
        done,
        total,
    }
}

fn package_file(artifact: &Artifact) -> PackageFile {
    PackageFile {
        sha256: artifact.sha256.clone(),
        size: artifact.size,
        strip: artifact.strip,
        gzip: artifact.format == crate::artifact::Format::TarGz,
    }
}

impl Flow {
    /// How each of these packages is to be had.
    pub(super) async fn offers(
        &self,
        keys: BTreeSet<PackageKey>,
        fetch: bool,
    ) -> Result<Vec<(PackageKey, Found)>, Failure> {
        let opened = open(&self.shelf, &self.events).await;
        opened.map_err(|problem| Failure::new(Kind::Failed, problem))?;
        let mut tasks = JoinSet::new();
        for key in keys {
            let request = self.request(&key)?;
            let own =
                packages::distribution(&self.catalogue, &self.cluster.services[&key.0], key.1);
            let (shelf, events) = (Arc::clone(&self.shelf), self.events.clone());
            tasks.spawn(async move {
                let found = find(&shelf, &request, own, fetch.then_some(&events)).await?;
                Ok(found.map(|found| (key, found)))
            });
        }
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for result in tasks.join_all().await {
            match result {
                Ok(one) => found.extend(one),
                Err(problem) => problems.push(problem),
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        if problems.is_empty() {
            Ok(found)
        } else {
            Err(Failure {
                kind: Kind::Failed,
                problems,
            })
        }
    }

    fn request(&self, (service, arch): &PackageKey) -> Result<Request, Failure> {
        let wanted = &self.cluster.services[service];
        packages::request(&self.catalogue, wanted, *arch)
            .map_err(|e| Failure::of(Kind::Usage, e.to_string()))
    }
}
