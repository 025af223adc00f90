//! Packages on the hosts: what is sent, unpacked and linked.

use super::Waves;
use crate::id::{HostName, ServiceName};
use crate::plan::compare::Steps;
use crate::plan::model::{Batch, Step, Wave};
use crate::plan::packages::{self, Missing};
use crate::plan::paths::HostPaths;
use crate::plan::planner::PlanError;

impl Waves<'_> {
    /// Packages and the links to them, one wave a service.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn install(&mut self) -> Result<(), PlanError> {
        for (service, wanted) in &self.context.cluster.services {
            if !self.is_needed(service) {
                continue;
            }
            let mut batches = Vec::new();
            for name in self.context.cluster.hosts.keys() {
                if let Some(steps) = self.install_on(name, service)? {
                    let batch = self.batch(name, steps);
                    batches.extend(batch.map(|batch| Batch {
                        because: self.damage(name, service).into_iter().collect(),
                        ..batch
                    }));
                }
            }
            let wave = Wave {
                title: format!("install {service} {}", wanted.version),
                after_on_host: self.prepared.clone(),
                batches,
                ..Wave::default()
            };
            if let Some(index) = self.push(wave) {
                self.installed.insert(service.clone(), index);
            }
        }
        Ok(())
    }

    /// Whether a stage installs a service's package: that of its role, and those that this one needs.
    fn is_needed(&self, service: &ServiceName) -> bool {
        let Some(role) = &self.stage.only else {
            return true;
        };
        let wanted = self.context.cluster.services.get(&role.service);
        service == &role.service || wanted.is_some_and(|of| of.needs.contains(service))
    }

    /// What is damaged of the tree that a host runs a service from.
    fn damage(&self, name: &HostName, service: &ServiceName) -> Option<String> {
        let facts = self.context.facts.get(name)?;
        let cluster = self.context.cluster;
        let paths = HostPaths::new(&cluster.name, &cluster.hosts[name]);
        let link = packages::link(self.context.catalogue, service, &paths)?;
        let tree = facts.links.get(&link)?.rsplit('/').next()?;
        let files = facts.damaged.get(tree)?;
        let first = files.first()?;
        Some(match files.len() {
            1 => format!("{first} is damaged"),
            n => format!("{n} files are damaged, {first} for one"),
        })
    }

    fn install_on(
        &self,
        name: &HostName,
        service: &ServiceName,
    ) -> Result<Option<Steps>, PlanError> {
        let key = (name.clone(), service.clone());
        let (Some(tree), Some(facts)) = (self.trees.get(&key), self.context.facts.get(name)) else {
            return Ok(None);
        };
        let host = &self.context.cluster.hosts[name];
        let paths = HostPaths::new(&self.context.cluster.name, host);
        let Some(link) = packages::link(self.context.catalogue, service, &paths) else {
            return Ok(None);
        };
        let mut steps = Steps::default();
        match &tree.missing {
            None => steps.unchanged += 1,
            Some(Missing::Distribution(package)) => {
                steps.steps.push(Step::Distribution {
                    package: package.clone(),
                    brought: None,
                    quiet: packages::quiet(
                        self.context.catalogue,
                        &self.context.cluster.services[service],
                    ),
                });
            }
            Some(missing) => {
                let file = match missing {
                    Missing::File(file) => Some(file),
                    _ => None,
                };
                steps.steps.push(Step::Package {
                    name: service.to_string(),
                    version: self.context.cluster.services[service].version.clone(),
                    sha256: file.map(|f| f.sha256.clone()).unwrap_or_default(),
                    store: tree.home.clone(),
                    size: file.map_or(0, |f| f.size),
                    strip: file.map_or(0, |f| f.strip),
                    gzip: file.is_some_and(|f| f.gzip),
                    owner: self.context.user(host, service),
                    tools: self.context.tools(host, service)?,
                });
            }
        }
        steps.link(facts, &link, &tree.home);
        Ok(Some(steps))
    }
}
