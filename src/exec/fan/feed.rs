//! A host takes a package from the one before it, and gives up on that one where it does better without.

use std::sync::Arc;
use std::time::Duration;

use super::race::is_much;
use super::{Fan, When};
use crate::event::EventKind;
use crate::exec::Executor;
use crate::facts::quote;
use crate::id::HostName;
use crate::plan::{Batch, Step};
use crate::transport::{Remote, Shipment};

/// Between two looks at how it goes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What this machine sends to every host at the beginning, so that it is known how fast it would be by itself.
const STARTER: u64 = 8 << 20;
/// What is sent to several hosts at once has arrived within so long of each other.
const TOGETHER: Duration = Duration::from_millis(200);
/// Less tells nothing.
const LEAST_STARTER: u64 = 64 << 10;
/// All starters together are at most this part of a package.
const STARTERS: u64 = 4;

/// A package that a host of a row is to get.
struct Load<'a> {
    row: usize,
    host: &'a HostName,
    what: String,
    sha256: &'a str,
    size: u64,
}

impl Executor {
    /// Takes the packages of a batch from the host before its own, where there is one. Whether all of them are there:
    /// else this machine sends the rest.
    pub(in crate::exec) async fn feed(&self, batch: &Batch) -> bool {
        let Some(fan) = &self.fan else {
            return false;
        };
        let mut whole = true;
        for step in &batch.steps {
            if let Step::Package {
                name,
                version,
                sha256,
                size,
                ..
            } = step
            {
                let what = format!("{name} {version}");
                whole &= self.take(fan, &batch.host, (what, sha256, *size)).await;
            }
        }
        whole && batch.has_packages()
    }

    async fn take(
        &self,
        fan: &Arc<Fan>,
        host: &HostName,
        (what, sha256, size): (String, &str, u64),
    ) -> bool {
        let (Some(row), Some(remote)) = (fan.row(sha256, host), self.prober.fleet.get(host)) else {
            return false;
        };
        let load = Load {
            row,
            host,
            what,
            sha256,
            size,
        };
        let ended = if self.pays(fan, &load, remote).await {
            self.take_over(fan, &load, remote).await
        } else {
            None
        };
        fan.leave();
        matches!(ended, Some(Ok(())))
    }

    /// Whether packages are passed on; decided for all, once the first bytes have arrived on hosts.
    async fn pays(&self, fan: &Fan, load: &Load<'_>, remote: &Remote) -> bool {
        if fan.pays.get().is_none() {
            self.starter(fan, load, remote).await;
        }
        let decide = || async {
            if fan.when == When::Always {
                return true;
            }
            tokio::time::sleep(TOGETHER).await;
            is_much(&fan.rows, super::locked(&fan.uplink).rate())
        };
        *fan.pays.get_or_init(decide).await
    }

    /// Takes a package from the host before; none where there is no such host.
    async fn take_over(
        &self,
        fan: &Fan,
        load: &Load<'_>,
        remote: &Remote,
    ) -> Option<Result<(), String>> {
        let before = fan.held(self).await.before(load.row, load.host)?;
        let pulled = self.pull(fan, (load, before), remote).await;
        if let Err(why) = &pulled {
            let (host, what) = (load.host, &load.what);
            self.events.note(format!(
                "{host}: the rest of {what} comes from this machine, not from {before}: {why}"
            ));
        }
        Some(pulled)
    }

    /// Takes the package, until it is there or the host does better without.
    async fn pull(
        &self,
        fan: &Fan,
        (load, before): (&Load<'_>, &HostName),
        remote: &Remote,
    ) -> Result<(), String> {
        let Some(script) = self.pull_script(fan, load, before) else {
            return Err("it is not known how to reach it".to_owned());
        };
        let mut said = String::new();
        let mut line = |line: &str| {
            if let Some(Ok(done)) = line.strip_prefix("@at ").map(str::parse) {
                self.arrived(fan, (load, before), done);
            } else if line == "@in" {
                fan.race(load.row).let_in(load.host, fan.now());
            } else if let Some(text) = line.strip_prefix("@said ") {
                text.clone_into(&mut said);
            }
        };
        let within = Duration::from_secs(60 + load.size / 50_000);
        let work = remote.command(&script, within, &mut line);
        let ended = tokio::select! {
            ended = work => ended,
            why = self.judged(fan, load, before) => return Err(why),
        };
        match ended {
            Ok(Some(0)) => Ok(()),
            _ => {
                fan.race(load.row).gives_up();
                Err(if said.is_empty() {
                    "it ended early".to_owned()
                } else {
                    said
                })
            }
        }
    }

    /// Ends when the host should give up on the one before it.
    async fn judged(&self, fan: &Fan, load: &Load<'_>, before: &HostName) -> String {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.is_stopped() {
                return "the run was interrupted".to_owned();
            }
            let uplink = super::locked(&fan.uplink).rate();
            let mut race = fan.race(load.row);
            if let Some(why) = race.verdict((load.host, before), fan.now(), uplink) {
                race.gives_up();
                return why.told().to_owned();
            }
        }
    }

    fn arrived(&self, fan: &Fan, (load, before): (&Load<'_>, &HostName), done: u64) {
        fan.race(load.row).note(load.host, fan.now(), done);
        self.events.emit(EventKind::Transfer {
            host: load.host.clone(),
            what: load.what.clone(),
            done: done.min(load.size),
            total: load.size,
            from: Some(before.clone()),
        });
    }

    fn pull_script(&self, fan: &Fan, load: &Load<'_>, before: &HostName) -> Option<String> {
        let answer = fan.held.get()?.answer(before)?;
        let (address, port) = fan.places.get(before)?;
        let port = answer.port.or(*port).unwrap_or(22);
        let known: Vec<String> = answer
            .keys
            .iter()
            .map(|key| format!("before {key}"))
            .collect();
        let own = [
            ("cluster", fan.cluster.as_str()),
            ("run", &fan.run),
            ("incoming", &self.places.get(load.host)?.incoming),
            ("sum", load.sha256),
            ("size", &load.size.to_string()),
            ("known", &known.join("\n")),
            ("user", &answer.user),
            ("port", &port.to_string()),
            ("address", address),
        ];
        let words = own.map(|(name, value)| format!("{name}={}\n", quote(value)));
        // In a shell of its own, whose end is told.
        Some(format!("({}{}\n)", words.concat(), include_str!("pull.sh")))
    }

    /// The first bytes come from this machine, at the same time to all: what the others are measured by.
    async fn starter(&self, fan: &Fan, load: &Load<'_>, remote: &Remote) {
        let hosts = fan.rows[load.row].hosts.len() as u64;
        let size = STARTER.min(load.size / (STARTERS * hosts));
        let known = super::locked(&fan.uplink).rate() > 0;
        let (Some(file), Some(places)) =
            (self.packages.get(load.sha256), self.places.get(load.host))
        else {
            return;
        };
        if known || size < LEAST_STARTER {
            return;
        }
        let shipment = Shipment {
            file,
            sha256: load.sha256,
            size,
        };
        let from = fan.now();
        if let Ok(bytes @ 1..) = remote.send(places, shipment, &|_| {}).await {
            fan.sent(bytes, from);
        }
    }
}
