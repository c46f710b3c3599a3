//! Streams groups (KIP-1071): StreamsGroupHeartbeat, StreamsGroupDescribe, StreamsGroupTopologyDescriptionUpdate, and
//! what the other APIs of groups say of such a group and to its members. A case's group is called as its topic.

use protocol::api_key::ApiKey::{
    ConsumerGroupDescribe, ConsumerGroupHeartbeat, CreateTopics, DeleteGroups, DescribeGroups, Heartbeat,
    IncrementalAlterConfigs, JoinGroup, LeaveGroup, ListGroups, Metadata, OffsetCommit, OffsetDelete,
    OffsetFetch, StreamsGroupDescribe, StreamsGroupHeartbeat, StreamsGroupTopologyDescriptionUpdate,
};
use protocol::error_code::ErrorCode::{
    FencedInstanceId, FencedMemberEpoch, GroupIdNotFound, GroupSubscribedToTopic, InconsistentGroupProtocol,
    InvalidGroupId, InvalidRequest, NonEmptyGroup, StaleMemberEpoch, StreamsInvalidTopology, UnknownMemberId,
    UnknownServerError, UnreleasedInstanceId, UnsupportedVersion,
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
        topologies(),
        broken_topologies(),
        beats(),
        copies(),
        invalid(),
        statics(),
        leaves(),
        offsets(),
        others(),
        tells(),
    ];
    families.into_iter().flatten().collect()
}

/// A heartbeat of the member "one" that says nothing but where it is.
fn beat(s: &Scene, epoch: i32) -> Value {
    json!({"GroupId": s.topic, "MemberId": "one", "MemberEpoch": epoch, "EndpointInformationEpoch": 0,
        "InstanceId": null, "RackId": null, "RebalanceTimeoutMs": -1, "Topology": null, "ActiveTasks": null,
        "StandbyTasks": null, "WarmupTasks": null, "ProcessId": null, "UserEndpoint": null, "ClientTags": null,
        "TaskOffsets": null, "TaskEndOffsets": null, "ShutdownApplication": false})
}

/// The same with some fields changed.
fn with(mut request: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        request[*name] = value.clone();
    }
    request
}

fn topic_info(name: &str, partitions: i32) -> Value {
    json!({"Name": name, "Partitions": partitions, "ReplicationFactor": 1,
        "TopicConfigs": [{"Key": "cleanup.policy", "Value": "compact"}]})
}

/// A part of an application that reads these topics.
fn part(id: &str, sources: &Value) -> Value {
    json!({"SubtopologyId": id, "SourceTopics": sources, "SourceTopicRegex": [], "StateChangelogTopics": [],
        "RepartitionSinkTopics": [], "RepartitionSourceTopics": [], "CopartitionGroups": []})
}

fn topology(parts: &[Value]) -> Value {
    json!({"Epoch": 0, "Subtopologies": parts})
}

/// An application that reads the scene's topic.
fn plain(s: &Scene) -> Value {
    topology(&[part("0", &json!([s.topic]))])
}

/// One that counts words: it writes a topic of its own, reads that, and keeps state.
fn counting(s: &Scene) -> Value {
    let (own, state) = (format!("{}-words", s.topic), format!("{}-counts", s.topic));
    topology(&[
        with(part("0", &json!([s.topic])), &[("RepartitionSinkTopics", json!([own]))]),
        with(
            part("1", &json!([])),
            &[
                ("RepartitionSourceTopics", json!([topic_info(&own, 0)])),
                ("StateChangelogTopics", json!([topic_info(&state, 0)])),
            ],
        ),
    ])
}

/// One that keeps what it reads.
fn keeping(s: &Scene) -> Value {
    let state = topic_info(&format!("{}-state", s.topic), 0);
    topology(&[with(part("0", &json!([s.topic])), &[("StateChangelogTopics", json!([state]))])])
}

/// "one" joins with an application, as a process of its own.
fn joining_with(s: &Scene, topology: &Value) -> Value {
    with(
        beat(s, 0),
        &[
            ("RebalanceTimeoutMs", json!(60_000)),
            ("Topology", topology.clone()),
            ("ActiveTasks", json!([])),
            ("StandbyTasks", json!([])),
            ("WarmupTasks", json!([])),
            ("ProcessId", json!("process-one")),
        ],
    )
}

fn joining(s: &Scene) -> Value {
    joining_with(s, &plain(s))
}

fn second(s: &Scene) -> Value {
    with(joining(s), &[("MemberId", json!("two")), ("ProcessId", json!("process-two"))])
}

/// What "one" has, or says it has.
fn having(s: &Scene, epoch: i32, active: &[i32]) -> Value {
    let tasks = json!([{"SubtopologyId": "0", "Partitions": active}]);
    with(beat(s, epoch), &[("ActiveTasks", tasks), ("StandbyTasks", json!([])), ("WarmupTasks", json!([]))])
}

fn described(s: &Scene) -> Value {
    json!({"GroupIds": [s.topic], "IncludeAuthorizedOperations": true})
}

fn group_config(case: Case, name: &'static str, value: &'static str) -> Case {
    case.asked(IncrementalAlterConfigs, 1, move |s| {
        json!({"Resources": [{"ResourceType": 32, "ResourceName": s.topic, "Configs":
            [{"Name": name, "ConfigOperation": 0, "Value": value}]}], "ValidateOnly": false})
    })
}

/// With a group that assigns as soon as it is asked to.
fn hasty(case: Case) -> Case {
    let case = group_config(case, "streams.initial.rebalance.delay.ms", "0");
    group_config(case, "streams.assignment.interval.ms", "0")
}

/// The same, and the scene's topic. Kafka's coordinator hears of topics and settings some time after they are made: what
/// is set again afterwards gives it that time.
fn hasty_with_topic(case: Case, partitions: i32) -> Case {
    hasty(hasty(case).topic(partitions))
}

/// With the member "one", which has a task for each partition of the scene's topic.
fn alone(case: Case) -> Case {
    hasty_with_topic(case, 3).asked(StreamsGroupHeartbeat, 1, joining)
}

/// With "one" and "two", of whom the second waits for what the first is to give up.
fn two(case: Case) -> Case {
    alone(case).asked(StreamsGroupHeartbeat, 1, second)
}

fn joins() -> Vec<Case> {
    let newcomer = |name| hasty_with_topic(case(StreamsGroupHeartbeat, name).fresh(), 3);
    vec![
        newcomer("a newcomer").ask(joining).then(StreamsGroupDescribe, 1, described).then(
            ListGroups,
            5,
            |_| json!({"StatesFilter": [], "TypesFilter": ["streams"]}),
        ),
        case(StreamsGroupHeartbeat, "a newcomer of a group that waits for others")
            .fresh()
            .topic(3)
            .ask(joining)
            .then(StreamsGroupDescribe, 1, described),
        newcomer("a newcomer that says all there is to say")
            .ask(|s| {
                let offsets = json!([{"SubtopologyId": "0", "Partition": 1, "Offset": 7}]);
                let fields = [
                    ("RackId", json!("r1")),
                    ("UserEndpoint", json!({"Host": "somewhere", "Port": 65_000})),
                    ("ClientTags", json!([{"Key": "zone", "Value": "z1"}])),
                    ("TaskOffsets", offsets.clone()),
                    ("TaskEndOffsets", offsets),
                ];
                with(joining(s), &fields)
            })
            // What was told first is told again before it is looked at: Kafka forgets it with a group that begins.
            .then(StreamsGroupHeartbeat, 1, |s| {
                let offsets = json!([{"SubtopologyId": "0", "Partition": 1, "Offset": 7}]);
                with(beat(s, FIRST), &[("TaskOffsets", offsets.clone()), ("TaskEndOffsets", offsets)])
            })
            .then(StreamsGroupDescribe, 1, described),
        alone(case(StreamsGroupHeartbeat, "a member that joins again").fresh()).ask(joining),
        two(case(StreamsGroupHeartbeat, "a third member").fresh())
            .ask(|s| with(joining(s), &[("MemberId", json!("three"))]))
            .then(StreamsGroupDescribe, 1, described),
        group_config(
            alone(case(StreamsGroupHeartbeat, "a second member, too soon to assign anew").fresh()),
            "streams.assignment.interval.ms",
            "15000",
        )
        .ask(second)
        .then(StreamsGroupDescribe, 1, described),
        group_config(
            newcomer("a newcomer without the tags there are to be"),
            "streams.rack.aware.assignment.tags",
            "a,b",
        )
        .ask(|s| with(joining(s), &[("ClientTags", json!([{"Key": "b", "Value": "1"}]))]))
        .then(StreamsGroupDescribe, 1, described),
    ]
}

fn own_topics(s: &Scene) -> Value {
    let names = ["-words", "-counts"].map(|end| json!({"Name": format!("{}{end}", s.topic)}));
    json!({"Topics": names, "AllowAutoTopicCreation": false})
}

fn topologies() -> Vec<Case> {
    let newcomer = |name| hasty(case(StreamsGroupHeartbeat, name).fresh());
    // The other topic comes first: Kafka's coordinator hears of topics some time after they are made.
    let beside = |name, partitions: i32| {
        let made = case(StreamsGroupHeartbeat, name).fresh().asked(CreateTopics, 7, move |s| {
            json!({"Topics": [{"Name": format!("{}-b", s.topic), "NumPartitions": partitions,
                "ReplicationFactor": 1, "Assignments": [], "Configs": []}], "timeoutMs": 30_000, "validateOnly": false})
        });
        hasty_with_topic(made, 3)
    };
    let joined = |s: &Scene| {
        let sources = json!([s.topic, format!("{}-b", s.topic)]);
        let groups = json!([{"SourceTopics": [0, 1], "SourceTopicRegex": [], "RepartitionSourceTopics": []}]);
        joining_with(s, &topology(&[with(part("0", &sources), &[("CopartitionGroups", groups)])]))
    };
    let sized = |partitions: i32| {
        move |s: &Scene| {
            let own = format!("{}-b", s.topic);
            joining_with(
                s,
                &topology(&[
                    with(part("0", &json!([s.topic])), &[("RepartitionSinkTopics", json!([own]))]),
                    with(
                        part("1", &json!([])),
                        &[("RepartitionSourceTopics", json!([topic_info(&own, partitions)]))],
                    ),
                ]),
            )
        }
    };
    vec![
        newcomer("an application whose topics are not there").ask(joining).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
        newcomer("an application whose own topics are made")
            .topic(3)
            .ask(|s| joining_with(s, &counting(s)))
            .then(Metadata, 12, own_topics)
            .then(StreamsGroupHeartbeat, 1, |s| beat(s, FIRST))
            .then(StreamsGroupDescribe, 1, described),
        newcomer("an application that reads one topic twice").topic(3).ask(|s| {
            joining_with(s, &topology(&[part("0", &json!([s.topic])), part("1", &json!([s.topic]))]))
        }),
        alone(case(StreamsGroupHeartbeat, "a member that tells of tasks that there are not").fresh())
            .ask(|s| {
                let told = json!([{"SubtopologyId": "9", "Partition": 0, "Offset": 5}]);
                with(beat(s, FIRST), &[("TaskOffsets", told.clone()), ("TaskEndOffsets", told)])
            })
            .then(StreamsGroupDescribe, 1, described),
        beside("an application whose topics have one size", 3).ask(joined).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
        beside("an application whose topics have two sizes", 4).ask(joined).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
        beside("an application whose own topic has the size it says", 4).ask(sized(4)).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
        beside("an application whose own topic has another size", 4).ask(sized(5)).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
    ]
}

fn broken_topologies() -> Vec<Case> {
    let newcomer = |name, make: fn(&Scene) -> Value| {
        case(StreamsGroupHeartbeat, name).topic(3).ask(move |s| joining_with(s, &make(s)))
    };
    let invalid = |name, make| newcomer(name, make).errors(&[StreamsInvalidTopology]);
    vec![
        newcomer("an expression for source topics", |s| {
            topology(&[with(part("0", &json!([s.topic])), &[("SourceTopicRegex", json!(["a.*"]))])])
        })
        .errors(&[InvalidRequest]),
        invalid("a changelog that knows its size", |s| {
            let state = topic_info("state", 3);
            topology(&[with(part("0", &json!([s.topic])), &[("StateChangelogTopics", json!([state]))])])
        }),
        invalid("a topic of Kafka's own", |_| topology(&[part("0", &json!(["__consumer_offsets"]))])),
        invalid("a topic that can be none", |_| topology(&[part("0", &json!(["a b"]))])),
        invalid("a loop", |_| {
            let own = topic_info("own", 0);
            topology(&[with(
                part("0", &json!([])),
                &[("RepartitionSinkTopics", json!(["own"])), ("RepartitionSourceTopics", json!([own]))],
            )])
        }),
        invalid("a topic that nobody writes", |s| {
            let own = topic_info("own", 0);
            topology(&[with(part("0", &json!([s.topic])), &[("RepartitionSourceTopics", json!([own]))])])
        }),
        invalid("a part that reads nothing", |_| topology(&[part("0", &json!([]))])),
        newcomer("two parts of one name", |s| {
            let sources = json!([s.topic]);
            topology(&[part("0", &sources), part("0", &sources)])
        })
        .errors(&[UnknownServerError]),
        newcomer("an epoch below zero", |s| with(plain(s), &[("Epoch", json!(-1))]))
            .errors(&[UnknownServerError]),
        alone(case(StreamsGroupHeartbeat, "another topology than the group's"))
            .errors(&[InvalidRequest])
            .ask(|s| with(second(s), &[("Topology", keeping(s))])),
        alone(case(StreamsGroupHeartbeat, "a later topology than the group's"))
            .errors(&[InvalidRequest])
            .ask(|s| with(second(s), &[("Topology", with(plain(s), &[("Epoch", json!(1))]))])),
        hasty_with_topic(case(StreamsGroupHeartbeat, "an older topology than the group's").fresh(), 3)
            .asked(StreamsGroupHeartbeat, 1, |s| joining_with(s, &with(plain(s), &[("Epoch", json!(3))])))
            .ask(|s| with(second(s), &[("Topology", with(keeping(s), &[("Epoch", json!(2))]))]))
            .then(StreamsGroupDescribe, 1, described),
    ]
}

fn beats() -> Vec<Case> {
    let tasks = |subtopology: &'static str, task: i32| {
        move |s: &Scene| {
            let tasks = json!([{"SubtopologyId": subtopology, "Partitions": [task]}]);
            with(having(s, FIRST, &[0, 1, 2]), &[("ActiveTasks", tasks)])
        }
    };
    vec![
        alone(case(StreamsGroupHeartbeat, "a member that is there").fresh()).ask(|s| beat(s, FIRST)),
        alone(case(StreamsGroupHeartbeat, "a member that says what it has").fresh())
            .ask(|s| having(s, FIRST, &[0, 1, 2])),
        two(case(StreamsGroupHeartbeat, "a member that is to give up and does not").fresh())
            .ask(|s| having(s, FIRST, &[0, 1, 2]))
            .then(StreamsGroupDescribe, 1, described),
        two(case(StreamsGroupHeartbeat, "a member that waits for another").fresh())
            .ask(|s| with(beat(s, FIRST + 1), &[("MemberId", json!("two"))]))
            .then(StreamsGroupDescribe, 1, described),
        two(case(StreamsGroupHeartbeat, "a member that has given up").fresh())
            .asked(StreamsGroupHeartbeat, 1, |s| having(s, FIRST, &[0, 1, 2]))
            .ask(|s| having(s, FIRST, &[]))
            .then(StreamsGroupDescribe, 1, described),
        alone(case(StreamsGroupHeartbeat, "a member ahead of itself"))
            .errors(&[FencedMemberEpoch])
            .ask(|s| beat(s, FIRST + 1)),
        alone(case(StreamsGroupHeartbeat, "a member far behind itself"))
            .errors(&[FencedMemberEpoch])
            .ask(|s| beat(s, FIRST - 1)),
        alone(case(StreamsGroupHeartbeat, "somebody else"))
            .errors(&[UnknownMemberId])
            .ask(|s| with(beat(s, FIRST), &[("MemberId", json!("two"))])),
        case(StreamsGroupHeartbeat, "a group that is not there")
            .errors(&[GroupIdNotFound])
            .ask(|s| beat(s, FIRST)),
        alone(case(StreamsGroupHeartbeat, "a task of no part")).errors(&[InvalidRequest]).ask(tasks("9", 0)),
        alone(case(StreamsGroupHeartbeat, "a task too many")).errors(&[InvalidRequest]).ask(tasks("0", 3)),
        alone(case(StreamsGroupHeartbeat, "a task below zero")).errors(&[InvalidRequest]).ask(tasks("0", -1)),
        alone(case(StreamsGroupHeartbeat, "an offset told twice")).errors(&[InvalidRequest]).ask(|s| {
            let told = json!({"SubtopologyId": "0", "Partition": 1, "Offset": 7});
            with(beat(s, FIRST), &[("TaskOffsets", json!([told, told]))])
        }),
        alone(case(StreamsGroupHeartbeat, "a member that asks all to end").fresh())
            .ask(|s| with(beat(s, FIRST), &[("ShutdownApplication", json!(true))])),
        alone(case(StreamsGroupHeartbeat, "a member that can be asked from now on").fresh())
            .ask(|s| with(beat(s, FIRST), &[("UserEndpoint", json!({"Host": "here", "Port": 1}))]))
            .then(StreamsGroupDescribe, 1, described),
        group_config(
            alone(case(StreamsGroupHeartbeat, "a member of a group that was configured anew").fresh()),
            "streams.num.standby.replicas",
            "1",
        )
        .ask(|s| beat(s, FIRST))
        .then(StreamsGroupDescribe, 1, described),
    ]
}

/// With an application that keeps state, its changelog being there, and one standby copy of it.
fn kept(case: Case) -> Case {
    let case = case.asked(CreateTopics, 7, |s| {
        json!({"Topics": [{"Name": format!("{}-state", s.topic), "NumPartitions": 2, "ReplicationFactor": 1,
            "Assignments": [], "Configs": []}], "timeoutMs": 30_000, "validateOnly": false})
    });
    group_config(hasty_with_topic(case, 2), "streams.num.standby.replicas", "1").asked(
        StreamsGroupHeartbeat,
        1,
        |s| joining_with(s, &keeping(s)),
    )
}

fn copies() -> Vec<Case> {
    let keeper = |s: &Scene| with(second(s), &[("Topology", keeping(s))]);
    vec![
        kept(case(StreamsGroupHeartbeat, "a second process has a copy").fresh()).ask(keeper).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
        kept(case(StreamsGroupHeartbeat, "a second thread has none").fresh())
            .ask(move |s| with(keeper(s), &[("ProcessId", json!("process-one"))]))
            .then(StreamsGroupDescribe, 1, described),
        kept(case(StreamsGroupHeartbeat, "an active task becomes a copy").fresh())
            .asked(StreamsGroupHeartbeat, 1, keeper)
            .ask(|s| having(s, FIRST, &[0, 1]))
            .then(StreamsGroupDescribe, 1, described),
    ]
}

fn invalid() -> Vec<Case> {
    let joining_with = |name: &'static str, field: &'static str, value: Value| {
        case(StreamsGroupHeartbeat, name)
            .errors(&[InvalidRequest])
            .ask(move |s| with(joining(s), &[(field, value.clone())]))
    };
    let tasks = json!([{"SubtopologyId": "0", "Partitions": [0]}]);
    vec![
        joining_with("no group", "GroupId", json!("")),
        joining_with("a group of blanks", "GroupId", json!("  ")),
        joining_with("no member id", "MemberId", json!("")),
        joining_with("an instance id of nothing", "InstanceId", json!("")),
        joining_with("a rack of nothing", "RackId", json!("")),
        joining_with("no rebalance time-out", "RebalanceTimeoutMs", json!(-1)),
        joining_with("who joins does not say what it has", "ActiveTasks", json!(null)),
        joining_with("who joins has something", "StandbyTasks", tasks.clone()),
        joining_with("who joins warms something up", "WarmupTasks", tasks.clone()),
        joining_with("who joins has no topology", "Topology", json!(null)),
        joining_with("an epoch that there is not", "MemberEpoch", json!(-3)),
        joining_with("a dynamic member leaves for a while", "MemberEpoch", json!(-2)),
        case(StreamsGroupHeartbeat, "a topology of who is there")
            .errors(&[InvalidRequest])
            .ask(|s| with(joining(s), &[("MemberEpoch", json!(FIRST))])),
        case(StreamsGroupHeartbeat, "tasks of one kind only")
            .errors(&[InvalidRequest])
            .ask(move |s| with(beat(s, FIRST), &[("ActiveTasks", tasks.clone())])),
    ]
}

fn static_joining(s: &Scene, member: &str) -> Value {
    with(joining(s), &[("MemberId", json!(member)), ("InstanceId", json!("name"))])
}

/// With the static member "one", which has all tasks.
fn named(case: Case) -> Case {
    hasty_with_topic(case, 3).asked(StreamsGroupHeartbeat, 1, |s| static_joining(s, "one"))
}

fn away(s: &Scene) -> Value {
    with(beat(s, -2), &[("InstanceId", json!("name"))])
}

fn statics() -> Vec<Case> {
    vec![
        named(case(StreamsGroupHeartbeat, "a static member").fresh())
            .ask(|s| with(beat(s, FIRST), &[("InstanceId", json!("name"))]))
            .then(StreamsGroupDescribe, 1, described),
        named(case(StreamsGroupHeartbeat, "a static member leaves for a while").fresh()).ask(away).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
        named(case(StreamsGroupHeartbeat, "a static member comes back under another id").fresh())
            .asked(StreamsGroupHeartbeat, 1, away)
            .ask(|s| static_joining(s, "two"))
            .then(StreamsGroupDescribe, 1, described),
        named(case(StreamsGroupHeartbeat, "a static member comes back in another process").fresh())
            .asked(StreamsGroupHeartbeat, 1, away)
            .ask(|s| with(static_joining(s, "two"), &[("ProcessId", json!("process-two"))]))
            .then(StreamsGroupDescribe, 1, described),
        named(case(StreamsGroupHeartbeat, "a static member comes back under its id").fresh())
            .asked(StreamsGroupHeartbeat, 1, away)
            .ask(|s| static_joining(s, "one"))
            .then(StreamsGroupDescribe, 1, described),
        named(case(StreamsGroupHeartbeat, "a static member that has not left"))
            .errors(&[UnreleasedInstanceId])
            .ask(|s| static_joining(s, "two")),
        named(case(StreamsGroupHeartbeat, "a static member whose place is another's"))
            .errors(&[FencedInstanceId])
            .ask(|s| with(beat(s, FIRST), &[("MemberId", json!("two")), ("InstanceId", json!("name"))])),
        named(case(StreamsGroupHeartbeat, "a static member that nobody knows"))
            .errors(&[UnknownMemberId])
            .ask(|s| with(beat(s, FIRST), &[("InstanceId", json!("other"))])),
        named(case(StreamsGroupHeartbeat, "a static member leaves for good").fresh())
            .ask(|s| with(beat(s, -1), &[("InstanceId", json!("name"))]))
            .then(StreamsGroupDescribe, 1, described),
    ]
}

fn leaves() -> Vec<Case> {
    vec![
        alone(case(StreamsGroupHeartbeat, "the last member leaves").fresh()).ask(|s| beat(s, -1)).then(
            StreamsGroupDescribe,
            1,
            described,
        ),
        two(case(StreamsGroupHeartbeat, "one of two leaves").fresh())
            .ask(|s| beat(s, -1))
            .then(StreamsGroupHeartbeat, 1, |s| with(beat(s, FIRST + 1), &[("MemberId", json!("two"))]))
            .then(StreamsGroupDescribe, 1, described),
        alone(case(StreamsGroupHeartbeat, "somebody leaves who is not there"))
            .errors(&[UnknownMemberId])
            .ask(|s| with(beat(s, -1), &[("MemberId", json!("two"))])),
        case(StreamsGroupHeartbeat, "a member leaves a group that is not there")
            .errors(&[GroupIdNotFound])
            .ask(|s| beat(s, -1)),
    ]
}

fn commit(s: &Scene, member: &str, epoch: i32) -> Value {
    json!({"GroupId": s.topic, "GenerationIdOrMemberEpoch": epoch, "MemberId": member, "GroupInstanceId": null,
        "Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 5,
            "CommittedLeaderEpoch": -1, "CommittedMetadata": ""}]}]})
}

fn offsets() -> Vec<Case> {
    let fetch = |member: Value, epoch: i32| {
        move |s: &Scene| {
            json!({"Groups": [{"GroupId": s.topic, "MemberId": member, "MemberEpoch": epoch, "Topics":
                [{"Name": s.topic, "PartitionIndexes": [0]}]}], "RequireStable": false})
        }
    };
    vec![
        alone(case(OffsetCommit, "of a streams member").versions(9, 9)).ask(|s| commit(s, "one", FIRST)),
        alone(case(OffsetCommit, "of a streams member in an old version").versions(8, 8))
            .errors(&[UnsupportedVersion])
            .ask(|s| commit(s, "one", FIRST)),
        alone(case(OffsetCommit, "of a streams member ahead of itself").versions(9, 9))
            .errors(&[StaleMemberEpoch])
            .ask(|s| commit(s, "one", FIRST + 1)),
        alone(case(OffsetCommit, "of a streams member behind itself").versions(9, 9))
            .errors(&[StaleMemberEpoch])
            .ask(|s| commit(s, "one", FIRST - 1)),
        alone(case(OffsetCommit, "of who is not in the streams group").versions(9, 9))
            .errors(&[UnknownMemberId])
            .ask(|s| commit(s, "two", FIRST)),
        alone(case(OffsetFetch, "of a streams member").versions(9, 9)).ask(fetch(json!("one"), FIRST)),
        alone(case(OffsetFetch, "of a streams member behind itself").versions(9, 9))
            .errors(&[StaleMemberEpoch])
            .ask(fetch(json!("one"), FIRST - 1)),
        alone(case(OffsetFetch, "of who is not in the streams group").versions(9, 9))
            .errors(&[UnknownMemberId])
            .ask(fetch(json!("two"), FIRST)),
        alone(case(OffsetDelete, "of a topic that a streams group reads"))
            .errors(&[GroupSubscribedToTopic])
            .ask(|s| {
                json!({"GroupId": s.topic, "Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 0}]}]})
            }),
        alone(case(DeleteGroups, "a streams group in use"))
            .errors(&[NonEmptyGroup])
            .ask(|s| json!({"GroupsNames": [s.topic]})),
        alone(case(DeleteGroups, "a streams group that is empty").fresh())
            .asked(StreamsGroupHeartbeat, 1, |s| beat(s, -1))
            .ask(|s| json!({"GroupsNames": [s.topic]}))
            .then(StreamsGroupDescribe, 1, described),
    ]
}

fn others() -> Vec<Case> {
    vec![
        alone(case(JoinGroup, "a streams group in use").versions(5, 9))
            .errors(&[InconsistentGroupProtocol])
            .ask(|s| join(s, "", &json!("classic"))),
        alone(case(JoinGroup, "a streams group that is empty").versions(5, 9).fresh())
            .asked(StreamsGroupHeartbeat, 1, |s| beat(s, -1))
            .ask(|s| join(s, "", &json!("classic")))
            .then(StreamsGroupDescribe, 1, described),
        alone(case(Heartbeat, "in a streams group"))
            .errors(&[UnknownMemberId])
            .ask(|s| json!({"GroupId": s.topic, "GenerationId": FIRST, "MemberId": "one"})),
        alone(case(LeaveGroup, "a streams group").versions(3, 5))
            .errors(&[UnknownMemberId])
            .ask(|s| json!({"GroupId": s.topic, "Members": [{"MemberId": "one", "GroupInstanceId": null}]})),
        alone(case(ConsumerGroupHeartbeat, "a streams group")).errors(&[GroupIdNotFound]).ask(|s| {
            json!({"GroupId": s.topic, "MemberId": "c", "MemberEpoch": 0, "InstanceId": null, "RackId": null,
                "RebalanceTimeoutMs": 1000, "SubscribedTopicNames": [], "SubscribedTopicRegex": null,
                "ServerAssignor": null, "TopicPartitions": []})
        }),
        alone(case(ConsumerGroupDescribe, "a streams group"))
            .errors(&[GroupIdNotFound])
            .ask(|s| json!({"GroupIds": [s.topic]})),
        alone(case(DescribeGroups, "a streams group").versions(6, 6))
            .errors(&[GroupIdNotFound])
            .ask(|s| json!({"Groups": [s.topic]})),
        case(StreamsGroupHeartbeat, "a classic group in use")
            .topic(1)
            .member()
            .errors(&[GroupIdNotFound])
            .ask(joining),
        hasty_with_topic(case(StreamsGroupHeartbeat, "a group that only has offsets").fresh(), 3)
            .asked(OffsetCommit, 9, |s| commit(s, "", -1))
            .ask(joining)
            .then(StreamsGroupDescribe, 1, described),
    ]
}

fn tells() -> Vec<Case> {
    vec![
        case(StreamsGroupDescribe, "groups that are not there")
            .errors(&[GroupIdNotFound, InvalidGroupId])
            .ask(|_| json!({"GroupIds": ["nowhere", ""]})),
        case(StreamsGroupDescribe, "a classic group")
            .topic(1)
            .member()
            .errors(&[GroupIdNotFound])
            .ask(|s| json!({"GroupIds": [s.topic]})),
        two(case(StreamsGroupDescribe, "a group with its operations")).ask(described),
        alone(case(StreamsGroupDescribe, "a group with its description").versions(1, 1))
            .ask(|s| json!({"GroupIds": [s.topic], "IncludeTopologyDescription": true})),
        alone(case(StreamsGroupTopologyDescriptionUpdate, "without a plugin"))
            .errors(&[UnsupportedVersion])
            .ask(|s| {
                json!({"GroupId": s.topic, "MemberId": "one", "TopologyEpoch": 0,
                    "TopologyDescription": {"Subtopologies": [], "GlobalStores": []}})
            }),
    ]
}
