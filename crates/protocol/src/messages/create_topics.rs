//! CreateTopics, API key 19.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Creates topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 19, versions = "0-7", current = "2-7", flexible = "5+", listeners(broker, controller))]
pub struct CreateTopicsRequest<'a> {
    pub topics: Array<'a, CreatableTopic<'a>>,
    #[kafka(name = "timeoutMs", default = 60000)]
    pub timeout_ms: i32,
    #[kafka(name = "validateOnly", versions = "1+")]
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopic<'a> {
    pub name: Cow<'a, str>,
    pub num_partitions: i32,
    pub replication_factor: i16,
    pub assignments: Array<'a, CreatableReplicaAssignment<'a>>,
    pub configs: Array<'a, CreatableTopicConfig<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableReplicaAssignment<'a> {
    pub partition_index: i32,
    pub broker_ids: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopicConfig<'a> {
    pub name: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub value: Option<Cow<'a, str>>,
}

/// Answers [`CreateTopicsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 19, versions = "0-7", current = "2-7", flexible = "5+")]
pub struct CreateTopicsResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Array<'a, CreatableTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopicResult<'a> {
    pub name: Cow<'a, str>,
    #[kafka(versions = "7+", ignorable)]
    pub topic_id: Uuid,
    pub error_code: i16,
    #[kafka(versions = "1+", nullable = "0+", ignorable)]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(versions = "5+", tag = 0, tagged = "5+", ignorable)]
    pub topic_config_error_code: i16,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub num_partitions: i32,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub replication_factor: i16,
    #[kafka(versions = "5+", nullable = "5+", ignorable)]
    pub configs: Option<Array<'a, CreatableTopicConfigs<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopicConfigs<'a> {
    #[kafka(versions = "5+")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "5+", nullable = "5+")]
    pub value: Option<Cow<'a, str>>,
    #[kafka(versions = "5+")]
    pub read_only: bool,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub config_source: i8,
    #[kafka(versions = "5+")]
    pub is_sensitive: bool,
}
