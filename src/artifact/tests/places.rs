//! Which place a package is taken from, and what is said where none has it.

use super::super::testing::{Bench, Page, Server, archive, gzip, release, request, sums, tar};
use super::super::*;
use std::time::{Duration, Instant};

#[tokio::test]
async fn every_place_is_named_where_none_has_it() {
    let server = Server::start();
    let mut bench = Bench::with_packages(&[("mill-3.9.0.tgz", b"")]);
    bench.shelf.maven = "no-such-mvn".into();
    bench.shelf.jdks = Vec::new();
    let mut missing = Page::new("");
    missing.status = 404;
    let mut portal = Page::new("<html>log in");
    portal.kind = "text/html; charset=utf-8";
    let closed = "http://127.0.0.1:1/mill.tgz".to_owned();
    let mut wanted = request("mill", "3.9.1");
    wanted.arch = Arch::here().unwrap();
    wanted.sources = vec![
        archive(server.put("/none.tgz", missing), None),
        archive(server.put("/portal.tgz", portal), None),
        archive(closed.clone(), None),
        archive(closed, None),
        Source::Maven {
            lock: format!("a:b:1 {}", "0".repeat(64)),
            into: "lib".into(),
        },
        Source::Jlink {
            modules: vec!["java.base".into()],
        },
    ];
    let error = bench.resolve(&wanted).await.unwrap_err();
    let text = error.to_string();
    let ArtifactError::NotFound { tried, .. } = error else {
        panic!("{text}")
    };
    let whys: Vec<&str> = tried.iter().map(|tried| tried.why.as_str()).collect();
    assert_eq!(whys.len(), 8);
    let folder = "no .tar, .tgz or .tar.gz file of it fits";
    assert_eq!(whys[..2], [folder, "is not there"]);
    assert_eq!(whys[2], "the server answered 404 Not Found");
    assert_eq!(
        whys[3],
        "the server answered with a web page instead of the file"
    );
    assert!(
        whys[4].starts_with("127.0.0.1:1 can't be reached: "),
        "{}",
        whys[4]
    );
    assert_eq!(whys[5], whys[4]);
    assert_eq!(whys[6], "`no-such-mvn` is not installed here");
    assert_eq!(
        whys[7],
        "a JDK 3 with jlink is wanted, none is installed here"
    );
    assert!(
        text.starts_with("no package of mill 3.9.1 for x86_64\n  folder "),
        "{text}"
    );
}

#[tokio::test]
async fn a_silent_network_is_waited_for_once() {
    // A server whose queue is full answers no one: connecting to it hangs.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let far = format!("http://{address}/k.tgz");
    let mut held = Vec::new();
    for _ in 0..600 {
        match std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
            Ok(stream) => held.push(stream),
            Err(_) => break,
        }
    }
    let bench = Bench::new();
    let mut wanted = request("mill", "3.9.1");
    let started = Instant::now();
    wanted.sources = vec![archive(far.clone(), None)];
    bench.resolve(&wanted).await.unwrap_err();
    let first = started.elapsed();
    assert!(first < Duration::from_secs(60), "{first:?}");
    wanted.version = "2".into();
    let again = Instant::now();
    bench.resolve(&wanted).await.unwrap_err();
    // It was not asked again.
    let again = again.elapsed();
    assert!(again < first / 2, "{again:?} after {first:?}");
}

#[tokio::test]
async fn offline_nothing_is_asked() {
    let (server, mut bench) = (Server::start(), Bench::new());
    bench.shelf = bench.shelf.offline();
    let mut wanted = request("mill", "3.9.1");
    wanted.sources = vec![archive(server.put("/k.tgz", Page::new(release())), None)];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(error.ends_with("the network is not to be used"), "{error}");
    assert!(server.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_users_file_is_taken_as_it_is() {
    let bench = Bench::new();
    let mut wanted = request("mill", "3.9.1");
    let file = bench.file(
        "my own build.tgz",
        &gzip(&tar(&["mill/libs/a.jar", "mill/NOTICE"])),
    );
    wanted.given = Some(file.clone());
    assert_eq!(bench.shelf.cached(&wanted), None);
    let got = bench.resolve(&wanted).await.unwrap();
    assert_eq!((got.format, got.strip), (Format::TarGz, 1));
    assert_eq!(bench.shelf.cached(&wanted), Some(got.clone()));
    bench.file("my own build.tgz", &tar(&["libs/other.jar"]));
    assert_eq!(bench.shelf.cached(&wanted), None, "the file has changed");
    let changed = bench.resolve(&wanted).await.unwrap();
    assert_eq!((changed.format, changed.strip), (Format::Tar, 0));
    assert_ne!(changed.sha256, got.sha256);

    wanted.given = Some(bench.file("java-aarch64.tgz", b""));
    let error = bench.resolve(&wanted).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is for aarch64, the hosts are x86_64"),
        "{error}"
    );
    wanted.given = Some(bench.dir.path().join("none.tgz"));
    assert!(matches!(
        bench.resolve(&wanted).await.unwrap_err(),
        ArtifactError::Io { .. }
    ));
}

#[tokio::test]
async fn a_file_with_upstreams_name_has_to_have_upstreams_checksum() {
    let body = release();
    let bench = Bench::with_packages(&[("mill_2.13-3.9.1.tgz", &body)]);
    let mut wanted = request("mill", "3.9.1");
    let url = "http://127.0.0.1:1/x/mill_2.13-3.9.1.tgz";
    wanted.sources = vec![archive(url.into(), Some(sums(&body).sha512))];
    let got = bench.resolve(&wanted).await.unwrap();
    assert_eq!(bench.shelf.cached(&wanted), Some(got.clone()));
    assert!(got.origin.starts_with("file "));
    wanted.sources = vec![archive(url.into(), Some("0".repeat(128)))];
    assert_eq!(bench.shelf.cached(&wanted), None);
    let error = bench.resolve(&wanted).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Checksum { .. }), "{error}");
    assert!(got.path.exists(), "a user's file is not removed");
}

#[tokio::test]
async fn two_at_once_fetch_it_once() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let mut wanted = request("mill", "3.9.1");
    wanted.sources = vec![archive(url, Some(sums(&body).sha512))];
    let other = Shelf::new(bench.dir.path().join("cache"));
    let quiet = |_| {};
    let (one, two) = tokio::join!(bench.resolve(&wanted), other.resolve(&wanted, &quiet));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(server.log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cache_that_was_moved_holds_what_it_held() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let mut wanted = request("mill", "3.9.1");
    wanted.sources = vec![archive(url, Some(sums(&body).sha512))];
    let before = bench.resolve(&wanted).await.unwrap();
    let moved = bench.dir.path().join("elsewhere");
    std::fs::rename(bench.dir.path().join("cache"), &moved).unwrap();
    let after = Shelf::new(&moved).cached(&wanted).unwrap();
    assert_eq!(after.sha256, before.sha256);
    assert!(after.path.starts_with(&moved), "{}", after.path.display());
}
