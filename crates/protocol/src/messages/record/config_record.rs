//! Record type 4 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A configuration key was set or removed.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 4, versions = "0", flexible = "0+")]
pub struct ConfigRecord<'a> {
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    pub name: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub value: Option<Cow<'a, str>>,
}
