//! What is seen of a fault while it lasts.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::beside::Beside;
use super::drill::{Ground, LEAST};
use super::host::{Order, Site};
use super::proof::Seen;
use super::target::{asked, eyes, number, partitions};
use super::words::{Drill, Fault, InSync, Which};
use crate::event::Problem;
use crate::plan::Member;
use crate::verify::Prober;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(700);
/// How long a port may take to answer.
const PORT: Duration = Duration::from_millis(1500);
/// How long what is expected of a fault may take that has no time of its own.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long what was ended may take to be there again.
const BACK: Duration = Duration::from_secs(180);
/// The port that is SSH's where nothing else is said.
const SSH: u16 = 22;

/// What a host is told to do.
///
/// # Errors
/// When it can't be done there, or would cut off whoever does it.
pub fn order(ground: &Ground, drill: &Drill, target: &Member) -> Result<Order, Problem> {
    let (view, host) = (&ground.prober.view, &target.id.host);
    let whole = matches!(drill.fault, Fault::CutNetwork | Fault::PowerOff);
    let there = |m: &&Member| {
        if whole {
            &m.id.host == host
        } else {
            m.id == target.id
        }
    };
    let units = view.members.iter().filter(there);
    let units: Vec<String> = units.map(|m| m.unit.clone()).collect();
    let ports = |here: bool| {
        let of = view.members.iter().filter(|m| (&m.id.host == host) == here);
        let mut ports: Vec<u16> = of.flat_map(|m| m.ports.values().copied()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    let (own, others) = (ports(true), ports(false));
    if drill.fault == Fault::CutNetwork {
        let local = ground.places.get(host).is_none_or(|places| places.pidfiles);
        let ssh = ground.ssh.get(host).copied().unwrap_or(SSH);
        let cut = |port: u16| own.contains(&port) || others.contains(&port);
        if local {
            let cause =
                format!("{host} has no network of its own to cut: it is a folder of this machine");
            return Err(
                Problem::new(cause).help("make this drill on hosts that are reached over SSH")
            );
        }
        if cut(ssh) || cut(SSH) || others.is_empty() {
            let cause = format!("{host}: nothing can be cut without SSH");
            return Err(Problem::new(cause)
                .help("a service has the port of SSH, or there is one host only"));
        }
    }
    let stop = view.role(&target.id).map_or(0, |role| role.stop_within);
    let stops = drill.fault == Fault::StopAndStart;
    Ok(Order {
        fault: drill.fault,
        target: target.id.to_string(),
        units,
        own,
        others,
        seconds: longest(drill).as_secs(),
        patience: Duration::from_secs(if stops { stop } else { 0 }),
    })
}

/// How long a fault is let be at the most.
fn longest(drill: &Drill) -> Duration {
    if drill.fault.lasts() {
        Duration::from_secs(drill.seconds)
    } else {
        PATIENCE
    }
}

/// Looks at a target, and at what the others tell of it.
pub struct Watch<'a> {
    ground: &'a Ground,
    drill: &'a Drill,
    target: &'a Member,
    topic: &'a str,
    others: Prober,
    units: Vec<String>,
    /// What was seen.
    pub seen: Seen,
}

impl<'a> Watch<'a> {
    /// Nothing is seen yet.
    pub fn new(ground: &'a Ground, drill: &'a Drill, target: &'a Member, topic: &'a str) -> Self {
        Self {
            ground,
            drill,
            target,
            topic,
            others: eyes(ground, target),
            units: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// How it is before the fault.
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn before(&mut self, site: &Site<'_>, units: &[String]) -> Result<(), Problem> {
        self.units = units.to_vec();
        self.seen.before = site.look(units).await?;
        self.seen.was_open = self.answers().await;
        let own = number(self.target);
        let found = partitions(self.ground, &self.others, self.topic).await;
        let led = |partition: &&super::target::Partition| own.is_some() && partition.0 == own;
        self.seen.led = found.iter().flatten().filter(led).count();
        Ok(())
    }

    /// Looks until the fault's time is over; of one that has none, until writes go on and what is expected was
    /// seen. What does not come in time is missing in the proof.
    ///
    /// # Errors
    /// When the host can't be asked, the load ended, or the run is asked to end.
    pub async fn during(
        &mut self,
        site: &Site<'_>,
        (load, from): (&mut Beside, u64),
    ) -> Result<(), Problem> {
        let began = Instant::now();
        let lasts = Duration::from_secs(self.drill.seconds);
        loop {
            self.look(site).await?;
            let goes_on = load.acked(from)? >= LEAST || self.drill.stalls;
            let over = began.elapsed() >= lasts;
            if over && (goes_on && self.is_complete() || began.elapsed() >= longest(self.drill)) {
                return Ok(());
            }
            self.ground.lives()?;
            let left = lasts.saturating_sub(began.elapsed());
            sleep(if over { PAUSE } else { PAUSE.min(left) }).await;
        }
    }

    /// Looks until what the fault ended is there again.
    ///
    /// # Errors
    /// When the host can't be asked, or the run is asked to end.
    pub async fn back(&mut self, site: &Site<'_>) -> Result<(), Problem> {
        let began = Instant::now();
        loop {
            self.seen.look(site.look(&self.units).await?);
            let open = self.answers().await || !self.seen.was_open;
            let back = self.seen.is_back(self.drill.fault) && open;
            if back || began.elapsed() > BACK {
                return Ok(());
            }
            self.ground.lives()?;
            sleep(PAUSE).await;
        }
    }

    fn is_complete(&self) -> bool {
        let shrinks = self.drill.expect.in_sync == Some(InSync::Shrinks);
        let copies = !shrinks || self.seen.behind > 0;
        copies && (!self.drill.expect.moves || self.seen.moved_to.is_some())
    }

    async fn look(&mut self, site: &Site<'_>) -> Result<(), Problem> {
        let looks = self.drill.expect.in_sync.is_some();
        let moves = self.drill.expect.moves && self.seen.moved_to.is_none();
        let copies = async { if looks { self.behind().await } else { None } };
        let moved = async { if moves { self.moved().await } else { None } };
        let (now, open, behind, moved) =
            tokio::join!(site.look(&self.units), self.answers(), copies, moved);
        self.seen.look(now?);
        self.seen.closed |= !open;
        if self.drill.fault == Fault::DiskFull {
            let room = site.room().await?;
            self.seen.room = [self.seen.room, room].into_iter().flatten().min();
        }
        if let Some(behind) = behind {
            self.seen.looks += 1;
            self.seen.behind = self.seen.behind.max(behind);
        }
        if moved.is_some() {
            self.seen.moved_to = moved;
        }
        Ok(())
    }

    /// Whether the target's first port answers this machine, where the load is.
    async fn answers(&self) -> bool {
        let Some(port) = self.target.client_port() else {
            return false;
        };
        let address = (self.target.address.as_str(), port);
        let connected = timeout(PORT, TcpStream::connect(address)).await;
        matches!(connected, Ok(Ok(_)))
    }

    /// How many copies on the target are out of sync, as the others tell.
    async fn behind(&self) -> Option<usize> {
        let own = number(self.target)?;
        let all = partitions(self.ground, &self.others, self.topic).await?;
        let behind = |(_, copies, in_sync): &&super::target::Partition| {
            copies.contains(&own) && !in_sync.contains(&own)
        };
        Some(all.iter().filter(behind).count())
    }

    /// Who of the others is what the target was.
    async fn moved(&self) -> Option<String> {
        let which = &self.drill.target.which;
        let Which::Is(_) = which else { return None };
        let peers = self.others.view.peers(self.target);
        let peers: Vec<&Member> = peers.collect();
        let found = asked(&self.others, &peers, which).await?;
        Some(found.id.to_string())
    }
}
