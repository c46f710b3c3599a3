//! What `cleaner-offset-checkpoint` says, over kills and restarts: no line of a log that is not there, and never that
//! something is clean which has come in the place of what was.

use super::*;
use crate::checkpoint::{self, PartitionOffsets};

/// A node with a log `t-0` of five batches in segments of one, clean up to offset 4.
fn cleaned() -> (Node, LogDirs) {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    for _ in 0..5 {
        locked(&log).roll(NOW).unwrap();
        assert!(append(&log));
    }
    locked(&log).set_cleaned_to(Some(Offset(4)));
    drop(log);
    dirs.checkpoint_cleaned();
    assert_eq!(checkpointed(&node), [(name("t", 0), Offset(4))].into());
    (node, dirs)
}

fn checkpointed(node: &Node) -> PartitionOffsets {
    checkpoint::read_offsets(&RealDisk, &node.directory(0).join(checkpoint::CLEANER)).unwrap()
}

#[test]
fn a_log_deleted_just_before_a_kill_is_spoken_of_no_more_after_the_next_start() {
    let (node, dirs) = cleaned();
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    drop(dirs);
    assert_eq!(checkpointed(&node).len(), 1, "nobody has come to say so");
    let (dirs, _) = node.start(RealDisk);
    dirs.checkpoint_cleaned();
    assert_eq!(checkpointed(&node), PartitionOffsets::new());
    drop(dirs);

    // And where the start ends before the cleaner has come by.
    let (node, dirs) = cleaned();
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    drop(dirs);
    let (dirs, _) = node.start(RealDisk);
    dirs.close(BrokerEpoch(1));
    assert_eq!(checkpointed(&node), PartitionOffsets::new());
}

#[test]
fn a_log_that_is_set_aside_is_spoken_of_no_more() {
    let (node, dirs) = cleaned();
    drop(dirs);
    let dirs = LogDirs::open(RealDisk, &node.config, NOW).unwrap();
    assert_eq!(dirs.load(|_, _| Placement::Stray, NOW).strays, [name("t", 0)]);
    dirs.close(BrokerEpoch(1));
    assert_eq!(checkpointed(&node), PartitionOffsets::new());
}

#[test]
fn what_comes_in_the_place_of_a_cut_tail_is_not_clean_after_a_kill() {
    let (node, dirs) = cleaned();
    dirs.truncate(&name("t", 0), Offset(2), NOW).unwrap();
    assert_eq!(checkpointed(&node), [(name("t", 0), Offset(2))].into(), "before anything is appended again");
    let log = dirs.get(&name("t", 0)).unwrap();
    (0..5).for_each(|_| assert!(append(&log)));
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    assert_eq!(locked(&dirs.get(&name("t", 0)).unwrap()).cleaned_to(), Some(Offset(2)));
}

#[test]
fn of_a_log_that_is_empty_again_nothing_is_clean_after_a_kill() {
    let (node, dirs) = cleaned();
    dirs.truncate_fully(&name("t", 0), Offset(0), NOW).unwrap();
    assert_eq!(checkpointed(&node), PartitionOffsets::new());
    let log = dirs.get(&name("t", 0)).unwrap();
    (0..9).for_each(|_| assert!(append(&log)));
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    assert_eq!(locked(&dirs.get(&name("t", 0)).unwrap()).cleaned_to(), None);
}

#[test]
fn a_checkpoint_that_knows_more_than_a_start_finds_is_put_right_at_once() {
    let (node, dirs) = cleaned();
    drop(dirs);
    // As a power cut leaves it that took what was not synced.
    for base in 2..5 {
        std::fs::remove_file(node.directory(0).join(format!("t-0/{base:020}.log"))).unwrap();
    }
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!((end(&log), locked(&log).cleaned_to()), (Offset(2), Some(Offset(1))));
    dirs.checkpoint_cleaned();
    assert_eq!(checkpointed(&node), [(name("t", 0), Offset(1))].into());
    drop((log, dirs));

    for base in 0..2 {
        std::fs::remove_file(node.directory(0).join(format!("t-0/{base:020}.log"))).unwrap();
    }
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!((end(&log), locked(&log).cleaned_to()), (Offset(0), None), "it is another log now");
    dirs.checkpoint_cleaned();
    assert_eq!(checkpointed(&node), PartitionOffsets::new());
}

#[test]
fn a_checkpoint_that_could_not_be_written_is_written_the_next_time() {
    let (node, disk) = (Node::new(&["a"]), ScriptedDisk::default());
    let (dirs, _) = node.start(disk.clone());
    let log = create(&dirs, &name("t", 0));
    (0..5).for_each(|_| assert!(append(&log)));
    locked(&log).set_cleaned_to(Some(Offset(4)));
    disk.fail_once("open", "cleaner-offset-checkpoint.tmp", Errno::MFILE);
    dirs.checkpoint_cleaned();
    assert_eq!(checkpointed(&node), PartitionOffsets::new());
    dirs.checkpoint_cleaned();
    assert_eq!(checkpointed(&node), [(name("t", 0), Offset(4))].into());
}
