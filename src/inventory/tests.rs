//! Tests over files: the sample inventories, and `tests/inventory/`, where each bad inventory has the findings
//! that it must give.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tree::Span;
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
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn sample_inventories_load_and_are_warned_of_what_they_say_themselves() {
    for path in files("inventories") {
        let loaded =
            load(&path, None, &catalogue(), &env()).unwrap_or_else(|error| panic!("{error}"));
        // A folder that several boards mount is nobody's but the user's to name.
        let told = loaded.warnings.to_string();
        let known = path.ends_with("sdtd.yaml") && told.matches("warning").count() == 1;
        let known = known && told.contains("each server has notes of its own");
        assert!(told.is_empty() || known, "{told}");
    }
}

/// The catalogue, with the services of the tests.
fn wider() -> Catalogue {
    Catalogue::load(&[root().join("tests/inventory/templates")]).expect("good descriptors")
}

/// Compares with the file beside the inventory.
fn golden(folder: &str, path: &Path, shown: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let name = path
        .file_stem()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

/// The file's findings or cluster, with the path cut to its name.
fn outcome(path: &Path, catalogue: &Catalogue) -> Result<Loaded, Findings> {
    load(path, None, catalogue, &env()).map_err(|error| match error {
        LoadError::Findings(mut findings) => {
            findings.path = PathBuf::from(path.file_name().expect("a file"));
            findings
        }
        LoadError::Read { .. } => panic!("{error}"),
    })
}

#[test]
fn bad_inventories_have_the_findings_beside_them() {
    let catalogue = wider();
    for path in files("tests/inventory/bad") {
        let findings = outcome(&path, &catalogue).expect_err(&path.display().to_string());
        for finding in &findings.findings {
            assert!(
                finding.help.is_some(),
                "{}: no help: {}",
                path.display(),
                finding.cause
            );
            assert!(
                finding.span.line > 0,
                "{}: no place: {}",
                path.display(),
                finding.cause
            );
        }
        assert!(!findings.to_string().contains("s3cret"), "{findings}");
        golden("tests/inventory/bad", &path, &findings.to_string());
    }
}

#[test]
fn good_inventories_become_the_clusters_beside_them() {
    let catalogue = wider();
    for path in files("tests/inventory/good") {
        let loaded = outcome(&path, &catalogue).unwrap_or_else(|findings| panic!("{findings}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let shown = serde_json::to_string_pretty(&loaded.cluster).expect("a cluster is data");
        let here = root().join("tests/inventory").display().to_string();
        golden(
            "tests/inventory/good",
            &path,
            &shown.replace(&here, "<tests>"),
        );
    }
}

/// A small generator of numbers: the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % sides.max(1)
    }
}

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "-",
    "&a ",
    "*a",
    "<<: *a",
    "\n",
    "\t",
    "  ",
    "\"",
    "'",
    "#",
    "|",
    "${",
    "}",
    "~",
    "99999999999999999999",
    "é",
    "\u{feff}",
    "---\n",
];

fn mutated(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(chars.len());
        let to = (at + dice.roll(20)).min(chars.len());
        match dice.roll(5) {
            0 => drop(chars.drain(at..to)),
            1 => {
                let copy: Vec<char> = chars[at..to].to_vec();
                let put = dice.roll(chars.len());
                chars.splice(put..put, copy);
            }
            2 => chars.swap(at, 0),
            _ => drop(chars.splice(at..at, PIECES[dice.roll(PIECES.len())].chars())),
        }
        if chars.is_empty() {
            chars.push('x');
        }
    }
    chars.into_iter().collect()
}

#[test]
fn any_text_gives_a_cluster_or_findings_with_a_place() {
    let (catalogue, env) = (wider(), env());
    let context = Context {
        catalogue: &catalogue,
        env: &env,
        folder: Path::new("/"),
    };
    let mut dice = Dice(7);
    let mut good = 0;
    for path in files("inventories")
        .into_iter()
        .chain(files("tests/inventory/good"))
    {
        let text = std::fs::read_to_string(&path).expect("readable");
        for _ in 0..600 {
            let text = mutated(&text, &mut dice);
            let found = check(&text, &context).map_or_else(
                |findings| findings,
                |(_, warnings)| {
                    good += 1;
                    warnings
                },
            );
            for finding in &found {
                let Span {
                    line,
                    col,
                    start,
                    end,
                } = finding.span;
                assert!(
                    line > 0 && col > 0 && start <= end && end <= text.len(),
                    "{finding:?}\n{text}"
                );
            }
            let _ = Findings::new(&path, &text, found).render(Style::Coloured);
            let _ = edit::set_scalar(&text, &["cluster"], "other");
        }
    }
    assert!(
        good > 100,
        "only {good} mutations left a good inventory: the test has lost its point"
    );
}

/// How long this thread has been worked on, whatever else the machine does.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux kernel");
    let nanos = stat.split(' ').next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

#[test]
fn bombs_and_mountains_end_quickly() {
    let (catalogue, env) = (wider(), env());
    let context = Context {
        catalogue: &catalogue,
        env: &env,
        folder: Path::new("/"),
    };
    let keys: String = (0..60_000).map(|n| format!("k{n}: 1\n")).collect();
    let hosts: String = (0..2_000)
        .map(|n| format!("  h{n}: h{n}.local\n"))
        .collect();
    let text = "l".repeat(200_000);
    for text in [
        keys,
        format!("cluster: c\nhosts:\n{hosts}services: {{ agent: }}\n"),
        format!("x: &a {text}\ncluster: [{}]", "*a,".repeat(10_000)),
        "[".repeat(500_000),
        "- ".repeat(500_000),
        "? ".repeat(300_000),
        "a: &a\n".repeat(100_000),
        "!t ".repeat(100_000),
        "x".repeat(2 << 20),
    ] {
        let begin = worked();
        let findings = check(&text, &context).err().unwrap_or_default();
        let _ = Findings::new(Path::new("x"), &text, findings).render(Style::Plain);
        let took = worked() - begin;
        assert!(took.as_secs() < 10, "{took:?}: {}", &text[..40]);
    }
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = load(
        Path::new("/nowhere/inventory.yaml"),
        None,
        &catalogue(),
        &env(),
    )
    .expect_err("no file");
    let text = error.to_string();
    assert!(
        text.contains("/nowhere/inventory.yaml") && text.contains("sdtd init FILE"),
        "{text}"
    );
}

#[test]
fn findings_are_data_too() {
    let path = root().join("tests/inventory/bad/even-quorum.yaml");
    let findings = outcome(&path, &wider()).expect_err("a bad inventory");
    let json = serde_json::to_value(&findings).expect("findings are data");
    assert_eq!(json["findings"][0]["severity"], "error");
    assert_eq!(json["findings"][0]["span"]["line"], 3);
    assert_eq!(json["findings"][0]["span"]["col"], 35);
}
