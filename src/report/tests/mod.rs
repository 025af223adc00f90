//! One recorded run, told in every way.

mod recorded;

use std::fs;
use std::io::{self, Write};

use super::*;
use crate::event::{EventKind, SCHEMA};
use recorded::{recorded, waiting};

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
                steady(&term.contents())
            ));
        }
    }
    screens.push(format!("--- end\n{}", term.contents()));
    insta::assert_snapshot!("terminal", screens.join("\n"));
}

/// The screen with what depends on this machine's speed taken out: rates, clocks, spinners.
fn steady(screen: &str) -> String {
    let fixes = [
        (r"(%) +[0-9.]+ [A-Za-z]+/s  ", "$1  (rate)  "),
        (r" [ 0-9]{3}[0-9]s  ", "   0s  "),
        ("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "⠋"),
    ];
    fixes
        .iter()
        .fold(screen.to_owned(), |screen, (pattern, with)| {
            let pattern = regex_lite::Regex::new(pattern).expect("a good pattern");
            pattern.replace_all(&screen, *with).into_owned()
        })
}
