//! A host by itself: its supervisor, disks, names and settings.

use super::Check;
use crate::facts::{HostFacts, UnitFact};
use crate::inventory::{Connection, Host};
use crate::plan::context::Context;
use crate::plan::desired::Desired;
use crate::plan::mend::Mend;

/// Free MiB below which a file system can't take a service, and below which it will be full soon.
const DISK_MB: (u64, u64) = (500, 2048);
/// Free MiB below which it is full: what dies again and again there dies of that.
const FULL_MB: u64 = 16;
/// Above it a JVM's heap is swapped out while files are cached, and a pause becomes seconds.
const SWAPPINESS: u32 = 10;

pub(super) fn checks(
    context: &Context<'_>,
    (host, facts): (&Host, &HostFacts),
    desired: &[Desired],
) -> Vec<Check> {
    let mut all = vec![Check::pass(
        "system",
        &host.name,
        format!(
            "{}, {}, login with the rights it needs",
            facts.os, facts.arch
        ),
    )];
    if matches!(host.connection, Connection::Ssh { .. }) {
        all.push(supervisor(host, facts));
        all.push(own_name(context, host, facts));
        all.extend(advertised(host, facts));
        all.extend(swappiness(host, facts));
    }
    let here = desired.iter().filter(|d| d.member.id.host == host.name);
    let units = here.filter_map(|d| facts.units.get(&d.member.unit));
    if context.placement.on(&host.name).any(|_| true) {
        all.extend(disks(host, facts, least(units)));
    }
    all
}

fn supervisor(host: &Host, facts: &HostFacts) -> Check {
    if facts.systemd {
        return Check::pass("supervisor", &host.name, "systemd");
    }
    Check::pass("supervisor", &host.name, "systemd does not run there")
        .fail("take a system with systemd, such as Debian, Ubuntu or Raspberry Pi OS")
}

/// sudo looks its host's own name up at each call, and waits for a name server that does not answer.
fn own_name(context: &Context<'_>, host: &Host, facts: &HostFacts) -> Check {
    let name = &facts.hostname;
    match facts.resolves.get(name) {
        Some(address) => Check::pass("own name", &host.name, format!("{name} is {address}")),
        None => {
            let mend = Mend::own_name(context.cluster, name);
            // Where others reach a host by that name, it must not be its loopback.
            let line = match mend {
                Some(_) => format!("`127.0.1.1 {name}`"),
                None => format!("its real address and `{name}`"),
            };
            let found = format!("its own name `{name}` is not known to it");
            let help =
                format!("add {line} to its /etc/hosts; without it each sudo may take seconds");
            Check::pass("own name", &host.name, found)
                .warn(help)
                .mended_by(mend)
        }
    }
}

/// A service that others reach by a name must not take that name for its own loopback.
fn advertised(host: &Host, facts: &HostFacts) -> Option<Check> {
    let address = facts.resolves.get(&host.address)?;
    let check = Check::pass(
        "address",
        &host.name,
        format!("{} is {address} there", host.address),
    );
    if address.starts_with("127.") {
        return Some(check.fail(format!(
            "its services would listen where nobody else reaches them: give `{}` its real address in its /etc/hosts, or the number in the inventory",
            host.address
        )));
    }
    Some(check)
}

fn swappiness(host: &Host, facts: &HostFacts) -> Option<Check> {
    let now = facts.swappiness?;
    let check = Check::pass("swappiness", &host.name, format!("vm.swappiness is {now}"));
    if now <= SWAPPINESS {
        return Some(check);
    }
    let help =
        "put `vm.swappiness=1` into its /etc/sysctl.d, or JVMs pause while they are swapped in";
    Some(check.warn(help).mended_by(Some(Mend::Swappiness { now })))
}

/// The free MiB without which nothing is begun, by what runs on a host already.
fn least<'a>(units: impl Iterator<Item = &'a UnitFact>) -> u64 {
    let of_one = |unit: &UnitFact| if unit.is_failing() { FULL_MB } else { 0 };
    let running = units.filter(|unit| unit.active || unit.is_failing());
    running.map(of_one).max().unwrap_or(DISK_MB.0)
}

/// Room on each file system.
fn disks(host: &Host, facts: &HostFacts, least: u64) -> Vec<Check> {
    let (enough, little) = DISK_MB;
    let check = |(path, disk): (&String, &crate::facts::Disk)| {
        let (free, total) = (disk.free_mb, disk.total_mb);
        let found = format!("{free} of {total} MiB are free below {path}");
        let check = Check::pass("disk", &host.name, found);
        if free < least {
            check.fail(format!("make room: at least {enough} MiB"))
        } else if free < little {
            check.warn(
                "make room, keep less (`log.retention.bytes`), or put `data:` on a larger disk",
            )
        } else {
            check
        }
    };
    facts.disks.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_too_small_for_what_is_new_and_full_for_what_dies() {
        let unit = |state: &str, restarts| UnitFact {
            active: state == "active",
            state: state.to_owned(),
            restarts,
            uptime_s: Some(5),
            ..UnitFact::default()
        };
        let (runs, dies) = (unit("active", 0), unit("active", 3));
        let least = |units: &[&UnitFact]| least(units.iter().copied());
        assert_eq!(least(&[]), DISK_MB.0);
        assert_eq!(least(&[&unit("inactive", 0)]), DISK_MB.0);
        assert_eq!(least(&[&runs, &unit("inactive", 0)]), 0);
        assert_eq!(least(&[&runs, &dies]), FULL_MB);
        assert_eq!(least(&[&unit("activating", 1)]), FULL_MB);
    }
}
