//! Replicas on their way between two directories: what fails half way, what pulls the ground away, what a start finds.

use rustix::io::Errno;

use super::super::moves::{Ending, Fate, Original};
use super::*;
use crate::fault::Fault;
use crate::names::DirectoryName;

/// A node with two directories, and a log with five batches in the first.
fn filled<D: Disk>(disk: D) -> (Node, LogDirs<D>, SharedLog<D>) {
    let node = Node::new(&["a", "b"]);
    let (dirs, _) = node.start(disk);
    let first = dirs.directories().next().unwrap().id();
    let log = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(first), NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    (0..5).for_each(|_| assert!(append(&log)));
    (node, dirs, log)
}

fn begin<D: Disk>(dirs: &LogDirs<D>, partition: &TopicPartition) -> Arc<Move<D>> {
    let there = dirs.directories().nth(1).unwrap().id();
    assert!(dirs.begin_move(partition, there, NOW).unwrap());
    dirs.moving(partition).unwrap()
}

fn bytes<D: Disk>(log: &SharedLog<D>) -> Vec<u8> {
    locked(log).piece_from(Offset(0), u32::MAX >> 1).unwrap().bytes
}

fn is_offline<D: Disk>(dirs: &LogDirs<D>, index: usize) -> bool {
    dirs.directories().nth(index).unwrap().state().check().is_err()
}

#[test]
fn a_move_whose_second_rename_fails_leaves_the_replica_where_it_was() {
    let disk = ScriptedDisk::default();
    let (node, dirs, log) = filled(disk.clone());
    let moving = begin(&dirs, &name("t", 0));
    disk.fail_once("rename", "-future", Errno::NOSPC);
    assert!(dirs.finish_move(&moving, NOW).unwrap_err().no_space());
    assert_eq!(locked(&log).path(), node.directory(0).join("t-0"));
    assert!(node.directory(0).join("t-0").exists() && !node.directory(1).join("t-0").exists());
    assert!(append(&log) && !is_offline(&dirs, 0));
    let all = bytes(&log);
    assert!(dirs.look_for_room());
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!(locked(&log).path(), node.directory(1).join("t-0"));
    assert_eq!((bytes(&log), end(&log)), (all, Offset(6)), "nothing of what came in between is missing");
}

#[test]
fn a_move_that_cannot_go_on_nor_back_takes_both_directories_offline_and_loses_nothing() {
    let disk = ScriptedDisk::default();
    let (node, dirs, log) = filled(disk.clone());
    let (moving, all) = (begin(&dirs, &name("t", 0)), bytes(&log));
    disk.fail_once("rename", "-future", Errno::NOSPC);
    disk.fail_once("rename", "-delete", Errno::NOSPC);
    dirs.finish_move(&moving, NOW).unwrap_err();
    assert!(is_offline(&dirs, 0) && is_offline(&dirs, 1) && !append(&log));
    dirs.remove_due(Timestamp(i64::MAX));
    drop((moving, log, dirs));
    let (dirs, report) = node.start(RealDisk);
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(bytes(&dirs.get(&name("t", 0)).unwrap()), all);
}

#[test]
fn a_log_that_moved_but_cannot_be_opened_there_takes_nothing_that_would_be_lost() {
    let disk = ScriptedDisk::default();
    let (node, dirs, log) = filled(disk.clone());
    locked(&log).delete_records(Offset(2)).unwrap();
    let (moving, all) = (begin(&dirs, &name("t", 0)), bytes(&log));
    disk.fail_once("list", "b/t-0", Errno::MFILE);
    dirs.finish_move(&moving, NOW).unwrap_err();
    assert!(!append(&log), "its directory is on its way out");
    // As whoever drives the move does when it fails.
    assert!(dirs.abandon_move(&moving, NOW).unwrap());
    let refused = dirs.plan(&name("t", 0), TOPIC, Arc::default(), None, NOW).err().unwrap();
    assert!(refused.to_string().contains("could not be loaded"), "nothing takes its place: {refused}");
    dirs.checkpoint_log_starts();
    dirs.close(BrokerEpoch(1));
    let ended_cleanly = |index| node.directory(index).join(CLEAN_SHUTDOWN).exists();
    assert!(ended_cleanly(0) && !ended_cleanly(1), "nobody has looked into it in its new place");
    drop((moving, log, dirs));
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!((bytes(&log), end(&log)), (all, Offset(5)));
    assert_eq!(locked(&log).partition().watermarks().log_start, Offset(2), "what was deleted stays deleted");
}

#[test]
fn a_log_that_moved_but_cannot_be_opened_there_goes_with_its_topic() {
    let disk = ScriptedDisk::default();
    let (node, dirs, log) = filled(disk.clone());
    let moving = begin(&dirs, &name("t", 0));
    disk.fail_once("list", "b/t-0", Errno::MFILE);
    dirs.finish_move(&moving, NOW).unwrap_err();
    dirs.abandon_move(&moving, NOW).unwrap();
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    assert!(!dirs.delete(&name("t", 0), NOW).unwrap(), "it is gone");
    dirs.remove_due(Timestamp(i64::MAX));
    let of_topic = |entry: &String| entry.starts_with("t-0");
    assert!(entries(node.directory(1)).iter().all(|entry| !of_topic(entry)));
    drop((moving, log));
    let anew = dirs.plan(&name("t", 0), Uuid([2; 16]), Arc::default(), None, NOW).unwrap();
    locked(&anew).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&anew) && append(&anew), "another topic of the name begins anew");
    dirs.close(BrokerEpoch(1));
    assert!((0..2).all(|index| node.directory(index).join(CLEAN_SHUTDOWN).exists()));
}

#[test]
fn what_was_said_of_a_log_where_it_was_goes_though_it_cannot_be_opened_where_it_is() {
    let disk = ScriptedDisk::default();
    let (node, dirs, log) = filled(disk.clone());
    locked(&log).delete_records(Offset(2)).unwrap();
    dirs.keep_log_starts().unwrap();
    let here = locked(&log).directory_id();
    let moving = begin(&dirs, &name("t", 0));
    disk.fail_once("list", "b/t-0", Errno::MFILE);
    dirs.finish_move(&moving, NOW).unwrap_err();
    dirs.abandon_move(&moving, NOW).unwrap();
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    let anew = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(here), NOW).unwrap();
    locked(&anew).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&anew));
    drop((moving, log, anew, dirs));
    let (dirs, _) = node.start(RealDisk);
    let marks = locked(&dirs.get(&name("t", 0)).unwrap()).partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end), (Offset(0), Offset(1)));
}

/// The rename may be done and only not be on stable storage, and the metadata may have the replica where the copy is.
#[test]
fn a_move_whose_end_is_not_on_stable_storage_loses_nothing_that_comes_after() {
    for passing in 0.. {
        let disk = ScriptedDisk::default();
        let (node, dirs, log) = filled(disk.clone());
        let moving = begin(&dirs, &name("t", 0));
        let there = moving.to.id();
        disk.fail_after(passing, "fsync_dir", "/b", Errno::IO);
        let moved = dirs.finish_move(&moving, NOW);
        let end = 5 + i64::from(append(&log));
        drop((moving, log, dirs));
        let (dirs, report) = start_assigned(&node, ScriptedDisk::default(), there);
        assert!(report.failed.is_empty(), "{report:?}");
        let found = dirs.get(&name("t", 0)).map(|log| super::end(&log));
        assert_eq!(found, Some(Offset(end)), "after {passing} others an fsync fails");
        if moved.is_ok() {
            assert!(passing > 2, "the copy, its name, its checkpoints");
            break;
        }
    }
}

#[test]
fn a_copy_is_on_stable_storage_before_it_takes_the_place_of_its_log() {
    let disk = ScriptedDisk::default();
    let (node, dirs, _log) = filled(disk.clone());
    dirs.finish_move(&begin(&dirs, &name("t", 0)), NOW).unwrap();
    let there = node.directory(1).to_string_lossy().into_owned();
    let calls = disk.lasting(|_, path| path.starts_with(&there));
    let named =
        calls.iter().position(|call| call.starts_with("rename") && call.ends_with("-future")).unwrap();
    for file in [".log", ".index", ".timeindex", "leader-epoch-checkpoint", "partition.metadata"] {
        let synced = |call: &String| call.starts_with("fdatasync") && call.contains(file);
        assert!(calls[..named].iter().any(synced), "{file}: {calls:?}");
    }
    // The old name goes for good before the new one comes, and nothing is written before that has come for good.
    let calls = disk.lasting(|_, path| !path.contains("checkpoint") && !path.contains("-future/"));
    let goes = |call: &&String| call.starts_with("rename") && call.ends_with("/a/t-0");
    let names: Vec<_> = calls.iter().skip_while(|call| !goes(call)).take(4).collect();
    let [_, first, here, second] = names[..] else { panic!("{calls:?}") };
    assert_eq!(*first, format!("fsync_dir {}", node.directory(0).display()));
    assert!(here.ends_with("-future") && *second == format!("fsync_dir {there}"), "{names:?}");
}

#[test]
fn of_many_who_begin_to_move_a_replica_one_does() {
    let (node, dirs, _log) = filled(RealDisk);
    let there = dirs.directories().nth(1).unwrap().id();
    // Whether they meet is up to the system; in one of the rounds they do.
    for round in 0..50 {
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    assert!(dirs.begin_move(&name("t", 0), there, NOW).unwrap());
                });
            }
        });
        dirs.remove_due(NOW);
        let left = entries(node.directory(1));
        let copies = left.iter().filter(|entry| entry.ends_with("-future")).count();
        assert_eq!((copies, dirs.moves().len()), (1, 1), "round {round}: {left:?}");
        assert!(dirs.give_up_move(&name("t", 0), NOW).unwrap());
        dirs.remove_due(NOW);
    }
    let moving = begin(&dirs, &name("t", 0));
    dirs.finish_move(&moving, NOW).unwrap();
}

#[test]
fn what_was_read_before_a_log_was_cut_is_not_copied() {
    let (_node, dirs, log) = filled(RealDisk);
    let moving = begin(&dirs, &name("t", 0));
    moving.step(1, NOW).unwrap();
    // The copy ends before the cut, and what is on its way to it goes beyond.
    let seen = moving.read(u32::MAX >> 1).unwrap();
    dirs.truncate(&name("t", 0), Offset(3), NOW).unwrap();
    (0..3).for_each(|_| assert!(append(&log)));
    assert_eq!(moving.take(&seen, NOW).unwrap().bytes, 0);
    // And here it goes beyond already.
    while moving.step(1, NOW).unwrap().lag > 0 {}
    let seen = moving.read(u32::MAX >> 1).unwrap();
    dirs.truncate(&name("t", 0), Offset(4), NOW).unwrap();
    assert_eq!(end(&moving.future), Offset(4), "the copy is cut along");
    locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert_eq!(moving.take(&seen, NOW).unwrap().bytes, 0);
    dirs.truncate_fully(&name("t", 0), Offset(20), NOW).unwrap();
    assert_eq!(end(&moving.future), Offset(20));
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!(end(&log), Offset(20));
}

#[test]
fn a_copy_that_cannot_be_cut_never_takes_the_place_of_its_log() {
    let disk = ScriptedDisk::default();
    let (_node, dirs, log) = filled(disk.clone());
    let moving = begin(&dirs, &name("t", 0));
    while moving.step(1, NOW).unwrap().lag > 0 {}
    let held = bytes(&log);
    moving.to.state().take_offline("on purpose");
    dirs.truncate(&name("t", 0), Offset(2), NOW).unwrap();
    assert!(dirs.moving(&name("t", 0)).is_none());
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!((end(&log), is_offline(&dirs, 0)), (Offset(2), false));
    assert!(held.starts_with(&bytes(&log)));
}

#[test]
fn a_replica_of_a_very_long_name_moves_on_after_a_kill() {
    let (long, node) = (name(&"t".repeat(249), 0), Node::new(&["a", "b"]));
    let (dirs, _) = node.start(RealDisk);
    let first = dirs.directories().next().unwrap().id();
    let log = dirs.create(&long, TOPIC, Arc::default(), Some(first), NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    (0..5).for_each(|_| assert!(append(&log)));
    let all = bytes(&log);
    begin(&dirs, &long).step(1, NOW).unwrap();
    drop((log, dirs));
    let copies = entries(node.directory(1));
    let copy = copies.iter().find(|name| name.ends_with("-future")).unwrap();
    assert!(
        matches!(DirectoryName::parse(copy), DirectoryName::Future(cut) if cut != long && copy.len() == 255)
    );
    let start = |node: &Node| {
        let dirs = LogDirs::open(RealDisk, &node.config, NOW).unwrap();
        let placement = |name: &TopicPartition, id: Option<TopicId>| match (*name == long, id) {
            (true, _) => Placement::Here(Arc::default()),
            (false, Some(TOPIC)) => Placement::HereAs(long.clone(), Arc::default()),
            _ => Placement::Stray,
        };
        let report = dirs.load(placement, NOW);
        assert!(report.failed.is_empty() && report.strays.is_empty(), "{report:?}");
        dirs
    };
    let dirs = start(&node);
    assert_eq!(dirs.moving(&long).unwrap().progress().lag, 4, "it goes on where it was");
    drop(dirs);
    // As after a kill between the two renames, and with the copy complete.
    let dirs = start(&node);
    let moving = dirs.moving(&long).unwrap();
    while moving.step(1, NOW).unwrap().lag > 0 {}
    drop((moving, dirs));
    std::fs::remove_dir_all(node.directory(0).join(long.to_string())).unwrap();
    let dirs = start(&node);
    assert_eq!(bytes(&dirs.get(&long).unwrap()), all);
    assert!(node.directory(1).join(long.to_string()).exists());
}

#[test]
fn a_copy_that_parted_from_its_log_is_begun_again() {
    let (node, dirs, log) = filled(RealDisk);
    let moving = begin(&dirs, &name("t", 0));
    while moving.step(1, NOW).unwrap().lag > 0 {}
    drop((moving, dirs));
    // The directory of the copy was away while the log lost its tail and others wrote another one.
    let (mut other, config) = (Node::new(&["unused"]), node.config.clone());
    other.config.directories = vec![config.directories[0].clone()];
    drop(log);
    let (dirs, _) = other.start(RealDisk);
    dirs.truncate(&name("t", 0), Offset(4), NOW).unwrap();
    let log = dirs.get(&name("t", 0)).unwrap();
    locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
    append_in(&log, LeaderEpoch(1));
    let all = bytes(&log);
    drop((log, dirs));
    let (dirs, report) = node.start(RealDisk);
    assert!(report.failed.is_empty(), "{report:?}");
    let moving = dirs.moving(&name("t", 0)).unwrap();
    assert_eq!(moving.progress().lag, 5, "it begins at the front again");
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!(bytes(&dirs.get(&name("t", 0)).unwrap()), all);
}

#[test]
fn a_copy_that_holds_what_its_log_has_lost_goes_on_from_where_that_ends() {
    let (mut node, dirs, log) = filled(RealDisk);
    let moving = begin(&dirs, &name("t", 0));
    while moving.step(1, NOW).unwrap().lag > 0 {}
    drop((moving, log, dirs));
    let both = std::mem::take(&mut node.config.directories);
    node.config.directories = vec![both[0].clone()];
    let (dirs, _) = node.start(RealDisk);
    dirs.truncate(&name("t", 0), Offset(3), NOW).unwrap();
    drop(dirs);
    node.config.directories = both;
    let (dirs, _) = node.start(RealDisk);
    let moving = dirs.moving(&name("t", 0)).unwrap();
    assert_eq!((end(&moving.future), moving.progress().lag), (Offset(3), 0));
    let log = dirs.get(&name("t", 0)).unwrap();
    locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
    (0..4).for_each(|_| assert!(append_in(&log, LeaderEpoch(1))));
    let all = bytes(&log);
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!(bytes(&log), all);
}

#[test]
fn deleted_records_stay_deleted_when_a_replica_has_just_arrived() {
    let disk = ScriptedDisk::default();
    let (node, dirs, log) = filled(disk.clone());
    locked(&log).delete_records(Offset(3)).unwrap();
    dirs.keep_log_starts().unwrap();
    let moving = begin(&dirs, &name("t", 0));
    disk.fail_once("rename", "b/recovery-point-offset-checkpoint.tmp", Errno::NOSPC);
    dirs.finish_move(&moving, NOW).unwrap_err();
    drop((moving, log, dirs));
    let (dirs, _) = node.start(RealDisk);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!(locked(&log).path(), node.directory(1).join("t-0"));
    assert_eq!(locked(&log).partition().watermarks().log_start, Offset(3));
}

#[test]
fn deleted_records_stay_deleted_while_a_copy_waits_for_another_directory() {
    for deleted in [false, true] {
        let node = Node::new(&["a", "b", "c"]);
        let (dirs, _) = node.start(RealDisk);
        let ids: Vec<DirectoryId> = dirs.directories().map(|directory| directory.id()).collect();
        let log = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(ids[0]), NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        (0..5).for_each(|_| assert!(append(&log)));
        let moving = begin(&dirs, &name("t", 0));
        while moving.step(1, NOW).unwrap().lag > 0 {}
        locked(&log).delete_records(Offset(3)).unwrap();
        // As the last step of a move does, and then a kill between its two renames.
        let arriving = locked(&log).arriving();
        dirs.announce(ids[1], &name("t", 0), arriving).unwrap();
        drop((moving, log, dirs));
        std::fs::remove_dir_all(node.directory(0).join("t-0")).unwrap();
        let disk = ScriptedDisk::default();
        disk.fail_once("open", "c/.lock", Errno::IO);
        let (dirs, report) = node.start(disk);
        assert_eq!((dirs.get(&name("t", 0)).is_none(), report.failed.len()), (true, 1), "{report:?}");
        if deleted {
            assert!(dirs.delete(&name("t", 0), NOW).unwrap());
            let anew = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(ids[1]), NOW).unwrap();
            locked(&anew).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
            assert!(append(&anew));
        }
        dirs.checkpoint_log_starts();
        dirs.close(BrokerEpoch(1));
        drop(dirs);
        let (dirs, report) = node.start(RealDisk);
        assert!(report.failed.is_empty(), "{report:?}");
        let marks = locked(&dirs.get(&name("t", 0)).unwrap()).partition().watermarks();
        let expected = if deleted { (Offset(0), Offset(1)) } else { (Offset(3), Offset(5)) };
        assert_eq!((marks.log_start, marks.log_end), expected);
    }
}

/// A node that was killed with all of a log but its last batch copied, and its two directories.
fn killed_at_the_end_of_a_move() -> (Node, [DirectoryId; 2]) {
    let (node, dirs, log) = filled(RealDisk);
    let moving = begin(&dirs, &name("t", 0));
    while moving.step(1, NOW).unwrap().lag > 0 {}
    assert!(append(&log));
    let ids: Vec<DirectoryId> = dirs.directories().map(|directory| directory.id()).collect();
    (node, [ids[0], ids[1]])
}

fn start_assigned(node: &Node, disk: ScriptedDisk, to: DirectoryId) -> (LogDirs<ScriptedDisk>, LoadReport) {
    let dirs = LogDirs::open(disk, &node.config, NOW).unwrap();
    let report = dirs.load_assigned(|_, _| Placement::Here(Arc::default()), |_| Some(to), NOW);
    (dirs, report)
}

#[test]
fn a_copy_where_the_metadata_has_the_replica_is_that_whatever_else_is_away() {
    for (told, taken) in [(true, true), (false, false)] {
        let (node, [first, second]) = killed_at_the_end_of_a_move();
        let disk = ScriptedDisk::default();
        disk.fail_once("open", "a/.lock", Errno::IO);
        let (dirs, report) = start_assigned(&node, disk, if told { second } else { first });
        assert_eq!((dirs.unusable().len(), report.failed.len()), (1, usize::from(!taken)), "{report:?}");
        let log = dirs.get(&name("t", 0));
        assert_eq!(log.as_ref().map(end), taken.then_some(Offset(5)));
        let Some(log) = log else { continue };
        // It is written to, and the other directory comes back with what it held.
        locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!(append_in(&log, LeaderEpoch(1)));
        let all = bytes(&log);
        drop((log, dirs));
        for _ in 0..2 {
            let (dirs, report) = start_assigned(&node, ScriptedDisk::default(), second);
            assert!(report.failed.is_empty(), "{report:?}");
            assert_eq!(bytes(&dirs.get(&name("t", 0)).unwrap()), all, "as long, and written to since");
        }
        let left = entries(node.directory(0));
        assert!(left.iter().any(|name| name.ends_with("-stray")), "{left:?}");
    }
}

/// A copy that is alone, of a log whose records were deleted up to 3, and a disk on which its old directory is away.
fn alone_with_its_log_start() -> (Node, DirectoryId, ScriptedDisk) {
    let (node, dirs, log) = filled(RealDisk);
    locked(&log).delete_records(Offset(3)).unwrap();
    dirs.keep_log_starts().unwrap();
    let moving = begin(&dirs, &name("t", 0));
    while moving.step(1, NOW).unwrap().lag > 0 {}
    let there = moving.to.id();
    let arriving = locked(&log).arriving();
    dirs.announce(there, &name("t", 0), arriving).unwrap();
    let disk = ScriptedDisk::default();
    disk.fail_once("open", "a/.lock", Errno::IO);
    (node, there, disk)
}

#[test]
fn a_copy_that_is_taken_over_and_cannot_be_opened_is_not_forgotten() {
    for (verb, suffix) in [("list", "b/t-0"), ("rename", "-future"), ("open", "-future/partition.metadata")] {
        let (node, there, disk) = alone_with_its_log_start();
        disk.fail_once(verb, suffix, Errno::MFILE);
        let (dirs, report) = start_assigned(&node, disk, there);
        assert!(dirs.get(&name("t", 0)).is_none() && report.failed.len() == 1, "{verb}: {report:?}");
        dirs.plan(&name("t", 0), TOPIC, Arc::default(), None, NOW).err().unwrap();
        dirs.checkpoint_log_starts();
        dirs.close(BrokerEpoch(1));
        assert!(!node.directory(1).join(CLEAN_SHUTDOWN).exists(), "{verb}: nobody has looked into it");
        drop(dirs);
        let disk = ScriptedDisk::default();
        disk.fail_once("open", "a/.lock", Errno::IO);
        let (dirs, report) = start_assigned(&node, disk, there);
        assert!(report.failed.is_empty(), "{verb}: {report:?}");
        let marks = locked(&dirs.get(&name("t", 0)).unwrap()).partition().watermarks();
        assert_eq!((marks.log_start, marks.log_end), (Offset(3), Offset(5)), "{verb}");
    }
}

#[test]
fn a_copy_that_is_taken_over_and_cannot_be_opened_goes_with_its_topic() {
    for (verb, suffix) in [("list", "b/t-0"), ("rename", "-future")] {
        let (node, there, disk) = alone_with_its_log_start();
        disk.fail_once(verb, suffix, Errno::MFILE);
        let (dirs, _) = start_assigned(&node, disk, there);
        assert!(dirs.delete(&name("t", 0), NOW).unwrap());
        dirs.remove_due(NOW);
        let left = entries(node.directory(1));
        assert!(left.iter().all(|entry| !entry.starts_with("t-0")), "{verb}: {left:?}");
        dirs.plan(&name("t", 0), TOPIC, Arc::default(), None, NOW).unwrap();
    }
}

#[test]
fn a_copy_is_taken_over_on_a_full_disk() {
    let (mut node, there, disk) = alone_with_its_log_start();
    node.config.reserve_bytes = 1 << 20;
    disk.fail_once("list", "b/t-0", Errno::NOSPC);
    let (dirs, report) = start_assigned(&node, disk, there);
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(dirs.get(&name("t", 0)).map(|log| end(&log)), Some(Offset(5)));
}

#[test]
fn a_copy_has_one_fate() {
    let served = |in_home, compacted| Original::Served { in_home, compacted };
    let nowhere = |is_assigned, is_away| Original::Nowhere { is_assigned, is_away };
    let table = [
        (served(true, false), Fate::PutAway),
        (served(true, true), Fate::PutAway),
        (served(false, true), Fate::BeginAgain),
        (served(false, false), Fate::GoOn),
        (Original::Unloaded, Fate::WaitForLog),
        (nowhere(false, false), Fate::TakeOver),
        (nowhere(true, false), Fate::TakeOver),
        (nowhere(true, true), Fate::TakeOver),
        (nowhere(false, true), Fate::WaitForDirectories),
    ];
    for (original, fate) in table {
        assert_eq!(original.fate_of_copy(), fate, "{original:?}");
    }
}

#[test]
fn a_copy_does_not_take_the_place_of_a_log_that_could_not_be_loaded() {
    let (node, [first, second]) = killed_at_the_end_of_a_move();
    for told in [first, second] {
        let disk = ScriptedDisk::default();
        disk.fail_once("open", "a/t-0/00000000000000000000.log", Errno::MFILE);
        let (dirs, report) = start_assigned(&node, disk, told);
        assert!(dirs.get(&name("t", 0)).is_none() && report.failed.len() == 2, "{report:?}");
    }
    let (dirs, report) = start_assigned(&node, ScriptedDisk::default(), second);
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(end(&dirs.get(&name("t", 0)).unwrap()), Offset(6));
    assert_eq!(dirs.moving(&name("t", 0)).unwrap().progress().lag, 1, "it goes on moving");
}

#[test]
fn a_log_that_could_not_be_loaded_goes_with_the_copy_beside_it() {
    let (node, [first, _]) = killed_at_the_end_of_a_move();
    let copy = entries(node.directory(1)).into_iter().find(|name| name.ends_with("-future")).unwrap();
    std::fs::rename(node.directory(1).join(&copy), node.directory(0).join(&copy)).unwrap();
    let disk = ScriptedDisk::default();
    disk.fail_once("open", "a/t-0/00000000000000000000.log", Errno::MFILE);
    let (dirs, report) = start_assigned(&node, disk, first);
    assert_eq!(report.failed.len(), 2, "{report:?}");
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    dirs.remove_due(NOW);
    let left = entries(node.directory(0));
    assert!(left.iter().all(|name| !name.starts_with("t-0")), "{left:?}");
    dirs.plan(&name("t", 0), TOPIC, Arc::default(), None, NOW).unwrap();
}

#[test]
fn nothing_is_made_in_place_of_a_copy_of_a_very_long_name_that_cannot_be_asked_whose_it_is() {
    let (long, node) = (name(&"t".repeat(249), 0), Node::new(&["a", "b"]));
    let (dirs, _) = node.start(RealDisk);
    let first = dirs.directories().next().unwrap().id();
    let log = dirs.create(&long, TOPIC, Arc::default(), Some(first), NOW).unwrap();
    begin(&dirs, &long);
    drop((log, dirs));
    // As after a kill between the two renames.
    std::fs::remove_dir_all(node.directory(0).join(long.to_string())).unwrap();
    let disk = ScriptedDisk::default();
    disk.fail_once("open", "partition.metadata", Errno::MFILE);
    let (dirs, report) = node.start(disk);
    assert_eq!(report.failed.len(), 1, "{report:?}");
    assert!(dirs.plan(&long, TOPIC, Arc::default(), None, NOW).is_err());
    let others = [name(&"t".repeat(248), 1), name("u", 0), name(&"u".repeat(249), 0)];
    for other in others {
        dirs.plan(&other, TOPIC, Arc::default(), None, NOW).unwrap();
    }
}

#[test]
fn what_was_said_of_a_log_about_to_arrive_is_forgotten_if_it_is_deleted() {
    let (node, dirs, log) = filled(RealDisk);
    locked(&log).delete_records(Offset(3)).unwrap();
    let moving = begin(&dirs, &name("t", 0));
    // As the last step of a move does, before it takes the locks.
    let there = moving.to.id();
    let arriving = locked(&log).arriving();
    dirs.announce(there, &name("t", 0), arriving).unwrap();
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    dirs.checkpoint_log_starts();
    let anew = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(there), NOW).unwrap();
    locked(&anew).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&anew));
    dirs.finish_move(&moving, NOW).unwrap();
    drop((moving, log, anew, dirs));
    let (dirs, _) = node.start(RealDisk);
    let marks = locked(&dirs.get(&name("t", 0)).unwrap()).partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end), (Offset(0), Offset(1)));
}

#[test]
fn a_checkpoint_that_still_names_a_log_is_known_to() {
    let (node, dirs, log) = filled(RealDisk);
    locked(&log).delete_records(Offset(3)).unwrap();
    let there = dirs.directories().nth(1).unwrap();
    let arriving = locked(&log).arriving();
    dirs.announce(there.id(), &name("t", 0), arriving).unwrap();
    dirs.note_gone(there.id(), &name("t", 0));
    // Written while it is both.
    dirs.checkpoint_all_of(there.id()).unwrap();
    dirs.forget_arriving(there.id(), &name("t", 0));
    dirs.forget_checkpointed(there, &name("t", 0)).unwrap();
    let path = node.directory(1).join(crate::checkpoint::LOG_START);
    assert!(crate::checkpoint::read_offsets(&RealDisk, &path).unwrap().is_empty());
}

#[test]
fn what_cannot_be_compacted_in_one_place_cannot_in_another() {
    let (_node, dirs, log) = filled(RealDisk);
    locked(&log).mark_uncleanable("a broken batch".into());
    let moving = begin(&dirs, &name("t", 0));
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!(locked(&log).uncleanable(), Some("a broken batch"));
}

#[test]
fn a_log_that_a_thread_panicked_with_is_neither_moved_nor_compacted() {
    let (_node, dirs, log) = filled(RealDisk);
    let moving = begin(&dirs, &name("t", 0));
    let mut config = LogConfig::default();
    config.compaction.compact = true;
    locked(&log).set_config(Arc::new(config));
    let panicking = Arc::clone(&log);
    let panicked = std::thread::spawn(move || {
        let _held = panicking.lock().unwrap();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    let refused = |fault: &Fault| fault.to_string().contains("restart the broker");
    assert!(moving.step(1, NOW).is_err_and(|fault| refused(&fault)));
    assert!(dirs.finish_move(&moving, NOW).is_err_and(|fault| refused(&fault)));
    assert!(dirs.give_up_move(&name("t", 0), NOW).unwrap(), "the copy may go");
    let there = dirs.directories().nth(1).unwrap().id();
    assert!(dirs.begin_move(&name("t", 0), there, NOW).is_err_and(|fault| refused(&fault)));
    assert!(dirs.dirtiest(NOW).log.is_none());
    let uncleanable = dirs.uncleanable(NOW);
    assert!(uncleanable.len() == 1 && uncleanable[0].reason.contains("restart the broker"));
}

/// The checkpoints of where it goes were told another beginning: after a power cut its deleted records would be back.
#[test]
fn a_move_does_not_end_while_its_log_begins_elsewhere_than_was_announced() {
    let (node, dirs, log) = filled(RealDisk);
    let moving = begin(&dirs, &name("t", 0));
    while moving.step(1, NOW).unwrap().lag > 0 {}
    locked(&log).delete_records(Offset(2)).unwrap();
    assert!(matches!(dirs.end_move(&moving, Offset(0), NOW), Ok(Ending::Again)));
    assert_eq!(locked(&log).path(), node.directory(0).join("t-0"));
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!(locked(&log).path(), node.directory(1).join("t-0"));
}

#[test]
fn of_a_log_that_is_there_twice_the_longer_one_is_kept() {
    for longer in [0, 1] {
        let (node, dirs, log) = filled(RealDisk);
        let all = bytes(&log);
        drop((log, dirs));
        let places = [0, 1].map(|index| node.directory(index).join("t-0"));
        std::fs::create_dir(&places[1]).unwrap();
        for name in entries(&places[0]) {
            std::fs::copy(places[0].join(&name), places[1].join(&name)).unwrap();
        }
        let shorter = places[1 - longer].join("00000000000000000000.log");
        std::fs::File::options()
            .write(true)
            .open(shorter)
            .unwrap()
            .set_len(all.len() as u64 / 5 * 3)
            .unwrap();
        let (dirs, report) = node.start(RealDisk);
        assert_eq!((report.strays, report.failed.len()), (vec![name("t", 0)], 0));
        let log = dirs.get(&name("t", 0)).unwrap();
        assert_eq!((bytes(&log), locked(&log).path()), (all, &*places[longer]));
        let aside = entries(node.directory(1 - longer));
        assert!(aside.iter().any(|name| name.starts_with("t-0.") && name.ends_with("-stray")), "{aside:?}");
    }
}

#[test]
fn what_was_said_of_a_log_that_has_moved_away_is_forgotten_before_one_of_its_name_comes() {
    let (node, dirs, log) = filled(RealDisk);
    locked(&log).delete_records(Offset(3)).unwrap();
    dirs.keep_log_starts().unwrap();
    let here = locked(&log).directory_id();
    let moving = begin(&dirs, &name("t", 0));
    dirs.finish_move(&moving, NOW).unwrap();
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    let anew = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(here), NOW).unwrap();
    locked(&anew).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&anew));
    drop((moving, log, anew, dirs));
    let (dirs, _) = node.start(RealDisk);
    let marks = locked(&dirs.get(&name("t", 0)).unwrap()).partition().watermarks();
    assert_eq!((marks.log_start, marks.log_end), (Offset(0), Offset(1)));
}

/// A log of the name with one record in this directory; where it begins and ends after a kill.
fn killed_with_one_of_its_name(
    node: &Node,
    dirs: LogDirs<ScriptedDisk>,
    there: DirectoryId,
) -> (Offset, Offset) {
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    let anew = dirs.create(&name("t", 0), TOPIC, Arc::default(), Some(there), NOW).unwrap();
    locked(&anew).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&anew));
    drop((anew, dirs));
    let (dirs, _) = node.start(RealDisk);
    let marks = locked(&dirs.get(&name("t", 0)).unwrap()).partition().watermarks();
    (marks.log_start, marks.log_end)
}

#[test]
fn what_was_said_of_a_log_about_to_arrive_is_forgotten_whether_it_has_or_not() {
    for arrives in [true, false] {
        let disk = ScriptedDisk::default();
        let (node, dirs, log) = filled(disk.clone());
        locked(&log).delete_records(Offset(3)).unwrap();
        let moving = begin(&dirs, &name("t", 0));
        let there = moving.to.id();
        if !arrives {
            disk.fail_once("rename", "-future", Errno::MFILE);
        }
        assert_eq!(dirs.finish_move(&moving, NOW).is_ok(), arrives);
        dirs.give_up_move(&name("t", 0), NOW).unwrap();
        drop((moving, log));
        let found = killed_with_one_of_its_name(&node, dirs, there);
        assert_eq!(found, (Offset(0), Offset(1)), "arrived: {arrives}");
    }
}

#[test]
fn what_a_log_says_that_is_there_counts_and_not_what_was_said_before_it_came() {
    let (node, dirs, log) = filled(RealDisk);
    locked(&log).delete_records(Offset(2)).unwrap();
    // As when another thread writes the checkpoint right after the arrival.
    let (arriving, here) = (locked(&log).arriving(), dirs.directories().next().unwrap().id());
    dirs.announce(here, &name("t", 0), arriving).unwrap();
    locked(&log).delete_records(Offset(3)).unwrap();
    dirs.keep_log_starts().unwrap();
    let path = node.directory(0).join(crate::checkpoint::LOG_START);
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, "0\n1\nt 0 3\n");
}

#[test]
fn the_copy_of_a_move_that_is_given_up_goes() {
    let (node, dirs, log) = filled(RealDisk);
    begin(&dirs, &name("t", 0)).step(1, NOW).unwrap();
    assert!(dirs.give_up_move(&name("t", 0), NOW).unwrap());
    assert!(!dirs.give_up_move(&name("t", 0), NOW).unwrap());
    dirs.remove_due(NOW);
    let left = entries(node.directory(1));
    assert!(left.iter().all(|name| !name.starts_with("t-0")), "{left:?}");
    assert!(append(&log));
}
