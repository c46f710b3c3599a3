//! FindCoordinator, 0 to 6: which broker coordinates a group or a transactional id.
//!
//! 1 adds key types (KIP-98), 4 many keys at once (KIP-699), 6 share groups (KIP-932). The coordinator of a key is
//! the leader of its partition of an internal topic, which comes into being when it is first asked for.
//!
//! This broker runs no share coordinators yet and says so in the words Kafka has for it while its own are not there:
//! COORDINATOR_NOT_AVAILABLE, which clients take as "try again later".
//!
//! deviation: Kafka answers COORDINATOR_NOT_AVAILABLE while the internal topic is being created; this broker waits
//! until it is there. The first member of a new cluster gains its back-off.

use std::borrow::Cow;
use std::time::Duration;

use coordinator::partitioning::partition_of;
use protocol::ErrorCode;
use protocol::id::Uuid;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

use super::Call;
use crate::runtime::coordinators::{CoordinatorError, InternalTopic, ensure_internal_topic};

/// How long who never asks for a coordinator may wait for one.
const READY_WITHIN: Duration = Duration::from_secs(5);
/// How long one that is loading is left alone.
const LOADING_PAUSE: Duration = Duration::from_millis(5);
const KEY_TYPE_GROUP: i8 = 0;
const KEY_TYPE_TRANSACTION: i8 = 1;
const KEY_TYPE_SHARE: i8 = 2;
const NOT_AVAILABLE: &str = "this broker runs no share coordinators yet: use groups of consumers";

/// What is found for one key.
type Found = Result<(i32, String, i32), (ErrorCode, String)>;

/// Handles one request.
pub async fn handle(call: &Call, request: FindCoordinatorRequest<'_>) -> FindCoordinatorResponse<'static> {
    if call.asked.version < 4 {
        let found = find(call, request.key_type, &request.key).await;
        let Coordinator { node_id, host, port, error_code, error_message, .. } = answer("", found);
        return FindCoordinatorResponse {
            error_code,
            // A good answer has Kafka's word for "no error" here.
            error_message: Some(error_message.unwrap_or(Cow::Borrowed("NONE"))),
            node_id,
            host,
            port,
            ..FindCoordinatorResponse::default()
        };
    }
    let mut coordinators = Vec::new();
    for key in &request.coordinator_keys {
        let found = find(call, request.key_type, &key).await;
        coordinators.push(answer(&key, found));
    }
    FindCoordinatorResponse { coordinators: coordinators.into(), ..FindCoordinatorResponse::default() }
}

fn answer(key: &str, found: Found) -> Coordinator<'static> {
    let key = Cow::Owned(key.to_owned());
    match found {
        Ok((node_id, host, port)) => Coordinator {
            key,
            node_id,
            host: host.into(),
            port,
            error_code: ErrorCode::None.into(),
            error_message: Some(Cow::Borrowed("")),
        },
        Err((error, message)) => Coordinator {
            key,
            node_id: -1,
            host: Cow::Borrowed(""),
            port: -1,
            error_code: error.into(),
            error_message: Some(message.into()),
        },
    }
}

async fn find(call: &Call, key_type: i8, key: &str) -> Found {
    let topic = match key_type {
        KEY_TYPE_GROUP => InternalTopic::offsets(&call.broker.config()),
        KEY_TYPE_TRANSACTION => InternalTopic::transactions(&call.broker.config()),
        _ => {
            let (error, message) = refusal(call.asked.version, key_type, key);
            return Err((error, message.to_owned()));
        }
    };
    let name = topic.name;
    let unavailable = |why: String| (ErrorCode::CoordinatorNotAvailable, why);
    ensure_internal_topic(&call.broker, topic).await.map_err(unavailable)?;
    let image = call.broker.image();
    let Some(topic) = image.topics.by_name(name) else {
        return Err(unavailable(format!("the topic {name} is not there")));
    };
    let index = partition_of(key, u32::try_from(topic.partitions.len()).unwrap_or(1));
    let leader = topic.partition(index).and_then(|partition| partition.leader);
    let broker = leader.and_then(|leader| image.cluster.broker(leader)).filter(|broker| !broker.fenced);
    let endpoints = broker.iter().flat_map(|broker| &broker.endpoints);
    let endpoint = endpoints.into_iter().find(|endpoint| *endpoint.name == *call.peer.listener);
    match (broker, endpoint) {
        (Some(broker), Some(endpoint)) => Ok((broker.id.0, endpoint.host.clone(), endpoint.port.into())),
        _ => {
            Err(unavailable(format!("partition {index} of {name} has no leader that this listener reaches")))
        }
    }
}

/// Has a coordinator of a group, for clients that know of none and cannot be told to come again: version 0 of OffsetCommit
/// and OffsetFetch went to any broker, which kept offsets in ZooKeeper. Where there is none in time they are answered as
/// everybody is.
pub(super) async fn be_ready(call: &Call, group: &str) {
    if let Err(why) = ensure_internal_topic(&call.broker, InternalTopic::offsets(&call.broker.config())).await
    {
        tracing::debug!(group, why, "no coordinator");
        return;
    }
    let groups = &call.broker.coordinators.groups;
    let ready = async {
        while matches!(groups.replica_of(group), Err(CoordinatorError::Loading)) {
            tokio::time::sleep(LOADING_PAUSE).await;
        }
    };
    let _ready = tokio::time::timeout(READY_WITHIN, ready).await;
}

fn refusal(version: i16, key_type: i8, key: &str) -> (ErrorCode, &'static str) {
    match key_type {
        KEY_TYPE_SHARE if version >= 6 && names_share_partition(key) => {
            (ErrorCode::CoordinatorNotAvailable, NOT_AVAILABLE)
        }
        KEY_TYPE_SHARE if version >= 6 => {
            (ErrorCode::InvalidRequest, "the key of a share coordinator is group:topicId:partition")
        }
        _ => (
            ErrorCode::InvalidRequest,
            "key types are 0 (group), 1 (transaction) and, from version 6, 2 (share)",
        ),
    }
}

/// Whether a key is `group:topicId:partition`.
fn names_share_partition(key: &str) -> bool {
    let parts: Vec<_> = key.split(':').collect();
    let [group, topic, partition] = parts[..] else { return false };
    !group.trim().is_empty() && Uuid::parse(topic).is_some() && partition.parse::<i32>().is_ok()
}
