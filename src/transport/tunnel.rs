//! A stream to a port behind an SSH connection, as `ssh -W` makes it: asked of the connection's master in its own
//! words (OpenSSH's PROTOCOL.mux, `MUX_C_NEW_STDIO_FWD`). Unlike a forward it tells whether anybody listens there.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream as Pair;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use sendfd::SendWithFd as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::UnixStream;

const HELLO: u32 = 0x0000_0001;
const VERSION: u32 = 4;
const STDIO_FORWARD: u32 = 0x1000_0008;
const OPENED: u32 = 0x8000_0006;
const FAILED: u32 = 0x8000_0003;
/// The one request of each connection.
const REQUEST: u32 = 0;
/// No answer is as long as this, in bytes.
const LONGEST: usize = 64 << 10;

/// A stream to a port. The master ends it when `control` is closed.
pub(super) struct Tunnel {
    reads: UnixStream,
    writes: UnixStream,
    _control: UnixStream,
}

impl Tunnel {
    /// Opens a stream to a port as seen from the host that the master is connected to.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] when nothing listens there or the host does not let it be reached; others
    /// when the connection is lost.
    pub(super) async fn open(master: &Path, host: &str, port: u16) -> io::Result<Self> {
        let mut control = UnixStream::connect(master).await?;
        let hello = [HELLO, VERSION].map(u32::to_be_bytes).concat();
        tell(&mut control, &hello).await?;
        if kind(&hear(&mut control).await?) != Some(HELLO) {
            return Err(io::Error::other("the ssh master does not greet"));
        }
        let request = [
            &STDIO_FORWARD.to_be_bytes()[..],
            &REQUEST.to_be_bytes(),
            &text("")?,
            &text(host)?,
            &u32::from(port).to_be_bytes(),
        ];
        tell(&mut control, &request.concat()).await?;
        // One for each way: the end of one is told by closing it, and must not end the other.
        let [writes, reads] = [ours(&control).await?, ours(&control).await?];
        let answer = hear(&mut control).await?;
        match kind(&answer) {
            Some(OPENED) => Ok(Self {
                reads,
                writes,
                _control: control,
            }),
            Some(FAILED) => Err(io::ErrorKind::ConnectionRefused.into()),
            other => Err(io::Error::other(format!(
                "the ssh master answers {other:x?}"
            ))),
        }
    }
}

/// Gives the master one end of a pair of sockets; the other one is ours.
async fn ours(control: &UnixStream) -> io::Result<UnixStream> {
    let (ours, theirs) = Pair::pair()?;
    ours.set_nonblocking(true)?;
    loop {
        control.writable().await?;
        match control.send_with_fd(&[0], &[theirs.as_raw_fd()]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => {
                sent?;
                return UnixStream::from_std(ours);
            }
        }
    }
}

/// A text as it stands in a message.
fn text(text: &str) -> io::Result<Vec<u8>> {
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes()[..], text.as_bytes()].concat())
}

async fn tell(control: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    control
        .write_all(&[&length.to_be_bytes(), message].concat())
        .await
}

async fn hear(control: &mut UnixStream) -> io::Result<Vec<u8>> {
    let length = control.read_u32().await? as usize;
    if length > LONGEST {
        return Err(io::Error::other("the ssh master makes no sense"));
    }
    let mut message = vec![0; length];
    control.read_exact(&mut message).await?;
    Ok(message)
}

/// What kind of message it is: the number that it begins with.
fn kind(message: &[u8]) -> Option<u32> {
    message.first_chunk().copied().map(u32::from_be_bytes)
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reads).poll_read(context, into)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_shutdown(context)
    }
}
