//! The words of a drill's file: whom it is about, what is done to it, what must be seen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, Probe};
use crate::event::Problem;
use crate::plan::RoleRef;

/// The longest that a fault may last, in seconds.
const LONGEST: u64 = 600;

const HEAD: &str = "\
# Drills

<!-- Generated from the program's own types; a test keeps it true. -->

A drill is a file of YAML. `sdtd drill list` lists those that are part of the program; `sdtd drill run FILE.yaml` makes
one of your own, and those in `_drills/` of `--templates DIR` replace and extend the list. Each begins on a whole cluster
with a load beside it, and is good when the fault was seen, the cluster is whole again, and all that was acknowledged is
there under each leader, none of it twice, and where a drill says how long writes may pause, they did not pause longer
(`--slack 3`: three times as long, for slow machines). What the client itself sent again under a new epoch, where it could not
learn what had become of it, is told as such: no broker can know that. No drill kills sdtd while members of a quorum come and
go, since that changes the cluster it is made on: the lab's case `killed` does it, on clusters of its own.
";

/// All words of a drill, as Markdown.
#[must_use]
pub fn reference() -> String {
    let schema = schemars::schema_for!(Drill).to_value();
    crate::catalogue::reference_of(HEAD, "NAME.yaml", &schema)
}

/// A drill: a file of YAML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Drill {
    /// What it is called; the name of its file.
    #[serde(skip_deserializing)]
    #[schemars(skip)]
    pub name: String,
    /// What happens, in a few words.
    pub title: String,
    /// Whom it happens to.
    pub target: Target,
    /// What happens.
    #[serde(rename = "do")]
    pub fault: Fault,
    /// How many seconds it lasts, where it does not end by itself.
    #[serde(default)]
    pub seconds: u64,
    /// Whether it stops writes, so that none need be acknowledged while it lasts.
    #[serde(default)]
    pub stalls: bool,
    /// What must be seen besides the fault itself.
    #[serde(default)]
    pub expect: Expect,
}

/// Whom a fault is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// One of these roles, `service.role`: those that this cluster does not have are passed over.
    pub roles: Vec<RoleWord>,
    /// Which of their members.
    #[serde(default)]
    pub which: Which,
}

/// A role, written `service.role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RoleWord(pub RoleRef);

impl TryFrom<String> for RoleWord {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.split_once('.').and_then(|(service, role)| {
            Some(RoleRef {
                service: service.parse().ok()?,
                role: role.parse().ok()?,
            })
        });
        let wrong = || format!("`{text}` is not a role: write `service.role`");
        parsed.map(Self).ok_or_else(wrong)
    }
}

impl From<RoleWord> for String {
    fn from(role: RoleWord) -> Self {
        role.0.to_string()
    }
}

/// Which member of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Any.
    #[default]
    Any,
    /// The one that leads most of the load's partitions.
    Leads,
    /// One of which this holds.
    Is(Probe),
    /// One of which this does not hold.
    IsNot(Probe),
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Its process is killed (kill -9); whoever looks after it brings it back.
    Kill,
    /// It is stopped, and started when the time is over.
    StopAndStart,
    /// Its process stands still (SIGSTOP) and goes on when the time is over.
    Pause,
    /// Its host no longer reaches the services of others, nor they it. SSH goes on.
    CutNetwork,
    /// All services of its host are killed at once, and nobody brings them back until the time is over.
    PowerOff,
    /// The disk of its data is full until the time is over. Only a disk of its own: never one that the host needs itself.
    DiskFull,
    /// A run of sdtd that restarts the role is killed after its first member, and made again.
    KillSdtd,
    /// A run of sdtd that gives the load's own topic one more copy is killed once data move, and made again.
    KillMove,
    /// A loss made on purpose, to see that it is told; `drill all` leaves it out.
    Lose,
}

impl Fault {
    /// Whether it is about a run of sdtd.
    #[must_use]
    pub fn is_run(self) -> bool {
        matches!(self, Self::KillSdtd | Self::KillMove)
    }

    /// Whether it lasts for a time that the drill says.
    #[must_use]
    pub fn lasts(self) -> bool {
        !matches!(
            self,
            Self::Kill | Self::KillSdtd | Self::KillMove | Self::Lose
        )
    }
}

/// What must be seen besides the fault itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expect {
    /// What becomes of the target's copies of the load's topic, as the other members tell.
    #[serde(default)]
    pub in_sync: Option<InSync>,
    /// Whether another member takes over what `which: is` asks for.
    #[serde(default)]
    pub moves: bool,
    /// How many seconds a partition may have nothing acknowledged at the most, from the fault on.
    #[serde(default)]
    pub pause: Option<u64>,
}

/// What becomes of copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InSync {
    /// One falls out of sync.
    Shrinks,
    /// All stay in sync.
    Keeps,
}

impl Drill {
    /// Reads a drill; `place` is its file.
    ///
    /// # Errors
    /// Names the file, what is wrong in it (with line and column where it is about one), and the way out.
    pub fn read(name: &str, place: &str, text: &str) -> Result<Self, Problem> {
        let wrong =
            |cause: String, help: &str| Problem::new(format!("{place}: {cause}")).help(help);
        let read = serde_yaml::from_str::<Self>(text);
        let words = "`sdtd drill list` names drills that can be taken as a model";
        let mut drill = read.map_err(|e| wrong(e.to_string(), words))?;
        name.clone_into(&mut drill.name);
        drill
            .amiss()
            .map_or(Ok(drill), |(cause, help)| Err(wrong(cause, help)))
    }

    /// What stands against it, and the way out. Each word that is given is obeyed, or refused here.
    fn amiss(&self) -> Option<(String, &'static str)> {
        let lasts = self.fault.lasts();
        let told = |cause: &str, help| Some((cause.to_owned(), help));
        if self.target.roles.is_empty() {
            return told("`target`: no role", "write `roles: [service.role]`");
        }
        if lasts && !(1..=LONGEST).contains(&self.seconds) {
            let cause = format!("`seconds`: {} is not from 1 to {LONGEST}", self.seconds);
            return Some((cause, "say how many seconds the fault lasts"));
        }
        if !lasts && self.seconds > 0 {
            return told("`seconds`: this fault ends by itself", "leave the word out");
        }
        let expects = self.expect != Expect::default();
        if self.fault.is_run() && expects {
            let cause = "`expect`: of a run that is killed only the run itself is watched";
            return told(cause, "leave the word out");
        }
        if self.fault == Fault::Lose
            && (expects || self.stalls || self.target.which != Which::Leads)
        {
            let cause =
                "`lose` is about the one that leads, and all that must be seen of it is known";
            return told(
                cause,
                "write `which: leads`, and neither `expect` nor `stalls`",
            );
        }
        if self.expect.pause == Some(0) {
            let cause = "`expect`: a `pause` of 0 seconds is none";
            return told(
                cause,
                "say how long writes may pause, or leave the word out",
            );
        }
        if self.expect.moves && !matches!(self.target.which, Which::Is(_)) {
            let cause = "`expect`: `moves` is about what `which: { is: … }` asks for";
            return told(cause, "name what moves, or leave the word out");
        }
        None
    }

    /// What the catalogue does not know of it.
    ///
    /// # Errors
    /// Names the role that there is not.
    pub fn known_to(&self, catalogue: &Catalogue) -> Result<(), Problem> {
        let there = |role: &RoleRef| {
            let folder = catalogue.get(&role.service);
            folder.is_some_and(|f| f.descriptor.roles.contains_key(&role.role))
        };
        let unknown = self.target.roles.iter().find(|word| !there(&word.0));
        unknown.map_or(Ok(()), |word| {
            let cause = format!(
                "drill {}: `roles`: there is no role `{}`",
                self.name, word.0
            );
            let all = catalogue.iter().flat_map(|(service, folder)| {
                let roles = folder.descriptor.roles.keys();
                roles.map(move |role| format!("{service}.{role}"))
            });
            let all: Vec<String> = all.collect();
            Err(Problem::new(cause).help(format!("there are {}", all.join(", "))))
        })
    }

    /// All drills of a catalogue, in the order of their names.
    ///
    /// # Errors
    /// When one is wrong.
    pub fn all(catalogue: &Catalogue) -> Result<Vec<Self>, Problem> {
        let read = catalogue.drills().iter().map(|(name, file)| {
            let drill = Self::read(name, &file.origin, &file.text)?;
            drill.known_to(catalogue).map(|()| drill)
        });
        read.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Drill, String> {
        let read = Drill::read("mine", "mine.yaml", text);
        read.map_err(|e| format!("{}; {}", e.cause, e.help.unwrap_or_default()))
    }

    const GOOD: &str = "title: A pump stands still\ntarget: { roles: [mill.pump], which: { is: quorum-leader } }\n\
                        do: pause\nseconds: 10\nexpect: { in-sync: keeps, moves: true }\n";

    #[test]
    fn a_drill_is_read() {
        let drill = read(GOOD).unwrap();
        assert_eq!((drill.name.as_str(), drill.seconds), ("mine", 10));
        assert_eq!(drill.fault, Fault::Pause);
        assert_eq!(drill.target.which, Which::Is(Probe::QuorumLeader));
        assert_eq!(drill.target.roles[0].0.to_string(), "mill.pump");
        assert_eq!(drill.expect.in_sync, Some(InSync::Keeps));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_the_way_out() {
        for (change, by, told) in [
            ("do: pause", "do: tickle", "mine.yaml: "),
            ("do: pause", "do: pause\nhow: hard", "how"),
            (
                "mill.pump",
                "pump",
                "`pump` is not a role: write `service.role`",
            ),
            (
                "[mill.pump]",
                "[]",
                "no role; write `roles: [service.role]`",
            ),
            (
                "seconds: 10",
                "seconds: 0",
                "`seconds`: 0 is not from 1 to 600; say how many",
            ),
            ("seconds: 10", "seconds: 601", "601 is not from 1 to 600"),
            (
                "do: pause",
                "do: kill",
                "`seconds`: this fault ends by itself; leave the word out",
            ),
            (
                "which: { is: quorum-leader }",
                "which: leads",
                "`moves` is about what `which: { is: … }`",
            ),
            (
                "do: pause\nseconds: 10",
                "do: kill-sdtd",
                "`expect`: of a run that is killed",
            ),
            (
                "do: pause\nseconds: 10",
                "do: lose",
                "`lose` is about the one that leads",
            ),
            (
                "moves: true",
                "pause: 0",
                "`expect`: a `pause` of 0 seconds is none; say how long",
            ),
            (
                "is: quorum-leader",
                "is: { driver: mill }",
                "write `<driver>/<action>`",
            ),
        ] {
            let text = GOOD.replace(change, by);
            assert_ne!(text, GOOD, "{change}");
            let said = read(&text).unwrap_err();
            assert!(
                said.starts_with("mine.yaml: ") && said.contains(told),
                "{by}: {said}"
            );
        }
    }

    #[test]
    fn the_built_in_drills_are_right_and_a_role_that_is_not_there_is_named() {
        let catalogue = Catalogue::load(&[]).unwrap();
        assert!(Drill::all(&catalogue).unwrap().len() >= 8);
        let strange = read(GOOD).unwrap().known_to(&catalogue).unwrap_err();
        assert!(strange.cause.contains("there is no role `mill.pump`"));
        assert!(strange.help.unwrap().starts_with("there are "));
    }
}
