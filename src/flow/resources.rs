//! What a cluster keeps by itself, compared with the inventory: topics, settings, and what a new version raises.

use super::{Facts, Flow};
use crate::error::{Failure, Kind};
use crate::plan::ResourceChange;

impl Flow {
    /// What must be done about the inventory's topics, and about settings that services keep by themselves.
    pub(super) async fn resources(&self, facts: &Facts) -> Result<Vec<ResourceChange>, Failure> {
        let mut changes = Vec::new();
        let prober = self.prober(self.view(facts));
        for (service, wanted) in &self.cluster.services {
            let folder = self.catalogue.get(service);
            let Some(action) = folder.and_then(|f| f.descriptor.topics.clone()) else {
                continue;
            };
            let Some(driver) = self.drivers.get(&action.driver) else {
                continue;
            };
            let call = prober.call(&action.action, service, None);
            let live = prober.view.of_service(service).any(|m| {
                let facts = facts.get(&m.id.host);
                facts.is_some_and(|f| f.runs(&m.unit))
            });
            let refused = |problem| Failure::new(Kind::Refused, problem);
            let kept = async {
                if !live {
                    return Ok(Vec::new());
                }
                let settings =
                    async { driver.settings(call, &wanted.config).await.map_err(refused) };
                let raised = self.raised(&prober, service, facts);
                let (settings, raised) = tokio::try_join!(settings, raised)?;
                Ok([settings, raised].concat())
            };
            let topics = async {
                if self.cluster.topics.is_empty() {
                    return Ok(Vec::new());
                }
                let found = driver.compare(call, &self.cluster.topics, live).await;
                found.map_err(refused)
            };
            let (kept, topics) = tokio::try_join!(kept, topics)?;
            changes.extend(kept);
            changes.extend(topics);
        }
        Ok(changes)
    }
}
