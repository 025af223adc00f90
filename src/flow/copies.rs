//! Topics of few copies where members join: they could have more now, and nobody said that they shall.

use super::moves::{COPIES, Changing};
use super::{Facts, Flow};
use crate::driver::TopicInfo;
use crate::event::Problem;
use crate::plan::place::Placement;
use crate::words::first;

/// How many topics are named.
const NAMED: usize = 10;

impl Flow {
    /// What is told of topics that the inventory does not name and that have fewer copies than there is room for.
    pub(super) async fn told_few_copies(
        &self,
        facts: &Facts,
        placement: &Placement,
    ) -> Vec<Problem> {
        let mut told = Vec::new();
        if self.copies.is_some() || placement.joining.is_empty() && !self.rebalance {
            return told;
        }
        let view = self.view(facts);
        for role in view.roles.iter().map(|role| &role.role) {
            let words = self.catalogue.role(&role.service, &role.role);
            let action = words.and_then(|words| words.scale.as_ref()?.moves.as_ref());
            let driver = action.and_then(|action| self.drivers.get(&action.driver));
            let joins = !Changing::of(role, placement).joining.is_empty();
            let (Some(action), Some(driver), true) = (action, driver, joins || self.rebalance)
            else {
                continue;
            };
            let most = view.of_role(role).count().min(COPIES);
            let prober = self.prober(view.clone());
            let call = prober.call(&action.action, &role.service, None);
            // That none answers is told by whoever must know.
            let topics = driver.topics(call).await.unwrap_or_default();
            let named = |topic: &TopicInfo| self.cluster.topics.contains_key(&topic.name);
            let few = topics
                .iter()
                .filter(|t| !t.internal && t.replication < most && !named(t));
            told.extend(few_copies(&few.collect::<Vec<_>>(), most));
        }
        told
    }
}

fn few_copies(few: &[&TopicInfo], most: usize) -> Option<Problem> {
    let one = |topic: &&TopicInfo| format!("{} ({})", topic.name, topic.replication);
    let named = first(few.iter().map(one), NAMED, ", ");
    let text = format!("these topics have fewer than {most} copies: {named}");
    let help = format!(
        "`--copies {most}` gives each topic so many that the inventory does not name; or name them below `topics:`"
    );
    (!few.is_empty()).then(|| Problem::new(text).help(help))
}
