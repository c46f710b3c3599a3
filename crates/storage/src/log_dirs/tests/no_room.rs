//! Whatever keeps a node in order, on a disk that has no room for one call after the other that takes some: it is done all
//! the same, with what the reserve gives up.

use std::sync::mpsc;

use super::*;
use crate::first_records::FIRST_RECORDS;

type Dirs = LogDirs<ScriptedDisk>;

/// Something done on a full disk, between what comes before and what is there afterwards.
struct Scene {
    what: &'static str,
    prepare: fn(&Dirs),
    act: fn(&Node, &Dirs) -> Result<(), Fault>,
    /// Holds right after, and after a kill too.
    holds: fn(&Dirs) -> bool,
}

fn node() -> Node {
    let mut node = Node::new(&["a", "b"]);
    (node.config.reserve_bytes, node.config.recovery_threads) = (512 << 10, 1);
    node
}

fn t() -> TopicPartition {
    name("t", 0)
}

fn flush(log: &SharedLog<ScriptedDisk>) -> Result<(), Fault> {
    let (done, told) = mpsc::channel();
    locked(log).commit(Box::new(move |outcome| done.send(outcome).unwrap()));
    told.recv().unwrap()
}

fn append_of(log: &SharedLog<ScriptedDisk>, leader_epoch: i32, sequence: i32) {
    use protocol::id::{ProducerEpoch, ProducerId, Sequence};
    let producer = (ProducerId(7), ProducerEpoch(0), Sequence(sequence));
    let mut batch = BatchBuilder::new(BatchOptions { producer, ..BatchOptions::default() });
    batch.push(NOW, None, Some(&[b'x'; 100]), &[]);
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let append = Append { origin, leader_epoch: LeaderEpoch(leader_epoch), now: NOW };
    let mut bytes = batch.finish_uncompressed();
    locked(log).append(append, &mut bytes, &mut Scratch::default()).unwrap();
}

fn lead(log: &SharedLog<ScriptedDisk>, leader_epoch: i32) {
    locked(log).become_leader(LeaderEpoch(leader_epoch), NodeId(1), 1, [NodeId(1)]).unwrap();
}

fn create_in(dirs: &Dirs, config: LogConfig) -> SharedLog<ScriptedDisk> {
    let first = dirs.directories().next().unwrap().id();
    dirs.create(&t(), TOPIC, Arc::new(config), Some(first), NOW).unwrap()
}

/// Segments of one batch each but for the last, a producer and two epochs; two of six batches are flushed.
fn fill(dirs: &Dirs, config: LogConfig) -> SharedLog<ScriptedDisk> {
    let log = create_in(dirs, config);
    for sequence in 0..6 {
        let epoch = i32::from(sequence > 2);
        lead(&log, epoch);
        append_of(&log, epoch, sequence);
        if sequence < 4 {
            locked(&log).roll(NOW).unwrap();
        }
        if sequence == 1 {
            flush(&log).unwrap();
        }
    }
    log
}

fn filled(dirs: &Dirs) {
    fill(dirs, LogConfig::default());
}

/// The same with an epoch that is in no file yet.
fn led_anew(dirs: &Dirs) {
    let log = fill(dirs, LogConfig::default());
    lead(&log, 2);
    append_of(&log, 2, 6);
}

fn begin(dirs: &Dirs) -> Result<Arc<Move<ScriptedDisk>>, Fault> {
    let there = dirs.directories().nth(1).unwrap().id();
    assert!(dirs.begin_move(&t(), there, NOW)?);
    Ok(dirs.moving(&t()).unwrap())
}

fn begun(dirs: &Dirs) {
    filled(dirs);
    dirs.get(&t()).map(|log| locked(&log).delete_records(Offset(2)).unwrap());
    dirs.keep_log_starts().unwrap();
    let moving = begin(dirs).unwrap();
    while moving.step(1, NOW).unwrap().lag > 0 {}
}

fn planned(dirs: &Dirs) {
    let first = dirs.directories().next().unwrap().id();
    for partition in 0..3 {
        let log = dirs.plan(&name("t", partition), TOPIC, Arc::default(), Some(first), NOW).unwrap();
        lead(&log, 0);
        assert!(append(&log));
    }
}

fn marks(dirs: &Dirs) -> (i64, i64) {
    let marks = locked(&dirs.get(&t()).unwrap()).partition().watermarks();
    (marks.log_start.0, marks.log_end.0)
}

fn epochs(dirs: &Dirs) -> usize {
    locked(&dirs.get(&t()).unwrap()).partition().leader_epochs().entries().len()
}

fn is_in(dirs: &Dirs, index: usize) -> bool {
    let there = dirs.directories().nth(index).unwrap().id();
    locked(&dirs.get(&t()).unwrap()).directory_id() == there
}

/// Plays a scene with no room for the first call that takes some, then for the second, and so on until all have some; says
/// what has gone wrong.
fn play(scene: &Scene) -> Vec<String> {
    let mut wrong = Vec::new();
    for calls in 0.. {
        let (node, disk) = (node(), ScriptedDisk::default());
        let (dirs, _) = node.start(disk.clone());
        (scene.prepare)(&dirs);
        disk.no_room_after(calls);
        let outcome = (scene.act)(&node, &dirs);
        let Some(call) = disk.take_without_room() else {
            assert!(calls > 0, "{} takes no room at all", scene.what);
            outcome.unwrap();
            assert!((scene.holds)(&dirs), "{}", scene.what);
            return wrong;
        };
        let mut is_wrong = |what: &str| wrong.push(format!("{}: no room to {call}: {what}", scene.what));
        if let Err(fault) = outcome {
            is_wrong(&fault.to_string());
            continue;
        }
        if !dirs.offline().is_empty() {
            is_wrong("a directory is offline");
        }
        if !(scene.holds)(&dirs) {
            is_wrong("it is not done");
        }
        drop(dirs);
        let (dirs, report) = node.start(ScriptedDisk::default());
        if !report.failed.is_empty() || !(scene.holds)(&dirs) {
            is_wrong(&format!("after a kill it is not done: {report:?}"));
        }
    }
    wrong
}

const SCENES: [Scene; 14] = [
    Scene {
        what: "a topic's id that an old Kafka has not written",
        prepare: |dirs| {
            filled(dirs);
            let log = dirs.get(&t()).unwrap();
            locked(&log).forget_topic_id();
            std::fs::remove_file(locked(&log).path().join("partition.metadata")).unwrap();
        },
        act: |_, dirs| dirs.plan(&t(), TOPIC, Arc::default(), None, NOW).map(drop),
        holds: |dirs| locked(&dirs.get(&t()).unwrap()).topic_id() == Some(TOPIC),
    },
    Scene {
        what: "a cut",
        prepare: filled,
        act: |_, dirs| dirs.truncate(&t(), Offset(3), NOW),
        holds: |dirs| marks(dirs) == (0, 3) && epochs(dirs) == 1,
    },
    Scene {
        what: "a cut of all",
        prepare: filled,
        act: |_, dirs| dirs.truncate_fully(&t(), Offset(3), NOW),
        holds: |dirs| marks(dirs) == (3, 3) && epochs(dirs) == 0,
    },
    Scene {
        what: "a flush",
        prepare: led_anew,
        act: |_, dirs| flush(&dirs.get(&t()).unwrap()),
        holds: |dirs| marks(dirs) == (0, 7) && epochs(dirs) == 3,
    },
    Scene {
        what: "a flush in the background",
        prepare: led_anew,
        act: |_, dirs| {
            let (done, told) = mpsc::channel();
            let log = dirs.get(&t()).unwrap();
            locked(&log).flush(NOW, Box::new(move |outcome| done.send(outcome).unwrap()))?;
            told.recv().unwrap()
        },
        holds: |dirs| marks(dirs) == (0, 7) && epochs(dirs) == 3,
    },
    Scene {
        what: "retention",
        prepare: |dirs| {
            let mut config = LogConfig::default();
            config.retention.bytes = Some(1);
            fill(dirs, config);
        },
        act: |_, dirs| locked(&dirs.get(&t()).unwrap()).retain(NOW).map(drop),
        holds: |dirs| marks(dirs).0 >= 4,
    },
    Scene {
        what: "deletion of records",
        prepare: filled,
        act: |_, dirs| {
            locked(&dirs.get(&t()).unwrap()).delete_records(Offset(5)).unwrap();
            dirs.keep_log_starts()
        },
        holds: |dirs| marks(dirs).0 == 5,
    },
    Scene {
        what: "deletion of a first record",
        prepare: planned,
        act: |_, dirs| {
            locked(&dirs.get(&t()).unwrap()).delete_records(Offset(1)).unwrap();
            dirs.keep_log_starts()
        },
        holds: |dirs| marks(dirs).0 == 1,
    },
    Scene {
        what: "the end of a topic",
        prepare: |dirs| {
            planned(dirs);
            locked(&dirs.get(&name("t", 1)).unwrap()).make(Room::Free).unwrap();
        },
        act: |_, dirs| (0..3).try_for_each(|partition| dirs.delete(&name("t", partition), NOW).map(drop)),
        holds: |dirs| dirs.logs().is_empty(),
    },
    Scene {
        what: "the end of a topic on its way",
        prepare: begun,
        act: |_, dirs| dirs.delete(&t(), NOW).map(drop),
        holds: |dirs| dirs.logs().is_empty() && dirs.moves().is_empty(),
    },
    Scene {
        what: "a move",
        prepare: begun,
        act: |_, dirs| dirs.finish_move(&dirs.moving(&t()).unwrap(), NOW),
        holds: |dirs| marks(dirs) == (2, 6) && epochs(dirs) == 2 && is_in(dirs, 1),
    },
    Scene {
        what: "the beginning of a move",
        prepare: filled,
        act: |_, dirs| begin(dirs).map(drop),
        holds: |dirs| marks(dirs) == (0, 6) && is_in(dirs, 0) && dirs.moves().len() == 1,
    },
    Scene {
        what: "a clean end",
        prepare: |dirs| {
            begun(dirs);
            let first = dirs.directories().next().unwrap().id();
            for partition in 1..3 {
                let name = name("t", partition);
                let log = dirs.plan(&name, TOPIC, Arc::default(), Some(first), NOW).unwrap();
                lead(&log, 0);
                assert!(append(&log));
            }
        },
        act: |node, dirs| {
            dirs.close(BrokerEpoch(1));
            for index in 0..2 {
                assert!(!node.directory(index).join(FIRST_RECORDS).exists(), "all have their files");
                let path = node.directory(index).join(CLEAN_SHUTDOWN);
                if !path.exists() {
                    return Err(Fault::Mismatch { path, reason: "it is not there".to_owned() });
                }
            }
            Ok(())
        },
        holds: |dirs| marks(dirs) == (2, 6) && epochs(dirs) == 2 && dirs.logs().len() == 3,
    },
    Scene {
        what: "the checkpoints",
        prepare: begun,
        act: |node, dirs| {
            dirs.checkpoint_recovery_points();
            dirs.checkpoint_high_watermarks();
            dirs.checkpoint_log_starts();
            locked(&dirs.get(&t()).unwrap()).set_cleaned_to(Some(Offset(3)));
            dirs.checkpoint_cleaned();
            let said = |file: &str| {
                let path = node.directory(0).join(file);
                crate::checkpoint::read_offsets(&RealDisk, &path).map(|all| all.get(&t()).copied())
            };
            let all = (said("replication-offset-checkpoint")?, said("cleaner-offset-checkpoint")?);
            let (path, reason) = (node.directory(0).to_owned(), format!("{all:?}"));
            if all == (Some(Offset(6)), Some(Offset(3))) {
                Ok(())
            } else {
                Err(Fault::Mismatch { path, reason })
            }
        },
        holds: |dirs| marks(dirs) == (2, 6),
    },
];

#[test]
fn what_keeps_a_node_in_order_is_done_without_room() {
    let wrong: Vec<String> = SCENES.iter().flat_map(play).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

type Leave = fn(&Node, Dirs);

/// Ways in which directories are left, and from where to where the log reaches then.
const LEFT: [(&str, Leave, (i64, i64)); 6] = [
    ("a kill", |_, dirs| filled(&dirs), (0, 6)),
    ("a kill in the midst of a move", |_, dirs| begun(&dirs), (2, 6)),
    (
        "a kill between the two renames of a move",
        |node, dirs| {
            begun(&dirs);
            let arriving = locked(&dirs.get(&t()).unwrap()).arriving();
            dirs.announce(dirs.moving(&t()).unwrap().to.id(), &t(), arriving).unwrap();
            let away = format!("t-0.{}-delete", uuid::Uuid::nil().simple());
            std::fs::rename(node.directory(0).join("t-0"), node.directory(0).join(away)).unwrap();
        },
        (2, 6),
    ),
    (
        "a kill between the files of a log and the mark that it has them",
        |node, dirs| {
            planned(&dirs);
            let path = node.directory(0).join(FIRST_RECORDS);
            let before = std::fs::read(&path).unwrap();
            locked(&dirs.get(&t()).unwrap()).make(Room::Free).unwrap();
            std::fs::write(&path, before).unwrap();
        },
        (0, 1),
    ),
    ("a kill before there were files", |_, dirs| planned(&dirs), (0, 1)),
    (
        "a clean end",
        |_, dirs| {
            filled(&dirs);
            dirs.close(BrokerEpoch(1));
        },
        (0, 6),
    ),
];

/// Starts of a directory that a kill or a clean end has left in many ways, each with no room for one call.
#[test]
fn a_start_finds_all_there_is_without_room() {
    let torn = |node: &Node, file: &str| {
        let path = node.directory(0).join(file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    };
    let mut wrong = Vec::new();
    for (what, leave, expected) in LEFT {
        for tears in [false, true] {
            for calls in 0.. {
                let (node, disk) = (node(), ScriptedDisk::default());
                leave(&node, node.start(ScriptedDisk::default()).0);
                let has_tail = tears && node.directory(0).join("t-0/00000000000000000004.log").exists();
                if has_tail {
                    torn(&node, "t-0/00000000000000000004.log");
                }
                let expected = if has_tail { (expected.0, 5) } else { expected };
                disk.no_room_after(calls);
                let opened = LogDirs::open(disk.clone(), &node.config, NOW);
                let started = opened.map(|dirs| {
                    let report = dirs.load(|_, _| Placement::Here(Arc::default()), NOW);
                    (dirs, report)
                });
                let Some(call) = disk.take_without_room() else { break };
                match started {
                    Ok((dirs, report)) => {
                        let found = dirs.get(&t()).map(|_| marks(&dirs));
                        if !report.failed.is_empty() || found != Some(expected) || !dirs.offline().is_empty()
                        {
                            wrong.push(format!("{what}, {tears}: no room to {call}: {found:?} {report:?}"));
                        }
                    }
                    Err(fault) => wrong.push(format!("{what}, {tears}: no room to {call}: {fault}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
