//! Requests whose bytes are not what the schema says: how much of that Kafka puts up with.

use protocol::api_key::ApiKey::{
    ApiVersions, CreatePartitions, CreateTopics, DeleteTopics, Fetch, InitProducerId, ListOffsets, Metadata,
};
use protocol::error_code::ErrorCode::{InvalidTopicException, UnknownTopicOrPartition};
use serde_json::{Value, json};

use super::case::{Case, case};

/// The table.
pub fn cases() -> Vec<Case> {
    [lengths(), numbers(), tags(), known_tags()].into_iter().flatten().collect()
}

fn by_name(name: &str) -> Value {
    json!({"Topics": [{"Name": name}], "AllowAutoTopicCreation": false})
}

fn put(body: &mut [u8], at: usize, bytes: &[u8]) {
    body[at..at + bytes.len()].copy_from_slice(bytes);
}

fn lengths() -> Vec<Case> {
    vec![
        case(Metadata, "bytes after the end")
            .topic(1)
            .ask(|s| by_name(&s.topic))
            .mangled(|_, body| body.extend(b"more")),
        case(Metadata, "no bytes at all").closes().ask(|_| by_name("x")).mangled(|_, body| body.clear()),
        case(Metadata, "the last byte missing").closes().ask(|_| by_name("x")).mangled(|_, body| {
            body.pop();
        }),
        case(CreateTopics, "topics of null").closes().ask(|_| json!({"Topics": []})).mangled(
            |version, body| {
                if version < 5 {
                    put(body, 0, &(-1i32).to_be_bytes());
                } else {
                    body[0] = 0;
                }
            },
        ),
        case(CreateTopics, "more topics than there are bytes")
            .closes()
            .ask(|_| json!({"Topics": []}))
            .mangled(|version, body| {
                if version < 5 {
                    put(body, 0, &i32::MAX.to_be_bytes());
                } else {
                    body.splice(0..1, [0xff, 0xff, 0xff, 0xff, 0x07]);
                }
            }),
        case(CreateTopics, "a count in a varint of six bytes")
            .versions(5, 7)
            .closes()
            .ask(|_| json!({"Topics": []}))
            .mangled(|_, body| {
                body.splice(0..1, [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
            }),
        case(DeleteTopics, "a name of length -2 where none may be null")
            .versions(1, 3)
            .closes()
            .ask(|_| json!({"TopicNames": ["x"], "TimeoutMs": 10_000}))
            .mangled(|_, body| put(body, 4, &(-2i16).to_be_bytes())),
        case(InitProducerId, "a name of length -2 where it may be null")
            .versions(0, 1)
            .ask(|_| json!({"TransactionalId": null, "TransactionTimeoutMs": 60_000}))
            .mangled(|_, body| put(body, 0, &(-2i16).to_be_bytes())),
        case(CreatePartitions, "an array of -2 where it may be null")
            .versions(0, 1)
            .topic(1)
            .ask(|s| {
                json!({"Topics": [{"Name": s.topic, "Count": 2, "Assignments": null}], "TimeoutMs": 10_000,
                    "ValidateOnly": true})
            })
            .mangled(|_, body| {
                let at = body.len() - 9;
                put(body, at, &(-2i32).to_be_bytes());
            }),
        case(ListOffsets, "a million topics and one more")
            .versions(1, 5)
            .closes()
            .ask(|_| json!({"ReplicaId": -1, "Topics": []}))
            .mangled(|_, body| {
                let at = body.len() - 4;
                body.truncate(at);
                body.extend(1_000_001i32.to_be_bytes());
                body.extend(std::iter::repeat_n(0, 6 * 1_000_001));
            }),
    ]
}

fn numbers() -> Vec<Case> {
    vec![
        case(CreatePartitions, "a bool of 2")
            .topic(1)
            .ask(|s| {
                json!({"Topics": [{"Name": s.topic, "Count": 2, "Assignments": null}], "TimeoutMs": 10_000,
                    "ValidateOnly": true})
            })
            .mangled(|version, body| {
                let at = body.len() - if version < 2 { 1 } else { 2 };
                body[at] = 2;
            })
            .then(Metadata, 9, |s| by_name(&s.topic)),
        case(Metadata, "a name that is not UTF-8")
            .versions(4, 8)
            .errors(&[InvalidTopicException, UnknownTopicOrPartition])
            .ask(|_| by_name("ab"))
            .mangled(|_, body| put(body, 6, &[0xc3, 0x28])),
    ]
}

/// With other tagged fields at the end of the request, which has none of its own.
fn tagged(what: &'static str, tags: &'static [u8]) -> Case {
    case(ApiVersions, what)
        .versions(3, 5)
        .ask(|_| json!({"ClientSoftwareName": "conformance", "ClientSoftwareVersion": "1"}))
        .mangled(move |_, body| {
            body.pop();
            body.extend(tags);
        })
}

/// With so many tagged fields that nobody knows.
fn many_tags(what: &'static str, count: u32) -> Case {
    let varint = |number: u32| [number as u8 | 0x80, (number >> 7) as u8 | 0x80, (number >> 14) as u8];
    tagged(what, b"").mangled(move |_, body| {
        body.pop();
        body.extend(varint(count));
        (0..count).for_each(|tag| body.extend([varint(200 + tag), [0x80, 0x80, 0]].concat()));
    })
}

fn tags() -> Vec<Case> {
    vec![
        tagged("an unknown tag", &[1, 100, 2, 7, 7]),
        tagged("tags that fall", &[2, 101, 1, 0, 100, 1, 0]),
        tagged("a tag twice", &[2, 100, 1, 0, 100, 1, 0]),
        tagged("a tag that ends beyond the request", &[1, 100, 9, 0]).closes(),
        tagged("more tags than there are bytes", &[9, 100, 1, 0]).closes(),
        tagged("two thousand million tags", &[0xff, 0xff, 0xff, 0xff, 0x07]).closes(),
        many_tags("ten thousand tags", 10_000),
        many_tags("ten thousand tags and one", 10_001).closes(),
    ]
}

/// With the tagged field `ClusterId`, of tag 0, written by hand at the end of a Fetch.
fn with_cluster(what: &'static str, tags: &'static [u8]) -> Case {
    case(Fetch, what).versions(12, 14).ask(|_| json!({"MaxWaitMs": 0, "MinBytes": 0, "Topics": []})).mangled(
        move |_, body| {
            body.pop();
            body.extend(tags);
        },
    )
}

fn known_tags() -> Vec<Case> {
    vec![
        with_cluster("a known tag", &[1, 0, 2, 2, b'x']),
        with_cluster("a known tag twice", &[2, 0, 2, 2, b'x', 0, 1, 0]),
        with_cluster("a known tag behind an unknown one", &[2, 100, 1, 0, 0, 1, 0]),
        with_cluster("a known tag with a byte too many", &[1, 0, 3, 2, b'x', 0]),
        with_cluster("a known tag with a byte too few", &[1, 0, 1, 2, b'x']),
    ]
}
