//! Where a run's time went: its phases and the plan's waves, as bars on one scale.

use std::collections::BTreeMap;

use serde::Serialize;

use super::style::{clean, faint, pad, took};
use crate::event::{Event, EventKind};

/// The width of the bars.
const WIDTH: u64 = 40;

/// A phase or a wave: when it began and ended, in milliseconds since the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// The phase, or the wave's title.
    pub what: String,
    /// Whether it is a wave of the phase above it.
    pub wave: bool,
    /// When it began.
    pub from_ms: u64,
    /// When it ended; of what was cut off, the last event.
    pub to_ms: u64,
    /// Whether the run would have been over sooner without it: phases are, and of waves each that the next one of these
    /// waited for last.
    pub critical: bool,
    /// The host that took longest, and how long, where steps were done.
    pub slowest: Option<(String, u64)>,
}

/// Phases in their order, each with its waves below it.
#[must_use]
pub fn timings(events: &[Event]) -> Vec<Timing> {
    let end = events.last().map_or(0, |event| event.at_ms);
    let mut rows: Vec<Timing> = vec![row("connect", false, 0, end)];
    let mut hosts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut needs: BTreeMap<&str, &[String]> = BTreeMap::new();
    for event in events {
        let at = event.at_ms;
        match &event.kind {
            EventKind::Phase { name } => {
                if let Some(phase) = rows.iter_mut().rev().find(|row| !row.wave) {
                    phase.to_ms = at;
                }
                rows.push(row(name, false, at, end));
            }
            EventKind::WaveStarted {
                wave, needs: of, ..
            } => {
                needs.insert(wave, of);
                rows.push(row(wave, true, at, end));
            }
            EventKind::WaveFinished { wave, .. } => {
                if let Some(one) = rows.iter_mut().find(|row| row.wave && &row.what == wave) {
                    one.to_ms = at;
                }
            }
            EventKind::StepFinished {
                wave,
                host,
                took_ms,
                ..
            } => *hosts.entry((wave.clone(), host.to_string())).or_default() += took_ms,
            _ => {}
        }
    }
    for ((wave, host), ms) in hosts {
        let of_wave = |row: &&mut Timing| row.wave && row.what == wave;
        if let Some(one) = rows.iter_mut().find(of_wave)
            && one.slowest.as_ref().is_none_or(|(_, most)| ms > *most)
        {
            one.slowest = Some((host, ms));
        }
    }
    mark_critical(&mut rows, &needs);
    rows
}

/// From the wave that ended last, back along those that were waited for last.
fn mark_critical(rows: &mut [Timing], needs: &BTreeMap<&str, &[String]>) {
    let waves = |rows: &[Timing], of: &dyn Fn(&Timing) -> bool| {
        let waves = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.wave && of(row));
        waves.max_by_key(|(_, row)| row.to_ms).map(|(at, _)| at)
    };
    let mut next = waves(rows, &|_| true);
    while let Some(at) = next {
        rows[at].critical = true;
        let waited = needs
            .get(rows[at].what.as_str())
            .copied()
            .unwrap_or_default();
        next = waves(rows, &|row| !row.critical && waited.contains(&row.what));
    }
}

fn row(what: &str, wave: bool, from_ms: u64, to_ms: u64) -> Timing {
    Timing {
        what: what.to_owned(),
        wave,
        from_ms,
        to_ms,
        critical: !wave,
        slowest: None,
    }
}

/// The rows as people read them.
#[must_use]
pub fn timing_lines(rows: &[Timing]) -> Vec<String> {
    let end = rows.iter().map(|row| row.to_ms).max().unwrap_or(0).max(1);
    let name = |row: &Timing| {
        let indent = if row.wave { "  " } else { "" };
        format!("{indent}{}", clean(&row.what))
    };
    let width = rows
        .iter()
        .map(|row| name(row).chars().count())
        .max()
        .unwrap_or(0);
    let column = |ms: u64| usize::try_from(ms * WIDTH / end).unwrap_or(0);
    let line = |row: &Timing| {
        let (from, to) = (column(row.from_ms), column(row.to_ms));
        let fill = if row.critical { "█" } else { "░" };
        let bar = format!("{}{}", " ".repeat(from), fill.repeat((to - from).max(1)));
        let slowest = row
            .slowest
            .as_ref()
            .map(|(host, ms)| format!("{host} {}", took(*ms)));
        let line = format!(
            "{}  {:>7}  {}  {}",
            pad(&name(row), width),
            took(row.to_ms.saturating_sub(row.from_ms)),
            pad(&bar, column(end) + 1),
            faint(&slowest.unwrap_or_default()),
        );
        line.trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if rows.iter().any(|row| !row.critical) {
        lines.push(faint(
            "█ what the run's length hangs on   ░ what was done beside it",
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Outcome, SCHEMA};

    #[test]
    fn phases_end_where_the_next_begins_and_waves_stand_below_them() {
        let phase = |name: &str| EventKind::Phase {
            name: name.to_owned(),
        };
        let step = |host: &str, took_ms| EventKind::StepFinished {
            wave: "start".to_owned(),
            host: host.parse().unwrap(),
            step: "s".to_owned(),
            outcome: Outcome::Changed,
            took_ms,
        };
        let began = EventKind::WaveStarted {
            wave: "start".to_owned(),
            batches: 2,
            needs: vec!["send".to_owned(), "aside".to_owned()],
        };
        let ended = EventKind::WaveFinished {
            wave: "start".to_owned(),
            outcome: Outcome::Changed,
        };
        let [sent, aside] = ["send", "aside"].map(|wave| {
            let (wave, batches, needs) = (wave.to_owned(), 1, Vec::new());
            EventKind::WaveStarted {
                wave,
                batches,
                needs,
            }
        });
        let over = |wave: &str| EventKind::WaveFinished {
            wave: wave.to_owned(),
            outcome: Outcome::Changed,
        };
        let at = [
            (50, phase("facts")),
            (100, phase("apply")),
            (100, sent),
            (100, aside),
            (200, over("aside")),
            (300, over("send")),
            (310, began),
            (400, step("a", 40)),
            (450, step("b", 90)),
            (500, ended),
            (600, phase("verify")),
            (
                1000,
                EventKind::Note {
                    text: "last".to_owned(),
                },
            ),
        ];
        let events: Vec<Event> = at
            .into_iter()
            .map(|(at_ms, kind)| Event {
                v: SCHEMA,
                at_ms,
                kind,
            })
            .collect();
        let shown = timing_lines(&timings(&events)).join("\n");
        let shown = anstream::adapter::strip_str(&shown).to_string();
        let wanted = [
            "connect     50ms  ██",
            "facts       50ms    ██",
            "apply      500ms      ████████████████████",
            "  send     200ms      ████████",
            "  aside    100ms      ░░░░",
            "  start    190ms              ████████                       b 90ms",
            "verify     400ms                          ████████████████",
            "█ what the run's length hangs on   ░ what was done beside it",
        ];
        assert_eq!(shown, wanted.join("\n"));
    }
}
