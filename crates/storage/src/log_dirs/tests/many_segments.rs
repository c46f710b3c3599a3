//! A log of many segments over a clean end and a start: what that looks at, and what it leaves for later.

use partition::fetch::{FetchFrom, Isolation};
use protocol::records::compression::Decompressors;

use super::*;

const SEGMENTS: i64 = 70;

/// A node that ended cleanly with one log of [`SEGMENTS`] segments of two records each.
fn ended() -> Node {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    for segment in 0..SEGMENTS {
        if segment > 0 {
            locked(&log).roll(NOW).unwrap();
        }
        assert!(append(&log) && append(&log));
        // What is still to be synced is held open.
        let (tell, told) = std::sync::mpsc::channel();
        locked(&log).flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap().unwrap();
    }
    dirs.close(BrokerEpoch(1));
    node
}

fn led<D: Disk>(dirs: &LogDirs<D>) -> SharedLog<D> {
    let log = dirs.get(&name("t", 0)).unwrap();
    locked(&log).become_leader(LeaderEpoch(1), NodeId(1), 1, [NodeId(1)]).unwrap();
    log
}

/// The base of the segment, and the place in it, of what is read at an offset.
fn read<D: Disk>(log: &SharedLog<D>, offset: i64) -> (i64, u64) {
    let (current_leader_epoch, last_fetched_epoch) = (LeaderEpoch(1), LeaderEpoch::NONE);
    let (offset, isolation) = (Offset(offset), Isolation::LogEnd);
    let from = FetchFrom { offset, current_leader_epoch, last_fetched_epoch, isolation };
    let slice = locked(log).fetch(from, 1, true).unwrap().slice.unwrap();
    (slice.base.0, slice.behind)
}

#[test]
fn a_start_an_append_and_a_look_at_the_tail_make_none_of_the_older_segments() {
    let node = ended();
    let disk = ScriptedDisk::default();
    let dirs = LogDirs::open(disk.clone(), &node.config, NOW).unwrap();
    disk.reset();
    assert_eq!(dirs.load(|_, _| Placement::Here(Arc::default()), NOW).loaded, 1);
    disk.judge_at_most(20, "to start");
    let log = led(&dirs);
    disk.reset();
    assert!(append_in(&log, LeaderEpoch(1)));
    assert_eq!(read(&log, SEGMENTS * 2).0, SEGMENTS * 2 - 2);
    assert_eq!(end(&log), Offset(SEGMENTS * 2 + 1));
    assert_eq!(locked(&log).segment_count() as i64, SEGMENTS);
    disk.judge_at_most(4, "for an append and a look at the tail");
    assert!(locked(&log).older_are_unmade());
    let size = locked(&log).size() / (SEGMENTS as u64 * 2 + 1);
    assert!(!locked(&log).older_are_unmade());
    for segment in 0..SEGMENTS {
        for second in 0..2 {
            let offset = segment * 2 + second;
            let behind = (SEGMENTS * 2 + 1 - offset) as u64 * size;
            assert_eq!(read(&log, offset), (segment * 2, behind), "{offset}");
        }
    }
    let mut decompressors = Decompressors::default();
    let found = locked(&log).offset_for_timestamp(NOW, Isolation::LogEnd, &mut decompressors).unwrap();
    assert_eq!(found.unwrap().offset, Offset(0));
}

#[test]
fn an_end_asks_the_disk_about_the_last_of_many_segments_only() {
    let node = ended();
    for (round, touched) in [(2, false), (3, true), (4, true)] {
        let disk = ScriptedDisk::default();
        let (dirs, report) = node.start(disk.clone());
        assert_eq!((report.loaded, report.cut.len()), (1, 0));
        let log = led(&dirs);
        if touched {
            assert!(append_in(&log, LeaderEpoch(1)));
            assert_eq!(read(&log, 5).0, 4);
        }
        disk.reset();
        dirs.close(BrokerEpoch(round));
        assert_eq!((disk.count("facts", ".log"), disk.count("open", ".index")), (1, usize::from(touched)));
    }
    let (dirs, _) = node.start(RealDisk);
    let log = led(&dirs);
    assert_eq!(end(&log), Offset(SEGMENTS * 2 + 2));
    for segment in 0..SEGMENTS {
        assert_eq!(read(&log, segment * 2 + 1).0, segment * 2);
    }
}

#[test]
fn an_index_that_is_missing_among_many_segments_is_made_anew() {
    let node = ended();
    let (dirs, _) = node.start(RealDisk);
    drop(dirs);
    // A kill: the next start lists the directory.
    let index = node.directory(0).join("t-0/00000000000000000010.index");
    std::fs::remove_file(&index).unwrap();
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.loaded, report.cut.len()), (1, 0));
    dirs.close(BrokerEpoch(2));
    drop(dirs);
    assert!(index.exists());
    let (dirs, _) = node.start(RealDisk);
    let log = led(&dirs);
    assert!(locked(&log).older_are_unmade());
    assert_eq!((end(&log), read(&log, 10).0), (Offset(SEGMENTS * 2), 10));
}
