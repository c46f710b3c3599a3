//! What an orderly end asks of the disk.

use super::*;
use crate::checkpoint::LEADER_EPOCH;
use crate::clean_logs::{CLEAN_LOGS, CleanLogs};

const LOGS: i32 = 20;

/// The directories of a node after an orderly end, with so many logs of a batch each.
fn ended(node: &Node, disk: &ScriptedDisk, logs: i32) -> LogDirs<ScriptedDisk> {
    let (dirs, _) = node.start(disk.clone());
    for partition in 0..logs {
        assert!(append(&create(&dirs, &name("t", partition))));
    }
    dirs.close(BrokerEpoch(1));
    drop(dirs);
    node.start(disk.clone()).0
}

/// A new leader epoch begins, which an end has to write down.
fn append_in_new_epoch(log: &SharedLog<ScriptedDisk>) {
    locked(log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append_in(log, LeaderEpoch(1)));
}

#[test]
fn an_orderly_end_of_many_logs_brings_what_they_have_written_to_stable_storage_together() {
    let node = Node::new(&["a"]);
    let disk = ScriptedDisk::default();
    let dirs = ended(&node, &disk, LOGS);
    for (_, log) in dirs.logs() {
        append_in_new_epoch(&log);
    }
    disk.reset();
    dirs.close(BrokerEpoch(2));
    drop(dirs);
    // Checkpoints, what is known of the logs, and the mark.
    let (files, all) = (disk.count("fdatasync", ""), disk.count("sync_all", ""));
    assert!(files <= 6 && all == 2, "{files} files are synced, and {all} times all");
    let beside = format!("{LEADER_EPOCH}.tmp");
    let lasting = disk.lasting(|verb, path| verb == "sync_all" || path.ends_with(&beside));
    let verbs = lasting.iter().rev().map(|call| call.split_once(' ').unwrap().0);
    let verbs: Vec<_> = verbs.take(LOGS as usize + 2).collect();
    let renames = vec!["rename"; LOGS as usize];
    assert_eq!(
        verbs,
        [&["sync_all"][..], &renames, &["sync_all"]].concat(),
        "what takes a place is whole by then"
    );
    let (dirs, _) = node.start(disk);
    assert_eq!(dirs.clean_shutdown_epoch(), Some(BrokerEpoch(2)));
    for (_, log) in dirs.logs() {
        let epochs = locked(&log).partition().leader_epochs().entries().len();
        assert_eq!((epochs, end(&log)), (2, Offset(2)));
    }
}

#[test]
fn a_log_that_cannot_be_closed_to_the_end_leaves_no_mark() {
    let node = Node::new(&["a", "b"]);
    let disk = ScriptedDisk::default();
    let dirs = ended(&node, &disk, 4);
    for (_, log) in dirs.logs() {
        append_in_new_epoch(&log);
    }
    disk.fail_once("rename", "leader-epoch-checkpoint.tmp", Errno::IO);
    dirs.close(BrokerEpoch(2));
    let marks = [0, 1].map(|index| node.directory(index).join(CLEAN_SHUTDOWN).exists());
    assert_eq!(marks.iter().filter(|mark| **mark).count(), 1, "the other directory ends in order");
    drop(dirs);
    let (dirs, _) = node.start(RealDisk);
    assert!(dirs.logs().iter().all(|(_, log)| end(log) == Offset(2)));
}

/// Who is short of room moves a partition elsewhere and puts a link in its place.
#[test]
fn a_partition_on_another_file_system_is_brought_to_stable_storage_too() {
    let node = Node::new(&["a"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    for partition in 0..3 {
        assert!(append(&create(&dirs, &name("t", partition))));
    }
    disk.put_elsewhere("t-1");
    disk.fail_once("sync_all", "t-1/00000000000000000000.log", Errno::IO);
    dirs.close(BrokerEpoch(1));
    assert!(!node.directory(0).join(CLEAN_SHUTDOWN).exists(), "it is synced, and that has failed");
    assert_eq!(disk.count("sync_all", ""), 2);
}

#[test]
fn a_directory_in_which_nothing_takes_a_place_is_synced_once() {
    let node = Node::new(&["a", "b"]);
    let disk = ScriptedDisk::default();
    let dirs = ended(&node, &disk, 2);
    let (_, log) = dirs.logs().remove(0);
    append_in_new_epoch(&log);
    disk.reset();
    dirs.close(BrokerEpoch(2));
    let mut times = ["a/.lock", "b/.lock"].map(|lock| disk.count("sync_all", lock));
    times.sort_unstable();
    assert_eq!(times, [1, 2]);
}

/// The metadata may bring a partition until the very end.
#[test]
fn a_log_that_comes_in_the_midst_of_the_end_is_closed_too() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    assert!(append(&log));
    let mut log = locked(&log);
    assert!(log.end_close().unwrap());
    let indexes = entries(log.path()).iter().filter(|file| file.ends_with("index")).count();
    assert_eq!((indexes, log.end_close().unwrap()), (2, false));
}

#[test]
fn what_a_clean_end_has_told_counts_for_nothing_once_a_bit_of_it_has_changed() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    (0..3).for_each(|_| assert!(append(&log)));
    dirs.close(BrokerEpoch(7));
    let directory = node.directory(0);
    let path = directory.join(CLEAN_LOGS);
    let whole = std::fs::read(&path).unwrap();
    let is_known = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let known = CleanLogs::take(&RealDisk, directory, Some(BrokerEpoch(7))).unwrap();
        known.of(&RealDisk, &directory.join("t-0")).is_some()
    };
    assert!(is_known(&whole));
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(!is_known(&changed), "byte {at}");
    }
}
