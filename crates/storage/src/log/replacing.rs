//! How rewritten segments take the place of others without anybody waiting for a file system: what is prepared, renamed or
//! removed on disk is so under the lock of a cleaning's names, and under the log's lock only the list in memory changes.
//!
//! The cleaner takes the lock of the names for a few files at a time and lets go of it before it asks the log for anything.
//! Whoever holds the log's lock may take that of the names too, and then waits for those few files: who calls a
//! cleaning off, who drops segments from the front, and who ends a cleaning. Beside a cleaning that is left alone nobody
//! does.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partition::Millis;
use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::Log;
use crate::directory_state::DirectoryHealth;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::flush_progress::SmallFile;
use crate::log_directory::LogDirectory;
use crate::names::{SegmentFile, Stage};
use crate::segment::replacement::{StagedFiles, remove_files};
use crate::segment::{Segment, rename_deleted};
use crate::segments::{Rewritten, Segments};

/// So many segments are renamed at a time.
const AT_ONCE: usize = 8;

/// One cleaning of a log, known to both sides.
#[derive(Debug)]
pub struct Cleaning {
    aborted: AtomicBool,
    directory: Arc<Path>,
    names: Mutex<Names>,
}

/// What came of an offer.
pub struct Replaced<D: Disk> {
    /// The segments that are no part of the log any more; their files are closed with them.
    pub gone: Vec<Segment<D>>,
    /// The bases of those that were not taken, since what they were made of is not there any more.
    pub refused: Vec<Offset>,
}

/// Which names a cleaning has changed and has still to change.
#[derive(Default, Debug)]
pub struct Names {
    /// The bases of segments that are no part of the log yet, and may be called `.swap`.
    offered: Vec<Offset>,
    /// When segments were last replaced.
    at: Timestamp,
    /// Segments that are no part of the log any more.
    replaced: Vec<StagedFiles>,
    /// Files of producers at the bases of those.
    snapshots: Vec<PathBuf>,
    /// Whether some have gone out of the way since the names were last brought to stable storage.
    retired: bool,
    /// Segments of the log that are called `.swap`, the last first.
    unsettled: Vec<StagedFiles>,
    /// The bases of those that are not any more, which the log has to take note of.
    settled: Vec<Offset>,
}

impl Cleaning {
    pub(crate) fn new(directory: Arc<Path>) -> Self {
        Self { aborted: AtomicBool::new(false), directory, names: Mutex::default() }
    }

    /// The log's directory.
    pub fn directory(&self) -> &Arc<Path> {
        &self.directory
    }

    /// Whether it must end without effect.
    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    pub(super) fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
    }

    /// The right to change names in the log's directory, where the cleaning was not called off. The log's lock must not be
    /// asked for while it is held.
    pub fn names(&self) -> Option<MutexGuard<'_, Names>> {
        let names = self.held();
        // Whoever calls it off waits here, and has done the rest when he goes.
        (!self.is_aborted()).then_some(names)
    }

    fn held(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for whoever holds the log's lock; the log knows its names then.
    pub(super) fn meet<D: Disk>(&self, segments: &mut Segments<D>) -> MutexGuard<'_, Names> {
        let mut names = self.held();
        for base in std::mem::take(&mut names.settled) {
            if let Some(segment) = segments.with_base(base) {
                segment.note_stage(Stage::Live);
            }
        }
        names
    }
}

impl Names {
    /// Gives a segment that is on stable storage the names of a complete one.
    pub fn offer<D: Disk>(&mut self, home: &LogDirectory<D>, segment: &mut Segment<D>) -> Result<(), Fault> {
        self.offered.push(segment.base());
        home.reserved(|| segment.move_to(Stage::Swap))
    }

    /// Marks some of the files for deletion that a replacement has left; whether there were any.
    pub fn retire<D: Disk>(&mut self, home: &LogDirectory<D>, delay: Millis) -> Result<bool, Fault> {
        if self.replaced.is_empty() {
            let some = self.snapshots.split_off(self.snapshots.len().saturating_sub(AT_ONCE));
            let any = !some.is_empty();
            some.iter().try_for_each(|path| remove(home.disk(), path))?;
            return Ok(any);
        }
        self.retired = true;
        let some = self.replaced.split_off(self.replaced.len().saturating_sub(AT_ONCE));
        let files: Vec<PathBuf> = some.iter().flat_map(StagedFiles::paths).collect();
        let mut renamed = Vec::with_capacity(files.len());
        // A longer name may take a block of the directory, and until it has that nothing can go.
        let outcome = home.reserved(|| rename_deleted(home.disk(), &files, &mut renamed));
        home.removals().schedule(self.at, delay, renamed);
        outcome.inspect_err(|fault| {
            // Some of the old names are gone and some not: only a start sorts them out.
            home.state().take_offline(&format!("a compaction was cut short: {fault}"));
        })?;
        Ok(true)
    }

    /// All names of the directory are on stable storage.
    pub fn note_synced(&mut self) {
        self.retired = false;
    }

    /// Gives some of the segments that have taken their places their own names; whether there were any.
    pub fn settle<D: Disk>(&mut self, home: &LogDirectory<D>) -> Result<bool, Fault> {
        let before = self.unsettled.len();
        while before - self.unsettled.len() < AT_ONCE
            && let Some(files) = self.unsettled.last_mut()
        {
            home.reserved(|| files.move_to(home.disk(), Stage::Live))?;
            self.settled.push(files.base());
            self.unsettled.pop();
        }
        Ok(before > 0)
    }

    /// Removes what was made ready of segments with these bases and is no part of the log.
    pub fn discard<D: Disk>(&mut self, disk: &D, directory: &Path, bases: &[Offset]) -> Result<(), Fault> {
        for base in bases {
            if self.offered.contains(base) {
                remove_files(disk, directory, (*base, Stage::Swap))?;
                self.offered.retain(|offered| offered != base);
            }
            remove_files(disk, directory, (*base, Stage::Cleaned))?;
        }
        Ok(())
    }

    /// The segments in front of this one went another way.
    pub(super) fn forget_before(&mut self, first: Offset) {
        self.unsettled.retain(|files| files.base() >= first);
    }
}

impl<D: Disk> Log<D> {
    /// Puts offered segments in place of others, in memory; the names of all are on stable storage. The caller has the rest
    /// of the names changed ([`Names::retire`], [`Names::settle`]), the old ones first and for good. `None`: the cleaning was
    /// called off, and what was offered is no more.
    pub fn replace_segments(
        &mut self,
        cleaning: &Cleaning,
        rewritten: Vec<Rewritten<D>>,
        now: Timestamp,
    ) -> Result<Option<Replaced<D>>, Fault> {
        self.check()?;
        let mut names = cleaning.meet(&mut self.segments);
        if cleaning.is_aborted() {
            return Ok(None);
        }
        let taken = self.segments.replace(rewritten);
        let bases: Vec<Offset> = taken.new.iter().map(StagedFiles::base).collect();
        let is_new = |base: &Offset| bases.binary_search(base).is_ok();
        // What was refused is an offer still, to be taken back.
        names.offered.retain(|base| !is_new(base));
        names.at = now;
        names.unsettled.extend(taken.new.into_iter().rev());
        names.replaced.extend(taken.old);
        for offset in taken.gone.iter().map(Segment::base).filter(|base| !is_new(base)) {
            if self.snapshots.contains(offset) {
                self.snapshots.remove(offset);
                self.flush.forget_small(SmallFile::ProducerSnapshot(offset));
                names.snapshots.push(SegmentFile::ProducerSnapshot.path(&cleaning.directory, offset));
            }
        }
        self.flush.note_names_changed();
        Ok(Some(Replaced { gone: taken.gone, refused: taken.refused }))
    }

    /// Takes note of names that a cleaning has given.
    pub fn note_settled(&mut self, cleaning: &Cleaning) {
        drop(cleaning.meet(&mut self.segments));
        // They may be lost once more, until the next flush.
        self.flush.note_names_changed();
    }

    /// Changes at once all names that a cleaning has begun to change: no one may meet those of segments that are no part of
    /// the log any more, and none is to be offered that nobody will take.
    pub(super) fn finish_names(&mut self, cleaning: &Cleaning) -> Result<(), Fault> {
        if self.home.state().health() == DirectoryHealth::Offline {
            // Only a start sorts out what is there.
            return Ok(());
        }
        let mut names = cleaning.meet(&mut self.segments);
        let (home, directory) = (Arc::clone(&self.home), Arc::clone(&cleaning.directory));
        while names.retire(&home, self.config.file_delete_delay)? {}
        let changed = names.retired || !names.offered.is_empty();
        for base in std::mem::take(&mut names.offered) {
            remove_files(home.disk(), &directory, (base, Stage::Swap))?;
        }
        if changed {
            home.disk().fsync_dir(&directory).map_err(|error| Fault::io("fsync", &directory, error))?;
            names.note_synced();
        }
        if names.unsettled.is_empty() {
            return Ok(());
        }
        while names.settle(&home)? {}
        drop(names);
        self.note_settled(cleaning);
        Ok(())
    }
}

fn remove<D: Disk>(disk: &D, path: &Path) -> Result<(), Fault> {
    match disk.unlink(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::io("remove", path, error)),
        _ => Ok(()),
    }
}
