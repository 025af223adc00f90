//! What instances that run take without a restart: asked of all of them at once.

use futures_util::future::join_all;

use super::{Facts, Flow, plan_failure};
use crate::catalogue::descriptor::DriverAction;
use crate::error::Failure;
use crate::plan::live::{Live, LiveOf, asked};
use crate::plan::packages::Packages;

impl Flow {
    /// How those that run differ from what they should, where they may.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub async fn live(&self, facts: &Facts) -> Result<LiveOf, Failure> {
        let none = Packages::new();
        let asked = asked(self.input(facts, &none, &[])).map_err(plan_failure)?;
        if asked.is_empty() {
            return Ok(LiveOf::new());
        }
        let prober = &self.prober(self.view(facts));
        let one = |(action, live): (DriverAction, Live)| async move {
            let driver = prober.drivers.get(&action.driver)?;
            let member = prober.view.member(&live.member)?;
            let call = prober.call(&action.action, &live.member.service, Some(member));
            Some((live.member.clone(), driver.live(call, &live).await?))
        };
        let found = join_all(asked.into_iter().map(one)).await;
        Ok(found.into_iter().flatten().collect())
    }
}
