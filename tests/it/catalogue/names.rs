//! The engine knows no service: none is named in `src/`, in code, strings or comments.

use std::path::Path;

use super::cases::services;
use crate::golden::{below, project};

/// The driver is made known in these lines, and nowhere else.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("src/lib.rs", "pub mod kafka;"),
    (
        "src/cli/setup.rs",
        r#"Drivers::default().with("kafka", Arc::new(crate::kafka::driver::KafkaDriver))"#,
    ),
];

/// Names that are words of the engine's own as well.
const WORDS: [&str; 1] = ["java"];

fn names() -> Vec<String> {
    let parent = project("templates");
    let built_in = services()
        .into_iter()
        .filter(|path| path.starts_with(&parent));
    let name = |path: std::path::PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let names: Vec<String> = built_in
        .map(name)
        .filter(|name| !WORDS.contains(&name.as_str()))
        .collect();
    assert!(names.len() >= 2, "{names:?}");
    names
}

/// Letters only, in lower case: `ZooKeeper`, `zoo-keeper` and `ZOO_KEEPER` are one word.
fn letters(text: &str) -> String {
    let kept = text.chars().filter(|c| !matches!(c, '-' | '_'));
    kept.flat_map(char::to_lowercase).collect()
}

fn is_exception(path: &Path, line: &str) -> bool {
    EXCEPTIONS
        .iter()
        .any(|(file, text)| path == project(file) && line.trim() == *text)
}

#[test]
fn no_service_is_named_in_the_engine() {
    let names = names();
    let mut found = Vec::new();
    for path in below(&project("src")) {
        if path.starts_with(project("src/kafka")) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        for (n, line) in text.lines().enumerate() {
            let plain = letters(line);
            let named = names.iter().find(|name| plain.contains(&letters(name)));
            if let Some(name) = named.filter(|_| !is_exception(&path, line)) {
                found.push(format!(
                    "{}:{}: names `{name}`: {}",
                    path.display(),
                    n + 1,
                    line.trim()
                ));
            }
        }
        let file = letters(
            &path
                .strip_prefix(project("src"))
                .unwrap_or(&path)
                .to_string_lossy(),
        );
        found.extend(
            names
                .iter()
                .filter(|name| file.contains(&letters(name)))
                .map(|name| format!("{}: its name is that of `{name}`", path.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_exceptions_are_there() {
    for (file, line) in EXCEPTIONS {
        let text = std::fs::read_to_string(project(file)).expect("text");
        assert_eq!(
            text.lines().filter(|l| l.trim() == line).count(),
            1,
            "{file}: {line}"
        );
    }
}
