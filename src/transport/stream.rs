//! A byte stream to a port of a host, whatever carries it.

use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// Anything that can be read from and written to: a TCP socket, a forwarded Unix socket, a test's pipe.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A boxed [`Stream`].
pub type BoxStream = Pin<Box<dyn Stream>>;

/// Opens streams to `host:port` as the cluster itself names them (advertised listeners).
///
/// Over SSH this is a forward through the host's own connection, so brokers behind NAT or with inner
/// addresses are reached as well.
#[async_trait::async_trait]
pub trait Dial: Send + Sync {
    /// Opens a stream to `port` of `host`.
    ///
    /// # Errors
    /// When the host is unknown or unreachable, or nothing listens on the port.
    async fn dial(&self, host: &str, port: u16) -> io::Result<BoxStream>;
}
