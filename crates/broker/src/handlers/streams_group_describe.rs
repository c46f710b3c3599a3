//! StreamsGroupDescribe, 0 to 1: streams groups with topology and members (KIP-1071).
//!
//! 1 names the assignor, and has the description of the topology where a plugin keeps it; there is none.

use std::borrow::Cow;
use std::sync::Arc;

use coordinator::group::streams::{
    DescribedStreamsGroup, DescribedStreamsMember, DescribedSubtopology, DescribedTopic, HeldTasks, Offsets,
    Tasks,
};
use protocol::ErrorCode;
use protocol::messages::InPieces;
use protocol::messages::streams_group_describe::{
    Assignment, DescribedGroup, Endpoint, KeyValue, Member, StreamsGroupDescribeRequest,
    StreamsGroupDescribeResponse, Subtopology, TaskIds, TaskOffset, TopicInfo, Topology,
};
use protocol::wire::Array;

use super::Call;
use super::authorized_operations::{GROUP, NOT_ASKED};
use super::named_groups::{NamedGroups, refuse_modern};
use super::sentence::sentence;

/// The only assignor there is.
const ASSIGNOR: &str = "sticky";
/// No description of the topology is kept.
const NOT_STORED: i8 = 1;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: StreamsGroupDescribeRequest<'a>,
) -> InPieces<'a, StreamsGroupDescribeResponse<'a>> {
    let operations = if request.include_authorized_operations { GROUP } else { NOT_ASKED };
    let description = if request.include_topology_description { NOT_STORED } else { 0 };
    let enabled = call.broker.serves_streams_groups();
    let ids = request.group_ids.into_vec();
    let refuse = |id: &str| refuse_modern(enabled, id);
    let named = NamedGroups::look(call, ids, refuse, |shard, id| shard.describe_streams(id));
    let named = Arc::new(named.await);
    let lengths: Vec<usize> = (0..named.count()).map(|place| members(&named, place).len()).collect();
    let of_members = named.clone();
    let of_place = move |place: usize, index: usize| member(&members(&of_members, place)[index]);
    let described = move |place: usize, begins: bool| {
        let (id, group) = named.at(place);
        let group = match group {
            Ok(Some(group)) => DescribedGroup {
                // It may be long, and stands before the members.
                topology: group.topology.as_ref().filter(|_| begins).map(topology),
                authorized_operations: operations,
                topology_description_status: description,
                ..told(group)
            },
            Ok(None) => DescribedGroup {
                error_message: Some(sentence(format!("there is no streams group '{id}'"))),
                ..refused(ErrorCode::GroupIdNotFound)
            },
            Err(error) => refused(*error),
        };
        DescribedGroup { group_id: id.clone(), ..group }
    };
    let bare = StreamsGroupDescribeResponse::default();
    InPieces::nested(
        bare,
        |response| &response.groups,
        &lengths,
        described,
        (|group| &group.members, of_place),
    )
}

fn members<'n>(
    named: &'n NamedGroups<'_, DescribedStreamsGroup>,
    place: usize,
) -> &'n [DescribedStreamsMember] {
    named.members(place, |group| &group.members)
}

fn refused<'a>(error: ErrorCode) -> DescribedGroup<'a> {
    DescribedGroup { error_code: error.into(), ..DescribedGroup::default() }
}

/// A group but for its topology and its members.
fn told<'a>(group: &DescribedStreamsGroup) -> DescribedGroup<'a> {
    DescribedGroup {
        group_state: group.state.into(),
        group_epoch: group.epoch.0,
        assignment_epoch: group.target_epoch.0,
        assignor_name: Some(ASSIGNOR.into()),
        ..DescribedGroup::default()
    }
}

type Text = Cow<'static, str>;

fn texts(words: &[Arc<str>]) -> Array<'static, Text> {
    words.iter().map(|word| Text::from(word.to_string())).collect()
}

fn topology<'a>((epoch, parts): &(i32, Vec<DescribedSubtopology>)) -> Topology<'a> {
    Topology { epoch: *epoch, subtopologies: Some(parts.iter().map(subtopology).collect()) }
}

fn subtopology<'a>(part: &DescribedSubtopology) -> Subtopology<'a> {
    Subtopology {
        subtopology_id: part.id.to_string().into(),
        source_topics: texts(&part.sources),
        repartition_sink_topics: texts(&part.repartition_sinks),
        state_changelog_topics: part.changelogs.iter().map(topic_info).collect(),
        repartition_source_topics: part.repartition_sources.iter().map(topic_info).collect(),
    }
}

fn topic_info<'a>(topic: &DescribedTopic) -> TopicInfo<'a> {
    let configs = topic.configs.iter();
    TopicInfo {
        name: topic.name.to_string().into(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: configs.map(|(key, value)| key_value(key, value)).collect(),
    }
}

fn key_value(key: &str, value: &str) -> KeyValue<'static> {
    KeyValue { key: key.to_owned().into(), value: value.to_owned().into() }
}

fn member<'a>(described: &DescribedStreamsMember) -> Member<'a> {
    let DescribedStreamsMember { id, member, target, told } = described;
    let text = |word: &Arc<str>| Text::from(word.to_string());
    Member {
        member_id: text(id),
        member_epoch: member.epoch.0,
        instance_id: member.instance.as_ref().map(text),
        rack_id: member.rack.as_ref().map(text),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        topology_epoch: member.topology_epoch,
        process_id: text(&member.process),
        user_endpoint: member.endpoint.as_ref().map(|at| Endpoint { host: text(&at.host), port: at.port }),
        client_tags: member.tags.iter().map(|(key, value)| key_value(key, value)).collect(),
        task_offsets: task_offsets(&told.offsets),
        task_end_offsets: task_offsets(&told.end_offsets),
        assignment: Assignment {
            active_tasks: held(&member.assigned.active),
            standby_tasks: tasks(&member.assigned.standby),
            warmup_tasks: tasks(&member.assigned.warmup),
        },
        target_assignment: Assignment {
            active_tasks: tasks(&target.active),
            standby_tasks: tasks(&target.standby),
            warmup_tasks: tasks(&target.warmup),
        },
        is_classic: false,
    }
}

fn tasks(tasks: &Tasks) -> Array<'static, TaskIds<'static>> {
    let of_part = tasks.iter().map(|(id, tasks)| TaskIds {
        subtopology_id: id.to_string().into(),
        partitions: tasks.iter().map(|task| task.0).collect(),
    });
    of_part.collect()
}

fn held(tasks: &HeldTasks) -> Array<'static, TaskIds<'static>> {
    let of_part = tasks.iter().map(|(id, tasks)| TaskIds {
        subtopology_id: id.to_string().into(),
        partitions: tasks.keys().map(|task| task.0).collect(),
    });
    of_part.collect()
}

fn task_offsets(offsets: &Offsets) -> Array<'static, TaskOffset<'static>> {
    let all = offsets.iter().flat_map(|(id, tasks)| {
        tasks.iter().map(|(task, offset)| TaskOffset {
            subtopology_id: id.to_string().into(),
            partition: task.0,
            offset: *offset,
        })
    });
    all.collect()
}
