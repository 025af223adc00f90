//! When a JournalNode may be stopped: the NameNode at work writes to all others.

use regex_lite::Regex;
use sdtd::catalogue::Probe;

use super::Bench;
use crate::setup::catalogue;

const NOBODY: &str = "pi1:8020 standby\npi2:8020 Failed to connect: no route\n";
const AT_WORK: &str = "pi1:8020           active    \npi2:8020           standby   \n";

fn answer(hook: &str, states: &str, rolled: &str, code: u8) -> (Option<i32>, String) {
    let bench = Bench::new();
    bench.file("config/states", states);
    bench.file("config/rolled", rolled);
    let run = format!(
        "case $* in\n  *getAllServiceState) cat \"$SDTD_CONFIG/states\" ;;\n  \
         *rollEdits) cat \"$SDTD_CONFIG/rolled\"; exit {code} ;;\nesac\n"
    );
    bench.file("config/client/run.sh", &run);
    bench.run(hook)
}

#[test]
fn a_segment_is_begun_where_somebody_writes() {
    let hook = "hdfs/hooks/roll.sh";
    let rolled = "Successfully rolled edit logs.\nNew segment starts at txid 7\n";
    let safe = "rollEdits: Log not rolled. Name node is in safe mode.\n";
    let cases = [
        (AT_WORK, rolled, 0, 0, "txid 7"),
        (AT_WORK, safe, 255, 0, "safe mode"),
        (AT_WORK, "rollEdits: too slow\n", 255, 1, "too slow"),
        (NOBODY, rolled, 0, 0, "no NameNode is at work"),
    ];
    for (states, rolled, code, is, said) in cases {
        let (ended, last) = answer(hook, states, rolled, code);
        assert_eq!(ended, Some(is), "{last}");
        assert!(last.contains(said), "{last}");
    }
    let idle = "hdfs/hooks/idle.sh";
    assert_eq!(answer(idle, NOBODY, "", 0).0, Some(0));
    assert_eq!(answer(idle, AT_WORK, "", 0).0, Some(1));
}

/// The pattern of a NameNode that writes to all JournalNodes.
fn in_sync() -> Regex {
    let (catalogue, hdfs) = (catalogue(), "hdfs".parse().expect("a name"));
    let role = "journalnode".parse().expect("a name");
    let before = &catalogue.role(&hdfs, &role).expect("a role").rolling.before;
    let some = before.iter().find_map(|probe| match probe {
        Probe::AnyOf(any) => any.iter().find_map(|probe| match probe {
            Probe::Some { asks, .. } => Some(asks),
            _ => None,
        }),
        _ => None,
    });
    match some.map(|asks| &**asks) {
        Some(Probe::Http {
            pattern: Some(pattern),
            ..
        }) => Regex::new(pattern).expect("a pattern"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_journalnode_that_does_not_take_part_is_seen() {
    let pattern = in_sync();
    let status = |stream: &str| {
        format!(
            "    \"NameJournalStatus\" : \"[{{\\\"manager\\\":\\\"QJM to [10.0.0.1:8485, 10.0.0.2:8485]\\\",\
             \\\"stream\\\":\\\"{stream}\\\",\\\"disabled\\\":\\\"false\\\",\\\"required\\\":\\\"true\\\"}},\
             {{\\\"manager\\\":\\\"FileJournalManager(root=/d/names)\\\",\\\"stream\\\":\
             \\\"EditLogFileOutputStream(/d/names/current/edits_inprogress_7)\\\"}}]\",\n    \"Threads\" : 9,\n"
        )
    };
    let writes = |second: &str| {
        let first = "10.0.0.1:8485 (Written txid 9)";
        let text = "Writing segment beginning at txid 7. \\\\n";
        status(&format!(
            "{text}{first}, 10.0.0.2:8485 (Written txid {second})"
        ))
    };
    assert!(pattern.is_match(&writes("9")));
    assert!(pattern.is_match(&writes("8 (1 txns/3ms behind)")));
    assert!(!pattern.is_match(&writes(
        "5 (4 txns/99ms behind) (will try to re-sync on next segment)"
    )));
    assert!(!pattern.is_match(&writes("5 (will try to re-sync on next segment)")));
    assert!(!pattern.is_match(&writes("0 (never written")));
    // The other NameNode reads.
    assert!(!pattern.is_match(&status("open for read")));
}
