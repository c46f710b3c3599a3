//! A shard that this broker leads: the machine, who waits for its answers, and the log it writes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Instant;

use coordinator::{Decision, Ground, Shard, Token, Written};
use partition::producers::TransactionVersion;
use partition::{Origin, Verification};
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Timestamp, TopicId};
use protocol::offset::Offset;
use protocol::records::compression::Compression;
use protocol::records::control::EndMarker;
use storage::pace::Touching;
use tokio::sync::oneshot;

use super::CoordinatorError;
use super::append::{Memory, Target};
use super::coordinator::Coordinated;
use super::figures::Figures;
use super::progress::Progress;
use crate::runtime::partitions::Replica;

/// What a request that waits for others is told in the end.
type Told<S> = Result<<S as Shard>::Answer, CoordinatorError<<S as Shard>::Refusal>>;

/// What a decision comes to: the reply, unless who asked waits, and what others are told.
pub(super) type Taken<S, R> = Result<(Option<R>, Due<S>), CoordinatorError<<S as Shard>::Refusal>>;

/// Answers that may be given once everything before `end` is committed.
pub(super) struct Due<S: Shard> {
    pub(super) end: Offset,
    answers: Vec<(oneshot::Sender<Told<S>>, S::Answer)>,
}

impl<S: Shard> Due<S> {
    /// Gives the answers. Who has gone away meanwhile is not told.
    pub(super) fn tell(self, outcome: Result<(), String>) {
        for (waiting, answer) in self.answers {
            let told = match &outcome {
                Ok(()) => Ok(answer),
                Err(why) => Err(CoordinatorError::NotAvailable(why.clone())),
            };
            let _gone = waiting.send(told);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

/// Who has a shard decide.
#[derive(Clone, Copy)]
enum Asked {
    /// A request, and what is known of its transaction.
    By(Verification),
    /// Nobody: time has passed.
    ByNobody,
}

/// What was seen of a shard, and the end of what it rests on.
type Seen<S, R> = Result<(R, Offset), CoordinatorError<<S as Shard>::Refusal>>;

/// Records, whether they may be spread over several batches, and the transaction they are part of.
type Batch<'b, R> = (&'b [R], bool, Option<(ProducerId, ProducerEpoch)>);

/// What a decision rests on, how its records are compressed, and who asked.
type How<'h, S> = (&'h Ground<'h, <S as Shard>::Config>, Compression, Asked);

/// The shard of one partition.
pub(super) struct Led<S: Shard> {
    pub(super) replica: Arc<Replica>,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) progress: Arc<Progress>,
    /// When the shard has to be woken; the largest number for never.
    wake_at: AtomicI64,
    /// It is not woken before, whatever it says: its log has refused what it made when it was woken last.
    not_before: AtomicI64,
    /// Whether somebody is about to wake it.
    pub(super) waking: AtomicBool,
    /// Topics that were deleted and of which it has still to forget what it keeps.
    pub(super) deleted: Mutex<Vec<(Arc<str>, TopicId)>>,
    /// Whether it is to let everything go, or has.
    ended: AtomicBool,
    /// How often it was loaded anew in this reign because a thread had panicked with it.
    pub(super) reloads: u32,
    figures: Arc<Figures>,
    state: Mutex<State<S>>,
}

struct State<S: Shard> {
    shard: S,
    /// The end of what the shard has seen of its log.
    end: Offset,
    waiting: BTreeMap<Token, oneshot::Sender<Told<S>>>,
    memory: Memory,
    gone: bool,
}

/// What a request brings along.
pub(super) struct Turn<'a, S: Shard> {
    pub(super) ground: Ground<'a, S::Config>,
    pub(super) compression: Compression,
    pub(super) verification: Verification,
    pub(super) waiting: Option<oneshot::Sender<Told<S>>>,
}

impl<S: Coordinated> Led<S> {
    pub(super) fn new(
        replica: Arc<Replica>,
        (leader_epoch, reloads): (LeaderEpoch, u32),
        (shard, end): (S, Offset),
        (progress, figures): (Arc<Progress>, Arc<Figures>),
    ) -> Self {
        let wake_at = AtomicI64::new(shard.wake_at().map_or(i64::MAX, |at| at.0));
        let state = State { shard, end, waiting: BTreeMap::new(), memory: Memory::default(), gone: false };
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
    pub(super) fn due_at(&self) -> i64 {
        if self.waking.load(Ordering::SeqCst) {
            return i64::MAX;
        }
        self.wake_at.load(Ordering::SeqCst).max(self.not_before.load(Ordering::SeqCst))
    }

    /// Has it woken at this time at the earliest.
    pub(super) fn put_off(&self, until: i64) {
        self.not_before.store(until, Ordering::SeqCst);
    }

    /// Decides, and makes it so.
    pub(super) fn take<'r, R>(
        &self,
        turn: Turn<'_, S>,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal>,
    ) -> Taken<S, R> {
        self.with_or_free(|state, touching| {
            let decision = decide(&state.shard, &turn.ground).map_err(CoordinatorError::Refused)?;
            let waits = decision.reply.is_none();
            let how = (&turn.ground, turn.compression, Asked::By(turn.verification));
            let done = self.carry_out(state, touching, how, decision)?;
            if let (true, Some(waiting)) = (waits, turn.waiting) {
                state.waiting.insert(turn.ground.token, waiting);
            }
            Ok(done)
        })
    }

    /// Decides what writes nothing and tells nobody else, and makes it so; what it says, and the end of what that rests on.
    /// `None`, and nothing is changed, where somebody has the shard, or the decision is another one.
    pub(super) fn take_at_once<'r, R>(
        &self,
        ground: &Ground<'_, S::Config>,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal>,
    ) -> Option<Seen<S, R>> {
        let mut state = self.state.try_lock().ok().filter(|state| !state.gone)?;
        let begun = self.figures.has_come();
        let told = match decide(&state.shard, ground) {
            Ok(decision) => {
                let is_silent = decision.records.is_empty() && decision.answers.is_empty();
                let reply = decision.reply.filter(|_| is_silent)?;
                for transition in decision.transitions {
                    state.shard.transit(transition);
                }
                self.note_wake(&state);
                Ok((reply, state.end))
            }
            Err(refusal) => Err(CoordinatorError::Refused(refusal)),
        };
        self.figures.processed.note(begun.elapsed());
        Some(told)
    }

    /// Does the next thing that is due; `None` once nothing is.
    pub(super) fn wake(
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
                        tracing::warn!(topic = %self.replica.topic(), partition = %self.replica.index, %error,
                            "what a time-out makes cannot be written; it is put off");
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
    pub(super) fn look<R>(&self, look: impl FnOnce(&S) -> R) -> Seen<S, R> {
        self.with_or_free(|state, _| Ok((look(&state.shard), state.end)))
    }

    /// Looks at the shard, unless somebody has it at this moment, who may be waiting for the disk, or it has gone.
    pub(super) fn glance<R>(&self, look: impl FnOnce(&S) -> R) -> Option<R> {
        let state = self.state.try_lock().ok().filter(|state| !state.gone)?;
        Some(look(&state.shard))
    }

    /// Ends a transaction in this log: appends the marker and takes its meaning.
    pub(super) fn end_transaction(
        &self,
        (producer, epoch): (ProducerId, ProducerEpoch),
        marker: EndMarker,
        transaction_version: TransactionVersion,
        now: Timestamp,
    ) -> Result<Offset, CoordinatorError<S::Refusal>> {
        self.with(|state, touching| {
            let origin = Origin::Coordinator { transaction_version, verification: Verification::NotRequired };
            let target = Target {
                replica: &self.replica,
                touching,
                leader_epoch: self.leader_epoch,
                origin,
                compression: Compression::default(),
                now,
            };
            let mut batch = marker.batch(producer, epoch, self.leader_epoch, now);
            let offset = state.memory.append(&target, &mut batch)?;
            state.shard.replay_end(offset, producer, marker.committed);
            state.end = offset.plus(1);
            self.note_wake(state);
            let told = self.progress.appended(&self.replica, state.end);
            told.map_err(|fault| CoordinatorError::from(&fault.into()))?;
            Ok(state.end)
        })
    }

    /// Lets everything go; who waits is told.
    pub(super) fn end(&self) {
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

    /// Makes a decision so. Who is not at the directory yet comes to it where there is something to write.
    fn carry_out<R>(
        &self,
        state: &mut State<S>,
        touching: Option<&Touching<'_>>,
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
            return Err(CoordinatorError::from(&fault.into()));
        }
        Ok((reply, due))
    }

    /// Appends records, and has the shard take them.
    fn write(
        &self,
        state: &mut State<S>,
        touching: &Touching<'_>,
        (ground, compression, asked): How<'_, S>,
        (records, divisible, transaction): Batch<'_, S::Record<'_>>,
    ) -> Result<(), CoordinatorError<S::Refusal>> {
        let (verification, by_itself) = match asked {
            Asked::By(verification) => (verification, false),
            Asked::ByNobody => (Verification::NotRequired, true),
        };
        let origin = Origin::Coordinator { transaction_version: TransactionVersion(0), verification };
        let target = Target {
            replica: &self.replica,
            touching,
            leader_epoch: self.leader_epoch,
            origin,
            compression,
            now: ground.now,
        };
        let mut left = records;
        while !left.is_empty() {
            let begun = Instant::now();
            let appended = state.memory.append_records::<S>(&target, left, transaction, divisible);
            self.figures.flushed.note(begun.elapsed());
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
            state.shard.count(&left[..count], by_itself, &self.figures);
            for (record, delta) in left[..count].iter().zip(0..) {
                let written = Written { offset: base.plus(delta), timestamp: ground.now, transaction };
                state.shard.replay(written, record);
                state.end = written.offset.plus(1);
            }
            left = &left[count..];
        }
        Ok(())
    }

    fn at_directory<R>(&self, touching: Option<&Touching<'_>>, work: impl FnOnce(&Touching<'_>) -> R) -> R {
        match touching {
            Some(touching) => work(touching),
            None => self.replica.at_directory(work),
        }
    }

    fn note_wake(&self, state: &State<S>) {
        let at = state.shard.wake_at().map_or(i64::MAX, |at| at.0);
        self.wake_at.store(at, Ordering::SeqCst);
    }

    /// Whether a thread panicked with the shard: it may be half changed, and answers nobody any more.
    pub(super) fn is_broken(&self) -> bool {
        self.state.is_poisoned()
    }

    /// Whether it lets everything go, or has.
    pub(super) fn is_gone(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Does something with the shard, at once where nobody has it. Only where somebody does is who comes at the directory
    /// before there is something to write: to wait for the shard may be to wait for the disk.
    fn with_or_free<R>(
        &self,
        work: impl FnOnce(&mut State<S>, Option<&Touching<'_>>) -> Result<R, CoordinatorError<S::Refusal>>,
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
        work: impl FnOnce(&mut State<S>, &Touching<'_>) -> Result<R, CoordinatorError<S::Refusal>>,
    ) -> Result<R, CoordinatorError<S::Refusal>> {
        let waiting = self.figures.comes();
        self.replica.at_directory(|touching| match self.state.lock() {
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
