//! One segment of a log: the file of batches and its three indexes.
//!
//! A segment appends at its end, finds batches by offset, and knows the largest timestamp it holds. It does not judge
//! what it is given, does not know the rest of the log, and rolls only when told.

mod healing;
mod places;
mod resume;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::transactions::AbortedTransaction;
use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};

use crate::checked_parts::CheckedParts;
use crate::descriptors::{Descriptors, LazyFile};
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::known_batches::KnownBatches;
use crate::names::{DELETED_SUFFIX, SegmentFile, Stage};
use crate::offset_index::OffsetIndex;
use crate::recent_batches::{RECENT_MAX, RecentBatch, RecentBatches};
use crate::scan::{BatchSpan, Scan};
use crate::time_index::{TimeIndex, TimestampOffset};
use crate::transaction_index::TransactionIndex;
use crate::whole_file::write_all;

pub mod replacement;

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

/// A segment of at most this many bytes is walked with one read.
const SMALL: u32 = 4096;
/// So far behind the last index entry the last batch is looked for by who holds the log for nobody's request. The largest
/// batches that are common lie within.
const NEAR: u32 = 2 << 20;
/// A message of format v0 with neither key nor value.
const SMALLEST_BATCH: u32 = 26;

/// A file that an fsync is due on.
pub type DirtyFile<D> = (PathBuf, Arc<<D as Disk>::File>);

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

/// What is known of the largest timestamp in a segment. One level of choices, for there are very many segments.
#[derive(Clone, Copy)]
enum Largest {
    /// Nobody has asked yet.
    Unknown,
    /// No batch has a timestamp.
    None,
    /// The batch that holds it ends with this offset, counted from the segment's base.
    At { timestamp: Timestamp, relative: u32 },
}

impl Largest {
    fn of(largest: Option<TimestampOffset>, base: Offset) -> Self {
        let at = |TimestampOffset { timestamp, offset }| {
            let relative = u32::try_from(offset.0.saturating_sub(base.0)).unwrap_or(u32::MAX);
            Self::At { timestamp, relative }
        };
        largest.map_or(Self::None, at)
    }

    /// The same as others are told it; `None` where nobody has asked yet.
    fn known(self, base: Offset) -> Option<Option<TimestampOffset>> {
        match self {
            Self::Unknown => None,
            Self::None => Some(None),
            Self::At { timestamp, relative } => {
                let offset = LastOffset(base.0.saturating_add(i64::from(relative)));
                Some(Some(TimestampOffset { timestamp, offset }))
            }
        }
    }
}

#[derive(Clone, Copy, Default, Debug)]
struct Present {
    offsets: bool,
    times: bool,
    transactions: bool,
    /// Whether what the files say does not count any more.
    stale: bool,
}

struct Indexes<D: Disk> {
    offsets: OffsetIndex<D>,
    times: TimeIndex<D>,
    transactions: TransactionIndex<D>,
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

    fn indexes(&mut self) -> &mut Indexes<D> {
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
    fn is_indexed(&self) -> bool {
        let Present { offsets, times, transactions, stale } = self.present;
        self.indexes.is_some() || (offsets || times || transactions) && !stale
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

    /// The offset after the last batch, found from the last index entry on.
    pub fn read_next_offset(&mut self) -> Result<Offset, Fault> {
        Ok(self.last_span()?.map_or(self.base, |span| span.last_offset.next()))
    }

    /// The last batch, found from the last index entry on.
    fn last_span(&mut self) -> Result<Option<BatchSpan>, Fault> {
        self.last_span_within(u32::MAX)
    }

    /// The same if it lies not far behind that entry: whoever waits for the log is not to wait for more.
    fn last_span_at_hand(&mut self) -> Result<Option<BatchSpan>, Fault> {
        self.last_span_within(NEAR)
    }

    fn last_span_within(&mut self, distance: u32) -> Result<Option<BatchSpan>, Fault> {
        if self.size == 0 {
            return Ok(None);
        }
        // A look at a small segment costs less than a look at its index.
        let start = match self.size <= SMALL {
            true => 0,
            false => self.indexes().offsets.last()?.map_or(0, |entry| entry.position),
        };
        if start >= self.size {
            let path = self.indexes().offsets.entries().file().path();
            let reason = format!("the last entry points to position {start} of a log of {} bytes", self.size);
            return Err(Fault::corrupt(&path, 0, reason));
        }
        if self.size - start > distance {
            return Ok(None);
        }
        let mut last = None;
        let walked = self.scan(start, |scan| scan.each(|span| last = Some(*span)));
        let Err(fault) = walked else { return Ok(last) };
        // What is broken may lie before the last entry all the same.
        let entry = if start == 0 { self.indexes().offsets.last()? } else { None };
        match entry.filter(|entry| (1..self.size).contains(&entry.position)) {
            Some(entry) if self.broken_at(&fault).is_some() => {
                self.scan(entry.position, |scan| scan.each(|span| last = Some(*span)))?;
                Ok(last)
            }
            _ => Err(fault),
        }
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

    /// The largest timestamp and the last offset of the batch that holds it; `None` if no batch has one. Of batches that are
    /// broken it is not asked how young they are.
    pub fn largest(&mut self) -> Result<Option<TimestampOffset>, Fault> {
        if let Some(known) = self.largest.known(self.base) {
            return Ok(known);
        }
        let mut largest = self.with_indexes(|segment| segment.indexes().times.last())?;
        let mut start = match largest {
            Some(entry) => self.position_for_offset(Offset(entry.offset.0)),
            None => Ok(0),
        };
        let mut note = |span: &BatchSpan| {
            if span.max_timestamp > largest.map_or(Timestamp::NONE, |largest| largest.timestamp) {
                largest = Some(TimestampOffset { timestamp: span.max_timestamp, offset: span.last_offset });
            }
        };
        let mut told = false;
        while let Err(fault) = start.and_then(|start| self.scan(start, |scan| scan.each(&mut note))) {
            let Some(broken) = self.broken_at(&fault) else { return Err(fault) };
            // Once, however many there are.
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%fault, "how young its records are is told by those that can be read");
            }
            match self.with_indexes(|segment| segment.indexed_from(broken.saturating_add(1)))? {
                Some(span) => start = Ok(span.position),
                None => break,
            }
        }
        self.largest = Largest::of(largest, self.base);
        Ok(largest)
    }

    /// The largest timestamp, or when the log file last changed where no batch has one, as with those of clients from
    /// before timestamps.
    pub fn youngest(&mut self) -> Result<Timestamp, Fault> {
        if let Some(largest) = self.largest()? {
            return Ok(largest.timestamp);
        }
        self.modified()
    }

    /// When the log file last changed.
    pub fn modified(&self) -> Result<Timestamp, Fault> {
        Ok(self.log.facts()?.modified)
    }

    /// The largest timestamp of the first batch, or of the first one that can be read; `None` in an empty segment.
    pub fn first_timestamp(&mut self) -> Result<Option<Timestamp>, Fault> {
        if self.first_timestamp.is_none() && self.size > 0 {
            self.first_timestamp = match self.scan(0, |scan| scan.next_span()) {
                Ok(first) => first.map(|span| span.max_timestamp),
                Err(fault) if self.broken_at(&fault).is_some() => {
                    let indexed = self.with_indexes(|segment| segment.indexed_from(0))?;
                    Some(indexed.map_or(self.created, |span| span.max_timestamp))
                }
                Err(fault) => return Err(fault),
            };
        }
        Ok(self.first_timestamp)
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
    fn reset(&mut self) {
        self.offsets.entries().reset();
        self.times.reset();
        self.transactions.entries().reset();
    }
}

/// Marks files of a segment for deletion by name; says what they are called then.
pub fn rename_deleted<D: Disk>(disk: &D, files: Vec<PathBuf>) -> Result<Vec<PathBuf>, Fault> {
    let mut renamed = Vec::with_capacity(files.len());
    for path in files {
        let mut name = path.clone().into_os_string();
        name.push(DELETED_SUFFIX);
        let to = PathBuf::from(name);
        match disk.rename(&path, &to) {
            Ok(()) => renamed.push(to),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::io("rename", &path, error)),
        }
    }
    Ok(renamed)
}

fn opened<const WIDTH: usize, D: Disk>(
    entries: &mut crate::entry_file::EntryFile<WIDTH, D>,
) -> Result<Option<Arc<D::File>>, Fault> {
    entries.write_pending()?;
    entries.opened()
}

#[cfg(test)]
mod tests;
