//! Steps and facts do the same on fake hosts, on this machine and on real hosts: each scenario writes what it saw,
//! and what it saw must be `tests/conformance/<name>.txt` on every kind of host.
//!
//! `SDTD_TEST_SSH=<destination>` adds a real host, logged in to by the user's own ssh without any rights of root;
//! `SDTD_TEST_SSH_CONFIG=<file>` is an ssh configuration for it.

mod blocks;
mod files;
mod host;
mod packages;
mod seen;
mod units;

use host::Host;
use seen::Seen;

use crate::golden::{agree, difference, project};

/// Runs a scenario on every kind of host.
fn everywhere(name: &str, scenario: impl AsyncFn(&mut Seen)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let mut differences = Vec::new();
    for host in runtime.block_on(Host::all()) {
        let kind = host.kind;
        let mut seen = Seen::new(host);
        runtime.block_on(scenario(&mut seen));
        let path = project(&format!("tests/conformance/{name}.txt"));
        let text = runtime.block_on(seen.end());
        differences.extend(difference(&path, &text).map(|diff| format!("{kind}:\n{diff}")));
    }
    agree(&differences);
}

#[test]
fn files_folders_and_links() {
    everywhere("files", files::scenario);
}

#[test]
fn odd_texts() {
    everywhere("texts", files::odd_texts);
}

#[test]
fn blocks_in_files_of_others() {
    everywhere("blocks", blocks::scenario);
}

#[test]
fn packages() {
    everywhere("packages", packages::scenario);
}

#[test]
fn steps_done_once() {
    everywhere("once", units::once);
}

#[test]
fn units() {
    everywhere("units", units::scenario);
}
