//! Whether a batch or a marker fits what is known of its producer, by the rules of Kafka 4.4.

use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::records::batch::BatchHeader;
use protocol::records::control::EndMarker;

use super::{BatchMetadata, MarkerUpdate, ProducerState, ProducerUpdate, marker_update, replayed_data};
use crate::append::Verification;
use crate::refusal::AppendRefusal;
use crate::verifications::VerificationState;

/// Which rules of transactions a marker was written under: its coordinator's feature level (KIP-890).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TransactionVersion(pub i16);

impl TransactionVersion {
    /// From this version on each transaction ends with a new epoch.
    const BUMPS_EPOCHS: Self = Self(2);
}

/// How much of a batch with a producer id is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strictness {
    /// A client's: duplicates, sequences, epochs.
    Client,
    /// A coordinator's: it writes offsets without sequences, so epochs only.
    Coordinator,
}

pub(crate) enum Checked {
    Update(ProducerUpdate),
    Duplicate(BatchMetadata),
}

/// Judges a data batch, whose header already has its offsets, by what is known of its producer and what is being asked
/// about it.
pub(crate) fn check_data(
    (state, asked): (Option<&ProducerState>, Option<&VerificationState>),
    header: &BatchHeader,
    strictness: Strictness,
    verification: Verification,
) -> Result<Checked, AppendRefusal> {
    if strictness == Strictness::Client
        && let Some(duplicate) = state.and_then(|state| state.find_duplicate(header))
    {
        return Ok(Checked::Duplicate(*duplicate));
    }
    let producer_id = header.producer_id;
    let transactional = header.attributes.is_transactional();
    let open = state.is_some_and(|state| {
        state.current_transaction_first_offset.is_some() && state.producer_epoch == header.producer_epoch
    });
    if transactional && !open {
        check_epoch(state, producer_id, header.producer_epoch)?;
        let confirmed = match verification {
            Verification::NotRequired => true,
            Verification::Missing => false,
            Verification::Verified(guard) => asked.is_some_and(|asked| asked.guard == guard),
        };
        if !confirmed {
            return Err(AppendRefusal::TransactionState { producer_id });
        }
    }
    check_epoch(state, producer_id, header.producer_epoch)?;
    if strictness == Strictness::Client {
        // Of a producer without transactions nobody asks but who speaks in its name.
        check_sequence(state, header, asked.filter(|_| transactional))?;
    }
    if !transactional && state.is_some_and(|state| state.current_transaction_first_offset.is_some()) {
        return Err(AppendRefusal::TransactionState { producer_id });
    }
    Ok(Checked::Update(replayed_data(state, header)))
}

/// Judges a transaction's end marker, whose header already has its offset.
pub(crate) fn check_marker(
    state: Option<&ProducerState>,
    header: &BatchHeader,
    marker: EndMarker,
    timestamp: Timestamp,
    version: TransactionVersion,
) -> Result<MarkerUpdate, AppendRefusal> {
    let current = state.map_or(ProducerEpoch::NONE, |state| state.producer_epoch);
    let epoch = header.producer_epoch;
    let open = state.is_some_and(|state| state.current_transaction_first_offset.is_some());
    let stale = if version >= TransactionVersion::BUMPS_EPOCHS {
        // The same epoch again is a retry of a marker that was written, unless a transaction is still open at it.
        epoch < current || (epoch == current && open && epoch.0 != i16::MAX)
    } else {
        epoch < current
    };
    if stale {
        return Err(AppendRefusal::ProducerEpoch { producer_id: header.producer_id, epoch, current });
    }
    if let Some(state) = state
        && state.coordinator_epoch > marker.coordinator_epoch
    {
        let (epoch, current) = (marker.coordinator_epoch, state.coordinator_epoch);
        return Err(AppendRefusal::CoordinatorEpoch { epoch, current });
    }
    Ok(marker_update(state, header, marker, timestamp))
}

fn check_epoch(
    state: Option<&ProducerState>,
    producer_id: ProducerId,
    epoch: ProducerEpoch,
) -> Result<(), AppendRefusal> {
    match state {
        Some(state) if epoch < state.producer_epoch => {
            Err(AppendRefusal::ProducerEpoch { producer_id, epoch, current: state.producer_epoch })
        }
        _ => Ok(()),
    }
}

fn check_sequence(
    state: Option<&ProducerState>,
    header: &BatchHeader,
    asked: Option<&VerificationState>,
) -> Result<(), AppendRefusal> {
    let sequence = header.base_sequence;
    let refused =
        |last| Err(AppendRefusal::OutOfOrderSequence { producer_id: header.producer_id, sequence, last });
    if let Some(asked) = asked {
        let lowest_sequence = asked.lowest_sequence();
        let nothing_known = state.is_none_or(|state| state.batches().is_empty());
        if asked.supports_epoch_bump && sequence.0 != 0 && nothing_known {
            return refused(Sequence::NONE);
        }
        if sequence > lowest_sequence {
            return refused(lowest_sequence);
        }
    }
    // Of a producer that is not known, for its records may be long gone, any sequence is taken.
    let Some(state) = state.filter(|state| state.producer_epoch != ProducerEpoch::NONE) else {
        return Ok(());
    };
    if header.producer_epoch != state.producer_epoch {
        return if sequence.0 == 0 { Ok(()) } else { refused(Sequence::NONE) };
    }
    let last = state.last_sequence();
    let follows = i64::from(sequence.0) == i64::from(last.0) + 1 || (sequence.0 == 0 && last.0 == i32::MAX);
    if follows { Ok(()) } else { refused(last) }
}
