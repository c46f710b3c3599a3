//! Whether one call can bring many files of a file system to stable storage and tell of all that went wrong (ADR 0027). It is known of
//! ext4 with a journal, on Linux 5.8 and later. Asked by [`crate::RealDisk`] as a log directory is opened; it reads, and changes
//! nothing.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The number that Linux has for this kind of file system. Its older drivers, ext2 and ext3, have the same.
const EXT4: i128 = 0xef53;

/// Whether it is known of the file system of this open directory.
pub fn is_known(directory: &File) -> bool {
    let kind = rustix::fs::fstatfs(directory).is_ok_and(|facts| i128::from(facts.f_type) == EXT4);
    let release = rustix::system::uname();
    let tells = release.release().to_str().is_ok_and(tells_of_failed_writes);
    kind && tells && directory.metadata().is_ok_and(|facts| has_journal(Path::new("/sys"), facts.dev()))
}

/// Whether a Linux of this release has `syncfs` tell of writes that failed: 5.8 and later.
fn tells_of_failed_writes(release: &str) -> bool {
    let mut numbers = release.split(|digit: char| !digit.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (5, 8),
        _ => false,
    }
}

/// Whether the driver called ext4 has this device, and a journal on it; what it says of that is the number of the journal's
/// thread, or a word where there is none.
fn has_journal(system: &Path, device: u64) -> bool {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(device) = fs::read_link(system.join(format!("dev/block/{major}:{minor}"))) else { return false };
    let Some(name) = device.file_name() else { return false };
    let told = fs::read_to_string(system.join("fs/ext4").join(name).join("journal_task"));
    told.is_ok_and(|told| told.trim().parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_told_apart_by_their_numbers() {
        for told in ["5.8.0", "5.10.0-28-amd64", "6.18.44-fc-v669", "10.0", "6.1+"] {
            assert!(tells_of_failed_writes(told), "{told}");
        }
        for silent in ["5.7.19", "4.19.0", "5", "", "linux"] {
            assert!(!tells_of_failed_writes(silent), "{silent}");
        }
    }

    #[test]
    fn a_journal_is_where_the_driver_names_its_thread() {
        let system = tempfile::tempdir().unwrap();
        let (devices, drivers) = (system.path().join("dev/block"), system.path().join("fs/ext4"));
        fs::create_dir_all(&devices).unwrap();
        for (minor, name, told) in [(1, "sda1", "417\n"), (2, "sda2", "<none>\n"), (3, "sda3", "0\n")] {
            let device = format!("../../devices/pci/block/sda/{name}");
            std::os::unix::fs::symlink(device, devices.join(format!("8:{minor}"))).unwrap();
            fs::create_dir_all(drivers.join(name)).unwrap();
            fs::write(drivers.join(name).join("journal_task"), told).unwrap();
        }
        // Of the older drivers: there is nothing to be read below ext4's name.
        std::os::unix::fs::symlink("../../devices/virtual/block/dm-0", devices.join("253:0")).unwrap();
        let has = |major, minor| has_journal(system.path(), rustix::fs::makedev(major, minor));
        assert!(has(8, 1) && has(8, 3), "within a container the number is 0");
        assert!(!has(8, 2), "there is none");
        assert!(!has(253, 0) && !has(9, 9), "nobody says so");
    }
}
