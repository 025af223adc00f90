//! What is refused, or warned of, where instances are not all on one host.

use std::collections::BTreeSet;

use crate::catalogue::descriptor::{Descriptor, Refusal};
use crate::event::Problem;
use crate::id::{HostName, RoleName, ServiceName};
use crate::plan::place::Placement;
use crate::plan::planner::Input;

/// Those of a list in a service's words that hold of where all are.
pub(super) fn apart(
    input: Input<'_>,
    placement: &Placement,
    list: impl Fn(&Descriptor) -> &[Refusal],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, service) in &input.cluster.services {
        let Some(folder) = input.catalogue.get(name) else {
            continue;
        };
        let holds = |refusal: &&Refusal| {
            refusal.when.holds(&service.settings)
                && hosts(placement, name, &refusal.apart).len() > 1
        };
        for refusal in list(&folder.descriptor).iter().filter(holds) {
            let hosts: Vec<&str> = hosts(placement, name, &refusal.apart)
                .into_iter()
                .map(HostName::as_str)
                .collect();
            let cause = format!("{name} on {}: {}", hosts.join(", "), refusal.because);
            problems.push(Problem::new(cause).help(refusal.help.clone()));
        }
    }
    problems
}

/// The hosts that have instances of these roles.
fn hosts<'a>(
    placement: &'a Placement,
    service: &ServiceName,
    roles: &[RoleName],
) -> BTreeSet<&'a HostName> {
    let all = placement.instances.iter().map(|(id, _)| id);
    let of = all.filter(|id| &id.service == service && roles.contains(&id.role));
    of.map(|id| &id.host).collect()
}
