//! The wording of a run, once: from an event to the lines that people read, on a terminal or in a file.
//!
//! Pure functions; which of the lines are shown, and when, is decided in `story`.

use super::out::diff_line;
use super::progress::{Ended, Wave};
use super::style::{Mark, bytes, clean, count, faint, pad, strong, took};
use crate::event::{Outcome, Problem};

/// `deploy velib` and, faint, what else identifies the run.
pub(super) fn run_started(command: &str, cluster: &str, version: &str, run: &str) -> String {
    let title = strong(&format!("{} {}", clean(command), clean(cluster)));
    format!(
        "{title}  {}",
        faint(&format!("sdtd {version}, run {}", clean(run)))
    )
}

/// A phase's heading.
pub(super) fn phase(name: &str) -> String {
    strong(phase_title(name))
}

/// A phase in words.
pub(super) fn phase_title(name: &str) -> &str {
    match name {
        "facts" => "Looking at the hosts",
        "packages" => "Getting packages ready",
        "bundle" => "Writing the bundle",
        "plan" => "Planning",
        "apply" => "Applying",
        "verify" => "Verifying",
        other => other,
    }
}

/// What a host said of itself.
pub(super) fn host_facts(host: &str, width: usize, summary: &str) -> String {
    row(Mark::Done, host, width, &clean(summary), "")
}

/// How many hosts answered.
pub(super) fn hosts_answered(number: usize, ms: u64) -> String {
    let text = format!("{} answered", count(number, "host"));
    format!("  {} {text}  {}", Mark::Done.show(), faint(&took(ms)))
}

/// A host that could not be reached.
pub(super) fn host_failed(host: &str, width: usize, error: &Problem) -> String {
    row(Mark::Failed, host, width, &clean(&error.cause), "")
}

/// What is being done for a package.
pub(super) fn package(package: &str, doing: &str) -> String {
    format!(
        "  {} {}  {}",
        Mark::Held.show(),
        clean(package),
        faint(&clean(doing))
    )
}

/// A package that is there.
pub(super) fn package_ready(package: &str, origin: &str, size: u64) -> String {
    let about = faint(&format!("{}, {}", bytes(size), clean(origin)));
    format!("  {} {}  {about}", Mark::Done.show(), clean(package))
}

/// The plan and its sum.
pub(super) fn planned(text: &str, steps: usize, unchanged: usize) -> Vec<String> {
    let mut lines: Vec<_> = text
        .trim_end()
        .lines()
        .map(|line| format!("  {}", diff_line(line)).trim_end().to_owned())
        .collect();
    let others = format!("{unchanged} unchanged");
    lines.push(match steps {
        0 => format!(
            "  {} nothing to change  {}",
            Mark::Done.show(),
            faint(&others)
        ),
        _ => format!("  {}  {}", strong(&count(steps, "change")), faint(&others)),
    });
    lines
}

/// A wave that begins.
pub(super) fn wave_started(wave: &str, batches: usize) -> String {
    format!(
        "{}  {}",
        strong(&clean(wave)),
        faint(&count(batches, "batch"))
    )
}

/// A wave that ended.
pub(super) fn wave_finished(title: &str, wave: &Wave, outcome: &Outcome, now_ms: u64) -> String {
    let (mark, said) = match outcome {
        Outcome::Changed | Outcome::Ok { .. } if wave.changed > 0 => (Mark::Done, String::new()),
        Outcome::Changed => (Mark::Done, String::new()),
        Outcome::Ok { detail } => (Mark::Held, detail.clone().unwrap_or_default()),
        Outcome::Failed { error } => (Mark::Failed, error.cause.clone()),
        Outcome::Skipped { reason } => (Mark::Skipped, format!("skipped: {reason}")),
    };
    let title = strong(&clean(title));
    let mut parts: Vec<_> = Some(clean(&said))
        .into_iter()
        .filter(|said| !said.is_empty())
        .collect();
    if matches!(mark, Mark::Done | Mark::Held) && wave.hosts() > 0 {
        parts.push(count(wave.hosts(), "host"));
        parts.push(match wave.changed {
            0 => "unchanged".to_owned(),
            changed => count(changed, "change"),
        });
    }
    let time = faint(&took(wave.took_ms(now_ms)));
    format!("{} {title}  {}  {time}", mark.show(), parts.join(", "))
}

/// A batch whose last step went well.
pub(super) fn batch_ended(ended: &Ended, width: usize) -> String {
    let (mark, changed) = match ended.changed {
        0 => (Mark::Held, "unchanged".to_owned()),
        changed => (Mark::Done, format!("{changed} changed")),
    };
    let text = format!("{}, {changed}", count(ended.steps, "step"));
    row(
        mark,
        ended.host.as_str(),
        width,
        &text,
        &took(ended.took_ms),
    )
}

/// A step that ended, whichever way.
pub(super) fn step(host: &str, width: usize, step: &str, outcome: &Outcome, ms: u64) -> String {
    let (mark, said) = match outcome {
        Outcome::Changed => (Mark::Done, String::new()),
        Outcome::Ok { detail } => (Mark::Held, detail.clone().unwrap_or_default()),
        Outcome::Failed { error } => (Mark::Failed, error.cause.clone()),
        Outcome::Skipped { reason } => (Mark::Skipped, reason.clone()),
    };
    let time = if mark == Mark::Skipped {
        String::new()
    } else {
        took(ms)
    };
    row(mark, host, width, &with(step, &said), &time)
}

/// A check that ended.
pub(super) fn checked(who: &str, width: usize, what: &str, outcome: &Outcome) -> String {
    let (mark, said) = match outcome {
        Outcome::Changed => (Mark::Done, String::new()),
        Outcome::Ok { detail } => (Mark::Done, detail.clone().unwrap_or_default()),
        Outcome::Failed { error } => (Mark::Failed, error.cause.clone()),
        Outcome::Skipped { reason } => (Mark::Skipped, reason.clone()),
    };
    row(mark, who, width, &with(what, &said), "")
}

/// A transfer that came to its end.
pub(super) fn transferred(host: &str, width: usize, what: &str, total: u64) -> String {
    row(
        Mark::Done,
        host,
        width,
        &format!("sent {}", clean(what)),
        &bytes(total),
    )
}

/// Whom a run waits for, and why.
pub(super) fn waiting(who: &str, width: usize, why: &str) -> String {
    row(Mark::Waiting, who, width, &clean(why), "")
}

/// A warning with what to do about it.
pub(super) fn warning(text: &str, help: Option<&str>) -> Vec<String> {
    let mut lines = vec![format!("{} {}", Mark::Warning.show(), clean(text))];
    lines.extend(help.map(help_line));
    lines
}

/// A line of information.
pub(super) fn note(text: &str) -> String {
    format!("{} {}", Mark::Held.show(), clean(text))
}

/// A failure in full: its log lines behind a bar, then what to do.
pub(super) fn problem(who: &str, error: &Problem) -> Vec<String> {
    // Most causes name their host themselves.
    let named = who.is_empty() || error.cause.starts_with(&format!("{who}:"));
    let who = if named {
        String::new()
    } else {
        format!("{}: ", strong(&clean(who)))
    };
    let cause: Vec<String> = error.cause.lines().map(clean).collect();
    let head = format!("{} {who}{}", Mark::Failed.show(), cause.join("\n"));
    let log = error
        .log
        .iter()
        .map(|line| format!("  {} {}", faint("│"), faint(&clean(line))));
    let help = error.help.as_deref().map(help_line);
    std::iter::once(head).chain(log).chain(help).collect()
}

fn help_line(help: &str) -> String {
    format!("  {} {}", strong("help:"), clean(help))
}

fn with(what: &str, said: &str) -> String {
    if said.is_empty() {
        clean(what)
    } else {
        format!("{}: {}", clean(what), clean(said))
    }
}

fn row(mark: Mark, who: &str, width: usize, text: &str, tail: &str) -> String {
    let tail = if tail.is_empty() {
        String::new()
    } else {
        format!("  {}", faint(tail))
    };
    format!(
        "  {} {}  {text}{tail}",
        mark.show(),
        pad(&clean(who), width)
    )
}
