//! Packages of a distribution for a host that has no way out: fetched here, sent, installed there.
//!
//! An apt-get that only writes down what it is asked plays both sides. `SDTD_APT_TESTS=<a mirror's address>` adds a
//! real one: a Debian 12 in a folder, without a network; it needs root and debootstrap.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sdtd::artifact::Shelf;
use sdtd::artifact::apt::{ASK, System};
use sdtd::exec::script::{Places, script};
use sdtd::plan::Step;

use crate::bundle::{CANDLE, Machine};
use crate::lab::laptop::{run_for, text};

/// The operator's apt-get is the one that is given folders of its own.
const APT: &str = r#"#!/bin/sh
echo "$*" >>BIN/../asked
case "$*" in
  *Dir::State=*--print-uris*) echo "'http://127.0.0.1/candle_1_all.deb' candle_1_all.deb 4 SHA256:0" ;;
  *Dir::State=*--download-only*) MIRROR
    for word; do case $word in Dir::Cache::archives=*) echo deb >"${word#*=}/candle_1_all.deb" ;; esac; done ;;
  *Dir::State=*update*) ;;
  *install*/candle_1_all.deb*) INSTALL
    mkdir -p BIN/../candle && echo 'exec sleep 900' >BIN/../candle/flame.sh ;;
  *) echo "E: Unable to fetch some archives" >&2; exit 100 ;;
esac
"#;

/// What a Debian host answers, to root.
const DPKG: &str = "#!/bin/sh\necho amd64\n";
const ID: &str = "#!/bin/sh\n[ \"$*\" = -u ] && echo 0 && exit\nexec /usr/bin/id \"$@\"\n";

/// A machine whose service comes from its distribution; `mirror` is what the operator's apt-get does first, and
/// `install` what the host's does.
fn machine(mirror: &str, install: &str) -> Machine {
    let machine = Machine::new();
    let bin = machine.path("bin");
    let apt = APT.replace("MIRROR", mirror).replace("INSTALL", install);
    let apt = apt.replace("BIN", text(&bin));
    for (name, body) in [("apt-get", apt.as_str()), ("dpkg", DPKG), ("id", ID)] {
        machine.write(&format!("bin/{name}"), body.as_bytes());
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(bin.join(name), mode).expect("it can be run");
    }
    let home = machine.path("candle");
    let source = format!(
        "distribution: {{ package: candle, home: {} }}",
        home.display()
    );
    let archive = "archive: { url: \"http://127.0.0.1:1/candle-{{ version }}.tar\" }";
    let service = CANDLE.replace(archive, &source);
    machine.write("odd/candle/service.yaml", service.as_bytes());
    machine
}

#[test]
fn what_a_host_can_not_get_is_brought() {
    let machine = machine("", "");
    machine
        .sdtd(&["deploy", "--yes"])
        .expect(0)
        .says(&["apt-get (1 packages)", "deployed and verified"]);
    let asked = fs::read_to_string(machine.path("asked")).expect("asked");
    let is_here = |line: &&str| line.contains("Dir::State=");
    let host: Vec<&str> = asked.lines().filter(|line| !is_here(line)).collect();
    // The host is asked first, gets its lists anew, and asks nobody for what was brought.
    let ends = [
        "--download-only candle",
        " update",
        "--download-only candle",
        "/candle_1_all.deb",
    ];
    assert_eq!(host.len(), ends.len(), "{host:?}");
    let all = host.iter().zip(ends).all(|(line, end)| line.ends_with(end));
    assert!(all, "{host:?}");
    machine.sdtd(&["plan", "--check"]).expect(0);
}

#[test]
fn where_nobody_has_it_both_reasons_are_told() {
    machine(
        "echo 'E: Unable to locate package candle' >&2; exit 100",
        "",
    )
    .sdtd(&["deploy", "--yes"])
    .expect(1)
    .says(&[
        "package candle of the distribution failed: E: Unable to fetch some archives",
        "nor can this machine bring it: Unable to locate package candle",
        "`source:`",
    ]);
}

#[test]
fn a_package_that_could_not_be_installed_is_no_success() {
    // The code that apt-get fails with means to sdtd that nothing had to be done.
    machine("", "echo 'E: dpkg was interrupted' >&2; exit 100")
        .sdtd(&["deploy", "--yes"])
        .expect(1)
        .says(&["package candle of the distribution failed: E: dpkg was interrupted"]);
}

/// A Debian in a folder that has no network at all.
struct Jail(PathBuf);

impl Jail {
    fn new(folder: &Path, mirror: &str) -> Self {
        let root = folder.join("jail");
        let mut make = Command::new("debootstrap");
        make.args(["--variant=minbase", "bookworm", text(&root), mirror]);
        run_for(&mut make, 500).expect(0);
        Self(root)
    }

    fn sh(&self, script: &str) -> String {
        fs::write(self.0.join("script"), script).expect("written");
        // Java's package wants a /proc; the mount goes with the process.
        let inside = format!(
            "mount --bind /proc '{0}/proc' && exec chroot '{0}' sh /script",
            self.0.display()
        );
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--mount", "sh", "-c", &inside])
            .stdin(Stdio::null());
        run_for(&mut command, 500).expect(0).stdout
    }

    /// What a step answers.
    fn step(&self, step: Step) -> String {
        let places = Places {
            state: "/var/lib/sdtd/c".to_owned(),
            incoming: "/opt/sdtd/incoming".to_owned(),
            pidfiles: false,
        };
        self.sh(&script(&places, 1, &[step]))
    }
}

#[test]
fn a_debian_without_a_network_gets_its_package() {
    let Ok(mirror) = std::env::var("SDTD_APT_TESTS") else {
        eprintln!("apt: skipped: SDTD_APT_TESTS names no mirror");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let jail = Jail::new(folder.path(), &mirror);
    let package = "openjdk-17-jre-headless".to_owned();
    let step = |brought| Step::Distribution {
        package: package.clone(),
        brought,
        quiet: Vec::new(),
    };
    assert_eq!(jail.step(step(None)), "@sdtd 1 bring\n");
    let said = jail.sh(ASK);
    let fetch = |said: &str| {
        let lines: Vec<String> = said.lines().map(str::to_owned).collect();
        let system = System::read(&lines).expect("a system");
        let shelf = Shelf::new(folder.path().join("cache"));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let fetched = runtime.block_on(shelf.from_distribution(&package, &system, &|_| {}));
        fetched.expect("fetched")
    };
    // Of another release than this machine's, it is fetched with the host's own sources and keys.
    fetch(&said.replacen("debian bookworm", "other release", 1));
    let fetched = fetch(&said);
    let incoming = jail.0.join("opt/sdtd/incoming");
    fs::create_dir_all(&incoming).expect("a folder");
    let arrival = incoming.join(format!("{}.part", fetched.sha256));
    fs::write(&arrival, "half").expect("written");
    assert_eq!(
        jail.step(step(Some(fetched.sha256.clone()))),
        "@sdtd 1 resend\n"
    );
    fs::copy(&fetched.path, &arrival).expect("copied");
    assert_eq!(jail.step(step(Some(fetched.sha256))), "@sdtd 1 changed\n");
    let java =
        jail.sh("/usr/lib/jvm/java-17-openjdk-$(dpkg --print-architecture)/bin/java -version 2>&1");
    assert!(java.contains("17."), "{java}");
    assert_eq!(jail.sh("ls -A /opt/sdtd/incoming; dpkg --audit"), "");
}
