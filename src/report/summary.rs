//! The end of a run: what there is now, what changed where, what failed and why, and what to do next.

use owo_colors::OwoColorize;

use super::lines;
use super::style::{Mark, clean, count, faint, strong, took};
use super::table::table;
use crate::event::{HostSummary, InstanceSummary, RunSummary};

/// The exit code of a plan with changes to make.
const PENDING: u8 = 10;

/// The closing lines of a run.
pub(super) fn summary(sum: &RunSummary) -> Vec<String> {
    let mut blocks = vec![instances(&sum.instances), hosts(&sum.hosts)];
    for host in &sum.hosts {
        blocks.extend(
            host.failed
                .iter()
                .map(|error| lines::problem(host.host.as_str(), error)),
        );
    }
    blocks.extend(sum.problems.iter().map(|error| lines::problem("", error)));
    blocks.push(ending(sum));
    let mut all = Vec::new();
    for block in blocks.into_iter().filter(|block| !block.is_empty()) {
        all.push(String::new());
        all.extend(block);
    }
    all
}

fn instances(instances: &[InstanceSummary]) -> Vec<String> {
    let rows: Vec<_> = instances
        .iter()
        .map(|row| {
            let named = [row.instance.to_string(), row.address.clone()];
            named
                .into_iter()
                .chain([row.state.clone(), row.version.clone()])
                .collect()
        })
        .collect();
    rows_of(&["Instance", "Address", "State", "Version"], &rows)
}

/// The hosts where something happened; the rest as one number.
fn hosts(hosts: &[HostSummary]) -> Vec<String> {
    let touched = |host: &&HostSummary| host.changed > 0 || !host.failed.is_empty();
    let rows: Vec<_> = hosts
        .iter()
        .filter(touched)
        .map(|host| {
            vec![
                host.host.to_string(),
                host.changed.to_string(),
                host.failed.len().to_string(),
            ]
        })
        .collect();
    let mut block = rows_of(&["Host", "Changed", "Failed"], &rows);
    let quiet = hosts.len() - rows.len();
    if quiet > 0 && !rows.is_empty() {
        block.push(format!(
            "  {}",
            faint(&format!("{} unchanged", count(quiet, "host")))
        ));
    }
    block
}

fn rows_of(headers: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    table(headers, rows)
        .lines()
        .map(|line| format!("  {line}"))
        .collect()
}

fn ending(sum: &RunSummary) -> Vec<String> {
    let headline = clean(&sum.headline);
    let (mark, headline) = match sum.exit {
        0 => (Mark::Done, headline.green().bold().to_string()),
        PENDING => (Mark::Warning, headline.yellow().bold().to_string()),
        _ => (Mark::Failed, headline.red().bold().to_string()),
    };
    let first = format!("{} {headline}  {}", mark.show(), faint(&took(sum.took_ms)));
    let next = sum
        .next
        .iter()
        .map(|line| format!("{} {}", strong("next:"), clean(line)));
    std::iter::once(first).chain(next).collect()
}
