//! ConsumerGroupDescribe, 0 to 1: consumer groups with their members (KIP-848).
//!
//! 1 says of each member which protocol it speaks (KIP-1099).

use std::sync::Arc;

use coordinator::group::assignor::Partitions;
use coordinator::group::consumer::{DescribedConsumer, DescribedConsumerGroup};
use metadata::Image;
use protocol::ErrorCode;
use protocol::messages::InPieces;
use protocol::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member,
    TopicPartitions,
};

use super::Call;
use super::authorized_operations::{GROUP, NOT_ASKED};
use super::named_groups::{NamedGroups, refuse_modern};
use super::sentence::sentence;

/// A member that speaks the classic protocol.
const CLASSIC: i8 = 0;
/// A member that speaks the consumer protocol.
const CONSUMER: i8 = 1;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: ConsumerGroupDescribeRequest<'a>,
) -> InPieces<'a, ConsumerGroupDescribeResponse<'a>> {
    let operations = if request.include_authorized_operations { GROUP } else { NOT_ASKED };
    let (image, config) = (call.broker.image(), call.broker.config().groups.decisions.clone());
    let enabled = call.broker.serves_consumer_groups();
    let named = NamedGroups::look(
        call,
        request.group_ids.into_vec(),
        |id| refuse_modern(enabled, id),
        |shard, id| shard.describe_consumers(id, &config.consumer),
    );
    let named = Arc::new(named.await);
    let lengths: Vec<usize> = (0..named.count()).map(|place| members(&named, place).len()).collect();
    let of_members = named.clone();
    let member = move |place: usize, index: usize| told_member(&members(&of_members, place)[index], &image);
    let described = move |place: usize, _: bool| {
        let (id, group) = named.at(place);
        let group = match group {
            Ok(Some(group)) => DescribedGroup { authorized_operations: operations, ..told(group) },
            Ok(None) => DescribedGroup {
                error_message: Some(sentence(format!("there is no consumer group '{id}'"))),
                ..refused(ErrorCode::GroupIdNotFound)
            },
            Err(error) => refused(*error),
        };
        DescribedGroup { group_id: id.clone(), ..group }
    };
    let bare = ConsumerGroupDescribeResponse::default();
    InPieces::nested(bare, |response| &response.groups, &lengths, described, (|group| &group.members, member))
}

fn members<'n>(named: &'n NamedGroups<'_, DescribedConsumerGroup>, place: usize) -> &'n [DescribedConsumer] {
    named.members(place, |group| &group.members)
}

fn refused<'a>(error: ErrorCode) -> DescribedGroup<'a> {
    DescribedGroup { error_code: error.into(), ..DescribedGroup::default() }
}

/// A group but for its members.
fn told<'a>(group: &DescribedConsumerGroup) -> DescribedGroup<'a> {
    DescribedGroup {
        group_state: group.state.into(),
        group_epoch: group.epoch.0,
        assignment_epoch: group.target_epoch.0,
        assignor_name: group.assignor.to_string().into(),
        ..DescribedGroup::default()
    }
}

fn told_member<'a>(member: &DescribedConsumer, image: &Image) -> Member<'a> {
    Member {
        member_id: member.id.to_string().into(),
        instance_id: member.instance.as_ref().map(|instance| instance.to_string().into()),
        rack_id: member.rack.as_ref().map(|rack| rack.to_string().into()),
        member_epoch: member.epoch.0,
        client_id: member.client_id.to_string().into(),
        client_host: member.client_host.to_string().into(),
        subscribed_topic_names: member.topics.iter().map(|topic| topic.to_string().into()).collect(),
        subscribed_topic_regex: member.regex.as_ref().map(|regex| regex.to_string().into()),
        assignment: assignment(&member.assigned, image),
        target_assignment: assignment(&member.target, image),
        member_type: if member.is_classic { CLASSIC } else { CONSUMER },
    }
}

/// Partitions by the names of their topics; those of topics that are gone are left out.
fn assignment<'a>(partitions: &Partitions, image: &Image) -> Assignment<'a> {
    let topics = partitions.iter().filter_map(|(id, indexes)| {
        Some(TopicPartitions {
            topic_id: *id,
            topic_name: image.topics.get(*id)?.name.to_string().into(),
            partitions: indexes.iter().map(|index| index.0).collect(),
        })
    });
    Assignment { topic_partitions: topics.collect() }
}
