//! A run with a bit of everything: work done and held, a wait, a failure, an unreachable host.

use crate::event::{
    Event, EventKind, HostSummary, InstanceSummary, Outcome, Problem, RunSummary, SCHEMA,
};
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
        from: None,
    }
}

/// A wait that is told again and again.
pub(super) fn waiting() -> EventKind {
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
                needs: Vec::new(),
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
                problems: Vec::new(),
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

/// All of it.
pub(super) fn recorded() -> Vec<Event> {
    let all = opening().into_iter().chain(applying()).chain(closing());
    all.map(|(at_ms, kind)| Event {
        v: SCHEMA,
        at_ms,
        kind,
    })
    .collect()
}
