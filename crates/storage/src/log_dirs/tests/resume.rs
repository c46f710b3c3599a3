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

/// A node whose logs get a place by time once a kilobyte of them would be read.
struct Idle {
    node: Node,
    disk: ScriptedDisk,
    config: Arc<LogConfig>,
}

impl Idle {
    fn new() -> Self {
        let config = LogConfig { recovery_bytes: Some(64 << 10), ..LogConfig::default() };
        Self { node: Node::new(&["a"]), disk: ScriptedDisk::default(), config: Arc::new(config) }
    }

    /// Starts it; says how many bytes of batches that has read.
    fn start(&self) -> (LogDirs<ScriptedDisk>, SharedLog<ScriptedDisk>, u64) {
        let dirs = LogDirs::open(self.disk.clone(), &self.node.config, NOW).unwrap();
        self.disk.reset();
        dirs.load(|_, _| Placement::Here(self.config.clone()), NOW);
        let read = self.disk.bytes_read(".log");
        let log = dirs.create(&name("t", 0), TOPIC, self.config.clone(), None, NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        (dirs, log, read)
    }

    fn point(&self) -> Option<ResumePoint> {
        ResumePoint::read(&RealDisk, &self.node.directory(0).join("t-0")).unwrap()
    }
}

/// Lets so many seconds pass, in which the disk keeps up.
fn pass(dirs: &LogDirs<ScriptedDisk>, log: &SharedLog<ScriptedDisk>, seconds: std::ops::Range<i64>) {
    for second in seconds {
        dirs.settle(Timestamp(NOW.0 + 1000 * second));
        let (tell, told) = std::sync::mpsc::channel();
        locked(log).flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap().unwrap();
    }
}

#[test]
fn a_log_that_was_left_alone_is_not_read_again_after_a_kill() {
    let idle = Idle::new();
    let (dirs, log, _) = idle.start();
    assert!((0..100).all(|_| append(&log)));
    let size = locked(&log).size();
    // Who has no answer to the last of it may send it again.
    pass(&dirs, &log, 0..30);
    assert_eq!(idle.point(), None);
    pass(&dirs, &log, 30..60);
    assert_eq!(idle.point().map(|point| u64::from(point.position)), Some(size));
    drop((dirs, log));
    let (dirs, log, read) = idle.start();
    assert!(read < 200, "{read} bytes of {size} are read again");
    assert_eq!(end(&log), Offset(100));
    // What little comes then is all that is read.
    assert!((0..3).all(|_| append(&log)));
    let grown = locked(&log).size() - size;
    pass(&dirs, &log, 60..120);
    drop((dirs, log));
    let (dirs, log, read) = idle.start();
    assert!((grown..grown + 200).contains(&read), "{read} bytes are read where {grown} came");
    assert_eq!((end(&log), idle.point().map(|point| point.offset)), (Offset(103), Some(Offset(100))));
    drop((dirs, log));
}

#[test]
fn a_log_that_grows_slowly_gets_places_as_it_does() {
    let idle = Idle::new();
    let (dirs, log, _) = idle.start();
    for second in 0..300 {
        assert!(append(&log));
        pass(&dirs, &log, second..second + 1);
        let behind = locked(&log).size() - idle.point().map_or(0, |point| u64::from(point.position));
        // A place counts after half a minute, and then the next one is taken down.
        assert!(behind < 1024 + 60 * 180, "{behind} bytes in second {second}");
    }
}

#[test]
fn a_log_that_was_closed_and_left_alone_since_is_not_read_after_a_kill_either() {
    let idle = Idle::new();
    let (dirs, log, _) = idle.start();
    assert!((0..100).all(|_| append(&log)));
    dirs.close(BrokerEpoch(1));
    drop((dirs, log));
    let (dirs, log, _) = idle.start();
    pass(&dirs, &log, 0..60);
    drop((dirs, log));
    let (_dirs, log, read) = idle.start();
    assert!(read < 200, "{read} bytes are read");
    assert_eq!(end(&log), Offset(100));
}

#[test]
fn few_logs_at_a_time_are_brought_to_stable_storage_because_of_their_age() {
    let idle = Idle::new();
    let (dirs, _log, _) = idle.start();
    let held = idle.disk.hold_syncs();
    for partition in 1..40 {
        let log = dirs.create(&name("t", partition), TOPIC, idle.config.clone(), None, NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!((0..10 + partition).all(|_| append(&log)));
    }
    let snapshots = || {
        (0..40).filter(|at| {
            let directory = idle.node.directory(0).join(format!("t-{at}"));
            entries(&directory).iter().any(|file| file.ends_with(".snapshot"))
        })
    };
    (0..14).for_each(|second| dirs.settle(Timestamp(NOW.0 + 1000 * second)));
    assert!(
        snapshots().eq(24..40),
        "those of which most would be read: {:?}",
        snapshots().collect::<Vec<_>>()
    );
    drop(held);
    while snapshots().count() < 39 {
        dirs.settle(Timestamp(NOW.0 + 14_000));
        std::thread::yield_now();
    }
}

#[test]
fn a_kill_in_the_midst_of_an_orderly_end_finds_the_places() {
    let idle = Idle::new();
    let (dirs, log, _) = idle.start();
    assert!((0..100).all(|_| append(&log)));
    pass(&dirs, &log, 0..60);
    assert!(idle.point().is_some());
    // What comes after is not done any more.
    idle.disk.fail_once("sync_all", "", Errno::IO);
    dirs.close(BrokerEpoch(1));
    drop((dirs, log));
    let (_dirs, log, read) = idle.start();
    assert!(read < 200, "{read} bytes are read again");
    assert_eq!(end(&log), Offset(100));
}

#[test]
fn a_directory_that_hangs_keeps_no_place_from_the_logs_of_another() {
    let idle = Idle { node: Node::new(&["a", "b"]), ..Idle::new() };
    let (dirs, first, _) = idle.start();
    let ids: Vec<_> = dirs.directories().map(|directory| directory.id()).collect();
    let create = |partition, id, batches| {
        let log = dirs.create(&name("t", partition), TOPIC, idle.config.clone(), Some(id), NOW).unwrap();
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!((0..batches).all(|_| append(&log)));
        log
    };
    let hanging: Vec<_> = (1..30).map(|partition| create(partition, ids[0], 40)).collect();
    let sound = create(30, ids[1], 30);
    // One is in the hands of somebody whom the disk does not answer.
    let held = locked(&hanging[0]);
    let background = dirs.directory(ids[0]).unwrap().background();
    let (go, stalls) = std::sync::mpsc::channel::<()>();
    let done: crate::group_commit::Done = Box::new(move |_| {
        let _told = stalls.recv();
    });
    background.submit(crate::group_commit::Ticket { files: Vec::new(), directories: Vec::new(), done });
    for second in 0..60 {
        dirs.settle(Timestamp(NOW.0 + 1000 * second));
        let (tell, told) = std::sync::mpsc::channel();
        locked(&sound).flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap().unwrap();
    }
    let place = ResumePoint::read(&RealDisk, &idle.node.directory(1).join("t-30")).unwrap();
    assert!(place.is_some());
    drop((held, first));
    go.send(()).unwrap();
}
