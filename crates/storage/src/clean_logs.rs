//! `headwater-clean-logs` in a log directory: what a clean end knew of every log, so that the next start need not look
//! into each of very many directories.
//!
//! It is a plain file of our own, which Kafka passes over. It counts only beside the mark of the same clean end
//! (the broker epoch says which, and no two incarnations share one), and for a log only while its directory and its
//! active segment are as old and as long as they were. Whatever does not fit is loaded from its files.

use std::path::Path;

use partition::leader_epochs::EpochEntry;
use protocol::id::{BrokerEpoch, LeaderEpoch, Timestamp, TopicId, Uuid};
use protocol::offset::Offset;
use protocol::records::checksum::crc32c;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::listing::Listing;
use crate::names::SegmentFile;
use crate::older_segments::{self, OlderSegments, ROW};
use crate::segment::SegmentFacts;
use crate::whole_file;

/// The name of the file.
pub const CLEAN_LOGS: &str = "headwater-clean-logs";

const MAGIC: &[u8; 8] = b"HWCLEAN3";
/// So much the rows may come to, so that magic, epoch and checksum have room beside them.
const LENGTH_MAX: usize = whole_file::LENGTH_MAX as usize - 64;

/// Of so many segments and more those before the active one stay rows until they are asked for.
const APART_MIN: usize = 64;

/// What is known of one log.
#[derive(Debug)]
pub struct KnownLog {
    /// Its topic's id.
    pub topic_id: Option<TopicId>,
    /// Its files.
    pub listing: Listing,
    /// Its leader epochs.
    pub epochs: Vec<EpochEntry>,
    /// Where it ends.
    pub end: Offset,
}

/// The file as it is gathered.
#[derive(Default)]
pub struct CleanLogsWriter {
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// What they come to in the file. Bound: `LENGTH_MAX`.
    length: usize,
}

impl CleanLogsWriter {
    /// Adds a log, by the name of its directory. One whose files cannot be looked at is left out, and one that would make
    /// the file longer than it can be read.
    pub fn add<D: Disk>(&mut self, disk: &D, directory: &Path, known: &KnownLog) {
        let Some(name) = directory.file_name().and_then(|name| name.to_str()) else { return };
        let Ok(facts) = disk.facts(directory) else { return };
        let mut row = Vec::new();
        row.extend_from_slice(&facts.modified.0.to_be_bytes());
        row.extend_from_slice(&known.topic_id.unwrap_or(Uuid::ZERO).0);
        row.extend_from_slice(&known.end.0.to_be_bytes());
        row.extend_from_slice(&(known.epochs.len() as u32).to_be_bytes());
        for entry in &known.epochs {
            row.extend_from_slice(&entry.epoch.0.to_be_bytes());
            row.extend_from_slice(&entry.start_offset.0.to_be_bytes());
        }
        row.extend_from_slice(&(known.listing.snapshots.len() as u32).to_be_bytes());
        for offset in &known.listing.snapshots {
            row.extend_from_slice(&offset.0.to_be_bytes());
        }
        let (segments, older) = (&known.listing.segments, &known.listing.older);
        let more = older.as_ref().map_or(0, OlderSegments::count);
        row.extend_from_slice(&((segments.len() + more) as u32).to_be_bytes());
        let size = |facts: &SegmentFacts| u64::from(facts.size);
        let bytes: u64 = segments.values().rev().skip(1).map(size).sum();
        row.extend_from_slice(&(bytes + older.as_ref().map_or(0, OlderSegments::bytes)).to_be_bytes());
        let indexed = segments.values().all(|facts| facts.offset_index && facts.time_index);
        row.push(u8::from(indexed));
        row.extend_from_slice(older.as_ref().map_or(&[], OlderSegments::rows));
        for (base, facts) in &known.listing.segments {
            row.extend_from_slice(&older_segments::row(*base, facts));
        }
        let length = 2 * size_of::<u32>() + name.len() + row.len();
        if self.length + length <= LENGTH_MAX {
            self.length += length;
            self.rows.push((name.as_bytes().to_vec(), row));
        }
    }

    /// The bytes of the file, which the mark with this epoch is to follow.
    pub fn finish(mut self, epoch: BrokerEpoch) -> Vec<u8> {
        self.rows.sort();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&epoch.0.to_be_bytes());
        for (name, row) in &self.rows {
            bytes.extend_from_slice(&(name.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&(row.len() as u32).to_be_bytes());
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(row);
        }
        bytes.extend_from_slice(&crc32c(&bytes).to_be_bytes());
        bytes
    }
}

/// The file as it was found.
#[derive(Default)]
pub struct CleanLogs {
    bytes: Vec<u8>,
    /// Where the rows begin, in the order of their names.
    rows: Vec<u32>,
}

impl CleanLogs {
    /// Takes the file away and reads it, if it belongs to the clean end with this epoch. What cannot be read says nothing.
    pub fn take<D: Disk>(disk: &D, directory: &Path, clean: Option<BrokerEpoch>) -> Result<Self, Fault> {
        let path = directory.join(CLEAN_LOGS);
        let bytes = match whole_file::read(disk, &path) {
            Ok(None) => return Ok(Self::default()),
            Ok(Some(bytes)) => bytes,
            Err(Fault::Corrupt { .. }) => Vec::new(),
            Err(fault) => return Err(fault),
        };
        disk.unlink(&path).map_err(|error| Fault::io("remove", &path, error))?;
        let known = clean.filter(|epoch| epoch.0 >= 0).and_then(|epoch| Self::parse(bytes, epoch));
        Ok(known.unwrap_or_default())
    }

    fn parse(mut bytes: Vec<u8>, epoch: BrokerEpoch) -> Option<Self> {
        let body = bytes.len().checked_sub(4)?;
        let stored = u32::from_be_bytes(*bytes[body..].first_chunk()?);
        bytes.truncate(body);
        let mut reader = Reader(&bytes);
        let same = crc32c(&bytes) == stored
            && reader.take(8)? == MAGIC
            && reader.long()? == epoch.0
            && u32::try_from(bytes.len()).is_ok();
        if !same {
            return None;
        }
        let mut rows = Vec::new();
        while !reader.0.is_empty() {
            rows.push((bytes.len() - reader.0.len()) as u32);
            let (name, row) = (reader.int()? as usize, reader.int()? as usize);
            reader.take(name.checked_add(row)?)?;
        }
        Some(Self { bytes, rows })
    }

    /// What is known of the log in a directory, if that is as it was left.
    pub fn of<D: Disk>(&self, disk: &D, directory: &Path) -> Option<KnownLog> {
        let name = directory.file_name()?.to_str()?.as_bytes();
        let place = self.rows.binary_search_by(|row| self.row(*row).map_or(&[][..], |row| row.0).cmp(name));
        let (_, row) = self.row(*self.rows.get(place.ok()?)?)?;
        let mut reader = Reader(row);
        let modified = Timestamp(reader.long()?);
        let topic_id = Uuid(*reader.take(16)?.first_chunk()?);
        let end = Offset(reader.long()?);
        let mut epochs = Vec::new();
        for _ in 0..reader.int()? {
            let epoch = LeaderEpoch(reader.int()?.cast_signed());
            epochs.push(EpochEntry { epoch, start_offset: Offset(reader.long()?) });
        }
        let mut listing = Listing::default();
        for _ in 0..reader.int()? {
            listing.snapshots.insert(Offset(reader.long()?));
        }
        let (count, bytes) = (reader.int()? as usize, reader.long()?.cast_unsigned());
        let indexed = reader.take(1)?.first()? != &0;
        let rows = reader.take(count.checked_mul(ROW)?)?.as_chunks::<ROW>().0;
        let apart = match indexed && count >= APART_MIN {
            true => rows.split_last().map(|(active, older)| (std::slice::from_ref(active), older)),
            false => None,
        };
        let (rows, older) = apart.unwrap_or((rows, &[]));
        listing.older = (!older.is_empty()).then(|| OlderSegments::new(older, bytes));
        // In order, a map of them is made at once for a fraction of what it would take one by one.
        listing.segments = rows.iter().map(older_segments::read).collect();
        let known = KnownLog { topic_id: Some(topic_id).filter(|id| !id.is_zero()), listing, epochs, end };
        known.is_still(disk, directory, modified).then_some(known)
    }

    fn row(&self, at: u32) -> Option<(&[u8], &[u8])> {
        let mut reader = Reader(self.bytes.get(at as usize..)?);
        let (name, row) = (reader.int()? as usize, reader.int()? as usize);
        Some((reader.take(name)?, reader.take(row)?))
    }
}

impl KnownLog {
    fn is_still<D: Disk>(&self, disk: &D, directory: &Path, modified: Timestamp) -> bool {
        let Some((base, active)) = self.listing.segments.last_key_value() else { return false };
        let log = SegmentFile::Log.path(directory, *base);
        disk.facts(directory).is_ok_and(|facts| facts.modified == modified)
            && disk.facts(&log).is_ok_and(|facts| {
                facts.length == u64::from(active.size) && facts.modified == active.modified
            })
    }
}

/// A walk over the bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn int(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn long(&mut self) -> Option<i64> {
        self.take(8)?.first_chunk().map(|bytes| i64::from_be_bytes(*bytes))
    }
}
