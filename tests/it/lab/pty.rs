//! The program on a terminal, for what it asks only there.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::laptop::{Ran, Running};

/// Runs the program on a terminal of its own (by `script`, of util-linux), in a home, and types an answer.
pub fn on_a_terminal(home: &Path, words: &[&str], answer: &str) -> Ran {
    let quoted = words.iter().map(|word| format!("'{word}'"));
    let line = format!(
        "{} {}",
        env!("CARGO_BIN_EXE_sdtd"),
        quoted.collect::<Vec<_>>().join(" ")
    );
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .current_dir(home)
        .env("SDTD_HOME", home)
        .env_remove("SDTD_INVENTORY")
        .stdin(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut keyboard = running.keyboard();
    // The question is there by then; a terminal keeps what is typed before it.
    std::thread::sleep(Duration::from_millis(700));
    let _ = keyboard.write_all(format!("{answer}\n").as_bytes());
    let _ = keyboard.flush();
    // Held open to the end: its closing would end the terminal.
    let ran = running.wait(120);
    drop(keyboard);
    ran
}
