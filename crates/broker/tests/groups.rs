//! Groups and offsets through a whole node: every version there was, and what a restart keeps.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::leave_group::MemberIdentity;
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, Message,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse,
};
use protocol::wire::Array;
use raw::Client;
use raw::ask::{produce_request, produced};
use raw::batch::batch;
use raw::node::{TestNode, start};
use storage::Fault;

const QUICK: (&str, &str) = ("group.initial.rebalance.delay.ms", "0");

/// A node with a topic of one partition, and a coordinator that answers.
fn node(directory: &std::path::Path, settings: &[(&str, &str)]) -> (TestNode, Client) {
    let node = start(directory, settings);
    let mut client = node.connect();
    client.create(&["t"]);
    let request = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    let body = client.ask(&request, 3);
    let found = FindCoordinatorResponse::decode(&body, 3).unwrap();
    assert_eq!((found.error_code, found.node_id), (0, 1));
    (node, client)
}

/// Joins a group and takes its whole assignment; the member's id.
fn join(client: &mut Client, group: &'static str, version: i16) -> String {
    let joined = join_for(client, group, 10_000, version);
    assert_eq!(joined.1, 1);
    joined.0
}

/// Joins a group that has no members, and is to be heard of each so many milliseconds; the member's id and the generation.
fn join_for(client: &mut Client, group: &'static str, session: i32, version: i16) -> (String, i32) {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: vec![0, 0].into() };
    let mut request = JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: session,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol].into(),
        ..JoinGroupRequest::default()
    };
    loop {
        let body = client.ask(&request, version);
        let joined = JoinGroupResponse::decode(&body, version).unwrap();
        if joined.error_code == i16::from(ErrorCode::MemberIdRequired) {
            request.member_id = joined.member_id.into_owned().into();
            continue;
        }
        assert_eq!(joined.error_code, 0, "JoinGroup {version}");
        assert_eq!(joined.leader, joined.member_id);
        return (joined.member_id.into_owned(), joined.generation_id);
    }
}

fn sync(client: &mut Client, group: &'static str, member: &str, version: i16) {
    let part = SyncGroupRequestAssignment {
        member_id: member.to_owned().into(),
        assignment: b"all of it".to_vec().into(),
    };
    let request = SyncGroupRequest {
        group_id: group.into(),
        generation_id: 1,
        member_id: member.to_owned().into(),
        protocol_type: (version >= 5).then(|| "consumer".into()),
        protocol_name: (version >= 5).then(|| "range".into()),
        assignments: vec![part].into(),
        ..SyncGroupRequest::default()
    };
    let body = client.ask(&request, version);
    let synced = SyncGroupResponse::decode(&body, version).unwrap();
    assert_eq!((synced.error_code, &*synced.assignment), (0, &b"all of it"[..]), "SyncGroup {version}");
}

fn beat(client: &mut Client, group: &'static str, member: &str, version: i16) -> i16 {
    let request = HeartbeatRequest {
        group_id: group.into(),
        generation_id: 1,
        member_id: member.to_owned().into(),
        ..HeartbeatRequest::default()
    };
    let body = client.ask(&request, version);
    HeartbeatResponse::decode(&body, version).unwrap().error_code
}

/// Commits an offset of t-0; the error.
fn commit(
    client: &mut Client,
    (group, member, generation): (&str, &str, i32),
    offset: i64,
    version: i16,
) -> i16 {
    let request = commit_request((group, member, generation), offset, version);
    committed(client, &request, version)
}

fn commit_request(
    (group, member, generation): (&str, &str, i32),
    offset: i64,
    version: i16,
) -> OffsetCommitRequest<'static> {
    let partition = OffsetCommitRequestPartition {
        committed_offset: offset,
        committed_leader_epoch: if version >= 6 { 0 } else { -1 },
        committed_metadata: Some("note".into()),
        ..OffsetCommitRequestPartition::default()
    };
    OffsetCommitRequest {
        group_id: group.to_owned().into(),
        generation_id_or_member_epoch: generation,
        member_id: member.to_owned().into(),
        topics: of_topic(partition),
        ..OffsetCommitRequest::default()
    }
}

fn of_topic(
    partition: OffsetCommitRequestPartition<'static>,
) -> Array<'static, OffsetCommitRequestTopic<'static>> {
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition].into(),
        ..OffsetCommitRequestTopic::default()
    };
    vec![topic].into()
}

fn committed(client: &mut Client, request: &OffsetCommitRequest<'_>, version: i16) -> i16 {
    let body = client.ask(request, version);
    let committed = OffsetCommitResponse::decode(&body, version).unwrap();
    let topic = committed.topics.iter().next().unwrap();
    topic.partitions.iter().next().unwrap().error_code
}

/// The offset and note of t-0.
fn fetch(client: &mut Client, group: &str, version: i16) -> (i64, String) {
    let (offset, _, note) = fetch_whole(client, group, version);
    (offset, note)
}

/// The offset, leader epoch and note of t-0.
fn fetch_whole(client: &mut Client, group: &str, version: i16) -> (i64, i32, String) {
    let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0].into() };
    let topics = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: vec![0].into(),
        ..OffsetFetchRequestTopics::default()
    };
    let of_group = OffsetFetchRequestGroup {
        group_id: group.to_owned().into(),
        topics: Some(vec![topics].into()),
        ..OffsetFetchRequestGroup::default()
    };
    let mut request = OffsetFetchRequest::default();
    if version >= 8 {
        request.groups = vec![of_group].into();
    } else {
        request.group_id = group.to_owned().into();
        request.topics = Some(vec![topic].into());
    }
    let body = client.ask(&request, version);
    let fetched = OffsetFetchResponse::decode(&body, version).unwrap();
    if version >= 8 {
        let group = fetched.groups.iter().next().unwrap();
        assert_eq!(group.error_code, 0);
        let topic = group.topics.iter().next().unwrap();
        let partition = topic.partitions.iter().next().unwrap();
        let note = partition.metadata.unwrap().into_owned();
        return (partition.committed_offset, partition.committed_leader_epoch, note);
    }
    assert_eq!(fetched.error_code, 0);
    let topic = fetched.topics.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    // ZooKeeper, which once was asked, knew nothing of partitions.
    let unknown = version == 0 && partition.committed_offset < 0;
    let error = if unknown { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::None };
    assert_eq!(partition.error_code, i16::from(error), "OffsetFetch {version}");
    let note = partition.metadata.unwrap().into_owned();
    (partition.committed_offset, partition.committed_leader_epoch, note)
}

fn state(client: &mut Client, group: &'static str) -> String {
    let request =
        DescribeGroupsRequest { groups: vec![group.into()].into(), ..DescribeGroupsRequest::default() };
    let body = client.ask(&request, 5);
    let described = DescribeGroupsResponse::decode(&body, 5).unwrap();
    described.groups.iter().next().unwrap().group_state.into_owned()
}

#[test]
fn a_group_lives_in_every_version_there_was() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[QUICK]);
    let groups = ["g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8", "g9"];
    for (version, group) in (0..).zip(groups) {
        let at_most = |last: i16| version.min(last);
        let member = join(&mut client, group, version);
        sync(&mut client, group, &member, at_most(5));
        assert_eq!(beat(&mut client, group, &member, at_most(4)), 0);
        assert_eq!(beat(&mut client, group, "somebody", at_most(4)), i16::from(ErrorCode::UnknownMemberId));
        assert_eq!(state(&mut client, group), "Stable");
        let leaving = MemberIdentity { member_id: member.clone().into(), ..MemberIdentity::default() };
        let mut request = LeaveGroupRequest { group_id: group.into(), ..LeaveGroupRequest::default() };
        if version >= 3 {
            request.members = vec![leaving].into();
        } else {
            request.member_id = member.into();
        }
        let body = client.ask(&request, at_most(5));
        let left = LeaveGroupResponse::decode(&body, at_most(5)).unwrap();
        assert_eq!(left.error_code, 0);
        assert_eq!(state(&mut client, group), "Empty");
    }
    for version in 0..=5 {
        let body = client.ask(&ListGroupsRequest::default(), version);
        let listed = ListGroupsResponse::decode(&body, version).unwrap();
        assert_eq!((listed.error_code, listed.groups.len()), (0, groups.len()));
    }
    for (version, group) in (0..=3).zip(groups) {
        client.ask(&DeleteGroupsRequest { groups_names: vec![group.into()].into() }, version);
        assert_eq!(state(&mut client, group), "Dead");
    }
}

#[test]
fn offsets_are_kept_in_every_version_that_names_topics() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[QUICK]);
    for version in 0..=9 {
        let generation = -1;
        let group = format!("v{version}");
        assert_eq!(fetch(&mut client, &group, version), (-1, String::new()));
        assert_eq!(commit(&mut client, (&group, "", generation), 10, version), 0, "OffsetCommit {version}");
        for fetched in 0..=9 {
            // What tells a consumer that the log was cut below it must not be lost on the way.
            let epoch = if version >= 6 && fetched >= 5 { 0 } else { -1 };
            let kept = fetch_whole(&mut client, &group, fetched);
            assert_eq!(kept, (10, epoch, "note".to_owned()), "OffsetFetch {fetched}");
        }
    }
    let partition = OffsetDeleteRequestPartition::default();
    let topic = OffsetDeleteRequestTopic { name: "t".into(), partitions: vec![partition].into() };
    client.ask(&OffsetDeleteRequest { group_id: "v0".into(), topics: vec![topic].into() }, 0);
    assert_eq!(fetch(&mut client, "v0", 1), (-1, String::new()));
}

/// Before KIP-211 a commit said itself how long it was to be kept, and before that from when on.
#[test]
fn offsets_expire_by_what_old_clients_say_of_them() {
    let directory = tempfile::tempdir().unwrap();
    // One shard looks at all that it has at once: what it leaves beside what it takes is to be kept.
    let settings = [
        ("offsets.topic.num.partitions", "1"),
        ("offsets.retention.check.interval.ms", "20"),
        ("offsets.retention.minutes", "60"),
    ];
    let (_node, mut client) = node(directory.path(), &settings);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(since.as_millis()).unwrap();
    let aged = |group: &str, time: i64| {
        let partition = OffsetCommitRequestPartition {
            committed_offset: 5,
            commit_timestamp: time,
            ..OffsetCommitRequestPartition::default()
        };
        OffsetCommitRequest { topics: of_topic(partition), ..commit_request((group, "", -1), 5, 1) }
    };
    let kept_for = |group: &str, version: i16, millis: i64| OffsetCommitRequest {
        retention_time_ms: millis,
        ..commit_request((group, "", -1), 5, version)
    };
    let stay = [
        ("of today", 1, aged("of today", now)),
        ("undated", 1, aged("undated", -1)),
        ("as the broker says", 4, kept_for("as the broker says", 4, -1)),
        ("an hour", 4, kept_for("an hour", 4, 3_600_000)),
        ("for ever", 4, kept_for("for ever", 4, i64::MAX)),
        ("nothing said", 5, commit_request(("nothing said", "", -1), 5, 5)),
    ];
    let go = [
        ("an hour old", 1, aged("an hour old", now - 3_600_000)),
        ("brief in 2", 2, kept_for("brief in 2", 2, 1)),
        ("brief in 3", 3, kept_for("brief in 3", 3, 1)),
        ("brief in 4", 4, kept_for("brief in 4", 4, 1)),
        ("no time", 4, kept_for("no time", 4, 0)),
        ("before its time", 4, kept_for("before its time", 4, -2)),
        ("at the beginning of time", 4, kept_for("at the beginning of time", 4, i64::MIN)),
    ];
    for (group, version, request) in stay.iter().chain(&go) {
        assert_eq!(committed(&mut client, request, *version), 0, "{group}");
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    for (group, ..) in go {
        while fetch(&mut client, group, 5).0 != -1 {
            assert!(Instant::now() < deadline, "{group} is kept");
            std::thread::yield_now();
        }
    }
    for (group, ..) in stay {
        assert_eq!(fetch(&mut client, group, 5).0, 5, "{group}");
    }
}

/// Brings a group's only member past its time while nobody can say so: there is no room on the disk for that, and when there is
/// room again it is a while until it is tried once more.
fn outlive(node: &TestNode, client: &mut Client, group: &'static str) {
    let begun = Instant::now();
    let groups = &node.node().broker().coordinators.groups;
    let offsets = node.node().broker().partitions.by_name("__consumer_offsets").unwrap();
    let directory = offsets.get(PartitionIndex(0)).unwrap().directory();
    // Whoever looks for room may find it before, and then the member is gone.
    while matches!(&*state(client, group), "Empty" | "Dead") {
        assert!(begun.elapsed() < Duration::from_secs(20), "a full disk refuses nothing");
        join_for(client, group, 100, 0);
        directory.state().note(&Fault::Full { path: directory.path().to_owned() });
        let before = groups.figures().flushed.count();
        while groups.figures().flushed.count() == before && state(client, group) != "Empty" {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody is waited for no more");
            std::thread::yield_now();
        }
        directory.state().has_room();
    }
}

#[test]
fn whose_time_is_over_keeps_nobody_from_the_group_though_nobody_was_woken_to_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [QUICK, ("offsets.topic.num.partitions", "1"), ("group.min.session.timeout.ms", "1")];
    let (node, mut client) = node(directory.path(), &settings);
    outlive(&node, &mut client, "committed");
    let committed = commit(&mut client, ("committed", "", -1), 5, 6);
    outlive(&node, &mut client, "forgotten");
    let topic = OffsetDeleteRequestTopic {
        name: "t".into(),
        partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }].into(),
    };
    let request = OffsetDeleteRequest { group_id: "forgotten".into(), topics: vec![topic].into() };
    let body = client.ask(&request, 0);
    let told = OffsetDeleteResponse::decode(&body, 0).unwrap();
    let partition = told.topics.iter().next().unwrap().partitions.iter().next().unwrap();
    let forgotten = (told.error_code, partition.error_code);
    outlive(&node, &mut client, "deleted");
    let body = client.ask(&DeleteGroupsRequest { groups_names: vec!["deleted".into()].into() }, 2);
    let told = DeleteGroupsResponse::decode(&body, 2).unwrap();
    let deleted = told.results.iter().next().unwrap().error_code;
    assert_eq!((committed, forgotten, deleted), (0, (0, 0), 0));
}

#[test]
fn groups_are_counted_under_kafkas_names() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &[QUICK]);
    let member = join(&mut client, "g", 5);
    sync(&mut client, "g", &member, 3);
    assert_eq!(commit(&mut client, ("g", &member, 1), 1, 6), 0);
    assert_eq!(commit(&mut client, ("s", "", -1), 1, 6), 0);
    let partition = OffsetDeleteRequestPartition::default();
    let topic = OffsetDeleteRequestTopic { name: "t".into(), partitions: vec![partition].into() };
    client.ask(&OffsetDeleteRequest { group_id: "s".into(), topics: vec![topic].into() }, 0);
    assert_eq!(commit(&mut client, ("s", "", -1), 1, 6), 0);
    let text = broker::metrics::exposition::text(node.node().broker());
    for sample in [
        "kafka_coordinator_group_groupmetadatamanager_numgroups 2",
        "kafka_coordinator_group_groupmetadatamanager_numoffsets 2",
        "kafka_coordinator_group_groupmetadatamanager_numgroupsstable 1",
        "kafka_coordinator_group_groupmetadatamanager_numgroupsempty 1",
        "kafka_server_group_coordinator_metrics_group_count{protocol=\"classic\"} 2",
        "kafka_server_group_coordinator_metrics_num_partitions{state=\"active\"} 50",
        "kafka_server_group_coordinator_metrics_classic_group_count{state=\"Stable\"} 1",
        "kafka_server_group_coordinator_metrics_classic_group_count{state=\"Empty\"} 1",
        "kafka_server_group_coordinator_metrics_consumer_group_count{state=\"Stable\"} 0",
        "kafka_server_group_coordinator_metrics_offset_commit_count 3",
        "kafka_server_group_coordinator_metrics_offset_deletion_count 1",
        "kafka_server_group_coordinator_metrics_offset_expiration_count 0",
        "kafka_server_group_coordinator_metrics_group_completed_rebalance_count 1",
        "kafka_server_group_coordinator_metrics_consumer_group_rebalance_count 0",
        "kafka_server_group_coordinator_metrics_event_queue_size 0",
    ] {
        assert!(text.contains(sample), "{sample} in\n{text}");
    }
}

#[test]
fn members_and_offsets_outlive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (first, mut client) = node(directory.path(), &[QUICK]);
    let member = join(&mut client, "g", 5);
    sync(&mut client, "g", &member, 3);
    assert_eq!(commit(&mut client, ("g", &member, 1), 7, 6), 0);
    first.stop();
    let second = start(directory.path(), &[QUICK]);
    let mut client = second.connect();
    // The log is being read: heartbeats are good meanwhile, and offsets are asked for again.
    assert_eq!(beat(&mut client, "g", &member, 3), 0);
    let loaded = (0..1000).any(|_| {
        std::thread::yield_now();
        let error = commit(&mut client, ("g", &member, 1), 8, 6);
        assert!([0, i16::from(ErrorCode::CoordinatorLoadInProgress)].contains(&error), "{error}");
        error == 0
    });
    assert!(loaded);
    assert_eq!(fetch(&mut client, "g", 5), (8, "note".to_owned()));
    assert_eq!(state(&mut client, "g"), "Stable");
}

#[test]
fn commits_wait_for_stable_storage_where_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[QUICK, ("headwater.durability", "fsync")]);
    let member = join(&mut client, "g", 5);
    sync(&mut client, "g", &member, 3);
    for offset in 0..20 {
        assert_eq!(commit(&mut client, ("g", &member, 1), offset, 6), 0);
        assert_eq!(fetch(&mut client, "g", 5), (offset, "note".to_owned()));
    }
}

#[test]
fn clients_do_not_write_what_coordinators_keep() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[QUICK]);
    let body = client.ask(&produce_request("__consumer_offsets", 0, 1, batch(&["lie"])), 9);
    assert_eq!(produced(&body, 9).error, i16::from(ErrorCode::InvalidTopicException));
}
