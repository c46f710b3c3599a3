//! Logs that have a record before they have files.

use super::*;
use crate::first_records::FIRST_RECORDS;

fn planned<D: Disk>(dirs: &LogDirs<D>, partition: i32, topic: TopicId) -> SharedLog<D> {
    let log = dirs.plan(&name("t", partition), topic, Arc::default(), None, NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    log
}

fn partitions(node: &Node) -> usize {
    entries(node.directory(0)).iter().filter(|name| name.starts_with("t-")).count()
}

/// Bytes of the file, which is there.
fn rows(node: &Node) -> u64 {
    std::fs::metadata(node.directory(0).join(FIRST_RECORDS)).unwrap().len()
}

fn read_all<D: Disk>(log: &SharedLog<D>) -> u32 {
    let mut log = locked(log);
    let end = log.partition().watermarks().log_end;
    log.read(Offset(0), end, 1 << 20, true).unwrap().length
}

#[test]
fn a_first_record_costs_one_call_and_the_files_of_its_log_a_few_more() {
    let node = Node::new(&["a"]);
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let logs: Vec<_> = (0..51).map(|partition| planned(&dirs, partition, TOPIC)).collect();
    assert!(append(&logs[50]), "the first of all opens the file");
    disk.reset();
    assert!(logs[..50].iter().all(append));
    assert_eq!(disk.total(), 50, "calls for 50 records");
    disk.reset();
    dirs.make_planned(50);
    disk.judge_at_most(50 * 10, "for the files of 50 logs");
    assert_eq!(disk.count("fdatasync", "") + disk.count("fsync_dir", ""), 0);
    disk.reset();
    dirs.close(BrokerEpoch(1));
    disk.judge_at_most(51 * 10, "to close 51 logs");
}

/// Such a one is synced, or read by the cleaner, before long: its record would be written twice for nothing.
#[test]
fn a_log_that_is_flushed_or_compacted_has_its_files_with_its_first_record() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let durable = LogConfig { flush_messages: Some(1), ..LogConfig::default() };
    let mut compacted = LogConfig::default();
    compacted.compaction.compact = true;
    for (partition, config, apart) in
        [(0, durable, false), (1, compacted, false), (2, LogConfig::default(), true)]
    {
        let log = dirs.plan(&name("t", partition), TOPIC, Arc::new(config), None, NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!(append(&log));
        assert_eq!(locked(&log).is_made(), !apart, "{partition}");
    }
}

#[test]
fn a_start_after_a_kill_takes_few_calls_for_a_log() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    for partition in 0..50 {
        assert!(append(&create(&dirs, &name("t", partition))));
    }
    drop(dirs);
    let disk = ScriptedDisk::default();
    let dirs = LogDirs::open(disk.clone(), &node.config, NOW).unwrap();
    disk.reset();
    let report = dirs.load(|_, _| Placement::Here(Arc::default()), NOW);
    assert_eq!((report.loaded, report.cut.len()), (50, 0));
    disk.judge_at_most(50 * 9 + 16, "for 50 logs");
    assert_eq!(disk.count("pwrite", "") + disk.count("fdatasync", "") + disk.count("rename", ""), 0);
}

#[test]
fn a_kill_before_the_files_are_made_loses_nothing() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    for partition in 0..4 {
        assert!(append(&planned(&dirs, partition, TOPIC)));
    }
    // One has a second record, and with it files.
    assert!(append(&planned(&dirs, 3, TOPIC)));
    assert_eq!(partitions(&node), 1);
    drop(dirs);
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.loaded, report.strays.len(), report.failed.len()), (4, 0, 0));
    let ends: Vec<_> = dirs.logs().iter().map(|(_, log)| end(log).0).collect();
    assert_eq!(ends, [1, 1, 1, 2]);
    // Reading makes the files, and so does the next record.
    let log = planned(&dirs, 0, TOPIC);
    assert_eq!(locked(&log).partition().watermarks().high_watermark, Offset(1));
    assert!(read_all(&log) > 100);
    assert!(append(&planned(&dirs, 1, TOPIC)));
    assert_eq!(partitions(&node), 3);
    dirs.make_planned(usize::MAX);
    assert_eq!((partitions(&node), rows(&node)), (4, 0));
    dirs.close(BrokerEpoch(3));
    assert!(!node.directory(0).join(FIRST_RECORDS).exists());
    drop((log, dirs));
    let (dirs, _) = node.start(RealDisk);
    let ends: Vec<_> = dirs.logs().iter().map(|(_, log)| end(log).0).collect();
    assert_eq!(ends, [1, 2, 1, 2]);
}

#[test]
fn a_row_whose_mark_was_lost_brings_nothing_back() {
    let node = Node::new(&["a"]);
    let path = node.directory(0).join(FIRST_RECORDS);
    let (dirs, _) = node.start(RealDisk);
    for partition in 0..5 {
        assert!(append(&planned(&dirs, partition, TOPIC)));
    }
    let unmarked = std::fs::read(&path).unwrap();
    dirs.make_planned(usize::MAX);
    assert!(append(&dirs.get(&name("t", 0)).unwrap()));
    // Its topic is deleted, and another of the name is made.
    assert!(dirs.delete(&name("t", 1), NOW).unwrap());
    let other = Uuid([2; 16]);
    planned(&dirs, 1, other);
    // The same, and that one has its files before it has a record.
    assert!(dirs.delete(&name("t", 3), NOW).unwrap());
    dirs.create(&name("t", 3), other, Arc::default(), None, NOW).unwrap();
    // Its only record is deleted, or its only segment.
    locked(&dirs.get(&name("t", 2)).unwrap()).delete_records(Offset(1)).unwrap();
    let later = Timestamp(NOW.0 + 8 * 86_400_000);
    assert_eq!(locked(&dirs.get(&name("t", 4)).unwrap()).retain(later).unwrap().reasons.len(), 1);
    dirs.keep_log_starts().unwrap();
    drop(dirs);
    std::fs::write(&path, unmarked).unwrap();
    let dirs = LogDirs::open(RealDisk, &node.config, NOW).unwrap();
    let placement = |name: &TopicPartition, id: Option<TopicId>| match (name.partition.0, id) {
        (1, Some(TOPIC)) => Placement::Stray,
        _ => Placement::Here(Arc::default()),
    };
    let report = dirs.load(placement, NOW);
    assert_eq!((report.loaded, report.failed.len()), (4, 0));
    assert_eq!(end(&dirs.get(&name("t", 0)).unwrap()), Offset(2));
    assert!(dirs.get(&name("t", 1)).is_none());
    assert_eq!(end(&dirs.get(&name("t", 3)).unwrap()), Offset(0), "the record is of another topic");
    for (partition, empty) in [(2, false), (4, true)] {
        let log = dirs.get(&name("t", partition)).unwrap();
        let marks = locked(&log).partition().watermarks();
        assert_eq!((marks.log_start, marks.log_end), (Offset(1), Offset(1)));
        assert_eq!(locked(&log).size() == 0, empty, "{partition}");
    }
    assert_eq!(rows(&node), 0, "no row counts any more");
}

#[test]
fn on_a_full_disk_a_first_record_can_be_read_and_deleted_of_the_reserve() {
    let mut node = Node::new(&["a"]);
    node.config.reserve_bytes = 1 << 20;
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let logs: Vec<_> = (0..4).map(|partition| planned(&dirs, partition, TOPIC)).collect();
    assert!(logs.iter().all(append));
    disk.fail_once("create_dir", "t-0", Errno::NOSPC);
    let mut log = locked(&logs[0]);
    assert!(log.read(Offset(0), Offset(1), 1 << 20, true).unwrap().length > 100);
    disk.fail_once("create_dir", "t-1", Errno::NOSPC);
    let mut log = locked(&logs[1]);
    assert_eq!(log.delete_records(Offset(1)).unwrap(), Offset(1));
    disk.fail_once("create_dir", "t-2", Errno::NOSPC);
    let mut log = locked(&logs[2]);
    log.roll(NOW).unwrap();
    assert!(!append(&logs[3]), "no second record is taken where the disk is full");
    assert_eq!(end(&logs[3]), Offset(1));
}

#[test]
fn a_row_goes_with_its_log_that_could_not_be_loaded() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&planned(&dirs, 0, TOPIC)));
    drop(dirs);
    // A kill has come while the files were made.
    std::fs::create_dir(node.directory(0).join("t-0")).unwrap();
    let disk = ScriptedDisk::default();
    disk.fail_once("list", "a/t-0", Errno::MFILE);
    let (dirs, report) = node.start(disk.clone());
    assert_eq!((report.loaded, report.failed.len()), (0, 1));
    disk.fail_once("rename", "a/t-0", Errno::MFILE);
    dirs.delete(&name("t", 0), NOW).unwrap_err();
    assert!(dirs.delete(&name("t", 0), NOW).unwrap(), "what failed is tried again");
    assert!(!dirs.delete(&name("t", 0), NOW).unwrap());
    assert_eq!(rows(&node), 0, "no row counts any more");
    dirs.close(BrokerEpoch(1));
    assert!(node.directory(0).join(CLEAN_SHUTDOWN).exists());
}

#[test]
fn a_log_that_cannot_take_its_first_record_is_not_served() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&planned(&dirs, 0, TOPIC)));
    drop(create(&dirs, &name("t", 1)));
    // Rows that are whole, and hold what no log takes.
    for partition in 1..3 {
        let put =
            dirs.directories().next().unwrap().first_records().put(&name("t", partition), TOPIC, b"nothing");
        assert!(put.unwrap().is_some());
    }
    drop(dirs);
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.failed.len(), dirs.logs().len()), (2, 1), "{report:?}");
    assert!(report.failed[0].1.to_string().contains("cannot be given back"), "{report:?}");
    for partition in 1..3 {
        dirs.plan(&name("t", partition), TOPIC, Arc::default(), None, NOW).err().unwrap();
        assert!(dirs.delete(&name("t", partition), NOW).unwrap());
    }
    dirs.close(BrokerEpoch(1));
    assert!(node.directory(0).join(CLEAN_SHUTDOWN).exists());
}

#[test]
fn logs_without_files_leave_enough_of_the_reserve_of_a_full_disk() {
    const RESERVE: u64 = 1 << 20;
    let mut node = Node::new(&["a"]);
    node.config.reserve_bytes = RESERVE;
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let logs: Vec<_> = (0..200).map(|partition| planned(&dirs, partition, TOPIC)).collect();
    assert!(logs.iter().all(append));
    disk.fail("create_dir", "", Errno::NOSPC);
    dirs.make_planned(usize::MAX);
    let directory = dirs.directories().next().unwrap();
    assert_eq!(directory.state().health(), DirectoryHealth::Full);
    let held = || std::fs::metadata(directory.reserve().path()).unwrap().len();
    disk.reset();
    dirs.retain(NOW);
    assert_eq!((held(), disk.total()), (RESERVE, 0), "nothing is due");
    dirs.retain(Timestamp(NOW.0 * 2));
    assert_eq!((held(), disk.total()), (RESERVE, 0), "what is due frees less than it takes");
    for log in &logs {
        let failed = locked(log).read(Offset(0), Offset(1), 1 << 20, true).err().unwrap();
        assert!(failed.no_space(), "{failed}");
        locked(log).delete_records(Offset(1)).unwrap_err();
    }
    assert_eq!(held(), RESERVE / 4);
    dirs.close(BrokerEpoch(1));
    assert_eq!(held(), RESERVE / 4, "after a close");
    assert!(!node.directory(0).join(CLEAN_SHUTDOWN).exists());
    disk.mend();
    drop((logs, dirs));
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.loaded, report.failed.len()), (200, 0));
    assert_eq!(read_all(&dirs.get(&name("t", 199)).unwrap()), read_all(&dirs.get(&name("t", 0)).unwrap()));
}

#[test]
fn on_a_full_disk_nothing_is_made_of_the_reserve_for_a_record() {
    let mut node = Node::new(&["a"]);
    node.config.reserve_bytes = 1 << 20;
    let disk = ScriptedDisk::default();
    let (dirs, _) = node.start(disk.clone());
    let log = planned(&dirs, 0, TOPIC);
    assert!(append(&log) && dirs.homes[0].directory.reserve().is_whole());
    disk.fail_once("create_dir", "t-0", Errno::NOSPC);
    // The second needs the files.
    assert!(!append(&log));
    assert!(dirs.homes[0].directory.reserve().is_whole());
    assert!(dirs.look_for_room() && append(&log));
    assert_eq!(end(&log), Offset(2));
}

/// On some file systems to write over a byte takes room.
#[test]
fn a_row_that_there_was_no_room_to_end_is_ended_later() {
    for reserve_bytes in [0, 1 << 20] {
        let mut node = Node::new(&["a"]);
        node.config.reserve_bytes = reserve_bytes;
        let disk = ScriptedDisk::default();
        let (dirs, _) = node.start(disk.clone());
        let logs = [0, 1].map(|partition| planned(&dirs, partition, TOPIC));
        assert!(logs.iter().all(append));
        disk.fail_once("pwrite", FIRST_RECORDS, Errno::NOSPC);
        let read = locked(&logs[0]).read(Offset(0), Offset(1), 1 << 20, true).map(|slice| slice.length);
        assert_eq!((read.is_ok(), locked(&logs[0]).is_made()), (reserve_bytes > 0, true), "{read:?}");
        assert!(dirs.look_for_room() && read_all(&logs[0]) > 0 && append(&logs[0]));
        drop(logs);
        dirs.close(BrokerEpoch(1));
        assert!(node.directory(0).join(CLEAN_SHUTDOWN).exists(), "{reserve_bytes} bytes in reserve");
    }
}

#[test]
fn files_that_cannot_be_made_are_made_when_they_can() {
    for verb in ["create_dir", "open", "pwrite"] {
        for errno in [Errno::NOSPC, Errno::MFILE] {
            let node = Node::new(&["a"]);
            let disk = ScriptedDisk::default();
            let (dirs, _) = node.start(disk.clone());
            let log = planned(&dirs, 0, TOPIC);
            assert!(append(&log));
            if errno == Errno::MFILE && verb == "pwrite" {
                continue;
            }
            disk.fail(verb, if verb == "create_dir" { "t-0" } else { ".log" }, errno);
            dirs.make_planned(usize::MAX);
            assert!(!locked(&log).is_made() && !append(&log), "{verb} {errno}");
            assert_eq!(partitions(&node), 0, "{verb} {errno}: no half of it stays");
            disk.mend();
            dirs.look_for_room();
            dirs.make_planned(usize::MAX);
            assert_eq!((locked(&log).is_made(), rows(&node)), (true, 0), "{verb} {errno}");
            assert!(append(&log) && read_all(&log) > 200, "{verb} {errno}");
        }
    }
}

#[test]
fn a_log_that_lacks_its_first_record_is_not_served() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    assert!(append(&planned(&dirs, 0, TOPIC)));
    drop(dirs);
    // What a kill leaves while the files are made.
    let directory = node.directory(0).join("t-0");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("00000000000000000000.log"), "").unwrap();
    let disk = ScriptedDisk::default();
    disk.fail("pwrite", ".log", Errno::NOSPC);
    let (dirs, report) = node.start(disk);
    assert_eq!(report.failed.len(), 1, "{report:?}");
    assert!(dirs.get(&name("t", 0)).is_none());
    assert!(dirs.plan(&name("t", 0), TOPIC, Arc::default(), None, NOW).is_err());
    dirs.close(BrokerEpoch(3));
    drop(dirs);
    let (dirs, report) = node.start(RealDisk);
    assert!(report.failed.is_empty(), "{report:?}");
    let log = dirs.get(&name("t", 0)).unwrap();
    assert_eq!((end(&log), read_all(&log) > 100), (Offset(1), true));
}

#[test]
fn a_kill_in_the_midst_of_making_the_files_loses_nothing() {
    for calls in 0.. {
        let node = Node::new(&["a"]);
        let disk = ScriptedDisk::default();
        let (dirs, _) = node.start(disk.clone());
        let log = planned(&dirs, 0, TOPIC);
        assert!(append(&log), "the first goes apart");
        disk.die_after(calls);
        let done = append(&log);
        drop((log, dirs));
        // Apache Kafka takes the whole directory for broken where it finds half of this file.
        let id = std::fs::read_to_string(node.directory(0).join("t-0").join("partition.metadata"));
        let whole = id.is_ok_and(|id| id == format!("version: 0\ntopic_id: {TOPIC}"));
        assert!(
            whole || !node.directory(0).join("t-0").join("partition.metadata").exists(),
            "after {calls} calls"
        );
        let (dirs, report) = node.start(RealDisk);
        assert!(report.failed.is_empty(), "killed after {calls} calls: {report:?}");
        let log = dirs.get(&name("t", 0)).unwrap();
        let expected = if done { 1..=2 } else { 1..=1 };
        let batches = end(&log).0;
        assert!(expected.contains(&batches) && read_all(&log) > 0, "killed after {calls} calls: {batches}");
        assert_eq!(locked(&log).topic_id(), Some(TOPIC), "killed after {calls} calls");
        locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!(append_in(&log, LeaderEpoch(1)));
        if done {
            assert!(calls > 5 && batches == 2, "{calls} calls, {batches} batches");
            return;
        }
    }
}

/// A row that counted again after a power cut would be given to a log that was cut down to nothing.
#[test]
fn a_log_is_not_cut_before_it_is_durable_that_its_first_record_counts_no_more() {
    for fully in [false, true] {
        let (node, disk) = (Node::new(&["a"]), ScriptedDisk::default());
        let (dirs, _) = node.start(disk.clone());
        assert!(append(&planned(&dirs, 0, TOPIC)));
        dirs.make_planned(usize::MAX);
        assert_eq!(disk.count("fdatasync", FIRST_RECORDS), 0);
        match fully {
            true => dirs.truncate_fully(&name("t", 0), Offset(0), NOW).unwrap(),
            false => dirs.truncate(&name("t", 0), Offset(0), NOW).unwrap(),
        }
        assert_eq!(disk.count("fdatasync", FIRST_RECORDS), 1, "{fully}");
    }
}

#[test]
fn a_log_does_not_move_before_it_is_durable_that_its_first_record_counts_no_more() {
    let disk = ScriptedDisk::default();
    let node = Node::new(&["a", "b"]);
    let (dirs, _) = node.start(disk.clone());
    let [first, second] = [0, 1].map(|index| dirs.directories().nth(index).unwrap().id());
    let log = dirs.plan(&name("t", 0), TOPIC, Arc::default(), Some(first), NOW).unwrap();
    locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert!(append(&log) && !locked(&log).is_made());
    assert!(dirs.begin_move(&name("t", 0), second, NOW).unwrap());
    assert_eq!(disk.count("fdatasync", FIRST_RECORDS), 1);
}
