//! Retention to the millisecond and to the byte: after restarts that know only the files, and with clocks that jump.

use std::time::{Duration, Instant};

use partition::compaction::CompactionRules;

use super::*;

/// A batch of 200 bytes whose only record is of this time.
fn of_time(at: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let filler = vec![b'x'; 200 - 61 - 10];
    builder.push(Timestamp(at), Some(b"k"), Some(&filler), &[]);
    let bytes = builder.finish_uncompressed();
    assert_eq!(bytes.len(), 200);
    bytes
}

/// Four segments of five batches, the last one active; the newest record of each is of 1000, 2000, 3000 and 4000 ms after
/// NOW.
fn fill(bench: &Bench<RealDisk>) -> Log<RealDisk> {
    let mut log = bench.create();
    for segment in 1..=4 {
        for batch in 0..5 {
            append(&mut log, of_time(NOW.0 + 1000 * segment - 10 * ((batch + 3) % 5))).unwrap();
        }
        if segment < 4 {
            log.roll(NOW).unwrap();
        }
    }
    assert_eq!(log.segment_count(), 4);
    log
}

fn bench(time: Option<i64>, bytes: Option<u64>) -> Bench<RealDisk> {
    let mut bench = Bench::new(RealDisk);
    bench.config.retention.time = time.map(Millis);
    bench.config.retention.bytes = bytes;
    bench
}

/// The log as a process finds it that was not there before: after a clean end, or after a kill.
fn again(bench: &Bench<RealDisk>, mut log: Log<RealDisk>, clean: bool) -> Log<RealDisk> {
    let checkpoints = Checkpoints { clean, ..unclean(&log) };
    if clean {
        log.close().unwrap();
    }
    drop(log);
    bench.open(checkpoints)
}

#[test]
fn age_counts_from_the_newest_record_to_the_millisecond_after_any_restart() {
    for restart in [None, Some(true), Some(false)] {
        let bench = bench(Some(500), None);
        let mut log = fill(&bench);
        if let Some(clean) = restart {
            log = again(&bench, log, clean);
        }
        let mut gone = 0;
        for (later, expected) in
            [(1500, 0), (1501, 1), (2500, 1), (2501, 2), (3501, 3), (4500, 3), (4501, 4), (99_999, 4)]
        {
            gone += log.retain(Timestamp(NOW.0 + later)).unwrap().reasons.len();
            assert_eq!(gone, expected, "{later} ms later, restarted {restart:?}");
        }
        let marks = log.partition().watermarks();
        assert_eq!((marks.log_start, marks.log_end, log.size()), (Offset(20), Offset(20), 0));
        // And where the log begins is not forgotten, though nothing is left to tell it but the name of a file.
        for clean in [true, false] {
            log = again(&bench, log, clean);
            let marks = log.partition().watermarks();
            assert_eq!((marks.log_start, marks.log_end), (Offset(20), Offset(20)));
        }
        assert_eq!(append(&mut log, of_time(NOW.0)).unwrap().base_offset, Offset(20));
    }
}

#[test]
fn a_clock_that_jumps_takes_nothing_back_and_gives_nothing_early() {
    let bench = bench(Some(500), None);
    let mut log = fill(&bench);
    let mut at = |later: i64| log.retain(Timestamp(NOW.0 + later)).unwrap().reasons.len();
    assert_eq!(at(1501), 1);
    // Back, even to before there were records or clocks: nothing is old.
    assert_eq!([at(-1_000_000), at(0), at(-NOW.0), at(-2 * NOW.0)], [0; 4]);
    assert_eq!(at(2500), 0);
    // There again: exactly what is due.
    assert_eq!([at(2501), at(2501), at(100)], [1, 0, 0]);
    // Records of the future are kept until they are old by the clock there is.
    append(&mut log, of_time(NOW.0 + 1_000_000)).unwrap();
    let mut at = |later: i64| log.retain(Timestamp(NOW.0 + later)).unwrap().reasons.len();
    assert_eq!([at(3501), at(500_000), at(1_000_500), at(1_000_501)], [1, 0, 0, 1]);
}

#[test]
fn flushes_by_age_go_on_after_the_clock_was_set_back() {
    let mut bench = bench(None, None);
    bench.config.flush_after = Some(Millis(100));
    let mut log = bench.create();
    append(&mut log, of_time(NOW.0)).unwrap();
    let hour = 3_600_000;
    log.flush_if_due(Timestamp(NOW.0 - hour)).unwrap();
    assert_eq!(log.last_flush, Timestamp(NOW.0 - hour), "a flush was begun");
    append(&mut log, of_time(NOW.0)).unwrap();
    log.flush_if_due(Timestamp(NOW.0 - hour + 99)).unwrap();
    assert_eq!(log.last_flush, Timestamp(NOW.0 - hour));
    flushed_by_age(&mut log, Timestamp(NOW.0 - hour + 100));
}

/// Has the log flushed by age once the flush before is through.
fn flushed_by_age<D: Disk>(log: &mut Log<D>, now: Timestamp) {
    let end = Instant::now() + Duration::from_secs(10);
    while log.last_flush != now {
        assert!(Instant::now() < end, "no flush was begun");
        log.flush_if_due(now).unwrap();
    }
}

#[test]
fn a_flush_by_age_begins_when_the_one_before_is_through() {
    let mut bench = Bench::new(ScriptedDisk::default());
    bench.config.flush_after = Some(Millis(100));
    let mut log = bench.create();
    append(&mut log, of_time(NOW.0)).unwrap();
    let held = bench.home.disk().hold_syncs();
    log.flush_if_due(Timestamp(NOW.0 + 200)).unwrap();
    assert_eq!(log.last_flush, Timestamp(NOW.0 + 200), "a flush was begun");
    append(&mut log, of_time(NOW.0)).unwrap();
    log.flush_if_due(Timestamp(NOW.0 + 400)).unwrap();
    assert_eq!(log.last_flush, Timestamp(NOW.0 + 200), "another stands behind one that is under way");
    drop(held);
    flushed_by_age(&mut log, Timestamp(NOW.0 + 400));
}

#[test]
fn size_counts_the_active_segment_and_leaves_at_least_the_limit() {
    // Four segments of a thousand bytes each.
    let table: [(u64, usize); 10] = [
        (5000, 0),
        (4000, 0),
        (3999, 0),
        (3001, 0),
        (3000, 1),
        (2000, 2),
        (1001, 2),
        (1000, 3),
        (1, 3),
        (0, 4),
    ];
    for (limit, expected) in table {
        for restart in [None, Some(true), Some(false)] {
            let bench = bench(None, Some(limit));
            let mut log = fill(&bench);
            if let Some(clean) = restart {
                log = again(&bench, log, clean);
            }
            let retained = log.retain(NOW).unwrap();
            let wanted = vec![RetentionReason::Bytes; expected];
            assert_eq!((retained.reasons, retained.bytes), (wanted, 1000 * expected as u64), "to {limit}");
            assert_eq!(log.partition().watermarks().log_start, Offset(5 * expected as i64));
            assert!(log.retain(NOW).unwrap().reasons.is_empty(), "once is enough");
        }
    }
}

#[test]
fn size_comes_before_age_and_neither_touches_what_is_not_replicated() {
    let bench = bench(Some(500), Some(3000));
    let mut log = fill(&bench);
    let reasons = log.retain(Timestamp(NOW.0 + 2501)).unwrap().reasons;
    assert_eq!(reasons, [RetentionReason::Bytes, RetentionReason::Time]);
    let bench = self::bench(Some(0), Some(0));
    let mut log = fill(&bench);
    log.become_leader(LeaderEpoch(4), NodeId(1), 2, [NodeId(1), NodeId(2)]).unwrap();
    append_at(&mut log, 4);
    let mut followed = |upto| {
        log.follower_reached(NodeId(2), Offset(upto));
        log.retain(Timestamp(i64::MAX)).unwrap().reasons.len()
    };
    // All but the batch just sent was replicated before; the active segment stays as long as it holds that.
    assert_eq!([followed(0), followed(10), followed(20)], [3, 0, 0]);
    let end = log.partition().watermarks().log_end;
    log.follower_reached(NodeId(2), end);
    assert_eq!(log.retain(Timestamp(i64::MAX)).unwrap().reasons.len(), 1);
}

#[test]
fn what_is_compacted_and_deleted_ages_as_well() {
    let mut bench = bench(Some(500), None);
    bench.config.compaction = CompactionRules { compact: true, ..CompactionRules::default() };
    bench.config.append.compacted = true;
    bench.config.roll.segment_bytes = 10_000;
    let log = Arc::new(std::sync::Mutex::new(fill(&bench)));
    let cleanable = log.lock().unwrap().cleanable(NOW).unwrap().unwrap();
    let options = crate::cleaner::CleanerOptions { map_bytes: 1 << 20, map_load: 0.9, buffer_bytes: 4096 };
    struct Freely;
    impl crate::cleaner::Pace for Freely {
        fn go_on(&mut self, _bytes: u64) -> bool {
            true
        }
    }
    crate::cleaner::Cleaner::new(options).clean(&log, &cleanable, NOW, &mut Freely).unwrap().unwrap();
    let mut log = log.lock().unwrap();
    // Fifteen records of one key have become one, in a segment as old as that record, and five are active.
    assert_eq!((log.segment_count(), log.size()), (2, 1200));
    let newest = NOW.0 + 3000 - 20;
    assert!(log.retain(Timestamp(newest + 500)).unwrap().reasons.is_empty());
    assert_eq!(log.retain(Timestamp(newest + 501)).unwrap().reasons, [RetentionReason::Time]);
    bench.config.retention.delete = false;
    log.set_config(Arc::new(bench.config.clone()));
    assert!(log.retain(Timestamp(i64::MAX)).unwrap().reasons.is_empty());
}

#[test]
fn the_snapshots_of_the_producers_go_with_the_segments_they_are_of() {
    let bench = bench(None, Some(1000));
    let mut log = fill(&bench);
    assert_eq!(log.retain(NOW).unwrap().reasons.len(), 3);
    let first = log.segment_bases()[0];
    let names = std::fs::read_dir(log.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let snapshots: Vec<_> = names.iter().filter(|name| name.ends_with(".snapshot")).collect();
    assert_eq!(snapshots, [&format!("{:020}.snapshot", first.0)]);
}

#[test]
fn what_was_deleted_goes_though_all_else_is_kept_for_ever() {
    for delete in [true, false] {
        let mut bench = bench(None, None);
        let mut log = fill(&bench);
        log.delete_records(Offset(12)).unwrap();
        bench.config.retention.delete = delete;
        log.set_config(Arc::new(bench.config.clone()));
        assert_eq!(log.retain(NOW).unwrap().reasons, [RetentionReason::LogStart; 2]);
        let marks = log.partition().watermarks();
        assert_eq!((log.segments.first_base(), marks.log_start), (Offset(10), Offset(12)));
    }
}

#[test]
fn a_segment_goes_of_which_just_all_was_deleted() {
    let bench = bench(None, None);
    let mut log = fill(&bench);
    log.delete_records(Offset(5)).unwrap();
    assert_eq!(log.retain(NOW).unwrap().reasons, [RetentionReason::LogStart]);
    assert_eq!(log.segments.first_base(), Offset(5));
}

/// Else a power cut that brings the old names back brings what was deleted back with them.
#[test]
fn where_a_log_begins_is_said_until_the_lack_of_older_names_is_on_stable_storage() {
    let bench = bench(None, None);
    let mut log = fill(&bench);
    log.delete_records(Offset(10)).unwrap();
    assert_eq!(log.retain(NOW).unwrap().reasons.len(), 2);
    assert_eq!((log.segments.first_base(), log.log_start_to_keep()), (Offset(10), Some(Offset(10))));
    let (tell, told) = std::sync::mpsc::channel();
    log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
    told.recv().unwrap().unwrap();
    assert_eq!(log.log_start_to_keep(), None, "from here on its files say so");
}

#[test]
fn a_client_may_delete_records_unless_compaction_alone_keeps_them() {
    for (delete, compact, may) in
        [(true, false, true), (true, true, true), (false, false, true), (false, true, false)]
    {
        let mut bench = bench(None, None);
        bench.config.retention.delete = delete;
        bench.config.compaction.compact = compact;
        let mut log = fill(&bench);
        let deleted = log.delete_records(Offset(12));
        assert_eq!(deleted.is_ok(), may, "delete {delete}, compact {compact}");
        let log_start = if may { Offset(12) } else { Offset(0) };
        assert_eq!(log.partition().watermarks().log_start, log_start, "delete {delete}, compact {compact}");
    }
}

/// Kafka draws no more than the whole age, however much jitter is allowed.
#[test]
fn segments_end_at_different_ages_where_jitter_is_allowed_and_not_with_each_batch() {
    for jitter in [400, 50_000] {
        let mut bench = bench(None, None);
        bench.config.roll =
            RollRules { segment_bytes: 1 << 30, segment_age_max: Millis(1000), ..bench.config.roll };
        bench.config.segment_jitter_max = Millis(jitter);
        let mut log = bench.create();
        let (mut at, mut ages) = (0, Vec::new());
        append(&mut log, of_time(NOW.0)).unwrap();
        for segments in 1..=20 {
            let begun = at;
            while log.segment_count() == segments {
                at += 7;
                append(&mut log, of_time(NOW.0 + at)).unwrap();
            }
            ages.push(at - begun);
        }
        let allowed = (1000 - jitter).max(0)..=1007;
        assert!(ages.iter().all(|age| allowed.contains(age)), "{ages:?}");
        ages.sort_unstable();
        ages.dedup();
        assert!(ages.len() > 10, "{ages:?}");
    }
}

/// Who cannot read how young a segment's last records are goes by those it can.
#[test]
fn a_broken_batch_stops_neither_retention_nor_appends_nor_look_ups_by_time() {
    for broken in [0, 3, 4] {
        let bench = bench(Some(500), None);
        let mut log = fill(&bench);
        let checkpoints = Checkpoints { clean: true, ..unclean(&log) };
        log.close().unwrap();
        drop(log);
        // Where the very last one is broken the log's end is not known, and it is not opened.
        for base in [0, 15].into_iter().filter(|base| *base == 0 || broken < 4) {
            let path = crate::names::SegmentFile::Log.path(&bench.home.path().join("t-0"), Offset(base));
            let file = std::fs::File::options().write(true).open(path).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &[0; 61], broken * 200).unwrap();
        }
        let mut log = bench.open(checkpoints);
        let decompressors = &mut Decompressors::default();
        let young = log.offset_for_timestamp(Timestamp(NOW.0 + 3000), Isolation::LogEnd, decompressors);
        assert_eq!(young.unwrap().map(|found| found.offset), Some(Offset(12)));
        append(&mut log, of_time(NOW.0 + 4000)).unwrap();
        let gone = log.retain(Timestamp(NOW.0 + 3501)).unwrap().reasons.len();
        assert_eq!(gone, 3, "batch {broken}");
        assert_eq!(log.retain(Timestamp(NOW.0 + 99_999)).unwrap().reasons.len(), 1, "batch {broken}");
    }
}

/// As small as segments and bounds can be: whoever reads in order meets every record that was not deleted.
#[test]
fn readers_miss_nothing_but_what_is_gone_where_very_little_is_kept() {
    let mut bench = bench(Some(1), Some(600));
    bench.config.roll.segment_bytes = 400;
    let mut log = bench.create();
    let (mut next, mut skipped) = (Offset(0), 0);
    for at in 0..600 {
        let written = append(&mut log, of_time(NOW.0 + at)).unwrap();
        assert_eq!(written.base_offset, Offset(at));
        if at % 3 == 0 {
            log.retain(Timestamp(NOW.0 + at)).unwrap();
        }
        if at % 97 == 0 {
            log = again(&bench, log, at % 2 == 0);
        }
        let marks = log.partition().watermarks();
        assert!(log.size() <= 3 * 400 && marks.log_end == Offset(at + 1), "{} bytes at {at}", log.size());
        // A reader that is sometimes behind.
        if at % 7 < 4 {
            continue;
        }
        if next < marks.log_start {
            skipped += marks.log_start.0 - next.0;
            next = marks.log_start;
        }
        while next < marks.log_end {
            let slice = log.read(next, marks.log_end, 450, true).unwrap();
            let mut bytes = vec![0; slice.length as usize];
            read_up_to(log.home().disk(), &slice.file, &mut bytes, slice.position).unwrap();
            for batch in Batches::new(&bytes) {
                assert_eq!(batch.header.base_offset, next, "a hole that nobody has made");
                next = batch.header.next_offset();
            }
        }
    }
    assert!(skipped > 0, "it was left behind at times");
}

/// A bench with a reserve.
fn reserving(disk: &ScriptedDisk) -> Bench<ScriptedDisk> {
    let Bench { _temp: temp, config, .. } = Bench::new(disk.clone());
    let descriptors = Descriptors::new(disk.clone(), 4);
    let home = LogDirectory::start(temp.path(), Uuid([7; 16]), descriptors, 128 << 10).unwrap();
    Bench { _temp: temp, home: Arc::new(home), config }
}

/// Of all that is as old as the limit the segment that is written to goes too, and for that another must be begun.
#[test]
fn all_there_is_goes_where_there_is_no_room_for_another_segment() {
    let disk = ScriptedDisk::default();
    let mut bench = reserving(&disk);
    bench.config.retention.time = Some(Millis(1000));
    let mut log = bench.create();
    append(&mut log, of_time(NOW.0)).unwrap();
    disk.fail_once("open", "1.log", Errno::NOSPC);
    let retained = log.retain(Timestamp(NOW.0 + 2000)).unwrap();
    assert_eq!((retained.reasons.len(), log.size()), (1, 0));
}

/// A longer name may take a block of its directory, which a full disk has not: then the reserve has. And what went before an
/// error is gone all the same: on a full disk that is the only way to any room.
#[test]
fn retention_makes_room_where_there_is_none_for_a_name() {
    for (suffix, lasts) in [("1.log", false), ("1.index", false), ("1.timeindex", false), ("2.index", true)] {
        let disk = ScriptedDisk::default();
        let mut bench = reserving(&disk);
        bench.config.retention.bytes = Some(200);
        let mut log = bench.create();
        for _ in 0..4 {
            append(&mut log, of_time(NOW.0)).unwrap();
            log.roll(NOW).unwrap();
        }
        if lasts {
            disk.fail("rename", suffix, Errno::NOSPC);
            log.retain(NOW).unwrap_err();
            assert_eq!(log.partition().watermarks().log_start, Offset(2), "{suffix}: two are gone");
            assert_eq!(bench.home.state().health(), DirectoryHealth::Full, "{suffix}");
            let there = log.path().join("00000000000000000002.log");
            assert!(there.exists(), "{suffix}: what has not gone is all there");
            disk.mend();
            assert_eq!(log.retain(NOW).unwrap().reasons.len(), 1, "{suffix}");
        } else {
            disk.fail_once("rename", suffix, Errno::NOSPC);
            assert_eq!(log.retain(NOW).unwrap().reasons.len(), 3, "{suffix}");
        }
        assert_eq!(log.partition().watermarks().log_start, Offset(3), "{suffix}");
        bench.home.removals().run(&disk, Timestamp(i64::MAX)).unwrap();
        let names = std::fs::read_dir(log.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".deleted")).collect();
        assert!(left.is_empty(), "{suffix}: nobody removes {left:?} before the next start");
    }
}
