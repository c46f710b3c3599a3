//! StopReplica, API key 5.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Tells a broker to stop replicas, and to delete them. Of ZooKeeper controllers only.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 5, versions = "0-4", current = "none", flexible = "2+")]
pub struct StopReplicaRequest<'a> {
    pub controller_id: i32,
    #[kafka(name = "isKRaftController", versions = "4+")]
    pub is_kraft_controller: bool,
    pub controller_epoch: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub broker_epoch: i64,
    #[kafka(versions = "0-2")]
    pub delete_partitions: bool,
    #[kafka(versions = "0")]
    pub ungrouped_partitions: Array<'a, StopReplicaPartitionV0<'a>>,
    #[kafka(versions = "1-2")]
    pub topics: Array<'a, StopReplicaTopicV1<'a>>,
    #[kafka(versions = "3+")]
    pub topic_states: Array<'a, StopReplicaTopicState<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaPartitionV0<'a> {
    #[kafka(versions = "0")]
    pub topic_name: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub partition_index: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaTopicV1<'a> {
    #[kafka(versions = "1-2")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "1-2")]
    pub partition_indexes: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaTopicState<'a> {
    #[kafka(versions = "3+")]
    pub topic_name: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub partition_states: Array<'a, StopReplicaPartitionState>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaPartitionState {
    #[kafka(versions = "3+")]
    pub partition_index: i32,
    #[kafka(versions = "3+", default = -1)]
    pub leader_epoch: i32,
    #[kafka(versions = "3+")]
    pub delete_partition: bool,
}

/// Answers [`StopReplicaRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 5, versions = "0-4", current = "none", flexible = "2+")]
pub struct StopReplicaResponse<'a> {
    pub error_code: i16,
    pub partition_errors: Array<'a, StopReplicaPartitionError<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaPartitionError<'a> {
    pub topic_name: Cow<'a, str>,
    pub partition_index: i32,
    pub error_code: i16,
}
