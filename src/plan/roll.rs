//! How a roll goes, where the user says so.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::Count;
use crate::event::Problem;
use crate::plan::model::{Plan, RoleRef};

/// What the user says of a roll.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Roll {
    /// How many members of any role may be down at once; none: as many as descriptors say.
    pub width: Option<u16>,
    /// The same for some roles, by `service.role`.
    pub widths: BTreeMap<String, u16>,
    /// Whether it goes on as soon as nothing is refused for want of copies, though not all are in sync.
    pub least: bool,
}

impl Roll {
    /// How many members of a role may be down at once; `usual` if nothing was said.
    #[must_use]
    pub fn width_of(&self, role: &RoleRef, usual: u16) -> u16 {
        let own = self.widths.get(&role.to_string()).copied();
        own.or(self.width).unwrap_or(usual).max(1)
    }
}

/// What a roll can't be told: roles that there are not, and more members down at once than leave a majority of
/// those that agree by one.
#[must_use]
pub fn refused(plan: &Plan, catalogue: &Catalogue, roll: &Roll) -> Vec<Problem> {
    let known = |name: &&String| plan.view.roles.iter().any(|r| r.role.to_string() == **name);
    let unknown = roll.widths.keys().filter(|name| !known(name));
    let mut refused: Vec<Problem> = unknown
        .map(|name| {
            Problem::new(format!("--max-unavailable {name}: there is no such role"))
                .help("roles are named `service.role`, as `sdtd status` shows them")
        })
        .collect();
    let said = roll.width.is_some() || !roll.widths.is_empty();
    for wave in plan.waves.iter().filter(|_| said) {
        let (Some(role), Some(width)) = (&wave.role, wave.width) else {
            continue;
        };
        let words = catalogue.role(&role.service, &role.role);
        let odd = words.is_some_and(|words| matches!(words.count, Count::Key { odd: true, .. }));
        let members = plan.view.of_role(role).count();
        let most = members.saturating_sub(1) / 2;
        if odd && usize::from(width) > most.max(1) {
            let cause = format!(
                "{role}: {width} of {members} members down at once leave no majority; at most {} may be",
                most.max(1)
            );
            let help = format!(
                "`--max-unavailable {role}={}`, or leave it out: one at a time",
                most.max(1)
            );
            refused.push(Problem::new(cause).help(help));
        }
    }
    refused.dedup();
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_role_counts_more_than_what_is_said_of_all_and_is_never_none() {
        let role = |name: &str| RoleRef {
            service: name.parse().unwrap(),
            role: "node".parse().unwrap(),
        };
        let (one, other) = (role("one"), role("other"));
        let roll = Roll {
            width: Some(2),
            widths: BTreeMap::from([("one.node".to_owned(), 3)]),
            least: false,
        };
        assert_eq!((roll.width_of(&one, 1), roll.width_of(&other, 1)), (3, 2));
        assert_eq!(Roll::default().width_of(&one, 4), 4);
        assert_eq!(Roll::default().width_of(&one, 0), 1);
    }
}
