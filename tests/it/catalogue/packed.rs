//! A service whose package is a folder of its own: what lies there arrives byte for byte.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use sdtd::artifact::Shelf;
use sdtd::catalogue::Catalogue;
use sdtd::id::Arch;
use sdtd::plan::packages;

use crate::setup::cluster;

const SERVICE: &str = "title: T\nversions: { '1': {} }\n\
    package: { into: /opt/thing, sources: [{ folder: { path: tree } }] }\n\
    roles: { one: { count: everywhere, run: { command: [/bin/sleep, infinity] } } }\n";
const INVENTORY: &str = "cluster: c\nhosts: { h1: 10.0.0.1 }\nservices: { thing: {} }\n";

type Files = BTreeMap<String, (u32, Vec<u8>)>;

/// The package's hash, and its files with their modes.
async fn packed(services: &Path, cache: &Path) -> (String, Files) {
    let catalogue = Catalogue::load(&[services.to_owned()]).expect("it can be read");
    let cluster = cluster(INVENTORY, &catalogue);
    let service = &cluster.services["thing"];
    let wanted = packages::request(&catalogue, service, Arch::X86_64).expect("a request");
    let shelf = Shelf::new(cache).offline();
    let made = shelf.resolve(&wanted, &|_| {}).await.expect("a package");
    assert_eq!(shelf.cached(&wanted), Some(made.clone()), "it is known now");
    let mut archive = tar::Archive::new(std::fs::File::open(&made.path).expect("a file"));
    let mut files = Files::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        let mode = entry.header().mode().expect("a mode");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("read");
        if entry.header().entry_type().is_file() {
            files.insert(path, (mode, bytes));
        }
    }
    (made.sha256, files)
}

#[tokio::test]
async fn what_is_no_text_is_packed_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = folder.path().join("services");
    let tree = services.join("thing/tree");
    std::fs::create_dir_all(tree.join("bin")).expect("a folder");
    std::fs::write(services.join("thing/service.yaml"), SERVICE).expect("written");
    let mut noise: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let long = "a line\n".repeat(300_000).into_bytes();
    let put = |name: &str, bytes: &[u8]| std::fs::write(tree.join(name), bytes).expect("written");
    put("bin/run", &noise);
    put("bin/start", b"#!/bin/sh\n");
    put("long", &long);
    let cache = folder.path().join("cache");
    let (first, files) = packed(&services, &cache).await;
    let want = [
        ("bin/run".to_owned(), (0o755, noise.clone())),
        ("bin/start".to_owned(), (0o755, b"#!/bin/sh\n".to_vec())),
        ("long".to_owned(), (0o644, long)),
    ];
    assert_eq!(files, Files::from(want));

    noise.reverse();
    put("bin/run", &noise);
    let (second, files) = packed(&services, &cache).await;
    assert_ne!(first, second, "another file is another package");
    assert_eq!(files["bin/run"].1, noise);
}
