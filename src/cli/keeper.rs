//! The service whose descriptor names a driver for what a command does, and that driver.

use std::sync::Arc;

use super::setup::Run;
use crate::catalogue::Descriptor;
use crate::catalogue::descriptor::DriverAction;
use crate::driver::{Call, Driver};
use crate::error::{Failure, Kind};
use crate::flow::Facts;
use crate::id::ServiceName;
use crate::verify::Prober;

/// A service, and whom to ask about it.
pub struct Keeper {
    /// The service.
    pub service: ServiceName,
    /// What its descriptor names.
    pub action: DriverAction,
    /// Its driver.
    pub driver: Arc<dyn Driver>,
    /// The cluster as the driver sees it.
    pub prober: Prober,
}

impl Keeper {
    /// The first service of the inventory whose descriptor has such a word.
    ///
    /// # Errors
    /// When no service `does` this, or a host can't be asked.
    pub async fn find(
        run: &mut Run,
        word: impl Fn(&Descriptor) -> Option<&DriverAction>,
        does: &str,
    ) -> Result<Self, Failure> {
        let facts = run.flow.facts().await?;
        Self::find_in(run, &facts, word, does)
    }

    /// The same, where not all hosts need be within reach.
    ///
    /// # Errors
    /// When no service `does` this.
    pub fn find_in(
        run: &Run,
        facts: &Facts,
        word: impl Fn(&Descriptor) -> Option<&DriverAction>,
        does: &str,
    ) -> Result<Self, Failure> {
        let prober = run.flow.prober(run.flow.view(facts));
        for service in run.flow.cluster.services.keys() {
            let folder = run.flow.catalogue.get(service);
            let action = folder.and_then(|f| word(&f.descriptor)).cloned();
            let driver = action
                .as_ref()
                .and_then(|a| run.flow.drivers.get(&a.driver))
                .cloned();
            if let (Some(action), Some(driver)) = (action, driver) {
                return Ok(Self {
                    service: service.clone(),
                    action,
                    driver,
                    prober,
                });
            }
        }
        let cause = format!("no service of this inventory {does}");
        Err(Failure::of(Kind::Usage, cause))
    }

    /// What the driver is asked with.
    pub fn call(&self) -> Call<'_> {
        self.prober.call(&self.action.action, &self.service, None)
    }
}
