//! What those who append beside a cleaning have to wait for, counted rather than timed: the work between two moments at
//! which others are let in, and the calls on the disk under one hold of the log's lock.

use super::*;
use crate::disk::RealDisk;
use crate::scripted_disk::ScriptedDisk;

/// The most calls on the disk under one hold: the log of a segment opened, and looked into.
const CALLS_UNDER_LOCK_MAX: usize = 3;
/// The calls that change nothing, and so wait for no journal.
const LOOKS: [&str; 5] = ["open", "length", "pread", "facts", "list"];

/// Records of a batch, of a thousand bytes each.
const RECORDS: usize = 900;

#[derive(Default)]
struct Counting {
    pieces: usize,
    rests: usize,
}

impl Pace for Counting {
    fn go_on(&mut self, _bytes: u64) -> bool {
        true
    }

    fn let_others_in(&mut self) {
        self.pieces += 1;
    }

    fn rest_after_sync(&mut self) {
        self.rests += 1;
    }
}

#[test]
fn no_hold_of_the_lock_changes_anything_on_disk_or_looks_at_much() {
    let mut bench = Bench::new(ScriptedDisk::default());
    bench.config.roll.segment_bytes = 1 << 20;
    let log = bench.create();
    let segments = 100;
    for round in 0..segments {
        let value = round.to_string();
        put(&log, &[("a", Some(&value)), ("b", Some(&value))]);
        roll(&log);
    }
    flush(&log);
    let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
    let disk = locked(&log).home().disk().clone();
    let watched = Arc::downgrade(&log);
    disk.watch(move || watched.upgrade().is_some_and(|log| log.try_lock().is_err()));
    let cleaned =
        Cleaner::new(OPTIONS).clean(&log, &cleanable, NOW, &mut Counting::default()).unwrap().unwrap();
    assert_eq!(stored(&log).len(), 2, "all of it became one segment");
    assert!(cleaned.bytes_read > cleaned.bytes_written);
    let holds = disk.under_lock();
    assert!(holds.values().flatten().any(|(verb, _)| *verb == "open"), "nobody looks: {holds:?}");
    // Whoever appends may come to wait for one hold after the other: each segment is opened for each way through, once.
    let all: usize = holds.values().map(Vec::len).sum();
    assert!(all <= 2 * segments + CALLS_UNDER_LOCK_MAX, "{all} calls for {segments} segments");
    for calls in holds.values() {
        let changes = calls.iter().find(|(verb, _)| !LOOKS.contains(verb));
        assert_eq!(changes, None);
        assert!(calls.len() <= CALLS_UNDER_LOCK_MAX, "{} calls under one hold: {calls:?}", calls.len());
        let batches = calls
            .iter()
            .find(|(verb, path)| *verb == "pread" && path.extension().is_some_and(|end| end == "log"));
        assert_eq!(batches, None, "batches are read without the lock");
    }
}

/// Each of them may have all that append wait for the journal of the file system.
#[test]
fn however_many_segments_are_made_their_names_are_synced_three_times() {
    for rounds in [3, 30] {
        let bench = Bench::new(ScriptedDisk::default());
        let log = bench.create();
        let filler = "v".repeat(1500);
        for round in 0..rounds {
            put(&log, &[(&round.to_string(), Some(&filler)), ("same", Some("old"))]);
            roll(&log);
        }
        flush(&log);
        let disk = locked(&log).home().disk().clone();
        disk.reset();
        let mut pace = Counting::default();
        let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
        Cleaner::new(OPTIONS).clean(&log, &cleanable, NOW, &mut pace).unwrap().unwrap();
        assert_eq!(disk.count("rename", ".log.swap"), rounds, "none of them become one");
        assert_eq!(disk.count("fsync_dir", ""), 3);
        assert_eq!(disk.count("fdatasync", ""), 3 * rounds, "new segments alone, each file once");
        assert_eq!(pace.rests, 3);
    }
}

/// Nor do they take descriptors that connections need: those that logs may have open, and a few in hand.
#[test]
fn however_many_segments_are_made_few_of_their_files_are_open() {
    const SEGMENTS: usize = 60;
    let bench = Bench::new(ScriptedDisk::default());
    let log = bench.create();
    let filler = "v".repeat(1500);
    for number in 0..SEGMENTS {
        put(&log, &[(&number.to_string(), Some(&filler)), ("same", Some("old"))]);
        roll(&log);
    }
    flush(&log);
    wait_for_background(&log);
    let disk = locked(&log).home().disk().clone();
    disk.reset();
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(disk.count("rename", ".log.swap"), SEGMENTS);
    let (most, allowed) = (disk.open_most(), OPEN_MAX + 8);
    assert!(most <= allowed, "{most} files were open at a time, where logs may have {OPEN_MAX} open");
}

#[test]
fn others_are_let_in_within_a_batch_however_large_it_is() {
    for codec in [Codec::None, Codec::Zstd] {
        let mut bench = Bench::new(RealDisk);
        bench.config.roll.segment_bytes = 1 << 30;
        let log = bench.create();
        let value = "v".repeat(1000);
        let keys: Vec<String> = (0..RECORDS).map(|key| format!("key-{key}")).collect();
        let sent: Vec<_> = keys.iter().map(|key| (key.as_str(), Some(value.as_str()))).collect();
        append(&log, batch(&sent, codec, (-1, -1, false)));
        put(&log, &[("key-7", Some("new"))]);
        roll(&log);
        let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
        let mut pace = Counting::default();
        Cleaner::new(OPTIONS).clean(&log, &cleanable, NOW, &mut pace).unwrap().unwrap();
        // Its bytes are gone through to be mapped (keys alone count), to be judged, and to be written anew.
        let pieces = 2 * (RECORDS * 1000) / PIECE_BYTES;
        assert!(pace.pieces > pieces, "{codec:?}: {} pieces where {pieces} are due", pace.pieces);
    }
}
