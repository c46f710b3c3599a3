//! TxnOffsetCommit, 0 to 6: offsets of a group that count when a transaction commits (KIP-98, KIP-447).
//!
//! 2 adds leader epochs, 3 generation and member, 4 knows TRANSACTION_ABORTABLE, 5 itself adds the group's partition to
//! the transaction (KIP-890), 6 names topics by id (KIP-1319). Before anything is written the transaction's coordinator
//! is asked, as for every partition that a transaction writes to.

use std::sync::Arc;

use coordinator::group::Generation;
use coordinator::group::offsets::commit::{Commit, Committer, NewOffset};
use coordinator::transaction::{Producer, TxnPartition};
use metadata::Image;
use metadata::image::Topic;
use partition::Verification;
use partition::verifications::FirstBatch;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId, Sequence};
use protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};
use protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use protocol::offset::Offset;
use storage::log::AppendError;

use super::Call;
use crate::runtime::coordinators::WritesAs;

/// The first version that knows COORDINATOR_LOAD_IN_PROGRESS.
const LOADING_SINCE: i16 = 2;
/// The first version with topic ids, and that tells a group which is not there from a wrong generation.
const IDS_SINCE: i16 = 6;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: TxnOffsetCommitRequest<'a>) -> TxnOffsetCommitResponse<'a> {
    let image = call.broker.image();
    let mut offsets = Vec::new();
    let mut topics: Vec<(TxnOffsetCommitResponseTopic<'a>, Vec<TxnOffsetCommitResponsePartition>)> =
        Vec::new();
    // Where the outcome of each offset that is committed stands in the answer.
    let mut places = Vec::new();
    for topic in &request.topics {
        let found = find(call.asked.version, &image, &topic);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let index = PartitionIndex(asked.partition_index);
            let error_code = match found {
                Ok(known) if known.partition(index).is_some() => {
                    places.push((topics.len(), partitions.len()));
                    offsets.push(offset(known, &asked));
                    ErrorCode::None.into()
                }
                Ok(_) => ErrorCode::UnknownTopicOrPartition.into(),
                Err(error) => error.into(),
            };
            partitions.push(TxnOffsetCommitResponsePartition { partition_index: index.0, error_code });
        }
        let named = TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            ..TxnOffsetCommitResponseTopic::default()
        };
        topics.push((named, partitions));
    }
    let count = offsets.len();
    let outcomes = match count {
        0 => Vec::new(),
        _ => commit(call, &request, offsets).await.unwrap_or_else(|error| vec![error; count]),
    };
    for ((topic, partition), error) in places.into_iter().zip(outcomes) {
        let loading = error == ErrorCode::CoordinatorLoadInProgress && call.asked.version < LOADING_SINCE;
        let error = if loading { ErrorCode::CoordinatorNotAvailable } else { error };
        topics[topic].1[partition].error_code = error.into();
    }
    let topics = topics
        .into_iter()
        .map(|(topic, partitions)| TxnOffsetCommitResponseTopic { partitions: partitions.into(), ..topic });
    TxnOffsetCommitResponse { topics: topics.collect(), ..TxnOffsetCommitResponse::default() }
}

fn find<'i>(
    version: i16,
    image: &'i Image,
    asked: &TxnOffsetCommitRequestTopic<'_>,
) -> Result<&'i Arc<Topic>, ErrorCode> {
    if version >= IDS_SINCE {
        image.topics.get(asked.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topics.by_name(&asked.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

fn offset(topic: &Topic, asked: &TxnOffsetCommitRequestPartition<'_>) -> NewOffset {
    NewOffset {
        topic: topic.name.clone(),
        topic_id: topic.id,
        partition: PartitionIndex(asked.partition_index),
        offset: Offset(asked.committed_offset),
        leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
        metadata: asked.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        committed_at: None,
    }
}

/// Commits; the outcome of each offset, in order.
async fn commit(
    call: &Call,
    request: &TxnOffsetCommitRequest<'_>,
    offsets: Vec<NewOffset>,
) -> Result<Vec<ErrorCode>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let verification = verify(call, request).await?;
    let commit = Commit {
        committer: Committer {
            group: Arc::from(&*request.group_id),
            member: Arc::from(&*request.member_id),
            instance: request.group_instance_id.as_deref().map(Arc::from),
            generation: Generation(request.generation_id_or_member_epoch),
        },
        retention: None,
        offsets,
        transaction: Some((ProducerId(request.producer_id), ProducerEpoch(request.producer_epoch))),
        knows_missing_groups: call.asked.version >= IDS_SINCE,
    };
    let groups = &call.broker.coordinators.groups;
    let committed = groups.submit_verified(&request.group_id, verification, |shard, ground| {
        shard.commit_offsets(ground, &commit)
    });
    let outcomes = committed.await.map_err(|error| {
        tracing::debug!(group = &*request.group_id, %error, "offsets not committed in a transaction");
        ErrorCode::from(error)
    })?;
    let kept = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    call.broker.metrics.groups.offset_commits.add(u64::try_from(kept).unwrap_or(u64::MAX));
    Ok(outcomes
        .into_iter()
        .map(|outcome| outcome.map_or_else(ErrorCode::from, |()| ErrorCode::None))
        .collect())
}

/// Asks the transaction's coordinator about the partition that keeps the group's offsets, unless the transaction is known
/// to be open there.
async fn verify(call: &Call, request: &TxnOffsetCommitRequest<'_>) -> Result<Verification, ErrorCode> {
    let writes = WritesAs::of_offset_commit(call.asked.version);
    if !writes.supports_epoch_bump() && !call.broker.config().transactions.verifies {
        return Ok(Verification::NotRequired);
    }
    let replica = call.broker.coordinators.groups.replica_of(&request.group_id).map_err(ErrorCode::from)?;
    let producer =
        Producer { id: ProducerId(request.producer_id), epoch: ProducerEpoch(request.producer_epoch) };
    let first = FirstBatch {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence: Sequence::NONE,
        supports_epoch_bump: writes.supports_epoch_bump(),
    };
    let begun = replica.begin_verification(call.broker.now(), &first);
    let Some(guard) = begun.map_err(|error| refused(&error))? else { return Ok(Verification::Missing) };
    let partition = TxnPartition { topic: replica.topic().clone(), index: replica.index };
    let said =
        call.broker.coordinators.ask_about(&request.transactional_id, producer, &[partition], writes).await;
    match said.first() {
        None | Some(ErrorCode::None) => Ok(Verification::Verified(guard)),
        Some(error) => {
            if !error.is_retriable() {
                replica.withdraw_verification(guard, &first);
            }
            Err(*error)
        }
    }
}

fn refused(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Refused(refusal) => refusal.into(),
        AppendError::Fault(_) => ErrorCode::NotCoordinator,
    }
}
