//! Produce: sound batches, and every way to refuse one.

use protocol::api_key::ApiKey::{CreateTopics, Fetch, Produce};
use protocol::error_code::ErrorCode::{
    CorruptMessage, InvalidRecord, InvalidRequiredAcks, InvalidTimestamp, InvalidTopicException,
    MessageTooLarge, RecordListTooLarge, UnknownServerError, UnknownTopicId, UnknownTopicOrPartition,
    UnsupportedCompressionType,
};
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::records::batch::BatchHeader;
use protocol::records::compression::Codec;
use serde_json::{Value, json};

use super::batches::{
    TIME, at_times, base_offset, bomb, compressed, control, count, crafted, damaged, far_copy, keyless,
    large, last_offset_delta, length, length_of, magic, many_keyless, not_compressed, plain, record,
    repeated_offset, truncated, unknown_codec, with_length, wrong_crc, zigzag,
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
    let tables = [
        good(),
        codecs(),
        refused_requests(),
        odd_requests(),
        refused_batches(),
        topics_with_rules(),
        crafted_records(),
        crafted_headers(),
    ];
    tables.into_iter().flatten().collect()
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
    let mut cases = damaged_streams();
    cases.extend(streams());
    cases
}

/// Compressed payloads that end early, claim what they do not hold, or hold too much.
fn damaged_streams() -> Vec<Case> {
    let wrong: &[_] = &[CorruptMessage, UnknownServerError, InvalidRecord];
    let of = |what, codec, change: fn(&mut Vec<u8>)| {
        batch(what, damaged(codec, change)).errors(wrong).versions(11, 13)
    };
    let halve = |payload: &mut Vec<u8>| payload.truncate(payload.len() / 2);
    vec![
        of("gzip cut in half", Codec::Gzip, halve),
        of("snappy cut in half", Codec::Snappy, halve),
        of("lz4 cut in half", Codec::Lz4, halve),
        of("zstd cut in half", Codec::Zstd, halve),
        of("gzip of nothing", Codec::Gzip, Vec::clear),
        of("snappy of nothing", Codec::Snappy, Vec::clear),
        of("lz4 of nothing", Codec::Lz4, Vec::clear),
        of("zstd of nothing", Codec::Zstd, Vec::clear),
        of("lz4 with a wrong checksum of its header", Codec::Lz4, |payload| payload[6] ^= 1),
        of("snappy that claims two thousand million bytes", Codec::Snappy, |payload| {
            *payload = [&[0xff, 0xff, 0xff, 0xff, 0x07][..], &[0; 20]].concat();
        }),
        of("a framed snappy block that claims as much", Codec::Snappy, |payload| {
            payload.splice(16..20, [0x7f, 0xff, 0xff, 0xff]);
        }),
        of("zstd with a window of two thousand million bytes", Codec::Zstd, |payload| {
            *payload = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
        }),
        batch("gzip of sixty-four megabytes of nothing", bomb(Codec::Gzip, 64 << 20)).versions(13, 13),
        batch("zstd of sixty-four megabytes of nothing", bomb(Codec::Zstd, 64 << 20)).versions(13, 13),
        to("raw snappy with a copy from far back", &[("max.message.bytes", "3000000")], far_copy())
            .versions(12, 12),
        to(
            "records that are too large once they are not compressed",
            &[("compression.type", "uncompressed"), ("max.message.bytes", "5000")],
            bomb(Codec::Gzip, 20_000),
        )
        .errors(&[MessageTooLarge]),
        to(
            "a batch larger than a segment",
            &[("segment.bytes", "1048576"), ("max.message.bytes", "3000000")],
            large(1_500_000),
        )
        .versions(9, 13)
        .errors(&[RecordListTooLarge]),
        to(
            "more than a thousand records without a key",
            &[("cleanup.policy", "compact")],
            many_keyless(1500),
        )
        .versions(8, 13)
        .errors(&[InvalidRecord]),
    ]
}

fn streams() -> Vec<Case> {
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

/// Requests that are odd from the outside.
fn odd_requests() -> Vec<Case> {
    vec![
        case(Produce, "a negative timeout").topic(1).fresh().ask(|s| {
            let mut request = produce(s, 0, -1, &json!(plain()));
            request["TimeoutMs"] = json!(-1);
            request
        }),
        case(Produce, "the same partition twice").topic(1).fresh().ask(|s| {
            let one = json!({"Index": 0, "Records": plain()});
            json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [{"Name": s.topic, "TopicId": s.topic_id,
                "PartitionData": [one, one]}]})
        }).then(Fetch, 12, stored),
        case(Produce, "the same topic twice").topic(1).fresh().ask(|s| {
            let one = json!({"Name": s.topic, "TopicId": s.topic_id,
                "PartitionData": [{"Index": 0, "Records": plain()}]});
            json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [one, one]})
        }).then(Fetch, 12, stored),
        case(Produce, "a topic without partitions").topic(1).ask(|s| {
            json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [{"Name": s.topic, "TopicId": s.topic_id,
                "PartitionData": []}]})
        }),
        case(Produce, "an illegal name")
            .versions(3, 12)
            .errors(&[UnknownTopicOrPartition, InvalidTopicException])
            .ask(|_| {
                json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [{"Name": "..",
                    "PartitionData": [{"Index": 0, "Records": plain()}]}]})
            }),
        case(Produce, "an internal topic")
            .versions(3, 12)
            .errors(&[InvalidTopicException])
            .asked(CreateTopics, 5, |_| {
                json!({"Topics": [{"Name": "__share_group_state", "NumPartitions": 1, "ReplicationFactor": 1}]})
            })
            .ask(|_| {
                json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [{"Name": "__share_group_state",
                    "PartitionData": [{"Index": 0, "Records": plain()}]}]})
            }),
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
        batch("offsets that repeat", repeated_offset()),
        batch("a count too large", count(4)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a count too small", count(2)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a negative count", count(-1)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a count of none", count(0)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a count beyond all", count(i32::MAX)).errors(&[InvalidRecord, CorruptMessage]),
        batch("a control batch", control()).errors(&[InvalidRecord]),
        batch("a length below a batch's least", length(-100)).errors(&[CorruptMessage, InvalidRecord]),
        batch("a length of thirteen", length_of(13)).errors(&[CorruptMessage]),
        batch("a length of fourteen", length_of(14)).errors(&[
            CorruptMessage,
            InvalidRecord,
            UnknownServerError,
        ]),
        batch("a length of forty-eight", length_of(48)).errors(&[
            CorruptMessage,
            InvalidRecord,
            UnknownServerError,
        ]),
        batch("a length of two thousand million", length_of(i32::MAX)).errors(&[UnknownServerError]),
        batch("a length a little less", length_of(i32::MAX - 12)).errors(&[InvalidRecord]),
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

/// Records that were written by hand. What is told of them does not hang on the version.
fn crafted_records() -> Vec<Case> {
    let records = |what, change: fn(&mut Vec<Vec<u8>>)| {
        batch(what, crafted(|_, records| change(records))).versions(11, 13)
    };
    let invalid: &[_] = &[InvalidRecord, CorruptMessage, UnknownServerError];
    vec![
        records("three records by hand", |_| {}),
        records("a record of negative length", |records| records[1] = with_length(-5, &[0; 7]))
            .errors(invalid),
        records("a record longer than the batch", |records| records[2] = with_length(500, &records[2][1..]))
            .errors(invalid),
        records("a record shorter than its fields", |records| records[2] = with_length(6, &records[2][1..]))
            .errors(invalid),
        records("a length in six bytes", |records| {
            records[0].splice(0..1, [0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
        })
        .errors(invalid),
        records("a time in eleven bytes", |records| {
            records[0].splice(2..3, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
            records[0][0] += 20;
        })
        .errors(invalid),
        records("a key of length -2", |records| {
            records[1].splice(4..6, [3]);
            records[1][0] -= 2;
        }),
        records("a value of length -2", |records| {
            records[1].splice(6..8, [3]);
            records[1][0] -= 2;
        }),
        records("headers of count -1", |records| records[1] = record(1, 1, Some("k"), &[1])).errors(invalid),
        records("a million headers", |records| {
            let mut count = Vec::new();
            zigzag(1_000_000, &mut count);
            records[1] = record(1, 1, Some("k"), &count);
        })
        .errors(invalid),
        records("a header without a key", |records| records[1] = record(1, 1, Some("k"), &[2, 1, 1]))
            .errors(invalid),
        records("a header without a value", |records| {
            records[1] = record(1, 1, Some("k"), &[2, 2, b'h', 1]);
        }),
        records("a header with an empty key", |records| {
            records[1] = record(1, 1, Some("k"), &[2, 0, 2, b'v']);
        }),
        records("offsets with a gap", |records| records[2] = record(2, 3, Some("k"), &[0])),
        records("offsets that fall", |records| records.swap(0, 2)),
        records("offsets below the first", |records| records[0] = record(0, -1, Some("k"), &[0])),
        records("attributes in a record", |records| records[1][1] = 0x7f),
        records("a byte behind the last record", |records| records.push(vec![0])).errors(invalid),
    ]
}

/// Headers that were written by hand.
fn crafted_headers() -> Vec<Case> {
    let header = |what, change: fn(&mut BatchHeader)| {
        batch(what, crafted(|header, _| change(header))).versions(11, 13)
    };
    let invalid: &[_] = &[InvalidRecord, CorruptMessage, UnknownServerError];
    vec![
        header("a time at the end of time", |header| header.base_timestamp = Timestamp(i64::MAX - 2))
            .errors(&[InvalidTimestamp]),
        header("times beyond the end of time", |header| header.base_timestamp = Timestamp(i64::MAX))
            .errors(&[InvalidTimestamp]),
        header("a time before all time", |header| header.base_timestamp = Timestamp(i64::MIN))
            .errors(&[InvalidTimestamp]),
        header("a time of -2", |header| header.base_timestamp = Timestamp(-2)),
        header("a largest time that lies", |header| header.max_timestamp = Timestamp(1)),
        header("a leader epoch of its own", |header| header.leader_epoch = LeaderEpoch(7)),
        header("the bit of LogAppendTime", |header| header.attributes.0 |= 0x08),
        header("the bit of a delete horizon", |header| header.attributes.0 |= 0x40),
        header("bits that mean nothing", |header| header.attributes.0 |= 0x7f00),
        header("codec 6", |header| header.attributes.0 |= 6).errors(invalid),
        header("codec 7", |header| header.attributes.0 |= 7).errors(invalid),
        header("a sequence without an id", |header| header.base_sequence = Sequence(5)),
        header("an epoch without an id", |header| header.producer_epoch = ProducerEpoch(5)),
        header("an id of -2", |header| header.producer_id = ProducerId(-2)),
        header("an id, an epoch of -1 and a sequence of -1", |header| {
            header.producer_id = ProducerId(77_777)
        })
        .errors(invalid),
    ]
}
