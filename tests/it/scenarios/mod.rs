//! Scenarios on fake hosts: `tests/scenarios/*.txt`, each a list of commands with what they show.
//!
//! Time is the runtime's and stands still while anybody works, so a wait of ten minutes takes none. Every run of
//! every scenario is held to what must hold always: planning twice gives the same plan; no step is done that was
//! not planned; no two members of a role are down by a roll, and a quorum never loses its majority; what was done
//! verifies, and the next plan is empty.

pub mod bench;
mod commands;
mod cuts;
mod data;
mod driver;
mod ensemble;
mod file;
mod guards;
mod instead;
mod live;
pub mod packages;
mod shown;
mod sim;
mod still;
mod watch;

use std::path::Path;

use bench::Bench;

use crate::golden::{agree, difference, files, project};

/// Runs something whose waits take no time.
pub fn in_no_time<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}

fn play(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).expect("readable");
    let mut shown = Vec::new();
    in_no_time(async {
        let mut bench = Bench::new();
        for command in file::parse(&text) {
            // Shown only if it panics.
            eprintln!("{}: {}", path.display(), command.line);
            let answer = commands::run(&mut bench, &command).await;
            shown.push((command, answer));
        }
    });
    difference(path, &file::render(&shown))
}

#[test]
fn every_scenario_shows_what_its_file_says() {
    let mut paths = files(&project("tests/scenarios"), "txt");
    // One of them alone, for who works on it.
    if let Ok(only) = std::env::var("SDTD_SCENARIO") {
        paths.retain(|path| path.file_stem().is_some_and(|name| name == only.as_str()));
    }
    let half = paths.len().div_ceil(2);
    let differences: Vec<String> = std::thread::scope(|scope| {
        let run = |paths: &[std::path::PathBuf]| -> Vec<String> {
            paths.iter().filter_map(|path| play(path)).collect()
        };
        let parts: Vec<_> = paths
            .chunks(half)
            .map(|part| scope.spawn(move || run(part)))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().expect("no panic"))
            .collect()
    });
    agree(&differences);
}
