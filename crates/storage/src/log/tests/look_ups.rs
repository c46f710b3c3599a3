//! What a look-up costs in a log of many segments beside one of a single segment, in calls of the disk: what is sent by a
//! fetch is read elsewhere, once in either.

use super::*;
use crate::names::SegmentFile;

/// Batches of a segment, each of one record.
const BATCHES: i64 = 60;
const PAYLOAD: usize = 2_000;

/// A log of so many segments that was closed and opened again: nothing of it is remembered.
fn reopened(segments: i64, disk: ScriptedDisk) -> (Bench<ScriptedDisk>, Log<ScriptedDisk>) {
    let temp = tempfile::tempdir().unwrap();
    let descriptors = Descriptors::new(disk, 200);
    let home = Arc::new(LogDirectory::start(temp.path(), Uuid([7; 16]), descriptors, 0).unwrap());
    let roll = RollRules { segment_bytes: 1 << 30, ..LogConfig::default().roll };
    let config = LogConfig { roll, index_interval_bytes: 4096, ..LogConfig::default() };
    let bench = Bench { _temp: temp, home, config };
    let mut log = bench.create();
    for segment in 0..segments {
        if segment > 0 {
            log.roll(NOW).unwrap();
        }
        for at in 0..BATCHES {
            append(&mut log, sized_batch(time_of(segment * BATCHES + at))).unwrap();
        }
        // What is still to be synced is held open.
        let (tell, told) = std::sync::mpsc::channel();
        log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap().unwrap();
    }
    let checkpoints = Checkpoints { clean: true, ..unclean(&log) };
    log.close().unwrap();
    drop(log);
    let mut log = bench.open(checkpoints);
    // The tail is where appends go: what they need of it is known.
    append(&mut log, plain(1, 1)).unwrap();
    // A start closes what it has looked into.
    bench.home.descriptors().close_all();
    bench.home.disk().reset();
    (bench, log)
}

/// A batch of one record.
fn sized_batch(time: Timestamp) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(time, None, Some(&[b'x'; PAYLOAD]), &[]);
    builder.finish_uncompressed()
}

fn time_of(offset: i64) -> Timestamp {
    Timestamp(NOW.0 + offset)
}

/// The offsets of a log in an order without order.
fn offsets(segments: i64) -> impl Iterator<Item = Offset> {
    let count = segments * BATCHES;
    // A prime larger than any count here comes by each of them once.
    (0..count).map(move |at| Offset(at * 2_654_435_761 % count))
}

fn look_up(log: &mut Log<ScriptedDisk>, offset: Offset) {
    let (current_leader_epoch, last_fetched_epoch) = (EPOCH, LeaderEpoch::NONE);
    let isolation = Isolation::LogEnd;
    let from = FetchFrom { offset, current_leader_epoch, last_fetched_epoch, isolation };
    let slice = log.fetch(from, 1, true).unwrap().slice.unwrap();
    let size = u64::from(slice.length);
    assert_eq!(slice.position, (offset.0 % BATCHES) as u64 * size, "{offset}");
}

fn look_up_time(log: &mut Log<ScriptedDisk>, offset: Offset) {
    look_up_time_in(log, time_of(offset.0), offset);
}

/// The calls of a look-up each, the first time and again, over all offsets of a log.
fn calls(segments: i64, disk: ScriptedDisk, look_up: impl Fn(&mut Log<ScriptedDisk>, Offset)) -> [f64; 2] {
    let (bench, mut log) = reopened(segments, disk);
    [(); 2].map(|()| {
        bench.home.disk().reset();
        offsets(segments).for_each(|offset| look_up(&mut log, offset));
        bench.home.disk().total() as f64 / (segments * BATCHES) as f64
    })
}

#[test]
fn a_look_up_by_offset_takes_no_more_calls_where_much_is_stored() {
    let [small, again_small] = calls(1, ScriptedDisk::default(), look_up);
    guarded(|disk| {
        let [first, again] = calls(50, disk, look_up);
        // Most find that another look-up has learnt their place.
        assert!(first <= 0.3, "{first} calls each, {small} in a small log");
        assert_eq!((again, again_small), (0.0, 0.0), "every place is known by now");
    });
}

#[test]
fn a_look_up_by_time_takes_no_more_calls_where_much_is_stored() {
    let [small, again_small] = calls(1, ScriptedDisk::default(), look_up_time);
    guarded(|disk| {
        let [first, again] = calls(50, disk, look_up_time);
        println!("{first} and {again} calls each, {small} and {again_small} in a small log");
        assert!(first <= small + 0.4 && first <= 1.5, "{first} calls each, {small} in a small log");
    });
    guarded(|disk| {
        let [_, again] = calls(50, disk, look_up_time);
        assert!(
            again <= again_small + 0.1 && again <= 1.1,
            "{again} calls each, {again_small} in a small log"
        );
    });
}

#[test]
fn who_looks_a_time_up_again_reads_the_batch_it_is_in_and_nothing_else() {
    guarded(|disk| {
        let (bench, mut log) = reopened(50, disk);
        offsets(50).for_each(|offset| look_up_time(&mut log, offset));
        bench.home.disk().reset();
        let batch = u64::try_from(sized_batch(NOW).len()).unwrap();
        offsets(50).for_each(|offset| look_up_time(&mut log, offset));
        let (read, calls) = (bench.home.disk().bytes_read(".log"), bench.home.disk().total());
        let count = (50 * BATCHES) as u64;
        assert_eq!((read, calls as u64), (count * batch, count));
    });
}

#[test]
fn who_looks_a_time_up_first_reads_little_and_once() {
    guarded(|disk| {
        let (bench, mut log) = reopened(1, disk);
        look_up_time(&mut log, Offset(BATCHES - 1));
        bench.home.disk().reset();
        look_up_time(&mut log, Offset(20));
        // The headers from the index entry before it on, and its bytes along with them.
        let disk = bench.home.disk();
        assert_eq!((disk.total(), disk.bytes_read(".log") <= 8192), (1, true));
    });
}

fn at_hand(log: &mut Log<ScriptedDisk>, timestamp: Timestamp) -> Option<Option<Offset>> {
    let mut decompressors = Decompressors::default();
    let found = log.offset_at_hand(timestamp, Isolation::LogEnd, &mut decompressors)?;
    Some(found.map(|found| found.offset))
}

#[test]
fn what_is_in_memory_is_found_without_waiting_and_the_rest_is_left_to_who_may() {
    let (bench, mut log) = reopened(3, ScriptedDisk::default());
    let disk = bench.home.disk().clone();
    let (end, place) = (log.partition().watermarks().log_end, Offset(BATCHES + 7));
    assert_eq!(at_hand(&mut log, LATEST), Some(Some(end)), "that needs no file");
    assert_eq!(at_hand(&mut log, time_of(place.0)), None, "its files are not open");
    look_up_time(&mut log, place);
    assert_eq!(at_hand(&mut log, time_of(place.0)), Some(Some(place)));
    assert_eq!(at_hand(&mut log, MAX_TIMESTAMP), None, "all segments are asked for that");
    // The system says that a page would have to come from the disk.
    disk.fail("pread", ".log", Errno::AGAIN);
    assert_eq!(at_hand(&mut log, time_of(place.0)), None);
    assert_eq!(bench.home.state().health(), DirectoryHealth::Online);
    disk.mend();
    look_up_time(&mut log, place);
    assert_eq!(at_hand(&mut log, time_of(place.0)), Some(Some(place)));
}

#[test]
fn an_index_that_is_wrong_is_not_made_anew_by_who_may_not_wait() {
    let (_bench, mut log) = reopened(2, ScriptedDisk::default());
    let index = SegmentFile::OffsetIndex.path(log.path(), Offset::ZERO);
    let mut wrong = std::fs::read(&index).unwrap();
    // But for the last one, which tells the largest timestamp.
    wrong.chunks_mut(8).skip(5).take(18).for_each(|entry| entry[7] ^= 1);
    std::fs::write(&index, &wrong).unwrap();
    look_up_time(&mut log, Offset(3));
    assert_eq!(at_hand(&mut log, time_of(3)), Some(Some(Offset(3))));
    assert_eq!(at_hand(&mut log, time_of(40)), None);
    assert_eq!(std::fs::read(&index).unwrap(), wrong);
    look_up_time(&mut log, Offset(40));
    assert_ne!(std::fs::read(&index).unwrap(), wrong);
    assert_eq!(at_hand(&mut log, time_of(40)), Some(Some(Offset(40))));
}

/// A log without files of its own has none made by who may not wait.
#[test]
fn the_first_record_that_lies_apart_is_looked_for_by_who_may_wait() {
    let bench = Bench::new(ScriptedDisk::default());
    let config = Arc::new(bench.config.clone());
    let mut log =
        Log::plan(Arc::clone(&bench.home), Bench::<ScriptedDisk>::name(), Uuid([1; 16]), config, NOW)
            .unwrap();
    lead(&mut log);
    append(&mut log, plain(1, 10)).unwrap();
    assert!(!log.is_made());
    assert_eq!((at_hand(&mut log, LATEST), at_hand(&mut log, NOW)), (Some(Some(Offset(1))), None));
    assert!(!log.is_made());
    look_up_time_in(&mut log, NOW, Offset(0));
    assert!(log.is_made());
}

fn look_up_time_in(log: &mut Log<ScriptedDisk>, timestamp: Timestamp, offset: Offset) {
    let found = log.offset_for_timestamp(timestamp, Isolation::LogEnd, &mut Decompressors::default());
    assert_eq!(found.unwrap().unwrap().offset, offset);
}
