//! Deciding about an append: Kafka's checks in Kafka's order, offsets and epoch patched into the batch, and a plan
//! that tells storage what to write.
//!
//! Deciding changes nothing of the machine. The plan is applied by `Partition::appended` once its bytes are in the
//! log, so that a failed write leaves nothing to undo.

use protocol::id::{LeaderEpoch, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::{self, BatchHeader, TimestampType};
use protocol::records::batches::{Batch, Batches};
use protocol::records::compression::{Compressors, Decompressors};
use protocol::records::control::ControlRecord;
use protocol::records::legacy::UpConverted;
use protocol::records::record::Records;

use crate::producers::{Checked, ProducerUpdate, Strictness, TransactionVersion, check_data, check_marker};
use crate::refusal::AppendRefusal;
use crate::replica::Partition;
use crate::rules::AppendRules;
use crate::transactions::AbortedTransaction;
use crate::validate::{Validated, validate};
use crate::verifications::VerificationGuard;
use crate::watermarks::Role;

/// Who appends, when, and as whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Append {
    /// Who wrote the batch.
    pub origin: Origin,
    /// The epoch at which this replica leads.
    pub leader_epoch: LeaderEpoch,
    /// The time.
    pub now: Timestamp,
}

/// Who wrote a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A producer, by a produce request.
    Client {
        /// Whether the request's version knows zstd, which it does from 7 on.
        zstd: bool,
        /// What the transaction coordinator said.
        verification: Verification,
    },
    /// A producer of formats v0 and v1: the batch has just been made here of its message set, and this was seen of the
    /// records on the way. They are not unpacked again, nor is the checksum computed anew.
    Converted(UpConverted),
    /// A coordinator: its own records, offsets committed in a transaction, or end markers.
    Coordinator {
        /// The rules that end markers follow.
        transaction_version: TransactionVersion,
        /// What the transaction coordinator said.
        verification: Verification,
    },
}

/// Whether the transaction coordinator has confirmed that the producer's transaction includes this partition
/// (KIP-890).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verification {
    /// It was not asked because `transaction.partition.verification.enable` is off.
    NotRequired,
    /// It has not confirmed: no transaction may begin here.
    Missing,
    /// It has, when it was asked with this guard.
    Verified(VerificationGuard),
}

/// What deciding reuses from append to append. Belongs to one connection at a time.
#[derive(Default)]
pub struct Scratch {
    pub(crate) decompressors: Decompressors,
    pub(crate) compressors: Compressors,
    pub(crate) reencoded: Vec<u8>,
}

/// What to do about an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendDecision {
    /// Write it.
    Append(AppendPlan),
    /// Answer as when it was first written.
    Duplicate(Duplicate),
}

/// A batch that is in the log already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duplicate {
    /// Its first record.
    pub base_offset: Offset,
    /// Its last record.
    pub last_offset: LastOffset,
    /// What Kafka answers as log append time: the batch's largest timestamp.
    pub log_append_time: Timestamp,
}

/// A batch to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendPlan {
    /// Its first record.
    pub base_offset: Offset,
    /// Its last record.
    pub last_offset: LastOffset,
    /// Where its bytes are.
    pub write: WriteFrom,
    /// The epoch it carries.
    pub leader_epoch: LeaderEpoch,
    /// Whether it is the first of that epoch, so that the epoch checkpoint changes.
    pub starts_epoch: bool,
    /// For the time index, which pairs it with `last_offset`.
    pub max_timestamp: Timestamp,
    /// The stamp, where the topic has LogAppendTime.
    pub log_append_time: Option<Timestamp>,
    /// How many records the batch holds.
    pub count: i32,
    /// For the transaction index.
    pub aborted: Option<AbortedTransaction>,
    pub(crate) producer: Option<ProducerUpdate>,
}

/// Where the bytes of a planned batch are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteFrom {
    /// In front of the caller's own buffer.
    InPlace {
        /// How many.
        length: usize,
    },
    /// In the scratch buffer, compressed anew.
    Scratch,
}

impl AppendPlan {
    /// The bytes to write, out of the buffer and the scratch that were decided on.
    pub fn bytes<'a>(&self, buffer: &'a [u8], scratch: &'a Scratch) -> &'a [u8] {
        match self.write {
            WriteFrom::InPlace { length } => &buffer[..length],
            WriteFrom::Scratch => &scratch.reencoded,
        }
    }

    /// The offset behind the batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset.next()
    }
}

impl Partition {
    /// Decides about the one batch in `bytes`, and patches it if it may be appended.
    pub fn decide_append(
        &self,
        rules: &AppendRules,
        append: Append,
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<AppendDecision, AppendRefusal> {
        self.check_leads(append.leader_epoch)?;
        let validated = validate(rules, append.origin, append.now, bytes, scratch)?;
        self.decide(rules, append, &validated, bytes, scratch)
    }

    /// Decides likewise about a batch that was validated before: by these rules, of this origin, and with the same scratch.
    /// Time may have gone on.
    pub fn decide_validated(
        &self,
        rules: &AppendRules,
        append: Append,
        validated: &Validated,
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<AppendDecision, AppendRefusal> {
        self.check_leads(append.leader_epoch)?;
        self.decide(rules, append, validated, bytes, scratch)
    }

    fn decide(
        &self,
        rules: &AppendRules,
        append: Append,
        validated: &Validated,
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<AppendDecision, AppendRefusal> {
        let mut header = validated.header;
        let length = header.size();
        let bytes = &mut bytes[..length];
        header.base_offset = self.watermarks().log_end;
        if header.base_offset.0 > i64::MAX - i64::from(header.count) {
            return Err(AppendRefusal::OffsetsExhausted { log_end: header.base_offset, count: header.count });
        }
        header.leader_epoch = append.leader_epoch;
        header.max_timestamp = match rules.timestamp_type {
            // Of its turn, whenever it came: those of a log rise.
            TimestampType::LogAppendTime => append.now,
            TimestampType::CreateTime => validated.max_timestamp,
        };
        let producer = match self.check_producer(&header, append.origin, bytes)? {
            Some(Checked::Duplicate(known)) => {
                return Ok(AppendDecision::Duplicate(Duplicate {
                    base_offset: known.first_offset(),
                    last_offset: known.last_offset,
                    log_append_time: known.timestamp,
                }));
            }
            Some(Checked::Update(update)) => Some(update),
            None => None,
        };
        let write = if validated.reencoded { WriteFrom::Scratch } else { WriteFrom::InPlace { length } };
        let target = if validated.reencoded { &mut scratch.reencoded[..] } else { bytes };
        patch(rules, &header, target);
        Ok(AppendDecision::Append(self.plan(rules, &append, &header, write, producer)))
    }

    /// Refuses where this replica does not lead at this epoch.
    pub fn check_leads(&self, epoch: LeaderEpoch) -> Result<(), AppendRefusal> {
        match self.role() {
            Role::Leader(leadership) if leadership.leader_epoch == epoch => Ok(()),
            _ => Err(AppendRefusal::NotLeader { epoch }),
        }
    }

    fn plan(
        &self,
        rules: &AppendRules,
        append: &Append,
        header: &BatchHeader,
        write: WriteFrom,
        producer: Option<ProducerUpdate>,
    ) -> AppendPlan {
        let stamped = rules.timestamp_type == TimestampType::LogAppendTime;
        AppendPlan {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            write,
            leader_epoch: header.leader_epoch,
            starts_epoch: self.leader_epochs().would_change(header.leader_epoch, header.base_offset),
            max_timestamp: header.max_timestamp,
            log_append_time: stamped.then_some(append.now),
            count: header.count,
            aborted: producer.as_ref().and_then(|update| self.aborted_by(update)),
            producer,
        }
    }

    /// The transaction index entry that an update brings with it.
    pub(crate) fn aborted_by(&self, update: &ProducerUpdate) -> Option<AbortedTransaction> {
        match update {
            ProducerUpdate::Data(_) => None,
            ProducerUpdate::Marker(marker) => {
                marker.completed.as_ref().and_then(|completed| self.transactions().aborted_entry(completed))
            }
        }
    }

    fn check_producer(
        &self,
        header: &BatchHeader,
        origin: Origin,
        bytes: &[u8],
    ) -> Result<Option<Checked>, AppendRefusal> {
        if !header.has_producer_id() {
            return Ok(None);
        }
        let state = self.producers().get(header.producer_id);
        let asked = self.verifications().get(header.producer_id);
        match origin {
            Origin::Client { verification, .. } => {
                check_data((state, asked), header, Strictness::Client, verification).map(Some)
            }
            // Message sets name no producer.
            Origin::Converted(_) => Ok(None),
            Origin::Coordinator { transaction_version, .. } if header.attributes.is_control() => {
                let batch = Batch { header: *header, bytes, position: 0 };
                let Some((marker, timestamp)) = end_marker(&batch)? else { return Ok(None) };
                let update = check_marker(state, header, marker, timestamp, transaction_version)?;
                Ok(Some(Checked::Update(ProducerUpdate::Marker(update))))
            }
            Origin::Coordinator { verification, .. } => {
                check_data((state, asked), header, Strictness::Coordinator, verification).map(Some)
            }
        }
    }
}

/// The end marker in a control batch, with its timestamp; `None` where compaction has left no record or the
/// batch is the quorum's.
pub(crate) fn end_marker(
    batch: &Batch<'_>,
) -> Result<Option<(protocol::records::control::EndMarker, Timestamp)>, AppendRefusal> {
    let found = ControlRecord::first_of(batch).map_err(AppendRefusal::ControlRecord)?;
    let Some(ControlRecord::EndTransaction(marker)) = found else { return Ok(None) };
    let header = &batch.header;
    let timestamp = match header.attributes.timestamp_type() {
        batch::TimestampType::LogAppendTime => header.max_timestamp,
        batch::TimestampType::CreateTime => {
            let first = Records::new(batch.payload(), header.count).next().and_then(Result::ok);
            let delta = first.map_or(0, |record| record.timestamp_delta);
            Timestamp(header.base_timestamp.0.wrapping_add(delta))
        }
    };
    Ok(Some((marker, timestamp)))
}

fn patch(rules: &AppendRules, header: &BatchHeader, bytes: &mut [u8]) {
    batch::set_base_offset(bytes, header.base_offset);
    batch::set_leader_epoch(bytes, header.leader_epoch);
    batch::set_max_timestamp(bytes, rules.timestamp_type, header.max_timestamp);
}

/// The part of replicated bytes that may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replicated {
    /// How many bytes from the front.
    pub length: usize,
    /// The first batch's first offset; the log end where there is no batch.
    pub base_offset: Offset,
    /// The offset behind the last batch; the log end where there is none.
    pub next_offset: Offset,
    /// The largest timestamp of the batches.
    pub max_timestamp: Timestamp,
}

impl Partition {
    /// Decides about what a leader sent to this follower, whose epoch is `leader_epoch`. Whole batches are taken as
    /// they are; a torn tail is left, and so is all from the first batch of a later epoch on.
    pub fn decide_replicated(
        &self,
        leader_epoch: LeaderEpoch,
        bytes: &[u8],
    ) -> Result<Replicated, AppendRefusal> {
        let log_end = self.watermarks().log_end;
        let mut replicated = Replicated {
            length: 0,
            base_offset: log_end,
            next_offset: log_end,
            max_timestamp: Timestamp::NONE,
        };
        let mut batches = Batches::new(bytes);
        loop {
            let batch = match batches.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) | Err(batch::BatchError::Truncated { .. }) => return Ok(replicated),
                Err(error) => return Err(AppendRefusal::Framing(error)),
            };
            let header = &batch.header;
            if header.leader_epoch > leader_epoch {
                return Ok(replicated);
            }
            batch.verify_crc().map_err(AppendRefusal::Crc)?;
            let base_offset = header.base_offset;
            if base_offset < replicated.next_offset {
                return Err(if replicated.length == 0 {
                    AppendRefusal::NotAtEnd { base_offset, log_end }
                } else {
                    AppendRefusal::OffsetsOutOfOrder { base_offset }
                });
            }
            if header.next_offset() <= base_offset {
                return Err(AppendRefusal::OffsetsOutOfOrder { base_offset });
            }
            if header.has_producer_id() && header.attributes.is_control() {
                // Once it is in the log it is too late to find that it cannot be read.
                end_marker(&batch)?;
            }
            if replicated.length == 0 {
                replicated.base_offset = base_offset;
            }
            replicated.length += header.size();
            replicated.next_offset = header.next_offset();
            replicated.max_timestamp = replicated.max_timestamp.max(header.max_timestamp);
        }
    }
}

#[cfg(test)]
mod tests;
