//! What clients reach through the roles that stand in front of the services: which ports there are, and whose.

use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::Front;
use crate::id::RoleName;

use super::finding::Finding;
use super::model::{Cluster, Service};
use super::nearest::listed;
use super::tree::Node;

/// A front of a service of the cluster.
#[derive(Debug, Clone, Copy)]
pub struct PlacedFront<'a> {
    /// Whose it is.
    pub service: &'a Service,
    /// The role whose instances are behind it.
    pub role: &'a RoleName,
    /// Its name in the descriptor.
    pub name: &'a str,
    /// Its words.
    pub words: &'a Front,
}

impl PlacedFront<'_> {
    /// The port at which it listens.
    #[must_use]
    pub fn at(&self) -> u16 {
        let given = self.service.ports.get(self.name);
        given.copied().unwrap_or(self.words.at)
    }

    /// The port at which those behind it answer.
    #[must_use]
    pub fn behind(&self, catalogue: &Catalogue) -> Option<u16> {
        let given = self.service.ports.get(&self.words.port);
        let role = || {
            catalogue
                .get(&self.service.name)?
                .descriptor
                .roles
                .get(self.role)
        };
        given
            .or_else(|| role()?.ports.get(&self.words.port))
            .copied()
    }

    /// Its name among those of all services.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}-{}", self.service.name, self.name)
    }
}

impl Cluster {
    /// The fronts of all services, in their order.
    #[must_use]
    pub fn fronts<'a>(&'a self, catalogue: &'a Catalogue) -> Vec<PlacedFront<'a>> {
        let mut all = Vec::new();
        for service in self.services.values() {
            let Some(folder) = catalogue.get(&service.name) else {
                continue;
            };
            for (role, words) in folder.descriptor.roles_with(&service.settings) {
                let front = |(name, words): (&'a String, &'a Front)| PlacedFront {
                    service,
                    role,
                    name,
                    words,
                };
                all.extend(words.fronts.iter().map(front));
            }
        }
        all
    }
}

/// Ports that are given to fronts where nothing stands in front of the services.
pub(super) fn unused(cluster: &Cluster, root: &Node, catalogue: &Catalogue) -> Vec<Finding> {
    let stands = |name| {
        let folder = catalogue.get(name);
        folder.is_some_and(|f| f.descriptor.stands_in_front())
    };
    if cluster.services.keys().any(&stands) {
        return Vec::new();
    }
    let able = catalogue.iter().map(|(name, _)| name);
    let able = listed(able.filter(|name| stands(name)).map(|name| name.as_str()));
    let fronts = cluster.fronts(catalogue);
    let given = fronts
        .iter()
        .filter(|front| front.service.ports.contains_key(front.name));
    let told = given.map(|front| {
        let service = front.service.name.as_str();
        let span = root.place(&["services", service, "ports", front.name]);
        let cause = format!(
            "`{}` is the port of a front, and nothing stands in front of `{service}`",
            front.name
        );
        let help = match able.as_str() {
            "" => "leave it out".to_owned(),
            able => format!("leave it out, or add {able} to the services"),
        };
        Finding::warning(span, cause).help(help)
    });
    told.collect()
}
