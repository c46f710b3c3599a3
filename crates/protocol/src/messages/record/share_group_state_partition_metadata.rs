//! Record type 15 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// The share partitions of a share group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 15, versions = "0")]
pub struct ShareGroupStatePartitionMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
}

/// Which share partitions have state, are getting it or are losing it.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 15, versions = "0", flexible = "0+")]
pub struct ShareGroupStatePartitionMetadataValue<'a> {
    pub initializing_topics: Array<'a, TopicPartitionsInfo<'a>>,
    pub initialized_topics: Array<'a, TopicPartitionsInfo<'a>>,
    pub deleting_topics: Array<'a, TopicInfo<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitionsInfo<'a> {
    pub topic_id: Uuid,
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicInfo<'a> {
    pub topic_id: Uuid,
    pub topic_name: Cow<'a, str>,
}
