//! Produce: sound batches, and every way to refuse one.

use protocol::api_key::ApiKey::{Fetch, Produce};
use protocol::error_code::ErrorCode::{
    CorruptMessage, InvalidRecord, InvalidRequiredAcks, InvalidTimestamp, MessageTooLarge,
    UnknownServerError, UnknownTopicId, UnknownTopicOrPartition, UnsupportedCompressionType,
};
use protocol::records::compression::Codec;
use serde_json::{Value, json};

use super::batches::{
    TIME, at_times, base_offset, compressed, control, count, keyless, large, last_offset_delta, length,
    magic, not_compressed, plain, repeated_offset, truncated, unknown_codec, wrong_crc,
};
use super::case::{Case, case};
use super::scene::Scene;

/// A Produce to one partition.
pub fn produce(s: &Scene, partition: i32, acks: i16, records: &Value) -> Value {
    json!({"Acks": acks, "TimeoutMs": 10_000, "TopicData": [{"Name": s.topic, "TopicId": s.topic_id,
        "PartitionData": [{"Index": partition, "Records": records}]}]})
}

/// What partition 0 holds, as a version of Fetch that names topics shows it.
fn stored(s: &Scene) -> Value {
    json!({"MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": 1_000_000, "Topics": [{"Topic": s.topic,
        "Partitions": [{"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1_000_000}]}]})
}

/// Three records to partition 0, in a batch that is refused or changed.
fn batch(what: &'static str, records: String) -> Case {
    case(Produce, what)
        .topic(1)
        .fresh()
        .ask(move |s| produce(s, 0, -1, &json!(records)))
        .then(Fetch, 12, stored)
}

/// A batch to a topic with configs.
fn to(what: &'static str, configs: &'static [(&'static str, &'static str)], records: String) -> Case {
    case(Produce, what)
        .topic_with(1, configs)
        .fresh()
        .ask(move |s| produce(s, 0, -1, &json!(records)))
        .then(Fetch, 12, stored)
}

/// The table.
pub fn cases() -> Vec<Case> {
    [good(), codecs(), refused_requests(), refused_batches(), topics_with_rules()]
        .into_iter()
        .flatten()
        .collect()
}

fn good() -> Vec<Case> {
    vec![
        batch("three records", plain()),
        batch("a base offset other than 0", base_offset(4711)).errors(&[InvalidRecord]),
        batch("times out of order", at_times(&[TIME.0 + 9, TIME.0, TIME.0 + 5])),
        batch("no timestamps", at_times(&[-1, -1])),
        batch("no key", keyless()),
        case(Produce, "acks of the leader")
            .topic(1)
            .fresh()
            .ask(|s| produce(s, 0, 1, &json!(plain())))
            .then(Fetch, 12, stored),
        case(Produce, "no acks")
            .topic(1)
            .fresh()
            .silent()
            .ask(|s| produce(s, 0, 0, &json!(plain())))
            .then(Fetch, 12, stored),
        case(Produce, "no acks and an error").closes().topic(1).ask(|s| produce(s, 9, 0, &json!(plain()))),
        case(Produce, "two partitions").topic(2).fresh().ask(|s| {
            let records = plain();
            json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [{"Name": s.topic, "TopicId": s.topic_id,
                "PartitionData": [{"Index": 0, "Records": records}, {"Index": 1, "Records": records}]}]})
        }),
        case(Produce, "one partition good, one unknown")
            .topic(1)
            .fresh()
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| {
                let records = plain();
                json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [{"Name": s.topic, "TopicId": s.topic_id,
                "PartitionData": [{"Index": 0, "Records": records}, {"Index": 7, "Records": records}]}]})
            }),
        case(Produce, "no topic").ask(|_| json!({"Acks": -1, "TimeoutMs": 1000, "TopicData": []})),
    ]
}

fn codecs() -> Vec<Case> {
    vec![
        batch("gzip", compressed(Codec::Gzip)),
        batch("snappy", compressed(Codec::Snappy)),
        batch("lz4", compressed(Codec::Lz4)),
        batch("zstd", compressed(Codec::Zstd)).versions(7, 13),
        batch("zstd in a version before it", compressed(Codec::Zstd))
            .versions(3, 6)
            .errors(&[UnsupportedCompressionType]),
        batch("a codec that does not exist", unknown_codec(5)).errors(&[UnknownServerError, CorruptMessage]),
        batch("gzip that is none", not_compressed(Codec::Gzip)).errors(&[
            CorruptMessage,
            UnknownServerError,
            InvalidRecord,
        ]),
        batch("snappy that is none", not_compressed(Codec::Snappy)).errors(&[
            CorruptMessage,
            UnknownServerError,
            InvalidRecord,
        ]),
        batch("lz4 that is none", not_compressed(Codec::Lz4)).errors(&[
            CorruptMessage,
            UnknownServerError,
            InvalidRecord,
        ]),
        batch("zstd that is none", not_compressed(Codec::Zstd)).versions(7, 13).errors(&[
            CorruptMessage,
            UnknownServerError,
            InvalidRecord,
        ]),
    ]
}

fn refused_requests() -> Vec<Case> {
    let records = |records: Value| case(Produce, "").topic(1).ask(move |s| produce(s, 0, -1, &records));
    let named = |what, mut case: Case| {
        case.name = what;
        case
    };
    vec![
        case(Produce, "acks of two")
            .topic(1)
            .errors(&[InvalidRequiredAcks])
            .ask(|s| produce(s, 0, 2, &json!(plain()))),
        case(Produce, "acks of minus two")
            .topic(1)
            .errors(&[InvalidRequiredAcks])
            .ask(|s| produce(s, 0, -2, &json!(plain()))),
        case(Produce, "an unknown topic")
            .errors(&[UnknownTopicOrPartition, UnknownTopicId])
            .ask(|s| produce(s, 0, -1, &json!(plain()))),
        case(Produce, "an unknown topic id").versions(13, 13).errors(&[UnknownTopicId]).ask(|_| {
            json!({"Acks": -1, "TimeoutMs": 1000, "TopicData": [{"TopicId": "AAAAAAAAAAAAAAAAAAAAZQ",
                "PartitionData": [{"Index": 0, "Records": plain()}]}]})
        }),
        case(Produce, "an unknown partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| produce(s, 5, -1, &json!(plain()))),
        case(Produce, "a negative partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| produce(s, -1, -1, &json!(plain()))),
        named("records of null", records(Value::Null).unanswered().errors(&[InvalidRecord])),
        named("no records", records(json!("")).errors(&[InvalidRecord])),
        named("two batches", records(json!(plain() + &plain())).errors(&[InvalidRecord])),
        named("a batch and half of another", records(json!(plain() + &truncated(40)))).fresh(),
        named("three bytes", records(json!("000000")).errors(&[InvalidRecord])),
    ]
}

fn refused_batches() -> Vec<Case> {
    vec![
        batch("a wrong checksum", wrong_crc()).errors(&[CorruptMessage]),
        batch("magic 1", magic(1)).errors(&[InvalidRecord]),
        batch("magic 0", magic(0)).errors(&[InvalidRecord]),
        batch("magic 3", magic(3)).errors(&[CorruptMessage]),
        batch("magic 127", magic(127)).errors(&[CorruptMessage]),
        batch("a batch without its last byte", truncated(1)).errors(&[InvalidRecord]),
        batch("a length one byte short", length(-1)).errors(&[CorruptMessage]),
        batch("a length one byte long", length(1)).errors(&[InvalidRecord]),
        batch("a negative length", length(-200)).errors(&[CorruptMessage]),
        batch("a last offset delta too large", last_offset_delta(9)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a last offset delta too small", last_offset_delta(1)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a negative last offset delta", last_offset_delta(-1)).errors(&[InvalidRecord, CorruptMessage]),
        batch("two records at one offset", repeated_offset()),
        batch("a count too large", count(4)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a count too small", count(2)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a negative count", count(-1)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a count of none", count(0)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a count beyond all", count(i32::MAX)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a control batch", control()).errors(&[InvalidRecord]),
        batch("a batch over the broker's limit", large(1_048_588)).errors(&[MessageTooLarge]),
    ]
}

fn topics_with_rules() -> Vec<Case> {
    let soon = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    };
    vec![
        to("a batch over the topic's limit", &[("max.message.bytes", "200")], large(200))
            .errors(&[MessageTooLarge]),
        to("a batch at the topic's limit", &[("max.message.bytes", "200")], large(120)),
        to("no key to a compacted topic", &[("cleanup.policy", "compact")], keyless())
            .errors(&[InvalidRecord]),
        to("keys to a compacted topic", &[("cleanup.policy", "compact")], plain()),
        to("compressed to a compacted topic", &[("cleanup.policy", "compact")], compressed(Codec::Lz4)),
        to("LogAppendTime", &[("message.timestamp.type", "LogAppendTime")], plain()),
        to("LogAppendTime and lz4", &[("message.timestamp.type", "LogAppendTime")], compressed(Codec::Lz4)),
        to("too old", &[("message.timestamp.before.max.ms", "1000")], plain()).errors(&[InvalidTimestamp]),
        batch("too far in the future", at_times(&[soon() + 7_200_000])).errors(&[InvalidTimestamp]),
        batch("half an hour in the future", at_times(&[soon() + 1_800_000])),
        to(
            "too old, stamped by the broker",
            &[("message.timestamp.before.max.ms", "1000"), ("message.timestamp.type", "LogAppendTime")],
            plain(),
        ),
        to("uncompressed to a topic of uncompressed", &[("compression.type", "uncompressed")], plain()),
        to("lz4 to a topic of uncompressed", &[("compression.type", "uncompressed")], compressed(Codec::Lz4)),
        to("lz4 to a topic of lz4", &[("compression.type", "lz4")], compressed(Codec::Lz4)),
    ]
}
