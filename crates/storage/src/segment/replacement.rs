//! A segment on its way to take the place of others: written as `.cleaned`, made complete as `.swap`, then live.
//!
//! The log file is renamed last at each step, so that at a start its name tells what the others are worth.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::{Present, Segment};
use crate::descriptors::Descriptors;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::names::{FileName, SegmentFile, Stage};

const FILES: [SegmentFile; 4] =
    [SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TransactionIndex, SegmentFile::Log];

/// The files of a segment as its log knew them, for whoever renames them without the log's lock.
#[derive(Clone, Debug)]
pub struct StagedFiles {
    directory: Arc<Path>,
    base: Offset,
    stage: Stage,
    indexes: Present,
}

impl StagedFiles {
    /// The base offset of the segment.
    pub fn base(&self) -> Offset {
        self.base
    }

    /// Where they lie, the log file first: an index without it says nothing, and goes at the next start.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.kinds().rev().map(|kind| kind.path_at(&self.directory, self.base, self.stage))
    }

    /// Renames them, the log file last.
    pub fn move_to<D: Disk>(&mut self, disk: &D, stage: Stage) -> Result<(), Fault> {
        for kind in self.kinds().filter(|_| self.stage != stage) {
            let from = kind.path_at(&self.directory, self.base, self.stage);
            let to = kind.path_at(&self.directory, self.base, stage);
            match disk.rename(&from, &to) {
                // An attempt that failed at another of them has renamed it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && disk.facts(&to).is_ok() => {}
                renamed => renamed.map_err(|error| Fault::io("rename", &from, error))?,
            }
        }
        self.stage = stage;
        Ok(())
    }

    fn kinds(&self) -> impl DoubleEndedIterator<Item = SegmentFile> + use<> {
        let Present { offsets, times, transactions, .. } = self.indexes;
        let there = [offsets, times, transactions, true];
        FILES.into_iter().zip(there).filter_map(|(kind, there)| there.then_some(kind))
    }
}

/// Removes what there is of a segment at a stage short of live.
pub fn remove_files<D: Disk>(
    disk: &D,
    directory: &Path,
    (base, stage): (Offset, Stage),
) -> Result<(), Fault> {
    for kind in FILES {
        let path = kind.path_at(directory, base, stage);
        match disk.unlink(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::io("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes every `.cleaned` file of a log.
pub fn remove_cleaned<D: Disk>(disk: &D, directory: &Path) -> Result<(), Fault> {
    let entries = disk.list(directory).map_err(|error| Fault::io("list", directory, error))?;
    let cleaned = |name: &str| matches!(FileName::parse(name), FileName::Cleaned);
    for entry in entries.iter().filter(|entry| entry.name.to_str().is_some_and(cleaned)) {
        let path = directory.join(&entry.name);
        disk.unlink(&path).map_err(|error| Fault::io("remove", &path, error))?;
    }
    Ok(())
}

impl<D: Disk> Segment<D> {
    /// Makes an empty segment of `.cleaned` files. What an earlier attempt left there is removed.
    pub fn create_cleaned(
        descriptors: &Descriptors<D>,
        directory: &Arc<Path>,
        base: Offset,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        remove_files(descriptors.disk(), directory, (base, Stage::Cleaned))?;
        Self::create_at(descriptors, directory, (base, Stage::Cleaned), now)
    }

    /// Whether it has taken its place.
    pub fn stage(&self) -> Stage {
        self.log.stage()
    }

    /// Its files, for whoever renames them without the log's lock. Looks at nothing.
    pub fn staged(&mut self) -> StagedFiles {
        let mut indexes = self.present;
        if let Some(open) = &mut self.indexes {
            indexes.offsets = open.offsets.entries().exists();
            indexes.times = open.times.entries().exists();
            indexes.transactions = open.transactions.entries().exists();
        }
        let directory = Arc::clone(self.log.directory());
        StagedFiles { directory, base: self.base, stage: self.stage(), indexes }
    }

    /// Takes note that its files have their names of this stage.
    pub fn note_stage(&mut self, stage: Stage) {
        self.log.note_stage(stage);
        if let Some(open) = &mut self.indexes {
            open.offsets.entries().file().note_stage(stage);
            open.times.entries().file().note_stage(stage);
            open.transactions.entries().file().note_stage(stage);
        }
    }

    /// Renames its files, the log last.
    pub fn move_to(&mut self, stage: Stage) -> Result<(), Fault> {
        if self.stage() == stage {
            return Ok(());
        }
        let mut files = self.staged();
        files.move_to(self.log.disk(), stage)?;
        self.note_stage(stage);
        Ok(())
    }

    /// Says when the newest of what it holds was written.
    pub fn set_modified(&mut self, modified: Timestamp) -> Result<(), Fault> {
        self.created = modified;
        let path = self.log.path();
        self.log
            .disk()
            .set_modified(&path, modified)
            .map_err(|error| Fault::io("set the age of", &path, error))
    }
}
