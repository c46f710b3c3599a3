//! Feeds bodies to the parsers of responses: API key and version in four bytes, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::ApiKey;
use protocol::messages::catalogue;

fuzz_target!(|input: &[u8]| {
    let Some((&[key_high, key_low, version_high, version_low], body)) = input.split_first_chunk() else {
        return;
    };
    let Some(api) = ApiKey::from_i16(i16::from_be_bytes([key_high, key_low])) else { return };
    let name = api.response().name;
    let entry = catalogue::APIS.iter().find(|entry| entry.schema.name == name).expect("every API is there");
    headwater_fuzz::check(entry, i16::from_be_bytes([version_high, version_low]), body);
});
