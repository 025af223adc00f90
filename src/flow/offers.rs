//! How each package is to be had: as a file of this machine, fetched or made, or from the distribution.

use crate::artifact::{Artifact, Progress, Request, Shelf};
use crate::event::{EventKind, Problem};
use crate::plan::packages::{Offer, PackageFile};
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
pub(super) async fn find(
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
    match (fetch_one(shelf, request, events).await, own) {
        (Ok(artifact), _) => Ok(Some(Found::File(artifact))),
        (Err(_), Some(own)) if request.given.is_none() => Ok(Some(own)),
        (Err(problem), _) => Err(problem),
    }
}

async fn fetch_one(
    shelf: &Shelf,
    request: &Request,
    events: &EventSink,
) -> Result<Artifact, Problem> {
    let package = format!("{} {}", request.name, request.version);
    let tell = |progress: Progress| {
        events.emit(package_event(&package, progress));
    };
    let artifact = shelf.resolve(request, &tell).await.map_err(|e| Problem {
        cause: e.to_string(),
        log: Vec::new(),
        help: e.help(),
    })?;
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
