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
//!
//! Eight bytes say what the file is and how it is laid out; rows follow without a gap:
//!
//! ```text
//! state | head checksum | length | length inverted | batch checksum | topic id | partition | name length | name | batch
//!   1          4            4             4                4             16          4            2
//! ```
//!
//! The head checksum covers what follows it up to the batch, the length is that of the row. Each row is of another log:
//! one that is broken is passed over, and takes none with it. Nothing that is broken is ever written over or cut off: when
//! the file is to begin anew it is kept under another name.

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
/// The name of one in which something was broken, once no row of it counts; where there is such a file already, a number
/// follows.
pub const BROKEN_FIRST_RECORDS: &str = "headwater-first-records.broken";

/// A longer batch makes its log at once: it costs as much to write as the files to make.
pub const BATCH_MAX: usize = 16 << 10;
/// The file takes no more rows beyond this length: the logs they are of are made at once.
const LENGTH_MAX: u64 = 64 << 20;

/// What the file begins with. The last byte is the layout.
const MAGIC: &[u8; 8] = b"HWFIRST3";
/// Where the head checksum, what it covers, and the name begin in a row.
const CHECKSUM: usize = 1;
const CHECKED: usize = CHECKSUM + 4;
const NAME: usize = CHECKED + 4 + 4 + 4 + 16 + 4 + 2;
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
    /// Where the next row goes; 0 where the file is to begin.
    end: u64,
    /// How many rows count.
    live: usize,
    /// Whether anything was changed that no sync has covered.
    unsynced: bool,
    /// Whether something in it cannot be read.
    broken: bool,
    /// A row in the making. Bound: `BATCH_MAX` and a name.
    row: Vec<u8>,
}

impl<D: Disk> FirstRecords<D> {
    /// The file of a directory. Touches nothing.
    pub fn new(disk: &D, directory: &Path) -> Self {
        let state = State { file: None, end: 0, live: 0, unsynced: true, broken: false, row: Vec::new() };
        Self { disk: disk.clone(), path: directory.join(FIRST_RECORDS), state: Mutex::new(state) }
    }

    /// Reads what a kill or a power cut left: the rows that count.
    ///
    /// # Errors
    /// If the file cannot be read, or was laid out by another version: what it holds is acknowledged.
    pub fn take_up(&self) -> Result<Vec<FoundBatch>, Fault> {
        let mut state = self.lock();
        let Some(bytes) = whole_file::read(&self.disk, &self.path)? else {
            state.unsynced = false;
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        let mut rows = Rows::of(&self.path, &bytes)?;
        for (position, row) in &mut rows {
            match row {
                Row::Counts(row) => found.push(row),
                Row::Done => {}
                Row::Broken(name) => {
                    let (path, name) = (self.path.display(), name.map(|name| name.to_string()));
                    tracing::warn!(%path, position, name, "a first record is torn or broken and is passed over");
                    state.broken = true;
                }
            }
        }
        (state.end, state.live) = (rows.at as u64, found.len());
        let rest = rows.rest();
        if rest > 0 {
            let (path, position) = (self.path.display(), rows.at);
            tracing::warn!(%path, position, rest, "first records end in a row that is torn or broken");
            state.broken = true;
            // It takes no more rows: the next would lie over what nobody has looked into.
            state.end = u64::MAX;
        }
        if state.live == 0 && state.broken {
            self.begin_anew(&mut state)?;
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
        let State { file, end, live, unsynced, row, .. } = &mut *state;
        let Ok(name_length) = u16::try_from(name.topic.len()) else { return Ok(None) };
        if batch.len() > BATCH_MAX || *end > LENGTH_MAX {
            return Ok(None);
        }
        row.clear();
        if *end == 0 {
            row.extend_from_slice(MAGIC);
        }
        let (from, at) = (row.len(), *end as u32 + row.len() as u32);
        let length = (NAME + name.topic.len() + batch.len()) as u32;
        row.extend_from_slice(&[COUNTS, 0, 0, 0, 0]);
        row.extend_from_slice(&length.to_be_bytes());
        row.extend_from_slice(&(!length).to_be_bytes());
        row.extend_from_slice(&crc32c(batch).to_be_bytes());
        row.extend_from_slice(&topic_id.0);
        row.extend_from_slice(&name.partition.0.to_be_bytes());
        row.extend_from_slice(&name_length.to_be_bytes());
        row.extend_from_slice(name.topic.as_bytes());
        let checksum = crc32c(&row[from + CHECKED..]);
        row[from + CHECKSUM..from + CHECKED].copy_from_slice(&checksum.to_be_bytes());
        let place = FirstPlace { row: at, batch: (row.len() - from) as u32, length: batch.len() as u32 };
        row.extend_from_slice(batch);
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
        let head = Head::parse(&row[..read]);
        if !head.is_some_and(|head| head.state == COUNTS && head.batch(&row[..read]).is_some()) {
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
        if state.live > 1 || state.broken {
            write_all(&self.disk, &file, &[DONE], u64::from(place.row))
                .map_err(|error| Fault::io("write", &self.path, error))?;
        }
        // Whoever fails here comes again, and others may have put rows behind this one by then.
        if state.live <= 1 {
            self.begin_anew(&mut state)?;
        }
        state.live = state.live.saturating_sub(1);
        Ok(())
    }

    /// Begins the file anew, of which no row counts. One with something in it that could not be read is kept.
    fn begin_anew(&self, state: &mut State<D>) -> Result<(), Fault> {
        let file = self.open(&mut state.file)?;
        if !state.broken {
            self.disk.truncate(&file, 0).map_err(|error| Fault::io("write", &self.path, error))?;
            state.end = 0;
            return Ok(());
        }
        // The marks go with it: were it back under its name after a power cut, no row of it may count.
        self.disk.fdatasync(&file).map_err(|error| Fault::io("fsync", &self.path, error))?;
        let kept = self.free_name()?;
        self.disk.rename(&self.path, &kept).map_err(|error| Fault::io("rename", &self.path, error))?;
        tracing::warn!(path = %kept.display(), "first records that are torn or broken are kept: look into it, then remove it");
        (state.file, state.end, state.broken) = (None, 0, false);
        Ok(())
    }

    /// A name for what is broken that no such file has yet: nobody may have looked into that one.
    fn free_name(&self) -> Result<PathBuf, Fault> {
        let mut path = self.path.with_file_name(BROKEN_FIRST_RECORDS);
        for number in 2_u32.. {
            match self.disk.facts(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                facts => facts.map_err(|error| Fault::io("read", &path, error))?,
            };
            path.set_file_name(format!("{BROKEN_FIRST_RECORDS}.{number}"));
        }
        Ok(path)
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
        if state.broken {
            self.begin_anew(&mut state)?;
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

/// What is found where a row begins.
pub(crate) enum Row {
    Counts(FoundBatch),
    Done,
    /// Whose it was, if that much is whole.
    Broken(Option<TopicPartition>),
}

/// The rows of a file, with their positions, as far as one leads to the next.
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Rows<'a> {
    /// The rows of the file at `path`.
    ///
    /// # Errors
    /// If it is laid out in another way.
    pub(crate) fn of(path: &Path, bytes: &'a [u8]) -> Result<Self, Fault> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic.len() == MAGIC.len() && magic == MAGIC {
            return Ok(Self { bytes, at: MAGIC.len() });
        }
        // A power cut before anything of it was on stable storage.
        if magic.iter().zip(MAGIC).all(|(byte, wanted)| *byte == 0 || byte == wanted) {
            return Ok(Self { bytes, at: 0 });
        }
        let reason = format!(
            "begins with {}, and not with {}: have the version of Headwater that wrote it start and end once, or, if the \
             file is broken, move it away with the acknowledged records in it",
            magic.escape_ascii(),
            MAGIC.escape_ascii()
        );
        Err(Fault::Mismatch { path: path.to_owned(), reason })
    }

    /// How many bytes behind the last row are of none and not empty.
    pub(crate) fn rest(&self) -> usize {
        let rest = &self.bytes[self.at.max(MAGIC.len()).min(self.bytes.len())..];
        rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }

    /// Where the next row begins if this one is broken: its length stands there twice.
    fn next_behind(&self, at: usize) -> Option<usize> {
        let lengths = self.bytes.get(at + CHECKED..)?.first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *lengths;
        let (one, other) = (u32::from_be_bytes([a, b, c, d]), !u32::from_be_bytes([e, f, g, h]));
        let leads = |length: &u32| {
            let next = at.saturating_add(*length as usize);
            let is_row = next == self.bytes.len()
                || self.bytes.get(next..).is_some_and(|bytes| Head::parse(bytes).is_some());
            (*length as usize >= NAME && next <= self.bytes.len() && (one == other || is_row)).then_some(next)
        };
        [one, other].iter().find_map(leads)
    }
}

impl Iterator for Rows<'_> {
    type Item = (usize, Row);

    fn next(&mut self) -> Option<(usize, Row)> {
        let at = self.at;
        // Without its first bytes there is none.
        let bytes = self.bytes.get(at..).filter(|_| at > 0)?;
        let head = Head::parse(bytes);
        let row = head.as_ref().map_or(Row::Broken(None), |head| head.row(bytes, at));
        self.at = match head {
            Some(head) if at + head.length <= self.bytes.len() => at + head.length,
            _ => self.next_behind(at)?,
        };
        Some((at, row))
    }
}

/// The part of a row that says whose it is.
struct Head<'a> {
    state: u8,
    /// Of the row.
    length: usize,
    batch_checksum: u32,
    topic_id: TopicId,
    partition: PartitionIndex,
    topic: &'a str,
}

impl<'a> Head<'a> {
    fn parse(row: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = row.split_first_chunk::<NAME>()?;
        let number = |at: usize| fixed[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let topic = rest.get(..usize::from(u16::from_be_bytes([fixed[NAME - 2], fixed[NAME - 1]])))?;
        let length = number(CHECKED)? as usize;
        if crc32c(&row[CHECKED..NAME + topic.len()]) != number(CHECKSUM)? || length < NAME + topic.len() {
            return None;
        }
        Some(Self {
            state: fixed[0],
            length,
            batch_checksum: number(CHECKED + 8)?,
            topic_id: Uuid(*fixed[CHECKED + 12..].first_chunk()?),
            partition: PartitionIndex(number(CHECKED + 28)? as i32),
            topic: str::from_utf8(topic).ok()?,
        })
    }

    /// The batch of the row, if it is whole.
    fn batch<'b>(&self, row: &'b [u8]) -> Option<&'b [u8]> {
        let batch = row.get(NAME + self.topic.len()..self.length)?;
        (crc32c(batch) == self.batch_checksum).then_some(batch)
    }

    fn row(&self, row: &[u8], at: usize) -> Row {
        let name = || TopicPartition::new(self.topic, self.partition);
        match (self.state, self.batch(row), u32::try_from(at)) {
            (DONE, ..) => Row::Done,
            (COUNTS, Some(batch), Ok(at)) => Row::Counts(FoundBatch {
                name: name(),
                topic_id: self.topic_id,
                place: FirstPlace {
                    row: at,
                    batch: (NAME + self.topic.len()) as u32,
                    length: batch.len() as u32,
                },
                batch: batch.to_vec(),
            }),
            _ => Row::Broken(Some(name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_disk::ScriptedDisk;

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
    fn who_forgets_a_row_once_more_takes_nothing_of_those_behind_it() {
        let directory = tempfile::tempdir().unwrap();
        let disk = ScriptedDisk::default();
        let rows = FirstRecords::new(&disk, directory.path());
        let first = rows.put(&name(0), TOPIC, b"one").unwrap().unwrap();
        disk.fail_once("truncate", FIRST_RECORDS, rustix::io::Errno::NOSPC);
        rows.forget(first).unwrap_err();
        let second = rows.put(&name(1), TOPIC, b"two").unwrap().unwrap();
        rows.forget(first).unwrap();
        assert_eq!(rows.read(second).unwrap(), b"two");
        assert_eq!(partitions(&FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap()), [1]);
        rows.forget(second).unwrap();
        assert_eq!(std::fs::metadata(directory.path().join(FIRST_RECORDS)).unwrap().len(), 0);
    }

    fn partitions(found: &[FoundBatch]) -> Vec<i32> {
        found.iter().map(|row| row.name.partition.0).collect()
    }

    #[test]
    fn a_torn_row_ends_the_file_which_is_kept_and_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, kept) =
            (directory.path().join(FIRST_RECORDS), directory.path().join(BROKEN_FIRST_RECORDS));
        let rows = FirstRecords::new(&RealDisk, directory.path());
        rows.put(&name(0), TOPIC, b"whole").unwrap().unwrap();
        let whole = std::fs::read(&path).unwrap();
        rows.put(&name(1), TOPIC, b"torn by the cut").unwrap().unwrap();
        let both = std::fs::read(&path).unwrap();
        for length in whole.len()..both.len() {
            std::fs::write(&path, &both[..length]).unwrap();
            let left = FirstRecords::new(&RealDisk, directory.path());
            let found = left.take_up().unwrap();
            assert_eq!(partitions(&found), [0], "cut at {length}");
            let torn = length > whole.len();
            assert_eq!(left.put(&name(2), TOPIC, b"next").unwrap().is_none(), torn, "cut at {length}");
            assert_eq!(std::fs::read(&path).unwrap()[..length], both[..length], "nothing is lost of it");
            left.forget(found[0].place).unwrap();
            assert_eq!(kept.exists(), torn, "cut at {length}");
            if torn {
                assert_eq!(std::fs::read(&kept).unwrap().len(), length);
                std::fs::remove_file(&kept).unwrap();
                left.put(&name(3), TOPIC, b"anew").unwrap().unwrap();
                let again = FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap();
                assert_eq!(partitions(&again), [3]);
            }
        }
    }

    #[test]
    fn a_changed_bit_is_not_handed_out_and_hides_no_other_row() {
        let directory = tempfile::tempdir().unwrap();
        let (path, kept) =
            (directory.path().join(FIRST_RECORDS), directory.path().join(BROKEN_FIRST_RECORDS));
        let rows = FirstRecords::new(&RealDisk, directory.path());
        let places = [0, 1, 2].map(|row| rows.put(&name(row), TOPIC, b"bytes").unwrap().unwrap());
        let written = std::fs::read(&path).unwrap();
        for place in &places {
            let row = place.row as usize;
            for bit in row * 8..(row + (place.batch + place.length) as usize) * 8 {
                let mut bytes = written.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                std::fs::write(&path, &bytes).unwrap();
                let read = rows.read(*place).unwrap_err().to_string();
                assert!(read.contains("a row is not what was written"));
                let left = FirstRecords::new(&RealDisk, directory.path());
                let found = left.take_up().unwrap();
                let others: Vec<_> = places.iter().filter(|other| *other != place).collect();
                assert_eq!(found.iter().map(|row| &row.place).collect::<Vec<_>>(), others, "bit {bit}");
                found.iter().for_each(|row| left.forget(row.place).unwrap());
                assert!(!path.exists());
                assert_eq!(std::fs::read(&kept).unwrap()[bit / 8], bytes[bit / 8], "what is broken is kept");
                std::fs::remove_file(&kept).unwrap();
            }
        }
    }

    #[test]
    fn what_is_broken_takes_the_place_of_nothing_that_was_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FIRST_RECORDS);
        let kept = ["", ".2", ".3"].map(|number| format!("{BROKEN_FIRST_RECORDS}{number}"));
        for night in 0..3 {
            FirstRecords::new(&RealDisk, directory.path())
                .put(&name(night), TOPIC, b"bytes")
                .unwrap()
                .unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap().is_empty());
            assert_eq!(std::fs::read(directory.path().join(&kept[night as usize])).unwrap(), bytes);
        }
        assert!(kept.iter().all(|kept| directory.path().join(kept).exists()));
    }

    #[test]
    fn the_layout_goes_with_its_magic() {
        let directory = tempfile::tempdir().unwrap();
        let rows = FirstRecords::new(&RealDisk, directory.path());
        rows.put(&name(5), TOPIC, b"batch").unwrap().unwrap();
        let written = std::fs::read(directory.path().join(FIRST_RECORDS)).unwrap();
        let written: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
        let known = concat!(
            "4857464952535433c38a0d81770000002dffffffd22f56732f070707070707070707070707070707",
            "07000000050001746261746368",
        );
        assert_eq!(written, known, "a file of another layout needs another magic");
    }

    #[test]
    fn a_file_of_another_layout_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FIRST_RECORDS);
        // A row began with its length once, and then with its state.
        for bytes in [
            &b"\0\0\x02\0\x12\x34\x56\x78\xc3and the record"[..],
            b"\xc3\x12\x34\x56\x78\0\0\x02\0",
            b"HWFIRST4",
        ] {
            std::fs::write(&path, bytes).unwrap();
            let refused = FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap_err().to_string();
            assert!(refused.contains("and not with HWFIRST3: have the version"), "{refused}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_file_that_a_power_cut_left_without_its_beginning_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, kept) =
            (directory.path().join(FIRST_RECORDS), directory.path().join(BROKEN_FIRST_RECORDS));
        let rows = FirstRecords::new(&RealDisk, directory.path());
        rows.put(&name(0), TOPIC, b"bytes").unwrap().unwrap();
        let written = std::fs::read(&path).unwrap();
        let torn = |zeroed: std::ops::Range<usize>, length: usize| {
            let mut bytes = written[..length].to_vec();
            bytes[zeroed].fill(0);
            bytes
        };
        let nothing = [torn(0..0, 0), torn(0..0, 5), torn(0..0, 8), torn(0..8, 8), torn(0..0, 8)];
        for (bytes, is_kept) in
            nothing.map(|it| (it, false)).into_iter().chain([(torn(2..20, written.len()), true)])
        {
            std::fs::write(&path, &bytes).unwrap();
            let left = FirstRecords::new(&RealDisk, directory.path());
            assert!(left.take_up().unwrap().is_empty());
            assert_eq!(kept.exists(), is_kept, "{bytes:?}");
            left.put(&name(1), TOPIC, b"next").unwrap().unwrap();
            assert_eq!(partitions(&FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap()), [1]);
        }
    }

    #[test]
    fn a_long_batch_finds_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let rows = FirstRecords::new(&RealDisk, directory.path());
        assert_eq!(rows.put(&name(0), TOPIC, &vec![0; BATCH_MAX + 1]).unwrap(), None);
        assert!(!directory.path().join(FIRST_RECORDS).exists());
    }
    #[test]
    fn which_rows_count_is_brought_to_stable_storage_whenever_it_has_changed() {
        let (directory, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
        let rows = FirstRecords::new(&disk, directory.path());
        assert!(rows.take_up().unwrap().is_empty());
        let mut synced = 0;
        let mut is_due = || {
            rows.sync().unwrap();
            let before = std::mem::replace(&mut synced, disk.count("fdatasync", FIRST_RECORDS));
            synced > before
        };
        assert!(!is_due(), "there is nothing");
        let first = rows.put(&name(0), TOPIC, b"one").unwrap().unwrap();
        let second = rows.put(&name(1), TOPIC, b"two").unwrap().unwrap();
        assert!(is_due() && !is_due());
        for done in [first, second] {
            rows.forget(done).unwrap();
            assert!(is_due() && !is_due());
        }
    }
}
