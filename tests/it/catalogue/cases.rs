//! Golden renders: `<service>/cases/*.yaml` beside what the host of each case gets.

use std::path::{Path, PathBuf};

use super::render::{Case, Rendered, local, local_difference};
use crate::golden::{agree, difference, files, project};
use crate::setup::{catalogue, cluster};

/// The folders of services with cases: the built-in ones and the odd ones of the tests.
pub fn services() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in ["templates", "tests/catalogue"] {
        let entries = std::fs::read_dir(project(parent)).expect("the folder is there");
        let folders = entries.map(|entry| entry.expect("readable").path());
        found.extend(folders.filter(|path| path.join("service.yaml").is_file()));
    }
    found.sort();
    found
}

/// A case, read.
#[track_caller]
pub fn read(path: &Path) -> Case {
    let text = std::fs::read_to_string(path).expect("readable");
    serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Renders a case: as a real host, and how a local one differs.
fn render(case: &Case) -> String {
    let catalogue = catalogue();
    let cluster = cluster(&case.inventory, &catalogue);
    let real = Rendered::new(&cluster, &catalogue, &case.host, &case.memory);
    let here = Rendered::new(&local(&cluster), &catalogue, &case.host, &case.memory);
    let changes = local_difference(&real, &here, &case.host);
    format!("{}\n#### as a local host:\n{changes}", real.text())
}

#[test]
fn every_case_renders_as_its_golden_file() {
    let mut differences = Vec::new();
    for service in services() {
        for path in files(&service.join("cases"), "yaml") {
            let now = render(&read(&path));
            differences.extend(difference(&path.with_extension("golden"), &now));
        }
    }
    agree(&differences);
}

#[test]
fn the_same_case_renders_the_same_twice() {
    for service in services() {
        for path in files(&service.join("cases"), "yaml") {
            let case = read(&path);
            assert_eq!(render(&case), render(&case), "{}", path.display());
        }
    }
}
