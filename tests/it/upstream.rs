//! Packages as upstream packs them, given as files: what is on the host is what was in the archive.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tar::{Builder, EntryType, Header};

use crate::bundle::{INVENTORY, Machine};
use crate::lab::laptop::run_for;

/// A release in the layout of upstream's, below any folder; `mode` is what whoever packed it left to others.
fn release(top: &str, mode: u32) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut add = |name: &str, kind: EntryType, mode: u32, text: &str| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        let name = format!("{top}{name}");
        if kind == EntryType::Symlink {
            header.set_size(0);
            builder.append_link(&mut header, name, text)
        } else {
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, name, text.as_bytes())
        }
        .expect("appended");
    };
    let (folder, file, link) = (EntryType::Directory, EntryType::Regular, EntryType::Symlink);
    let (open, plain) = (mode & 0o755, mode & 0o644);
    if !top.is_empty() {
        add("", folder, open, "");
    }
    add("LICENSE", file, plain, "as it is\n");
    add("bin/", folder, open, "");
    add("bin/candle", file, open, "#!/bin/sh\necho upstream\n");
    add("bin/windows/candle.bat", file, plain, "@rem\r\n");
    add("config/server.properties", file, plain, "wax=1\n");
    add("flame.sh", file, plain, "exec sleep 900\n");
    add("libs/candle_2.13-1.jar", file, plain, "PK");
    add("libs/candle.jar", link, 0o777, "candle_2.13-1.jar");
    // Longer than the 100 bytes that a name has in a plain header.
    let long = format!("libs/{}.jar", "a-jar-with-a-long-name-".repeat(6));
    add(&long, file, plain, "PK");
    add(
        "site-docs/candle_2.13-1-site-docs.tgz",
        file,
        plain,
        "\u{1f}",
    );
    builder.into_inner().expect("whole")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("packed");
    out.finish().expect("packed")
}

/// The same packed by `tar` from an unpacked tree, as people do: names begin with `./`.
fn repacked(what: &str, mode: u32) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = release("candle/", mode);
    let mut archive = tar::Archive::new(&bytes[..]);
    archive.set_preserve_permissions(true);
    archive.unpack(folder.path()).expect("unpacked");
    let mut tar = Command::new("tar");
    tar.args(["-cf", "x.tar", what]).current_dir(folder.path());
    run_for(&mut tar, 10).expect(0);
    std::fs::read(folder.path().join("x.tar")).expect("packed")
}

/// The inventory with a file of the user's own.
fn naming(file: &str) -> String {
    INVENTORY.replace("{ on: [n1] }", &format!("{{ on: [n1], package: {file} }}"))
}

fn is_upstreams(link: &Path) {
    let read = |name: &str| std::fs::read_to_string(link.join(name)).expect(name);
    assert_eq!(read("LICENSE"), "as it is\n");
    // sdtd writes its own tool only where the tree has none of that name.
    assert_eq!(read("bin/candle"), "#!/bin/sh\necho upstream\n");
    assert_eq!(read("libs/candle.jar"), "PK");
    let jar = std::fs::read_link(link.join("libs/candle.jar")).expect("a link");
    assert_eq!(jar, Path::new("candle_2.13-1.jar"));
    let mode = |name: &str| {
        let data = std::fs::metadata(link.join(name)).expect(name);
        data.permissions().mode() & 0o777
    };
    assert_eq!(mode("bin/candle") & 0o555, 0o555);
    assert_eq!(mode("libs") & 0o555, 0o555);
    assert_eq!(mode("LICENSE") & 0o444, 0o444);
    assert_eq!(
        std::fs::read_dir(link.join("libs")).expect("libs").count(),
        3
    );
}

#[test]
fn an_upstream_archive_is_installed_as_it_is() {
    let plain = release("candle_2.13-1/", 0o777);
    let files = [
        ("candle_2.13-1.tgz", gzip(&plain)),
        ("candle_2.13-1.tar", plain),
        ("my own.tar.gz", gzip(&repacked("./candle", 0o777))),
        ("flat.tar", release("", 0o755)),
        ("kept-to-myself.tgz", gzip(&repacked("candle", 0o700))),
    ];
    std::thread::scope(|scope| {
        for (file, bytes) in &files {
            scope.spawn(|| is_installed(file, bytes));
        }
    });
}

fn is_installed(file: &str, bytes: &[u8]) {
    let machine = Machine::new();
    machine.write(file, bytes);
    machine.write("inventory.yaml", naming(&format!("'{file}'")).as_bytes());
    machine
        .sdtd(&["deploy", "--yes"])
        .expect(0)
        .says(&["deployed and verified"]);
    is_upstreams(&machine.path("home/local/lit/n1/opt/candle"));
}

#[test]
fn an_upstream_archive_is_found_in_a_folder_by_its_name() {
    let machine = Machine::new();
    machine.write(
        "own/candle_2.13-1.tgz",
        &gzip(&release("candle_2.13-1/", 0o755)),
    );
    machine.write("own/candle_2.13-1-site-docs.tgz", b"not this one");
    machine.write("own/candle_2.13-1.zip", b"nor this one");
    machine
        .sdtd(&["deploy", "--yes", "--packages", "own"])
        .expect(0)
        .says(&["candle_2.13-1.tgz", "deployed and verified"]);
    is_upstreams(&machine.path("home/local/lit/n1/opt/candle"));
}

#[test]
fn what_is_no_such_archive_is_refused() {
    let machine = Machine::new();
    let whole = gzip(&release("candle-1/", 0o755));
    for (file, bytes, why) in [
        (
            "candle.zip",
            &b"PK\x03\x04zip"[..],
            "is a zip file; .tar and .tar.gz files are understood",
        ),
        (
            "candle.tgz",
            &whole[..whole.len() / 2],
            "is damaged or cut short",
        ),
        (
            "candle.tgz",
            &whole[..whole.len() - 4],
            "is damaged or cut short",
        ),
        ("candle.tgz", b"<html>log in", "is no archive"),
        ("candle.tgz", b"", "is empty"),
    ] {
        machine.write(file, bytes);
        machine.write("inventory.yaml", naming(file).as_bytes());
        let ran = machine.sdtd(&["deploy", "--yes"]).expect(1);
        ran.says(&[file, why]);
    }
    machine.write("inventory.yaml", naming("missing.tgz").as_bytes());
    let ran = machine.sdtd(&["deploy", "--yes"]).expect(1);
    ran.says(&["missing.tgz: No such file"]);
    assert!(!machine.path("home/local/lit/n1/opt").exists());
}
