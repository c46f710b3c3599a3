//! One segment of a log: the file of batches and its three indexes.
//!
//! A segment appends at its end, finds batches by offset, and knows the largest timestamp it holds. It does not judge
//! what it is given, does not know the rest of the log, and rolls only when told.

mod ages;
mod healing;
mod indexes;
mod last_batch;
mod places;
mod resume;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::transactions::AbortedTransaction;
use protocol::id::Timestamp;
use protocol::offset::Offset;

use crate::checked_parts::CheckedParts;
use crate::descriptors::{Descriptors, LazyFile};
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::known_batches::KnownBatches;
use crate::names::{DELETED_SUFFIX, SegmentFile, Stage};
use crate::recent_batches::{RECENT_MAX, RecentBatch, RecentBatches};
use crate::scan::{BatchSpan, Scan};
use crate::time_index::TimestampOffset;
use crate::whole_file::write_all;

pub mod replacement;

use self::ages::Largest;
pub use self::indexes::DirtyFile;
use self::indexes::{Indexes, Present};

/// Which files of a segment lie on disk, and how long its log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SegmentFacts {
    /// Bytes of the log file.
    pub size: u32,
    /// When the log file last changed.
    pub modified: Timestamp,
    /// Whether there is an offset index.
    pub offset_index: bool,
    /// Whether there is a time index.
    pub time_index: bool,
    /// Whether there is a transaction index.
    pub transaction_index: bool,
    /// The largest timestamp, where that is known; `Some(None)` if no batch has one.
    pub largest: Option<Option<TimestampOffset>>,
}

/// A batch that was looked for.
#[derive(PartialEq, Eq, Debug)]
pub struct FoundBatch {
    /// Where it starts.
    pub position: u32,
    /// Its bytes, header included.
    pub size: u32,
    /// What they are, where they have been read on the way to it.
    pub bytes: Option<Box<[u8]>>,
}

impl FoundBatch {
    /// One that lies here, and was not read.
    fn at(position: u32, size: u32) -> Self {
        Self { position, size, bytes: None }
    }

    /// Where the next one starts.
    pub fn end(&self) -> u32 {
        self.position.saturating_add(self.size)
    }
}

/// One segment of a log.
pub struct Segment<D: Disk = RealDisk> {
    base: Offset,
    /// How many bytes of the log lay before it when it was begun or the log loaded.
    start: u64,
    size: u32,
    /// Set when a failed write left bytes beyond `size` that could not be cut.
    torn: bool,
    /// Whether a walk through the whole log has met a batch that is broken.
    broken: bool,
    /// Whether anything was added since the indexes were last ended.
    unfinished: bool,
    log: LazyFile<D>,
    /// Which index files were there when the segment was opened.
    present: Present,
    /// Made when they are first needed: a small segment has nothing to index.
    indexes: Option<Box<Indexes<D>>>,
    bytes_since_entry: u32,
    largest: Largest,
    /// The largest timestamp of the first batch, once known.
    first_timestamp: Option<Timestamp>,
    /// When the segment was made, or last changed before it was opened.
    created: Timestamp,
    recent: RecentBatches,
    /// Up to here the bytes come from before this process.
    unchecked_to: u32,
    /// The parts of those that were read and found good.
    checked: CheckedParts,
    known: KnownBatches,
}

impl<D: Disk> Segment<D> {
    /// Makes an empty segment that begins with `base`.
    pub fn create(
        descriptors: &Descriptors<D>,
        directory: &Arc<Path>,
        base: Offset,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Self::create_at(descriptors, directory, (base, Stage::Live), now)
    }

    fn create_at(
        descriptors: &Descriptors<D>,
        directory: &Arc<Path>,
        (base, stage): (Offset, Stage),
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut segment = Self::planned(descriptors, directory, base, now);
        segment.log = segment.log.at(stage);
        segment.make()?;
        Ok(segment)
    }

    /// An empty segment whose file [`Self::make`] is to make before anything is appended.
    pub fn planned(
        descriptors: &Descriptors<D>,
        directory: &Arc<Path>,
        base: Offset,
        now: Timestamp,
    ) -> Self {
        let facts = SegmentFacts { modified: now, largest: Some(None), ..SegmentFacts::default() };
        Self::open(descriptors, directory, base, facts)
    }

    /// Makes the log file.
    pub fn make(&self) -> Result<(), Fault> {
        self.log.create().map(drop)
    }

    /// Closes the log file, whose name is gone.
    pub fn close(&self) {
        self.log.close();
    }

    /// A segment that lies on disk. Opens nothing.
    pub fn open(
        descriptors: &Descriptors<D>,
        directory: &Arc<Path>,
        base: Offset,
        facts: SegmentFacts,
    ) -> Self {
        Self {
            base,
            start: 0,
            size: facts.size,
            torn: false,
            broken: false,
            unfinished: !(facts.offset_index && facts.time_index),
            log: descriptors.file(directory, SegmentFile::Log, base),
            present: Present {
                offsets: facts.offset_index,
                times: facts.time_index,
                transactions: facts.transaction_index,
                stale: false,
            },
            indexes: None,
            bytes_since_entry: 0,
            largest: facts.largest.map_or(Largest::Unknown, |largest| Largest::of(largest, base)),
            first_timestamp: None,
            created: facts.modified,
            recent: RecentBatches::default(),
            known: KnownBatches::default(),
            unchecked_to: facts.size,
            checked: CheckedParts::default(),
        }
    }

    /// The offset its name says: no record in it has a smaller one.
    pub fn base(&self) -> Offset {
        self.base
    }

    /// Where in the log its bytes begin, counted from any place.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Says where in the log its bytes begin.
    pub fn set_start(&mut self, start: u64) {
        self.start = start;
    }

    /// Bytes of its batches.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// When it was made, or last changed before it was opened.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// Where the log file lies.
    pub fn path(&self) -> PathBuf {
        self.log.path()
    }

    /// The disk it lies on.
    pub fn disk(&self) -> &D {
        self.log.disk()
    }

    /// The log file, open.
    pub fn file(&self) -> Result<Arc<D::File>, Fault> {
        self.log.open()
    }

    /// Whether `last` can stand in the indexes: Kafka counts offsets and positions of a segment in 31 bits.
    pub fn reaches(&self, last: Offset) -> bool {
        (0..=i64::from(i32::MAX)).contains(&last.0.saturating_sub(self.base.0))
    }

    /// Appends whole batches with one write. After an error the segment is as it was.
    pub fn append(&mut self, batches: &[u8], index_interval_bytes: u32) -> Result<(), Fault> {
        let last = self.check_whole(batches)?;
        let before_last = u32::try_from(batches.len() - last).unwrap_or(u32::MAX);
        self.make_room(self.bytes_since_entry.saturating_add(before_last) > index_interval_bytes)?;
        let file = self.log.open()?;
        if let Err(error) = write_all(self.log.disk(), &file, batches, u64::from(self.size)) {
            self.torn = self.log.disk().truncate(&file, u64::from(self.size)).is_err();
            return Err(Fault::io("write", &self.log.path(), error));
        }
        let end = self.size + batches.len() as u32;
        while self.size < end {
            let start = batches.len() - (end - self.size) as usize;
            let span = BatchSpan::parse(&batches[start..], self.size).expect("checked before the write");
            self.note(&span, index_interval_bytes);
        }
        Ok(())
    }

    /// Takes a batch that lies at the end of the file into the indexes, as an append or a recovery meets it.
    pub fn note(&mut self, span: &BatchSpan, index_interval_bytes: u32) {
        self.unfinished = true;
        if self.size == 0 {
            self.first_timestamp = Some(span.max_timestamp);
        }
        let grown = TimestampOffset { timestamp: span.max_timestamp, offset: span.last_offset };
        let largest = self.largest.known(self.base).flatten();
        if span.max_timestamp > largest.map_or(Timestamp::NONE, |largest| largest.timestamp) {
            self.largest = Largest::of(Some(grown), self.base);
        }
        let relative = |offset: i64| u32::try_from(offset - self.base.0).unwrap_or(u32::MAX);
        let (first, last) = (relative(span.base_offset.0), relative(span.last_offset.0));
        if self.bytes_since_entry > index_interval_bytes {
            self.indexes().offsets.push(last, span.position);
            if let Some(largest) = self.largest.known(self.base).flatten() {
                self.indexes().times.push(largest);
            }
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry = self.bytes_since_entry.saturating_add(span.size);
        if self.recent.is_full() {
            self.release_recent(RECENT_MAX / 2);
        }
        self.recent.push(first, RecentBatch { last, position: span.position, size: span.size });
        self.size = span.end();
    }

    /// Notes a transaction that a marker in this segment aborted.
    pub fn abort(&mut self, aborted: &AbortedTransaction) {
        self.unfinished = true;
        self.indexes().transactions.push(aborted);
    }

    /// Collects the aborted transactions with records in `from..end`. `true` if later segments hold none of them.
    pub fn collect_aborted(
        &mut self,
        from: Offset,
        end: Offset,
        into: &mut Vec<AbortedTransaction>,
    ) -> Result<bool, Fault> {
        // Most segments have none, and a compaction asks all that follow.
        let none = self.indexes.is_none() && (!self.present.transactions || self.present.stale);
        if none {
            return Ok(false);
        }
        self.indexes().transactions.collect(from, end, into)
    }

    /// Walks the batches from the one at `start`, which must be the start of a batch.
    pub fn scan<R>(
        &self,
        start: u32,
        walk: impl FnOnce(&mut Scan<'_, D>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let (file, path) = (self.log.open()?, self.log.path());
        walk(&mut Scan::new(self.log.disk(), &file, &path, start, self.size))
    }

    /// The first batch from `start` on, the start of a batch, that is wanted.
    pub fn first_span(
        &self,
        start: u32,
        wanted: impl Fn(&BatchSpan) -> bool,
    ) -> Result<Option<FoundBatch>, Fault> {
        self.scan(start, |scan| {
            while let Some(span) = scan.next_span()? {
                if wanted(&span) {
                    let bytes = scan.bytes_of(&span).map(Box::from);
                    return Ok(Some(FoundBatch { bytes, ..FoundBatch::at(span.position, span.size) }));
                }
            }
            Ok(None)
        })
    }

    /// Drops all batches that hold `end` or later offsets. A batch that spans `end` goes as a whole.
    pub fn truncate(&mut self, end: Offset) -> Result<(), Fault> {
        let cut = self.find(end)?;
        self.recent.clear();
        self.known.clear();
        self.unfinished = true;
        self.indexes().offsets.truncate(end)?;
        self.indexes().times.truncate(end)?;
        self.indexes().transactions.truncate(end)?;
        (self.largest, self.first_timestamp) = (Largest::Unknown, None);
        self.bytes_since_entry = 0;
        if let Some((position, _)) = cut {
            self.cut(position)?;
        }
        Ok(())
    }

    /// Cuts the log file at `size`, where a batch ends.
    pub fn cut(&mut self, size: u32) -> Result<(), Fault> {
        let file = self.log.open()?;
        self.log
            .disk()
            .truncate(&file, u64::from(size))
            .map_err(|error| Fault::io("truncate", &self.log.path(), error))?;
        (self.size, self.torn, self.broken) = (size, false, false);
        self.unchecked_to = self.unchecked_to.min(size);
        Ok(())
    }

    /// Whether these bytes were written by this process, or read by it and found good.
    pub fn is_checked(&self, start: u32, end: u32) -> bool {
        let end = end.min(self.unchecked_to);
        start >= end || self.checked.cover(start, end)
    }

    /// Whether bytes from before this process were read and found good that end here, or reach beyond.
    pub fn is_read_to(&self, position: u32) -> bool {
        self.checked.reach(position)
    }

    /// Notes that these bytes were read and found good.
    pub fn note_checked(&mut self, start: u32, end: u32) {
        self.checked.note(start, end);
    }

    /// What a start would find of it, but for when it last changed.
    pub fn facts(&mut self, modified: Timestamp) -> SegmentFacts {
        let (size, largest) = (self.size, self.largest.known(self.base));
        let Present { offsets, times, transactions, .. } = self.present;
        let (mut offset_index, mut time_index, mut transaction_index) = (offsets, times, transactions);
        if let Some(indexes) = &mut self.indexes {
            offset_index = indexes.offsets.entries().exists();
            time_index = indexes.times.entries().exists();
            transaction_index = indexes.transactions.entries().exists();
        }
        SegmentFacts { size, modified, offset_index, time_index, transaction_index, largest }
    }

    /// The files it has, for renaming and removing them.
    pub fn files(&mut self) -> Vec<PathBuf> {
        self.staged().paths().collect()
    }

    /// Whether `batches` are whole batches that still have positions in 31 bits; says how long the last one is.
    fn check_whole(&self, batches: &[u8]) -> Result<usize, Fault> {
        let (mut start, mut last) = (0, 0);
        while start < batches.len() {
            let reason = match BatchSpan::parse(&batches[start..], self.size) {
                Ok(span) if span.size as usize <= batches.len() - start => {
                    last = span.size as usize;
                    start += last;
                    continue;
                }
                Ok(span) => {
                    format!("asked to append {} bytes of a batch of {}", batches.len() - start, span.size)
                }
                Err(reason) => format!("asked to append {reason}"),
            };
            return Err(Fault::Mismatch { path: self.log.path(), reason });
        }
        if batches.len() > (i32::MAX as u32).saturating_sub(self.size) as usize {
            let reason = format!(
                "asked to append {} bytes to {}, and a segment ends at 2 GiB",
                batches.len(),
                self.size
            );
            return Err(Fault::Mismatch { path: self.log.path(), reason });
        }
        Ok(last)
    }

    /// Makes room for an append, by which something will be indexed or not.
    fn make_room(&mut self, indexed: bool) -> Result<(), Fault> {
        if self.torn {
            self.cut(self.size)?;
        }
        // Both are asked later where no fault may happen any more.
        self.largest()?;
        self.with_indexes(|segment| {
            if indexed && segment.is_indexed() {
                segment.indexes().times.last()?;
            }
            segment.make_index_room()
        })
    }
}

/// Marks files of a segment for deletion by name, and adds what they are called then to `renamed`, those before an error
/// too. What an attempt that failed has renamed is passed over by the next one.
pub fn rename_deleted<D: Disk>(disk: &D, files: &[PathBuf], renamed: &mut Vec<PathBuf>) -> Result<(), Fault> {
    for path in files {
        let mut name = path.clone().into_os_string();
        name.push(DELETED_SUFFIX);
        let to = PathBuf::from(name);
        match disk.rename(path, &to) {
            Ok(()) => renamed.push(to),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::io("rename", path, error)),
        }
    }
    Ok(())
}

/// Gives files that were marked for deletion their names again, which are shorter and need no room. One with which that fails is
/// left to the next start.
pub fn rename_back<D: Disk>(disk: &D, renamed: impl DoubleEndedIterator<Item = PathBuf>) {
    for path in renamed.rev() {
        let back = path.with_extension("");
        if let Err(error) = disk.rename(&path, &back) {
            tracing::warn!(path = %path.display(), %error, "a file that was to be removed has not got its name back");
        }
    }
}

#[cfg(test)]
mod tests;
