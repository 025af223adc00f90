//! A host that is a directory of this machine: commands run here, as whoever runs sdtd.

use std::io;
use std::process::Stdio;

use tokio::net::TcpStream;
use tokio::process::Command;

use super::process::Process;
use super::{BoxStream, RemoteError};

/// This machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

impl Local {
    /// Starts a command of the shell.
    ///
    /// # Errors
    /// When there is no `sh`.
    pub fn spawn(self, command: &str) -> Result<Process, RemoteError> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for sdtd: what it runs ends its step first.
            .process_group(0)
            .spawn()
            .map_err(|e| RemoteError::Lost(format!("/bin/sh: {e}")))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(RemoteError::Lost("a command without streams".to_owned()));
        };
        Ok(Process {
            stdin: Box::pin(stdin),
            stdout: Box::pin(stdout),
            stderr: Box::pin(stderr),
            end: Box::pin(async move {
                let status = child
                    .wait()
                    .await
                    .map_err(|e| RemoteError::Lost(e.to_string()))?;
                Ok(status.code())
            }),
        })
    }

    /// Opens a stream to a port of this machine.
    ///
    /// # Errors
    /// When nothing listens there.
    pub async fn dial(self, address: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(TcpStream::connect((address, port)).await?))
    }
}
