//! FindCoordinator, API key 10.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks which brokers coordinate groups, transactions or share partitions.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 10, versions = "0-6", flexible = "3+", listeners(broker))]
pub struct FindCoordinatorRequest<'a> {
    #[kafka(versions = "0-3")]
    pub key: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub key_type: i8,
    #[kafka(versions = "4+")]
    pub coordinator_keys: Array<'a, Cow<'a, str>>,
}

/// Answers [`FindCoordinatorRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 10, versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0-3")]
    pub error_code: i16,
    #[kafka(versions = "1-3", nullable = "1-3", ignorable)]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(versions = "0-3")]
    pub node_id: i32,
    #[kafka(versions = "0-3")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "0-3")]
    pub port: i32,
    #[kafka(versions = "4+")]
    pub coordinators: Array<'a, Coordinator<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Coordinator<'a> {
    #[kafka(versions = "4+")]
    pub key: Cow<'a, str>,
    #[kafka(versions = "4+")]
    pub node_id: i32,
    #[kafka(versions = "4+")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "4+")]
    pub port: i32,
    #[kafka(versions = "4+")]
    pub error_code: i16,
    #[kafka(versions = "4+", nullable = "4+", ignorable)]
    pub error_message: Option<Cow<'a, str>>,
}
