//! Asks one instance, or a role as a whole, one question.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use regex_lite::Regex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::catalogue::Probe;
use crate::driver::{Answer, Call, Drivers, Shared};
use crate::id::{HostName, RoleName, ServiceName};
use crate::plan::{Member, View};
use crate::transport::{BoxStream, Dial, Remote};

/// The hosts that are connected, by name.
pub type Fleet = Arc<BTreeMap<HostName, Remote>>;

/// How long one question may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The most that a probe reads.
const ANSWER_LIMIT: u64 = 1 << 20;

/// Asks questions of a cluster.
#[derive(Clone)]
pub struct Prober {
    /// The cluster.
    pub view: Arc<View>,
    /// Its hosts.
    pub fleet: Fleet,
    /// Clients for protocols that probes can't speak.
    pub drivers: Drivers,
    dial: Arc<dyn Dial>,
    shared: Option<Arc<Shared>>,
}

impl Prober {
    /// A prober of a cluster.
    #[must_use]
    pub fn new(view: Arc<View>, fleet: Fleet, drivers: Drivers) -> Self {
        let dial = Arc::new(FleetDial {
            view: Arc::clone(&view),
            fleet: Arc::clone(&fleet),
        });
        Self {
            view,
            fleet,
            drivers,
            dial,
            shared: None,
        }
    }

    /// The same hosts and drivers, asked of another view of the cluster.
    #[must_use]
    pub fn seeing(&self, view: View) -> Self {
        let (fleet, drivers) = (Arc::clone(&self.fleet), self.drivers.clone());
        Self::new(Arc::new(view), fleet, drivers)
    }

    /// The same for one look at the cluster: what its questions have in common is asked once. Not for gates.
    #[must_use]
    pub fn sharing(&self) -> Self {
        Self {
            shared: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// Asks an instance.
    pub async fn ask(&self, probe: &Probe, member: &Member) -> Answer {
        match probe {
            Probe::Tcp(port) => self.tcp(member, port).await,
            Probe::Http {
                port,
                path,
                status,
                pattern,
            } => {
                let answer = self.http(member, port, path).await;
                answer.map_or_else(Answer::NotYet, |text| {
                    judge_http(&text, *status, pattern.as_deref())
                })
            }
            Probe::FourLetter {
                port,
                send,
                pattern,
            } => {
                let answer = self.exchange(member, port, send.as_bytes()).await;
                let judge = |text: String| {
                    matches(&text, pattern).unwrap_or_else(|| {
                        let said = text.lines().next().unwrap_or("nothing").to_owned();
                        Answer::NotYet(format!("`{send}` answers `{said}`"))
                    })
                };
                answer.map_or_else(Answer::NotYet, judge)
            }
            Probe::Exec { hook, within } => self.exec(member, hook, *within).await,
            Probe::Quorum => self.quorum_whole(member).await,
            Probe::QuorumOthers => self.quorum_of_others(member).await,
            Probe::QuorumLeader => self.quorum_leader(member).await,
            Probe::Others(probe) => self.others(probe, member).await,
            Probe::AnyOf(probes) => self.any_of(probes, member).await,
            Probe::Some { role, asks } => self.some(role, asks, member).await,
            Probe::Driver(_) => {
                self.ask_driver(probe, &member.id.service, Some(member))
                    .await
            }
        }
    }

    /// Asks one after another until one says yes; else the first answers for them.
    async fn any_of(&self, probes: &[Probe], member: &Member) -> Answer {
        let mut first = None;
        for probe in probes {
            let answer = Box::pin(self.ask(probe, member)).await;
            if answer.is_yes() {
                return answer;
            }
            first.get_or_insert(answer);
        }
        first.unwrap_or(Answer::Yes(None))
    }

    /// Asks the members of another role of the service until one says yes; else the first answers for them.
    async fn some(&self, role: &RoleName, asks: &Probe, member: &Member) -> Answer {
        let mut first = None;
        let members = self.view.of_service(&member.id.service);
        for other in members.filter(|other| &other.id.role == role) {
            match Box::pin(self.ask(asks, other)).await {
                yes @ Answer::Yes(_) => return yes,
                Answer::NotYet(why) => first.get_or_insert(format!("{}: {why}", other.id)),
                Answer::Broken(why) => first.get_or_insert(format!("{}: {why}", other.id)),
            };
        }
        Answer::NotYet(first.unwrap_or_else(|| format!("there is no {role}")))
    }

    /// Asks all other members of an instance's role; the first that does not say yes answers for them.
    async fn others(&self, probe: &Probe, member: &Member) -> Answer {
        let others = self
            .view
            .peers(member)
            .filter(|other| other.id != member.id);
        for other in others {
            match Box::pin(self.ask(probe, other)).await {
                Answer::Yes(_) => {}
                Answer::NotYet(why) => return Answer::NotYet(format!("{}: {why}", other.id)),
                Answer::Broken(why) => return Answer::Broken(format!("{}: {why}", other.id)),
            }
        }
        Answer::Yes(None)
    }

    /// Asks a service as a whole.
    pub async fn ask_service(&self, probe: &Probe, service: &ServiceName) -> Answer {
        match probe {
            Probe::Driver(_) => self.ask_driver(probe, service, None).await,
            other => match self.view.of_service(service).next() {
                Some(first) => self.ask(other, first).await,
                None => Answer::Broken(format!("{service} has no instances")),
            },
        }
    }

    /// Asks an instance that is to be stopped together with others.
    pub async fn ask_beside(&self, probe: &Probe, member: &Member, beside: &[&Member]) -> Answer {
        let driver = match probe {
            Probe::Driver(action) => Some((action, self.drivers.get(&action.driver))),
            _ => None,
        };
        let Some((action, Some(driver))) = driver else {
            return self.ask(probe, member).await;
        };
        let call = self.call(&action.action, &member.id.service, Some(member));
        driver.ask(Call { beside, ..call }).await
    }

    async fn ask_driver(
        &self,
        probe: &Probe,
        service: &ServiceName,
        member: Option<&Member>,
    ) -> Answer {
        let Probe::Driver(action) = probe else {
            return Answer::Broken("not a driver's question".to_owned());
        };
        let Some(driver) = self.drivers.get(&action.driver) else {
            return Answer::Broken(format!("there is no driver `{}`", action.driver));
        };
        driver.ask(self.call(&action.action, service, member)).await
    }

    /// What a driver gets with a question.
    #[must_use]
    pub fn call<'a>(
        &'a self,
        action: &'a str,
        service: &'a ServiceName,
        member: Option<&'a Member>,
    ) -> Call<'a> {
        Call {
            action,
            view: &self.view,
            service,
            member,
            beside: &[],
            dial: &self.dial,
            shared: self.shared.as_deref(),
        }
    }

    async fn open(&self, member: &Member, port: &str) -> Result<BoxStream, String> {
        let number = *member
            .ports
            .get(port)
            .ok_or_else(|| format!("there is no port `{port}`"))?;
        let remote = self
            .fleet
            .get(&member.id.host)
            .ok_or("its host is not connected")?;
        let dialled =
            tokio::time::timeout(WITHIN, remote.dial(&member.local_address, number)).await;
        match dialled {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(format!("port `{port}` is closed"))
            }
            Ok(Err(error)) => Err(format!("port {number} does not answer: {error}")),
            Err(_) => Err(format!("port {number} does not answer")),
        }
    }

    async fn tcp(&self, member: &Member, port: &str) -> Answer {
        match self.open(member, port).await {
            Err(why) => Answer::NotYet(why),
            Ok(_) => Answer::Yes(None),
        }
    }

    async fn exchange(&self, member: &Member, port: &str, send: &[u8]) -> Result<String, String> {
        let mut stream = self.open(member, port).await?;
        let work = async {
            stream.write_all(send).await?;
            stream.flush().await?;
            let mut bytes = Vec::new();
            stream.take(ANSWER_LIMIT).read_to_end(&mut bytes).await?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
        };
        match tokio::time::timeout(WITHIN, work).await {
            Ok(Ok(text)) if text.is_empty() => Err(format!("port `{port}` answers nothing")),
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(format!("port `{port}`: {error}")),
            Err(_) => Err(format!(
                "port `{port}` does not answer within {} s",
                WITHIN.as_secs()
            )),
        }
    }

    async fn http(&self, member: &Member, port: &str, path: &str) -> Result<String, String> {
        let host = &member.address;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        self.exchange(member, port, request.as_bytes()).await
    }

    async fn exec(&self, member: &Member, hook: &str, within: u64) -> Answer {
        let Some(remote) = self.fleet.get(&member.id.host) else {
            return Answer::NotYet("its host is not connected".to_owned());
        };
        match remote.hook(member, hook, Duration::from_secs(within)).await {
            Err(error) => Answer::NotYet(error.to_string()),
            Ok(answer) => {
                let last = answer.lines.last().cloned();
                match answer.code {
                    Some(0) => Answer::Yes(last),
                    Some(1) => {
                        Answer::NotYet(last.unwrap_or_else(|| format!("{hook} says not yet")))
                    }
                    code => Answer::Broken(
                        last.unwrap_or_else(|| format!("{hook} ended with {code:?}")),
                    ),
                }
            }
        }
    }
}

/// The first group of a pattern, or all that it matched.
pub(super) fn matches(text: &str, pattern: &str) -> Option<Answer> {
    let pattern = match Regex::new(pattern) {
        Ok(pattern) => pattern,
        Err(error) => return Some(Answer::Broken(format!("its pattern is wrong: {error}"))),
    };
    let found = pattern.captures(text)?;
    let value = found
        .get(1)
        .or_else(|| found.get(0))
        .map(|m| m.as_str().to_owned());
    Some(Answer::Yes(value))
}

fn judge_http(text: &str, status: u16, pattern: Option<&str>) -> Answer {
    let first = text.lines().next().unwrap_or_default();
    let code = first
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse::<u16>().ok());
    if code != Some(status) {
        return Answer::NotYet(format!("it answers `{first}`"));
    }
    let body = text
        .split_once("\r\n\r\n")
        .map(|(_, body)| body)
        .unwrap_or_default();
    match pattern {
        None => Answer::Yes(None),
        Some(pattern) => {
            let other = || Answer::NotYet(format!("its answer does not match `{pattern}`"));
            matches(body, pattern).unwrap_or_else(other)
        }
    }
}

/// Dials the cluster's own addresses through the hosts' connections.
struct FleetDial {
    view: Arc<View>,
    fleet: Fleet,
}

#[async_trait]
impl Dial for FleetDial {
    async fn dial(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let mut all = self.view.members.iter().chain(&self.view.leaving);
        let member = all.find(|m| m.address == host);
        let known =
            member.and_then(|m| Some((self.fleet.get(&m.id.host)?, m.local_address.as_str())));
        // An address that is no member's is dialled from any host of the cluster.
        let any = || self.fleet.values().next().map(|remote| (remote, host));
        let (remote, address) = known.or_else(any).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotConnected, format!("no host knows {host}"))
        })?;
        remote.dial(address, port).await
    }
}
