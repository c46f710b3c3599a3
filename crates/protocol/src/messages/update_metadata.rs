//! UpdateMetadata, API key 6.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Hands a broker the cluster metadata. Of ZooKeeper controllers only.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 6, versions = "0-8", current = "none", flexible = "6+")]
pub struct UpdateMetadataRequest<'a> {
    pub controller_id: i32,
    #[kafka(name = "isKRaftController", versions = "8+")]
    pub is_kraft_controller: bool,
    #[kafka(versions = "8+", tag = 0, tagged = "8+")]
    pub r#type: i8,
    pub controller_epoch: i32,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub broker_epoch: i64,
    #[kafka(versions = "0-4")]
    pub ungrouped_partition_states: Array<'a, UpdateMetadataPartitionState<'a>>,
    #[kafka(versions = "5+")]
    pub topic_states: Array<'a, UpdateMetadataTopicState<'a>>,
    pub live_brokers: Array<'a, UpdateMetadataBroker<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataPartitionState<'a> {
    #[kafka(versions = "0-4", ignorable)]
    pub topic_name: Cow<'a, str>,
    pub partition_index: i32,
    pub controller_epoch: i32,
    pub leader: i32,
    pub leader_epoch: i32,
    pub isr: Array<'a, i32>,
    pub zk_version: i32,
    pub replicas: Array<'a, i32>,
    #[kafka(versions = "4+", ignorable)]
    pub offline_replicas: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataTopicState<'a> {
    #[kafka(versions = "5+")]
    pub topic_name: Cow<'a, str>,
    #[kafka(versions = "7+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "5+")]
    pub partition_states: Array<'a, UpdateMetadataPartitionState<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataBroker<'a> {
    pub id: i32,
    #[kafka(versions = "0", ignorable)]
    pub v0_host: Cow<'a, str>,
    #[kafka(versions = "0", ignorable)]
    pub v0_port: i32,
    #[kafka(versions = "1+", ignorable)]
    pub endpoints: Array<'a, UpdateMetadataEndpoint<'a>>,
    #[kafka(versions = "2+", nullable = "0+", ignorable)]
    pub rack: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataEndpoint<'a> {
    #[kafka(versions = "1+")]
    pub port: i32,
    #[kafka(versions = "1+")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "3+", ignorable)]
    pub listener: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub security_protocol: i16,
}

/// Answers [`UpdateMetadataRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 6, versions = "0-8", current = "none", flexible = "6+")]
pub struct UpdateMetadataResponse {
    pub error_code: i16,
}
