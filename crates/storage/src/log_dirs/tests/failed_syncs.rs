//! An fsync that fails, whichever of a life it is: its log directory is offline from then on, nothing is synced through the
//! same descriptor again (the system has forgotten what it could not write, and would say that all is well), and what was
//! acknowledged as durable is there after a restart.

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::cleaner::{Cleaner, CleanerOptions, Pace};
use crate::group_commit::Ticket;

/// As soon as may be.
struct Freely;

impl Pace for Freely {
    fn go_on(&mut self, _bytes: u64) -> bool {
        true
    }
}

fn durable(compact: bool) -> Arc<LogConfig> {
    let mut config = LogConfig { flush_messages: Some(1), ..LogConfig::default() };
    config.roll.segment_bytes = 500;
    config.compaction.compact = compact;
    config.append.compacted = compact;
    Arc::new(config)
}

/// A record with a key that is acknowledged once it is on stable storage; says whether it was.
fn acknowledged(log: &SharedLog<ScriptedDisk>, number: u8) -> bool {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.push(NOW, Some(&[number % 2]), Some(&[number; 100]), &[]);
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let append = Append { origin, leader_epoch: LeaderEpoch(0), now: NOW };
    let (told, outcome) = mpsc::channel();
    {
        let mut log = locked(log);
        if log.append(append, &mut batch.finish_uncompressed(), &mut Scratch::default()).is_err() {
            return false;
        }
        log.commit(Box::new(move |outcome| told.send(outcome.is_ok()).unwrap()));
    }
    outcome.recv().unwrap()
}

/// Everything that syncs, whatever comes of it. Returns how many records of each log were acknowledged as durable.
fn live(dirs: &LogDirs<ScriptedDisk>) -> [u8; 2] {
    let (one, other) = (dirs.directories().next().unwrap().id(), dirs.directories().nth(1).unwrap().id());
    let mut counts = [0; 2];
    let made: Vec<_> = [("plain", false), ("compacted", true)]
        .map(|(topic, compact)| dirs.create(&name(topic, 0), TOPIC, durable(compact), Some(one), NOW))
        .into();
    for _ in 0..2 {
        for (log, count) in made.iter().zip(&mut counts) {
            let Ok(log) = log else { continue };
            let _led = locked(log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]);
            for _ in 0..6 {
                // What is behind one that was refused does not count.
                if !acknowledged(log, *count) {
                    break;
                }
                *count += 1;
            }
        }
        counts[0] = counts[0].saturating_sub(1);
        let _cut = dirs.truncate(&name("plain", 0), Offset(i64::from(counts[0])), NOW);
        dirs.flush_due(NOW);
        dirs.checkpoint_recovery_points();
        dirs.checkpoint_high_watermarks();
        if let Some((_, log, cleanable)) = dirs.dirtiest(NOW).log {
            let options = CleanerOptions { map_bytes: 1 << 16, map_load: 0.9, buffer_bytes: 4096 };
            let _cleaned = Cleaner::new(options).clean(&log, &cleanable, NOW, &mut Freely);
            dirs.checkpoint_cleaned();
        }
        if let Ok(log) = &made[0] {
            let _deleted = locked(log).delete_records(Offset(2));
            let _kept = dirs.keep_log_starts();
            dirs.retain(NOW);
        }
    }
    for topic in ["plain", "compacted"] {
        if dirs.begin_move(&name(topic, 0), other, NOW).is_ok_and(|begun| begun) {
            let moving = dirs.moving(&name(topic, 0)).unwrap();
            while moving.step(1, NOW).is_ok_and(|copied| copied.lag > 0) {}
            let _finished = dirs.finish_move(&moving, NOW);
        }
    }
    dirs.close(BrokerEpoch(1));
    for directory in dirs.directories() {
        // What was handed in before is done when this is.
        let (told, done) = mpsc::channel();
        let done_with = Box::new(move |_| told.send(()).unwrap());
        directory.background().submit(Ticket { files: vec![], directories: vec![], done: done_with });
        done.recv().unwrap();
    }
    counts
}

#[test]
fn who_cuts_a_log_does_not_sync_it_beside_another() {
    let (node, disk) = (Node::new(&["a"]), ScriptedDisk::default());
    let (dirs, _) = node.start(disk.clone());
    let log = create(&dirs, &name("t", 0));
    assert!(append(&log) && append(&log));
    let file = locked(&log).read(Offset(0), Offset(2), 1 << 20, true).unwrap().file;
    let path = node.directory(0).join("t-0/00000000000000000000.log");
    disk.fail_once("fdatasync", ".log", Errno::IO);
    let held = disk.hold_syncs();
    let (told, outcome) = mpsc::channel();
    let done = Box::new(move |outcome| told.send(outcome).unwrap());
    let ticket = Ticket { files: vec![(path, file)], directories: vec![], done };
    dirs.directories().next().unwrap().background().submit(ticket);
    disk.wait_for_syncs(1);
    let (began, cut) = std::thread::scope(|scope| {
        let cut = scope.spawn(|| dirs.truncate(&name("t", 0), Offset(1), NOW));
        let began = disk.has_syncs_within(2, Duration::from_millis(50));
        drop(held);
        (began, cut.join().unwrap())
    });
    assert!(outcome.recv().unwrap().is_err() && cut.is_err(), "{cut:?}");
    assert!(!began && disk.count("fdatasync", ".log") == 1, "one of them would find nothing wrong");
}

#[test]
fn an_fsync_that_failed_is_never_tried_again_and_takes_its_directory_offline() {
    let mut failing = 0;
    loop {
        let (node, disk) = (Node::new(&["a", "b"]), ScriptedDisk::default());
        let (dirs, _) = node.start(disk.clone());
        disk.fail_sync_after(failing);
        let counts = live(&dirs);
        assert_eq!(disk.synced_again(), Vec::<PathBuf>::new(), "after fsync {failing} has failed");
        if !disk.sync_has_failed() {
            assert!(dirs.offline().is_empty() && counts == [10, 12], "{counts:?} after {failing} fsyncs");
            break;
        }
        assert_eq!(dirs.offline().len(), 1, "after fsync {failing} has failed");
        drop(dirs);
        let dirs = LogDirs::open(RealDisk, &node.config, NOW).unwrap();
        let placement =
            |name: &TopicPartition, _: Option<TopicId>| Placement::Here(durable(&*name.topic == "compacted"));
        let report = dirs.load(placement, NOW);
        assert!(report.failed.is_empty(), "after fsync {failing} has failed: {report:?}");
        for (topic, count) in ["plain", "compacted"].iter().zip(counts) {
            let found = dirs.get(&name(topic, 0)).map_or(Offset(0), |log| end(&log));
            assert!(found >= Offset(i64::from(count)), "{topic} ends at {found} of {count}");
        }
        failing += 1;
    }
    assert!(failing > 40, "{failing} fsyncs are few");
}
