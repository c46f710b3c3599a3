//! The process killed at every single call that a cleaning makes: what opens afterwards is the old log, or the new one,
//! or the old one with some of its groups new, and always holds the last value of every key.

use super::*;
use crate::disk::RealDisk;
use crate::scripted_disk::ScriptedDisk;

/// A segment for each round. The same calls each time: what the background has done of a roll when the next one comes decides
/// which files are opened again, and so how many calls a cleaning makes that must give others their places.
pub(super) fn fill(bench: &Bench<ScriptedDisk>) -> SharedLog<ScriptedDisk> {
    let log = bench.create();
    let filler = "v".repeat(300);
    for round in 0..6 {
        for key in ["a", "b", "c", "d"] {
            put(&log, &[(key, Some(&filler)), ("same", Some(key))]);
        }
        append(&log, batch(&[("t", Some("no"))], Codec::None, (7, round, true)));
        mark(&log, 7, false);
        roll(&log);
        wait_for_background(&log);
    }
    flush(&log);
    log
}

/// The last record of each key, of those that are of no transaction.
pub(super) fn last_of(records: &[Stored]) -> BTreeMap<Vec<u8>, Stored> {
    let live = records.iter().filter(|record| !record.transactional);
    live.map(|record| (record.key.clone(), record.clone())).collect()
}

pub(super) fn names(bench: &Bench<ScriptedDisk>) -> Vec<String> {
    let entries = std::fs::read_dir(bench.temp.path().join("t-0")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_kill_at_any_call_leaves_the_old_log_or_the_new_one() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let (old, end) = (stored(&log), locked(&log).partition().watermarks().log_end);
    let disk = locked(&log).home().disk().clone();
    disk.reset();
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    let (calls, new) = (disk.total(), stored(&log));
    assert!(calls > 60 && new.len() == 5 + 1 - 1, "{calls} calls, {new:?}");
    let (mut olds, mut news) = (0, 0);
    for killed in 0..calls {
        let bench = Bench::new(ScriptedDisk::default());
        let log = fill(&bench);
        locked(&log).home().disk().die_after(killed);
        clean(&log, OPTIONS, NOW).unwrap_err();
        drop(log);
        let log = bench.reopen(RealDisk, end);
        let found = stored(&log);
        assert_eq!(last_of(&found), last_of(&old), "killed at call {killed}");
        assert!(found.iter().all(|record| old.contains(record)), "killed at call {killed}");
        assert!(found.windows(2).all(|pair| pair[0].offset < pair[1].offset), "killed at call {killed}");
        assert_eq!(locked(&log).partition().watermarks().log_end, end);
        let committed = locked(&log).aborted_between(Offset(0), end).unwrap();
        let aborted = found.iter().filter(|record| record.transactional);
        assert!(aborted.clone().all(|record| {
            committed.iter().any(|it| (it.first_offset.0..=it.last_offset.0).contains(&record.offset))
        }));
        olds += usize::from(found == old);
        news += usize::from(found == new);
        let left = names(&bench);
        assert!(left.iter().all(|name| !name.ends_with("cleaned") && !name.ends_with("swap")), "{left:?}");
        // And it can be cleaned to the end.
        clean(&log, OPTIONS, NOW).unwrap().unwrap();
        assert_eq!(stored(&log), new, "killed at call {killed}");
    }
    assert!(olds > 10 && news > 1, "{olds} found the old log, {news} the new one");
}

#[test]
fn a_full_disk_is_no_reason_to_give_up() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let disk = locked(&log).home().disk().clone();
    let before = bytes(&log);
    disk.fail_once("pwrite", ".log.cleaned", rustix::io::Errno::NOSPC);
    let error = clean(&log, OPTIONS, NOW).unwrap_err();
    assert!(matches!(&error, CleanError::Fault(fault) if fault.no_space()), "{error}");
    assert_eq!((bytes(&log), locked(&log).uncleanable()), (before, None));
    assert!(names(&bench).iter().all(|name| !name.ends_with("cleaned")));
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(stored(&log).len(), 5);
}

#[test]
fn an_ill_disk_takes_its_directory_offline() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let disk = locked(&log).home().disk().clone();
    disk.fail_once("fdatasync", ".log.cleaned", rustix::io::Errno::IO);
    clean(&log, OPTIONS, NOW).unwrap_err();
    let health = locked(&log).home().state().health();
    assert_eq!(health, crate::directory_state::DirectoryHealth::Offline);
}

/// Some of the old files are out of the way and others are not: only a start sorts that out.
#[test]
fn old_segments_that_cannot_be_renamed_take_the_directory_offline_and_lose_nothing() {
    for suffix in ["00000000000000000000.log", "00000000000000000000.index", ".timeindex"] {
        let bench = Bench::new(ScriptedDisk::default());
        let log = fill(&bench);
        let disk = locked(&log).home().disk().clone();
        let before = summary(&log);
        disk.fail_once("rename", suffix, rustix::io::Errno::NOSPC);
        clean(&log, OPTIONS, NOW).unwrap_err();
        let health = locked(&log).home().state().health();
        assert_eq!(health, crate::directory_state::DirectoryHealth::Offline, "{suffix}");
        let marks = locked(&log).partition().watermarks();
        drop(log);
        let log = bench.reopen(RealDisk, marks.high_watermark);
        assert_eq!(locked(&log).partition().watermarks().log_end, marks.log_end, "{suffix}");
        let found = stored(&log);
        clean(&log, OPTIONS, NOW).unwrap();
        assert!(found.len() >= stored(&log).len() && stored(&log).len() == 5, "{suffix}: {before}");
    }
}

/// The old segments may only go once all new ones are there for good under names that count, and these may only take their
/// own once the old ones are gone for good. Nothing else is synced, however many there are.
#[test]
fn names_are_on_stable_storage_between_the_steps_of_a_swap() {
    let bench = Bench::new(ScriptedDisk::default());
    let log = fill(&bench);
    let disk = locked(&log).home().disk().clone();
    let before = disk.lasting(|_, _| true).len();
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    let calls = disk.lasting(|_, _| true).split_off(before);
    let directory = format!("fsync_dir {}", bench.temp.path().join("t-0").display());
    let mut steps: Vec<&str> = Vec::new();
    for call in &calls {
        let step = match call.split_once(' ').unwrap() {
            _ if *call == directory => "names are synced",
            ("fdatasync", path) if path.ends_with(".log.cleaned") => "the new log is synced",
            ("rename", path) if path.ends_with(".log.cleaned") => "it is offered",
            ("rename", path) if path.ends_with(".log.swap") => "it takes its name",
            ("rename", path) if path.ends_with(".log") => "an old one goes",
            _ => continue,
        };
        if steps.last() != Some(&step) {
            steps.push(step);
        }
    }
    let swap = [
        "the new log is synced",
        "names are synced",
        "it is offered",
        "names are synced",
        "an old one goes",
        "names are synced",
        "it takes its name",
    ];
    assert_eq!(steps, swap);
    let offered = calls.iter().filter(|call| call.starts_with("rename") && call.ends_with(".log.cleaned"));
    assert!(offered.count() > 3, "several share it: {calls:?}");
}
