//! OffsetDelete, 0: takes away what a group has committed for topics that it no longer reads (KIP-496).

use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::Call;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: OffsetDeleteRequest<'a>) -> OffsetDeleteResponse<'a> {
    let image = call.broker.image();
    let mut asked = Vec::new();
    for topic in &request.topics {
        let Some(known) = image.topics.by_name(&topic.name) else { continue };
        let indexes = topic.partitions.iter().map(|partition| PartitionIndex(partition.partition_index));
        let there = indexes.filter(|index| known.partition(*index).is_some());
        asked.extend(there.map(|index| (known.name.clone(), index)));
    }
    let groups = &call.broker.coordinators.groups;
    groups.settle(&request.group_id).await;
    let known = asked.clone();
    let deleted =
        groups.submit(&request.group_id, |shard, _| shard.delete_offsets(&request.group_id, &known)).await;
    let outcomes = match deleted {
        Ok(outcomes) => outcomes,
        Err(error) => {
            let error = ErrorCode::from(error);
            return OffsetDeleteResponse { error_code: error.into(), ..OffsetDeleteResponse::default() };
        }
    };
    let mut outcomes = asked.into_iter().zip(outcomes);
    let topics = request.topics.iter().map(|topic| {
        let known = image.topics.by_name(&topic.name);
        let partitions = topic.partitions.iter().map(|partition| {
            let index = PartitionIndex(partition.partition_index);
            let there = known.is_some_and(|known| known.partition(index).is_some());
            let outcome = if there { outcomes.next().map(|(_, outcome)| outcome) } else { None };
            let error = match outcome {
                Some(Ok(())) => ErrorCode::None,
                Some(Err(refusal)) => refusal.into(),
                None => ErrorCode::UnknownTopicOrPartition,
            };
            OffsetDeleteResponsePartition { partition_index: index.0, error_code: error.into() }
        });
        OffsetDeleteResponseTopic { partitions: partitions.collect(), name: topic.name }
    });
    OffsetDeleteResponse { topics: topics.collect(), ..OffsetDeleteResponse::default() }
}
