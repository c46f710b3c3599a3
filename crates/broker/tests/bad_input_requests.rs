//! Requests whose bytes can be read and make no sense, or are so many that they must not cost more than their number.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use protocol::ApiKey;
use protocol::id::Uuid;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::describe_configs::DescribeConfigsResource;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::produce::PartitionProduceData;
use protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteTopicsRequest, DescribeConfigsRequest, FetchResponse, ListOffsetsRequest,
    ListOffsetsResponse, Message, MetadataRequest, MetadataResponse, ProduceResponse, Request,
};
use raw::Client;
use raw::ask::{fetch_request, fetched, produce_request};
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

/// Sends a frame of these bytes and expects the end of the connection.
fn assert_closes(node: &TestNode, api: ApiKey, version: i16, body: &[u8], what: &str) {
    // Shown where the assertion fails.
    println!("{what}");
    let flexible = api.request().flexible.contains(version);
    let mut frame =
        [&(api as i16).to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 7, 0, 1, b'x']].concat();
    frame.extend(flexible.then_some(0));
    frame.extend(body);
    let mut client = node.connect();
    client.send(&[&(frame.len() as u32).to_be_bytes()[..], &frame].concat());
    client.assert_closed();
}

#[test]
fn nulls_and_counts_that_cannot_be_end_the_connection() {
    let (_directory, node) = node();
    let cases: [(&str, ApiKey, i16, &[u8]); 7] = [
        ("topics of null", ApiKey::CreateTopics, 4, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9, 0]),
        ("compact topics of null", ApiKey::CreateTopics, 7, &[0, 0, 0, 0, 9, 0, 0]),
        ("a name of null", ApiKey::DeleteTopics, 1, &[0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 9]),
        ("a name of length -2", ApiKey::DeleteTopics, 1, &[0, 0, 0, 1, 0xff, 0xfe, 0, 0, 0, 9]),
        ("more elements than bytes", ApiKey::CreateTopics, 7, &[0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0, 9, 0, 0]),
        (
            "a count in six bytes",
            ApiKey::CreateTopics,
            7,
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0, 0, 9, 0, 0],
        ),
        ("arrays of arrays that are not there", ApiKey::Fetch, 12, &[0xff; 64]),
    ];
    for (what, api, version, body) in cases {
        assert_closes(&node, api, version, body, what);
    }
    let million = [&1_000_001i32.to_be_bytes()[..], &vec![0; 2_000_002]].concat();
    assert_closes(&node, ApiKey::Metadata, 1, &million, "a million names and one");
    assert_sound(&node);
}

#[test]
fn tagged_fields_nobody_knows_are_passed_over_up_to_a_bound() {
    let (_directory, node) = node();
    let body = |tags: &[u8]| [&[2, b'a', 2, b'1'][..], tags].concat();
    let mut client = node.connect();
    let tiny: Vec<u8> = [&[0x90, 0x4e][..], &[99, 0].repeat(10_000)].concat();
    for tags in [&[1, 100, 2, 7, 7][..], &[2, 101, 0, 100, 0], &[2, 100, 0, 100, 0], &tiny] {
        let frame = [&[0, 18, 0, 3, 0, 0, 0, 7, 0, 1, b'x', 0][..], &body(tags)].concat();
        client.send(&[&(frame.len() as u32).to_be_bytes()[..], &frame].concat());
        let answer = client.receive();
        assert_eq!(ApiVersionsResponse::decode(&answer[4..], 3).unwrap().error_code, 0, "{:?}", &tags[..5]);
    }
    let many = [&[0x91, 0x4e][..], &[99, 0].repeat(10_001)].concat();
    for tags in [&[1, 100, 9, 0][..], &[9, 100, 0], &[0xff, 0xff, 0xff, 0xff, 7], &many] {
        assert_closes(&node, ApiKey::ApiVersions, 3, &body(tags), "tags that lie");
    }
    assert_sound(&node);
}

#[test]
fn ids_that_no_topic_has_are_unknown() {
    let (_directory, node) = node();
    let mut client = node.connect();
    for id in [Uuid::ZERO, Uuid([1; 16])] {
        let mut fetch = fetch_request("", 0, 0, 0);
        let mut topics = fetch.topics.into_vec();
        topics[0].topic_id = id;
        fetch.topics = topics.into();
        let body = client.ask(&fetch, 13);
        let response = FetchResponse::decode(&body, 13).unwrap();
        let topic = response.responses.iter().next().unwrap();
        assert_eq!(topic.partitions.iter().next().unwrap().error_code, 100, "fetch {id}");
        let mut produce = produce_request("", 0, 1, batch(&["x"]));
        let mut topics = produce.topic_data.into_vec();
        topics[0].topic_id = id;
        produce.topic_data = topics.into();
        let body = client.ask(&produce, 13);
        let response = ProduceResponse::decode(&body, 13).unwrap();
        let topic = response.responses.iter().next().unwrap();
        assert_eq!(topic.partition_responses.iter().next().unwrap().error_code, 100, "produce {id}");
    }
    let neither = MetadataRequestTopic { name: None, ..MetadataRequestTopic::default() };
    let request = MetadataRequest { topics: Some(vec![neither].into()), ..MetadataRequest::default() };
    let body = client.ask(&request, 12);
    let response = MetadataResponse::decode(&body, 12).unwrap();
    assert_eq!(response.topics.iter().next().unwrap().error_code, -1, "neither name nor id");
    assert_sound(&node);
}

#[test]
fn what_is_named_twice_counts_as_in_kafka() {
    let (_directory, node) = node();
    let mut client = node.connect();
    client.create(&["twice"]);
    let mut request = produce_request("twice", 0, 1, batch(&["first"]));
    let mut topics = request.topic_data.into_vec();
    let again = PartitionProduceData { index: 0, records: Some(batch(&["last", "of two"]).into()) };
    topics[0].partition_data = topics[0].partition_data.iter().chain([again]).collect();
    request.topic_data = topics.into();
    let body = client.ask(&request, 9);
    let response = ProduceResponse::decode(&body, 9).unwrap();
    assert_eq!(response.responses.iter().next().unwrap().partition_responses.len(), 1);
    assert_eq!(client.fetch("twice", 0, 0), (0, 2, vec!["last".into(), "of two".into()]));

    let partitions = [1, 2].map(|offset| DeleteRecordsPartition { partition_index: 0, offset });
    let topic = DeleteRecordsTopic { name: "twice".into(), partitions: partitions.into() };
    let empty = DeleteRecordsTopic { name: "t".into(), partitions: Vec::new().into() };
    let request = DeleteRecordsRequest { topics: vec![topic, empty].into(), timeout_ms: 1000 };
    let body = client.ask(&request, 2);
    let response = DeleteRecordsResponse::decode(&body, 2).unwrap();
    let told: Vec<_> = response
        .topics
        .iter()
        .map(|topic| topic.partitions.iter().map(|partition| partition.low_watermark).collect::<Vec<_>>())
        .collect();
    assert_eq!(told, [[2]], "the last time counts, and a topic without partitions is passed over");

    let partition = ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: [partition.clone(), partition].into() };
    let request =
        ListOffsetsRequest { replica_id: -1, topics: vec![topic].into(), ..ListOffsetsRequest::default() };
    let body = client.ask(&request, 5);
    let response = ListOffsetsResponse::decode(&body, 5).unwrap();
    let codes = response.topics.iter().next().unwrap().partitions;
    assert!(codes.iter().all(|partition| partition.error_code == 42), "ListOffsets refuses it");
    assert_sound(&node);
}

#[test]
fn numbers_that_mean_nothing_do_no_harm() {
    let (_directory, node) = node();
    let mut client = node.connect();
    let begun = Instant::now();
    for (wait, least, most) in
        [(i32::MAX, 1, 1 << 20), (0, i32::MAX, 1), (-5, i32::MAX, 1 << 20), (0, -1, 1), (0, 0, 0)]
    {
        let mut request = fetch_request("t", 0, 0, wait);
        (request.min_bytes, request.max_bytes) = (least, most);
        let body = client.ask(&request, 11);
        assert_eq!(fetched(&body, 11).2, ["kept"], "wait {wait}, {least} to {most} bytes");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    let mut as_replica = fetch_request("t", 0, 0, 0);
    as_replica.replica_id = 77;
    let body = client.ask(&as_replica, 11);
    assert_eq!(fetched(&body, 11).0, 6, "nobody becomes a replica by saying so");
    for timeout_ms in [-1, i32::MIN] {
        let topic = CreatableTopic {
            name: "late".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic].into(), timeout_ms, ..CreateTopicsRequest::default() };
        let body = client.ask(&request, 7);
        let response = CreateTopicsResponse::decode(&body, 7).unwrap();
        assert_eq!(response.topics.iter().next().unwrap().error_code, 7, "no time was left");
    }
    let mut impatient = produce_request("nowhere", 0, -1, batch(&["x"]));
    impatient.timeout_ms = -1;
    let body = client.ask(&impatient, 9);
    assert_eq!(raw::ask::produced(&body, 9).error, 3);
    assert_sound(&node);
}

/// The metadata log lies where partition 0 of a topic of its name would.
#[test]
fn the_metadata_log_is_no_topic_whoever_asks() {
    let (directory, node) = node();
    let mut client = node.connect();
    let log = directory.path().join("__cluster_metadata-0");
    let before = std::fs::read_dir(&log).unwrap().count();
    let topic = MetadataRequestTopic { name: Some("__cluster_metadata".into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic].into()), ..MetadataRequest::default() };
    let body = client.ask(&request, 9);
    assert_eq!(MetadataResponse::decode(&body, 9).unwrap().topics.iter().next().unwrap().error_code, 3);
    let topic = CreatableTopic {
        name: "__cluster_metadata".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic].into(), ..CreateTopicsRequest::default() };
    let body = client.ask(&request, 7);
    assert_eq!(CreateTopicsResponse::decode(&body, 7).unwrap().topics.iter().next().unwrap().error_code, 42);
    assert_eq!(client.produce("__cluster_metadata", 0, batch(&["x"])).error, 3);
    assert_eq!(client.fetch("__cluster_metadata", 0, 0).0, 3);
    assert_eq!(std::fs::read_dir(&log).unwrap().count(), before);
    assert_sound(&node);
}

#[test]
fn what_is_not_served_ends_the_connection() {
    let (_directory, node) = node();
    let cases = [
        (ApiKey::SaslHandshake, 1, &[0, 5, b'P', b'L', b'A', b'I', b'N'][..]),
        (ApiKey::SaslAuthenticate, 2, &[1, 0]),
        (ApiKey::PushTelemetry, 0, &[0; 30]),
        (ApiKey::ControlledShutdown, 3, &[0; 20]),
        (ApiKey::Vote, 0, &[0; 20]),
        (ApiKey::BrokerRegistration, 0, &[0; 40]),
    ];
    for (api, version, body) in cases {
        assert_closes(&node, api, version, body, api.name());
    }
    assert_sound(&node);
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_an_answer_leaves_nothing_behind() {
    let (_directory, node) = node();
    let mut client = node.connect();
    client.create(&["large"]);
    for _ in 0..8 {
        assert_eq!(client.produce("large", 0, batch(&[&"x".repeat(900_000)])).error, 0);
    }
    for round in 0..20 {
        let mut leaver = node.connect();
        let mut request = fetch_request("large", 0, 0, 0);
        request.max_bytes = 10 << 20;
        let mut topics = request.topics.into_vec();
        let mut partitions = topics[0].partitions.iter().collect::<Vec<_>>();
        partitions[0].partition_max_bytes = 10 << 20;
        topics[0].partitions = partitions.into();
        request.topics = topics.into();
        let frame = leaver.frame(&request, 11);
        leaver.send(&frame.repeat(1 + round % 3));
        let mut first = [0; 1000];
        std::io::Read::read_exact(leaver.stream(), &mut first).unwrap();
        // What is unread makes the system send a reset.
        drop(leaver);
    }
    assert_sound(&node);
}

/// How long an answer takes, of whatever length.
fn time<'a, R: Request<'a>>(client: &mut Client, request: &R, version: i16) -> Duration {
    let begun = Instant::now();
    client.ask(request, version);
    begun.elapsed()
}

#[test]
fn time_stays_linear_in_the_names_of_every_request() {
    const MANY: u32 = 100_000;
    let (_directory, node) = node();
    let mut client = node.connect();
    let names = || (0..MANY).map(|number| Cow::<str>::Owned(number.to_string()));
    let metadata = MetadataRequest {
        topics: Some(
            names().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() }).collect(),
        ),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    let partition = ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() };
    let offsets = ListOffsetsRequest {
        replica_id: -1,
        topics: names()
            .map(|name| ListOffsetsTopic { name, partitions: [partition.clone()].into() })
            .collect(),
        ..ListOffsetsRequest::default()
    };
    let partition = DeleteRecordsPartition::default();
    let records = DeleteRecordsRequest {
        topics: names()
            .map(|name| DeleteRecordsTopic { name, partitions: [partition.clone()].into() })
            .collect(),
        timeout_ms: 1000,
    };
    let deletes =
        DeleteTopicsRequest { topic_names: names().collect(), timeout_ms: 1000, ..Default::default() };
    let same = DeleteTopicsRequest {
        topic_names: (0..MANY).map(|_| Cow::from("same")).collect(),
        timeout_ms: 1000,
        ..Default::default()
    };
    let configs = DescribeConfigsRequest {
        resources: names()
            .map(|resource_name| DescribeConfigsResource {
                resource_type: 2,
                resource_name,
                ..Default::default()
            })
            .collect(),
        ..DescribeConfigsRequest::default()
    };
    let times = [
        ("Metadata", time(&mut client, &metadata, 9)),
        ("ListOffsets", time(&mut client, &offsets, 5)),
        ("DeleteRecords", time(&mut client, &records, 1)),
        ("DeleteTopics", time(&mut client, &deletes, 3)),
        ("DeleteTopics of one name", time(&mut client, &same, 3)),
        ("DescribeConfigs", time(&mut client, &configs, 1)),
    ];
    for (what, took) in times {
        assert!(took < Duration::from_secs(15), "{what} took {took:?}");
    }
    assert!(ApiVersionsResponse::decode(&client.ask(&ApiVersionsRequest::default(), 0), 0).is_ok());
    assert_sound(&node);
}
