//! What can go wrong below: the disk answered with an error, or holds bytes that cannot be what was written.
//!
//! A fault names the file, and the position where there is one. It is cloneable, because one failed fsync fails
//! every append that waited for it. Faults are never guessed away and never retried on the same descriptor.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

/// An error of the disk, or of what is on it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// A system call failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The verb: `open`, `write`, `fsync`, ...
        doing: &'static str,
        /// The file or directory it was done to.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The bytes of a file are not what this kind of file holds.
    #[error("{} is corrupt at byte {position}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The first byte that is wrong.
        position: u64,
        /// What was found and what belongs there.
        reason: String,
    },
    /// The log directory failed earlier and is not used until the process restarts.
    #[error("log directory {} is offline after an earlier error: {reason}", path.display())]
    Offline {
        /// The log directory.
        path: PathBuf,
        /// The first error it met.
        reason: Arc<str>,
    },
    /// The log directory has no room, and takes no records until it has.
    #[error(
        "log directory {} is full: it takes records again by itself once there is room; delete topics or records, shorten their retention, or enlarge the disk",
        path.display()
    )]
    Full {
        /// The log directory.
        path: PathBuf,
    },
    /// Another process holds the log directory.
    #[error(
        "log directory {} is in use by another process, which holds {}/.lock: stop that process or choose another directory",
        path.display(), path.display()
    )]
    Locked {
        /// The log directory.
        path: PathBuf,
    },
    /// The directory is not what the configuration or the caller expects of it.
    #[error("{}: {reason}", path.display())]
    Mismatch {
        /// The file or directory.
        path: PathBuf,
        /// What is different, and the way out.
        reason: String,
    },
}

impl Fault {
    /// A failed system call on `path`.
    pub fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source: Arc::new(source) }
    }

    /// Bytes that cannot be right.
    pub fn corrupt(path: &Path, position: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), position, reason: reason.into() }
    }

    /// Whether the write found no room: the directory keeps serving reads and deletes.
    pub fn no_space(&self) -> bool {
        if let Self::Full { .. } = self {
            return true;
        }
        let Self::Io { doing, source, .. } = self else { return false };
        // Room that is missing at fsync was promised before: what was acknowledged may be gone.
        *doing != "fsync" && matches!(errno(source), Some(Errno::NOSPC | Errno::DQUOT))
    }

    /// Whether the file is not there.
    pub fn not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether it says nothing about what it was done to: there was no room, or no descriptor, or the directory had failed
    /// before.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
                self.no_space() || errno(source).is_some_and(|errno| short.contains(&errno))
            }
            Self::Offline { .. } | Self::Full { .. } => true,
            Self::Corrupt { .. } | Self::Locked { .. } | Self::Mismatch { .. } => false,
        }
    }

    /// Whether this error means that nothing on the log directory can be trusted until a restart: any failed fsync, a
    /// write that failed for another reason than room, and whatever says that the disk itself is ill.
    pub fn takes_directory_offline(&self) -> bool {
        let Self::Io { doing, source, .. } = self else { return false };
        if *doing == "fsync" {
            // What could not even be opened to be synced has lost nothing.
            return !matches!(errno(source), Some(Errno::MFILE | Errno::NFILE));
        }
        // Who must not wait was told to come again.
        if self.no_space() || self.not_found() || errno(source) == Some(Errno::AGAIN) {
            return false;
        }
        // Out of descriptors or memory is this process's trouble, not the disk's.
        let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
        match errno(source) {
            Some(errno) if is_of_a_disk(errno) || errno == Errno::ROFS || errno == Errno::TIMEDOUT => true,
            Some(errno) if short.contains(&errno) => false,
            _ => matches!(*doing, "write" | "truncate"),
        }
    }
}

/// Whether the system says this of an ill disk, of a file system that is broken, or that is not there any more, and never of a
/// connection: what block devices, local file systems and those of the network give back.
pub fn is_of_a_disk(errno: Errno) -> bool {
    let ill = [
        Errno::IO,
        Errno::NODEV,
        Errno::NXIO,
        Errno::NODATA,
        Errno::NOMEDIUM,
        Errno::NOLINK,
        Errno::REMOTEIO,
        Errno::ILSEQ,
        Errno::STALE,
        Errno::UCLEAN,
        Errno::BADMSG,
    ];
    ill.contains(&errno)
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(doing: &'static str, errno: Errno) -> Fault {
        Fault::io(doing, Path::new("/d/t-0/0.log"), errno.into())
    }

    /// What is done to files and directories.
    const DONE: [&str; 9] =
        ["open", "create", "read", "write", "truncate", "fsync", "rename", "remove", "list"];

    #[test]
    fn room_missing_at_write_is_no_space_but_at_fsync_it_is_loss() {
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            for doing in DONE {
                let (fault, lost) = (fault(doing, errno), doing == "fsync");
                assert_eq!((fault.no_space(), fault.takes_directory_offline()), (!lost, lost), "{fault}");
            }
        }
    }

    #[test]
    fn errors_of_the_disk_take_its_directory_offline() {
        for errno in [
            Errno::IO,
            Errno::ROFS,
            Errno::NODEV,
            Errno::NXIO,
            Errno::NODATA,
            Errno::NOMEDIUM,
            Errno::NOLINK,
            Errno::REMOTEIO,
            Errno::ILSEQ,
            Errno::STALE,
            Errno::UCLEAN,
            Errno::BADMSG,
            Errno::TIMEDOUT,
        ] {
            for doing in DONE {
                let fault = fault(doing, errno);
                assert!(fault.takes_directory_offline() && !fault.is_passing(), "{fault}");
            }
            // Sockets are read-only never, and time out.
            let is_of_a_socket_too = [Errno::ROFS, Errno::TIMEDOUT].contains(&errno);
            assert_eq!(is_of_a_disk(errno), !is_of_a_socket_too, "{errno}");
        }
        for errno in [Errno::PIPE, Errno::CONNRESET, Errno::TIMEDOUT, Errno::AGAIN, Errno::NOMEM] {
            assert!(!is_of_a_disk(errno), "{errno}");
        }
        assert!(fault("write", Errno::FBIG).takes_directory_offline());
        for (doing, errno) in [
            ("open", Errno::MFILE),
            ("fsync", Errno::MFILE),
            ("create", Errno::EXIST),
            ("open", Errno::ACCESS),
            ("write", Errno::AGAIN),
        ] {
            assert!(!fault(doing, errno).takes_directory_offline(), "{doing} {errno}");
        }
        assert!(!fault("open", Errno::NOENT).takes_directory_offline());
    }

    #[test]
    fn a_fault_names_file_and_position() {
        let text = Fault::corrupt(Path::new("/d/t-0/x.index"), 24, "offset 3 after 5").to_string();
        assert_eq!(text, "/d/t-0/x.index is corrupt at byte 24: offset 3 after 5");
    }
}
