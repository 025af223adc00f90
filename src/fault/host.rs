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
    /// To which instance.
    pub target: String,
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
            Fault::DiskFull => "disk",
            Fault::KillSdtd | Fault::KillMove | Fault::Lose => return None,
        };
        let words: Vec<String> = match self.fault {
            Fault::CutNetwork => [&self.own, &self.others].map(|p| ports(p)).to_vec(),
            Fault::DiskFull => [std::slice::from_ref(&self.target), &self.units].concat(),
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
            "dir={}\nid={}\nunits={}\nstate={}\n{}\n{call}\n",
            quote(&self.dir),
            quote(id),
            quote(&units),
            quote(&self.places.state),
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
                let said: Vec<String> = lines.into_iter().filter(|l| !l.is_empty()).collect();
                let said = said.join("; ");
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

    /// Whether the data of an instance have a disk of their own.
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn has_disk(&self, instance: &str) -> Result<bool, Problem> {
        let text = self.text("", &format!("own_disk {} || :", quote(instance)));
        Ok(!self.run(&text, WITHIN).await?.is_empty())
    }

    /// How much room is left on a disk that is filled, in KiB; none where none is.
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn room(&self) -> Result<Option<u64>, Problem> {
        let lines = self.run(&self.text("", "left"), WITHIN).await?;
        let left = lines.iter().find_map(|line| line.strip_prefix("@left "));
        Ok(left.and_then(|left| left.parse().ok()))
    }

    /// Begins a fault; what ends it is there first.
    ///
    /// # Errors
    /// When the host refuses, or the fault of another drill is there.
    pub async fn begin(&self, id: &str, order: &Order) -> Result<(), Problem> {
        let timer = order.seconds + order.patience.as_secs() + GRACE;
        let text = self.beginning(id, order, timer);
        let text = text.ok_or_else(|| Problem::new("that is no fault of a host"))?;
        let within = WITHIN + order.patience;
        self.run(&text, within).await.map(|_| ())
    }

    /// What keeps the end of a fault and then begins it; a timer of so many seconds ends it by itself.
    fn beginning(&self, id: &str, order: &Order, timer: u64) -> Option<String> {
        let (begin, end) = order.call("begin").zip(order.call("end"))?;
        let last = format!(
            "[ \"$1\" != hold ] || {{ hold \"$2\"; exit; }}\nturn \"$1\" || exit 0\n{end}\ncode=$?\nrm -rf \"$dir\"\nexit $code"
        );
        let kept = self.text(id, &last);
        let call = format!("keep {timer} <<'{KEPT}' &&\n{kept}{KEPT}\n{begin}");
        Some(self.text(id, &call))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::transport::{Become, Channel, Local, Shell};

    /// A supervisor as simple as can be: a process that does nothing, and its number.
    const CTL: &str = "#!/bin/sh\nd=${0%/*}\np=$(cat \"$d/pid\" 2>/dev/null)\ncase $1 in\n\
        pid) case $(ps -o stat= -p \"$p\") in '' | Z*) exit 1 ;; esac; echo \"$p\" ;;\n\
        start) \"$0\" pid >/dev/null || { setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $! >\"$d/pid\"; } ;;\n\
        stop) kill \"$p\" ;;\nesac\n";

    /// A host in a folder of this machine, with two units that run.
    struct Host {
        folder: tempfile::TempDir,
        remote: Remote,
    }

    impl Host {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (channel, rights) = (Channel::Local(Local), Become::No);
            let remote = Remote::Shell(Shell { channel, rights });
            let host = Self { folder, remote };
            for unit in ["one", "two"] {
                let ctl = host.folder.path().join("units").join(unit).join("ctl");
                std::fs::create_dir_all(ctl.parent().unwrap()).unwrap();
                std::fs::write(&ctl, CTL).unwrap();
                std::fs::set_permissions(&ctl, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            let site = host.site();
            site.run(&site.text("", "end_kill one two"), WITHIN)
                .await
                .unwrap();
            host
        }

        fn site(&self) -> Site<'_> {
            let at = |name: &str| self.folder.path().join(name).display().to_string();
            let (state, incoming) = (at(""), at("incoming"));
            Site {
                name: "here".to_owned(),
                remote: &self.remote,
                dir: at("run/kept"),
                places: Places {
                    state,
                    incoming,
                    pidfiles: true,
                },
            }
        }

        async fn look(&self) -> Processes {
            let units = ["one", "two"].map(str::to_owned);
            self.site().look(&units).await.unwrap()
        }

        /// Whether a script that is kept here is at work.
        fn has_timer(&self) -> bool {
            let own = self.folder.path().display().to_string();
            let ran = std::process::Command::new("ps")
                .args(["-eo", "args"])
                .output();
            let text = String::from_utf8_lossy(&ran.unwrap().stdout).into_owned();
            text.lines().any(|l| l.contains(&own) && l.contains("/end"))
        }

        fn has_fault(&self) -> bool {
            self.folder.path().join("run/kept").exists()
        }
    }

    impl Drop for Host {
        /// What a test started does not outlive it.
        fn drop(&mut self) {
            for unit in ["one", "two"] {
                let ctl = self.folder.path().join("units").join(unit).join("ctl");
                let _ = std::process::Command::new(ctl).arg("stop").status();
            }
        }
    }

    fn order(fault: Fault, units: &[&str]) -> Order {
        Order {
            fault,
            target: "log.broker@here".to_owned(),
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            own: vec![9092, 2181],
            others: vec![9092],
            seconds: 10,
            patience: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn a_pause_is_seen_and_ended() {
        let host = Host::new().await;
        let before = host.look().await;
        host.site()
            .begin("a", &order(Fault::Pause, &["one"]))
            .await
            .unwrap();
        let now = host.look().await;
        assert_eq!(now["one"].unwrap().state, 'T');
        assert!(now["one"].unwrap().is(&before["one"].unwrap()));
        assert_ne!(now["two"].unwrap().state, 'T');
        let second = host.site().begin("b", &order(Fault::Kill, &["two"])).await;
        assert!(second.unwrap_err().cause.contains("fault of another drill"));
        assert!(host.site().lift().await.unwrap());
        assert_ne!(host.look().await["one"].unwrap().state, 'T');
        assert!(!host.has_fault());
        assert!(
            !host.site().lift().await.unwrap(),
            "there is nothing left to end"
        );
    }

    #[tokio::test]
    async fn all_are_killed_at_once_and_come_back_as_others() {
        let host = Host::new().await;
        let before = host.look().await;
        host.site()
            .begin("a", &order(Fault::PowerOff, &["one", "two"]))
            .await
            .unwrap();
        let mut down = host.look().await;
        for _ in 0..50 {
            if down.values().all(Option::is_none) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            down = host.look().await;
        }
        assert_eq!((down["one"], down["two"]), (None, None));
        assert!(host.site().lift().await.unwrap());
        let after = host.look().await;
        for unit in ["one", "two"] {
            assert!(!after[unit].unwrap().is(&before[unit].unwrap()), "{unit}");
        }
    }

    #[tokio::test]
    async fn a_fault_that_nobody_ends_ends_by_itself() {
        let host = Host::new().await;
        let text = host
            .site()
            .beginning("a", &order(Fault::Pause, &["one"]), 3);
        host.site().run(&text.unwrap(), WITHIN).await.unwrap();
        assert_eq!(host.look().await["one"].unwrap().state, 'T');
        for _ in 0..100 {
            if !host.has_fault() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(!host.has_fault());
        assert_ne!(host.look().await["one"].unwrap().state, 'T');
    }

    #[tokio::test]
    async fn a_timer_leaves_the_fault_of_a_later_drill_alone() {
        let host = Host::new().await;
        let text = host
            .site()
            .beginning("a", &order(Fault::Pause, &["one"]), 1);
        host.site().run(&text.unwrap(), WITHIN).await.unwrap();
        assert!(host.site().lift().await.unwrap());
        assert!(!host.has_timer(), "it went with the fault");
        host.site()
            .begin("b", &order(Fault::Pause, &["two"]))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(host.look().await["two"].unwrap().state, 'T');
        assert!(host.site().lift().await.unwrap());
    }

    #[tokio::test]
    async fn what_can_not_be_begun_is_told() {
        let host = Host::new().await;
        let gone = host
            .site()
            .begin("a", &order(Fault::Kill, &["three"]))
            .await;
        assert!(
            gone.unwrap_err()
                .cause
                .starts_with("here: the drill's script ended with exit 1")
        );
        let none = host
            .site()
            .begin("a", &order(Fault::KillSdtd, &["one"]))
            .await;
        assert!(none.unwrap_err().cause.contains("no fault of a host"));
    }

    #[tokio::test]
    async fn a_disk_that_the_host_needs_itself_is_not_filled() {
        let host = Host::new().await;
        let line = |id: &str| format!("{id} {}\n", host.folder.path().display());
        std::fs::write(host.folder.path().join("held"), line("log.broker@here")).unwrap();
        assert!(!host.site().has_disk("log.broker@here").await.unwrap());
        let full = host
            .site()
            .begin("a", &order(Fault::DiskFull, &["one"]))
            .await;
        let cause = full.unwrap_err().cause;
        assert!(cause.contains("have no disk of their own"), "{cause}");
        assert_eq!(host.site().room().await.unwrap(), None);
        assert!(host.site().lift().await.unwrap());
        // Another one's folders are not its own; those of /proc are no disk of this host's.
        let other = format!("log.broker@there /proc\n{}", line("log.broker@here"));
        std::fs::write(host.folder.path().join("held"), other).unwrap();
        assert!(!host.site().has_disk("log.broker@here").await.unwrap());
        assert!(host.site().has_disk("log.broker@there").await.unwrap());
    }

    #[test]
    fn ports_are_cut_by_number() {
        let call = order(Fault::CutNetwork, &[]).call("begin");
        assert_eq!(call.as_deref(), Some("begin_cut '9092,2181' '9092'"));
    }
}
