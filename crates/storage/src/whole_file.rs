//! Small files that are read and replaced as a whole: checkpoints, snapshots, properties.
//!
//! A replacement is all or nothing across a power cut: written beside, brought to stable storage, renamed, and the
//! directory brought to stable storage too (KAFKA-9892 and KAFKA-16541 are what happens otherwise).

use std::path::{Path, PathBuf};

use crate::disk::{Access, Disk};
use crate::fault::Fault;

/// The most a file of this kind may hold: a checkpoint of a million partitions fits four times.
pub const LENGTH_MAX: u64 = 256 * 1024 * 1024;

/// A file that is being written, from its front on.
pub struct Pieces<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    path: &'a Path,
    length: u64,
}

impl<D: Disk> Pieces<'_, D> {
    /// Writes what comes behind all that was written so far.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let written = write_all(self.disk, self.file, bytes, self.length);
        written.map_err(|error| Fault::io("write", self.path, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// Reads the file; `None` if it is not there.
pub fn read<D: Disk>(disk: &D, path: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let file = match disk.open(path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::io("open", path, error)),
    };
    let length = disk.length(&file).map_err(|error| Fault::io("read", path, error))?;
    if length > LENGTH_MAX {
        let reason = format!("{length} bytes long, more than the {LENGTH_MAX} such a file may have");
        return Err(Fault::corrupt(path, LENGTH_MAX, reason));
    }
    let mut bytes = vec![0; length as usize];
    let read = read_up_to(disk, &file, &mut bytes, 0).map_err(|error| Fault::io("read", path, error))?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Reads the text file; `None` if it is not there.
pub fn read_text<D: Disk>(disk: &D, path: &Path) -> Result<Option<String>, Fault> {
    let Some(bytes) = read(disk, path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            Err(Fault::corrupt(path, error.utf8_error().valid_up_to() as u64, "a byte that is not UTF-8"))
        }
    }
}

/// Puts `bytes` in place of the file, durably or not at all.
pub fn replace<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    replace_in_pieces(disk, path, |pieces| pieces.push(bytes))
}

/// The same where nobody has all the bytes at a time: `fill` writes them, one piece after the other.
pub fn replace_in_pieces<D: Disk>(
    disk: &D,
    path: &Path,
    fill: impl FnOnce(&mut Pieces<'_, D>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    replace_with(disk, path, fill, true)?;
    if let Some(directory) = path.parent() {
        disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))?;
    }
    Ok(())
}

/// Puts `bytes` in place of the file for all who look. A power cut leaves the old or the new, and both are whole: which of
/// them is decided by the next sync of the directory, which the caller sees to.
pub fn replace_unnamed<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    replace_with(disk, path, |pieces| pieces.push(bytes), true)
}

/// Puts `bytes` in place of the file for all who look, without bringing it to stable storage.
pub fn replace_unsynced<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    replace_with(disk, path, |pieces| pieces.push(bytes), false)
}

/// Writes a file that is not there yet, or only half, without bringing it to stable storage.
pub fn create_unsynced<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let file = disk.open(path, Access::Create).map_err(|error| Fault::io("create", path, error))?;
    write_all(disk, &file, bytes, 0).map_err(|error| Fault::io("write", path, error))
}

/// Writes `bytes` beside the file, without bringing them to stable storage.
pub fn write_beside_unsynced<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    write_beside(disk, &beside(path), |pieces| pieces.push(bytes), false)
}

/// Puts in place of the file what was written beside it and is on stable storage by now. A power cut leaves the old or the
/// new, by the rules of [`replace_unnamed`].
pub fn put_in_place<D: Disk>(disk: &D, path: &Path) -> Result<(), Fault> {
    let beside = beside(path);
    disk.rename(&beside, path).map_err(|error| Fault::io("rename", &beside, error))
}

fn replace_with<D: Disk>(
    disk: &D,
    path: &Path,
    fill: impl FnOnce(&mut Pieces<'_, D>) -> Result<(), Fault>,
    sync: bool,
) -> Result<(), Fault> {
    let beside = beside(path);
    let written = write_beside(disk, &beside, fill, sync)
        .and_then(|()| disk.rename(&beside, path).map_err(|error| Fault::io("rename", &beside, error)));
    if written.as_ref().is_err_and(Fault::no_space) {
        // What little it took is needed; if even that fails, the next replacement cuts it.
        let _ = disk.unlink(&beside);
    }
    written
}

fn write_beside<D: Disk>(
    disk: &D,
    beside: &Path,
    fill: impl FnOnce(&mut Pieces<'_, D>) -> Result<(), Fault>,
    sync: bool,
) -> Result<(), Fault> {
    let file = disk.open(beside, Access::Create).map_err(|error| Fault::io("create", beside, error))?;
    // Of a file that was just made there is nothing to cut, and ext4 takes a cut to nothing for a reason to write the file
    // out when it is closed.
    let left = disk.length(&file).map_err(|error| Fault::io("read", beside, error))?;
    if left > 0 {
        disk.truncate(&file, 0).map_err(|error| Fault::io("write", beside, error))?;
    }
    fill(&mut Pieces { disk, file: &file, path: beside, length: 0 })?;
    if sync {
        disk.fdatasync(&file).map_err(|error| Fault::io("fsync", beside, error))?;
    }
    Ok(())
}

/// Writes all of `bytes` at `position`.
pub fn write_all<D: Disk>(
    disk: &D,
    file: &D::File,
    mut bytes: &[u8],
    mut position: u64,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = disk.pwrite(file, bytes, position)?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        position += written as u64;
    }
    Ok(())
}

/// Fills `into` from `position` until it is full or the file ends, and says how much there was.
pub fn read_up_to<D: Disk>(
    disk: &D,
    file: &D::File,
    into: &mut [u8],
    position: u64,
) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        let read = disk.pread(file, &mut into[filled..], position + filled as u64)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    Ok(filled)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::scripted_disk::ScriptedDisk;

    #[test]
    fn bytes_are_on_stable_storage_before_their_name_and_the_name_before_it_is_told() {
        type Replace = fn(&ScriptedDisk, &Path) -> Result<(), Fault>;
        let ways: [(Replace, &[&str]); 3] = [
            (|disk, path| replace(disk, path, b"new"), &["fdatasync", "rename", "fsync_dir"]),
            (|disk, path| replace_unnamed(disk, path, b"new"), &["fdatasync", "rename"]),
            (|disk, path| replace_unsynced(disk, path, b"new"), &["rename"]),
        ];
        for (replace, expected) in ways {
            let (directory, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
            let path = directory.path().join("file");
            std::fs::write(&path, "of another length").unwrap();
            replace(&disk, &path).unwrap();
            assert_eq!(read_text(&RealDisk, &path).unwrap().as_deref(), Some("new"));
            let calls = disk.lasting(|_, _| true);
            let verbs: Vec<_> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
            assert_eq!(verbs, expected);
        }
    }
}
