//! What a host is asked, and the script that asks it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// What the plan needs to know of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsRequest {
    /// Where sdtd keeps its state on the host.
    pub state: String,
    /// Where packages are kept on the host.
    pub store: String,
    /// Files, links and folders to look at.
    pub paths: BTreeSet<String>,
    /// Paths whose file systems are measured.
    pub disks: BTreeSet<String>,
    /// Users to look for.
    pub users: BTreeSet<String>,
    /// Units to look at, without a suffix.
    pub units: BTreeSet<String>,
    /// Markers of steps done once.
    pub markers: BTreeSet<String>,
    /// Names to look up on the host; its own is looked up always.
    pub names: BTreeSet<String>,
    /// Whether units are kept by pid files even where systemd runs.
    pub pidfiles: bool,
}

impl FactsRequest {
    /// Asks what another one asks, too.
    pub fn add(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.disks.extend(other.disks);
        self.users.extend(other.users);
        self.units.extend(other.units);
        self.markers.extend(other.markers);
        self.names.extend(other.names);
    }

    /// The script: this request as variables, then the part that is always the same.
    #[must_use]
    pub fn script(&self) -> String {
        let mut script = String::new();
        let lists = [
            ("paths", &self.paths),
            ("disks", &self.disks),
            ("users", &self.users),
            ("units", &self.units),
            ("markers", &self.markers),
            ("names", &self.names),
        ];
        let single = [
            ("state", self.state.as_str()),
            ("store", self.store.as_str()),
        ];
        for (name, value) in single {
            let _ = writeln!(script, "{name}={}", quote(value));
        }
        let _ = writeln!(
            script,
            "pidfiles={}",
            if self.pidfiles { "yes" } else { "''" }
        );
        for (name, values) in lists {
            let all = values
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("\n");
            let _ = writeln!(script, "{name}={}", quote(&all));
        }
        script.push_str(include_str!("facts.sh"));
        script
    }
}

/// A word of a POSIX shell that means `text` and nothing else.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::facts::parse;

    #[test]
    fn a_tree_that_another_cluster_runs_from_is_told() {
        let dir = tempfile::tempdir().unwrap();
        // A name that means something else where patterns are read.
        let at = |path: &str| dir.path().join("c++ [x").join(path).display().to_string();
        for tree in ["a-1-x", "a-1-y", "b-2-z"] {
            fs::create_dir_all(at(&format!("store/{tree}"))).unwrap();
        }
        for (cluster, tree) in [("own", "a-1-x"), ("other", "a-1-y")] {
            let unit = at(&format!("sdtd/{cluster}/units/a-one"));
            fs::create_dir_all(&unit).unwrap();
            let line = format!(
                "exec '{}/bin/a' -cp \"{}/lib/*\"\n",
                at(&format!("store/{tree}")),
                at("store")
            );
            fs::write(format!("{unit}/ctl"), line).unwrap();
        }
        let request = FactsRequest {
            state: at("sdtd/own"),
            store: at("store"),
            pidfiles: true,
            ..FactsRequest::default()
        };
        let script = request.script();
        let out = Command::new("sh").args(["-c", &script]).output().unwrap();
        let facts = parse(&String::from_utf8(out.stdout).unwrap()).unwrap();
        assert_eq!(facts.store.len(), 3);
        assert_eq!(
            facts
                .used
                .intersection(&facts.store)
                .collect::<BTreeSet<_>>(),
            [&"a-1-y".to_owned()].into()
        );
    }

    #[test]
    fn what_is_asked_of_this_machine_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path).display().to_string();
        fs::write(at("a file"), "one\n").unwrap();
        std::os::unix::fs::symlink("it's 'there'", at("link")).unwrap();
        let request = FactsRequest {
            state: at("state"),
            store: at("store"),
            paths: [at("a file"), at("link"), at(""), at("none")].into(),
            disks: ["/proc".to_owned(), at("to/be/made")].into(),
            users: ["nobody-of-that-name", "root"].map(str::to_owned).into(),
            pidfiles: true,
            ..FactsRequest::default()
        };
        let mut sh = Command::new("sh");
        let out = sh.args(["-c", &request.script()]).output().unwrap();
        let facts = parse(&String::from_utf8(out.stdout).unwrap()).unwrap();
        assert_eq!(facts.files[&at("a file")].text, "one\n");
        assert_eq!(
            facts.links,
            [(at("link"), "it's 'there'".to_owned())].into()
        );
        assert!(facts.dirs.contains_key(&at("")));
        assert!(facts.disks[&at("to/be/made")].total_mb > 0);
        assert_eq!(facts.disks["/proc"].total_mb, 0);
        assert_eq!(facts.users, ["root".to_owned()].into());
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let age = i64::try_from(now.as_secs()).unwrap() - facts.time;
        assert!((0..60).contains(&age), "{age} s");
    }

    /// What a host with these lines in the place of its `getent` knows of these names.
    fn looked_up(getent: &str, names: &[&str]) -> (bool, Vec<(String, String)>) {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("getent");
        fs::write(&tool, format!("#!/bin/sh\n{getent}\n")).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let request = FactsRequest {
            state: "/nowhere".to_owned(),
            store: "/nowhere".to_owned(),
            pidfiles: true,
            names,
            ..FactsRequest::default()
        };
        let path = format!(
            "{}:{}",
            dir.path().display(),
            std::env::var("PATH").unwrap()
        );
        let mut sh = Command::new("sh");
        let out = sh
            .arg("-c")
            .arg(request.script())
            .env("PATH", path)
            .output()
            .unwrap();
        let facts = parse(&String::from_utf8(out.stdout).unwrap()).unwrap();
        let own = facts.hostname;
        let others = facts.resolves.into_iter().filter(|(name, _)| *name != own);
        (facts.looks_up, others.collect())
    }

    #[test]
    fn names_that_are_all_known_cost_one_call_and_those_that_are_not_are_missing() {
        // As glibc's: the first line of each has its canonical name, whatever it was asked for.
        let getent = |unknown: &str| {
            format!(
                r#"[ "$1" = ahostsv4 ] || exit 2
echo "$*" >>"$0.calls"; shift; i=0; code=0
for n; do
  i=$((i + 1))
  [ "$n" != "{unknown}" ] || {{ code=2; continue; }}
  printf '10.0.0.%s      STREAM canonical\n10.0.0.%s DGRAM  \n10.0.0.9 STREAM \n' $i $i
done
exit $code"#
            )
        };
        let pairs = |all: &[(&str, &str)]| {
            let pair = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
            (true, all.iter().map(pair).collect::<Vec<_>>())
        };
        // The host's own name is the first.
        assert_eq!(
            looked_up(&getent(""), &["b1.local", "b2"]),
            pairs(&[("b1.local", "10.0.0.2"), ("b2", "10.0.0.3")])
        );
        assert_eq!(
            looked_up(&getent("b1.local"), &["b1.local", "b2"]),
            pairs(&[("b2", "10.0.0.1")])
        );
        assert_eq!(looked_up("exit 2", &["b2"]), pairs(&[]));
    }
}
