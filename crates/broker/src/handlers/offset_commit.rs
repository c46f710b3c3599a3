//! OffsetCommit, 0 to 10: keeps how far a group has read.
//!
//! 1 adds generation and member (0 was kept in ZooKeeper once; here it lies in the same log), 2 a retention time of
//! the request's own, which 5 takes away (KIP-211), 6 leader epochs (KIP-320), 7 static members (KIP-345), 9 members
//! of the consumer protocol (KIP-848), 10 topic ids (KIP-516).

use std::sync::Arc;

use coordinator::group::offsets::commit::{Commit, Committer, NewOffset};
use coordinator::group::{Generation, Millis};
use metadata::Image;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, PartitionIndex, Timestamp};
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::offset::Offset;

use super::{Call, find_coordinator};

/// The first version whose clients ask for a coordinator.
const COORDINATED_SINCE: i16 = 1;
/// The first version that says of a group that it is not there.
const MISSING_GROUPS_SINCE: i16 = 9;
/// The first version with topic ids.
const IDS_SINCE: i16 = 10;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: OffsetCommitRequest<'a>) -> OffsetCommitResponse<'a> {
    let image = call.broker.image();
    let mut offsets = Vec::new();
    let mut topics: Vec<OffsetCommitResponseTopic<'a>> = Vec::new();
    // Where the outcome of each offset that is committed stands in the answer.
    let mut places = Vec::new();
    for topic in &request.topics {
        let found = Named::find(call.asked.version, &image, &topic);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let error = match &found {
                Ok(named) if named.has(partition.partition_index) => {
                    places.push((topics.len(), partitions.len()));
                    offsets.push(named.offset(&partition));
                    ErrorCode::None
                }
                Ok(_) => ErrorCode::UnknownTopicOrPartition,
                Err(error) => *error,
            };
            partitions.push(answered(partition.partition_index, error));
        }
        topics.push(OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.into(),
        });
    }
    let outcomes = if offsets.is_empty() { Vec::new() } else { commit(call, &request, offsets).await };
    let mut errors: Vec<Vec<OffsetCommitResponsePartition>> =
        topics.iter().map(|topic| topic.partitions.iter().collect()).collect();
    for ((topic, partition), error) in places.into_iter().zip(outcomes) {
        errors[topic][partition].error_code = error.into();
    }
    let topics = topics
        .into_iter()
        .zip(errors)
        .map(|(topic, partitions)| OffsetCommitResponseTopic { partitions: partitions.into(), ..topic });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}

/// Commits; the outcome of each offset, in order.
async fn commit(call: &Call, request: &OffsetCommitRequest<'_>, offsets: Vec<NewOffset>) -> Vec<ErrorCode> {
    let count = offsets.len();
    if call.asked.version < COORDINATED_SINCE {
        find_coordinator::be_ready(call, &request.group_id).await;
    }
    let commit = Commit {
        committer: Committer {
            group: Arc::from(&*request.group_id),
            member: Arc::from(&*request.member_id),
            instance: request.group_instance_id.as_deref().map(Arc::from),
            generation: Generation(request.generation_id_or_member_epoch),
        },
        retention: (request.retention_time_ms != -1).then_some(Millis(request.retention_time_ms)),
        offsets,
        transaction: None,
        knows_missing_groups: call.asked.version >= MISSING_GROUPS_SINCE,
    };
    let groups = &call.broker.coordinators.groups;
    // Who claims no generation may commit where nobody is a member.
    if request.generation_id_or_member_epoch < 0 {
        groups.settle(&request.group_id).await;
    }
    match groups.submit(&request.group_id, |shard, ground| shard.commit_offsets(ground, &commit)).await {
        Ok(outcomes) => {
            let kept = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            call.broker.metrics.groups.offset_commits.add(u64::try_from(kept).unwrap_or(u64::MAX));
            let errors = outcomes.into_iter();
            errors.map(|outcome| outcome.map_or_else(ErrorCode::from, |()| ErrorCode::None)).collect()
        }
        Err(error) => {
            tracing::debug!(group = &*request.group_id, %error, "offsets not committed");
            vec![error.into(); count]
        }
    }
}

fn answered(index: i32, error: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index: index, error_code: error.into() }
}

/// A topic as the request names it.
struct Named<'i> {
    topic: &'i metadata::image::Topic,
    name: Arc<str>,
}

impl<'i> Named<'i> {
    fn find(version: i16, image: &'i Image, asked: &OffsetCommitRequestTopic<'_>) -> Result<Self, ErrorCode> {
        let (found, error) = if version >= IDS_SINCE {
            (image.topics.get(asked.topic_id), ErrorCode::UnknownTopicId)
        } else {
            (image.topics.by_name(&asked.name), ErrorCode::UnknownTopicOrPartition)
        };
        found.map(|topic| Self { topic, name: topic.name.clone() }).ok_or(error)
    }

    fn has(&self, index: i32) -> bool {
        self.topic.partition(PartitionIndex(index)).is_some()
    }

    fn offset(&self, asked: &OffsetCommitRequestPartition<'_>) -> NewOffset {
        NewOffset {
            topic: self.name.clone(),
            topic_id: self.topic.id,
            partition: PartitionIndex(asked.partition_index),
            offset: Offset(asked.committed_offset),
            leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
            metadata: asked.committed_metadata.as_deref().unwrap_or_default().to_owned(),
            committed_at: (asked.commit_timestamp != -1).then_some(Timestamp(asked.commit_timestamp)),
        }
    }
}
