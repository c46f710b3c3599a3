//! What a look-up costs in a log of many segments beside one of a single segment, in calls of the disk: what is sent by a
//! fetch is read elsewhere, once in either.

use super::*;

/// Batches of a segment, each of one record.
const BATCHES: i64 = 60;
const PAYLOAD: usize = 2_000;

/// A log of so many segments that was closed and opened again: nothing of it is remembered.
fn reopened(segments: i64) -> (Bench<ScriptedDisk>, Log<ScriptedDisk>) {
    let temp = tempfile::tempdir().unwrap();
    let descriptors = Descriptors::new(ScriptedDisk::default(), 200);
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
            let mut builder = BatchBuilder::new(BatchOptions::default());
            builder.push(time_of(segment * BATCHES + at), None, Some(&[b'x'; PAYLOAD]), &[]);
            append(&mut log, builder.finish_uncompressed()).unwrap();
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
    let mut decompressors = Decompressors::default();
    let found = log.offset_for_timestamp(time_of(offset.0), Isolation::LogEnd, &mut decompressors);
    assert_eq!(found.unwrap().unwrap().offset, offset);
}

/// The calls of a look-up each, the first time and again, over all offsets of a log.
fn calls(segments: i64, look_up: impl Fn(&mut Log<ScriptedDisk>, Offset)) -> [f64; 2] {
    let (bench, mut log) = reopened(segments);
    [(); 2].map(|()| {
        bench.home.disk().reset();
        offsets(segments).for_each(|offset| look_up(&mut log, offset));
        bench.home.disk().total() as f64 / (segments * BATCHES) as f64
    })
}

#[test]
fn a_look_up_by_offset_takes_no_more_calls_where_much_is_stored() {
    let [small, again_small] = calls(1, look_up);
    let [first, again] = calls(50, look_up);
    // Most find that another look-up has learnt their place.
    assert!(first <= 0.3, "{first} calls each, {small} in a small log");
    assert_eq!((again, again_small), (0.0, 0.0), "every place is known by now");
}

#[test]
fn a_look_up_by_time_takes_no_more_calls_where_much_is_stored() {
    let [small, again_small] = calls(1, look_up_time);
    let [first, again] = calls(50, look_up_time);
    assert!(first <= small + 0.4 && first <= 1.5, "{first} calls each, {small} in a small log");
    assert!(again <= again_small + 0.1 && again <= 1.1, "{again} calls each, {again_small} in a small log");
}
