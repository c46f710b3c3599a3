//! Records of a coordinator on their way into its log.

use std::time::Instant;

use coordinator::Shard;
use partition::producers::TransactionVersion;
use partition::{Append, Origin, Scratch, Verification};
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::Offset;
use protocol::records::batch::BATCH_OVERHEAD;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Compression, Compressors};
use storage::log::{AppendError, Appended};
use storage::pace::Touching;

use super::CoordinatorError;
use super::coordinator::Coordinated;
use super::shared::{Batch, Marker, Writer, Writes};
use crate::runtime::partitions::Replica;
use crate::seldom::Seldom;

static REFUSED: Seldom = Seldom::new();

/// What a record may take in a batch beside key and value.
const RECORD_OVERHEAD: usize = 21;

/// Where and as whom records are appended.
#[derive(Clone, Copy)]
struct Target<'a> {
    replica: &'a Replica,
    /// Who writes is counted among those at the log's directory.
    touching: &'a Touching<'a>,
    leader_epoch: LeaderEpoch,
    origin: Origin,
    compression: Compression,
    now: Timestamp,
}

impl<S: Coordinated> Writes<S> for Replica {
    type Here<'t> = Touching<'t>;
    type Memory = Memory;

    fn come<R>(&self, work: impl FnOnce(&Touching<'_>) -> R) -> R {
        self.at_directory(work)
    }

    fn append_records(
        &self,
        touching: &Touching<'_>,
        memory: &mut Memory,
        writer: &Writer<'_, S>,
        batch: Batch<'_, S::Record<'_>>,
    ) -> Result<(usize, Offset), CoordinatorError<S::Refusal>> {
        let verification = writer.verification;
        let target = Target {
            replica: self,
            touching,
            leader_epoch: writer.leader_epoch,
            origin: Origin::Coordinator { transaction_version: TransactionVersion(0), verification },
            compression: writer.compression,
            now: writer.now,
        };
        let begun = Instant::now();
        let appended = memory.append_records::<S>(&target, batch);
        writer.figures.flushed.note(begun.elapsed());
        if let Ok((count, _)) = &appended {
            writer.shard.count(&batch.0[..*count], writer.by_itself, writer.figures);
        }
        appended
    }

    fn append_marker(
        &self,
        touching: &Touching<'_>,
        memory: &mut Memory,
        marker: Marker,
        (leader_epoch, now): (LeaderEpoch, Timestamp),
    ) -> Result<Offset, CoordinatorError<S::Refusal>> {
        let origin = Origin::Coordinator {
            transaction_version: marker.version,
            verification: Verification::NotRequired,
        };
        let compression = Compression::default();
        let target = Target { replica: self, touching, leader_epoch, origin, compression, now };
        let (producer, epoch) = marker.producer;
        memory.append(&target, &mut marker.end.batch(producer, epoch, leader_epoch, now))
    }

    fn puts_off(&self, error: &CoordinatorError<S::Refusal>) {
        tracing::warn!(topic = %self.topic(), partition = %self.index, %error,
            "what a time-out makes cannot be written; it is put off");
    }
}

/// Memory that appends reuse.
#[derive(Default)]
pub struct Memory {
    key: Vec<u8>,
    value: Vec<u8>,
    compressors: Compressors,
    scratch: Scratch,
}

impl Memory {
    /// Appends one batch, as it is.
    fn append<R>(&mut self, target: &Target<'_>, batch: &mut [u8]) -> Result<Offset, CoordinatorError<R>> {
        let append = Append { origin: target.origin, leader_epoch: target.leader_epoch, now: target.now };
        match target.replica.append_as(target.touching, append, batch, &mut self.scratch) {
            Ok(done) => Ok(match done.appended {
                Appended::Written(written) => written.base_offset,
                Appended::Duplicate(duplicate) => duplicate.base_offset,
            }),
            Err(error) => {
                if let AppendError::Fault(fault) = &error
                    && let Some(unsaid) = REFUSED.due(Instant::now())
                {
                    tracing::warn!(topic = %target.replica.topic(), partition = %target.replica.index, %fault,
                        unsaid, "a coordinator cannot write its log");
                }
                Err(CoordinatorError::from(&error))
            }
        }
    }

    /// Appends as many of the records as one batch holds; where they are to stay together, all or none. Says how many,
    /// and where the first came to lie.
    fn append_records<S: Shard>(
        &mut self,
        target: &Target<'_>,
        (records, divisible, transaction): Batch<'_, S::Record<'_>>,
    ) -> Result<(usize, Offset), CoordinatorError<S::Refusal>> {
        let most = match target.replica.log() {
            Ok(log) => log.config().append.max_message_bytes as usize,
            Err(fault) => return Err(CoordinatorError::from(&AppendError::Fault(fault))),
        };
        let (id, epoch) = transaction.unwrap_or((ProducerId::NONE, ProducerEpoch::NONE));
        let mut builder = BatchBuilder::new(BatchOptions {
            compression: target.compression,
            leader_epoch: target.leader_epoch,
            producer: (id, epoch, Sequence::NONE),
            transactional: transaction.is_some(),
            ..BatchOptions::default()
        });
        let mut taken = 0;
        for record in records {
            self.key.clear();
            self.value.clear();
            let has_value = S::encode(record, &mut self.key, &mut self.value)
                .map_err(|error| CoordinatorError::TooLarge(error.to_string()))?;
            let size = self.key.len() + self.value.len() + RECORD_OVERHEAD;
            if divisible && taken > 0 && builder.size().max(BATCH_OVERHEAD) + size > most {
                break;
            }
            builder.push(target.now, Some(&self.key), has_value.then_some(&self.value[..]), &[]);
            taken += 1;
        }
        let mut batch = builder
            .finish(&mut self.compressors)
            .map_err(|error| CoordinatorError::NotAvailable(error.to_string()))?;
        let base = self.append(target, &mut batch)?;
        Ok((taken, base))
    }
}
