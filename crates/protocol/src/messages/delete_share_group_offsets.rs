//! DeleteShareGroupOffsets, API key 92.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Deletes the start offsets of a share group (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 92, versions = "0", flexible = "0+", listeners(broker))]
pub struct DeleteShareGroupOffsetsRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, DeleteShareGroupOffsetsRequestTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteShareGroupOffsetsRequestTopic<'a> {
    pub topic_name: Cow<'a, str>,
}

/// Answers [`DeleteShareGroupOffsetsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 92, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupOffsetsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub responses: Array<'a, DeleteShareGroupOffsetsResponseTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteShareGroupOffsetsResponseTopic<'a> {
    pub topic_name: Cow<'a, str>,
    pub topic_id: Uuid,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
}
