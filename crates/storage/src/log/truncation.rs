//! Cutting a log back to an offset, as a follower does when its leader's log parts from its own (KIP-101, KIP-279).

use std::path::Path;
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::machine::Machine;
use super::replay::ReplayStart;
use super::{Log, Room, open};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::recovery;

impl<D: Disk> Log<D> {
    /// Drops every batch that holds `end` or later offsets, and brings the machine back to what it was there. `end`
    /// below the log start empties the log. [`crate::LogDirs::truncate`] takes care of the recovery point on disk first.
    pub(crate) fn truncate(&mut self, end: Offset, now: Timestamp) -> Result<(), Fault> {
        self.check()?;
        if end >= self.partition.watermarks().log_end {
            return Ok(());
        }
        if end < self.partition.watermarks().log_start {
            return self.truncate_fully(end, now);
        }
        self.tell_of_committed(end);
        let outcome = self.truncate_within(end, now);
        self.home.noted(outcome)
    }

    /// Says, before a truncation to `end`, that no more than what is before it counts as on stable storage; whether that
    /// is news, and the checkpoint to be written first.
    pub(crate) fn lower_recovery_point(&self, end: Offset) -> bool {
        let higher = self.flush.recovery_point() > end;
        if higher {
            self.flush.truncated(self.base_of(end), end);
        }
        higher
    }

    fn base_of(&self, end: Offset) -> Offset {
        let index = self.segments.index_of(end);
        self.segments.iter().nth(index).map_or(end, |segment| segment.base().min(end))
    }

    /// Drops everything; the log begins again at `start`, as when a follower is told to begin there.
    pub(crate) fn truncate_fully(&mut self, start: Offset, now: Timestamp) -> Result<(), Fault> {
        self.check()?;
        self.tell_of_committed(start);
        let outcome = self.truncate_fully_within(start, now);
        self.home.noted(outcome)
    }

    /// What lies below the high watermark was acknowledged and may have been read: a cut there loses it, here at least, and
    /// must never pass unseen (KAFKA-19474).
    fn tell_of_committed(&self, end: Offset) {
        let marks = self.partition.watermarks();
        if end < marks.high_watermark {
            self.home.note_committed_cut();
            tracing::error!(
                partition = %self.name,
                high_watermark = %marks.high_watermark,
                cut_to = %end,
                "records are cut away that were committed: unless another replica has them they are lost. Compare this \
                 partition with what its producers sent, and look for a replica that was elected without having been in sync"
            );
        }
    }

    /// What is cut must not come back, out of a cleaning or as the first batch of a log that seems to lack its own.
    fn prepare_cut(&mut self) -> Result<(), Fault> {
        self.abort_cleaning()?;
        self.make(Room::Reserve)?;
        self.forget_resume_point()?;
        self.home.first_records().sync()
    }

    fn truncate_within(&mut self, end: Offset, now: Timestamp) -> Result<(), Fault> {
        self.prepare_cut()?;
        // Before anything is cut: what is appended in the place of the tail must not count as flushed.
        self.flush.truncated(self.base_of(end), end);
        self.drop_snapshots_behind(end)?;
        self.segments.truncate(end, Some(self.home.state()))?;
        let last = self.segments.active().read_next_offset()?;
        let marks = self.partition.watermarks();
        if last < marks.log_start {
            // The batch that held the log start went as a whole, and with it the last one that anybody may read.
            return self.truncate_fully_within(marks.log_start, now);
        }
        self.forget_cleaned();
        let size = self.segments.active().size();
        self.set_resume_due(size);
        self.reload(marks.log_start, marks.high_watermark, last, now)?;
        self.write_leader_epochs()
    }

    fn truncate_fully_within(&mut self, start: Offset, now: Timestamp) -> Result<(), Fault> {
        self.prepare_cut()?;
        self.flush.truncated(start, start);
        self.keep_topic_id()?;
        self.drop_snapshots_behind(Offset(-1))?;
        // What was there is gone, and who tries again goes on where this one has ended.
        self.reserved(|log| log.segments.restart(start, now))?;
        self.set_cleaned_to(None);
        self.set_resume_due(0);
        self.flush.note_names_changed();
        let role = self.partition.role().clone();
        self.partition = Machine::new(open::empty(start, &self.config).with_role(role), &self.home);
        self.home.note_log_start_moved();
        self.write_leader_epochs()
    }

    /// Makes the machine anew from the newest snapshot and the batches behind it.
    fn reload(
        &mut self,
        log_start: Offset,
        high_watermark: Offset,
        end: Offset,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let directory: Arc<Path> = Arc::clone(self.segments.directory());
        let first = self.segments.first_base();
        let compacted = self.config.compaction.compact || self.cleaned_to().is_some();
        let snapshots = self.snapshots.up_to(end);
        let found = ReplayStart::newest(self.home.disk(), &directory, snapshots.iter(), (first, compacted))?;
        let start = found.unwrap_or_else(|| ReplayStart::nothing(first));
        let epochs = self.partition.leader_epochs().entries().iter().filter(|entry| entry.start_offset < end);
        let mut replaying = start.partition(epochs.copied().collect(), now, &self.config);
        let from = self.segments.index_of(start.offset);
        let bases: Vec<Offset> = self.segments.iter().map(|segment| segment.base()).collect();
        for (index, segment) in self.segments.iter_mut().enumerate().skip(from) {
            let limit = bases.get(index + 1).copied();
            recovery::replay(segment, (start.offset, limit), &mut replaying)?;
        }
        let role = self.partition.role().clone();
        let partition = replaying.finish(&directory, (log_start, high_watermark, end))?;
        self.partition = Machine::new(partition.with_role(role), &self.home);
        Ok(())
    }

    pub(super) fn drop_snapshots_behind(&mut self, end: Offset) -> Result<(), Fault> {
        let behind = self.snapshots.behind(end).to_vec();
        behind.into_iter().try_for_each(|offset| self.remove_snapshot(offset))
    }
}
