//! Control records.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// The value of a control record with the set of voters (KIP-853).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0", flexible = "0+")]
pub struct VotersRecord<'a> {
    pub version: i16,
    pub voters: Array<'a, Voter<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Voter<'a> {
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
    pub endpoints: Array<'a, Endpoint<'a>>,
    #[kafka(name = "KRaftVersionFeature")]
    pub kraft_version_feature: KRaftVersionFeature,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Endpoint<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct KRaftVersionFeature {
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}
