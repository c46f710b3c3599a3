//! How much of what was written to files the system still has in memory: what a sync of a whole file system may have to wait for,
//! whoever wrote it. It is the system's own count, of all file systems together. Asked by [`crate::RealDisk`]; it reads, and
//! changes nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// The file that tells it. Kept open: to read it again takes a tenth of what opening takes.
static MEMORY: OnceLock<Option<File>> = OnceLock::new();

/// Bytes of files in memory that are not on a disk yet; none where the system does not say.
pub fn unwritten() -> Option<u64> {
    let memory = MEMORY.get_or_init(|| File::open("/proc/meminfo").ok()).as_ref()?;
    let mut told = [0; 4096];
    let length = memory.read_at(&mut told, 0).ok()?;
    bytes_of(std::str::from_utf8(told.get(..length)?).ok()?)
}

/// What has to be written, and what is being written.
fn bytes_of(told: &str) -> Option<u64> {
    let of = |name: &str| -> Option<u64> {
        let line = told.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    of("Dirty:")?.checked_add(of("Writeback:")?)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dirty_and_what_is_under_way_is_unwritten() {
        let told =
            "Cached:  9 kB\nDirty:             28316 kB\nWriteback:            12 kB\nWritebackTmp:   7 kB\n";
        assert_eq!(bytes_of(told), Some((28316 + 12) * 1024));
        assert_eq!(bytes_of("Dirty:  1 kB\n"), None);
        assert_eq!(bytes_of("Dirty:  1 MB\nWriteback: 0 kB\n"), None);
    }

    #[test]
    fn linux_says_it() {
        assert!(unwritten().is_some_and(|bytes| bytes < 1 << 50));
    }
}
