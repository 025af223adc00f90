//! Settings that get another value while the cluster runs: which values in between are brought about, one after
//! another, from what the hosts' records say to what the inventory wants; and what forbids it.
//!
//! While a value is being brought about the records also name the one before: members have the one or the other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::{Probe, Setting, SettingKind, Undo, Way};
use crate::event::Problem;
use crate::facts::{HostFacts, Record};
use crate::id::{HostName, RoleName, ServiceName};
use crate::inventory::{Amount, Cluster, Service, in_order};
use crate::plan::made::key;
use crate::plan::place::Placement;
use crate::plan::planner::Input;

/// One part of a plan: what should be at its end.
pub struct Leg<'a> {
    /// The cluster with the value that the setting has then.
    pub cluster: Cow<'a, Cluster>,
    /// The step that it is on a way; none where nothing is on one.
    pub passage: Option<Passage>,
}

/// From one value of a setting to the next.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The service.
    pub service: ServiceName,
    /// The setting's name in records: `<service>.<word>`.
    pub key: String,
    /// The value before, which some members may still have.
    pub from: String,
    /// What must hold before an instance of the service is restarted for it.
    pub gate: Vec<Probe>,
    /// What is undone once roles that there are no more have stopped.
    pub undo: Option<Undo>,
    /// The cluster with the value before.
    pub was: Cluster,
}

/// A service whose setting is on its way.
struct Under<'a> {
    service: &'a Service,
    word: &'a str,
    way: &'a Way,
    /// The value that the records name.
    at: String,
    /// The value before that, where it is not brought about as a whole.
    from: Option<String>,
    /// The value that is to be brought about now.
    goal: &'a str,
}

/// The name under which records keep the value before.
#[must_use]
pub fn from_key(key: &str) -> String {
    format!("{key} from")
}

/// What the records say of a setting: its value and, where that is not brought about as a whole, the one before.
/// Hosts differ for a moment: who knows of a change under way knows better.
fn recorded(
    facts: &BTreeMap<HostName, HostFacts>,
    key: &str,
    way: &Way,
) -> Option<(String, Option<String>)> {
    let records = facts.values().filter_map(|f| f.record.as_ref());
    let known = records.filter_map(|record| {
        let from = record.fixed.get(&from_key(key)).cloned();
        Some((record.fixed.get(key)?.clone(), from))
    });
    known.max_by_key(|(at, from)| (from.is_some(), std::cmp::Reverse(way.place(at))))
}

fn ways<'a>(
    catalogue: &'a Catalogue,
    service: &Service,
) -> impl Iterator<Item = (&'a str, &'a Way)> {
    let folder = catalogue.get(&service.name);
    let all = folder.into_iter().flat_map(|f| &f.descriptor.settings);
    all.flat_map(|(word, setting)| setting.ways.iter().map(move |way| (word.as_str(), way)))
}

fn wanted<'a>(service: &'a Service, word: &str) -> &'a str {
    let value = service.settings.get(word).and_then(Json::as_str);
    value.unwrap_or_default()
}

/// The settings that are on their way. `ends`: the services whose way is gone to its end.
fn under<'a>(
    (cluster, catalogue): (&'a Cluster, &'a Catalogue),
    facts: &BTreeMap<HostName, HostFacts>,
    ends: &BTreeSet<ServiceName>,
) -> Vec<Under<'a>> {
    let mut all = Vec::new();
    for (name, service) in &cluster.services {
        for (word, way) in ways(catalogue, service) {
            let Some((at, from)) = recorded(facts, &key(name, word), way) else {
                continue;
            };
            let wanted = wanted(service, word);
            let over = at == way.to;
            let goal = match (wanted == way.from, wanted == way.to) {
                (true, _) if !over => way.from.as_str(),
                (_, true) if over || ends.contains(name) => way.to.as_str(),
                (_, true) => way.held(),
                _ => continue,
            };
            if way.place(&at).is_some() && (at != goal || goal != wanted || from.is_some()) {
                all.push(Under {
                    service,
                    word,
                    way,
                    at,
                    from,
                    goal,
                });
            }
        }
    }
    all
}

impl Under<'_> {
    /// The values that are brought about, in order.
    fn values(&self) -> Vec<String> {
        let place = |value: &str| self.way.place(value).unwrap_or_default();
        let forward = place(self.goal) >= place(&self.at);
        // One that was not reached going forward need not be on the way back: what is wanted may be just that it
        // is not. One that was not reached going back must be: some members may still be further along.
        let again = match &self.from {
            Some(from) => forward || place(from) > place(&self.at),
            None => self.at == self.goal,
        };
        let mut values: Vec<String> = again.then(|| self.at.clone()).into_iter().collect();
        let mut now = self.at.as_str();
        while now != self.goal {
            let next = if forward {
                self.way.after(now)
            } else {
                self.way.before(now)
            };
            let Some(next) = next else { break };
            values.push(next.to_owned());
            now = next;
        }
        values
    }

    /// The value before each of those that are brought about; none where nothing changes.
    fn steps(&self) -> Vec<(Option<String>, String)> {
        let mut before = Some(self.at.clone());
        let step = |value: String| {
            let from = match value == self.at {
                true => self.from.clone(),
                false => before.clone(),
            };
            before = Some(value.clone());
            (from, value)
        };
        self.values().into_iter().map(step).collect()
    }
}

/// The parts of a plan, in order; one where nothing is on a way.
#[must_use]
pub fn legs(input: Input<'_>) -> Vec<Leg<'_>> {
    let words = (input.cluster, input.catalogue);
    let Some(under) = under(words, input.facts, input.ends).into_iter().next() else {
        return vec![Leg {
            cluster: Cow::Borrowed(input.cluster),
            passage: None,
        }];
    };
    let at = |value: &str| with_value(words, input.facts, (under.service, under.word), value);
    let leg = |(from, value): (Option<String>, String)| Leg {
        cluster: Cow::Owned(at(&value)),
        passage: from.map(|from| Passage {
            service: under.service.name.clone(),
            key: key(&under.service.name, under.word),
            gate: match under.way.place(&from) < under.way.place(&value) {
                true => under.way.gate(&value).to_vec(),
                false => Vec::new(),
            },
            undo: under.way.undo.clone(),
            was: at(&from),
            from,
        }),
    };
    under.steps().into_iter().map(leg).collect()
}

/// The clusters that hosts have to be asked about besides the inventory's own.
#[must_use]
pub fn variants(
    cluster: &Cluster,
    catalogue: &Catalogue,
    facts: &BTreeMap<HostName, HostFacts>,
) -> Vec<Cluster> {
    let words = (cluster, catalogue);
    let mut all = Vec::new();
    for under in under(words, facts, &BTreeSet::new()) {
        let between = under.way.values().map(str::to_owned);
        let at = |value: String| with_value(words, facts, (under.service, under.word), &value);
        all.extend(between.map(at));
    }
    all
}

/// The cluster with another value of a setting, and with all that goes with it: what the inventory can't say by then
/// comes from the records.
fn with_value(
    (cluster, catalogue): (&Cluster, &Catalogue),
    facts: &BTreeMap<HostName, HostFacts>,
    (service, word): (&Service, &str),
    value: &str,
) -> Cluster {
    let mut cluster = cluster.clone();
    let (name, said) = (&service.name, &service.settings);
    let Some(folder) = catalogue.get(name) else {
        return cluster;
    };
    let descriptor = &folder.descriptor;
    let Some(wanted) = cluster.services.get_mut(name) else {
        return cluster;
    };
    wanted.settings.insert(word.to_owned(), Json::from(value));
    let records = || facts.values().filter_map(|f| f.record.as_ref());
    for (other, setting) in &descriptor.settings {
        let is_new = setting.when.holds(&wanted.settings) && !setting.when.holds(said);
        let known = records().find_map(|record| record.fixed.get(&key(name, other)));
        if let (true, Some(known)) = (is_new && setting.fixed, known) {
            wanted
                .settings
                .insert(other.clone(), of_text(setting, known));
        }
    }
    wanted.needs = descriptor.needs_with(&wanted.settings);
    let with = wanted.settings.clone();
    for (role, _) in descriptor.roles_with(&with) {
        if !wanted.roles.contains_key(role) {
            let hosts = placed(records(), name, role);
            wanted.roles.insert(role.clone(), Amount::Hosts(hosts));
        }
    }
    let order = |role: &RoleName, _: &Amount| descriptor.roles.get_index_of(role);
    wanted.roles.sort_by_cached_key(order);
    cluster.services = in_order(cluster.services);
    cluster
}

/// The hosts that have a role by the records.
fn placed<'a>(
    records: impl Iterator<Item = &'a Record>,
    service: &ServiceName,
    role: &RoleName,
) -> Vec<HostName> {
    let all = records.flat_map(|record| record.placement.keys());
    let own = all.filter(|id| &id.service == service && &id.role == role);
    let hosts: BTreeSet<HostName> = own.map(|id| id.host.clone()).collect();
    hosts.into_iter().collect()
}

fn of_text(setting: &Setting, text: &str) -> Json {
    match setting.kind {
        SettingKind::Text | SettingKind::Uuid => Json::from(text),
        SettingKind::Integer | SettingKind::Boolean => {
            serde_json::from_str(text).unwrap_or_default()
        }
    }
}

/// The values that running services have and no record: by service, those that it has to be asked for.
#[must_use]
pub fn unknown<'a>(
    cluster: &'a Cluster,
    catalogue: &'a Catalogue,
    facts: &BTreeMap<HostName, HostFacts>,
) -> Vec<(&'a ServiceName, &'a String, &'a Setting)> {
    let mut all = Vec::new();
    for under in under((cluster, catalogue), facts, &BTreeSet::new()) {
        let name = &under.service.name;
        let folder = catalogue.get(name);
        let settings = folder.into_iter().flat_map(|f| &f.descriptor.settings);
        let records = || facts.values().filter_map(|f| f.record.as_ref());
        let new = |(word, setting): &(&String, &Setting)| {
            let known = records().any(|record| record.fixed.contains_key(&key(name, word)));
            setting.learnt.is_some() && !known && setting.when.holds(&under.service.settings)
        };
        all.extend(settings.filter(new).map(|(word, s)| (name, word, s)));
    }
    all
}

/// What forbids to go on a way now, with the way out.
#[must_use]
pub fn refused(input: Input<'_>) -> Vec<Problem> {
    let words = (input.cluster, input.catalogue);
    let all = under(words, input.facts, input.ends);
    let mut refused: Vec<Problem> = all.iter().flat_map(|one| forbidden(input, one)).collect();
    for name in input.ends {
        let Some(service) = input.cluster.services.get(name) else {
            continue;
        };
        refused.extend(ways(input.catalogue, service).filter_map(|(word, way)| {
            let (at, from) = recorded(input.facts, &key(name, word), way)?;
            let whole = at == way.to || (at == way.held() && from.is_none());
            (!whole).then(|| {
                Problem::new(format!("`{}` is `{at}`: there is nothing to finalize yet", key(name, word)))
                    .help(format!("`sdtd migrate {}` first; look at the cluster under its usual load, then finalize", way.name))
            })
        }));
    }
    refused
}

fn forbidden(input: Input<'_>, under: &Under<'_>) -> Vec<Problem> {
    // Held, and to be left so.
    if under.at == under.goal && under.from.is_none() {
        return Vec::new();
    }
    let (name, way) = (&under.service.name, under.way);
    let mut all = Vec::new();
    let end = match under.goal == way.from {
        true => &way.from,
        false => &way.to,
    };
    let (word, at) = (under.word, &under.at);
    let what = format!("{name} can't go from `{word}: {at}` to `{end}`");
    let mut no =
        |why: String, help: String| all.push(Problem::new(format!("{what}: {why}")).help(help));
    let back = format!("or write `{}: {}` again", under.word, way.from);
    let version = &under.service.version;
    if !way.versions.contains(version) {
        let known = way.versions.join(" or ");
        no(
            format!("{name} {version} does not know the way, {known} does"),
            format!("`sdtd upgrade {name} {known}` and its `--finalize` come first; {back}"),
        );
    }
    if !way.when.holds(&under.service.settings) {
        no(format!("the way is only for `{}`", way.when), back.clone());
    }
    let records = || input.facts.values().filter_map(|f| f.record.as_ref());
    let runs = |record: &Record| {
        let finalized = record.finalized.contains_key(name.as_str());
        finalized
            || record
                .versions
                .get(name.as_str())
                .is_some_and(|v| v != version)
    };
    if way.versions.contains(version) && records().any(runs) {
        no(
            format!("another version of {name} is not finalized"),
            format!("`sdtd upgrade {name} --finalize` comes first; {back}"),
        );
    }
    let hosts = input.cluster.staying().map(|(host, _)| host);
    let away = hosts.filter(|host| !input.facts.contains_key(*host));
    let away: Vec<&str> = away.map(HostName::as_str).collect();
    if !away.is_empty() {
        no(
            format!("{} out of reach", away.join(", ")),
            "bring all hosts back first: every member has to go along".to_owned(),
        );
    }
    if !input.anew.is_empty() || !input.finalize.is_empty() || input.back {
        no(
            "something else is to be done at the same time".to_owned(),
            "one after the other".to_owned(),
        );
    }
    all
}

/// Members that come or go for another reason while a setting is on its way.
#[must_use]
pub fn resized(passage: &Passage, placement: &Placement) -> Option<Problem> {
    let role = placement.resized.iter().next()?;
    let problem = Problem::new(format!(
        "`{}` is on its way and other hosts are to run {role}: one change after the other",
        passage.key
    ));
    Some(problem.help("put the members back in the inventory first"))
}

/// What is to be known of settings that are held before their way's end, once a plan is done.
#[must_use]
pub fn told(input: Input<'_>) -> Vec<Problem> {
    let words = (input.cluster, input.catalogue);
    let all = under(words, input.facts, input.ends);
    let held = all.iter().filter(|under| under.goal == under.way.held());
    held.map(|under| tell(under.service, under.word, under.way))
        .collect()
}

/// The same of what the hosts' records say, whatever the inventory wants by now.
#[must_use]
pub fn under_way(input: Input<'_>) -> Vec<Problem> {
    let mut all = Vec::new();
    for service in input.cluster.services.values() {
        for (word, way) in ways(input.catalogue, service) {
            let known = recorded(input.facts, &key(&service.name, word), way);
            let held = known.filter(|(at, from)| {
                from.is_some() || (*at != way.from && *at != way.to && way.place(at).is_some())
            });
            all.extend(held.map(|(at, from)| match (at == way.held(), from) {
                (true, None) => tell(service, word, way),
                _ => begun(&key(&service.name, word), way, &at),
            }));
        }
    }
    all
}

fn tell(service: &Service, word: &str, way: &Way) -> Problem {
    let (key, name) = (key(&service.name, word), &way.name);
    Problem::new(format!("`{key}` is all but `{}`: it can still go back to `{}`", way.to, way.from)).help(format!(
        "`sdtd migrate {name} --finalize` once all is well, with no way back then; `sdtd migrate {name} --undo` goes back"
    ))
}

fn begun(key: &str, way: &Way, at: &str) -> Problem {
    let name = &way.name;
    Problem::new(format!(
        "`{key}` is on its way between `{}` and `{}`, at `{at}`",
        way.from, way.to
    ))
    .help(format!(
        "`sdtd migrate {name}` goes on, `sdtd migrate {name} --undo` goes back"
    ))
}

/// What a plan makes of settings on their way, before it is done.
#[must_use]
pub fn warnings(input: Input<'_>) -> Vec<Problem> {
    let words = (input.cluster, input.catalogue);
    let ends = under(words, input.facts, input.ends).into_iter();
    let ends = ends.filter(|under| under.goal == under.way.to && under.at != under.goal);
    let tell = |under: Under<'_>| {
        let key = key(&under.service.name, under.word);
        let problem = Problem::new(format!(
            "`{key}` becomes `{}` for good: there is no way back to `{}` afterwards",
            under.goal, under.way.from
        ));
        problem.help("look at the cluster under its usual load first")
    };
    ends.map(tell).collect()
}
