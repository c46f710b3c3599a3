//! Record batches that no producer should send: each is refused with Kafka's code, or stored as Kafka stores it, and
//! what was stored before stays as it was. `headwater-conformance answers` puts the same batches to Apache Kafka.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, Message};
use protocol::records::batch::{Attributes, BATCH_LENGTH_MIN, BatchHeader, seal};
use protocol::records::compression::Codec;
use raw::Client;
use raw::ask::{produce_request, produced};
use raw::batch::batch;
use raw::node::{TestNode, start};

const NONE: i16 = 0;
const CORRUPT_MESSAGE: i16 = 2;
const MESSAGE_TOO_LARGE: i16 = 10;
const RECORD_LIST_TOO_LARGE: i16 = 18;
const INVALID_TIMESTAMP: i16 = 32;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const INVALID_RECORD: i16 = 87;
const UNKNOWN_SERVER_ERROR: i16 = -1;

fn node() -> (tempfile::TempDir, TestNode) {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    node.connect().create(&["t", "kept"]);
    node.connect().produce("kept", 0, batch(&["kept"]));
    (directory, node)
}

/// What was stored before is as it was, and the topic that was asked has `end` records.
fn assert_sound(node: &TestNode, end: i64) {
    let mut client = node.connect();
    assert_eq!(client.fetch("kept", 0, 0), (0, 1, vec!["kept".into()]));
    assert_eq!(client.fetch("t", 0, end), (0, end, vec![]));
}

/// A batch of three records by hand, sealed after it was changed.
fn crafted(change: impl FnOnce(&mut BatchHeader, &mut Vec<Vec<u8>>)) -> Vec<u8> {
    let mut header = BatchHeader::parse(&batch(&["a", "b", "c"])).unwrap();
    let mut records = (0..3).map(|index| record(index, Some("k"), &[0])).collect();
    change(&mut header, &mut records);
    let payload = records.concat();
    header.length = BATCH_LENGTH_MIN + payload.len() as u32;
    let mut bytes = [&header.write()[..], &payload].concat();
    seal(&mut bytes);
    bytes
}

/// A record with its length: no attributes, no time of its own, the value `v`, and headers with their count.
fn record(offset_delta: i64, key: Option<&str>, headers: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0];
    zigzag(offset_delta, &mut body);
    zigzag(key.map_or(-1, |key| key.len() as i64), &mut body);
    body.extend(key.unwrap_or_default().bytes());
    body.extend([2, b'v']);
    body.extend(headers);
    with_length(body.len() as i64, &body)
}

fn with_length(length: i64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    zigzag(length, &mut bytes);
    bytes.extend(body);
    bytes
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    let mut number = ((number << 1) ^ (number >> 63)) as u64;
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Bytes as the compressed payload of a batch of three.
fn payload(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    crafted(|header, records| {
        header.attributes = Attributes::default().with_codec(codec);
        *records = vec![bytes.to_vec()];
    })
}

/// Produces each; those with code 0 are appended. Returns how many records there are afterwards.
fn produce_all(client: &mut Client, topic: &str, cases: &[(&str, Vec<u8>, i16)]) -> i64 {
    let mut end = 0;
    for (what, records, code) in cases {
        let count = BatchHeader::parse_prefix(records).map_or(0, |header| i64::from(header.count));
        let outcome = client.produce(topic, 0, records.clone());
        let base = if *code == NONE { end } else { -1 };
        assert_eq!((outcome.error, outcome.base_offset), (*code, base), "{what}");
        end += if *code == NONE { count } else { 0 };
    }
    end
}

#[test]
fn records_that_are_not_what_the_batch_says_are_invalid() {
    let (_directory, node) = node();
    let records = |change: fn(&mut Vec<Vec<u8>>)| crafted(|_, records| change(records));
    let cases = [
        ("as it should be", records(|_| {}), NONE),
        ("negative length", records(|r| r[1] = with_length(-5, &[0; 7])), INVALID_RECORD),
        ("longer than the batch", records(|r| r[2] = with_length(500, &r[2][1..])), INVALID_RECORD),
        ("shorter than its fields", records(|r| r[2] = with_length(6, &r[2][1..])), INVALID_RECORD),
        (
            "a length in six bytes",
            records(|r| drop(r[0].splice(0..1, [0x80, 0x80, 0x80, 0x80, 0x80, 1]))),
            UNKNOWN_SERVER_ERROR,
        ),
        (
            "a time in eleven bytes",
            records(|r| {
                r[0].splice(2..3, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]);
                r[0][0] += 20;
            }),
            INVALID_RECORD,
        ),
        ("a gap in the offsets", records(|r| r[2] = record(3, Some("k"), &[0])), INVALID_RECORD),
        ("an offset twice", records(|r| r[2] = record(1, Some("k"), &[0])), INVALID_RECORD),
        ("a negative offset", records(|r| r[0] = record(-1, Some("k"), &[0])), INVALID_RECORD),
        ("headers of count -1", records(|r| r[1] = record(1, Some("k"), &[1])), INVALID_RECORD),
        ("a million headers", records(|r| r[1] = record(1, Some("k"), &[0x80, 0x89, 0x7a])), INVALID_RECORD),
        ("a header without a key", records(|r| r[1] = record(1, Some("k"), &[2, 1, 1])), INVALID_RECORD),
        ("a header without a value", records(|r| r[1] = record(1, Some("k"), &[2, 2, b'h', 1])), NONE),
        ("a byte behind the last", records(|r| r.push(vec![0])), INVALID_RECORD),
        ("one record less", records(|r| drop(r.pop())), INVALID_RECORD),
        // As in Kafka, any negative length stands for no key.
        (
            "a key of length -2",
            records(|r| {
                r[1].splice(4..6, [3]);
                r[1][0] -= 2;
            }),
            NONE,
        ),
    ];
    let end = produce_all(&mut node.connect(), "t", &cases);
    assert_sound(&node, end);
}

#[test]
fn headers_that_lie_are_refused_and_what_brokers_set_is_set_anew() {
    let (_directory, node) = node();
    let header = |change: fn(&mut BatchHeader)| crafted(|header, _| change(header));
    let raw_length = |length: i32| {
        let mut bytes = batch(&["a", "b"]);
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let cases = [
        ("length -1", raw_length(-1), CORRUPT_MESSAGE),
        ("length 13", raw_length(13), CORRUPT_MESSAGE),
        ("length 48", raw_length(48), CORRUPT_MESSAGE),
        ("length of 2 GiB", raw_length(i32::MAX), UNKNOWN_SERVER_ERROR),
        ("count -1", header(|h| h.count = -1), INVALID_RECORD),
        ("count 0", header(|h| h.count = 0), INVALID_RECORD),
        ("count of 2 thousand million", header(|h| h.count = i32::MAX), INVALID_RECORD),
        ("a last offset delta too many", header(|h| h.last_offset_delta = 3), INVALID_RECORD),
        ("a last offset delta of -1", header(|h| h.last_offset_delta = -1), INVALID_RECORD),
        ("a control batch", header(|h| h.attributes = h.attributes.with_control(true)), INVALID_RECORD),
        ("codec 5", header(|h| h.attributes.0 |= 5), UNKNOWN_SERVER_ERROR),
        ("codec 6", header(|h| h.attributes.0 |= 6), UNKNOWN_SERVER_ERROR),
        ("codec 7", header(|h| h.attributes.0 |= 7), UNKNOWN_SERVER_ERROR),
        ("the bit of LogAppendTime", header(|h| h.attributes.0 |= 8), NONE),
        ("times before all time", header(|h| h.base_timestamp = Timestamp(i64::MIN)), INVALID_TIMESTAMP),
        ("times after all time", header(|h| h.base_timestamp = Timestamp(i64::MAX)), INVALID_TIMESTAMP),
        ("a largest time that lies", header(|h| h.max_timestamp = Timestamp(1)), NONE),
        ("a leader epoch of its own", header(|h| h.leader_epoch = LeaderEpoch(7)), NONE),
        ("the bit of a delete horizon", header(|h| h.attributes.0 |= 0x40), NONE),
    ];
    let end = produce_all(&mut node.connect(), "t", &cases);
    assert_sound(&node, end);
}

#[test]
fn times_that_overflow_are_judged_as_they_come_out() {
    let (_directory, node) = node();
    let late = crafted(|header, records| {
        header.base_timestamp = Timestamp(i64::MAX);
        // One millisecond after the end of time.
        records[1].splice(2..3, [2]);
    });
    let cases = [("a delta beyond the end of time", late, INVALID_TIMESTAMP)];
    produce_all(&mut node.connect(), "t", &cases);
    assert_sound(&node, 0);
}

#[test]
fn producers_that_say_half_of_who_they_are_are_judged_as_kafka_does() {
    let (_directory, node) = node();
    let of = |id: i64, epoch: i16, sequence: i32| {
        crafted(|header, _| {
            header.producer_id = ProducerId(id);
            header.producer_epoch = ProducerEpoch(epoch);
            header.base_sequence = Sequence(sequence);
        })
    };
    let cases = [
        ("an id and nothing else", of(7, -1, -1), INVALID_RECORD),
        ("an id without a sequence", of(7, 0, -1), INVALID_RECORD),
        ("a negative sequence", of(7, 0, -9), INVALID_RECORD),
        ("a sequence without an id", of(-1, -1, 5), NONE),
        ("an epoch without an id", of(-1, 3, -1), NONE),
        ("an id of -2", of(-2, 0, 0), NONE),
        ("an id nobody gave out", of(9, 0, 4), NONE),
        ("its next batch", of(9, 0, 7), NONE),
        ("a gap", of(9, 0, 11), OUT_OF_ORDER_SEQUENCE_NUMBER),
        ("a newer epoch that does not begin at 0", of(9, 1, 10), OUT_OF_ORDER_SEQUENCE_NUMBER),
        ("a newer epoch", of(9, 5, 0), NONE),
        ("the older epoch", of(9, 0, 10), INVALID_PRODUCER_EPOCH),
    ];
    let end = produce_all(&mut node.connect(), "t", &cases);
    assert_sound(&node, end);
}

#[test]
fn streams_that_are_none_or_claim_what_they_do_not_hold_are_refused() {
    let (_directory, node) = node();
    let mut cases = Vec::new();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        cases.push(("an empty stream", payload(codec, &[])));
        cases.push(("noise", payload(codec, &[0xab; 40])));
    }
    cases.push((
        "raw snappy that claims 2 GiB",
        payload(Codec::Snappy, &[&[0xff, 0xff, 0xff, 0xff, 0x07][..], &[0; 20]].concat()),
    ));
    cases.push((
        "a framed snappy block that claims 2 GiB",
        payload(Codec::Snappy, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff\0\0\0"),
    ));
    cases.push((
        "zstd with a window of 2 GiB",
        payload(Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]),
    ));
    let mut client = node.connect();
    for (what, records) in cases {
        let outcome = client.produce("t", 0, records);
        assert!(
            [UNKNOWN_SERVER_ERROR, CORRUPT_MESSAGE, INVALID_RECORD].contains(&outcome.error),
            "{what}: {outcome:?}"
        );
    }
    let body = client.ask(&produce_request("t", 0, 1, payload(Codec::Zstd, &[0; 9])), 6);
    assert_eq!(produced(&body, 6).error, UNSUPPORTED_COMPRESSION_TYPE, "zstd before it was known");
    assert_sound(&node, 0);
}

/// Creates a topic of one partition with configs.
fn create(client: &mut Client, name: &'static str, configs: &[(&'static str, &'static str)]) {
    let config = |&(name, value): &(&'static str, &'static str)| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic].into(), ..CreateTopicsRequest::default() };
    let body = client.ask(&request, 7);
    let response = CreateTopicsResponse::decode(&body, 7).unwrap();
    assert_eq!(response.topics.iter().next().unwrap().error_code, 0);
}

#[test]
fn what_a_topic_does_not_take_is_refused() {
    let (_directory, node) = node();
    let mut client = node.connect();
    create(&mut client, "compacted", &[("cleanup.policy", "compact")]);
    create(&mut client, "small", &[("max.message.bytes", "200")]);
    create(&mut client, "plain", &[("compression.type", "uncompressed"), ("max.message.bytes", "2000")]);
    create(&mut client, "segments", &[("segment.bytes", "1048576"), ("max.message.bytes", "3000000")]);
    let large = |bytes: usize| batch(&[&"x".repeat(bytes)]);
    let inflating = {
        let plain = large(20_000);
        let header = BatchHeader::parse(&plain).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut gzip, &plain[61..]).unwrap();
        let payload = gzip.finish().unwrap();
        let length = BATCH_LENGTH_MIN + payload.len() as u32;
        let header = BatchHeader { length, attributes: header.attributes.with_codec(Codec::Gzip), ..header };
        let mut bytes = [&header.write()[..], &payload].concat();
        seal(&mut bytes);
        bytes
    };
    let cases = [
        ("compacted", crafted(|_, records| records[1] = record(1, None, &[0])), INVALID_RECORD),
        ("small", large(200), MESSAGE_TOO_LARGE),
        ("plain", inflating, MESSAGE_TOO_LARGE),
        ("segments", large(1_500_000), RECORD_LIST_TOO_LARGE),
    ];
    for (topic, records, code) in cases {
        let outcome = client.produce(topic, 0, records);
        assert_eq!((outcome.error, outcome.base_offset), (code, -1), "{topic}");
        assert_eq!(client.fetch(topic, 0, 0), (0, 0, vec![]), "{topic}");
    }
    assert_sound(&node, 0);
}
