//! What has to be changed in a broker that runs, judged from its settings with their sources. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::super::config::{Alteration, Source};
use super::super::settings::KEPT;
use super::super::topics::same;
use crate::catalogue::LiveKey;
use crate::plan::live::Live;

/// A setting as a broker has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether the broker takes it while it runs.
    pub takes: bool,
    /// Its values by their sources. The broker's own counts more than that for all brokers, and both more than the
    /// file that the broker was started with.
    pub values: BTreeMap<Source, String>,
}

impl Kept {
    /// Its value from one source.
    #[must_use]
    pub fn at(&self, source: Source) -> Option<&str> {
        self.values.get(&source).map(String::as_str)
    }
}

/// A setting to be changed in a broker that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alter {
    /// The setting.
    pub key: String,
    /// What it is now.
    pub from: String,
    /// What the broker is given; none: what it was given is taken away.
    pub to: Option<String>,
    /// What it is then.
    pub end: String,
    /// Whether a restart would be of no use: the broker was given something before, which counts more than its
    /// file, or it was started with the right value.
    pub in_the_way: bool,
}

impl Alter {
    /// The change as a request says it.
    #[must_use]
    pub fn alteration(&self) -> Alteration {
        match &self.to {
            Some(to) => Alteration::Set(self.key.clone(), to.clone()),
            None => Alteration::Delete(self.key.clone()),
        }
    }

    /// How far a number can go towards the end in one step; none if it is there, or is no number.
    #[must_use]
    pub fn halfway(&self, now: &str) -> Option<String> {
        let (now, end) = (now.parse::<i64>().ok()?, self.end.parse::<i64>().ok()?);
        let next = if end > now {
            now.checked_mul(2)?.min(end)
        } else {
            (now / 2 + now % 2).max(end)
        };
        (next != now).then(|| next.to_string())
    }
}

impl fmt::Display for Alter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, from, end, .. } = self;
        if from == end {
            write!(f, "{key} {end} comes from its file again")
        } else {
            write!(f, "{key} {from} -> {end}")
        }
    }
}

/// What has to be done with a broker that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// What is changed.
    pub alter: Vec<Alter>,
    /// What differs and is not taken while it runs.
    pub not: Vec<String>,
    /// Whether something would count more than the broker's file once it was started with that.
    pub left: bool,
}

/// Compares values and their sources with what a broker shall run with.
#[must_use]
pub fn judge(kept: &BTreeMap<String, Kept>, live: &Live) -> Judged {
    let mut judged = Judged::default();
    let mut seen: Vec<&str> = Vec::new();
    for key in live.keys.iter().map(LiveKey::taken_as) {
        if !seen.contains(&key) {
            seen.push(key);
            One::of(kept, live, key).judge(&mut judged);
        }
    }
    judged
}

/// One setting, with all keys that are taken as it.
struct One<'a> {
    key: &'a str,
    takes: bool,
    /// What the broker was given.
    own: Option<String>,
    /// What all brokers were given.
    all: Option<String>,
    /// What it was started with, its default if with nothing.
    started: Option<String>,
    /// What its file shall say, its default if nothing.
    wanted: Option<String>,
    /// Whether its file shall say something else than it says now.
    moves: bool,
    /// Whether the inventory names it.
    said: bool,
    /// Whether what the broker was given comes from sdtd.
    ours: bool,
}

impl<'a> One<'a> {
    fn of(kept: &BTreeMap<String, Kept>, live: &Live, key: &'a str) -> Self {
        let keys = || live.keys.iter().filter(|one| one.taken_as() == key);
        let given = |from: &BTreeMap<String, String>| {
            keys().find_map(|one| Some(taken(one, from.get(&one.key)?)))
        };
        let at = |source| {
            let value = |one: &LiveKey| kept.get(&one.key)?.at(source).map(|v| taken(one, v));
            keys().find_map(value)
        };
        let (wanted, before) = (given(&live.wanted), given(&live.before));
        let default = at(Source::Default);
        let here = kept.get(key);
        let dynamic = |source| here.and_then(|kept| kept.at(source)).map(str::to_owned);
        let own = dynamic(Source::Broker);
        let ours = alike(&own, &before) || alike(&own, &wanted);
        Self {
            key,
            takes: here.is_some_and(|kept| kept.takes),
            all: dynamic(Source::AllBrokers),
            started: at(Source::File).or_else(|| default.clone()),
            moves: wanted != before,
            wanted: wanted.or(default),
            said: keys().any(|one| live.said.contains(&one.key)),
            ours,
            own,
        }
    }

    fn judge(&self, judged: &mut Judged) {
        if !self.takes {
            let differs = self.moves && !alike(&self.wanted, &self.started);
            judged.not.extend(differs.then(|| self.key.to_owned()));
            return;
        }
        // The cluster keeps it by itself, and its driver compares it.
        let kept = KEPT.contains(&self.key) && self.all.is_some() && self.own.is_none();
        let theirs = !self.said && self.own.is_some() && !self.ours;
        if kept || theirs {
            return;
        }
        // What somebody gave all brokers and the inventory does not name.
        let hidden = !self.said && self.all.is_some();
        judged.left |= self.own.is_some() || self.all.is_some() && !hidden;
        let below = self.all.as_ref().or(self.started.as_ref());
        let below = below.cloned();
        if hidden || alike(&below, &self.wanted) {
            let own = self.own.as_ref().zip(below);
            judged
                .alter
                .extend(own.map(|(own, end)| self.alter(own, None, end)));
        } else if self.wanted.is_none() || !alike(&self.own, &self.wanted) {
            let from = self.own.clone().or(below).unwrap_or_default();
            match &self.wanted {
                Some(to) => judged.alter.push(self.alter(&from, Some(to), to.clone())),
                None => judged.not.push(self.key.to_owned()),
            }
        }
    }

    fn alter(&self, from: &str, to: Option<&String>, end: String) -> Alter {
        Alter {
            key: self.key.to_owned(),
            from: from.to_owned(),
            to: to.cloned(),
            end,
            in_the_way: self.own.is_some() || alike(&self.started, &self.wanted),
        }
    }
}

/// A value as it is taken. What is below nothing means "never", in whatever unit.
fn taken(key: &LiveKey, value: &str) -> String {
    let Some((_, factor)) = &key.into else {
        return value.to_owned();
    };
    match value.trim().parse::<i64>() {
        Ok(number) if number < 0 => "-1".to_owned(),
        Ok(number) => number.saturating_mul(*factor).to_string(),
        Err(_) => value.to_owned(),
    }
}

fn alike(one: &Option<String>, other: &Option<String>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue::live_keys;

    const IO: &str = "num.io.threads";

    /// A broker with these values, by key and source.
    fn broker(values: &[(&str, Source, &str)]) -> BTreeMap<String, Kept> {
        let defaults = [
            (IO, Source::Default, "8"),
            ("log.retention.hours", Source::Default, "168"),
        ];
        let mut all = BTreeMap::new();
        for key in [
            IO,
            "log.retention.ms",
            "log.retention.hours",
            "message.max.bytes",
        ] {
            let takes = key != "log.retention.hours";
            let values = BTreeMap::new();
            all.insert(key.to_owned(), Kept { takes, values });
        }
        for (key, source, value) in defaults.iter().chain(values) {
            let one: &mut Kept = all.get_mut(*key).unwrap();
            one.values.insert(*source, (*value).to_owned());
        }
        all
    }

    fn live(before: &[(&str, &str)], wanted: &[(&str, &str)], said: &[&str]) -> Live {
        let keys = format!(
            "{IO}\nlog.retention.ms\nlog.retention.hours log.retention.ms 3600000\nmessage.max.bytes\n"
        );
        let own = |pairs: &[(&str, &str)]| {
            let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(pair).collect()
        };
        Live {
            member: "kafka.broker@pi1".parse().unwrap(),
            keys: live_keys(&keys).unwrap(),
            wanted: own(wanted),
            before: own(before),
            said: said
                .iter()
                .map(|key| (*key).to_owned())
                .collect::<BTreeSet<_>>(),
        }
    }

    fn told(judged: &Judged) -> String {
        let set = |one: &Alter| {
            let how = if one.to.is_some() { "set" } else { "delete" };
            format!("{how} {one}")
        };
        judged.alter.iter().map(set).collect::<Vec<_>>().join("; ")
    }

    fn judged(values: &[(&str, Source, &str)], live: &Live) -> String {
        let judged = judge(&broker(values), live);
        assert!(judged.not.is_empty(), "{judged:?}");
        told(&judged)
    }

    #[test]
    fn what_its_file_shall_say_is_given_and_taken_away_as_it_goes_back() {
        let four = (IO, Source::File, "4");
        let more = live(&[(IO, "4")], &[(IO, "6")], &[IO]);
        assert_eq!(judged(&[four], &more), "set num.io.threads 4 -> 6");
        let given = (IO, Source::Broker, "6");
        let written = live(&[(IO, "6")], &[(IO, "6")], &[IO]);
        assert_eq!(judged(&[four, given], &written), "");
        // It is no longer in the inventory: what it was started with shows through.
        let gone = live(&[(IO, "6")], &[(IO, "4")], &[]);
        assert_eq!(
            judged(&[four, given], &gone),
            "delete num.io.threads 6 -> 4"
        );
        // It was started with a value that is no longer wanted, and its file shall say nothing.
        let six = (IO, Source::File, "6");
        let none = live(&[(IO, "6")], &[], &[]);
        assert_eq!(judged(&[six], &none), "set num.io.threads 6 -> 8");
    }

    #[test]
    fn what_it_was_given_makes_way_for_its_file() {
        let started = [(IO, Source::File, "6"), (IO, Source::Broker, "6")];
        let same = live(&[(IO, "6")], &[(IO, "6")], &[IO]);
        let again = "delete num.io.threads 6 comes from its file again";
        assert_eq!(judged(&started, &same), again);
        assert!(judge(&broker(&started), &same).left);
    }

    #[test]
    fn what_somebody_else_gave_is_left_alone_unless_the_inventory_names_it() {
        let theirs = [(IO, Source::File, "4"), (IO, Source::Broker, "9")];
        let unsaid = live(&[(IO, "4")], &[(IO, "4")], &[]);
        assert_eq!(judged(&theirs, &unsaid), "");
        assert!(!judge(&broker(&theirs), &unsaid).left);
        let said = live(&[(IO, "4")], &[(IO, "4")], &[IO]);
        let judged_said = judge(&broker(&theirs), &said);
        assert_eq!(told(&judged_said), "delete num.io.threads 9 -> 4");
        assert!(judged_said.alter[0].in_the_way);
        // The same of what all brokers were given: it is hidden by what the broker is given.
        let all = [(IO, Source::File, "4"), (IO, Source::AllBrokers, "9")];
        assert_eq!(judged(&all, &unsaid), "");
        assert_eq!(judged(&all, &said), "set num.io.threads 9 -> 4");
    }

    #[test]
    fn a_value_that_is_taken_as_another_key_is_given_as_that() {
        let week = ("log.retention.hours", Source::File, "168");
        let day = live(
            &[("log.retention.hours", "168")],
            &[("log.retention.hours", "24")],
            &["log.retention.hours"],
        );
        let text = "set log.retention.ms 604800000 -> 86400000";
        assert_eq!(judged(&[week], &day), text);
        let given = ("log.retention.ms", Source::Broker, "86400000");
        assert_eq!(judged(&[week, given], &day), "");
        // The finer one counts, and less than nothing is for ever.
        let both = [("log.retention.hours", "-1"), ("log.retention.ms", "5")];
        assert_eq!(
            judged(&[week], &live(&[], &both, &["log.retention.ms"])),
            "set log.retention.ms 604800000 -> 5"
        );
        assert_eq!(
            judged(&[week], &live(&[], &both[..1], &["log.retention.hours"])),
            "set log.retention.ms 604800000 -> -1"
        );
    }

    #[test]
    fn what_a_broker_does_not_take_is_told() {
        let mut broker = broker(&[(IO, Source::File, "4")]);
        broker.get_mut(IO).unwrap().takes = false;
        let more = live(&[(IO, "4")], &[(IO, "6")], &[IO]);
        assert_eq!(judge(&broker, &more).not, [IO]);
        // There is no default that could be given.
        let file = ("message.max.bytes", Source::File, "9");
        let none = live(&[("message.max.bytes", "9")], &[], &[]);
        let judged = judge(&self::broker(&[file]), &none);
        assert_eq!(judged.not, ["message.max.bytes"]);
    }

    #[test]
    fn a_number_goes_far_in_steps() {
        let alter = |end: &str| Alter {
            key: IO.to_owned(),
            from: String::new(),
            to: None,
            end: end.to_owned(),
            in_the_way: true,
        };
        let way = |from: &str, end: &str| {
            let next = |now: &String| alter(end).halfway(now);
            std::iter::successors(Some(from.to_owned()), next).collect::<Vec<_>>()
        };
        assert_eq!(way("3", "20"), ["3", "6", "12", "20"]);
        assert_eq!(way("20", "4"), ["20", "10", "5", "4"]);
        assert_eq!(alter("x").halfway("3"), None);
    }
}
