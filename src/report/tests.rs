//! One recorded run, told in every way.

use std::fs;
use std::io::{self, Write};

use super::*;
use crate::event::{EventKind, HostSummary, InstanceSummary, Outcome, Problem, RunSummary, SCHEMA};
use crate::id::HostName;

fn host(name: &str) -> HostName {
    name.parse().expect("a good name")
}

fn broken() -> Problem {
    let log = vec![
        "INFO starting".to_owned(),
        "\x1b[31mBindException: in use\x1b[0m".to_owned(),
    ];
    let cause = "db-node ended at once with status 1".to_owned();
    Problem {
        cause,
        log,
        help: None,
    }
    .help("free port 7000 on pi3, then run the command again")
}

fn step(name: &str, text: &str, outcome: Outcome, took_ms: u64) -> EventKind {
    let (wave, step) = ("db: start".to_owned(), text.to_owned());
    EventKind::StepFinished {
        wave,
        host: host(name),
        step,
        outcome,
        took_ms,
    }
}

fn batch(name: &str, steps: usize) -> EventKind {
    EventKind::BatchStarted {
        wave: "db: start".to_owned(),
        host: host(name),
        steps,
    }
}

fn transfer(done: u64) -> EventKind {
    EventKind::Transfer {
        host: host("pi2"),
        what: "kit 1.2".to_owned(),
        done,
        total: 4 << 20,
    }
}

fn waiting() -> EventKind {
    let (who, why) = ("db.node@pi2".to_owned(), "2 of 3 members answer".to_owned());
    EventKind::Waiting {
        wave: "db: start".to_owned(),
        who,
        why,
    }
}

fn opening() -> Vec<(u64, EventKind)> {
    let package = |done| EventKind::Package {
        package: "kit 1.2".to_owned(),
        doing: "downloading".to_owned(),
        done,
        total: Some(4 << 20),
    };
    let facts = |name, summary: &str| EventKind::HostFacts {
        host: host(name),
        summary: summary.to_owned(),
    };
    vec![
        (
            0,
            EventKind::RunStarted {
                command: "deploy".to_owned(),
                cluster: "shelf".to_owned(),
                run: "20260102T030405Z-ab12".to_owned(),
                time: 1_767_323_045,
                version: "0.1.0".to_owned(),
            },
        ),
        (
            5,
            EventKind::Phase {
                name: "facts".to_owned(),
            },
        ),
        (900, facts("pi1", "Debian 12, aarch64, 8.0 GiB")),
        (1000, facts("pi2", "Debian 12, aarch64, 4.0 GiB")),
        (1100, facts("pi3", "Debian 12, aarch64, 4.0 GiB")),
        (
            5000,
            EventKind::HostFailed {
                host: host("pi10"),
                error: Problem::new("no route"),
            },
        ),
        (
            5001,
            EventKind::Phase {
                name: "packages".to_owned(),
            },
        ),
        (5100, package(1 << 20)),
        (5200, package(2 << 20)),
        (
            5300,
            EventKind::PackageReady {
                package: "kit 1.2".to_owned(),
                origin: "upstream".to_owned(),
                size: 4 << 20,
            },
        ),
        (
            5400,
            EventKind::Phase {
                name: "plan".to_owned(),
            },
        ),
        (
            5500,
            EventKind::Planned {
                text: "db: start\n  + pi1 write /etc/db.conf\n  ~ pi3 restart db\n".to_owned(),
                steps: 5,
                unchanged: 40,
            },
        ),
    ]
}

fn applying() -> Vec<(u64, EventKind)> {
    vec![
        (
            6000,
            EventKind::Phase {
                name: "apply".to_owned(),
            },
        ),
        (
            6001,
            EventKind::WaveStarted {
                wave: "db: start".to_owned(),
                batches: 3,
            },
        ),
        (6010, batch("pi1", 2)),
        (
            6500,
            step("pi1", "write /etc/db.conf", Outcome::Changed, 490),
        ),
        (
            6600,
            EventKind::Note {
                text: "kept the old file".to_owned(),
            },
        ),
        (7000, step("pi1", "start db-node", Outcome::Changed, 500)),
        (7010, batch("pi2", 2)),
        (7100, transfer(1 << 20)),
        (7200, transfer(2 << 20)),
        (8200, transfer(4 << 20)),
        (8300, step("pi2", "write /etc/db.conf", Outcome::ok(), 40)),
        (8400, waiting()),
        (9400, waiting()),
        (9500, step("pi2", "start db-node", Outcome::ok(), 1100)),
        (9510, batch("pi3", 3)),
        (
            9900,
            step(
                "pi3",
                "start db-node",
                Outcome::Failed { error: broken() },
                390,
            ),
        ),
        (
            9901,
            step(
                "pi3",
                "probe",
                Outcome::Skipped {
                    reason: "a step before failed".into(),
                },
                0,
            ),
        ),
        (
            10_000,
            EventKind::Warning {
                text: "pi3 has 97% of its disk in use".to_owned(),
                help: Some("make room below /var".to_owned()),
            },
        ),
        (
            10_100,
            EventKind::WaveFinished {
                wave: "db: start".to_owned(),
                outcome: Outcome::Failed {
                    error: Problem::new("1 of 3 hosts failed"),
                },
            },
        ),
    ]
}

fn closing() -> Vec<(u64, EventKind)> {
    let checked = |who: &str, outcome| EventKind::Checked {
        who: who.to_owned(),
        what: "answers on 7000".to_owned(),
        outcome,
    };
    let sum = |name, changed, failed| HostSummary {
        host: host(name),
        changed,
        failed,
    };
    let instance = |id: &str, state: &str| InstanceSummary {
        instance: id.parse().expect("a good id"),
        address: format!("{}:7000", id.trim_start_matches("db.node@")),
        state: state.to_owned(),
        version: "1.2".to_owned(),
    };
    vec![
        (
            10_200,
            EventKind::Phase {
                name: "verify".to_owned(),
            },
        ),
        (
            10_300,
            checked(
                "db.node@pi1",
                Outcome::Ok {
                    detail: Some("leader".to_owned()),
                },
            ),
        ),
        (
            10_400,
            checked(
                "db.node@pi3",
                Outcome::Failed {
                    error: Problem::new("refused"),
                },
            ),
        ),
        (
            10_500,
            EventKind::RunFinished(RunSummary {
                exit: 1,
                headline: "1 of 4 hosts failed; the others are up".to_owned(),
                hosts: vec![
                    sum("pi1", 2, vec![]),
                    sum("pi2", 0, vec![]),
                    sum("pi3", 0, vec![broken()]),
                ],
                instances: vec![
                    instance("db.node@pi1", "leader"),
                    instance("db.node@pi3", "down"),
                ],
                next: vec!["sdtd deploy shelf.yaml".to_owned()],
                took_ms: 10_500,
            }),
        ),
    ]
}

fn recorded() -> Vec<Event> {
    let all = opening().into_iter().chain(applying()).chain(closing());
    all.map(|(at_ms, kind)| Event {
        v: SCHEMA,
        at_ms,
        kind,
    })
    .collect()
}

fn plain(level: Level) -> String {
    let (out, seen) = Out::captured();
    replay(&recorded(), &mut Plain::new(out, level)).expect("memory takes all");
    seen.text()
}

#[test]
fn plain_lines() {
    insta::assert_snapshot!("plain", plain(Level::of(false, 0)));
}

#[test]
fn quiet_tells_failures_warnings_and_the_summary() {
    insta::assert_snapshot!("quiet", plain(Level::of(true, 1)));
}

#[test]
fn verbose_tells_each_step() {
    insta::assert_snapshot!("verbose", plain(Level::of(false, 1)));
}

#[test]
fn nothing_moves_or_glows_in_a_pipe() {
    assert!(!plain(Level::Verbose).contains('\x1b'));
}

#[test]
fn json_reads_back() {
    let (out, seen) = Out::captured();
    replay(&recorded(), &mut Json::new(out)).expect("memory takes all");
    let text = seen.text();
    let back: Result<Vec<Event>, _> = text.lines().map(serde_json::from_str).collect();
    assert_eq!(back.expect("each line is an event"), recorded());
    assert!(text.starts_with(r#"{"v":1,"at_ms":0,"event":"run-started","command":"deploy""#));
}

#[test]
fn a_reason_to_wait_is_not_said_every_second() {
    let (out, seen) = Out::captured();
    let mut plain = Plain::new(out, Level::Normal);
    for at_ms in (0..61_000).step_by(1000) {
        let event = Event {
            v: SCHEMA,
            at_ms,
            kind: waiting(),
        };
        plain.on_event(&event).expect("memory takes all");
    }
    assert_eq!(seen.text().lines().count(), 3, "{}", seen.text());
}

#[test]
fn a_log_shows_the_run_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = RunLog::new(dir.path(), Secrets::default());
    replay(&recorded(), &mut log).expect("the disk takes it");
    let paths = runs(dir.path()).expect("a directory of logs");
    assert_eq!(paths, [dir.path().join("runs/20260102T030405Z-ab12.jsonl")]);

    let events = read(&paths[0]).expect("a whole log");
    assert!(matches!(events[0].kind, EventKind::RunStarted { .. }));
    let (out, seen) = Out::captured();
    replay(&events, &mut Plain::new(out, Level::Normal)).expect("memory takes all");
    assert_eq!(seen.text(), plain(Level::Normal));

    let sent: Vec<_> = events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Transfer { done, .. } => Some(done >> 20),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [1, 4], "one a second, and the last");
}

#[test]
fn a_torn_last_line_is_left_out_and_a_bad_one_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = RunLog::new(dir.path(), Secrets::default());
    replay(&recorded(), &mut log).expect("the disk takes it");
    let path = RunLog::path(dir.path(), "20260102T030405Z-ab12");
    let whole = fs::read(&path).expect("a log");
    let count = read(&path).expect("a whole log").len();

    fs::write(&path, &whole[..whole.len() - 20]).expect("the disk takes it");
    assert_eq!(read(&path).expect("a torn log").len(), count - 1);

    let bad = [b"{\"v\":1}\n".as_slice(), &whole].concat();
    fs::write(&path, bad).expect("the disk takes it");
    assert!(matches!(read(&path), Err(LogError::Line { line: 1, .. })));
    assert!(
        runs(&dir.path().join("none"))
            .expect("nothing there")
            .is_empty()
    );
}

#[test]
fn secrets_reach_neither_screen_nor_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let secrets = Secrets::new(["BindException"]);
    let (plain, seen) = Out::captured();
    let (json, lines) = Out::captured();
    let mut reporters = Reporters::of(vec![
        Box::new(Plain::new(plain.hiding(secrets.clone()), Level::Verbose)),
        Box::new(Json::new(json.hiding(secrets.clone()))),
        Box::new(RunLog::new(dir.path(), secrets)),
    ]);
    replay(&recorded(), &mut reporters).expect("memory takes all");
    let log = fs::read_to_string(&runs(dir.path()).expect("logs")[0]).expect("a log");
    for text in [seen.text(), lines.text(), log] {
        assert!(
            text.contains("••••: in use") && !text.contains("BindException"),
            "{text}"
        );
    }
}

#[test]
fn a_full_disk_ends_a_log_and_not_the_run() {
    struct Full;
    impl Reporter for Full {
        fn on_event(&mut self, _: &Event) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let (out, seen) = Out::captured();
    let mut reporters = Reporters::of(vec![
        Box::new(Full),
        Box::new(Plain::new(out, Level::Quiet)),
    ]);
    let events = recorded();
    assert!(reporters.on_event(&events[0]).is_err());
    assert!(replay(&events[1..], &mut reporters).is_ok());
    assert!(
        seen.text()
            .contains("cannot be written any more: no storage space")
    );
    assert!(seen.text().contains("next: sdtd deploy shelf.yaml"));
}

/// Lines onto the same screen as the rows.
struct Typing(indicatif::InMemoryTerm);

impl Write for Typing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use indicatif::TermLike;
        let text = String::from_utf8_lossy(bytes);
        self.0.write_str(&text.replace('\n', "\r\n"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_screen_shows_what_goes_on_below_what_is_over() {
    let term = indicatif::InMemoryTerm::new(60, 100);
    let out = Out::to(Typing(term.clone()), false);
    let mut terminal = Terminal::in_memory(term.clone(), out, Level::Normal);
    let mut screens = Vec::new();
    for event in recorded() {
        terminal.on_event(&event).expect("memory takes all");
        if [1100, 5200, 6500, 7200, 9400].contains(&event.at_ms) {
            screens.push(format!(
                "--- {} ms\n{}",
                event.at_ms,
                without_rate(&term.contents())
            ));
        }
    }
    screens.push(format!("--- end\n{}", term.contents()));
    insta::assert_snapshot!("terminal", screens.join("\n"));
}

/// The screen with its only measured value, bytes a second, taken out.
fn without_rate(screen: &str) -> String {
    let words = |line: &str| match line.split_once("%  ") {
        Some((bar, rest)) => {
            let text = rest.split_once("/s  ").map_or(rest, |(_, text)| text);
            format!("{bar}%  (rate)  {text}")
        }
        None => line.to_owned(),
    };
    screen.lines().map(words).collect::<Vec<_>>().join("\n")
}
