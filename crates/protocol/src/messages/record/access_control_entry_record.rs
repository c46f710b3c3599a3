//! Record type 18 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::id::Uuid;

/// An ACL came.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 18, versions = "0", flexible = "0+")]
pub struct AccessControlEntryRecord<'a> {
    pub id: Uuid,
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    pub pattern_type: i8,
    pub principal: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub operation: i8,
    pub permission_type: i8,
}
