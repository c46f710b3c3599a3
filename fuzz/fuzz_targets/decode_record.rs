//! Feeds bytes to the parsers of metadata, coordinator and control records: the place in the catalogue in one byte,
//! the version in another, then the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::messages::catalogue;

fuzz_target!(|input: &[u8]| {
    let Some((&[place, version], bytes)) = input.split_first_chunk() else { return };
    let Some(entry) = catalogue::RECORDS.get(usize::from(place)) else { return };
    headwater_fuzz::check(entry, i16::from(version), bytes);
});
