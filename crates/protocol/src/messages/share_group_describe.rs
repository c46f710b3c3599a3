//! ShareGroupDescribe, API key 77.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks for state and members of share groups (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 77, versions = "1", flexible = "0+", listeners(broker))]
pub struct ShareGroupDescribeRequest<'a> {
    pub group_ids: Array<'a, Cow<'a, str>>,
    pub include_authorized_operations: bool,
}

/// Answers [`ShareGroupDescribeRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 77, versions = "1", flexible = "0+")]
pub struct ShareGroupDescribeResponse<'a> {
    pub throttle_time_ms: i32,
    pub groups: Array<'a, DescribedGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroup<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub group_id: Cow<'a, str>,
    pub group_state: Cow<'a, str>,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    pub assignor_name: Cow<'a, str>,
    pub members: Array<'a, Member<'a>>,
    #[kafka(default = -2147483648)]
    pub authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Member<'a> {
    pub member_id: Cow<'a, str>,
    #[kafka(nullable = "0+", default = null)]
    pub rack_id: Option<Cow<'a, str>>,
    pub member_epoch: i32,
    pub client_id: Cow<'a, str>,
    pub client_host: Cow<'a, str>,
    pub subscribed_topic_names: Array<'a, Cow<'a, str>>,
    pub assignment: Assignment<'a>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Assignment<'a> {
    pub topic_partitions: Array<'a, TopicPartitions<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    pub topic_id: Uuid,
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}
