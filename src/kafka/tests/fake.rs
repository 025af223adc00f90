//! A broker at the other end of a pipe, which answers as a function says.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::io::AsyncWriteExt;

use crate::kafka::connection::{Connection, read_frame};
use crate::kafka::error::Result;
use crate::transport::{BoxStream, Dial};

pub(super) const SOON: Duration = Duration::from_millis(300);

/// A request as it came.
pub(super) struct Asked {
    /// Which port was dialled.
    pub(super) port: u16,
    pub(super) key: ApiKey,
    pub(super) version: i16,
    pub(super) id: i32,
    pub(super) body: Bytes,
}

impl Asked {
    /// A whole frame that answers this request.
    pub(super) fn answer(&self, body: &impl Encodable) -> Vec<u8> {
        self.answer_in(self.version, body)
    }

    /// A whole frame that answers in another version than was asked for.
    pub(super) fn answer_in(&self, version: i16, body: &impl Encodable) -> Vec<u8> {
        let mut out = BytesMut::new();
        let header = ResponseHeader::default().with_correlation_id(self.id);
        header
            .encode(&mut out, self.key.response_header_version(version))
            .unwrap();
        body.encode(&mut out, version).unwrap();
        framed(&out)
    }
}

pub(super) fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_i32(i32::try_from(body.len()).unwrap());
    out.extend_from_slice(body);
    out
}

/// What a broker does with a request: bytes to send, or `None` to close the connection.
pub(super) type Behaviour = dyn Fn(&Asked) -> Option<Vec<u8>> + Send + Sync;

/// Every port has a broker of the same behaviour; `down` ports refuse.
pub(super) struct Fake {
    behaviour: Arc<Behaviour>,
    pub(super) down: Vec<u16>,
    pub(super) dialled: Mutex<Vec<u16>>,
}

impl Fake {
    pub(super) fn new(
        behaviour: impl Fn(&Asked) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            behaviour: Arc::new(behaviour),
            down: Vec::new(),
            dialled: Mutex::default(),
        }
    }

    pub(super) async fn connect(&self) -> Result<Connection> {
        Connection::open(self, "b", 1, SOON).await
    }
}

#[async_trait::async_trait]
impl Dial for Fake {
    async fn dial(&self, _host: &str, port: u16) -> io::Result<BoxStream> {
        self.dialled.lock().unwrap().push(port);
        if self.down.contains(&port) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let behaviour = Arc::clone(&self.behaviour);
        tokio::spawn(async move {
            let mut theirs: BoxStream = Box::pin(theirs);
            while let Ok(mut body) = read_frame(&mut theirs).await {
                let key = ApiKey::try_from(i16::from_be_bytes([body[0], body[1]])).unwrap();
                let version = i16::from_be_bytes([body[2], body[3]]);
                let header = key.request_header_version(version);
                let id = RequestHeader::decode(&mut body, header)
                    .unwrap()
                    .correlation_id;
                let asked = Asked {
                    port,
                    key,
                    version,
                    id,
                    body,
                };
                let Some(answer) = behaviour(&asked) else {
                    return;
                };
                if theirs.write_all(&answer).await.is_err() {
                    return;
                }
            }
        });
        Ok(Box::pin(ours))
    }
}

/// The answer to ApiVersions: these keys, each from 0 to the version given.
pub(super) fn offers(keys: &[(ApiKey, i16)]) -> ApiVersionsResponse {
    let offered = |(key, max): &(ApiKey, i16)| {
        ApiVersion::default()
            .with_api_key(*key as i16)
            .with_max_version(*max)
    };
    ApiVersionsResponse::default().with_api_keys(keys.iter().map(offered).collect())
}
