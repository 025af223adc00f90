//! A running command, here or on a host: three streams and an end.

use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// What a command reads from.
pub type BoxWrite = Pin<Box<dyn AsyncWrite + Send>>;
/// What a command writes to.
pub type BoxRead = Pin<Box<dyn AsyncRead + Send>>;

/// How a command ends: its exit code, none if it was killed.
pub type BoxEnd = Pin<Box<dyn Future<Output = Result<Option<i32>, super::RemoteError>> + Send>>;

/// A running command.
pub struct Process {
    /// Its standard input.
    pub stdin: BoxWrite,
    /// Its standard output.
    pub stdout: BoxRead,
    /// Its standard error.
    pub stderr: BoxRead,
    /// Its end.
    pub end: BoxEnd,
}
