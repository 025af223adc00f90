//! One connection to one broker: frames, correlation ids, and the choice of versions.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::error::{Error, Result};
use crate::transport::{BoxStream, Dial};

/// No answer to an admin request comes near this; a longer frame is not one.
const FRAME_LIMIT: usize = 32 << 20;
/// How this client names itself in the brokers' request logs.
const CLIENT_ID: &str = "sdtd";
/// Understood by every broker since 2.4; older ones and simulators answer it with error 35.
const API_VERSIONS: i16 = 3;
/// UNSUPPORTED_VERSION.
const UNSUPPORTED: i16 = 35;

/// A stream to a broker with the versions it offers.
///
/// Requests go one after the other. A request that was given up half-way (a timeout, a dropped future)
/// leaves the stream unusable, which [`Connection::is_broken`] tells.
pub struct Connection {
    addr: String,
    stream: BoxStream,
    next_id: i32,
    offered: BTreeMap<i16, VersionRange>,
    broken: bool,
}

impl Connection {
    /// Dials the broker and asks which versions it offers, both within `limit`.
    ///
    /// # Errors
    /// When it cannot be reached, or what answers is not a broker.
    pub async fn open(dial: &dyn Dial, host: &str, port: u16, limit: Duration) -> Result<Self> {
        let addr = format!("{host}:{port}");
        let stream = match timeout(limit, dial.dial(host, port)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => return Err(Error::Dial { addr, source }),
            Err(_) => {
                return Err(Error::Dial {
                    addr,
                    source: io::ErrorKind::TimedOut.into(),
                });
            }
        };
        Self::over(addr, stream, limit).await
    }

    /// Speaks to a broker over a stream that is already there.
    ///
    /// # Errors
    /// When what answers is not a broker.
    pub async fn over(addr: String, stream: BoxStream, limit: Duration) -> Result<Self> {
        // A start that cannot be guessed: bytes of another protocol never pass for an answer.
        let next_id = RandomState::new().hash_one(&addr) as i32 & 0x3fff_ffff;
        let mut this = Self {
            addr,
            stream,
            next_id,
            offered: BTreeMap::new(),
            broken: false,
        };
        let mut answer = this.ask_versions(API_VERSIONS, limit).await?;
        if answer.error_code == UNSUPPORTED {
            answer = this.ask_versions(0, limit).await?;
        }
        if answer.error_code != 0 {
            let detail = format!("error {} to the first question", answer.error_code);
            return Err(this.malformed(api_name::<ApiVersionsRequest>(), detail));
        }
        this.offered = answer
            .api_keys
            .iter()
            .map(|a| {
                (
                    a.api_key,
                    VersionRange {
                        min: a.min_version,
                        max: a.max_version,
                    },
                )
            })
            .collect();
        Ok(this)
    }

    /// The broker, as `host:port`.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Whether the stream can no longer be used.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The highest version of `R` that both sides know.
    pub fn version<R: Request>(&self) -> Option<i16> {
        let common = self.offered.get(&R::KEY)?.intersect(&R::VERSIONS);
        (!common.is_empty()).then_some(common.max)
    }

    /// Sends a request in the highest common version and waits for the answer.
    ///
    /// # Errors
    /// When there is no common version, the stream breaks, the time is over, or the answer makes no sense.
    pub async fn send<R: Request>(&mut self, request: &R, limit: Duration) -> Result<R::Response> {
        self.send_capped(request, i16::MAX, limit).await
    }

    /// Like [`Connection::send`], in no version above `cap` (where later ones name topics by id, say).
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn send_capped<R: Request>(
        &mut self,
        request: &R,
        cap: i16,
        limit: Duration,
    ) -> Result<R::Response> {
        let api = api_name::<R>();
        let unsupported = || Error::Unsupported {
            addr: self.addr.clone(),
            api,
        };
        let offered = self.offered.get(&R::KEY).ok_or_else(unsupported)?;
        let known = VersionRange {
            min: R::VERSIONS.min,
            max: R::VERSIONS.max.min(cap),
        };
        let common = offered.intersect(&known);
        if common.is_empty() {
            return Err(unsupported());
        }
        let mut body = self.exchange(request, common.max, limit).await?;
        R::Response::decode(&mut body, common.max)
            .map_err(|e| self.malformed(api, format!("version {}: {e}", common.max)))
    }

    async fn ask_versions(&mut self, version: i16, limit: Duration) -> Result<ApiVersionsResponse> {
        let name = StrBytes::from_static_str(CLIENT_ID);
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            request.client_software_name = name;
            request.client_software_version = StrBytes::from_static_str(env!("CARGO_PKG_VERSION"));
        }
        let mut body = self.exchange(&request, version, limit).await?;
        // "I don't know that version" is always written in version 0.
        let refused = body.get(..2) == Some(&UNSUPPORTED.to_be_bytes()[..]);
        if refused {
            return Ok(ApiVersionsResponse::default().with_error_code(UNSUPPORTED));
        }
        ApiVersionsResponse::decode(&mut body, version)
            .map_err(|e| self.malformed(api_name::<ApiVersionsRequest>(), e.to_string()))
    }

    /// One frame out, one frame in; the body of the answer, with its header taken off.
    async fn exchange<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<Bytes> {
        let api = api_name::<R>();
        let id = self.next_id;
        self.next_id = id.wrapping_add(1) & i32::MAX;
        let frame = encode(request, version, id).map_err(|e| Error::Encode {
            addr: self.addr.clone(),
            api,
            version,
            detail: e.to_string(),
        })?;
        // Set until the whole answer is here: a future dropped in between leaves it so.
        self.broken = true;
        let answer = timeout(limit, round(&mut self.stream, &frame)).await;
        let mut body = match answer {
            Ok(Ok(body)) => body,
            Ok(Err(e)) if e.kind() == io::ErrorKind::InvalidData => {
                return Err(self.malformed(api, e.to_string()));
            }
            Ok(Err(source)) => {
                return Err(Error::Io {
                    addr: self.addr.clone(),
                    api,
                    source,
                });
            }
            Err(_) => {
                return Err(Error::Timeout {
                    addr: self.addr.clone(),
                    api,
                    after: limit,
                });
            }
        };
        let header = ResponseHeader::decode(&mut body, R::Response::header_version(version))
            .map_err(|e| self.malformed(api, e.to_string()))?;
        if header.correlation_id != id {
            let detail = format!("correlation id {} instead of {id}", header.correlation_id);
            return Err(self.malformed(api, detail));
        }
        self.broken = false;
        Ok(body)
    }

    fn malformed(&self, api: &'static str, detail: String) -> Error {
        Error::Malformed {
            addr: self.addr.clone(),
            api,
            detail,
        }
    }
}

/// The request's name as upstream writes it, without "Request".
pub(crate) fn api_name<R: Request>() -> &'static str {
    let full = std::any::type_name::<R>();
    let last = full.rsplit("::").next().unwrap_or(full);
    last.strip_suffix("Request").unwrap_or(last)
}

fn encode<R: Request>(
    request: &R,
    version: i16,
    id: i32,
) -> std::result::Result<BytesMut, Box<dyn std::error::Error + Send + Sync>> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(id)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version))?;
    request.encode(&mut frame, version)?;
    let length = i32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

async fn round(stream: &mut BoxStream, frame: &[u8]) -> io::Result<Bytes> {
    stream.write_all(frame).await?;
    stream.flush().await?;
    read_frame(stream).await
}

/// Reads one frame. The announced length is not trusted: memory grows only with what arrives.
pub(crate) async fn read_frame(stream: &mut BoxStream) -> io::Result<Bytes> {
    let length = stream.read_i32().await?;
    let length = usize::try_from(length)
        .ok()
        .filter(|n| (4..=FRAME_LIMIT).contains(n))
        .ok_or_else(|| invalid(format!("a frame of {length} bytes")))?;
    let mut body = Vec::new();
    stream.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(body))
}

fn invalid(detail: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail)
}
