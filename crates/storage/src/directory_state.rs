//! Whether a log directory is in order, out of room, or lost until the process restarts.
//!
//! ```text
//!            no room at a write                there is room again
//!   online -----------------------> full ------------------------------> online
//!     |                               |
//!     +------- error of the disk -----+-----> offline (until restart)
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use crate::disk::Disk;
use crate::fault::Fault;

/// How a log directory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DirectoryHealth {
    /// In order.
    Online,
    /// A write found no room: no records are taken until there is; reads, deletes and what the node itself must write go
    /// on.
    Full,
    /// Not used any more.
    Offline,
}

const ONLINE: u8 = 0;
const FULL: u8 = 1;
const OFFLINE: u8 = 2;

/// The health of one log directory, shared by its logs.
#[derive(Debug)]
pub struct DirectoryState {
    directory: PathBuf,
    health: AtomicU8,
    reason: OnceLock<Arc<str>>,
    syncing: Mutex<Syncing>,
    synced: Condvar,
}

#[derive(Debug, Default)]
struct Syncing {
    /// The open files that somebody is syncing, by their addresses. Bound: one for each thread.
    files: BTreeSet<usize>,
    /// How many threads wait for one of them: telling nobody is a system call too.
    waiting: usize,
}

impl DirectoryState {
    /// A directory in order.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            health: AtomicU8::new(ONLINE),
            reason: OnceLock::new(),
            syncing: Mutex::default(),
            synced: Condvar::new(),
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How it is.
    pub fn health(&self) -> DirectoryHealth {
        match self.health.load(Ordering::Acquire) {
            ONLINE => DirectoryHealth::Online,
            FULL => DirectoryHealth::Full,
            _ => DirectoryHealth::Offline,
        }
    }

    /// Refuses if the directory is offline.
    pub fn check(&self) -> Result<(), Fault> {
        if self.health.load(Ordering::Acquire) != OFFLINE {
            return Ok(());
        }
        let reason = self.reason.get().cloned().unwrap_or_else(|| "unknown".into());
        Err(Fault::Offline { path: self.directory.clone(), reason })
    }

    /// Refuses if the directory takes no records: offline, or full.
    pub fn check_room(&self) -> Result<(), Fault> {
        match self.health.load(Ordering::Acquire) {
            ONLINE => Ok(()),
            FULL => Err(Fault::Full { path: self.directory.clone() }),
            _ => self.check(),
        }
    }

    /// Takes note of a fault met in the directory.
    pub fn note(&self, fault: &Fault) {
        if fault.takes_directory_offline() {
            self.take_offline(&fault.to_string());
        } else if fault.no_space() {
            let first = self.health.compare_exchange(ONLINE, FULL, Ordering::AcqRel, Ordering::Acquire);
            if first.is_ok() {
                tracing::warn!(directory = %self.directory.display(), %fault, "log directory is full");
            }
        }
    }

    /// Brings an open file of the directory to stable storage while nobody else does, and takes note if that fails. The
    /// system tells of lost pages once for each open file: who came after the one who was told, and before that was noted,
    /// would take them for saved. Whoever syncs a file that others may hold open too does it here.
    pub fn sync<D: Disk>(&self, disk: &D, path: &Path, file: &Arc<D::File>) -> Result<(), Fault> {
        let _alone = self.alone(Arc::as_ptr(file).addr());
        let synced = || disk.fdatasync(file).map_err(|error| Fault::io("fsync", path, error));
        self.check().and_then(|()| synced()).inspect_err(|fault| self.note(fault))
    }

    /// Has the system begin to write a file out that is going to be synced, while nobody else syncs it, and takes note if it says that it
    /// cannot: of some errors it tells only here.
    pub fn begin_sync<D: Disk>(&self, disk: &D, path: &Path, file: &Arc<D::File>) -> Result<(), Fault> {
        let _alone = self.alone(Arc::as_ptr(file).addr());
        let begun = || disk.begin_writeback(file, 0, 0).map_err(|error| Fault::io("fsync", path, error));
        self.check().and_then(|()| begun()).inspect_err(|fault| self.note(fault))
    }

    /// Waits until nobody else syncs this file.
    fn alone(&self, key: usize) -> Alone<'_> {
        let mut syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        while !syncing.files.insert(key) {
            syncing.waiting += 1;
            syncing = self.synced.wait(syncing).unwrap_or_else(PoisonError::into_inner);
            syncing.waiting -= 1;
        }
        Alone { state: self, key }
    }

    /// Stops using the directory, because of `reason`.
    pub fn take_offline(&self, reason: &str) {
        let _ = self.reason.set(reason.into());
        if self.health.swap(OFFLINE, Ordering::AcqRel) != OFFLINE {
            tracing::error!(directory = %self.directory.display(), reason, "log directory goes offline");
        }
    }

    /// Takes note that there is room again.
    pub fn has_room(&self) {
        let full = self.health.compare_exchange(FULL, ONLINE, Ordering::AcqRel, Ordering::Acquire);
        if full.is_ok() {
            tracing::info!(directory = %self.directory.display(), "log directory has room again");
        }
    }
}

/// While it lives nobody else syncs the file; not longer, whatever panics.
struct Alone<'a> {
    state: &'a DirectoryState,
    key: usize,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let mut syncing = self.state.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        syncing.files.remove(&self.key);
        if syncing.waiting > 0 {
            self.state.synced.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    fn fault(doing: &'static str, errno: Errno) -> Fault {
        Fault::io(doing, Path::new("/d/t-0/0.log"), errno.into())
    }

    #[test]
    fn a_full_directory_takes_no_records_until_it_has_room() {
        let state = DirectoryState::new(Path::new("/d"));
        state.check_room().unwrap();
        state.note(&fault("write", Errno::NOSPC));
        assert_eq!(state.health(), DirectoryHealth::Full);
        state.check().unwrap();
        let refused = state.check_room().unwrap_err();
        assert!(
            refused.no_space() && refused.to_string().starts_with("log directory /d is full"),
            "{refused}"
        );
        state.has_room();
        state.check_room().unwrap();
        assert_eq!(state.health(), DirectoryHealth::Online);
    }

    #[test]
    fn an_offline_directory_stays_so_and_says_why() {
        let state = DirectoryState::new(Path::new("/d"));
        state.note(&fault("write", Errno::IO));
        state.note(&fault("write", Errno::NOSPC));
        state.has_room();
        assert_eq!(state.health(), DirectoryHealth::Offline);
        let refused = state.check().unwrap_err().to_string();
        assert!(
            refused.contains("log directory /d is offline after an earlier error: cannot write /d/t-0/0.log")
        );
    }

    #[test]
    fn trouble_of_the_process_is_not_the_disks() {
        let state = DirectoryState::new(Path::new("/d"));
        state.note(&fault("open", Errno::MFILE));
        assert_eq!(state.health(), DirectoryHealth::Online);
    }

    #[test]
    fn who_panics_while_it_syncs_leaves_the_file_to_others() {
        let state = DirectoryState::new(Path::new("/d"));
        let panicked = std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _alone = state.alone(1);
                panic!("on purpose");
            });
            panicking.join().is_err()
        });
        assert!(panicked);
        drop(state.alone(1));
    }
}
