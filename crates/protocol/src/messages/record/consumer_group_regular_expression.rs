//! Record type 16 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::wire::Array;

/// A regular expression that a consumer group subscribes to.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 16, versions = "0")]
pub struct ConsumerGroupRegularExpressionKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub regular_expression: Cow<'a, str>,
}

/// The topics that the expression matched.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 16, versions = "0", flexible = "0+")]
pub struct ConsumerGroupRegularExpressionValue<'a> {
    pub topics: Array<'a, Cow<'a, str>>,
    pub version: i64,
    pub timestamp: i64,
}
