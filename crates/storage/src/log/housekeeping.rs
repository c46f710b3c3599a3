//! What happens to a log beside appends and reads: rolling, flushing, forgetting, closing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::Millis;
use partition::delete_records::DeleteRecordsRefusal;
use partition::retention::{self, RetentionReason, SegmentSummary};
use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::{Gone, Log, Room};
use crate::clean_logs::KnownLog;
use crate::disk::{Access, Disk};
use crate::fault::Fault;
use crate::flush_progress::SmallFile;
use crate::group_commit::{Done, Ticket};
use crate::listing::Listing;
use crate::names::SegmentFile;
use crate::producer_snapshot;
use crate::segment::DirtyFile;

/// Of a log with more segments than this the next start learns from its directory.
const KNOWN_SEGMENTS_MAX: usize = 1 << 16;

/// Why records are not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// The machine refused.
    #[error(transparent)]
    Refused(#[from] DeleteRecordsRefusal),
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What retention took away.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Retained {
    /// Why each segment went, oldest first.
    pub reasons: Vec<RetentionReason>,
    /// Their bytes.
    pub bytes: u64,
}

impl<D: Disk> Log<D> {
    /// Begins a new segment at the log end, with a snapshot of the producers, and has what came before made durable in the
    /// background. Does nothing where the active segment is empty.
    pub fn roll(&mut self, now: Timestamp) -> Result<(), Fault> {
        // Of a compacted log nobody could tell what is missing in front of a new segment.
        self.check()?;
        self.make_if_written()?;
        self.roll_at(self.partition.watermarks().log_end, now)
    }

    pub(super) fn roll_at(&mut self, base: Offset, now: Timestamp) -> Result<(), Fault> {
        if self.segments.active().base() == base {
            return Ok(());
        }
        // The snapshot first: a segment without one only costs a longer replay, never a wrong one.
        self.take_snapshot(base)?;
        let size = self.segments.active().size();
        self.segments.roll(base, now)?;
        self.flush.note_names_changed();
        self.draw_jitter();
        self.carry_resume_due(size);
        let ticket = self.ticket(base, Box::new(|_| ()))?;
        self.home.background().submit(ticket);
        self.last_flush = now;
        Ok(())
    }

    /// Has all that is in the log brought to stable storage, with all that other logs of the directory ask for at the
    /// same time, and `done` told.
    pub fn commit(&mut self, done: Done) {
        let end = self.partition.watermarks().log_end;
        let made = self.make(Room::Reserve);
        let ticket = made.and_then(|()| self.reserved(|log| log.ticket(end, Box::new(|_| ()))));
        match ticket {
            Ok(ticket) => self.home.commit().submit(ticket.telling(done)),
            Err(fault) => done(Err(fault)),
        }
    }

    /// Has the log brought to stable storage in the background if `flush.ms` has passed since that last happened.
    pub fn flush_if_due(&mut self, now: Timestamp) -> Result<(), Fault> {
        let Some(Millis(after)) = self.config.flush_after else { return Ok(()) };
        // A clock that was set back says nothing about how long that is ago.
        let due = now < self.last_flush || now.0.saturating_sub(self.last_flush.0) >= after;
        if due
            && self.flush.recovery_point() < self.partition.watermarks().log_end
            && let Some(by_age) = self.flush.begin_by_age()
        {
            self.flush(now, Box::new(move |_| drop(by_age)))?;
        }
        Ok(())
    }

    /// Has the log brought to stable storage in the background, and `done` told.
    pub fn flush(&mut self, now: Timestamp, done: Done) -> Result<(), Fault> {
        self.check()?;
        let (home, end) = (Arc::clone(&self.home), self.partition.watermarks().log_end);
        // What was acknowledged is to last, on a full disk too; and very many logs may ask.
        let ticket = home.reserved_in_part(|| self.ticket(end, Box::new(|_| ())))?;
        home.background().submit(ticket.telling(done));
        self.last_flush = now;
        Ok(())
    }

    /// Moves the log start up on a client's word. The caller has `log-start-offset-checkpoint` written before it answers
    /// ([`crate::LogDirs::checkpoint_log_starts`]), so that deleted records stay deleted.
    pub fn delete_records(&mut self, before: Offset) -> Result<Offset, DeleteRecordsError> {
        self.check()?;
        // An empty cleanup.policy keeps what is there but from its clients; compaction alone may not have gaps made into it.
        let deletable = self.config.retention.delete || !self.config.compaction.compact;
        let log_start = self.partition.decide_delete_records(before, deletable)?;
        if log_start > self.partition.watermarks().log_start {
            let kept = self.make(Room::Reserve).and_then(|()| self.keep_topic_id());
            self.home.noted(kept)?;
            self.home.note_log_start_moved();
            // The epochs on disk may begin earlier than the log: opening brings them in line. The other way round, after
            // a crash that leaves the log with its old start, its first records would have no epoch.
            self.partition.change(&self.home, |machine| machine.set_log_start(log_start));
        }
        Ok(log_start)
    }

    /// Brings the topic's id to stable storage where no flush has done so yet: a log whose id a power cut may tear is one
    /// that may be set aside, and then it would begin at 0 again.
    pub(super) fn keep_topic_id(&self) -> Result<(), Fault> {
        if !self.flush.small().contains(&SmallFile::PartitionMetadata) {
            return Ok(());
        }
        let synced =
            |path: &Path, outcome: std::io::Result<()>| outcome.map_err(|e| Fault::io("fsync", path, e));
        let (path, file) = self.opened(SmallFile::PartitionMetadata.path(self.path()))?;
        let disk = self.home.disk();
        synced(&path, disk.fdatasync(&file))?;
        synced(self.path(), disk.fsync_dir(self.path()))?;
        synced(self.home.path(), disk.fsync_dir(self.home.path()))
    }

    /// Drops the segments that retention by time, by size or by log start no longer keeps.
    pub fn retain(&mut self, now: Timestamp) -> Result<Retained, Fault> {
        self.check()?;
        let outcome = self.retain_within(now);
        self.home.noted(outcome)
    }

    fn retain_within(&mut self, now: Timestamp) -> Result<Retained, Fault> {
        if self.keeps_all() {
            return Ok(Retained::default());
        }
        let summaries = self.summaries()?;
        let marks = self.partition.watermarks();
        let reasons = retention::plan(&self.config.retention, &summaries, &marks, now);
        let bytes = summaries[..reasons.len()].iter().map(|segment| segment.bytes).sum();
        if reasons.is_empty() {
            return Ok(Retained::default());
        }
        if !self.made && self.home.state().check_room().is_err() {
            // The end of a record that lies apart frees less than the files take that tell of it.
            return Ok(Retained::default());
        }
        self.make(Room::Free)?;
        if reasons.len() == summaries.len() {
            self.reserved(|log| log.roll(now))?;
        }
        let cleaning = self.under_way();
        // A cleaning may be giving them other names this moment.
        let mut names = cleaning.as_ref().map(|cleaning| cleaning.meet(&mut self.segments));
        // Were a new one gone before those it was made of, a start would find what they held again.
        while let Some(names) = &mut names
            && names.retire(&self.home, self.config.file_delete_delay)?
        {}
        let (mut renamed, stay) = (Vec::new(), self.segments.count() - reasons.len());
        // A longer name may take a block of the directory, and until it has that nothing can go.
        let dropped = self.reserved(|log| {
            let going = log.segments.count() - stay;
            log.segments.drop_front(going, &mut renamed)
        });
        self.flush.note_names_changed();
        let first = self.segments.first_base();
        if let Some(mut names) = names {
            names.forget_before(first);
        }
        // Those that went before an error are gone all the same.
        self.home.removals().schedule(now, self.config.file_delete_delay, renamed);
        self.partition.change(&self.home, |machine| machine.set_log_start(first));
        dropped?;
        for offset in self.snapshots.before(first).to_vec() {
            self.remove_snapshot(offset)?;
        }
        Ok(Retained { reasons, bytes })
    }

    /// Whether a look at the segments can be spared: most logs keep all they have most of the time.
    fn keeps_all(&self) -> bool {
        let rules = &self.config.retention;
        let single_empty = self.segments.count() == 1 && self.segments.size() == 0;
        let forever = !rules.delete || (rules.time.is_none() && rules.bytes.is_none());
        let log_start = self.partition.watermarks().log_start;
        let starts_within_first = self.segments.base_at(1).is_none_or(|second| second > log_start);
        single_empty || (forever && starts_within_first)
    }

    fn summaries(&mut self) -> Result<Vec<SegmentSummary>, Fault> {
        let by_time = self.config.retention.delete && self.config.retention.time.is_some();
        let summary = |segment: &mut crate::segment::Segment<D>| {
            // The timestamp costs reads at first; it is asked for only where it decides.
            let largest_timestamp = match by_time {
                true => segment.youngest()?,
                false => Timestamp::NONE,
            };
            Ok(SegmentSummary {
                base_offset: segment.base(),
                bytes: u64::from(segment.size()),
                largest_timestamp,
            })
        };
        self.segments.iter_mut().map(summary).collect()
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`; says how many.
    pub fn expire_producers(&mut self, now: Timestamp) -> usize {
        let expiration = self.config.producer_expiration;
        self.partition.change(&self.home, |machine| machine.expire_producers(now, expiration))
    }

    /// The offset that `log-start-offset-checkpoint` must keep: where the log begins, if that is not where its files do,
    /// or not where they would after a power cut.
    pub fn log_start_to_keep(&self) -> Option<Offset> {
        let log_start = self.partition.watermarks().log_start;
        let in_doubt = log_start > Offset::ZERO && self.flush.names_due();
        (in_doubt || log_start > self.segments.first_base()).then_some(log_start)
    }

    /// Ends the files as a clean end leaves them: indexes trimmed, a producer snapshot at the log end. The caller then
    /// brings the whole directory to stable storage. Nothing can be appended afterwards.
    pub fn close(&mut self) -> Result<Offset, Fault> {
        let end = self.close_with(Self::write_epochs_due)?;
        self.reserved(Self::end_resume_point)?;
        Ok(end)
    }

    /// The same in two steps for very many logs, between which the caller brings the whole directory to stable storage once,
    /// in place of each log a file of its own.
    pub(crate) fn begin_close(&mut self) -> Result<(), Fault> {
        self.close_with(Self::write_epochs_beside).map(drop)
    }

    /// The second step; says whether there was anything to do.
    pub(crate) fn end_close(&mut self) -> Result<bool, Fault> {
        match self.gone {
            Some(Gone::Closed) => {}
            Some(Gone::Deleted | Gone::MovedHalfWay) => return Ok(false),
            // One that has come since the first step has nothing written beside.
            None => return self.close().map(|_| true),
        }
        let (put, ended) =
            (self.reserved(Self::put_epochs_in_place)?, self.reserved(Self::end_resume_point)?);
        Ok(put || ended)
    }

    fn close_with(&mut self, write_epochs: impl Fn(&mut Self) -> Result<(), Fault>) -> Result<Offset, Fault> {
        self.check()?;
        let settled = self.abort_cleaning().and_then(|()| self.settle_segments());
        self.home.noted(settled)?;
        let end = self.partition.watermarks().log_end;
        self.make_if_written()?;
        if self.made {
            self.reserved(|log| {
                log.segments.finish()?;
                write_epochs(log)?;
                // Where there were never any producers, Kafka takes the lack of a snapshot for that.
                let none = log.snapshots.is_empty() && log.partition.producers().iter().next().is_none();
                if none { Ok(()) } else { log.take_snapshot(end) }
            })?;
        }
        self.gone = Some(Gone::Closed);
        Ok(self.partition.watermarks().log_end)
    }

    /// The file that is appended to, open.
    pub(crate) fn active_file(&mut self) -> Result<Arc<D::File>, Fault> {
        self.segments.active().file()
    }

    /// What a start would find in the directory of the closed log; `None` where that is much, or cannot be told.
    pub(crate) fn known(&mut self) -> Option<KnownLog> {
        if !self.made || self.segments.count() > KNOWN_SEGMENTS_MAX {
            return None;
        }
        let snapshots = self.snapshots.as_slice().iter().copied().collect();
        let mut listing = Listing { snapshots, ..Listing::default() };
        let last = self.segments.iter().len() - 1;
        for (index, segment) in self.segments.iter_mut().enumerate() {
            // Nobody appends to the others again: of them it is not asked how old they are.
            let modified = if index == last { segment.modified().ok()? } else { segment.created() };
            listing.segments.insert(segment.base(), segment.facts(modified));
        }
        let epochs = self.partition.leader_epochs().entries().to_vec();
        let (topic_id, end) = (self.topic_id, self.partition.watermarks().log_end);
        Some(KnownLog { topic_id, listing, epochs, end })
    }

    /// Refuses everything from now on: the partition is deleted.
    pub(crate) fn mark_deleted(&mut self) {
        if self.cleaned_to().is_some() {
            // A log of the same name would be taken for as clean as this one.
            self.home.note_cleaned();
        }
        // Whatever the cleaner has made ready goes with the directory.
        if let Err(fault) = self.abort_cleaning() {
            tracing::warn!(partition = %self.name, %fault, "cannot take back a compaction");
        }
        self.gone = Some(Gone::Deleted);
    }

    pub(super) fn take_snapshot(&mut self, end: Offset) -> Result<(), Fault> {
        if self.snapshots.last().unwrap_or(Offset::ZERO) >= end {
            return Ok(());
        }
        let entries: Vec<_> = self.partition.producer_snapshot().collect();
        let path = SegmentFile::ProducerSnapshot.path(self.path(), end);
        producer_snapshot::write(self.home.disk(), &path, &entries)?;
        self.snapshots.insert(end);
        self.flush.note_small(SmallFile::ProducerSnapshot(end));
        Ok(())
    }

    /// What must reach stable storage so that everything before `upto` is there; once it is, the recovery point moves.
    pub(super) fn ticket(&mut self, upto: Offset, done: Done) -> Result<Ticket<D>, Fault> {
        self.make(Room::Reserve)?;
        // Recovery will not look at the batches before the recovery point any more.
        self.write_epochs_due()?;
        let mut files = Vec::new();
        let from = self.segments.index_of(self.flush.flush_from());
        let last = self.segments.count() - 1;
        for (index, segment) in (from..).zip(self.segments.rest(from)) {
            // Recovery makes the indexes of the active segment anew, so they need not be durable yet.
            if index < last {
                segment.finish()?;
            }
            files.extend(segment.dirty_files(index < last)?);
        }
        for small in self.flush.small() {
            match self.opened(small.path(self.path())) {
                // Not every log has every file.
                Err(fault) if fault.not_found() => {}
                opened => files.push(opened?),
            }
        }
        let mut directories = Vec::new();
        if self.flush.names_due() {
            directories = vec![self.path().to_owned(), self.home.path().to_owned()];
        }
        let indexed = self.segments.active().base();
        let (progress, target) = (Arc::clone(&self.flush), self.flush.target(upto, indexed));
        let done: Done = Box::new(move |outcome| {
            if outcome.is_ok() {
                progress.reached(target);
            }
            done(outcome);
        });
        Ok(Ticket { files, directories, done })
    }

    fn opened(&self, path: PathBuf) -> Result<DirtyFile<D>, Fault> {
        let file =
            self.home.disk().open(&path, Access::Write).map_err(|error| Fault::io("open", &path, error))?;
        Ok((path, Arc::new(file)))
    }

    /// Draws what is taken off the next segment's greatest age, so that not all logs roll at once. It is made from the
    /// name and the offset: no source of randomness is needed to spread them.
    pub(super) fn draw_jitter(&mut self) {
        // Not more than the whole age, as in Kafka: else each batch would begin a segment.
        let span = self.config.segment_jitter_max.min(self.config.roll.segment_age_max).0;
        if span <= 0 {
            self.jitter = Millis(0);
            return;
        }
        let base = self.segments.active().base();
        let key = format!("{}:{base}", self.name);
        let drawn = u64::from(protocol::records::checksum::crc32c(key.as_bytes())) % span.unsigned_abs();
        self.jitter = Millis(drawn as i64);
    }
}
