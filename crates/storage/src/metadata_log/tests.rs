use std::fs;

use protocol::id::BrokerEpoch;
use protocol::messages::record::topic_record::TopicRecord;

use super::*;
use crate::clean_shutdown::{self, CLEAN_SHUTDOWN};
use crate::format::{FormatRequest, FormatVoters, format};
use crate::scripted_disk::ScriptedDisk;

const KAFKAS_LOG: &[u8] = include_bytes!("../../tests/golden/metadata.log");
const KAFKAS_CHECKPOINT: &[u8] = include_bytes!("../../tests/golden/fixed.checkpoint");

const LIMITS: MetadataLimits = MetadataLimits {
    segment_bytes: 1 << 30,
    segment_ms: i64::MAX,
    retention_bytes: None,
    retention_ms: None,
};

fn open(path: &Path, limits: MetadataLimits) -> (MetadataLog, LoadedMetadata) {
    let descriptors = Descriptors::new(RealDisk, 100);
    MetadataLog::open(&descriptors, path, limits, Timestamp(1000)).unwrap()
}

fn fresh() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = raft::Endpoint { listener: "C".into(), host: "localhost".into(), port: 9093 };
    let voters = FormatVoters::Standalone(vec![endpoint]);
    let request = FormatRequest::new("c".into(), NodeId(1), directory.path().to_owned(), voters);
    format(&RealDisk, &request, Timestamp(0)).unwrap();
    directory
}

fn topic(number: u8) -> MetadataRecord<'static> {
    TopicRecord { name: format!("topic-{number}").into(), topic_id: Uuid([number; 16]) }.into()
}

/// A log with the records of `batches` topics, one batch each, in epoch 1 after a leader change.
fn fill(log: &mut MetadataLog, image: &mut Image, topics: std::ops::Range<u8>) {
    for number in topics {
        let base = image.end();
        log.append((base, LeaderEpoch(1)), &[topic(number)], 33, Timestamp(5)).unwrap();
        image.replay(base, &topic(number));
        image.advance(base.plus(1), LeaderEpoch(1), Timestamp(5));
    }
    log.flush().unwrap();
}

#[test]
fn kafkas_own_log_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(METADATA_DIRECTORY);
    fs::create_dir(&path).unwrap();
    fs::write(path.join("00000000000000000000.log"), KAFKAS_LOG).unwrap();
    fs::write(snapshots::path(&path, BOOTSTRAP), KAFKAS_CHECKPOINT).unwrap();
    let (_, loaded) = open(directory.path(), LIMITS);
    assert!(loaded.cut.is_none(), "{:?}", loaded.cut);
    let image = &loaded.image;
    assert_eq!(image.end(), Offset(17));
    assert_eq!((image.metadata_version(), image.features.len()), (33, 6));
    let broker = image.cluster.broker(NodeId(1)).unwrap();
    assert!(broker.is_active() && broker.epoch.0 == 11 && broker.endpoints[0].port == 19092);
    assert_eq!(image.cluster.controllers.len(), 1);
    assert!(!image.in_transaction());
    assert_eq!(loaded.model.last(), OffsetAndEpoch { epoch: LeaderEpoch(1), offset: Offset(17) });
    assert_eq!(loaded.control, QuorumControl::default());
}

#[test]
fn fresh_directory_has_voters_and_a_bootstrap_but_no_log() {
    let directory = fresh();
    let (_, loaded) = open(directory.path(), LIMITS);
    assert_eq!(loaded.model.end(), Offset(0));
    assert!(loaded.voters_unlogged && loaded.control.voters.is_some());
    assert_eq!(loaded.bootstrap.len(), 6);
    assert_eq!(loaded.image, Image::default());
}

#[test]
fn bootstrap_of_an_earlier_release_is_found() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(snapshots::OLDER_BOOTSTRAP), KAFKAS_CHECKPOINT).unwrap();
    let (_, loaded) = open(directory.path(), LIMITS);
    assert_eq!(loaded.bootstrap.len(), 6);
    assert_eq!(loaded.image, Image::default());
}

#[test]
fn log_with_its_voters_comes_back() {
    let directory = fresh();
    let (mut log, loaded) = open(directory.path(), LIMITS);
    let mut image = loaded.image;
    let voters = loaded.control.voters.clone().unwrap();
    let granting = [NodeId(1)];
    let who = (NodeId(1), &voters, granting.as_slice());
    log.append_leader_change((Offset(0), LeaderEpoch(1)), who, Some(&loaded.control), Timestamp(4)).unwrap();
    image.advance(Offset(3), LeaderEpoch(1), Timestamp(4));
    fill(&mut log, &mut image, 0..5);
    drop(log);
    let (_, again) = open(directory.path(), LIMITS);
    assert_eq!(again.image, image);
    assert_eq!(again.control.voters, Some(voters));
    assert!(!again.voters_unlogged);
    let epochs =
        fs::read_to_string(directory.path().join(METADATA_DIRECTORY).join("leader-epoch-checkpoint"));
    assert_eq!(epochs.unwrap(), "0\n1\n1 0\n");
}

#[test]
fn torn_tail_is_cut_and_batches_stay_whole() {
    let directory = fresh();
    let (mut log, loaded) = open(directory.path(), LIMITS);
    let mut image = loaded.image;
    fill(&mut log, &mut image, 0..3);
    log.append((image.end(), LeaderEpoch(1)), &[topic(7), topic(8)], 33, Timestamp(5)).unwrap();
    drop(log);
    let file = directory.path().join(METADATA_DIRECTORY).join("00000000000000000000.log");
    let length = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length - 1).unwrap();
    let (_, again) = open(directory.path(), LIMITS);
    assert!(again.cut.is_some());
    assert_eq!(again.image, image);
}

#[test]
fn sound_batch_of_an_unknown_record_stops_the_node() {
    let directory = fresh();
    let (mut log, loaded) = open(directory.path(), LIMITS);
    let mut image = loaded.image;
    fill(&mut log, &mut image, 0..2);
    let mut builder = BatchBuilder::new(options(LeaderEpoch(1), image.end(), false));
    builder.push(Timestamp(5), None, Some(b"\x01\x7f\x00"), &[]);
    log.append_batch(builder.finish_uncompressed(), (image.end(), LeaderEpoch(1)), Timestamp(5)).unwrap();
    drop(log);
    let descriptors = Descriptors::new(RealDisk, 100);
    let fault = MetadataLog::open(&descriptors, directory.path(), LIMITS, Timestamp(0)).err().unwrap();
    assert!(fault.to_string().contains("record type 127 is not known"), "{fault}");
}

#[test]
fn what_has_rotted_since_a_clean_end_is_not_cut() {
    let directory = fresh();
    let (mut log, loaded) = open(directory.path(), LIMITS);
    let mut image = loaded.image;
    fill(&mut log, &mut image, 0..3);
    log.close().unwrap();
    let (path, mark) = (
        directory.path().join(METADATA_DIRECTORY).join("00000000000000000000.log"),
        directory.path().join(CLEAN_SHUTDOWN),
    );
    clean_shutdown::write(&RealDisk, directory.path(), BrokerEpoch(1)).unwrap();
    check_clean_end(&RealDisk, directory.path()).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut rotten = whole.clone();
    rotten[70] ^= 1;
    let shorter = whole[..whole.len() - 3].to_vec();
    for bytes in [rotten, shorter] {
        fs::write(&path, &bytes).unwrap();
        let fault = check_clean_end(&RealDisk, directory.path()).unwrap_err().to_string();
        assert!(fault.contains("this has rotted: put the file back"), "{fault}");
        assert!(fault.contains(&format!("remove {}", mark.display())), "{fault}");
        assert_eq!((fs::read(&path).unwrap(), mark.exists()), (bytes, true), "nothing was touched");
    }
    fs::remove_file(&mark).unwrap();
    check_clean_end(&RealDisk, directory.path()).unwrap();
}

#[test]
fn snapshot_replaces_the_log_before_it() {
    let directory = fresh();
    let limits = MetadataLimits { retention_bytes: Some(0), ..LIMITS };
    let (mut log, loaded) = open(directory.path(), limits);
    let (mut image, control) = (loaded.image, loaded.control);
    let metadata = directory.path().join(METADATA_DIRECTORY);
    let mut starts = Vec::new();
    for round in 0..3u8 {
        fill(&mut log, &mut image, round * 10..round * 10 + 10);
        let id = snapshots::write(&RealDisk, &metadata, &image, &control, Timestamp(6)).unwrap();
        starts.push(log.snapshot_written(id.offset, Timestamp(7)).unwrap());
        assert_eq!(log.bytes_since_snapshot(), 0);
    }
    fill(&mut log, &mut image, 40..43);
    drop(log);
    assert_eq!(starts.iter().map(|id| id.offset.0).collect::<Vec<_>>(), [10, 20, 30]);
    let names = snapshots::list(&RealDisk, &metadata).unwrap();
    assert_eq!(names.iter().map(|id| id.offset.0).collect::<Vec<_>>(), [0, 30]);
    assert!(!metadata.join("00000000000000000000.log").exists());
    let (_, again) = open(directory.path(), limits);
    assert_eq!(again.image, image);
    assert_eq!(again.model.start(), OffsetAndEpoch { epoch: LeaderEpoch(1), offset: Offset(30) });
    assert_eq!(again.control, control);
}

/// What does not fit into one batch goes on in the next, behind its offsets.
#[test]
fn batches_of_a_large_snapshot_follow_one_another() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = Image::default();
    for number in 0..5000_u16 {
        let [high, low] = number.to_be_bytes();
        let mut id = [1; 16];
        (id[0], id[1]) = (high, low);
        let name = format!("{number:0>240}").into();
        image.replay(Offset(i64::from(number)), &TopicRecord { name, topic_id: Uuid(id) }.into());
    }
    image.advance(Offset(5000), LeaderEpoch(1), Timestamp(5));
    let control = QuorumControl::default();
    let disk = ScriptedDisk::default();
    let id = snapshots::write(&disk, directory.path(), &image, &control, Timestamp(9)).unwrap();
    let bytes = fs::read(snapshots::path(directory.path(), id)).unwrap();
    let (mut next, mut of_data) = (Offset(0), 0);
    for batch in protocol::records::batches::Batches::new(&bytes) {
        batch.verify_crc().unwrap();
        assert_eq!(batch.header.base_offset, next);
        next = batch.header.next_offset();
        of_data += u32::from(!batch.header.attributes.is_control());
    }
    assert!(of_data > 2, "{of_data} batches of {} bytes", bytes.len());
    // With those around them: nobody has all of it in memory.
    assert_eq!(disk.count("pwrite", ".checkpoint.tmp"), of_data as usize + 2);
    let read = snapshots::read(&RealDisk, directory.path(), id).unwrap();
    assert_eq!(read.image.topics.len(), 5000);
    let steps = disk.lasting(|_, _| true);
    let steps: Vec<_> = steps.iter().filter_map(|step| step.split(' ').next()).collect();
    assert_eq!(steps, ["fdatasync", "rename", "fsync_dir"], "before the log that it replaces may go");
}

/// Whoever follows from the oldest snapshot on reads the log from there.
#[test]
fn log_behind_the_oldest_snapshot_stays() {
    let directory = fresh();
    let (mut log, loaded) = open(directory.path(), LIMITS);
    let (mut image, control) = (loaded.image, loaded.control);
    let metadata = directory.path().join(METADATA_DIRECTORY);
    for round in 0..3u8 {
        fill(&mut log, &mut image, round * 10..round * 10 + 10);
        let id = snapshots::write(&RealDisk, &metadata, &image, &control, Timestamp(6)).unwrap();
        let start = log.snapshot_written(id.offset, Timestamp(7)).unwrap();
        assert_eq!(start.offset, Offset(10));
    }
    let slice = log.read(Offset(10), (Offset(30), Offset(30)), 1 << 20).unwrap();
    assert!(slice.base == Offset(10) && slice.length > 0, "{} bytes of segment {}", slice.length, slice.base);
}

/// The process was killed between the two.
#[test]
fn a_snapshot_counts_that_the_log_was_not_told_of() {
    let directory = fresh();
    let (mut log, loaded) = open(directory.path(), LIMITS);
    let (mut image, control) = (loaded.image, loaded.control);
    fill(&mut log, &mut image, 0..10);
    let metadata = directory.path().join(METADATA_DIRECTORY);
    snapshots::write(&RealDisk, &metadata, &image, &control, Timestamp(6)).unwrap();
    let before = log.bytes_since_snapshot();
    fill(&mut log, &mut image, 10..12);
    let behind = log.bytes_since_snapshot() - before;
    drop(log);
    let (log, again) = open(directory.path(), LIMITS);
    assert_eq!((again.image, again.control), (image, control));
    assert_eq!(log.bytes_since_snapshot(), behind, "what it has taken in is not taken in once more");
}

/// A start from a snapshot at the end of a segment takes its indexes on trust.
#[test]
fn indexes_of_a_segment_are_synced_before_the_next_begins() {
    let directory = fresh();
    let (disk, mut log) = counted(directory.path(), 1);
    for offset in 0..3 {
        append(&mut log, offset, 1).unwrap();
    }
    for file in [".log", ".index", ".timeindex"] {
        assert_eq!(disk.count("fdatasync", file), 2, "{file}");
    }
}

/// A log on a disk that counts; each of its segments takes so much.
fn counted(directory: &Path, segment_bytes: u64) -> (ScriptedDisk, MetadataLog<ScriptedDisk>) {
    let disk = ScriptedDisk::default();
    let limits = MetadataLimits { segment_bytes, ..LIMITS };
    let descriptors = Descriptors::new(disk.clone(), 100);
    let (log, _) = MetadataLog::open(&descriptors, directory, limits, Timestamp(0)).unwrap();
    (disk, log)
}

/// Appends a topic that has the number of its offset.
fn append(log: &mut MetadataLog<ScriptedDisk>, offset: i64, epoch: i32) -> Result<(), Fault> {
    log.append((Offset(offset), LeaderEpoch(epoch)), &[topic(offset as u8)], 33, Timestamp(5))
}

fn epochs_on_disk(directory: &Path) -> Vec<(i32, i64)> {
    let path = directory.join(METADATA_DIRECTORY).join(checkpoint::LEADER_EPOCH);
    let epochs = checkpoint::read_leader_epochs(&RealDisk, &path).unwrap();
    epochs.into_iter().map(|(epoch, start)| (epoch.0, start.0)).collect()
}

#[test]
fn epochs_on_disk_are_those_of_the_log() {
    let directory = fresh();
    let (disk, mut log) = counted(directory.path(), LIMITS.segment_bytes);
    append(&mut log, 0, 1).unwrap();
    disk.fail_once("rename", "leader-epoch-checkpoint.tmp", rustix::io::Errno::NOSPC);
    append(&mut log, 1, 2).unwrap_err();
    assert_eq!(epochs_on_disk(directory.path()), [(1, 0)]);
    append(&mut log, 1, 2).unwrap();
    assert_eq!(epochs_on_disk(directory.path()), [(1, 0), (2, 1)]);
    append(&mut log, 2, 3).unwrap();
    assert_eq!(epochs_on_disk(directory.path()), [(1, 0), (2, 1), (3, 2)]);
    log.truncate(Offset(1)).unwrap();
    assert_eq!(epochs_on_disk(directory.path()), [(1, 0)]);
}

#[test]
fn truncated_log_ends_earlier() {
    let directory = fresh();
    let (mut log, loaded) = open(directory.path(), LIMITS);
    let mut image = loaded.image;
    fill(&mut log, &mut image, 0..6);
    log.truncate(Offset(4)).unwrap();
    drop(log);
    let (_, again) = open(directory.path(), LIMITS);
    assert_eq!(again.image.topics.len(), 4);
    assert_eq!(again.model.end(), Offset(4));
}

#[test]
fn broken_snapshot_is_named() {
    let directory = fresh();
    let path = snapshots::path(&directory.path().join(METADATA_DIRECTORY), BOOTSTRAP);
    let bytes = fs::read(&path).unwrap();
    let descriptors = Descriptors::new(RealDisk, 100);
    for cut in [0, 10, bytes.len() - 1, bytes.len() - 75] {
        fs::write(&path, &bytes[..cut]).unwrap();
        let opened = MetadataLog::open(&descriptors, directory.path(), LIMITS, Timestamp(0));
        assert!(matches!(opened.err(), Some(Fault::Corrupt { .. })), "cut at {cut}");
    }
}

#[test]
fn name_of_a_new_segment_is_synced_before_its_records_count() {
    let directory = fresh();
    let (disk, mut log) = counted(directory.path(), 1);
    for offset in 0..3 {
        append(&mut log, offset, 1).unwrap();
        disk.reset();
        log.flush().unwrap();
        assert_eq!(disk.count("fdatasync", ".log"), 1);
        assert_eq!(disk.count("fsync_dir", METADATA_DIRECTORY), 1, "record {offset} opens a segment");
    }
    disk.reset();
    log.flush().unwrap();
    assert_eq!(disk.count("fsync_dir", METADATA_DIRECTORY), 0);
}

#[test]
fn fsync_that_fails_is_told() {
    let directory = fresh();
    let (disk, mut log) = counted(directory.path(), LIMITS.segment_bytes);
    append(&mut log, 0, 1).unwrap();
    disk.fail_once("fdatasync", ".log", rustix::io::Errno::IO);
    assert!(log.flush().unwrap_err().takes_directory_offline());
}
