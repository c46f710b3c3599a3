//! DescribeLogDirs, API key 35.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the log directories of a broker and what is in them.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 35, versions = "0-5", current = "1-5", flexible = "2+", listeners(broker))]
pub struct DescribeLogDirsRequest<'a> {
    #[kafka(nullable = "0+")]
    pub topics: Option<Array<'a, DescribableLogDirTopic<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribableLogDirTopic<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

/// Answers [`DescribeLogDirsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 35, versions = "0-5", current = "1-5", flexible = "2+")]
pub struct DescribeLogDirsResponse<'a> {
    pub throttle_time_ms: i32,
    #[kafka(versions = "3+", ignorable)]
    pub error_code: i16,
    pub results: Array<'a, DescribeLogDirsResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeLogDirsResult<'a> {
    pub error_code: i16,
    pub log_dir: Cow<'a, str>,
    pub topics: Array<'a, DescribeLogDirsTopic<'a>>,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub total_bytes: i64,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub usable_bytes: i64,
    #[kafka(versions = "5+", ignorable)]
    pub is_cordoned: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeLogDirsTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, DescribeLogDirsPartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeLogDirsPartition {
    pub partition_index: i32,
    pub partition_size: i64,
    pub offset_lag: i64,
    pub is_future_key: bool,
}
