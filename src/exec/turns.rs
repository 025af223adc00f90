//! Goes through a wave's batches in turns: whose turn it is, and what must hold before and after.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::ready::{PAUSE, Patience};
use super::run::Board;
use crate::catalogue::Probe;
use crate::catalogue::descriptor::Mending;
use crate::exec::{Executor, Undone};
use crate::plan::{Batch, Member, Plan, Wave};

/// Who serves nobody for so long does not just pause: it is changed before the others.
const SILENT: Duration = Duration::from_secs(20);

/// Members that run and serve nobody.
struct Down<'a> {
    batches: Vec<&'a Batch>,
    /// What must hold before each of them.
    before: &'a [Probe],
}

/// A wave that is gone through.
#[derive(Clone, Copy)]
struct Round<'a> {
    wave: &'a Wave,
    index: usize,
    board: &'a Board,
}

impl Executor {
    /// One after another (or a few at a time), each behind the gate and each ready before the next. Those that
    /// serve nobody come first, together: they may need each other to be ready.
    pub(super) async fn in_turns(&self, plan: &Plan, index: usize, board: &Board) -> usize {
        let _only_roll = self.rolls.lock().await;
        let wave = &plan.waves[index];
        let round = Round { wave, index, board };
        let mut left: Vec<&Batch> = wave.batches.iter().collect();
        while !left.is_empty() && !self.is_stopped() {
            let (taken, failed) = match self.down(wave, &left).await {
                Some(down) => (down.batches.clone(), self.mend(round, &down).await),
                None if self.is_stopped() => return 1,
                None => self.turn(round, &left).await,
            };
            if failed > 0 {
                return failed;
            }
            left.retain(|batch| !taken.iter().any(|taken| std::ptr::eq(*taken, *batch)));
        }
        usize::from(!left.is_empty())
    }

    /// Changes those that serve nobody, each behind its gate, then waits until all of them are ready.
    async fn mend(&self, round: Round<'_>, down: &Down<'_>) -> usize {
        let mut begun = Vec::new();
        let mut failed = 0;
        for batch in &down.batches {
            match self.begun(round, batch, down.before).await {
                true => begun.push(*batch),
                false => {
                    failed += 1;
                    break;
                }
            }
        }
        failed + self.end(round, &begun).await
    }

    /// Whose turn it is, and with whom; done, and waited for. Answers who it was, and how many failed.
    async fn turn<'a>(&self, round: Round<'_>, left: &[&'a Batch]) -> (Vec<&'a Batch>, usize) {
        let wave = round.wave;
        let next = self.first(wave, left).await;
        let Some(first) = left.get(next).copied() else {
            return (Vec::new(), 1);
        };
        if let Some(member) = self.member(first) {
            if !self.is_due(wave, member).await {
                let done = self.conclude(first, Ok(0), round.board);
                round.board.end_batch(round.index, first, done);
                return (vec![first], 0);
            }
            if let Err(problem) = self.gate(wave, &wave.before, member).await {
                self.conclude(first, Err(problem.into()), round.board);
                round.board.end_batch(round.index, first, false);
                return (vec![first], 1);
            }
        }
        let turn = self.along(wave, first, left).await;
        let all = turn.iter().map(|batch| self.begun(round, batch, &[]));
        let done = join_all(all).await;
        let begun = turn.iter().zip(&done).filter(|(_, done)| **done);
        let begun: Vec<&Batch> = begun.map(|(batch, _)| *batch).collect();
        let failed = turn.len() - begun.len();
        let failed = failed + self.end(round, &begun).await;
        (turn, failed)
    }

    /// Who may be stopped along with the first, whose gate is open: as many as the wave is wide, none that has to
    /// go last, and only such as leave enough together.
    async fn along<'a>(&self, wave: &Wave, first: &'a Batch, left: &[&'a Batch]) -> Vec<&'a Batch> {
        let mut turn = vec![first];
        let width = usize::from(wave.width.unwrap_or(1));
        let mut members: Vec<&Member> = self.member(first).into_iter().collect();
        if width < 2 || self.goes_last(wave, first).await {
            return turn;
        }
        for batch in left.iter().filter(|batch| !std::ptr::eq(**batch, first)) {
            let Some(member) = self.member(batch) else {
                continue;
            };
            if turn.len() >= width {
                break;
            }
            // Those of one host share its files.
            if turn.iter().any(|other| other.host == batch.host) {
                continue;
            }
            if self.goes_last(wave, batch).await || !self.all(&wave.before, member).await.is_yes() {
                continue;
            }
            let together = match &wave.together {
                Some(probe) => self
                    .prober
                    .ask_beside(probe, member, &members)
                    .await
                    .is_yes(),
                None => true,
            };
            if together {
                turn.push(batch);
                members.push(member);
            }
        }
        turn
    }

    /// Does a batch once this holds; whether it was done.
    async fn begun(&self, round: Round<'_>, batch: &Batch, before: &[Probe]) -> bool {
        let gate = match self.member(batch) {
            Some(member) if !before.is_empty() => self.gate(round.wave, before, member).await,
            _ => Ok(()),
        };
        let done = match gate {
            Ok(()) => self.one(round.wave, round.index, batch, round.board).await,
            Err(problem) => self.conclude(batch, Err(problem.into()), round.board),
        };
        if !done {
            round.board.end_batch(round.index, batch, false);
        }
        done
    }

    /// Waits until those that were begun are ready; how many are not.
    async fn end(&self, round: Round<'_>, begun: &[&Batch]) -> usize {
        let ready = begun.iter().map(|batch| self.wait_ready(round.wave, batch));
        let mut failed = 0;
        for (batch, ready) in begun.iter().zip(join_all(ready).await) {
            let ready = ready.map(|()| 0).map_err(Undone::from);
            let done = self.conclude(batch, ready, round.board);
            round.board.end_batch(round.index, batch, done);
            failed += usize::from(!done);
        }
        failed
    }

    /// Whether a batch is to be done at all, now that its turn has come.
    async fn is_due(&self, wave: &Wave, member: &Member) -> bool {
        match &wave.provided {
            Some(probe) => self.prober.ask(probe, member).await.is_yes(),
            None => true,
        }
    }

    /// The first whose instance does not have to go last.
    async fn first(&self, wave: &Wave, left: &[&Batch]) -> usize {
        if left.len() == 1 {
            return 0;
        }
        for (n, batch) in left.iter().enumerate() {
            if !self.goes_last(wave, batch).await {
                return n;
            }
        }
        0
    }

    async fn goes_last(&self, wave: &Wave, batch: &Batch) -> bool {
        match (&wave.last, self.member(batch)) {
            (Some(last), Some(member)) => self.prober.ask(last, member).await.is_yes(),
            _ => false,
        }
    }

    /// Those that run and serve nobody though they had time to start, once that has lasted. Where no member of the
    /// role serves, there is nobody that a gate could protect.
    async fn down<'a>(&self, wave: &'a Wave, left: &[&'a Batch]) -> Option<Down<'a>> {
        let mend = wave.mend.as_ref()?;
        let mut patience = Patience::new(wave.within);
        let (since, mut all) = (Instant::now(), true);
        loop {
            let silent = self.silent(mend, left, &mut all).await;
            let (_, member, why) = silent.first()?;
            if since.elapsed() >= SILENT {
                let mut batches = Vec::new();
                for (batch, member, _) in &silent {
                    batches.extend(self.had_time(member).await.then_some(*batch));
                }
                if !batches.is_empty() {
                    let before = if all { &[][..] } else { &mend.before };
                    return Some(Down { batches, before });
                }
            }
            if patience.is_over() || self.is_stopped() {
                return None;
            }
            self.tell_waiting(&mut patience, wave, member, why);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Those of the batches whose members serve nobody now, and why; `all` stays if no member of the role does.
    async fn silent<'a, 'b>(
        &'b self,
        mend: &Mending,
        left: &[&'a Batch],
        all: &mut bool,
    ) -> Vec<(&'a Batch, &'b Member, String)> {
        let Some(first) = left.first().and_then(|batch| self.member(batch)) else {
            return Vec::new();
        };
        let peers: Vec<&Member> = self.prober.view.peers(first).collect();
        let asked = peers.iter().map(|peer| self.all(&mend.serves, peer));
        let answers = join_all(asked).await;
        *all &= answers.iter().all(|answer| !answer.is_yes());
        let silent = peers
            .into_iter()
            .zip(&answers)
            .filter_map(|(peer, answer)| {
                let batch = left.iter().find(|b| b.instance.as_ref() == Some(&peer.id));
                Some((*batch?, peer, answer.why()?.to_owned()))
            });
        silent.collect()
    }

    /// Whether an instance runs for longer than it may take to become ready, or dies again and again.
    async fn had_time(&self, member: &Member) -> bool {
        let Some(unit) = self.unit_now(member).await else {
            return false;
        };
        let within = self.prober.view.role(&member.id);
        let within = within.map_or(0, |role| role.ready_within);
        !unit.active || unit.is_failing() || unit.uptime_s.is_none_or(|up| up >= within)
    }
}
