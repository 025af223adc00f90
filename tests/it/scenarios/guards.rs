//! The guards of scenarios bite: what must never happen is noticed when it does. And a password that a host
//! repeats gets no further than the reporters.

use sdtd::event::{Event, SCHEMA};
use sdtd::flow::Planned;
use sdtd::plan::{Step, UnitChange, Wave};
use sdtd::report::{Json, Level, Out, Plain, Reporter, RunLog, Secrets};
use sdtd::transport::HookAnswer;

use super::bench::Bench;
use super::in_no_time;

const RING: &str = "\
cluster: guarded
hosts: { a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3 }
services: { ring: { nodes: 3 }, vault: { shards: [a], doors: 0 } }
";

/// A ring that runs, and the plan of a change that rolls it.
async fn rolling(bench: &mut Bench) -> Planned {
    RING.replace(", doors: 0", ", doors: 1")
        .clone_into(&mut bench.inventory);
    assert!(bench.deploy().await.expect("a plan").report.is_done());
    bench.inventory = bench
        .inventory
        .replace("nodes: 3", "nodes: 3, config: { beat.ms: 50 }");
    bench.plan().await.expect("a plan")
}

fn roll(planned: &mut Planned) -> &mut Wave {
    let waves = planned.plan.waves.iter_mut();
    waves
        .into_iter()
        .find(|wave| wave.width.is_some())
        .expect("a roll")
}

#[test]
#[should_panic(expected = "goes down while it is down on")]
fn a_roll_without_a_wait_is_noticed() {
    let mut bench = Bench::new();
    in_no_time(async {
        let mut planned = rolling(&mut bench).await;
        let wave = roll(&mut planned);
        wave.ready.clear();
        wave.before.clear();
        bench.apply(planned).await;
    });
}

#[test]
#[should_panic(expected = "are left")]
fn a_wave_that_takes_the_majority_is_noticed() {
    let mut bench = Bench::new();
    in_no_time(async {
        let mut planned = rolling(&mut bench).await;
        let wave = roll(&mut planned);
        wave.width = None;
        for batch in &mut wave.batches {
            for step in &mut batch.steps {
                if let Step::Unit { to, .. } = step {
                    *to = UnitChange::Stop;
                }
            }
        }
        bench.apply(planned).await;
    });
}

#[test]
#[should_panic(expected = "the next plan is not empty")]
fn a_run_that_leaves_something_is_noticed() {
    let mut bench = Bench::new();
    in_no_time(async {
        let planned = rolling(&mut bench).await;
        // Somebody else is faster than the end of the run.
        let path = "/etc/ring/ring.conf".to_owned();
        let steps = planned
            .plan
            .waves
            .iter()
            .flat_map(|wave| &wave.batches)
            .flat_map(|b| &b.steps);
        assert!(
            steps
                .into_iter()
                .any(|step| matches!(step, Step::File { path: p, .. } if *p == path))
        );
        bench.apply(planned).await;
        bench.on("b", |state| _ = state.files.remove(&path));
        bench.settled().await;
    });
}

#[test]
fn a_password_that_a_host_repeats_is_told_nowhere() {
    let mut bench = Bench::new();
    RING.clone_into(&mut bench.inventory);
    bench.inventory = bench.inventory.replace("doors: 0", "doors: 1");
    bench.world.lock().expect("whole").hooks = Some(std::sync::Arc::new(|_, _, _| HookAnswer {
        code: Some(1),
        lines: vec!["sudo: open sesame: try again".to_owned()],
    }));
    let ran = in_no_time(bench.deploy()).expect("a plan");
    assert!(!ran.report.is_done());
    assert!(
        bench.told.contains("open sesame"),
        "it comes as far as the events"
    );

    let state = tempfile::tempdir().expect("a folder");
    let secrets = || Secrets::new(["open sesame"]);
    let (plain, seen_plain) = Out::captured();
    let (json, seen_json) = Out::captured();
    let mut reporters: Vec<Box<dyn Reporter>> = vec![
        Box::new(Plain::new(plain.hiding(secrets()), Level::Verbose)),
        Box::new(Json::new(json.hiding(secrets()))),
        Box::new(RunLog::new(state.path(), secrets())),
    ];
    let started = sdtd::event::EventKind::RunStarted {
        command: "deploy".to_owned(),
        cluster: "guarded".to_owned(),
        run: "1".to_owned(),
        time: 1,
        version: "0".to_owned(),
    };
    for kind in [started].into_iter().chain(bench.events) {
        let event = Event {
            v: SCHEMA,
            at_ms: 0,
            kind,
        };
        reporters
            .iter_mut()
            .for_each(|one| one.on_event(&event).expect("written"));
    }
    drop(reporters);
    let log = std::fs::read_to_string(RunLog::path(state.path(), "1")).expect("a log");
    for told in [seen_plain.text(), seen_json.text(), log] {
        assert!(
            told.contains("try again") && !told.contains("open sesame"),
            "{told}"
        );
    }
}
