//! How much room there is for what members hold. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::{self, Input, Trees};
use crate::facts::Disk;
use crate::id::InstanceId;
use crate::plan::RoleRef;
use crate::plan::place::Placement;

/// The free bytes below the data folders of a role's members, by the hosts' facts: of each disk once, and of what
/// members of one host share, to each its part. Members whose hosts were not asked are left out.
#[must_use]
pub fn free(input: Input<'_>, role: &RoleRef, placement: &Placement) -> BTreeMap<InstanceId, u64> {
    let trees = Trees::new();
    let context = planner::context(input, placement, &trees);
    let members = placement.members(role);
    let one = |id: &InstanceId| {
        let facts = input.facts.get(&id.host)?;
        // A template that can't be rendered is reported when the plan is made.
        let data = context.desired(id).ok()??.data;
        let disks: Vec<&Disk> = data
            .iter()
            .filter_map(|path| facts.disks.get(path))
            .collect();
        let beside = placement
            .members(role)
            .filter(|other| other.host == id.host);
        (!disks.is_empty()).then(|| (id.clone(), bytes(&disks) / beside.count().max(1) as u64))
    };
    members.filter_map(one).collect()
}

/// Folders on one disk have the same figures; two disks of one size that are filled alike are taken for one, which errs
/// on the safe side.
fn bytes(disks: &[&Disk]) -> u64 {
    let disks: BTreeSet<(u64, u64)> = disks.iter().map(|d| (d.total_mb, d.free_mb)).collect();
    disks.iter().map(|(_, free_mb)| free_mb << 20).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_on_one_disk_share_its_room() {
        let disk = |total_mb, free_mb| Disk { total_mb, free_mb };
        let (a, b) = (disk(100, 7), disk(200, 5));
        assert_eq!(bytes(&[&a, &a]), 7 << 20);
        assert_eq!(bytes(&[&a, &b]), 12 << 20);
    }
}
