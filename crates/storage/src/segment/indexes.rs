//! The three indexes of a segment: made when they are first needed, ended when the segment is, and forgotten to be filled anew.
//!
//! A small segment has nothing to index, and most of very many are small: what is known of the files is a few bits until then.
//! What becomes of an index that is wrong is [`super::healing`]'s.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::offset::LastOffset;

use super::Segment;
use super::ages::Largest;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::names::SegmentFile;
use crate::offset_index::OffsetIndex;
use crate::time_index::TimeIndex;
use crate::transaction_index::TransactionIndex;

/// A message of format v0 with neither key nor value.
const SMALLEST_BATCH: u32 = 26;

/// A file that an fsync is due on.
pub type DirtyFile<D> = (PathBuf, Arc<<D as Disk>::File>);

#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Present {
    pub(super) offsets: bool,
    pub(super) times: bool,
    pub(super) transactions: bool,
    /// Whether what the files say does not count any more.
    pub(super) stale: bool,
}

pub(super) struct Indexes<D: Disk> {
    pub(super) offsets: OffsetIndex<D>,
    pub(super) times: TimeIndex<D>,
    pub(super) transactions: TransactionIndex<D>,
}

impl<D: Disk> Segment<D> {
    pub(super) fn indexes(&mut self) -> &mut Indexes<D> {
        let (log, base, present) = (&self.log, self.base, self.present);
        self.indexes.get_or_insert_with(|| {
            let offsets = log.beside(SegmentFile::OffsetIndex);
            let times = log.beside(SegmentFile::TimeIndex);
            let transactions = log.beside(SegmentFile::TransactionIndex);
            let mut indexes = Box::new(Indexes {
                offsets: match present.offsets {
                    true => OffsetIndex::present(base, offsets),
                    false => OffsetIndex::absent(base, offsets),
                },
                times: match present.times {
                    true => TimeIndex::present(base, times),
                    false => TimeIndex::absent(base, times),
                },
                transactions: match present.transactions {
                    true => TransactionIndex::present(transactions),
                    false => TransactionIndex::absent(transactions),
                },
            });
            if present.stale {
                indexes.reset();
            }
            indexes
        })
    }

    /// Whether there is anything in the indexes, or may be.
    pub(super) fn is_indexed(&self) -> bool {
        let Present { offsets, times, transactions, stale } = self.present;
        self.indexes.is_some() || (offsets || times || transactions) && !stale
    }

    /// How many entries an index has at most: none has more than there are batches, and one for the end.
    pub fn index_entries_max(&self) -> u32 {
        self.size / SMALLEST_BATCH + 1
    }

    /// How many entries the offset index has.
    pub fn offset_index_entries(&mut self) -> Result<u32, Fault> {
        if !self.is_indexed() {
            return Ok(0);
        }
        self.with_indexes(|segment| segment.indexes().offsets.entries().count())
    }

    /// How many entries the time index has.
    pub fn time_index_entries(&mut self) -> Result<u32, Fault> {
        if !self.is_indexed() {
            return Ok(0);
        }
        self.with_indexes(|segment| segment.indexes().times.entries().count())
    }

    /// The last offset of the first indexed batch that starts at `position` or later.
    pub fn offset_from_position(&mut self, position: u32) -> Result<Option<LastOffset>, Fault> {
        let entry = self.with_indexes(|segment| segment.indexes().offsets.from_position(position))?;
        Ok(entry.map(|entry| entry.offset))
    }

    /// Ends the indexes as Kafka does when a segment is rolled or closed: a last entry of the time index, all written,
    /// nothing beyond the entries. Does nothing where nothing was added since.
    pub fn finish(&mut self) -> Result<(), Fault> {
        if !self.unfinished {
            return Ok(());
        }
        self.with_indexes(Self::finish_indexes)?;
        self.release_recent(self.recent.len());
        if self.indexes().transactions.entries().exists()
            || self.indexes().transactions.entries().count()? > 0
        {
            self.indexes().transactions.entries().trim()?;
        }
        // All of it is in the files, and most segments that have ended are not looked into for long.
        let transactions = self.indexes().transactions.entries().exists();
        self.present = Present { offsets: true, times: true, transactions, stale: false };
        self.indexes = None;
        self.unfinished = false;
        Ok(())
    }

    fn finish_indexes(&mut self) -> Result<(), Fault> {
        // It is looked into, and then written to: opened once.
        self.indexes().times.entries().opened()?;
        // The last entry decides whether another is due.
        self.indexes().times.last()?;
        if let Some(largest) = self.largest()? {
            self.indexes().times.push(largest);
        }
        self.indexes().offsets.entries().trim()?;
        self.indexes().times.entries().trim()
    }

    /// The files to bring to stable storage: the log, and with `indexes` those too, written up to their ends.
    pub fn dirty_files(&mut self, indexes: bool) -> Result<Vec<DirtyFile<D>>, Fault> {
        let mut files = vec![(self.log.path(), self.log.open()?)];
        if indexes {
            let written = [
                (self.indexes().offsets.entries().file().path(), opened(self.indexes().offsets.entries())?),
                (self.indexes().times.entries().file().path(), opened(self.indexes().times.entries())?),
                (
                    self.indexes().transactions.entries().file().path(),
                    opened(self.indexes().transactions.entries())?,
                ),
            ];
            files.extend(written.into_iter().filter_map(|(path, file)| file.map(|file| (path, file))));
            if !self.unfinished {
                self.indexes = None;
            }
        }
        Ok(files)
    }

    /// Forgets all indexes, to be filled again by `note` from the first batch on. The files are only cut by `finish`:
    /// until then a crash has them made anew once more.
    pub fn reset_indexes(&mut self) {
        self.recent.clear();
        self.known.clear();
        // Most segments of very many logs are too small to have anything indexed.
        self.present.stale = true;
        if let Some(indexes) = &mut self.indexes {
            indexes.reset();
        }
        (self.largest, self.first_timestamp) = (Largest::None, None);
        (self.bytes_since_entry, self.size, self.unfinished) = (0, 0, true);
        self.broken = false;
        // What is filled in again is checked on the way.
        self.unchecked_to = 0;
    }

    /// Writes index entries that have filled a page in memory.
    pub fn make_index_room(&mut self) -> Result<(), Fault> {
        let Some(indexes) = &mut self.indexes else { return Ok(()) };
        indexes.offsets.entries().make_room()?;
        indexes.times.entries().make_room()?;
        indexes.transactions.entries().make_room()
    }
}

impl<D: Disk> Indexes<D> {
    /// Forgets all entries, to be filled again.
    pub(super) fn reset(&mut self) {
        self.offsets.entries().reset();
        self.times.reset();
        self.transactions.entries().reset();
    }
}

fn opened<const WIDTH: usize, D: Disk>(
    entries: &mut crate::entry_file::EntryFile<WIDTH, D>,
) -> Result<Option<Arc<D::File>>, Fault> {
    entries.write_pending()?;
    entries.opened()
}
