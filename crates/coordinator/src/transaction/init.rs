//! InitProducerId: a producer begins under a transactional id and fences whoever was there (KIP-98), or goes on after
//! an error under the id and epoch it had (KIP-360).

use protocol::id::{ProducerEpoch, ProducerId};

use super::recorded::{Recorded, Step, is_exhausted};
use super::{
    Entry, Producer, TransactionDecision, TransactionGround, TransactionRefusal, TransactionShard,
    TransactionState,
};

/// The request.
#[derive(Clone, Copy, Debug)]
pub struct InitProducerId<'a> {
    /// The transactional id.
    pub id: &'a str,
    /// How many milliseconds a transaction may take.
    pub timeout: i32,
    /// What the producer was before, where it goes on.
    pub expected: Option<Producer>,
    /// Whether transactions have no time-out (KIP-939).
    pub two_phase: bool,
    /// Whether a prepared transaction is to be taken over (KIP-939).
    pub keep_prepared: bool,
    /// A producer id that nobody has had, where one is at hand.
    pub fresh: Option<ProducerId>,
}

/// What comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initialized {
    /// This is the producer now.
    Done(Producer),
    /// The transaction of the producer before is being aborted, and that producer fenced: the client asks again.
    Aborting,
}

impl TransactionShard {
    /// Has a producer begin.
    ///
    /// # Errors
    /// It may not, or not now, or a fresh producer id is needed.
    pub fn init_producer_id(
        &self,
        ground: &TransactionGround<'_>,
        request: &InitProducerId<'_>,
    ) -> Result<TransactionDecision<Initialized>, TransactionRefusal> {
        let timeout = timeout(ground, request)?;
        let (id, entry) = match self.entry(request.id) {
            Ok(known) => known,
            Err(TransactionRefusal::UnknownProducer) => {
                let fresh = request.fresh.ok_or(TransactionRefusal::FreshProducerIdWanted)?;
                let to = Recorded::new(fresh, timeout, ground.now);
                let step = Step { to, last_epoch: ProducerEpoch::NONE };
                let reply = Initialized::Done(step.to.producer);
                return Ok(Self::record(ground, &request.id.into(), &step, reply));
            }
            Err(refusal) => return Err(refusal),
        };
        let state = entry.recorded.state;
        if state.is_ending() {
            return Err(TransactionRefusal::ConcurrentTransactions);
        }
        if request.expected.is_some_and(|expected| !entry.is_continued_by(expected)) {
            return Err(TransactionRefusal::ProducerFenced);
        }
        if state == TransactionState::Ongoing {
            let step = entry.aborted_by_coordinator(ground, request.fresh)?;
            return Ok(Self::record(ground, id, &step, Initialized::Aborting));
        }
        if !state.is_idle() {
            return Err(TransactionRefusal::Unrecordable);
        }
        let (producer, last_epoch) = entry.next_producer(request.expected, request.fresh)?;
        let to = entry.recorded.begun(producer, timeout, ground.now);
        Ok(Self::record(ground, id, &Step { to, last_epoch }, Initialized::Done(producer)))
    }
}

/// How long a transaction of this producer may take.
fn timeout(ground: &TransactionGround<'_>, request: &InitProducerId<'_>) -> Result<i32, TransactionRefusal> {
    if request.id.is_empty() {
        return Err(TransactionRefusal::InvalidId);
    }
    if request.two_phase && !ground.config.two_phase {
        return Err(TransactionRefusal::TwoPhaseDisabled);
    }
    if request.keep_prepared {
        return Err(TransactionRefusal::KeepPreparedUnsupported);
    }
    match request.timeout {
        _ if request.two_phase => Ok(i32::MAX),
        timeout if timeout > 0 && timeout <= ground.config.timeout_max => Ok(timeout),
        _ => Err(TransactionRefusal::InvalidTimeout),
    }
}

impl Entry {
    /// Whether who was this producer may go on: its id is still that of the transactional id, or was the one before
    /// whose epochs were used up, so that this may be a second try. The epoch is judged later.
    fn is_continued_by(&self, expected: Producer) -> bool {
        let recorded = &self.recorded;
        expected.id == recorded.producer.id
            || (expected.id == recorded.previous && is_exhausted(expected.epoch))
    }

    /// The producer that comes after this one, and the epoch before its own.
    fn next_producer(
        &self,
        expected: Option<Producer>,
        fresh: Option<ProducerId>,
    ) -> Result<(Producer, ProducerEpoch), TransactionRefusal> {
        let Producer { id, epoch } = self.recorded.producer;
        let expected = expected.map(|expected| expected.epoch);
        if expected.is_none_or(|expected| expected == epoch) {
            let last = expected.unwrap_or(ProducerEpoch::NONE);
            if !self.recorded.is_exhausted() {
                return Ok((Producer { id, epoch: ProducerEpoch(epoch.0 + 1) }, last));
            }
            let id = fresh.ok_or(TransactionRefusal::FreshProducerIdWanted)?;
            return Ok((Producer { id, epoch: ProducerEpoch(0) }, last));
        }
        // Whoever names the epoch before has been answered already and did not hear it.
        if self.last_epoch != ProducerEpoch::NONE && expected == Some(self.last_epoch) {
            return Ok((self.recorded.producer, self.last_epoch));
        }
        Err(TransactionRefusal::ProducerFenced)
    }
}
