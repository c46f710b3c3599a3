//! Record type 4 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// The subscribed topics of a consumer group, as older coordinators kept them.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 4, versions = "0")]
pub struct ConsumerGroupPartitionMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
}

/// The partitions of the subscribed topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 4, versions = "0", flexible = "0+")]
pub struct ConsumerGroupPartitionMetadataValue<'a> {
    pub topics: Array<'a, TopicMetadata<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicMetadata<'a> {
    pub topic_id: Uuid,
    pub topic_name: Cow<'a, str>,
    pub num_partitions: i32,
    pub partition_metadata: Array<'a, PartitionMetadata<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionMetadata<'a> {
    pub partition: i32,
    pub racks: Array<'a, Cow<'a, str>>,
}
