//! The real program against real hosts: systemd and sshd in network namespaces of their own, over SSH.
//!
//! There is one lab a machine, so all cases run in one test, one after another, each with a line of its own.
//! `SDTD_LAB_TESTS=1` runs those that are run each time and some of the others; `SDTD_LAB_ONLY=roll,kcat` only those
//! whose names begin so; `SDTD_FULL=1` all, and in full; `SDTD_SEED=7` repeats what was chosen by chance;
//! `SDTD_LAB_KEEP=1` ends with the first failure and leaves the hosts as they are, to be looked at;
//! `SDTD_LAB_SLACK=1` takes the bounds on pauses as they are, where nothing else is done on the machine.

mod cases;
pub mod chance;
mod events;
mod hosts;
mod inventory;
pub mod laptop;
pub mod load;
mod observer;
pub mod pty;
mod voters;

use std::any::Any;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use hosts::{Lab, Up};

/// What came of a case that did not fail.
pub enum Done {
    /// All of it was tried.
    Passed,
    /// This machine can't do it.
    Skipped(String),
}

type Case = (&'static str, fn(&mut Lab) -> Done);

/// Says something at once, past the test harness, which keeps what passing tests print.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "lab tests: {text}");
}

/// How many minutes of long cases are run, unless all are asked for.
const SAMPLE: u32 = 8;

/// The cases that are run: those that were named; else all with `SDTD_FULL=1`, and some of the long ones without.
fn wanted() -> Vec<&'static Case> {
    let only = std::env::var("SDTD_LAB_ONLY").unwrap_or_default();
    let named: Vec<&str> = only.split(',').filter(|word| !word.is_empty()).collect();
    let all = cases::ALL.iter();
    if !named.is_empty() {
        return all
            .filter(|(name, _)| named.iter().any(|word| name.starts_with(word)))
            .collect();
    }
    if crate::full() {
        return all.collect();
    }
    let left_out = left_out(&mut chance::Chance::new("long cases"));
    say(&format!("long cases left out: {}", left_out.join(", ")));
    all.filter(|(name, _)| !left_out.contains(name)).collect()
}

/// The long cases that are not run: by chance as many are as fit into the time, and whichever comes first.
fn left_out(chance: &mut chance::Chance) -> Vec<&'static str> {
    let mut long = cases::LONG.to_vec();
    let (mut left_out, mut minutes) = (Vec::new(), 0);
    while !long.is_empty() {
        let (name, takes) = long.swap_remove(chance.below(long.len()));
        if minutes > 0 && minutes + takes > SAMPLE {
            left_out.push(name);
        } else {
            minutes += takes;
        }
    }
    left_out
}

/// In CI nothing may be left out.
fn must_run() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

#[test]
fn lab() {
    let cases = wanted();
    let skip = |why: &str| {
        for (name, _) in &cases {
            say(&format!("{name}: skipped: {why}"));
        }
        assert!(!must_run(), "the lab tests were skipped: {why}");
    };
    if std::env::var("SDTD_LAB_TESTS").as_deref() != Ok("1") {
        for (name, _) in &cases {
            say(&format!("{name}: skipped: SDTD_LAB_TESTS=1 is not set"));
        }
        return;
    }
    let mut lab = match Lab::up() {
        Up::Ready(lab) => lab,
        Up::CannotRun(why) => return skip(&why),
    };
    let mut bad = Vec::new();
    for (name, case) in &cases {
        say(&format!("{name} …"));
        let began = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| case(&mut lab)));
        let took = began.elapsed().as_secs_f32();
        match ended {
            Ok(Done::Passed) => say(&format!("{name}: ok, {took:.1} s")),
            Ok(Done::Skipped(why)) => {
                say(&format!("{name}: skipped: {why}"));
                if must_run() {
                    bad.push(format!("{name}: skipped: {why}"));
                }
            }
            Err(panic) => {
                let why = words(panic.as_ref());
                say(&format!("{name}: FAILED after {took:.1} s: {why}"));
                bad.push(format!("{name}: {why}"));
                lab.spoiled();
                if std::env::var("SDTD_LAB_KEEP").as_deref() == Ok("1") {
                    say("the hosts are left as they are; `lab/lab down` takes them away");
                    std::mem::forget(lab);
                    panic!("{name}: {why}");
                }
            }
        }
    }
    drop(lab);
    assert!(
        bad.is_empty(),
        "{} of {} cases failed:\n{}",
        bad.len(),
        cases.len(),
        bad.join("\n")
    );
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let fixed = || panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(fixed)
        .unwrap_or_else(|| "a panic without words".to_owned())
}
