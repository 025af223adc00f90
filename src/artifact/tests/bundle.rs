//! Bundles: what goes in comes out, once, and nothing that was changed on the way.

use super::super::bundle::write;
use super::super::testing::{Bench, gzip, request, tar};
use super::super::*;

/// A request and the file that it was answered with.
fn packed(bench: &Bench, name: &str, arch: Arch, bytes: &[u8]) -> (Request, Artifact) {
    let file = bench.file(&format!("{name}-{arch}"), bytes);
    let mut wanted = request(name, "3.9.1");
    wanted.arch = arch;
    let artifact = Artifact {
        sha256: super::super::testing::sums(bytes).sha256,
        format: Format::TarGz,
        strip: 1,
        size: bytes.len() as u64,
        origin: "archive x".into(),
        path: file,
    };
    (wanted, artifact)
}

#[tokio::test]
async fn what_serves_several_architectures_is_there_once() {
    let bench = Bench::new();
    let (mill, loom) = (gzip(&tar(&["mill/a.jar"])), gzip(&tar(&["loom/b"])));
    let arm = gzip(&tar(&["loom/c"]));
    let packages = vec![
        packed(&bench, "mill", Arch::X86_64, &mill),
        packed(&bench, "mill", Arch::Aarch64, &mill),
        packed(&bench, "loom", Arch::X86_64, &loom),
        packed(&bench, "loom", Arch::Aarch64, &arm),
    ];
    let out = bench.dir.path().join("all.tar");
    let written = write(&out, packages.clone()).await.unwrap();
    assert_eq!(written.packages, 3);
    assert_eq!(written.size, std::fs::metadata(&out).unwrap().len());
    let file = std::fs::File::open(&out).unwrap();
    let mut archive = tar::Archive::new(file);
    let names = archive.entries().unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "all",
            "all/loom-3.9.1-aarch64.tar.gz",
            "all/loom-3.9.1-x86_64.tar.gz",
            "all/mill-3.9.1.tar.gz",
            "all/sdtd-packages.json",
        ]
    );

    let shelf = Shelf::new(bench.dir.path().join("cache")).with_packages(&out);
    for (mut wanted, artifact) in packages {
        // What the inventory names is not here.
        wanted.given = Some("/nonexistent/mill.tgz".into());
        let got = shelf.resolve(&wanted, &|_| {}).await.unwrap();
        assert_eq!(got.sha256, artifact.sha256);
        assert_eq!((got.strip, got.format), (1, Format::TarGz));
        assert_eq!(got.origin, "bundle (archive x)");
        assert_eq!(shelf.cached(&wanted), Some(got));
    }
    let mut wanted = request("mill", "3.9.1");
    wanted.arch = Arch::Armhf;
    let error = shelf.resolve(&wanted, &|_| {}).await.unwrap_err();
    let error = error.to_string();
    let why = "all.tar: has only 3.9.1 for x86_64 and aarch64";
    assert!(error.contains(why), "{error}");
    assert!(!shelf.network());
}

#[tokio::test]
async fn a_package_that_changed_under_way_ends_in_no_bundle() {
    let bench = Bench::new();
    let mut packages = vec![packed(&bench, "mill", Arch::X86_64, b"one")];
    packages[0].1.sha256 = "0".repeat(64);
    let out = bench.dir.path().join("all.tar");
    let error = write(&out, packages).await.unwrap_err().to_string();
    assert!(error.contains("its SHA-256 differs"), "{error}");
    assert!(!out.exists());
}

#[tokio::test]
async fn no_name_of_a_manifest_leads_out_of_its_folder() {
    let bench = Bench::with_packages(&[]);
    for name in ["../x.tar", "/x.tar", "..", "a/b.tar", ""] {
        let (wanted, artifact) = packed(&bench, "mill", Arch::X86_64, b"x");
        let text = super::super::bundle::manifest_of(&[(wanted.clone(), artifact)], name);
        bench.file("sdtd-packages.json", text.as_bytes());
        let shelf = Shelf::new(bench.dir.path().join("cache"));
        let shelf = shelf.with_packages(bench.dir.path().join("own"));
        let error = shelf.resolve(&wanted, &|_| {}).await.unwrap_err();
        assert!(error.to_string().contains("outside of it"), "{error}");
    }
}
