//! What runs on fake hosts behaves as services do: it is not ready at once, it follows or leads, it answers.

use std::collections::{BTreeMap, BTreeSet};

use sdtd::catalogue::Catalogue;
use sdtd::id::{HostName, InstanceId};
use sdtd::inventory::{Amount, Cluster, Topic};
use sdtd::transport::fake::World;

use super::ensemble::{self, Known, Lists};

/// The file in which members list each other, and the unit that reads it.
const LIST: &str = "/etc/zookeeper/zoo.cfg";
const LISTING: &str = "zookeeper-server";

/// So often a service is asked after a start before it is ready.
const WARM_UP: u32 = 3;

/// A role as the simulation knows it.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its service.
    pub service: String,
    /// Its unit on every host.
    pub unit: String,
    /// How many members it has.
    pub members: usize,
    /// How many members may be down at once.
    pub width: usize,
    /// Its ports.
    pub ports: Vec<u16>,
    /// Whether a majority must be up.
    pub quorum: bool,
}

/// How a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does not run, or its host is off.
    Down,
    /// It runs and does not answer yet.
    Starting,
    /// It answers.
    Up,
}

/// All services of a world.
#[derive(Debug, Clone, Default)]
pub struct Sim {
    /// The roles of the inventory.
    pub roles: Vec<Role>,
    /// Who leads, by unit.
    pub leaders: BTreeMap<String, HostName>,
    /// Who leads as soon as this unit is restarted on this host.
    pub moves: BTreeMap<(String, HostName), HostName>,
    /// Units that run and never answer.
    pub mute: BTreeSet<(HostName, String)>,
    /// Units that never answer as long as this very process of theirs runs.
    pub broken: BTreeMap<(HostName, String), Option<u32>>,
    /// What has its only copy on one member.
    pub alone: BTreeMap<InstanceId, String>,
    /// Why nothing may be restarted now.
    pub forbidden: Option<String>,
    /// Members that hold a share of the data, once that was asked.
    pub holders: BTreeSet<InstanceId>,
    /// Whether a limit of speed is on.
    pub limited: bool,
    /// Members that vote by a list that the service keeps, once that was asked.
    pub voters: BTreeSet<InstanceId>,
    /// Hosts whose place another one has: nobody misses what ran there.
    pub missed_by_none: BTreeSet<HostName>,
    /// Units of roles that there are no more: they stop together.
    pub retired: BTreeSet<String>,
    /// Those that all were made with the first time: each votes as soon as it is there.
    pub first_voters: BTreeSet<InstanceId>,
    /// The topics that were made.
    pub topics: BTreeMap<String, Topic>,
    /// What members were given while they ran.
    pub given: BTreeMap<InstanceId, BTreeMap<String, String>>,
    /// The file with which each unit was started that takes settings while it runs.
    pub started_with: BTreeMap<(HostName, String), String>,
    started: BTreeMap<(HostName, String), (Option<u32>, u32)>,
    /// Whom each member knew of when it was started, where its file lists the others.
    lists: BTreeMap<(HostName, String), Known>,
    addresses: BTreeMap<String, HostName>,
}

impl Sim {
    /// Takes the roles of a cluster.
    pub fn learn(&mut self, cluster: &Cluster, catalogue: &Catalogue) {
        self.roles.clear();
        let address = |(name, host): (&HostName, &sdtd::inventory::Host)| {
            (host.address.clone(), name.clone())
        };
        self.addresses.extend(cluster.hosts.iter().map(address));
        for (name, service) in &cluster.services {
            let Some(folder) = catalogue.get(name) else {
                continue;
            };
            for (role, words) in folder.descriptor.roles_with(&service.settings) {
                for copy in 0..words.most(service.per_host) {
                    let port = |(name, port): (&String, &u16)| {
                        service.ports.get(name).unwrap_or(port) + copy
                    };
                    let suffix = match copy {
                        0 => String::new(),
                        n => format!("-{}", n + 1),
                    };
                    let hosts = cluster.hosts.len();
                    self.roles.push(Role {
                        service: name.to_string(),
                        unit: format!("{name}-{role}{suffix}"),
                        members: match service.roles.get(role) {
                            // A host gets a second one when all have a first.
                            Some(Amount::Count(n)) => usize::from(*n)
                                .saturating_sub(usize::from(copy) * hosts)
                                .min(hosts),
                            Some(Amount::Hosts(listed)) => listed.len(),
                            None => hosts,
                        },
                        width: usize::from(words.rolling.width),
                        ports: words.ports.iter().map(port).collect(),
                        quorum: words.quorum.is_some() || words.ports.contains_key("controller"),
                    });
                }
            }
        }
    }

    /// What is known of a host's members is known of another one's.
    pub fn rename(&mut self, old: &HostName, by: &HostName) {
        let now = |id: InstanceId| InstanceId {
            host: if &id.host == old {
                by.clone()
            } else {
                id.host.clone()
            },
            ..id
        };
        for all in [&mut self.holders, &mut self.voters, &mut self.first_voters] {
            *all = std::mem::take(all).into_iter().map(now).collect();
        }
        self.missed_by_none.insert(old.clone());
    }

    /// How a unit of a host is; being asked brings it nearer to being ready.
    pub fn health(&mut self, world: &World, host: &HostName, unit: &str, asked: bool) -> Health {
        let key = (host.clone(), unit.to_owned());
        if !world.runs(host.as_str(), unit) {
            self.started.remove(&key);
            return Health::Down;
        }
        let pid = world.hosts[host].units[unit].pid;
        if self.is_broken(world, host, unit) {
            return Health::Starting;
        }
        let before = self.started.get(&key).map(|(pid, _)| *pid);
        if before != Some(pid) {
            self.lists.insert(key.clone(), self.listed(world, host));
            let file = super::live::file(world, host, unit);
            self.started_with.insert(key.clone(), file);
        }
        let entry = self.started.entry(key).or_insert((pid, WARM_UP));
        if entry.0 != pid {
            *entry = (pid, WARM_UP);
        }
        if asked {
            entry.1 = entry.1.saturating_sub(1);
        }
        if entry.1 == 0 {
            Health::Up
        } else {
            Health::Starting
        }
    }

    /// Whether what runs there never answers, not even in a while.
    pub fn is_broken(&self, world: &World, host: &HostName, unit: &str) -> bool {
        let key = (host.clone(), unit.to_owned());
        let pid = world.hosts[host].units[unit].pid;
        self.mute.contains(&key) || self.broken.get(&key) == Some(&pid)
    }

    /// What a host's file lists.
    fn listed(&self, world: &World, host: &HostName) -> Known {
        let files = &world.hosts[host].files;
        let file = files.iter().find(|(path, _)| path.ends_with(LIST));
        let lines = file.into_iter().flat_map(|(_, file)| file.text.lines());
        let members = lines.filter_map(|line| {
            let (number, rest) = line.strip_prefix("server.")?.split_once('=')?;
            let address = rest.split(':').next()?;
            Some((number.parse().ok()?, self.addresses.get(address)?.clone()))
        });
        let list: BTreeMap<u32, HostName> = members.collect();
        let own = list.iter().find(|(_, other)| *other == host);
        Known {
            number: own.map(|(number, _)| *number),
            list,
        }
    }

    /// The members of a unit that are up, with those that they know, where they list each other.
    pub fn ensemble(&mut self, world: &World, unit: &str) -> Option<Lists> {
        let up = self.hosts(world, unit, Health::Up);
        let list = |host: HostName| {
            let list = self.lists.get(&(host.clone(), unit.to_owned()))?.clone();
            Some((host, list))
        };
        let lists: Lists = up.into_iter().filter_map(list).collect();
        let listing = unit == LISTING;
        listing.then_some(lists)
    }

    /// The hosts on which a unit is so.
    pub fn hosts(&mut self, world: &World, unit: &str, health: Health) -> Vec<HostName> {
        let mut found = Vec::new();
        for host in world.hosts.keys() {
            let there = world.hosts[host].units.contains_key(unit);
            let missed = health != Health::Down || !self.missed_by_none.contains(host);
            if there && missed && self.health(world, host, unit, false) == health {
                found.push(host.clone());
            }
        }
        found
    }

    /// Who leads; whoever led goes on as long as it is up, else the last of those that are.
    pub fn leader(&mut self, world: &World, role: &Role) -> Option<HostName> {
        if let Some(lists) = self.ensemble(world, &role.unit) {
            // Whoever can't lead for a moment is no longer preferred.
            let before = self.leaders.remove(&role.unit);
            let leader = ensemble::leader(&lists, before.as_ref())?;
            self.leaders.insert(role.unit.clone(), leader.clone());
            return Some(leader);
        }
        let up = self.hosts(world, &role.unit, Health::Up);
        let enough = !role.quorum || up.len() > role.members / 2;
        if !enough {
            return None;
        }
        let now = self
            .leaders
            .get(&role.unit)
            .filter(|host| up.contains(host));
        let leader = now.or(up.last())?.clone();
        self.leaders.insert(role.unit.clone(), leader.clone());
        Some(leader)
    }

    /// What a port answers to a word.
    pub fn answer(
        &mut self,
        world: &World,
        host: &HostName,
        port: u16,
        word: &str,
    ) -> Option<String> {
        let there =
            |role: &&Role| role.ports.contains(&port) && world.runs(host.as_str(), &role.unit);
        let role = self.roles.iter().find(there)?.clone();
        if self.health(world, host, &role.unit, word.is_empty()) != Health::Up {
            return None;
        }
        Some(self.say(world, host, &role, word))
    }

    fn say(&mut self, world: &World, host: &HostName, role: &Role, word: &str) -> String {
        let leader = self.leader(world, role);
        let leads = leader.as_ref() == Some(host);
        let others = self
            .hosts(world, &role.unit, Health::Up)
            .len()
            .saturating_sub(1);
        if let Some(lists) = self.ensemble(world, &role.unit) {
            return say_of(&lists, host, leader.as_ref(), word);
        }
        let words = match role.service.as_str() {
            "zookeeper" => ["standalone", "leader", "follower"],
            _ => ["alone", "chief", "mate"],
        };
        let mode = match (role.members, leads) {
            (1, _) => words[0],
            (_, true) => words[1],
            _ => words[2],
        };
        match word {
            "srvr" | "isro" | "mntr" | "mode" | "mate" if leader.is_none() => {
                "not serving requests\n".to_owned()
            }
            "srvr" => format!("Zookeeper version: 3.8.4-1, built on some day\nMode: {mode}\n"),
            "isro" => "rw".to_owned(),
            "ruok" => "imok".to_owned(),
            "mntr" => format!("zk_version\t3.8.4\nzk_synced_followers\t{others}\n"),
            "mode" => format!("mode {mode}\n"),
            "mate" => format!("mates {others}\n"),
            get if get.starts_with("GET / ") => {
                "HTTP/1.0 200 OK\r\n\r\n<p>glow: amber</p>\n".to_owned()
            }
            get if get.starts_with("GET ") => "HTTP/1.0 404 Not Found\r\n\r\n\n".to_owned(),
            _ => String::new(),
        }
    }
}

/// What a member of an ensemble answers.
fn say_of(lists: &Lists, host: &HostName, leader: Option<&HostName>, word: &str) -> String {
    let alone = lists.get(host).is_some_and(|known| known.list.is_empty());
    let follows =
        |one: &HostName| leader.is_some_and(|leader| ensemble::follows(lists, one, leader));
    let mode = if alone {
        "standalone"
    } else if leader == Some(host) {
        "leader"
    } else if follows(host) {
        "follower"
    } else {
        let dead = "This ZooKeeper instance is not currently serving requests\n";
        return if word == "ruok" { "imok" } else { dead }.to_owned();
    };
    let synced = lists.keys().filter(|one| follows(one)).count();
    match word {
        "srvr" => format!("Zookeeper version: 3.8.4-1, built on some day\nMode: {mode}\n"),
        "isro" => "rw".to_owned(),
        "ruok" => "imok".to_owned(),
        "mntr" => format!("zk_version\t3.8.4\nzk_synced_followers\t{synced}\n"),
        _ => String::new(),
    }
}
