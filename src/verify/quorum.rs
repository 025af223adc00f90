//! Whether the members of a role agree on one leader, all of them following and in sync.

use futures_util::future::join_all;

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

    /// Whether the quorum that a member belongs to is whole, as far as it is within reach: those that are
    /// must be a majority.
    pub(super) async fn quorum_whole(&self, member: &Member) -> Answer {
        let Some(quorum) = self.quorum_of(member) else {
            return Answer::Broken(format!("{} has no quorum", member.id));
        };
        let all = self.view.peers(member);
        let (members, absent): (Vec<&Member>, Vec<&Member>) =
            all.partition(|m| self.view.reaches(m));
        if members.len() <= absent.len() {
            return Answer::Broken("no majority is within reach".to_owned());
        }
        self.agree(quorum, &members, &[0]).await
    }

    /// Whether the other members are a majority, and whole by themselves.
    pub(super) async fn quorum_of_others(&self, member: &Member) -> Answer {
        let Some(quorum) = self.quorum_of(member) else {
            return Answer::Broken(format!("{} has no quorum", member.id));
        };
        let all = self.view.peers(member);
        let (own, others): (Vec<&Member>, Vec<&Member>) = all.partition(|m| m.id == member.id);
        if others.len() <= (others.len() + own.len()) / 2 {
            return Answer::Broken("the others are no majority".to_owned());
        }
        // Their leader counts it too, as long as it follows; one that does not say so may follow or not.
        let mode = Box::pin(self.ask(&quorum.mode, member)).await;
        let more: &[usize] = match mode.value() {
            Some(mode) if mode == quorum.follower => &[1],
            Some(_) => &[0],
            None => &[0, 1],
        };
        self.agree(quorum, &others, more).await
    }

    /// Whether these members have one leader among them, and all others follow it in sync, and one of these
    /// numbers more.
    async fn agree(&self, quorum: &Quorum, members: &[&Member], more: &[usize]) -> Answer {
        let modes = members
            .iter()
            .map(|one| Box::pin(self.ask(&quorum.mode, one)));
        let mut leader = None;
        for (one, answer) in members.iter().zip(join_all(modes).await) {
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
        let followers = members.len() - 1 + more.first().copied().unwrap_or(0);
        if let Some(probe) = &quorum.synced {
            let answer = Box::pin(self.ask(probe, leader)).await;
            let synced = answer
                .value()
                .and_then(|n| n.parse::<usize>().ok())
                .unwrap_or(0);
            if !more.iter().any(|more| synced == members.len() - 1 + more) {
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
