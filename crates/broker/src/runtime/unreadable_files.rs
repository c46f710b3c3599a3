//! A log file that the disk would not give while it was sent: its directory goes offline, as after any other read that
//! fails. What was believed to be in memory is not read before (`cold_reads`), so only the sending finds out.
//!
//! Where the file lies is asked of the system: a path beside each range would cost every fetch something. Driven by the
//! connection that ends for it. Never reads or writes anything.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::io::Errno;
use storage::{Fault, LogDirs};

/// Takes the directory of a file offline, if the error says that its disk is ill.
pub fn note(log_dirs: &LogDirs, file: &File, errno: Errno) {
    let path = match std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Ok(path) => path,
        Err(error) => {
            tracing::error!(%errno, %error, "a log file cannot be read, and where it lies the system does not say");
            return;
        }
    };
    // The system's paths hold no links. A directory that cannot be asked for its own is compared as it is configured.
    let holds = |directory: &Path| {
        let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        path.starts_with(real)
    };
    match log_dirs.directories().find(|directory| holds(directory.path())) {
        Some(directory) => directory.state().note(&Fault::io("read", &path, errno.into())),
        None => tracing::error!(path = %path.display(), %errno, "a file outside of log.dirs cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::{NodeId, Timestamp};
    use storage::directory_state::DirectoryHealth;
    use storage::log_dirs::format;
    use storage::{LogDirsConfig, RealDisk};

    use super::*;

    const NOW: Timestamp = Timestamp(1);

    fn opened(directories: &[&Path]) -> LogDirs {
        for directory in directories {
            format(&RealDisk, directory, ("a cluster", NodeId(1)), NOW).unwrap();
        }
        let config = LogDirsConfig {
            directories: directories.iter().map(|path| path.to_path_buf()).collect(),
            node_id: NodeId(1),
            cluster_id: None,
            open_files_max: 100,
            batch_positions_bytes: 1 << 20,
            recovery_threads: 1,
            reserve_bytes: 0,
        };
        LogDirs::open(RealDisk, &config, NOW).unwrap()
    }

    fn health(log_dirs: &LogDirs) -> Vec<DirectoryHealth> {
        log_dirs.directories().map(|directory| directory.state().health()).collect()
    }

    #[test]
    fn the_directory_of_a_file_that_cannot_be_read_goes_offline_alone() {
        let temp = tempfile::tempdir().unwrap();
        let (real, linked, other) =
            (temp.path().join("real"), temp.path().join("linked"), temp.path().join("other"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &linked).unwrap();
        let log_dirs = opened(&[&other, &linked]);
        let path = linked.join("t-0.log");
        let file = File::create(&path).unwrap();
        note(&log_dirs, &file, Errno::NOMEM);
        assert_eq!(health(&log_dirs), [DirectoryHealth::Online; 2], "memory is not the disk's");
        // As retention leaves the files that readers still hold.
        std::fs::remove_file(path).unwrap();
        note(&log_dirs, &file, Errno::IO);
        assert_eq!(health(&log_dirs), [DirectoryHealth::Online, DirectoryHealth::Offline]);
        let reason = log_dirs.check_all().unwrap_err().to_string();
        assert!(reason.contains("t-0.log") && reason.contains("os error 5"), "{reason}");
        // Neither is a file that lies elsewhere anything to them.
        note(&log_dirs, &tempfile::tempfile().unwrap(), Errno::IO);
        assert_eq!(health(&log_dirs)[0], DirectoryHealth::Online);
    }
}
