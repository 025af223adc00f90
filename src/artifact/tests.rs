//! The whole way of a package, from a request to the file.

use super::testing::{Bench, Page, Server, archive, gzip, request, tar};
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// An archive as upstream makes them, with content that gzip can't make small.
fn release() -> Vec<u8> {
    let mut noise = Vec::new();
    let mut state: u32 = 1;
    while noise.len() < 600_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push((state >> 24) as u8);
    }
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(noise.len() as u64);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, "kafka_2.13-3.9.1/libs/a.jar", &noise[..])
        .unwrap();
    gzip(&builder.into_inner().unwrap())
}

fn sums(bytes: &[u8]) -> sum::Sums {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    sum::Sums::of(file.path()).unwrap()
}

#[tokio::test]
async fn a_download_is_checked_kept_and_found_again() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/kafka_2.13-3.9.1.tgz", Page::new(&body[..]));
    let mut wanted = request("kafka", "3.9.1");
    wanted.sources = vec![archive(
        url.clone(),
        Some(sums(&body).sha512.to_uppercase()),
    )];
    assert_eq!(bench.shelf.cached(&wanted), None);
    let got = bench.resolve(&wanted).await.unwrap();
    assert_eq!(
        (got.sha256.clone(), got.size),
        (sums(&body).sha256, body.len() as u64)
    );
    assert_eq!((got.format, got.strip), (Format::TarGz, 1));
    assert_eq!(got.origin, format!("archive {url} (checked)"));
    assert_eq!(fs::read(&got.path).unwrap(), body);
    assert_eq!(bench.shelf.cached(&wanted), Some(got.clone()));
    assert_eq!(bench.resolve(&wanted).await.unwrap(), got);
    assert_eq!(server.log.lock().unwrap().len(), 1);
    let told = bench.told.lock().unwrap();
    let total = Some(body.len() as u64);
    assert_eq!(
        told.last(),
        Some(&Progress::Bytes {
            done: body.len() as u64,
            total
        })
    );
    assert_eq!(bench.kept().len(), 2, "{:?}", bench.kept());
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let mut page = Page::new(&body[..]);
    page.cut = Some(250_000);
    let url = server.put("/k.tgz", page);
    let mut wanted = request("kafka", "3.9.1");
    wanted.sources = vec![archive(url, Some(sums(&body).sha512))];
    bench.resolve(&wanted).await.unwrap();
    let log = server.log.lock().unwrap();
    let asked: Vec<_> = log.iter().map(|(_, first, sent)| (*first, *sent)).collect();
    assert_eq!(
        asked,
        [
            (0, 250_000),
            (250_000, 250_000),
            (500_000, body.len() - 500_000)
        ]
    );
}

#[tokio::test]
async fn a_later_run_asks_for_the_rest_of_the_same_file_only() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let mut wanted = request("kafka", "3.9.1");
    let mut page = Page::new(&body[..]);
    page.cut = Some(0);
    let url = server.put("/k.tgz", page.clone());
    wanted.sources = vec![archive(url, Some(sums(&body).sha512))];
    let place = bench.shelf.place_of(&wanted, &wanted.sources[0]).unwrap();
    let part = shelf::beside(&place, ".part");
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(error.contains("cut off after 0 bytes"), "{error}");
    assert!(!place.exists() && bench.shelf.cached(&wanted).is_none());
    fs::write(&part, &body[..100_000]).unwrap();
    page.cut = None;
    server.put("/k.tgz", page.clone());
    server.log.lock().unwrap().clear();
    bench.resolve(&wanted).await.unwrap();
    assert_eq!(server.log.lock().unwrap()[0].1, 100_000);

    // Another version of the file upstream: all of it is asked for.
    let cache = place.parent().unwrap();
    fs::remove_file(&place).unwrap();
    fs::write(&part, b"old").unwrap();
    let version = format!(r#"{{"url":"{}/k.tgz","mark":"\"zero\""}}"#, server.root);
    fs::write(shelf::beside(&part, ".json"), version).unwrap();
    server.log.lock().unwrap().clear();
    bench.resolve(&wanted).await.unwrap();
    let log: Vec<_> = server.log.lock().unwrap().clone();
    assert_eq!(log, [("/k.tgz".into(), 0, body.len())]);
    assert!(!part.exists() && cache.exists());
}

#[tokio::test]
async fn a_wrong_beginning_is_thrown_away_once() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let mut wanted = request("kafka", "3.9.1");
    wanted.sources = vec![archive(url.clone(), Some(sums(&body).sha512))];
    let place = bench.shelf.place_of(&wanted, &wanted.sources[0]).unwrap();
    let part = shelf::beside(&place, ".part");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&part, vec![0; 1000]).unwrap();
    let version = format!(r#"{{"url":"{url}","mark":"\"one\""}}"#);
    fs::write(shelf::beside(&part, ".json"), version).unwrap();
    bench.resolve(&wanted).await.unwrap();
    let firsts: Vec<_> = server
        .log
        .lock()
        .unwrap()
        .iter()
        .map(|(_, first, _)| *first)
        .collect();
    assert_eq!(firsts, [1000, 0]);
}

#[tokio::test]
async fn a_wrong_file_is_not_used() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let mut wanted = request("kafka", "3.9.1");
    wanted.sources = vec![archive(url.clone(), Some("0".repeat(128)))];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    let got = sums(&body).sha512;
    let zeros = "0".repeat(128);
    assert_eq!(
        error,
        format!("{url} has the wrong SHA-512 checksum: expected {zeros}, got {got}")
    );
    assert_eq!(bench.kept(), Vec::<String>::new());

    let url = server.put("/half.tgz", Page::new(&body[..body.len() / 2]));
    wanted.sources = vec![archive(url, None)];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(error.contains("cut short"), "{error}");
    assert_eq!(bench.kept(), Vec::<String>::new());

    wanted.sources = vec![archive("http://127.0.0.1/x.tgz".into(), Some("12".into()))];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert_eq!(error, "not a SHA-512 in hex: 12");
}

#[tokio::test]
async fn upstreams_sum_file_is_asked_where_no_checksum_is_known() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let sum = sums(&body).sha512.to_uppercase();
    let (first, rest) = sum.split_at(64);
    let text = format!("k.tgz: {first}\n       {rest}\n");
    let sum_url = server.put("/k.tgz.sha512", Page::new(text));
    let mut wanted = request("kafka", "3.9.1");
    let source = |sum_url: &str| Source::Archive {
        url: url.clone(),
        sha512: None,
        sums: Some(sum_url.into()),
        sha256: None,
        strip: 1,
    };
    wanted.sources = vec![source(&sum_url)];
    let origin = bench.resolve(&wanted).await.unwrap().origin;
    assert_eq!(
        origin,
        format!("archive {url} (checked by upstream's own sum file)")
    );
    let other = server.put(
        "/other.sha512",
        Page::new(format!("{}  other.tgz", "0".repeat(128))),
    );
    wanted.sources = vec![source(&other)];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(
        error.contains("other.sha512 has no SHA-512 of k.tgz"),
        "{error}"
    );
}

#[tokio::test]
async fn every_place_is_named_where_none_has_it() {
    let server = Server::start();
    let mut bench = Bench::with_packages(&[("kafka-3.9.0.tgz", b"")]);
    bench.shelf.maven = "no-such-mvn".into();
    bench.shelf.jdks = Vec::new();
    let mut missing = Page::new("");
    missing.status = 404;
    let mut portal = Page::new("<html>log in");
    portal.kind = "text/html; charset=utf-8";
    let closed = "http://127.0.0.1:1/kafka.tgz".to_owned();
    let mut wanted = request("kafka", "3.9.1");
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
    assert_eq!(whys[..2], ["no file of it fits", "is not there"]);
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
        text.starts_with("no package of kafka 3.9.1 for x86_64\n  folder "),
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
    let mut wanted = request("kafka", "3.9.1");
    let started = Instant::now();
    wanted.sources = vec![archive(far.clone(), None)];
    bench.resolve(&wanted).await.unwrap_err();
    let first = started.elapsed();
    assert!(first < Duration::from_secs(8), "{first:?}");
    wanted.version = "2".into();
    let again = Instant::now();
    bench.resolve(&wanted).await.unwrap_err();
    assert!(again.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn offline_nothing_is_asked() {
    let (server, mut bench) = (Server::start(), Bench::new());
    bench.shelf = bench.shelf.offline();
    let mut wanted = request("kafka", "3.9.1");
    wanted.sources = vec![archive(server.put("/k.tgz", Page::new(release())), None)];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(error.ends_with("the network is not to be used"), "{error}");
    assert!(server.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_users_file_is_taken_as_it_is() {
    let bench = Bench::new();
    let mut wanted = request("kafka", "3.9.1");
    let file = bench.file(
        "my own build.tgz",
        &gzip(&tar(&["kafka/libs/a.jar", "kafka/NOTICE"])),
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
    let bench = Bench::with_packages(&[("kafka_2.13-3.9.1.tgz", &body)]);
    let mut wanted = request("kafka", "3.9.1");
    let url = "http://127.0.0.1:1/x/kafka_2.13-3.9.1.tgz";
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
    let mut wanted = request("kafka", "3.9.1");
    wanted.sources = vec![archive(url, Some(sums(&body).sha512))];
    let other = Shelf::new(bench.dir.path().join("cache"));
    let quiet = |_| {};
    let (one, two) = tokio::join!(bench.resolve(&wanted), other.resolve(&wanted, &quiet));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(server.log.lock().unwrap().len(), 1);
}

/// A client that behaves like mvn as far as it is used, and copies `jar` for each jar.
fn mvn(bench: &mut Bench, script: &str) {
    let path = bench.file("mvn", format!("#!/bin/sh\n{script}").as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    bench.shelf.maven = path;
}

fn locked(jars: &[(&str, &[u8])]) -> Source {
    let lines = jars
        .iter()
        .map(|(name, body)| format!("{name} {}\n", sums(body).sha256));
    Source::Maven {
        lock: lines.collect(),
        into: "libs".into(),
    }
}

#[tokio::test]
async fn jars_are_checked_and_packed_the_same_each_time() {
    let script = "mkdir jars; for jar in $(sed -n 's/.*<destFileName>\\(.*\\)<.dest.*/\\1/p' pom.xml)\n\
        do printf x >jars/$jar; echo \"[INFO] Copying $jar to jars/$jar\"; done\n";
    let mut wanted = request("kafka", "3.9.1");
    wanted.sources = vec![locked(&[("b:b:1", b"x"), ("a:a:1:linux", b"x")])];
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let mut bench = Bench::new();
        mvn(&mut bench, script);
        let got = bench.resolve(&wanted).await.unwrap();
        assert_eq!((got.format, got.strip), (Format::Tar, 0));
        assert_eq!(got.origin, "maven (2 jars, locked)");
        assert_eq!(bench.shelf.cached(&wanted), Some(got.clone()));
        let told = bench.told.lock().unwrap();
        assert_eq!(told.last(), Some(&Progress::Jars { done: 2, total: 2 }));
        assert_eq!(bench.kept().len(), 2);
        hashes.push(got.sha256);
    }
    assert_eq!(hashes[0], hashes[1]);

    let mut bench = Bench::new();
    mvn(&mut bench, script);
    wanted.sources = vec![locked(&[("b:b:1", b"x"), ("a:a:1", b"y")])];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(
        error.starts_with("a:a:1 from the Maven repository has the wrong SHA-256"),
        "{error}"
    );
    assert_eq!(bench.kept(), Vec::<String>::new());
}

#[tokio::test]
async fn an_unreachable_repository_is_not_waited_for_twice() {
    let mut bench = Bench::new();
    mvn(
        &mut bench,
        "echo \"$@\" >>\"$(dirname \"$0\")/calls\"\n\
         echo '[ERROR] Failed to execute goal x:copy (default-cli) on project package: \
         Could not transfer artifact a:a:jar:1: Connect to 10.0.0.1 failed -> [Help 1]'\nexit 1\n",
    );
    let mut wanted = request("kafka", "3.9.1");
    for name in ["a:a:1", "b:b:1"] {
        wanted.sources = vec![locked(&[(name, b"x")])];
        let error = bench.resolve(&wanted).await.unwrap_err().to_string();
        let why = "mvn: Could not transfer artifact a:a:jar:1: Connect to 10.0.0.1 failed";
        assert!(error.ends_with(why), "{error}");
    }
    let calls = fs::read_to_string(bench.dir.path().join("own/calls")).unwrap();
    let calls: Vec<bool> = calls.lines().map(|line| line.ends_with(" -o")).collect();
    assert_eq!(calls, [false, true]);
}

/// Slow and dependent on this machine: needs mvn and a repository it can reach.
#[tokio::test]
async fn real_jars_are_assembled() {
    let has_mvn = std::process::Command::new("mvn").arg("-v").output().is_ok();
    if !has_mvn {
        return;
    }
    let text = fs::read_to_string("templates/kafka/packages/3.9.1.lock").unwrap();
    let lock: String = text
        .lines()
        .filter(|line| line.starts_with("org.slf4j:"))
        .map(|l| format!("{l}\n"))
        .collect();
    let mut wanted = request("slf4j", "1.7.36");
    wanted.sources = vec![Source::Maven {
        lock,
        into: "libs".into(),
    }];
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let bench = Bench::new();
        match bench.resolve(&wanted).await {
            Ok(got) => hashes.push(got.sha256),
            Err(ArtifactError::NotFound { .. }) => return, // no repository can be reached here
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[tokio::test]
async fn a_runtime_of_the_local_jdk_is_linked() {
    let bench = Bench::new();
    let mut wanted = request("java", "17");
    wanted.arch = Arch::here().unwrap();
    wanted.sources = vec![Source::Jlink {
        modules: vec!["java.base".into()],
    }];
    if bench.shelf.jdk(&wanted).is_err() {
        return;
    }
    let got = bench.resolve(&wanted).await.unwrap();
    assert_eq!((got.format, got.strip), (Format::TarGz, 0));
    assert_eq!(bench.shelf.cached(&wanted), Some(got.clone()));
    let again = Bench::new().resolve(&wanted).await.unwrap();
    assert_eq!(again.sha256, got.sha256);
    wanted.arch = Arch::Armhf;
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "a runtime of the local JDK is for {}, the hosts are armhf",
            Arch::here().unwrap()
        )
    );
}

#[test]
fn all_lock_files_are_read() {
    let mut count = 0;
    for service in fs::read_dir("templates").unwrap() {
        let folder = service.unwrap().path().join("packages");
        for file in fs::read_dir(folder).into_iter().flatten() {
            let path = file.unwrap().path();
            if path.extension() == Some("lock".as_ref()) {
                Lock::parse(&fs::read_to_string(&path).unwrap()).unwrap();
                assert!(Path::new(&path.with_extension("roots")).exists());
                count += 1;
            }
        }
    }
    assert!(count >= 4);
}
