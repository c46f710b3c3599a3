//! CreatePartitions, API key 37.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Adds partitions to topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 37, versions = "0-3", flexible = "2+", listeners(broker, controller))]
pub struct CreatePartitionsRequest<'a> {
    pub topics: Array<'a, CreatePartitionsTopic<'a>>,
    pub timeout_ms: i32,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatePartitionsTopic<'a> {
    pub name: Cow<'a, str>,
    pub count: i32,
    #[kafka(nullable = "0+")]
    pub assignments: Option<Array<'a, CreatePartitionsAssignment<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatePartitionsAssignment<'a> {
    pub broker_ids: Array<'a, i32>,
}

/// Answers [`CreatePartitionsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 37, versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Array<'a, CreatePartitionsTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatePartitionsTopicResult<'a> {
    pub name: Cow<'a, str>,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
}
