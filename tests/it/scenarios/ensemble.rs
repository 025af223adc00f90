//! Members that have each other in their files: who can lead whom, by what each was started with.

use std::collections::{BTreeMap, BTreeSet};

use sdtd::id::HostName;

/// Members that are up, each with those that it knows, itself among them; one that knows nobody is alone.
pub type Lists = BTreeMap<HostName, BTreeSet<HostName>>;

fn majority(list: &BTreeSet<HostName>) -> usize {
    list.len() / 2 + 1
}

/// Whether one would follow another, if only the two were asked.
fn accepts(lists: &Lists, one: &HostName, leader: &HostName) -> bool {
    lists
        .get(one)
        .is_some_and(|list| one == leader || list.contains(leader))
}

/// Whether one may lead: a majority of those that it knows would follow it.
fn may_lead(lists: &Lists, one: &HostName) -> bool {
    let list = &lists[one];
    let votes = list.iter().filter(|other| accepts(lists, other, one));
    list.is_empty() || votes.count() >= majority(list)
}

/// Those that may lead though they are not in the other's list or would not be followed by it: two ensembles.
pub fn apart(lists: &Lists) -> Option<(HostName, HostName)> {
    for (one, list) in lists {
        for (other, theirs) in lists.iter().filter(|(other, _)| *other > one) {
            let strangers = !list.contains(other) && !theirs.contains(one);
            // One alone serves; another that can get no majority without it does not.
            if strangers && may_lead(lists, one) && may_lead(lists, other) {
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
    let Some(list) = lists.get(one) else {
        return false;
    };
    let mut without = lists.clone();
    without.remove(one);
    let over = without.contains_key(leader) && may_lead(&without, leader);
    let counts = |other: &&HostName| (!over || *other != one) && accepts(lists, other, leader);
    let with_it = list.iter().filter(counts);
    one != leader && list.contains(leader) && with_it.count() >= majority(list)
}
