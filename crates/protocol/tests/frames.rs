//! Frames that Apache Kafka 4.4.0 and its clients exchanged (the Java client, librdkafka 2.0 and 2.16, franz-go,
//! kafkajs, kafka-python), one file an API: what is read of them is written again to the byte.
//!
//! A line is `request` or `response`, the version, and the frame after its size in hex. A request and the response
//! of the same version belong together.
#![expect(clippy::unwrap_used, reason = "a frame that is not as it should be is a failure wherever it shows")]

use std::collections::BTreeMap;
use std::path::Path;

use protocol::ApiKey;
use protocol::messages::catalogue::{self, Entry};
use protocol::messages::header::{request_header_version, response_header_version};
use protocol::messages::record::ConsumerProtocolSubscription;
use protocol::messages::{
    ApiVersionsResponse, FetchResponse, JoinGroupRequest, Message, MetadataResponse, ProduceRequest,
    RequestHeader, ResponseHeader,
};

/// The frames of an API, by what they are and version.
fn frames(file: &Path) -> BTreeMap<(String, i16), Vec<u8>> {
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let frame = |line: &str| {
        let [kind, version, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        ((kind.to_owned(), version.parse().unwrap()), hex.as_bytes().chunks(2).map(byte).collect())
    };
    text.lines().map(frame).collect()
}

fn golden(api: &str) -> BTreeMap<(String, i16), Vec<u8>> {
    frames(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/frames/{api}.txt")))
}

/// Reads a frame and writes it again; the API is that of the request in the same file.
fn recode(api: ApiKey, kind: &str, version: i16, frame: &[u8]) -> Vec<u8> {
    let mut again = Vec::new();
    let (name, body) = match kind {
        "request" => {
            let (header, body) = RequestHeader::parse(frame).unwrap();
            assert_eq!((header.request_api_key, header.request_api_version), (api.into(), version));
            header.encode(request_header_version(api, version), &mut again).unwrap();
            (api.request().name, body)
        }
        _ => {
            let header_version = response_header_version(api, version);
            let (header, body) = ResponseHeader::decode_prefix(frame, header_version).unwrap();
            header.encode(header_version, &mut again).unwrap();
            (api.response().name, body)
        }
    };
    let same = |entry: &&Entry| entry.schema.name == name;
    let entry = catalogue::all().find(same).expect("every API is in the catalogue");
    (entry.recode)(body, version, &mut again).unwrap().unwrap();
    again
}

fn body(frame: &[u8]) -> &[u8] {
    RequestHeader::parse(frame).unwrap().1
}

#[test]
fn frames_of_kafka_are_written_as_they_were_read() {
    let mut count = 0;
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/frames")).unwrap()
    {
        let frames = frames(&file.unwrap().path());
        let (_, request) = frames.iter().find(|((kind, _), _)| kind == "request").unwrap();
        let key = RequestHeader::parse(request).unwrap().0.request_api_key;
        let api = ApiKey::from_i16(key).unwrap();
        for ((kind, version), frame) in &frames {
            assert_eq!(&recode(api, kind, *version, frame), frame, "{api} {kind} {version}");
            count += 1;
        }
    }
    assert!(count >= 150, "{count} frames");
}

#[test]
fn the_words_of_kafka_are_understood() {
    let metadata = golden("metadata");
    let frame = &metadata[&("response".to_owned(), 13)];
    let response = MetadataResponse::decode(&frame[5..], 13).unwrap();
    let broker = response.brokers.iter().next().unwrap();
    assert_eq!((broker.node_id, &*broker.host, broker.port), (1, "127.0.0.1", 39392));
    assert_eq!(response.cluster_id.as_deref().map(str::len), Some(22));

    let versions = golden("api_versions");
    let response = ApiVersionsResponse::decode(&versions[&("response".to_owned(), 4)][4..], 4).unwrap();
    let of = |api: ApiKey| response.api_keys.iter().find(|found| found.api_key == i16::from(api)).unwrap();
    assert_eq!((of(ApiKey::Fetch).min_version, of(ApiKey::Fetch).max_version), (4, 18));
    assert_eq!(
        response.finalized_features.iter().find(|f| f.name == "group.version").unwrap().max_version_level,
        1
    );

    let produce = golden("produce");
    let request = ProduceRequest::decode(body(&produce[&("request".to_owned(), 9)]), 9).unwrap();
    let topic = request.topic_data.iter().next().unwrap();
    let partition = topic.partition_data.iter().next().unwrap();
    assert_eq!(partition.records.unwrap()[16], 2, "the magic of a batch");

    let fetch = golden("fetch");
    let response = FetchResponse::decode(&fetch[&("response".to_owned(), 11)][4..], 11).unwrap();
    let topic = response.responses.iter().next().unwrap();
    assert!(topic.topic.starts_with("check-"));

    let join = golden("join_group");
    let request = JoinGroupRequest::decode(body(&join[&("request".to_owned(), 9)]), 9).unwrap();
    assert_eq!((&*request.group_id, request.group_instance_id.as_deref()), ("g-classic", Some("i-1")));
    let protocol = request.protocols.iter().find(|protocol| protocol.name == "range").unwrap();
    // What a client says of itself begins with the version it says it in.
    let (version, subscription) = protocol.metadata.split_first_chunk::<2>().unwrap();
    let version = i16::from_be_bytes(*version);
    let subscription = ConsumerProtocolSubscription::decode(subscription, version).unwrap();
    assert_eq!(subscription.topics, ["orders".into()].into());
}
