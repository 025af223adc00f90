//! `sdtd maintain`: hosts are taken out of the cluster one after another, a command is run, and they come back.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::deploy::confirmed;
use super::history::TimingsArg;
use super::roll::AcceptArg;
use super::setup::{self, Missing, Run};
use super::{Global, InventoryArg};
use crate::error::{Failure, Kind};
use crate::event::{EventKind, Problem, RunSummary};
use crate::flow::{Maintenance, command_line};
use crate::id::HostName;
use crate::inventory::{Cluster, Connection};
use crate::plan::show::warned;
use crate::report;

/// Programs that end a host's boot.
const ENDS: [&str; 8] = [
    "reboot",
    "shutdown",
    "poweroff",
    "halt",
    "kexec",
    "telinit",
    "init",
    "systemctl",
];

/// The words of `maintain`.
#[derive(Debug, Args)]
pub struct MaintainArgs {
    /// The inventory; else as for every command.
    #[arg(short, long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// The hosts, one after another.
    #[arg(
        value_name = "HOST",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    hosts: Vec<HostName>,
    /// All hosts of the inventory, one after another.
    #[arg(long)]
    all: bool,
    /// Seconds that the command may take on each host.
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    within: u64,
    /// Seconds in which a host that reboots has to be back.
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    back_within: u64,
    /// The command, run as root on each: `-- reboot`, `-- apt-get -y upgrade`. One word is a shell's line, several
    /// are a program and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
    #[command(flatten)]
    accept: AcceptArg,
    #[command(flatten)]
    timings: TimingsArg,
}

/// Runs `sdtd maintain`.
///
/// # Errors
/// As the exit codes tell; 3 when a host did not come back.
pub async fn run(global: &Global, args: &MaintainArgs) -> Result<(), Failure> {
    let inventory = InventoryArg {
        inventory: args.inventory.clone(),
    };
    let opened = setup::open(global, &inventory)?;
    let cluster = &opened.loaded.cluster;
    let hosts = chosen(cluster, args)?;
    let how = Maintenance {
        command: command_line(&args.command),
        within: Duration::from_secs(args.within.max(1)),
        back_within: Duration::from_secs(args.back_within.max(1)),
    };
    may_reboot(cluster, &hosts, &how.command)?;
    let mut run = setup::begin(global, opened, "maintain", Missing::Fatal).await?;
    args.accept.give(&mut run.flow);
    let log = run.log();
    let done = maintain(global, run, &hosts, &how).await;
    args.timings.after(global, &log, done)
}

fn chosen(cluster: &Cluster, args: &MaintainArgs) -> Result<Vec<HostName>, Failure> {
    if args.all {
        return Ok(cluster.hosts.keys().cloned().collect());
    }
    let mut hosts: Vec<HostName> = Vec::new();
    for host in &args.hosts {
        if !cluster.hosts.contains_key(host) {
            let names: Vec<&str> = cluster.hosts.keys().map(HostName::as_str).collect();
            let cause = format!("there is no host `{host}` in the inventory");
            let help = format!("it has {}", names.join(", "));
            return Err(Failure::new(Kind::Usage, Problem::new(cause).help(help)));
        }
        if !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    Ok(hosts)
}

/// A host of this machine is this machine: it is not rebooted from here.
fn may_reboot(cluster: &Cluster, hosts: &[HostName], command: &str) -> Result<(), Failure> {
    let local = |host: &&HostName| {
        let host = cluster.hosts.get(*host);
        host.is_some_and(|host| matches!(host.connection, Connection::Local { .. }))
    };
    let mut programs = command
        .split([' ', ';', '&', '|', '\n', '\''])
        .map(|word| word.rsplit('/').next().unwrap_or_default());
    match hosts.iter().find(local) {
        Some(host) if programs.any(|program| ENDS.contains(&program)) => {
            let cause = format!(
                "{host} is a host of this machine (`connection: local`): `{command}` may end sdtd itself"
            );
            let help = "reboot this machine by hand; `sdtd start` brings its services back";
            Err(Failure::new(Kind::Refused, Problem::new(cause).help(help)))
        }
        _ => Ok(()),
    }
}

async fn maintain(
    global: &Global,
    mut run: Run,
    hosts: &[HostName],
    how: &Maintenance,
) -> Result<(), Failure> {
    let asks = !global.yes && report::can_ask();
    let warnings = match run.flow.maintenance_outage(hosts, asks).await {
        Ok(warnings) => warnings,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    run.events.emit(EventKind::Planned {
        text: told(hosts, &how.command, &warnings),
        steps: hosts.len(),
        unchanged: 0,
    });
    if !confirmed(global, &run).await? {
        let failure = Failure {
            kind: Kind::Usage,
            problems: Vec::new(),
        };
        return Err(run.end(Some(failure), "nothing was changed").await);
    }
    let lock = match run.lock(global).await {
        Ok(lock) => lock,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    // Who was asked has read what can't be used meanwhile.
    run.flow.accepts_outage |= asks;
    let done = run.flow.maintain(hosts, how).await;
    let lost = lock.lost();
    lock.release().await;
    match done {
        Err(mut failure) => {
            failure.problems.extend(lost);
            Err(run.end(Some(failure), "not everything was done").await)
        }
        Ok(()) => {
            let summary = RunSummary {
                headline: format!(
                    "{} maintained, and all is whole again",
                    counted(hosts.len())
                ),
                next: vec![format!("sdtd status {}", run.path.display())],
                ..RunSummary::default()
            };
            run.finish(summary).await;
            Ok(())
        }
    }
}

fn counted(hosts: usize) -> String {
    match hosts {
        1 => "1 host".to_owned(),
        n => format!("{n} hosts"),
    }
}

/// What will be done, for people.
fn told(hosts: &[HostName], command: &str, warnings: &[Problem]) -> String {
    let mut text: String = warnings.iter().map(warned).collect();
    let _ = writeln!(
        text,
        "on each of these hosts, one after another (who leads others goes last):"
    );
    let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
    let _ = writeln!(text, "  {}", names.join(", "));
    let _ = writeln!(
        text,
        "  see that the cluster is whole; stop what runs there"
    );
    let _ = writeln!(text, "  {command}");
    let _ = writeln!(
        text,
        "  wait until it is back; start what should run; see that all is whole again"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_boot_is_known_by_its_program() {
        let ends = |command: &str| {
            let mut words = command.split([' ', ';', '&', '|', '\n', '\'']);
            words.any(|w| ENDS.contains(&w.rsplit('/').next().unwrap_or_default()))
        };
        for command in [
            "reboot",
            "/sbin/reboot",
            "apt-get -y upgrade && reboot",
            "'systemctl' 'reboot'",
        ] {
            assert!(ends(command), "{command}");
        }
        for command in ["apt-get -y upgrade", "uptime", "echo rebooted"] {
            assert!(!ends(command), "{command}");
        }
    }
}
