//! Where something begins or ends exactly: segments to the byte, look-ups by time where that goes back or where the log start
//! lies within a batch, marks that lie beyond what there is, and what is known to have been written lately.

use super::*;

fn sizes<D: Disk>(log: &Log<D>) -> Vec<u32> {
    log.segments.iter().map(|segment| segment.size()).collect()
}

#[test]
fn a_segment_is_filled_to_the_byte_and_no_further_whoever_appends() {
    let length = plain(1, 300).len() as u32;
    for (spare, batches) in [(0, 3), (length - 1, 3), (length, 4)] {
        let mut bench = Bench::new(RealDisk);
        bench.config.roll.segment_bytes = 3 * length + spare;
        let mut led = bench.create();
        for _ in 0..9 {
            append(&mut led, plain(1, 300)).unwrap();
        }
        let bench = Bench { config: bench.config.clone(), ..Bench::new(RealDisk) };
        let mut follows = bench.create();
        follows.become_follower(EPOCH);
        for base in (0..9).map(Offset) {
            let options = BatchOptions { base_offset: base, leader_epoch: EPOCH, ..BatchOptions::default() };
            follows.append_replicated(EPOCH, &data(1, 300, options), NOW).unwrap();
        }
        for log in [&led, &follows] {
            let sizes = sizes(log);
            assert_eq!(sizes.iter().sum::<u32>(), 9 * length);
            let (_, ended) = sizes.split_last().unwrap();
            assert!(ended.iter().all(|size| *size == batches * length), "{spare} bytes spare: {sizes:?}");
        }
    }
}

#[test]
fn no_time_leads_to_a_record_that_was_deleted() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    append(&mut log, plain(4, 10)).unwrap();
    append(&mut log, plain(4, 10)).unwrap();
    log.delete_records(Offset(2)).unwrap();
    let decompressors = &mut Decompressors::default();
    let mut found = |at: i64| {
        let found = log.offset_for_timestamp(Timestamp(NOW.0 + at), Isolation::LogEnd, decompressors);
        found.unwrap().map(|found| (found.timestamp.0 - NOW.0, found.offset.0))
    };
    // Of each batch the records come a millisecond after one another.
    assert_eq!(
        [0, 1, 2, 3, 4].map(&mut found),
        [Some((2, 2)), Some((2, 2)), Some((2, 2)), Some((3, 3)), None]
    );
}

/// An entry of the time index leads to the batch that holds the time, and that may lie far before the entry's place.
#[test]
fn the_youngest_record_is_found_where_older_ones_follow_it() {
    let mut bench = Bench::new(RealDisk);
    bench.config.roll.segment_bytes = 1 << 20;
    let mut log = bench.create();
    let times = [10, 5, 100, 50, 40, 45, 30, 60, 20, 10];
    for at in times {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.push(Timestamp(NOW.0 + at), None, Some(&[b'x'; 300]), &[]);
        append(&mut log, builder.finish_uncompressed()).unwrap();
    }
    let decompressors = &mut Decompressors::default();
    for restarts in [false, true] {
        for target in 0..=101 {
            let found = log.offset_for_timestamp(Timestamp(NOW.0 + target), Isolation::LogEnd, decompressors);
            let expected = times.iter().position(|at| *at >= target).map(|offset| offset as i64);
            assert_eq!(found.unwrap().map(|found| found.offset.0), expected, "{target}");
        }
        if !restarts {
            let checkpoints = Checkpoints { clean: true, ..unclean(&log) };
            log.close().unwrap();
            drop(log);
            log = bench.open(checkpoints);
        }
    }
}

#[test]
fn what_checkpoints_tell_of_lies_within_the_log() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    append(&mut log, plain(3, 10)).unwrap();
    let config = Arc::new(bench.config.clone());
    let beyond = Offset(9);
    let checkpoints = Checkpoints { high_watermark: beyond, recovery_point: beyond, ..unclean(&log) };
    drop(log);
    let name = (Bench::<RealDisk>::name(), Some(Uuid([1; 16])));
    let opened = Log::open(Arc::clone(&bench.home), name, config, checkpoints, NOW).unwrap().log;
    let marks = opened.partition().watermarks();
    assert_eq!((marks.high_watermark, marks.log_end), (Offset(3), Offset(3)));
    assert_eq!(opened.recovery_point(), Offset(3), "what comes behind it is not on stable storage");
}

/// What the other replicas have is not known before the leader tells: until then no more counts as committed than before.
#[test]
fn a_start_commits_nothing() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    append(&mut log, plain(5, 10)).unwrap();
    log.close().unwrap();
    for clean in [true, false] {
        let checkpoints = Checkpoints { clean, high_watermark: Offset(2), ..unclean(&log) };
        let (home, config) = (Arc::clone(&bench.home), Arc::new(bench.config.clone()));
        let name = (Bench::<RealDisk>::name(), Some(Uuid([1; 16])));
        let mut opened = Log::open(home, name, config, checkpoints, NOW).unwrap().log;
        opened.become_follower(EPOCH);
        let marks = opened.partition().watermarks();
        assert_eq!((marks.high_watermark, marks.log_end), (Offset(2), Offset(5)), "clean: {clean}");
    }
}

/// The batch that holds the log start goes as a whole, and nothing before the log start is anybody's to write again.
#[test]
fn a_log_that_is_cut_within_the_batch_of_its_start_begins_there() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    append(&mut log, plain(4, 10)).unwrap();
    append(&mut log, plain(4, 10)).unwrap();
    log.delete_records(Offset(2)).unwrap();
    log.truncate(Offset(3), NOW).unwrap();
    let marks = log.partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end, log.size()), (Offset(2), Offset(2), 0));
    assert_eq!(append(&mut log, plain(1, 10)).unwrap().base_offset, Offset(2));
    let log = bench.open(unclean(&log));
    let marks = log.partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end), (Offset(2), Offset(3)));
}

/// What is brought to stable storage while a log is cut, or begins anew, says nothing of what comes in its place.
#[test]
fn a_flush_from_before_a_cut_does_not_count() {
    for fully in [false, true] {
        let bench = Bench::new(RealDisk);
        let mut log = bench.create();
        append(&mut log, plain(3, 10)).unwrap();
        append(&mut log, plain(3, 10)).unwrap();
        let ticket = log.ticket(Offset(6), Box::new(|_| ())).unwrap();
        match fully {
            true => log.truncate_fully(Offset(0), NOW).unwrap(),
            false => log.truncate(Offset(3), NOW).unwrap(),
        }
        append(&mut log, plain(9, 10)).unwrap();
        (ticket.done)(Ok(()));
        assert_eq!(log.recovery_point(), Offset(0));
    }
}

#[test]
fn a_cut_below_the_high_watermark_is_told_and_one_above_is_not() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    let followed = [NodeId(1), NodeId(2)];
    log.set_in_sync(followed, []);
    append(&mut log, plain(3, 10)).unwrap();
    append(&mut log, plain(3, 10)).unwrap();
    log.truncate(Offset(3), NOW).unwrap();
    assert_eq!((log.partition().watermarks().high_watermark, bench.home.committed_cuts()), (Offset(0), 0));
    log.truncate_fully(Offset(3), NOW).unwrap();
    assert_eq!(bench.home.committed_cuts(), 0, "as of a follower whose leader has deleted what it lacks");
    log.set_in_sync([NodeId(1)], []);
    append(&mut log, plain(3, 10)).unwrap();
    append(&mut log, plain(3, 10)).unwrap();
    assert_eq!(log.partition().watermarks().high_watermark, Offset(9));
    log.truncate(Offset(9), NOW).unwrap();
    assert_eq!(bench.home.committed_cuts(), 0, "nothing was cut");
    log.truncate(Offset(6), NOW).unwrap();
    assert_eq!(bench.home.committed_cuts(), 1);
    log.truncate_fully(Offset(0), NOW).unwrap();
    assert_eq!(bench.home.committed_cuts(), 2);
}

/// A time leads only those readers to a record who are shown it.
#[test]
fn no_time_leads_a_reader_to_what_it_is_not_shown() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    log.set_in_sync([NodeId(1), NodeId(2)], []);
    for (base, producer) in [(0, -1), (2, 9), (4, -1)] {
        let producer = (ProducerId(producer), ProducerEpoch(if producer < 0 { -1 } else { 0 }), Sequence(0));
        let transactional = producer.0.0 >= 0;
        let mut builder =
            BatchBuilder::new(BatchOptions { producer, transactional, ..BatchOptions::default() });
        for at in [base, base + 1] {
            builder.push(Timestamp(NOW.0 + at), None, Some(b"x"), &[]);
        }
        append(&mut log, builder.finish_uncompressed()).unwrap();
    }
    // The second batch is one of an open transaction, the third is not on the follower yet.
    log.follower_reached(NodeId(2), Offset(4));
    let decompressors = &mut Decompressors::default();
    let mut found = |time: Timestamp, isolation| {
        log.offset_for_timestamp(time, isolation, decompressors).unwrap().map(|found| found.offset.0)
    };
    for (isolation, shown) in
        [(Isolation::LogEnd, 6), (Isolation::HighWatermark, 4), (Isolation::LastStableOffset, 2)]
    {
        assert_eq!(found(LATEST, isolation), Some(shown), "{isolation:?}");
        for offset in 0..6 {
            let expected = (offset < shown).then_some(offset);
            assert_eq!(found(Timestamp(NOW.0 + offset), isolation), expected, "{isolation:?}");
        }
        assert_eq!(found(MAX_TIMESTAMP, isolation), (shown == 6).then_some(5), "{isolation:?}");
    }
}

/// Of records of one time the first is the youngest, as in Kafka, in whichever segment.
#[test]
fn of_the_youngest_records_of_one_time_the_first_is_told() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    let of_time = |at: i64| {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.push(Timestamp(NOW.0 + at), None, Some(&[b'x'; 600]), &[]);
        builder.finish_uncompressed()
    };
    for at in [5, 9, 3, 9, 9, 1, 9] {
        append(&mut log, of_time(at)).unwrap();
    }
    assert!(log.segment_count() >= 3);
    let decompressors = &mut Decompressors::default();
    for restarts in [false, true] {
        let found = log.offset_for_timestamp(MAX_TIMESTAMP, Isolation::LogEnd, decompressors).unwrap();
        assert_eq!(found.map(|found| (found.timestamp.0 - NOW.0, found.offset.0)), Some((9, 1)));
        if !restarts {
            let checkpoints = unclean(&log);
            drop(log);
            log = bench.open(checkpoints);
        }
    }
}

#[test]
fn a_slice_says_when_it_was_written_if_that_is_not_long_ago() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(1, 50)).unwrap();
    let second = Timestamp(NOW.0 / 1000 * 1000);
    assert_eq!(log.read(Offset(0), Offset(1), 1000, true).unwrap().written, Some(second));
    log.close().unwrap();
    let checkpoints = Checkpoints { clean: true, ..unclean(&log) };
    drop(log);
    let mut log = bench.open(checkpoints);
    assert_eq!(log.read(Offset(0), Offset(1), 1000, true).unwrap().written, None, "before this start");
    append(&mut log, plain(1, 50)).unwrap();
    let written = [0, 1].map(|from| log.read(Offset(from), Offset(2), 1000, true).unwrap().written);
    assert_eq!(written, [None, Some(second)]);
}
