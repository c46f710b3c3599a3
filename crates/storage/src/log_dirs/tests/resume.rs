//! Places where recovery may begin, seen from the log directories.

use super::*;
use crate::clean_logs::CLEAN_LOGS;
use crate::resume_point::{RESUME_POINT, ResumePoint};

/// A node with one log of 120 batches, and places for recovery to begin at.
fn start(node: &Node) -> (LogDirs, LoadReport) {
    let dirs = LogDirs::open(RealDisk, &node.config, NOW).unwrap();
    let config = LogConfig { index_interval_bytes: 500, recovery_bytes: Some(3000), ..LogConfig::default() };
    let config = Arc::new(config);
    let report = dirs.load(|_, _| Placement::Here(config.clone()), NOW);
    let log = dirs.plan(&name("t", 0), TOPIC, config, None, NOW).unwrap();
    if end(&log) == Offset(0) && report.cut.is_empty() {
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        for _ in 0..120 {
            assert!(append(&log));
            dirs.advance_resume_points();
            let (tell, told) = std::sync::mpsc::channel();
            locked(&log).flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
            told.recv().unwrap().unwrap();
        }
    }
    (dirs, report)
}

#[test]
fn a_start_tells_how_many_logs_it_recovered_from_a_place_within() {
    let node = Node::new(&["a"]);
    let (dirs, report) = start(&node);
    assert_eq!(report.resumed, 0);
    drop(dirs);
    let (dirs, report) = start(&node);
    assert_eq!((report.loaded, report.resumed), (1, 1));
    dirs.close(BrokerEpoch(1));
    drop(dirs);
    assert_eq!(start(&node).1.resumed, 0, "a clean end leaves none");
}

/// Apache Kafka passes over the file, and its clean end leaves it there.
#[test]
fn a_log_that_is_not_as_its_clean_end_said_is_recovered_from_its_front() {
    let node = Node::new(&["a"]);
    let (dirs, _) = start(&node);
    let directory = node.directory(0).join("t-0");
    let point = std::fs::read(directory.join(RESUME_POINT)).unwrap();
    let position = ResumePoint::read(&RealDisk, &directory).unwrap().unwrap().position;
    assert!(position > 1000);
    dirs.close(BrokerEpoch(1));
    drop(dirs);
    std::fs::write(directory.join(RESUME_POINT), point).unwrap();
    std::fs::remove_file(node.directory(0).join(CLEAN_LOGS)).unwrap();
    let damage = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = directory.join(format!("00000000000000000000.{file}"));
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    };
    // Its last entry points behind the end of the log; and there is something in front of the place.
    damage("index", &|bytes| {
        let last = bytes.len() - 4;
        bytes[last] = 0x7f;
    });
    damage("log", &|bytes| bytes[90] ^= 1);
    let (dirs, report) = start(&node);
    assert_eq!((report.cut.len(), report.resumed), (1, 0), "{report:?}");
    assert_eq!(end(&dirs.get(&name("t", 0)).unwrap()), Offset(0));
}

/// The recovery point that a clean end has left counts no more than the end itself.
#[test]
fn a_log_that_is_not_as_its_clean_end_said_is_recovered_in_all_of_its_segments() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let log = create(&dirs, &name("t", 0));
    for _ in 0..3 {
        (0..3).for_each(|_| assert!(append(&log)));
        locked(&log).roll(NOW).unwrap();
    }
    assert!(append(&log));
    dirs.close(BrokerEpoch(1));
    drop((log, dirs));
    std::fs::remove_file(node.directory(0).join(CLEAN_LOGS)).unwrap();
    let path = |base: i64| node.directory(0).join(format!("t-0/{base:020}.log"));
    let (mut second, mut last) = (std::fs::read(path(3)).unwrap(), std::fs::read(path(9)).unwrap());
    *second.last_mut().unwrap() ^= 1;
    last.pop();
    std::fs::write(path(3), second).unwrap();
    std::fs::write(path(9), last).unwrap();
    let (dirs, report) = node.start(RealDisk);
    assert_eq!((report.cut.len(), report.failed.len()), (1, 0), "{report:?}");
    assert_eq!(end(&dirs.get(&name("t", 0)).unwrap()), Offset(5));
}
