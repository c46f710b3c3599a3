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
//! How it is laid out says `rows.rs`. Nothing that is broken is ever written over or cut off: when the file is to begin anew it is
//! kept under another name.

mod rows;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::id::TopicId;

use crate::disk::{Access, Disk, RealDisk};
use crate::fault::Fault;
use crate::names::TopicPartition;
use crate::whole_file::{self, read_up_to, write_all};

use self::rows::{COUNTS, DONE, Head, MAGIC};
pub use self::rows::{FirstPlace, FoundRow};
pub(crate) use self::rows::{Row, Rows};

/// The name of the file.
pub const FIRST_RECORDS: &str = "headwater-first-records";
/// The name of one in which something was broken, once no row of it counts; where there is such a file already, a number
/// follows.
pub const BROKEN_FIRST_RECORDS: &str = "headwater-first-records.broken";

/// A longer batch makes its log at once: it costs as much to write as the files to make.
pub const BATCH_MAX: usize = 16 << 10;
/// The file takes no more rows beyond this length: the logs they are of are made at once.
const LENGTH_MAX: u64 = 64 << 20;

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
    pub fn take_up(&self) -> Result<Vec<FoundRow>, Fault> {
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
        let place = rows::add(row, *end as u32, ((name, name_length), topic_id), batch);
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

#[cfg(test)]
mod tests;
