//! Where something begins or ends exactly: segments to the byte, and look-ups by time at a log start within a batch.

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
