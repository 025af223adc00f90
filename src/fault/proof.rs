//! Whether a fault bit. What was not seen did not happen: no evidence, and the drill failed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::host::{Process, Processes};
use super::words::{Drill, Fault, InSync};

/// What was seen of a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The processes before.
    pub before: Processes,
    /// The processes when they were last looked at.
    pub now: Processes,
    /// Units that were seen without the process they had.
    pub gone: BTreeSet<String>,
    /// Units whose process was seen standing still.
    pub still: BTreeSet<String>,
    /// Whether the target's port answered this machine before.
    pub was_open: bool,
    /// Whether it was seen not to answer.
    pub closed: bool,
    /// How many partitions of the load the target led.
    pub led: usize,
    /// How often the others told of the copies.
    pub looks: u32,
    /// The most copies on the target that were seen out of sync.
    pub behind: usize,
    /// The least room that was seen on its disk, in KiB.
    pub room: Option<u64>,
    /// Who took over.
    pub moved_to: Option<String>,
    /// A run of sdtd that was killed.
    pub run: Option<KilledRun>,
    /// A run of sdtd that was killed while data moved.
    pub moved: Option<KilledMove>,
    /// How a loss was made, in words: each was waited for.
    pub lost: Vec<String>,
}

/// A run of sdtd that was killed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KilledRun {
    /// Whether it was under way when it was killed.
    pub alive: bool,
    /// How many members it had restarted.
    pub restarted: usize,
    /// Of how many.
    pub of: usize,
    /// How the run after it ended.
    pub again: Option<i32>,
}

/// A run of sdtd that was killed while data moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KilledMove {
    /// Whether it was under way when it was killed.
    pub alive: bool,
    /// Of how many partitions copies had begun to move.
    pub begun: usize,
    /// How many had all their copies, in sync, after the run after it.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// How the run after it ended.
    pub again: Option<i32>,
}

/// What is proven.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// What was seen, in words.
    pub seen: Vec<String>,
    /// What had to be seen and was not.
    pub missing: Vec<String>,
}

impl Proof {
    fn need(&mut self, holds: bool, seen: String, missing: &str) {
        if holds {
            self.seen.push(seen);
        } else {
            self.missing
                .push(format!("no evidence that the fault bit: {missing}"));
        }
    }
}

impl Seen {
    /// Takes a look at processes into account.
    pub fn look(&mut self, now: Processes) {
        for (unit, process) in &now {
            let had = self.before.get(unit).copied().flatten();
            if had.is_some() && !same(had, *process) {
                self.gone.insert(unit.clone());
            }
            if process.is_some_and(|p| p.state == 'T') {
                self.still.insert(unit.clone());
            }
        }
        self.now.extend(now);
    }

    /// Whether all run again, where the fault ends them: as other processes.
    #[must_use]
    pub fn is_back(&self, fault: Fault) -> bool {
        self.before.iter().all(|(unit, had)| {
            let now = self.now.get(unit).copied().flatten();
            let goes = now.is_some_and(|p| p.state != 'T');
            goes && (!ends(fault) || !same(*had, now))
        })
    }
}

fn ends(fault: Fault) -> bool {
    matches!(fault, Fault::Kill | Fault::StopAndStart | Fault::PowerOff)
}

fn same(one: Option<Process>, other: Option<Process>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is(&other),
        (None, None) => true,
        _ => false,
    }
}

/// What was seen, and what should have been. Pure.
#[must_use]
pub fn judge(drill: &Drill, seen: &Seen) -> Proof {
    let mut proof = Proof::default();
    match drill.fault {
        Fault::KillSdtd => killed_run(&mut proof, seen.run.as_ref()),
        Fault::KillMove => killed_move(&mut proof, seen.moved.as_ref()),
        Fault::Lose => proof.seen.clone_from(&seen.lost),
        Fault::CutNetwork => {
            let cause = "its port answered this machine before, and did not stop to answer";
            let closed = seen.was_open && seen.closed;
            proof.need(closed, "its port did not answer".to_owned(), cause);
        }
        Fault::DiskFull => {
            let cause = match seen.room {
                Some(room) => format!("{room} KiB were left on its disk"),
                None => "how much room its disk had was not seen".to_owned(),
            };
            let told = "no room was left on its disk".to_owned();
            proof.need(seen.room == Some(0), told, &cause);
        }
        Fault::Pause => units(&mut proof, seen, &seen.still, "stood still", "state T"),
        Fault::Kill | Fault::StopAndStart | Fault::PowerOff => {
            units(&mut proof, seen, &seen.gone, "ended", "another process");
            let back = seen.is_back(drill.fault);
            let what = "came back as another process".to_owned();
            proof.need(back, what, "it did not come back as another process");
        }
    }
    if seen.led > 0 {
        let led = format!("it led {} of the load's partitions", seen.led);
        proof.seen.push(led);
    }
    match drill.expect.in_sync {
        None => {}
        Some(InSync::Shrinks) => {
            let told = format!("{} of its copies fell out of sync", seen.behind);
            proof.need(seen.behind > 0, told, "none of its copies fell out of sync");
        }
        Some(InSync::Keeps) => {
            if seen.behind > 0 {
                let behind = seen.behind;
                let cause =
                    format!("{behind} of its copies fell out of sync, and all should have stayed");
                proof.missing.push(cause);
            } else {
                let told = format!("its copies stayed in sync, seen {} times", seen.looks);
                let cause = "the others never told of its copies";
                proof.need(seen.looks > 0, told, cause);
            }
        }
    }
    if drill.expect.moves {
        let told = seen.moved_to.clone().unwrap_or_default();
        let cause = "nobody took over from it";
        proof.need(seen.moved_to.is_some(), format!("{told} took over"), cause);
    }
    proof
}

/// All units that had a process must be among those of which something was seen.
fn units(proof: &mut Proof, seen: &Seen, of: &BTreeSet<String>, did: &str, sign: &str) {
    let had = seen.before.iter().filter(|(_, process)| process.is_some());
    let had: Vec<(&String, &Option<Process>)> = had.collect();
    let named: Vec<String> = had
        .iter()
        .filter_map(|(unit, process)| Some(format!("{unit} ({})", process.as_ref()?.pid)))
        .collect();
    let all = !had.is_empty() && had.iter().all(|(unit, _)| of.contains(*unit));
    let told = format!("{} {did}", named.join(", "));
    let cause = if had.is_empty() {
        "it had no process before".to_owned()
    } else {
        format!("{sign} was not seen of {}", named.join(", "))
    };
    proof.need(all, told, &cause);
}

fn killed_run(proof: &mut Proof, run: Option<&KilledRun>) {
    let none = KilledRun::default();
    let run = run.unwrap_or(&none);
    let middle = run.alive && run.restarted > 0 && run.restarted < run.of;
    let (restarted, of) = (run.restarted, run.of);
    let told = format!("it was killed when {restarted} of {of} had been restarted");
    let cause = format!(
        "the run was not killed in its middle: {restarted} of {of} had been restarted, and it {}",
        if run.alive { "went on" } else { "was over" }
    );
    proof.need(middle, told, &cause);
    made_again(proof, run.again);
}

fn killed_move(proof: &mut Proof, run: Option<&KilledMove>) {
    let none = KilledMove::default();
    let run = run.unwrap_or(&none);
    let (begun, done, of) = (run.begun, run.done, run.of);
    let told = format!("it was killed when copies of {begun} of {of} partitions had begun to move");
    let cause = "the run was over before it was killed, or nothing moved";
    proof.need(run.alive && begun > 0, told, cause);
    made_again(proof, run.again);
    if done == of {
        let told = format!("{of} partitions have their copies");
        proof.seen.push(told);
    } else {
        let told = format!("{done} of {of} partitions have their copies");
        proof.missing.push(told);
    }
}

fn made_again(proof: &mut Proof, again: Option<i32>) {
    if again == Some(0) {
        proof
            .seen
            .push("the run after it came to its end".to_owned());
    } else {
        let how = again.map_or_else(|| "did not end".to_owned(), |c| format!("ended with {c}"));
        let told = format!("the run after the one that was killed {how}");
        proof.missing.push(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<Process> = Some(Process {
        pid: 7,
        state: 'S',
        start: 100,
    });
    const STILL: Option<Process> = Some(Process {
        pid: 7,
        state: 'T',
        start: 100,
    });
    /// The same number, another process.
    const B: Option<Process> = Some(Process {
        pid: 7,
        state: 'S',
        start: 900,
    });

    fn drill(words: &str) -> Drill {
        let text = format!(
            "title: t\ntarget: {{ roles: [mill.pump], which: {{ is: quorum-leader }} }}\n{words}"
        );
        Drill::read("d", "d.yaml", &text).unwrap()
    }

    fn seen(looks: &[Option<Process>]) -> Seen {
        let one = |process: Option<Process>| Processes::from([("pump".to_owned(), process)]);
        let mut seen = Seen {
            before: one(A),
            ..Seen::default()
        };
        looks.iter().for_each(|process| seen.look(one(*process)));
        seen
    }

    fn missing(words: &str, seen: &Seen) -> String {
        judge(&drill(words), seen).missing.join("; ")
    }

    #[test]
    fn a_kill_is_proven_by_another_process_alone() {
        assert_eq!(missing("do: kill", &seen(&[None, B])), "");
        assert_eq!(
            missing("do: kill", &seen(&[A, B])),
            "",
            "it came back between two looks"
        );
        let nothing = missing("do: kill", &seen(&[A, A]));
        assert!(nothing.starts_with(
            "no evidence that the fault bit: another process was not seen of pump (7)"
        ));
        assert!(missing("do: kill", &seen(&[])).contains("no evidence"));
        assert!(missing("do: kill", &seen(&[A, None])).contains("did not come back"));
        let none = Seen::default();
        assert!(missing("do: kill", &none).contains("it had no process before"));
    }

    #[test]
    fn a_pause_is_proven_by_a_process_that_stands_still() {
        let words = "do: pause\nseconds: 10";
        assert_eq!(missing(words, &seen(&[STILL, A])), "");
        assert!(missing(words, &seen(&[A, A])).contains("state T was not seen"));
        let keeps = "do: pause\nseconds: 10\nexpect: { in-sync: keeps }";
        let mut good = seen(&[STILL, A]);
        assert!(missing(keeps, &good).contains("never told of its copies"));
        good.looks = 5;
        assert_eq!(missing(keeps, &good), "");
        let shrinks = "do: pause\nseconds: 10\nexpect: { in-sync: shrinks }";
        assert!(missing(shrinks, &good).contains("none of its copies fell out of sync"));
        good.behind = 2;
        assert_eq!(missing(shrinks, &good), "");
        assert!(missing(keeps, &good).contains("2 of its copies fell out of sync"));
    }

    #[test]
    fn a_cut_is_proven_by_a_port_that_answered_before_and_does_not() {
        let words = "do: cut-network\nseconds: 10";
        let state = |was_open, closed| Seen {
            was_open,
            closed,
            ..seen(&[A])
        };
        assert_eq!(missing(words, &state(true, true)), "");
        for (was_open, closed) in [(true, false), (false, true), (false, false)] {
            assert!(missing(words, &state(was_open, closed)).contains("no evidence"));
        }
    }

    #[test]
    fn a_full_disk_is_proven_by_room_that_is_not_there() {
        let words = "do: disk-full\nseconds: 10";
        let state = |room| Seen {
            room,
            ..seen(&[A, B])
        };
        assert_eq!(missing(words, &state(Some(0))), "");
        assert!(missing(words, &state(Some(4))).contains("4 KiB were left on its disk"));
        assert!(missing(words, &state(None)).contains("was not seen"));
    }

    #[test]
    fn another_one_must_have_taken_over_where_that_is_expected() {
        let words = "do: kill\nexpect: { moves: true }";
        let mut seen = seen(&[None, B]);
        assert!(missing(words, &seen).contains("nobody took over"));
        seen.moved_to = Some("mill.pump@b".to_owned());
        assert_eq!(missing(words, &seen), "");
    }

    #[test]
    fn a_move_is_killed_once_it_has_begun_and_is_done_by_the_next_run() {
        let run = |alive, begun, done, again| {
            let moved = Some(KilledMove {
                alive,
                begun,
                done,
                of: 4,
                again,
            });
            let seen = Seen {
                moved,
                ..Seen::default()
            };
            missing("do: kill-move", &seen)
        };
        assert_eq!(run(true, 4, 4, Some(0)), "");
        assert!(run(true, 0, 4, Some(0)).contains("nothing moved"));
        assert!(run(false, 4, 4, Some(0)).contains("the run was over"));
        assert!(run(true, 4, 3, Some(0)).contains("3 of 4 partitions have their copies"));
        assert!(run(true, 4, 4, Some(1)).contains("ended with 1"));
    }

    #[test]
    fn a_run_is_killed_in_its_middle_and_made_again() {
        let run = |alive, restarted, again| {
            let run = Some(KilledRun {
                alive,
                restarted,
                of: 3,
                again,
            });
            missing(
                "do: kill-sdtd",
                &Seen {
                    run,
                    ..Seen::default()
                },
            )
        };
        assert_eq!(run(true, 1, Some(0)), "");
        assert!(run(true, 0, Some(0)).contains("not killed in its middle: 0 of 3"));
        assert!(run(true, 3, Some(0)).contains("3 of 3"));
        assert!(run(false, 1, Some(0)).contains("and it was over"));
        assert!(run(true, 1, Some(1)).contains("ended with 1"));
        assert!(run(true, 1, None).contains("did not end"));
    }
}
