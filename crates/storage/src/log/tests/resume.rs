//! Where recovery begins: at a point that holds, or at the front of the segment.

use super::*;
use crate::names::SegmentFile;
use crate::resume_point::{RESUME_POINT, ResumePoint};
use crate::segment::Segment;

const BYTES: u32 = 2000;

fn bench() -> Bench<RealDisk> {
    bench_on(RealDisk)
}

fn bench_on<D: Disk>(disk: D) -> Bench<D> {
    let mut bench = Bench::new(disk);
    bench.config.recovery_bytes = Some(BYTES);
    bench.config.roll.segment_bytes = 1 << 20;
    bench
}

/// What the thread in the background does until nothing is due, with all it asks for on stable storage in between.
fn advance<D: Disk>(log: &mut Log<D>) {
    for _ in 0..3 {
        if !log.home().take_resume_due().is_empty() && log.advance_resume_point().unwrap() {
            let name = log.name().clone();
            log.home().note_resume_due(&name);
        }
        sync(log);
    }
}

/// Waits until all that was asked for is on stable storage.
fn sync<D: Disk>(log: &mut Log<D>) {
    let (tell, told) = std::sync::mpsc::channel();
    log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
    told.recv().unwrap().unwrap();
}

fn point<D: Disk>(log: &Log<D>) -> Option<ResumePoint> {
    ResumePoint::read(log.home().disk(), log.path()).unwrap()
}

/// Appends of two producers, of one's transactions that are aborted, and of anybody, from the round `first` on.
fn rounds<D: Disk>(log: &mut Log<D>, first: i32, count: i32) {
    for round in first..first + count {
        append(log, of_producer(9, 2 * round, 2, false)).unwrap();
        append(log, of_producer(11, round, 1, true)).unwrap();
        append(log, plain(3, 30)).unwrap();
        let marker = EndMarker { committed: round % 2 == 0, coordinator_epoch: CoordinatorEpoch(0) };
        let mut marker = marker.batch(ProducerId(11), ProducerEpoch(0), EPOCH, NOW);
        log.append(coordinator(), &mut marker, &mut Scratch::default()).unwrap();
        advance(log);
    }
}

/// All that can be asked of a log.
fn picture<D: Disk>(log: &mut Log<D>) -> String {
    let marks = log.partition().watermarks();
    let producers: Vec<_> = log.partition().producer_snapshot().collect();
    let aborted = log.aborted_between(Offset::ZERO, marks.log_end).unwrap();
    let mut found = Vec::new();
    for offset in 0..marks.log_end.0 {
        let slice = log.read(Offset(offset), marks.log_end, 1, true).unwrap();
        found.push((slice.position, slice.first_batch));
    }
    let mut decompressors = Decompressors::default();
    let times: Vec<_> = (0..4)
        .map(|at| {
            let time = Timestamp(NOW.0 + at);
            log.offset_for_timestamp(time, Isolation::LogEnd, &mut decompressors).unwrap()
        })
        .collect();
    format!("{marks:?} {producers:?} {aborted:?} {found:?} {times:?} {:?}", epochs(log).0)
}

/// The log as the next process finds it after a kill that came before any checkpoint was written.
fn killed<D: Disk>(bench: &Bench<D>, log: Log<D>) -> Log<D> {
    let checkpoints = Checkpoints { recovery_point: Offset::ZERO, ..unclean(&log) };
    drop(log);
    bench.open(checkpoints)
}

fn spoil(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn recovery_begins_at_the_last_point_and_finds_all_there_is() {
    let bench = bench();
    let mut log = bench.create();
    rounds(&mut log, 0, 30);
    let kept = point(&log).unwrap();
    let size = log.segments.active().size();
    assert!(size - kept.position >= BYTES, "in flight is told one by one");
    assert!(size - kept.position <= 2 * BYTES + 600, "{size} {kept:?}");
    let before = picture(&mut log);
    let path = SegmentFile::Log.path(log.path(), Offset::ZERO);
    let mut log = killed(&bench, log);
    assert_eq!(picture(&mut log), before);
    assert_eq!(log.recovery_point(), kept.offset);
    // Further on, and once more: what lies in front of the point is not looked at.
    rounds(&mut log, 30, 15);
    assert!(point(&log).unwrap().offset > kept.offset);
    let end = log.partition().watermarks().log_end;
    spoil(&path, |bytes| bytes[90] ^= 1);
    let log = killed(&bench, log);
    assert_eq!(log.partition().watermarks().log_end, end);
    // Without a point it is.
    std::fs::remove_file(log.path().join(RESUME_POINT)).unwrap();
    let log = killed(&bench, log);
    assert_eq!(log.partition().watermarks().log_end, Offset::ZERO);
}

#[test]
fn a_point_that_does_not_hold_is_passed_over_for_good() {
    type Damage<'a> = &'a dyn Fn(&Path, &ResumePoint);
    let file = |kind: SegmentFile, directory: &Path, offset| kind.path(directory, offset);
    let shorter = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let damages: [(&str, Damage<'_>); 7] = [
        ("half a file", &|directory, _| spoil(&directory.join(RESUME_POINT), shorter)),
        ("no snapshot", &|directory, point| {
            std::fs::remove_file(file(SegmentFile::ProducerSnapshot, directory, point.offset)).unwrap();
        }),
        ("half a snapshot", &|directory, point| {
            spoil(&file(SegmentFile::ProducerSnapshot, directory, point.offset), shorter);
        }),
        ("half the leader epochs", &|directory, _| {
            spoil(&directory.join(crate::checkpoint::LEADER_EPOCH), shorter);
        }),
        ("half an index", &|directory, point| {
            spoil(&file(SegmentFile::OffsetIndex, directory, point.base), shorter);
        }),
        ("another index", &|directory, point| {
            let at = point.entries[0] as usize * 8 - 1;
            spoil(&file(SegmentFile::OffsetIndex, directory, point.base), |bytes| bytes[at] ^= 1);
        }),
        ("another transaction index", &|directory, point| {
            let at = point.entries[2] as usize * 34 - 1;
            spoil(&file(SegmentFile::TransactionIndex, directory, point.base), |bytes| bytes[at] ^= 1);
        }),
    ];
    for (what, damage) in damages {
        let bench = bench();
        let mut log = bench.create();
        rounds(&mut log, 0, 30);
        let (before, kept) = (picture(&mut log), point(&log).unwrap());
        damage(log.path(), &kept);
        let mut log = killed(&bench, log);
        // What was torn is written again.
        sync(&mut log);
        assert_eq!(picture(&mut log), before, "{what}");
        assert!(!log.path().join(RESUME_POINT).exists(), "{what}");
        rounds(&mut log, 30, 10);
    }
}

#[test]
fn a_log_that_is_cut_or_ends_in_order_has_no_point() {
    let bench = bench();
    let mut log = bench.create();
    rounds(&mut log, 0, 30);
    let kept = point(&log).unwrap();
    log.truncate(Offset(kept.offset.0 - 20), NOW).unwrap();
    assert_eq!(point(&log), None);
    let end = log.partition().watermarks().log_end;
    let mut log = killed(&bench, log);
    assert_eq!(log.partition().watermarks().log_end, end);
    for _ in 0..60 {
        append(&mut log, plain(3, 30)).unwrap();
        advance(&mut log);
    }
    assert!(point(&log).is_some());
    log.close().unwrap();
    assert_eq!(point(&log), None);
}

/// A segment that is large when the log is opened is not read as a whole after the next kill.
#[test]
fn a_large_segment_gets_a_point_with_the_first_record_that_comes() {
    let bench = bench();
    let mut log = bench.create();
    for round in 0..40 {
        append(&mut log, of_producer(9, 3 * round, 3, false)).unwrap();
    }
    let end = log.close().unwrap();
    let mut log = bench.open(Checkpoints { clean: true, recovery_point: end, ..unclean(&log) });
    append(&mut log, of_producer(9, 120, 3, false)).unwrap();
    advance(&mut log);
    let end = log.partition().watermarks().log_end;
    assert_eq!(point(&log).map(|point| point.offset), Some(end));
    let before = picture(&mut log);
    let mut log = killed(&bench, log);
    assert_eq!(picture(&mut log), before);
}

/// The last points of segments are taken over from one to the next.
#[test]
fn points_go_on_in_the_next_segment() {
    let mut bench = bench();
    bench.config.roll.segment_bytes = 5000;
    let mut log = bench.create();
    rounds(&mut log, 0, 60);
    let kept = point(&log).unwrap();
    assert!(kept.base > Offset::ZERO);
    let bases = log.segment_bases();
    let strays = log.snapshots.as_slice().iter().filter(|offset| !bases.contains(offset)).count();
    assert!(strays <= 3, "{:?} {bases:?}", log.snapshots);
    let before = picture(&mut log);
    let mut log = killed(&bench, log);
    assert_eq!(picture(&mut log), before);
}

/// Appends until a place is due.
fn grow<D: Disk>(log: &mut Log<D>) {
    while log.home().take_resume_due().is_empty() {
        append(log, plain(3, 30)).unwrap();
    }
}

#[test]
fn a_place_that_is_on_its_way_to_stable_storage_does_not_count_and_the_next_one_waits_for_it() {
    let disk = ScriptedDisk::default();
    let bench = bench_on(disk.clone());
    let mut log = bench.create();
    let held = disk.hold_syncs();
    grow(&mut log);
    assert!(log.advance_resume_point().unwrap(), "the first is looked after until it is there");
    let first = log.partition().watermarks().log_end;
    assert!(log.advance_resume_point().unwrap() && point(&log).is_none());
    drop(held);
    sync(&mut log);
    assert!(!log.advance_resume_point().unwrap());
    assert_eq!(point(&log).unwrap().offset, first);
    // The disk does not keep up with the appends.
    grow(&mut log);
    let held = disk.hold_syncs();
    assert!(!log.advance_resume_point().unwrap());
    let (second, snapshots) = (log.partition().watermarks().log_end, log.snapshots.as_slice().len());
    for _ in 0..3 {
        let before = log.segments.active().size();
        grow(&mut log);
        let grown = log.segments.active().size() - before;
        assert!(!log.advance_resume_point().unwrap());
        assert_eq!((point(&log).unwrap().offset, log.snapshots.as_slice().len()), (first, snapshots));
        assert!(grown >= BYTES / 4, "{grown} bytes, and it is looked at again");
    }
    drop(held);
    sync(&mut log);
    grow(&mut log);
    assert!(!log.advance_resume_point().unwrap());
    assert_eq!(point(&log).unwrap().offset, second);
    let before = picture(&mut log);
    let mut log = killed(&bench, log);
    assert_eq!((picture(&mut log), log.recovery_point()), (before, second));
}

#[test]
fn a_place_whose_sync_fails_is_none() {
    let disk = ScriptedDisk::default();
    let bench = bench_on(disk.clone());
    let mut log = bench.create();
    grow(&mut log);
    disk.fail_once("fdatasync", ".timeindex", Errno::IO);
    let held = disk.hold_syncs();
    assert!(log.advance_resume_point().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    // It comes after that one, and is told of it.
    log.flush(NOW, Box::new(move |outcome| tell.send(outcome.is_err()).unwrap())).unwrap();
    drop(held);
    assert!(told.recv().unwrap());
    assert!(log.advance_resume_point().is_err() && point(&log).is_none());
}

/// How much recovery would read of the log.
fn behind_point<D: Disk>(log: &Log<D>) -> u32 {
    let kept = point(log).unwrap();
    let segments = log.segments.iter().filter(|segment| segment.base() >= kept.base);
    segments.map(Segment::size).sum::<u32>() - kept.position
}

#[test]
fn what_lies_behind_the_point_is_bounded_whatever_the_size_of_the_segments() {
    for segment_bytes in [700, 1900, 3500, 3900] {
        let mut bench = bench();
        bench.config.roll.segment_bytes = segment_bytes;
        let mut log = bench.create();
        rounds(&mut log, 0, 20);
        for round in 20..80 {
            rounds(&mut log, round, 1);
            let behind = behind_point(&log);
            assert!(behind <= 2 * BYTES + 800, "{behind} bytes in segments of {segment_bytes}");
        }
        let before = picture(&mut log);
        assert_eq!(picture(&mut killed(&bench, log)), before, "segments of {segment_bytes}");
    }
}

#[test]
fn a_place_that_was_due_when_the_segment_ended_is_taken_in_the_next_one() {
    let bench = bench();
    let mut log = bench.create();
    grow(&mut log);
    log.roll(NOW).unwrap();
    let due = |log: &mut Log<RealDisk>| !log.home().take_resume_due().is_empty();
    assert!(!log.advance_resume_point().unwrap() && !due(&mut log), "there is nothing in it");
    append(&mut log, plain(3, 30)).unwrap();
    assert!(due(&mut log) && log.advance_resume_point().unwrap());
    sync(&mut log);
    log.advance_resume_point().unwrap();
    assert_eq!(point(&log).unwrap().offset, log.partition().watermarks().log_end);
}

#[test]
fn a_log_that_was_cut_gets_its_next_place_as_soon_as_any() {
    let bench = bench();
    let mut log = bench.create();
    rounds(&mut log, 0, 40);
    log.truncate(Offset(10), NOW).unwrap();
    let (before, _) = (log.segments.active().size(), log.home().take_resume_due());
    grow(&mut log);
    let grown = log.segments.active().size() - before;
    assert!(grown <= BYTES + 200, "{grown} bytes before the next place");
}

#[test]
fn a_point_holds_for_one_start_after_another() {
    let bench = bench();
    let mut log = bench.create();
    rounds(&mut log, 0, 30);
    let kept = point(&log).unwrap();
    for _ in 0..3 {
        log = killed(&bench, log);
        assert_eq!(log.recovery_point(), kept.offset);
    }
}

/// As where another program has cut the log there and gone on.
#[test]
fn a_point_behind_another_batch_is_none() {
    let bench = bench();
    let mut log = bench.create();
    rounds(&mut log, 0, 30);
    let (kept, end) = (point(&log).unwrap(), log.partition().watermarks().log_end);
    let last = kept.last as usize..kept.position as usize;
    spoil(&SegmentFile::Log.path(log.path(), kept.base), |bytes| {
        let batch = &mut bytes[last.clone()];
        // The times in its header.
        batch[34] ^= 1;
        batch[42] ^= 1;
        let checksum = protocol::records::checksum::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    });
    let log = killed(&bench, log);
    assert_eq!(log.partition().watermarks().log_end, end);
    assert!(!log.path().join(RESUME_POINT).exists());
}

#[test]
fn a_full_disk_has_no_room_for_points() {
    let bench = bench();
    let mut log = bench.create();
    grow(&mut log);
    log.home().state().note(&Fault::io("write", log.path(), Errno::NOSPC.into()));
    assert!(!log.advance_resume_point().unwrap());
    assert!(log.snapshots.as_slice().is_empty());
}

/// What this start has not read may have rotted, and may hold the youngest record of all.
#[test]
fn what_lies_in_front_of_a_point_is_neither_forgotten_nor_taken_for_checked() {
    let bench = bench();
    let mut log = bench.create();
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(Timestamp(NOW.0 + 5000), None, Some(b"young"), &[]);
    append(&mut log, builder.finish_uncompressed()).unwrap();
    rounds(&mut log, 0, 30);
    let kept = point(&log).unwrap();
    let mut log = killed(&bench, log);
    assert_eq!(log.recovery_point(), kept.offset);
    let end = log.partition().watermarks().log_end;
    let checked = [Offset(0), kept.offset].map(|from| log.read(from, end, 1, true).unwrap().checked);
    assert_eq!(checked, [false, true]);
    let largest = log.segments.iter_mut().next().unwrap().largest().unwrap().unwrap();
    assert_eq!((largest.timestamp, largest.offset.0), (Timestamp(NOW.0 + 5000), 0));
}
