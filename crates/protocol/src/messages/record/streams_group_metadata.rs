//! Record type 17 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A streams group (KIP-1071).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 17, versions = "0")]
pub struct StreamsGroupMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
}

/// The epoch of a streams group, and what it is configured with.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 17, versions = "0", flexible = "0+")]
pub struct StreamsGroupMetadataValue<'a> {
    pub epoch: i32,
    pub metadata_hash: i64,
    #[kafka(tag = 0, tagged = "0+", default = -1)]
    pub validated_topology_epoch: i32,
    #[kafka(nullable = "0+", tag = 1, tagged = "0+")]
    pub last_assignment_configs: Option<Array<'a, LastAssignmentConfig<'a>>>,
    #[kafka(tag = 2, tagged = "0+", default = -1)]
    pub stored_description_topology_epoch: i32,
    #[kafka(tag = 3, tagged = "0+", default = -1)]
    pub failed_description_topology_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LastAssignmentConfig<'a> {
    pub key: Cow<'a, str>,
    pub value: Cow<'a, str>,
}
