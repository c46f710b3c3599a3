//! `headwater-first-records` in a log directory: the first batches of logs that have no directory of their own yet.
//!
//! To make a directory with its files costs the system a hundred times what a small batch costs to write, and very many
//! partitions that are made together get their first records together. Such a batch is written here, with one call, and
//! the log's own files are made at leisure: by the thread that makes planned logs, before anything else is done with the
//! log, and at the latest at a clean end, which leaves no such file. Kafka passes it over.
//!
//! A row counts until its log has files, when it is marked as done; once no row counts the file begins anew. A kill
//! loses nothing of it, as it loses nothing of a log's own file; a power cut may lose what was not synced of either. What
//! is cut out of a log, or has moved with it to another directory, must not come back out of a row whose mark was lost:
//! [`FirstRecords::sync`] comes before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::id::{PartitionIndex, TopicId, Uuid};
use protocol::records::checksum::crc32c;

use crate::disk::{Access, Disk, RealDisk};
use crate::fault::Fault;
use crate::names::TopicPartition;
use crate::whole_file::{self, read_up_to, write_all};

/// The name of the file.
pub const FIRST_RECORDS: &str = "headwater-first-records";

/// A longer batch makes its log at once: it costs as much to write as the files to make.
pub const BATCH_MAX: usize = 16 << 10;
/// The file takes no more rows beyond this length: the logs they are of are made at once.
const LENGTH_MAX: u64 = 64 << 20;

/// Whether the row counts, and the checksum of what follows.
const STATE: usize = 1;
const CHECKED_FROM: usize = STATE + 4;
/// The length of what follows comes next.
const HEAD: usize = CHECKED_FROM + 4;
/// Topic id, partition, length of the topic's name.
const FIXED: usize = 16 + 4 + 2;
/// No bit that turns over makes one state of the other.
const COUNTS: u8 = 0xc3;
const DONE: u8 = 0x3c;

/// Where the first batch of a log lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirstPlace {
    row: u32,
    /// From the row's beginning.
    batch: u32,
    /// Its bytes.
    pub length: u32,
}

/// A row that was found at a start and counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundBatch {
    /// Whose it is.
    pub name: TopicPartition,
    /// The id of the topic.
    pub topic_id: TopicId,
    /// Where it lies.
    pub place: FirstPlace,
    /// The batch.
    pub batch: Vec<u8>,
}

/// The file of one log directory.
pub struct FirstRecords<D: Disk = RealDisk> {
    disk: D,
    path: PathBuf,
    state: Mutex<State<D>>,
}

struct State<D: Disk> {
    /// Open from the first row on.
    file: Option<Arc<D::File>>,
    /// Where the next row goes.
    end: u64,
    /// How many rows count.
    live: usize,
    /// Whether anything was changed that no sync has covered.
    unsynced: bool,
    /// A row in the making. Bound: `BATCH_MAX` and a name.
    row: Vec<u8>,
}

impl<D: Disk> FirstRecords<D> {
    /// The file of a directory. Touches nothing.
    pub fn new(disk: &D, directory: &Path) -> Self {
        let state = State { file: None, end: 0, live: 0, unsynced: true, row: Vec::new() };
        Self { disk: disk.clone(), path: directory.join(FIRST_RECORDS), state: Mutex::new(state) }
    }

    /// Reads what a kill or a power cut left: the rows that count, as far as the file is whole. New rows come behind; what
    /// lies there is cut off, or it might count again behind them.
    pub fn take_up(&self) -> Result<Vec<FoundBatch>, Fault> {
        let mut state = self.lock();
        let Some(bytes) = whole_file::read(&self.disk, &self.path)? else {
            state.unsynced = false;
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        let mut at = 0;
        while let Some((length, row)) = parse(&bytes, at) {
            found.extend(row);
            at += length;
        }
        (state.end, state.live) = (at as u64, found.len());
        if at < bytes.len() {
            let (path, passed_over) = (self.path.display(), bytes.len() - at);
            tracing::warn!(%path, position = at, passed_over, "first records end in a row that is torn or broken");
            let file = self.open(&mut state.file)?;
            self.disk.truncate(&file, state.end).map_err(|error| Fault::io("write", &self.path, error))?;
        }
        Ok(found)
    }

    /// Writes the first batch of a log, which counts from here on. `None` if there is no place for it: its log is to be
    /// made.
    pub fn put(
        &self,
        name: &TopicPartition,
        topic_id: TopicId,
        batch: &[u8],
    ) -> Result<Option<FirstPlace>, Fault> {
        let mut state = self.lock();
        let State { file, end, live, unsynced, row } = &mut *state;
        let (Ok(at), Ok(name_length)) = (u32::try_from(*end), u16::try_from(name.topic.len())) else {
            return Ok(None);
        };
        if batch.len() > BATCH_MAX || *end > LENGTH_MAX {
            return Ok(None);
        }
        row.clear();
        row.resize(HEAD, 0);
        row.extend_from_slice(&topic_id.0);
        row.extend_from_slice(&name.partition.0.to_be_bytes());
        row.extend_from_slice(&name_length.to_be_bytes());
        row.extend_from_slice(name.topic.as_bytes());
        let place = FirstPlace { row: at, batch: row.len() as u32, length: batch.len() as u32 };
        row.extend_from_slice(batch);
        let length = (row.len() - HEAD) as u32;
        row[CHECKED_FROM..HEAD].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c(&row[CHECKED_FROM..]);
        row[0] = COUNTS;
        row[STATE..CHECKED_FROM].copy_from_slice(&checksum.to_be_bytes());
        let file = self.open(file)?;
        *unsynced = true;
        // After an error the next row is written over what there is of this one.
        write_all(&self.disk, &file, row, *end).map_err(|error| Fault::io("write", &self.path, error))?;
        *end += row.len() as u64;
        *live += 1;
        Ok(Some(place))
    }

    /// The bytes of a batch.
    pub fn read(&self, place: FirstPlace) -> Result<Vec<u8>, Fault> {
        let file = self.open(&mut self.lock().file)?;
        let mut row = vec![0; (place.batch + place.length) as usize];
        let read = read_up_to(&self.disk, &file, &mut row, u64::from(place.row))
            .map_err(|error| Fault::io("read", &self.path, error))?;
        if read < row.len() || parse(&row, 0).is_none() {
            return Err(Fault::corrupt(&self.path, u64::from(place.row), "a row is not what was written"));
        }
        row.drain(..place.batch as usize);
        Ok(row)
    }

    /// The log has its own files, or is gone: its row does not count any more.
    pub fn forget(&self, place: FirstPlace) -> Result<(), Fault> {
        let mut state = self.lock();
        let file = self.open(&mut state.file)?;
        state.unsynced = true;
        state.live = state.live.saturating_sub(1);
        let failed = |error| Fault::io("write", &self.path, error);
        if state.live > 0 {
            return write_all(&self.disk, &file, &[DONE], u64::from(place.row)).map_err(failed);
        }
        state.end = 0;
        self.disk.truncate(&file, 0).map_err(failed)
    }

    /// Brings to stable storage which rows count, if that has changed.
    pub fn sync(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        if !state.unsynced {
            return Ok(());
        }
        let synced = match self.disk.open(&self.path, Access::Write) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            opened => opened.and_then(|file| self.disk.fdatasync(&file)),
        };
        synced.map_err(|error| Fault::io("fsync", &self.path, error))?;
        state.unsynced = false;
        Ok(())
    }

    /// Removes the file at a clean end, when no row counts.
    pub fn end(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        if state.live > 0 {
            let reason = format!("{} rows of it belong to logs that could not be made", state.live);
            return Err(Fault::Mismatch { path: self.path.clone(), reason });
        }
        (state.file, state.end) = (None, 0);
        match self.disk.unlink(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Fault::io("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }

    fn open(&self, held: &mut Option<Arc<D::File>>) -> Result<Arc<D::File>, Fault> {
        if let Some(file) = held {
            return Ok(Arc::clone(file));
        }
        let opened = self.disk.open(&self.path, Access::Create);
        let file = Arc::new(opened.map_err(|error| Fault::io("open", &self.path, error))?);
        *held = Some(Arc::clone(&file));
        Ok(file)
    }

    /// No thread panics while it holds the state half changed.
    fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row at `at`: its length, and what it holds if it counts. `None` where no whole row is.
pub(crate) fn parse(bytes: &[u8], at: usize) -> Option<(usize, Option<FoundBatch>)> {
    let rest = bytes.get(at..)?;
    let head = rest.first_chunk::<HEAD>()?;
    let checksum = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let length = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) as usize;
    let checked = rest.get(CHECKED_FROM..HEAD + length)?;
    if length < FIXED || crc32c(checked) != checksum {
        return None;
    }
    match head[0] {
        COUNTS => {}
        DONE => return Some((HEAD + length, None)),
        _ => return None,
    }
    let body = rest.get(HEAD..HEAD + length)?;
    let (topic_id, rest) = body.split_first_chunk::<16>()?;
    let (partition, rest) = rest.split_first_chunk::<4>()?;
    let (name_length, rest) = rest.split_first_chunk::<2>()?;
    let (topic, batch) = rest.split_at_checked(usize::from(u16::from_be_bytes(*name_length)))?;
    let place = FirstPlace {
        row: u32::try_from(at).ok()?,
        batch: (HEAD + FIXED + topic.len()) as u32,
        length: batch.len() as u32,
    };
    let name =
        TopicPartition::new(str::from_utf8(topic).ok()?, PartitionIndex(i32::from_be_bytes(*partition)));
    let found = FoundBatch { name, topic_id: Uuid(*topic_id), place, batch: batch.to_vec() };
    Some((HEAD + length, Some(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: TopicId = Uuid([7; 16]);

    fn name(partition: i32) -> TopicPartition {
        TopicPartition::new("t", PartitionIndex(partition))
    }

    #[test]
    fn a_row_counts_until_its_log_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let rows = FirstRecords::new(&RealDisk, directory.path());
        assert!(rows.take_up().unwrap().is_empty());
        let first = rows.put(&name(0), TOPIC, b"one").unwrap().unwrap();
        let second = rows.put(&name(1), TOPIC, b"two").unwrap().unwrap();
        assert_eq!(rows.read(second).unwrap(), b"two");
        rows.forget(first).unwrap();
        assert!(rows.end().unwrap_err().to_string().contains("1 rows"));
        let killed = FirstRecords::new(&RealDisk, directory.path());
        let found = killed.take_up().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].name, &found[0].batch[..]), (&name(1), &b"two"[..]));
        assert_eq!((found[0].topic_id, found[0].place), (TOPIC, second));
        killed.forget(found[0].place).unwrap();
        assert_eq!(std::fs::metadata(directory.path().join(FIRST_RECORDS)).unwrap().len(), 0);
        killed.end().unwrap();
        assert!(!directory.path().join(FIRST_RECORDS).exists());
    }

    #[test]
    fn a_torn_row_ends_the_file_and_the_next_takes_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FIRST_RECORDS);
        let rows = FirstRecords::new(&RealDisk, directory.path());
        rows.put(&name(0), TOPIC, b"whole").unwrap().unwrap();
        let whole = std::fs::read(&path).unwrap();
        rows.put(&name(1), TOPIC, b"torn by the cut").unwrap().unwrap();
        let both = std::fs::read(&path).unwrap();
        for length in whole.len()..both.len() {
            std::fs::write(&path, &both[..length]).unwrap();
            let left = FirstRecords::new(&RealDisk, directory.path());
            assert_eq!(left.take_up().unwrap().len(), 1, "cut at {length}");
            left.put(&name(2), TOPIC, b"next").unwrap().unwrap();
            let names: Vec<_> = FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap();
            assert_eq!(names.iter().map(|row| row.name.partition.0).collect::<Vec<_>>(), [0, 2]);
        }
    }

    #[test]
    fn a_changed_bit_is_not_handed_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FIRST_RECORDS);
        let rows = FirstRecords::new(&RealDisk, directory.path());
        let place = rows.put(&name(0), TOPIC, b"bytes").unwrap().unwrap();
        let written = std::fs::read(&path).unwrap();
        for bit in 0..written.len() * 8 {
            let mut bytes = written.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, bytes).unwrap();
            assert!(rows.read(place).unwrap_err().to_string().contains("a row is not what was written"));
            assert!(FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap().is_empty(), "{bit}");
        }
    }

    #[test]
    fn what_lies_behind_a_broken_row_does_not_count_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FIRST_RECORDS);
        let rows = FirstRecords::new(&RealDisk, directory.path());
        let lost = rows.put(&name(0), TOPIC, b"lost").unwrap().unwrap();
        rows.put(&name(1), TOPIC, b"behind").unwrap().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[lost.row as usize..][..HEAD].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let left = FirstRecords::new(&RealDisk, directory.path());
        assert!(left.take_up().unwrap().is_empty());
        left.put(&name(2), TOPIC, b"next").unwrap().unwrap();
        let found = FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap();
        assert_eq!(found.iter().map(|row| row.name.partition.0).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_long_batch_finds_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let rows = FirstRecords::new(&RealDisk, directory.path());
        assert_eq!(rows.put(&name(0), TOPIC, &vec![0; BATCH_MAX + 1]).unwrap(), None);
        assert!(!directory.path().join(FIRST_RECORDS).exists());
    }
}
