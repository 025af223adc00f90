//! Tests over files: the sample inventories, and `tests/inventory/`, where each bad inventory has the findings
//! that it must give.

use std::path::{Path, PathBuf};

use super::*;
use crate::catalogue::Catalogue;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let dir = std::fs::read_dir(root().join(folder)).expect("the folder is there");
    let mut files: Vec<PathBuf> = dir.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

fn catalogue() -> Catalogue {
    Catalogue::load(&[]).expect("the embedded catalogue is good")
}

fn env() -> Env {
    let pairs = [("HOME", "/home/me"), ("BROKERS", "3"), ("SECRET", "s3cret")];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn sample_inventories_load_without_a_word() {
    for path in files("inventories") {
        let loaded = load(&path, &catalogue(), &env()).unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}
