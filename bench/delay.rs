//! A `ProxyCommand` that makes a network slow: each way, bytes arrive so many milliseconds later than they were sent.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, ms] = &words[..] else {
        return ExitCode::from(2);
    };
    let delay = ms
        .parse()
        .map(|ms: f64| Duration::from_secs_f64(ms / 1000.0));
    let stream = TcpStream::connect(format!("{host}:{port}"));
    match (delay, stream) {
        (Ok(delay), Ok(stream)) if relay(&stream, delay).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn relay(stream: &TcpStream, delay: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (to, from) = (stream.try_clone()?, stream.try_clone()?);
    let there = thread::spawn(move || {
        late(io::stdin(), to.try_clone()?, delay)?;
        to.shutdown(Shutdown::Write)
    });
    late(from, io::stdout(), delay)?;
    // Nobody answers any more: what is still on its way there does not matter.
    drop(there);
    Ok(())
}

/// Passes bytes on, each so much later than it came.
fn late(
    mut from: impl Read,
    mut to: impl Write + Send + 'static,
    delay: Duration,
) -> io::Result<()> {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    let writer = thread::spawn(move || {
        for (due, bytes) in receive {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            to.write_all(&bytes)?;
            to.flush()?;
        }
        io::Result::Ok(())
    });
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            n if send
                .send((Instant::now() + delay, buffer[..n].to_vec()))
                .is_err() =>
            {
                break;
            }
            _ => {}
        }
    }
    drop(send);
    writer.join().unwrap_or(Ok(()))
}
