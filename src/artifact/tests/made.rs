//! Packages made on this machine: jars assembled by Maven, a runtime linked from the JDK.

use super::super::testing::{Bench, request, sums};
use super::super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

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
    let mut wanted = request("mill", "3.9.1");
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
    let mut wanted = request("mill", "3.9.1");
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
    let lock = locks().into_iter().find_map(|(_, text)| {
        let line = text
            .lines()
            .find(|line| line.starts_with("org.slf4j:slf4j-api:"))?;
        Some(line.to_owned())
    });
    let lock = lock.unwrap();
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
    let locks = locks();
    assert!(locks.len() >= 4);
    for (path, text) in locks {
        Lock::parse(&text).unwrap();
        assert!(
            path.with_extension("roots").exists(),
            "{} has no roots",
            path.display()
        );
    }
}

/// The lock files of the catalogue.
fn locks() -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for service in fs::read_dir("templates").unwrap() {
        let folder = service.unwrap().path().join("packages");
        for file in fs::read_dir(folder).into_iter().flatten() {
            let path = file.unwrap().path();
            if path.extension() == Some("lock".as_ref()) {
                let text = fs::read_to_string(&path).unwrap();
                all.push((path, text));
            }
        }
    }
    all
}
