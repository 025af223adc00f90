//! `sdtd init`: what flags and answers make of it, and that what it writes deploys.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::golden::{agree, difference, project};
use crate::lab::laptop::{Ran, run_for, sdtd_in};
use crate::lab::pty::on_a_terminal;

/// What is written, by the flags that ask for it.
const CASES: [(&str, &str); 7] = [
    (
        "five-boards",
        "--cluster velib --hosts pi[1-5].local --user pi --service kafka --count brokers=5",
    ),
    ("this-machine", "--cluster local --local 3 --service kafka"),
    ("one-host", "--cluster one --hosts db=10.0.0.7"),
    ("two-hosts", "--cluster two --hosts 10.0.0.7,10.0.0.8"),
    (
        "only-what-is-needed",
        "--cluster z --hosts a.x.org,a.y.org,c --service zookeeper --user corp\\me",
    ),
    (
        "by-whole-words",
        "--cluster w --hosts h[1-6] --count kafka.brokers=6 --count zookeeper.servers=5",
    ),
    (
        "other-services",
        "--cluster odd --local 4 --service vault --service lamp --count shards=3 --templates odd",
    ),
];

/// A folder of its own, where the program is run.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Services that are not built in, near enough to be named.
        symlink(project("tests/catalogue"), folder.path().join("odd")).expect("a link");
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("inventory.yaml")
    }

    fn text(&self) -> Option<String> {
        std::fs::read_to_string(self.path()).ok()
    }

    fn sdtd(&self, words: &[&str]) -> Ran {
        let mut command = sdtd_in(self.0.path(), &self.0.path().join("home"), words);
        run_for(&mut command, 60)
    }

    fn init(&self, flags: &str) -> Ran {
        let words: Vec<&str> = ["init"].into_iter().chain(flags.split(' ')).collect();
        self.sdtd(&words)
    }
}

#[test]
fn flags_write_an_inventory_that_plans() {
    let mut differences = Vec::new();
    for (name, flags) in CASES {
        let folder = Folder::new();
        folder
            .init(flags)
            .expect(0)
            .says(&["wrote inventory.yaml", "next: sdtd check"]);
        let text = folder.text().expect("it was written");
        differences.extend(difference(
            &project(&format!("tests/init/{name}.yaml")),
            &text,
        ));
        // Without a name it is found.
        folder
            .sdtd(&["plan", "--offline", "--templates", "odd"])
            .expect(0)
            .says(&["start "]);
    }
    agree(&differences);
}

/// What is written as a comment is meant to be taken in: it must be right too.
#[test]
fn its_samples_are_good() {
    let folder = Folder::new();
    folder.init("--hosts h[1-3]").expect(0);
    let text = folder.text().expect("it was written");
    let taken_in = text
        .replace("# ssh:", "ssh:")
        .replace("# topics:\n# ", "topics:\n");
    assert_eq!(taken_in.matches('#').count() + 3, text.matches('#').count());
    std::fs::write(folder.path(), taken_in).expect("written");
    folder
        .sdtd(&["plan", "--offline"])
        .expect(0)
        .says(&["start "]);
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "mine\n").expect("written");
    for flags in ["--local 3", "--local 3 --yes"] {
        folder
            .init(flags)
            .expect(6)
            .says(&["inventory.yaml is there already", "--force"]);
        assert_eq!(folder.text().as_deref(), Some("mine\n"));
    }
    folder.init("--local 3 --force").expect(0);
    assert!(folder.text().is_some_and(|text| text.contains("local")));
    folder
        .init("other.yaml --local 1")
        .expect(0)
        .says(&["next: sdtd check other.yaml"]);
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_written() {
    for (flags, words) in [
        ("--yes", "add `--hosts LIST`"),
        (
            "--hosts pi_1,pi2:22",
            "`pi2:22` is not an address: it holds a port",
        ),
        ("--hosts h1,h1", "`h1` is listed twice"),
        ("--local 0", "write 1 to 200"),
        ("--local 3 --cluster Big_One", "not a name for a cluster"),
        ("--local 3 --service kafak", "there is no service `kafak`"),
        ("--local 3 --count brokers=4", "there are only 3 hosts"),
        ("--local 3 --count servers=2", "`servers` must be odd"),
        ("--local 3 --count brokers=many", "`many` is not a number"),
        ("--local 3 --count boats=1", "there are no `boats` to count"),
        ("--hosts h1 --user -x", "is not a login name"),
        ("--local 3 /", "/ is a folder"),
        ("--local 3 no/such/folder.yaml", "no/such/folder.yaml: "),
    ] {
        let folder = Folder::new();
        let ran = folder
            .init(&flags.replace("--user -x", "--user=-x"))
            .says(&[words]);
        assert!(ran.code.is_some_and(|code| code != 0), "{flags}");
        assert_eq!(folder.text(), None, "{flags}");
    }
}

#[test]
fn json_tells_what_was_written() {
    let folder = Folder::new();
    let ran = folder.init("--json --local 3 --cluster c").expect(0);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(told["inventory"], "inventory.yaml");
    assert_eq!(told["services"]["kafka"]["brokers"], 3);
}

fn typed(folder: &Path, words: &[&str], answers: &[&str]) -> Ran {
    on_a_terminal(folder, words, &answers.join("\n"))
}

#[test]
fn on_a_terminal_it_asks_and_asks_again() {
    let folder = Folder::new();
    let answers = [
        "Big One",
        "velib", // a name that is none, then one
        "pi1:22",
        "pi[1-3].local",
        "pi",
        "", // the hosts, who logs in, what runs
        "2",
        "3",
        "", // an even quorum, then an odd one; brokers as offered
    ];
    typed(folder.0.path(), &["init"], &answers)
        .expect(0)
        .says(&["`Big One` is not a name", "it holds a port", "must be odd"])
        .says(&["[kafka]", "[3]", "wrote inventory.yaml"]);
    let text = folder.text().expect("it was written");
    assert!(
        text.contains("ssh: { user: pi }") && text.contains("servers: 3"),
        "{text}"
    );

    // It is there now: only a yes writes over it.
    typed(folder.0.path(), &["init"], &[""]).expect(6);
    assert_eq!(folder.text(), Some(text));
    typed(folder.0.path(), &["init"], &["y", "", "4", "", "", ""]).expect(0);
    let text = folder.text().expect("it was written");
    assert!(text.contains("n4: { connection: local"), "{text}");
}
