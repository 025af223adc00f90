//! Streams to ports behind a host, over a real SSH connection. Needs root and sshd, as the hosts of `fan_out` do.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join_all;
use sdtd::transport::{Sockets, Ssh, SshOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::fan_out::servers::{Servers, address};
use crate::golden::tell;

/// More than any buffer on the way holds.
const MUCH: usize = 4 << 20;

async fn connect(servers: &Servers, sockets: &Path) -> Ssh {
    let options = SshOptions {
        destination: address(1),
        config: Some(servers.config()),
        ..SshOptions::default()
    };
    let sockets = Sockets {
        run: sockets,
        kept: sockets,
    };
    Ssh::connect(&options, sockets).await.expect("connected")
}

/// Serves so many clients at once on a port of its own: its number, and what each of them said.
fn serve(clients: usize, with: fn(TcpStream) -> Vec<u8>) -> (u16, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let served = std::thread::spawn(move || {
        let accepted = (0..clients).map(|_| listener.accept().expect("a client").0);
        let all: Vec<_> = accepted
            .map(|client| std::thread::spawn(move || with(client)))
            .collect();
        let said = all.into_iter().map(|one| one.join().expect("served"));
        said.collect()
    });
    (port, served)
}

/// Answers what was said once the client has said all, and ends.
fn echo(mut client: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    client.read_to_end(&mut said).expect("read");
    client.write_all(&said).expect("written");
    said
}

/// Ends at once, and waits for the client's end.
fn hush(client: TcpStream) -> Vec<u8> {
    client.shutdown(std::net::Shutdown::Write).expect("ended");
    let mut said = Vec::new();
    let _ = (&client).read_to_end(&mut said);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_behind_a_host_is_reached_or_told_to_be_closed() {
    let servers = match Servers::start(1) {
        Ok(servers) => servers,
        Err(why) => return tell(&format!("SKIPPED: streams over SSH: {why}")),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let ssh = connect(&servers, folder.path()).await;

    // More at once than sshd lets sessions be, each with more than fits into a buffer.
    let (port, served) = serve(20, echo);
    let bytes: Vec<u8> = (0..MUCH).map(|n| (n * n / 11) as u8).collect();
    let talks = (0..20).map(async |_| {
        let stream = ssh.dial("127.0.0.1", port).await.expect("open");
        let (mut reads, mut writes) = tokio::io::split(stream);
        writes.write_all(&bytes).await.expect("written");
        writes.shutdown().await.expect("said all");
        let mut heard = Vec::new();
        reads.read_to_end(&mut heard).await.expect("answered");
        assert!(heard == bytes, "{} bytes came back", heard.len());
    });
    join_all(talks).await;
    assert!(
        served
            .join()
            .expect("served")
            .iter()
            .all(|said| *said == bytes)
    );

    let (port, served) = serve(1, hush);
    let mut stream = ssh.dial("127.0.0.1", port).await.expect("open");
    assert_eq!(stream.read(&mut [0]).await.expect("its end"), 0);
    drop(stream);
    let said = tokio::task::spawn_blocking(|| served.join().expect("served"));
    let said = said.await.expect("our end is seen there too");
    assert!(said.iter().all(Vec::is_empty), "{said:?}");

    // Nobody listens there any more, and it is told without waiting for anything.
    let refused = ssh.dial("127.0.0.1", port).await.err().expect("refused");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}");

    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    tokio::time::timeout(Duration::from_secs(20), ssh.close())
        .await
        .expect("nothing holds the connection");
    assert!(
        left <= 2,
        "a configuration and the master's folder, not {left}"
    );
}
