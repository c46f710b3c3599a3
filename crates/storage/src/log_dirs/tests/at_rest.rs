//! Of very many logs at rest, what is done every few seconds looks at none; and what happens to one is told all the same.

use super::*;
use crate::checkpoint;
use crate::scripted_disk::holds;

fn said(node: &Node, directory: usize, name: &TopicPartition) -> Option<Offset> {
    let path = node.directory(directory).join(checkpoint::REPLICATION);
    checkpoint::read_offsets(&RealDisk, &path).unwrap().get(name).copied()
}

/// What a node does every few seconds; says how many logs it has looked at.
fn look<D: Disk>(dirs: &LogDirs<D>, now: Timestamp) -> usize {
    let before = holds();
    dirs.checkpoint_high_watermarks();
    dirs.settle(now);
    dirs.dirtiest(now);
    dirs.retain_compacted(now);
    holds() - before
}

fn after(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + 1000 * seconds)
}

#[test]
fn logs_at_rest_are_not_looked_at() {
    let (node, disk) = (Node::new(&["a", "b"]), ScriptedDisk::default());
    let (dirs, _) = node.start(disk.clone());
    let config = Arc::new(LogConfig { recovery_bytes: Some(64 << 10), ..LogConfig::default() });
    let ids: Vec<_> = dirs.directories().map(|directory| directory.id()).collect();
    let create = |partition| {
        let log = dirs.create(&name("t", partition), TOPIC, config.clone(), Some(ids[0]), NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!(append(&log));
        log
    };
    let logs: Vec<_> = (0..10).map(create).collect();
    assert!(look(&dirs, NOW) >= 20, "once for each purpose");
    for minute in 1..60 {
        assert_eq!(look(&dirs, after(60 * minute)), 0, "minute {minute}");
    }
    // So much comes that it gets a place for recovery to begin at, which counts after a while.
    assert!((0..100).all(|_| append(&logs[3])));
    let mut looks = Vec::new();
    for quarter in 0..20 {
        looks.push(look(&dirs, after(3600 + 15 * quarter)));
        let (tell, told) = std::sync::mpsc::channel();
        locked(&logs[3]).flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap().unwrap();
    }
    assert!(looks[0] >= 20 && looks[1..3].iter().all(|looked| *looked >= 10), "{looks:?}");
    assert_eq!(looks[10..], [0; 10], "{looks:?}");
    disk.reset();
    look(&dirs, after(7200));
    assert_eq!(disk.total(), 0);
}

#[test]
fn a_high_watermark_that_moves_is_told_at_the_next_look() {
    let node = Node::new(&["a", "b"]);
    let (dirs, _) = node.start(RealDisk);
    let ids: Vec<_> = dirs.directories().map(|directory| directory.id()).collect();
    let synced = Arc::new(LogConfig { flush_messages: Some(1), ..LogConfig::default() });
    let name = name("t", 0);
    let log = dirs.create(&name, TOPIC, synced, Some(ids[0]), NOW).unwrap();
    let tells = |what: &str| {
        look(&dirs, NOW);
        let high_watermark = locked(&log).partition().watermarks().high_watermark;
        assert_eq!(said(&node, 0, &name), Some(high_watermark), "{what}");
        high_watermark.0
    };
    let (one, both) = ([NodeId(1)], [NodeId(1), NodeId(2)]);
    assert_eq!(tells("it is there"), 0);
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, both).unwrap();
    assert!((0..9).all(|_| append(&log)));
    locked(&log).follower_reached(NodeId(2), Offset(2));
    assert_eq!(tells("nothing is on stable storage"), 0);
    let (tell, told) = std::sync::mpsc::channel();
    locked(&log).flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
    told.recv().unwrap().unwrap();
    assert!(locked(&log).take_synced());
    assert_eq!(tells("all is on stable storage"), 2);
    locked(&log).follower_reached(NodeId(2), Offset(4));
    assert_eq!(tells("a follower fetches"), 4);
    locked(&log).set_in_sync_min(2);
    locked(&log).set_in_sync(one, []);
    assert_eq!(tells("too few are in sync"), 4);
    locked(&log).set_in_sync_min(1);
    assert_eq!(tells("fewer are asked for"), 9);
    dirs.truncate(&name, Offset(6), NOW).unwrap();
    assert_eq!(tells("it is cut"), 6);
    dirs.truncate_fully(&name, Offset(3), NOW).unwrap();
    assert_eq!(tells("it begins anew"), 3);
    locked(&log).set_config(Arc::default());
    locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, one).unwrap();
    assert!(append_in(&log, LeaderEpoch(1)));
    assert_eq!(tells("it is appended to"), 4);
    locked(&log).become_leader(LeaderEpoch(2), NodeId(1), 1, both).unwrap();
    assert!(append_in(&log, LeaderEpoch(2)));
    locked(&log).become_follower(LeaderEpoch(3));
    locked(&log).follow_high_watermark(Offset(5));
    assert_eq!(tells("its leader says so"), 5);
    locked(&log).become_leader(LeaderEpoch(4), NodeId(1), 1, one).unwrap();
    locked(&log).delete_records(Offset(5)).unwrap();
    assert_eq!(tells("its records are deleted"), 5);
}

#[test]
fn a_log_that_comes_or_goes_is_told_at_the_next_look() {
    let node = Node::new(&["a", "b"]);
    let (dirs, _) = node.start(RealDisk);
    let ids: Vec<_> = dirs.directories().map(|directory| directory.id()).collect();
    let [stays, goes, moves] = [0, 1, 2].map(|partition| name("t", partition));
    let says = |directory, names: [(&TopicPartition, Option<i64>); 3]| {
        look(&dirs, NOW);
        for (name, offset) in names {
            assert_eq!(said(&node, directory, name), offset.map(Offset), "{name} in {directory}");
        }
    };
    look(&dirs, NOW);
    let create = |name| {
        let log = dirs.create(name, TOPIC, Arc::default(), Some(ids[0]), NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        log
    };
    let log = create(&stays);
    says(0, [(&stays, Some(0)), (&goes, None), (&moves, None)]);
    create(&goes);
    create(&moves);
    says(0, [(&stays, Some(0)), (&goes, Some(0)), (&moves, Some(0))]);
    assert!(dirs.delete(&goes, NOW).unwrap());
    says(0, [(&stays, Some(0)), (&goes, None), (&moves, Some(0))]);
    assert!(dirs.begin_move(&moves, ids[1], NOW).unwrap());
    let moving = dirs.moving(&moves).unwrap();
    while moving.step(1 << 20, NOW).unwrap().lag > 0 {}
    dirs.finish_move(&moving, NOW).unwrap();
    says(0, [(&stays, Some(0)), (&goes, None), (&moves, None)]);
    says(1, [(&stays, None), (&goes, None), (&moves, Some(0))]);
    let moved = dirs.get(&moves).unwrap();
    assert!(append(&moved) && append(&log));
    says(0, [(&stays, Some(1)), (&goes, None), (&moves, None)]);
    says(1, [(&stays, None), (&goes, None), (&moves, Some(1))]);
    drop((log, moved, moving));
}
