//! Many files brought to stable storage by one call for their file system, in place of one for each of them.
//!
//! For each file that is synced by itself the system writes its inode, and flushes the disk; for all of a file system it does so
//! once or twice, however many files there are. But it also writes what others have left in memory there, and whoever asked waits for
//! that too. So this is done only for several files, while little is in memory that is not written, and as long as it takes no
//! longer than the files by themselves would take. It never decides what is synced, nor who is told.
//!
//! A file system keeps the error of a write that nobody has asked it for, be it weeks old and of somebody else's file, for who asks
//! first. So it is asked once before its word counts.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::directory_state::DirectoryState;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::segment::DirtyFile;

/// Fewer files are synced by themselves: two flushes of the disk are what that takes, too.
pub const FILES_MIN: usize = 6;
/// So many bytes that are not written may be anybody's, or of this group: what disks write in 30 to 150
/// milliseconds,
const UNWRITTEN_MAX: u64 = 16 << 20;
/// and so many more for each file.
const UNWRITTEN_MAX_A_FILE: u64 = 64 << 10;
/// After a call that took longer than so many times what its files would have taken by themselves
const LONG_TIMES: u32 = 2;
/// there is none for so many times as long as it took: whatever it met costs an eighth of the time at most,
const REST_TIMES: u32 = 8;
/// nor for longer than this.
const REST_MAX: Duration = Duration::from_secs(10);
/// One group of so many is synced file by file, to know what that takes now.
const MEASURED_EVERY: u32 = 256;

/// The file system of a log directory.
pub struct Together<D: Disk> {
    /// The directory, open since before any of its files was written: it is told of every write that failed since.
    directory: D::File,
    system: u64,
    /// Whether the file system has been asked for what failed before that.
    asked: AtomicBool,
    /// None on a disk that is stepped, where nothing depends on a clock.
    times: Option<Mutex<Times>>,
}

/// Files that are left to be synced by themselves.
pub struct Left<D: Disk> {
    /// Each once.
    pub files: Vec<DirtyFile<D>>,
    /// Whether what they take says what files of this file system take.
    pub tells: bool,
}

/// What it has been seen to take.
#[derive(Default)]
struct Times {
    /// One file of a group, each synced by itself.
    of_a_file: Option<Duration>,
    rest_until: Option<Instant>,
    groups: u32,
}

impl<D: Disk> Together<D> {
    /// None where the file system cannot be told to sync all, or does not say whether it could.
    pub fn open(disk: &D, directory: &Path) -> Option<Self> {
        let opened = disk.open_to_sync_all(directory).ok().flatten()?;
        let system = disk.file_system_of(&opened).ok()?;
        let times = (!disk.stepped()).then(Mutex::default);
        Some(Self { directory: opened, system, asked: AtomicBool::new(false), times })
    }

    /// Brings those of some files to stable storage for which that is better; the others are left to whoever called. Each file
    /// is there once.
    pub fn sync(&self, disk: &D, state: &DirectoryState, files: Vec<DirtyFile<D>>) -> Result<Left<D>, Fault> {
        if files.len() < FILES_MIN {
            return Ok(Left { files, tells: false });
        }
        // A partition, or a file of it, may be a link to another file system.
        let here =
            |(_, file): &DirtyFile<D>| disk.file_system_of(file).is_ok_and(|system| system == self.system);
        let (here, elsewhere): (Vec<_>, Vec<_>) = files.into_iter().partition(here);
        if !self.is_worth(disk, state, here.len()) {
            let tells = elsewhere.is_empty();
            return Ok(Left { files: here.into_iter().chain(elsewhere).collect(), tells });
        }
        let took = state.sync_together(disk, &self.directory, &here)?;
        if let Some(mut times) = self.times() {
            times.note_together(here.len(), took, Instant::now());
        }
        Ok(Left { files: elsewhere, tells: false })
    }

    /// Takes note of how long files took that were synced by themselves.
    pub fn note_by_themselves(&self, files: usize, took: Duration) {
        if files >= FILES_MIN
            && let Some(mut times) = self.times()
        {
            times.note_by_themselves(files, took);
        }
    }

    fn is_worth(&self, disk: &D, state: &DirectoryState, files: usize) -> bool {
        let room = UNWRITTEN_MAX + UNWRITTEN_MAX_A_FILE * files as u64;
        let little = || disk.unwritten().is_some_and(|unwritten| unwritten <= room);
        if files < FILES_MIN || !little() {
            return false;
        }
        if !self.asked.swap(true, Ordering::Relaxed) {
            if let Err(error) = disk.sync_all(&self.directory) {
                let directory = state.directory().display();
                tracing::warn!(%directory, %error, "the file system has failed to write something, maybe long ago and not of Headwater's");
            }
        }
        self.times().is_none_or(|mut times| times.allow(Instant::now()))
    }

    fn times(&self) -> Option<MutexGuard<'_, Times>> {
        self.times.as_ref().map(|times| times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Times {
    fn allow(&mut self, now: Instant) -> bool {
        self.groups = self.groups.wrapping_add(1);
        let rests = self.rest_until.is_some_and(|until| now < until);
        self.of_a_file.is_some() && !rests && !self.groups.is_multiple_of(MEASURED_EVERY)
    }

    fn note_by_themselves(&mut self, files: usize, took: Duration) {
        self.of_a_file = Some(took / u32::try_from(files).unwrap_or(u32::MAX).max(1));
    }

    fn note_together(&mut self, files: usize, took: Duration, now: Instant) {
        let Some(of_a_file) = self.of_a_file else { return };
        let by_themselves = of_a_file.saturating_mul(u32::try_from(files).unwrap_or(u32::MAX));
        if took > by_themselves.saturating_mul(LONG_TIMES) {
            self.rest_until = now.checked_add(took.saturating_mul(REST_TIMES).min(REST_MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn what_one_call_takes_is_held_against_what_the_files_take_by_themselves() {
        let (mut times, now) = (Times::default(), Instant::now());
        assert!(!times.allow(now), "nothing is known yet");
        times.note_by_themselves(10, 10 * MILLI);
        assert!(times.allow(now));
        times.note_together(20, 40 * MILLI, now);
        assert!(times.allow(now), "twice as long is not too long");
        times.note_together(20, 41 * MILLI, now);
        assert!(!times.allow(now) && !times.allow(now + 327 * MILLI));
        assert!(times.allow(now + 328 * MILLI));
        times.note_together(20, Duration::from_secs(60), now);
        assert!(!times.allow(now + REST_MAX - MILLI) && times.allow(now + REST_MAX));
    }

    #[test]
    fn what_the_files_take_by_themselves_is_seen_again_now_and_then() {
        let (mut times, now) = (Times::default(), Instant::now());
        times.note_by_themselves(10, MILLI);
        let allowed = (0..10 * MEASURED_EVERY).filter(|_| times.allow(now)).count();
        assert_eq!(allowed, 10 * (MEASURED_EVERY as usize - 1));
    }
}
