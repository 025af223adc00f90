//! Downloads that go on where they stopped.
//!
//! The bytes go to a `.part` file; beside it stands what the server called that version of the
//! file, so that a later attempt asks for the rest of the same one and of no other.

use super::reply::{Version, chain, forget, is_page, length, range, refused, told};
use super::{ArtifactError, Listener, Progress};
use reqwest::header::{HeaderName, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(30);
/// Attempts that brought nothing new, before a server is given up.
const ATTEMPTS: u32 = 4;
/// Progress is told once in so many bytes.
const TOLD: u64 = 256 * 1024;
/// More than any sum file has.
const TEXT: usize = 64 * 1024;

/// The network as seen by one run: what could not be reached once is not waited for again.
#[derive(Debug, Default)]
pub(crate) struct Network {
    client: OnceLock<Result<Client, String>>,
    down: Mutex<HashMap<String, String>>,
}

/// How one request ended.
enum Ended {
    Whole,
    /// Worth another attempt.
    Cut(String),
}

impl Network {
    /// Gets a short text.
    pub(crate) async fn text(&self, url: &str) -> Result<String, ArtifactError> {
        let mut response = self.ask(url, &[]).await?;
        if !response.status().is_success() {
            return Err(refused(&response));
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| told(e, url))? {
            text.extend_from_slice(&chunk);
            if text.len() > TEXT {
                return Err(ArtifactError::Refused {
                    why: format!("{url} is no sum file: too long"),
                });
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Gets a file to `part`, which may hold its beginning. Tells whether it did.
    pub(crate) async fn file(
        &self,
        url: &str,
        part: &Path,
        progress: Listener<'_>,
    ) -> Result<bool, ArtifactError> {
        let resumed = length(part) > 0 && Version::read(part).is_some_and(|v| v.is_of(url));
        let mut failed = 0;
        loop {
            let before = length(part);
            let why = match self.attempt(url, part, progress).await? {
                Ended::Whole => return Ok(resumed),
                Ended::Cut(why) => why,
            };
            failed = if length(part) > before { 1 } else { failed + 1 };
            if failed >= ATTEMPTS {
                let why = format!("cut off after {} bytes: {why}", length(part));
                return Err(ArtifactError::Refused { why });
            }
            tokio::time::sleep(Duration::from_millis(200) * failed).await;
        }
    }

    async fn attempt(
        &self,
        url: &str,
        part: &Path,
        progress: Listener<'_>,
    ) -> Result<Ended, ArtifactError> {
        let version = Version::read(part).filter(|version| version.is_of(url));
        let mark = version.and_then(|version| version.mark);
        let have = if mark.is_some() { length(part) } else { 0 };
        let mut headers = Vec::new();
        if let Some(mark) = mark.filter(|_| have > 0) {
            headers = vec![(RANGE, format!("bytes={have}-")), (IF_RANGE, mark)];
        }
        let response = self.ask(url, &headers).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if range(&response).0 == Some(have) => {
                let total = range(&response).1;
                receive(response, part, have, total, progress).await
            }
            StatusCode::OK if is_page(&response) => Err(refused(&response)),
            StatusCode::OK => {
                forget(part)?;
                Version::of(url, &response).write(part)?;
                let total = response.content_length();
                receive(response, part, 0, total, progress).await
            }
            StatusCode::RANGE_NOT_SATISFIABLE if range(&response).1 == Some(have) => {
                Ok(Ended::Whole)
            }
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
                forget(part)?;
                Ok(Ended::Cut(
                    "the server answered with another part than asked for".into(),
                ))
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Ok(Ended::Cut(format!("the server answered {status}")))
            }
            _ => Err(refused(&response)),
        }
    }

    async fn ask(
        &self,
        url: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<Response, ArtifactError> {
        let host = host(url)?;
        if let Some(why) = self.down().get(&host) {
            return Err(ArtifactError::Unreachable {
                host,
                why: why.clone(),
            });
        }
        let client = self.client.get_or_init(client).as_ref();
        let client = client.map_err(|why| ArtifactError::Refused { why: why.clone() })?;
        let mut request = client.get(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.map_err(|error| {
            if !error.is_connect() && !error.is_timeout() {
                return told(error, url);
            }
            let why = chain(&error.without_url());
            self.down().insert(host.clone(), why.clone());
            ArtifactError::Unreachable { host, why }
        })
    }

    fn down(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(
    mut response: Response,
    part: &Path,
    have: u64,
    total: Option<u64>,
    progress: Listener<'_>,
) -> Result<Ended, ArtifactError> {
    let open = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(part)
        .await;
    let mut file = open.map_err(ArtifactError::io(part))?;
    let (mut done, mut told) = (have, have);
    progress(Progress::Bytes { done, total });
    let cut = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                file.write_all(&chunk)
                    .await
                    .map_err(ArtifactError::io(part))?;
                done += chunk.len() as u64;
                if done - told >= TOLD {
                    told = done;
                    progress(Progress::Bytes { done, total });
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(chain(&error.without_url())),
        }
    };
    file.flush().await.map_err(ArtifactError::io(part))?;
    file.sync_all().await.map_err(ArtifactError::io(part))?;
    progress(Progress::Bytes { done, total });
    Ok(match cut {
        Some(why) => Ended::Cut(why),
        None if total.is_some_and(|total| done < total) => Ended::Cut("the server hung up".into()),
        None => Ended::Whole,
    })
}

fn client() -> Result<Client, String> {
    // It fails where one is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("sdtd/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(|error| chain(&error))
}

fn host(url: &str) -> Result<String, ArtifactError> {
    let parsed = Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    let host = parsed
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    match host {
        Some((name, port)) => Ok(format!("{name}:{port}")),
        None => Err(ArtifactError::Refused {
            why: format!("`{url}` is no http or https address"),
        }),
    }
}
