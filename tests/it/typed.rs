//! What can't be undone is done only once the cluster's name was typed, on a terminal.

use std::path::{Path, PathBuf};

use crate::golden::project;
use crate::lab::laptop::{Ran, run_for, sdtd_in, text};
use crate::lab::pty::on_a_terminal;

/// A host of this machine, at an address that no other run has.
fn inventory(home: &Path, services: &str) -> PathBuf {
    let pid = std::process::id();
    let address = format!("127.{}.{}.77", 100 + pid % 75, pid / 75 % 250);
    let host = format!("{{ connection: local, address: {address}, memory: 1G }}");
    let path = home.join("inventory.yaml");
    let words = format!("cluster: tried\nhosts: {{ n1: {host} }}\nservices: {services}\n");
    std::fs::write(&path, words).expect("written");
    path
}

fn sdtd(home: &Path, words: &[&str]) -> Ran {
    run_for(&mut sdtd_in(home, home, words), 60)
}

/// A cluster of a service that needs nothing, for as long as a test takes.
struct Cluster {
    home: tempfile::TempDir,
    templates: PathBuf,
}

impl Cluster {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        inventory(home.path(), "{ lamp: {} }");
        let templates = project("tests/catalogue");
        let cluster = Self { home, templates };
        cluster.run(&["deploy", "--yes"]).expect(0);
        cluster
    }

    fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        [words, &["--templates", text(&self.templates)]].concat()
    }

    fn run(&self, words: &[&str]) -> Ran {
        sdtd(self.home.path(), &self.words(words))
    }

    /// `destroy`, and what is typed then.
    fn destroyed_by(&self, typed: &str) -> Ran {
        on_a_terminal(self.home.path(), &self.words(&["destroy"]), typed)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.run(&["destroy", "--yes"]);
    }
}

#[test]
fn a_cluster_is_destroyed_only_by_its_name() {
    let cluster = Cluster::new();
    for typed in ["y", "yes", "Tried", "trie", "tried2", ""] {
        let ran = cluster.destroyed_by(typed).expect(2);
        ran.says(&["Type the cluster's name to go on (tried): ", "nothing was"]);
        cluster.run(&["status"]).expect(0);
    }
    cluster
        .run(&["destroy"])
        .expect(2)
        .says(&["nobody is there to confirm", "add `--yes`"]);
    cluster.run(&["status"]).expect(0);

    cluster.destroyed_by("tried").expect(0);
    assert!(!cluster.home.path().join("local/tried/n1/opt/lamp").exists());
}

#[test]
fn there_is_a_way_back_until_the_name_is_typed() {
    let home = tempfile::tempdir().expect("a folder");
    let services =
        "{ zookeeper: { servers: 1 }, kafka: { mode: kraft, controllers: 1, brokers: 1 } }";
    let path = inventory(home.path(), services);
    let before = std::fs::read(&path).expect("read");
    let finalize = ["migrate", "kraft", "--finalize"];
    for typed in ["y", "kraft", ""] {
        on_a_terminal(home.path(), &finalize, typed)
            .expect(2)
            .says(&[
                "There is no way back from `kraft` to `zookeeper`",
                "(tried): ",
            ])
            .says(&["nothing was changed"]);
    }
    sdtd(home.path(), &finalize)
        .expect(2)
        .says(&["nobody is there to confirm that there is to be no way back"]);
    assert_eq!(std::fs::read(&path).expect("read"), before);
}
