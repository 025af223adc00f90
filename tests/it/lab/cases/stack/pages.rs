//! What is seen through the fronts.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::lab::hosts::{HOSTS, address};

/// The longest that anybody may wait for a page.
const WITHIN: Duration = Duration::from_secs(5);

/// Whether the page behind the front answers on all of these hosts.
pub fn all_answer(hosts: &[&str]) -> bool {
    all_answer_to(hosts, "")
}

fn all_answer_to(hosts: &[&str], cookie: &str) -> bool {
    let right = |said: String| said.lines().next().is_some_and(|l| l.contains(" 200"));
    hosts
        .iter()
        .all(|host| answers(host, cookie).is_some_and(right))
}

/// What a host's front answers on a new connection, to a browser that was with one of the servers or with none.
fn answers(host: &str, cookie: &str) -> Option<String> {
    get(&format!("{}:80", address(host)), "/api/version", cookie)
}

/// What is answered on a new connection, within what anybody may have to wait.
fn get(at: &str, path: &str, cookie: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&at.parse().ok()?, WITHIN).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\n{cookie}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// From the moment that a host is off, each new connection to each other one is answered in time: of a browser that
/// was with the dead one, and of one that was with none. The longest wait.
pub fn pages_answer(others: &[&str], dead: &str) -> Duration {
    let cookie = format!("Cookie: sdtd-zeppelin-web={dead}\r\n");
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < 4 * WITHIN {
        for (host, cookie) in others
            .iter()
            .flat_map(|host| [(host, ""), (host, &*cookie)])
        {
            let asked = Instant::now();
            let right = all_answer_to(&[host], cookie);
            let took = asked.elapsed();
            longest = longest.max(took);
            assert!(
                right && took < WITHIN,
                "{host} {cookie:?} without {dead}: {right} after {took:?}"
            );
        }
    }
    longest
}

/// Whether a NameNode is up and not open yet.
pub fn waits_in_safe_mode() -> bool {
    HOSTS.iter().any(|host| {
        let page = format!("{}:9870", address(host));
        get(
            &page,
            "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState",
            "",
        )
        .is_some_and(|said| said.contains("\"safeMode\""))
    })
}
