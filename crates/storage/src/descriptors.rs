//! The open files of all logs: opened when first needed, closed again when too many are open
//! (`headwater.open.files.max`), and reopened after that without anybody noticing.
//!
//! Which file goes is decided by second chance: a ring of the open files, where one that was used since the last
//! look goes round once more. The path of an append or read that finds its file open is one short lock of that file
//! alone. A file handed out as `Arc` stays valid for as long as it is held, whether it was closed here or not.
//!
//! Closing a file with bytes not yet on stable storage loses no error: Linux keeps a failed write-back with the
//! inode and reports it to the next descriptor's fsync.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use protocol::offset::Offset;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::batch_memory::{BYTES_DEFAULT, BatchMemory};
use crate::disk::{Access, Disk, FileFacts, RealDisk};
use crate::fault::Fault;
use crate::names::{SegmentFile, Stage};

/// The ring has room for as many at least.
const RING_MIN: usize = 16;

/// The open files, shared by all logs of a process. Cloning shares.
pub struct Descriptors<D: Disk = RealDisk> {
    shared: Arc<Shared<D>>,
}

struct Shared<D: Disk> {
    disk: D,
    batches: BatchMemory,
    open_max: AtomicUsize,
    /// Bound: `open_max`, and no more than twice as many as are there of the files. Never locked together with a file's own lock.
    ring: Mutex<VecDeque<Weak<Slot<D>>>>,
}

struct Slot<D: Disk> {
    all: Arc<Shared<D>>,
    directory: Arc<Path>,
    base: Offset,
    kind: SegmentFile,
    /// Changes only under the lock of the log that the file belongs to.
    stage: AtomicU8,
    file: Mutex<Option<Arc<D::File>>>,
    used: AtomicBool,
}

/// One file of a segment, open or not.
pub struct LazyFile<D: Disk = RealDisk> {
    slot: Arc<Slot<D>>,
}

impl<D: Disk> Clone for Descriptors<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<D: Disk> Descriptors<D> {
    /// Keeps at most `open_max` files open (at least one).
    pub fn new(disk: D, open_max: usize) -> Self {
        Self::with_batches(disk, open_max, BatchMemory::new(BYTES_DEFAULT))
    }

    /// Keeps at most `open_max` files open; where their batches lie is remembered in `batches`.
    pub fn with_batches(disk: D, open_max: usize, batches: BatchMemory) -> Self {
        let (open_max, ring) = (AtomicUsize::new(open_max.max(1)), Mutex::new(VecDeque::new()));
        Self { shared: Arc::new(Shared { disk, batches, open_max, ring }) }
    }

    /// The disk below.
    pub fn disk(&self) -> &D {
        &self.shared.disk
    }

    /// How many files are open at most.
    pub fn open_max(&self) -> usize {
        self.shared.open_max.load(Ordering::Relaxed)
    }

    /// How many files are held open now.
    pub fn open(&self) -> usize {
        let ring = locked(&self.shared.ring);
        ring.iter().filter(|slot| slot.strong_count() > 0).count()
    }

    /// Closes every file. They reopen when they are next needed.
    pub fn close_all(&self) {
        let open = std::mem::take(&mut *locked(&self.shared.ring));
        for slot in open.iter().filter_map(Weak::upgrade) {
            let closed = locked(&slot.file).take();
            drop(closed);
        }
    }

    /// A file of a segment. Opens nothing.
    pub fn file(&self, directory: &Arc<Path>, kind: SegmentFile, base: Offset) -> LazyFile<D> {
        let slot = Slot {
            all: Arc::clone(&self.shared),
            directory: Arc::clone(directory),
            base,
            kind,
            stage: AtomicU8::new(Stage::Live as u8),
            file: Mutex::new(None),
            used: AtomicBool::new(false),
        };
        LazyFile { slot: Arc::new(slot) }
    }
}

impl<D: Disk> LazyFile<D> {
    /// Where the file lies.
    pub fn path(&self) -> PathBuf {
        self.slot.kind.path_at(&self.slot.directory, self.slot.base, self.stage())
    }

    /// How far the file has come on its way to take the place of another.
    pub fn stage(&self) -> Stage {
        match self.slot.stage.load(Ordering::Acquire) {
            stage if stage == Stage::Cleaned as u8 => Stage::Cleaned,
            stage if stage == Stage::Swap as u8 => Stage::Swap,
            _ => Stage::Live,
        }
    }

    /// A file that is to be made at this stage.
    pub fn at(self, stage: Stage) -> Self {
        self.note_stage(stage);
        self
    }

    /// Takes note that the file has its name of this stage. It stays open if it is.
    pub fn note_stage(&self, stage: Stage) {
        self.slot.stage.store(stage as u8, Ordering::Release);
    }

    /// The directory it lies in.
    pub fn directory(&self) -> &Arc<Path> {
        &self.slot.directory
    }

    /// Size and age of the file.
    pub fn facts(&self) -> Result<FileFacts, Fault> {
        self.by_name(|path| self.slot.all.disk.facts(path))
            .map_err(|error| Fault::io("read", &self.path(), error))
    }

    /// Does something with the name of the file. Who gives it its own name does so without the log's lock, and has that noted
    /// a moment later.
    fn by_name<T>(&self, act: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        match act(&self.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.stage() == Stage::Swap => {
                act(&self.slot.kind.path(&self.slot.directory, self.slot.base))
            }
            outcome => outcome,
        }
    }

    /// The disk it lies on.
    pub fn disk(&self) -> &D {
        &self.slot.all.disk
    }

    /// Another file of the same segment, at the same stage. Opens nothing.
    pub fn beside(&self, kind: SegmentFile) -> Self {
        let all = Descriptors { shared: Arc::clone(&self.slot.all) };
        all.file(&self.slot.directory, kind, self.slot.base).at(self.stage())
    }

    /// Where batches lie, for all logs.
    pub fn batches(&self) -> &BatchMemory {
        &self.slot.all.batches
    }

    /// The open file; it must exist.
    pub fn open(&self) -> Result<Arc<D::File>, Fault> {
        self.open_as(Access::Write)
    }

    /// The open file, made empty if it does not exist.
    pub fn create(&self) -> Result<Arc<D::File>, Fault> {
        self.open_as(Access::Create)
    }

    /// Closes the file, which reopens when it is next needed.
    pub fn close(&self) {
        let closed = locked(&self.slot.file).take();
        drop(closed);
    }

    /// The file, opened for one look alone where it is not open: it takes nobody's place.
    pub fn look(&self) -> Result<Arc<D::File>, Fault> {
        match &*locked(&self.slot.file) {
            Some(file) => Ok(Arc::clone(file)),
            None => self.open_now(Access::Write),
        }
    }

    /// Keeps a file open that was opened for one look, for there will be others.
    pub fn keep(&self, file: Arc<D::File>) {
        let kept = Arc::clone(locked(&self.slot.file).get_or_insert_with(|| Arc::clone(&file)));
        if Arc::ptr_eq(&kept, &file) {
            self.admit();
        }
    }

    fn open_as(&self, access: Access) -> Result<Arc<D::File>, Fault> {
        let file = {
            let mut held = locked(&self.slot.file);
            self.slot.used.store(true, Ordering::Relaxed);
            if let Some(file) = &*held {
                return Ok(Arc::clone(file));
            }
            let file = self.open_now(access)?;
            *held = Some(Arc::clone(&file));
            file
        };
        self.admit();
        Ok(file)
    }

    fn open_now(&self, access: Access) -> Result<Arc<D::File>, Fault> {
        let opened = self.by_name(|path| self.slot.all.disk.open(path, access));
        Ok(Arc::new(opened.map_err(|error| Fault::io("open", &self.path(), error))?))
    }

    /// Enters the file among those that are open.
    fn admit(&self) {
        for evicted in self.slot.all.admit(&self.slot) {
            let closed = locked(&evicted.file).take();
            drop(closed);
        }
    }
}

impl<D: Disk> Shared<D> {
    /// Enters a file just opened and picks those that must close for it.
    fn admit(&self, opened: &Arc<Slot<D>>) -> Vec<Arc<Slot<D>>> {
        let open_max = self.open_max.load(Ordering::Relaxed);
        let mut evicted = Vec::new();
        let mut ring = locked(&self.ring);
        // Whoever is looked at loses its mark, so the second round finds somebody.
        let mut looks = 2 * ring.len();
        while ring.len() >= open_max && looks > 0 {
            looks -= 1;
            let Some(oldest) = ring.pop_front() else { break };
            let Some(slot) = oldest.upgrade() else { continue };
            if slot.used.swap(false, Ordering::Relaxed) {
                ring.push_back(oldest);
            } else {
                evicted.push(slot);
            }
        }
        if ring.len() == ring.capacity() {
            // The memory of a file that is there no more is free once it is out of the ring.
            ring.retain(|slot| slot.strong_count() > 0);
            let there = ring.len();
            ring.reserve(there.max(RING_MIN));
        }
        ring.push_back(Arc::downgrade(opened));
        evicted
    }
}

/// How many files of logs may be open where `wanted` are asked for: at most half of what the process may open, the rest
/// being for connections. Raises the process's own limit as far as the system lets it, since many systems begin with a
/// low one that anybody may raise.
pub fn affordable(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // `None` is no limit at all.
    let mut current = limit.current;
    if limit.current != limit.maximum
        && setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_ok()
    {
        current = limit.maximum;
    }
    let half = current.and_then(|files| usize::try_from(files / 2).ok()).unwrap_or(usize::MAX);
    wanted.min(half).max(1)
}

/// No thread panics while it holds one of these locks in a state that others must not see.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(open_max: usize, count: i64) -> (tempfile::TempDir, Descriptors, Vec<LazyFile>) {
        let directory = tempfile::tempdir().unwrap();
        let descriptors = Descriptors::new(RealDisk, open_max);
        let path: Arc<Path> = directory.path().into();
        let files = (0..count)
            .map(|base| descriptors.file(&path, SegmentFile::Log, Offset(base)))
            .collect::<Vec<_>>();
        (directory, descriptors, files)
    }

    fn is_open(file: &LazyFile) -> bool {
        locked(&file.slot.file).is_some()
    }

    #[test]
    fn nothing_is_opened_before_it_is_used() {
        let (_directory, descriptors, files) = files(10, 5);
        assert_eq!(descriptors.open(), 0);
        assert!(files[0].open().unwrap_err().not_found());
        files[0].create().unwrap();
        assert_eq!(descriptors.open(), 1);
    }

    #[test]
    fn never_more_open_than_allowed_and_closed_ones_reopen() {
        let (_directory, descriptors, files) = files(3, 20);
        for file in &files {
            file.create().unwrap();
            assert!(descriptors.open() <= 3);
        }
        assert_eq!(files.iter().filter(|file| is_open(file)).count(), 3);
        assert!(!is_open(&files[0]));
        files[0].open().unwrap();
        assert!(is_open(&files[0]));
    }

    #[test]
    fn a_file_in_use_goes_round_once_more() {
        let (_directory, _descriptors, files) = files(2, 4);
        files[0].create().unwrap();
        files[1].create().unwrap();
        files[2].create().unwrap();
        let survivor = if is_open(&files[1]) { 1 } else { 0 };
        files[survivor].open().unwrap();
        // The third was never used again after its opening mark was spent.
        files[2].slot.used.store(false, Ordering::Relaxed);
        files[3].create().unwrap();
        assert!(is_open(&files[survivor]));
        assert!(!is_open(&files[2]));
    }

    #[test]
    fn files_that_are_there_no_more_take_no_room() {
        let (_directory, descriptors, mut files) = files(100_000, 5_000);
        let mut kept = files.split_off(4_990);
        for file in files {
            file.create().unwrap();
        }
        assert!(locked(&descriptors.shared.ring).len() <= RING_MIN, "one after the other they have gone");
        for file in &kept {
            file.create().unwrap();
        }
        assert_eq!(descriptors.open(), 10);
        kept.truncate(1);
        assert_eq!(descriptors.open(), 1);
    }

    #[test]
    fn a_file_handed_out_outlives_its_eviction() {
        let (_directory, _descriptors, files) = files(1, 2);
        let held = files[0].create().unwrap();
        files[1].create().unwrap();
        assert!(!is_open(&files[0]));
        assert_eq!(RealDisk.pwrite(&held, b"still here", 0).unwrap(), 10);
    }

    #[test]
    fn half_of_what_the_process_may_open_is_left_for_connections() {
        assert_eq!(affordable(7), 7);
        let most = affordable(usize::MAX);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum, "the limit was raised as far as it goes");
        assert!(limit.current.is_none_or(|files| most as u64 == files / 2));
    }

    #[test]
    fn a_dropped_file_closes() {
        let (_directory, descriptors, mut files) = files(8, 1);
        let file = files.pop().unwrap();
        let held = Arc::downgrade(&file.create().unwrap());
        drop(file);
        assert!(held.upgrade().is_none());
        assert_eq!(descriptors.open(), 0);
    }
}
