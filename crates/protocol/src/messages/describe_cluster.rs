//! DescribeCluster, API key 60.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the brokers or controllers of the cluster (KIP-700, KIP-919).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 60, versions = "0-2", flexible = "0+", listeners(broker, controller))]
pub struct DescribeClusterRequest {
    pub include_cluster_authorized_operations: bool,
    #[kafka(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    #[kafka(versions = "2+")]
    pub include_fenced_brokers: bool,
}

/// Answers [`DescribeClusterRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 60, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    pub cluster_id: Cow<'a, str>,
    #[kafka(default = -1)]
    pub controller_id: i32,
    pub brokers: Array<'a, DescribeClusterBroker<'a>>,
    #[kafka(default = -2147483648)]
    pub cluster_authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeClusterBroker<'a> {
    pub broker_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    #[kafka(nullable = "0+", default = null)]
    pub rack: Option<Cow<'a, str>>,
    #[kafka(versions = "2+")]
    pub is_fenced: bool,
}
