//! What a newer version can and the cluster does not do yet: raised once the version is finalized.

use super::{Facts, Flow};
use crate::error::{Failure, Kind};
use crate::id::ServiceName;
use crate::plan::packages::Packages;
use crate::plan::{ResourceChange, versions};
use crate::verify::Prober;

impl Flow {
    /// What a service that is finalized lacks of what its version can.
    ///
    /// # Errors
    /// When it was just asked for, and somebody stands in its way.
    pub(super) async fn raised(
        &self,
        prober: &Prober,
        service: &ServiceName,
        facts: &Facts,
    ) -> Result<Vec<ResourceChange>, Failure> {
        let none = Packages::new();
        let input = self.input(facts, &none, &[]);
        let Some((raises, to)) = versions::raised(input, service, &versions::unfinished(input))
        else {
            return Ok(Vec::new());
        };
        let Some(driver) = self.drivers.get(&raises.action.driver) else {
            return Ok(Vec::new());
        };
        let call = prober.call(&raises.action.action, service, None);
        match driver.raise(call, to).await {
            Ok(changes) => Ok(changes),
            Err(problem) if self.finalize.contains(service) => {
                Err(Failure::new(Kind::Refused, problem))
            }
            // It was finalized before: a later run raises what is missing.
            Err(_) => Ok(Vec::new()),
        }
    }
}
