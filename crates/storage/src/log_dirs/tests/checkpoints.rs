//! What the checkpoints of a directory say, and when.

use rustix::io::Errno;

use super::*;
use crate::checkpoint;

fn said(node: &Node, file: &str, name: &TopicPartition) -> Option<Offset> {
    let offsets = checkpoint::read_offsets(&RealDisk, &node.directory(0).join(file)).unwrap();
    offsets.get(name).copied()
}

#[test]
fn one_that_could_not_be_written_is_written_the_next_time() {
    let (node, disk) = (Node::new(&["a"]), ScriptedDisk::default());
    let (dirs, _) = node.start(disk.clone());
    let log = create(&dirs, &name("t", 0));
    assert!(append(&log));
    disk.fail_once("rename", "replication-offset-checkpoint.tmp", Errno::NOSPC);
    dirs.checkpoint_high_watermarks();
    assert_eq!(said(&node, checkpoint::REPLICATION, &name("t", 0)), None);
    dirs.checkpoint_high_watermarks();
    assert_eq!(said(&node, checkpoint::REPLICATION, &name("t", 0)), Some(Offset(1)));
}

#[test]
fn what_is_not_replicated_is_not_below_the_high_watermark_on_disk() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.create(&name("t", 0), TOPIC, Arc::default(), None, NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1), NodeId(2)]).unwrap();
    (0..3).for_each(|_| assert!(append(&log)));
    locked(&log).follower_reached(NodeId(2), Offset(2));
    dirs.checkpoint_high_watermarks();
    assert_eq!(said(&node, checkpoint::REPLICATION, &name("t", 0)), Some(Offset(2)));
}

/// What DeleteRecords has moved is written at once; what a follower was told, or a log that begins anew, at an interval.
#[test]
fn a_clean_end_leaves_no_log_start_unsaid() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    (0..3).for_each(|_| assert!(append(&log)));
    locked(&log).delete_records(Offset(2)).unwrap();
    dirs.close(BrokerEpoch(1));
    assert_eq!(said(&node, checkpoint::LOG_START, &name("t", 0)), Some(Offset(2)));
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    let marks = locked(&dirs.get(&name("t", 0)).unwrap()).partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end), (Offset(2), Offset(3)));
}

/// A leader's log that begins further back than this one did: nothing may keep it from beginning there.
#[test]
fn a_log_that_begins_anew_is_said_to_with_the_next_who_writes_where_logs_begin() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    (0..5).for_each(|_| assert!(append(&log)));
    locked(&log).delete_records(Offset(4)).unwrap();
    dirs.keep_log_starts().unwrap();
    dirs.truncate_fully(&name("t", 0), Offset(2), NOW).unwrap();
    dirs.keep_log_starts().unwrap();
    assert_eq!(said(&node, checkpoint::LOG_START, &name("t", 0)), Some(Offset(2)));
}

#[test]
fn names_of_directories_that_are_formatted_are_on_stable_storage() {
    let (temp, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
    let directory = temp.path().join("outer/inner");
    format(&disk, &directory, ("c", NodeId(1)), NOW).unwrap();
    for parent in [temp.path().to_owned(), temp.path().join("outer"), directory] {
        assert!(disk.count("fsync_dir", &parent.to_string_lossy()) > 0, "{}", parent.display());
    }
}
