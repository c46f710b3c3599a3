//! ShareFetch, API key 78.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Acquires records for a member of a share group and acknowledges others (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 78, versions = "1-2", flexible = "0+", listeners(broker))]
pub struct ShareFetchRequest<'a> {
    #[kafka(nullable = "0+", default = null)]
    pub group_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+")]
    pub member_id: Option<Cow<'a, str>>,
    pub share_session_epoch: i32,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    #[kafka(default = 0x7fffffff)]
    pub max_bytes: i32,
    #[kafka(versions = "1+")]
    pub max_records: i32,
    #[kafka(versions = "1+")]
    pub batch_size: i32,
    #[kafka(versions = "2+", ignorable)]
    pub share_acquire_mode: i8,
    #[kafka(versions = "2+")]
    pub is_renew_ack: bool,
    pub topics: Array<'a, FetchTopic<'a>>,
    pub forgotten_topics_data: Array<'a, ForgottenTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchTopic<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, FetchPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchPartition<'a> {
    pub partition_index: i32,
    #[kafka(versions = "0")]
    pub partition_max_bytes: i32,
    pub acknowledgement_batches: Array<'a, AcknowledgementBatch<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcknowledgementBatch<'a> {
    pub first_offset: i64,
    pub last_offset: i64,
    pub acknowledge_types: Array<'a, i8>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ForgottenTopic<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, i32>,
}

/// Answers [`ShareFetchRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 78, versions = "1-2", flexible = "0+")]
pub struct ShareFetchResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(versions = "1+")]
    pub acquisition_lock_timeout_ms: i32,
    pub responses: Array<'a, ShareFetchableTopicResponse<'a>>,
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ShareFetchableTopicResponse<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub acknowledge_error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub acknowledge_error_message: Option<Cow<'a, str>>,
    pub current_leader: LeaderIdAndEpoch,
    #[kafka(nullable = "0", records)]
    pub records: Option<Cow<'a, [u8]>>,
    pub acquired_records: Array<'a, AcquiredRecords>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcquiredRecords {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_count: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    #[kafka(nullable = "0+", default = null)]
    pub rack: Option<Cow<'a, str>>,
}
