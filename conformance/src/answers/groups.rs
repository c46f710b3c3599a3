//! Classic groups and committed offsets: FindCoordinator, JoinGroup to LeaveGroup, OffsetCommit to OffsetDelete, and what
//! tells of groups. A case's group is called as its topic.

use protocol::api_key::ApiKey::{
    DeleteGroups, DescribeGroups, FindCoordinator, Heartbeat, JoinGroup, LeaveGroup, ListGroups,
    OffsetCommit, OffsetDelete, OffsetFetch, SyncGroup,
};
use protocol::error_code::ErrorCode::{
    FencedInstanceId, GroupIdNotFound, GroupSubscribedToTopic, IllegalGeneration, InconsistentGroupProtocol,
    InvalidGroupId, InvalidSessionTimeout, MemberIdRequired, NonEmptyGroup, OffsetMetadataTooLarge,
    RebalanceInProgress, UnknownMemberId, UnknownTopicId, UnknownTopicOrPartition,
};
use serde_json::{Value, json};

use super::case::{Case, case};
use super::scene::Scene;

/// A subscription to one topic, as consumers write it.
pub fn subscription(topic: &str) -> String {
    let name: String = topic.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("000000000001{:04x}{name}ffffffff", topic.len())
}

/// A join of a static member, or with `Null` of a dynamic one.
pub fn join(s: &Scene, member: &str, instance: &Value) -> Value {
    json!({"GroupId": s.topic, "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 60_000, "MemberId": member,
        "GroupInstanceId": instance, "ProtocolType": "consumer",
        "Protocols": [{"Name": "range", "Metadata": subscription(&s.topic)}]})
}

/// The table.
pub fn cases() -> Vec<Case> {
    [find(), joins(), syncs(), beats(), leaves(), commits(), commits_refused(), fetches(), deletes(), tells()]
        .into_iter()
        .flatten()
        .collect()
}

fn find() -> Vec<Case> {
    vec![
        case(FindCoordinator, "a group").versions(0, 3).ask(|s| json!({"Key": s.topic, "KeyType": 0})),
        case(FindCoordinator, "two groups")
            .versions(4, 6)
            .ask(|s| json!({"CoordinatorKeys": [s.topic, "another"], "KeyType": 0})),
        case(FindCoordinator, "the group without a name")
            .versions(0, 3)
            .ask(|_| json!({"Key": "", "KeyType": 0})),
    ]
}

fn joins() -> Vec<Case> {
    let changed = |field: &'static str, value: Value| {
        move |s: &Scene| {
            let mut request = join(s, "", &json!(null));
            request[field] = value.clone();
            request
        }
    };
    let again = |instance: &'static str| move |s: &Scene| join(s, &s.member_id, &json!(instance));
    vec![
        case(JoinGroup, "a newcomer in old versions")
            .versions(0, 3)
            .fresh()
            .ask(|s| join(s, "", &json!(null))),
        case(JoinGroup, "a newcomer")
            .versions(4, 9)
            .fresh()
            .errors(&[MemberIdRequired])
            .ask(|s| join(s, "", &json!(null)))
            .then(DescribeGroups, 5, described),
        case(JoinGroup, "a static member").versions(5, 9).fresh().ask(|s| join(s, "", &json!("one"))),
        case(JoinGroup, "a static member that comes back")
            .versions(5, 9)
            .fresh()
            .member()
            .ask(|s| join(s, "", &json!("one")))
            .then(DescribeGroups, 5, described),
        case(JoinGroup, "the leader again").versions(5, 9).fresh().member().ask(again("one")),
        case(JoinGroup, "a member whose place was taken")
            .versions(5, 9)
            .fresh()
            .member()
            .errors(&[FencedInstanceId])
            .ask(|s| join(s, "somebody", &json!("one"))),
        case(JoinGroup, "a member that nobody knows")
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| join(s, "somebody", &json!(null))),
        case(JoinGroup, "a group that is not there")
            .errors(&[UnknownMemberId])
            .ask(|s| join(s, "somebody", &json!(null))),
        case(JoinGroup, "no group").errors(&[InvalidGroupId]).ask(changed("GroupId", json!(""))),
        case(JoinGroup, "a session of nothing")
            .errors(&[InvalidSessionTimeout])
            .ask(changed("SessionTimeoutMs", json!(5))),
        case(JoinGroup, "a session of a day")
            .errors(&[InvalidSessionTimeout])
            .ask(changed("SessionTimeoutMs", json!(86_400_000))),
        case(JoinGroup, "no protocol")
            .errors(&[InconsistentGroupProtocol])
            .ask(changed("Protocols", json!([]))),
        case(JoinGroup, "no protocol type")
            .errors(&[InconsistentGroupProtocol])
            .ask(changed("ProtocolType", json!(""))),
        case(JoinGroup, "another protocol than the group's")
            .member()
            .errors(&[InconsistentGroupProtocol])
            .ask(changed("Protocols", json!([{"Name": "other", "Metadata": "00"}]))),
        case(JoinGroup, "another protocol type than the group's")
            .member()
            .errors(&[InconsistentGroupProtocol])
            .ask(changed("ProtocolType", json!("connect"))),
    ]
}

fn sync(s: &Scene, member: &str, generation: i32) -> Value {
    json!({"GroupId": s.topic, "GenerationId": generation, "MemberId": member, "ProtocolType": "consumer",
        "ProtocolName": "range", "Assignments": [{"MemberId": s.member_id, "Assignment": "0102"}]})
}

fn syncs() -> Vec<Case> {
    let with = |field: &'static str, value: Value| {
        move |s: &Scene| {
            let mut request = sync(s, &s.member_id, 1);
            request[field] = value.clone();
            request
        }
    };
    vec![
        case(SyncGroup, "the leader").fresh().joined().ask(|s| sync(s, &s.member_id, 1)),
        case(SyncGroup, "a member that has its part").member().ask(|s| sync(s, &s.member_id, 1)),
        case(SyncGroup, "another generation")
            .member()
            .errors(&[IllegalGeneration])
            .ask(|s| sync(s, &s.member_id, 7)),
        case(SyncGroup, "a member that nobody knows")
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| sync(s, "somebody", 1)),
        case(SyncGroup, "a member whose place was taken")
            .versions(3, 5)
            .member()
            .errors(&[FencedInstanceId])
            .ask(|s| {
                let mut request = sync(s, "somebody", 1);
                request["GroupInstanceId"] = json!("one");
                request
            }),
        case(SyncGroup, "a group that is not there")
            .errors(&[UnknownMemberId])
            .ask(|s| sync(s, "somebody", 1)),
        case(SyncGroup, "no group").errors(&[InvalidGroupId]).ask(with("GroupId", json!(""))),
        case(SyncGroup, "another protocol")
            .versions(5, 5)
            .member()
            .errors(&[InconsistentGroupProtocol])
            .ask(with("ProtocolName", json!("other"))),
        case(SyncGroup, "another protocol type")
            .versions(5, 5)
            .member()
            .errors(&[InconsistentGroupProtocol])
            .ask(with("ProtocolType", json!("connect"))),
        case(SyncGroup, "a protocol that is not said")
            .versions(5, 5)
            .member()
            .errors(&[InconsistentGroupProtocol])
            .ask(with("ProtocolName", json!(null))),
    ]
}

fn beat(s: &Scene, member: &str, generation: i32) -> Value {
    json!({"GroupId": s.topic, "GenerationId": generation, "MemberId": member})
}

fn beats() -> Vec<Case> {
    vec![
        case(Heartbeat, "a member").member().ask(|s| beat(s, &s.member_id, 1)),
        case(Heartbeat, "a member that waits for its part").joined().ask(|s| beat(s, &s.member_id, 1)),
        case(Heartbeat, "another generation")
            .member()
            .errors(&[IllegalGeneration])
            .ask(|s| beat(s, &s.member_id, 7)),
        case(Heartbeat, "a member that nobody knows")
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| beat(s, "somebody", 1)),
        case(Heartbeat, "a member whose place was taken").versions(3, 4).member().errors(&[FencedInstanceId]).ask(
            |s| json!({"GroupId": s.topic, "GenerationId": 1, "MemberId": "somebody", "GroupInstanceId": "one"}),
        ),
        case(Heartbeat, "a group that is not there").errors(&[UnknownMemberId]).ask(|s| beat(s, "somebody", 1)),
        case(Heartbeat, "no group")
            .errors(&[InvalidGroupId])
            .ask(|_| json!({"GroupId": "", "GenerationId": 1, "MemberId": "somebody"})),
    ]
}

fn leave(s: &Scene, members: &Value) -> Value {
    json!({"GroupId": s.topic, "Members": members})
}

fn leaves() -> Vec<Case> {
    vec![
        case(LeaveGroup, "a member in old versions")
            .versions(0, 2)
            .fresh()
            .member()
            .ask(|s| json!({"GroupId": s.topic, "MemberId": s.member_id}))
            .then(DescribeGroups, 5, described),
        case(LeaveGroup, "a stranger in old versions")
            .versions(0, 2)
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| json!({"GroupId": s.topic, "MemberId": "somebody"})),
        case(LeaveGroup, "a member and a stranger")
            .versions(3, 5)
            .fresh()
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| leave(s, &json!([{"MemberId": s.member_id}, {"MemberId": "somebody"}])))
            .then(DescribeGroups, 5, described),
        case(LeaveGroup, "by a static member's own name")
            .versions(3, 5)
            .fresh()
            .member()
            .ask(|s| leave(s, &json!([{"MemberId": "", "GroupInstanceId": "one"}]))),
        case(LeaveGroup, "by a name that nobody has")
            .versions(3, 5)
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| leave(s, &json!([{"MemberId": "", "GroupInstanceId": "two"}]))),
        case(LeaveGroup, "a member whose place was taken")
            .versions(3, 5)
            .member()
            .errors(&[FencedInstanceId])
            .ask(|s| leave(s, &json!([{"MemberId": "somebody", "GroupInstanceId": "one"}]))),
        case(LeaveGroup, "a group that is not there")
            .versions(3, 5)
            .errors(&[UnknownMemberId])
            .ask(|s| leave(s, &json!([{"MemberId": "somebody"}]))),
        case(LeaveGroup, "no group")
            .errors(&[InvalidGroupId])
            .ask(|_| json!({"GroupId": "", "MemberId": "a", "Members": [{"MemberId": "a"}]})),
    ]
}

fn commit(s: &Scene, member: &str, generation: i32, partitions: &Value) -> Value {
    json!({"GroupId": s.topic, "GenerationIdOrMemberEpoch": generation, "MemberId": member,
        "Topics": [{"Name": s.topic, "TopicId": s.topic_id, "Partitions": partitions}]})
}

fn one() -> Value {
    json!([{"PartitionIndex": 0, "CommittedOffset": 5, "CommittedLeaderEpoch": 0, "CommittedMetadata": "note"}])
}

fn fetched(s: &Scene) -> Value {
    json!({"GroupId": s.topic, "Topics": [{"Name": s.topic, "PartitionIndexes": [0, 1]}],
        "Groups": [{"GroupId": s.topic, "Topics": [{"Name": s.topic, "TopicId": s.topic_id, "PartitionIndexes": [0, 1]}]}]})
}

fn commits() -> Vec<Case> {
    vec![
        case(OffsetCommit, "by nobody")
            .fresh()
            .topic(2)
            .ask(|s| commit(s, "", -1, &one()))
            .then(OffsetFetch, 9, fetched)
            .then(DescribeGroups, 5, described),
        case(OffsetCommit, "by a member").topic(2).member().ask(|s| commit(s, &s.member_id, 1, &one())).then(
            OffsetFetch,
            9,
            fetched,
        ),
        case(OffsetCommit, "without a note and with a time to keep it")
            .versions(2, 4)
            .topic(2)
            .ask(|s| {
                let partitions =
                    json!([{"PartitionIndex": 1, "CommittedOffset": 5, "CommittedMetadata": null}]);
                let mut request = commit(s, "", -1, &partitions);
                request["RetentionTimeMs"] = json!(1_000_000);
                request
            })
            .then(OffsetFetch, 9, fetched),
        case(OffsetCommit, "a negative offset")
            .topic(2)
            .ask(|s| commit(s, "", -1, &json!([{"PartitionIndex": 0, "CommittedOffset": -1}])))
            .then(OffsetFetch, 9, fetched),
        case(OffsetCommit, "the group without a name").versions(2, 9).topic(2).ask(|s| {
            json!({"GroupId": "", "GenerationIdOrMemberEpoch": -1, "MemberId": "",
                "Topics": [{"Name": s.topic, "Partitions": one()}]})
        }),
        case(OffsetCommit, "nothing")
            .ask(|s| json!({"GroupId": s.topic, "GenerationIdOrMemberEpoch": -1, "Topics": []})),
    ]
}

fn commits_refused() -> Vec<Case> {
    vec![
        case(OffsetCommit, "an unknown topic")
            .versions(2, 9)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| commit(s, "", -1, &one())),
        case(OffsetCommit, "an unknown topic id").versions(10, 10).errors(&[UnknownTopicId]).ask(|s| {
            json!({"GroupId": s.topic, "GenerationIdOrMemberEpoch": -1,
                "Topics": [{"TopicId": "AAAAAAAAAAAAAAAAAAAAZQ", "Partitions": one()}]})
        }),
        case(OffsetCommit, "an unknown partition beside a known one")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| {
                commit(s, "", -1, &json!([{"PartitionIndex": 0, "CommittedOffset": 5}, {"PartitionIndex": 9, "CommittedOffset": 5}]))
            }),
        case(OffsetCommit, "a note that is too long")
            .topic(1)
            .errors(&[OffsetMetadataTooLarge])
            .ask(|s| commit(s, "", -1, &json!([{"PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": "x".repeat(5000)}]))),
        case(OffsetCommit, "another generation")
            .topic(1)
            .member()
            .errors(&[IllegalGeneration])
            .ask(|s| commit(s, &s.member_id, 7, &one())),
        case(OffsetCommit, "a generation of a group that is not there, said")
            .versions(9, 10)
            .topic(1)
            .errors(&[GroupIdNotFound])
            .ask(|s| commit(s, "somebody", 7, &one())),
        case(OffsetCommit, "a generation of a group that is not there")
            .versions(2, 8)
            .topic(1)
            .errors(&[IllegalGeneration])
            .ask(|s| commit(s, "somebody", 7, &one())),
        case(OffsetCommit, "a stranger")
            .topic(1)
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| commit(s, "somebody", 1, &one())),
        case(OffsetCommit, "nobody into a group with members")
            .topic(1)
            .member()
            .errors(&[UnknownMemberId])
            .ask(|s| commit(s, "", -1, &one())),
        case(OffsetCommit, "a member whose place was taken").versions(7, 10).topic(1).member().errors(&[FencedInstanceId]).ask(
            |s| {
                let mut request = commit(s, "somebody", 1, &one());
                request["GroupInstanceId"] = json!("one");
                request
            },
        ),
        case(OffsetCommit, "before the group has its assignment")
            .topic(1)
            .joined()
            .errors(&[RebalanceInProgress])
            .ask(|s| commit(s, &s.member_id, 1, &one())),
    ]
}

fn fetches() -> Vec<Case> {
    let committed = |case: Case| case.topic(2).asked(OffsetCommit, 6, |s| commit(s, "", -1, &one()));
    vec![
        committed(case(OffsetFetch, "a committed offset and none")).ask(fetched),
        committed(case(OffsetFetch, "everything of a group"))
            .versions(2, 10)
            .ask(|s| json!({"GroupId": s.topic, "Topics": null, "Groups": [{"GroupId": s.topic, "Topics": null}]})),
        committed(case(OffsetFetch, "two groups"))
            .versions(8, 10)
            .ask(|s| json!({"Groups": [{"GroupId": s.topic, "Topics": null}, {"GroupId": "nobody's", "Topics": null}]})),
        committed(case(OffsetFetch, "only what is stable")).versions(7, 10).ask(|s| {
            let mut request = fetched(s);
            request["RequireStable"] = json!(true);
            request
        }),
        committed(case(OffsetFetch, "a partition named twice")).versions(1, 10).ask(|s| {
            json!({"GroupId": s.topic, "Topics": [{"Name": s.topic, "PartitionIndexes": [0, 0]}],
                "Groups": [{"GroupId": s.topic, "Topics": [{"Name": s.topic, "TopicId": s.topic_id, "PartitionIndexes": [0, 0]}]}]})
        }),
        case(OffsetFetch, "an unknown topic of an unknown group").versions(1, 9).ask(fetched),
        case(OffsetFetch, "an unknown topic id").versions(10, 10).errors(&[UnknownTopicId]).ask(|s| {
            json!({"Groups": [{"GroupId": s.topic, "Topics": [{"TopicId": "AAAAAAAAAAAAAAAAAAAAZQ", "PartitionIndexes": [0]}]}]})
        }),
        committed(case(OffsetFetch, "no topic of a group")).ask(
            |s| json!({"GroupId": s.topic, "Topics": [], "Groups": [{"GroupId": s.topic, "Topics": []}]}),
        ),
    ]
}

fn deletes() -> Vec<Case> {
    let committed = |case: Case| case.topic(2).asked(OffsetCommit, 6, |s| commit(s, "", -1, &one()));
    let delete = |s: &Scene| json!({"GroupId": s.topic, "Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 0}, {"PartitionIndex": 1}]}]});
    vec![
        committed(case(OffsetDelete, "a committed offset and none").fresh()).ask(delete).then(OffsetFetch, 9, fetched),
        committed(case(OffsetDelete, "an unknown partition"))
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| json!({"GroupId": s.topic, "Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 7}]}]})),
        committed(case(OffsetDelete, "an unknown topic"))
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| json!({"GroupId": s.topic, "Topics": [{"Name": "nowhere", "Partitions": [{"PartitionIndex": 0}]}]})),
        case(OffsetDelete, "a topic that a member reads")
            .topic(2)
            .member()
            .errors(&[GroupSubscribedToTopic])
            .ask(delete),
        case(OffsetDelete, "a group that is not there").topic(2).errors(&[GroupIdNotFound]).ask(delete),
        committed(case(DeleteGroups, "a group that only commits").fresh())
            .ask(|s| json!({"GroupsNames": [s.topic]}))
            .then(OffsetFetch, 9, fetched),
        case(DeleteGroups, "a group with a member")
            .member()
            .errors(&[NonEmptyGroup])
            .ask(|s| json!({"GroupsNames": [s.topic]})),
        case(DeleteGroups, "a group that is not there")
            .errors(&[GroupIdNotFound])
            .ask(|s| json!({"GroupsNames": [s.topic]})),
        case(DeleteGroups, "the group without a name")
            .fresh()
            .topic(1)
            .asked(OffsetCommit, 6, |s| {
                json!({"GroupId": "", "GenerationIdOrMemberEpoch": -1, "MemberId": "",
                    "Topics": [{"Name": s.topic, "Partitions": one()}]})
            })
            .ask(|_| json!({"GroupsNames": [""]})),
    ]
}

fn described(s: &Scene) -> Value {
    json!({"Groups": [s.topic]})
}

fn tells() -> Vec<Case> {
    vec![
        case(DescribeGroups, "a stable group").member().ask(described),
        case(DescribeGroups, "a group that waits for its assignment").joined().ask(described),
        case(DescribeGroups, "a stable group with what one may do to it")
            .versions(3, 6)
            .member()
            .ask(|s| json!({"Groups": [s.topic], "IncludeAuthorizedOperations": true})),
        case(DescribeGroups, "a group that is not there").versions(0, 5).ask(described),
        case(DescribeGroups, "a group that is not there, said")
            .versions(6, 6)
            .errors(&[GroupIdNotFound])
            .ask(described),
        case(DescribeGroups, "a group that is not there, with what one may do to it")
            .versions(3, 5)
            .ask(|s| json!({"Groups": [s.topic], "IncludeAuthorizedOperations": true})),
        case(ListGroups, "groups in a state there is not")
            .versions(4, 5)
            .ask(|_| json!({"StatesFilter": ["Nowhere"]})),
        case(ListGroups, "groups of a type there is not")
            .versions(5, 5)
            .ask(|_| json!({"TypesFilter": ["nothing"]})),
        case(ListGroups, "groups that assign")
            .versions(4, 5)
            .joined()
            .ask(|_| json!({"StatesFilter": ["completingrebalance"]})),
    ]
}
