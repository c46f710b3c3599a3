//! The small files of a log: what brings them to stable storage, and what a power cut may leave of them.

use super::*;
use crate::producer_snapshot;

fn committed(log: &mut Log<ScriptedDisk>) {
    let (tell, told) = std::sync::mpsc::channel();
    log.commit(Box::new(move |outcome| tell.send(outcome).unwrap()));
    told.recv().unwrap().unwrap();
}

/// The log as the next process finds it after a kill.
fn again<D: Disk>(bench: &Bench<D>, log: Log<D>) -> Log<D> {
    let checkpoints = unclean(&log);
    drop(log);
    bench.open(checkpoints)
}

/// Without its id a log may be set aside by a power cut, and what was deleted of it would come back with the next of its
/// name.
#[test]
fn the_topics_id_is_on_stable_storage_before_records_are_deleted() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(3, 10)).unwrap();
    let synced = |verb, path: &Path| bench.home.disk().count(verb, &path.to_string_lossy());
    let (directory, home) = (log.path().to_owned(), bench.home.path());
    let before = (synced("fsync_dir", &directory), synced("fsync_dir", home));
    assert_eq!(synced("fdatasync", &directory.join("partition.metadata")), 0);
    log.delete_records(Offset(2)).unwrap();
    assert_eq!(synced("fdatasync", &directory.join("partition.metadata")), 1);
    let after = (synced("fsync_dir", &directory), synced("fsync_dir", home));
    assert!(after.0 > before.0 && after.1 > before.1, "with its name, and the directory's");
    committed(&mut log);
    log.delete_records(Offset(3)).unwrap();
    assert_eq!(synced("fdatasync", &directory.join("partition.metadata")), 2, "the commit was the second");
}

#[test]
fn what_a_killed_process_may_not_have_synced_the_next_one_does() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, of_producer(9, 0, 1, false)).unwrap();
    log.roll(NOW).unwrap();
    append(&mut log, of_producer(9, 1, 1, false)).unwrap();
    // The thread in the background has nothing left to do that would be counted below.
    let (tell, told) = std::sync::mpsc::channel();
    log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
    told.recv().unwrap().unwrap();
    let checkpoints = Checkpoints { recovery_point: Offset(0), ..unclean(&log) };
    drop(log);
    let mut log = bench.open(checkpoints);
    bench.home.disk().reset();
    committed(&mut log);
    for file in ["partition.metadata", "leader-epoch-checkpoint", ".snapshot", ".log"] {
        assert!(bench.home.disk().count("fdatasync", file) > 0, "{file}");
    }
    let directory = log.path().to_string_lossy().into_owned();
    assert_eq!(bench.home.disk().count("fsync_dir", &directory), 1, "and the names");
}

#[test]
fn a_torn_snapshot_of_producers_is_written_anew() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    append(&mut log, of_producer(9, 0, 2, false)).unwrap();
    log.take_snapshot(Offset(2)).unwrap();
    let path = log.path().join("00000000000000000002.snapshot");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let mut log = again(&bench, log);
    log.roll(NOW).unwrap();
    let read = producer_snapshot::read(&RealDisk, &path).unwrap();
    assert_eq!(read.map(|producers| producers.len()), Some(1), "the roll begins a segment there");
}

#[test]
fn a_torn_checkpoint_of_epochs_is_written_anew_though_no_batch_tells_of_any() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    let path = log.path().join(checkpoint::LEADER_EPOCH);
    std::fs::write(&path, "0\n1\n3").unwrap();
    let mut log = again(&bench, log);
    log.close().unwrap();
    let read = checkpoint::read_leader_epochs(&RealDisk, &path).unwrap();
    assert_eq!(read, [(EPOCH, Offset(0))], "the one that it is led in now");
}

/// Those of flushed batches are nowhere else.
#[test]
fn a_checkpoint_of_epochs_takes_the_place_of_another_whole() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(1, 10)).unwrap();
    committed(&mut log);
    lead_at(&mut log, 5);
    append_at(&mut log, 5);
    let lasting = || bench.home.disk().lasting(|_, path| path.contains(checkpoint::LEADER_EPOCH));
    let before = lasting().len();
    log.write_epochs_due().unwrap();
    let calls = lasting().split_off(before);
    let verbs: Vec<_> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    assert_eq!(verbs, ["fdatasync", "rename"], "{calls:?}");
}

/// Kafka keeps one for each segment, and the newest of all.
#[test]
fn snapshots_of_producers_that_belong_to_nothing_go_at_a_start() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    for sequence in 0..5 {
        append(&mut log, of_producer(9, sequence, 1, false)).unwrap();
        log.take_snapshot(Offset(i64::from(sequence) + 1)).unwrap();
    }
    let path = |offset: i64| format!("{offset:020}.snapshot");
    std::fs::copy(log.path().join(path(5)), log.path().join(path(9))).unwrap();
    let log = again(&bench, log);
    let names = std::fs::read_dir(log.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".snapshot")).collect::<Vec<_>>(), [path(5)]);
}

/// Where a segment begins the producers are written down, and so the names are synced; but not where a clean end has written
/// them down already.
#[test]
fn the_name_of_a_segment_is_brought_to_stable_storage_where_its_snapshot_was_there_before() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, of_producer(9, 0, 1, false)).unwrap();
    log.close().unwrap();
    let checkpoints = Checkpoints { clean: true, ..unclean(&log) };
    drop(log);
    let mut log = bench.open(checkpoints);
    bench.home.disk().reset();
    log.roll(NOW).unwrap();
    append(&mut log, of_producer(9, 1, 1, false)).unwrap();
    committed(&mut log);
    let (disk, directory) = (bench.home.disk(), log.path().to_string_lossy());
    assert_eq!(disk.count("rename", ".snapshot") + disk.count("open", ".snapshot"), 0, "it was there");
    assert!(disk.count("fsync_dir", &directory) > 0);
}

#[test]
fn no_segment_begins_behind_records_that_may_be_lost() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(1, 50)).unwrap();
    bench.home.disk().fail_once("fdatasync", ".log", Errno::ROFS);
    let (told, outcome) = std::sync::mpsc::channel();
    log.commit(Box::new(move |outcome| told.send(outcome).unwrap()));
    assert!(outcome.recv().unwrap().is_err());
    assert_eq!(log.recovery_point(), Offset::ZERO);
    let refused = log.roll(NOW).unwrap_err().to_string();
    assert!(refused.contains("is offline after an earlier error: cannot fsync"), "{refused}");
    assert_eq!(log.segment_count(), 1);
}

/// A clean end had brought them to stable storage, and the recovery point names the very end of their segment. A start after
/// a kill writes them again, in place, and once the next segment is begun no other start looks at them.
#[test]
fn indexes_that_recovery_makes_anew_are_synced_though_their_segment_was() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    for _ in 0..3 {
        append(&mut log, plain(1, 300)).unwrap();
    }
    let end = log.partition().watermarks().log_end;
    let checkpoints = Checkpoints { recovery_point: end, ..unclean(&log) };
    log.close().unwrap();
    drop(log);
    let mut log = bench.open(checkpoints);
    assert!(log.recovery_point_to_keep() < end, "no checkpoint vouches for them now");
    log.roll(NOW).unwrap();
    committed(&mut log);
    for index in ["index", "timeindex"] {
        let synced = bench.home.disk().count("fdatasync", &format!("{:020}.{index}", 0));
        assert!(synced > 0, "{index}");
    }
    assert_eq!(log.recovery_point_to_keep(), end);
}

/// Of a log whose front is deleted it may be all that is left of a producer.
#[test]
fn a_snapshot_of_producers_is_synced_with_the_segment_before_it() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, of_producer(9, 0, 1, false)).unwrap();
    log.roll(NOW).unwrap();
    committed(&mut log);
    assert!(bench.home.disk().count("fdatasync", "00000000000000000001.snapshot") > 0);
}
