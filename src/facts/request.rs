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
        let at = |path: &str| dir.path().join(path).display().to_string();
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
}
