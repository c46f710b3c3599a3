//! Record type 14 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A client quota was set or removed.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 14, versions = "0", flexible = "0+")]
pub struct ClientQuotaRecord<'a> {
    pub entity: Array<'a, EntityData<'a>>,
    pub key: Cow<'a, str>,
    pub value: f64,
    pub remove: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EntityData<'a> {
    pub entity_type: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub entity_name: Option<Cow<'a, str>>,
}
