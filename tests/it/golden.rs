//! Golden files: what a case gives is compared with the file beside it.

use std::path::{Path, PathBuf};

use similar::TextDiff;

/// Whether golden files are written anew instead of compared.
pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

/// The difference between a golden file and what was made now; none where they agree or it was written anew.
pub fn difference(path: &Path, now: &str) -> Option<String> {
    if updating() {
        std::fs::write(path, now).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return None;
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    (golden != now).then(|| {
        let diff = TextDiff::from_lines(golden.as_str(), now);
        let mut unified = diff.unified_diff();
        format!("{}", unified.header(&path.display().to_string(), "now"))
    })
}

/// Fails with all differences at once.
#[track_caller]
pub fn agree(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "{}\n`UPDATE_GOLDEN=1 cargo test --test it` takes what is now",
        differences.join("\n")
    );
}

/// The project's folder, or a path in it.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder with an ending, sorted; there must be some.
#[track_caller]
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == ending));
    files.sort();
    assert!(
        !files.is_empty(),
        "no .{ending} files in {}",
        folder.display()
    );
    files
}

/// All files below a folder, sorted.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
