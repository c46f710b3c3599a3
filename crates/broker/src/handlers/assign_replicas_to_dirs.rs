//! AssignReplicasToDirs, 0: a broker tells the controller in which of its log directories its replicas lie (KIP-858).
//!
//! Served on the controller's port only. Our own broker tells by `runtime/directory_reports.rs`, without a request.

use std::collections::VecDeque;

use metadata::controller::directories::decide_assign_replicas;
use metadata::controller::partitions::ReplicaDirectory;
use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, NodeId, PartitionIndex};
use protocol::messages::assign_replicas_to_dirs::{
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, ResponseDirectoryData, ResponsePartitionData,
    ResponseTopicData,
};

use super::Call;
use super::ask::ask;

/// The request says nothing of how long it may take.
const TIMEOUT_MS: i32 = 30_000;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: AssignReplicasToDirsRequest<'a>,
) -> AssignReplicasToDirsResponse<'a> {
    let who = (NodeId(request.broker_id), BrokerEpoch(request.broker_epoch));
    let mut replicas = Vec::new();
    for directory in &request.directories {
        for topic in &directory.topics {
            replicas.extend(topic.partitions.iter().map(|partition| ReplicaDirectory {
                topic: topic.topic_id,
                partition: PartitionIndex(partition.partition_index),
                directory: directory.id,
            }));
        }
    }
    let decided = ask(call, TIMEOUT_MS, move |image, _| decide_assign_replicas(image, who, &replicas)).await;
    let mut codes: VecDeque<ErrorCode> = match decided {
        Ok(outcomes) => {
            let code = |outcome: Result<(), metadata::Refusal>| match outcome {
                Ok(()) => ErrorCode::None,
                Err(refusal) => ErrorCode::from(&refusal),
            };
            outcomes.into_iter().map(code).collect()
        }
        Err(refused) => {
            let error_code = refused.code.into();
            return AssignReplicasToDirsResponse { error_code, ..Default::default() };
        }
    };
    let directories = request.directories.iter().map(|directory| {
        let topics = directory.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| ResponsePartitionData {
                partition_index: partition.partition_index,
                error_code: codes.pop_front().unwrap_or(ErrorCode::UnknownServerError).into(),
            });
            ResponseTopicData { topic_id: topic.topic_id, partitions: partitions.collect() }
        });
        ResponseDirectoryData { id: directory.id, topics: topics.collect() }
    });
    AssignReplicasToDirsResponse { directories: directories.collect(), ..Default::default() }
}
