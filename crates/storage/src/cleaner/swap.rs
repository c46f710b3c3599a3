//! Rewritten segments on their way into the log, many at a time, and what must be on stable storage before each step.
//!
//! What is brought to stable storage makes the file system write its journal, and all that append to any file of it may
//! have to wait for that. So nothing is synced that no power cut asks for, and segments share what is synced:
//!
//! 1. *The bytes of the new segments and of those that made older records superfluous*, before any new one is called
//!    `.swap`: a start puts what has that name in place of the old ones, unseen, and by then the newest record of a key
//!    must not be lost either. Writing them out begins long before, so that one writing of the journal does for all.
//! 2. *Their names, `.cleaned`*, before the first is renamed: of a set that a start finds complete no file may be missing
//!    because nobody knows any more that it was made. That costs nothing: the journal was just written.
//! 3. *Their names, `.swap`*, before the old ones go out of the way: else neither may be left.
//! 4. *The lack of the old ones' names*, before a new one takes its own: else an old one may stand beside it again
//!    whose records it has.
//!
//! Nothing is synced after that. A start that finds them called `.swap` still gives them their names once more, and the next
//! flush brings the names along. Only a cleaning that makes new `.cleaned` files has to wait for it: a start takes a
//! `.swap` for incomplete where there is a `.cleaned` of its offset or a smaller one.
//!
//! All that take their places together are neighbours, and get their names from the front: a start takes everything
//! between the first and the last `.swap` for replaced, as Apache Kafka does. Among renames of one step that relies on the
//! order in which names were changed within a directory, which every journal keeps.

use std::sync::Arc;

use protocol::offset::Offset;

use super::{CleanError, Run};
use crate::directory_state::DirectoryHealth;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::log_dirs::whole;
use crate::segment::Segment;
use crate::segment::replacement::remove_cleaned;
use crate::segments::Rewritten;

/// The system is asked to write new segments out in pieces of this size.
const WRITEBACK_BYTES: u64 = 1 << 20;
/// What is written is on stable storage when there is so much of it: one large fsync at the end would hold up those of appends.
const SYNC_BYTES: u64 = 64 << 20;
/// Segments of so many bytes take their places together.
const BATCH_BYTES: u64 = 256 << 20;
/// And so many of them at most.
const BATCH_SEGMENTS: usize = 256;

/// How far a segment that is being written is on its way to stable storage.
#[derive(Default)]
pub(super) struct Written {
    /// Up to here the system was asked to write it out.
    begun: u64,
    /// Up to here it is there.
    synced: u64,
}

/// Segments that are complete, and not offered yet.
pub(super) struct Batch<D: Disk> {
    rewritten: Vec<Rewritten<D>>,
    bytes: u64,
    bytes_max: u64,
    /// Up to here the log holds what makes records of them superfluous.
    end: Offset,
}

impl<D: Disk> Batch<D> {
    pub(super) fn new(bytes_max: u64, end: Offset) -> Self {
        Self { rewritten: Vec::new(), bytes: 0, bytes_max, end }
    }

    pub(super) fn push(&mut self, rewritten: Rewritten<D>) {
        self.bytes += u64::from(rewritten.segment.size());
        self.rewritten.push(rewritten);
    }

    /// Whether they should take their places now.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max || self.rewritten.len() >= BATCH_SEGMENTS
    }

    fn bases(&self) -> Vec<Offset> {
        self.rewritten.iter().map(|rewritten| rewritten.segment.base()).collect()
    }
}

impl<D: Disk> Run<'_, D> {
    /// How many bytes take their places together: where there is little room, the sooner the old ones may go the better.
    pub(super) fn batch_bytes(&self) -> u64 {
        if self.home.state().health() == DirectoryHealth::Full { 0 } else { BATCH_BYTES }
    }

    /// Begins a `.cleaned` segment.
    pub(super) fn begin_segment(&self, base: Offset) -> Result<Segment<D>, CleanError> {
        let Some(_names) = self.cleaning.names() else { return Err(CleanError::Aborted) };
        Ok(Segment::create_cleaned(self.home.descriptors(), self.cleaning.directory(), base, self.now)?)
    }

    /// Makes up for what an earlier cleaning may have left: names that are not on stable storage, and `.cleaned` files, if it
    /// ended in a panic and the node cleanly after that. Such a one would have a start take this one's `.swap` for incomplete.
    pub(super) fn clear_up(&mut self) -> Result<(), CleanError> {
        if whole(self.log)?.names_due() {
            self.sync_names()?;
        }
        let Some(_names) = self.cleaning.names() else { return Err(CleanError::Aborted) };
        // That they are gone is on stable storage before the first `.swap`, like the names of those that come.
        Ok(remove_cleaned(&self.disk, self.cleaning.directory())?)
    }

    /// Has the system write out what was written of a segment, before long.
    pub(super) fn write_out(
        &mut self,
        cleaned: &mut Segment<D>,
        written: &mut Written,
    ) -> Result<(), CleanError> {
        let size = u64::from(cleaned.size());
        if size - written.begun < WRITEBACK_BYTES {
            return Ok(());
        }
        for (path, file) in cleaned.dirty_files(false)? {
            let begun = self.disk.begin_writeback(&file, written.begun, size - written.begun);
            begun.map_err(|error| Fault::io("fsync", &path, error))?;
            if size - written.synced >= SYNC_BYTES {
                self.disk.fdatasync(&file).map_err(|error| Fault::io("fsync", &path, error))?;
                written.synced = size;
                self.work.pace.rest_after_sync();
            }
        }
        written.begun = size;
        Ok(())
    }

    /// Has the system write out what is left of a segment that is complete.
    pub(super) fn write_out_rest(
        &self,
        cleaned: &mut Segment<D>,
        written: &Written,
    ) -> Result<(), CleanError> {
        for (index, (path, file)) in cleaned.dirty_files(true)?.iter().enumerate() {
            // The first is the log.
            let begun = self.disk.begin_writeback(file, if index == 0 { written.begun } else { 0 }, 0);
            begun.map_err(|error| Fault::io("fsync", path, error))?;
        }
        Ok(())
    }

    /// Puts all of a batch in place of what it was made of. `false`: of some of it retention has taken the old segments away,
    /// and the new ones are gone too.
    pub(super) fn swap(&mut self, batch: &mut Batch<D>) -> Result<bool, CleanError> {
        let bases = batch.bases();
        if bases.is_empty() {
            return Ok(true);
        }
        let outcome = self.swap_all(batch);
        if outcome.is_err() {
            // The first error is the one to tell. What has taken its place is no part of this any more.
            let _left = self.discard(&bases).map_err(|left| self.note(left));
        }
        outcome
    }

    fn swap_all(&mut self, batch: &mut Batch<D>) -> Result<bool, CleanError> {
        let mut rewritten = std::mem::take(&mut batch.rewritten);
        batch.bytes = 0;
        self.sync_files(&mut rewritten, batch.end)?;
        self.sync_names()?;
        for one in &mut rewritten {
            self.cleaning.names().ok_or(CleanError::Aborted)?.offer(&self.home, &mut one.segment)?;
        }
        self.sync_names()?;
        let replaced = whole(self.log)?.replace_segments(self.cleaning, rewritten, self.now)?;
        let replaced = replaced.ok_or(CleanError::Aborted)?;
        // Their files close here, where nobody waits for it.
        drop(replaced.gone);
        if !replaced.refused.is_empty() {
            self.discard(&replaced.refused)?;
        }
        let delay = self.config.file_delete_delay;
        while self.cleaning.names().ok_or(CleanError::Aborted)?.retire(&self.home, delay)? {
            self.work.pace.let_others_in();
        }
        self.sync_names()?;
        self.cleaning.names().ok_or(CleanError::Aborted)?.note_synced();
        while self.cleaning.names().ok_or(CleanError::Aborted)?.settle(&self.home)? {
            self.work.pace.let_others_in();
        }
        whole(self.log)?.note_settled(self.cleaning);
        Ok(replaced.refused.is_empty())
    }

    /// Gives up on the segment that begins at `base`. What is complete before it takes its place, if it may: it need not be
    /// done again where there was no room for more.
    pub(super) fn end_early(&mut self, mut batch: Batch<D>, base: Offset, error: &CleanError) {
        let unfinished = self.discard(&[base]);
        let complete = match error {
            CleanError::Fault(fault) if !fault.takes_directory_offline() => self.swap(&mut batch).map(drop),
            _ => self.discard(&batch.bases()),
        };
        for left in [unfinished, complete].into_iter().filter_map(Result::err) {
            self.note(left);
        }
    }

    /// Takes note of an error that comes behind the one to tell.
    fn note(&self, error: CleanError) {
        if let CleanError::Fault(fault) = error {
            self.home.state().note(&fault);
        }
    }

    /// Removes new segments that come to nothing.
    pub(super) fn discard(&self, bases: &[Offset]) -> Result<(), CleanError> {
        match self.cleaning.names() {
            Some(mut names) => names.discard(&self.disk, self.cleaning.directory(), bases)?,
            // The log may be deleted by now, or lie elsewhere.
            None => whole(self.log)?.drop_cleaned(self.cleaning, bases)?,
        }
        Ok(())
    }

    /// Brings to stable storage the new segments, and before `end` what makes older records superfluous.
    fn sync_files(&mut self, rewritten: &mut [Rewritten<D>], end: Offset) -> Result<(), CleanError> {
        let older = whole(self.log)?.unsynced_before(end)?;
        for (path, file) in &older {
            self.home.state().sync(&self.disk, path, file)?;
        }
        // What was written last is there last, and by then the journal has what it needs for the others.
        for one in rewritten.iter_mut().rev() {
            // One at a time: a descriptor for each file of all of them would be many.
            for (path, file) in one.segment.dirty_files(true)?.iter().rev() {
                self.disk.fdatasync(file).map_err(|error| Fault::io("fsync", path, error))?;
            }
        }
        Ok(())
    }

    /// Brings the names in the log's directory to stable storage.
    fn sync_names(&mut self) -> Result<(), CleanError> {
        let path = Arc::clone(self.cleaning.directory());
        self.disk.fsync_dir(&path).map_err(|error| Fault::io("fsync", &path, error))?;
        self.work.pace.rest_after_sync();
        Ok(())
    }
}
