//! EndTxn: a transaction is committed or aborted, by its producer or by the coordinator.
//!
//! A client of KIP-890 gets a new epoch with every end, so that nothing it sent before can be taken for part of the
//! next transaction; it may abort what never began, which bumps the epoch too; and a second try, told by the epoch
//! before, is answered without doing anything. Older clients keep their epoch.

use protocol::id::{ProducerEpoch, ProducerId};

use super::recorded::{ClientVersion, Step, is_exhausted};
use super::{
    Entry, Producer, TransactionDecision, TransactionGround, TransactionRefusal, TransactionShard,
    TransactionState,
};
use crate::shard::Decision;

/// The request.
#[derive(Clone, Copy, Debug)]
pub struct EndTransaction<'a> {
    /// The transactional id.
    pub id: &'a str,
    /// Who asks.
    pub producer: Producer,
    /// Whether what the transaction wrote counts.
    pub committed: bool,
    /// What the client speaks.
    pub client: ClientVersion,
    /// A producer id that nobody has had, where one is at hand.
    pub fresh: Option<ProducerId>,
}

/// What becomes of a request to end a transaction.
enum Verdict {
    /// The end is decided.
    Prepare(TransactionState),
    /// It was, by the same request.
    AlreadyDone,
}

impl EndTransaction<'_> {
    fn prepared(&self) -> TransactionState {
        if self.committed { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort }
    }

    fn completed(&self) -> TransactionState {
        if self.committed { TransactionState::CompleteCommit } else { TransactionState::CompleteAbort }
    }
}

impl TransactionShard {
    /// Ends a transaction; says who the producer is from here on.
    ///
    /// # Errors
    /// The producer may not, or not like this or not now, or a fresh producer id is needed.
    pub fn end(
        &self,
        ground: &TransactionGround<'_>,
        request: &EndTransaction<'_>,
    ) -> Result<TransactionDecision<Producer>, TransactionRefusal> {
        let (id, entry) = self.entry(request.id)?;
        let verdict = if request.client.bumps_epoch() {
            entry.judge_bumping(request)
        } else {
            entry.judge_keeping(request)
        };
        let step = match verdict? {
            Verdict::AlreadyDone => return Ok(Decision::reply(entry.recorded.producer)),
            Verdict::Prepare(state) if request.client.bumps_epoch() => {
                entry.prepared(ground, state, request.client, request.fresh)?
            }
            Verdict::Prepare(state) => {
                let to = entry.recorded.prepared(state, ClientVersion::V0, None, ground.now);
                Step { to, last_epoch: entry.last_epoch }
            }
        };
        let producer = step.to.completed(ground.now).producer;
        Ok(Self::record(ground, id, &step, producer))
    }
}

impl Entry {
    /// The rules of clients that keep their epoch.
    fn judge_keeping(&self, request: &EndTransaction<'_>) -> Result<Verdict, TransactionRefusal> {
        let recorded = &self.recorded;
        if recorded.producer.id != request.producer.id {
            return Err(TransactionRefusal::UnknownProducer);
        }
        if recorded.producer.epoch != request.producer.epoch {
            return Err(TransactionRefusal::ProducerFenced);
        }
        match recorded.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(TransactionRefusal::ConcurrentTransactions)
            }
            TransactionState::Ongoing => Ok(Verdict::Prepare(request.prepared())),
            state if state == request.completed() => Ok(Verdict::AlreadyDone),
            TransactionState::Dead | TransactionState::PrepareEpochFence => {
                Err(TransactionRefusal::Unrecordable)
            }
            _ => Err(TransactionRefusal::InvalidState),
        }
    }

    /// The rules of clients that get a new epoch with every end.
    fn judge_bumping(&self, request: &EndTransaction<'_>) -> Result<Verdict, TransactionRefusal> {
        let recorded = &self.recorded;
        let (asking, current) = (request.producer, recorded.producer);
        // Whoever asks, as the producer changes when the end is complete.
        if recorded.state.is_ending() {
            return Err(TransactionRefusal::ConcurrentTransactions);
        }
        // The answer to the first try did not arrive: the epoch has moved on by one, or over to a new producer id.
        let bumped = i32::from(current.epoch.0) == i32::from(asking.epoch.0) + 1;
        let rotated = recorded.previous == asking.id
            && asking.epoch.0 == i16::MAX - 1
            && current.epoch == ProducerEpoch(0);
        if current.id != asking.id && !rotated {
            return Err(TransactionRefusal::UnknownProducer);
        }
        let again = bumped || rotated;
        match recorded.state {
            TransactionState::CompleteCommit | TransactionState::CompleteAbort if again => {
                if recorded.state == request.completed() {
                    Ok(Verdict::AlreadyDone)
                } else if request.committed {
                    // It was the coordinator that aborted: nobody commits what he aborted himself.
                    Err(TransactionRefusal::ProducerFenced)
                } else {
                    Err(TransactionRefusal::InvalidState)
                }
            }
            _ if current.epoch != asking.epoch => Err(TransactionRefusal::ProducerFenced),
            TransactionState::Ongoing => Ok(Verdict::Prepare(request.prepared())),
            state if state.is_idle() && !request.committed => {
                Ok(Verdict::Prepare(TransactionState::PrepareAbort))
            }
            state if state.is_idle() => Err(TransactionRefusal::InvalidState),
            _ => Err(TransactionRefusal::Unrecordable),
        }
    }

    /// The end under rules that bump the epoch. Where the epochs of the producer id are used up the client goes on
    /// under a fresh one; the last epoch of the old one is that of the markers alone.
    fn prepared(
        &self,
        ground: &TransactionGround<'_>,
        state: TransactionState,
        client: ClientVersion,
        fresh: Option<ProducerId>,
    ) -> Result<Step, TransactionRefusal> {
        let fresh = match fresh {
            _ if !is_exhausted(self.recorded.producer.epoch) => None,
            Some(fresh) => Some(fresh),
            None => return Err(TransactionRefusal::FreshProducerIdWanted),
        };
        let to = self.recorded.prepared(state, client, fresh, ground.now);
        Ok(Step { to, last_epoch: self.recorded.producer.epoch })
    }

    /// The coordinator aborts the transaction and fences its producer, by the rules that the cluster has finalised.
    pub(super) fn aborted_by_coordinator(
        &self,
        ground: &TransactionGround<'_>,
        fresh: Option<ProducerId>,
    ) -> Result<Step, TransactionRefusal> {
        let finalised = ClientVersion::finalised(ground.image);
        if finalised.bumps_epoch() {
            return self.prepared(ground, TransactionState::PrepareAbort, finalised, fresh);
        }
        let mut to =
            self.recorded.prepared(TransactionState::PrepareAbort, ClientVersion::V0, None, ground.now);
        to.producer.epoch = ProducerEpoch(to.producer.epoch.0.saturating_add(1));
        Ok(Step { to, last_epoch: ProducerEpoch::NONE })
    }
}
