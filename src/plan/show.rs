//! The plan as people read it: a diff with reasons, secrets masked.

use std::fmt::{self, Write as _};

use similar::{ChangeTag, TextDiff};

use crate::event::Problem;
use crate::plan::budget::Part;
use crate::plan::model::{Batch, Plan, Step, UnitChange, View, Wave};
use crate::secret::hide_line;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name } => write!(f, "user {name}"),
            Self::Dir { path, .. } => write!(f, "folder {path}"),
            Self::File {
                path, before: None, ..
            } => write!(f, "new file {path}"),
            Self::File { path, .. } => write!(f, "file {path}"),
            Self::Block {
                path,
                after: Some(_),
                ..
            } => write!(f, "block in {path}"),
            Self::Block { path, .. } => write!(f, "take the block out of {path}"),
            Self::Sysctl { key, after, .. } => write!(f, "kernel setting {key}={after}"),
            Self::Package { name, version, .. } => write!(f, "package {name} {version}"),
            Self::Distribution { package, quiet, .. } => {
                write!(f, "package {package} of the distribution")?;
                match quiet.as_slice() {
                    [] => Ok(()),
                    units => write!(f, ", without starting {}", units.join(", ")),
                }
            }
            Self::Link { path, to, .. } => write!(f, "link {path} to {to}"),
            Self::Once { name, .. } => write!(f, "{name} (once)"),
            Self::Unit { unit, to, .. } => write!(f, "{to} {unit}"),
            Self::Remove { path, .. } => write!(f, "remove {path}"),
            Self::RemoveEmpty { path } => write!(f, "remove {path} if nothing is left in it"),
        }
    }
}

impl fmt::Display for UnitChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Adopt => "no restart of",
            Self::Enable => "enable",
            Self::Disable => "disable",
        })
    }
}

/// How much of a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Changes of files line by line, new files by their size.
    Usual,
    /// New files in full as well.
    Full,
}

/// The plan as text.
#[must_use]
pub fn show(plan: &Plan, detail: Detail) -> String {
    let mut out = String::new();
    for wave in &plan.waves {
        show_wave(&mut out, wave, &plan.view, detail);
    }
    for warning in plan.warnings.iter().filter(|_| !plan.is_empty()) {
        out.push_str(&warned(warning));
    }
    for left in &plan.left {
        let help = left.help.as_deref().unwrap_or_default();
        let _ = writeln!(out, "! {}\n    help: {help}", left.cause);
    }
    let steps = plan.steps();
    let summary = match (steps, plan.unchanged) {
        (0, n) => format!("No change: {n} things looked at, all as they should be."),
        (steps, n) => format!("{steps} steps; {n} things need nothing."),
    };
    let _ = writeln!(out, "{summary}");
    out
}

/// What is to be known of a plan before it is done.
#[must_use]
pub fn warned(warning: &Problem) -> String {
    let mut out = format!("! {}\n", warning.cause);
    for line in &warning.log {
        let _ = writeln!(out, "    {line}");
    }
    let help = warning.help.as_deref().unwrap_or_default();
    let _ = writeln!(out, "    help: {help}");
    out
}

/// What is planned of each board's memory, and by whom.
#[must_use]
pub fn show_memory(plan: &Plan) -> String {
    let mut out = String::new();
    let planned = plan.memory.iter().filter(|budget| budget.planned_mb > 0);
    for (n, budget) in planned.enumerate() {
        if n == 0 {
            out.push_str("Memory, in MiB: planned of what may be used of the board\n");
        }
        let part = |part: &Part| {
            let (id, mb) = (&part.instance, part.heap_mb + part.overhead_mb);
            format!("{}.{} {mb}", id.service, id.role)
        };
        let parts: Vec<String> = budget.parts.iter().map(part).collect();
        let (host, planned, usable, board) = (
            &budget.host,
            budget.planned_mb,
            budget.usable_mb,
            budget.board_mb,
        );
        let list = parts.join(", ");
        let _ = writeln!(out, "  {host}  {planned} of {usable} of {board}: {list}");
    }
    out
}

fn show_wave(out: &mut String, wave: &Wave, view: &View, detail: Detail) {
    let order = match wave.width {
        Some(1) => ", one at a time".to_owned(),
        Some(n) => format!(", {n} at a time"),
        None => String::new(),
    };
    let _ = writeln!(out, "{}{order}", wave.title);
    for (lines, hosts) in alike(wave, view, detail) {
        let _ = writeln!(out, "  {hosts}");
        for line in lines.lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    for change in &wave.resources {
        let _ = writeln!(out, "  {}", change.text);
    }
    let _ = writeln!(out);
}

/// Batches that read the same are shown once, for all their hosts; a local host's paths without its root.
fn alike(wave: &Wave, view: &View, detail: Detail) -> Vec<(String, String)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for batch in &wave.batches {
        let mut text = show_batch(batch, detail);
        if let Some(root) = view.roots.get(&batch.host) {
            text = text.replace(root, "");
        }
        match groups.iter_mut().find(|(lines, _)| *lines == text) {
            Some((_, hosts)) => hosts.push(batch.host.as_str()),
            None => groups.push((text, vec![batch.host.as_str()])),
        }
    }
    groups
        .into_iter()
        .map(|(lines, hosts)| (lines, hosts.join(", ")))
        .collect()
}

fn show_batch(batch: &Batch, detail: Detail) -> String {
    let mut out = String::new();
    if !batch.because.is_empty() {
        let _ = writeln!(out, "because: {}", batch.because.join(", "));
    }
    for step in &batch.steps {
        show_step(&mut out, step, detail);
    }
    out
}

fn show_step(out: &mut String, step: &Step, detail: Detail) {
    match step {
        Step::File { own: true, .. } if detail == Detail::Usual => {}
        Step::File {
            before: Some(before),
            after,
            ..
        } => {
            let _ = writeln!(out, "~ {step}");
            out.push_str(&diff(before, after));
        }
        Step::File { after, .. } => {
            let _ = writeln!(out, "+ {step} ({} lines)", after.lines().count());
            if detail == Detail::Full {
                out.push_str(&diff("", after));
            }
        }
        Step::Block { before, after, .. } => {
            let mark = if before.is_none() { '+' } else { '~' };
            let _ = writeln!(out, "{mark} {step}");
            let text = |t: &Option<String>| t.clone().unwrap_or_default();
            out.push_str(&diff(&text(before), &text(after)));
        }
        Step::Sysctl { key, before, after } => {
            let _ = writeln!(out, "~ {step}\n  - {key}={before}\n  + {key}={after}");
        }
        Step::Package { size, sha256, .. } => {
            let from = match sha256.get(..12) {
                Some(hash) => format!("{}, sha256 {hash}…", mib(*size)),
                None => "not fetched yet".to_owned(),
            };
            let _ = writeln!(out, "+ {step} ({from})");
        }
        Step::Link {
            before: Some(_), ..
        } => _ = writeln!(out, "~ {step}"),
        Step::Remove { .. } | Step::RemoveEmpty { .. } => _ = writeln!(out, "- {step}"),
        Step::User { .. } | Step::Dir { .. } | Step::Link { .. } | Step::Distribution { .. } => {
            let _ = writeln!(out, "+ {step}");
        }
        Step::Once { .. } | Step::Unit { .. } => _ = writeln!(out, "> {step}"),
    }
}

/// The lines that change, with one line around them; values of secrets are masked.
fn diff(before: &str, after: &str) -> String {
    let text = TextDiff::from_lines(before, after);
    let mut out = String::new();
    for group in text.grouped_ops(1) {
        for change in group.iter().flat_map(|op| text.iter_changes(op)) {
            let mark = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = change.value().trim_end_matches('\n');
            let _ = writeln!(out, "  {mark} {}", hide_line(line));
        }
    }
    out
}

/// The plan as it may be shown to anybody: values of secrets masked in all files.
#[must_use]
pub fn masked(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let hide = |text: &mut String| {
        let ended = text.ends_with('\n');
        *text = text.lines().map(hide_line).collect::<Vec<_>>().join("\n");
        if ended {
            text.push('\n');
        }
    };
    let steps = plan
        .waves
        .iter_mut()
        .flat_map(|w| &mut w.batches)
        .flat_map(|b| &mut b.steps);
    for step in steps {
        if let Step::File { before, after, .. } = step {
            before.iter_mut().for_each(hide);
            hide(after);
        }
    }
    plan
}

fn mib(bytes: u64) -> String {
    let tenths = bytes * 10 / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
