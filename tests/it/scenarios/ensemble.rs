//! Members that have each other in their files: who can lead whom, by what each was started with.

use std::collections::BTreeMap;

use sdtd::id::HostName;

/// Members that are up, each with what it knows.
pub type Lists = BTreeMap<HostName, Known>;

/// What one knows: who votes under which number, and where each is to be found, itself among them; one that knows
/// nobody is alone.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its own number.
    pub number: Option<u32>,
    /// Where it looks for each number.
    pub list: BTreeMap<u32, HostName>,
}

impl Known {
    fn majority(&self) -> usize {
        self.list.len() / 2 + 1
    }

    /// Whether another's votes count here: votes bear numbers.
    fn counts(&self, other: &Known) -> bool {
        other.number.is_some_and(|n| self.list.contains_key(&n))
    }

    /// Whether it finds another one where it looks for it: who follows dials.
    fn finds(&self, other: &HostName) -> bool {
        self.list.values().any(|host| host == other)
    }
}

/// Whether one would follow another, if only the two were asked.
fn accepts(lists: &Lists, one: &HostName, leader: &HostName) -> bool {
    lists
        .get(one)
        .is_some_and(|known| one == leader || known.finds(leader))
}

/// Those that are up under a number that one knows, each number once.
fn voters<'a>(lists: &'a Lists, one: &'a Known) -> impl Iterator<Item = Vec<&'a HostName>> {
    let under = |number: &u32| {
        let all = lists.iter();
        all.filter(|(_, known)| known.number == Some(*number))
            .map(|(host, _)| host)
            .collect()
    };
    one.list.keys().map(under)
}

/// Whether one may lead: a majority of those that it knows would follow it.
fn may_lead(lists: &Lists, one: &HostName) -> bool {
    let known = &lists[one];
    let follow = |same: &Vec<&HostName>| same.iter().any(|other| accepts(lists, other, one));
    known.list.is_empty() || voters(lists, known).filter(follow).count() >= known.majority()
}

/// Those that may lead though neither counts the other's votes, or that have one number: two ensembles.
pub fn apart(lists: &Lists) -> Option<(HostName, HostName)> {
    for (one, known) in lists {
        for (other, theirs) in lists.iter().filter(|(other, _)| *other > one) {
            let same = known.number.is_some() && known.number == theirs.number;
            let strangers = !known.counts(theirs) && !theirs.counts(known);
            // One alone serves; another that can get no majority without it does not.
            if (same || strangers) && may_lead(lists, one) && may_lead(lists, other) {
                return Some((one.clone(), other.clone()));
            }
        }
    }
    None
}

/// Who leads: whoever led goes on if it may, else the last that may.
pub fn leader(lists: &Lists, now: Option<&HostName>) -> Option<HostName> {
    let may = |one: &&HostName| lists.contains_key(*one) && may_lead(lists, one);
    let goes_on = now.filter(may);
    goes_on.or_else(|| lists.keys().rfind(may)).cloned()
}

/// Whether one follows the leader: a majority of those that it knows do. Its own vote is none of these where the
/// leader does without it: then it finds an election that is over (`FastLeaderElection`).
pub fn follows(lists: &Lists, one: &HostName, leader: &HostName) -> bool {
    let Some(known) = lists.get(one) else {
        return false;
    };
    let mut without = lists.clone();
    without.remove(one);
    let over = without.contains_key(leader) && may_lead(&without, leader);
    let counts = |same: &Vec<&HostName>| {
        let mut same = same.iter().filter(|other| !over || **other != one);
        same.any(|other| accepts(lists, other, leader))
    };
    let with_it = voters(lists, known).filter(counts).count();
    one != leader && known.finds(leader) && with_it >= known.majority()
}
