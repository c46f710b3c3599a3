//! A shard that this broker leads: the machine, who waits for its answers, and the log it writes.

use std::collections::BTreeMap;
use std::time::Duration;

use coordinator::{Decision, Ground, Shard, Token, Written};
use partition::Verification;
use protocol::id::{LeaderEpoch, Timestamp, TopicId};
use protocol::offset::Offset;
use protocol::records::compression::Compression;
use storage::Fault;
use tokio::sync::oneshot;

use super::progress::Progress;
use super::shard_log::{Answered, Batch, Marker, MarkerInLog, Writer, Writes};
use super::sync::{self, Arc, AtomicBool, AtomicI64, Mutex, MutexGuard, Ordering, PoisonError, TryLockError};
use super::{CoordinatorError, Figures};

/// What a request that waits for others is told in the end.
pub type Told<S> = Answered<S, <S as Shard>::Answer>;

/// What a decision comes to: the reply, unless who asked waits, and what others are told.
pub type Taken<S, R> = Answered<S, (Option<R>, Due<S>)>;

/// Answers that may be given once everything before `end` is committed.
pub struct Due<S: Shard> {
    pub end: Offset,
    answers: Vec<(oneshot::Sender<Told<S>>, S::Answer)>,
}

impl<S: Shard> Due<S> {
    /// Gives the answers. Who has gone away meanwhile is not told.
    pub fn tell(self, outcome: Result<(), String>) {
        for (waiting, answer) in self.answers {
            let told = match &outcome {
                Ok(()) => Ok(answer),
                Err(why) => Err(CoordinatorError::NotAvailable(why.clone())),
            };
            let _gone = waiting.send(told);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

/// Who has a shard decide.
#[derive(Clone, Copy)]
pub enum Asked {
    /// A request, and what is known of its transaction.
    By(Verification),
    /// Nobody: time has passed.
    ByNobody,
}

/// What was seen of a shard, and the end of what it rests on.
type Seen<S, R> = Answered<S, (R, Offset)>;

/// What a decision rests on, how its records are compressed, and who asked.
type How<'h, S> = (&'h Ground<'h, <S as Shard>::Config>, Compression, Asked);

/// The shard of one partition.
pub struct Led<S: Shard, L: Writes<S>> {
    pub replica: Arc<L>,
    pub leader_epoch: LeaderEpoch,
    pub progress: Arc<Progress>,
    /// When the shard has to be woken; the largest number for never.
    wake_at: AtomicI64,
    /// It is not woken before, whatever it says: its log has refused what it made when it was woken last.
    not_before: AtomicI64,
    /// Whether somebody is about to wake it.
    pub waking: AtomicBool,
    /// Topics that were deleted and of which it has still to forget what it keeps.
    pub deleted: Mutex<Vec<(Arc<str>, TopicId)>>,
    /// Whether it is to let everything go, or has.
    ended: AtomicBool,
    /// How often it was loaded anew in this reign because a thread had panicked with it.
    pub reloads: u32,
    figures: Arc<Figures>,
    state: Mutex<State<S, L>>,
}

struct State<S: Shard, L: Writes<S>> {
    shard: S,
    /// The end of what the shard has seen of its log.
    end: Offset,
    waiting: BTreeMap<Token, oneshot::Sender<Told<S>>>,
    memory: L::Memory,
    gone: bool,
}

/// What a request brings along.
pub struct Turn<'a, S: Shard> {
    pub ground: Ground<'a, S::Config>,
    pub compression: Compression,
    pub asked: Asked,
    pub waiting: Option<oneshot::Sender<Told<S>>>,
}

impl<S: Shard, L: Writes<S>> Led<S, L> {
    pub fn new(
        replica: Arc<L>,
        (leader_epoch, reloads): (LeaderEpoch, u32),
        (shard, end): (S, Offset),
        (progress, figures): (Arc<Progress>, Arc<Figures>),
    ) -> Self {
        let wake_at = AtomicI64::new(shard.wake_at().map_or(i64::MAX, |at| at.0));
        let state = State { shard, end, waiting: BTreeMap::new(), memory: L::Memory::default(), gone: false };
        Self {
            replica,
            leader_epoch,
            progress,
            wake_at,
            not_before: AtomicI64::new(i64::MIN),
            waking: AtomicBool::new(false),
            deleted: Mutex::default(),
            ended: AtomicBool::new(false),
            reloads,
            figures,
            state: Mutex::new(state),
        }
    }

    /// When somebody has to be found who wakes the shard; the largest number for never.
    pub fn due_at(&self) -> i64 {
        if self.waking.load(Ordering::SeqCst) {
            return i64::MAX;
        }
        self.wake_at.load(Ordering::SeqCst).max(self.not_before.load(Ordering::SeqCst))
    }

    /// Whether the shard has something to do by now, whoever wakes it.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.wake_at.load(Ordering::SeqCst) <= now.0
    }

    /// Has it woken at this time at the earliest.
    pub fn put_off(&self, until: i64) {
        self.not_before.store(until, Ordering::SeqCst);
    }

    /// Has it woken at this time if it was put off for longer.
    pub fn put_off_at_most(&self, until: i64) {
        self.not_before.fetch_min(until, Ordering::SeqCst);
    }

    /// Decides, and makes it so.
    pub fn take<'r, R>(
        &self,
        turn: Turn<'_, S>,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal>,
    ) -> Taken<S, R> {
        self.with_or_free(|state, touching| {
            let decision = decide(&state.shard, &turn.ground).map_err(CoordinatorError::Refused)?;
            let waits = decision.reply.is_none();
            let how = (&turn.ground, turn.compression, turn.asked);
            let done = self.carry_out(state, touching, how, decision)?;
            if let (true, Some(waiting)) = (waits, turn.waiting) {
                state.waiting.insert(turn.ground.token, waiting);
            }
            Ok(done)
        })
    }

    /// Decides what writes nothing and tells nobody else, and makes it so; what it says. `None`, and nothing is changed, where
    /// somebody has the shard, the decision is another one, or what it rests on is not committed yet.
    pub fn take_at_once<'r, R>(
        &self,
        ground: &Ground<'_, S::Config>,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal>,
    ) -> Option<Answered<S, R>> {
        let mut state = self.safe_at_once()?;
        Some(match decide(&state.shard, ground) {
            Ok(decision) => {
                let is_silent = decision.records.is_empty() && decision.answers.is_empty();
                let reply = decision.reply.filter(|_| is_silent)?;
                for transition in decision.transitions {
                    state.shard.transit(transition);
                }
                self.note_wake(&state);
                Ok(reply)
            }
            Err(refusal) => Err(CoordinatorError::Refused(refusal)),
        })
    }

    /// Has the shard hear of somebody, for whom nothing is written and by whom nothing is due any sooner; what it says. `None`,
    /// and nothing is changed, where somebody has the shard, it has to decide about it, or what it rests on is not committed yet.
    pub fn hear_at_once<R>(
        &self,
        hear: impl FnOnce(&mut S) -> Option<Result<R, S::Refusal>>,
    ) -> Option<Answered<S, R>> {
        let told = hear(&mut self.safe_at_once()?.shard)?;
        Some(told.map_err(CoordinatorError::Refused))
    }

    /// The shard, if nobody has it and all it has seen is committed.
    fn safe_at_once(&self) -> Option<MutexGuard<'_, State<S, L>>> {
        let state = self.state.try_lock().ok()?;
        (!state.gone && self.progress.is_safe(state.end)).then_some(state)
    }

    /// Does the next thing that is due; `None` once nothing is.
    pub fn wake(
        &self,
        ground: &Ground<'_, S::Config>,
        compression: Compression,
    ) -> Result<Option<Due<S>>, CoordinatorError<S::Refusal>> {
        self.with(|state, touching| match state.shard.wake(ground) {
            Some(mut decision) => {
                let unwritten = std::mem::take(&mut decision.unwritten);
                let how = (ground, compression, Asked::ByNobody);
                match self.carry_out(state, Some(touching), how, decision) {
                    // It would be too large the next time, too, and others are due behind it.
                    Err(error @ CoordinatorError::TooLarge(_)) if !unwritten.is_empty() => {
                        self.replica.puts_off(&error);
                        unwritten.into_iter().for_each(|transition| state.shard.transit(transition));
                        self.note_wake(state);
                        Ok(Some(Due { end: state.end, answers: Vec::new() }))
                    }
                    done => done.map(|(_, due)| Some(due)),
                }
            }
            None => {
                self.note_wake(state);
                Ok(None)
            }
        })
    }

    /// Looks at the shard.
    pub fn look<R>(&self, look: impl FnOnce(&S) -> R) -> Seen<S, R> {
        self.with_or_free(|state, _| Ok((look(&state.shard), state.end)))
    }

    /// Looks at the shard, unless somebody has it at this moment, who may be waiting for the disk, or it has gone.
    pub fn glance<R>(&self, look: impl FnOnce(&S) -> R) -> Option<R> {
        let state = self.state.try_lock().ok().filter(|state| !state.gone)?;
        Some(look(&state.shard))
    }

    /// Ends a transaction in this log: appends the marker and takes its meaning.
    pub fn end_transaction(&self, marker: Marker, now: Timestamp) -> Answered<S, MarkerInLog> {
        self.with(|state, here| {
            let when = (self.leader_epoch, now);
            let offset = self.replica.append_marker(here, &mut state.memory, marker, when)?;
            state.shard.replay_end(offset, marker.producer.0, marker.end.committed);
            state.end = offset.plus(1);
            self.note_wake(state);
            let told = self.progress.appended(&self.replica, state.end);
            told.map_err(unavailable::<S>)?;
            Ok(MarkerInLog::new(self.progress.clone(), state.end))
        })
    }

    /// Lets everything go; who waits is told.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.gone = true;
        let waiting = std::mem::take(&mut state.waiting);
        state.shard = S::default();
        drop(state);
        self.wake_at.store(i64::MAX, Ordering::SeqCst);
        for waiting in waiting.into_values() {
            let _gone = waiting.send(Err(CoordinatorError::NotCoordinator));
        }
    }

    /// Waits until what was decided is committed. The answers to others are given even if who asked gives up. Where the log
    /// did not come to stable storage and nobody is at it, `again` is told up to where it has to.
    pub async fn committed(
        self: &Arc<Self>,
        due: Due<S>,
        most: impl Fn() -> Duration,
        again: impl FnOnce(Offset) + Send,
    ) -> Answered<S, ()> {
        let end = due.end;
        self.tell(due, &most);
        self.safe(end, most, again).await
    }

    /// As [`Self::committed`], of what was only looked at.
    pub async fn safe(
        &self,
        end: Offset,
        most: impl Fn() -> Duration,
        again: impl FnOnce(Offset) + Send,
    ) -> Answered<S, ()> {
        if self.progress.is_safe(end) {
            return Ok(());
        }
        // Apart: nearly nobody waits on one node, and each request would take the room for it.
        let waits = Box::pin(self.progress.wait_or_try(end, most(), again));
        waits.await.map_err(CoordinatorError::NotAvailable)
    }

    /// Gives the answers to others, once what was decided is committed.
    pub fn tell(self: &Arc<Self>, due: Due<S>, most: impl Fn() -> Duration) {
        if due.is_empty() {
            return;
        }
        if self.progress.is_safe(due.end) {
            due.tell(Ok(()));
            return;
        }
        let (progress, most) = (self.progress.clone(), most());
        let telling = async move {
            let outcome = progress.wait(due.end, most).await;
            due.tell(outcome);
        };
        drop(self.progress.tasks().spawn(telling));
    }

    /// Makes a decision so. Who is not at the directory yet comes to it where there is something to write.
    fn carry_out<R>(
        &self,
        state: &mut State<S, L>,
        touching: Option<&L::Here<'_>>,
        how: How<'_, S>,
        decision: Decision<'_, S, R>,
    ) -> Taken<S, R> {
        let Decision { records, divisible, transaction, transitions, reply, answers, .. } = decision;
        if !records.is_empty() {
            let batch = (&records[..], divisible, transaction);
            self.at_directory(touching, |touching| self.write(state, touching, how, batch))?;
        }
        for transition in transitions {
            state.shard.transit(transition);
        }
        self.note_wake(state);
        let answers = answers
            .into_iter()
            .filter_map(|(token, answer)| Some((state.waiting.remove(&token)?, answer)))
            .collect();
        let due = Due { end: state.end, answers };
        if !records.is_empty()
            && let Err(fault) =
                self.at_directory(touching, |_| self.progress.appended(&self.replica, due.end))
        {
            // They are waited for no more: nobody else would tell them.
            due.tell(Err(fault.to_string()));
            return Err(unavailable::<S>(fault));
        }
        Ok((reply, due))
    }

    /// Appends records, and has the shard take them.
    fn write(
        &self,
        state: &mut State<S, L>,
        touching: &L::Here<'_>,
        (ground, compression, asked): How<'_, S>,
        (records, divisible, transaction): Batch<'_, S::Record<'_>>,
    ) -> Result<(), CoordinatorError<S::Refusal>> {
        let (verification, by_itself) = match asked {
            Asked::By(verification) => (verification, false),
            Asked::ByNobody => (Verification::NotRequired, true),
        };
        let mut left = records;
        while !left.is_empty() {
            let writer = Writer {
                shard: &state.shard,
                leader_epoch: self.leader_epoch,
                now: ground.now,
                compression,
                verification,
                by_itself,
                figures: &self.figures,
            };
            let batch = (left, divisible, transaction);
            let appended = self.replica.append_records(touching, &mut state.memory, &writer, batch);
            let (count, base) = match appended {
                Ok(appended) => appended,
                Err(error) => {
                    // What lies in the log already counts, and who asks for it must not wait for the rest.
                    if left.len() < records.len() {
                        self.note_wake(state);
                        let _failing = self.progress.appended(&self.replica, state.end);
                    }
                    return Err(error);
                }
            };
            for (record, delta) in left[..count].iter().zip(0..) {
                let written = Written { offset: base.plus(delta), timestamp: ground.now, transaction };
                state.shard.replay(written, record);
                state.end = written.offset.plus(1);
            }
            left = &left[count..];
        }
        Ok(())
    }

    fn at_directory<R>(&self, touching: Option<&L::Here<'_>>, work: impl FnOnce(&L::Here<'_>) -> R) -> R {
        match touching {
            Some(touching) => work(touching),
            None => self.replica.come(work),
        }
    }

    fn note_wake(&self, state: &State<S, L>) {
        let at = state.shard.wake_at().map_or(i64::MAX, |at| at.0);
        // Most requests change nothing about it, and to write it costs more than to look.
        if self.wake_at.load(Ordering::SeqCst) != at {
            self.wake_at.store(at, Ordering::SeqCst);
        }
    }

    /// Whether a thread panicked with the shard: it may be half changed, and answers nobody any more.
    pub fn is_broken(&self) -> bool {
        sync::is_poisoned(&self.state)
    }

    /// Whether it lets everything go, or has.
    pub fn is_gone(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Does something with the shard, at once where nobody has it. Only where somebody does is who comes at the directory
    /// before there is something to write: to wait for the shard may be to wait for the disk.
    fn with_or_free<R>(
        &self,
        work: impl FnOnce(&mut State<S, L>, Option<&L::Here<'_>>) -> Result<R, CoordinatorError<S::Refusal>>,
    ) -> Result<R, CoordinatorError<S::Refusal>> {
        match self.state.try_lock() {
            Ok(mut state) if !state.gone => {
                let begun = self.figures.has_come();
                let done = work(&mut state, None);
                self.figures.processed.note(begun.elapsed());
                done
            }
            Err(TryLockError::WouldBlock) => self.with(|state, touching| work(state, Some(touching))),
            _ => Err(CoordinatorError::NotCoordinator),
        }
    }

    /// Does something with the shard. Who holds it may be waiting for the disk, so that whoever comes for it is at the
    /// directory, too.
    fn with<R>(
        &self,
        work: impl FnOnce(&mut State<S, L>, &L::Here<'_>) -> Result<R, CoordinatorError<S::Refusal>>,
    ) -> Result<R, CoordinatorError<S::Refusal>> {
        let waiting = self.figures.comes();
        self.replica.come(|touching| match self.state.lock() {
            Ok(mut state) if !state.gone => {
                let begun = waiting.has_it();
                let done = work(&mut state, touching);
                self.figures.processed.note(begun.elapsed());
                done
            }
            _ => Err(CoordinatorError::NotCoordinator),
        })
    }
}

/// What is understood where the log is not to be had.
fn unavailable<S: Shard>(fault: Fault) -> CoordinatorError<S::Refusal> {
    CoordinatorError::from(&fault.into())
}
