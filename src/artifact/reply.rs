//! What a server's answers say, and what is kept of them beside a `.part` file.

use super::ArtifactError;
use super::disk::beside;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use reqwest::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs;
use std::path::Path;

/// What is known of the file that a `.part` is the beginning of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    url: String,
    pub(crate) mark: Option<String>,
}

impl Version {
    /// A weak mark says "much the same", which is not enough to continue a file.
    pub(crate) fn of(url: &str, response: &Response) -> Self {
        let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let strong = header(ETAG).filter(|tag| !tag.starts_with("W/"));
        Self {
            url: url.into(),
            mark: strong.or_else(|| header(LAST_MODIFIED)),
        }
    }

    pub(crate) fn is_of(&self, url: &str) -> bool {
        self.url == url && self.mark.is_some()
    }

    pub(crate) fn read(part: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(beside(part, ".json")).ok()?).ok()
    }

    pub(crate) fn write(&self, part: &Path) -> Result<(), ArtifactError> {
        let at = beside(part, ".json");
        let text = serde_json::json!({ "url": self.url, "mark": self.mark }).to_string();
        fs::write(&at, text).map_err(ArtifactError::io(&at))
    }
}

/// Removes a part and what is known of it: first the knowledge, so that no other bytes get it.
pub(crate) fn forget(part: &Path) -> Result<(), ArtifactError> {
    for path in [beside(part, ".json"), part.to_owned()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ArtifactError::io(&path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The first byte and the full length that a `Content-Range` header tells.
pub(crate) fn range(response: &Response) -> (Option<u64>, Option<u64>) {
    let header = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let Some((bytes, total)) = header
        .and_then(|value| value.strip_prefix("bytes "))
        .and_then(|value| value.split_once('/'))
    else {
        return (None, None);
    };
    let first = bytes
        .split_once('-')
        .and_then(|(first, _)| first.parse().ok());
    (first, total.parse().ok())
}

/// A log-in or error page that a proxy sends instead of the file.
pub(crate) fn is_page(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

pub(crate) fn refused(response: &Response) -> ArtifactError {
    let why = match response.status() {
        StatusCode::OK => "the server answered with a web page instead of the file".into(),
        status => format!("the server answered {status}"),
    };
    ArtifactError::Refused { why }
}

pub(crate) fn told(error: reqwest::Error, url: &str) -> ArtifactError {
    ArtifactError::Refused {
        why: format!("{url}: {}", chain(&error.without_url())),
    }
}

/// An error with its causes, since the outermost says little.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

pub(crate) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}
