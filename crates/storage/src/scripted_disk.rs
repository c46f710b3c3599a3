//! A real disk for tests that counts the calls made on it and the files open on it, fails those it is told to fail, and can hold fsyncs back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use protocol::id::Timestamp;
use rustix::io::Errno;

use crate::disk::{Access, Disk, Entry, FileFacts, RealDisk, Space};
use crate::reserve::RESERVE;

/// The disk; clones share one script.
#[derive(Clone, Default)]
pub struct ScriptedDisk {
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    state: Mutex<State>,
    changed: Condvar,
}

type HeldLock = Box<dyn Fn() -> bool + Send>;

#[derive(Default)]
struct State {
    calls: BTreeMap<&'static str, Vec<PathBuf>>,
    /// Bytes that were read, each with the file.
    read: Vec<(PathBuf, u64)>,
    /// The calls that change names or bring something to stable storage, in order.
    lasting: Vec<(&'static str, PathBuf)>,
    failures: Vec<Failure>,
    /// fsyncs wait while this is set.
    held: bool,
    /// How many fsyncs have begun.
    syncing: usize,
    /// The fsync of a path that ends so panics.
    panicking: Option<&'static str>,
    /// The fsync that fails, by its number.
    failing_sync: Option<usize>,
    /// Files that were synced again through a descriptor on which that had failed.
    synced_again: Vec<PathBuf>,
    /// A pwrite writes at most this much before it fails with the failure due.
    torn: Option<usize>,
    /// So many more calls, then all fail: the process was killed.
    left: Option<usize>,
    /// What the file system says is free.
    usable: Option<u64>,
    /// Paths that end so lie on another file system.
    elsewhere: Option<&'static str>,
    /// How many files are open, and the most that were since the calls were last forgotten.
    open: usize,
    open_most: usize,
    /// Says whether a lock is held that is watched, and in which thread.
    held_lock: Option<(ThreadId, HeldLock)>,
    /// The calls made under it, each with the number of the hold.
    under_lock: Vec<(usize, &'static str, PathBuf)>,
    /// Each call is counted as if it were made twice.
    doubled: bool,
    /// So many more calls that take room find some, and then one does not.
    room_for: Option<usize>,
    /// Which one that was.
    without_room: Option<String>,
}

/// Judges a guard of calls as things are, and on a disk of which each call is made twice: that is planted, and it must notice.
pub fn guarded(guard: impl Fn(ScriptedDisk)) {
    guard(ScriptedDisk::default());
    let planted = ScriptedDisk::default();
    planted.script.state.lock().unwrap().doubled = true;
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| guard(planted)));
    assert!(judged.is_err(), "that each call is made twice goes unnoticed");
}

thread_local! {
    static HOLDS: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread has come to hold the lock of a log, or has tried to.
pub fn holds() -> usize {
    HOLDS.get()
}

/// Counts that this thread has come to hold the lock of a log.
pub fn note_hold() {
    HOLDS.set(HOLDS.get() + 1);
}

#[derive(Clone, Copy)]
struct Failure {
    verb: &'static str,
    suffix: &'static str,
    errno: Errno,
    once: bool,
    /// So many calls that match go well before.
    passing: usize,
}

/// An open file that knows its name.
pub struct ScriptedFile {
    disk: ScriptedDisk,
    file: File,
    path: PathBuf,
    /// Whether an fsync of it has failed.
    unsynced: AtomicBool,
}

impl Drop for ScriptedFile {
    fn drop(&mut self) {
        self.disk.script.state.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
    }
}

/// fsyncs are held back while this lives.
#[must_use]
pub struct HeldSyncs {
    disk: ScriptedDisk,
}

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        let mut state = self.disk.script.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held = false;
        self.disk.script.changed.notify_all();
    }
}

impl State {
    fn note_under_lock(&mut self, verb: &'static str, path: &Path) {
        // Other threads, such as those that sync, make their calls while somebody else holds it.
        let watched = |(thread, held): &(ThreadId, HeldLock)| *thread == thread::current().id() && held();
        if self.held_lock.as_ref().is_some_and(watched) {
            self.under_lock.push((HOLDS.get(), verb, path.to_owned()));
        }
    }
}

impl ScriptedDisk {
    /// Makes the next `verb` on a path that ends with `suffix` fail.
    pub fn fail_once(&self, verb: &'static str, suffix: &'static str, errno: Errno) {
        self.fail_after(0, verb, suffix, errno);
    }

    /// Makes the `verb` on a path that ends with `suffix` fail that comes after `passing` others.
    pub fn fail_after(&self, passing: usize, verb: &'static str, suffix: &'static str, errno: Errno) {
        self.script.state.lock().unwrap().failures.push(Failure { verb, suffix, errno, once: true, passing });
    }

    /// Makes every `verb` on a path that ends with `suffix` fail from here on.
    pub fn fail(&self, verb: &'static str, suffix: &'static str, errno: Errno) {
        self.script.state.lock().unwrap().failures.push(Failure {
            verb,
            suffix,
            errno,
            once: false,
            passing: 0,
        });
    }

    /// Has every fsync of a path that ends with `suffix` panic.
    pub fn panic_in_sync(&self, suffix: &'static str) {
        self.script.state.lock().unwrap().panicking = Some(suffix);
    }

    /// Forgets the failures still to come.
    pub fn mend(&self) {
        self.script.state.lock().unwrap().failures.clear();
    }

    /// A pwrite that fails first writes this many bytes.
    pub fn tear(&self, bytes: usize) {
        self.script.state.lock().unwrap().torn = Some(bytes);
    }

    /// Fails every call after the next `calls`, as if the process had been killed there.
    pub fn die_after(&self, calls: usize) {
        self.script.state.lock().unwrap().left = Some(calls);
    }

    /// How many times `verb` was called on a path that ends with `suffix`.
    pub fn count(&self, verb: &'static str, suffix: &str) -> usize {
        let state = self.script.state.lock().unwrap();
        let calls = state.calls.get(verb);
        calls.map_or(0, |paths| paths.iter().filter(|path| path.to_string_lossy().ends_with(suffix)).count())
    }

    /// How many bytes were read of paths that end with `suffix`.
    pub fn bytes_read(&self, suffix: &str) -> u64 {
        let state = self.script.state.lock().unwrap();
        let matching = state.read.iter().filter(|(path, _)| path.to_string_lossy().ends_with(suffix));
        matching.map(|(_, bytes)| bytes).sum()
    }

    /// How many calls there were in all.
    pub fn total(&self) -> usize {
        self.script.state.lock().unwrap().calls.values().map(Vec::len).sum()
    }

    /// Judges that there were so many calls at most, and that twice as many would be noticed.
    pub fn judge_at_most(&self, most: usize, what: &str) {
        let calls = self.total();
        assert!(calls <= most, "{calls} calls {what}, and {most} are allowed");
        assert!(calls * 2 > most, "that each of {calls} calls {what} is made twice goes unnoticed");
    }

    /// Forgets the calls so far.
    pub fn reset(&self) {
        let mut state = self.script.state.lock().unwrap();
        state.calls.clear();
        state.read.clear();
        state.open_most = state.open;
    }

    /// The most files that were open at a time.
    pub fn open_most(&self) -> usize {
        self.script.state.lock().unwrap().open_most
    }

    /// The renames and fsyncs since the start that `wanted` picks by verb and path, in order.
    pub fn lasting(&self, wanted: impl Fn(&'static str, &str) -> bool) -> Vec<String> {
        let state = self.script.state.lock().unwrap();
        let calls = state.lasting.iter().map(|(verb, path)| (*verb, path.to_string_lossy()));
        calls.filter(|(verb, path)| wanted(verb, path)).map(|(verb, path)| format!("{verb} {path}")).collect()
    }

    /// Makes the fsync of a file that comes after `syncs` others fail.
    pub fn fail_sync_after(&self, syncs: usize) {
        let mut state = self.script.state.lock().unwrap();
        state.failing_sync = Some(state.syncing + syncs + 1);
    }

    /// Whether the fsync that was to fail has done so.
    pub fn sync_has_failed(&self) -> bool {
        let state = self.script.state.lock().unwrap();
        state.failing_sync.is_some_and(|failing| state.syncing >= failing)
    }

    /// The files that were synced through a descriptor on which that had failed.
    pub fn synced_again(&self) -> Vec<PathBuf> {
        self.script.state.lock().unwrap().synced_again.clone()
    }

    /// Holds back every fsync until the guard is dropped, so that a test that fails does not hang.
    pub fn hold_syncs(&self) -> HeldSyncs {
        self.script.state.lock().unwrap().held = true;
        HeldSyncs { disk: self.clone() }
    }

    /// Waits until `count` fsyncs have begun since the start.
    pub fn wait_for_syncs(&self, count: usize) {
        let state = self.script.state.lock().unwrap();
        drop(self.script.changed.wait_while(state, |state| state.syncing < count).unwrap());
    }

    /// Whether `count` fsyncs have begun since the start, or do so before long.
    pub fn has_syncs_within(&self, count: usize, patience: Duration) -> bool {
        let state = self.script.state.lock().unwrap();
        let waited = self.script.changed.wait_timeout_while(state, patience, |state| state.syncing < count);
        !waited.unwrap().1.timed_out()
    }

    /// Has paths that end so lie on another file system.
    pub fn put_elsewhere(&self, suffix: &'static str) {
        self.script.state.lock().unwrap().elsewhere = Some(suffix);
    }

    /// Has the file system say that so much is free.
    pub fn set_usable(&self, bytes: u64) {
        self.script.state.lock().unwrap().usable = Some(bytes);
    }

    /// Has one call find no room: the one that takes some after so many others, but for what a reserve takes.
    pub fn no_room_after(&self, calls: usize) {
        let mut state = self.script.state.lock().unwrap();
        (state.room_for, state.without_room) = (Some(calls), None);
    }

    /// The call that has found no room, if it has come by now; from here on all find some.
    pub fn take_without_room(&self) -> Option<String> {
        let mut state = self.script.state.lock().unwrap();
        state.room_for = None;
        state.without_room.take()
    }

    /// A call that may take a block of the disk, or, by a name, of a directory.
    fn take_room(&self, verb: &'static str, path: &Path) -> io::Result<()> {
        let mut state = self.script.state.lock().unwrap();
        let Some(left) = state.room_for.filter(|_| !path.ends_with(RESERVE)) else { return Ok(()) };
        state.room_for = left.checked_sub(1);
        if left > 0 {
            return Ok(());
        }
        state.without_room = Some(format!("{verb} {}", path.display()));
        Err(Errno::NOSPC.into())
    }

    /// From here on takes note of the calls that this thread makes while it says that a lock is held.
    pub fn watch(&self, held_lock: impl Fn() -> bool + Send + 'static) {
        self.script.state.lock().unwrap().held_lock = Some((thread::current().id(), Box::new(held_lock)));
    }

    /// The calls under the lock that is watched, hold by hold.
    pub fn under_lock(&self) -> BTreeMap<usize, Vec<(&'static str, PathBuf)>> {
        let mut holds: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for (hold, verb, path) in &self.script.state.lock().unwrap().under_lock {
            holds.entry(*hold).or_default().push((*verb, path.clone()));
        }
        holds
    }

    fn call(&self, verb: &'static str, path: &Path) -> io::Result<()> {
        let mut state = self.script.state.lock().unwrap();
        state.note_under_lock(verb, path);
        for _ in 0..=usize::from(state.doubled) {
            state.calls.entry(verb).or_default().push(path.to_owned());
        }
        if ["rename", "fsync_dir", "fdatasync", "sync_all"].contains(&verb) {
            state.lasting.push((verb, path.to_owned()));
        }
        match &mut state.left {
            Some(0) => return Err(Errno::IO.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        let matching = state
            .failures
            .iter()
            .position(|failure| failure.verb == verb && path.to_string_lossy().ends_with(failure.suffix));
        let Some(index) = matching else { return Ok(()) };
        if state.failures[index].passing > 0 {
            state.failures[index].passing -= 1;
            return Ok(());
        }
        let Failure { errno, once, .. } = state.failures[index];
        if once {
            state.failures.remove(index);
        }
        Err(errno.into())
    }
}

impl Disk for ScriptedDisk {
    type File = ScriptedFile;

    fn open(&self, path: &Path, access: Access) -> io::Result<ScriptedFile> {
        self.call("open", path)?;
        if access == Access::Create && !path.exists() {
            self.script.state.lock().unwrap().note_under_lock("create", path);
            self.take_room("create", path)?;
        }
        let (file, path) = (RealDisk.open(path, access)?, path.to_owned());
        let mut state = self.script.state.lock().unwrap();
        state.open += 1;
        state.open_most = state.open_most.max(state.open);
        Ok(ScriptedFile { disk: self.clone(), file, path, unsynced: AtomicBool::new(false) })
    }

    fn length(&self, file: &ScriptedFile) -> io::Result<u64> {
        self.call("length", &file.path)?;
        RealDisk.length(&file.file)
    }

    fn pread(&self, file: &ScriptedFile, into: &mut [u8], position: u64) -> io::Result<usize> {
        self.call("pread", &file.path)?;
        let count = match RealDisk.pread(&file.file, into, position) {
            // Who may not wait: not every file system can say whether it would have to. What a test has just written is in memory.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => {
                file.file.read_at(into, position)?
            }
            read => read?,
        };
        let mut state = self.script.state.lock().unwrap();
        let read = if state.doubled { count * 2 } else { count };
        state.read.push((file.path.clone(), read as u64));
        Ok(count)
    }

    fn pwrite(&self, file: &ScriptedFile, bytes: &[u8], position: u64) -> io::Result<usize> {
        let called = self.call("pwrite", &file.path).and_then(|()| self.take_room("pwrite", &file.path));
        if let Err(error) = called {
            let torn = self.script.state.lock().unwrap().torn.unwrap_or(0).min(bytes.len());
            RealDisk.pwrite(&file.file, &bytes[..torn], position)?;
            return Err(error);
        }
        RealDisk.pwrite(&file.file, bytes, position)
    }

    fn truncate(&self, file: &ScriptedFile, length: u64) -> io::Result<()> {
        self.call("truncate", &file.path)?;
        RealDisk.truncate(&file.file, length)
    }

    fn begin_writeback(&self, file: &ScriptedFile, _: u64, _: u64) -> io::Result<()> {
        self.call("begin_writeback", &file.path)
    }

    fn fdatasync(&self, file: &ScriptedFile) -> io::Result<()> {
        let mut state = self.script.state.lock().unwrap();
        state.syncing += 1;
        let fails = state.failing_sync == Some(state.syncing);
        let panics = state.panicking.is_some_and(|suffix| file.path.to_string_lossy().ends_with(suffix));
        if file.unsynced.load(Ordering::Relaxed) {
            state.synced_again.push(file.path.clone());
        }
        self.script.changed.notify_all();
        drop(self.script.changed.wait_while(state, |state| state.held).unwrap());
        assert!(!panics, "on purpose");
        let outcome = self.call("fdatasync", &file.path);
        let outcome = if fails { Err(Errno::IO.into()) } else { outcome };
        outcome.inspect_err(|_| file.unsynced.store(true, Ordering::Relaxed))
    }

    fn lock(&self, file: &ScriptedFile) -> io::Result<bool> {
        RealDisk.lock(&file.file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call("rename", from)?;
        self.take_room("rename", from)?;
        RealDisk.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.call("unlink", path)?;
        RealDisk.unlink(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.call("create_dir", path)?;
        self.take_room("create_dir", path)?;
        RealDisk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.call("remove_dir", path)?;
        RealDisk.remove_dir(path)
    }

    fn fsync_dir(&self, path: &Path) -> io::Result<()> {
        self.call("fsync_dir", path)
    }

    fn sync_all(&self, opened: &ScriptedFile) -> io::Result<()> {
        self.call("sync_all", &opened.path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.call("list", path)?;
        RealDisk.list(path)
    }

    fn facts(&self, path: &Path) -> io::Result<FileFacts> {
        self.call("facts", path)?;
        RealDisk.facts(path)
    }

    fn allocate(&self, file: &ScriptedFile, length: u64) -> io::Result<()> {
        self.call("allocate", &file.path)?;
        RealDisk.allocate(&file.file, length)
    }

    fn set_modified(&self, path: &Path, modified: Timestamp) -> io::Result<()> {
        self.call("set_modified", path)?;
        RealDisk.set_modified(path, modified)
    }

    fn file_system(&self, path: &Path) -> io::Result<u64> {
        let elsewhere = self.script.state.lock().unwrap().elsewhere;
        Ok(u64::from(elsewhere.is_some_and(|suffix| path.to_string_lossy().ends_with(suffix))))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let space = RealDisk.space(path)?;
        let usable = self.script.state.lock().unwrap().usable.unwrap_or(space.usable);
        Ok(Space { usable, ..space })
    }
}
