//! A segment on its way to take the place of others: written as `.cleaned`, made complete as `.swap`, then live.
//!
//! The log file is renamed last at each step, so that at a start its name tells what the others are worth.

use std::path::Path;
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::Segment;
use crate::descriptors::Descriptors;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::names::{SegmentFile, Stage};
use crate::{offset_index, time_index};

const FILES: [SegmentFile; 4] =
    [SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TransactionIndex, SegmentFile::Log];

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

    /// Renames its files, the log last.
    pub fn move_to(&mut self, stage: Stage) -> Result<(), Fault> {
        if self.stage() == stage {
            return Ok(());
        }
        if self.indexes().offsets.entries().exists() {
            self.indexes().offsets.entries().file().rename(stage)?;
        }
        if self.indexes().times.entries().exists() {
            self.indexes().times.entries().file().rename(stage)?;
        }
        if self.indexes().transactions.entries().exists() {
            self.indexes().transactions.entries().file().rename(stage)?;
        }
        self.log.rename(stage)
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

    /// Bytes of its offset index and of its time index.
    pub fn index_bytes(&mut self) -> Result<(u64, u64), Fault> {
        let offsets = u64::from(self.offset_index_entries()?) * offset_index::ENTRY as u64;
        Ok((offsets, u64::from(self.time_index_entries()?) * time_index::ENTRY as u64))
    }
}
