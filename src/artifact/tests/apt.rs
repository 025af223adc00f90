//! A distribution's package for another host, by an apt-get that is played.

use super::super::apt::System;
use super::super::testing::{Bench, gzip, tar};
use super::super::*;
use base64::Engine as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn answer(release: &str, names: &[&str]) -> Vec<String> {
    let files = gzip(&tar(names));
    let files = base64::engine::general_purpose::STANDARD.encode(files);
    let (one, two) = files.split_at(files.len() / 2);
    vec![
        format!("@system arm64 {release}"),
        one.to_owned(),
        two.to_owned(),
    ]
}

/// An apt-get that says what it was asked, after `first`.
fn apt(bench: &mut Bench, first: &str) {
    let script = format!(
        "#!/bin/sh\n{first}\necho \"$*\" >>$(dirname $0)/asked\n\
         case \"$*\" in *--print-uris*) echo \"'x' b_1_arm64.deb 1 S\"; echo \"'x' ../a.deb 1 S\" ;;\n\
         *--download-only*) for w; do case $w in *archives=*) echo deb >${{w#*=}}/b_1_arm64.deb ;; esac; done ;; esac\n"
    );
    let path = bench.file("apt-get", script.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    bench.shelf.apt = path;
}

#[tokio::test]
async fn what_the_host_lacks_is_fetched_with_its_own_sources() {
    let mut bench = Bench::new();
    apt(&mut bench, "");
    let names = ["etc/apt/sources.list", "var/lib/dpkg/status", "../out"];
    let system = System::read(&answer("other os", &names)).unwrap();
    let got = bench.shelf.from_distribution("b", &system, &|_| {}).await;
    let got = got.unwrap();
    assert_eq!((got.format, got.strip), (Format::Tar, 0));
    assert_eq!(got.origin, "apt-get (1 packages)");
    let mut archive = tar::Archive::new(fs::File::open(&got.path).unwrap());
    let names = archive.entries().unwrap();
    let names: Vec<_> = names
        .map(|e| e.unwrap().path().unwrap().into_owned())
        .collect();
    assert_eq!(names, [std::path::Path::new("b_1_arm64.deb")]);
    let asked = fs::read_to_string(bench.dir.path().join("own/asked")).unwrap();
    assert_eq!(asked.lines().count(), 3, "{asked}");
    for word in [
        "APT::Architecture=arm64",
        "Dir::Etc=",
        "Dir::State::status=",
    ] {
        assert!(asked.lines().all(|line| line.contains(word)), "{asked}");
    }
    let again = bench.shelf.from_distribution("b", &system, &|_| {}).await;
    assert_eq!(again.unwrap(), got);
}

#[tokio::test]
async fn why_it_can_not_be_fetched_is_told() {
    let mut bench = Bench::new();
    let system = System::read(&answer("other os", &["var/lib/dpkg/status"])).unwrap();
    let why = async |bench: &Bench| {
        let got = bench.shelf.from_distribution("b", &system, &|_| {}).await;
        got.unwrap_err().to_string()
    };
    bench.shelf.apt = "no-such-apt-get".into();
    assert_eq!(why(&bench).await, "`apt-get` is not installed here");
    apt(
        &mut bench,
        "echo 'E: Unable to locate package b' >&2; exit 100",
    );
    assert_eq!(why(&bench).await, "Unable to locate package b");
    bench.shelf = bench.shelf.offline();
    assert_eq!(why(&bench).await, "the network is not to be used");
    let other = System::read(&["no apt-get".to_owned()]).unwrap_err();
    assert_eq!(other, "its package manager is not Debian's");
    let cut = System::read(&["@system arm64 debian x".to_owned(), "AAAA".to_owned()]);
    assert!(cut.unwrap_err().starts_with("its answer can't be read"));
}
