//! Rewritten segments on their way into the log, where something goes wrong on it: errors behind the first one, renames that
//! are interrupted and gone on with, retention beside them, and what a panic has left.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::Errno;

use super::kills::{fill, last_of, names};
use super::*;
use crate::directory_state::DirectoryHealth;
use crate::disk::RealDisk;
use crate::scripted_disk::ScriptedDisk;

fn health<D: Disk>(log: &SharedLog<D>) -> DirectoryHealth {
    locked(log).home().state().health()
}

fn end<D: Disk>(log: &SharedLog<D>) -> Offset {
    locked(log).partition().watermarks().log_end
}

/// Whether a file is one that a compaction has not brought to its place yet.
fn is_on_its_way(name: &str) -> bool {
    name.ends_with(".cleaned") || name.ends_with(".swap")
}

/// The system tells of a failed fsync once: whoever syncs again would take what was lost for saved.
#[test]
fn a_sync_that_fails_behind_another_error_takes_the_directory_offline_and_is_not_tried_again() {
    for (verb, suffix, passing) in [
        ("fdatasync", ".log.cleaned", 0),
        ("fsync_dir", "t-0", 0),
        ("fsync_dir", "t-0", 1),
        ("fsync_dir", "t-0", 2),
    ] {
        let bench = Bench::new(ScriptedDisk::default());
        let log = fill(&bench);
        let (old, end_before) = (stored(&log), end(&log));
        let disk = locked(&log).home().disk().clone();
        disk.reset();
        // There is no room for the fourth new segment; three are complete and take their places.
        disk.fail_after(3, "pwrite", ".log.cleaned", Errno::NOSPC);
        disk.fail_after(passing, verb, suffix, Errno::IO);
        let error = clean(&log, OPTIONS, NOW).unwrap_err();
        assert!(
            matches!(&error, CleanError::Fault(fault) if fault.no_space()),
            "the first error is told: {error}"
        );
        assert_eq!(health(&log), DirectoryHealth::Offline, "{verb} {passing}");
        let synced = if verb == "fsync_dir" { passing + 1 } else { 0 };
        assert_eq!(disk.count("fsync_dir", "t-0"), synced, "{verb} {passing}");
        drop(log);
        let log = bench.reopen(RealDisk, end_before);
        assert_eq!((last_of(&stored(&log)), end(&log)), (last_of(&old), end_before), "{verb} {passing}");
    }
}

/// What cannot be removed behind another error is no less of an error.
#[test]
fn what_cannot_be_cleared_away_behind_another_error_is_told_the_directory() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let disk = locked(&log).home().disk().clone();
    disk.fail_after(3, "pwrite", ".log.cleaned", Errno::NOSPC);
    // Before each of the four is begun what an earlier attempt may have left is removed.
    disk.fail_after(4, "unlink", ".log.cleaned", Errno::IO);
    let error = clean(&log, OPTIONS, NOW).unwrap_err();
    assert!(matches!(&error, CleanError::Fault(fault) if fault.no_space()), "{error}");
    assert_eq!(health(&log), DirectoryHealth::Offline);
}

#[test]
fn what_is_complete_takes_its_place_where_there_is_no_room_for_more() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let (old, size) = (stored(&log), locked(&log).size());
    let disk = locked(&log).home().disk().clone();
    disk.fail_after(3, "pwrite", ".log.cleaned", Errno::NOSPC);
    clean(&log, OPTIONS, NOW).unwrap_err();
    assert_eq!(disk.count("rename", ".log.swap"), 3);
    assert!(locked(&log).size() < size, "that has freed something");
    assert!(names(&bench).iter().all(|name| !is_on_its_way(name)), "{:?}", names(&bench));
    assert_eq!(last_of(&stored(&log)), last_of(&old));
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(stored(&log).len(), 5);
}

/// An error between the files of one segment leaves some with their new names.
#[test]
fn names_that_could_not_be_given_are_given_by_the_next_who_tries() {
    for suffix in [".index.swap", ".timeindex.swap", ".log.swap"] {
        for lasts in [false, true] {
            let bench = Bench::new(ScriptedDisk::default());
            let log = fill(&bench);
            let (old, end_before) = (stored(&log), end(&log));
            let disk = locked(&log).home().disk().clone();
            match lasts {
                true => disk.fail("rename", suffix, Errno::NOSPC),
                false => disk.fail_once("rename", suffix, Errno::NOSPC),
            }
            let error = clean(&log, OPTIONS, NOW).unwrap_err();
            assert!(matches!(&error, CleanError::Fault(fault) if fault.no_space()), "{suffix}: {error}");
            assert_ne!(health(&log), DirectoryHealth::Offline, "{suffix}: there is no room, and that passes");
            let left = names(&bench).iter().any(|name| is_on_its_way(name));
            assert_eq!(left, lasts, "{suffix}: {:?}", names(&bench));
            assert_eq!(last_of(&stored(&log)), last_of(&old), "{suffix}: it is read under any name");
            assert_eq!(locked(&log).uncleanable(), None, "{suffix}");
            disk.mend();
            locked(&log).home().state().has_room();
            if lasts {
                // The end of the node.
                locked(&log).close().unwrap();
                assert!(
                    names(&bench).iter().all(|name| !is_on_its_way(name)),
                    "{suffix}: {:?}",
                    names(&bench)
                );
                drop(log);
                let log = bench.reopen(RealDisk, end_before);
                assert_eq!((last_of(&stored(&log)), end(&log)), (last_of(&old), end_before), "{suffix}");
                continue;
            }
            put(&log, &[("same", Some("again"))]);
            roll(&log);
            clean(&log, OPTIONS, NOW).unwrap().unwrap();
            assert!(names(&bench).iter().all(|name| !is_on_its_way(name)), "{suffix}: {:?}", names(&bench));
        }
    }
}

/// What an earlier cleaning could not rename must be out of the way of the names that the next one uses.
#[test]
fn a_cleaning_begins_with_the_names_that_an_earlier_one_could_not_give() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let (old, end_before) = (stored(&log), end(&log));
    let disk = locked(&log).home().disk().clone();
    disk.fail("rename", ".timeindex.swap", Errno::NOSPC);
    clean(&log, OPTIONS, NOW).unwrap_err();
    assert!(names(&bench).iter().any(|name| is_on_its_way(name)));
    locked(&log).home().state().has_room();
    put(&log, &[("same", Some("d"))]);
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap_err();
    disk.mend();
    locked(&log).home().state().has_room();
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert!(names(&bench).iter().all(|name| !is_on_its_way(name)), "{:?}", names(&bench));
    let keys = |records: &[Stored]| last_of(records).into_keys().collect::<Vec<_>>();
    assert_eq!(keys(&stored(&log)), keys(&old));
    let log_end = end(&log);
    assert!(log_end > end_before);
    drop(log);
    assert_eq!(end(&bench.reopen(RealDisk, log_end)), log_end);
}

/// An offer that could not be named is taken back whole, and nothing of the log has changed.
#[test]
fn an_offer_that_cannot_be_named_is_taken_back() {
    for suffix in [".index.cleaned", ".timeindex.cleaned", ".log.cleaned"] {
        for passing in [0, 2] {
            let bench = Bench::new(ScriptedDisk::default());
            let log = fill(&bench);
            let before = bytes(&log);
            let disk = locked(&log).home().disk().clone();
            disk.fail_after(passing, "rename", suffix, Errno::NOSPC);
            clean(&log, OPTIONS, NOW).unwrap_err();
            assert_eq!(bytes(&log), before, "{suffix}");
            assert!(names(&bench).iter().all(|name| !is_on_its_way(name)), "{suffix}: {:?}", names(&bench));
            clean(&log, OPTIONS, NOW).unwrap().unwrap();
            assert_eq!(stored(&log).len(), 5, "{suffix}");
        }
    }
}

/// Retention may take a segment away between two looks at it: that is no reason to give up on the log.
#[test]
fn a_segment_that_goes_while_it_is_looked_at_is_passed_over() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let disk = locked(&log).home().disk().clone();
    disk.fail_once("facts", "00000000000000000000.log", Errno::NOENT);
    let cleaned = clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(cleaned.end, Offset(0), "what was not written anew is held against its keys once more");
    assert_eq!(locked(&log).uncleanable(), None);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(stored(&log).len(), 5);
}

/// What made records of the old segments superfluous must not be lost once those are gone.
#[test]
fn newer_records_are_on_stable_storage_before_older_ones_go() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    for round in ["1", "2", "3"] {
        put(&log, &[("same", Some(round))]);
        roll(&log);
    }
    let closed = locked(&log).bases(Offset::ZERO, Offset(i64::MAX));
    let log_end = end(&log);
    drop(log);
    // After a kill nobody knows what of it the process before had synced.
    let disk = ScriptedDisk::default();
    let log = bench.reopen_from(disk.clone(), log_end, Offset::ZERO);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    let calls = disk.lasting(|_, _| true);
    let offered =
        calls.iter().position(|call| call.starts_with("rename") && call.ends_with(".log.cleaned")).unwrap();
    for base in closed {
        let synced = format!("{:020}.log", base.0);
        let synced =
            calls[..offered].iter().any(|call| call.starts_with("fdatasync") && call.ends_with(&synced));
        assert!(synced, "segment {base} before {}", calls[offered]);
    }
}

/// Says to end after so many blocks.
struct Impatient(usize);

impl Pace for Impatient {
    fn go_on(&mut self, _bytes: u64) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

/// The log may be cleaned by another thread right after.
#[test]
fn who_is_told_to_end_leaves_nothing_behind() {
    let tiny = CleanerOptions { buffer_bytes: 1, ..OPTIONS };
    for blocks in 1.. {
        let bench = Bench::new(ScriptedDisk::default());
        let log = fill(&bench);
        let before = bytes(&log);
        let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
        match Cleaner::new(tiny).clean(&log, &cleanable, NOW, &mut Impatient(blocks)) {
            Err(CleanError::Aborted) => {
                assert_eq!(bytes(&log), before, "after {blocks} blocks");
                let left = names(&bench);
                assert!(left.iter().all(|name| !is_on_its_way(name)), "after {blocks} blocks: {left:?}");
            }
            other => {
                other.unwrap().unwrap();
                assert!(blocks > 20, "{blocks} blocks are few");
                return;
            }
        }
    }
}

/// Panics once a new segment of this base is begun.
struct Panicking {
    begun: std::path::PathBuf,
}

impl Pace for Panicking {
    fn go_on(&mut self, _bytes: u64) -> bool {
        assert!(!self.begun.exists(), "on purpose");
        true
    }
}

/// The next start is told by the clean end what there is in the directory, and does not look. What a `.cleaned` of the panic
/// stands in front of would be taken for incomplete by the start after that.
#[test]
fn what_a_panic_has_left_does_no_harm_to_the_next_cleaning() {
    let mut bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let (old, log_end) = (stored(&log), end(&log));
    let second = locked(&log).segment_bases()[1];
    let begun = locked(&log).path().join(format!("{:020}.log.cleaned", second.0));
    let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
    let cleaned =
        || Cleaner::new(OPTIONS).clean(&log, &cleanable, NOW, &mut Panicking { begun: begun.clone() });
    assert!(catch_unwind(AssertUnwindSafe(cleaned)).is_err());
    let known = {
        let mut log = locked(&log);
        log.close().unwrap();
        log.known().unwrap()
    };
    drop(log);
    assert!(begun.exists(), "the panic has left it");
    // Now two segments become one, and none of the new ones begins where the panic came.
    bench.config.roll.segment_bytes *= 2;
    let disk = ScriptedDisk::default();
    let home = Bench::home(bench.temp.path(), disk.clone());
    let checkpoints = Checkpoints {
        clean: true,
        recovery_point: log_end,
        log_start: Offset::ZERO,
        high_watermark: log_end,
        cleaned_to: None,
    };
    let (name, config) = (Bench::<ScriptedDisk>::name(), Arc::new(bench.config.clone()));
    let log = lead(Log::open_known(home, name, config, checkpoints, known, NOW).unwrap().log);
    // Killed when all have been offered, and the old ones are gone.
    disk.fail_once("rename", ".log.swap", Errno::IO);
    clean(&log, OPTIONS, NOW).unwrap_err();
    let offered = names(&bench).iter().filter(|name| name.ends_with(".log.swap")).count();
    assert!(offered > 1, "{:?}", names(&bench));
    drop(log);
    let log = bench.reopen(RealDisk, log_end);
    assert_eq!((last_of(&stored(&log)), end(&log)), (last_of(&old), log_end));
}

/// Does something once, when others are let in for this time.
struct Once<F> {
    after: usize,
    act: F,
}

impl<F: FnMut()> Pace for Once<F> {
    fn go_on(&mut self, _bytes: u64) -> bool {
        true
    }

    fn let_others_in(&mut self) {
        if self.after == 0 {
            (self.act)();
        }
        self.after = self.after.wrapping_sub(1);
    }
}

/// Whoever calls a cleaning off finishes what it has begun, in the same order: the lack of the old names is on stable storage
/// before a new segment takes its own, and so is that of an offer before anybody goes on.
#[test]
fn who_calls_a_swap_off_syncs_names_where_the_cleaner_would_have() {
    let large = CleanerOptions { buffer_bytes: 1 << 20, ..OPTIONS };
    let mut called_off = 0;
    for after in 0.. {
        let bench = Bench::new(ScriptedDisk::default());
        let log = fill(&bench);
        let disk = locked(&log).home().disk().clone();
        let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
        let before = disk.lasting(|_, _| true).len();
        let mut config = bench.config.clone();
        config.compaction.compact = false;
        let (config, mut acted) = (Arc::new(config), false);
        let act = || {
            acted = true;
            locked(&log).set_config(Arc::clone(&config));
        };
        let outcome = Cleaner::new(large).clean(&log, &cleanable, NOW, &mut Once { after, act });
        let synced = format!("fsync_dir {}", bench.temp.path().join("t-0").display());
        let mut unsynced = false;
        for call in disk.lasting(|_, _| true).split_off(before) {
            match call.split_once(' ').unwrap() {
                _ if call == synced => unsynced = false,
                ("rename", path) if path.ends_with(".log") => unsynced = true,
                ("rename", path) if path.ends_with(".log.swap") => {
                    assert!(!unsynced, "the old names may come back beside {path}");
                }
                _ => {}
            }
        }
        if !acted {
            break;
        }
        called_off += usize::from(outcome.is_err());
    }
    assert!(called_off > 0, "no swap was called off");
}

/// A directory as a kill would leave it.
fn image(bench: &Bench<RealDisk>) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    let (from, to) = (bench.temp.path().join("t-0"), temp.path().join("t-0"));
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    temp
}

/// Old segments go from the back, new ones from the front: where retention has taken the new ones first, a start finds the
/// old ones they were made of, without those behind them that had replaced or deleted what is in them.
#[test]
fn what_retention_takes_beside_a_swap_does_not_come_back_without_what_replaced_it() {
    const SEGMENTS: usize = 24;
    let filler = "v".repeat(700);
    for after in 0.. {
        let mut bench = Bench::new(RealDisk);
        bench.config.retention.delete = true;
        let log = bench.create();
        for number in 0..SEGMENTS {
            let key = number.to_string();
            // Of one key the first segment has a value, and a later one, which retention takes too, has another.
            let value =
                [(0, "old"), (10, "new")].iter().find(|(at, _)| *at == number).map(|(_, value)| *value);
            let replaced = value.map(|value| ("replaced", Some(value)));
            let sent: Vec<_> = [(key.as_str(), Some(filler.as_str()))].into_iter().chain(replaced).collect();
            put(&log, &sent);
            roll(&log);
        }
        let (log_end, cleanable) = (end(&log), locked(&log).cleanable(NOW).unwrap().unwrap());
        let mut config = bench.config.clone();
        // Two thirds go.
        config.retention.bytes = Some(locked(&log).size() / 3);
        locked(&log).set_config(Arc::new(config));
        let mut killed = None;
        let act = || {
            assert!(!locked(&log).retain(NOW).unwrap().reasons.is_empty(), "nothing goes");
            killed = Some(image(&bench));
        };
        let large = CleanerOptions { buffer_bytes: 1 << 20, ..OPTIONS };
        Cleaner::new(large).clean(&log, &cleanable, NOW, &mut Once { after, act }).unwrap().unwrap();
        let Some(temp) = killed else {
            assert!(after > 3, "others are let in {after} times only");
            break;
        };
        let home = Bench::home(temp.path(), RealDisk);
        let killed = Bench { temp, home, config: bench.config.clone() };
        let log = killed.reopen(RealDisk, log_end);
        let found = stored(&log);
        let values: Vec<_> = found.iter().filter(|record| record.key == b"replaced").collect();
        let last = values.last().and_then(|last| last.value.as_deref());
        assert_ne!(last, Some(&b"old"[..]), "killed when others were let in for the time {after}");
        assert_eq!(end(&log), log_end);
        assert!(found.iter().any(|record| record.key == b"23"), "what is not old enough is there");
    }
}

/// A longer name may take a block of its directory, which a full disk has not: then the reserve has, and the directory is as
/// much in use as before.
#[test]
fn old_segments_go_out_of_the_way_where_there_is_no_room_for_a_name() {
    for suffix in [".log", ".index", ".timeindex"] {
        let disk = ScriptedDisk::default();
        let mut bench = Bench::new(disk.clone());
        let descriptors = Descriptors::new(disk.clone(), OPEN_MAX);
        let home = LogDirectory::start(bench.temp.path(), Uuid([7; 16]), descriptors, 128 << 10).unwrap();
        bench.home = Arc::new(home);
        let log = fill(&bench);
        disk.fail_once("rename", suffix, Errno::NOSPC);
        clean(&log, OPTIONS, NOW).unwrap().unwrap();
        assert_ne!(health(&log), DirectoryHealth::Offline, "{suffix}");
        assert_eq!(stored(&log).len(), 5, "{suffix}");
        bench.home.removals().run(&disk, Timestamp(i64::MAX)).unwrap();
        let left = names(&bench);
        assert!(left.iter().all(|name| !name.ends_with(".deleted")), "{suffix}: nobody removes {left:?}");
    }
}
