//! Our records of groups and offsets against those that Apache Kafka's own classes make, byte for byte.
//!
//! `golden/group_log.txt` is written by `golden/Groups.java`: `=` begins a scene, `>` is a step as transcripts have them, `+` a
//! record that Kafka makes of what it comes to, in the order of the log, and `~` one among them; `?` is one of an older release, which is
//! read only. (Kafka writes members, topics and partitions in the order of hash tables, we in that of their ids; the scenes keep
//! to such for which that is the same, or say them in our order.)

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod transcript;

use std::collections::BTreeSet;

use coordinator::group::GroupShard;
use coordinator::record::GroupRecord;
use coordinator::{Shard as _, Written};
use protocol::id::{PartitionIndex, Timestamp, TopicId};
use protocol::offset::Offset;
use transcript::Stage;

/// A record: its key, and its value where it is no tombstone.
type Record = (Vec<u8>, Option<Vec<u8>>);

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn record(words: &str) -> Record {
    let (key, value) = words.split_once(' ').unwrap();
    (bytes(key), (value != "-").then(|| bytes(value)))
}

/// What a record says, where bytes differ.
fn in_words((key, value): &Record) -> String {
    format!("{:?}", GroupRecord::decode(key, value.as_deref()).unwrap().unwrap())
}

fn again((key, value): &Record) -> Record {
    let record = GroupRecord::decode(key, value.as_deref()).unwrap().unwrap();
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let has_value = record.encode(&mut key, &mut value).unwrap();
    (key, has_value.then_some(value))
}

/// A step with what has to come of it.
#[derive(Default)]
struct Step<'g> {
    words: &'g str,
    all: Vec<Record>,
    among: Vec<Record>,
}

impl Step<'_> {
    fn play(&self, stage: &mut Stage, scene: &str) {
        if self.words.is_empty() {
            return;
        }
        let logged = stage.logged();
        stage.step(self.words);
        let made = stage.bytes_from(logged);
        for wanted in &self.among {
            let key = made.iter().find(|(key, _)| *key == wanted.0);
            assert_eq!(key.map(in_words), Some(in_words(wanted)), "{scene}: {}", self.words);
            assert!(made.contains(wanted), "{scene}: {}", self.words);
        }
        if self.among.is_empty() {
            let [ours, kafkas] =
                [&made, &self.all].map(|records| records.iter().map(in_words).collect::<Vec<_>>());
            assert_eq!(ours, kafkas, "{scene}: {}", self.words);
            assert_eq!(made, self.all, "{scene}: {}", self.words);
        }
    }
}

#[test]
fn records_are_those_of_apache_kafka() {
    let (mut scene, mut stage, mut step) = ("", Stage::default(), Step::default());
    let (mut compared, mut kinds) = (0, BTreeSet::new());
    for line in include_str!("golden/group_log.txt").lines() {
        let (mark, words) = line.split_once(' ').unwrap();
        match mark {
            "=" | ">" => {
                std::mem::take(&mut step).play(&mut stage, scene);
                if mark == "=" {
                    (scene, stage) = (words, Stage::default());
                } else {
                    step.words = words;
                }
            }
            "+" | "~" => {
                let record = record(words);
                assert_eq!(again(&record), record, "{scene}: {}", in_words(&record));
                compared += 1;
                kinds.insert((record.0[1], record.1.as_ref().map(|value| value[1])));
                if mark == "+" { &mut step.all } else { &mut step.among }.push(record);
            }
            _ => assert_eq!(mark, "?"),
        }
    }
    step.play(&mut stage, scene);
    // Each type of record with the version of its value, and as a tombstone.
    let groups = [2, 3, 5, 6, 7, 8, 16, 17, 19, 20, 21, 22, 23];
    let version = |kind| Some(if kind == 2 { 3 } else { 0 });
    let all = groups.into_iter().flat_map(|kind| [(kind, None), (kind, version(kind))]);
    let all: BTreeSet<_> = all.chain([(1, None), (1, Some(1)), (1, Some(4)), (4, None)]).collect();
    assert_eq!((kinds, compared), (all, 107));
}

#[test]
fn records_of_older_releases_are_read() {
    let lines = include_str!("golden/group_log.txt").lines().filter_map(|line| line.strip_prefix("? "));
    let mut read = 0;
    for line in lines {
        let (what, words) = line.split_once(' ').unwrap();
        let (key, value) = record(words);
        let record = GroupRecord::decode(&key, value.as_deref()).unwrap().unwrap();
        let mut shard = GroupShard::default();
        let written = Written { offset: Offset(0), timestamp: Timestamp(0), transaction: None };
        shard.replay(written, &record);
        match what.split_once('-').unwrap() {
            ("group", version) => {
                let group = shard.describe_classic("g").unwrap();
                let [member] = &group.members[..] else { panic!("{what}: one member") };
                assert_eq!((&*group.protocol_type, &*group.protocol), ("connect", "eager"), "{what}");
                assert_eq!((&*member.id, &*member.assignment), ("m", &b"all"[..]), "{what}");
                assert_eq!(member.instance.as_deref(), (version == "3").then_some("i"), "{what}");
            }
            (_, version) => {
                let known = shard.fetch_offset("g", ("t", TopicId::ZERO), PartitionIndex(0), false);
                assert_eq!((known.offset, known.metadata.as_deref()), (Offset(5), Some("note")), "{what}");
                let epoch = if ["3", "4"].contains(&version) { 3 } else { -1 };
                assert_eq!(known.leader_epoch.0, epoch, "{what}");
            }
        }
        read += 1;
    }
    assert_eq!(read, 10);
}
