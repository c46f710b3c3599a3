//! What a log takes that was written elsewhere: a follower's, or a copy in another directory.

use protocol::records::batch::TimestampType;
use protocol::records::compression::Compressors;
use protocol::records::legacy::{LegacyBuilder, LegacyOptions};

use super::*;

/// A log of messages from before there were batches, as an old Kafka has left it.
fn old_log(bench: &Bench<RealDisk>) -> Log<RealDisk> {
    let log = bench.create();
    let options = LegacyOptions {
        magic: 1,
        compression: Compression::from(Codec::None),
        timestamp_type: TimestampType::CreateTime,
    };
    let mut builder = LegacyBuilder::new(options);
    for offset in 0..3 {
        builder.push(Offset(offset), NOW, Some(b"k"), Some(b"v"));
    }
    let path = log.path().join("00000000000000000000.log");
    drop(log);
    std::fs::write(path, builder.finish(&mut Compressors::default()).unwrap()).unwrap();
    bench.open(Checkpoints::nothing())
}

#[test]
fn nothing_is_copied_to_a_full_disk_whatever_its_format() {
    let (old, new) = (Bench::new(RealDisk), Bench::new(RealDisk));
    let mut recent = new.create();
    append(&mut recent, plain(3, 10)).unwrap();
    for mut log in [old_log(&old), recent] {
        let there = Bench::new(RealDisk);
        let mut copy = there.create();
        copy.become_follower(EPOCH);
        let piece = log.piece_from(Offset(0), 1 << 20).unwrap();
        let state = there.home.state();
        state.note(&Fault::io("write", there.home.path(), Errno::NOSPC.into()));
        assert!(copy.take_copied(&piece, NOW).unwrap_err().no_space());
        assert_eq!(copy.size(), 0);
        state.has_room();
        assert_eq!(copy.take_copied(&piece, NOW).unwrap(), piece.bytes.len() as u64);
        assert_eq!(copy.partition().watermarks().log_end, Offset(3));
    }
}

#[test]
fn an_old_message_that_is_broken_is_not_copied() {
    let (old, there) = (Bench::new(RealDisk), Bench::new(RealDisk));
    let mut copy = there.create();
    copy.become_follower(EPOCH);
    let mut piece = old_log(&old).piece_from(Offset(0), 1 << 20).unwrap();
    *piece.bytes.last_mut().unwrap() ^= 1;
    let refused = copy.take_copied(&piece, NOW).unwrap_err().to_string();
    assert!(refused.contains("a message that carries CRC"), "{refused}");
    assert_eq!(copy.partition().watermarks().log_end, Offset(2), "those before it are whole");
}

#[test]
fn epochs_of_what_was_written_elsewhere_are_on_disk_before_they_are_not_learned_again() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    for (epoch, base) in [(4, 0), (5, 1)] {
        let leader_epoch = LeaderEpoch(epoch);
        log.become_follower(leader_epoch);
        let options = BatchOptions { base_offset: Offset(base), leader_epoch, ..BatchOptions::default() };
        log.append_replicated(leader_epoch, &data(1, 10, options), NOW).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap().unwrap();
    }
    assert_eq!(epochs(&log), (vec![(4, 0), (5, 1)], vec![(4, 0), (5, 1)]));
}

/// A follower of producer 9, who has written one batch.
fn follower(disk: &ScriptedDisk) -> (Bench<ScriptedDisk>, Log<ScriptedDisk>) {
    let bench = Bench::new(disk.clone());
    let mut log = bench.create();
    append(&mut log, of_producer(9, 0, 1, false)).unwrap();
    flush(&mut log);
    log.become_follower(LeaderEpoch(5));
    (bench, log)
}

fn flush(log: &mut Log<ScriptedDisk>) {
    let (tell, told) = std::sync::mpsc::channel();
    log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
    told.recv().unwrap().unwrap();
}

fn from_leader(base: i64, payload: usize) -> Vec<u8> {
    let (base_offset, leader_epoch) = (Offset(base), LeaderEpoch(5));
    data(1, payload, BatchOptions { base_offset, leader_epoch, ..BatchOptions::default() })
}

/// Recovery does not learn it again once the recovery point has passed its first batch.
#[test]
fn an_epoch_is_on_disk_though_a_batch_behind_its_first_one_failed() {
    let disk = ScriptedDisk::default();
    let (_bench, mut log) = follower(&disk);
    disk.fail_after(1, "pwrite", ".log", Errno::MFILE);
    let both = [from_leader(1, 10), from_leader(2, 10)].concat();
    log.append_replicated(LeaderEpoch(5), &both, NOW).unwrap_err();
    assert_eq!(log.partition().watermarks().log_end, Offset(2));
    flush(&mut log);
    assert_eq!(epochs(&log), (vec![(3, 0), (5, 1)], vec![(3, 0), (5, 1)]));
}

/// Another leader may have what lies before that segment, and whoever counts on the snapshot would know its producers as
/// they were before it.
#[test]
fn a_snapshot_made_for_a_segment_that_could_not_begin_does_not_stay_behind_the_end() {
    let disk = ScriptedDisk::default();
    let (bench, mut log) = follower(&disk);
    let snapshot = log.path().join("00000000000000000050.snapshot");
    disk.fail_once("open", "00000000000000000050.log", Errno::NOSPC);
    log.append_replicated(LeaderEpoch(5), &from_leader(50, 1450), NOW).unwrap_err();
    assert!(bench.home.look_for_room());
    assert!(disk.count("rename", "50.snapshot.tmp") == 1 && !snapshot.exists());
    lead_at(&mut log, 6);
    let append = Append { leader_epoch: LeaderEpoch(6), ..client() };
    for sequence in 1..50 {
        log.append(append, &mut of_producer(9, sequence, 1, false), &mut Scratch::default()).unwrap();
    }
    log.roll(NOW).unwrap();
    let checkpoints = Checkpoints { recovery_point: Offset(50), ..unclean(&log) };
    drop(log);
    let mut log = bench.open(checkpoints);
    let appended = log.append(client(), &mut of_producer(9, 49, 1, false), &mut Scratch::default()).unwrap();
    assert!(matches!(appended, Appended::Duplicate(_)), "{appended:?}");
}

/// What was flushed for the segment that was begun says nothing of what comes before it.
#[test]
fn a_batch_behind_a_gap_that_could_not_be_written_vouches_for_none_in_the_gap() {
    let disk = ScriptedDisk::default();
    let (_bench, mut log) = follower(&disk);
    disk.fail_once("pwrite", "00000000000000000050.log", Errno::MFILE);
    log.append_replicated(LeaderEpoch(5), &from_leader(50, 1450), NOW).unwrap_err();
    // What was handed in when the segment was begun is through before this is.
    flush(&mut log);
    assert_eq!((log.partition().watermarks().log_end, log.recovery_point()), (Offset(1), Offset(1)));
}

/// Compaction may have left nothing at the very end, and retention may be faster than a copy.
#[test]
fn a_copy_begins_and_ends_where_its_log_does() {
    let (mut here, there) = (Bench::new(RealDisk), Bench::new(RealDisk));
    here.config.append.compacted = true;
    let mut log = here.create();
    for _ in 0..6 {
        append(&mut log, keyed()).unwrap();
    }
    let mut copy = there.create();
    copy.become_follower(EPOCH);
    let first = log.piece_from(Offset(0), 1).unwrap();
    copy.take_copied(&first, NOW).unwrap();
    assert_eq!(copy.partition().watermarks().log_end, Offset(1));
    log.delete_records(Offset(4)).unwrap();
    let checkpoints = Checkpoints { log_start: Offset(4), ..unclean(&log) };
    std::fs::write(log.path().join("00000000000000000009.log"), []).unwrap();
    drop(log);
    let mut log = here.open(checkpoints);
    let rest = log.piece_from(Offset(4), 1 << 20).unwrap();
    copy.take_copied(&rest, NOW).unwrap();
    assert_eq!(
        (u64::from(copy.segments.active().size()), copy.segment_bases()),
        (rest.bytes.len() as u64, vec![Offset(4)])
    );
    copy.complete_copy(&mut log, NOW).unwrap();
    let ends =
        |log: &Log<RealDisk>| (log.partition().watermarks().log_start, log.partition().watermarks().log_end);
    assert_eq!(ends(&copy), (Offset(4), Offset(9)));
    let checkpoints = unclean(&copy);
    drop(copy);
    assert_eq!(ends(&there.open(checkpoints)), (Offset(4), Offset(9)), "no offset is given to two records");
}

fn keyed() -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(NOW, Some(b"k"), Some(b"v"), &[]);
    builder.finish_uncompressed()
}

/// It would be written once more with each attempt, and the log would not open again.
#[test]
fn a_marker_that_cannot_be_read_is_not_written() {
    let (_bench, mut log) = follower(&ScriptedDisk::default());
    let options = BatchOptions {
        base_offset: Offset(1),
        leader_epoch: LeaderEpoch(5),
        producer: (ProducerId(9), ProducerEpoch(0), Sequence::NONE),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    builder.push(NOW, Some(b"?"), Some(b"?"), &[]);
    let (marker, size) = (builder.finish_uncompressed(), log.size());
    for _ in 0..2 {
        let refused = log.append_replicated(LeaderEpoch(5), &marker, NOW).unwrap_err();
        assert!(matches!(refused, AppendError::Refused(AppendRefusal::ControlRecord(_))), "{refused}");
    }
    assert_eq!((log.size(), log.partition().watermarks().log_end), (size, Offset(1)));
}
