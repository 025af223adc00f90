//! What the documents say is what the program does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Runs the program in the repository, with an empty home of its own.
fn sdtd(words: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_sdtd"))
        .args(words)
        .current_dir(repository())
        .env("SDTD_HOME", home.path())
        .env_remove("SDTD_INVENTORY")
        .output()
        .unwrap()
}

fn printed(words: &[&str]) -> String {
    let output = sdtd(words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "sdtd {words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// `UPDATE_GOLDEN=1` writes the documents anew.
fn is_printed(path: &str, words: &[&str]) {
    let text = printed(words);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(repository().join(path), &text).unwrap();
    }
    assert!(
        read(path) == text,
        "{path} is not what `sdtd {}` prints; UPDATE_GOLDEN=1 writes it anew",
        words.join(" ")
    );
}

#[test]
fn references_are_what_the_program_prints() {
    is_printed("docs/inventory.md", &["reference", "inventory"]);
    is_printed("docs/catalogue.md", &["reference", "catalogue"]);
    is_printed("docs/drills.md", &["reference", "drills"]);
    is_printed("docs/inventory.schema.json", &["schema"]);
}

/// The lines of a document's fenced blocks of shell commands.
fn shell_lines(text: &str) -> Vec<String> {
    let (mut lines, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside && !line.is_empty() => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

/// The words of a command line before its first argument: `topics create` of `sdtd topics create x`.
fn command_words(line: &str) -> Vec<&str> {
    let line = line.split(" #").next().unwrap_or(line);
    let words = line.split_whitespace().skip(1);
    let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
    let groups = ["topics", "completions", "schema", "help"];
    let mut words = words.take_while(is_word);
    let Some(first) = words.next() else {
        return Vec::new();
    };
    let second = words.next().filter(|_| groups.contains(&first));
    std::iter::once(first).chain(second).collect()
}

#[test]
fn commands_of_the_documents_exist() {
    let documents = [
        "README.md",
        "CONTRIBUTING.md",
        "quickstart",
        "examples/minimal/README.md",
        "examples/sdtd/README.md",
        "examples/steady/README.md",
        "examples/tp3/README.md",
    ];
    for document in documents {
        let text = read(document);
        let lines = if document.contains('.') {
            shell_lines(&text)
        } else {
            let said = text.lines().filter_map(|l| l.trim().strip_prefix("$sdtd "));
            said.map(|rest| format!("sdtd {rest}")).collect()
        };
        let commands = lines
            .iter()
            .filter(|l| l.starts_with("sdtd ") || l.starts_with("target/release/sdtd "));
        for line in commands {
            let mut words = command_words(line);
            if words.first() == Some(&"completions") {
                words.truncate(1);
            }
            assert!(!words.is_empty(), "{document}: `{line}` has no command");
            let help = printed(&[&words[..], &["--help"]].concat());
            let options = line.split(" #").next().unwrap_or(line).split_whitespace();
            for option in options.filter(|w| w.starts_with("--")) {
                let option = option.split('=').next().unwrap_or(option);
                assert!(help.contains(option), "{document}: `{line}`: no {option}");
            }
        }
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let help = printed(&["--help"]);
    let list = help.split("Commands:").nth(1).unwrap();
    let list = list.split("Options:").next().unwrap();
    let readme = read("README.md");
    for line in list.lines().filter(|l| l.starts_with("  ")) {
        let Some(name) = line.strip_prefix("  ").filter(|l| !l.starts_with(' ')) else {
            continue;
        };
        let name = name.split_whitespace().next().unwrap();
        if name != "help" {
            assert!(
                readme.contains(&format!("`sdtd {name}")),
                "README.md says nothing of `sdtd {name}`"
            );
        }
    }
}

#[test]
fn exit_codes_are_in_the_readme() {
    let readme = read("README.md");
    for code in [0, 1, 2, 3, 4, 5, 6, 10, 130] {
        assert!(readme.contains(&format!("| {code} |")), "exit code {code}");
    }
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    let lines = shell_lines(&read("README.md"));
    let own: Vec<&str> = lines
        .iter()
        .filter_map(|l| l.split_whitespace().next())
        .filter(|word| word.starts_with("./"))
        .collect();
    assert_eq!(own.first(), Some(&"./quickstart"), "the first command");
    assert_eq!(own.get(1), Some(&"./test"), "the second command");
    let ci = read(".ci/run");
    let called: Vec<&str> = ci.lines().filter_map(|l| l.strip_prefix("exec ")).collect();
    assert_eq!(called, ["./test"], ".ci/run");
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let folder = |path: &str| repository().join(path).parent().unwrap().to_owned();
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "lab/README.md",
    ];
    for document in documents {
        for target in read(document).split("](").skip(1) {
            let target = target.split(')').next().unwrap();
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = folder(document).join(target);
            assert!(path.exists(), "{document}: there is no {target}");
        }
    }
}

/// Every inventory that the repository ships.
fn inventories() -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(repository().join("inventories")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect()
}

#[test]
fn every_inventory_plans() {
    assert!(inventories().len() >= 2);
    for path in inventories() {
        let plan = printed(&["plan", "--offline", path.to_str().unwrap()]);
        assert!(
            plan.contains("start "),
            "{}: a plan that starts nothing:\n{plan}",
            path.display()
        );
    }
}

#[test]
fn the_inventory_of_the_readme_plans() {
    let readme = read("README.md");
    let yaml = readme.split("```yaml\n").nth(1).expect("a sample");
    let yaml = yaml.split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inventory.yaml");
    std::fs::write(&path, yaml).unwrap();
    let plan = printed(&["plan", "--offline", path.to_str().unwrap()]);
    assert!(plan.contains("start "), "{plan}");
}

#[test]
fn the_architecture_can_be_read_in_one_sitting() {
    let lines = read("ARCHITECTURE.md").lines().count();
    assert!(lines <= 120, "{lines} lines");
}
