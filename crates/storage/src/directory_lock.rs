//! `.lock` in a log directory: held from start to end, so that two processes never write the same files, Apache
//! Kafka's included.

use std::path::Path;

use crate::disk::{Access, Disk};
use crate::fault::Fault;

/// The name of the file.
pub const LOCK: &str = ".lock";

/// The lock of a log directory, held until dropped.
pub struct DirectoryLock<D: Disk> {
    file: D::File,
}

impl<D: Disk> DirectoryLock<D> {
    /// Takes the lock, or names the directory that another process has.
    pub fn take(disk: &D, directory: &Path) -> Result<Self, Fault> {
        let path = directory.join(LOCK);
        let file = disk.open(&path, Access::Create).map_err(|error| Fault::io("create", &path, error))?;
        if disk.lock(&file).map_err(|error| Fault::io("lock", &path, error))? {
            Ok(Self { file })
        } else {
            Err(Fault::Locked { path: directory.to_owned() })
        }
    }

    /// The file, open since before anything else was done in the directory.
    pub fn file(&self) -> &D::File {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_directory_is_locked_once() {
        let directory = tempfile::tempdir().unwrap();
        let held = DirectoryLock::take(&RealDisk, directory.path()).unwrap();
        let refused = DirectoryLock::take(&RealDisk, directory.path()).err().unwrap().to_string();
        let expected = format!("log directory {} is in use by another process", directory.path().display());
        assert!(refused.starts_with(&expected), "{refused}");
        drop(held);
        DirectoryLock::take(&RealDisk, directory.path()).unwrap();
    }
}
