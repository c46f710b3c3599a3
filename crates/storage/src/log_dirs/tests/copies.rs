//! What is known of a replica that moves besides its batches.

use protocol::id::{ProducerEpoch, ProducerId, Sequence};

use super::*;

/// Appends the one batch of a producer that wants each once; whether it is a new one.
fn append_once(log: &SharedLog) -> bool {
    let producer = (ProducerId(9), ProducerEpoch(0), Sequence(0));
    let mut batch = BatchBuilder::new(BatchOptions { producer, ..BatchOptions::default() });
    batch.push(NOW, None, Some(b"once"), &[]);
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let append = Append { origin, leader_epoch: LeaderEpoch(0), now: NOW };
    let mut bytes = batch.finish_uncompressed();
    match locked(log).append(append, &mut bytes, &mut Scratch::default()).unwrap() {
        Appended::Written(_) => true,
        Appended::Duplicate(_) => false,
    }
}

/// Of a log that was compacted once a hole is none that a power cut left, whatever its policy is by now.
#[test]
fn it_is_said_of_a_log_about_to_arrive_how_far_it_is_clean() {
    let node = Node::new(&["a", "b"]);
    let (dirs, _) = node.start(RealDisk);
    let here = dirs.directories().next().unwrap().id();
    let log = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(here), NOW).unwrap();
    locked(&log).set_cleaned_to(Some(Offset(3)));
    let there = dirs.directories().nth(1).unwrap().id();
    let arriving = locked(&log).arriving();
    dirs.announce(there, &name("t", 0), arriving).unwrap();
    let path = node.directory(1).join(crate::checkpoint::CLEANER);
    let said = crate::checkpoint::read_offsets(&RealDisk, &path).unwrap();
    assert_eq!(said, [(name("t", 0), Offset(3))].into());
}

/// Their batches may be deleted, so that the copy never sees them; the producers may send them again all the same.
#[test]
fn producers_are_known_where_a_replica_has_moved_to() {
    for ends_cleanly in [true, false] {
        let node = Node::new(&["a", "b"]);
        let (dirs, _) = node.start(RealDisk);
        let [here, there] = [0, 1].map(|index| dirs.directories().nth(index).unwrap().id());
        let log = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(here), NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!(append_once(&log) && !append_once(&log));
        locked(&log).delete_records(Offset(1)).unwrap();
        assert!(dirs.begin_move(&name("t", 0), there, NOW).unwrap());
        let moving = dirs.moving(&name("t", 0)).unwrap();
        dirs.finish_move(&moving, NOW).unwrap();
        assert_eq!(locked(&log).directory_id(), there);
        assert_eq!(locked(&log).size(), 0, "the copy has seen no batch");
        if ends_cleanly {
            dirs.close(BrokerEpoch(1));
        }
        drop((moving, log, dirs));
        let (dirs, _) = node.start(RealDisk);
        let log = dirs.get(&name("t", 0)).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!(!append_once(&log), "after a clean end: {ends_cleanly}");
    }
}

/// Their batches may be deleted too, and no clean end writes them again.
#[test]
fn epochs_are_on_disk_where_a_replica_has_moved_to() {
    let node = Node::new(&["a", "b"]);
    let (dirs, _) = node.start(RealDisk);
    let [here, there] = [0, 1].map(|index| dirs.directories().nth(index).unwrap().id());
    let log = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(here), NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&log));
    locked(&log).delete_records(Offset(1)).unwrap();
    assert!(dirs.begin_move(&name("t", 0), there, NOW).unwrap());
    dirs.finish_move(&dirs.moving(&name("t", 0)).unwrap(), NOW).unwrap();
    let path = node.directory(1).join("t-0").join(crate::checkpoint::LEADER_EPOCH);
    let epochs = crate::checkpoint::read_leader_epochs(&RealDisk, &path).unwrap();
    assert_eq!(epochs, [(LeaderEpoch(0), Offset(1))]);
}
