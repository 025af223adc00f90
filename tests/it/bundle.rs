//! `sdtd bundle`: made where the packages are, deployed from where nothing else is.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::laptop::{Ran, run_for, sdtd_in, text};
use crate::scenarios::packages::tar;

/// A service whose one source is out of reach: its package is at hand, or nowhere.
pub const CANDLE: &str = r#"title: Burns
user: root
versions: { "1": {} }
package:
  into: /opt/candle
  file_names: ["candle_2.1?-{{ version }}.t*"]
  sources: [{ archive: { url: "http://127.0.0.1:1/candle-{{ version }}.tar" } }]
tools: [{ name: candle, command: echo made here }]
roles:
  flame:
    count: everywhere
    memory: { overhead: 1 }
    run: { command: [/bin/sh, "{{ paths.home }}/flame.sh"] }
"#;

pub const INVENTORY: &str = "cluster: lit\nhosts: { n1: { connection: local, memory: 1G } }\n\
                         services: { candle: { on: [n1] } }\n";

/// A machine with the inventory and the catalogue, without a cache and without Maven.
pub struct Machine(tempfile::TempDir);

impl Machine {
    pub fn new() -> Self {
        let machine = Self(tempfile::tempdir().expect("a folder"));
        machine.write("inventory.yaml", INVENTORY.as_bytes());
        machine.write("odd/candle/service.yaml", CANDLE.as_bytes());
        machine
    }

    /// The same with the package in a folder.
    fn with_package() -> Self {
        let machine = Self::new();
        machine.write(
            "own/candle-1.tar",
            &tar("candle-1/flame.sh", "exec sleep 900\n"),
        );
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }

    pub fn sdtd(&self, words: &[&str]) -> Ran {
        let mut command = sdtd_in(self.0.path(), &self.path("home"), words);
        command
            .args(["--templates", "odd"])
            .env("PATH", without_maven(&self.path("bin")))
            .env_remove("JAVA_HOME");
        run_for(&mut command, 60)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.path("home/local").exists() {
            let _ = self.sdtd(&["destroy", "--yes", "--quiet"]);
        }
    }
}

/// A PATH with all that hosts of this machine need, but no Maven.
fn without_maven(bin: &Path) -> String {
    let _ = std::fs::create_dir(bin);
    for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
        for tool in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = tool.file_name();
            if !name.to_string_lossy().starts_with("mvn") {
                let _ = std::os::unix::fs::symlink(tool.path(), bin.join(name));
            }
        }
    }
    text(bin).to_owned()
}

/// The bundle, made on a machine that has the package, carried to another.
fn carried() -> (Machine, Vec<u8>) {
    let here = Machine::with_package();
    here.sdtd(&["bundle", "--packages", "own"])
        .expect(0)
        .says(&["candle 1 for ", "sdtd-packages-lit.tar: 1 package for "]);
    let bytes = std::fs::read(here.path("sdtd-packages-lit.tar")).expect("a bundle");
    let there = Machine::new();
    there.write("b.tar", &bytes);
    (there, bytes)
}

#[test]
fn a_cluster_is_deployed_from_a_bundle_alone() {
    let (there, _) = carried();
    there
        .sdtd(&["deploy", "--yes"])
        .expect(1)
        .says(&["no package of candle 1 for ", "can't be reached"]);
    there
        .sdtd(&["plan", "--packages", "b.tar", "-v"])
        .expect(0)
        .says(&["start candle-flame"]);
    there
        .sdtd(&["deploy", "--yes", "--packages", "b.tar"])
        .expect(0)
        .says(&["bundle (file ", "deployed and verified"]);
    there
        .sdtd(&["plan", "--check", "--packages", "b.tar"])
        .expect(0);
}

#[test]
fn an_unpacked_bundle_is_taken_as_well() {
    let (there, _) = carried();
    let mut unpack = Command::new("tar");
    unpack.args(["-xf", "b.tar"]).current_dir(there.0.path());
    run_for(&mut unpack, 10).expect(0);
    let folder = "sdtd-packages-lit";
    there
        .sdtd(&["deploy", "--yes", "--packages", folder])
        .expect(0)
        .says(&["bundle (file ", "deployed and verified"]);
}

#[test]
fn a_damaged_bundle_is_refused() {
    let (there, bytes) = carried();
    let refused = |bytes: &[u8], why: &str| {
        there.write("b.tar", bytes);
        there
            .sdtd(&["deploy", "--yes", "--packages", "b.tar"])
            .expect(1)
            .says(&["b.tar is ", why, "make it anew with `sdtd bundle`"]);
    };
    let mut damaged = bytes.clone();
    let at = find(&bytes, b"exec sleep");
    damaged[at] ^= 1;
    refused(&damaged, "is not what was packed, its SHA-256 differs");
    let mut damaged = bytes.clone();
    let at = find(&bytes, b"\"strip\": 1");
    damaged[at + 9] = b'3';
    refused(&damaged, "sdtd-packages.json was changed");
    refused(&bytes[..700], "no bundle of packages, or cut short");
    refused(b"PK\x03\x04", "no bundle of packages, or cut short");
    assert!(!there.path("home/local/lit/n1/opt").exists());
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    let mut windows = bytes.windows(what.len());
    windows.position(|window| window == what).expect("there")
}

#[test]
fn what_a_bundle_lacks_is_told() {
    let (there, _) = carried();
    there.write(
        "odd/candle/service.yaml",
        CANDLE.replace("\"1\":", "\"2\":").as_bytes(),
    );
    there
        .sdtd(&["deploy", "--yes", "--packages", "b.tar"])
        .expect(1)
        .says(&[
            "no package of candle 2 for ",
            "bundle b.tar: has only 1 for ",
        ]);
}

#[test]
fn what_can_not_be_bundled_is_told_for_each_architecture() {
    let there = Machine::new();
    there
        .sdtd(&["bundle", "--arch", "aarch64,armhf", "--out", "x.tar"])
        .expect(1)
        .says(&[
            "no package of candle 1 for aarch64",
            "no package of candle 1 for armhf",
            "127.0.0.1:1 can't be reached",
            "no bundle was written",
        ]);
    assert!(!there.path("x.tar").exists() && !there.path("x.tar.part").exists());
    there
        .sdtd(&["bundle", "--out", "no/x.tar"])
        .expect(2)
        .says(&["no: there is no such folder"]);
    there
        .sdtd(&["bundle", "--arch", "vax"])
        .expect(2)
        .says(&["not one of x86_64"]);
    let far = INVENTORY.replace("connection: local", "address: 10.0.0.1");
    let far = far.replace(
        "candle: { on: [n1] }",
        "zookeeper: { servers: 1 }, java: { source: distribution }",
    );
    there.write("inventory.yaml", far.as_bytes());
    there
        .sdtd(&["bundle"])
        .expect(2)
        .says(&["java 17 for ", "the hosts' own distribution installs it"]);
}
