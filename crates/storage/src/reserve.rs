//! Room set aside in a log directory, so that what keeps the node in order can be written when records find no room:
//! `headwater.reserve`, a plain file of allocated blocks that nobody reads. Kafka passes it by.
//!
//! A write that must not fail gives up a part of the file when the disk has no room, and is tried once more; appends of
//! clients never do. Once there is room for the whole file and as much again, it is filled up, and the directory takes
//! records again. Where a file system cannot allocate ahead there is no reserve, and room is judged by what it says is
//! free.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::disk::{Access, Disk, RealDisk};

/// The name of the file.
pub const RESERVE: &str = "headwater.reserve";

/// So much is given up at a time.
const STEP: u64 = 64 << 10;
/// A reserve takes at most this part of its file system.
const PART_MAX: u64 = 64;
/// A directory without a reserve has room again from so many free bytes on.
const ROOM_MIN: u64 = 1 << 20;

/// The reserve of one directory.
pub struct Reserve<D: Disk = RealDisk> {
    disk: D,
    path: PathBuf,
    /// What it should hold.
    wanted: u64,
    /// What it holds.
    held: Mutex<u64>,
}

impl<D: Disk> Reserve<D> {
    /// The reserve of a directory as it lies there, to hold `bytes_max` or what a small file system can spare.
    pub fn open(disk: &D, directory: &Path, bytes_max: u64) -> Self {
        let path = directory.join(RESERVE);
        let total = disk.space(directory).map_or(u64::MAX, |space| space.total);
        let wanted = bytes_max.min(total / PART_MAX) / 4096 * 4096;
        let held = disk.facts(&path).map_or(0, |facts| facts.length.min(wanted));
        Self { disk: disk.clone(), path, wanted, held: Mutex::new(held) }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing of it is missing.
    pub fn is_whole(&self) -> bool {
        *self.held() >= self.wanted
    }

    /// Whether there is so little left that only what frees room may still draw on it.
    pub fn is_low(&self) -> bool {
        self.wanted > 0 && *self.held() < self.low()
    }

    /// Gives up a part. `false` if there is nothing left.
    pub fn draw(&self) -> bool {
        self.draw_down_to(0)
    }

    /// Gives up a part of what can be spared before little is left. `false` if there is no more of that.
    pub fn draw_spare(&self) -> bool {
        self.draw_down_to(self.low())
    }

    fn low(&self) -> u64 {
        self.wanted / 4
    }

    fn draw_down_to(&self, least: u64) -> bool {
        let mut held = self.held();
        let left = held.saturating_sub(STEP).max(least);
        if *held <= least {
            return false;
        }
        let cut = self.disk.open(&self.path, Access::Write).and_then(|file| self.disk.truncate(&file, left));
        *held = if cut.is_ok() { left } else { 0 };
        cut.is_ok()
    }

    /// Fills it up if there is room for it and as much again. Says whether there was.
    pub fn fill(&self) -> io::Result<bool> {
        let mut held = self.held();
        let directory = self.path.parent().unwrap_or(&self.path);
        let enough = (2 * self.wanted).max(ROOM_MIN.min(4 * self.wanted)).max(1);
        let free = self.disk.space(directory).map_or(u64::MAX, |space| space.usable);
        // A look before the attempt, which for a moment takes all there is.
        if free.saturating_add(*held) < if self.wanted == 0 { ROOM_MIN } else { enough } {
            return Ok(false);
        }
        if self.wanted == 0 {
            return Ok(true);
        }
        match self.allocate(enough, *held) {
            Ok(length) => {
                *held = length;
                Ok(true)
            }
            Err(error) if is_no_room(&error) => Ok(false),
            // Where blocks cannot be allocated ahead, what the file system says has to do.
            Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {
                *held = self.wanted;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Allocates `enough` to see that it is there, and keeps what is wanted of it.
    fn allocate(&self, enough: u64, held: u64) -> io::Result<u64> {
        let file = self.disk.open(&self.path, Access::Create)?;
        let allocated = self.disk.allocate(&file, enough);
        let keep = if allocated.is_ok() { self.wanted } else { held };
        self.disk.truncate(&file, keep)?;
        allocated.map(|()| keep)
    }

    fn held(&self) -> MutexGuard<'_, u64> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_no_room(error: &io::Error) -> bool {
    [Errno::NOSPC, Errno::DQUOT].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_disk::ScriptedDisk;

    fn length(reserve: &Reserve) -> u64 {
        std::fs::metadata(reserve.path()).map_or(0, |facts| facts.len())
    }

    #[test]
    fn it_is_given_up_in_parts_and_filled_again() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(&RealDisk, directory.path(), 100 << 10);
        assert!(!reserve.is_whole() && !reserve.draw());
        assert!(reserve.fill().unwrap());
        assert_eq!(length(&reserve), 100 << 10);
        assert!(reserve.draw());
        assert_eq!(length(&reserve), 36 << 10);
        assert!(reserve.draw() && !reserve.draw());
        assert_eq!(length(&reserve), 0);
        assert!(reserve.fill().unwrap() && reserve.is_whole());
    }

    #[test]
    fn what_is_spared_leaves_a_part() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(&RealDisk, directory.path(), 512 << 10);
        reserve.fill().unwrap();
        while reserve.draw_spare() {}
        assert_eq!(length(&reserve), 128 << 10);
        assert!(!reserve.is_low() && reserve.draw() && reserve.is_low() && !reserve.draw_spare());
    }

    #[test]
    fn what_a_crash_left_of_it_is_known_again() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(&RealDisk, directory.path(), 100 << 10);
        reserve.fill().unwrap();
        assert!(Reserve::open(&RealDisk, directory.path(), 100 << 10).is_whole());
        reserve.draw();
        let again = Reserve::open(&RealDisk, directory.path(), 100 << 10);
        assert!(!again.is_whole() && again.draw());
    }

    #[test]
    fn one_that_somebody_has_removed_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(&RealDisk, directory.path(), 100 << 10);
        reserve.fill().unwrap();
        std::fs::remove_file(reserve.path()).unwrap();
        assert!(!reserve.draw() && !reserve.is_whole());
        assert!(reserve.fill().unwrap() && reserve.is_whole());
        assert_eq!(length(&reserve), 100 << 10);
    }

    #[test]
    fn none_is_kept_where_none_is_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(&RealDisk, directory.path(), 0);
        assert!(reserve.is_whole() && reserve.fill().unwrap() && !reserve.draw());
        assert!(!reserve.path().exists());
    }

    #[test]
    fn it_is_filled_where_there_is_room_for_it_and_as_much_again() {
        let (directory, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
        let reserve = Reserve::open(&disk, directory.path(), 1 << 20);
        disk.set_usable((2 << 20) - 1);
        assert!(!reserve.fill().unwrap() && !reserve.path().exists());
        disk.set_usable(2 << 20);
        assert!(reserve.fill().unwrap() && reserve.is_whole());
        // Half of what is to be there counts, if it is its own.
        assert!(reserve.draw() && !reserve.is_whole());
        disk.set_usable((1 << 20) + (64 << 10));
        assert!(reserve.fill().unwrap() && reserve.is_whole());
    }
}
