//! A copy of a log in another log directory that catches up with it while it is written, to take its place (KIP-113).
//!
//! The copy is a log like any other, in a directory whose name ends in `-future`. Its last step is done with both logs
//! held: what is left is copied, the copy is brought to stable storage, and the log goes on where the copy lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;
use protocol::records::batch::BatchHeader;

use super::{AppendError, Checkpoints, Log};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::group_commit::Ticket;
use crate::names::deletion_name;
use crate::whole_file::read_up_to;

/// How far a copy has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// Bytes copied now.
    pub bytes: u64,
    /// How many offsets are still missing.
    pub lag: i64,
}

impl<D: Disk> Log<D> {
    /// The batches from `from` on, at most so many bytes but one at least; empty at the end.
    pub(crate) fn batches_from(&mut self, from: Offset, bytes_max: u32) -> Result<Vec<u8>, Fault> {
        self.check()?;
        let marks = self.partition.watermarks();
        let from = from.max(marks.log_start);
        if from >= marks.log_end {
            return Ok(Vec::new());
        }
        let slice = self.read(from, marks.log_end, bytes_max, true)?;
        let mut bytes = vec![0; slice.length as usize];
        let read = read_up_to(self.home.disk(), &slice.file, &mut bytes, slice.position)
            .map_err(|error| Fault::io("read", self.path(), error));
        let read = self.home.noted(read)?;
        if read < bytes.len() {
            return Err(Fault::corrupt(
                self.path(),
                slice.position + read as u64,
                "the file ends within its batches",
            ));
        }
        Ok(bytes)
    }

    /// Takes batches of the log this is a copy of.
    pub(crate) fn take_copied(
        &mut self,
        source: &super::Partition,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<u64, Fault> {
        let end = self.partition.watermarks().log_end;
        if let Ok(first) = BatchHeader::parse_prefix(bytes)
            && self.size() == 0
            && first.base_offset != end
        {
            self.truncate_fully(first.base_offset, now)?;
        }
        let copied = self.append_replicated(source.current_leader_epoch(), bytes, now);
        match copied {
            Ok(length) if length > 0 || bytes.is_empty() => Ok(length as u64),
            Ok(_) => Err(Fault::corrupt(self.path(), 0, "no whole batch where one was read to be copied")),
            Err(AppendError::Fault(fault)) => Err(fault),
            Err(AppendError::Refused(refusal)) => {
                Err(Fault::corrupt(self.path(), 0, format!("a batch cannot be copied: {refusal}")))
            }
        }
    }

    /// Copies all that `source` still has, takes its machine over, and brings everything to stable storage.
    pub(crate) fn complete_copy(&mut self, source: &mut Self, now: Timestamp) -> Result<(), Fault> {
        let end = source.partition.watermarks().log_end;
        while self.partition.watermarks().log_end < end {
            let bytes = source.batches_from(self.partition.watermarks().log_end, 1 << 20)?;
            if bytes.is_empty() {
                break;
            }
            self.take_copied(&source.partition, &bytes, now)?;
        }
        let home = Arc::clone(&self.home);
        home.noted(self.seal_copy(source, end, now))
    }

    fn seal_copy(&mut self, source: &Self, end: Offset, now: Timestamp) -> Result<(), Fault> {
        if self.partition.watermarks().log_end != end {
            // Compaction may have left nothing at the very end, or nothing at all.
            if self.size() == 0 {
                self.truncate_fully(end, now)?;
            } else {
                self.roll_at(end, now)?;
            }
        }
        self.partition = source.partition.clone();
        self.segments.finish()?;
        self.take_snapshot(end)?;
        self.write_leader_epochs()?;
        let Ticket { files, done, .. } = self.ticket(end, Box::new(|_| ()))?;
        let disk = self.home.disk();
        for (path, file) in &files {
            disk.fdatasync(file).map_err(|error| Fault::io("fsync", path, error))?;
        }
        for directory in [self.path(), self.home.path()] {
            disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))?;
        }
        done(Ok(()));
        Ok(())
    }

    /// Puts a complete copy in the place of this log, which is renamed out of the way; says where it lies then. Between
    /// the two renames a start finds the copy alone, and takes it.
    pub(crate) fn replace_with_copy(&mut self, copy: &Self, now: Timestamp) -> Result<PathBuf, Fault> {
        self.abort_cleaning()?;
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let away = self.home.path().join(deletion_name(&self.name, &unique));
        let (source, target) = (Arc::clone(&self.home), Arc::clone(&copy.home));
        source.noted(rename(source.disk(), self.path(), &away))?;
        let place = target.path().join(self.name.to_string());
        if let Err(fault) = target.noted(rename(target.disk(), copy.path(), &place)) {
            if let Err(worse) = rename(source.disk(), &away, self.path()) {
                // The copy is all there is under a name that a start would take: it must stay where it is.
                target.state().take_offline(&format!("a replica cannot be moved here: {fault}"));
                source.state().take_offline(&format!("a replica cannot be moved away: {worse}"));
            }
            return Err(fault);
        }
        let marks = self.partition.watermarks();
        let checkpoints = Checkpoints {
            clean: true,
            recovery_point: marks.log_end,
            log_start: marks.log_start,
            high_watermark: marks.high_watermark,
            cleaned_to: self.cleaned_to(),
        };
        let (name, config) = ((self.name.clone(), self.topic_id), Arc::clone(&self.config));
        let opened = Self::open(Arc::clone(&target), name, config, checkpoints, now);
        let mut opened = target.noted(opened)?.log;
        opened.partition = self.partition.clone();
        opened.take_synced();
        let mut old = std::mem::replace(self, opened);
        old.mark_deleted();
        Ok(away)
    }
}

/// Renames a partition's directory for good.
fn rename<D: Disk>(disk: &D, from: &Path, to: &Path) -> Result<(), Fault> {
    disk.rename(from, to).map_err(|error| Fault::io("rename", from, error))?;
    let Some(directory) = to.parent() else { return Ok(()) };
    disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))
}
