//! Feeds frames to the parser of requests: header and body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::ApiKey;
use protocol::messages::{RequestHeader, catalogue};

fuzz_target!(|frame: &[u8]| {
    let Ok((header, body)) = RequestHeader::parse(frame) else { return };
    let Some(api) = ApiKey::from_i16(header.request_api_key) else { return };
    let name = api.request().name;
    let entry = catalogue::APIS.iter().find(|entry| entry.schema.name == name).expect("every API is there");
    headwater_fuzz::check(entry, header.request_api_version, body);
});
