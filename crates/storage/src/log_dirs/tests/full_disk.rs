//! A disk without room for a longer name, where a directory must have one all the same.

use rustix::io::Errno;

use super::*;

/// A node with a reserve, after a clean end.
fn ended(directories: &[&str]) -> Node {
    let mut node = Node::new(directories);
    node.config.reserve_bytes = 128 << 10;
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&create(&dirs, &name("t", 0))));
    dirs.close(BrokerEpoch(1));
    node
}

#[test]
fn what_does_not_belong_here_is_set_aside_without_room() {
    let (node, disk) = (ended(&["a"]), ScriptedDisk::default());
    disk.fail_once("rename", "a/t-0", Errno::NOSPC);
    let dirs = LogDirs::open(disk, &node.config, NOW).unwrap();
    let report = dirs.load(|_, _| Placement::Stray, NOW);
    assert_eq!(report.strays, [name("t", 0)], "{:?}", report.failed);
}

#[test]
fn one_of_two_is_set_aside_without_room() {
    let (node, disk) = (ended(&["a", "b"]), ScriptedDisk::default());
    let places = [node.directory(0).join("t-0"), node.directory(1).join("t-0")];
    let (from, to) = if places[0].exists() { (&places[0], &places[1]) } else { (&places[1], &places[0]) };
    std::fs::create_dir(to).unwrap();
    for file in entries(from) {
        std::fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
    disk.fail_once("rename", "/t-0", Errno::NOSPC);
    let (_dirs, report) = node.start(disk);
    assert_eq!((report.strays.len(), report.failed.len()), (1, 0), "{:?}", report.failed);
    assert!(places[0].exists() != places[1].exists());
}

#[test]
fn what_is_deleted_goes_without_room() {
    let (node, disk) = (ended(&["a"]), ScriptedDisk::default());
    let (dirs, _) = node.start(disk.clone());
    disk.fail_once("rename", "a/t-0", Errno::NOSPC);
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    assert!(!node.directory(0).join("t-0").exists());
}

#[test]
fn where_logs_begin_is_written_down_without_room() {
    let (node, disk) = (ended(&["a"]), ScriptedDisk::default());
    let (dirs, _) = node.start(disk.clone());
    let log = dirs.get(&name("t", 0)).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    locked(&log).delete_records(Offset(1)).unwrap();
    disk.fail_once("open", "log-start-offset-checkpoint.tmp", Errno::NOSPC);
    dirs.keep_log_starts().unwrap();
    assert_eq!(disk.count("open", "log-start-offset-checkpoint.tmp"), 2);
}
