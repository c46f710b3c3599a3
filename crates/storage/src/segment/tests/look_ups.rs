//! What a look-up costs in calls of the disk, in segments of which nothing is remembered: a few for the first in a segment,
//! one or two for each place after that, none for a place that was looked up before.

use super::*;
use crate::scripted_disk::guarded;

/// The numbers below `count` in an order without order.
fn shuffled(count: u32) -> impl Iterator<Item = i64> {
    // A prime larger than any count here comes by each of them once.
    (0..count).map(move |at| (i64::from(at) * 2_654_435_761) % i64::from(count))
}

/// Looks a batch of three records up by each of its offsets in turn.
fn look_up(segment: &mut Segment<ScriptedDisk>, number: i64, size: u32) {
    let found = segment.find(Offset(number * 3 + number % 3)).unwrap();
    assert_eq!(found, Some((number as u32 * size, size)), "{number}");
}

/// A small segment of which nothing is remembered, how many batches it has, and of which size.
fn small(dir: &Dir) -> (Segment<ScriptedDisk>, u32, u32) {
    let size = batch(0, 400).len() as u32;
    let count = WHOLE / size;
    let segment = dir.filled(i64::from(count), 400);
    let segment = dir.reopened(segment);
    dir.descriptors.close_all();
    dir.descriptors.disk().reset();
    (segment, count, size)
}

#[test]
fn a_small_segment_is_learnt_by_one_read_and_its_index_is_not_opened() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let (mut segment, count, size) = small(&dir);
        let disk = dir.descriptors.disk();
        for number in shuffled(count) {
            look_up(&mut segment, number, size);
        }
        assert_eq!((disk.count("open", ".log"), disk.count("pread", ".log"), disk.total()), (1, 1, 2));
    });
}

/// Looks up when a batch of three records was the youngest.
fn look_up_time(segment: &mut Segment<ScriptedDisk>, number: i64, size: u32) {
    let found = segment.first_as_young(Timestamp(NOW.0 + number * 3 + 1), Offset::ZERO).unwrap().unwrap();
    assert_eq!((found.position, found.size), (number as u32 * size, size), "{number}");
}

#[test]
fn a_time_in_a_small_segment_is_found_by_the_same_read() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let (mut segment, count, size) = small(&dir);
        let disk = dir.descriptors.disk();
        for number in shuffled(count) {
            look_up_time(&mut segment, number, size);
            look_up(&mut segment, number, size);
        }
        assert_eq!((disk.count("open", ".log"), disk.count("pread", ".log"), disk.total()), (1, 1, 2));
        let behind = Timestamp(NOW.0 + i64::from(count) * 3);
        assert_eq!(segment.first_as_young(behind, Offset::ZERO).unwrap(), None);
    });
}

#[test]
fn a_time_in_a_larger_segment_is_found_from_the_index_on_and_then_without_a_read() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let size = batch(0, 400).len() as u32;
        let count = (1 << 20) / size;
        let segment = dir.filled(i64::from(count), 400);
        let mut segment = dir.reopened(segment);
        look_up_time(&mut segment, i64::from(count / 2), size);
        let disk = dir.descriptors.disk();
        for number in shuffled(count) {
            disk.reset();
            look_up_time(&mut segment, number, size);
            let read = disk.bytes_read(".log");
            assert!(disk.total() <= 1 && read <= u64::from(LONE), "{number}: {read} bytes read");
        }
        disk.reset();
        for number in shuffled(count) {
            look_up_time(&mut segment, number, size);
        }
        assert_eq!(disk.total(), 0, "how young they are is known by now");
    });
}

#[test]
fn a_small_index_is_read_once_and_does_not_stay_open() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let size = batch(0, 400).len() as u32;
        let count = (1 << 20) / size;
        let segment = dir.filled(i64::from(count), 400);
        let mut segment = dir.reopened(segment);
        dir.descriptors.close_all();
        let disk = dir.descriptors.disk();
        disk.reset();
        look_up(&mut segment, i64::from(count / 2), size);
        // The second read finds the end of the file.
        assert_eq!((disk.count("open", ".index"), disk.count("pread", ".index")), (1, 2));
        assert_eq!((disk.count("open", ".log"), disk.count("pread", ".log"), disk.total()), (1, 1, 5));
        assert_eq!(dir.descriptors.open(), 1, "the index was looked at and closed");
        disk.reset();
        for number in shuffled(count) {
            let before = disk.total();
            look_up(&mut segment, number, size);
            assert!(disk.total() <= before + 1, "{number}");
        }
        disk.reset();
        for number in shuffled(count) {
            look_up(&mut segment, number, size);
        }
        assert_eq!(disk.total(), 0, "all places are known by now");
    });
}

#[test]
fn in_a_large_index_the_place_is_guessed() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let size = batch(0, 1400).len() as u32;
        let segment = dir.filled(8_000, 1400);
        let mut segment = dir.reopened(segment);
        dir.descriptors.close_all();
        let disk = dir.descriptors.disk();
        disk.reset();
        look_up(&mut segment, 5_555, size);
        // The index: its front, its length and its end, and the block. The log: the place.
        assert_eq!((disk.count("open", ""), disk.count("length", ""), disk.count("pread", "")), (2, 1, 4));
        disk.reset();
        for number in shuffled(8_000).take(1_000) {
            let before = disk.total();
            look_up(&mut segment, number, size);
            assert!(disk.total() <= before + 2, "{number}: {} calls", disk.total() - before);
        }
    });
}

#[test]
fn the_front_of_a_segment_is_read_far_ahead_only_for_who_comes_from_the_one_before() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let segment = dir.filled(1_000, 1400);
        let mut segment = dir.reopened(segment);
        let disk = dir.descriptors.disk();
        segment.find_for(Offset(0), false).unwrap();
        assert_eq!(disk.bytes_read(".log"), u64::from(LONE));
        let mut segment = dir.reopened(segment);
        disk.reset();
        segment.find_for(Offset(0), true).unwrap();
        assert_eq!(disk.bytes_read(".log"), u64::from(AHEAD));
    });
}

#[test]
fn of_who_looks_up_here_and_there_little_is_read_and_of_who_goes_on_much() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let size = batch(0, 400).len() as u32;
        let count = (1 << 20) / size;
        let segment = dir.filled(i64::from(count), 400);
        let mut segment = dir.reopened(segment);
        let disk = dir.descriptors.disk();
        let sent = |segment: &mut Segment<ScriptedDisk>, number: u32, batches: u32| {
            look_up(segment, i64::from(number), size);
            segment.note_checked(number * size, (number + batches) * size);
        };
        disk.reset();
        for number in shuffled(count).take(60) {
            sent(&mut segment, number as u32, 1);
        }
        let read = disk.bytes_read(".log");
        assert!(read <= u64::from(60 * LONE), "{read} bytes for 60 places");
        let mut segment = dir.reopened(segment);
        disk.reset();
        for number in (0..count - 100).step_by(100) {
            sent(&mut segment, number, 100);
        }
        assert!(disk.count("pread", ".log") <= 3, "{} reads", disk.count("pread", ".log"));
    });
}

/// In a sparse segment what lies behind is a hole, of which the system makes pages when it is read.
#[test]
fn who_looks_up_right_behind_what_another_has_looked_up_has_little_read_ahead() {
    guarded(|disk| {
        let dir = Dir::on(disk);
        let size = batch(0, 400).len() as u32;
        let count = (4 << 20) / size;
        let segment = dir.filled(i64::from(count), 400);
        let mut segment = dir.reopened(segment);
        let disk = dir.descriptors.disk();
        // The second one is found from an index entry right behind the first, where that comes out so.
        let places = (10..i64::from(count) - 10).step_by(101).flat_map(|first| [first, first + 3, first + 4]);
        let mut most = 0;
        for number in places {
            disk.reset();
            look_up(&mut segment, number, size);
            let position = number as u32 * size;
            segment.note_checked(position, position + size);
            let read = disk.bytes_read(".log");
            most = most.max(read);
        }
        assert!(most <= u64::from(16 * size), "{most} bytes");
    });
}
