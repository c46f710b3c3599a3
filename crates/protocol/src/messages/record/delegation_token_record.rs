//! Record type 10 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::wire::Array;

/// A delegation token came or was renewed.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 10, versions = "0", flexible = "0+")]
pub struct DelegationTokenRecord<'a> {
    pub owner: Cow<'a, str>,
    pub requester: Cow<'a, str>,
    pub renewers: Array<'a, Cow<'a, str>>,
    pub issue_timestamp: i64,
    pub max_timestamp: i64,
    pub expiration_timestamp: i64,
    pub token_id: Cow<'a, str>,
}
