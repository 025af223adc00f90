//! A script on a host that is talked with, line by line, until one side ends it.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::RemoteError;
use super::process::{BoxEnd, BoxRead, BoxWrite, Process};

/// The longest that is waited for a script that was told to end.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// A longer line is no answer.
const LINE_LIMIT: u64 = 64 << 10;
/// The line after which the script has all of itself, and what follows is for it.
pub(super) const GO: &str = "@sdtd-go";

/// Reads a script and then runs it, so that what comes after it is the script's own input; it knows from where
/// its host was reached.
pub(super) const READER: &str = r#"sh -c 'eval "$(while IFS= read -r l && [ "$l" != @sdtd-go ]; do printf "%s\n" "$l"; done)"' sh "$SSH_CONNECTION""#;

/// A script that runs, and its two ends.
pub struct Talk {
    stdin: BoxWrite,
    stdout: BufReader<BoxRead>,
    /// Not read; held, so that complaints do not end it.
    _stderr: BoxRead,
    end: BoxEnd,
}

impl Talk {
    /// Gives it its script.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(super) async fn begin(process: Process, script: &str) -> Result<Self, RemoteError> {
        let mut talk = Self {
            stdin: process.stdin,
            stdout: BufReader::new(process.stdout),
            _stderr: process.stderr,
            end: process.end,
        };
        talk.say(&format!("{script}\n{GO}\n")).await?;
        Ok(talk)
    }

    /// Says lines to it.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn say(&mut self, lines: &str) -> Result<(), RemoteError> {
        let lost = |e: std::io::Error| RemoteError::Lost(e.to_string());
        self.stdin.write_all(lines.as_bytes()).await.map_err(lost)?;
        self.stdin.flush().await.map_err(lost)
    }

    /// Its next line; none: it has ended.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn hear(&mut self) -> Result<Option<String>, RemoteError> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stdout).take(LINE_LIMIT);
        let read = limited.read_until(b'\n', &mut line).await;
        let n = read.map_err(|e| RemoteError::Lost(e.to_string()))?;
        let text = String::from_utf8_lossy(&line);
        Ok((n > 0).then(|| text.trim_end_matches('\n').to_owned()))
    }

    /// Ends what it reads, and waits until it has ended.
    pub async fn close(mut self) {
        let ended = async {
            let _ = self.stdin.shutdown().await;
            drop(self.stdin);
            while self.stdout.read_u8().await.is_ok() {}
            let _ = self.end.await;
        };
        let _ = tokio::time::timeout(ENDS_WITHIN, ended).await;
    }
}
