//! Metadata, API key 3.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks for the brokers and for topics with their partitions; may create topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 3, versions = "0-13", flexible = "9+", listeners(broker))]
pub struct MetadataRequest<'a> {
    #[kafka(nullable = "1+")]
    pub topics: Option<Array<'a, MetadataRequestTopic<'a>>>,
    #[kafka(versions = "4+", default = true)]
    pub allow_auto_topic_creation: bool,
    #[kafka(versions = "8-10")]
    pub include_cluster_authorized_operations: bool,
    #[kafka(versions = "8+")]
    pub include_topic_authorized_operations: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataRequestTopic<'a> {
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(nullable = "10+")]
    pub name: Option<Cow<'a, str>>,
}

/// Answers [`MetadataRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 3, versions = "0-13", flexible = "9+")]
pub struct MetadataResponse<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    pub brokers: Array<'a, MetadataResponseBroker<'a>>,
    #[kafka(versions = "2+", nullable = "2+", default = null, ignorable)]
    pub cluster_id: Option<Cow<'a, str>>,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub controller_id: i32,
    pub topics: Array<'a, MetadataResponseTopic<'a>>,
    #[kafka(versions = "8-10", default = -2147483648)]
    pub cluster_authorized_operations: i32,
    #[kafka(versions = "13+", ignorable)]
    pub error_code: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataResponseBroker<'a> {
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    #[kafka(versions = "1+", nullable = "1+", default = null, ignorable)]
    pub rack: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataResponseTopic<'a> {
    pub error_code: i16,
    #[kafka(nullable = "12+")]
    pub name: Option<Cow<'a, str>>,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "1+", ignorable)]
    pub is_internal: bool,
    pub partitions: Array<'a, MetadataResponsePartition<'a>>,
    #[kafka(versions = "8+", default = -2147483648)]
    pub topic_authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataResponsePartition<'a> {
    pub error_code: i16,
    pub partition_index: i32,
    pub leader_id: i32,
    #[kafka(versions = "7+", default = -1, ignorable)]
    pub leader_epoch: i32,
    pub replica_nodes: Array<'a, i32>,
    pub isr_nodes: Array<'a, i32>,
    #[kafka(versions = "5+", ignorable)]
    pub offline_replicas: Array<'a, i32>,
}
