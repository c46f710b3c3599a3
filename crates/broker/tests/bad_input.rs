//! Bytes that no client should send: each gets Kafka's error or the end of its connection, the node lives, and what
//! is stored stays as it was. Here stand connections, headers and bodies; the files named below stand beside it.
//!
//! | what comes | the test that shows what happens |
//! |---|---|
//! | lengths that lie, or are beyond `socket.request.max.bytes` | `lengths_that_lie_end_the_connection`; `memory.rs` for what they cost |
//! | frames split at every byte, two in a packet | `connections.rs`: `frames_split_at_every_byte_and_frames_in_one_packet_are_served` |
//! | bytes after the end of a request | `odd_but_legal_headers_are_served`, and `answers` against Kafka |
//! | a frame that never ends | `connections.rs`: `idle_connections_are_closed_and_busy_ones_are_not` |
//! | HTTP, TLS | `http_and_tls_on_the_kafka_port_are_closed`; said once: `net/close.rs` |
//! | unknown keys and versions, client ids of all kinds, tags in headers | `headers_that_cannot_be_read_end_the_connection`, `odd_but_legal_headers_are_served` |
//! | ApiVersions too new, illegal software names | `an_api_versions_too_new_is_answered_and_the_connection_goes_on` |
//! | varints without an end, nulls, counts and strings beyond the bytes, nesting | `bodies_that_lie_end_the_connection`, `bad_input_requests.rs`; every message: `protocol`'s `wire/tests.rs`, `wire/work.rs`, `tests/properties.rs`, `tests/allocations.rs` |
//! | tagged fields: many, twice, falling, too long | `bad_input_requests.rs`: `tagged_fields_nobody_knows_are_passed_over_up_to_a_bound` |
//! | arrays that are empty, at every level (CVE-2026-83525) | `bad_input_messages.rs`: `arrays_that_are_empty_at_every_level_are_answered` |
//! | ids of zero, names and ids at once, the same thing twice | `bad_input_requests.rs`: `ids_that_no_topic_has_are_unknown`, `what_is_named_twice_counts_as_in_kafka`; `answers` |
//! | hundreds of thousands of names, a million and one | `time_stays_linear_*` here and in `bad_input_requests.rs`, `nulls_and_counts_that_cannot_be_end_the_connection` |
//! | negative partitions, offsets, timeouts, bounds; sessions, isolation levels, replicas that are none | `partitions_and_topics_that_are_not_there_are_told_so`, `numbers_that_mean_nothing_do_no_harm` |
//! | batches: magic, checksum, lengths, counts, offsets, times, keys, headers, bits, producers, codecs | `batches_that_are_wrong_are_refused_with_kafkas_codes`, `bad_input_batches.rs`; `answers` puts the same to Kafka |
//! | bombs, claims of gigabytes | `memory.rs`, `bad_input_batches.rs`; every codec: `protocol`'s `compression/tests.rs` |
//! | names that are illegal or collide, `..`, the metadata log's | `names_that_are_illegal_or_collide_create_nothing`, `the_metadata_log_is_no_topic_whoever_asks` |
//! | APIs of other listeners or that are not served, SASL among them | `what_is_not_served_ends_the_connection`, `records.rs`: `the_controllers_port_serves_what_is_for_controllers_only` |
//! | half-closed, reset, unread connections | `connections.rs`, `a_client_that_goes_away_in_the_middle_of_an_answer_leaves_nothing_behind` |
//! | groups, members and protocols that cannot be | `bad_input_groups.rs` |
//! | noise, and requests damaged in one to three bytes | `bad_input_messages.rs`, `fuzz/` |
//! | damaged files: logs, indexes, snapshots, checkpoints | beside each file in `storage`, and its `tests/golden.rs` |

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, Message, MetadataRequest,
    MetadataResponse, ProduceRequest, ProduceResponse,
};
use raw::Client;
use raw::ask::{fetch_request, produce_request, produced};
use raw::batch::batch;
use raw::node::{TestNode, start};

fn node() -> (tempfile::TempDir, TestNode) {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    node.connect().create(&["t"]);
    node.connect().produce("t", 0, batch(&["kept"]));
    (directory, node)
}

/// The node serves, and the topic holds what it held.
fn assert_sound(node: &TestNode) {
    assert_eq!(node.connect().fetch("t", 0, 0), (0, 1, vec!["kept".into()]));
}

/// Key, version, correlation id, and a client id as it stands on the wire.
fn header(api_key: i16, version: i16, client_id: &[u8]) -> Vec<u8> {
    [&api_key.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 7], client_id].concat()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn assert_closes(node: &TestNode, bytes: &[u8], what: &str) {
    // Shown where the assertion fails.
    println!("{what}");
    let mut client = node.connect();
    client.send(bytes);
    client.assert_closed();
}

#[test]
fn lengths_that_lie_end_the_connection() {
    let (_directory, node) = node();
    for length in [-1, 0, 1, 3, 7, i32::MIN, i32::MAX, 104_857_601] {
        let bytes = [&length.to_be_bytes()[..], &[0; 8]].concat();
        assert_closes(&node, &bytes, "a length");
    }
    assert_sound(&node);
}

#[test]
fn headers_that_cannot_be_read_end_the_connection() {
    let (_directory, node) = node();
    let name = [0, 1, b'x'];
    let cases: [(&str, Vec<u8>); 9] = [
        ("unknown key", header(999, 0, &name)),
        ("negative key", header(-1, 0, &name)),
        ("a key of ZooKeeper's days", header(4, 0, &name)),
        ("version too high", [&header(3, 99, &name)[..], &[0]].concat()),
        ("negative version", header(3, -1, &name)),
        ("client id longer than the frame", header(3, 1, &[0x7f, 0xff, b'x'])),
        ("client id of length -2", header(3, 1, &[0xff, 0xfe])),
        ("client id that is not UTF-8", header(3, 1, &[0, 2, 0xc3, 0x28])),
        ("2^32 tagged fields", [&header(3, 9, &name)[..], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat()),
    ];
    for (what, frame) in cases {
        assert_closes(&node, &framed(&frame), what);
    }
    assert_sound(&node);
}

#[test]
fn odd_but_legal_headers_are_served() {
    let (_directory, node) = node();
    let long = [&[0x7f, 0xff][..], &[b'x'; 0x7fff]].concat();
    let client_ids: [(&str, &[u8]); 4] = [
        ("null", &[0xff, 0xff]),
        ("empty", &[0, 0]),
        ("control characters", &[0, 2, 7, 10]),
        ("longest", &long),
    ];
    for (what, client_id) in client_ids {
        let mut client = node.connect();
        client.send(&framed(&header(18, 0, client_id)));
        let answer = client.receive();
        assert_eq!(answer[..6], [0, 0, 0, 7, 0, 0], "{what}");
    }
    let mut client = node.connect();
    let negative = [&[0, 18, 0, 0][..], &(-9i32).to_be_bytes(), &[0, 0]].concat();
    client.send(&framed(&negative));
    assert_eq!(client.receive()[..4], (-9i32).to_be_bytes());
    // As Apache Kafka 4.4.0 does, bytes after the end of a request are passed over.
    client.send(&framed(&[&header(18, 0, &[0, 0])[..], b"more"].concat()));
    assert_eq!(client.receive()[..6], [0, 0, 0, 7, 0, 0]);
}

#[test]
fn an_api_versions_too_new_is_answered_and_the_connection_goes_on() {
    let (_directory, node) = node();
    let mut client = node.connect();
    client.send(&framed(&[&header(18, 77, &[0, 0])[..], &[0]].concat()));
    assert_eq!(client.receive(), [0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5]);
    let named = ApiVersionsRequest {
        client_software_name: "a".into(),
        client_software_version: "1".into(),
        ..ApiVersionsRequest::default()
    };
    let body = client.ask(&named, 3);
    assert_eq!(ApiVersionsResponse::decode(&body, 3).unwrap().error_code, 0);
    let body = client.ask(&ApiVersionsRequest { client_software_name: "a b".into(), ..named }, 3);
    assert_eq!(ApiVersionsResponse::decode(&body, 3).unwrap().error_code, 42);
}

#[test]
fn bodies_that_lie_end_the_connection() {
    let (_directory, node) = node();
    let name = [0, 1, b'x'];
    let cases: [(&str, Vec<u8>); 6] = [
        ("an array of 2^31-1", [&header(3, 1, &name)[..], &[0x7f, 0xff, 0xff, 0xff]].concat()),
        ("an array of -2", [&header(3, 0, &name)[..], &[0xff, 0xff, 0xff, 0xfe]].concat()),
        ("a string longer than the frame", [&header(3, 1, &name)[..], &[0, 0, 0, 1, 0x10, 0, b'x']].concat()),
        ("a topic that is not UTF-8", [&header(3, 1, &name)[..], &[0, 0, 0, 1, 0, 2, 0xc3, 0x28]].concat()),
        (
            "a varint without an end",
            [&header(3, 9, &name)[..], &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
        ),
        ("nothing at all", header(0, 9, &name)),
    ];
    for (what, frame) in cases {
        assert_closes(&node, &framed(&frame), what);
    }
    assert_sound(&node);
}

#[test]
fn http_and_tls_on_the_kafka_port_are_closed() {
    let (_directory, node) = node();
    assert_closes(&node, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP");
    assert_closes(&node, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0], "TLS");
    assert_sound(&node);
}

#[test]
fn batches_that_are_wrong_are_refused_with_kafkas_codes() {
    let (_directory, node) = node();
    let good = batch(&["a", "b"]);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let sealed = |at: usize, byte: u8| {
        let mut bytes = changed(at, byte);
        protocol::records::batch::seal(&mut bytes);
        bytes
    };
    let cases: [(&str, Vec<u8>, i16); 12] = [
        ("no batch", Vec::new(), 87),
        ("half a batch", good[..good.len() - 3].to_vec(), 87),
        ("two batches", [&good[..], &good].concat(), 87),
        ("a wrong CRC", changed(good.len() - 1, b'X'), 2),
        ("magic 0", changed(16, 0), 87),
        ("magic 1", changed(16, 1), 87),
        ("magic 3", changed(16, 3), 2),
        ("a base offset", changed(7, 5), 87),
        ("a count that lies", sealed(60, 9), 87),
        ("a control batch", sealed(22, 0x20), 87),
        ("a transaction without its id", sealed(22, 0x10), 53),
        ("a codec that does not exist", sealed(22, 0x07), -1),
    ];
    let mut client = node.connect();
    for (what, records, code) in cases {
        let outcome = client.produce("t", 0, records);
        assert_eq!((outcome.error, outcome.base_offset), (code, -1), "{what}");
    }
    assert_sound(&node);
}

#[test]
fn partitions_and_topics_that_are_not_there_are_told_so() {
    let (_directory, node) = node();
    let mut client = node.connect();
    for (topic, partition, code) in [
        ("t", 1, 3),
        ("t", -1, 3),
        ("t", i32::MAX, 3),
        ("none", 0, 3),
        ("..", 0, 3),
        ("", 0, 3),
        ("a/b\0", 0, 3),
    ] {
        assert_eq!(client.produce(topic, partition, batch(&["x"])).error, code, "{topic} {partition}");
        assert_eq!(client.fetch(topic, partition, 0).0, code, "{topic} {partition}");
    }
    for offset in [-1, -5, i64::MIN, 2, i64::MAX] {
        assert_eq!(client.fetch("t", 0, offset).0, 1, "offset {offset}");
    }
    for acks in [2, -2, i16::MAX] {
        let body = client.ask(&produce_request("t", 0, acks, batch(&["x"])), 9);
        assert_eq!(produced(&body, 9).error, 21, "acks {acks}");
    }
    let mut isolated = fetch_request("t", 0, 0, 0);
    isolated.isolation_level = 7;
    let body = client.ask(&isolated, 11);
    assert_eq!(FetchResponse::decode(&body, 11).unwrap().error_code, -1);
    let mut strange = fetch_request("t", 0, 0, 0);
    (strange.session_id, strange.session_epoch) = (12345, 6);
    let body = client.ask(&strange, 11);
    assert_eq!(FetchResponse::decode(&body, 11).unwrap().error_code, 70);
    assert_sound(&node);
}

#[test]
fn a_first_batch_over_every_limit_is_still_read() {
    let (_directory, node) = node();
    let mut client = node.connect();
    for bytes_max in [0, 1] {
        let mut request = fetch_request("t", 0, 0, 0);
        request.max_bytes = bytes_max;
        let body = client.ask(&request, 11);
        assert_eq!(raw::ask::fetched(&body, 11).2, ["kept"], "{bytes_max}");
    }
    for bytes_max in [-1, i32::MIN] {
        let mut request = fetch_request("t", 0, 0, 0);
        request.max_bytes = bytes_max;
        let body = client.ask(&request, 11);
        assert_eq!(
            raw::ask::fetched(&body, 11).0,
            -1,
            "as in Kafka, less than nothing is no bound: {bytes_max}"
        );
    }
}

#[test]
fn names_that_are_illegal_or_collide_create_nothing() {
    let (directory, node) = node();
    let mut client = node.connect();
    client.create(&["a.b"]);
    // The files of a log come with its first record.
    client.produce("a.b", 0, batch(&["x"]));
    let long = "x".repeat(250);
    for (name, code) in [
        ("..", 17),
        (".", 17),
        ("", 17),
        ("a/b", 17),
        ("a\0b", 17),
        ("ü", 17),
        (long.as_str(), 17),
        ("a_b", 3),
    ] {
        let topic = MetadataRequestTopic { name: Some(name.into()), ..MetadataRequestTopic::default() };
        let request = MetadataRequest { topics: Some(vec![topic].into()), ..MetadataRequest::default() };
        let body = client.ask(&request, 9);
        let response = MetadataResponse::decode(&body, 9).unwrap();
        assert_eq!(response.topics.iter().next().unwrap().error_code, code, "{name:?}");
    }
    node.node().broker().log_dirs.make_planned(usize::MAX);
    let mut partitions: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    partitions.sort();
    assert_eq!(partitions, ["__cluster_metadata-0", "a.b-0", "t-0"]);
    assert_sound(&node);
}

/// Topics without partitions, as many as were seen to keep Apache Kafka 4.4.0 busy for minutes.
#[test]
fn time_stays_linear_in_the_topics_of_a_produce() {
    let (_directory, node) = node();
    let mut client = node.connect();
    let begun = Instant::now();
    let empty = vec![TopicProduceData::default(); 300_000];
    let request = ProduceRequest { acks: 1, topic_data: empty.into(), ..ProduceRequest::default() };
    let body = client.ask(&request, 9);
    assert!(ProduceResponse::decode(&body, 9).unwrap().responses.is_empty());
    let one = |number: u32| TopicProduceData {
        name: Cow::Owned(number.to_string()),
        partition_data: vec![PartitionProduceData::default()].into(),
        ..TopicProduceData::default()
    };
    let request =
        ProduceRequest { acks: 1, topic_data: (0..100_000).map(one).collect(), ..ProduceRequest::default() };
    let body = client.ask(&request, 9);
    assert_eq!(ProduceResponse::decode(&body, 9).unwrap().responses.len(), 100_000);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_sound(&node);
}

/// A fetch that names partitions from 1 to `partitions` of the topic.
fn wide_fetch(partitions: i32) -> FetchRequest<'static> {
    let partition =
        |partition| FetchPartition { partition, partition_max_bytes: 1, ..FetchPartition::default() };
    let topic = FetchTopic {
        topic: "t".into(),
        partitions: (1..=partitions).map(partition).collect(),
        ..FetchTopic::default()
    };
    FetchRequest { session_epoch: 0, topics: vec![topic].into(), ..fetch_request("t", 0, 0, 0) }
}

#[test]
fn time_stays_linear_in_the_partitions_of_a_fetch() {
    let (_directory, node) = node();
    let begun = Instant::now();
    let body = node.connect().ask(&wide_fetch(100_000), 11);
    let response = FetchResponse::decode(&body, 11).unwrap();
    assert_eq!(response.responses.iter().next().unwrap().partitions.len(), 100_000);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_sound(&node);
}

#[test]
fn a_fetch_of_more_partitions_than_the_bound_ends_the_connection() {
    let (_directory, node) = node();
    let mut client = node.connect();
    let frame = client.frame(&wide_fetch(100_001), 11);
    client.send(&frame);
    client.assert_closed();
    assert_sound(&node);
}

#[test]
fn many_broken_connections_leave_the_good_ones_alone() {
    let (_directory, node) = node();
    let mut good: Client = node.connect();
    for round in 0..300 {
        let mut bad = node.connect();
        match round % 3 {
            0 => bad.send(&[0, 0, 0, 100, 1, 2, 3]),
            1 => bad.send(&[0xff; 64]),
            _ => bad.send(&framed(&header(1, 99, &[0, 0]))),
        }
        drop(bad);
        if round % 50 == 0 {
            assert_eq!(good.fetch("t", 0, 0).2, ["kept"]);
        }
    }
    assert_sound(&node);
}
