//! Produce and Fetch of message sets: formats v0 and v1, which only the versions that Kafka 4 removed carry.

use conformance::by_schema::hex;
use protocol::api_key::ApiKey::{Fetch, ListOffsets, Produce};
use protocol::error_code::ErrorCode::{
    CorruptMessage, InvalidRecord, InvalidTimestamp, MessageTooLarge, UnknownServerError,
    UnsupportedCompressionType,
};
use protocol::id::Timestamp;
use protocol::offset::Offset;
use protocol::records::batch::TimestampType;
use protocol::records::build::BatchOptions;
use protocol::records::compression::{Codec, Compressors};
use protocol::records::legacy::{LegacyBuilder, LegacyOptions};
use serde_json::{Value, json};

use super::batches::{TIME, batch, compressed, large, plain};
use super::case::{Case, case};
use super::produce::produce;
use super::scene::Scene;

/// The last versions that carry message sets.
const PRODUCE_LAST: i16 = 2;
const FETCH_LAST: i16 = 3;

/// Three records, one of them without a key, one without a value.
fn set(magic: i8, codec: Codec) -> Vec<u8> {
    set_at(magic, codec, &[TIME.0, TIME.0 + 1, TIME.0 + 2], TimestampType::CreateTime)
}

fn set_at(magic: i8, codec: Codec, times: &[i64], timestamp_type: TimestampType) -> Vec<u8> {
    let options = LegacyOptions { magic, compression: codec.into(), timestamp_type };
    let mut builder = LegacyBuilder::new(options);
    for (place, time) in times.iter().enumerate() {
        let (key, value) = (format!("key{place}"), format!("value {place}"));
        let key = (place != 1).then_some(key.as_bytes());
        let value = (place != 2).then_some(value.as_bytes());
        builder.push(Offset(place as i64), Timestamp(*time), key, value);
    }
    builder.finish(&mut Compressors::default()).expect("nothing of a small set is too large")
}

fn changed(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    change(&mut bytes);
    bytes
}

/// Changes what the checksum of the first message covers, and makes it hold again.
fn resealed(bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    changed(bytes, |bytes| {
        change(bytes);
        let crc = protocol::records::checksum::crc32(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    })
}

/// What partition 0 holds.
pub fn stored(s: &Scene) -> Value {
    fetch(s, 0, 1_000_000)
}

fn fetch(s: &Scene, offset: i64, bytes: i32) -> Value {
    json!({"MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": 1_000_000, "Topics": [{"Topic": s.topic,
        "Partitions": [{"Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": bytes}]}]})
}

fn to(what: &'static str, configs: &'static [(&'static str, &'static str)], bytes: Vec<u8>) -> Case {
    let records = hex(&bytes);
    case(Produce, what)
        .topic_with(1, configs)
        .fresh()
        .versions(0, PRODUCE_LAST)
        .ask(move |s| produce(s, 0, -1, &json!(records)))
        .then(Fetch, 3, stored)
        .then(Fetch, 1, stored)
}

fn send(what: &'static str, bytes: Vec<u8>) -> Case {
    to(what, &[], bytes)
}

/// The table.
pub fn cases() -> Vec<Case> {
    [sets(), topics_with_rules(), refused(), batches(), lists()].into_iter().flatten().collect()
}

fn sets() -> Vec<Case> {
    let stamped = |codec| set_at(1, codec, &[TIME.0, TIME.0 + 1], TimestampType::LogAppendTime);
    vec![
        send("a set of v0", set(0, Codec::None)),
        send("a set of v0 in gzip", set(0, Codec::Gzip)),
        send("a set of v0 in snappy", set(0, Codec::Snappy)),
        send("a set of v0 in lz4", set(0, Codec::Lz4)),
        send("a set of v1", set(1, Codec::None)),
        send("a set of v1 in gzip", set(1, Codec::Gzip)),
        send("a set of v1 in snappy", set(1, Codec::Snappy)),
        send("a set of v1 in lz4", set(1, Codec::Lz4)),
        send("a set of v1 without times", set_at(1, Codec::Gzip, &[-1, -1], TimestampType::CreateTime)),
        send("a set with a torn end", changed(set(1, Codec::None), |bytes| bytes.truncate(bytes.len() - 3))),
        send("a set of a torn message", set(1, Codec::None)[..30].to_vec()),
        send("an empty set", Vec::new()),
        send("a batch of today", batch(BatchOptions::default(), 3)),
        send(
            "most of a batch of today",
            changed(batch(BatchOptions::default(), 3), |bytes| {
                bytes.truncate(bytes.len() - 1);
            }),
        ),
        send("a set that claims the log's clock", stamped(Codec::None)),
        send("a set in gzip that claims the log's clock", stamped(Codec::Gzip)),
        send("offsets that are not counted", changed(set(1, Codec::None), |bytes| bytes[7] = 99)),
    ]
}

fn topics_with_rules() -> Vec<Case> {
    let log_append_time: &[(&str, &str)] = &[("message.timestamp.type", "LogAppendTime")];
    let stamped = set_at(1, Codec::Gzip, &[TIME.0, TIME.0 + 1], TimestampType::LogAppendTime);
    vec![
        to("a set where the log's clock counts", log_append_time, set(0, Codec::None)),
        to("a set in gzip where the log's clock counts", log_append_time, set(1, Codec::Gzip)),
        to("a set that claims the clock that counts", log_append_time, stamped).errors(&[InvalidTimestamp]),
        to("a set to be compressed", &[("compression.type", "lz4")], set(0, Codec::None)),
        to("a set to be compressed otherwise", &[("compression.type", "snappy")], set(1, Codec::Gzip)),
        to("a set to be unpacked", &[("compression.type", "uncompressed")], set(1, Codec::Gzip)),
        to("a set of old times", &[("message.timestamp.before.max.ms", "1000")], set(1, Codec::None))
            .errors(&[InvalidTimestamp]),
        to(
            "a set without times where old ones are refused",
            &[("message.timestamp.before.max.ms", "1000")],
            set(0, Codec::None),
        ),
        to(
            "a record without key to a compacted topic",
            &[("cleanup.policy", "compact")],
            set(1, Codec::Gzip),
        )
        .errors(&[InvalidRecord]),
        to("a message over the bound", &[("max.message.bytes", "20")], set(1, Codec::None))
            .errors(&[MessageTooLarge]),
        to("messages that make a batch over the bound", &[("max.message.bytes", "90")], set(1, Codec::None))
            .errors(&[MessageTooLarge]),
        case(Produce, "a set to a topic of zstd")
            .topic_with(1, &[("compression.type", "zstd")])
            .fresh()
            .versions(0, PRODUCE_LAST)
            .ask(|s| produce(s, 0, -1, &json!(hex(&set(1, Codec::Gzip)))))
            .then(ListOffsets, 1, |s| {
                json!({"ReplicaId": -1, "Topics": [{"Name": s.topic, "Partitions":
                    [{"PartitionIndex": 0, "Timestamp": -1}]}]})
            }),
    ]
}

fn refused() -> Vec<Case> {
    let both = |one: Vec<u8>, other: Vec<u8>| [one, other].concat();
    vec![
        send("a wrong checksum", changed(set(1, Codec::None), |bytes| bytes[20] ^= 1))
            .errors(&[CorruptMessage]),
        send("a wrong checksum of a wrapper", changed(set(1, Codec::Gzip), |bytes| bytes[40] ^= 1))
            .errors(&[CorruptMessage]),
        send("a length below its header", changed(set(1, Codec::None), |bytes| bytes[11] = 13))
            .errors(&[CorruptMessage]),
        send("v1 behind v0", both(set(0, Codec::None), set(1, Codec::None))).errors(&[InvalidRecord]),
        send("two wrappers", both(set(1, Codec::Gzip), set(1, Codec::Gzip))).errors(&[InvalidRecord]),
        send("a wrapper behind a message", both(set(1, Codec::None), set(1, Codec::Gzip)))
            .errors(&[InvalidRecord]),
        send("zstd in a message", resealed(set(1, Codec::Gzip), |bytes| bytes[17] = 4))
            .errors(&[InvalidRecord]),
        send(
            "a codec that does not exist in a message",
            resealed(set(1, Codec::Gzip), |bytes| bytes[17] = 6),
        )
        .errors(&[UnknownServerError]),
        send("gzip that is none in a message", resealed(set(1, Codec::Gzip), |bytes| bytes[34] ^= 0xff))
            .errors(&[UnknownServerError, InvalidRecord, CorruptMessage]),
        send("a magic that does not exist", changed(set(1, Codec::None), |bytes| bytes[16] = 9))
            .errors(&[CorruptMessage]),
    ]
}

/// Batches of today, fetched as message sets.
fn batches() -> Vec<Case> {
    let one = |what, batch| case(Fetch, what).versions(0, FETCH_LAST).topic(1).batch(batch);
    let bounded = |bytes: i32| move |s: &Scene| fetch(s, 0, bytes);
    vec![
        one("a batch", plain()).ask(|s| fetch(s, 0, 1_000_000)),
        one("a batch in gzip", compressed(Codec::Gzip)).ask(|s| fetch(s, 0, 1_000_000)),
        one("a batch in snappy", compressed(Codec::Snappy)).ask(|s| fetch(s, 0, 1_000_000)),
        one("a batch in lz4", compressed(Codec::Lz4)).ask(|s| fetch(s, 0, 1_000_000)),
        one("a batch in zstd", compressed(Codec::Zstd))
            .errors(&[UnsupportedCompressionType])
            .ask(|s| fetch(s, 0, 1_000_000)),
        one("a batch in zstd behind another", plain())
            .batch(compressed(Codec::Zstd))
            .ask(|s| fetch(s, 0, 1_000_000)),
        one("the middle of a plain batch", plain()).ask(|s| fetch(s, 1, 1_000_000)),
        one("the middle of a compressed batch", compressed(Codec::Gzip)).ask(|s| fetch(s, 1, 1_000_000)),
        one("a large message and a small bound", large(5000)).ask(bounded(100)),
        one("several batches", plain())
            .batch(compressed(Codec::Lz4))
            .batch(plain())
            .ask(|s| fetch(s, 0, 1_000_000)),
        case(Fetch, "a batch that the log stamped")
            .versions(0, FETCH_LAST)
            .topic_with(1, &[("message.timestamp.type", "LogAppendTime")])
            .batch(plain())
            .batch(compressed(Codec::Gzip))
            .ask(|s| fetch(s, 0, 1_000_000)),
        case(Fetch, "a topic of zstd")
            .versions(0, FETCH_LAST)
            .topic_with(1, &[("compression.type", "zstd")])
            .batch(plain())
            .errors(&[UnsupportedCompressionType])
            .ask(|s| fetch(s, 0, 1_000_000)),
    ]
}

/// ListOffsets as clients of before 0.10.1 ask: for the offsets at which segments begin.
fn lists() -> Vec<Case> {
    let list = |what, time: i64, most: i32| {
        case(ListOffsets, what).versions(0, 0).topic(1).batch(plain()).batch(plain()).ask(move |s| {
            json!({"ReplicaId": -1, "Topics": [{"Name": s.topic, "Partitions":
                [{"PartitionIndex": 0, "Timestamp": time, "MaxNumOffsets": most}]}]})
        })
    };
    vec![
        list("the last of a list", -1, 1),
        list("a list from the last", -1, 10),
        list("the first of a list", -2, 1),
        list("a list from the first", -2, 10),
        list("a list from before all", 1000, 10),
        list("a list from after all", i64::MAX, 10),
        list("a list of none", -1, 0),
    ]
}
