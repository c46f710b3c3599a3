//! DescribeClientQuotas, API key 48.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the client quotas that match a filter.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 48, versions = "0-1", flexible = "1+", listeners(broker))]
pub struct DescribeClientQuotasRequest<'a> {
    pub components: Array<'a, ComponentData<'a>>,
    pub strict: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ComponentData<'a> {
    pub entity_type: Cow<'a, str>,
    pub match_type: i8,
    #[kafka(nullable = "0+")]
    pub r#match: Option<Cow<'a, str>>,
}

/// Answers [`DescribeClientQuotasRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 48, versions = "0-1", flexible = "1+")]
pub struct DescribeClientQuotasResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+")]
    pub entries: Option<Array<'a, EntryData<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EntryData<'a> {
    pub entity: Array<'a, EntityData<'a>>,
    pub values: Array<'a, ValueData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EntityData<'a> {
    pub entity_type: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub entity_name: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ValueData<'a> {
    pub key: Cow<'a, str>,
    pub value: f64,
}
