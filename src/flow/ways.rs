//! Settings on their way: more to ask hosts about, and what running services have to be asked.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Facts, Flow};
use crate::driver::Call;
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::facts::FactsRequest;
use crate::id::{HostName, ServiceName};
use crate::plan::{asks, ways};
use crate::transport::RemoteError;

/// What each host is asked.
pub(super) type Requests = BTreeMap<HostName, FactsRequest>;

impl Flow {
    /// Asks hosts again where a setting is on its way: for what they have with its other values.
    pub(super) async fn ask_on_the_way(
        &self,
        facts: &mut Facts,
        failed: &mut Vec<(HostName, RemoteError)>,
    ) {
        let variants = ways::variants(&self.cluster, &self.catalogue, facts);
        // Nothing is, most of the time: what was asked need not be made out again.
        if variants.is_empty() {
            return;
        }
        let first = asks::requests(&self.cluster, &self.catalogue);
        let mut all = first.clone();
        for cluster in variants {
            for (host, request) in asks::requests(&cluster, &self.catalogue) {
                all.entry(host).or_default().add(request);
            }
        }
        if all == first {
            return;
        }
        all.retain(|host, _| facts.contains_key(host));
        let (more, lost) = self.quietly().ask_with(all).await;
        *facts = more;
        failed.extend(lost);
    }

    /// Asks running services for values that they have and no record: what was made without sdtd's knowledge when
    /// they were young.
    ///
    /// # Errors
    /// When one does not tell, or the inventory says otherwise.
    pub(super) async fn learn(&mut self, facts: &Facts) -> Result<(), Failure> {
        let mut learnt: Vec<(ServiceName, String, String)> = Vec::new();
        let prober = self.prober(self.view(facts));
        for (service, word, setting) in ways::unknown(&self.cluster, &self.catalogue, facts) {
            let action = setting.learnt.as_ref();
            let driver = action.and_then(|action| self.drivers.get(&action.driver));
            let (Some(action), Some(driver)) = (action, driver) else {
                continue;
            };
            let call: Call<'_> = prober.call(&action.action, service, None);
            let refused = |problem| Failure::new(Kind::Refused, problem);
            let value = driver.learn(call).await.map_err(refused)?;
            let said = &self.cluster.services[service].settings[word];
            if !said.is_null() && said.as_str() != Some(value.as_str()) {
                let cause =
                    format!("`{service}.{word}` is `{value}`, and the inventory says {said}");
                let help = format!("leave `{word}` out of the inventory: it is asked of {service}");
                return Err(refused(Problem::new(cause).help(help)));
            }
            learnt.push((service.clone(), word.clone(), value));
        }
        for (service, word, value) in learnt {
            if let Some(service) = self.cluster.services.get_mut(&service) {
                service.settings.insert(word, Json::from(value));
            }
        }
        Ok(())
    }
}
