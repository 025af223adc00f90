//! Whether the members of a role agree on one leader, all of them following and in sync.

use crate::catalogue::descriptor::Quorum;
use crate::driver::Answer;
use crate::plan::Member;
use crate::verify::Prober;

impl Prober {
    fn quorum_of(&self, member: &Member) -> Option<&Quorum> {
        self.view
            .role(&member.id)
            .and_then(|role| role.quorum.as_ref())
    }

    /// Whether the quorum that a member belongs to is whole.
    pub(super) async fn quorum_whole(&self, member: &Member) -> Answer {
        let Some(quorum) = self.quorum_of(member) else {
            return Answer::Broken(format!("{} has no quorum", member.id));
        };
        let members: Vec<&Member> = self.view.peers(member).collect();
        let mut leader = None;
        for one in &members {
            let answer = Box::pin(self.ask(&quorum.mode, one)).await;
            let mode = answer.value().unwrap_or_default();
            if members.len() == 1 && quorum.alone.as_deref() == Some(mode) {
                return Answer::Yes(Some("one member".to_owned()));
            }
            if mode == quorum.leader {
                if let Some(other) = leader.replace(*one) {
                    return Answer::NotYet(format!("{} and {} both lead", other.id, one.id));
                }
            } else if mode != quorum.follower {
                let why = answer
                    .why()
                    .map_or_else(|| format!("is `{mode}`"), str::to_owned);
                return Answer::NotYet(format!("{}: {why}", one.id));
            }
        }
        let Some(leader) = leader else {
            return Answer::NotYet("no member leads".to_owned());
        };
        let followers = members.len() - 1;
        if let Some(probe) = &quorum.synced {
            let answer = Box::pin(self.ask(probe, leader)).await;
            let synced = answer
                .value()
                .and_then(|n| n.parse::<usize>().ok())
                .unwrap_or(0);
            if synced != followers {
                return Answer::NotYet(format!(
                    "{synced} of {followers} followers of {} are in sync",
                    leader.id
                ));
            }
        }
        Answer::Yes(Some(format!(
            "{} leads, {followers} follow in sync",
            leader.id
        )))
    }

    /// Whether a member leads its quorum.
    pub(super) async fn quorum_leader(&self, member: &Member) -> Answer {
        let Some(quorum) = self.quorum_of(member) else {
            return Answer::Broken(format!("{} has no quorum", member.id));
        };
        let answer = Box::pin(self.ask(&quorum.mode, member)).await;
        match answer.value() {
            Some(mode) if mode == quorum.leader => answer,
            Some(mode) => Answer::NotYet(format!("it is `{mode}`")),
            None => answer,
        }
    }
}
