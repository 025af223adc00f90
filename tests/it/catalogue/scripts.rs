//! Every script that reaches a host passes `shellcheck`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use sdtd::exec::script::{Places, script};
use sdtd::facts::FactsRequest;
use sdtd::plan::{Step, UnitChange};

use super::cases::{read, services};
use super::render::{Rendered, local};
use crate::golden::{files, project, tell};
use crate::setup::{catalogue, cluster};

/// The scripts that the cases bring to hosts, by what they are; the same text counts once.
fn rendered() -> BTreeMap<String, String> {
    let catalogue = catalogue();
    let mut scripts = BTreeMap::new();
    for folder in services() {
        for path in files(&folder.join("cases"), "yaml") {
            let case = read(&path);
            let local = local(&cluster(&case.inventory, &catalogue));
            let rendered = Rendered::new(&local, &catalogue, &case.host, &case.memory);
            let is_script = |text: &str| text.starts_with("#!/bin/sh");
            let files = rendered
                .files()
                .into_iter()
                .filter(|(_, text)| is_script(text));
            scripts.extend(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
            scripts.extend(
                rendered
                    .tools()
                    .into_iter()
                    .map(|(path, text)| (path, text.to_owned())),
            );
        }
    }
    scripts
}

fn kernel_setting() -> Step {
    Step::Sysctl {
        key: "vm.x".to_owned(),
        before: "60".to_owned(),
        after: "1".to_owned(),
    }
}

fn of_the_distribution() -> Step {
    Step::Distribution {
        package: "p-headless".to_owned(),
        brought: Some("0".to_owned()),
        quiet: vec!["p.service".to_owned()],
    }
}

/// One step of each kind.
fn steps() -> Vec<Step> {
    let text = |text: &str| Some(text.to_owned());
    let path = || "/a b/it's".to_owned();
    let tools = BTreeMap::from([("bin/t".to_owned(), "#!/bin/sh\nexec true\n".to_owned())]);
    let file = |before, after: &str| Step::File {
        path: path(),
        before,
        after: after.to_owned(),
        owner: text("me"),
        mode: "0644".to_owned(),
        own: false,
    };
    let unit = |to| Step::Unit {
        unit: "u".to_owned(),
        to,
        within: 3,
    };
    vec![
        Step::User {
            name: "me".to_owned(),
        },
        Step::Dir {
            path: path(),
            owner: None,
            mode: "0755".to_owned(),
        },
        file(None, "SDTD_END\n"),
        file(text("old"), "no end"),
        file(text("old"), ""),
        Step::Block {
            path: path(),
            name: "b".to_owned(),
            before: None,
            after: text("x"),
        },
        Step::Block {
            path: path(),
            name: "b".to_owned(),
            before: text("x"),
            after: None,
        },
        Step::Package {
            name: "p".to_owned(),
            version: "1".to_owned(),
            sha256: "0".repeat(64),
            store: "/opt/store/p".to_owned(),
            size: 1,
            strip: 1,
            gzip: true,
            owner: text("me"),
            tools,
        },
        of_the_distribution(),
        Step::Link {
            path: path(),
            before: None,
            to: "/opt/store/p".to_owned(),
        },
        Step::Once {
            name: "o".to_owned(),
            hook: "/hooks/o".to_owned(),
            marker: "/state/o".to_owned(),
            user: text("me"),
            env: [("A".to_owned(), "b'c".to_owned())].into(),
            within: 3,
        },
        kernel_setting(),
        unit(UnitChange::Start),
        unit(UnitChange::Stop),
        unit(UnitChange::Restart),
        unit(UnitChange::Reload),
        unit(UnitChange::Enable),
        unit(UnitChange::Disable),
        Step::Remove {
            path: path(),
            data: true,
        },
        Step::RemoveEmpty { path: path() },
    ]
}

/// The scripts that the engine itself sends.
fn sent() -> BTreeMap<String, String> {
    let mut scripts = BTreeMap::new();
    for pidfiles in [false, true] {
        let (state, incoming) = ("/state".to_owned(), "/incoming".to_owned());
        let places = Places {
            state,
            incoming,
            pidfiles,
        };
        scripts.insert(
            format!("steps, pidfiles {pidfiles}"),
            script(&places, 1, &steps()),
        );
    }
    let list = |name: &str| [format!("/{name}"), format!("/{name} 2")].into();
    let request = FactsRequest {
        state: "/state".to_owned(),
        store: "/store".to_owned(),
        paths: list("path"),
        disks: list("disk"),
        users: list("user"),
        units: list("unit"),
        markers: list("marker"),
        names: ["pi1.local".to_owned()].into(),
        pidfiles: false,
    };
    scripts.insert("facts".to_owned(), request.script());
    scripts.insert("apt-ask.sh".to_owned(), sdtd::artifact::apt::ASK.to_owned());
    // The one script that this machine runs itself.
    scripts.insert("apt.sh".to_owned(), sdtd::artifact::apt::FETCH.to_owned());
    scripts
}

/// What shellcheck says of a script; none where it says nothing.
fn complaint(name: &str, text: &str) -> Option<String> {
    let mut child = Command::new("shellcheck")
        .args(["-s", "sh", "--format", "gcc", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("shellcheck can be run");
    let mut stdin = child.stdin.take().expect("an input");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let said = child.wait_with_output().expect("it ends");
    let lines = String::from_utf8_lossy(&said.stdout).into_owned();
    (!said.status.success()).then(|| format!("{name}:\n{lines}"))
}

/// HAProxy's own opinion of what it would read.
#[test]
fn every_file_of_fronts_is_one_that_haproxy_takes() {
    let catalogue = catalogue();
    let mut seen = 0;
    for path in files(&project("templates/haproxy/cases"), "yaml") {
        let case = read(&path);
        let rendered = Rendered::new(
            &cluster(&case.inventory, &catalogue),
            &catalogue,
            &case.host,
            &case.memory,
        );
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let text = rendered.file("fronts.cfg");
        file.write_all(text.as_bytes()).expect("written");
        let mut haproxy = Command::new("/usr/sbin/haproxy");
        let Ok(said) = haproxy.arg("-c").arg("-f").arg(file.path()).output() else {
            tell("haproxy is not installed: its files were not checked");
            return;
        };
        let told = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{}: {told}", path.display());
        assert!(!told.contains("WARNING"), "{}: {told}", path.display());
        seen += 1;
    }
    assert!(seen > 1, "{seen}");
}

#[test]
fn the_file_of_a_floating_address_is_one_that_keepalived_takes() {
    // It looks for the interface, and takes no loopback.
    let all = std::fs::read_dir("/sys/class/net").into_iter().flatten();
    let names = all.flatten().map(|one| one.file_name());
    let mut names = names.map(|name| name.to_string_lossy().into_owned());
    let Some(interface) = names.find(|name| name.starts_with('e')) else {
        tell("there is no network interface: the file of keepalived was not checked");
        return;
    };
    let catalogue = catalogue();
    for path in files(&project("templates/keepalived/cases"), "yaml") {
        let case = read(&path);
        let of = cluster(&case.inventory, &catalogue);
        let rendered = Rendered::new(&of, &catalogue, &case.host, &case.memory);
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let text = rendered.file("floating.conf");
        let text = text.replace("interface eth0", &format!("interface {interface}"));
        let text = text.replace("/usr/bin/systemctl", "/bin/true");
        file.write_all(text.as_bytes()).expect("written");
        let mut keepalived = Command::new("/usr/sbin/keepalived");
        let Ok(said) = keepalived.arg("-t").arg("-f").arg(file.path()).output() else {
            tell("keepalived is not installed: its file was not checked");
            return;
        };
        let told = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{}: {told}", path.display());
    }
}

#[test]
fn every_script_passes_shellcheck() {
    let there = Command::new("shellcheck").arg("--version").output().is_ok();
    if !there {
        tell("SKIPPED: shellcheck is not installed, the scripts were not looked at");
        return;
    }
    let hooks = catalogue();
    let hooks = hooks.iter().flat_map(|(name, folder)| {
        let hooks = folder
            .files()
            .filter(|(path, _)| path.starts_with("hooks/"));
        hooks.map(move |(path, text)| (format!("{name}/{path}"), text.to_owned()))
    });
    let all: Vec<_> = rendered().into_iter().chain(hooks).chain(sent()).collect();
    let complaints: Vec<_> = all
        .iter()
        .filter_map(|(n, text)| complaint(n, text))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
