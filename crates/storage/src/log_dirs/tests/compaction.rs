//! Compaction and replicas on their way between two directories: what is copied must have been cleaned equally far.

use std::collections::BTreeMap;

use protocol::records::batches::Batches;
use protocol::records::rebuild::RecordReader;

use super::*;
use crate::cleaner::{CleanError, Cleaned, Cleaner, CleanerOptions, Pace};

const RETENTION: Millis = Millis(1000);
const LATER: Timestamp = Timestamp(NOW.0 + RETENTION.0);

fn compacted() -> Arc<LogConfig> {
    let mut config = LogConfig::default();
    config.append.compacted = true;
    config.retention.delete = false;
    config.compaction.compact = true;
    config.compaction.delete_retention = RETENTION;
    Arc::new(config)
}

fn start(node: &Node) -> LogDirs {
    let dirs = LogDirs::open(RealDisk, &node.config, NOW).unwrap();
    let report = dirs.load(|_, _| Placement::Here(compacted()), NOW);
    assert!(report.failed.is_empty() && report.strays.is_empty(), "{report:?}");
    dirs
}

/// Appends a record, in a segment of its own.
fn put(log: &SharedLog, key: &str, value: Option<&str>) {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.push(NOW, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let mut log = locked(log);
    if log.partition().current_leader_epoch() != LeaderEpoch(0) {
        log.become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    }
    let append = Append { origin, leader_epoch: LeaderEpoch(0), now: NOW };
    log.append(append, &mut batch.finish_uncompressed(), &mut Scratch::default()).unwrap();
    log.roll(NOW).unwrap();
}

/// A node with a log in the first of two directories, in which `a` was written and deleted.
fn deleted() -> (Node, LogDirs, SharedLog) {
    let node = Node::new(&["a", "b"]);
    let dirs = start(&node);
    let first = dirs.directories().next().unwrap().id();
    let log = dirs.create(&name("t", 0), TOPIC, compacted(), Some(first), NOW).unwrap();
    put(&log, "a", Some("1"));
    put(&log, "a", None);
    (node, dirs, log)
}

fn begin(dirs: &LogDirs) -> Arc<Move> {
    let there = dirs.directories().nth(1).unwrap().id();
    assert!(dirs.begin_move(&name("t", 0), there, NOW).unwrap());
    dirs.moving(&name("t", 0)).unwrap()
}

fn copy_all(moving: &Move) {
    while moving.step(1, NOW).unwrap().lag > 0 {}
}

/// Does something once, at the first block that a cleaning reads.
struct Meanwhile<F>(Option<F>);

impl<F: FnOnce()> Pace for Meanwhile<F> {
    fn go_on(&mut self, _bytes: u64) -> bool {
        if let Some(act) = self.0.take() {
            act();
        }
        true
    }
}

/// Cleans what there is to clean, and does something in the midst of it.
fn clean_beside(log: &SharedLog, now: Timestamp, act: impl FnOnce()) -> Result<Option<Cleaned>, CleanError> {
    let Some(cleanable) = locked(log).cleanable(now)? else { return Ok(None) };
    let options = CleanerOptions { map_bytes: 1 << 20, map_load: 0.9, buffer_bytes: 1 };
    Cleaner::new(options).clean(log, &cleanable, now, &mut Meanwhile(Some(act)))
}

fn clean(log: &SharedLog, now: Timestamp) -> bool {
    clean_beside(log, now, || ()).unwrap().is_some()
}

/// What a reader from the beginning holds of each key in the end.
fn values(log: &SharedLog) -> BTreeMap<String, String> {
    let bytes = locked(log).piece_from(Offset(0), u32::MAX >> 1).unwrap().bytes;
    let (mut reader, mut values) = (RecordReader::default(), BTreeMap::new());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for batch in Batches::new(&bytes) {
        let see = |record: &protocol::records::record::Record<'_>| {
            let key = text(record.key.unwrap());
            match record.value {
                Some(value) => values.insert(key, text(value)),
                None => values.remove(&key),
            };
            Ok(())
        };
        reader.each(&batch, 1 << 20, see).unwrap();
    }
    values
}

/// Compacts the log until its tombstones have gone.
fn clean_away(log: &SharedLog) {
    for (round, now) in [NOW, LATER, LATER].into_iter().enumerate() {
        put(log, "c", Some(&round.to_string()));
        assert!(clean(log, now), "round {round}");
    }
}

fn expected() -> BTreeMap<String, String> {
    [("b", "2"), ("c", "2")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[test]
fn a_deleted_key_stays_deleted_when_its_log_would_be_compacted_on_the_way() {
    let (node, dirs, log) = deleted();
    let moving = begin(&dirs);
    copy_all(&moving);
    put(&log, "b", Some("2"));
    assert!(!clean(&log, NOW), "the copy holds what a cleaning would take");
    assert!(dirs.dirtiest(NOW).log.is_none());
    dirs.finish_move(&moving, NOW).unwrap();
    assert_eq!(locked(&log).path(), node.directory(1).join("t-0"));
    clean_away(&log);
    assert_eq!(values(&log), expected());
}

#[test]
fn a_cleaning_under_way_is_called_off_for_a_move() {
    let (_node, dirs, log) = deleted();
    put(&log, "b", Some("2"));
    let outcome = clean_beside(&log, NOW, || copy_all(&begin(&dirs)));
    assert!(matches!(outcome, Err(CleanError::Aborted)), "{outcome:?}");
    assert_eq!(locked(&log).cleaned_to(), None);
    assert!(locked(&log).begin_cleaning().unwrap().is_none(), "whoever was about to begin is held off");
    dirs.finish_move(&dirs.moving(&name("t", 0)).unwrap(), NOW).unwrap();
    clean_away(&log);
    assert_eq!(values(&log), expected());
}

#[test]
fn compaction_goes_on_once_a_move_is_given_up() {
    let (_node, dirs, log) = deleted();
    drop(begin(&dirs));
    assert!(!clean(&log, NOW));
    // Another move takes the place of the first one, and that is given up, too.
    assert!(dirs.give_up_move(&name("t", 0), NOW).unwrap());
    let moving = begin(&dirs);
    assert!(!clean(&log, NOW));
    assert!(dirs.abandon_move(&moving, NOW).unwrap());
    drop(moving);
    assert!(clean(&log, NOW));
}

#[test]
fn a_cut_that_ends_a_move_lets_compaction_go_on() {
    let (_node, dirs, log) = deleted();
    put(&log, "b", Some("2"));
    begin(&dirs).to.state().take_offline("on purpose");
    dirs.truncate(&name("t", 0), Offset(2), NOW).unwrap();
    assert!(dirs.moving(&name("t", 0)).is_none());
    assert!(clean(&log, NOW));
}

#[test]
fn a_copy_is_begun_again_whose_log_was_compacted_while_it_was_away() {
    let (mut node, dirs, log) = deleted();
    put(&log, "b", Some("2"));
    copy_all(&begin(&dirs));
    dirs.close(BrokerEpoch(1));
    drop((log, dirs));
    // One life without the directory of the copy, in which the value that was deleted goes.
    let both = std::mem::take(&mut node.config.directories);
    node.config.directories = vec![both[0].clone()];
    let dirs = start(&node);
    let log = dirs.get(&name("t", 0)).unwrap();
    assert!(clean(&log, NOW));
    dirs.close(BrokerEpoch(2));
    drop((log, dirs));
    node.config.directories = both;
    let dirs = start(&node);
    let (log, moving) = (dirs.get(&name("t", 0)).unwrap(), dirs.moving(&name("t", 0)).unwrap());
    assert!(!clean(&log, NOW), "a move that a start has found holds it off, too");
    dirs.finish_move(&moving, NOW).unwrap();
    clean_away(&log);
    assert_eq!(values(&log), expected());
}

#[test]
fn a_log_is_compacted_for_as_long_as_its_configuration_says_so() {
    let node = Node::new(&["a"]);
    let (dirs, _) = node.start(RealDisk);
    let known = |dirs: &LogDirs| dirs.directories().next().unwrap().compacting();
    let log = dirs.create(&name("t", 0), TOPIC, Arc::default(), None, NOW).unwrap();
    put(&log, "a", Some("1"));
    assert!(dirs.dirtiest(NOW).log.is_none());
    locked(&log).set_config(compacted());
    assert!(dirs.dirtiest(NOW).log.is_some_and(|(found, ..)| found == name("t", 0)));
    locked(&log).set_config(Arc::default());
    assert!(dirs.dirtiest(NOW).log.is_none());
    locked(&log).set_config(compacted());
    assert!(dirs.dirtiest(NOW).log.is_some());
    dirs.close(BrokerEpoch(1));
    drop((log, dirs));
    let dirs = start(&node);
    assert!(dirs.dirtiest(NOW).log.is_some(), "a start knows of it");
    // One of its name that comes after it is another one.
    assert!(dirs.delete(&name("t", 0), NOW).unwrap());
    assert!(dirs.dirtiest(NOW).log.is_none() && known(&dirs).is_empty());
    let log = dirs.create(&name("t", 0), TOPIC, compacted(), None, NOW).unwrap();
    put(&log, "a", Some("1"));
    assert!(dirs.dirtiest(NOW).log.is_some());
}

/// What is passed over once is never compacted again.
#[test]
fn a_log_without_files_is_looked_at_for_the_age_of_its_records_and_compacted_later() {
    let lags: [fn(&mut LogConfig); 2] =
        [|config| config.compaction.lag_min = Millis(1), |config| config.compaction.lag_max = Millis(1)];
    for (case, lag) in lags.into_iter().enumerate() {
        let node = Node::new(&["a"]);
        let dirs = start(&node);
        let mut config = LogConfig::clone(&compacted());
        lag(&mut config);
        config.append.compacted = false;
        let log = dirs.plan(&name("t", 0), TOPIC, Arc::new(config), None, NOW).unwrap();
        assert!(dirs.dirtiest(LATER).log.is_none());
        assert_eq!(locked(&log).uncleanable(), None, "empty, {case}");
        locked(&log).become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
        assert!(append(&log));
        assert!(dirs.dirtiest(LATER).log.is_none());
        assert_eq!(locked(&log).uncleanable(), None, "with a first record, {case}");
        put(&log, "b", Some("2"));
        assert!(dirs.dirtiest(LATER).log.is_some(), "{case}");
    }
}
