//! The disk as a port: the few calls storage makes, with static dispatch, so that tests count and fail them and a
//! simulator can stand in. [`RealDisk`] is the operating system's.
//!
//! Every position is explicit: no file has a cursor, so one open file serves any number of readers and its writer.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use protocol::id::Timestamp;
use rustix::fs::{self, AtFlags, FallocateFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps};
use rustix::io::{Errno, ReadWriteFlags};

use crate::{patience, write_out};

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// For reading; it must be there.
    Read,
    /// For reading and writing; it must be there.
    Write,
    /// For reading and writing; made empty if it is not there.
    Create,
}

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// The last component of its path.
    pub name: OsString,
    /// Whether it is a directory itself, or leads to one.
    pub directory: bool,
}

/// Size and age of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileFacts {
    /// Length in bytes.
    pub length: u64,
    /// When its bytes last changed.
    pub modified: Timestamp,
}

/// The calls storage makes on a disk. `Err` is what the system said; callers add file and verb ([`crate::Fault`]).
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file. Dropping it closes it.
    type File: Send + Sync + 'static;

    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File>;
    /// Length of an open file.
    fn length(&self, file: &Self::File) -> io::Result<u64>;
    /// Reads once at `position`; 0 at the end of the file.
    fn pread(&self, file: &Self::File, into: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes once at `position`; may write less than asked.
    fn pwrite(&self, file: &Self::File, bytes: &[u8], position: u64) -> io::Result<usize>;
    /// Cuts or extends the file to `length`.
    fn truncate(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Has the system begin to write these bytes of the file out, or for a length of 0 all from there on, and returns at once:
    /// what a later fsync has to wait for is less. Promises nothing; a disk may pass over it. An error is one of the fsync to
    /// come, which need not tell of it again.
    fn begin_writeback(&self, _file: &Self::File, _from: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }
    /// Brings the file's bytes and length to stable storage.
    fn fdatasync(&self, file: &Self::File) -> io::Result<()>;
    /// Takes the exclusive lock of a file, held until it is dropped. `false` if another process has it.
    fn lock(&self, file: &Self::File) -> io::Result<bool>;
    /// Renames, replacing what was at `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes one directory.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Brings the names in a directory to stable storage.
    fn fsync_dir(&self, path: &Path) -> io::Result<()>;
    /// Brings everything on the file system of an open file to stable storage; fails too if anything there could not be
    /// written since the file was opened, whoever was told of that, or before, if nobody was. Of bytes that found no place on the file
    /// system it tells nothing.
    fn sync_all(&self, opened: &Self::File) -> io::Result<()>;
    /// The names in a directory, in no order.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Size and age of the file at `path`.
    fn facts(&self, path: &Path) -> io::Result<FileFacts>;
    /// Gives the file blocks of its own up to `length`, which it then has. Not every disk can.
    fn allocate(&self, _file: &Self::File, _length: u64) -> io::Result<()> {
        Err(Errno::OPNOTSUPP.into())
    }
    /// Sets when the bytes of the file at `path` last changed: a rewritten segment is as old as what it holds.
    fn set_modified(&self, path: &Path, modified: Timestamp) -> io::Result<()>;
    /// Total and usable bytes of the file system that holds `path`.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// A number of the file system that holds `path`, another for each.
    fn file_system(&self, path: &Path) -> io::Result<u64>;
    /// Whether the work of a log directory's own threads waits for [`crate::group_commit::GroupCommit::step`] instead:
    /// a simulator has one thread, and says in which order things happen.
    fn stepped(&self) -> bool {
        false
    }
}

/// Room on a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// All bytes of it.
    pub total: u64,
    /// The bytes this process may still fill.
    pub usable: u64,
}

/// The operating system's disk. To a thread that may not wait it reads what is in memory, and refuses the rest ([`patience`]).
#[derive(Clone, Copy, Default, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = File;

    fn open(&self, path: &Path, access: Access) -> io::Result<File> {
        patience::wait()?;
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
            Access::Create => OFlags::RDWR | OFlags::CREATE,
        };
        let flags = flags | OFlags::CLOEXEC;
        let open = |flags| retried(|| fs::open(path, flags, Mode::from_raw_mode(0o644)));
        if OWNER.load(Ordering::Relaxed) {
            match open(flags | OFlags::NOATIME) {
                Err(Errno::PERM) => OWNER.store(false, Ordering::Relaxed),
                opened => return Ok(File::from(opened?)),
            }
        }
        Ok(File::from(open(flags)?))
    }

    fn length(&self, file: &File) -> io::Result<u64> {
        let length = fs::fstat(file)?.st_size;
        u64::try_from(length).map_err(|_| Errno::OVERFLOW.into())
    }

    fn pread(&self, file: &File, into: &mut [u8], position: u64) -> io::Result<usize> {
        if patience::may_wait() {
            return Ok(retried(|| rustix::io::pread(file, &mut *into, position))?);
        }
        patience::spend(into.len())?;
        let mut now = || {
            let into = &mut [IoSliceMut::new(into)];
            rustix::io::preadv2(file, into, position, ReadWriteFlags::NOWAIT)
        };
        Ok(retried(&mut now)?)
    }

    fn pwrite(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<usize> {
        patience::wait()?;
        Ok(retried(|| rustix::io::pwrite(file, bytes, position))?)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        patience::wait()?;
        Ok(retried(|| fs::ftruncate(file, length))?)
    }

    fn begin_writeback(&self, file: &File, from: u64, length: u64) -> io::Result<()> {
        patience::wait()?;
        write_out::begin(file, from, length)
    }

    fn fdatasync(&self, file: &File) -> io::Result<()> {
        patience::wait()?;
        // Not retried: after an error the pages may be dropped, and a second call would succeed over the hole.
        Ok(fs::fdatasync(file)?)
    }

    fn lock(&self, file: &File) -> io::Result<bool> {
        // Kafka locks by fcntl, which does not see flock; but an fcntl lock goes when the process closes any other
        // descriptor of the file, so among our own kind flock decides.
        let exclusive = FlockOperation::NonBlockingLockExclusive;
        match fs::flock(file, exclusive).and_then(|()| fs::fcntl_lock(file, exclusive)) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK | Errno::ACCESS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        patience::wait()?;
        Ok(fs::rename(from, to)?)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        patience::wait()?;
        Ok(fs::unlink(path)?)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        patience::wait()?;
        Ok(fs::mkdir(path, Mode::from_raw_mode(0o755))?)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        patience::wait()?;
        Ok(fs::rmdir(path)?)
    }

    fn fsync_dir(&self, path: &Path) -> io::Result<()> {
        patience::wait()?;
        Ok(fs::fsync(directory(path)?)?)
    }

    fn sync_all(&self, opened: &File) -> io::Result<()> {
        patience::wait()?;
        // Linux keeps count of the failed writes of a file system, and each open file of what it was told (5.8).
        Ok(fs::syncfs(opened)?)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        patience::wait()?;
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            // A link counts as what it leads to, as in Kafka: whoever is short of room moves a partition elsewhere.
            let led = kind.is_symlink() && std::fs::metadata(entry.path()).is_ok_and(|to| to.is_dir());
            entries.push(Entry { name: entry.file_name(), directory: kind.is_dir() || led });
        }
        Ok(entries)
    }

    fn facts(&self, path: &Path) -> io::Result<FileFacts> {
        patience::wait()?;
        let facts = std::fs::metadata(path)?;
        let age = facts.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = Timestamp(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        Ok(FileFacts { length: facts.len(), modified })
    }

    fn allocate(&self, file: &File, length: u64) -> io::Result<()> {
        patience::wait()?;
        Ok(retried(|| fs::fallocate(file, FallocateFlags::empty(), 0, length))?)
    }

    fn set_modified(&self, path: &Path, modified: Timestamp) -> io::Result<()> {
        patience::wait()?;
        let time = Timespec {
            tv_sec: modified.0.div_euclid(1000),
            tv_nsec: modified.0.rem_euclid(1000) * 1_000_000,
        };
        let times = Timestamps { last_access: time, last_modification: time };
        Ok(fs::utimensat(fs::CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn file_system(&self, path: &Path) -> io::Result<u64> {
        patience::wait()?;
        Ok(std::fs::metadata(path)?.dev())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let facts = fs::statvfs(path)?;
        Ok(Space {
            total: facts.f_blocks.saturating_mul(facts.f_frsize),
            usable: facts.f_bavail.saturating_mul(facts.f_frsize),
        })
    }
}

/// Whether files have been this process's own so far. Then nobody need note that it has read them: without a word to the
/// system the first read after each write changes the file's inode, and has it journaled.
static OWNER: AtomicBool = AtomicBool::new(true);

fn directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn retried<T>(call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    rustix::io::retry_on_intr(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_leaves_no_trace_in_the_inode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        std::fs::write(&path, b"a batch").unwrap();
        let accessed = |path: &Path| std::fs::metadata(path).unwrap().accessed().unwrap();
        let long_ago = UNIX_EPOCH + std::time::Duration::from_secs(1);
        let times = std::fs::FileTimes::new().set_accessed(long_ago);
        File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
        for access in [Access::Read, Access::Write, Access::Create] {
            let file = RealDisk.open(&path, access).unwrap();
            assert_eq!(RealDisk.pread(&file, &mut [0; 7], 0).unwrap(), 7);
            assert_eq!(accessed(&path), long_ago, "{access:?}");
        }
    }

    #[test]
    fn a_call_that_a_signal_interrupts_is_made_once_more() {
        let mut outcomes = [Err(Errno::INTR), Err(Errno::INTR), Ok(7), Ok(8)].into_iter();
        assert_eq!(retried(|| outcomes.next().unwrap()), Ok(7));
        let mut outcomes = [Err(Errno::IO), Ok(7)].into_iter();
        assert_eq!(retried(|| outcomes.next().unwrap()), Err(Errno::IO), "any other error is one");
    }
}
