//! Members with a vote in a list that their service keeps: each gets it once it follows the others, and gives it
//! up before it goes.

use super::{Kind, Waves};
use crate::catalogue::Role;
use crate::catalogue::descriptor::Votes;
use crate::id::InstanceId;
use crate::plan::model::{Batch, ResourceChange, RoleRef, Wave};

impl Waves<'_> {
    /// How members of a role get their votes; none where nobody votes, or the list is fixed.
    fn votes<'w>(&self, role: &RoleRef, words: &'w Role) -> Option<&'w Votes> {
        let fixed = self.moves_of.get(role).is_some_and(|moves| moves.fixed);
        words.votes.as_ref().filter(|_| !fixed)
    }

    /// Whether an instance is changed in this stage: where one joins a list that the service keeps, the others
    /// hear of it once all are in.
    pub(super) fn is_touched(&self, words: &Role, id: &InstanceId) -> bool {
        let joins = self.stage.placement.joining.contains(id);
        self.stage.only.is_none() || words.voting().is_none() || joins
    }

    /// One that joins is ready as soon as it follows: it has no vote yet.
    pub(super) fn voters_join(&self, words: &Role, by_kind: &mut [(Kind, Batch)]) {
        if self.stage.only.is_none() || words.voting().is_none() {
            return;
        }
        for (kind, batch) in by_kind {
            *kind = Kind::Join;
            batch.because = vec!["it joins the others".to_owned()];
        }
    }

    /// A wave in which members that have no vote are started, so that they get one.
    pub(super) fn with_votes(
        &self,
        (role, words): (&RoleRef, &Role),
        kind: Kind,
        wave: Wave,
    ) -> Wave {
        let Some(votes) = self.votes(role, words) else {
            return wave;
        };
        let joins: Vec<&InstanceId> = match kind {
            Kind::Join if words.voting().is_some() && self.stage.only.as_ref() == Some(role) => {
                let joining = self.stage.placement.joining.iter();
                joining.filter(|id| role.is_of(id)).collect()
            }
            Kind::Anew => {
                let ids = wave.batches.iter();
                ids.filter_map(|batch| batch.instance.as_ref()).collect()
            }
            _ => return wave,
        };
        let gets = |id: &InstanceId| ResourceChange::vote(votes, id, true);
        Wave {
            resources: joins.into_iter().map(gets).collect(),
            ready: votes.joined.clone(),
            before: match kind {
                Kind::Anew => wave.before.clone(),
                _ => Vec::new(),
            },
            width: wave.width.filter(|_| kind == Kind::Anew),
            ..wave
        }
    }

    /// What an empty member would vote for is not to be counted any more before it starts.
    pub(super) fn lost_votes(&mut self, role: &RoleRef, words: &Role) {
        let lost = self.anew.iter().filter(|_| self.stage.only.is_none());
        let lost = lost.filter(|id| role.is_of(id));
        let lost: Vec<InstanceId> = lost.cloned().collect();
        self.take_votes((role, words), &lost);
    }

    /// Votes that members were to have by now: a run that was cut off left them without.
    pub(super) fn missing_votes(&mut self, role: &RoleRef) {
        let moves = self.moves_of.get(role);
        let missing = moves.filter(|_| self.stage.only.is_none());
        let wave = Wave {
            title: format!("give {role} votes"),
            role: Some(role.clone()),
            after: self.of_service.values().flatten().copied().collect(),
            resources: missing.map(|m| m.votes.clone()).unwrap_or_default(),
            ..Wave::default()
        };
        self.push_role(role, wave, None);
    }

    /// Members give their votes up, one after another.
    pub(super) fn take_votes(&mut self, (role, words): (&RoleRef, &Role), of: &[InstanceId]) {
        let Some(votes) = self.votes(role, words) else {
            return;
        };
        let gives = |id: &InstanceId| ResourceChange::vote(votes, id, false);
        let wave = Wave {
            title: format!("take votes of {role}"),
            role: Some(role.clone()),
            after: self.of_service.values().flatten().copied().collect(),
            resources: of.iter().map(gives).collect(),
            ..Wave::default()
        };
        self.push_role(role, wave, None);
    }
}
