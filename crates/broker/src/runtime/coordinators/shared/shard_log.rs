//! The log of a shard as its runtime knows it: something that records and markers are appended to.

use std::time::Duration;

use coordinator::Shard;
use partition::Verification;
use partition::producers::TransactionVersion;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Timestamp};
use protocol::offset::Offset;
use protocol::records::compression::Compression;
use protocol::records::control::EndMarker;

use super::progress::{Followed, Progress};
use super::sync::Arc;
use super::{CoordinatorError, Figures};

/// What asking a coordinator comes to.
pub type Answered<S, R> = Result<R, CoordinatorError<<S as Shard>::Refusal>>;

/// Records, whether they may be spread over several batches, and the transaction they are part of.
pub type Batch<'b, R> = (&'b [R], bool, Option<(ProducerId, ProducerEpoch)>);

/// The log of a shard, as it is written.
pub trait Writes<S: Shard>: Followed {
    /// Who has come to where the log lies, and may have to wait there.
    type Here<'t>;
    /// Memory that appends reuse.
    type Memory: Default + Send;

    /// Does what touches the log.
    fn come<R>(&self, work: impl FnOnce(&Self::Here<'_>) -> R) -> R;

    /// Appends as many of the records as one batch holds; where they are to stay together, all or none. Says how many,
    /// and where the first came to lie.
    fn append_records(
        &self,
        here: &Self::Here<'_>,
        memory: &mut Self::Memory,
        writer: &Writer<'_, S>,
        batch: Batch<'_, S::Record<'_>>,
    ) -> Result<(usize, Offset), CoordinatorError<S::Refusal>>;

    /// Appends the end of a transaction; says where it came to lie.
    fn append_marker(
        &self,
        here: &Self::Here<'_>,
        memory: &mut Self::Memory,
        marker: Marker,
        when: (LeaderEpoch, Timestamp),
    ) -> Result<Offset, CoordinatorError<S::Refusal>>;

    /// What the shard wanted to write by itself can never be written; it is put off.
    fn puts_off(&self, error: &CoordinatorError<S::Refusal>);
}

/// Who writes, and how.
pub struct Writer<'w, S: Shard> {
    /// The shard, which has not taken the records yet.
    pub shard: &'w S,
    /// The reign in which it writes.
    pub leader_epoch: LeaderEpoch,
    /// When.
    pub now: Timestamp,
    /// How its records are compressed.
    pub compression: Compression,
    /// What is known of the transaction that they are part of.
    pub verification: Verification,
    /// Whether nobody has asked for it.
    pub by_itself: bool,
    /// What is counted.
    pub figures: &'w Figures,
}

/// A marker to be written.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    /// Whose transaction ends.
    pub producer: (ProducerId, ProducerEpoch),
    /// How, and who says so.
    pub end: EndMarker,
    /// The rules it follows.
    pub version: TransactionVersion,
}

/// A marker that is in a log. It counts once it is safe.
pub struct MarkerInLog {
    /// What tells of that, and where the log has to come to; none where it is safe.
    waits: Option<(Arc<Progress>, Offset)>,
}

impl MarkerInLog {
    /// One that lies before `end`.
    pub fn new(progress: Arc<Progress>, end: Offset) -> Self {
        Self { waits: Some((progress, end)) }
    }

    /// One that is safe.
    pub fn that_counts() -> Self {
        Self { waits: None }
    }

    /// Waits until it counts.
    ///
    /// # Errors
    /// Kafka's code for why it does not yet.
    pub async fn safe(self, most: Duration) -> Result<(), ErrorCode> {
        match self.waits {
            Some((progress, end)) => progress.wait(end, most).await.map_err(|_| ErrorCode::RequestTimedOut),
            None => Ok(()),
        }
    }
}
