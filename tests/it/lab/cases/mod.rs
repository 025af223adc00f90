//! The cases, in the order in which they run: those that want bare hosts, then those that share a cluster.

mod clients;
mod cuts;
mod disk;
mod drills;
mod end;
mod examples;
mod fan_out;
mod faults;
mod first;
mod floating;
mod folder;
mod grow;
mod guide;
mod instead;
mod kept;
mod killed;
mod kraft;
mod lost;
mod maintain;
mod migrate;
mod moves;
mod quorum;
mod reach;
mod removed;
mod replace;
mod rights;
mod roll;
mod stack;
mod upgrade;
mod way;
mod ways;

use super::{Case, Done};

/// Those that are not run each time, and how many minutes they take: some stand for all where time is short. What takes
/// more than there is is run by name or with all.
pub const LONG: &[(&str, u32)] = &[
    ("away", 2),
    ("kept", 1),
    ("folder", 1),
    ("floating", 3),
    ("fan-out", 1),
    ("kraft", 3),
    ("controllers", 4),
    ("upgrade-kraft", 3),
    ("instead-voting", 5),
    ("instead", 5),
    ("lost", 1),
    ("replace", 3),
    ("maintain", 4),
    ("moves", 3),
    ("keep-data", 2),
    ("removed-host", 2),
    ("grow", 5),
    ("examples", 3),
    ("upgrade", 5),
    ("migrate", 12),
    ("way", 15),
    ("stack", 8),
    ("stack-roll", 12),
    ("stack-scale", 12),
    ("stack-lost", 12),
    ("damaged", 1),
    ("disk-full", 2),
    ("data-full", 2),
    ("two-deploys", 2),
    ("cut-link", 2),
    ("interrupt", 2),
    ("kills", 3),
    ("changes", 3),
];

/// All of them.
pub const ALL: &[Case] = &[
    ("keys", reach::keys),
    ("conformance", ways::conformance),
    ("unreachable", reach::unreachable),
    ("away", reach::away),
    ("kept", kept::kept),
    ("port", faults::port),
    ("sudo", rights::sudo),
    ("folder", folder::folder),
    ("floating", floating::floating),
    ("fan-out", fan_out::fan_out),
    ("kraft", kraft::kraft),
    ("controllers", quorum::controllers),
    ("upgrade-kraft", quorum::upgrade_kraft),
    ("instead-voting", instead::instead_voting),
    ("instead", instead::instead),
    ("first", first::first),
    ("laptop", ways::laptop),
    ("jump", ways::jump),
    ("kcat", clients::kcat),
    ("roll", roll::roll),
    ("dies", faults::dies),
    ("lost", lost::lost),
    ("replace", replace::replace),
    ("maintain", maintain::maintain),
    ("drills", drills::drills),
    ("moves", moves::moves),
    ("keep-data", end::keep_data),
    ("removed-host", removed::removed),
    ("grow", grow::grow),
    ("examples", examples::examples),
    ("upgrade", upgrade::upgrade),
    ("migrate", migrate::migrate),
    ("way", way::way),
    ("guide", guide::guide),
    ("stack", stack::made),
    ("stack-roll", stack::roll),
    ("stack-scale", stack::scale),
    ("stack-lost", stack::lost),
    ("destroy", end::destroy),
    ("damaged", faults::damaged),
    ("disk-full", disk::full),
    ("data-full", disk::data),
    ("two-deploys", ways::two),
    ("cut-link", cuts::link),
    ("interrupt", cuts::interrupt),
    ("kills", cuts::kills),
    ("changes", cuts::changes),
    ("killed", killed::killed),
];
