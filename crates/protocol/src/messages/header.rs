//! What stands before requests and responses, and which version of it.

use std::borrow::Cow;

use protocol_derive::Message;

use super::Message as _;
use crate::api_key::ApiKey;
use crate::wire::DecodeError;

/// What stands before every request. Version 0 is that of `ControlledShutdown` 0 alone; 2 has tagged fields.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(header, versions = "0-2", current = "1-2", flexible = "2+")]
pub struct RequestHeader<'a> {
    pub request_api_key: i16,
    pub request_api_version: i16,
    pub correlation_id: i32,
    #[kafka(versions = "1+", nullable = "1+", ignorable, inflexible)]
    pub client_id: Option<Cow<'a, str>>,
}

/// What stands before every response. Version 1 has tagged fields.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(header, versions = "0-1", flexible = "1+")]
pub struct ResponseHeader {
    pub correlation_id: i32,
}

impl<'a> RequestHeader<'a> {
    /// Reads the header off the front of a request's frame and hands back the body. The header of an unknown API
    /// is read as version 1, as far as it goes, so that the refusal can name who asked.
    pub fn parse(frame: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        // All versions begin with key and version. Where not even these are there no version can be read.
        let version = match frame.first_chunk::<4>() {
            Some(&[key_high, key_low, version_high, version_low]) => {
                let api = ApiKey::from_i16(i16::from_be_bytes([key_high, key_low]));
                let version = i16::from_be_bytes([version_high, version_low]);
                api.map_or(1, |api| request_header_version(api, version))
            }
            None => 0,
        };
        Self::decode_prefix(frame, version)
    }
}

/// The version of the header before a request of `api` in `version`.
pub fn request_header_version(api: ApiKey, version: i16) -> i16 {
    match (api, version) {
        // Brokers of 0.8 sent it without a client id, and so it stayed.
        (ApiKey::ControlledShutdown, 0) => 0,
        _ if api.request().flexible.contains(version) => 2,
        _ => 1,
    }
}

/// The version of the header before a response of `api` in `version`.
pub fn response_header_version(api: ApiKey, version: i16) -> i16 {
    // A client that asks in too high a version must be able to read the answer that says so (KIP-511).
    i16::from(api != ApiKey::ApiVersions && api.response().flexible.contains(version))
}
