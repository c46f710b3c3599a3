//! The end of a transaction in one partition: a marker is appended, and counts once it is as safe as the partition asks
//! for.
//!
//! Where the partition belongs to a coordinator its shard writes the marker, as it has to learn of it in order.

use std::sync::Arc;
use std::time::Instant;

use coordinator::group::GroupShard;
use coordinator::transaction::{TransactionShard, TxnPartition};
use partition::{Append, Origin, Verification};
use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::offset::Offset;
use storage::log::{AppendError, Appended};
use storage::pace::Touching;
use tokio::runtime::Handle;

use super::coordinator::Coordinated;
use super::shared::{Marker, MarkerInLog, Progress};
use super::{CoordinatorError, Coordinators};
use crate::runtime::partitions::Replica;

/// The topics whose partitions belong to shards.
const OFFSETS: &str = <GroupShard as Coordinated>::TOPIC;
const TRANSACTIONS: &str = <TransactionShard as Coordinated>::TOPIC;
/// How many markers are appended one after the other before they are waited for, and others have the thread.
const MARKERS_AT_ONCE: usize = 100;

impl Coordinators {
    /// Ends a transaction in partitions: appends the markers, and then waits until they are as safe as records that all
    /// in-sync replicas have. What brings one to stable storage, or to the other replicas, brings many. What became of each,
    /// in order, as Kafka's code.
    pub async fn write_markers(
        &self,
        partitions: &[TxnPartition],
        marker: Marker,
    ) -> Vec<Result<(), ErrorCode>> {
        let most = self.holdings.config().transactions.commit_timeout;
        let mut outcomes = Vec::with_capacity(partitions.len());
        for (number, some) in partitions.chunks(MARKERS_AT_ONCE).enumerate() {
            if number > 0 {
                tokio::task::yield_now().await;
            }
            let mut in_log = Vec::with_capacity(some.len());
            for partition in some {
                in_log.push(self.append_marker(&partition.topic, partition.index, marker).await);
            }
            let until = Instant::now() + most;
            for in_log in in_log {
                outcomes.push(match in_log {
                    Ok(in_log) => in_log.safe(until.saturating_duration_since(Instant::now())).await,
                    Err(error) => Err(error),
                });
            }
        }
        outcomes
    }

    /// Has a marker appended.
    ///
    /// # Errors
    /// Kafka's code for why it was not.
    async fn append_marker(
        &self,
        topic: &str,
        index: PartitionIndex,
        marker: Marker,
    ) -> Result<MarkerInLog, ErrorCode> {
        match topic {
            OFFSETS => shard(self.groups.end_transaction(index, marker).await),
            TRANSACTIONS => shard(self.transactions.end_transaction(index, marker).await),
            _ => {
                let found = self.holdings.partitions.by_name(topic);
                let replica = found.as_ref().and_then(|topic| topic.get(index));
                let replica = replica.ok_or(ErrorCode::UnknownTopicOrPartition)?;
                let turn = self.transactions.turn_at(replica).await;
                let _turn = turn.map_err(|_| ErrorCode::NotLeaderOrFollower)?;
                self.append_to(replica, marker)
            }
        }
    }

    fn append_to(&self, replica: &Arc<Replica>, marker: Marker) -> Result<MarkerInLog, ErrorCode> {
        let (end, commit_due) = replica
            .at_directory(|touching| self.append_marker_now(replica, touching, marker))
            .map_err(|error| code(replica, &error))?;
        let safe =
            !commit_due && replica.log().is_ok_and(|log| log.partition().watermarks().high_watermark >= end);
        if safe {
            return Ok(MarkerInLog::that_counts());
        }
        let tasks = self.transactions.tasks.get().cloned().unwrap_or_else(Handle::current);
        let progress = Progress::new(Offset(-1), tasks);
        progress.appended(replica, end).map_err(|fault| code(replica, &fault.into()))?;
        Ok(MarkerInLog::new(progress, end))
    }

    /// Appends; says where the log then ends, and whether that has to come to stable storage.
    fn append_marker_now(
        &self,
        replica: &Replica,
        touching: &Touching<'_>,
        marker: Marker,
    ) -> Result<(Offset, bool), AppendError> {
        let (id, epoch) = marker.producer;
        let leader_epoch = replica.log()?.partition().current_leader_epoch();
        let now = self.holdings.now();
        let mut batch = marker.end.batch(id, epoch, leader_epoch, now);
        let origin = Origin::Coordinator {
            transaction_version: marker.version,
            verification: Verification::NotRequired,
        };
        let append = Append { origin, leader_epoch, now };
        let done = replica.append_as(touching, append, &mut batch, &mut partition::Scratch::default())?;
        let last = match done.appended {
            Appended::Written(written) => written.last_offset,
            Appended::Duplicate(duplicate) => duplicate.last_offset,
        };
        Ok((last.next(), done.commit_due))
    }
}

/// What the transaction coordinator understands of why a shard took no marker: a shard that is not there yet is a
/// partition that is not led yet.
fn shard<R: Into<ErrorCode>>(
    outcome: Result<MarkerInLog, CoordinatorError<R>>,
) -> Result<MarkerInLog, ErrorCode> {
    outcome.map_err(|error| match ErrorCode::from(error) {
        ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::NotCoordinator => ErrorCode::NotLeaderOrFollower,
        other => other,
    })
}

fn code(replica: &Replica, error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Refused(refusal) => refusal.into(),
        AppendError::Fault(fault) => {
            tracing::warn!(topic = %replica.topic(), partition = %replica.index, %fault,
                "the end of a transaction cannot be written");
            ErrorCode::KafkaStorageError
        }
    }
}
