//! Log directories over their whole life, seen from outside and through a disk that counts and fails.

mod at_rest;
mod checkpoints;
mod clean_ends;
mod cleaned;
mod compaction;
mod copies;
mod failed_syncs;
mod first_records;
mod full_disk;
mod many_segments;
mod moves;
mod no_room;
mod resume;

use std::path::Path;

use partition::{Append, Millis, Origin, Scratch, Verification};
use protocol::id::{LeaderEpoch, PartitionIndex, Uuid};
use protocol::offset::Offset;
use protocol::records::build::{BatchBuilder, BatchOptions};

use super::*;
use crate::clean_shutdown::{self, CLEAN_SHUTDOWN};
use crate::log::Appended;
use crate::scripted_disk::ScriptedDisk;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const TOPIC: TopicId = Uuid([1; 16]);

struct Node {
    temp: tempfile::TempDir,
    config: LogDirsConfig,
}

impl Node {
    /// A node with formatted directories of these names.
    fn new(names: &[&str]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let directories: Vec<PathBuf> =
            names.iter().map(|name| temp.path().join("data").join(name)).collect();
        for directory in &directories {
            format(&RealDisk, directory, ("cluster", NodeId(1)), NOW).unwrap();
        }
        let config = LogDirsConfig {
            directories,
            node_id: NodeId(1),
            cluster_id: None,
            open_files_max: 64,
            batch_positions_bytes: 1 << 20,
            recovery_threads: 2,
            reserve_bytes: 0,
        };
        Self { temp, config }
    }

    fn start<D: Disk>(&self, disk: D) -> (LogDirs<D>, LoadReport) {
        let dirs = LogDirs::open(disk, &self.config, NOW).unwrap();
        let report = dirs.load(|_, _| Placement::Here(Arc::default()), NOW);
        (dirs, report)
    }

    fn directory(&self, index: usize) -> &Path {
        &self.config.directories[index]
    }
}

fn name(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, PartitionIndex(partition))
}

fn create<D: Disk>(dirs: &LogDirs<D>, name: &TopicPartition) -> SharedLog<D> {
    let log = dirs.create(name, TOPIC, Arc::default(), None, NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    log
}

fn append<D: Disk>(log: &SharedLog<D>) -> bool {
    append_in(log, LeaderEpoch(0))
}

fn append_in<D: Disk>(log: &SharedLog<D>, leader_epoch: LeaderEpoch) -> bool {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.push(NOW, None, Some(&[b'x'; 100]), &[]);
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let append = Append { origin, leader_epoch, now: NOW };
    let mut bytes = batch.finish_uncompressed();
    matches!(locked(log).append(append, &mut bytes, &mut Scratch::default()), Ok(Appended::Written(_)))
}

fn end<D: Disk>(log: &SharedLog<D>) -> Offset {
    locked(log).partition().watermarks().log_end
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_appended_is_there_after_a_clean_end_and_after_a_kill() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert_eq!(dirs.clean_shutdown_epoch(), None);
    let log = create(&dirs, &name("t", 0));
    assert!(append(&log) && append(&log));
    dirs.close(BrokerEpoch(42));
    assert!(!append(&log), "a closed log takes nothing");
    drop((log, dirs));

    let (dirs, report) = node.start(RealDisk);
    assert_eq!(dirs.clean_shutdown_epoch(), Some(BrokerEpoch(42)));
    assert_eq!((report.loaded, report.cut.len()), (1, 0));
    assert!(!node.directory(0).join(CLEAN_SHUTDOWN).exists(), "it must not vouch for what comes now");
    let log = create(&dirs, &name("t", 0));
    assert_eq!(end(&log), Offset(2));
    assert!(append(&log));
    drop((log, dirs));

    let (dirs, _) = node.start(RealDisk);
    assert_eq!(dirs.clean_shutdown_epoch(), None);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!(end(&log), Offset(3));
    assert_eq!(locked(&log).recovery_point(), Offset(2));
}

#[test]
fn a_planned_log_costs_the_disk_nothing_before_its_first_record() {
    let node = Node::new(&["a"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    disk.reset();
    for partition in 0..50 {
        let log = dirs.plan(&name("t", partition), TOPIC, Arc::default(), None, NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
    }
    dirs.retain(NOW);
    dirs.flush_due(NOW);
    assert_eq!(disk.total(), 0);
    assert!(dirs.delete(&name("t", 49), NOW).unwrap());
    assert_eq!(disk.total(), 0);
    let log = dirs.get(&name("t", 3)).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&log));
    disk.judge_at_most(2, "for its first record");
    assert_eq!(disk.count("fdatasync", "") + disk.count("fsync_dir", "") + disk.count("rename", ""), 0);
    dirs.close(BrokerEpoch(1));
    drop((log, dirs));
    assert_eq!(entries(node.directory(0)).iter().filter(|name| name.starts_with("t-")).count(), 1);
    let (dirs, report) = node.start(RealDisk);
    assert_eq!(report.loaded, 1);
    assert_eq!(end(&dirs.get(&name("t", 3)).unwrap()), Offset(1));
}

#[test]
fn a_clean_start_reads_no_more_than_it_must() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    for partition in 0..50 {
        let log = create(&dirs, &name("t", partition));
        for _ in 0..partition {
            assert!(append(&log));
        }
    }
    dirs.close(BrokerEpoch(1));
    drop(dirs);
    let disk = ScriptedDisk::default();
    let dirs = LogDirs::open(disk.clone(), &node.config, NOW).unwrap();
    disk.reset();
    let report = dirs.load(|_, _| Placement::Here(Arc::default()), NOW);
    assert_eq!(report.loaded, 50);
    disk.judge_at_most(50 * 2 + 16, "for 50 logs");
    assert_eq!(disk.count("pwrite", "") + disk.count("fdatasync", "") + disk.count("rename", ""), 0);
    assert_eq!(dirs.homes[0].directory.descriptors().open(), 0, "nobody has asked for a log yet");
}

#[test]
fn a_start_takes_a_clean_ends_word_for_what_has_not_changed() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    for partition in 0..50 {
        let log = create(&dirs, &name("t", partition));
        (0..=partition).for_each(|_| assert!(append(&log)));
    }
    dirs.close(BrokerEpoch(7));
    drop(dirs);
    let known = node.directory(0).join(crate::clean_logs::CLEAN_LOGS);
    assert!(known.exists());
    let disk = ScriptedDisk::default();
    let dirs = LogDirs::open(disk.clone(), &node.config, NOW).unwrap();
    assert!(!known.exists(), "it must not vouch for what comes now");
    disk.reset();
    let report = dirs.load(
        |_, id| if id == Some(TOPIC) { Placement::Here(Arc::default()) } else { Placement::Stray },
        NOW,
    );
    assert_eq!((report.loaded, report.strays.len()), (50, 0));
    disk.judge_at_most(50 * 2 + 16, "for 50 logs");
    for partition in 0..50 {
        let log = create(&dirs, &name("t", partition));
        assert_eq!(end(&log), Offset(i64::from(partition) + 1));
        assert_eq!(locked(&log).partition().leader_epochs().entries().len(), 1);
        assert!(append(&log));
    }
    dirs.close(BrokerEpoch(8));
    drop(dirs);
    // What was touched since is looked at; so is all after an end that was not this one.
    let log = node.directory(0).join("t-3/00000000000000000000.log");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, &bytes[..bytes.len() - 1]).unwrap();
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.loaded, report.cut.len()), (50, 1));
    assert_eq!(end(&dirs.get(&name("t", 3)).unwrap()), Offset(4));
    dirs.close(BrokerEpoch(9));
    drop(dirs);
    clean_shutdown::write(&RealDisk, node.directory(0), BrokerEpoch(10)).unwrap();
    let disk = ScriptedDisk::default();
    let dirs = LogDirs::open(disk.clone(), &node.config, NOW).unwrap();
    disk.reset();
    assert_eq!(dirs.load(|_, _| Placement::Here(Arc::default()), NOW).loaded, 50);
    assert!(disk.total() > 50 * 5, "{} calls for 50 logs", disk.total());
}

#[test]
fn an_untouched_node_ends_without_writing_to_its_logs() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&create(&dirs, &name("t", 0))));
    dirs.close(BrokerEpoch(1));
    drop(dirs);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    disk.reset();
    dirs.close(BrokerEpoch(2));
    for suffix in [".log", ".index", ".timeindex", ".snapshot.tmp"] {
        assert_eq!(disk.count("pwrite", suffix) + disk.count("truncate", suffix), 0, "{suffix}");
    }
}

#[test]
fn a_directory_of_another_node_or_cluster_or_process_is_refused_with_the_way_out() {
    let node = Node::new(&["a"]);
    let refused = |config: &LogDirsConfig| LogDirs::open(RealDisk, config, NOW).err().unwrap().to_string();
    let other = LogDirsConfig { node_id: NodeId(2), ..node.config.clone() };
    assert!(
        refused(&other)
            .contains("belongs to node.id=1, and this node is configured with node.id=2: set node.id")
    );
    let other = LogDirsConfig { cluster_id: Some("other".into()), ..node.config.clone() };
    assert!(refused(&other).contains("belongs to cluster cluster, and cluster other is expected"));
    let (_dirs, _) = node.start(RealDisk);
    assert!(refused(&node.config).contains("is in use by another process"));
    let unformatted = node.temp.path().join("data");
    let other = LogDirsConfig { directories: vec![unformatted], ..node.config.clone() };
    assert!(refused(&other).contains("is not formatted: run `headwater storage format`"));
}

#[test]
fn a_directory_that_is_another_one_too_is_refused_with_the_way_out() {
    let mut node = Node::new(&["a", "b"]);
    let refused = |config: &LogDirsConfig| LogDirs::open(RealDisk, config, NOW).err().unwrap().to_string();
    let (first, second) = (node.directory(0).to_owned(), node.directory(1).to_owned());
    std::fs::copy(first.join("meta.properties"), second.join("meta.properties")).unwrap();
    let copied = refused(&node.config);
    assert!(
        copied.starts_with(&format!("{}: is a copy of {}", second.display(), first.display())),
        "{copied}"
    );
    assert!(copied.contains("take one of them out of log.dirs"), "{copied}");
    node.config.directories[1] = first;
    assert!(refused(&node.config).contains("is named twice in log.dirs"));
}

#[test]
fn a_partition_behind_a_link_is_loaded() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&create(&dirs, &name("t", 0))));
    dirs.close(BrokerEpoch(1));
    drop(dirs);
    let (here, elsewhere) = (node.directory(0).join("t-0"), node.temp.path().join("elsewhere"));
    std::fs::rename(&here, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &here).unwrap();
    let segment = elsewhere.join("00000000000000000000.log");
    std::fs::rename(&segment, node.temp.path().join("segment")).unwrap();
    std::os::unix::fs::symlink(node.temp.path().join("segment"), &segment).unwrap();
    for clean in [true, false] {
        let (dirs, report) = node.start(RealDisk);
        assert_eq!((report.loaded, report.failed.len()), (1, 0));
        let log = dirs.get(&name("t", 0)).unwrap();
        assert_eq!(end(&log), Offset(1), "clean: {clean}");
        assert!(locked(&log).size() > 60);
    }
}

#[test]
fn a_log_that_was_taken_away_after_a_clean_end_is_told_of() {
    let node = Node::new(&["a"]);
    let (dirs, report) = node.start(RealDisk);
    assert!(report.lost.is_empty());
    for partition in 0..2 {
        assert!(append(&create(&dirs, &name("t", partition))));
    }
    dirs.close(BrokerEpoch(1));
    drop(dirs);
    std::fs::remove_dir_all(node.directory(0).join("t-1")).unwrap();
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.loaded, report.lost), (1, vec![name("t", 1)]));
    drop(dirs);
    // After a crash checkpoints speak of much that was deleted.
    std::fs::remove_dir_all(node.directory(0).join("t-0")).unwrap();
    assert!(node.start(RealDisk).1.lost.is_empty());
}

#[test]
fn formatting_again_changes_nothing() {
    let node = Node::new(&["a"]);
    let before = std::fs::read(node.directory(0).join("meta.properties")).unwrap();
    format(&RealDisk, node.directory(0), ("cluster", NodeId(1)), Timestamp(0)).unwrap();
    assert_eq!(std::fs::read(node.directory(0).join("meta.properties")).unwrap(), before);
    assert!(format(&RealDisk, node.directory(0), ("other", NodeId(1)), NOW).is_err());
}

#[test]
fn partitions_spread_over_the_directories() {
    let node = Node::new(&["a", "b", "c"]);
    let (dirs, _) = node.start(RealDisk);
    for partition in 0..9 {
        create(&dirs, &name("t", partition));
    }
    for directory in &node.config.directories {
        let partitions = entries(directory).into_iter().filter(|name| name.starts_with("t-")).count();
        assert_eq!(partitions, 3, "{}", directory.display());
    }
    let wanted = dirs.homes[1].directory.id();
    let log = dirs.create(&name("u", 0), TOPIC, Arc::default(), Some(wanted), NOW).unwrap();
    assert_eq!(locked(&log).directory_id(), wanted);
}

#[test]
fn a_partition_is_made_once_and_for_one_topic() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let (first, again) = (create(&dirs, &name("t", 0)), create(&dirs, &name("t", 0)));
    assert!(Arc::ptr_eq(&first, &again));
    let other = dirs.create(&name("t", 0), Uuid([2; 16]), Arc::default(), None, NOW);
    assert!(other.err().unwrap().to_string().contains("another topic of the same name"));
}

#[test]
fn a_deleted_partition_goes_from_sight_at_once_and_from_disk_later() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let old = create(&dirs, &name("t", 0));
    assert!(append(&old));
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    assert!(!dirs.delete(&name("t", 0), NOW).unwrap());
    assert!(!append(&old), "whoever still holds it is refused");
    let new = create(&dirs, &name("t", 0));
    assert_eq!(end(&new), Offset(0));
    let going =
        |directory: &Path| entries(directory).into_iter().filter(|name| name.ends_with("-delete")).count();
    assert_eq!(going(node.directory(0)), 1);
    dirs.remove_due(Timestamp(NOW.0 + 59_999));
    assert_eq!(going(node.directory(0)), 1);
    dirs.remove_due(Timestamp(NOW.0 + 60_000));
    assert_eq!(going(node.directory(0)), 0);

    dirs.delete(&name("t", 0), NOW).unwrap();
    drop((old, new, dirs));
    let (dirs, report) = node.start(RealDisk);
    assert_eq!(report.loaded, 0);
    dirs.remove_due(NOW);
    assert_eq!(going(node.directory(0)), 0, "what a crash left on its way out goes after the next start");
}

#[test]
fn a_partition_that_does_not_belong_here_is_set_aside() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&create(&dirs, &name("t", 0))));
    drop(dirs);
    let dirs = LogDirs::open(RealDisk, &node.config, NOW).unwrap();
    let report = dirs.load(
        |partition, topic_id| {
            assert_eq!((partition, topic_id), (&name("t", 0), Some(TOPIC)));
            Placement::Stray
        },
        NOW,
    );
    assert_eq!(report.strays, [name("t", 0)]);
    let names = entries(node.directory(0));
    assert!(names.iter().any(|name| name.starts_with("t-0.") && name.ends_with("-stray")), "{names:?}");
}

#[test]
fn deleted_records_stay_deleted_after_a_kill() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    (0..5).for_each(|_| assert!(append(&log)));
    assert_eq!(locked(&log).delete_records(Offset(3)).unwrap(), Offset(3));
    dirs.keep_log_starts().unwrap();
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!(locked(&log).partition().watermarks().log_start, Offset(3));
}

#[test]
fn a_topic_made_anew_does_not_begin_where_the_old_one_did() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    (0..5).for_each(|_| assert!(append(&log)));
    assert_eq!(locked(&log).delete_records(Offset(4)).unwrap(), Offset(4));
    dirs.keep_log_starts().unwrap();
    drop(log);
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    let log = create(&dirs, &name("t", 0));
    assert!(append(&log) && append(&log));
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    let marks = locked(&log).partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end), (Offset(0), Offset(2)));
}

fn recovery_point_on_disk(node: &Node, name: &TopicPartition) -> Option<Offset> {
    let path = node.directory(0).join(crate::checkpoint::RECOVERY_POINT);
    crate::checkpoint::read_offsets(&RealDisk, &path).unwrap().get(name).copied()
}

#[test]
fn a_topic_made_anew_does_not_count_as_flushed_where_the_old_one_was() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let partition = name("t", 0);
    let log = create(&dirs, &partition);
    (0..5).for_each(|_| assert!(append(&log)));
    dirs.close(BrokerEpoch(1));
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    assert_eq!(recovery_point_on_disk(&node, &partition), Some(Offset(5)));
    dirs.delete(&partition, NOW).unwrap();
    dirs.create(&partition, Uuid([2; 16]), Arc::default(), None, NOW).unwrap();
    assert_eq!(recovery_point_on_disk(&node, &partition).unwrap_or_default(), Offset(0));
    // And where the topic went while the node was down.
    let gone = name("gone", 0);
    let path = node.directory(0).join(crate::checkpoint::RECOVERY_POINT);
    crate::checkpoint::write_offsets(&RealDisk, &path, &[(gone.clone(), Offset(7))].into()).unwrap();
    drop(dirs);
    let (dirs, _) = node.start(RealDisk);
    create(&dirs, &gone);
    assert_eq!(recovery_point_on_disk(&node, &gone).unwrap_or_default(), Offset(0));
}

#[test]
fn the_recovery_point_on_disk_comes_down_before_a_log_is_cut() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let partition = name("t", 0);
    let log = create(&dirs, &partition);
    (0..5).for_each(|_| assert!(append(&log)));
    dirs.close(BrokerEpoch(1));
    drop((log, dirs));
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let log = create(&dirs, &partition);
    disk.fail_once("rename", "recovery-point-offset-checkpoint.tmp", Errno::NOSPC);
    dirs.truncate(&partition, Offset(2), NOW).unwrap_err();
    assert_eq!(end(&log), Offset(5), "nothing is cut before the checkpoint is there");
    dirs.truncate(&partition, Offset(2), NOW).unwrap();
    // Not its very end: the indexes of what is left are still to be brought to stable storage.
    assert_eq!((end(&log), recovery_point_on_disk(&node, &partition)), (Offset(2), Some(Offset(1))));
    assert_eq!(disk.count("fdatasync", "00000000000000000000.log"), 1, "what was cut does not come back");
}

/// Their indexes are made anew in the place of those that were on stable storage. Once the next segment is begun a checkpoint
/// that names the end of this one would keep the next start from looking at them.
#[test]
fn the_recovery_point_on_disk_comes_down_where_recovery_makes_indexes_anew() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let partition = name("t", 0);
    let log = create(&dirs, &partition);
    (0..5).for_each(|_| assert!(append(&log)));
    dirs.close(BrokerEpoch(1));
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    assert_eq!(recovery_point_on_disk(&node, &partition), Some(Offset(5)), "a clean end vouches for them");
    drop(dirs);
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&partition).unwrap();
    assert_eq!((end(&log), locked(&log).recovery_point()), (Offset(5), Offset(5)));
    assert_eq!(recovery_point_on_disk(&node, &partition), Some(Offset(4)));
}

#[test]
fn what_is_flushed_while_a_cut_is_on_its_way_is_not_vouched_for_behind_it() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let partition = name("t", 0);
    let log = create(&dirs, &partition);
    (0..5).for_each(|_| assert!(append(&log)));
    let flush = || {
        let (done, flushed) = std::sync::mpsc::channel();
        locked(&log).flush(NOW, Box::new(move |outcome| drop(done.send(outcome)))).unwrap();
        flushed.recv().unwrap().unwrap();
        dirs.checkpoint_recovery_points();
        recovery_point_on_disk(&node, &partition)
    };
    assert_eq!(flush(), Some(Offset(4)));
    dirs.lower(&log, Offset(2)).unwrap();
    assert_eq!(flush(), Some(Offset(4)), "between the two beats");
    let cut = |log: &mut Log| log.truncate(Offset(2), NOW);
    assert!(!dirs.cut_lowered((&partition, &log), Offset(2), cut, NOW).unwrap());
    assert_eq!(end(&log), Offset(5), "nothing is cut that the checkpoint vouches for");
    dirs.truncate(&partition, Offset(2), NOW).unwrap();
    assert_eq!((end(&log), recovery_point_on_disk(&node, &partition)), (Offset(2), Some(Offset(1))));
}

#[test]
fn a_log_that_could_not_be_loaded_keeps_its_checkpoints_and_is_not_called_clean() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    (0..5).for_each(|_| assert!(append(&log)));
    assert_eq!(locked(&log).delete_records(Offset(3)).unwrap(), Offset(3));
    dirs.keep_log_starts().unwrap();
    drop((log, dirs));

    let disk = ScriptedDisk::default();
    disk.fail_once("open", "00000000000000000000.log", Errno::MFILE);
    let (dirs, report) = node.start(disk);
    assert_eq!((report.loaded, report.failed.len()), (0, 1));
    let refused = dirs.plan(&name("t", 0), TOPIC, Arc::default(), None, NOW).err().unwrap();
    assert!(refused.to_string().contains("could not be loaded"), "nothing takes its place: {refused}");
    dirs.checkpoint_log_starts();
    dirs.close(BrokerEpoch(7));
    drop(dirs);
    assert!(!node.directory(0).join(CLEAN_SHUTDOWN).exists(), "nobody has looked at its tail");

    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!(locked(&log).partition().watermarks().log_start, Offset(3));
}

#[test]
fn a_log_that_could_not_be_loaded_goes_with_its_topic() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&create(&dirs, &name("t", 0))));
    drop(dirs);
    let disk = ScriptedDisk::default();
    disk.fail_once("open", "00000000000000000000.log", Errno::MFILE);
    let (dirs, _) = node.start(disk);
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    assert!(!dirs.delete(&name("t", 0), NOW).unwrap(), "it is gone");
    assert_eq!(end(&create(&dirs, &name("t", 0))), Offset(0), "another topic of the name begins anew");
    dirs.remove_due(NOW);
    let left: Vec<_> =
        entries(node.directory(0)).into_iter().filter(|entry| entry.starts_with("t-")).collect();
    assert_eq!(left, ["t-0"]);
}

#[test]
fn checkpoints_are_written_only_when_they_change() {
    let node = Node::new(&["a"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let log = create(&dirs, &name("t", 0));
    assert!(append(&log));
    disk.reset();
    for _ in 0..5 {
        dirs.checkpoint_high_watermarks();
        dirs.checkpoint_log_starts();
        dirs.keep_log_starts().unwrap();
    }
    assert_eq!(disk.count("rename", "replication-offset-checkpoint.tmp"), 1);
    assert_eq!(disk.count("rename", "log-start-offset-checkpoint.tmp"), 1);
    assert!(append(&log));
    dirs.checkpoint_high_watermarks();
    assert_eq!(disk.count("rename", "replication-offset-checkpoint.tmp"), 2);
}

#[test]
fn logs_that_have_gone_are_noted_until_each_checkpoint_is_without_them() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    for number in 0..20 {
        create(&dirs, &name("t", number));
        dirs.delete(&name("t", number), NOW).unwrap();
    }
    let noted = || dirs.homes[0].gone().each_ref().map(std::collections::BTreeSet::len);
    assert_eq!(noted(), [20; 4]);
    dirs.checkpoint_recovery_points();
    dirs.checkpoint_high_watermarks();
    dirs.checkpoint_log_starts();
    dirs.checkpoint_cleaned();
    assert_eq!(noted(), [0; 4]);
}

#[test]
fn a_failing_directory_takes_only_its_own_logs_with_it() {
    let node = Node::new(&["a", "b"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let (first, second) = (create(&dirs, &name("t", 0)), create(&dirs, &name("t", 1)));
    disk.fail_once("pwrite", ".log", Errno::IO);
    assert!(!append(&first));
    assert!(!append(&first), "offline until restart");
    assert!(append(&second));
    assert_eq!(dirs.offline(), [locked(&first).directory_id()]);
    let placed = create(&dirs, &name("u", 0));
    assert_eq!(locked(&placed).directory_id(), locked(&second).directory_id());
    dirs.close(BrokerEpoch(9));
    let marked = |index: usize| node.directory(index).join(CLEAN_SHUTDOWN).exists();
    let (failed, good) = if node.directory(0) == locked(&first).home().path() { (0, 1) } else { (1, 0) };
    assert!(!marked(failed) && marked(good), "a failed directory never ends cleanly");
}

#[test]
fn a_cordoned_directory_is_taken_only_where_there_is_no_other_or_by_its_id() {
    let node = Node::new(&["a", "b"]);
    let (dirs, _) = node.start(RealDisk);
    let [a, b] = [0, 1].map(|index| dirs.homes[index].directory.id());
    dirs.cordon([a].into());
    (0..3).for_each(|at| assert_eq!(locked(&create(&dirs, &name("t", at))).directory_id(), b));
    let log = dirs.create(&name("u", 0), TOPIC, Arc::default(), Some(a), NOW).unwrap();
    assert_eq!(locked(&log).directory_id(), a);
    dirs.cordon([a, b].into());
    create(&dirs, &name("t", 3));
}

#[test]
fn a_full_directory_is_taken_only_where_there_is_no_other() {
    let node = Node::new(&["a", "b"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let first = create(&dirs, &name("t", 0));
    disk.fail_once("pwrite", ".log", Errno::NOSPC);
    assert!(!append(&first));
    assert_eq!(locked(&first).home().state().health(), DirectoryHealth::Full);
    for partition in 1..4 {
        let placed = create(&dirs, &name("t", partition));
        assert_ne!(locked(&placed).directory_id(), locked(&first).directory_id());
    }
    assert!(!append(&first) && dirs.is_any_full());
    assert!(dirs.look_for_room() && !dirs.is_any_full());
    assert!(append(&first));
}

#[test]
fn a_full_directory_is_compacted_where_there_is_room_for_it_and_says_why_where_not() {
    let node = Node::new(&["a"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let mut config = LogConfig::default();
    config.compaction.compact = true;
    config.compaction.dirty_ratio_min = 0.0;
    let log = dirs.create(&name("t", 0), TOPIC, Arc::new(config), None, NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&log));
    locked(&log).roll(NOW).unwrap();
    disk.fail_once("pwrite", ".log", rustix::io::Errno::NOSPC);
    assert!(!append(&log) && dirs.is_any_full());
    disk.set_usable(1000);
    let dirtiest = dirs.dirtiest(NOW);
    assert!(dirtiest.log.is_none());
    let told = dirtiest.crowded.iter().map(|it| (&it.name, it.free, it.needed > 1 << 20));
    assert_eq!(told.collect::<Vec<_>>(), [(&name("t", 0), 1000, true)]);
    disk.set_usable(2 << 20);
    let dirtiest = dirs.dirtiest(NOW);
    assert!(dirtiest.log.is_some() && dirtiest.crowded.is_empty());
}

#[test]
fn an_error_at_the_end_leaves_no_mark() {
    for (verb, suffix) in
        [("sync_all", "a/.lock"), ("rename", "recovery-point-offset-checkpoint.tmp"), ("pwrite", ".index")]
    {
        let node = Node::new(&["a"]);
        let disk = ScriptedDisk::default();
        let (dirs, _) = node.start(disk.clone());
        let log = create(&dirs, &name("t", 0));
        (0..80).for_each(|_| assert!(append(&log)));
        disk.fail_once(verb, suffix, Errno::IO);
        dirs.close(BrokerEpoch(9));
        assert!(!node.directory(0).join(CLEAN_SHUTDOWN).exists(), "{verb} {suffix}");
        drop((log, dirs));
        let (dirs, _) = node.start(RealDisk);
        assert_eq!(end(&dirs.get(&name("t", 0)).unwrap()), Offset(80));
    }
}

#[test]
fn producers_and_old_segments_are_forgotten_in_passing() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let mut config = LogConfig::default();
    config.retention.time = Some(Millis(1000));
    let log = create(&dirs, &name("t", 0));
    locked(&log).set_config(Arc::new(config));
    assert!(append(&log));
    assert_eq!(dirs.retain(NOW), (0, 0));
    let size = locked(&log).size();
    assert_eq!(dirs.retain(Timestamp(NOW.0 + 1001)), (1, size));
    assert_eq!(dirs.expire_producers(NOW), 0);
}

#[test]
fn unreadable_checkpoints_cost_a_longer_recovery_and_nothing_else() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    (0..3).for_each(|_| assert!(append(&log)));
    drop((log, dirs));
    for file in
        [crate::checkpoint::RECOVERY_POINT, crate::checkpoint::REPLICATION, crate::checkpoint::LOG_START]
    {
        std::fs::write(node.directory(0).join(file), "0\n7\nhalf a li").unwrap();
    }
    std::fs::write(node.directory(0).join("t-0").join(crate::checkpoint::LEADER_EPOCH), "0\n1\n").unwrap();
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.loaded, report.failed.len()), (1, 0), "{report:?}");
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!(end(&log), Offset(3));
    assert_eq!(locked(&log).partition().leader_epochs().latest(), Some(LeaderEpoch(0)));
}

#[test]
fn a_log_that_a_thread_panicked_with_is_refused_and_its_directory_does_not_end_cleanly() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let (broken, sound) = (create(&dirs, &name("t", 0)), create(&dirs, &name("t", 1)));
    let panicking = Arc::clone(&broken);
    let panicked = std::thread::spawn(move || {
        let _held = panicking.lock().unwrap();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(whole(&broken).is_err_and(|fault| fault.to_string().contains("restart the broker")));
    dirs.retain(NOW);
    dirs.checkpoint_recovery_points();
    assert!(append(&sound) && whole(&sound).is_ok());
    dirs.close(BrokerEpoch(5));
    assert!(!node.directory(0).join(CLEAN_SHUTDOWN).exists());
}

#[test]
fn what_was_deleted_waits_for_its_time_only_where_there_is_room() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    assert!(append(&log));
    drop(log);
    dirs.delete(&name("t", 0), NOW).unwrap();
    let deleted = || entries(node.directory(0)).iter().filter(|name| name.ends_with("-delete")).count();
    dirs.look_for_room();
    assert_eq!(deleted(), 1);
    let full = Fault::io("write", node.directory(0), Errno::NOSPC.into());
    dirs.directories().next().unwrap().state().note(&full);
    assert!(dirs.look_for_room());
    assert_eq!(deleted(), 0);
}

#[test]
fn a_log_start_that_could_not_be_written_down_is_with_the_next_attempt() {
    let node = Node::new(&["a"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let log = create(&dirs, &name("t", 0));
    (0..5).for_each(|_| assert!(append(&log)));
    locked(&log).delete_records(Offset(3)).unwrap();
    disk.fail_once("rename", "log-start-offset-checkpoint.tmp", Errno::NOSPC);
    assert!(dirs.keep_log_starts().unwrap_err().no_space());
    dirs.keep_log_starts().unwrap();
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!(locked(&log).partition().watermarks().log_start, Offset(3));
}
