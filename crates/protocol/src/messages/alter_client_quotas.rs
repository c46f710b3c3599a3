//! AlterClientQuotas, API key 49.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Changes client quotas.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 49, versions = "0-1", flexible = "1+", listeners(broker, controller))]
pub struct AlterClientQuotasRequest<'a> {
    pub entries: Array<'a, RequestEntryData<'a>>,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "EntryData")]
pub struct RequestEntryData<'a> {
    pub entity: Array<'a, RequestEntityData<'a>>,
    pub ops: Array<'a, OpData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "EntityData")]
pub struct RequestEntityData<'a> {
    pub entity_type: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub entity_name: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OpData<'a> {
    pub key: Cow<'a, str>,
    pub value: f64,
    pub remove: bool,
}

/// Answers [`AlterClientQuotasRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 49, versions = "0-1", flexible = "1+")]
pub struct AlterClientQuotasResponse<'a> {
    pub throttle_time_ms: i32,
    pub entries: Array<'a, ResponseEntryData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "EntryData")]
pub struct ResponseEntryData<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub entity: Array<'a, ResponseEntityData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "EntityData")]
pub struct ResponseEntityData<'a> {
    pub entity_type: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub entity_name: Option<Cow<'a, str>>,
}
