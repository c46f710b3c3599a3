//! AlterReplicaLogDirs, 0 to 2: has replicas of this broker moved to other log directories (KIP-113).
//!
//! The answer says that a move has begun; DescribeLogDirs shows the replica twice until it has ended.

use std::path::{Path, PathBuf};

use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};
use storage::TopicPartition;
use storage::directory_state::DirectoryHealth;

use super::Call;
use super::partition_errors::told;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: AlterReplicaLogDirsRequest<'a>,
) -> AlterReplicaLogDirsResponse<'a> {
    let mut results: Vec<AlterReplicaLogDirTopicResult<'a>> = Vec::new();
    for directory in &request.dirs {
        for topic in &directory.topics {
            let moved = topic.partitions.iter().map(|index| AlterReplicaLogDirPartitionResult {
                partition_index: index,
                error_code: begin(call, &directory.path, &topic.name, PartitionIndex(index)).into(),
            });
            let partitions: Vec<_> = moved.collect();
            match results.iter_mut().find(|result| result.topic_name == topic.name) {
                Some(known) => {
                    let all = known.partitions.iter().chain(partitions).collect::<Vec<_>>();
                    known.partitions = all.into();
                }
                None => results.push(AlterReplicaLogDirTopicResult {
                    topic_name: topic.name.clone(),
                    partitions: partitions.into(),
                }),
            }
        }
    }
    call.broker.moves_bell.ring();
    AlterReplicaLogDirsResponse { throttle_time_ms: 0, results: results.into() }
}

fn begin(call: &Call, path: &str, topic: &str, index: PartitionIndex) -> ErrorCode {
    let broker = &call.broker;
    let wanted = absolute(Path::new(path));
    let mut directories = broker.log_dirs.directories();
    let Some(directory) = directories.find(|directory| absolute(directory.path()) == wanted) else {
        let offline = broker.log_dirs.unusable().iter().any(|path| absolute(path) == wanted);
        return if offline { ErrorCode::KafkaStorageError } else { ErrorCode::LogDirNotFound };
    };
    if directory.state().health() == DirectoryHealth::Offline {
        return ErrorCode::KafkaStorageError;
    }
    if broker.log_dirs.cordoned().contains(&directory.id()) {
        return ErrorCode::InvalidReplicaAssignment;
    }
    let found = broker.partitions.by_name(topic).and_then(|topic| topic.get(index).cloned());
    let Some(replica) = found else {
        return match broker.absent_by_name(topic, index) {
            // Kafka keeps to the code that this request has always had.
            ErrorCode::NotLeaderOrFollower => ErrorCode::ReplicaNotAvailable,
            other => other,
        };
    };
    let name = TopicPartition::new(replica.topic().clone(), replica.index);
    let (to, now) = (directory.id(), broker.now());
    let here = replica.log().is_ok_and(|log| log.directory_id() == to);
    let begun = match here {
        // Back to where it is: a move that is under way is given up.
        true => broker.log_dirs.give_up_move(&name, now).map(drop),
        false => broker.log_dirs.begin_move(&name, to, now).map(drop),
    };
    match begun {
        Ok(()) => ErrorCode::None,
        Err(fault) => told(&broker.metrics.corruption, &fault),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
