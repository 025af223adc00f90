//! What is done to a host, and asked of it: one script, and the parser of its answers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::words::Fault;
use crate::event::Problem;
use crate::exec::script::Places;
use crate::facts::quote;
use crate::transport::Remote;

/// How long a look, or the begin of a fault, may take on the host.
const WITHIN: Duration = Duration::from_secs(30);
/// How long the end of one may take: services are started, and a timer that is at it is waited for.
const END_WITHIN: Duration = Duration::from_secs(120);
/// How long a host's own timer leaves a fault to whoever made it, after its time is over.
const GRACE: u64 = 30;
/// The line that ends the script which is kept.
const KEPT: &str = "@sdtd-kept";

/// A process of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its state, as the kernel names it: `T` stands still.
    pub state: char,
    /// When it was started, in ticks since the host's start.
    pub start: u64,
}

impl Process {
    /// Whether this is the same process as another one, not one of the same number.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (self.pid, self.start) == (other.pid, other.start)
    }
}

/// The processes of units; none where there is none.
pub type Processes = BTreeMap<String, Option<Process>>;

/// A fault for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What happens.
    pub fault: Fault,
    /// To which units.
    pub units: Vec<String>,
    /// The ports of these, where the network is cut.
    pub own: Vec<u16>,
    /// The ports of the others.
    pub others: Vec<u16>,
    /// How many seconds it lasts.
    pub seconds: u64,
    /// How long the begin may take besides: a stop may wait.
    pub patience: Duration,
}

impl Order {
    /// The call of the script, `begin` or `end`; none for what is no fault of a host.
    fn call(&self, when: &str) -> Option<String> {
        let word = match self.fault {
            Fault::Kill => "kill",
            Fault::StopAndStart => "stop",
            Fault::Pause => "pause",
            Fault::CutNetwork => "cut",
            Fault::PowerOff => "off",
            Fault::KillSdtd => return None,
        };
        let words: Vec<String> = match self.fault {
            Fault::CutNetwork => [&self.own, &self.others].map(|p| ports(p)).to_vec(),
            _ => self.units.clone(),
        };
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        Some(format!("{when}_{word} {}", words.join(" ")))
    }
}

fn ports(ports: &[u16]) -> String {
    let all: Vec<String> = ports.iter().map(u16::to_string).collect();
    all.join(",")
}

/// A host that drills work on.
pub struct Site<'a> {
    /// The host's name.
    pub name: String,
    /// The host.
    pub remote: &'a Remote,
    /// Where the fault is kept.
    pub dir: String,
    /// Where things are.
    pub places: Places,
}

impl Site<'_> {
    fn text(&self, id: &str, call: &str) -> String {
        let units = if self.places.pidfiles {
            format!("{}/units", self.places.state)
        } else {
            String::new()
        };
        format!(
            "dir={}\nid={}\nunits={}\n{}\n{call}\n",
            quote(&self.dir),
            quote(id),
            quote(&units),
            include_str!("host.sh")
        )
    }

    async fn run(&self, text: &str, within: Duration) -> Result<Vec<String>, Problem> {
        let mut lines = Vec::new();
        let mut take = |line: &str| lines.push(line.to_owned());
        let wrong = |cause: String| Problem::new(format!("{}: {cause}", self.name));
        let code = self.remote.command(text, within, &mut take).await;
        match code {
            Ok(Some(0)) => Ok(lines),
            Ok(code) => {
                let code = code.map_or_else(|| "killed".to_owned(), |code| format!("exit {code}"));
                let said = lines.last().cloned().unwrap_or_default();
                Err(wrong(format!(
                    "the drill's script ended with {code}: {said}"
                )))
            }
            Err(error) => {
                let help = error.help().unwrap_or_default();
                Err(wrong(error.to_string()).help(help))
            }
        }
    }

    /// The processes of units.
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn look(&self, units: &[String]) -> Result<Processes, Problem> {
        let words: Vec<String> = units.iter().map(|unit| quote(unit)).collect();
        let text = self.text("", &format!("look {}", words.join(" ")));
        let lines = self.run(&text, WITHIN).await?;
        Ok(lines.iter().filter_map(|line| process(line)).collect())
    }

    /// Begins a fault; what ends it is there first.
    ///
    /// # Errors
    /// When the host refuses, or the fault of another drill is there.
    pub async fn begin(&self, id: &str, order: &Order) -> Result<(), Problem> {
        let Some((begin, end)) = order.call("begin").zip(order.call("end")) else {
            return Err(Problem::new("that is no fault of a host"));
        };
        let timer = order.seconds + order.patience.as_secs() + GRACE;
        let kept = self.text(
            id,
            &format!("turn \"$1\" || exit 0\n{end}\ncode=$?\nrm -rf \"$dir\"\nexit $code"),
        );
        let call = format!("keep {timer} <<'{KEPT}' &&\n{kept}{KEPT}\n{begin}");
        let within = WITHIN + order.patience;
        self.run(&self.text(id, &call), within).await.map(|_| ())
    }

    /// Ends whatever fault is kept there; whether there was one.
    ///
    /// # Errors
    /// When the host can't be reached, or what ends the fault does not work.
    pub async fn lift(&self) -> Result<bool, Problem> {
        let lines = self.run(&self.text("", "lift"), END_WITHIN).await?;
        if lines.iter().any(|line| line == "@unended") {
            let said: Vec<String> = lines.into_iter().filter(|l| !l.starts_with('@')).collect();
            let cause = format!(
                "{}: the fault could not be ended: {}",
                self.name,
                said.join("; ")
            );
            let help = "`sdtd start` starts what does not run; `nft list tables`, `ip rule` and `ps` tell the rest";
            return Err(Problem::new(cause).help(help));
        }
        Ok(lines.iter().any(|line| line == "@lifted"))
    }
}

fn process(line: &str) -> Option<(String, Option<Process>)> {
    let rest = line.strip_prefix("@process ")?;
    let mut words = rest.split_whitespace();
    let unit = words.next()?.to_owned();
    let mut read = || {
        Some(Process {
            pid: words.next()?.parse().ok()?,
            state: words.next()?.chars().next()?,
            start: words.next()?.parse().ok()?,
        })
    };
    Some((unit, read()))
}
