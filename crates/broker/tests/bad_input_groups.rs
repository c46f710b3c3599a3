//! Groups that no consumer should ask for: names, members and protocols that cannot be. What members say of themselves
//! is opaque to the broker and kept as it came.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use protocol::id::Uuid;
use protocol::messages::consumer_group_heartbeat::RequestTopicPartitions;
use protocol::messages::describe_configs::DescribeConfigsResource;
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::streams_group_heartbeat::{KeyValue, Subtopology, Topology};
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, DeleteGroupsRequest, DeleteGroupsResponse, DescribeConfigsRequest,
    DescribeConfigsResponse, DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    Message, OffsetCommitRequest, OffsetCommitResponse, StreamsGroupDescribeRequest,
    StreamsGroupDescribeResponse, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use raw::Client;
use raw::node::{TestNode, start};

const NONE: i16 = 0;
const UNKNOWN_SERVER_ERROR: i16 = -1;
const GROUP_ID_NOT_FOUND: i16 = 69;
const FENCED_MEMBER_EPOCH: i16 = 110;
const INVALID_REGULAR_EXPRESSION: i16 = 128;
const INVALID_REQUEST: i16 = 42;
const UNSUPPORTED_ASSIGNOR: i16 = 112;
const INVALID_GROUP_ID: i16 = 24;
const UNKNOWN_MEMBER_ID: i16 = 25;
const INVALID_SESSION_TIMEOUT: i16 = 26;
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
const MEMBER_ID_REQUIRED: i16 = 79;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// What a member of a streams group is told when another asks all to end.
const SHUTDOWN_APPLICATION: i8 = 4;

fn node() -> (tempfile::TempDir, TestNode) {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("group.initial.rebalance.delay.ms", "0")]);
    let request = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    let body = node.connect().ask(&request, 3);
    assert_eq!(FindCoordinatorResponse::decode(&body, 3).unwrap().error_code, 0);
    (directory, node)
}

/// A first join of a group with one protocol.
fn join(group: &str) -> JoinGroupRequest<'static> {
    JoinGroupRequest {
        group_id: group.to_owned().into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range", &[0xff; 40])].into(),
        ..JoinGroupRequest::default()
    }
}

fn protocol(name: &str, metadata: &[u8]) -> JoinGroupRequestProtocol<'static> {
    JoinGroupRequestProtocol { name: name.to_owned().into(), metadata: metadata.to_vec().into() }
}

/// The error of a join, and who joined.
fn ask(client: &mut Client, request: &JoinGroupRequest<'_>) -> (i16, String) {
    let body = client.ask(request, 5);
    let joined = JoinGroupResponse::decode(&body, 5).unwrap();
    (joined.error_code, joined.member_id.into_owned())
}

#[test]
fn joins_that_make_no_sense_are_refused_with_kafkas_codes() {
    let (_directory, node) = node();
    let mut client = node.connect();
    let cases = [
        ("no name", join(""), INVALID_GROUP_ID),
        ("a name like a path", join("../.."), MEMBER_ID_REQUIRED),
        ("the longest name", join(&"g".repeat(0x7fff)), MEMBER_ID_REQUIRED),
        ("control characters", join("a\n\0b"), MEMBER_ID_REQUIRED),
        (
            "a negative session",
            JoinGroupRequest { session_timeout_ms: -1, ..join("g") },
            INVALID_SESSION_TIMEOUT,
        ),
        (
            "a session of weeks",
            JoinGroupRequest { session_timeout_ms: i32::MAX, ..join("g") },
            INVALID_SESSION_TIMEOUT,
        ),
        (
            "a member nobody named",
            JoinGroupRequest { member_id: "me".into(), ..join("g") },
            UNKNOWN_MEMBER_ID,
        ),
        (
            "no protocol",
            JoinGroupRequest { protocols: Vec::new().into(), ..join("g") },
            INCONSISTENT_GROUP_PROTOCOL,
        ),
        (
            "no kind of protocol",
            JoinGroupRequest { protocol_type: "".into(), ..join("g") },
            INCONSISTENT_GROUP_PROTOCOL,
        ),
    ];
    for (what, request, code) in cases {
        assert_eq!(ask(&mut client, &request).0, code, "{what}");
    }
    let beat = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: -7,
        member_id: "me".into(),
        ..HeartbeatRequest::default()
    };
    let body = client.ask(&beat, 3);
    assert_eq!(HeartbeatResponse::decode(&body, 3).unwrap().error_code, UNKNOWN_MEMBER_ID);
}

#[test]
fn what_members_say_of_themselves_is_opaque_however_odd_or_large() {
    let (_directory, node) = node();
    let mut client = node.connect();
    let begun = Instant::now();
    let many = (0..10_000).map(|number| protocol(&number.to_string(), &[0xab; 20])).collect();
    let large = vec![protocol("range", &vec![0x7f; 900_000])].into();
    for (group, protocols) in [("many", many), ("large", large), ("empty", vec![protocol("", &[])].into())] {
        let mut request = JoinGroupRequest { protocols, ..join(group) };
        let (code, member) = ask(&mut client, &request);
        assert_eq!(code, MEMBER_ID_REQUIRED, "{group}");
        request.member_id = member.into();
        assert_eq!(ask(&mut client, &request).0, NONE, "{group}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let groups = ["many", "large", "empty"].map(Into::into).into();
    let request = DescribeGroupsRequest { groups, ..DescribeGroupsRequest::default() };
    let body = client.ask(&request, 4);
    let described = DescribeGroupsResponse::decode(&body, 4).unwrap();
    assert!(described.groups.iter().all(|group| group.error_code == 0 && group.members.len() == 1));
}

/// Its answer leaves in pieces that end between members.
#[test]
fn a_group_of_very_many_members_is_described_whole() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("headwater.group.consumer.gather.ms", "0")]);
    let mut client = node.connect();
    let request = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    assert_eq!(FindCoordinatorResponse::decode(&client.ask(&request, 3), 3).unwrap().error_code, 0);
    let (members, topics) = (200_u8, 100);
    for number in 0..members {
        let names: Vec<_> = (0..topics).map(|topic| format!("{topic:0>200}").into()).collect();
        let beat = ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: Uuid([number; 16]).to_string().into(),
            rebalance_timeout_ms: 300_000,
            subscribed_topic_names: Some(names.into()),
            topic_partitions: Some(Vec::new().into()),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let body = client.ask(&beat, 1);
        assert_eq!(ConsumerGroupHeartbeatResponse::decode(&body, 1).unwrap().error_code, NONE);
    }
    let group_ids = ["g", "none", "g"].map(Into::into).into();
    let request = ConsumerGroupDescribeRequest { group_ids, ..ConsumerGroupDescribeRequest::default() };
    let body = client.ask(&request, 1);
    let described = ConsumerGroupDescribeResponse::decode(&body, 1).unwrap();
    let told: Vec<_> = described.groups.iter().map(|group| (group.error_code, group.members.len())).collect();
    let whole = usize::from(members);
    assert_eq!(told, [(NONE, whole), (GROUP_ID_NOT_FOUND, 0), (NONE, whole)]);
    for group in described.groups.iter().filter(|group| group.error_code == NONE) {
        let ids: BTreeSet<_> = group.members.iter().map(|member| member.member_id.into_owned()).collect();
        assert_eq!(ids.len(), whole);
        assert!(group.members.iter().all(|member| member.subscribed_topic_names.len() == topics));
    }
}

/// What an answer repeats of a request is cut: a name may be as long as a string can be, and the sentence around it too
/// long for one.
#[test]
fn names_as_long_as_can_be_are_answered_with_kafkas_codes() {
    let (_directory, node) = node();
    let mut client = node.connect();
    let long = "n".repeat(32_750);
    let regex = ConsumerGroupHeartbeatRequest {
        subscribed_topic_regex: Some("(".repeat(32_750).into()),
        subscribed_topic_names: None,
        ..joining("g", Vec::new())
    };
    assert_eq!(beat(&mut client, &regex).0, INVALID_REGULAR_EXPRESSION);
    let assignor = ConsumerGroupHeartbeatRequest {
        server_assignor: Some(long.clone().into()),
        ..joining("g", vec!["t".to_owned()])
    };
    assert_eq!(beat(&mut client, &assignor).0, UNSUPPORTED_ASSIGNOR);
    assert_eq!(epoch(&mut client, &long).0, GROUP_ID_NOT_FOUND);

    let groups = vec![long.clone().into()].into();
    let request = DescribeGroupsRequest { groups, ..DescribeGroupsRequest::default() };
    let body = client.ask(&request, 6);
    let described = DescribeGroupsResponse::decode(&body, 6).unwrap();
    assert_eq!(described.groups.iter().next().unwrap().error_code, GROUP_ID_NOT_FOUND);
    let request = StreamsGroupDescribeRequest {
        group_ids: vec![long.clone().into()].into(),
        ..StreamsGroupDescribeRequest::default()
    };
    let body = client.ask(&request, 0);
    let described = StreamsGroupDescribeResponse::decode(&body, 0).unwrap();
    assert_eq!(described.groups.iter().next().unwrap().error_code, GROUP_ID_NOT_FOUND);
    let request = DeleteGroupsRequest { groups_names: vec![long.clone().into()].into() };
    let body = client.ask(&request, 3);
    let deleted = DeleteGroupsResponse::decode(&body, 3).unwrap();
    assert_eq!(deleted.results.iter().next().unwrap().error_code, GROUP_ID_NOT_FOUND);
    let resource = DescribeConfigsResource {
        resource_type: 4,
        resource_name: long.into(),
        ..DescribeConfigsResource::default()
    };
    let request =
        DescribeConfigsRequest { resources: vec![resource].into(), ..DescribeConfigsRequest::default() };
    let body = client.ask(&request, 4);
    let described = DescribeConfigsResponse::decode(&body, 4).unwrap();
    assert_eq!(described.results.iter().next().unwrap().error_code, INVALID_REQUEST);
}

/// The heartbeat of a member of an application of one part.
fn streams_beat(member: &str, epoch: i32) -> StreamsGroupHeartbeatRequest<'static> {
    let part = Subtopology {
        subtopology_id: "0".into(),
        source_topics: vec!["t".into()].into(),
        ..Subtopology::default()
    };
    let joins = epoch == 0;
    let tasks = || joins.then(Default::default);
    StreamsGroupHeartbeatRequest {
        group_id: "streams".into(),
        member_id: member.to_owned().into(),
        member_epoch: epoch,
        rebalance_timeout_ms: if joins { 10_000 } else { -1 },
        topology: joins.then(|| Topology { epoch: 1, subtopologies: vec![part].into() }),
        active_tasks: tasks(),
        standby_tasks: tasks(),
        warmup_tasks: tasks(),
        process_id: joins.then(|| "p".into()),
        ..StreamsGroupHeartbeatRequest::default()
    }
}

/// Its topology leaves once, before the members, and the answer in pieces that end between them.
#[test]
fn a_streams_group_of_very_many_members_is_described_whole() {
    let (_directory, node) = node();
    let mut client = node.connect();
    client.create(&["t"]);
    let (members, tags) = (200, 100);
    let names: Vec<String> = (0..members).map(|number| format!("member-{number:0>3}")).collect();
    for name in &names {
        let tag = |tag| KeyValue { key: format!("{tag:0>200}").into(), value: "v".into() };
        let request = StreamsGroupHeartbeatRequest {
            client_tags: Some((0..tags).map(tag).collect()),
            ..streams_beat(name, 0)
        };
        let body = client.ask(&request, 0);
        assert_eq!(StreamsGroupHeartbeatResponse::decode(&body, 0).unwrap().error_code, NONE);
    }
    let group_ids = ["streams", "none", "streams"].map(Into::into).into();
    let request = StreamsGroupDescribeRequest { group_ids, ..StreamsGroupDescribeRequest::default() };
    let body = client.ask(&request, 1);
    let described = StreamsGroupDescribeResponse::decode(&body, 1).unwrap();
    let told: Vec<_> = described.groups.iter().map(|group| (group.error_code, group.members.len())).collect();
    assert_eq!(told, [(NONE, members), (GROUP_ID_NOT_FOUND, 0), (NONE, members)]);
    for group in described.groups.iter().filter(|group| group.error_code == NONE) {
        let topology = group.topology.unwrap();
        let parts = topology.subtopologies.unwrap();
        let parts: Vec<_> = parts.iter().map(|part| part.subtopology_id.into_owned()).collect();
        assert_eq!((topology.epoch, parts), (1, vec!["0".to_owned()]));
        let mut ids: Vec<_> = group.members.iter().map(|member| member.member_id.into_owned()).collect();
        ids.sort();
        assert_eq!(ids, names);
        assert!(group.members.iter().all(|member| member.client_tags.len() == tags));
        assert_eq!(group.assignor_name.as_deref(), Some("sticky"));
    }
}

#[test]
fn a_member_with_a_long_name_ends_nobody_elses_connection() {
    let (_directory, node) = node();
    let mut client = node.connect();
    client.create(&["t"]);
    let long = "n".repeat(32_750);
    let beat = |client: &mut Client, request: &StreamsGroupHeartbeatRequest<'_>| {
        let body = client.ask(request, 0);
        let answer = StreamsGroupHeartbeatResponse::decode(&body, 0).unwrap();
        let told = answer.status.into_iter().flat_map(|all| all.into_vec());
        (answer.error_code, answer.member_epoch, told.map(|status| status.status_code).collect::<Vec<_>>())
    };
    let (error, at, _) = beat(&mut client, &streams_beat("me", 0));
    assert_eq!(error, NONE);
    let (error, ends, _) = beat(&mut client, &streams_beat(&long, 0));
    assert_eq!(error, NONE);
    beat(
        &mut client,
        &StreamsGroupHeartbeatRequest { shutdown_application: true, ..streams_beat(&long, ends) },
    );
    let (error, _, told) = beat(&mut client, &streams_beat("me", at));
    assert!(error == NONE && told.contains(&SHUTDOWN_APPLICATION), "{error} {told:?}");
}

/// A member that joins a consumer group.
fn joining(group: &str, topics: Vec<String>) -> ConsumerGroupHeartbeatRequest<'static> {
    ConsumerGroupHeartbeatRequest {
        group_id: group.to_owned().into(),
        member_id: "me".into(),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(topics.into_iter().map(Into::into).collect()),
        topic_partitions: Some(Vec::new().into()),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn beat(client: &mut Client, request: &ConsumerGroupHeartbeatRequest<'_>) -> (i16, i32) {
    let body = client.ask(request, 1);
    let answer = ConsumerGroupHeartbeatResponse::decode(&body, 1).unwrap();
    (answer.error_code, answer.member_epoch)
}

/// The error of a description, and the epoch of the group.
fn epoch(client: &mut Client, group: &str) -> (i16, i32) {
    let request = ConsumerGroupDescribeRequest {
        group_ids: vec![group.to_owned().into()].into(),
        include_authorized_operations: false,
    };
    let body = client.ask(&request, 1);
    let described = ConsumerGroupDescribeResponse::decode(&body, 1).unwrap();
    let group = described.groups.iter().next().unwrap();
    (group.error_code, group.group_epoch)
}

#[test]
fn a_member_that_lies_or_asks_for_too_much_moves_nothing() {
    let (_directory, node) = node();
    let mut client = node.connect();
    client.create(&["t"]);
    let begun = Instant::now();
    // More names than a batch of the offsets topic may hold.
    let names = (0..200_000).map(|number| format!("no-{number}")).collect();
    assert_eq!(beat(&mut client, &joining("many", names)).0, UNKNOWN_SERVER_ERROR);
    assert_eq!(epoch(&mut client, "many").0, GROUP_ID_NOT_FOUND);
    for regex in ["((a{1000}){1000}){1000}", "(", "(?=a)", &"(".repeat(30_000)] {
        let request = ConsumerGroupHeartbeatRequest {
            subscribed_topic_regex: Some(regex.to_owned().into()),
            subscribed_topic_names: None,
            ..joining("regex", Vec::new())
        };
        assert_eq!(
            beat(&mut client, &request).0,
            INVALID_REGULAR_EXPRESSION,
            "{}",
            &regex[..20.min(regex.len())]
        );
    }
    assert_eq!(epoch(&mut client, "regex").0, GROUP_ID_NOT_FOUND);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

    let (code, at) = beat(&mut client, &joining("g", vec!["t".to_owned()]));
    assert_eq!(code, NONE);
    let known = epoch(&mut client, "g");
    let lie = |member: &str, member_epoch, topics: Vec<RequestTopicPartitions<'static>>| {
        ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: member.to_owned().into(),
            member_epoch,
            topic_partitions: Some(topics.into()),
            ..ConsumerGroupHeartbeatRequest::default()
        }
    };
    assert_eq!(beat(&mut client, &lie("somebody", at, Vec::new())).0, UNKNOWN_MEMBER_ID);
    assert_eq!(beat(&mut client, &lie("me", at + 1, Vec::new())).0, FENCED_MEMBER_EPOCH);
    assert_eq!(beat(&mut client, &lie("me", i32::MAX, Vec::new())).0, FENCED_MEMBER_EPOCH);
    let held = (0..50_000_u32).map(|number| RequestTopicPartitions {
        topic_id: Uuid(u128::from(number).to_be_bytes()),
        partitions: vec![0, -1, i32::MAX].into(),
    });
    assert_eq!(beat(&mut client, &lie("me", at, held.collect())), (NONE, at));
    assert_eq!(epoch(&mut client, "g"), known);
}

/// Joins as the only member of a group, by both steps; says who.
fn joined(client: &mut Client, group: &str) -> String {
    let request =
        JoinGroupRequest { session_timeout_ms: 60_000, rebalance_timeout_ms: 60_000, ..join(group) };
    let (code, member) = ask(client, &request);
    assert_eq!(code, MEMBER_ID_REQUIRED);
    let request = JoinGroupRequest { member_id: member.clone().into(), ..request };
    assert_eq!(ask(client, &request).0, NONE);
    member
}

/// Has the leader of a generation assign; the error.
fn assign(client: &mut Client, (group, member): (&str, &str), generation: i32, bytes: usize) -> i16 {
    let assignment = SyncGroupRequestAssignment {
        member_id: member.to_owned().into(),
        assignment: vec![0x5a; bytes].into(),
    };
    let request = SyncGroupRequest {
        group_id: group.to_owned().into(),
        generation_id: generation,
        member_id: member.to_owned().into(),
        assignments: vec![assignment].into(),
        ..SyncGroupRequest::default()
    };
    SyncGroupResponse::decode(&client.ask(&request, 3), 3).unwrap().error_code
}

/// A commit of the first partitions of so many topics that there are not.
fn commit_of(topics: usize) -> OffsetCommitRequest<'static> {
    let topic = |number: usize| OffsetCommitRequestTopic {
        name: format!("{number:x}").into(),
        partitions: vec![OffsetCommitRequestPartition::default()].into(),
        ..OffsetCommitRequestTopic::default()
    };
    OffsetCommitRequest {
        group_id: "idle".into(),
        generation_id_or_member_epoch: -1,
        topics: (0..topics).map(topic).collect(),
        ..OffsetCommitRequest::default()
    }
}

/// What a group is like: its state, and what its members have.
fn described(client: &mut Client, group: &'static str) -> (String, Vec<usize>) {
    let request =
        DescribeGroupsRequest { groups: vec![group.into()].into(), ..DescribeGroupsRequest::default() };
    let body = client.ask(&request, 4);
    let said = DescribeGroupsResponse::decode(&body, 4).unwrap();
    let group = said.groups.iter().next().unwrap();
    let members = group.members.iter().map(|member| member.member_assignment.len()).collect();
    (group.group_state.into_owned(), members)
}

#[test]
fn an_assignment_of_ninety_megabytes_and_a_commit_of_a_million_topics_move_nothing() {
    let (_directory, node) = node();
    let mut client = node.connect();
    let (member, other) = (joined(&mut client, "g"), joined(&mut client, "other"));
    assert_eq!(assign(&mut client, ("other", &other), 1, 100), NONE);
    let over = AtomicBool::new(false);
    let longest = std::thread::scope(|scope| {
        let beating = scope.spawn(|| {
            let (mut client, mut longest) = (node.connect(), Duration::ZERO);
            let beat = HeartbeatRequest {
                group_id: "other".into(),
                generation_id: 1,
                member_id: other.as_str().into(),
                ..HeartbeatRequest::default()
            };
            while !over.load(Ordering::SeqCst) {
                let begun = Instant::now();
                let body = client.ask(&beat, 3);
                assert_eq!(HeartbeatResponse::decode(&body, 3).unwrap().error_code, NONE);
                longest = longest.max(begun.elapsed());
            }
            longest
        });
        // As in Kafka: no batch of the internal topic holds it, and the group assigns anew.
        assert_eq!(assign(&mut client, ("g", &member), 1, 90 << 20), UNKNOWN_SERVER_ERROR);
        assert!(described(&mut client, "g").1.iter().all(|assignment| *assignment == 0));
        let body = client.ask(&commit_of(100_000), 6);
        let said = OffsetCommitResponse::decode(&body, 6).unwrap();
        let errors = said.topics.iter().map(|topic| topic.partitions.iter().next().unwrap().error_code);
        assert_eq!(errors.filter(|error| *error == UNKNOWN_TOPIC_OR_PARTITION).count(), 100_000);
        // More than there is memory for: the log names the key.
        let mut asking = node.connect();
        let frame = asking.frame(&commit_of(1_000_000), 6);
        asking.send(&frame);
        asking.assert_closed();
        over.store(true, Ordering::SeqCst);
        beating.join().unwrap()
    });
    println!("a heartbeat took {longest:?} at most");
    // The session is one of ten seconds, and the machine has others to serve: what is seen here is whether anybody waits for the end.
    assert!(longest < Duration::from_secs(9), "{longest:?}");
    assert_eq!(described(&mut client, "other"), ("Stable".to_owned(), vec![100]));
    assert_eq!(described(&mut client, "idle"), ("Dead".to_owned(), Vec::new()));
    // The member comes again, and is served.
    let request =
        JoinGroupRequest { member_id: member.as_str().into(), session_timeout_ms: 60_000, ..join("g") };
    let joined = JoinGroupResponse::decode(&client.ask(&request, 5), 5).unwrap().generation_id;
    assert_eq!(assign(&mut client, ("g", &member), joined, 1000), NONE);
    assert_eq!(described(&mut client, "g"), ("Stable".to_owned(), vec![1000]));
}
