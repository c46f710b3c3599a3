//! A log against a vector of batches and a machine that replays them, and a log whose disk fails.

use partition::fetch::{FetchFrom, Isolation};
use partition::retention::RetentionReason;
use partition::segments::RollRules;
use partition::transactions::AbortedTransaction;
use partition::{CompressionTarget, Origin, Verification};
use proptest::prelude::*;
use protocol::id::{NodeId, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Uuid};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compression, Decompressors};
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use rustix::io::Errno;

mod bounds;
mod copies;
mod ill_disk;
mod look_ups;
mod resume;
mod retention;
mod small_files;
mod snapshots;
mod validated;

use super::*;
use crate::descriptors::Descriptors;
use crate::directory_state::DirectoryHealth;
use crate::scripted_disk::{ScriptedDisk, guarded};
use crate::whole_file::read_up_to;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const EPOCH: LeaderEpoch = LeaderEpoch(3);

struct Bench<D: Disk> {
    _temp: tempfile::TempDir,
    home: Arc<LogDirectory<D>>,
    config: LogConfig,
}

impl<D: Disk> Bench<D> {
    fn new(disk: D) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let descriptors = Descriptors::new(disk, 4);
        let home = Arc::new(LogDirectory::start(temp.path(), Uuid([7; 16]), descriptors, 0).unwrap());
        let roll = RollRules { segment_bytes: 1500, ..LogConfig::default().roll };
        let config = LogConfig { roll, index_interval_bytes: 150, ..LogConfig::default() };
        Self { _temp: temp, home, config }
    }

    fn name() -> TopicPartition {
        TopicPartition::new("t", PartitionIndex(0))
    }

    fn create(&self) -> Log<D> {
        let config = Arc::new(self.config.clone());
        let mut log = Log::create(Arc::clone(&self.home), Self::name(), Uuid([1; 16]), config, NOW).unwrap();
        lead(&mut log);
        log
    }

    fn open(&self, checkpoints: Checkpoints) -> Log<D> {
        let config = Arc::new(self.config.clone());
        let mut log =
            Log::open(Arc::clone(&self.home), (Self::name(), Some(Uuid([1; 16]))), config, checkpoints, NOW)
                .unwrap()
                .log;
        lead(&mut log);
        log
    }
}

fn lead<D: Disk>(log: &mut Log<D>) {
    log.become_leader(EPOCH, NodeId(1), 1, [NodeId(1)]).unwrap();
}

fn client() -> Append {
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    Append { origin, leader_epoch: EPOCH, now: NOW }
}

fn coordinator() -> Append {
    let transaction_version = partition::producers::TransactionVersion(1);
    let origin = Origin::Coordinator { transaction_version, verification: Verification::NotRequired };
    Append { origin, ..client() }
}

fn data(records: i64, payload: usize, options: BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for record in 0..records {
        builder.push(Timestamp(NOW.0 + record), None, Some(&vec![b'x'; payload]), &[]);
    }
    builder.finish_uncompressed()
}

fn plain(records: i64, payload: usize) -> Vec<u8> {
    data(records, payload, BatchOptions::default())
}

fn of_producer(producer: i64, sequence: i32, records: i64, transactional: bool) -> Vec<u8> {
    let producer = (ProducerId(producer), ProducerEpoch(0), Sequence(sequence));
    data(records, 10, BatchOptions { producer, transactional, ..BatchOptions::default() })
}

fn written(appended: Appended) -> Written {
    match appended {
        Appended::Written(written) => written,
        Appended::Duplicate(duplicate) => panic!("{duplicate:?}"),
    }
}

fn append<D: Disk>(log: &mut Log<D>, mut bytes: Vec<u8>) -> Result<Written, AppendError> {
    log.append(client(), &mut bytes, &mut Scratch::default()).map(written)
}

fn unclean<D: Disk>(log: &Log<D>) -> Checkpoints {
    Checkpoints {
        clean: false,
        recovery_point: log.recovery_point(),
        log_start: log.log_start_to_keep().unwrap_or_default(),
        high_watermark: log.partition().watermarks().high_watermark,
        cleaned_to: log.cleaned_to(),
    }
}

fn read_all<D: Disk>(log: &mut Log<D>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut offset = log.partition().watermarks().log_start;
    loop {
        let from = FetchFrom {
            offset,
            current_leader_epoch: EPOCH,
            last_fetched_epoch: LeaderEpoch::NONE,
            isolation: Isolation::LogEnd,
        };
        let Some(slice) = log.fetch(from, 700, true).unwrap().slice else { return all };
        let mut bytes = vec![0; slice.length as usize];
        read_up_to(log.home().disk(), &slice.file, &mut bytes, slice.position).unwrap();
        for batch in Batches::new(&bytes) {
            all.extend_from_slice(batch.bytes);
            offset = batch.header.next_offset();
        }
    }
}

#[test]
fn a_steady_append_is_one_system_call() {
    guarded(|disk| {
        let mut bench = Bench::new(disk);
        bench.config.roll.segment_bytes = 1 << 30;
        let mut log = bench.create();
        append(&mut log, plain(1, 300)).unwrap();
        bench.home.disk().reset();
        for _ in 0..50 {
            append(&mut log, plain(1, 300)).unwrap();
        }
        assert_eq!((bench.home.disk().count("pwrite", ".log"), bench.home.disk().total()), (50, 50));
    });
}

#[test]
fn a_duplicate_is_answered_across_a_crash() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    for batch in 0..5 {
        append(&mut log, of_producer(9, batch * 2, 2, false)).unwrap();
    }
    let checkpoints = unclean(&log);
    drop(log);
    let mut log = bench.open(checkpoints);
    for batch in 0..5 {
        let mut again = of_producer(9, batch * 2, 2, false);
        let appended = log.append(client(), &mut again, &mut Scratch::default()).unwrap();
        let Appended::Duplicate(duplicate) = appended else { panic!("batch {batch} was appended again") };
        assert_eq!(duplicate.base_offset, Offset(i64::from(batch) * 2));
    }
    assert_eq!(log.partition().watermarks().log_end, Offset(10));
}

#[test]
fn no_room_refuses_until_there_is_room() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(2, 100)).unwrap();
    let before = (log.partition().clone(), log.size());
    bench.home.disk().tear(40);
    bench.home.disk().fail_once("pwrite", ".log", Errno::NOSPC);
    let refused = append(&mut log, plain(2, 100)).unwrap_err();
    assert!(matches!(refused, AppendError::Fault(fault) if fault.no_space()));
    assert_eq!(bench.home.state().health(), DirectoryHealth::Full);
    assert_eq!((log.partition().clone(), log.size()), before);
    assert_eq!(read_all(&mut log).len() as u64, log.size(), "reads go on");
    let refused = append(&mut log, plain(2, 100)).unwrap_err().to_string();
    assert!(refused.contains("is full"), "no second attempt before there is room: {refused}");
    assert!(bench.home.look_for_room());
    append(&mut log, plain(2, 100)).unwrap();
    assert_eq!(bench.home.state().health(), DirectoryHealth::Online);
    let checkpoints = unclean(&log);
    drop(log);
    assert_eq!(bench.open(checkpoints).partition().watermarks().log_end, Offset(4));
}

#[test]
fn each_failing_step_of_an_append_leaves_log_and_machine_as_they_were() {
    // Enough batches that index entries fill a page, segments roll and snapshots are written.
    for verb in ["pwrite", "open", "rename", "truncate"] {
        for suffix in ["", ".log", ".index", ".timeindex", ".snapshot.tmp"] {
            let bench = Bench::new(ScriptedDisk::default());
            let mut log = bench.create();
            let mut kept: Vec<u8> = Vec::new();
            for round in 0..60 {
                if round % 7 == 3 {
                    bench.home.disk().fail_once(verb, suffix, Errno::NOSPC);
                }
                let before = log.partition().watermarks();
                let mut bytes = plain(2, 200);
                match log.append(client(), &mut bytes, &mut Scratch::default()) {
                    Ok(_) => kept.extend(&bytes),
                    Err(_) => assert_eq!(log.partition().watermarks(), before, "{verb} {suffix}"),
                }
                bench.home.disk().mend();
            }
            assert!(read_all(&mut log) == kept, "{verb} {suffix}");
            let checkpoints = unclean(&log);
            drop(log);
            assert!(read_all(&mut bench.open(checkpoints)) == kept, "{verb} {suffix}, reopened");
        }
    }
}

#[test]
fn an_error_of_the_disk_ends_appends_at_once() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(2, 100)).unwrap();
    bench.home.disk().fail_once("pwrite", ".log", Errno::IO);
    append(&mut log, plain(2, 100)).unwrap_err();
    assert_eq!(bench.home.state().health(), DirectoryHealth::Offline);
    bench.home.disk().reset();
    let refused = append(&mut log, plain(2, 100)).unwrap_err().to_string();
    assert!(refused.contains("is offline after an earlier error: cannot write"), "{refused}");
    assert_eq!(bench.home.disk().total(), 0);
}

#[test]
fn a_commit_waits_for_the_fsync_of_what_was_appended() {
    let mut bench = Bench::new(ScriptedDisk::default());
    bench.config.flush_messages = Some(1);
    let mut log = bench.create();
    bench.home.disk().reset();
    let held = bench.home.disk().hold_syncs();
    append(&mut log, plain(2, 100)).unwrap();
    assert!(log.commit_due());
    let (told, outcome) = std::sync::mpsc::channel();
    let teller = told.clone();
    log.commit(Box::new(move |result| teller.send(result).unwrap()));
    bench.home.disk().wait_for_syncs(1);
    assert!(outcome.try_recv().is_err());
    assert_eq!(log.recovery_point(), Offset(0));
    append(&mut log, plain(1, 100)).unwrap();
    drop(held);
    outcome.recv().unwrap().unwrap();
    assert_eq!(log.recovery_point(), Offset(2), "what came after the fsync began does not count");
    log.commit(Box::new(move |result| told.send(result).unwrap()));
    outcome.recv().unwrap().unwrap();
    assert_eq!(log.recovery_point(), Offset(3));
    let names = bench.home.disk().count("fsync_dir", "");
    assert_eq!(names, 2, "the new file's name, and the new directory's, are made durable once");
}

#[test]
fn readers_see_what_must_be_durable_only_once_it_is() {
    let disk = ScriptedDisk::default();
    let mut bench = Bench::new(disk.clone());
    bench.config.flush_messages = Some(1);
    let mut log = bench.create();
    let held = disk.hold_syncs();
    let (tell, told) = std::sync::mpsc::channel();
    for round in 1..=3 {
        assert!(!append(&mut log, plain(1, 10)).unwrap().high_watermark_moved);
        assert_eq!(log.partition().watermarks().high_watermark, Offset(0), "{round}");
        let tell = tell.clone();
        log.commit(Box::new(move |outcome| tell.send(outcome).unwrap()));
        assert!(!log.take_synced(), "{round}");
    }
    drop(held);
    for _ in 0..3 {
        told.recv().unwrap().unwrap();
    }
    assert!(log.take_synced());
    assert_eq!(log.partition().watermarks().high_watermark, Offset(3));
    bench.config.flush_messages = Some(3);
    log.set_config(Arc::new(bench.config.clone()));
    assert!(append(&mut log, plain(2, 10)).unwrap().high_watermark_moved, "these need not be durable");
    assert!(!append(&mut log, plain(1, 10)).unwrap().high_watermark_moved, "with this one a flush is due");
    assert_eq!(log.partition().watermarks().high_watermark, Offset(5));
}

#[test]
fn a_commit_takes_along_the_small_files_that_another_has_not_brought_home_yet() {
    let disk = ScriptedDisk::default();
    let bench = Bench::new(disk.clone());
    let mut log = bench.create();
    append(&mut log, plain(1, 10)).unwrap();
    let held = disk.hold_syncs();
    log.flush(NOW, Box::new(|_| ())).unwrap();
    disk.wait_for_syncs(1);
    let (tell, told) = std::sync::mpsc::channel();
    log.commit(Box::new(move |outcome| tell.send(outcome).unwrap()));
    drop(held);
    told.recv().unwrap().unwrap();
    // The flush in the background may come to it later than this commit, so both have to.
    let late = bench.home.clone();
    drop((log, late));
    let home = Arc::into_inner(bench.home).unwrap();
    drop(home);
    assert_eq!(disk.count("fdatasync", "partition.metadata"), 2);
}

#[test]
fn a_followers_segment_begins_with_its_batch_as_kafkas_does() {
    let mut bench = Bench::new(RealDisk);
    bench.config.append.compacted = true;
    let mut log = bench.create();
    log.become_follower(EPOCH);
    let from_leader = |base: i64, payload| {
        let options =
            BatchOptions { base_offset: Offset(base), leader_epoch: EPOCH, ..BatchOptions::default() };
        data(1, payload, options)
    };
    log.append_replicated(EPOCH, &from_leader(0, 1000), NOW).unwrap();
    // Compaction on the leader has left a hole before this one.
    log.append_replicated(EPOCH, &from_leader(50, 1000), NOW).unwrap();
    let bases = |log: &Log<RealDisk>| log.segments.iter().map(|segment| segment.base().0).collect::<Vec<_>>();
    assert_eq!(bases(&log), [0, 50]);
    assert!(log.path().join("00000000000000000050.snapshot").exists());
    // Whatever the background has brought to stable storage by now, nobody has said so.
    let checkpoints = Checkpoints { recovery_point: Offset(0), ..unclean(&log) };
    let log = bench.open(checkpoints);
    assert_eq!((bases(&log), log.partition().watermarks().log_end), (vec![0, 50], Offset(51)));
    // Without compaction a hole in what may not have been synced is the place of a tail that a power cut took.
    bench.config.append.compacted = false;
    drop(log);
    let log = bench.open(checkpoints);
    assert_eq!((bases(&log), log.partition().watermarks().log_end), (vec![0], Offset(1)));
}

#[test]
fn a_segment_made_for_a_batch_that_failed_does_not_stay_behind_the_end() {
    let disk = ScriptedDisk::default();
    let bench = Bench::new(disk.clone());
    let mut log = bench.create();
    append(&mut log, plain(1, 1000)).unwrap();
    log.become_follower(EPOCH);
    disk.fail_once("pwrite", "00000000000000000050.log", Errno::MFILE);
    let options = BatchOptions { base_offset: Offset(50), leader_epoch: EPOCH, ..BatchOptions::default() };
    log.append_replicated(EPOCH, &data(1, 1000, options), NOW).unwrap_err();
    lead_at(&mut log, 4);
    append_at(&mut log, 4);
    assert_eq!(log.partition().watermarks().log_end, Offset(3));
    assert_eq!(log.segments.iter().map(|segment| segment.base().0).collect::<Vec<_>>(), [0, 1]);
    assert!(log.recovery_point() <= Offset(3));
}

#[test]
fn a_duplicate_of_what_is_not_durable_yet_must_wait_too() {
    let mut bench = Bench::new(RealDisk);
    bench.config.flush_messages = Some(1);
    let mut log = bench.create();
    append(&mut log, of_producer(9, 0, 2, false)).unwrap();
    let mut again = of_producer(9, 0, 2, false);
    let appended = log.append(client(), &mut again, &mut Scratch::default()).unwrap();
    assert!(matches!(appended, Appended::Duplicate(_)) && log.commit_due());
    let (told, outcome) = std::sync::mpsc::channel();
    log.commit(Box::new(move |result| told.send(result).unwrap()));
    outcome.recv().unwrap().unwrap();
    assert!(!log.commit_due());
}

#[test]
fn the_name_of_a_new_segment_is_durable_before_its_records_are_acknowledged() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(2, 100)).unwrap();
    let held = bench.home.disk().hold_syncs();
    log.roll(NOW).unwrap();
    // The flush that rolling began may end long after the commit.
    let ticket = log.ticket(Offset(2), Box::new(|_| ())).unwrap();
    assert!(ticket.directories.contains(&log.path().to_owned()));
    (ticket.done)(Ok(()));
    assert!(log.ticket(Offset(2), Box::new(|_| ())).unwrap().directories.is_empty());
    drop(held);
}

#[test]
fn flush_messages_counts_records() {
    let mut bench = Bench::new(RealDisk);
    bench.config.flush_messages = Some(5);
    let mut log = bench.create();
    let mut due = Vec::new();
    for _ in 0..3 {
        append(&mut log, plain(2, 10)).unwrap();
        due.push(log.commit_due());
    }
    assert_eq!(due, [false, false, true]);
}

#[test]
fn retention_renames_first_and_removes_later() {
    let mut bench = Bench::new(RealDisk);
    bench.config.retention.bytes = Some(2000);
    let mut log = bench.create();
    for _ in 0..40 {
        append(&mut log, plain(1, 300)).unwrap();
    }
    let before = log.size();
    let retained = log.retain(NOW).unwrap();
    assert!(!retained.reasons.is_empty());
    assert_eq!(log.size(), before - retained.bytes);
    assert!((2000..3500).contains(&log.size()), "{}", log.size());
    assert_eq!(log.partition().watermarks().log_start, log.segments.first_base());
    let deleted = |directory: &Path| {
        let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".deleted")).count()
    };
    assert_eq!(deleted(log.path()), 3 * retained.reasons.len());
    let delay = log.config().file_delete_delay.0;
    bench.home.removals().run(bench.home.disk(), Timestamp(NOW.0 + delay - 1)).unwrap();
    assert!(deleted(log.path()) > 0);
    bench.home.removals().run(bench.home.disk(), Timestamp(NOW.0 + delay)).unwrap();
    assert_eq!(deleted(log.path()), 0);
}

#[test]
fn retention_by_time_takes_the_last_segment_too() {
    let mut bench = Bench::new(RealDisk);
    bench.config.retention.time = Some(Millis(1000));
    let mut log = bench.create();
    append(&mut log, plain(3, 10)).unwrap();
    assert!(log.retain(Timestamp(NOW.0 + 1002)).unwrap().reasons.is_empty());
    assert_eq!(log.retain(Timestamp(NOW.0 + 1003)).unwrap().reasons.len(), 1);
    let marks = log.partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end, log.size()), (Offset(3), Offset(3), 0));
    append(&mut log, plain(1, 10)).unwrap();
    assert_eq!(log.partition().watermarks().log_end, Offset(4));
}

#[test]
fn records_without_timestamps_are_as_old_as_the_last_write() {
    let mut bench = Bench::new(RealDisk);
    bench.config.retention.time = Some(Millis(1000));
    let mut log = bench.create();
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(Timestamp::NONE, None, Some(b"of an old client"), &[]);
    append(&mut log, builder.finish_uncompressed()).unwrap();
    // The segment was made at NOW, long ago by the clock of the disk.
    let path = log.segments.active().path();
    let modified = log.home().disk().facts(&path).unwrap().modified;
    assert!(modified.0 > NOW.0 + 2000);
    assert!(log.retain(Timestamp(modified.0 + 1000)).unwrap().reasons.is_empty());
    assert_eq!(log.retain(Timestamp(modified.0 + 1001)).unwrap().reasons, [RetentionReason::Time]);
}

#[test]
fn what_a_failed_flush_did_not_reach_is_taken_along_by_the_next() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(2, 100)).unwrap();
    bench.home.disk().fail_once("open", "partition.metadata", Errno::MFILE);
    let (told, outcome) = std::sync::mpsc::channel();
    let tell = told.clone();
    log.commit(Box::new(move |result| tell.send(result.is_ok()).unwrap()));
    assert!(!outcome.recv().unwrap());
    log.commit(Box::new(move |result| told.send(result.is_ok()).unwrap()));
    assert!(outcome.recv().unwrap());
    assert_eq!(bench.home.disk().count("fdatasync", "partition.metadata"), 1);
    assert_eq!(bench.home.disk().count("fdatasync", "leader-epoch-checkpoint"), 1);
}

#[test]
fn what_a_flush_failed_to_bring_to_stable_storage_does_not_count_as_there() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    append(&mut log, plain(2, 100)).unwrap();
    bench.home.disk().fail_once("fdatasync", ".log", Errno::IO);
    let (told, outcome) = std::sync::mpsc::channel();
    log.commit(Box::new(move |result| told.send(result.is_ok()).unwrap()));
    assert!(!outcome.recv().unwrap());
    assert_eq!(log.recovery_point(), Offset(0));
}

#[test]
fn times_are_found_within_batches_of_every_codec() {
    for codec in Codec::ALL {
        let mut bench = Bench::new(RealDisk);
        let compression = Compression { codec, ..Compression::default() };
        bench.config.append.compression = CompressionTarget::Codec(compression);
        let mut log = bench.create();
        let mut stamps = Vec::new();
        for batch in 0..30i64 {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            for record in 0..4 {
                let stamp = NOW.0 + batch * 10 + [3, 9, 0, 5][record];
                stamps.push(stamp);
                builder.push(Timestamp(stamp), None, Some(&[b'v'; 60]), &[]);
            }
            append(&mut log, builder.finish_uncompressed()).unwrap();
        }
        assert!(log.segment_count() > 1, "{codec}");
        let decompressors = &mut Decompressors::default();
        for target in NOW.0 - 2..NOW.0 + 302 {
            let found =
                log.offset_for_timestamp(Timestamp(target), Isolation::LogEnd, decompressors).unwrap();
            let expected = stamps.iter().position(|stamp| *stamp >= target);
            let expected = expected.map(|offset| (stamps[offset], offset as i64));
            assert_eq!(found.map(|found| (found.timestamp.0, found.offset.0)), expected, "{codec} {target}");
        }
    }
}

type Epochs = Vec<(i32, i64)>;

/// The epochs in memory, and those in the checkpoint.
fn epochs<D: Disk>(log: &Log<D>) -> (Epochs, Epochs) {
    let path = log.path().join(checkpoint::LEADER_EPOCH);
    let on_disk = checkpoint::read_leader_epochs(log.home().disk(), &path).unwrap();
    let entries = log.partition().leader_epochs().entries().iter();
    let in_memory = entries.map(|entry| (entry.epoch.0, entry.start_offset.0)).collect();
    (in_memory, on_disk.into_iter().map(|(epoch, start)| (epoch.0, start.0)).collect())
}

fn lead_at<D: Disk>(log: &mut Log<D>, epoch: i32) {
    log.become_leader(LeaderEpoch(epoch), NodeId(1), 1, [NodeId(1)]).unwrap();
}

fn append_at<D: Disk>(log: &mut Log<D>, epoch: i32) {
    let append = Append { leader_epoch: LeaderEpoch(epoch), ..client() };
    log.append(append, &mut plain(2, 200), &mut Scratch::default()).unwrap();
}

#[test]
fn epochs_keep_their_beginnings_where_the_log_is_read_again_from_a_snapshot() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    append_at(&mut log, 3);
    lead_at(&mut log, 5);
    (0..4).for_each(|_| append_at(&mut log, 5));
    lead_at(&mut log, 6);
    append_at(&mut log, 6);
    log.roll(NOW).unwrap();
    append_at(&mut log, 6);
    lead_at(&mut log, 8);
    append_at(&mut log, 8);
    let expected = vec![(3, 0), (5, 2), (6, 10), (8, 14)];
    log.write_epochs_due().unwrap();
    assert_eq!(epochs(&log), (expected.clone(), expected.clone()));

    log.truncate(Offset(14), NOW).unwrap();
    assert_eq!(epochs(&log), (expected[..3].to_vec(), expected[..3].to_vec()));
    lead_at(&mut log, 8);
    append_at(&mut log, 8);
    let checkpoints = Checkpoints { recovery_point: Offset(12), ..unclean(&log) };
    drop(log);
    let config = Arc::new(bench.config.clone());
    let name = (Bench::<RealDisk>::name(), Some(Uuid([1; 16])));
    let log = Log::open(Arc::clone(&bench.home), name, config, checkpoints, NOW).unwrap().log;
    assert_eq!(epochs(&log).0, expected);
}

#[test]
fn an_epoch_that_only_the_batches_knew_is_checkpointed() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    append_at(&mut log, 3);
    lead_at(&mut log, 5);
    append_at(&mut log, 5);
    let path = log.path().join(checkpoint::LEADER_EPOCH);
    // As a follower is left that was killed between a batch and the checkpoint.
    std::fs::write(&path, "0\n1\n3 0\n").unwrap();
    let checkpoints = unclean(&log);
    drop(log);
    let config = Arc::new(bench.config.clone());
    let name = (Bench::<RealDisk>::name(), Some(Uuid([1; 16])));
    let mut log = Log::open(Arc::clone(&bench.home), name, config, checkpoints, NOW).unwrap().log;
    let (tell, told) = std::sync::mpsc::channel();
    log.commit(Box::new(move |outcome| tell.send(outcome).unwrap()));
    told.recv().unwrap().unwrap();
    assert_eq!(epochs(&log), (vec![(3, 0), (5, 2)], vec![(3, 0), (5, 2)]));
}

#[derive(Clone, Debug)]
enum Step {
    Plain { records: i64, payload: usize },
    Producer { producer: i64, records: i64, transactional: bool },
    End { producer: i64, committed: bool },
    DeleteRecords(u8),
    Retain(u16),
    Truncate(u8),
    CleanRestart,
    Crash,
    CrashTorn(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..5i64, 0..300usize).prop_map(|(records, payload)| Step::Plain { records, payload }),
        8 => (0..3i64, 1..4i64, any::<bool>())
            .prop_map(|(producer, records, transactional)| Step::Producer { producer, records, transactional }),
        4 => (0..3i64, any::<bool>()).prop_map(|(producer, committed)| Step::End { producer, committed }),
        1 => any::<u8>().prop_map(Step::DeleteRecords),
        1 => (500..4000u16).prop_map(Step::Retain),
        1 => any::<u8>().prop_map(Step::Truncate),
        1 => Just(Step::CleanRestart),
        1 => Just(Step::Crash),
        2 => any::<u16>().prop_map(Step::CrashTorn),
    ];
    prop::collection::vec(step, 1..70)
}

/// The batches ever appended and not cut, and what a machine makes of them.
struct Model {
    batches: Vec<Vec<u8>>,
}

impl Model {
    fn header(bytes: &[u8]) -> protocol::records::batch::BatchHeader {
        protocol::records::batch::BatchHeader::parse(bytes).unwrap()
    }

    fn replayed(&self) -> (Partition, Vec<AbortedTransaction>) {
        let mut machine = Partition::empty(Offset::ZERO);
        let mut aborted = Vec::new();
        for bytes in &self.batches {
            let batch = Batches::new(bytes).next_batch().unwrap().unwrap();
            aborted.extend(machine.replay(&batch).unwrap());
        }
        (machine, aborted)
    }

    fn next_sequence(&self, producer: i64) -> i32 {
        let headers = self.batches.iter().map(|bytes| Self::header(bytes));
        let mut mine = headers.filter(|it| it.producer_id.0 == producer && !it.attributes.is_control());
        mine.next_back().map_or(0, |header| header.last_sequence().0 + 1)
    }

    fn end(&self) -> Offset {
        self.batches.last().map_or(Offset::ZERO, |bytes| Self::header(bytes).next_offset())
    }

    fn from(&self, offset: Offset) -> Vec<u8> {
        let visible = |bytes: &&Vec<u8>| Self::header(bytes).next_offset() > offset;
        self.batches.iter().filter(visible).flatten().copied().collect()
    }
}

/// Carries out a step that appends; false if it was another.
fn append_step(log: &mut Log<RealDisk>, model: &mut Model, step: &Step) -> bool {
    let (how, mut bytes) = match *step {
        Step::Plain { records, payload } => (client(), plain(records, payload)),
        Step::Producer { producer, records, transactional } => {
            let open = model
                .replayed()
                .0
                .producers()
                .get(ProducerId(producer))
                .is_some_and(|state| state.current_transaction_first_offset.is_some());
            let sequence = model.next_sequence(producer);
            (client(), of_producer(producer, sequence, records, transactional || open))
        }
        Step::End { producer, committed } => {
            let marker = EndMarker { committed, coordinator_epoch: CoordinatorEpoch(0) };
            (coordinator(), marker.batch(ProducerId(producer), ProducerEpoch(0), EPOCH, NOW))
        }
        _ => return false,
    };
    let appended = log.append(how, &mut bytes, &mut Scratch::default()).unwrap();
    assert_eq!(written(appended).base_offset, model.end().max(log.partition().watermarks().log_start));
    model.batches.push(bytes);
    true
}

fn restart_step(
    bench: &Bench<RealDisk>,
    mut log: Log<RealDisk>,
    model: &mut Model,
    step: &Step,
) -> Log<RealDisk> {
    let mut checkpoints = unclean(&log);
    if let Step::CleanRestart = step {
        checkpoints.clean = true;
        log.close().unwrap();
    }
    if let Step::CrashTorn(cut) = step {
        let active = log.segments.active();
        let (path, base, size) = (active.path(), active.base(), u64::from(active.size()));
        // Nothing that was brought to stable storage is torn.
        let stable = |bytes: &&Vec<u8>| {
            let header = Model::header(bytes);
            header.base_offset >= base && header.next_offset() <= checkpoints.recovery_point
        };
        let stable: u64 = model.batches.iter().filter(stable).map(|bytes| bytes.len() as u64).sum();
        let kept = stable + u64::from(*cut) % (size - stable + 1);
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(kept).unwrap();
        let mut left = kept as usize;
        model.batches.retain(|bytes| {
            if Model::header(bytes).base_offset < base {
                return true;
            }
            let whole = left >= bytes.len();
            left = if whole { left - bytes.len() } else { 0 };
            whole
        });
        if model.end() < checkpoints.log_start {
            model.batches.clear();
        }
    }
    drop(log);
    bench.open(checkpoints)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_log_is_a_vector_of_batches_and_the_machine_that_replays_them(steps in steps()) {
        let bench = Bench::new(RealDisk);
        let mut log = bench.create();
        let mut model = Model { batches: Vec::new() };
        for step in steps {
            if append_step(&mut log, &mut model, &step) {
                continue;
            }
            let marks = log.partition().watermarks();
            match step {
                Step::DeleteRecords(before) => {
                    let before = Offset(i64::from(before)).min(marks.log_end);
                    prop_assert_eq!(log.delete_records(before).unwrap(), before.max(marks.log_start));
                }
                Step::Retain(bytes) => {
                    let mut config = bench.config.clone();
                    config.retention.bytes = Some(u64::from(bytes));
                    log.set_config(Arc::new(config));
                    log.retain(NOW).unwrap();
                }
                Step::Truncate(end) => {
                    let end = Offset(i64::from(end)).max(marks.log_start);
                    log.truncate(end, NOW).unwrap();
                    lead(&mut log);
                    model.batches.retain(|bytes| Model::header(bytes).next_offset() <= end);
                    if model.end() < marks.log_start {
                        model.batches.clear();
                    }
                }
                _ => log = restart_step(&bench, log, &mut model, &step),
            }
            let marks = log.partition().watermarks();
            let (machine, aborted) = model.replayed();
            prop_assert_eq!(marks.log_end, model.end().max(marks.log_start));
            prop_assert!(read_all(&mut log) == model.from(marks.log_start));
            let entries = |machine: &Partition| machine.producer_snapshot().collect::<Vec<_>>();
            prop_assert_eq!(entries(log.partition()), entries(&machine));
            let undecided = |machine: &Partition| machine.transactions().first_undecided_offset();
            prop_assert_eq!(undecided(log.partition()), undecided(&machine));
            let first = log.segments.first_base();
            let kept: Vec<_> = aborted.into_iter().filter(|it| it.last_offset.0 >= first.0).collect();
            prop_assert_eq!(log.segments.aborted(first, marks.log_end).unwrap(), kept);
        }
    }
}

#[test]
fn a_read_that_the_disk_fails_takes_its_directory_offline() {
    let bench = Bench::new(ScriptedDisk::default());
    let mut log = bench.create();
    for _ in 0..3 {
        append(&mut log, plain(1, 50)).unwrap();
    }
    log.close().unwrap();
    let checkpoints = Checkpoints { clean: true, ..unclean(&log) };
    drop(log);
    let mut log = bench.open(checkpoints);
    bench.home.disk().fail_once("pread", ".log", Errno::IO);
    assert!(log.read(Offset(1), Offset(3), 1000, true).is_err());
    assert_eq!(bench.home.state().health(), DirectoryHealth::Offline);
    let refused = append(&mut log, plain(1, 50)).unwrap_err().to_string();
    assert!(refused.contains("is offline after an earlier error: cannot read"), "{refused}");
}

/// A node may have a hundred thousand of each. What is planted is a word more in each.
#[test]
fn what_each_log_has_takes_no_more_room_than_it_did() {
    let table = [
        ("machine", size_of::<Partition>(), size_of::<(Partition, usize)>(), 152),
        ("log", size_of::<Log>(), size_of::<(Log, usize)>(), 368),
        ("segment", size_of::<crate::segment::Segment>(), size_of::<(crate::segment::Segment, usize)>(), 136),
        ("flush progress", size_of::<FlushProgress>(), size_of::<(FlushProgress, usize)>(), 56),
    ];
    for (what, size, planted, most) in table {
        assert!(size <= most, "{what}: {size} bytes, and {most} are allowed");
        assert!(planted > most, "{what}: a word more goes unnoticed, {planted} bytes of {most}");
    }
}
