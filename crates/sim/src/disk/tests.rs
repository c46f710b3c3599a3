//! What the disk keeps, what it loses, and what it is told to do.

use super::*;

const FILE: &str = "/d/f";

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    disk.create_dir(Path::new("/d")).unwrap();
    disk.fsync_dir(Path::new("/")).unwrap();
    disk
}

fn write(disk: &SimulatedDisk, path: &str, bytes: &[u8], position: u64) -> SimulatedFile {
    let file = disk.open(Path::new(path), Access::Create).unwrap();
    assert_eq!(disk.pwrite(&file, bytes, position).unwrap(), bytes.len());
    file
}

fn bytes(disk: &SimulatedDisk, path: &str) -> Option<Vec<u8>> {
    disk.bytes(Path::new(path)).ok()
}

/// What a file holds after every fate under many seeds.
fn outcomes(disk: &SimulatedDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    let seeds = (0..200).flat_map(|seed| Fate::ALL.map(|fate| (fate, seed)));
    seeds.map(|(fate, seed)| bytes(&disk.power_on(fate, seed), path)).collect()
}

#[test]
fn a_file_needs_its_own_sync_and_its_directorys() {
    let disk = disk();
    let file = write(&disk, FILE, b"abc", 0);
    assert!(bytes(&disk.power_on(Fate::Lost, 0), FILE).is_none());
    let disk = disk.process_killed();
    disk.fsync_dir(Path::new("/d")).unwrap();
    assert_eq!(bytes(&disk.power_on(Fate::Lost, 0), FILE), Some(Vec::new()));
    drop(file);
    let disk = disk.process_killed();
    let file = disk.open(Path::new(FILE), Access::Write).unwrap();
    disk.fdatasync(&file).unwrap();
    assert_eq!(outcomes(&disk, FILE), [Some(b"abc".to_vec())].into());
}

#[test]
fn without_a_sync_any_of_it_may_be_there() {
    let disk = disk();
    let file = write(&disk, FILE, &[1; 600], 0);
    disk.fdatasync(&file).unwrap();
    disk.fsync_dir(Path::new("/d")).unwrap();
    write(&disk, FILE, &[2; 1000], 300);
    let found: Vec<Vec<u8>> = outcomes(&disk, FILE).into_iter().map(Option::unwrap).collect();
    let has = |holds: &dyn Fn(&[u8]) -> bool| found.iter().any(|bytes| holds(bytes));
    assert!(has(&|bytes| bytes == [1; 600]), "all lost");
    assert!(has(&|bytes| bytes.len() == 1300 && bytes[300..] == [2; 1000]), "all kept");
    assert!(has(&|bytes| bytes.len() == 1300 && bytes[1024..] == [0; 276]), "a length without its bytes");
    assert!(
        has(&|bytes| bytes.len() == 600 && bytes[300..512] == [2; 212] && bytes[512] == 1),
        "a torn write"
    );
    assert!(has(&|bytes| bytes.len() == 600 && bytes[511] == 1 && bytes[512] == 2), "sectors out of order");
}

#[test]
fn a_file_may_be_as_long_as_it_was() {
    let disk = disk();
    let file = write(&disk, FILE, b"old and long", 0);
    disk.fdatasync(&file).unwrap();
    disk.fsync_dir(Path::new("/d")).unwrap();
    disk.truncate(&file, 0).unwrap();
    write(&disk, FILE, b"new", 0);
    assert_eq!(bytes(&disk.power_on(Fate::Unshortened, 0), FILE), Some(b"new and long".to_vec()));
    let disk = disk.process_killed();
    let file = disk.open(Path::new(FILE), Access::Write).unwrap();
    disk.truncate(&file, 3).unwrap();
    disk.fdatasync(&file).unwrap();
    assert_eq!(outcomes(&disk, FILE), [Some(b"new".to_vec())].into());
}

#[test]
fn a_rename_is_whole_or_not_there() {
    let disk = disk();
    let old = write(&disk, FILE, b"old", 0);
    disk.fdatasync(&old).unwrap();
    disk.fsync_dir(Path::new("/d")).unwrap();
    let new = write(&disk, "/d/f.tmp", b"new", 0);
    disk.fdatasync(&new).unwrap();
    disk.rename(Path::new("/d/f.tmp"), Path::new(FILE)).unwrap();
    let both = [Some(b"old".to_vec()), Some(b"new".to_vec())];
    assert_eq!(outcomes(&disk, FILE), both.into());
}

#[test]
fn names_come_back_in_order_within_a_directory_and_in_none_between_two() {
    let disk = disk();
    disk.create_dir(Path::new("/e")).unwrap();
    disk.fsync_dir(Path::new("/")).unwrap();
    for name in ["/d/a", "/e/b", "/d/c"] {
        disk.open(Path::new(name), Access::Create).unwrap();
    }
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let left = disk.power_on(Fate::Scattered, seed);
        let there = |name| bytes(&left, name).is_some();
        seen.insert((there("/d/a"), there("/d/c"), there("/e/b")));
    }
    let expected = [(false, false), (true, false), (true, true)];
    assert_eq!(seen, expected.into_iter().flat_map(|(a, c)| [(a, c, false), (a, c, true)]).collect());
}

#[test]
fn a_directory_that_is_not_durable_takes_its_files_along() {
    let disk = disk();
    disk.create_dir(Path::new("/d/e")).unwrap();
    let file = write(&disk, "/d/e/f", b"x", 0);
    disk.fdatasync(&file).unwrap();
    disk.fsync_dir(Path::new("/d/e")).unwrap();
    assert!(bytes(&disk.power_on(Fate::Lost, 0), "/d/e/f").is_none());
}

#[test]
fn a_failed_fsync_loses_what_it_should_have_written() {
    let disk = disk();
    let file = write(&disk, FILE, b"abc", 0);
    disk.fsync_dir(Path::new("/d")).unwrap();
    disk.fail_once(Verb::Sync, "f", Errno::IO);
    disk.fdatasync(&file).unwrap_err();
    disk.fdatasync(&file).unwrap();
    assert_eq!(bytes(&disk, FILE), Some(b"abc".to_vec()));
    assert_eq!(bytes(&disk.power_on(Fate::Kept, 0), FILE), Some(Vec::new()));
}

#[test]
fn power_goes_before_the_change_that_was_named_and_stays_off() {
    let disk = disk();
    disk.cut_at(disk.changes() + 2);
    write(&disk, "/d/a", b"", 0);
    assert!(disk.open(Path::new("/d/b"), Access::Create).is_err());
    assert!(disk.is_off() && disk.list(Path::new("/d")).is_err());
    assert!(bytes(&disk.power_on(Fate::Kept, 0), "/d/a").is_some());
}

#[test]
fn room_ends_and_calls_are_shortened() {
    let disk = disk();
    disk.bound(Some(10));
    let file = disk.open(Path::new(FILE), Access::Create).unwrap();
    assert_eq!(disk.pwrite(&file, &[1; 16], 0).unwrap(), 10);
    let full = disk.pwrite(&file, &[1; 6], 10).unwrap_err();
    assert_eq!(full.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));
    disk.bound(None);
    disk.shorten(1);
    let short = (0..100).filter(|_| disk.pwrite(&file, &[1; 16], 0).unwrap() < 16).count();
    assert!((10..60).contains(&short), "{short}");
}

#[test]
fn a_lock_is_held_by_one() {
    let disk = disk();
    let open = || disk.open(Path::new(FILE), Access::Create).unwrap();
    let (first, second) = (open(), open());
    assert!(disk.lock(&first).unwrap());
    assert!(!disk.lock(&second).unwrap());
    drop(first);
    assert!(disk.lock(&second).unwrap());
    assert!(disk.process_killed().state().locked.is_empty());
}

#[test]
fn a_pretended_call_does_nothing() {
    let disk = disk();
    write(&disk, FILE, b"abc", 0);
    disk.pretend(Verb::SyncDirectory, "/d");
    disk.fsync_dir(Path::new("/d")).unwrap();
    assert!(bytes(&disk.power_on(Fate::Lost, 0), FILE).is_none());
}
