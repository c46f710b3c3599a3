//! DeleteTopics, API key 20.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Deletes topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 20, versions = "0-6", current = "1-6", flexible = "4+", listeners(broker, controller))]
pub struct DeleteTopicsRequest<'a> {
    #[kafka(versions = "6+")]
    pub topics: Array<'a, DeleteTopicState<'a>>,
    #[kafka(versions = "0-5", ignorable)]
    pub topic_names: Array<'a, Cow<'a, str>>,
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteTopicState<'a> {
    #[kafka(versions = "6+", nullable = "6+", default = null)]
    pub name: Option<Cow<'a, str>>,
    #[kafka(versions = "6+")]
    pub topic_id: Uuid,
}

/// Answers [`DeleteTopicsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 20, versions = "0-6", current = "1-6", flexible = "4+")]
pub struct DeleteTopicsResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub responses: Array<'a, DeletableTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeletableTopicResult<'a> {
    #[kafka(nullable = "6+")]
    pub name: Option<Cow<'a, str>>,
    #[kafka(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    pub error_code: i16,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub error_message: Option<Cow<'a, str>>,
}
