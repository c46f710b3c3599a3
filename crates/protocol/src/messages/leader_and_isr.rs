//! LeaderAndIsr, API key 4.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Tells a broker which partitions it leads and follows. Of ZooKeeper controllers only.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 4, versions = "0-7", current = "none", flexible = "4+")]
pub struct LeaderAndIsrRequest<'a> {
    pub controller_id: i32,
    #[kafka(name = "isKRaftController", versions = "7+")]
    pub is_kraft_controller: bool,
    pub controller_epoch: i32,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub broker_epoch: i64,
    #[kafka(versions = "5+")]
    pub r#type: i8,
    #[kafka(versions = "0-1")]
    pub ungrouped_partition_states: Array<'a, LeaderAndIsrPartitionState<'a>>,
    #[kafka(versions = "2+")]
    pub topic_states: Array<'a, LeaderAndIsrTopicState<'a>>,
    pub live_leaders: Array<'a, LeaderAndIsrLiveLeader<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrPartitionState<'a> {
    #[kafka(versions = "0-1", ignorable)]
    pub topic_name: Cow<'a, str>,
    pub partition_index: i32,
    pub controller_epoch: i32,
    pub leader: i32,
    pub leader_epoch: i32,
    pub isr: Array<'a, i32>,
    pub partition_epoch: i32,
    pub replicas: Array<'a, i32>,
    #[kafka(versions = "3+", ignorable)]
    pub adding_replicas: Array<'a, i32>,
    #[kafka(versions = "3+", ignorable)]
    pub removing_replicas: Array<'a, i32>,
    #[kafka(versions = "1+", ignorable)]
    pub is_new: bool,
    #[kafka(versions = "6+")]
    pub leader_recovery_state: i8,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrTopicState<'a> {
    #[kafka(versions = "2+")]
    pub topic_name: Cow<'a, str>,
    #[kafka(versions = "5+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "2+")]
    pub partition_states: Array<'a, LeaderAndIsrPartitionState<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrLiveLeader<'a> {
    pub broker_id: i32,
    pub host_name: Cow<'a, str>,
    pub port: i32,
}

/// Answers [`LeaderAndIsrRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 4, versions = "0-7", current = "none", flexible = "4+")]
pub struct LeaderAndIsrResponse<'a> {
    pub error_code: i16,
    #[kafka(versions = "0-4")]
    pub partition_errors: Array<'a, LeaderAndIsrPartitionError<'a>>,
    #[kafka(versions = "5+")]
    pub topics: Array<'a, LeaderAndIsrTopicError<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrPartitionError<'a> {
    #[kafka(versions = "0-4", ignorable)]
    pub topic_name: Cow<'a, str>,
    pub partition_index: i32,
    pub error_code: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrTopicError<'a> {
    #[kafka(versions = "5+")]
    pub topic_id: Uuid,
    #[kafka(versions = "5+")]
    pub partition_errors: Array<'a, LeaderAndIsrPartitionError<'a>>,
}
