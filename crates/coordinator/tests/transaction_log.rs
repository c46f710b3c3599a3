//! Our records against those that Apache Kafka's own classes make, byte for byte: `golden/transaction_log.txt` has the
//! steps of several ids, as `golden/Transactions.java` leads them through. Each step is asked of a shard that has
//! replayed the step before, and has to give the same record. (Kafka writes a topic's partitions in the order of a hash
//! set, we in that of their numbers; the steps keep to partitions for which that is the same.)

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;

use coordinator::record::RecordError;
use coordinator::transaction::{
    ClientVersion, EndTransaction, InitProducerId, Initialized, MarkerOutcome, TransactionConfig,
    TransactionDecision, TransactionRecord, TransactionShard, TxnPartition,
};
use coordinator::{Ground, Shard, Token, Written};
use metadata::Image;
use protocol::id::{PartitionIndex, ProducerId, Timestamp, Uuid};
use protocol::offset::Offset;

type Records = Vec<TransactionRecord<'static>>;

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

/// What Kafka recorded, and from it what was asked.
struct Golden<'a> {
    what: &'a str,
    record: TransactionRecord<'a>,
    client: ClientVersion,
}

impl Golden<'_> {
    fn at(&self) -> Timestamp {
        Timestamp(self.record.value.as_ref().unwrap().transaction_last_update_timestamp_ms)
    }

    fn partitions(&self) -> Vec<TxnPartition> {
        let value = self.record.value.as_ref().unwrap();
        let topics = value.transaction_partitions.iter().flat_map(|topics| topics.iter());
        let all = topics.flat_map(|topic| {
            let indexes: Vec<_> = topic.partition_ids.iter().collect();
            indexes
                .into_iter()
                .map(move |index| TxnPartition { topic: (*topic.topic).into(), index: PartitionIndex(index) })
        });
        all.collect()
    }

    /// Asks the shard for this step.
    fn ask(&self, shard: &TransactionShard, image: &Image) -> Records {
        let value = self.record.value.as_ref().unwrap();
        let config = TransactionConfig { two_phase: true, ..TransactionConfig::default() };
        let ground = Ground { now: self.at(), image, config: &config, token: Token(1), random: &Uuid::ZERO };
        let producer = shard.recorded("app").map(|recorded| recorded.producer);
        match self.what {
            "init" | "again" | "fence" => {
                let request = InitProducerId {
                    id: "app",
                    timeout: value.transaction_timeout_ms,
                    expected: producer.filter(|producer| self.what == "again" && producer.epoch.0 < 1000),
                    two_phase: value.transaction_timeout_ms == i32::MAX,
                    keep_prepared: false,
                    fresh: Some(ProducerId(value.producer_id)),
                };
                let decision = shard.init_producer_id(&ground, &request).unwrap();
                let aborts = decision.reply == Some(Initialized::Aborting);
                assert_eq!(aborts, self.what == "fence", "{}", self.what);
                decision.records
            }
            "add" => {
                let (producer, partitions) = (producer.unwrap(), self.partitions());
                let added: TransactionDecision<()> =
                    shard.add_partitions(&ground, "app", producer, &partitions, self.client).unwrap();
                added.records
            }
            "commit" | "abort" => {
                let request = EndTransaction {
                    id: "app",
                    producer: producer.unwrap(),
                    committed: self.what == "commit",
                    client: self.client,
                    fresh: Some(ProducerId(value.next_producer_id)),
                };
                shard.end(&ground, &request).unwrap().records
            }
            "complete" => {
                let ending = shard.ending("app").expect("an end is decided");
                let done: Vec<_> = ending
                    .partitions
                    .into_iter()
                    .map(|partition| (partition, MarkerOutcome::Appended))
                    .collect();
                shard.markers_written(&ground, "app", ending.prepared_at, &done).records
            }
            other => panic!("no step is called '{other}'"),
        }
    }
}

#[test]
fn records_are_those_of_apache_kafka() {
    let golden = include_str!("golden/transaction_log.txt");
    let (mut scene, mut compared) = (String::new(), 0);
    let (mut shard, mut image) = (TransactionShard::default(), Image::default());
    let mut made: VecDeque<TransactionRecord<'static>> = VecDeque::new();
    for (line, offset) in golden.lines().zip(0..) {
        let words: Vec<_> = line.split(' ').collect();
        let (key, value) = (bytes(words[2]), bytes(words[3]));
        let record = TransactionRecord::decode(&key, Some(&value)).unwrap().unwrap();
        if scene != words[0] {
            scene = words[0].to_owned();
            shard = TransactionShard::default();
            assert!(made.is_empty(), "a record too many before {line}");
            let level: i16 = scene.strip_prefix('v').map_or(2, |level| level[..1].parse().unwrap());
            image.features.insert("transaction.version".into(), level);
        }
        let new = image.features.get("transaction.version") == Some(&2) && scene != "old-client";
        let client = if new { ClientVersion::V2 } else { ClientVersion::V0 };
        let golden = Golden { what: words[1], record, client };
        if golden.what != "given" {
            if made.is_empty() {
                made.extend(golden.ask(&shard, &image));
            }
            let ours = made.pop_front().unwrap_or_else(|| panic!("no record for {line}"));
            let (mut our_key, mut our_value) = (Vec::new(), Vec::new());
            assert!(ours.encode(&mut our_key, &mut our_value).unwrap());
            assert_eq!(ours, golden.record, "{} {}", words[0], words[1]);
            assert_eq!((our_key, our_value), (key.clone(), value.clone()), "{} {}", words[0], words[1]);
            compared += 1;
        }
        let written = Written { offset: Offset(offset), timestamp: golden.at(), transaction: None };
        shard.replay(written, &golden.record);
    }
    assert!(made.is_empty());
    assert_eq!(compared, 56);
}

#[test]
fn what_is_no_record_is_refused_or_passed_over() {
    let key = bytes("00000003617070");
    let value = bytes("000100000000000003e800000000ea6000000000000000000064ffffffffffffffff00");
    assert!(TransactionRecord::decode(&key, Some(&value)).unwrap().is_some());
    // A type and a version that are not known.
    assert_eq!(TransactionRecord::decode(&bytes("00010003617070"), Some(&value)).unwrap(), None);
    for version in [[0, 2, 9].as_slice(), &[0xff, 0xff]] {
        let refused = TransactionRecord::decode(&key, Some(version)).unwrap_err();
        assert!(matches!(refused, RecordError::TransactionVersion { .. }), "{refused}");
    }
    // Bytes that end too early, and a state that there is not.
    for length in 0..value.len() {
        assert!(TransactionRecord::decode(&key, Some(&value[..length])).is_err(), "{length} bytes");
    }
    for length in 0..key.len() {
        assert!(TransactionRecord::decode(&key[..length], Some(&value)).is_err(), "{length} bytes of a key");
    }
    let mut odd = value.clone();
    odd[16] = 8;
    let refused = TransactionRecord::decode(&key, Some(&odd)).unwrap_err();
    assert_eq!(refused.to_string(), "a transaction record has the state 8: there are 0 to 7");
}
