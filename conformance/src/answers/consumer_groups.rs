//! Consumer groups (KIP-848): ConsumerGroupHeartbeat, ConsumerGroupDescribe, and what the other APIs of groups say of
//! such a group and to its members. A case's group is called as its topic.

use protocol::api_key::ApiKey::{
    ConsumerGroupDescribe, ConsumerGroupHeartbeat, DeleteGroups, DescribeGroups, Heartbeat,
    IncrementalAlterConfigs, JoinGroup, LeaveGroup, ListGroups, OffsetCommit, OffsetDelete, OffsetFetch,
    SyncGroup,
};
use protocol::error_code::ErrorCode::{
    FencedInstanceId, FencedMemberEpoch, GroupIdNotFound, GroupSubscribedToTopic, IllegalGeneration,
    InconsistentGroupProtocol, InvalidGroupId, InvalidRegularExpression, InvalidRequest, MemberIdRequired,
    NonEmptyGroup, RebalanceInProgress, StaleMemberEpoch, UnknownMemberId, UnreleasedInstanceId,
    UnsupportedAssignor, UnsupportedVersion,
};
use serde_json::{Value, json};

use super::case::{Case, case};
use super::groups::join;
use super::scene::Scene;

/// The epoch that the first member of a new group comes to.
const FIRST: i32 = 2;

/// The table.
pub fn cases() -> Vec<Case> {
    let families = [
        joins(),
        beats(),
        invalid(),
        statics(),
        leaves(),
        patterns(),
        offsets(),
        classic(),
        migrations(),
        tells(),
    ];
    families.into_iter().flatten().collect()
}

/// A heartbeat of the member "one" that says nothing but where it is.
pub fn beat(s: &Scene, epoch: i32) -> Value {
    json!({"GroupId": s.topic, "MemberId": "one", "MemberEpoch": epoch, "InstanceId": null, "RackId": null,
        "RebalanceTimeoutMs": -1, "SubscribedTopicNames": null, "SubscribedTopicRegex": null, "ServerAssignor": null,
        "TopicPartitions": null})
}

/// The same with some fields changed.
pub fn with(mut request: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        request[*name] = value.clone();
    }
    request
}

/// "one" joins and reads the scene's topic.
pub fn joining(s: &Scene) -> Value {
    with(
        beat(s, 0),
        &[
            ("RebalanceTimeoutMs", json!(60_000)),
            ("SubscribedTopicNames", json!([s.topic])),
            ("TopicPartitions", json!([])),
        ],
    )
}

fn static_joining(s: &Scene, member: &str) -> Value {
    with(joining(s), &[("MemberId", json!(member)), ("InstanceId", json!("name"))])
}

fn described(s: &Scene) -> Value {
    json!({"GroupIds": [s.topic]})
}

/// With a group that assigns as soon as it is asked to.
fn hasty(case: Case) -> Case {
    case.asked(IncrementalAlterConfigs, 1, |s| {
        json!({"Resources": [{"ResourceType": 32, "ResourceName": s.topic, "Configs":
            [{"Name": "consumer.assignment.interval.ms", "ConfigOperation": 0, "Value": "0"}]}], "ValidateOnly": false})
    })
}

/// With the member "one", which has all partitions of the scene's topic.
fn alone(case: Case) -> Case {
    case.heard_of(3).asked(ConsumerGroupHeartbeat, 1, joining)
}

/// With "one" and "two", of whom the second waits for what the first is to give up.
fn two(case: Case) -> Case {
    alone(hasty(case))
        .asked(ConsumerGroupHeartbeat, 1, |s| with(joining(s), &[("MemberId", json!("two"))]))
        .asked(ConsumerGroupHeartbeat, 1, |s| beat(s, FIRST))
}

/// What "one" holds, or says it does.
fn holding(s: &Scene, epoch: i32, partitions: &[i32]) -> Value {
    with(beat(s, epoch), &[("TopicPartitions", json!([{"TopicId": s.topic_id, "Partitions": partitions}]))])
}

fn joins() -> Vec<Case> {
    let reading =
        |topics: Value| move |s: &Scene| with(joining(s), &[("SubscribedTopicNames", topics.clone())]);
    vec![
        case(ConsumerGroupHeartbeat, "a newcomer")
            .fresh()
            .heard_of(3)
            .ask(joining)
            .then(ConsumerGroupDescribe, 1, described)
            .then(DescribeGroups, 5, |s| json!({"Groups": [s.topic]})),
        case(ConsumerGroupHeartbeat, "a newcomer with rack and assignor")
            .fresh()
            .heard_of(2)
            .ask(|s| with(joining(s), &[("RackId", json!("r1")), ("ServerAssignor", json!("range"))]))
            .then(ConsumerGroupDescribe, 1, described),
        case(ConsumerGroupHeartbeat, "a newcomer that reads nothing").fresh().ask(reading(json!([]))).then(
            ConsumerGroupDescribe,
            1,
            described,
        ),
        case(ConsumerGroupHeartbeat, "a newcomer that reads what is not there")
            .fresh()
            .ask(reading(json!(["nowhere", "nowhere"])))
            .then(ConsumerGroupDescribe, 1, described),
        alone(case(ConsumerGroupHeartbeat, "a member that joins again").fresh()).ask(joining),
        alone(hasty(case(ConsumerGroupHeartbeat, "a second member").fresh()))
            .ask(|s| with(joining(s), &[("MemberId", json!("two"))]))
            .then(ConsumerGroupDescribe, 1, described),
        alone(case(ConsumerGroupHeartbeat, "a second member, too soon to assign anew").fresh())
            .ask(|s| with(joining(s), &[("MemberId", json!("two"))]))
            .then(ConsumerGroupDescribe, 1, described),
    ]
}

fn beats() -> Vec<Case> {
    vec![
        alone(case(ConsumerGroupHeartbeat, "a member that is there").fresh()).ask(|s| beat(s, FIRST)),
        alone(case(ConsumerGroupHeartbeat, "a member that says everything").fresh()).ask(|s| {
            let topics = json!([{"TopicId": s.topic_id, "Partitions": [0, 1, 2]}]);
            with(joining(s), &[("MemberEpoch", json!(FIRST)), ("TopicPartitions", topics)])
        }),
        alone(hasty(case(ConsumerGroupHeartbeat, "a member that reads another topic").fresh()))
            .ask(|s| with(beat(s, FIRST), &[("SubscribedTopicNames", json!(["nowhere"]))]))
            .then(ConsumerGroupDescribe, 1, described),
        alone(hasty(case(ConsumerGroupHeartbeat, "a member that reads nothing any more").fresh()))
            .ask(|s| with(beat(s, FIRST), &[("SubscribedTopicNames", json!([]))]))
            .then(ConsumerGroupDescribe, 1, described),
        two(case(ConsumerGroupHeartbeat, "a member that is to give up and does not").fresh())
            .ask(|s| holding(s, FIRST, &[0, 1, 2]))
            .then(ConsumerGroupDescribe, 1, described),
        two(case(ConsumerGroupHeartbeat, "a member that waits for another").fresh())
            .ask(|s| with(beat(s, FIRST + 1), &[("MemberId", json!("two"))]))
            .then(ConsumerGroupDescribe, 1, described),
        two(case(ConsumerGroupHeartbeat, "a member that has given up").fresh())
            .ask(|s| with(beat(s, FIRST), &[("TopicPartitions", json!([]))]))
            .then(ConsumerGroupDescribe, 1, described),
        alone(case(ConsumerGroupHeartbeat, "a member ahead of itself"))
            .errors(&[FencedMemberEpoch])
            .ask(|s| beat(s, FIRST + 1)),
        alone(case(ConsumerGroupHeartbeat, "a member far behind itself"))
            .errors(&[FencedMemberEpoch])
            .ask(|s| beat(s, FIRST - 1)),
        alone(case(ConsumerGroupHeartbeat, "somebody else"))
            .errors(&[UnknownMemberId])
            .ask(|s| with(beat(s, FIRST), &[("MemberId", json!("two"))])),
        case(ConsumerGroupHeartbeat, "a group that is not there")
            .errors(&[GroupIdNotFound])
            .ask(|s| beat(s, FIRST)),
        alone(case(ConsumerGroupHeartbeat, "a member that holds what there is not").fresh()).ask(|s| {
            let topics = json!([{"TopicId": "AAAAAAAAAAAAAAAAAAAAZQ", "Partitions": [0]},
                {"TopicId": s.topic_id, "Partitions": [77, -1]}]);
            with(beat(s, FIRST), &[("TopicPartitions", topics)])
        }),
    ]
}

fn invalid() -> Vec<Case> {
    let joining_with = |name: &'static str, field: &'static str, value: Value| {
        case(ConsumerGroupHeartbeat, name)
            .errors(&[InvalidRequest])
            .ask(move |s| with(joining(s), &[(field, value.clone())]))
    };
    vec![
        joining_with("no group", "GroupId", json!("")),
        joining_with("a group of blanks", "GroupId", json!("  ")),
        joining_with("no member id", "MemberId", json!("")).versions(1, 1),
        joining_with("an instance id of nothing", "InstanceId", json!("")),
        joining_with("a rack of nothing", "RackId", json!("")),
        joining_with("no rebalance time-out", "RebalanceTimeoutMs", json!(-1)),
        joining_with("who joins does not say what it holds", "TopicPartitions", json!(null)),
        joining_with(
            "who joins holds something",
            "TopicPartitions",
            json!([{"TopicId": "AAAAAAAAAAAAAAAAAAAAZQ", "Partitions": [0]}]),
        ),
        joining_with("who joins does not say what it reads", "SubscribedTopicNames", json!(null)),
        joining_with("an epoch that there is not", "MemberEpoch", json!(-3)),
        joining_with("a dynamic member leaves for a while", "MemberEpoch", json!(-2)),
        case(ConsumerGroupHeartbeat, "no member id after joining")
            .errors(&[InvalidRequest])
            .ask(|s| with(beat(s, FIRST), &[("MemberId", json!(""))])),
        case(ConsumerGroupHeartbeat, "an assignor that there is not")
            .errors(&[UnsupportedAssignor])
            .ask(|s| with(joining(s), &[("ServerAssignor", json!("nobody's"))])),
    ]
}

fn statics() -> Vec<Case> {
    let there = |case: Case| case.heard_of(2).asked(ConsumerGroupHeartbeat, 1, |s| static_joining(s, "one"));
    let away = move |case: Case| {
        there(case).asked(ConsumerGroupHeartbeat, 1, |s| with(beat(s, -2), &[("InstanceId", json!("name"))]))
    };
    let named = |s: &Scene, epoch: i32, member: &str, name: &str| {
        with(beat(s, epoch), &[("MemberId", json!(member)), ("InstanceId", json!(name))])
    };
    vec![
        case(ConsumerGroupHeartbeat, "a static member")
            .fresh()
            .heard_of(2)
            .ask(|s| static_joining(s, "one"))
            .then(ConsumerGroupDescribe, 1, described),
        there(case(ConsumerGroupHeartbeat, "another with the same name"))
            .errors(&[UnreleasedInstanceId])
            .ask(|s| static_joining(s, "two")),
        there(case(ConsumerGroupHeartbeat, "the same with its own name"))
            .errors(&[UnreleasedInstanceId])
            .ask(|s| static_joining(s, "one")),
        there(case(ConsumerGroupHeartbeat, "another by the name of one"))
            .errors(&[FencedInstanceId])
            .ask(move |s| named(s, FIRST, "two", "name")),
        there(case(ConsumerGroupHeartbeat, "a name that nobody has"))
            .errors(&[UnknownMemberId])
            .ask(move |s| named(s, FIRST, "one", "another")),
        there(case(ConsumerGroupHeartbeat, "leaves for a while").fresh())
            .ask(move |s| named(s, -2, "one", "name"))
            .then(ConsumerGroupDescribe, 1, described),
        there(case(ConsumerGroupHeartbeat, "another leaves by its name"))
            .errors(&[FencedInstanceId])
            .ask(move |s| named(s, -1, "two", "name")),
        away(case(ConsumerGroupHeartbeat, "comes back under another id").fresh())
            .ask(|s| static_joining(s, "two"))
            .then(ConsumerGroupDescribe, 1, described),
        away(case(ConsumerGroupHeartbeat, "is away and yet there"))
            .errors(&[FencedMemberEpoch])
            .ask(move |s| named(s, FIRST, "one", "name")),
        away(case(ConsumerGroupHeartbeat, "leaves for good").fresh())
            .ask(move |s| named(s, -1, "one", "name"))
            .then(ConsumerGroupDescribe, 1, described),
    ]
}

fn leaves() -> Vec<Case> {
    vec![
        alone(case(ConsumerGroupHeartbeat, "a member leaves").fresh())
            .ask(|s| beat(s, -1))
            .then(ConsumerGroupDescribe, 1, described),
        two(case(ConsumerGroupHeartbeat, "a member leaves that was to give up").fresh())
            .ask(|s| beat(s, -1))
            .then(ConsumerGroupDescribe, 1, described),
        alone(case(ConsumerGroupHeartbeat, "a stranger leaves"))
            .errors(&[UnknownMemberId])
            .ask(|s| with(beat(s, -1), &[("MemberId", json!("two"))])),
        case(ConsumerGroupHeartbeat, "a member leaves what is not there")
            .errors(&[GroupIdNotFound])
            .ask(|s| beat(s, -1)),
        alone(case(LeaveGroup, "a member of a consumer group").versions(3, 5).fresh())
            .ask(|s| json!({"GroupId": s.topic, "Members": [{"MemberId": "one"}]}))
            .then(ConsumerGroupDescribe, 1, described),
        alone(case(LeaveGroup, "a stranger to a consumer group").versions(3, 5))
            .errors(&[UnknownMemberId])
            .ask(|s| json!({"GroupId": s.topic, "Members": [{"MemberId": "two"}, {"MemberId": "one", "GroupInstanceId": "x"}]})),
    ]
}

fn patterns() -> Vec<Case> {
    let reading = |regex: Value| {
        move |s: &Scene| {
            with(
                joining(s),
                &[("SubscribedTopicNames", json!(null)), ("SubscribedTopicRegex", regex.clone())],
            )
        }
    };
    vec![
        case(ConsumerGroupHeartbeat, "a pattern")
            .versions(1, 1)
            .fresh()
            .heard_of(2)
            .ask(|s| {
                let regex = format!("{}|nowhere.*", s.topic);
                with(
                    joining(s),
                    &[("SubscribedTopicNames", json!(null)), ("SubscribedTopicRegex", json!(regex))],
                )
            })
            .then(ConsumerGroupDescribe, 1, described),
        case(ConsumerGroupHeartbeat, "an empty pattern").versions(1, 1).fresh().ask(reading(json!(""))).then(
            ConsumerGroupDescribe,
            1,
            described,
        ),
        case(ConsumerGroupHeartbeat, "a pattern that is none")
            .versions(1, 1)
            .errors(&[InvalidRegularExpression])
            .ask(reading(json!("a("))),
        case(ConsumerGroupHeartbeat, "a pattern that looks back")
            .versions(1, 1)
            .errors(&[InvalidRegularExpression])
            .ask(reading(json!("(a)\\1"))),
        // Kafka compiles it, for ever, and answers nobody whose group lies in the same partition any more.
        case(ConsumerGroupHeartbeat, "a pattern that would blow up")
            .versions(1, 1)
            .unanswered()
            .errors(&[InvalidRegularExpression])
            .ask(reading(json!("((a{1000}){1000}){1000}"))),
    ]
}

fn commit(s: &Scene, member: &str, epoch: i32, partition: i32) -> Value {
    json!({"GroupId": s.topic, "GenerationIdOrMemberEpoch": epoch, "MemberId": member, "Topics":
        [{"Name": s.topic, "TopicId": s.topic_id, "Partitions": [{"PartitionIndex": partition, "CommittedOffset": 5}]}]})
}

fn fetched(s: &Scene, member: Value, epoch: i32) -> Value {
    json!({"Groups": [{"GroupId": s.topic, "MemberId": member, "MemberEpoch": epoch, "Topics":
        [{"Name": s.topic, "TopicId": s.topic_id, "PartitionIndexes": [0]}]}]})
}

fn offsets() -> Vec<Case> {
    let moved_on = |case: Case| two(case).asked(ConsumerGroupHeartbeat, 1, |s| holding(s, FIRST, &[0, 1]));
    vec![
        alone(case(OffsetCommit, "a member of a consumer group").versions(9, 10))
            .ask(|s| commit(s, "one", FIRST, 0))
            .then(OffsetFetch, 9, |s| fetched(s, json!("one"), FIRST)),
        alone(case(OffsetCommit, "a member of a consumer group, in an old version").versions(2, 8))
            .errors(&[UnsupportedVersion])
            .ask(|s| commit(s, "one", FIRST, 0)),
        alone(case(OffsetCommit, "a member of a consumer group ahead of itself").versions(9, 10))
            .errors(&[StaleMemberEpoch])
            .ask(|s| commit(s, "one", FIRST + 1, 0)),
        alone(case(OffsetCommit, "a member of a consumer group before it had anything").versions(9, 10))
            .errors(&[StaleMemberEpoch])
            .ask(|s| commit(s, "one", FIRST - 1, 0)),
        moved_on(case(OffsetCommit, "a member of a consumer group that lags, of what it still has").versions(9, 10).fresh())
            .ask(|s| commit(s, "one", FIRST, 0)),
        alone(case(OffsetCommit, "a stranger to a consumer group").versions(9, 10))
            .errors(&[UnknownMemberId])
            .ask(|s| commit(s, "two", FIRST, 0)),
        alone(case(OffsetCommit, "nobody into a consumer group with members"))
            .errors(&[UnknownMemberId])
            .ask(|s| commit(s, "", -1, 0)),
        alone(case(OffsetCommit, "nobody into a consumer group without members").fresh())
            .asked(ConsumerGroupHeartbeat, 1, |s| beat(s, -1))
            .ask(|s| commit(s, "", -1, 0)),
        alone(case(OffsetFetch, "a member of a consumer group").versions(9, 10))
            .ask(|s| fetched(s, json!("one"), FIRST)),
        alone(case(OffsetFetch, "a member of a consumer group elsewhere").versions(9, 10))
            .errors(&[StaleMemberEpoch])
            .ask(|s| fetched(s, json!("one"), FIRST + 1)),
        alone(case(OffsetFetch, "a stranger to a consumer group").versions(9, 10))
            .errors(&[UnknownMemberId])
            .ask(|s| fetched(s, json!("two"), FIRST)),
        alone(case(OffsetFetch, "nobody of a consumer group")).ask(|s| {
            with(fetched(s, json!(null), -1), &[("GroupId", json!(s.topic)), ("Topics", json!([{"Name": s.topic, "PartitionIndexes": [0]}]))])
        }),
        alone(case(OffsetDelete, "a topic that a consumer group reads"))
            .errors(&[GroupSubscribedToTopic])
            .ask(|s| json!({"GroupId": s.topic, "Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 0}]}]})),
        alone(case(DeleteGroups, "a consumer group with a member"))
            .errors(&[NonEmptyGroup])
            .ask(|s| json!({"GroupsNames": [s.topic]})),
        alone(case(DeleteGroups, "a consumer group without members").fresh())
            .asked(ConsumerGroupHeartbeat, 1, |s| beat(s, -1))
            .ask(|s| json!({"GroupsNames": [s.topic]}))
            .then(ConsumerGroupDescribe, 1, described),
    ]
}

/// What the APIs of the classic protocol say to members of the consumer protocol, and of it.
fn classic() -> Vec<Case> {
    vec![
        alone(case(Heartbeat, "a member of the consumer protocol"))
            .errors(&[UnknownMemberId])
            .ask(|s| json!({"GroupId": s.topic, "GenerationId": FIRST, "MemberId": "one"})),
        alone(case(SyncGroup, "a member of the consumer protocol")).errors(&[UnknownMemberId]).ask(|s| {
            json!({"GroupId": s.topic, "GenerationId": FIRST, "MemberId": "one",
                "ProtocolType": "consumer", "ProtocolName": "range", "Assignments": []})
        }),
        alone(case(JoinGroup, "a newcomer to a consumer group").versions(4, 9).fresh())
            .errors(&[MemberIdRequired])
            .ask(|s| join(s, "", &json!(null)))
            .then(ConsumerGroupDescribe, 1, described),
        alone(hasty(case(JoinGroup, "a classic member of a consumer group").versions(5, 9).fresh()))
            .ask(|s| join(s, "two", &json!(null)))
            .then(ConsumerGroupDescribe, 1, described),
        alone(hasty(case(SyncGroup, "a classic member of a consumer group").fresh()))
            .asked(JoinGroup, 5, |s| join(s, "two", &json!(null)))
            .ask(|s| {
                json!({"GroupId": s.topic, "GenerationId": FIRST + 1, "MemberId": "two",
                "ProtocolType": "consumer", "ProtocolName": "range", "Assignments": []})
            }),
        alone(hasty(case(Heartbeat, "a classic member of a consumer group").fresh()))
            .asked(JoinGroup, 5, |s| join(s, "two", &json!(null)))
            .ask(|s| json!({"GroupId": s.topic, "GenerationId": FIRST + 1, "MemberId": "two"})),
        alone(hasty(case(Heartbeat, "a classic member of a consumer group elsewhere").fresh()))
            .errors(&[IllegalGeneration])
            .asked(JoinGroup, 5, |s| join(s, "two", &json!(null)))
            .ask(|s| json!({"GroupId": s.topic, "GenerationId": 1, "MemberId": "two"})),
        alone(case(JoinGroup, "a worker into a consumer group"))
            .errors(&[InconsistentGroupProtocol])
            .ask(|s| with(join(s, "two", &json!(null)), &[("ProtocolType", json!("connect"))])),
        alone(case(JoinGroup, "a consumer that tells nothing into a consumer group"))
            .errors(&[InconsistentGroupProtocol])
            .ask(|s| {
                with(
                    join(s, "two", &json!(null)),
                    &[("Protocols", json!([{"Name": "range", "Metadata": "ff"}]))],
                )
            }),
        alone(case(JoinGroup, "a newcomer to a consumer group that is empty").versions(4, 9).fresh())
            .errors(&[MemberIdRequired])
            .asked(ConsumerGroupHeartbeat, 1, |s| beat(s, -1))
            .ask(|s| join(s, "", &json!(null)))
            .then(DescribeGroups, 5, |s| json!({"Groups": [s.topic]})),
    ]
}

/// An assignment of partition 0 of the scene's topic, as consumers write it.
fn assignment(s: &Scene) -> String {
    let name: String = s.topic.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("000000000001{:04x}{name}0000000100000000ffffffff", s.topic.len())
}

/// Groups that change their protocol while they have members.
fn migrations() -> Vec<Case> {
    let with_part = |case: Case| {
        case.topic(1).joined().asked(SyncGroup, 3, |s| {
            json!({"GroupId": s.topic, "GenerationId": 1, "MemberId": s.member_id, "GroupInstanceId": "one",
                "Assignments": [{"MemberId": s.member_id, "Assignment": assignment(s)}]})
        })
    };
    let upgraded = move |case: Case| {
        with_part(case).asked(ConsumerGroupHeartbeat, 1, |s| with(joining(s), &[("MemberId", json!("two"))]))
    };
    vec![
        with_part(case(ConsumerGroupHeartbeat, "joins a classic group").fresh())
            .ask(|s| with(joining(s), &[("MemberId", json!("two"))]))
            .then(ConsumerGroupDescribe, 1, described)
            .then(DescribeGroups, 5, |s| json!({"Groups": [s.topic]})),
        case(ConsumerGroupHeartbeat, "joins a classic group whose assignment cannot be read")
            .member()
            .errors(&[GroupIdNotFound])
            .ask(joining),
        with_part(case(ConsumerGroupHeartbeat, "speaks of a classic group"))
            .errors(&[GroupIdNotFound])
            .ask(|s| beat(s, 1)),
        upgraded(case(Heartbeat, "a classic member whose group was upgraded").fresh())
            .errors(&[RebalanceInProgress])
            .ask(|s| json!({"GroupId": s.topic, "GenerationId": 1, "MemberId": s.member_id})),
        upgraded(case(OffsetCommit, "a classic member whose group was upgraded").fresh())
            .ask(|s| commit(s, &s.member_id, 1, 0)),
        upgraded(case(ConsumerGroupHeartbeat, "the last of the protocol leaves").fresh())
            .ask(|s| with(beat(s, -1), &[("MemberId", json!("two"))]))
            .then(ConsumerGroupDescribe, 1, described),
    ]
}

fn tells() -> Vec<Case> {
    vec![
        alone(case(ConsumerGroupDescribe, "a consumer group"))
            .ask(|s| json!({"GroupIds": [s.topic], "IncludeAuthorizedOperations": true})),
        case(ConsumerGroupDescribe, "a group that is not there").errors(&[GroupIdNotFound]).ask(described),
        case(ConsumerGroupDescribe, "a classic group").member().errors(&[GroupIdNotFound]).ask(described),
        case(ConsumerGroupDescribe, "the group without a name")
            .errors(&[InvalidGroupId])
            .ask(|_| json!({"GroupIds": [""]})),
        case(ConsumerGroupDescribe, "no group").ask(|_| json!({"GroupIds": []})),
        alone(case(DescribeGroups, "a consumer group").versions(0, 5)).ask(|s| json!({"Groups": [s.topic]})),
        alone(case(ListGroups, "consumer groups in a state there is not").versions(5, 5))
            .ask(|_| json!({"StatesFilter": ["nowhere"], "TypesFilter": ["Consumer"]})),
    ]
}
