//! The log of one partition: the pure machine that decides ([`partition::Partition`]) over the segments that hold the
//! batches.
//!
//! A log is driven under its partition's lock, which the caller holds ([`crate::SharedLog`]), and never waits: an append
//! is decided, written with one system call and applied; making it durable is handed to the directory's own thread.
//! A write that fails leaves machine and files as they were. Files follow Kafka's rules for when what is written, rolled
//! and renamed; the machine's rules say what.

mod cleaning;
mod first;
mod housekeeping;
mod machine;
mod moving;
mod open;
mod read;
mod replacing;
mod replay;
mod resume;
mod timestamps;
mod truncation;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::segments::{ActiveSegment, Incoming, should_roll};
use partition::validate::Validated;
use partition::verifications::{FirstBatch, VerificationGuard};
use partition::{
    Append, AppendDecision, AppendPlan, AppendRefusal, AppendRules, Duplicate, Millis, Partition, Scratch,
};
use protocol::id::{DirectoryId, LeaderEpoch, Timestamp, TopicId};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batches::Batches;

use crate::checkpoint;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::first_records::FirstPlace;
use crate::flush_progress::{FlushProgress, SmallFile};
use crate::log_config::LogConfig;
use crate::log_directory::LogDirectory;
use crate::names::TopicPartition;
use crate::segments::Segments;
use crate::snapshot_offsets::SnapshotOffsets;
use crate::whole_file;
use crate::written_lately::WrittenLately;

use cleaning::Compaction;
use machine::Machine;
use resume::Resume;

pub(crate) use cleaning::CleaningPause;
pub use cleaning::Source;
pub use housekeeping::{DeleteRecordsError, Retained};
pub use moving::Copied;
pub(crate) use moving::Piece;
pub use open::{Checkpoints, Opened, Room};
pub use read::{Fetched, ReadError};
pub use replacing::{Cleaning, Names, Replaced};
pub(crate) use resume::{Settled, Way};
pub use timestamps::{EARLIEST, EARLIEST_LOCAL, FoundOffset, LATEST, MAX_TIMESTAMP};

/// The log of one partition.
pub struct Log<D: Disk = RealDisk> {
    name: TopicPartition,
    topic_id: Option<TopicId>,
    home: Arc<LogDirectory<D>>,
    partition: Machine,
    segments: Segments<D>,
    config: Arc<LogConfig>,
    flush: Arc<FlushProgress>,
    /// When a flush was last begun.
    last_flush: Timestamp,
    /// Offsets of the producer snapshots on disk.
    snapshots: SnapshotOffsets,
    /// Taken off the greatest age of the active segment.
    jitter: Millis,
    /// There once anything is known of it: most of very many logs are never compacted.
    compaction: Option<Box<Compaction>>,
    /// Where recovery of the active segment would begin; most of very many logs are too small for it to matter.
    resume: Option<Box<Resume>>,
    /// How large the active segment is when another such place is due.
    resume_due: u32,
    /// When what lies at its end was written.
    written: WrittenLately,
    /// Whether the directory and the files of the log are there.
    made: bool,
    /// Where its only batch lies, if it has one before it is made.
    first: Option<FirstPlace>,
    /// Whether `leader-epoch-checkpoint` says less than the machine knows. Recovery learns the rest from the batches, so it
    /// is written when the recovery point is about to pass them.
    epochs_due: bool,
    /// Whether there may be a `leader-epoch-checkpoint` already.
    epochs_there: bool,
    /// Set once the log was closed or deleted: whoever still holds it is refused.
    gone: Option<Gone>,
}

/// Why nobody may use a log any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gone {
    Closed,
    Deleted,
    MovedHalfWay,
}

impl Gone {
    fn reason(self) -> &'static str {
        match self {
            Self::Closed => "the log was closed",
            Self::Deleted => "the partition was deleted",
            Self::MovedHalfWay => {
                "its move has ended half way; restart the broker to find it in its new place"
            }
        }
    }
}

/// What an append came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// The batch is in the log.
    Written(Written),
    /// The batch was in the log already.
    Duplicate(Duplicate),
}

/// A batch that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Its first record.
    pub base_offset: Offset,
    /// Its last record.
    pub last_offset: LastOffset,
    /// The stamp, where the topic has LogAppendTime.
    pub log_append_time: Option<Timestamp>,
    /// How many records it holds.
    pub count: i32,
    /// Bytes written.
    pub bytes: u32,
    /// Whether the high watermark moved: readers that wait can be woken.
    pub high_watermark_moved: bool,
}

/// Why an append was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The machine refused the batch.
    #[error(transparent)]
    Refused(#[from] AppendRefusal),
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl<D: Disk> Log<D> {
    /// The partition.
    pub fn name(&self) -> &TopicPartition {
        &self.name
    }

    /// The topic's id, if the directory knows it.
    pub fn topic_id(&self) -> Option<TopicId> {
        self.topic_id
    }

    /// Forgets the topic's id.
    #[cfg(test)]
    pub(crate) fn forget_topic_id(&mut self) {
        self.topic_id = None;
    }

    /// The id of the log directory it lies in.
    pub fn directory_id(&self) -> DirectoryId {
        self.home.id()
    }

    /// The log directory it lies in.
    pub fn home(&self) -> &Arc<LogDirectory<D>> {
        &self.home
    }

    /// The partition's own directory.
    pub fn path(&self) -> &Path {
        self.segments.directory()
    }

    /// What the machine knows: watermarks, epochs, producers, transactions, role.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Bytes of all batches.
    pub fn size(&self) -> u64 {
        self.segments.size()
    }

    /// Where the segments begin.
    #[cfg(test)]
    pub(crate) fn segment_bases(&self) -> Vec<Offset> {
        self.segments.iter().map(|segment| segment.base()).collect()
    }

    /// Whether the segments before the active one have not been asked for since the start.
    #[cfg(test)]
    pub(crate) fn older_are_unmade(&self) -> bool {
        self.segments.older_are_unmade()
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.count()
    }

    /// The offset before which everything is on stable storage.
    pub fn recovery_point(&self) -> Offset {
        self.flush.recovery_point()
    }

    /// The same as `recovery-point-offset-checkpoint` may tell it.
    pub fn recovery_point_to_keep(&self) -> Offset {
        self.flush.recovery_point_to_keep()
    }

    /// Takes another configuration from here on.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.segments.set_limits(config.index_limits());
        if self.config.compaction.compact
            && !config.compaction.compact
            && let Err(fault) = self.abort_cleaning()
        {
            tracing::warn!(partition = %self.name, %fault, "cannot take back a compaction");
        }
        let producer_ids_max = config.producer_ids_max;
        self.partition.change(&self.home, |machine| machine.set_producer_ids_max(producer_ids_max));
        self.config = config;
        self.note_config();
    }

    /// Has the directory know what the configuration asks of those who look after its logs.
    fn note_config(&self) {
        if self.config.compaction.compact {
            self.home.note_compacting(&self.name);
        }
        self.home.note_grown();
    }

    /// Appends the one batch in `bytes`, which is patched in place.
    pub fn append(
        &mut self,
        append: Append,
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<Appended, AppendError> {
        self.check()?;
        let decision = self.partition.decide_append(&self.config.append, append, bytes, scratch)?;
        self.carry_out(decision, append.now, bytes, scratch)
    }

    /// Appends likewise a batch that was validated before its turn here, by what were the rules then. Where others hold by
    /// now it is validated anew.
    pub fn append_validated(
        &mut self,
        append: Append,
        (rules, validated): (&AppendRules, &Validated),
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<Appended, AppendError> {
        if self.config.append != *rules {
            return self.append(append, bytes, scratch);
        }
        self.check()?;
        let decision = self.partition.decide_validated(rules, append, validated, bytes, scratch)?;
        self.carry_out(decision, append.now, bytes, scratch)
    }

    /// The rules by which this log's leader of an epoch has its batches validated, before their turn here or in it.
    ///
    /// # Errors
    /// Why no batch is taken, whatever it is.
    pub fn append_rules(&self, epoch: LeaderEpoch) -> Result<&AppendRules, AppendError> {
        self.check()?;
        self.partition.check_leads(epoch)?;
        Ok(&self.config.append)
    }

    fn carry_out(
        &mut self,
        decision: AppendDecision,
        now: Timestamp,
        bytes: &[u8],
        scratch: &Scratch,
    ) -> Result<Appended, AppendError> {
        match decision {
            AppendDecision::Duplicate(duplicate) => Ok(Appended::Duplicate(duplicate)),
            AppendDecision::Append(plan) => {
                self.home.state().check_room()?;
                let written = self.write(&plan, plan.bytes(bytes, scratch), now);
                Ok(Appended::Written(self.home.noted(written)?))
            }
        }
    }

    /// The first batch of a transaction is about to be appended, by [`Partition::begin_verification`].
    pub fn begin_verification(
        &mut self,
        now: Timestamp,
        batch: &FirstBatch,
    ) -> Result<Option<VerificationGuard>, AppendError> {
        self.check()?;
        Ok(self.partition.change(&self.home, |machine| machine.begin_verification(now, batch))?)
    }

    /// That was in vain, by [`Partition::withdraw_verification`].
    pub fn withdraw_verification(&mut self, guard: VerificationGuard, batch: &FirstBatch) {
        self.partition.change(&self.home, |machine| machine.withdraw_verification(guard, batch));
    }

    fn write(&mut self, plan: &AppendPlan, bytes: &[u8], now: Timestamp) -> Result<Written, Fault> {
        let incoming = Incoming {
            bytes: bytes.len() as u64,
            last_offset: plan.last_offset,
            max_timestamp: plan.max_timestamp,
        };
        self.written.note(now, plan.base_offset);
        let apart = self.write_apart(plan, bytes)?;
        if !apart {
            self.make(Room::Free)?;
            self.roll_for(&incoming, plan.base_offset, now)?;
        }
        let latest = self.partition.leader_epochs().entries().last();
        self.epochs_due |= plan.starts_epoch || latest.is_some_and(|it| it.start_offset == plan.base_offset);
        if !apart {
            self.segments.append(bytes)?;
            self.note_growth();
        }
        if let Some(aborted) = &plan.aborted {
            self.segments.active().abort(aborted);
        }
        let unsynced = self.is_flush_due(plan.next_offset());
        let high_watermark_moved = self.partition.change(&self.home, |machine| match unsynced {
            true => machine.appended_unsynced(plan),
            false => machine.appended(plan),
        });
        Ok(Written {
            base_offset: plan.base_offset,
            last_offset: plan.last_offset,
            log_append_time: plan.log_append_time,
            count: plan.count,
            bytes: bytes.len() as u32,
            high_watermark_moved,
        })
    }

    /// Appends what a leader of `leader_epoch` sent to this follower; says how many bytes of it were whole batches.
    pub fn append_replicated(
        &mut self,
        leader_epoch: LeaderEpoch,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<usize, AppendError> {
        self.check()?;
        self.home.state().check_room()?;
        let replicated = self.partition.decide_replicated(leader_epoch, bytes)?;
        self.make(Room::Free)?;
        self.written.note(now, self.partition.watermarks().log_end);
        let bytes = &bytes[..replicated.length];
        let epochs = self.partition.leader_epochs().latest();
        for batch in Batches::new(bytes) {
            let incoming = Incoming {
                bytes: batch.bytes.len() as u64,
                last_offset: batch.header.last_offset(),
                max_timestamp: batch.header.max_timestamp,
            };
            let rolled = self.roll_for(&incoming, batch.header.base_offset, now);
            let written = rolled.and_then(|()| self.segments.append(batch.bytes));
            if written.is_err() {
                // A segment that begins behind the log's end must not stay without the batch it was made for.
                let end = self.partition.watermarks().log_end;
                self.flush.truncated(end, end);
                let tidied = self.segments.drop_begun_behind(end);
                // Nor the snapshot of producers, who go on before that offset.
                let tidied = tidied.and_then(|()| self.drop_snapshots_behind(end));
                self.home.noted(written)?;
                self.home.noted(tidied)?;
            }
            if let Some(aborted) = self.partition.change(&self.home, |machine| machine.replay(&batch))? {
                self.segments.active().abort(&aborted);
            }
            // With each, for one behind it may fail.
            self.epochs_due |= self.partition.leader_epochs().latest() != epochs;
            self.note_growth();
        }
        Ok(replicated.length)
    }

    /// Does what keeps the log in order and must not fail for want of room.
    fn reserved<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let home = Arc::clone(&self.home);
        home.reserved(|| attempt(self))
    }

    /// Whether its directory failed.
    pub fn is_offline(&self) -> bool {
        self.home.state().check().is_err()
    }

    /// Refuses if the log is gone or its directory is offline.
    fn check(&self) -> Result<(), Fault> {
        if let Some(gone) = self.gone {
            let (path, reason) = (self.path().to_owned(), gone.reason().to_owned());
            return Err(Fault::Mismatch { path, reason });
        }
        self.home.state().check()
    }

    /// Rolls where the incoming batch asks for it: the new segment begins with the batch, which in a follower's log may
    /// lie behind the log's end.
    fn roll_for(&mut self, incoming: &Incoming, base: Offset, now: Timestamp) -> Result<(), Fault> {
        let active = self.segments.active();
        let entries_max = active.index_entries_max();
        // Most segments are far too small for that to be a question, and to look would keep their indexes in memory.
        let (offset_index_entries, time_index_entries) = match self.config.roll.index_holds(entries_max) {
            true => (entries_max, entries_max),
            false => (active.offset_index_entries()?, active.time_index_entries()?),
        };
        let segment = ActiveSegment {
            base_offset: active.base(),
            bytes: u64::from(active.size()),
            created: active.created(),
            first_batch_timestamp: active.first_timestamp()?,
            jitter: self.jitter,
            offset_index_entries,
            time_index_entries,
        };
        if should_roll(&self.config.roll, &segment, incoming, now) {
            self.roll_at(base, now)?;
        }
        Ok(())
    }

    /// Writes the epochs, of a log that was cut or copied, and brings them to stable storage.
    fn write_leader_epochs(&mut self) -> Result<(), Fault> {
        self.epochs_due = true;
        if self.made {
            let (path, epochs) = self.epochs_to_write();
            self.epochs_there = true;
            self.reserved(|log| checkpoint::write_leader_epochs(log.home.disk(), &path, &epochs))?;
            self.epochs_due = false;
        }
        Ok(())
    }

    /// Writes the epochs that only the machine knows, to be brought to stable storage by the flush that follows.
    fn write_epochs_due(&mut self) -> Result<(), Fault> {
        if self.epochs_due && self.made {
            let (path, epochs) = self.epochs_to_write();
            match self.flush.recovery_point() > Offset::ZERO {
                // Those of flushed batches are on stable storage, and recovery does not learn them again.
                true => checkpoint::write_leader_epochs_unnamed(self.home.disk(), &path, &epochs)?,
                false if self.epochs_there => {
                    checkpoint::write_leader_epochs_unsynced(self.home.disk(), &path, &epochs)?;
                }
                // Recovery learns them from the batches if only half of it is there.
                false => checkpoint::create_leader_epochs(self.home.disk(), &path, &epochs)?,
            }
            self.epochs_there = true;
            self.flush.note_small(SmallFile::LeaderEpochs);
            self.epochs_due = false;
        }
        Ok(())
    }

    /// Writes the epochs that only the machine knows so that [`Self::put_epochs_in_place`] can, after a sync of all there is, do
    /// the rest.
    fn write_epochs_beside(&mut self) -> Result<(), Fault> {
        if self.epochs_due && self.made && self.epochs_there {
            let (path, epochs) = self.epochs_to_write();
            return checkpoint::write_leader_epochs_beside(self.home.disk(), &path, &epochs);
        }
        self.write_epochs_due()
    }

    /// Puts in place what was written by [`Self::write_epochs_beside`] and is on stable storage; says whether there was any.
    fn put_epochs_in_place(&mut self) -> Result<bool, Fault> {
        let due = self.epochs_due && self.made;
        if due {
            let (path, _) = self.epochs_to_write();
            whole_file::put_in_place(self.home.disk(), &path)?;
            self.epochs_due = false;
        }
        Ok(due)
    }

    fn epochs_to_write(&self) -> (PathBuf, Vec<(LeaderEpoch, Offset)>) {
        let entries = self.partition.leader_epochs().entries().iter();
        let epochs = entries.map(|entry| (entry.epoch, entry.start_offset)).collect();
        (self.path().join(checkpoint::LEADER_EPOCH), epochs)
    }

    /// Whether `flush.messages` is reached: no append may be acknowledged before [`Log::commit`] is done, and neither may
    /// a duplicate, whose first copy may still be on its way to stable storage.
    pub fn commit_due(&self) -> bool {
        self.is_flush_due(self.partition.watermarks().log_end)
    }

    fn is_flush_due(&self, end: Offset) -> bool {
        let Some(limit) = self.config.flush_messages else { return false };
        let unflushed = end.0 - self.flush.recovery_point().0;
        u64::try_from(unflushed).is_ok_and(|unflushed| unflushed >= limit)
    }

    /// Takes in that a commit is done: readers may see what waited for stable storage. Says whether the high watermark
    /// moved.
    pub fn take_synced(&mut self) -> bool {
        let synced = self.flush.recovery_point();
        self.partition.change(&self.home, |machine| machine.synced(synced))
    }
}

#[cfg(test)]
mod tests;
