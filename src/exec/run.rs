//! Runs the waves: each when what it waits for is done, each host as soon as it can.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::driver::{Call, Driver};
use crate::event::{EventKind, Outcome, Problem};
use crate::exec::pace::Pace;
use crate::exec::{Executor, Report, Undone};
use crate::id::{HostName, InstanceId};
use crate::plan::{Batch, Member, Plan, ResourceChange, Wave};

/// How often it is told how far a driver's change is.
const TELL: Duration = Duration::from_secs(5);

/// How a wave or a batch stands: none while it is not over, then whether it was done.
type State = watch::Receiver<Option<bool>>;

/// Both ends of a state.
type Ends = (watch::Sender<Option<bool>>, State);

/// The states of all waves and their batches.
pub(super) struct Board {
    waves: Vec<Ends>,
    /// A host may have several in one wave, each of another instance.
    batches: Vec<BTreeMap<(HostName, Option<InstanceId>), Ends>>,
    /// For each wave and host: whether its packages have left this machine.
    sent: Vec<BTreeMap<HostName, Ends>>,
    report: Mutex<Report>,
}

impl Board {
    fn new(plan: &Plan) -> Self {
        let state = || watch::channel(None);
        let batches = |wave: &Wave| wave.batches.iter().map(|b| (key(b), state())).collect();
        let sending = |wave: &Wave| {
            let batches = wave.batches.iter().filter(|b| b.has_packages());
            batches.map(|b| (b.host.clone(), state())).collect()
        };
        Self {
            waves: plan.waves.iter().map(|_| state()).collect(),
            batches: plan.waves.iter().map(batches).collect(),
            sent: plan.waves.iter().map(sending).collect(),
            report: Mutex::default(),
        }
    }

    /// Waits for waves; false if one of them was not done.
    async fn wait_waves(&self, waves: &[usize]) -> bool {
        for wave in waves {
            if !over(&self.waves[*wave].1).await {
                return false;
            }
        }
        true
    }

    /// Waits for the batches of waves on one host; false if one of them was not done.
    async fn wait_host(&self, waves: &[usize], host: &HostName) -> bool {
        for wave in waves {
            let here = self.batches[*wave].iter().filter(|((at, _), _)| at == host);
            for (_, (_, state)) in here {
                if !over(state).await {
                    return false;
                }
            }
        }
        true
    }

    /// Waits for the batches before this one that are on its host: they do not get in each other's way.
    async fn wait_turn(&self, wave: &Wave, index: usize, n: usize) {
        let host = &wave.batches[n].host;
        let earlier = wave.batches[..n].iter().filter(|batch| &batch.host == host);
        for batch in earlier {
            if let Some((_, state)) = self.batches[index].get(&key(batch)) {
                over(state).await;
            }
        }
    }

    /// Waits until the packages of earlier waves have gone to a host: they share its link, and those that
    /// are needed first go first.
    async fn wait_link(&self, wave: usize, host: &HostName) {
        if !self.sent[wave].contains_key(host) {
            return;
        }
        let earlier = self.sent[..wave].iter().filter_map(|hosts| hosts.get(host));
        for (_, state) in earlier {
            over(state).await;
        }
    }

    /// The packages of a wave have gone to a host.
    fn end_link(&self, wave: usize, host: &HostName) {
        if let Some((sender, _)) = self.sent[wave].get(host) {
            sender.send_replace(Some(true));
        }
    }

    pub(super) fn end_batch(&self, wave: usize, batch: &Batch, done: bool) {
        self.end_link(wave, &batch.host);
        if let Some((sender, _)) = self.batches[wave].get(&key(batch)) {
            sender.send_replace(Some(done));
        }
    }

    fn note(&self, note: impl FnOnce(&mut Report)) {
        note(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What tells a batch from the others of its wave.
fn key(batch: &Batch) -> (HostName, Option<InstanceId>) {
    (batch.host.clone(), batch.instance.clone())
}

async fn over(state: &State) -> bool {
    let mut state = state.clone();
    let over = state.wait_for(Option::is_some).await;
    over.is_ok_and(|done| *done == Some(true))
}

impl Executor {
    /// Does a plan, and tells what came of it. A failure on one host stops what depends on it, nothing else.
    pub async fn run(self: &Arc<Self>, plan: &Arc<Plan>) -> Report {
        let board = Arc::new(Board::new(plan));
        let mut tasks = JoinSet::new();
        for index in 0..plan.waves.len() {
            let (this, plan, board) = (Arc::clone(self), Arc::clone(plan), Arc::clone(&board));
            tasks.spawn(async move { this.wave(&plan, index, &board).await });
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                board.note(|r| {
                    r.general
                        .push(Problem::new(format!("a task ended badly: {error}")))
                });
            }
        }
        if let Some(fan) = &self.fan {
            fan.close().await;
        }
        let mut report = board
            .report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        report.interrupted = self.is_stopped();
        report
    }

    async fn wave(self: &Arc<Self>, plan: &Arc<Plan>, index: usize, board: &Arc<Board>) {
        let wave = &plan.waves[index];
        let outcome = if !board.wait_waves(&wave.after).await {
            Outcome::Skipped {
                reason: "what it needs was not done".to_owned(),
            }
        } else if self.is_stopped() {
            Outcome::Skipped {
                reason: "the run was interrupted".to_owned(),
            }
        } else {
            let needs = wave.after.iter().chain(&wave.after_on_host);
            self.events.emit(EventKind::WaveStarted {
                wave: wave.title.clone(),
                batches: wave.batches.len() + wave.resources.len(),
                needs: needs.map(|n| plan.waves[*n].title.clone()).collect(),
            });
            self.during(wave).wave_work(plan, index, board).await
        };
        for batch in &wave.batches {
            // What was not reached is over too; what was done keeps its own end.
            if board.batches[index]
                .get(&key(batch))
                .is_some_and(|(_, s)| s.borrow().is_none())
            {
                board.end_batch(index, batch, false);
            }
        }
        let done = matches!(outcome, Outcome::Changed | Outcome::Ok { .. });
        self.events.emit(EventKind::WaveFinished {
            wave: wave.title.clone(),
            outcome,
        });
        board.waves[index].0.send_replace(Some(done));
    }

    async fn wave_work(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        index: usize,
        board: &Arc<Board>,
    ) -> Outcome {
        let wave = &plan.waves[index];
        let mut problems = match wave.width {
            Some(_) => self.in_turns(plan, index, board).await,
            None => self.all_at_once(plan, index, board).await,
        };
        if problems == 0 {
            problems += self.resources(wave, board).await;
        }
        if problems > 0 && self.is_stopped() {
            let reason = "the run was interrupted before its end".to_owned();
            return Outcome::Skipped { reason };
        }
        if problems > 0 {
            return Outcome::Failed {
                error: Problem::new(format!("{problems} failed")),
            };
        }
        Outcome::Changed
    }

    /// Every host on its own, then the readiness of all.
    async fn all_at_once(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        index: usize,
        board: &Arc<Board>,
    ) -> usize {
        let mut tasks = JoinSet::new();
        for n in 0..plan.waves[index].batches.len() {
            let (this, plan, board) = (Arc::clone(self), Arc::clone(plan), Arc::clone(board));
            tasks.spawn(async move {
                let wave = &plan.waves[index];
                let batch = &wave.batches[n];
                board.wait_turn(wave, index, n).await;
                this.one(wave, index, batch, &board).await
            });
        }
        let all = tasks.join_all().await;
        let mut problems = all.iter().filter(|done| !**done).count();
        let mut tasks = JoinSet::new();
        for (n, done) in board_order(plan, index, board).into_iter().enumerate() {
            let (this, plan, board) = (Arc::clone(self), Arc::clone(plan), Arc::clone(board));
            if done {
                tasks.spawn(async move {
                    let wave = &plan.waves[index];
                    let batch = &wave.batches[n];
                    let ready = this.wait_ready(wave, batch).await;
                    this.conclude(batch, ready.map(|()| 0).map_err(Undone::from), &board)
                });
            }
        }
        problems += tasks
            .join_all()
            .await
            .iter()
            .filter(|ready| !**ready)
            .count();
        problems
    }

    /// One batch, once its host is free for it.
    pub(super) async fn one(
        &self,
        wave: &Wave,
        index: usize,
        batch: &Batch,
        board: &Board,
    ) -> bool {
        if !board.wait_host(&wave.after_on_host, &batch.host).await || self.is_stopped() {
            board.end_batch(index, batch, false);
            return false;
        }
        board.wait_link(index, &batch.host).await;
        let sent = || board.end_link(index, &batch.host);
        // No work of this host's, and it waits for others': not counted among the forks.
        if self.feed(batch).await {
            sent();
        }
        if self.is_stopped() {
            board.end_batch(index, batch, false);
            return false;
        }
        let result = match self.forks.acquire().await {
            Ok(_permit) => self.batch(wave, batch, &sent).await,
            Err(_) => Err(Problem::new("the run is over").into()),
        };
        let done = self.conclude(batch, result, board);
        if wave.width.is_none() {
            board.end_batch(index, batch, done);
        }
        done
    }

    pub(super) async fn wait_ready(&self, wave: &Wave, batch: &Batch) -> Result<(), Problem> {
        match self.member(batch) {
            // Nothing that can be asked tells that it has started.
            Some(member) if wave.ready.is_empty() && batch.starts() => {
                self.runs(wave, member).await
            }
            Some(member) => self.ready(wave, member).await,
            None => Ok(()),
        }
    }

    pub(super) fn member(&self, batch: &Batch) -> Option<&Member> {
        self.prober.view.member(batch.instance.as_ref()?)
    }

    pub(super) fn conclude(
        &self,
        batch: &Batch,
        result: Result<usize, Undone>,
        board: &Board,
    ) -> bool {
        let host = batch.host.clone();
        match result {
            Ok(changed) => {
                board.note(|r| *r.changed.entry(host).or_default() += changed);
                true
            }
            Err(undone) => {
                if let Some(fan) = &self.fan {
                    fan.out(&host);
                }
                board.note(|r| {
                    r.lost.extend(undone.out_of_reach.then(|| host.clone()));
                    r.failed.entry(host).or_default().push(undone.problem);
                });
                false
            }
        }
    }

    /// The changes that drivers make, one after another.
    async fn resources(&self, wave: &Wave, board: &Board) -> usize {
        let mut problems = 0;
        for change in &wave.resources {
            // What members hold moves for hours, in many steps: each is a good place to end.
            if wave.role.is_some() && self.is_stopped() {
                return problems + 1;
            }
            let result = match self.prober.drivers.get(&change.action.driver) {
                Some(driver) => {
                    let call = self
                        .prober
                        .call(&change.action.action, &change.service, None);
                    self.told(wave, change, driver.as_ref(), call).await
                }
                None => Err(Problem::new(format!(
                    "there is no driver `{}`",
                    change.action.driver
                ))),
            };
            let outcome = match result {
                Ok(()) => Outcome::Changed,
                Err(error) => {
                    problems += 1;
                    board.note(|r| r.general.push(error.clone()));
                    Outcome::Failed { error }
                }
            };
            let (who, what) = (change.service.to_string(), change.text.clone());
            self.events.emit(EventKind::Checked { who, what, outcome });
            // What comes next counts on it.
            if problems > 0 && wave.role.is_some() {
                break;
            }
        }
        problems
    }

    /// Makes a driver's change, and tells now and then how far it is. What goes on by itself is not waited for once the
    /// run is to end.
    async fn told(
        &self,
        wave: &Wave,
        change: &ResourceChange,
        driver: &dyn Driver,
        call: Call<'_>,
    ) -> Result<(), Problem> {
        let mut work = driver.change(call, change);
        let mut pace = Pace::new();
        loop {
            let how = async {
                tokio::time::sleep(TELL).await;
                driver.progress(call, change).await
            };
            let how = tokio::select! {
                done = &mut work => return done,
                how = how => how,
            };
            if let Some(how) = how {
                if self.is_stopped() {
                    return Err(left_going());
                }
                let (wave, who) = (wave.title.clone(), change.service.to_string());
                if let Some(Problem { cause, help, .. }) = pace.slow(&how) {
                    self.events.emit(EventKind::Warning { text: cause, help });
                }
                let why = how.text;
                self.events.emit(EventKind::Waiting { wave, who, why });
            }
        }
    }
}

/// What is said of a change that is no longer waited for.
fn left_going() -> Problem {
    Problem::new("what has begun to move goes on, and is not waited for").help(
        "the same command again waits for it and takes the limits of speed off; `sdtd rebalance --cancel` calls it off",
    )
}

/// Which batches of a wave were done, in their order.
fn board_order(plan: &Plan, index: usize, board: &Board) -> Vec<bool> {
    let done = |batch: &Batch| {
        let state = board.batches[index].get(&key(batch));
        state.is_some_and(|(_, state)| *state.borrow() == Some(true))
    };
    plan.waves[index].batches.iter().map(done).collect()
}
