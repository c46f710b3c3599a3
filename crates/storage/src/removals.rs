//! What was renamed out of the way and is removed a while later (`file.delete.delay.ms`), so that readers that still
//! hold it can finish. A crash in between is no matter: the names tell the next start what to remove.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use partition::Millis;
use protocol::id::Timestamp;

use crate::disk::Disk;
use crate::fault::Fault;

/// The files and directories that wait to be removed from one log directory.
#[derive(Default, Debug)]
pub struct Removals {
    /// Bound: what retention and deleted topics bring within one delay.
    waiting: Mutex<Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    since: Timestamp,
    delay: Millis,
    path: PathBuf,
}

impl Waiting {
    /// Whether its time has come. A clock that was set back counts from where it stands: nothing waits for a time that is
    /// far away again.
    fn is_due(&mut self, now: Timestamp) -> bool {
        self.since = self.since.min(now);
        now.0.saturating_sub(self.since.0) >= self.delay.0
    }
}

impl Removals {
    /// Has paths removed once `delay` has passed from `now`.
    pub fn schedule(&self, now: Timestamp, delay: Millis, paths: impl IntoIterator<Item = PathBuf>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(paths.into_iter().map(|path| Waiting { since: now, delay, path }));
    }

    /// Removes what is due; says how much that was. What cannot be removed is tried again the next time.
    pub fn run<D: Disk>(&self, disk: &D, now: Timestamp) -> Result<usize, Fault> {
        let lock = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let due: Vec<Waiting> = lock().extract_if(.., |waiting| waiting.is_due(now)).collect();
        let (mut removed, mut outcome) = (0, Ok(()));
        for waiting in due {
            match remove(disk, &waiting.path) {
                Ok(()) => removed += 1,
                Err(fault) => {
                    // It waits for the next time, and holds up none of the others.
                    lock().push(waiting);
                    outcome = Err(fault);
                }
            }
        }
        outcome.map(|()| removed)
    }
}

/// Removes a file, or a directory with all that is in it. What is gone already is fine.
pub fn remove<D: Disk>(disk: &D, path: &Path) -> Result<(), Fault> {
    let entries = match disk.list(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return tolerate_missing("remove", path, disk.unlink(path));
        }
        Err(error) => return tolerate_missing("list", path, Err(error)),
    };
    for entry in entries {
        let inner = path.join(&entry.name);
        // What a link leads to is somebody else's: the link goes, which a directory does not that way.
        match disk.unlink(&inner) {
            Err(error) if entry.directory && is_for_directory(&error) => remove(disk, &inner)?,
            outcome => tolerate_missing("remove", &inner, outcome)?,
        }
    }
    match disk.remove_dir(path) {
        // A partition that was moved elsewhere, with a link in its place.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            tolerate_missing("remove", path, disk.unlink(path))
        }
        outcome => tolerate_missing("remove", path, outcome),
    }
}

/// Whether a file was not removed because it is a directory, and not for any other reason.
fn is_for_directory(error: &std::io::Error) -> bool {
    // POSIX says `EPERM`; Linux keeps that for what must not be changed.
    let posix = cfg!(not(target_os = "linux")) && error.kind() == std::io::ErrorKind::PermissionDenied;
    posix || error.kind() == std::io::ErrorKind::IsADirectory
}

fn tolerate_missing(doing: &'static str, path: &Path, outcome: std::io::Result<()>) -> Result<(), Fault> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::io(doing, path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::scripted_disk::ScriptedDisk;
    use rustix::io::Errno;

    #[test]
    fn one_that_cannot_be_removed_holds_up_no_other() {
        let temp = tempfile::tempdir().unwrap();
        let (stuck, other) = (temp.path().join("a.deleted"), temp.path().join("b.deleted"));
        std::fs::write(&stuck, "").unwrap();
        std::fs::write(&other, "").unwrap();
        let (removals, disk) = (Removals::default(), ScriptedDisk::default());
        removals.schedule(Timestamp(1), Millis(0), [stuck.clone(), other.clone()]);
        disk.fail_once("unlink", "a.deleted", Errno::ACCESS);
        removals.run(&disk, Timestamp(1)).unwrap_err();
        assert!(stuck.exists() && !other.exists());
        assert_eq!(removals.run(&disk, Timestamp(1)).unwrap(), 1);
        assert!(!stuck.exists());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_wait_longer_than_its_delay() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("a.deleted");
        std::fs::write(&file, "").unwrap();
        let removals = Removals::default();
        removals.schedule(Timestamp(1_000_000), Millis(50), [file.clone()]);
        assert_eq!(removals.run(&RealDisk, Timestamp(100)).unwrap(), 0);
        assert_eq!(removals.run(&RealDisk, Timestamp(149)).unwrap(), 0);
        assert_eq!(removals.run(&RealDisk, Timestamp(150)).unwrap(), 1);
        assert!(!file.exists());
    }

    #[test]
    fn what_a_link_leads_to_stays_where_the_link_cannot_be_removed() {
        let temp = tempfile::tempdir().unwrap();
        let (kept, directory) = (temp.path().join("kept"), temp.path().join("t-0.x-delete"));
        for made in [&kept, &directory] {
            std::fs::create_dir(made).unwrap();
        }
        std::fs::write(kept.join("precious"), "").unwrap();
        std::os::unix::fs::symlink(&kept, directory.join("link")).unwrap();
        let disk = ScriptedDisk::default();
        disk.fail_once("unlink", "link", Errno::ROFS);
        remove(&disk, &directory).unwrap_err();
        assert!(kept.join("precious").exists());
        remove(&disk, &directory).unwrap();
        assert!(kept.join("precious").exists() && !directory.exists());
    }

    #[test]
    fn a_partition_behind_a_link_goes_and_what_links_in_it_lead_to_stays() {
        let temp = tempfile::tempdir().unwrap();
        let (elsewhere, kept) = (temp.path().join("elsewhere"), temp.path().join("kept"));
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("mine"), "").unwrap();
        std::fs::write(elsewhere.join("0.log"), "").unwrap();
        std::os::unix::fs::symlink(&kept, elsewhere.join("link")).unwrap();
        let directory = temp.path().join("t-0.x-delete");
        std::os::unix::fs::symlink(&elsewhere, &directory).unwrap();
        remove(&RealDisk, &directory).unwrap();
        assert!(std::fs::symlink_metadata(&directory).is_err(), "the link is gone");
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
        assert!(kept.join("mine").exists());
    }

    #[test]
    fn what_is_due_goes_and_the_rest_waits() {
        let temp = tempfile::tempdir().unwrap();
        let (file, directory) = (temp.path().join("a.deleted"), temp.path().join("t-0.x-delete"));
        std::fs::write(&file, "").unwrap();
        std::fs::create_dir_all(directory.join("deeper")).unwrap();
        std::fs::write(directory.join("deeper/b"), "").unwrap();
        let removals = Removals::default();
        removals.schedule(Timestamp(100), Millis(50), [file.clone()]);
        removals.schedule(Timestamp(100), Millis(60), [directory.clone(), temp.path().join("gone")]);
        assert_eq!(removals.run(&RealDisk, Timestamp(149)).unwrap(), 0);
        assert_eq!(removals.run(&RealDisk, Timestamp(150)).unwrap(), 1);
        assert!(!file.exists() && directory.exists());
        assert_eq!(removals.run(&RealDisk, Timestamp(160)).unwrap(), 2);
        assert!(!directory.exists());
    }
}
