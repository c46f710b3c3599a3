//! Every API of records and offsets, asked in every version it is advertised in: the answer can be read and is good.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::collections::BTreeMap;

use protocol::ApiKey;
use protocol::id::Uuid;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::describe_producers::TopicRequest;
use protocol::messages::find_coordinator::FindCoordinatorRequest;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DeleteRecordsRequest, DescribeProducersRequest, FetchResponse,
    GetTelemetrySubscriptionsRequest, InitProducerIdRequest, ListOffsetsRequest, Message, MetadataRequest,
    OffsetForLeaderEpochRequest, ProduceResponse, Request,
};
use raw::Client;
use raw::ask::{fetch_request, produce_request};
use raw::batch::batch;
use raw::node::{TestNode, start};

/// The versions each API is advertised in.
fn advertised(client: &mut Client) -> BTreeMap<i16, (i16, i16)> {
    let body = client.ask(&ApiVersionsRequest::default(), 0);
    let response = ApiVersionsResponse::decode(&body, 0).unwrap();
    response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect()
}

/// Asks in every version advertised; each answer must decode.
fn ask_all<'a, R: Request<'a>>(node: &TestNode, request: impl Fn(i16) -> R) {
    let mut client = node.connect();
    let (first, last) = advertised(&mut client)[&(R::API_KEY as i16)];
    for version in first..=last {
        let body = client.ask(&request(version), version);
        <R::Response<'_> as Message<'_>>::decode(&body, version)
            .unwrap_or_else(|error| panic!("{} {version}: {error}", R::API_KEY.name()));
    }
}

fn idempotent() -> InitProducerIdRequest<'static> {
    InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 1000,
        ..InitProducerIdRequest::default()
    }
}

fn node() -> (tempfile::TempDir, TestNode, Uuid) {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.produce("t", 0, batch(&["a", "b"]));
    let id = node.node().broker().partitions.by_name("t").unwrap().id;
    (directory, node, id)
}

#[test]
fn produce_and_fetch_speak_every_version() {
    let (_directory, node, id) = node();
    let mut client = node.connect();
    for version in 3..=13 {
        let mut request = produce_request("t", 0, 1, batch(&["x"]));
        if version >= 13 {
            let mut topics = request.topic_data.into_vec();
            topics[0].topic_id = id;
            request.topic_data = topics.into();
        }
        let body = client.ask(&request, version);
        let response = ProduceResponse::decode(&body, version).unwrap();
        let topic = response.responses.iter().next().unwrap();
        assert_eq!(topic.partition_responses.iter().next().unwrap().error_code, 0, "produce {version}");
    }
    for version in 0..=18 {
        let mut request = fetch_request("t", 0, 0, 0);
        if version >= 13 {
            let mut topics = request.topics.into_vec();
            topics[0].topic_id = id;
            request.topics = topics.into();
        }
        let body = client.ask(&request, version);
        let response = FetchResponse::decode(&body, version).unwrap();
        let topic = response.responses.iter().next().unwrap();
        let partition = topic.partitions.iter().next().unwrap();
        assert_eq!((partition.error_code, partition.high_watermark), (0, 13), "fetch {version}");
        assert!(!partition.records.unwrap().is_empty(), "fetch {version}");
    }
}

#[test]
fn sessions_tell_only_what_is_new() {
    let (_directory, node, _) = node();
    let mut client = node.connect();
    let mut request = fetch_request("t", 0, 0, 0);
    request.session_epoch = 0;
    let body = client.ask(&request, 11);
    let session = FetchResponse::decode(&body, 11).unwrap().session_id;
    assert!(session > 0);
    let follow = |epoch, wanted: Option<i64>| {
        let mut request = fetch_request("t", 0, wanted.unwrap_or(0), 0);
        if wanted.is_none() {
            request.topics = Vec::new().into();
        }
        (request.session_id, request.session_epoch) = (session, epoch);
        request
    };
    let mut told = |request| {
        let body = client.ask(&request, 11);
        let response = FetchResponse::decode(&body, 11).unwrap();
        (response.error_code, response.session_id, response.responses.len())
    };
    assert_eq!(told(follow(1, Some(2))), (0, session, 0), "caught up: nothing is new");
    assert_eq!(told(follow(2, None)), (0, session, 0));
    node.connect().produce("t", 0, batch(&["c"]));
    assert_eq!(told(follow(3, None)), (0, session, 1), "records");
    assert_eq!(told(follow(9, None)).0, 71, "an epoch that does not follow");
}

#[test]
fn offsets_and_producers_speak_every_version() {
    let (_directory, node, _) = node();
    ask_all(&node, |_| {
        let partition = |timestamp| ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
        let topic =
            |timestamp| ListOffsetsTopic { name: "t".into(), partitions: vec![partition(timestamp)].into() };
        let unknown = ListOffsetsTopic { name: "none".into(), partitions: vec![partition(-1)].into() };
        let topics: Vec<_> = [-1, -2, -3, -4, -5, -6, 0].map(topic).into_iter().chain([unknown]).collect();
        ListOffsetsRequest { replica_id: -1, topics: topics.into(), ..ListOffsetsRequest::default() }
    });
    ask_all(&node, |_| {
        let partition =
            |partition| OffsetForLeaderPartition { partition, ..OffsetForLeaderPartition::default() };
        let topic =
            OffsetForLeaderTopic { topic: "t".into(), partitions: vec![partition(0), partition(9)].into() };
        OffsetForLeaderEpochRequest { topics: vec![topic].into(), ..OffsetForLeaderEpochRequest::default() }
    });
    ask_all(&node, |_| {
        let partition = |partition_index| DeleteRecordsPartition { partition_index, offset: 1 };
        let topic =
            DeleteRecordsTopic { name: "t".into(), partitions: vec![partition(0), partition(9)].into() };
        DeleteRecordsRequest { topics: vec![topic].into(), timeout_ms: 1000 }
    });
    ask_all(&node, |_| {
        let topic = TopicRequest { name: "t".into(), partition_indexes: vec![0, 9].into() };
        DescribeProducersRequest { topics: vec![topic].into() }
    });
    ask_all(&node, |_| idempotent());
}

#[test]
fn metadata_and_coordinators_speak_every_version() {
    let (_directory, node, _) = node();
    ask_all(&node, |version| {
        let topic = |name: &'static str| MetadataRequestTopic {
            name: Some(name.into()),
            ..MetadataRequestTopic::default()
        };
        let (cluster, topics) = ((8..=10).contains(&version), version >= 8);
        MetadataRequest {
            topics: Some(vec![topic("t"), topic(".."), topic("made")].into()),
            include_cluster_authorized_operations: cluster,
            include_topic_authorized_operations: topics,
            ..MetadataRequest::default()
        }
    });
    ask_all(&node, |version| FindCoordinatorRequest {
        key: if version < 4 { "g".into() } else { "".into() },
        coordinator_keys: if version < 4 { Vec::new().into() } else { vec!["g".into(), "h".into()].into() },
        ..FindCoordinatorRequest::default()
    });
    ask_all(&node, |version| ApiVersionsRequest {
        client_software_name: if version < 3 { "".into() } else { "a".into() },
        client_software_version: if version < 3 { "".into() } else { "1".into() },
        ..ApiVersionsRequest::default()
    });
}

#[test]
fn telemetry_is_answered_and_not_advertised() {
    let (_directory, node, _) = node();
    let mut client = node.connect();
    assert!(!advertised(&mut client).contains_key(&(ApiKey::GetTelemetrySubscriptions as i16)));
    let body = client.ask(&GetTelemetrySubscriptionsRequest::default(), 0);
    let response = protocol::messages::GetTelemetrySubscriptionsResponse::decode(&body, 0).unwrap();
    assert!(!response.client_instance_id.is_zero() && response.requested_metrics.is_empty());
}

#[test]
fn producer_ids_are_never_given_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let node = start(directory.path(), &[]);
        let mut client = node.connect();
        for _ in 0..5 {
            let body = client.ask(&idempotent(), 4);
            let response = protocol::messages::InitProducerIdResponse::decode(&body, 4).unwrap();
            assert_eq!((response.error_code, response.producer_epoch), (0, 0));
            assert!(seen.insert(response.producer_id), "{} was given before", response.producer_id);
        }
        let named =
            InitProducerIdRequest { transactional_id: Some("tx".into()), ..InitProducerIdRequest::default() };
        let body = client.ask(&named, 4);
        assert_eq!(protocol::messages::InitProducerIdResponse::decode(&body, 4).unwrap().error_code, 16);
        drop(client);
        node.stop();
    }
}
