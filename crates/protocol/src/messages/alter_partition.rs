//! AlterPartition, API key 56.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks the controller to change the in-sync replicas of partitions (KIP-497).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 56, versions = "0-3", current = "2-3", flexible = "0+", listeners(controller))]
pub struct AlterPartitionRequest<'a> {
    pub broker_id: i32,
    #[kafka(default = -1)]
    pub broker_epoch: i64,
    pub topics: Array<'a, RequestTopicData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct RequestTopicData<'a> {
    #[kafka(versions = "0-1", ignorable)]
    pub topic_name: Cow<'a, str>,
    #[kafka(versions = "2+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, RequestPartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct RequestPartitionData<'a> {
    pub partition_index: i32,
    pub leader_epoch: i32,
    #[kafka(versions = "0-2")]
    pub new_isr: Array<'a, i32>,
    #[kafka(versions = "3+")]
    pub new_isr_with_epochs: Array<'a, BrokerState>,
    #[kafka(versions = "1+")]
    pub leader_recovery_state: i8,
    pub partition_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct BrokerState {
    #[kafka(versions = "3+")]
    pub broker_id: i32,
    #[kafka(versions = "3+", default = -1)]
    pub broker_epoch: i64,
}

/// Answers [`AlterPartitionRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 56, versions = "0-3", current = "2-3", flexible = "0+")]
pub struct AlterPartitionResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub topics: Array<'a, ResponseTopicData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct ResponseTopicData<'a> {
    #[kafka(versions = "0-1", ignorable)]
    pub topic_name: Cow<'a, str>,
    #[kafka(versions = "2+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, ResponsePartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct ResponsePartitionData<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub isr: Array<'a, i32>,
    #[kafka(versions = "1+", ignorable)]
    pub leader_recovery_state: i8,
    pub partition_epoch: i32,
}
