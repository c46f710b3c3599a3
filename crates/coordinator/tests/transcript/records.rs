//! Records in words.

use coordinator::record::GroupRecord;
use protocol::messages::Message;
use protocol::messages::record::ConsumerProtocolAssignment;

use super::consumers::{in_words, progress};
use super::words::short;

/// A part in words, whether it is one that consumers could read or any bytes.
pub fn part_in_words(part: &[u8]) -> String {
    match part {
        [0, 0..=3, body @ ..] => {
            let assignment = ConsumerProtocolAssignment::decode(body, i16::from(part[1])).unwrap();
            let topics = assignment.assigned_partitions.iter().map(|topic| {
                let indexes: Vec<String> = topic.partitions.iter().map(|index| index.to_string()).collect();
                format!("{}:{}", topic.topic, indexes.join(","))
            });
            topics.collect::<Vec<_>>().join("+")
        }
        _ => String::from_utf8_lossy(part).into_owned(),
    }
}

/// A record in words.
pub fn record(record: &GroupRecord<'_>) -> String {
    match record {
        GroupRecord::OffsetCommit(key, None) => {
            format!("offset of {} for {}-{} is gone", key.group, key.topic, key.partition)
        }
        GroupRecord::OffsetCommit(key, Some(value)) => {
            let note =
                if value.metadata.is_empty() { String::new() } else { format!(" '{}'", value.metadata) };
            format!("offset of {} for {}-{} is {}{note}", key.group, key.topic, key.partition, value.offset)
        }
        GroupRecord::GroupMetadata(key, None) => format!("group {} is gone", key.group),
        GroupRecord::GroupMetadata(key, Some(value)) => {
            let members = value.members.iter().map(|member| {
                let assignment = part_in_words(&member.assignment);
                format!("{}:{assignment}", short(&member.member_id))
            });
            let members: Vec<String> = members.collect();
            format!(
                "group {} gen {} {} leader {} [{}]",
                key.group,
                value.generation,
                value.protocol.as_deref().unwrap_or("-"),
                short(value.leader.as_deref().unwrap_or_default()),
                members.join(" ")
            )
        }
        other => consumer_record(other),
    }
}

/// A record of a consumer group in words.
fn consumer_record(record: &GroupRecord<'_>) -> String {
    match record {
        GroupRecord::ConsumerGroupMetadata(key, Some(value)) => {
            format!("{} at epoch {}", key.group_id, value.epoch)
        }
        GroupRecord::ConsumerGroupMetadata(key, None) => format!("consumer group {} is gone", key.group_id),
        GroupRecord::ConsumerGroupMemberMetadata(key, Some(value)) => {
            let topics: Vec<String> =
                value.subscribed_topic_names.iter().map(|topic| topic.to_string()).collect();
            let word = |name: &str, value: Option<&str>| {
                value
                    .filter(|value| !value.is_empty())
                    .map_or_else(String::new, |value| format!(" {name} {value}"))
            };
            let classic = value.classic_member_metadata.as_ref().map_or("", |_| " classic");
            format!(
                "{} of {} reads [{}]{}{}{}{}{classic}",
                short(&key.member_id),
                key.group_id,
                topics.join(" "),
                word("regex", value.subscribed_topic_regex.as_deref()),
                word("instance", value.instance_id.as_deref()),
                word("rack", value.rack_id.as_deref()),
                word("assignor", value.server_assignor.as_deref()),
            )
        }
        GroupRecord::ConsumerGroupMemberMetadata(key, None) => {
            format!("{} of {} is gone", short(&key.member_id), key.group_id)
        }
        other => assignment_record(other),
    }
}

/// A record of what members of a consumer group have and are to have, in words.
fn assignment_record(record: &GroupRecord<'_>) -> String {
    match record {
        GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, Some(value)) => {
            format!(
                "target of {} at {} made {}",
                key.group_id, value.assignment_epoch, value.assignment_timestamp
            )
        }
        GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, None) => {
            format!("target of {} is gone", key.group_id)
        }
        GroupRecord::ConsumerGroupPartitionMetadata(key, None) => {
            format!("topics of {} are kept no longer", key.group_id)
        }
        GroupRecord::ConsumerGroupTargetAssignmentMember(key, Some(value)) => {
            let topics = value.topic_partitions.iter();
            let partitions =
                in_words(topics.map(|topic| (topic.topic_id, topic.partitions.iter().collect())));
            format!("{} of {} wants {partitions}", short(&key.member_id), key.group_id)
        }
        GroupRecord::ConsumerGroupTargetAssignmentMember(key, None) => {
            format!("{} of {} wants no more", short(&key.member_id), key.group_id)
        }
        GroupRecord::ConsumerGroupCurrentMemberAssignment(key, Some(value)) => {
            let now = |epoch| epoch == value.member_epoch;
            format!("{} of {} {}", short(&key.member_id), key.group_id, progress(value, now))
        }
        GroupRecord::ConsumerGroupCurrentMemberAssignment(key, None) => {
            format!("{} of {} has no more", short(&key.member_id), key.group_id)
        }
        GroupRecord::ConsumerGroupRegularExpression(key, Some(value)) => {
            let topics: Vec<String> = value.topics.iter().map(|topic| topic.to_string()).collect();
            format!("{} of {} matches [{}]", key.regular_expression, key.group_id, topics.join(" "))
        }
        GroupRecord::ConsumerGroupRegularExpression(key, None) => {
            format!("{} of {} is gone", key.regular_expression, key.group_id)
        }
        other => format!("{other:?}"),
    }
}
