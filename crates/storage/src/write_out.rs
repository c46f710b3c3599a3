//! Having the system write the bytes of a file out, apart from its inode and from the disk's own memory. Called by
//! [`crate::RealDisk`]; it never says that anything is on stable storage.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use rustix::io::Errno;

/// Begins to write these bytes out, or for a length of 0 all from there on, and does not wait for that. A file that cannot do so
/// is passed over. An error is told here and nowhere else: a file system that finds no place for bytes forgets them.
pub fn begin(file: &File, from: u64, length: u64) -> io::Result<()> {
    match range(file, from, length, libc::SYNC_FILE_RANGE_WRITE) {
        Err(error) if cannot(&error) => Ok(()),
        begun => begun,
    }
}

fn cannot(error: &io::Error) -> bool {
    // A sandbox that does not know the call says that it is not permitted.
    let silent = [Errno::NOSYS, Errno::PERM, Errno::OPNOTSUPP, Errno::INVAL, Errno::SPIPE];
    Errno::from_io_error(error).is_some_and(|errno| silent.contains(&errno))
}

#[expect(unsafe_code, reason = "rustix does not have the call")]
fn range(file: &File, from: u64, length: u64, flags: libc::c_uint) -> io::Result<()> {
    let (Ok(from), Ok(length)) = (i64::try_from(from), i64::try_from(length)) else {
        return Err(Errno::OVERFLOW.into());
    };
    // SAFETY: the descriptor is open as long as the file is borrowed, and the call touches no memory of this process.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), from, length, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_file_is_begun_to_be_written_out_and_what_is_none_is_passed_over() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 100_000], 0).unwrap();
        begin(&file, 4096, 8192).unwrap();
        begin(&file, 0, 0).unwrap();
        let none = File::open("/dev/null").unwrap();
        begin(&none, 0, 0).unwrap();
    }
}
