//! Inventories and answers of hosts that are not what they should be: thousands of mutations of good and bad
//! ones. None panics or hangs, and each finding has a place. `SDTD_SEED=7` repeats a run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sdtd::facts::FactsRequest;
use sdtd::inventory::{Context, Env, Findings, Style, check, confidential};

use crate::golden::project;
use crate::lab::chance::Chance;
use crate::setup;

/// What a mistyped or a hostile text is made of.
const PIECES: &[&str] = &[
    ":",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "- ",
    "&a ",
    "*a",
    "!!int ",
    "|\n",
    ">\n",
    "\"",
    "'",
    "#",
    "%",
    "@",
    "`",
    ",",
    "\t",
    "\n",
    "\n  ",
    "~",
    "null",
    "true",
    "-1",
    "0",
    "99999999999999999999",
    "1e9",
    "${HOME}",
    "${X:-",
    "<<: ",
    "? ",
    "...\n",
    "---\n",
    "\u{feff}",
    "\u{0}",
    "é",
    "🦀",
    "hosts",
    "services",
    "topics",
    "on: all",
    "version: 9.9",
    "{{ host }}",
    "../../etc",
    "kafka",
    "java",
    "connection: local",
    "address: 127.0.0.1",
    "memory: 1Z",
    "heap: 1T",
];
/// Far more than any takes, on a machine with much else to do.
const TOO_LONG: Duration = Duration::from_secs(120);

/// How many of each.
const TIMES: u64 = 10_000;

/// The text with one to four changes.
fn mutated(text: &str, chance: &mut Chance) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..chance.between(1, 5) {
        let at = |chance: &mut Chance, len: usize| chance.below(len + 1);
        let from = at(chance, chars.len());
        let to = (from + at(chance, 30)).min(chars.len());
        match chance.between(0, 6) {
            0 => _ = chars.drain(from..to),
            1 => {
                let again = chars[from..to].to_vec();
                let into = at(chance, chars.len());
                chars.splice(into..into, again);
            }
            2 => chars.truncate(from),
            3 => chars[from..to].reverse(),
            _ => {
                let n = at(chance, PIECES.len() - 1);
                chars.splice(from..from, PIECES[n].chars());
            }
        }
    }
    chars.into_iter().collect()
}

/// All inventories of the project, good and bad.
fn inventories() -> Vec<String> {
    let folders = ["inventories", "tests/inventory/good", "tests/inventory/bad"];
    let mut texts = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(project(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "yaml") {
                texts.extend(std::fs::read_to_string(&path));
            }
        }
    }
    texts.sort();
    texts
}

/// Runs `work` and tells of the text that it can't cope with.
fn survives<T>(text: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(work));
    assert!(began.elapsed() < TOO_LONG, "it took too long:\n{text}");
    result.unwrap_or_else(|_| panic!("it panics on:\n{text}"))
}

#[test]
fn no_inventory_makes_it_panic_and_each_finding_has_a_place() {
    let (texts, catalogue) = (inventories(), setup::catalogue());
    let env = Env::from([("HOME".to_owned(), "/home/me".to_owned())]);
    let (path, folder) = (Path::new("inventory.yaml"), Path::new("/inventories"));
    let context = Context {
        catalogue: &catalogue,
        env: &env,
        folder,
    };
    let mut chance = Chance::new("inventories");
    let (mut good, mut bad) = (0, 0);
    for _ in 0..TIMES {
        let which = chance.below(texts.len());
        let text = mutated(&texts[which], &mut chance);
        match survives(&text, || check(&text, &context)) {
            // What is accepted can be planned, or refused with words.
            Ok((cluster, _)) => {
                good += 1;
                let _ = survives(&text, || setup::bare_plan(&cluster, &catalogue, &[].into()));
                let _ = survives(&text, || confidential(&text, &env));
            }
            Err(findings) => {
                bad += 1;
                assert!(!findings.is_empty(), "refused without a word:\n{text}");
                for finding in &findings {
                    // To YAML a carriage return alone ends a line.
                    let lines = text.matches(['\n', '\r']).count() + 1;
                    let span = finding.span;
                    let inside = (1..=lines).contains(&span.line) && span.end <= text.len() + 1;
                    assert!(inside, "{finding:?} is nowhere in:\n{text}");
                }
                let findings = Findings::new(path, &text, findings);
                let shown = survives(&text, || findings.render(Style::Plain));
                assert!(shown.contains("inventory.yaml:"), "{shown}\n{text}");
            }
        }
    }
    assert!(
        good > 0 && bad > 0,
        "{good} good, {bad} bad: the mutations are too tame or too wild"
    );
}

/// What this machine answers when it is asked for its facts.
fn answer() -> String {
    let request = FactsRequest {
        state: "/nonexistent".to_owned(),
        store: "/".to_owned(),
        paths: [
            project("Cargo.toml").display().to_string(),
            "/etc".to_owned(),
        ]
        .into(),
        disks: ["/".to_owned()].into(),
        users: ["root".to_owned()].into(),
        units: ["some-unit".to_owned()].into(),
        ..FactsRequest::default()
    };
    let out = Command::new("sh")
        .args(["-c", &request.script()])
        .output()
        .expect("sh");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn no_answer_of_a_host_makes_it_panic() {
    let whole = answer();
    sdtd::facts::parse(&whole).expect("what was not changed is understood");
    let mut chance = Chance::new("answers");
    let mut refused = 0;
    for _ in 0..TIMES {
        let text = mutated(&whole, &mut chance);
        refused += u32::from(survives(&text, || sdtd::facts::parse(&text)).is_err());
    }
    assert!(refused > 0, "an answer that was cut off is refused");
}
