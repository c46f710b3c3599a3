//! ShareAcknowledge, API key 79.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Acknowledges records acquired in a share session (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 79, versions = "1-2", flexible = "0+", listeners(broker))]
pub struct ShareAcknowledgeRequest<'a> {
    #[kafka(nullable = "0+", default = null)]
    pub group_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+")]
    pub member_id: Option<Cow<'a, str>>,
    pub share_session_epoch: i32,
    #[kafka(versions = "2+")]
    pub is_renew_ack: bool,
    pub topics: Array<'a, AcknowledgeTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcknowledgeTopic<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, AcknowledgePartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcknowledgePartition<'a> {
    pub partition_index: i32,
    pub acknowledgement_batches: Array<'a, AcknowledgementBatch<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcknowledgementBatch<'a> {
    pub first_offset: i64,
    pub last_offset: i64,
    pub acknowledge_types: Array<'a, i8>,
}

/// Answers [`ShareAcknowledgeRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 79, versions = "1-2", flexible = "0+")]
pub struct ShareAcknowledgeResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(versions = "2+", ignorable)]
    pub acquisition_lock_timeout_ms: i32,
    pub responses: Array<'a, ShareAcknowledgeTopicResponse<'a>>,
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ShareAcknowledgeTopicResponse<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub current_leader: LeaderIdAndEpoch,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    #[kafka(nullable = "0+", default = null)]
    pub rack: Option<Cow<'a, str>>,
}
