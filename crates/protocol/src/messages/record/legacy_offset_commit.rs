//! Record type 0 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A committed offset of record type 0, as brokers before 0.9 wrote it.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 0, versions = "0")]
pub struct LegacyOffsetCommitKey<'a> {
    #[kafka(name = "group", versions = "0")]
    pub group: Cow<'a, str>,
    #[kafka(name = "topic", versions = "0")]
    pub topic: Cow<'a, str>,
    #[kafka(name = "partition", versions = "0")]
    pub partition: i32,
}

/// The offset that was committed, of record type 0.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 0, versions = "0")]
pub struct LegacyOffsetCommitValue<'a> {
    #[kafka(name = "offset", versions = "0")]
    pub offset: i64,
    #[kafka(name = "metadata", versions = "0")]
    pub metadata: Cow<'a, str>,
    #[kafka(name = "commitTimestamp", versions = "0")]
    pub commit_timestamp: i64,
}
